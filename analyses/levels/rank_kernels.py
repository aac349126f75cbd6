"""Compiled loops that turn counts of levels into ranks, and add up the ranks of pieces.

A rank is here twice the mid-rank less 1, a whole number; `ranks` centres the sums. The ranks of a unit are kept in a
table of two words of 64 bits for each of the 65,536 levels:

    bits       63                          32 31                           0
    word 0    | rank among all characters    | rank among training characters |
    word 1    | others with the same level   | rank among test characters     |

One addition of words adds both halves. They stay apart while a piece is added up, since the size of a piece is chosen
such that its ranks sum to less than 2³² (see `pieces`):

    for each piece:   word 0 of its levels, added up   = | Σ rank among all | Σ rank in training |
                      sums_by_code[its code]  += upper half
                      sums_by_kind[its kind]  += lower half

The table takes the memory of the counts, (65536, 4) numbers of 32 bits, or stays in the cache with them.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.levels.bins import N_LEVELS
from analyses.levels.pieces import SIZES, FlatSegmentations, ShiftedRuns
from analyses.targets.splits import ALL, GAP, PARTS, TEST, TRAIN
from hypotheses.kernels import compiled

_N_PARTS = len(PARTS)
N_COUNT_COLUMNS = _N_PARTS + 1  # columns of counts, one for each part and an empty one, so that ranks fit their memory
_HALF, _LOWER = np.uint64(32), np.uint64(0xFFFFFFFF)
_CUBES_FIT = 1 << 21  # characters, below which the cube of their number fits 64 bits


class UnitSums(NamedTuple):
    """What is counted and added up for each unit; see `rank_and_add_up`.

    Attributes:
        by_code: (n_units, n_codes) sums of ranks among all characters, for each code.
        by_kind: (1 or 2, n_units, n_kinds) sums of ranks within parts and, if needed, of others with the same level.
        ties: (n_segmentations, n_units); see `_rank_levels`.
        squares: (n_segmentations, n_units, 3).
        of_shifts: (n_units, n_labels, n_steps) sums of ranks times shifted labels.
        before_borders: (n_units, n_borders) sums of the ranks before the borders of position groups.
    """

    by_code: NDArray[np.uint64]
    by_kind: NDArray[np.uint64]
    ties: NDArray[np.float64]
    squares: NDArray[np.float64]
    of_shifts: NDArray[np.float64]
    before_borders: NDArray[np.float64]


@compiled(nogil=True)
def turn_into_ranks(
    start: int,
    stop: int,
    counts: NDArray[np.uint32],
    middles: NDArray[np.int64],
    n: NDArray[np.int64],
    ties: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> None:
    """Put the table of each unit in the place of its (65536, 4) counts, and write its ties; see `_rank_levels`.

    Args:
        start: The first unit.
        stop: The unit behind the last.
        counts: (n_units, 65536, 4).
        middles: (n_units,) the level of which all values are equal; negative if there is none.
        n: (3,) characters in the training part, in the test part, and in all.
        ties: (n_units,) where the ties are written.
        squares: (n_units, 3) where the squares are written.
    """
    for unit in range(start, stop):
        counts_of_unit = counts[unit]
        table = counts_of_unit.view(np.uint64)
        ties[unit] = _rank_levels(counts_of_unit, 0, N_LEVELS, middles[unit], n, table, squares[unit])


@compiled(nogil=True)
def add_up_ranks(
    start: int,
    stop: int,
    levels: NDArray[np.uint16],
    starts: NDArray[np.uint32],
    codes: NDArray[np.uint32],
    kinds: NDArray[np.uint32],
    batches: NDArray[np.int64],
    tables: NDArray[np.uint64],
    sums_by_code: NDArray[np.uint64],
    sums_by_kind: NDArray[np.uint64],
) -> None:
    """Add up what the (n_units, 65536, 2) tables say of the pieces of each unit from `start` up to `stop`."""
    for unit in range(start, stop):
        _add_pieces(
            levels[unit], starts, codes, kinds, batches, 0, len(batches), tables[unit], unit, sums_by_code, sums_by_kind
        )


@compiled(nogil=True)
def rank_and_add_up(
    start: int,
    stop: int,
    levels: NDArray[np.uint16],
    middles: NDArray[np.int64],
    segmentations: FlatSegmentations,
    shifted_runs: ShiftedRuns,
    sums: UnitSums,
) -> None:
    """Count, rank and add up, unit by unit, so that a table stays in the cache from the first count to the last sum.

    Args:
        start: The first unit.
        stop: The unit behind the last.
        levels: (n_units, n_chars) of the characters.
        middles: (n_units,) the level of which all values are equal; negative if there is none.
        segmentations: What ranks are added up.
        shifted_runs: What ranks of the first segmentation are added up for shifts, where this leaves no character out.
        sums: Where the sums are written.
    """
    counts, table = np.empty((_N_PARTS, N_LEVELS), np.uint32), np.empty((N_LEVELS, 2), np.uint64)
    ranks_before = np.empty(levels.shape[1] + 1)
    for unit in range(start, stop):
        of_unit = levels[unit]
        lowest, highest = _range(of_unit)
        counts[:] = 0
        _count(of_unit, segmentations.run_starts, segmentations.run_stops, segmentations.run_parts, counts)
        for number in range(len(segmentations.n)):
            _count_changes(of_unit, segmentations, number, counts)
            n = segmentations.n[number]
            squares = sums.squares[number, unit]
            sums.ties[number, unit] = _rank_levels(counts.T, lowest, highest + 1, middles[unit], n, table, squares)
            _add_pieces(
                of_unit,
                segmentations.starts,
                segmentations.codes,
                segmentations.kinds,
                segmentations.batches,
                segmentations.batch_borders[number],
                segmentations.batch_borders[number + 1],
                table,
                unit,
                sums.by_code,
                sums.by_kind,
            )
            if number == 0 and len(shifted_runs.steps):
                _add_ranks(of_unit, table, ranks_before)
                _add_shifts(ranks_before, shifted_runs, sums.of_shifts[unit])
                for border in range(len(shifted_runs.group_borders)):
                    sums.before_borders[unit, border] = ranks_before[shifted_runs.group_borders[border]]


@compiled()
def _add_ranks(levels: NDArray[np.uint16], table: NDArray[np.uint64], before: NDArray[np.float64]) -> None:
    """Write the sum of the ranks of all characters before each, less their mean; the last is 0."""
    n = np.int64(len(levels))
    total = np.int64(0)
    for t in range(len(levels)):
        before[t] = total
        total += np.int64(table[levels[t], 0] >> _HALF) - n
    before[len(levels)] = total


@compiled(fastmath={"reassoc"})
def _add_shifts(before: NDArray[np.float64], runs: ShiftedRuns, into: NDArray[np.float64]) -> None:
    """Write the sum of ranks times shifted labels, for each label and shift.

    A label is constant in runs. The ranks within a run add up to the difference of the sums before its ends, so each
    place where the label changes adds the sum before it, times the change.

    Args:
        before: (n_chars + 1,) sums of ranks before each character, which are whole numbers.
        runs: Where the labels change.
        into: (n_labels, n_steps) where the sums are written.
    """
    n_chars = len(before) - 1
    for label in range(len(runs.label_borders) - 1):
        start, stop = np.uint64(runs.label_borders[label]), np.uint64(runs.label_borders[label + 1])
        for number in range(len(runs.steps)):
            step = runs.steps[number]
            first = _first_not_below(runs.places, step, start, stop)
            total = 0.0
            for n in range(start, first):  # unsigned, so that no index is tested
                total += runs.changes[n] * before[np.uint64(runs.places[n] - step + n_chars)]
            for n in range(first, stop):
                total += runs.changes[n] * before[np.uint64(runs.places[n] - step)]
            into[label, number] = total


@compiled()
def _first_not_below(places: NDArray[np.int64], step: int, start: np.uint64, stop: np.uint64) -> np.uint64:
    """Return the index of the first of ascending places from `start` up to `stop` that is not below a step.

    `np.searchsorted` takes half a second to compile.
    """
    low, high = start, stop
    while low < high:
        between = (low + high) >> np.uint64(1)
        if places[between] < step:
            low = between + np.uint64(1)
        else:
            high = between
    return low


@compiled()
def _count(
    levels: NDArray[np.uint16],
    starts: NDArray[np.uint64],
    stops: NDArray[np.uint64],
    parts: NDArray[np.uint64],
    counts: NDArray[np.uint32],
) -> None:
    """Count how often a unit has each level in each part, from runs of characters of one part."""
    for run in range(len(starts)):
        counts_of_part = counts[parts[run]]
        for t in range(starts[run], stops[run]):
            counts_of_part[levels[t]] += np.uint32(1)


@compiled()
def _count_changes(
    levels: NDArray[np.uint16], segmentations: FlatSegmentations, number: int, counts: NDArray[np.uint32]
) -> None:
    """Add the characters that parts gain with a segmentation to the counts, and take off those that they lose."""
    for n in range(segmentations.change_borders[number], segmentations.change_borders[number + 1]):
        level = levels[segmentations.changed[n]]
        counts[segmentations.changed_parts[n], level] += segmentations.changes[n]


@compiled()
def _range(levels: NDArray[np.uint16]) -> tuple[int, int]:
    """Return the lowest and the highest of some levels."""
    lowest, highest = np.uint16(N_LEVELS - 1), np.uint16(0)
    for t in range(len(levels)):
        lowest = min(lowest, levels[t])
        highest = max(highest, levels[t])
    return int(lowest), int(highest)


@compiled()
def _tie_sums(counts: NDArray[np.uint32], low: int, high: int, n: int) -> tuple[float, float, float, float]:
    """Add up what ties take off sums of squares: c (c² − 1) for c characters that are alike, in each part and in all.

    Whole numbers, which add up in any order, are used as long as the sums fit.

    Returns:
        How many others have the level of each character, summed; and the sums in training, in test, and in all.
    """
    if n < _CUBES_FIT:
        whole_ties = whole_train = whole_test = whole_all = np.int64(0)
        for level in range(np.uint64(low), np.uint64(high)):  # unsigned, so that no index is tested
            a, b = np.int64(counts[level, TRAIN]), np.int64(counts[level, TEST])
            c = a + b + np.int64(counts[level, GAP])
            whole_ties += c * (c - 1)
            whole_train += a * (a * a - 1)
            whole_test += b * (b * b - 1)
            whole_all += c * (c * c - 1)
        return float(whole_ties), float(whole_train), float(whole_test), float(whole_all)
    ties = train = test = together = 0.0
    for level in range(np.uint64(low), np.uint64(high)):  # unsigned, so that no index is tested
        x, y = np.float64(counts[level, TRAIN]), np.float64(counts[level, TEST])
        z = x + y + np.float64(counts[level, GAP])
        ties += z * (z - 1)
        train += x * (x * x - 1)
        test += y * (y * y - 1)
        together += z * (z * z - 1)
    return ties, train, test, together


@compiled()
def _rank_levels(
    counts: NDArray[np.uint32],
    low: int,
    high: int,
    middle: int,
    n: NDArray[np.int64],
    table: NDArray[np.uint64],
    squares: NDArray[np.float64],
) -> float:
    """Turn the counts of a unit into its table of ranks, and count ties.

    Entries of levels that no character has mean nothing.

    Args:
        counts: (n_levels, n_parts) how often a unit has each level.
        low: The lowest level that a character has, or a lower one.
        high: One more than the highest.
        middle: The level of which all values are equal; negative if there is none.
        n: (3,) characters in the training part, in the test part, and in all.
        table: (n_levels, 2) where the table is written. It may be the memory of the counts.
        squares: (3,) where the sums of squares of the ranks are written. Those of n characters that differ are
            n (n² − 1) / 3, and c that are alike take c (c² − 1) / 3 off.

    Returns:
        How many others have the level of each character, summed; those of the middle level are not counted.
    """
    has_middle = 0 <= middle < len(counts)
    n_middle = np.float64(counts[middle, TRAIN] + counts[middle, TEST] + counts[middle, GAP]) if has_middle else 0.0
    train_below, test_below, all_below = np.uint64(0), np.uint64(0), np.uint64(0)  # characters with lower levels
    ties, train_ties, test_ties, all_ties = _tie_sums(counts, low, high, n[ALL])  # before tables take the memory
    for level in range(np.uint64(low), np.uint64(high)):  # unsigned, so that no index is tested
        in_train, in_test = np.uint64(counts[level, TRAIN]), np.uint64(counts[level, TEST])
        in_all = in_train + in_test + np.uint64(counts[level, GAP])
        table[level, 0] = (train_below + train_below + in_train) | (all_below + all_below + in_all) << _HALF
        table[level, 1] = (test_below + test_below + in_test) | (in_all - np.uint64(1)) << _HALF
        train_below, test_below, all_below = train_below + in_train, test_below + in_test, all_below + in_all
    for part, own_ties in ((TRAIN, train_ties), (TEST, test_ties), (ALL, all_ties)):
        m = np.float64(n[part])
        squares[part] = (m * (m * m - 1) - own_ties) / 3
    if has_middle:
        ties -= n_middle * (n_middle - 1)
        table[middle, 1] &= _LOWER
    return ties


@compiled()
def _add_pieces(
    levels: NDArray[np.uint16],
    starts: NDArray[np.uint32],
    codes: NDArray[np.uint32],
    kinds: NDArray[np.uint32],
    batches: NDArray[np.int64],
    first_batch: int,
    last_batch: int,
    table: NDArray[np.uint64],
    unit: int,
    sums_by_code: NDArray[np.uint64],
    sums_by_kind: NDArray[np.uint64],
) -> None:
    """Add up what a unit's table says of the pieces of batches, the last left out.

    Ranks within a part are only added up for training and test.
    """
    for batch in range(first_batch, last_batch):
        start, stop = np.uint64(batches[batch, 0]), np.uint64(batches[batch, 1])
        size, part = batches[batch, 2], batches[batch, 3]
        # a size that is a constant in each call lets the compiler unroll the loop over a piece
        if size == SIZES[0]:
            _add_batch(
                levels, starts, codes, kinds, start, stop, SIZES[0], part, table, unit, sums_by_code, sums_by_kind
            )
        elif size == SIZES[1]:
            _add_batch(
                levels, starts, codes, kinds, start, stop, SIZES[1], part, table, unit, sums_by_code, sums_by_kind
            )
        elif size == SIZES[2]:
            _add_batch(
                levels, starts, codes, kinds, start, stop, SIZES[2], part, table, unit, sums_by_code, sums_by_kind
            )
        else:
            _add_batch(
                levels, starts, codes, kinds, start, stop, SIZES[3], part, table, unit, sums_by_code, sums_by_kind
            )


@compiled(inline="always")
def _add_batch(
    levels: NDArray[np.uint16],
    starts: NDArray[np.uint32],
    codes: NDArray[np.uint32],
    kinds: NDArray[np.uint32],
    start: np.uint64,
    stop: np.uint64,
    size: int,
    part: int,
    table: NDArray[np.uint64],
    unit: int,
    sums_by_code: NDArray[np.uint64],
    sums_by_kind: NDArray[np.uint64],
) -> None:
    """Add up the pieces of a batch, from `start` up to `stop`; what is unsigned saves a test at each look-up."""
    overall, within, others = sums_by_code[unit], sums_by_kind[0, unit], sums_by_kind[-1, unit]
    share_levels = len(sums_by_kind) > 1
    train_mask, test_mask = _LOWER * np.uint64(part == TRAIN), _LOWER * np.uint64(part == TEST)
    if share_levels or part == TEST:
        for piece in range(start, stop):
            word_0, word_1 = np.uint64(0), np.uint64(0)
            for n in range(size):
                level = levels[np.uint64(starts[piece]) + np.uint64(n)]
                word_0 += table[level, 0]
                word_1 += table[level, 1]
            code = codes[piece]
            kind = kinds[code]
            overall[code] += word_0 >> _HALF
            within[kind] += (word_0 & train_mask) + (word_1 & test_mask)
            if share_levels:  # else `others` is `within`
                others[kind] += word_1 >> _HALF
    else:
        for piece in range(start, stop):
            word_0 = np.uint64(0)
            for n in range(size):
                word_0 += table[levels[np.uint64(starts[piece]) + np.uint64(n)], 0]
            code = codes[piece]
            overall[code] += word_0 >> _HALF
            within[kinds[code]] += word_0 & train_mask
