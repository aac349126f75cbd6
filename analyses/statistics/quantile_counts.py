"""How many characters of each class lie in bins of a unit's values: 256 bins of as many training characters each."""

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
        """Of all characters of a text: their parts (n_chars,) and classes."""
        self.columns = list(columns)
        self._parts, self._classes = parts, classes
        self._counts = {each: LevelCounts(1, each.n_units) for each in self.columns}
        self._bins: dict[Columns, NDArray[np.uint8]] = {}
        self._tables = {
            each: np.zeros((each.n_units, 2, N_BINS, len(classes.names)), np.int64) for each in self.columns
        }

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """See `LevelStatistic`."""
        parts = self._parts[places]
        if self._bins:
            classes = self._classes.of(places)
            for each, bins in self._bins.items():
                _count(levels[each], parts, classes, bins, self._tables[each])
        else:
            training = np.where(parts == TRAIN, 0, -1).astype(np.int8)
            for each, counts in self._counts.items():
                counts.update(levels[each], training)

    def merge(self, other: "QuantileCounts") -> None:
        """See `Statistic`."""
        for each, counts in self._counts.items():
            counts.counts += other._counts[each].counts
        for each, table in self._tables.items():
            table += other._tables[each]

    def end_reading(self) -> None:
        """See `Statistic`."""
        if self._counts:
            self._bins = {each: _to_bins(own.counts[..., 0]) for each, own in self._counts.items()}
            self._counts = {}

    def result(self) -> dict[Columns, NDArray[np.int64]]:
        """(n_units, 2, 256, n_classes) how many training and test characters there are, bins in ascending order."""
        return self._tables

    def arrays(self) -> State:
        """See `Statistic`."""
        found: State = {}
        for number, each in enumerate(self.columns):
            known = {"bins": self._bins[each]} if self._bins else {"counts": self._counts[each].counts}
            found |= {f"{number}/{name}": array for name, array in known.items()}
            found[f"{number}/table"] = self._tables[each]
        return found

    def restore(self, arrays: State) -> None:
        """See `Statistic`."""
        for number, each in enumerate(self.columns):
            self._tables[each] = arrays[f"{number}/table"].copy()
            if f"{number}/counts" in arrays:
                self._counts[each].counts = arrays[f"{number}/counts"].copy()
            else:
                self._bins[each] = arrays[f"{number}/bins"].copy()
                self._counts.pop(each, None)


@in_parallel
def _to_bins(counts: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """(n_units, 65536) the bin of each level, of the number of training characters that have a lower one."""
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
    found: NDArray[np.int64],
) -> None:
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            if parts[t] == TRAIN or parts[t] == TEST:
                found[unit, parts[t], bins[unit, levels[unit, t]], classes[t]] += 1
