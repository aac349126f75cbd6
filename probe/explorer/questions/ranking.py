"""The units that respond most to labels: a quick order first, then scores with intervals, as `probe rank` has them."""

import math
from collections.abc import Callable
from typing import Any

from activations.progress import Progress, no_progress, steps_of
from activations.site_names import select_sites
from activations.units import Site
from analyses.ranking.ranking import rank
from analyses.ranking.results import Ranking
from analyses.session import Session
from analyses.targets.target import Target

N_SHOWN = 20
"""Units that are shown; each of them has an interval."""
N_SHIFTS = 99
"""Circular shifts of the labels that units are compared with, as many as `probe rank` makes."""
_QUICK_SIGNALS = ("hidden", "cell")
_QUICK_SHARE = 0.2  # of the time of both rankings, roughly


def rank_labels(
    session: Session,
    labels: Target,
    *,
    sites: str | None = None,
    quick: Callable[[list[dict[str, Any]]], object] = lambda rows: None,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """Rank units by how well each of them alone predicts labels.

    Args:
        session: A session of the recording.
        labels: The labels of its text.
        sites: The sites whose units are ranked, such as `hidden,1/cell`; None is all.
        quick: Called first with the rows of the hidden and cell units, without intervals and shifts, if these are not
            all that is asked for.
        progress: Called with the amount done and the total.

    Returns:
        `rows`, the same as `probe rank --top 20 --json` prints, and what is said beside them: `hypothesis`, `measure`,
        `n_units`, `n_train`, `n_test`, `n_test_runs`, `prevalence`, `auc_error` and `warnings`.

    Raises:
        ActivationError: If there is no such site.
        AnalysisError: If units cannot be ranked for these labels.
    """
    chosen = select_sites(session.sites, sites)
    first = [site for site in chosen if site.signal in _QUICK_SIGNALS]
    if first and first != chosen:
        step, progress = steps_of(progress, [_QUICK_SHARE, 1 - _QUICK_SHARE])
        quick(_rows(_ranking(session, labels, first, step, n_shifts=0, n_intervals=0)))
    ranking = _ranking(session, labels, chosen, progress, n_shifts=N_SHIFTS, n_intervals=N_SHOWN)
    return {
        "rows": _rows(ranking),
        "hypothesis": ranking.hypothesis,
        "measure": ranking.measure,
        "n_units": len(ranking.units),
        "n_train": ranking.n_train,
        "n_test": ranking.n_test,
        "n_test_runs": ranking.n_test_runs,
        "prevalence": ranking.prevalence,
        "auc_error": ranking.auc_error,
        "warnings": list(ranking.notes),
    }


def _ranking(
    session: Session, labels: Target, sites: list[Site], progress: Progress, *, n_shifts: int, n_intervals: int
) -> Ranking:
    return rank(session, labels, sites=sites, shifts=n_shifts, n_intervals=n_intervals, progress=progress)


def _rows(ranking: Ranking) -> list[dict[str, Any]]:
    """Return the rows of the units that are shown, with None for what is not a number, as JSON has it."""
    return [
        {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in row.items()}
        for row in ranking.rows(N_SHOWN)
    ]
