"""The ranks of units' values, of which AUCs are made: counted in one pass, looked up in another."""

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from analyses.splits import PARTS, TEST, TRAIN
from analyses.statistics import N_VALUES, ValueCounts, place_in_bins, place_of_bits

ALL = 2  # where the ranks among training characters are TRAIN, and those among test characters TEST
N_GROUPS = len(PARTS) + 1  # with one that is empty, so that what belongs to a value lies in one line of the cache
_TIES = 3  # how many other characters have the value
_TILE = 32


class Ranks:
    """The rank that each value of each unit has, among the training, the test, and all characters.

    A rank is here a whole number: twice the mid-rank, less n + 1, for n characters. It lies between −n and n, and is 0
    in the middle. The AUC of a unit is 1/2, and the mean rank of positive characters less that of negative ones over
    2n. Whole numbers add up to the same sum in any order, so that an AUC does not depend on how the characters are cut.

    Attributes:
        n: Characters in the training part, in the test part, and in all.
        squares: (n_units,) sums of the squares of the ranks among all characters.
    """

    def __init__(self, counted: ValueCounts) -> None:
        """Make ranks of the counts of training, test, other, and no characters, whose memory is used for them."""
        self._bins = counted.bins
        self._tables = counted.counts
        counts_of_one = counted.counts[0].sum(axis=0, dtype=np.int64)  # every unit has a value at every character
        self.n = int(counts_of_one[TRAIN]), int(counts_of_one[TEST]), int(counts_of_one.sum())
        self._ties, self.squares = _to_ranks(counted.counts, np.array(self.n))

    def of(self, values: NDArray[np.floating], parts: NDArray[np.int8]) -> NDArray[np.int32]:
        """The ranks of some characters.

        Args:
            values: (n_units, n_chars) activations, contiguous, of the number type that was counted.
            parts: (n_chars,) `TRAIN`, `TEST`, or anything else; negative characters have rank 0.

        Returns:
            (3, n_units, n_chars) ranks among the characters of their part, 0 if it is neither training nor test; ranks
            among all; and how many others have the same value.
        """
        ranks = np.zeros((3, *values.shape), np.int32)
        n = np.array(self.n)
        if self._bins is None:
            _look_up(values.view(np.uint16), parts, self._tables, n, ranks)
        else:
            _look_up_binned(values, self._bins.mean, self._bins.width, parts, self._tables, n, ranks)
        return ranks

    def auc_error(self, ties: NDArray[np.float64], n_positive: float) -> NDArray[np.float64]:
        """How far an AUC can be from the exact one, because values that differ fall into one bin.

        Half the share of pairs of a positive and a negative character that fall into one bin. With c characters in a
        bin, p of them positive, these are Σ p (c − p): at most Σ p (c − 1), and the same for the negative ones, and by
        Cauchy and Schwarz at most Σ pc − (Σ pc)² / Σ c².

        Args:
            ties: (n_units,) Σ p (c − 1): how many others have the value of each positive character, summed.
            n_positive: Positive characters.

        Returns:
            (n_units,) 0 for float16, whose values are counted as they are.
        """
        if self._bins is None:
            return np.zeros(len(ties))
        n = self.n[ALL]
        together = ties + n_positive
        mixed = np.minimum(together - together**2 / (self._ties + n), np.minimum(ties, self._ties - ties))
        return np.asarray(0.5 * mixed / (n_positive * (n - n_positive)))


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
def _to_ranks(tables: NDArray[np.uint32], n: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put twice the mid-ranks less 1 where counts were, and how many others have a value where none were counted.

    Returns:
        For each unit how many others have the value of each character, summed, and the sum of squares of the ranks.
    """
    n_units = len(tables)
    ties, squares = np.zeros(n_units), np.zeros(n_units)
    for unit in prange(n_units):
        train, test, every = np.int64(0), np.int64(0), np.int64(0)  # characters with lower values
        for value in range(N_VALUES):
            in_train, in_test = np.int64(tables[unit, value, TRAIN]), np.int64(tables[unit, value, TEST])
            in_all = in_train + in_test + np.int64(tables[unit, value, ALL])
            if in_all > 0:
                tables[unit, value, TRAIN] = 2 * train + in_train
                tables[unit, value, TEST] = 2 * test + in_test
                tables[unit, value, ALL] = 2 * every + in_all
                tables[unit, value, _TIES] = in_all - 1
                rank = np.float64(2 * every + in_all - n[ALL])
                ties[unit] += np.float64(in_all) * (in_all - 1)
                squares[unit] += in_all * rank * rank
                train, test, every = train + in_train, test + in_test, every + in_all
    return ties, squares


@njit(cache=True)
def _put(
    table: NDArray[np.uint32], part: int, n: NDArray[np.int64], ranks: NDArray[np.int32], unit: int, t: int
) -> None:
    if part < ALL:
        ranks[0, unit, t] = np.int64(table[part]) - n[part]
    ranks[1, unit, t] = np.int64(table[ALL]) - n[ALL]
    ranks[2, unit, t] = table[_TIES]


@njit(parallel=True, cache=True)
def _look_up(
    bits: NDArray[np.uint16],
    parts: NDArray[np.int8],
    tables: NDArray[np.uint32],
    n: NDArray[np.int64],
    ranks: NDArray[np.int32],
) -> None:
    for unit in prange(len(bits)):
        for t in range(bits.shape[1]):
            if parts[t] >= 0:
                _put(tables[unit, place_of_bits(bits[unit, t])], parts[t], n, ranks, unit, t)


@njit(parallel=True, cache=True)
def _look_up_binned(
    values: NDArray[np.float32],
    mean: NDArray[np.float64],
    width: NDArray[np.float64],
    parts: NDArray[np.int8],
    tables: NDArray[np.uint32],
    n: NDArray[np.int64],
    ranks: NDArray[np.int32],
) -> None:
    for unit in prange(len(values)):
        for t in range(values.shape[1]):
            if parts[t] >= 0:
                place = place_in_bins((values[unit, t] - mean[unit]) / width[unit])
                _put(tables[unit, place], parts[t], n, ranks, unit, t)
