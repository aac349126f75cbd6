"""What chance does if the labels are shifted in a circle, which leaves both them and the units as they are."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from activations.blocks import Source
from activations.texts.selection import Selection
from activations.units import Site, in_order
from analyses.collecting.collect import AnyStatistic, collect
from analyses.collecting.statistic import State
from analyses.errors import AnalysisError
from analyses.intervals.long_run import N_GROUPS, position_groups
from analyses.kernels import in_parallel
from analyses.levels.bins import N_LEVELS
from analyses.levels.columns import Columns, column_groups
from analyses.levels.counts import LevelCounts
from analyses.session import Session
from analyses.targets.classes import Classes
from analyses.targets.splits import in_pieces
from analyses.targets.target import Target
from analyses.threads import in_threads

_CHARS_AT_ONCE = 1 << 15
_SHIFTED_BYTES = 1 << 28  # of all shifts of some labels, at so many characters
_BYTES_PER_UNIT = 1 << 21  # of counts, ranks and sums
_NEAREST = 20  # a shift is at least this share of the text, lest it changes nothing


class Shifted(NamedTuple):
    """How often shifted labels have as much to do with units as the labels themselves.

    Attributes:
        p_shift: (n_units,) with the unit itself; the p-value of a test of this unit alone.
        p_max: (n_units,) with any of the units; the p-value of this unit, of all that were looked at.
    """

    p_shift: NDArray[np.float64]
    p_max: NDArray[np.float64]


class Shifts:
    """Correlations of the ranks of units with a label, and with the label shifted in a circle, position removed.

    Attributes:
        statistics: What is counted of the first units, which others may update in readings of their own, and remove.
    """

    def __init__(
        self,
        source: Source,
        asked: Target,
        classes: Classes | None,
        counted: Sequence[int],
        sites: Collection[Site],
        n_shifts: int,
        seed: int,
    ) -> None:
        """Choose the shifts.

        Args:
            source: What to read.
            asked: The label.
            classes: Of the label, if what counts is which of some classes a unit has most to do with.
            counted: The places of these classes.
            sites: Where to look.
            n_shifts: How many shifts, of at least a twentieth of the text.
            seed: Of the shifts.

        Raises:
            AnalysisError: If the text is too short for so many shifts.
        """
        n_chars = source.selection.n_chars
        nearest = n_chars // _NEAREST
        if n_shifts > n_chars - 2 * nearest:
            raise AnalysisError(f"{n_chars:,} characters cannot be shifted in {n_shifts:,} ways; ask for fewer shifts")
        rng = np.random.default_rng(seed)
        steps = [0, *(nearest + rng.choice(n_chars - 2 * nearest, n_shifts, replace=False)).tolist()]
        self._source, self._n_shifts = source, n_shifts
        self._labels = _Labels(asked, classes, counted, steps)
        sizes = [(site, source.sites[site]) for site in in_order(source.sites, sites)]
        self._groups = column_groups(sizes, Session.of(source).levels.most_units(_BYTES_PER_UNIT))
        self._first = ShiftSums(self._labels, source.selection, self._groups[0])
        self.statistics: list[AnyStatistic] = [self._first]

    def judge(self, forward: Callable[[int], None] = lambda n_chars: None) -> dict[Site, Shifted]:
        """Read what has still to be read, and compare shifts with the label as it is."""
        collect(self._source, self.statistics, forward)
        self.statistics.clear()
        distances: dict[Site, list[NDArray[np.float64]]] = {}
        pending, sums = self._groups[1:], self._first
        while True:
            for each, own in sums.result().items():
                distances.setdefault(each.site, []).append(np.abs(own).max(axis=1))
            if not pending:
                break
            del sums, self._first  # some gigabytes, before others are made
            sums = self._first = ShiftSums(self._labels, self._source.selection, pending.pop(0))
            collect(self._source, [sums], forward)
        of_sites = {site: np.concatenate(parts) for site, parts in distances.items()}
        largest = np.max([each.max(axis=0) for each in of_sites.values()], axis=0)
        return {
            site: Shifted(
                (1 + (own[:, 1:] >= own[:, :1]).sum(axis=1)) / (1 + self._n_shifts),
                (1 + (largest[None, 1:] >= own[:, :1]).sum(axis=1)) / (1 + self._n_shifts),
            )
            for site, own in of_sites.items()
        }


class _Labels:
    """Labels of the characters that are used, and of characters so many steps on in a circle.

    Each is less its mean over the characters of its position group, as they are after the shift, so that trends in the
    label have nothing to say; and of size 1.

    Attributes:
        n_labels: 1, or the number of classes that count, each of which is a label against the rest.
        n_steps: How many shifts there are, none of them among them.
    """

    def __init__(self, asked: Target, classes: Classes | None, counted: Sequence[int], steps: list[int]) -> None:
        split, used = asked.split, asked.selection
        self._steps = np.array(steps)
        groups = position_groups(split.n_atoms).astype(np.int8)
        pieces = in_pieces(used.start, used.stop, used.every)
        self._groups = np.concatenate([groups[split.atom(np.array(places))] for places in pieces])
        middle = asked.sizes().mean if classes is None else 0.0
        shifted = asked if classes is None else replace(asked, labels=classes.labels)
        self._values = np.concatenate(
            [np.where(parts >= 0, labels - middle, np.nan).astype(np.float32) for labels, parts in shifted.chunks()]
        )
        self._wanted = [np.float32(np.nan)] if classes is None else [np.float32(place) for place in counted]
        self._means = [self._means_of(wanted) for wanted in self._wanted]
        self.n_labels, self.n_steps = len(self._wanted), len(steps)

    def _means_of(self, wanted: np.float32) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n_steps, n_groups) means of a label in each position group, and (n_steps,) 1 over its size without them."""
        n, y, yy = _sums(self._values, wanted, self._steps, self._groups)
        means = y / np.maximum(n, 1)
        sizes = yy.sum(axis=1) - (n * means**2).sum(axis=1)
        return means.astype(np.float32), (1 / np.sqrt(np.maximum(sizes, 1e-12))).astype(np.float32)

    def shifted(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        """Each label, (n_steps, n_rows), of characters so many steps on."""
        groups = self._groups[rows]
        for wanted, of_steps in zip(self._wanted, self._means, strict=True):
            own = np.empty((len(self._steps), len(rows)), np.float32)
            _shift(self._values, wanted, self._steps, rows, groups, *of_steps, own)
            yield own


@njit(inline="always")
def _label(value: np.float32, wanted: np.float32) -> np.float32:
    """A label of a character, which is whether it is of the class that is wanted, if one is; NaN if it has none."""
    return value if np.isnan(wanted) or np.isnan(value) else np.float32(value == wanted)


@njit(inline="always")
def _in_circle(place: int, n_chars: int) -> np.uint64:
    """A place that is less than once round."""
    return np.uint64(place - n_chars if place >= n_chars else place)


@in_parallel
def _sums(
    values: NDArray[np.float32], wanted: np.float32, steps: NDArray[np.int64], groups: NDArray[np.int8]
) -> NDArray[np.float64]:
    """(3, n_steps, n_groups) how many characters of a position group have a label, its sum, and that of its squares."""
    sums = np.zeros((3, len(steps), N_GROUPS))
    for line in prange(len(steps)):
        for row in range(len(values)):
            own = _label(values[_in_circle(row + steps[line], len(values))], wanted)
            if not np.isnan(own):
                sums[0, line, groups[row]] += 1
                sums[1, line, groups[row]] += own
                sums[2, line, groups[row]] += np.float64(own) * own
    return sums


@in_parallel
def _shift(
    values: NDArray[np.float32],
    wanted: np.float32,
    steps: NDArray[np.int64],
    rows: NDArray[np.int64],
    groups: NDArray[np.int8],
    means: NDArray[np.float32],
    per_size: NDArray[np.float32],
    into: NDArray[np.float32],
) -> None:
    for line in prange(len(steps)):
        own_means, per_own_size = means[line], per_size[line]
        for place in range(len(rows)):
            label = _label(values[_in_circle(rows[place] + steps[line], len(values))], wanted)
            own = (label - own_means[np.uint64(groups[place])]) * per_own_size
            into[line, place] = np.float32(0) if np.isnan(own) else own


class ShiftSums:
    """Products of units' ranks with labels so many characters on; ranks are found in the first of two readings."""

    n_readings = 2

    def __init__(self, labels: _Labels, selection: Selection, columns: Sequence[Columns]) -> None:
        """Of shifted labels of the characters of a selection, and some units."""
        self.columns = list(columns)
        self._labels, self._selection = labels, selection
        self._counts = {each: LevelCounts(1, each.n_units) for each in self.columns}
        self._ranks: dict[Columns, NDArray[np.float32]] = {}
        self._most_labels = max(1, _SHIFTED_BYTES // (4 * labels.n_steps * _CHARS_AT_ONCE))  # worked on together
        shape = labels.n_labels, labels.n_steps
        self._sums = {each: np.zeros((each.n_units, *shape)) for each in self.columns}

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """See `LevelStatistic`."""
        if not self._ranks:
            for each, counts in self._counts.items():
                counts.update(levels[each], np.zeros(len(places), np.int8))
            return
        rows = (places - self._selection.start) // self._selection.every
        for start in range(0, len(places), _CHARS_AT_ONCE):
            tile = slice(start, start + _CHARS_AT_ONCE)
            x = {each: np.empty((each.n_units, len(rows[tile])), np.float32) for each in self.columns}
            for each, into in x.items():
                _look_up(levels[each][:, tile], self._ranks[each], into)
            shifted = enumerate(self._labels.shifted(rows[tile]))
            while some := list(islice(shifted, self._most_labels)):
                products = ((own_x, y, self._sums[each][:, place]) for place, y in some for each, own_x in x.items())
                deque(in_threads(_add_product, products), maxlen=0)
                some.clear()

    def merge(self, other: "ShiftSums") -> None:
        """See `Statistic`."""
        for each, counts in self._counts.items():
            counts.counts += other._counts[each].counts
        for each, sums in self._sums.items():
            sums += other._sums[each]

    def end_reading(self) -> None:
        """See `Statistic`."""
        if self._counts:
            self._ranks = {each: _rank(own.counts[..., 0]) for each, own in self._counts.items()}
            self._counts = {}

    def result(self) -> dict[Columns, NDArray[np.float64]]:
        """(n_units, n_labels, n_steps) products."""
        return self._sums

    def arrays(self) -> State:
        """See `Statistic`."""
        found: State = {}
        for number, each in enumerate(self.columns):
            known = {"ranks": self._ranks[each]} if self._ranks else {"counts": self._counts[each].counts}
            found |= {f"{number}/{name}": array for name, array in known.items()}
            found[f"{number}/sums"] = self._sums[each]
        return found

    def restore(self, arrays: State) -> None:
        """See `Statistic`."""
        for number, each in enumerate(self.columns):
            self._sums[each] = arrays[f"{number}/sums"].copy()
            if f"{number}/counts" in arrays:
                self._counts[each].counts = arrays[f"{number}/counts"].copy()
            else:
                self._ranks[each] = arrays[f"{number}/ranks"].copy()
                self._counts.pop(each, None)


def _add_product(product: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]) -> None:
    """Add ranks (n_units, n_chars) times shifts (n_steps, n_chars) of a label to their sums (n_units, n_steps)."""
    ranks, shifts, sums = product
    sums += ranks @ shifts.T


@in_parallel
def _rank(counts: NDArray[np.uint32]) -> NDArray[np.float32]:
    """(n_units, 65536) the ranks of levels, of mean 0, and of size 1 over all characters; 0 if there is one only."""
    ranks = np.zeros((len(counts), N_LEVELS), np.float32)
    for unit in prange(len(counts)):
        n = np.float64(0)
        for level in range(N_LEVELS):
            n += counts[unit, level]
        squares, below = 0.0, 0.0
        for level in range(N_LEVELS):
            rank = 2 * below + counts[unit, level] - n
            squares += counts[unit, level] * rank * rank
            below += counts[unit, level]
            ranks[unit, level] = rank
        if squares > 0:
            ranks[unit] /= np.float32(np.sqrt(squares))
        else:
            ranks[unit] = 0
    return ranks


@in_parallel
def _look_up(levels: NDArray[np.uint16], ranks: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            into[unit, t] = ranks[unit, levels[unit, t]]
