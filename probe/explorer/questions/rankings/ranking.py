"""The units that respond most to labels: a quick order first, then scores with intervals, as `probe rank` has them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from activations.progress import Progress, no_progress, steps_of
from activations.site_names import select_sites
from activations.units import Site
from analyses.ranking.ranking import rank
from analyses.ranking.results import Ranking
from analyses.session import Session
from analyses.targets.target import Target
from probe.explorer.questions.plain_values import plain
from probe.explorer.questions.rankings.control_scores import control_scores
from probe.explorer.questions.rankings.quick_rows import LevelsAt, quick_rows

N_SHOWN = 20
"""Units that are shown; each of them has an interval."""
N_SHIFTS = 99
"""Circular shifts of the labels that units are compared with, as many as `probe rank` makes."""
_QUICK_SIGNALS = ("hidden", "cell")
_SHARES = (1, 4, 2)  # of the time, roughly: the first order, the ranking, and what is known without the model

Line = dict[str, Any]


def rank_labels(
    session: Session,
    labels: Target,
    *,
    sites: str | None = None,
    levels_at: LevelsAt | None = None,
    alone: Callable[[Progress], AbstractContextManager[object]] = lambda progress: nullcontext(),
    say: Callable[[Line], object] = lambda line: None,
    progress: Progress = no_progress,
) -> Line:
    """Rank units by how well each of them alone predicts labels, beside what can be predicted without the model.

    Args:
        session: A session of the recording.
        labels: The labels of its text.
        sites: The sites whose units are ranked, such as `hidden,1/cell`; None is all.
        levels_at: Gives the levels of a site, see `quick_rows`; None if there are none.
        alone: Gives the context in which the whole recording is read.
        say: Called with what is known early: first `quick`, the rows of hidden and cell units without intervals and
            shifts, from the levels of a sample if labels are binary, and else if these are not all that is asked for;
            then `ranking`, the result without controls; then `controls`, those that are known.
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
    quick = _quick(session, labels, chosen, levels_at, quick_progress)
    if quick:
        say({"quick": quick})
    with alone(rank_progress):
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
    with alone(control_progress):
        controls = control_scores(
            session, labels, ranking.measure, say=lambda known: say({"controls": known}), progress=control_progress
        )
    return told | {"controls": controls}


def _quick(
    session: Session, labels: Target, chosen: list[Site], levels_at: LevelsAt | None, progress: Progress
) -> list[Line]:
    """Return rows of the hidden and cell units; none if there are no such units, or the ranking is as quick."""
    first = [site for site in chosen if site.signal in _QUICK_SIGNALS]
    if levels_at is not None and first and labels.kind == "binary":
        return quick_rows(first, levels_at, labels, N_SHOWN)
    if not first or first == chosen:
        return []
    rows: list[Line] = plain(_ranking(session, labels, first, progress, n_shifts=0, n_intervals=0).rows(N_SHOWN))
    return rows


def _ranking(
    session: Session, labels: Target, sites: list[Site], progress: Progress, *, n_shifts: int, n_intervals: int
) -> Ranking:
    return rank(session, labels, sites=sites, shifts=n_shifts, n_intervals=n_intervals, progress=progress)
