"""The ranks of units' values, of which AUCs are made: counted in one pass, looked up in another."""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from analyses.splits import PARTS, TEST, TRAIN
from analyses.statistics import N_VALUES, Bins, place_in_bins, place_of_bits

ALL = 2  # where the ranks among training characters are TRAIN, and those among test characters TEST
_N_COLUMNS = len(PARTS) + 1  # a power of two, so that what belongs to a value lies in one line of the cache
_NOT_A_NUMBER = 0x7C00
_TILE = 32


class RankCounts:
    """How often each unit takes each value, separately for training, test and other characters.

    There are 65,536 values: those of float16, or bins.

    Attributes:
        counts: (n_units, 65536, 4) uint32, values in ascending order, by part; the last column is empty.
    """

    def __init__(self, n_units: int, bins: Bins | None = None) -> None:
        self.counts: NDArray[np.uint32] = np.zeros((n_units, N_VALUES, _N_COLUMNS), np.uint32)
        self.bins = bins

    @staticmethod
    def n_bytes(n_units: int) -> int:
        """Memory that the counts take."""
        return 4 * n_units * N_VALUES * _N_COLUMNS

    def update(self, values: NDArray[np.floating], parts: NDArray[np.int8]) -> bool:
        """Count the rows of a block.

        Args:
            values: (n_units, n_chars) activations, contiguous, float16 if there are no bins. The more characters at
                once, the less often a unit's counts have to be fetched from memory.
            parts: (n_chars,) the part of each row; negative ones are not counted.

        Returns:
            Whether all values are numbers.
        """
        if self.bins is not None:
            return bool(_count_in_bins(values, self.bins.mean, self.bins.width, parts, self.counts))
        return bool(_count(values.view(np.uint16), parts, self.counts))


class Ranks:
    """The rank that each value of each unit has, among the training, the test, and all characters.

    A rank is a mid-rank, less the middle one and over their number: in (−1/2, 1/2), and 0 in the middle. The AUC of a
    unit is 1/2, and the mean rank of positive characters less that of negative ones.

    Attributes:
        squares: (n_units,) sums of the squares of the ranks of all characters.
    """

    def __init__(self, counted: RankCounts) -> None:
        """Make ranks of counts, whose memory is used for them."""
        self._bins = counted.bins
        self._tables = counted.counts.view(np.float32)
        self._most, self._pairs, self.squares = _to_ranks(counted.counts, self._tables)

    def of(self, values: NDArray[np.floating], parts: NDArray[np.int8]) -> NDArray[np.float32]:
        """The ranks of the rows of a block.

        Args:
            values: (n_units, n_chars) activations, contiguous, of the number type that was counted.
            parts: (n_chars,) `TRAIN`, `TEST`, or anything else; negative rows have rank 0.

        Returns:
            (2, n_units, n_chars) ranks among the characters of their part, 0 if it is neither training nor test; and
            among all.
        """
        ranks = np.empty((2, *values.shape), np.float32)
        if self._bins is None:
            _look_up(values.view(np.uint16), parts, self._tables, ranks)
        else:
            _look_up_binned(values, self._bins.mean, self._bins.width, parts, self._tables, ranks)
        return ranks

    def auc_error(self, n_positive: float, n_negative: float) -> NDArray[np.float64]:
        """(n_units,) how far an AUC can be from the exact one, because values that differ fall into one bin.

        At most half the share of pairs of a positive and a negative character in one bin, however these fall into the
        bins; 0 for float16, whose values are counted as they are.
        """
        if self._bins is None:
            return np.zeros(len(self._most))
        in_one = np.minimum(self._pairs / 4, min(n_positive, n_negative) * self._most)
        return np.asarray(0.5 * in_one / (n_positive * n_negative))


def transpose(values: NDArray[Any], into: NDArray[Any]) -> None:
    """Write (n_chars, n_units) values as (n_units, n_chars)."""
    as_bits = np.uint16 if values.dtype.itemsize == 2 else np.uint32
    _transpose(values.view(as_bits), into.view(as_bits))


@njit(parallel=True, cache=True)
def _transpose(values: NDArray[Any], into: NDArray[Any]) -> None:
    n_chars, n_units = values.shape
    for tile in prange((n_units + _TILE - 1) // _TILE):  # a line of the cache holds some of the units
        for first in range(0, n_chars, _TILE):
            for unit in range(tile * _TILE, min((tile + 1) * _TILE, n_units)):
                for t in range(first, min(first + _TILE, n_chars)):
                    into[unit, t] = values[t, unit]


@njit(parallel=True, cache=True)
def _count(bits: NDArray[np.uint16], parts: NDArray[np.int8], counts: NDArray[np.uint32]) -> bool:
    """Count float16 values; False if one is not a number."""
    n_not_numbers = 0
    for unit in prange(len(bits)):
        for t in range(bits.shape[1]):
            value = bits[unit, t]
            if value & 0x7FFF > _NOT_A_NUMBER:
                n_not_numbers += 1
            if parts[t] >= 0:
                counts[unit, place_of_bits(value), parts[t]] += 1
    return n_not_numbers == 0


@njit(parallel=True, cache=True)
def _count_in_bins(
    values: NDArray[np.float32],
    mean: NDArray[np.float64],
    width: NDArray[np.float64],
    parts: NDArray[np.int8],
    counts: NDArray[np.uint32],
) -> bool:
    """Count values by their bin; False if one is not a number."""
    n_not_numbers = 0
    for unit in prange(len(values)):
        for t in range(values.shape[1]):
            place = (values[unit, t] - mean[unit]) / width[unit]
            if np.isnan(place):
                n_not_numbers += 1
            elif parts[t] >= 0:
                counts[unit, place_in_bins(place), parts[t]] += 1
    return n_not_numbers == 0


@njit(parallel=True, cache=True)
def _to_ranks(
    counts: NDArray[np.uint32], ranks: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Put ranks where counts were, those among all characters in the place of the counts of others.

    Returns:
        For each unit the largest count of a value, the sum of squares of the counts, and that of the ranks.
    """
    n_units = len(counts)
    most, pairs, squares = np.zeros(n_units), np.zeros(n_units), np.zeros(n_units)
    for unit in prange(n_units):
        n_train, n_test, n_all = 0.0, 0.0, 0.0
        for value in range(N_VALUES):
            n_train += counts[unit, value, TRAIN]
            n_test += counts[unit, value, TEST]
            n_all += counts[unit, value, ALL]
        n_all = max(n_all + n_train + n_test, 1.0)
        n_train, n_test = max(n_train, 1.0), max(n_test, 1.0)
        train, test, every = 0.0, 0.0, 0.0  # characters with lower values
        for value in range(N_VALUES):
            in_train, in_test = np.float64(counts[unit, value, TRAIN]), np.float64(counts[unit, value, TEST])
            in_all = in_train + in_test + counts[unit, value, ALL]
            if in_all > 0:
                rank = (every + in_all / 2) / n_all - 0.5
                ranks[unit, value, TRAIN] = (train + in_train / 2) / n_train - 0.5
                ranks[unit, value, TEST] = (test + in_test / 2) / n_test - 0.5
                ranks[unit, value, ALL] = rank
                train, test, every = train + in_train, test + in_test, every + in_all
                most[unit] = max(most[unit], in_all)
                pairs[unit] += in_all * in_all
                squares[unit] += in_all * rank * rank
    return most, pairs, squares


@njit(cache=True)
def _put(table: NDArray[np.float32], part: int, ranks: NDArray[np.float32], unit: int, t: int) -> None:
    ranks[1, unit, t] = table[ALL]
    ranks[0, unit, t] = table[part] if part < ALL else np.float32(0)


@njit(parallel=True, cache=True)
def _look_up(
    bits: NDArray[np.uint16], parts: NDArray[np.int8], tables: NDArray[np.float32], ranks: NDArray[np.float32]
) -> None:
    for unit in prange(len(bits)):
        for t in range(bits.shape[1]):
            if parts[t] >= 0:
                _put(tables[unit, place_of_bits(bits[unit, t])], parts[t], ranks, unit, t)
            else:
                ranks[0, unit, t] = ranks[1, unit, t] = 0


@njit(parallel=True, cache=True)
def _look_up_binned(
    values: NDArray[np.float32],
    mean: NDArray[np.float64],
    width: NDArray[np.float64],
    parts: NDArray[np.int8],
    tables: NDArray[np.float32],
    ranks: NDArray[np.float32],
) -> None:
    for unit in prange(len(values)):
        for t in range(values.shape[1]):
            if parts[t] >= 0:
                place = place_in_bins((values[unit, t] - mean[unit]) / width[unit])
                _put(tables[unit, place], parts[t], ranks, unit, t)
            else:
                ranks[0, unit, t] = ranks[1, unit, t] = 0
