"""Circular shifts of the labels, which leave both them and the units as they are: p-values by permutation."""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Advance, no_advance
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
_SHIFTED_BYTES = 1 << 28  # of all shifts of some labels, at `_CHARS_AT_ONCE` characters
_BYTES_PER_UNIT = 1 << 21  # of counts, ranks and sums
_NEAREST = 20  # a shift is at least 1 / 20 of the text, lest it changes nothing


class Shifted(NamedTuple):
    """p-values by circular shifts: how often shifted labels depend on units as much as the labels themselves.

    Attributes:
        p_shift: (n_units,) compared with the same unit; the p-value of a test of this unit alone.
        p_max: (n_units,) compared with the best of all units; the p-value corrected for the number of units.
    """

    p_shift: NDArray[np.float64]
    p_max: NDArray[np.float64]


class Shifts:
    """Correlations of the ranks of units with a label, and with circular shifts of the label, position removed.

    Attributes:
        statistics: The sums of the first units, which the caller may update in readings of its own, and remove.
    """

    def __init__(
        self,
        source: Source,
        target: Target,
        classes: Classes | None,
        frequent_classes: Sequence[int],
        sites: Collection[Site],
        n_shifts: int,
        seed: int,
    ) -> None:
        """Choose the shifts, and plan the readings.

        Args:
            source: What to read.
            target: The label.
            classes: The classes of the label, if units are judged by the class that they depend on most.
            frequent_classes: The numbers of the classes that are looked at.
            sites: The sites whose units are judged.
            n_shifts: How many shifts, of at least a twentieth of the text.
            seed: Seed of the shifts.

        Raises:
            AnalysisError: If the text is too short for this number of shifts.
        """
        n_chars = source.selection.n_chars
        nearest = n_chars // _NEAREST
        if n_shifts > n_chars - 2 * nearest:
            raise AnalysisError(f"{n_chars:,} characters cannot be shifted in {n_shifts:,} ways; ask for fewer shifts")
        rng = np.random.default_rng(seed)
        steps = [0, *(nearest + rng.choice(n_chars - 2 * nearest, n_shifts, replace=False)).tolist()]
        self._source, self._n_shifts = source, n_shifts
        self._labels = ShiftedLabels(target, classes, frequent_classes, steps)
        sizes = [(site, source.sites[site]) for site in in_order(source.sites, sites)]
        self._groups = column_groups(sizes, Session.of(source).levels.most_units(_BYTES_PER_UNIT))
        self._first = ShiftSums(self._labels, source.selection, self._groups[0])
        self.statistics: list[AnyStatistic] = [self._first]

    def judge(self, forward: Advance = no_advance) -> dict[Site, Shifted]:
        """Read what has still to be read, and compare the shifted labels with the label as it is."""
        collect(self._source, self.statistics, forward)
        self.statistics.clear()
        pieces: dict[Site, list[NDArray[np.float64]]] = {}
        pending, sums = self._groups[1:], self._first
        while True:
            for columns, products in sums.result().items():
                pieces.setdefault(columns.site, []).append(np.abs(products).max(axis=1))
            if not pending:
                break
            del sums, self._first  # free gigabytes before the next are made
            sums = self._first = ShiftSums(self._labels, self._source.selection, pending.pop(0))
            collect(self._source, [sums], forward)
        sizes = {site: np.concatenate(parts) for site, parts in pieces.items()}  # (n_units, 1 + n_shifts) each
        largest = np.max([of_site.max(axis=0) for of_site in sizes.values()], axis=0)
        return {
            site: Shifted(
                (1 + (of_site[:, 1:] >= of_site[:, :1]).sum(axis=1)) / (1 + self._n_shifts),
                (1 + (largest[1:] >= of_site[:, :1]).sum(axis=1)) / (1 + self._n_shifts),
            )
            for site, of_site in sizes.items()
        }


class ShiftedLabels:
    """Labels of the characters that are used, and of the characters some steps on in a circle.

    Each label is less its mean over the characters of its position group, as they are after the shift, so that trends
    in the label drop out; and divided by its norm.

    Attributes:
        n_labels: 1, or the number of classes that are looked at, each of which is a label against the rest.
        n_steps: How many shifts there are, the one by 0 included.
    """

    def __init__(
        self, target: Target, classes: Classes | None, frequent_classes: Sequence[int], steps: list[int]
    ) -> None:
        split, used = target.split, target.selection
        self._steps = np.array(steps)
        groups = position_groups(split.n_atoms).astype(np.int8)
        pieces = in_pieces(used.start, used.stop, used.every)
        self._groups = np.concatenate([groups[split.atom(np.array(places))] for places in pieces])
        middle = target.sizes().mean if classes is None else 0.0
        source = target if classes is None else replace(target, labels=classes.labels)
        self._values = np.concatenate(
            [np.where(parts >= 0, labels - middle, np.nan).astype(np.float32) for labels, parts in source.chunks()]
        )
        self._classes = [np.float32(np.nan)] if classes is None else [np.float32(c) for c in frequent_classes]
        self._scales = [self._scale_of(class_number) for class_number in self._classes]
        self.n_labels, self.n_steps = len(self._classes), len(steps)

    def _scale_of(self, class_number: np.float32) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n_steps, n_groups) means of a label in each position group, and (n_steps,) 1 over its norm without them."""
        n, y, yy = _group_sums(self._values, class_number, self._steps, self._groups)
        means = y / np.maximum(n, 1)
        squares = yy.sum(axis=1) - (n * means**2).sum(axis=1)
        return means.astype(np.float32), (1 / np.sqrt(np.maximum(squares, 1e-12))).astype(np.float32)

    def shifted(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        """Yield each label, (n_steps, n_rows), of the characters that the shifts bring to some rows."""
        groups = self._groups[rows]
        for class_number, scale in zip(self._classes, self._scales, strict=True):
            labels = np.empty((len(self._steps), len(rows)), np.float32)
            _shift(self._values, class_number, self._steps, rows, groups, *scale, labels)
            yield labels


@njit(inline="always")
def _label(value: np.float32, class_number: np.float32) -> np.float32:
    """Return the value itself, or, if a class is given, whether it is that class; NaN if it is missing."""
    return value if np.isnan(class_number) or np.isnan(value) else np.float32(value == class_number)


@njit(inline="always")
def _in_circle(place: int, n_chars: int) -> np.uint64:
    """Return the place in [0, n_chars) of one in [0, 2 n_chars)."""
    return np.uint64(place - n_chars if place >= n_chars else place)


@in_parallel
def _group_sums(
    values: NDArray[np.float32], class_number: np.float32, steps: NDArray[np.int64], groups: NDArray[np.int8]
) -> NDArray[np.float64]:
    """(3, n_steps, n_groups) counts, sums and sums of squares of the shifted label in each position group.

    For each step the same as `np.bincount(groups[known], weights, N_GROUPS)` of `y = np.roll(labels, -step)`, with
    `known = ~np.isnan(y)` and the weights 1, y and y².
    """
    sums = np.zeros((3, len(steps), N_GROUPS))
    for line in prange(len(steps)):
        for row in range(len(values)):
            label = _label(values[_in_circle(row + steps[line], len(values))], class_number)
            if not np.isnan(label):
                sums[0, line, groups[row]] += 1
                sums[1, line, groups[row]] += label
                sums[2, line, groups[row]] += np.float64(label) * label
    return sums


@in_parallel
def _shift(
    values: NDArray[np.float32],
    class_number: np.float32,
    steps: NDArray[np.int64],
    rows: NDArray[np.int64],
    groups: NDArray[np.int8],
    means: NDArray[np.float32],
    per_norm: NDArray[np.float32],
    into: NDArray[np.float32],
) -> None:
    """Write the shifted labels of some rows, (n_steps, n_rows), less their group means and over their norms.

    For each step the same as `np.nan_to_num((np.roll(labels, -step)[rows] - means[groups]) * per_norm)`.
    """
    for line in prange(len(steps)):
        means_of_step, per_norm_of_step = means[line], per_norm[line]
        for n in range(len(rows)):
            label = _label(values[_in_circle(rows[n] + steps[line], len(values))], class_number)
            scaled = (label - means_of_step[np.uint64(groups[n])]) * per_norm_of_step
            into[line, n] = np.float32(0) if np.isnan(scaled) else scaled


class ShiftSums:
    """Sums of products of units' ranks with shifted labels; ranks are found in the first of two readings."""

    n_readings = 2

    def __init__(
        self,
        labels: ShiftedLabels,
        selection: Selection,
        columns: Sequence[Columns],
        shifted_bytes: int = _SHIFTED_BYTES,
    ) -> None:
        """Start with no characters.

        Args:
            labels: The shifted labels.
            selection: The characters that are used.
            columns: The units.
            shifted_bytes: Memory for the shifted labels that are worked on together.
        """
        self.columns = list(columns)
        self._labels, self._selection = labels, selection
        self._counts = {columns: LevelCounts(1, columns.n_units) for columns in self.columns}
        self._ranks: dict[Columns, NDArray[np.float32]] = {}
        self._most_labels = max(1, shifted_bytes // (4 * labels.n_steps * _CHARS_AT_ONCE))  # worked on together
        shape = labels.n_labels, labels.n_steps
        self._sums = {columns: np.zeros((columns.n_units, *shape)) for columns in self.columns}

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """Add characters, given the levels of each of the columns."""
        if not self._ranks:
            for columns, counts in self._counts.items():
                counts.update(levels[columns], np.zeros(len(places), np.int8))
            return
        rows = (places - self._selection.start) // self._selection.every
        for start in range(0, len(places), _CHARS_AT_ONCE):
            tile = slice(start, start + _CHARS_AT_ONCE)
            ranks = {columns: np.empty((columns.n_units, len(rows[tile])), np.float32) for columns in self.columns}
            for columns, into in ranks.items():
                _look_up(levels[columns][:, tile], self._ranks[columns], into)
            shifted = enumerate(self._labels.shifted(rows[tile]))
            while some := list(islice(shifted, self._most_labels)):
                products = (
                    (of_units, y, self._sums[columns][:, label])
                    for label, y in some
                    for columns, of_units in ranks.items()
                )
                deque(in_threads(_add_product, products), maxlen=0)
                some.clear()

    def merge(self, other: "ShiftSums") -> None:
        """Add what another statistic has seen of other characters."""
        for columns, counts in self._counts.items():
            counts.counts += other._counts[columns].counts
        for columns, sums in self._sums.items():
            sums += other._sums[columns]

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""
        if self._counts:
            self._ranks = {columns: _ranks_of_levels(counts.counts[..., 0]) for columns, counts in self._counts.items()}
            self._counts = {}

    def result(self) -> dict[Columns, NDArray[np.float64]]:
        """(n_units, n_labels, n_steps) sums of products for each of the columns."""
        return self._sums

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        state: State = {}
        for number, columns in enumerate(self.columns):
            if self._ranks:
                state[f"{number}/ranks"] = self._ranks[columns]
            else:
                state[f"{number}/counts"] = self._counts[columns].counts
            state[f"{number}/sums"] = self._sums[columns]
        return state

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        for number, columns in enumerate(self.columns):
            self._sums[columns] = arrays[f"{number}/sums"].copy()
            if f"{number}/counts" in arrays:
                self._counts[columns].counts = arrays[f"{number}/counts"].copy()
            else:
                self._ranks[columns] = arrays[f"{number}/ranks"].copy()
                self._counts.pop(columns, None)


def _add_product(product: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]) -> None:
    """Add ranks (n_units, n_chars) times shifts (n_steps, n_chars) of a label to their sums (n_units, n_steps)."""
    ranks, shifts, sums = product
    sums += ranks @ shifts.T


@in_parallel
def _ranks_of_levels(counts: NDArray[np.uint32]) -> NDArray[np.float32]:
    """(n_units, 65536) the rank of each level, with mean 0 and norm 1 over all characters; 0 if there is one level.

    For each unit the same as `scipy.stats.rankdata` of its levels, less the mean, over the norm.
    """
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
    """Write the rank of each level, `np.take_along_axis(ranks, levels, axis=1)`."""
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            into[unit, t] = ranks[unit, levels[unit, t]]
