"""Sums of products of units' ranks with shifted labels, whatever these are."""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from activations.texts.selection import Selection
from analyses.collecting.statistic import State
from analyses.levels.bins import N_LEVELS
from analyses.levels.columns import Columns
from analyses.levels.counts import LevelCounts
from analyses.levels.shares import for_shares
from analyses.ranking.shifting.shifted_labels import ShiftedLabels
from analyses.threads import do_in_threads
from hypotheses.kernels import compiled

_CHARS_AT_ONCE = 1 << 15
_SHIFTED_BYTES = 1 << 28  # of all shifts of some labels, at `_CHARS_AT_ONCE` characters
_UNITS_AT_ONCE = 64  # of a product in one thread


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
                    (of_columns[units], y, self._sums[columns][units, label])
                    for label, y in some
                    for columns, of_columns in ranks.items()
                    for units in _shares(columns.n_units)
                )
                do_in_threads(_add_product, products)
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


def _shares(n_units: int) -> list[slice]:
    """Divide units among threads."""
    return [slice(start, start + _UNITS_AT_ONCE) for start in range(0, n_units, _UNITS_AT_ONCE)]


def _ranks_of_levels(counts: NDArray[np.uint32]) -> NDArray[np.float32]:
    """(n_units, 65536) the rank of each level, with mean 0 and norm 1 over all characters; 0 if there is one level.

    For each unit the same as `scipy.stats.rankdata` of its levels, less the mean, over the norm.
    """
    ranks = np.zeros((len(counts), N_LEVELS), np.float32)
    for_shares(len(counts), counts.size, lambda start, stop: _write_ranks(start, stop, counts, ranks))
    return ranks


@compiled(nogil=True)
def _write_ranks(start: int, stop: int, counts: NDArray[np.uint32], ranks: NDArray[np.float32]) -> None:
    """Write the ranks of the units from `start` up to `stop`."""
    for unit in range(start, stop):
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


def _look_up(levels: NDArray[np.uint16], ranks: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    """Write the rank of each level, `np.take_along_axis(ranks, levels, axis=1)`."""
    for_shares(len(levels), levels.size, lambda start, stop: _look_up_some(start, stop, levels, ranks, into))


@compiled(nogil=True)
def _look_up_some(
    start: int, stop: int, levels: NDArray[np.uint16], ranks: NDArray[np.float32], into: NDArray[np.float32]
) -> None:
    """Write the ranks of the units from `start` up to `stop`."""
    for unit in range(start, stop):
        for t in range(levels.shape[1]):
            into[unit, t] = ranks[unit, levels[unit, t]]
