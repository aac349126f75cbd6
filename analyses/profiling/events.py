"""Where a label begins and ends to hold, and the averages of units around these moments."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from activations.results import Result, TableCell
from activations.texts.corpus import Corpus
from activations.units import Unit
from analyses.intervals.estimates import intervals, standard_errors
from analyses.intervals.long_run import n_cosines
from analyses.rounding import rounded
from analyses.statistics.event_sums import Events, SumsAroundEvents
from analyses.targets.classes import Classes
from analyses.targets.splits import in_pieces
from analyses.targets.target import Target

Array = NDArray[np.float64]
CHANGES = ("begins", "ends")
"""What can happen to a class; a kind of event is the class's number times 2, plus the place in this."""
FEWEST_EVENTS, FEWEST_ATOMS = 20, 8
"""Fewer events than this, or events in fewer atoms, have no band."""
_MISSING = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class EventAverage(Result):
    """The mean of a unit at some characters before and after a label begins to hold, or ends.

    Attributes:
        unit: The unit.
        label: What begins or ends: a hypothesis, or that it is one of its classes (`char_class == digit`).
        change: `begins` or `ends`. The label begins with the first character at which it holds, and ends with the first
            at which it holds no longer.
        n_events: How often that happens, other than at the beginning of a document.
        offsets: (n_offsets,) characters since then; 0 is the character with which it happens.
        n: (n_offsets,) how many characters each mean is over: fewer than events where documents begin or end.
        means: (n_offsets,) means of the unit; NaN where there is no character.
        low: (n_offsets,) the lower ends of their 95 % intervals, each by itself; NaN if there are none.
        high: (n_offsets,) the upper ends.
        no_interval_reason: Why there are no intervals, as a sentence; empty if there are.
    """

    unit: Unit
    label: str
    change: str
    n_events: int
    offsets: NDArray[np.int64] = field(repr=False)
    n: NDArray[np.int64] = field(repr=False)
    means: Array = field(repr=False)
    low: Array = field(repr=False)
    high: Array = field(repr=False)
    no_interval_reason: str = ""

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each distance."""
        columns = (self.offsets, self.means, self.low, self.high, self.n)
        return [
            {
                "unit": str(self.unit),
                "label": self.label,
                "change": self.change,
                "chars_since": int(offset),
                "mean": float(mean),
                "low": float(low),
                "high": float(high),
                "n": int(n),
            }
            for offset, mean, low, high, n in zip(*columns, strict=True)
        ]

    def __str__(self) -> str:
        if not self.n_events:
            return f"{self.unit}: nowhere is it known that {self.label} {self.change}"
        at = int(np.flatnonzero(self.offsets == 0)[0])
        before = f"{rounded(self.means[at - 1], '.3f')} before, " if at else ""
        return (
            f"{self.unit} where {self.label} {self.change}, {self.n_events:,} times: "
            f"{before}{rounded(self.means[at], '.3f')} then"
        )


def find_events(target: Target, classes: Classes, corpus: Corpus) -> Events:
    """Find where each class of a label begins and ends to hold; a number does neither.

    Neighbouring characters count if they are of one document, among those that are used, and both have a label.
    """
    if target.kind == "numeric":
        return Events(np.empty(0, np.int64), np.empty(0, np.uint8), 0)
    n_classes = len(classes.names)
    used, last = target.selection, _MISSING
    places, kinds = [], []
    for piece in in_pieces(used.start, used.stop):
        at = slice(piece.start, piece.stop)
        numbers = classes.labels.values_at(at).astype(np.int64)
        missing = target.labels.missing_at(at)
        if missing is not None:
            numbers[missing] = _MISSING
        before = np.concatenate([[last], numbers[:-1]])
        starts = corpus.starts[(corpus.starts >= piece.start) & (corpus.starts < piece.stop)]
        before[starts - piece.start] = _MISSING
        changes = np.flatnonzero((numbers != before) & (numbers != _MISSING) & (before != _MISSING))
        places.append(np.repeat(changes + piece.start, 2))
        kinds.append(np.column_stack([2 * before[changes] + 1, 2 * numbers[changes]]).ravel())
        last = int(numbers[-1])
    return Events(np.concatenate(places), np.concatenate(kinds).astype(np.uint8), 2 * n_classes)


def event_averages(sums: SumsAroundEvents, events: Events, chosen: int, label: str) -> list[EventAverage]:
    """Return the averages of each unit where a class begins, and where it ends.

    Args:
        sums: What `EventSums` added up.
        events: The events that it did so around.
        chosen: The number of the class.
        label: What the averages call it.
    """
    numbers = events.numbers()
    averages = []
    for column, unit in enumerate(sums.units):
        for place, change in enumerate(CHANGES):
            kind = 2 * chosen + place
            n, by_atom = sums.n[kind], sums.sums[kind, :, :, column]
            means, low, high, reason = _means_with_intervals(n, by_atom, int(numbers[kind]))
            averages.append(
                EventAverage(
                    unit=unit,
                    label=label,
                    change=change,
                    n_events=int(numbers[kind]),
                    offsets=sums.offsets,
                    n=n.sum(axis=0),
                    means=means,
                    low=low,
                    high=high,
                    no_interval_reason=reason,
                )
            )
    return averages


def _means_with_intervals(n: NDArray[np.int64], sums: Array, n_events: int) -> tuple[Array, Array, Array, str]:
    """Return (n_columns,) means with their intervals, and why there are none.

    Args:
        n: (n_atoms, n_columns) numbers of characters.
        sums: (n_atoms, n_columns) sums of a unit at them.
        n_events: How many events there are.
    """
    n_atoms, n_with = len(n), int((n.sum(axis=1) > 0).sum())
    total = n.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums.sum(axis=0) / total
        influence = (sums - means * n) / total
    nothing = np.full(len(means), np.nan)
    if n_events < FEWEST_EVENTS or n_with < FEWEST_ATOMS:
        return means, nothing, nothing, (
            f"{n_events:,} events in {n_with} pieces of the text are too few for a band; {FEWEST_EVENTS} in "
            f"{FEWEST_ATOMS} are needed"
        )  # fmt: skip
    freedom = n_cosines(n_atoms)
    low, high = intervals(means, standard_errors(influence, n_atoms, freedom), freedom, "plain", None)
    return means, low, high, ""
