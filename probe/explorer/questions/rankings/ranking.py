"""The units that respond most to labels: a quick order first, then scores with intervals, as `probe rank` has them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, no_progress, steps_of
from activations.site_names import select_sites
from activations.units import Site
from analyses.ranking.ranking import rank
from analyses.ranking.results import Ranking
from analyses.session import Session
from analyses.targets.target import Target
from probe.explorer.questions.plain_values import plain
from probe.explorer.questions.rankings.control_scores import control_scores
from probe.explorer.questions.rankings.quick_rows import quick_rows

N_SHOWN = 20
"""Units that are shown; each of them has an interval."""
N_SHIFTS = 99
"""Circular shifts of the labels that units are compared with, as many as `probe rank` makes."""
_QUICK_SIGNALS = ("hidden", "cell")
_SHARES = (1, 4, 2)  # of the time, roughly: the first order, the ranking, and what is known without the model

Line = dict[str, Any]
LevelsOf = Callable[[Site], "NDArray[np.uint8] | None"]


def rank_labels(
    session: Session,
    labels: Target,
    *,
    sites: str | None = None,
    levels_of: LevelsOf = lambda site: None,
    say: Callable[[Line], object] = lambda line: None,
    progress: Progress = no_progress,
) -> Line:
    """Rank units by how well each of them alone predicts labels, beside what can be predicted without the model.

    Args:
        session: A session of the recording.
        labels: The labels of its text.
        sites: The sites whose units are ranked, such as `hidden,1/cell`; None is all.
        levels_of: Gives the (n_units, n_rows) levels of a site where there are any.
        say: Called with what is known early: first `quick`, the rows of hidden and cell units without intervals and
            shifts, if these are not all that is asked for, or their levels are there; then `ranking`, the result
            without controls; then `controls`, those that are known.
        progress: Called with the amount done and the total.

    Returns:
        `rows`, the same as `probe rank --top 20 --json` prints, and what is said beside them: `hypothesis`, `measure`,
        `n_units`, `n_train`, `n_test`, `n_test_runs`, `prevalence`, `auc_error` and `warnings`; and `controls`, see
        `control_scores`.

    Raises:
        ActivationError: If there is no such site.
        AnalysisError: If units cannot be ranked for these labels.
    """
    chosen = select_sites(session.sites, sites)
    quick_progress, rank_progress, control_progress = steps_of(progress, _SHARES)
    quick = _quick(session, labels, chosen, levels_of, quick_progress)
    if quick:
        say({"quick": quick})
    ranking = _ranking(session, labels, chosen, rank_progress, n_shifts=N_SHIFTS, n_intervals=N_SHOWN)
    told = {
        "rows": plain(ranking.rows(N_SHOWN)),
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
    say({"ranking": told})
    controls = control_scores(
        session, labels, ranking.measure, say=lambda known: say({"controls": known}), progress=control_progress
    )
    return told | {"controls": controls}


def _quick(session: Session, labels: Target, chosen: list[Site], levels_of: LevelsOf, progress: Progress) -> list[Line]:
    """Return rows of the hidden and cell units, from levels if there are any; none if the ranking is as quick."""
    first = [site for site in chosen if site.signal in _QUICK_SIGNALS]
    if first and labels.kind == "binary":
        levels: Mapping[Site, NDArray[np.uint8] | None] = {site: levels_of(site) for site in first}
        there = {site: of_site for site, of_site in levels.items() if of_site is not None}
        if len(there) == len(first):
            return quick_rows(there, labels, N_SHOWN)
    if not first or first == chosen:
        return []
    rows: list[Line] = plain(_ranking(session, labels, first, progress, n_shifts=0, n_intervals=0).rows(N_SHOWN))
    return rows


def _ranking(
    session: Session, labels: Target, sites: list[Site], progress: Progress, *, n_shifts: int, n_intervals: int
) -> Ranking:
    return rank(session, labels, sites=sites, shifts=n_shifts, n_intervals=n_intervals, progress=progress)
