"""The ranks of units' levels, of which AUCs are made: counted in one pass, added up in another."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from analyses.level_counts import LevelCounts
from analyses.splits import GAP, PARTS, TEST, TRAIN

ALL = 2  # where what is of training characters has the place TRAIN, and what is of test characters TEST
N_GROUPS = len(PARTS) + 1  # with one that is empty, so that what belongs to a level lies in one line of the cache
_OTHERS = 3  # where ranks are, how many other characters have the level


class Ranks:
    """The rank that each value of each unit has, among the training, the test, and all characters.

    A rank is here a whole number: twice the mid-rank, less n + 1, for n characters. It lies between −n and n, and is 0
    in the middle. The AUC of a unit is 1/2, and the mean rank of positive characters less that of negative ones over
    2n. Whole numbers add up to the same sum in any order, so that an AUC does not depend on how the characters are cut.

    Attributes:
        n: Characters in the training part, in the test part, and in all.
        squares: (n_units,) sums of the squares of the ranks among all characters.
    """

    def __init__(self, counted: LevelCounts, *, share_levels: bool = False) -> None:
        """Make ranks of counts, whose memory is used for them.

        Args:
            counted: Of training, test, other, and no characters.
            share_levels: Whether values that differ may have the same level.
        """
        counts_of_one = counted.counts[0].sum(axis=0, dtype=np.int64)  # every unit has a value at every character
        self.n = int(counts_of_one[TRAIN]), int(counts_of_one[TEST]), int(counts_of_one.sum())
        self._share_levels = share_levels
        self._tables = counted.counts
        self._ties, self.squares = _to_ranks(counted.counts, np.array(self.n))

    def add_up(
        self, levels: NDArray[np.uint16], parts: NDArray[np.int8], codes: NDArray[np.int64], n_codes: int
    ) -> NDArray[np.int64]:
        """Add up the ranks of characters that have the same code.

        Args:
            levels: (n_units, n_chars) of the characters.
            parts: (n_chars,) `TRAIN`, `TEST`, or anything else; negative characters are left out.
            codes: (n_chars,) in [0, n_codes).
            n_codes: How many there are.

        Returns:
            (2, n_units, n_codes) sums of the ranks among the characters of their part, 0 if it is neither training nor
            test; and of the ranks among all.
        """
        sums = np.zeros((2, len(levels), n_codes), np.int64)
        _add_up(levels, parts, codes, self._tables, np.array(self.n), sums)
        return sums

    def add_up_others(
        self, levels: NDArray[np.uint16], parts: NDArray[np.int8], codes: NDArray[np.int64], n_codes: int
    ) -> NDArray[np.int64] | None:
        """(n_units, n_codes) how many other characters share the level of each, added up in the same way.

        None if values that differ never share one.
        """
        if not self._share_levels:
            return None
        sums = np.zeros((len(levels), n_codes), np.int64)
        _add_up_others(levels, parts, codes, self._tables, sums)
        return sums

    def auc_error(self, ties: NDArray[np.float64], n_positive: float) -> NDArray[np.float64]:
        """How far an AUC can be from the exact one, because values that differ fall into one bin.

        Half the share of pairs of a positive and a negative character that fall into one bin. With c characters in a
        bin, p of them positive, these are Σ p (c − p): at most Σ p (c − 1), and the same for the negative ones, and by
        Cauchy and Schwarz at most Σ pc − (Σ pc)² / Σ c².

        Args:
            ties: (n_units,) Σ p (c − 1): how many others have the level of each positive character, summed.
            n_positive: Positive characters.

        Returns:
            (n_units,) errors.
        """
        n = self.n[ALL]
        together = ties + n_positive
        mixed = np.minimum(together - together**2 / (self._ties + n), np.minimum(ties, self._ties - ties))
        return np.asarray(0.5 * mixed / (n_positive * (n - n_positive)))


@njit(parallel=True, cache=True)
def _to_ranks(tables: NDArray[np.uint32], n: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put twice the mid-ranks less 1 where counts were, and how many others have a level where none were counted.

    Returns:
        For each unit how many others have the level of each character, summed, and the sum of squares of the ranks.
    """
    n_units, n_levels, _ = tables.shape
    ties, squares = np.zeros(n_units), np.zeros(n_units)
    for unit in prange(n_units):
        train, test, every = np.int64(0), np.int64(0), np.int64(0)  # characters with lower levels
        for level in range(n_levels):
            in_train, in_test = np.int64(tables[unit, level, TRAIN]), np.int64(tables[unit, level, TEST])
            in_all = in_train + in_test + np.int64(tables[unit, level, GAP])
            if in_all > 0:
                tables[unit, level, TRAIN] = 2 * train + in_train
                tables[unit, level, TEST] = 2 * test + in_test
                tables[unit, level, ALL] = 2 * every + in_all
                tables[unit, level, _OTHERS] = in_all - 1
                rank = np.float64(2 * every + in_all - n[ALL])
                ties[unit] += np.float64(in_all) * (in_all - 1)
                squares[unit] += in_all * rank * rank
                train, test, every = train + in_train, test + in_test, every + in_all
    return ties, squares


@njit(parallel=True, cache=True)
def _add_up(
    levels: NDArray[np.uint16],
    parts: NDArray[np.int8],
    codes: NDArray[np.int64],
    tables: NDArray[np.uint32],
    n: NDArray[np.int64],
    sums: NDArray[np.int64],
) -> None:
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            part, level, code = parts[t], levels[unit, t], codes[t]
            if part >= 0:
                sums[1, unit, code] += np.int64(tables[unit, level, ALL]) - n[ALL]
                if part < ALL:
                    sums[0, unit, code] += np.int64(tables[unit, level, part]) - n[part]


@njit(parallel=True, cache=True)
def _add_up_others(
    levels: NDArray[np.uint16],
    parts: NDArray[np.int8],
    codes: NDArray[np.int64],
    tables: NDArray[np.uint32],
    sums: NDArray[np.int64],
) -> None:
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            if parts[t] >= 0:
                sums[unit, codes[t]] += tables[unit, levels[unit, t], _OTHERS]
