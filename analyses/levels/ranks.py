"""The ranks of units' levels, of which AUCs are made: levels are counted first, and then ranks added up."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from analyses.kernels import in_parallel
from analyses.levels.binning import N_LEVELS
from analyses.levels.counts import LevelCounts
from analyses.targets.splits import GAP, PARTS, TEST, TRAIN

ALL = 2  # where what is of training characters has the place TRAIN, and what is of test characters TEST
_N_PARTS = len(PARTS)
N_GROUPS = _N_PARTS + 1  # that are counted apart, one of them empty, so that ranks have room where counts were
_HALF, _LOWER = np.uint64(32), np.uint64(0xFFFFFFFF)
_SIZES = (8, 4, 2, 1)  # of pieces, whose ranks, each below twice the number of characters, must add up to below 2³²
_REGION = 1 << 15  # characters whose levels stay near the processor while the pieces of all sizes are added up


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
        self.ranked = Ranked(n, *_to_ranks(counted.counts, _or_none(middle_levels, len(counted.counts)), n))
        self._tables = counted.counts.view(np.uint64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that it knows, by name."""
        return {**self.ranked._asdict(), "tables": self._tables, "share_levels": np.array(self._share_levels)}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> "Ranks":
        """One that knows what another knew when these were its arrays."""
        found = cls.__new__(cls)
        found.ranked = Ranked(*(arrays[name] for name in Ranked._fields))
        found._tables, found._share_levels = arrays["tables"], bool(arrays["share_levels"])
        return found

    def add_up(self, levels: NDArray[np.uint16], pieces: "Pieces") -> "Sums":
        """Add up the ranks of characters that have the same code; see `ranks_at_once`, of one way."""
        sums = _no_sums(len(levels), pieces.n_codes, pieces.n_kinds, share_levels=self._share_levels)
        _add_up(levels, pieces.starts, pieces.codes, pieces.kinds, pieces.batches, self._tables, *sums)
        return pieces.centred(*sums, self.ranked.n)


def ranks_at_once(
    levels: NDArray[np.uint16], ways: "Ways", middle_levels: NDArray[np.int64] | None = None
) -> list[tuple["Sums", Ranked]]:
    """Rank all characters, and add up the ranks of those that have the same code.

    Args:
        levels: (n_units, n_chars) of the characters; see `levels.to_levels`.
        ways: To see the characters, which are ranked anew for each.
        middle_levels: Of bins, see `levels.Bins`; None if values that differ never have the same level.

    Returns:
        For each way the sums, and what is known of the ranks.
    """
    middles = _or_none(middle_levels, len(levels))
    everywhere, of_kinds = _no_sums(
        len(levels), ways.columns[-1], ways.of_kinds[-1], share_levels=middle_levels is not None
    )
    ties, squares = _at_once(levels, middles, ways.flat, everywhere, of_kinds, 4 * get_num_threads())
    own_sums = zip(
        np.split(everywhere, ways.columns[1:-1], axis=1), np.split(of_kinds, ways.of_kinds[1:-1], axis=2), strict=True
    )
    return [
        (pieces.centred(*own, n), Ranked(n, *known))
        for pieces, own, n, *known in zip(ways.pieces, own_sums, ways.flat.n, ties, squares, strict=True)
    ]


class Sums(NamedTuple):
    """Ranks, added up.

    Attributes:
        everywhere: (n_units, n_codes) sums of the ranks among all characters, of those with one code.
        within: (n_units, n_kinds) of the ranks among the characters of their part, of those of one kind; 0 if it is
            neither training nor test.
        others: (n_units, n_kinds) of how many others have the level; None if no values that differ share one.
    """

    everywhere: NDArray[np.int64]
    within: NDArray[np.int64]
    others: NDArray[np.int64] | None


def _no_sums(
    n_units: int, n_codes: int, n_kinds: int, *, share_levels: bool
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Where ranks among all are added up, by code; and what is by kind: within parts and, if there are such, others."""
    return np.zeros((n_units, n_codes), np.uint64), np.zeros((1 + share_levels, n_units, n_kinds), np.uint64)


def _or_none(middle_levels: NDArray[np.int64] | None, n_units: int) -> NDArray[np.int64]:
    return np.full(n_units, -1) if middle_levels is None else middle_levels


class Pieces(NamedTuple):
    """Which part characters belong to, and which code they have, cut into pieces of 8, 4, 2 or 1 that have the same.

    The ranks of a piece are added up in one go. Pieces of one size in the same region of the text follow each other, so
    that the processor need not guess where each ends; and what is unsigned saves a test at each look-up.

    Attributes:
        parts: (n_chars,) `TRAIN`, `TEST` or `GAP`; a character with a negative one is left out.
        starts: (n_pieces,) where each begins.
        codes: (n_pieces,) the code of each.
        kinds: (n_codes,) the kind of each code, of which there are few.
        batches: (n_batches, 4) the first of some pieces, the one behind the last, their size, and their part.
        n_of_codes: (n_parts, n_codes) how many characters of each part have a code.
    """

    parts: NDArray[np.int8]
    starts: NDArray[np.uint32]
    codes: NDArray[np.uint32]
    kinds: NDArray[np.uint32]
    batches: NDArray[np.int64]
    n_of_codes: NDArray[np.int64]

    @classmethod
    def of(cls, parts: NDArray[np.int8], codes: NDArray[np.int64], kinds: NDArray[np.int64], n_ranked: int) -> "Pieces":
        """Of some characters.

        Args:
            parts: (n_chars,) `TRAIN`, `TEST` or `GAP`; a character with a negative one is left out.
            codes: (n_chars,) in [0, n_codes).
            kinds: (n_codes,) the kind of each code, in [0, n_kinds).
            n_ranked: At most so many characters are ranked together, these and others.
        """
        longest = next(n for n, size in enumerate(_SIZES) if 2 * n_ranked * size <= 1 << 32 or size == 1)
        starts, stops, n_of_codes = _cut(parts, codes, len(kinds), longest)
        last = stops.ravel()
        first = np.append(0, last[:-1])
        own_parts, _, sizes = (each.ravel() for each in np.indices(stops.shape))
        batches = np.stack([first, last, np.array(_SIZES)[sizes], own_parts], axis=1)[first < last]
        return cls(parts, starts, codes[starts].astype(np.uint32), kinds.astype(np.uint32), batches, n_of_codes)

    @property
    def n(self) -> NDArray[np.int64]:
        """(3,) characters in the training part, in the test part, and in all."""
        of_parts = self.n_of_codes.sum(axis=1)
        return np.array([of_parts[TRAIN], of_parts[TEST], of_parts.sum()])

    @property
    def n_codes(self) -> int:
        """How many codes there are."""
        return len(self.kinds)

    @property
    def n_kinds(self) -> int:
        """How many kinds of codes there are."""
        return int(self.kinds.max()) + 1 if len(self.kinds) else 0

    def centred(self, everywhere: NDArray[np.uint64], of_kinds: NDArray[np.uint64], n: NDArray[np.int64]) -> Sums:
        """Take off, in place, what tables hold more than a rank is: n for each character."""
        ranks, own = everywhere.view(np.int64), of_kinds.view(np.int64)
        ranks -= self.n_of_codes.sum(axis=0) * n[ALL]
        more = np.zeros(self.n_kinds, np.int64)
        np.add.at(more, self.kinds, self.n_of_codes[TRAIN] * n[TRAIN] + self.n_of_codes[TEST] * n[TEST])
        own[0] -= more
        return Sums(ranks, own[0], own[1] if len(own) > 1 else None)


@njit(cache=True)
def _cut(
    parts: NDArray[np.int8], codes: NDArray[np.int64], n_codes: int, longest: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Cut characters into pieces, of which the longest have this place in `_SIZES`.

    Returns:
        (n_pieces,) where each starts, those of one size in one region of one part side by side; (n_parts, n_regions,
        n_sizes) how many pieces there are up to the last of these; and how often each part has each code.
    """
    n_of_codes = np.zeros((_N_PARTS, n_codes), np.int64)
    stops = np.zeros((_N_PARTS, len(parts) // _REGION + 1, len(_SIZES)), np.int64)
    starts = np.empty(0, np.uint32)
    for are_counted in (False, True):
        t = 0
        while t < len(parts):
            part, code, stop = parts[t], codes[t], t + 1
            while stop < len(parts) and parts[stop] == part and codes[stop] == code:
                stop += 1
            if are_counted and part >= 0:
                n_of_codes[part, code] += stop - t
            while t < stop and part >= 0:
                number = longest
                while t + _SIZES[number] > stop:
                    number += 1
                region = t // _REGION
                if are_counted:
                    starts[stops[part, region, number]] = t
                stops[part, region, number] += 1
                t += _SIZES[number]
            t = stop
        if not are_counted:
            starts = np.empty(stops.sum(), np.uint32)
            stops = (np.cumsum(stops) - stops.ravel()).reshape(stops.shape)
    return starts, stops, n_of_codes


class _Flat(NamedTuple):
    """What differs between ways to see some characters, one behind the other; `of_…` has the borders.

    Attributes:
        n: (n_ways, 3) characters in the training part, in the test part, and in all.
        first: Where runs of characters of one part start in the first way, `last` where they stop, and `parts` which.
        changed: Places of characters that a part has not in the way before, or no longer has, `changed_parts` which
            part, and `changes` 1, or what added to a number of 32 bits takes 1 off.
        starts: Of all pieces, see `Pieces`; the `codes` and `kinds` of a way go on where those of the one before end,
            and `batches` are of these pieces.
    """

    n: NDArray[np.int64]
    first: NDArray[np.uint64]
    last: NDArray[np.uint64]
    parts: NDArray[np.uint64]
    changed: NDArray[np.uint32]
    changed_parts: NDArray[np.uint8]
    changes: NDArray[np.uint32]
    of_changes: NDArray[np.int64]
    starts: NDArray[np.uint32]
    codes: NDArray[np.uint32]
    kinds: NDArray[np.uint32]
    batches: NDArray[np.int64]
    of_batches: NDArray[np.int64]


class Ways:
    """Several ways to see the same characters: which part they belong to, which are left out, which code they have.

    Attributes:
        pieces: Of each.
        columns: (n_ways + 1,) where the codes of each begin, if all have sums side by side; `of_kinds` where the kinds.
        flat: The same, as a compiled loop needs it.
    """

    def __init__(self, pieces: Sequence[Pieces]) -> None:
        self.pieces = pieces
        self.columns = _borders(each.n_codes for each in pieces)
        self.of_kinds = _borders(each.n_kinds for each in pieces)
        parts = pieces[0].parts
        borders = np.flatnonzero(np.diff(parts, prepend=-2, append=-2))  # which no part is
        runs = np.stack([borders[:-1], borders[1:], parts[borders[:-1]]])
        first, last, own = runs[:, runs[2] >= 0].astype(np.uint64)
        changes = [_changes(one.parts, other.parts) for one, other in itertools.pairwise([pieces[0], *pieces])]
        changed, changed_parts, by = map(np.concatenate, zip(*changes, strict=True))
        before = _borders(len(each.starts) for each in pieces)
        self.flat = _Flat(
            n=np.array([each.n for each in pieces]),
            first=first,
            last=last,
            parts=own,
            changed=changed.astype(np.uint32),
            changed_parts=changed_parts.astype(np.uint8),
            changes=by.astype(np.uint32),
            of_changes=_borders(len(each[0]) for each in changes),
            starts=np.concatenate([each.starts for each in pieces]),
            codes=np.concatenate([p.codes + np.uint32(n) for p, n in zip(pieces, self.columns[:-1], strict=True)]),
            kinds=np.concatenate([p.kinds + np.uint32(n) for p, n in zip(pieces, self.of_kinds[:-1], strict=True)]),
            batches=np.concatenate(
                [p.batches + np.array([n, n, 0, 0]) for p, n in zip(pieces, before[:-1], strict=True)]
            ),
            of_batches=_borders(len(each.batches) for each in pieces),
        )


def _borders(lengths: Iterable[int]) -> NDArray[np.int64]:
    """(n + 1,) where each of some arrays begins, if they are put one behind the other, and where the last ends."""
    return np.cumsum([0, *lengths])


def _changes(before: NDArray[np.int8], after: NDArray[np.int8]) -> tuple[NDArray[np.int64], ...]:
    """Characters that parts lose, and that they gain: where, which part, and by how much its number of them changes."""
    lost = np.flatnonzero((before != after) & (before >= 0))
    gained = np.flatnonzero((before != after) & (after >= 0))
    by = np.repeat([-1, 1], [len(lost), len(gained)])
    return np.concatenate([lost, gained]), np.concatenate([before[lost], after[gained]]), by


def ranks_by_sorting(
    values: NDArray[np.float32], parts: NDArray[np.int8], codes: NDArray[np.int64], kinds: NDArray[np.integer]
) -> tuple[Sums, Ranked]:
    """The same as `ranks_at_once`, of one way and (n_units, n_chars) values, of which any number may differ."""
    n = np.array([(parts == TRAIN).sum(), (parts == TEST).sum(), (parts >= 0).sum()])
    everywhere = np.zeros((len(values), len(kinds)), np.int64)
    within = np.zeros((len(values), int(kinds.max()) + 1 if len(kinds) else 0), np.int64)
    squares = np.zeros((len(values), 3))
    used = np.flatnonzero(parts >= 0)
    for unit, own in enumerate(values):
        order = used[np.argsort(own[used])]
        _add_sorted(own[order], parts[order], codes[order], kinds, n, everywhere[unit], within[unit], squares[unit])
    return Sums(everywhere, within, None), Ranked(n, np.zeros(len(values)), squares)


@njit(cache=True)
def _add_sorted(
    values: NDArray[np.float32],
    parts: NDArray[np.int8],
    codes: NDArray[np.int64],
    kinds: NDArray[np.integer],
    n: NDArray[np.int64],
    everywhere: NDArray[np.int64],
    within: NDArray[np.int64],
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
            everywhere[codes[t]] += ranks[ALL]
            if parts[t] < ALL:
                within[kinds[codes[t]]] += ranks[parts[t]]
        squares += among * (ranks.astype(np.float64) ** 2)
        before += among
        start = stop


@njit(cache=True)
def _count(
    levels: NDArray[np.uint16],
    first: NDArray[np.uint64],
    last: NDArray[np.uint64],
    parts: NDArray[np.uint64],
    counts: NDArray[np.uint32],
) -> None:
    """How often a unit has each level in each part."""
    for run in range(len(first)):
        own = counts[parts[run]]
        for t in range(first[run], last[run]):
            own[levels[t]] += np.uint32(1)


@njit(cache=True)
def _count_changes(
    levels: NDArray[np.uint16],
    places: NDArray[np.uint32],
    parts: NDArray[np.uint8],
    changes: NDArray[np.uint32],
    counts: NDArray[np.uint32],
) -> None:
    """Count what parts have gained and lost."""
    for n in range(len(places)):
        counts[parts[n], levels[places[n]]] += changes[n]


@njit(cache=True)
def _rank(
    counts: NDArray[np.uint32],
    middle: int,
    n: NDArray[np.int64],
    table: NDArray[np.uint64],
    squares: NDArray[np.float64],
) -> float:
    """Make of counts twice the mid-ranks less 1, and how many others have a level.

    What stands where there is no character means nothing.

    Args:
        counts: (n_levels, n_parts) how often a unit has each level.
        middle: The place in it of the level of which all values are equal; negative if there is none.
        n: Characters in each part.
        table: (n_levels, 2) for two numbers of 32 bits each: the lower ones are ranks among training and among test
            characters, the upper ones the rank among all and how many others have the level. It may be the memory of
            the counts.
        squares: (3,) for the sums of squares of the ranks. Of n characters that differ they are n (n² − 1) / 3, and c
            that are alike take c (c² − 1) / 3 off.

    Returns:
        How many others have the level of each character, summed.
    """
    has_middle = 0 <= middle < len(counts)
    alone = np.float64(counts[middle, TRAIN] + counts[middle, TEST] + counts[middle, GAP]) if has_middle else 0.0
    train, test, every = np.uint64(0), np.uint64(0), np.uint64(0)  # characters with lower levels
    ties, of_train, of_test, of_all = 0.0, 0.0, 0.0, 0.0
    for level in range(len(counts)):
        in_train, in_test = np.uint64(counts[level, TRAIN]), np.uint64(counts[level, TEST])
        in_all = in_train + in_test + np.uint64(counts[level, GAP])
        table[level, 0] = (train + train + in_train) | (every + every + in_all) << _HALF
        table[level, 1] = (test + test + in_test) | (in_all - np.uint64(1)) << _HALF
        train, test, every = train + in_train, test + in_test, every + in_all
        a, b, c = np.float64(in_train), np.float64(in_test), np.float64(in_all)
        ties += c * (c - 1)
        of_train, of_test, of_all = of_train + a * (a * a - 1), of_test + b * (b * b - 1), of_all + c * (c * c - 1)
    for part, alike in ((TRAIN, of_train), (TEST, of_test), (ALL, of_all)):
        m = np.float64(n[part])
        squares[part] = (m * (m * m - 1) - alike) / 3
    if has_middle:
        ties -= alone * (alone - 1)
        table[middle, 1] &= _LOWER
    return ties


@njit(cache=True)
def _add(
    levels: NDArray[np.uint16],
    starts: NDArray[np.uint32],
    codes: NDArray[np.uint32],
    kinds: NDArray[np.uint32],
    batches: NDArray[np.int64],
    table: NDArray[np.uint64],
    unit: int,
    everywhere: NDArray[np.uint64],
    of_kinds: NDArray[np.uint64],
) -> None:
    """Add up what a unit's table has of each piece; ranks within a part only for training and test."""
    for batch in range(len(batches)):
        own = slice(batches[batch, 0], batches[batch, 1])
        size, part = batches[batch, 2], batches[batch, 3]
        if size == _SIZES[0]:
            _add_batch(levels, starts[own], codes[own], kinds, _SIZES[0], part, table, unit, everywhere, of_kinds)
        elif size == _SIZES[1]:
            _add_batch(levels, starts[own], codes[own], kinds, _SIZES[1], part, table, unit, everywhere, of_kinds)
        elif size == _SIZES[2]:
            _add_batch(levels, starts[own], codes[own], kinds, _SIZES[2], part, table, unit, everywhere, of_kinds)
        else:
            _add_batch(levels, starts[own], codes[own], kinds, _SIZES[3], part, table, unit, everywhere, of_kinds)


@njit(inline="always")
def _add_batch(
    levels: NDArray[np.uint16],
    starts: NDArray[np.uint32],
    codes: NDArray[np.uint32],
    kinds: NDArray[np.uint32],
    size: int,
    part: int,
    table: NDArray[np.uint64],
    unit: int,
    everywhere: NDArray[np.uint64],
    of_kinds: NDArray[np.uint64],
) -> None:
    """Add up pieces of one size, which is known when this is compiled."""
    own, within, others = everywhere[unit], of_kinds[0, unit], of_kinds[-1, unit]
    share_levels = len(of_kinds) > 1
    for_train, for_test = _LOWER * np.uint64(part == TRAIN), _LOWER * np.uint64(part == TEST)
    if share_levels or part == TEST:
        for piece in range(len(starts)):
            one, other = np.uint64(0), np.uint64(0)
            for n in range(size):
                level = levels[np.uint64(starts[piece]) + np.uint64(n)]
                one += table[level, 0]
                other += table[level, 1]
            code = codes[piece]
            kind = kinds[code]
            own[code] += one >> _HALF
            within[kind] += (one & for_train) + (other & for_test)
            if share_levels:  # else `others` is `within`
                others[kind] += other >> _HALF
    else:
        for piece in range(len(starts)):
            one = np.uint64(0)
            for n in range(size):
                one += table[levels[np.uint64(starts[piece]) + np.uint64(n)], 0]
            code = codes[piece]
            own[code] += one >> _HALF
            within[kinds[code]] += one & for_train


@in_parallel
def _to_ranks(
    counts: NDArray[np.uint32], middles: NDArray[np.int64], n: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit by unit, each table in the place of the counts."""
    ties, squares = np.zeros(len(counts)), np.zeros((len(counts), 3))
    for unit in prange(len(counts)):
        own = counts[unit]
        ties[unit] = _rank(own, middles[unit], n, own.view(np.uint64), squares[unit])
    return ties, squares


@in_parallel
def _add_up(
    levels: NDArray[np.uint16],
    starts: NDArray[np.uint32],
    codes: NDArray[np.uint32],
    kinds: NDArray[np.uint32],
    batches: NDArray[np.int64],
    tables: NDArray[np.uint64],
    everywhere: NDArray[np.uint64],
    of_kinds: NDArray[np.uint64],
) -> None:
    for unit in prange(len(levels)):
        _add(levels[unit], starts, codes, kinds, batches, tables[unit], unit, everywhere, of_kinds)


@in_parallel
def _at_once(
    levels: NDArray[np.uint16],
    middles: NDArray[np.int64],
    ways: _Flat,
    everywhere: NDArray[np.uint64],
    of_kinds: NDArray[np.uint64],
    n_shares: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit by unit, so that a table stays in the cache from the first count to the last sum."""
    n_ways, n_units = len(ways.n), len(levels)
    ties, squares = np.zeros((n_ways, n_units)), np.zeros((n_ways, n_units, 3))
    for share in prange(n_shares):
        counts, table = np.empty((_N_PARTS, N_LEVELS), np.uint32), np.empty((N_LEVELS, 2), np.uint64)
        for unit in range(share, n_units, n_shares):
            own = levels[unit]
            counts[:] = 0
            _count(own, ways.first, ways.last, ways.parts, counts)
            for way in range(n_ways):
                new = slice(ways.of_changes[way], ways.of_changes[way + 1])
                _count_changes(own, ways.changed[new], ways.changed_parts[new], ways.changes[new], counts)
                ties[way, unit] = _rank(counts.T, middles[unit], ways.n[way], table, squares[way, unit])
                batches = ways.batches[ways.of_batches[way] : ways.of_batches[way + 1]]
                _add(own, ways.starts, ways.codes, ways.kinds, batches, table, unit, everywhere, of_kinds)
    return ties, squares
