"""Rankings: which units predict a label best, each of them alone."""

import itertools
from collections.abc import Sequence

import numpy as np

from activations.blocks import Source
from activations.progress import Progress, counting, no_progress
from activations.site_names import AnySites
from activations.units import Site, units_of
from analyses.errors import AnalysisError
from analyses.named_parts import sites_among
from analyses.passages.models import model_source
from analyses.ranking.assembling import assemble, measure_of, without_scores
from analyses.ranking.labels import RankedLabel
from analyses.ranking.methods.method import Method
from analyses.ranking.methods.plan import Plan
from analyses.ranking.methods.registry import method_for
from analyses.ranking.results import Ranking
from analyses.ranking.scores_by_label import score_units
from analyses.ranking.shifting.shifts import Shifts
from analyses.session import Session, question
from analyses.targets.labelling import AnyHypothesis, ManyHypotheses, target_for, targets_for
from analyses.targets.target import Target


@question
def rank(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    *,
    method: str | None = None,
    sites: AnySites | None = None,
    exact: bool = False,
    shifts: int = 0,
    n_intervals: int | None = None,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Ranking:
    """Rank units by how well each of them alone predicts a label.

    The AUCs of activations in float16 are exact; those in float32 are counted in bins, with the bound on the error in
    the result. Whichever method orders them, every unit has its AUC or r, too.

    Args:
        source: A recording or live activations.
        hypothesis: Its name, a function, or a target made before.
        method: The score that orders them, see `methods.registry.METHODS`; None is `auc`, or `r` for a numeric label.
        sites: The sites whose units are ranked; None is all.
        exact: Whether to make exact AUCs of activations in float32, too, which takes some .1 s for each of these units
            and million characters.
        shifts: How many circular shifts of the label to compare with; 0 leaves them out.
        n_intervals: How many units of each site, those with the best AUC or r, have an interval; None is all.
        seed: Seed of the shifts, and of the matched units that attribution is compared with.
        progress: Called with the characters done and their number.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be ranked for, or not by this method, or activations are not numbers.
    """
    target = target_for(source, hypothesis)
    methods = [method_for(method, target.kind)]
    [ranking] = _rank_by(
        source,
        target,
        methods,
        sites,
        exact=exact,
        n_shifts=shifts,
        n_intervals=n_intervals,
        seed=seed,
        progress=progress,
    )
    return ranking


@question
def compare(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    methods: str | Sequence[str],
    *,
    sites: AnySites | None = None,
    exact: bool = False,
    seed: int = 0,
    progress: Progress = no_progress,
) -> list[Ranking]:
    """Rank units for one label by several methods, in their order; see `rank`."""
    target = target_for(source, hypothesis)
    names = [methods] if isinstance(methods, str) else methods
    return _rank_by(
        source,
        target,
        [method_for(name, target.kind) for name in names],
        sites,
        exact=exact,
        seed=seed,
        progress=progress,
    )


def _rank_by(
    source: Source,
    target: Target,
    methods: Sequence[Method],
    sites: AnySites | None,
    *,
    exact: bool,
    n_shifts: int = 0,
    n_intervals: int | None = None,
    seed: int = 0,
    progress: Progress,
) -> list[Ranking]:
    _refuse_exact(source, exact=exact)
    if any(method.needs_model for method in methods):
        model_source(source)  # refuses a source without a model before any work
    chosen = sites_among(source, sites)
    label = RankedLabel.of(target, with_classes=any(method.detects_nonmonotonic for method in methods))
    if not label.targets:
        raise AnalysisError(f"{label.notes[0]}; use a longer text")
    shifts = _shifts_of(source, label, methods[0], chosen, n_shifts, seed) if n_shifts else None
    plan = Plan(source, target, [method for method in methods if method.name != measure_of(target)], chosen)
    if shifts and source.is_live:
        plan.statistics.append(shifts.statistics.pop())
    scores = score_units(
        source,
        label.targets,
        chosen,
        progress,
        families=[range(label.n_scored)],
        statistics=plan.statistics,
        exact=exact,
        n_intervals=n_intervals,
        shifts=shifts,
    )
    n_chars = source.selection.n_chars
    by_method = plan.scores(counting(progress, n_chars))
    shifted = shifts.judge(counting(progress, n_chars)) if shifts else None
    units = {site: units_of(source.sites, [site]) for site in chosen}
    rankings = []
    for method in methods:
        method_scores = by_method.get(method.name)
        if method.compute is not None:
            method_scores = method.compute(source, target, chosen, seed, counting(progress, n_chars))
        rankings.append(assemble(label, scores, units, method, method_scores, shifted))
    return rankings


def _shifts_of(
    source: Source, label: RankedLabel, method: Method, sites: Sequence[Site], n_shifts: int, seed: int
) -> Shifts:
    """Choose shifts of a label, or of its classes if the method or the label has some."""
    sees_classes = method.detects_nonmonotonic or label.target.kind == "categorical"
    classes = label.classes if sees_classes and label.frequent_classes else None
    return Shifts(source, label.target, classes, label.frequent_classes, sites, n_shifts, seed)


@question
def rank_all(
    source: Source,
    targets: ManyHypotheses,
    *,
    sites: AnySites | None = None,
    exact: bool = False,
    n_intervals: int | None = 1,
    progress: Progress = no_progress,
) -> list[Ranking]:
    """Rank units for many labels at once, which takes hardly more passes over the activations than for one.

    Args:
        source: A recording or live activations.
        targets: What to rank for: names, functions, or targets made before; see `labelling.target`.
        sites: The sites whose units are ranked; None is all.
        exact: See `rank`.
        n_intervals: How many units of each site, the best of it, have an interval; None is all. The best units of all
            sites are among them.
        progress: Called with the characters done and their number.

    Returns:
        A ranking for each target, in their order. Units that were among the best of their site so far when they were
        read have an interval, too. A label none of whose classes has enough runs has no scores.

    Raises:
        AnalysisError: If a target is of another text, or activations are not numbers.
    """
    _refuse_exact(source, exact=exact)
    labels = [RankedLabel.of(target, with_classes=False) for target in targets_for(source, targets)]
    chosen = sites_among(source, sites)
    ends = np.cumsum([0, *(len(label.targets) for label in labels)])
    families = [range(start, stop) for start, stop in itertools.pairwise(ends.tolist())]
    scores = score_units(
        source,
        [target for label in labels for target in label.targets],
        chosen,
        progress,
        families=[family for family in families if family],
        statistics=[],
        exact=exact,
        n_intervals=n_intervals,
    )
    units = {site: units_of(source.sites, [site]) for site in chosen}
    return [
        assemble(label, [scores[position] for position in family], units, method_for(None, label.target.kind))
        if label.targets
        else without_scores(label, units)
        for label, family in zip(labels, families, strict=True)
    ]


def intervals_cost_readings(source: Source) -> bool:
    """Return whether a live source has to be read twice more for the intervals of `rank_all`."""
    return source.is_live and not Session.of(source).levels.most_at_once()


def _refuse_exact(source: Source, *, exact: bool) -> None:
    if exact and source.is_live:
        raise AnalysisError("exact AUCs sort the activations, which needs a recording; make one with `probe extract`")
