"""The ranks of units' levels, of which AUCs are made: levels are counted first, and then ranks added up."""

from typing import NamedTuple

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from analyses.level_counts import LevelCounts
from analyses.levels import N_LEVELS
from analyses.splits import GAP, PARTS, TEST, TRAIN

ALL = 2  # where what is of training characters has the place TRAIN, and what is of test characters TEST
SHARED = 2  # where the sums are of how many other characters have the level
N_GROUPS = len(PARTS) + 1  # with one that is empty, so that what belongs to a level lies in one line of the cache
_OTHERS = 3  # where ranks are, how many other characters have the level


class Ranked(NamedTuple):
    """What is known of the ranks of some units.

    A rank is here a whole number: twice the mid-rank, less n + 1, for n characters. It lies between −n and n, and is 0
    in the middle. The AUC of a unit is 1/2, and the mean rank of positive characters less that of negative ones over
    2n. Whole numbers add up to the same sum in any order, so that an AUC does not depend on how the characters are cut.

    Attributes:
        n: (3,) characters in the training part, in the test part, and in all.
        ties: (n_units,) how many others share the level of each character, summed; but for those in the middle of bins,
            whose values are equal.
        squares: (n_units, 3) sums of the squares of the ranks among training, test, and all characters.
    """

    n: NDArray[np.int64]
    ties: NDArray[np.float64]
    squares: NDArray[np.float64]

    def auc_error(self, others: NDArray[np.float64], n_positive: float) -> NDArray[np.float64]:
        """How far an AUC can be from the exact one, because values that differ have the same level.

        Half the share of pairs of a positive and a negative character of one level. With c characters of a level, p of
        them positive, these are Σ p (c − p): at most Σ p (c − 1), and the same for the negative ones, and by Cauchy and
        Schwarz at most Σ pc − (Σ pc)² / Σ c².

        Args:
            others: (n_units,) Σ p (c − 1): how many others have the level of each positive character, summed.
            n_positive: Positive characters.

        Returns:
            (n_units,) errors.
        """
        n = int(self.n[ALL])
        together = others + n_positive
        mixed = np.minimum(together - together**2 / (self.ties + n), np.minimum(others, self.ties - others))
        pairs = n_positive * (n - n_positive)
        return np.asarray(0.5 * mixed / pairs) if pairs else np.full(len(mixed), np.nan)


class Ranks:
    """The rank that each level of each unit has, among the training, the test, and all characters.

    Attributes:
        ranked: What is known of them.
    """

    def __init__(self, counted: LevelCounts, middle_levels: NDArray[np.int64] | None = None) -> None:
        """Make ranks of counts, whose memory is used for them.

        Args:
            counted: Of training, test, other, and no characters.
            middle_levels: Of bins, see `levels.Bins`; None if values that differ never have the same level.
        """
        counts_of_one = counted.counts[0].sum(axis=0, dtype=np.int64)  # every unit has a value at every character
        n = np.array([counts_of_one[TRAIN], counts_of_one[TEST], counts_of_one.sum()])
        self._n_sums = 2 if middle_levels is None else 3
        self._tables = counted.counts
        self.ranked = Ranked(n, *_to_ranks(counted.counts, _or_none(middle_levels, len(counted.counts)), n))

    def add_up(
        self, levels: NDArray[np.uint16], parts: NDArray[np.int8], codes: NDArray[np.int64], n_codes: int
    ) -> NDArray[np.int64]:
        """Add up the ranks of characters that have the same code; see `ranks_at_once`."""
        sums = np.zeros((self._n_sums, len(levels), n_codes), np.int64)
        _add_up(levels, parts, codes, self._tables, self.ranked.n, sums)
        return sums


def ranks_at_once(
    levels: NDArray[np.uint16],
    parts: NDArray[np.int8],
    codes: NDArray[np.int64],
    n_codes: int,
    middle_levels: NDArray[np.int64] | None = None,
) -> tuple[NDArray[np.int64], Ranked]:
    """Rank all characters, and add up the ranks of those that have the same code.

    Args:
        levels: (n_units, n_chars) of the characters; see `levels.to_levels`.
        parts: (n_chars,) `TRAIN`, `TEST`, or anything else; negative characters are left out.
        codes: (n_chars,) in [0, n_codes).
        n_codes: How many there are.
        middle_levels: Of bins, see `levels.Bins`; None if values that differ never have the same level.

    Returns:
        (2, n_units, n_codes) sums of the ranks among the characters of their part, 0 if it is neither training nor
        test; and of the ranks among all. If levels may be shared, a third one of how many others have the level.
    """
    n = np.array([(parts == TRAIN).sum(), (parts == TEST).sum(), (parts >= 0).sum()])
    sums = np.zeros((2 if middle_levels is None else 3, len(levels), n_codes), np.int64)
    ends = levels.min(axis=1).astype(np.int64), levels.max(axis=1).astype(np.int64)
    middles = _or_none(middle_levels, len(levels))
    ties, squares = _at_once(levels, parts, codes, *ends, middles, n, sums, 4 * get_num_threads())
    return sums, Ranked(n, ties, squares)


def _or_none(middle_levels: NDArray[np.int64] | None, n_units: int) -> NDArray[np.int64]:
    return np.full(n_units, -1) if middle_levels is None else middle_levels


def ranks_by_sorting(
    values: NDArray[np.float32], parts: NDArray[np.int8], codes: NDArray[np.int64], n_codes: int
) -> tuple[NDArray[np.int64], Ranked]:
    """The same as `ranks_at_once` of (n_units, n_chars) values themselves, of which any number may differ."""
    n = np.array([(parts == TRAIN).sum(), (parts == TEST).sum(), (parts >= 0).sum()])
    sums = np.zeros((2, len(values), n_codes), np.int64)
    squares = np.zeros((len(values), 3))
    used = np.flatnonzero(parts >= 0)
    for unit, own in enumerate(values):
        order = used[np.argsort(own[used])]
        _add_sorted(own[order], parts[order], codes[order], n, unit, sums, squares[unit])
    return sums, Ranked(n, np.zeros(len(values)), squares)


@njit(cache=True)
def _add_sorted(
    values: NDArray[np.float32],
    parts: NDArray[np.int8],
    codes: NDArray[np.int64],
    n: NDArray[np.int64],
    unit: int,
    sums: NDArray[np.int64],
    squares: NDArray[np.float64],
) -> None:
    """Add up the ranks of characters in ascending order of a unit's value."""
    before, among = np.zeros(3, np.int64), np.zeros(3, np.int64)  # with lower values, and with the same
    start = 0
    while start < len(values):
        stop = start
        among[:] = 0
        while stop < len(values) and values[stop] == values[start]:
            among[ALL] += 1
            if parts[stop] < ALL:
                among[parts[stop]] += 1
            stop += 1
        ranks = 2 * before + among - n
        for t in range(start, stop):
            sums[1, unit, codes[t]] += ranks[ALL]
            if parts[t] < ALL:
                sums[0, unit, codes[t]] += ranks[parts[t]]
        squares += among * (ranks.astype(np.float64) ** 2)
        before += among
        start = stop


@njit(cache=True)
def _count(levels: NDArray[np.uint16], parts: NDArray[np.int8], table: NDArray[np.uint32]) -> None:
    """How often a unit has each level."""
    for t in range(len(levels)):
        if parts[t] >= 0:
            table[levels[t], parts[t]] += 1


@njit(cache=True)
def _rank(table: NDArray[np.uint32], middle: int, n: NDArray[np.int64], squares: NDArray[np.float64]) -> float:
    """Put twice the mid-ranks less 1 where counts were, and how many others have a level where none were counted.

    Args:
        table: (n_levels, n_groups) how often a unit has each level.
        middle: The place in it of the level of which all values are equal.
        n: Characters in each part.
        squares: (3,) for the sums of squares of the ranks.

    Returns:
        How many others have the level of each character, summed.
    """
    ties = 0.0
    train, test, every = np.int64(0), np.int64(0), np.int64(0)  # characters with lower levels
    for part in range(3):  # if no two characters had the same level
        squares[part] = np.float64(n[part]) * (np.float64(n[part]) ** 2 - 1) / 3
    for level in range(len(table)):
        in_train, in_test = np.int64(table[level, TRAIN]), np.int64(table[level, TEST])
        in_all = in_train + in_test + np.int64(table[level, GAP])
        if in_all > 0:
            table[level, TRAIN] = 2 * train + in_train
            table[level, TEST] = 2 * test + in_test
            table[level, ALL] = 2 * every + in_all
            others = in_all - 1 if level != middle else 0  # which no value shares
            table[level, _OTHERS] = others
            ties += np.float64(in_all) * others
            if in_all > 1:  # characters with the same level have the mean of their ranks
                squares[TRAIN] -= np.float64(in_train) * (np.float64(in_train) ** 2 - 1) / 3
                squares[TEST] -= np.float64(in_test) * (np.float64(in_test) ** 2 - 1) / 3
                squares[ALL] -= np.float64(in_all) * (np.float64(in_all) ** 2 - 1) / 3
            train, test, every = train + in_train, test + in_test, every + in_all
    return ties


@njit(cache=True)
def _add(
    levels: NDArray[np.uint16],
    parts: NDArray[np.int8],
    codes: NDArray[np.int64],
    table: NDArray[np.uint32],
    n: NDArray[np.int64],
    unit: int,
    sums: NDArray[np.int64],
) -> None:
    """Add up the ranks of a unit."""
    share_levels = len(sums) > SHARED
    for t in range(len(levels)):
        part, level, code = parts[t], levels[t], codes[t]
        if part >= 0:
            sums[1, unit, code] += np.int64(table[level, ALL]) - n[ALL]
            if part < ALL:
                sums[0, unit, code] += np.int64(table[level, part]) - n[part]
            if share_levels:
                sums[SHARED, unit, code] += table[level, _OTHERS]


@njit(parallel=True, cache=True)
def _to_ranks(
    tables: NDArray[np.uint32], middles: NDArray[np.int64], n: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    ties, squares = np.zeros(len(tables)), np.zeros((len(tables), 3))
    for unit in prange(len(tables)):
        ties[unit] = _rank(tables[unit], middles[unit], n, squares[unit])
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
        _add(levels[unit], parts, codes, tables[unit], n, unit, sums)


@njit(parallel=True, cache=True)
def _at_once(
    levels: NDArray[np.uint16],
    parts: NDArray[np.int8],
    codes: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    middles: NDArray[np.int64],
    n: NDArray[np.int64],
    sums: NDArray[np.int64],
    n_shares: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit by unit, so that a table stays in the cache from the first count to the last sum."""
    n_units = len(levels)
    ties, squares = np.zeros(n_units), np.zeros((n_units, 3))
    for share in prange(n_shares):
        table = np.empty((N_LEVELS, N_GROUPS), np.uint32)
        for unit in range(share, n_units, n_shares):
            for level in range(first[unit], last[unit] + 1):
                table[level] = 0
            _count(levels[unit], parts, table)
            ties[unit] = _rank(table[first[unit] : last[unit] + 1], middles[unit] - first[unit], n, squares[unit])
            _add(levels[unit], parts, codes, table, n, unit, sums)
    return ties, squares
