"""Counts of characters by class and by quantile of a unit: 256 bins of as many training characters each."""

from collections.abc import Mapping, Sequence

import numpy as np
from numba import prange
from numpy.typing import NDArray

from analyses.collecting.statistic import State
from analyses.kernels import in_parallel
from analyses.levels.bins import N_LEVELS
from analyses.levels.columns import Columns
from analyses.levels.counts import LevelCounts
from analyses.targets.classes import Classes
from analyses.targets.splits import TEST, TRAIN

N_BINS = 256


class QuantileCounts:
    """Counts of training and test characters of each class in bins of each unit's values.

    The bins of a unit have as many training characters each, as far as equal values allow: levels are counted in the
    first reading, and characters in bins in the second.
    """

    n_readings = 2

    def __init__(self, parts: NDArray[np.int8], classes: Classes, columns: Sequence[Columns]) -> None:
        """Start with no characters, given the parts (n_chars,) and classes of all characters of a text."""
        self.columns = list(columns)
        self._parts, self._classes = parts, classes
        self._counts = {columns: LevelCounts(1, columns.n_units) for columns in self.columns}
        self._bins: dict[Columns, NDArray[np.uint8]] = {}
        self._tables = {
            columns: np.zeros((columns.n_units, 2, N_BINS, len(classes.names)), np.int64) for columns in self.columns
        }

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """Add characters, given the levels of each of the columns."""
        parts = self._parts[places]
        if self._bins:
            classes = self._classes.of(places)
            for columns, bins in self._bins.items():
                _count(levels[columns], parts, classes, bins, self._tables[columns])
        else:
            training = np.where(parts == TRAIN, 0, -1).astype(np.int8)
            for columns, counts in self._counts.items():
                counts.update(levels[columns], training)

    def merge(self, other: "QuantileCounts") -> None:
        """Add what another statistic has seen of other characters."""
        for columns, counts in self._counts.items():
            counts.counts += other._counts[columns].counts
        for columns, table in self._tables.items():
            table += other._tables[columns]

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""
        if self._counts:
            self._bins = {columns: bins_of_levels(counts.counts[..., 0]) for columns, counts in self._counts.items()}
            self._counts = {}

    def result(self) -> dict[Columns, NDArray[np.int64]]:
        """(n_units, 2, 256, n_classes) numbers of training and test characters, bins in ascending order."""
        return self._tables

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        state: State = {}
        for number, columns in enumerate(self.columns):
            if self._bins:
                state[f"{number}/bins"] = self._bins[columns]
            else:
                state[f"{number}/counts"] = self._counts[columns].counts
            state[f"{number}/table"] = self._tables[columns]
        return state

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        for number, columns in enumerate(self.columns):
            self._tables[columns] = arrays[f"{number}/table"].copy()
            if f"{number}/counts" in arrays:
                self._counts[columns].counts = arrays[f"{number}/counts"].copy()
            else:
                self._bins[columns] = arrays[f"{number}/bins"].copy()
                self._counts.pop(columns, None)


@in_parallel
def bins_of_levels(counts: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """(n_units, 65536) the bin of each level, by how many training characters have a lower one.

    For each unit the same as `np.minimum((np.cumsum(counts) - counts / 2) * N_BINS // counts.sum(), N_BINS - 1)`.
    """
    bins = np.zeros((len(counts), N_LEVELS), np.uint8)
    for unit in prange(len(counts)):
        n = np.int64(0)
        for level in range(N_LEVELS):
            n += counts[unit, level]
        below = np.int64(0)
        for level in range(N_LEVELS):
            bins[unit, level] = min((2 * below + counts[unit, level]) * N_BINS // (2 * n), N_BINS - 1)
            below += counts[unit, level]
    return bins


@in_parallel
def _count(
    levels: NDArray[np.uint16],
    parts: NDArray[np.int8],
    classes: NDArray[np.int64],
    bins: NDArray[np.uint8],
    table: NDArray[np.int64],
) -> None:
    """Count characters of the training and the test part, for each unit.

    For each unit the same as `np.add.at(table[unit], (parts[rows], bins[unit][levels[unit, rows]], classes[rows]), 1)`
    with the rows of both parts.
    """
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            if parts[t] == TRAIN or parts[t] == TEST:
                table[unit, parts[t], bins[unit, levels[unit, t]], classes[t]] += 1
