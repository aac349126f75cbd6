"""Profiles of a unit: its values where a hypothesis holds, around the moments it begins and ends, and its memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.progress import Progress, counting, no_progress
from activations.results import Result, TableCell
from activations.units import Unit, in_order
from analyses.collecting.collect import collect
from analyses.collecting.statistic import BlockLabels
from analyses.errors import AnalysisError
from analyses.named_parts import units_among
from analyses.profiling.class_means import ClassMeans, class_means
from analyses.profiling.events import EventAverage, event_averages, find_events
from analyses.profiling.histograms import Histogram, Threshold, find_threshold, groups_of, histogram
from analyses.ranking.explaining.one_unit import OneUnit
from analyses.ranking.explaining.tuning import tune
from analyses.ranking.ranking import rank
from analyses.ranking.results import RankedUnit
from analyses.rounding import rounded
from analyses.session import question
from analyses.statistics.autocorrelations import Autocorrelations, UnitMemory
from analyses.statistics.event_sums import EventSums
from analyses.targets.classes import classes_of
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.target import Target

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnitProfile(Result):
    """What a unit does where a hypothesis holds, around the moments it begins and ends, and how long it remembers.

    Attributes:
        unit: The unit.
        hypothesis: The hypothesis.
        kind: The kind of label: binary, categorical or numeric.
        measure: `auc`, or `r` for a number.
        ranked: How well the unit predicts the label, with its interval; for a label of several classes, the class that
            it distinguishes most reliably in training.
        n_chars: Number of characters with a label.
        mean: The mean of the unit over all of them.
        histogram: Its values where the label is True and False, in that class and in others, or by thirds of a number.
        threshold: The threshold that tells the label (or that class) best in training; None for a number.
        events: Its averages where the label (or that class) begins, and where it ends; empty for a number.
        gates: The same of each gate of the same layer and index that the source has.
        memory: Its autocorrelations and time constant.
        means: Its means by class, or its tuning curve to a number.
    """

    unit: Unit
    hypothesis: str
    kind: str
    measure: str
    ranked: RankedUnit = field(repr=False)
    n_chars: int
    mean: float
    histogram: Histogram = field(repr=False)
    threshold: Threshold | None = field(repr=False)
    events: tuple[EventAverage, ...] = field(repr=False)
    gates: tuple[EventAverage, ...] = field(repr=False)
    memory: UnitMemory = field(repr=False)
    means: ClassMeans = field(repr=False)

    @property
    def time_constant(self) -> float:
        """Characters after which the unit's autocorrelation falls under 1/e; infinite if it does not by 256."""
        return float(self.memory.time_constant[0])

    @property
    def label(self) -> str:
        """What the histogram and the events are of: the hypothesis, or one class of it."""
        return self.hypothesis if self.ranked.label is None else f"{self.hypothesis} == {self.ranked.label}"

    @property
    def notes(self) -> list[str]:
        """Sentences that say what has no interval, and why; and what there is not."""
        reasons = [average.no_interval_reason for average in self.events if average.no_interval_reason]
        if self.threshold is not None and self.threshold.no_interval_reason:
            reasons.append(self.threshold.no_interval_reason)
        if self.kind == "numeric":
            reasons.append(f"{self.hypothesis} is a number, which neither begins nor ends")
        elif not self.gates:
            reasons.append(f"no gates of layer {self.unit.site.layer} are here; `probe extract --sites` records them")
        reasons.append("an autocorrelation and a time constant have no interval")
        return list(dict.fromkeys(reasons))

    def rows(self) -> list[dict[str, TableCell]]:
        """Return all numbers as rows with the same keys: `value` with the ends of its 95 % interval, if it has one.

        `part` says what each is, such as `histogram` or `begins`; `of` is a group, a unit or a class; `at` the
        threshold, the middle of a bin, characters since an event, a lag, or a number that the label has.
        """
        made_of = {"unit": str(self.unit), "hypothesis": self.hypothesis}
        return [made_of | row for row in (*self._scores(), *self._histogram(), *self._averages(), *self._curves())]

    def _scores(self) -> Iterator[dict[str, TableCell]]:
        ranked, told = self.ranked, self.threshold
        yield _row("score", self.measure, value=ranked.held_out, low=ranked.low, high=ranked.high)
        yield _row("time constant", "characters", value=self.time_constant)
        if told is not None:
            accuracy = told.balanced_accuracy
            yield _row("threshold", "balanced accuracy", told.value, value=accuracy, low=told.low, high=told.high)

    def _histogram(self) -> Iterator[dict[str, TableCell]]:
        drawn = self.histogram
        middles = (drawn.edges[:-1] + drawn.edges[1:]) / 2
        for group, shares, numbers in zip(drawn.groups, drawn.shares, drawn.n, strict=True):
            for middle, share, n in zip(middles, shares, numbers, strict=True):
                yield _row("histogram", group, middle, value=share, n=n)

    def _averages(self) -> Iterator[dict[str, TableCell]]:
        for average in (*self.events, *self.gates):
            columns = (average.offsets, average.means, average.low, average.high, average.n)
            for offset, mean, low, high, n in zip(*columns, strict=True):
                yield _row(average.change, str(average.unit), offset, value=mean, low=low, high=high, n=n)

    def _curves(self) -> Iterator[dict[str, TableCell]]:
        memory, tuning = self.memory, self.means.tuning
        for lag, r, n in zip(memory.lags, memory.autocorrelation[:, 0], memory.n, strict=True):
            yield _row("autocorrelation", str(self.unit), lag, value=r, n=n)
        for number, label in enumerate(tuning.labels):
            low, high = self.means.low[number], self.means.high[number]
            place = tuning.places[number]
            yield _row("mean", label, place, value=tuning.means[number], low=low, high=high, n=tuning.n[number])

    def __str__(self) -> str:
        interval = (
            ""
            if np.isnan(self.ranked.low)
            else f" ({rounded(self.ranked.low, '.3f')} to {rounded(self.ranked.high, '.3f')})"
        )
        held_out = f"{self.measure} {rounded(self.ranked.held_out, '.3f')}{interval} on held-out characters"
        lines = [f"{self.unit} and {self.label}: {held_out}"]
        if self.threshold is not None:
            lines.append(str(self.threshold))
        lines += map(str, self.events)
        lines.append(f"time constant: {self.time_constant:.3g} characters")
        lines.append(str(self.means))
        return "\n".join(lines)


@question
def unit_profile(
    source: Source,
    unit: Unit | str,
    hypothesis: AnyHypothesis | Target,
    *,
    before: int = 20,
    after: int = 40,
    progress: Progress = no_progress,
) -> UnitProfile:
    """Profile one unit beside a hypothesis, in one reading of the source.

    The values of the unit are held in memory, two or four bytes for each character of the text; its gates are not.

    Args:
        source: A recording or live activations.
        unit: The unit, or its name, such as `1/cell/37`.
        hypothesis: A name, a function, or a target made before.
        before: How many characters before the label begins or ends are averaged.
        after: How many characters after it.
        progress: Called with the characters done and their number.

    Raises:
        AnalysisError: If there is no such unit, it never changes, or the labels leave nothing to tell apart.
        HypothesisError: If there is no such hypothesis, or it fails on this text.
    """
    [unit] = units_among(source, unit)
    target = target_for(source, hypothesis)
    classes = classes_of(target)
    events = find_events(target, classes, source.corpus)
    units = [unit, *gates_beside(source, unit)]
    sums = EventSums(source, events, units, target.split, before=before, after=after)
    one_unit = OneUnit(source, unit, _blocks(source, unit, sums, progress))
    values = one_unit.values()
    labelled = values[target.used][target.parts_of_used >= 0]
    if labelled.min() == labelled.max():
        raise AnalysisError(f"{unit} is {labelled[0]:g} at every character with a label; profile another unit")
    ranking = rank(one_unit, target)
    ranked = replace(ranking.units[0], unit=unit)
    chosen = _chosen_class(target, classes.names, ranked)
    groups, names = groups_of(target, classes, chosen)
    label = target.hypothesis if ranked.label is None else f"{target.hypothesis} == {ranked.label}"
    averages = event_averages(sums.result(), events, chosen, label) if events.n_kinds else []
    [memory] = collect(one_unit, [Autocorrelations(one_unit)])[0].values()
    return UnitProfile(
        unit=unit,
        hypothesis=target.hypothesis,
        kind=target.kind,
        measure=ranking.measure,
        ranked=ranked,
        n_chars=len(labelled),
        mean=float(labelled.mean(dtype=np.float64)),
        histogram=histogram(labelled, groups, names),
        threshold=_threshold(labelled, groups == 1, target, ranked),
        events=tuple(average for average in averages if average.unit == unit),
        gates=tuple(average for average in averages if average.unit != unit),
        memory=memory,
        means=class_means(values, target, classes, tune(values, target, classes)),
    )


def _row(
    part: str,
    of: str,
    at: float = np.nan,
    *,
    value: float,
    low: float = np.nan,
    high: float = np.nan,
    n: int | None = None,
) -> dict[str, TableCell]:
    """Return one of the rows of a profile."""
    numbers = {"at": float(at), "value": float(value), "low": float(low), "high": float(high)}
    return {"part": part, "of": of, **numbers, "n": None if n is None else int(n)}


def gates_beside(source: Source, unit: Unit) -> list[Unit]:
    """Return the gates of the same layer and index, in the order of the source, without the unit itself.

    There are none beside a site with another number of units, such as a hidden state that is projected.
    """
    layer = unit.site.layer
    sites = [
        site
        for site, n_units in source.sites.items()
        if layer is not None
        and site.layer == layer
        and (site.signal or "").endswith("_gate")
        and n_units == source.sites[unit.site]
        and site != unit.site
    ]
    return [Unit(site, unit.index) for site in sites]


def _blocks(source: Source, unit: Unit, sums: EventSums, progress: Progress) -> Iterator[Block]:
    """Yield the blocks of a source with the unit's site alone, after its gates, too, were added to the sums."""
    advance = counting(progress, source.selection.n_chars)
    for block in source.blocks(in_order(source.sites, [unit.site, *sums.sites])):
        sums.update(block, BlockLabels(block))
        advance(block.n_chars)
        yield block


def _threshold(
    values: NDArray[np.floating], is_true: NDArray[np.bool_], target: Target, ranked: RankedUnit
) -> Threshold | None:
    """Find the threshold, with an interval if the unit's AUC has one; None for a number."""
    if target.kind == "numeric":
        return None
    estimate = ranked.estimate
    reason = estimate.no_interval_reason if estimate is not None else "the AUC of the unit has no interval either"
    n_runs = estimate.n_runs if estimate is not None else None
    return find_threshold(values, is_true, target, n_runs=n_runs, no_interval_reason=reason)


def _chosen_class(target: Target, names: tuple[str, ...], ranked: RankedUnit) -> int:
    """Return the number of the class that the unit distinguishes best: True, or that of the ranking.

    Raises:
        AnalysisError: If no class has enough runs to be scored.
    """
    if target.kind != "categorical":
        return 1
    if ranked.label is None:
        raise AnalysisError(
            f"no class of {target.hypothesis!r} occurs often enough to be told apart; use a longer text, or another "
            "hypothesis"
        )
    return names.index(ranked.label)
