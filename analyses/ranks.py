"""The ranks of units' levels, of which AUCs are made: levels are counted first, and then ranks added up."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from analyses.level_counts import LevelCounts
from analyses.levels import N_LEVELS
from analyses.splits import GAP, PARTS, TEST, TRAIN

ALL = 2  # where what is of training characters has the place TRAIN, and what is of test characters TEST
SHARED = 2  # where the sums are of how many other characters have the level
N_GROUPS = len(PARTS) + 1  # with one that is for no part, so that what belongs to a level lies in one line of the cache
_LEFT_OUT = len(PARTS)  # where counts are, what is of no part
_OTHERS = 3  # where ranks are, how many other characters have the level
_LONG = 6  # characters, that pay for a loop of their own


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
        self._share_levels = middle_levels is not None
        self._tables = counted.counts
        self.ranked = Ranked(n, *_to_ranks(counted.counts, _or_none(middle_levels, len(counted.counts)), n))

    def add_up(self, levels: NDArray[np.uint16], spans: "Spans") -> NDArray[np.int64]:
        """Add up the ranks of characters that have the same code; see `ranks_at_once`, of one way."""
        sums = _no_sums(len(levels), spans.n_columns, share_levels=self._share_levels)
        _add_up(levels, *spans.runs, spans.codes, self._tables, sums)
        return spans.centred(sums, self.ranked.n)


def ranks_at_once(
    levels: NDArray[np.uint16], ways: "Ways", middle_levels: NDArray[np.int64] | None = None
) -> list[tuple[NDArray[np.int64], Ranked]]:
    """Rank all characters, and add up the ranks of those that have the same code.

    Args:
        levels: (n_units, n_chars) of the characters; see `levels.to_levels`.
        ways: To see the characters, which are ranked anew for each.
        middle_levels: Of bins, see `levels.Bins`; None if values that differ never have the same level.

    Returns:
        For each way (2, n_units, n_codes) sums of the ranks among the characters of their part, 0 if it is neither
        training nor test, and of the ranks among all; if levels may be shared, a third one of how many others have the
        level. Beside them, what is known of the ranks.
    """
    middles = _or_none(middle_levels, len(levels))
    sums = _no_sums(len(levels), ways.columns[-1], share_levels=middle_levels is not None)
    ties, squares = _at_once(levels, middles, ways.flat, sums, 4 * get_num_threads())
    own_sums = np.split(sums, ways.columns[1:-1], axis=2)
    return [
        (spans.centred(own, n), Ranked(n, *known))
        for spans, own, n, *known in zip(ways.spans, own_sums, ways.flat.n, ties, squares, strict=True)
    ]


def _no_sums(n_units: int, n_columns: int, *, share_levels: bool) -> NDArray[np.uint64]:
    """Where sums are added up; see `ranks_at_once`."""
    return np.zeros((2 + share_levels, n_units, n_columns), np.uint64)


def _or_none(middle_levels: NDArray[np.int64] | None, n_units: int) -> NDArray[np.int64]:
    return np.full(n_units, -1) if middle_levels is None else middle_levels


_Runs = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]


class Spans(NamedTuple):
    """Which part characters belong to, and which code they have.

    Those that are side by side are added up in one go. All are unsigned, which saves a test at each look-up.

    Attributes:
        groups: (n_chars,) the part of each character, or `_LEFT_OUT`.
        runs: Where characters of one part start and stop, and which part. If codes change seldom, these also have one
            code; if not, there are characters among them that are left out.
        codes: (n_runs,) or (n_chars,) the code of each; there is one more for what is left out.
        n_of_codes: (n_parts, n_codes) how many characters of each part have a code.
    """

    groups: NDArray[np.uint8]
    runs: _Runs
    codes: NDArray[np.uint32]
    n_of_codes: NDArray[np.int64]

    @classmethod
    def of(cls, parts: NDArray[np.int8], codes: NDArray[np.int64], n_codes: int) -> "Spans":
        """Of some characters.

        Args:
            parts: (n_chars,) `TRAIN`, `TEST` or `GAP`; negative characters are left out.
            codes: (n_chars,) in [0, n_codes).
            n_codes: How many there are.
        """
        is_left_out = parts < 0
        groups = np.where(is_left_out, _LEFT_OUT, parts).astype(np.uint8)
        codes = np.where(is_left_out, n_codes, codes)
        n_of_groups = np.bincount(
            np.multiply(groups, n_codes + 1, dtype=np.int64) + codes, minlength=N_GROUPS * (n_codes + 1)
        )
        n_of_codes = n_of_groups.reshape(N_GROUPS, n_codes + 1)[list(PARTS), :n_codes]
        runs = _runs(groups, codes)
        if _LONG * len(runs[0]) < len(parts):
            kept = runs[2] != _LEFT_OUT
            starts, stops, own = (each[kept] for each in runs)
            return cls(groups, (starts, stops, own), codes[starts.astype(np.int64)].astype(np.uint32), n_of_codes)
        before = np.maximum.accumulate(np.where(is_left_out, 0, np.arange(len(parts))))
        return cls(groups, _runs(groups[before]), codes.astype(np.uint32), n_of_codes)

    @property
    def n(self) -> NDArray[np.int64]:
        """(3,) characters in the training part, in the test part, and in all."""
        of_parts = self.n_of_codes.sum(axis=1)
        return np.array([of_parts[TRAIN], of_parts[TEST], of_parts.sum()])

    @property
    def n_columns(self) -> int:
        """How many sums there are of a unit: one for each code, and one for what is left out."""
        return int(self.n_of_codes.shape[1]) + 1

    def centred(self, sums: NDArray[np.uint64], n: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sums of the ranks, of which tables hold n more for each character."""
        found = sums.view(np.int64)[:, :, :-1]
        found[0] -= self.n_of_codes[TRAIN] * n[TRAIN] + self.n_of_codes[TEST] * n[TEST]
        found[1] -= self.n_of_codes.sum(axis=0) * n[ALL]
        return found


def _runs(*numbers: NDArray[np.integer]) -> _Runs:
    """Where runs of characters with the same numbers start and stop, and what the first of the numbers is there."""
    changes = np.logical_or.reduce([each[1:] != each[:-1] for each in numbers])
    borders = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(numbers[0])]])
    first, last, own = (each.astype(np.uint64) for each in (borders[:-1], borders[1:], numbers[0][borders[:-1]]))
    return first, last, own


class _Flat(NamedTuple):
    """What differs between ways to see some characters, one behind the other; `of_…` has the borders.

    Attributes:
        n: (n_ways, 3) characters in the training part, in the test part, and in all.
        groups: (n_chars,) see `Spans`, of the way that leaves out fewest.
        moved: Places of the characters that have another group in other ways, and `moved_to` which one.
        starts: See `Spans.runs`, with `stops`, `parts` and `codes`.
    """

    n: NDArray[np.int64]
    groups: NDArray[np.uint8]
    moved: NDArray[np.uint64]
    moved_to: NDArray[np.uint8]
    of_moves: NDArray[np.int64]
    starts: NDArray[np.uint64]
    stops: NDArray[np.uint64]
    parts: NDArray[np.uint64]
    of_runs: NDArray[np.int64]
    codes: NDArray[np.uint32]
    of_codes: NDArray[np.int64]


class Ways:
    """Several ways to see the same characters: which part they belong to, which are left out, which code they have.

    Attributes:
        spans: One for each.
        columns: (n_ways + 1,) where the codes of each begin, if all have sums side by side.
        flat: The same, as a compiled loop needs it.
    """

    def __init__(self, spans: Sequence[Spans]) -> None:
        self.spans = spans
        self.columns = _borders(each.n_columns for each in spans)
        groups = max(spans, key=lambda each: int(each.n[ALL])).groups
        moved = [np.flatnonzero(each.groups != groups) for each in spans]
        codes = [each.codes + np.uint32(first) for each, first in zip(spans, self.columns[:-1], strict=True)]
        starts, stops, parts = (np.concatenate(each) for each in zip(*(each.runs for each in spans), strict=True))
        self.flat = _Flat(
            n=np.array([each.n for each in spans]),
            groups=groups,
            moved=np.concatenate(moved).astype(np.uint64),
            moved_to=np.concatenate([each.groups[own] for each, own in zip(spans, moved, strict=True)]),
            of_moves=_borders(map(len, moved)),
            starts=starts,
            stops=stops,
            parts=parts,
            of_runs=_borders(len(each.runs[0]) for each in spans),
            codes=np.concatenate(codes),
            of_codes=_borders(map(len, codes)),
        )


def _borders(lengths: Iterable[int]) -> NDArray[np.int64]:
    """(n + 1,) where each of some arrays begins, if they are put one behind the other, and where the last ends."""
    return np.cumsum([0, *lengths])


def ranks_by_sorting(
    values: NDArray[np.float32], parts: NDArray[np.int8], codes: NDArray[np.int64], n_codes: int
) -> tuple[NDArray[np.int64], Ranked]:
    """The same as `ranks_at_once`, of one way and (n_units, n_chars) values, of which any number may differ."""
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
def _count(levels: NDArray[np.uint16], groups: NDArray[np.uint8], table: NDArray[np.uint32]) -> None:
    """How often a unit has each level."""
    for t in range(len(levels)):
        table[levels[t], groups[t]] += np.uint32(1)


@njit(cache=True)
def _move(
    levels: NDArray[np.uint16],
    groups: NDArray[np.uint8],
    places: NDArray[np.uint64],
    moved_to: NDArray[np.uint8],
    table: NDArray[np.uint32],
) -> None:
    """Count some characters, which were counted in their groups, in others."""
    for n in range(len(places)):
        level = levels[places[n]]
        table[level, groups[places[n]]] -= np.uint32(1)
        table[level, moved_to[n]] += np.uint32(1)


@njit(cache=True)
def _rank(table: NDArray[np.uint32], middle: int, n: NDArray[np.int64], squares: NDArray[np.float64]) -> float:
    """Put twice the mid-ranks less 1 where counts were, and how many others have a level where none were counted.

    What stands where there is no character means nothing.

    Args:
        table: (n_levels, n_groups) how often a unit has each level.
        middle: The place in it of the level of which all values are equal; negative if there is none.
        n: Characters in each part.
        squares: (3,) for the sums of squares of the ranks. Of n characters that differ they are n (n² − 1) / 3, and c
            that are alike take c (c² − 1) / 3 off.

    Returns:
        How many others have the level of each character, summed.
    """
    has_middle = 0 <= middle < len(table)
    alone = np.float64(table[middle, TRAIN] + table[middle, TEST] + table[middle, GAP]) if has_middle else 0.0
    train, test, every = np.uint32(0), np.uint32(0), np.uint32(0)  # characters with lower levels
    ties, of_train, of_test, of_all = 0.0, 0.0, 0.0, 0.0
    for level in range(len(table)):
        in_train, in_test = table[level, TRAIN], table[level, TEST]
        in_all = in_train + in_test + table[level, GAP]
        table[level, TRAIN] = 2 * train + in_train
        table[level, TEST] = 2 * test + in_test
        table[level, ALL] = 2 * every + in_all
        table[level, _OTHERS] = in_all - np.uint32(1)
        train, test, every = train + in_train, test + in_test, every + in_all
        a, b, c = np.float64(in_train), np.float64(in_test), np.float64(in_all)
        ties += c * (c - 1)
        of_train, of_test, of_all = of_train + a * (a * a - 1), of_test + b * (b * b - 1), of_all + c * (c * c - 1)
    for part, alike in ((TRAIN, of_train), (TEST, of_test), (ALL, of_all)):
        m = np.float64(n[part])
        squares[part] = (m * (m * m - 1) - alike) / 3
    if has_middle:
        ties -= alone * (alone - 1)
        table[middle, _OTHERS] = 0
    return ties


@njit(cache=True)
def _add(
    levels: NDArray[np.uint16],
    starts: NDArray[np.uint64],
    stops: NDArray[np.uint64],
    parts: NDArray[np.uint64],
    codes: NDArray[np.uint32],
    table: NDArray[np.uint32],
    unit: int,
    sums: NDArray[np.uint64],
) -> None:
    """Add up all columns of a unit's table in one go; those of a part only for what is training or test."""
    within, everywhere, others = sums[0, unit], sums[1, unit], sums[-1, unit]
    is_one_code = len(codes) < len(levels)  # each span, and not each character, has a code
    share_levels = len(sums) > SHARED
    for span in range(len(starts)):
        has_part = np.uint64(parts[span] == TRAIN or parts[span] == TEST)
        part = has_part * parts[span]
        if is_one_code:
            own = every = other = np.uint64(0)
            for t in range(starts[span], stops[span]):
                level = levels[t]
                own += table[level, part]
                every += table[level, ALL]
                other += table[level, _OTHERS]
            within[codes[span]] += has_part * own
            everywhere[codes[span]] += every
            if share_levels:  # else `others` is `everywhere`
                others[codes[span]] += other
        elif share_levels:
            for t in range(starts[span], stops[span]):
                level, code = levels[t], codes[t]
                within[code] += has_part * table[level, part]
                everywhere[code] += table[level, ALL]
                others[code] += table[level, _OTHERS]
        else:
            for t in range(starts[span], stops[span]):
                level, code = levels[t], codes[t]
                within[code] += has_part * table[level, part]
                everywhere[code] += table[level, ALL]


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
    starts: NDArray[np.uint64],
    stops: NDArray[np.uint64],
    parts: NDArray[np.uint64],
    codes: NDArray[np.uint32],
    tables: NDArray[np.uint32],
    sums: NDArray[np.uint64],
) -> None:
    for unit in prange(len(levels)):
        _add(levels[unit], starts, stops, parts, codes, tables[unit], unit, sums)


@njit(parallel=True, cache=True)
def _at_once(
    levels: NDArray[np.uint16], middles: NDArray[np.int64], ways: _Flat, sums: NDArray[np.uint64], n_shares: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit by unit, so that a table stays in the cache from the first count to the last sum."""
    n, groups, moved, moved_to, of_moves, starts, stops, parts, of_runs, codes, of_codes = ways
    n_ways, n_units = len(n), len(levels)
    ties, squares = np.zeros((n_ways, n_units)), np.zeros((n_ways, n_units, 3))
    for share in prange(n_shares):
        counts = np.empty((N_LEVELS, N_GROUPS), np.uint32)
        copy = np.empty((N_LEVELS if n_ways > 1 else 0, N_GROUPS), np.uint32)
        for unit in range(share, n_units, n_shares):
            counts[:] = 0
            _count(levels[unit], groups, counts)
            for way in range(n_ways):
                table = counts
                if way < n_ways - 1:  # of which the others are still to be made
                    table = copy
                    table[:] = counts
                own_moves = slice(of_moves[way], of_moves[way + 1])
                _move(levels[unit], groups, moved[own_moves], moved_to[own_moves], table)
                ties[way, unit] = _rank(table, middles[unit], n[way], squares[way, unit])
                own, own_codes = slice(of_runs[way], of_runs[way + 1]), codes[of_codes[way] : of_codes[way + 1]]
                _add(levels[unit], starts[own], stops[own], parts[own], own_codes, table, unit, sums)
    return ties, squares
