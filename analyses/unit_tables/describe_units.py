"""Describe every unit: the hypothesis that it responds to most, how long it remembers, and how often it saturates."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Progress, counting, no_progress, steps_of
from activations.site_names import AnySites
from activations.units import Site, Unit, units_of
from analyses.errors import AnalysisError
from analyses.intervals.long_run import n_cosines
from analyses.intervals.significance import q_values
from analyses.named_parts import sites_among
from analyses.ranking.assembling import assemble
from analyses.ranking.labels import RankedLabel
from analyses.ranking.methods.registry import method_for
from analyses.ranking.results import RankedUnit, Ranking
from analyses.ranking.scores_by_label import score_units
from analyses.ranking.unit_scores import UnitScores
from analyses.session import question
from analyses.statistics.autocorrelations import Autocorrelations, UnitMemory
from analyses.statistics.saturations import Saturation, Saturations, has_range
from analyses.targets.labelling import ManyHypotheses, targets_for
from analyses.targets.many_hypotheses import all_targets
from analyses.targets.target import Target
from analyses.unit_tables.choices import Choices, add_errors, choose
from analyses.unit_tables.explained_shares import MOST_Q, UnitStrengths, projected_errors
from analyses.unit_tables.unit_table import DescribedUnit, UnitTable
from hypotheses.spelling import short_list

LONGEST = 1024
"""The longest lag at which memory is measured, in characters."""
_SCORING, _DESCRIBING = 1.0, 1.0  # the shares of the work that each step takes


class _Measured(NamedTuple):
    """What was measured of all units.

    Attributes:
        labels: The labels that have scores.
        rankings: The ranking of each label, with intervals for the units for which it was chosen.
        scores: For each label, and each of its targets, the scores of each site.
        choices: The label that was chosen for each unit, by site.
        memories: How long the units of each site remember.
        saturations: How often the units of each site saturate; without sites whose range is not known.
    """

    labels: Sequence[RankedLabel]
    rankings: Sequence[Ranking]
    scores: Sequence[Sequence[dict[Site, UnitScores]]]
    choices: Mapping[Site, Choices]
    memories: Mapping[Site, UnitMemory]
    saturations: Mapping[Site, Saturation]


@question
def describe_units(
    source: Source,
    hypotheses: ManyHypotheses | None = None,
    *,
    sites: AnySites | None = None,
    longest: int = LONGEST,
    progress: Progress = no_progress,
) -> UnitTable:
    """Describe every unit by the hypothesis that it responds to most, its memory and its saturation.

    The hypothesis is chosen on training stretches, as that with the largest |2 AUC − 1| or |r| less two rough standard
    errors, among those for which the text suffices for a p-value. The score is measured on held-out stretches, and p is
    multiplied by the number of these hypotheses (Bonferroni), so that it holds for the choice.

    A live model reads the text four times, or twice if the levels of all units fit in memory (256 MiB), after a short
    reading for the bins. Of a recording, some hundreds of units are read at a time, each as often.

    Args:
        source: A recording or live activations.
        hypotheses: Names, functions or targets; None is all that need no parameter and apply to the text.
        sites: The sites whose units are described; None is all.
        longest: The longest lag at which memory is measured, in characters.
        progress: Called with how much is done, and how much there is to do.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If no hypothesis applies, or activations are not numbers.
    """
    chosen = sites_among(source, sites)
    targets = all_targets(source).made if hypotheses is None else targets_for(source, hypotheses)
    labels = [RankedLabel.of(target, with_classes=False) for target in targets]
    if not (scored := [label for label in labels if label.targets]):
        raise AnalysisError(f"{labels[0].notes[0]}; use a longer text")
    scoring, describing = steps_of(progress, [_SCORING, _DESCRIBING])
    scores = _scores(source, scored, chosen, scoring)
    units = {site: units_of(source.sites, [site]) for site in chosen}
    rankings = [_ranking(label, of_label, units) for label, of_label in zip(scored, scores, strict=True)]
    choices = {
        site: choose(scored, rankings, [[of_target[site] for of_target in of_label] for of_label in scores], site)
        for site in chosen
    }
    memory = Autocorrelations(source, chosen, longest=longest)
    with_range = [site for site in chosen if has_range(site)]
    saturation = [Saturations(source, with_range)] if with_range else []
    forward = counting(describing, 2 * source.selection.n_chars)
    scores = add_errors(source, scored, scores, choices, forward, [memory, *saturation])
    rankings = [_ranking(label, of_label, units) for label, of_label in zip(scored, scores, strict=True)]
    measured = _Measured(
        scored, rankings, scores, choices, memory.result(), saturation[0].result() if saturation else {}
    )
    return _table(measured, targets, units, longest, [note for label in labels for note in label.notes])


def _scores(
    source: Source, labels: Sequence[RankedLabel], sites: Sequence[Site], progress: Progress
) -> list[list[dict[Site, UnitScores]]]:
    """Score all units for the targets of all labels together, without intervals."""
    targets = [target for label in labels for target in label.targets]
    scores = iter(score_units(source, targets, sites, progress, statistics=[], n_intervals=0))
    return [list(itertools.islice(scores, len(label.targets))) for label in labels]


def _ranking(label: RankedLabel, scores: Sequence[dict[Site, UnitScores]], units: Mapping[Site, list[Unit]]) -> Ranking:
    return assemble(label, scores, units, method_for(None, label.target.kind))


def _table(
    measured: _Measured,
    targets: Sequence[Target],
    units: Mapping[Site, list[Unit]],
    longest: int,
    notes: Sequence[str],
) -> UnitTable:
    """Put together what was measured, in the order of the scores in training."""
    by_unit = [{ranked.unit: ranked for ranked in ranking.units} for ranking in measured.rankings]
    described, projections = [], []
    for site, of_site in units.items():
        for unit in of_site:
            number = int(measured.choices[site].labels[unit.index])
            ranked = by_unit[number][unit] if number >= 0 else None
            described.append(_described(unit, ranked, number, measured))
            projections.append(_projections(unit, ranked, number, measured))
    q = q_values(np.array([unit.p for unit in described]))
    order = np.argsort([-np.nan_to_num(unit.score, nan=-1.0) for unit in described], kind="stable")
    return UnitTable(
        units=tuple(replace(described[number], q=float(q[number])) for number in order.tolist()),
        sites=tuple(units),
        hypotheses=tuple(target.hypothesis for target in targets),
        longest=longest,
        n_test=max(ranking.n_test for ranking in measured.rankings),
        notes=(*notes, *_missing(measured, described)),
        strengths=UnitStrengths(
            strength=np.array([described[number].strength for number in order]),
            is_significant=q[order] < MOST_Q,
            projections=np.stack([projections[number] for number in order], axis=1),
            text=f"{targets[0].corpus_sha256} {targets[0].selection} {targets[0].split}",
        ),
    )


def _described(unit: Unit, ranked: RankedUnit | None, number: int, measured: _Measured) -> DescribedUnit:
    """Describe a unit by its score for the label with a number, which was chosen; None if none was."""
    nan = float("nan")
    saturation = measured.saturations.get(unit.site)
    hypothesis, measure, strength = None, None, nan
    n_hypotheses = int(measured.choices[unit.site].n_hypotheses[unit.index])
    if ranked is not None:
        ranking = measured.rankings[number]
        measure = ranking.measure
        hypothesis = ranking.hypothesis if ranked.label is None else f"{ranking.hypothesis} == {ranked.label}"
        strength = ranked.held_out if measure == "r" else 2 * ranked.held_out - 1
    has_interval = ranked is not None and np.isfinite(ranked.low)
    reason = "" if has_interval else _why_no_interval(ranked)
    return DescribedUnit(
        unit=unit,
        hypothesis=hypothesis,
        measure=measure,
        score=nan if ranked is None else ranked.score,
        held_out=nan if ranked is None else ranked.held_out,
        low=nan if ranked is None else ranked.low,
        high=nan if ranked is None else ranked.high,
        strength=strength,
        p=nan if ranked is None else min(1.0, ranked.p * n_hypotheses),
        q=nan,
        direction=1 if ranked is None else ranked.direction,
        n_hypotheses=n_hypotheses,
        time_constant=float(measured.memories[unit.site].time_constant[unit.index]),
        left_saturated=nan if saturation is None else float(saturation.left[unit.index]),
        right_saturated=nan if saturation is None else float(saturation.right[unit.index]),
        no_interval_reason=reason,
    )


def _why_no_interval(ranked: RankedUnit | None) -> str:
    if ranked is None:
        return "no hypothesis has a score and a p-value for this unit, which may never change"
    reason = "" if ranked.estimate is None else ranked.estimate.no_interval_reason
    return reason or "no interval: the score has the same value in every part of the text"


def _projections(unit: Unit, ranked: RankedUnit | None, number: int, measured: _Measured) -> NDArray[np.float64]:
    """(n_cosines,) the errors of a unit's strength; zeros if they are not known."""
    if ranked is None or ranked.estimate is None:
        some_scores = measured.scores[0][0]
        return np.zeros(n_cosines(len(next(iter(some_scores.values())).sums.n)))
    class_number = int(measured.choices[unit.site].classes[unit.index])
    atoms = measured.scores[number][class_number][unit.site].sums.n > 0
    return projected_errors(ranked.estimate, atoms, 1.0 if measured.rankings[number].measure == "r" else 2.0)


def _missing(measured: _Measured, described: Sequence[DescribedUnit]) -> list[str]:
    """Say which hypotheses no unit could be described by, and how many units have no interval."""
    notes = []
    never = [
        ranking.hypothesis for ranking in measured.rankings if not any(np.isfinite(unit.p) for unit in ranking.units)
    ]
    if never:
        why = "the text holds too few pieces of it, or no unit changes"
        notes.append(f"no unit is described by {short_list(never)}: {why}")
    reasons = Counter(unit.no_interval_reason for unit in described if not np.isfinite(unit.low))
    if reasons:
        [(reason, n_units)] = reasons.most_common(1)
        of_units = "" if n_units == reasons.total() else f" of {n_units:,} of them"
        notes.append(
            f"{reasons.total():,} of {len(described):,} units have no interval; the reason{of_units}: {reason}"
        )
    return notes
