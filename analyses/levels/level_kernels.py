"""Compiled loops that turn values into levels.

A float16 has as many values as there are levels: its bits, in the order of the values, are its level. A float32 is put
into a cell by the distance from the middle of its unit (see `bins.Bins`), and into a bin within the cell. Both are
found from the bits of 1 + distance / scale, which as a whole number grow about as the logarithm of the distance does:

    bits of 1 + distance / scale, less those of 1:   | cell | step within the cell |
                                                             `- shift bits -------'
    entry of the cell in `Bins.levels`:              | lowest level | n_levels |
    level = lowest level + step · n_levels / 2^shift
"""

import numpy as np
from numpy.typing import NDArray

from analyses.levels.bins import N_CELLS, N_END_CELLS
from hypotheses.kernels import compiled

_ONE = np.int32(0x3F800000)  # the bits of 1 in float32
_UNSIGNED, _INFINITE = np.int32(0x7FFFFFFF), np.int32(0x7F800000)  # all bits but the sign, and those of infinity
_UNSIGNED_HALF, _INFINITE_HALF = np.uint16(0x7FFF), np.uint16(0x7C00)  # the same in float16
_LINE = 64  # bytes of a line of the cache
_HALVES, _WORDS = _LINE // 2, _LINE // 4  # float16, and float32, that it has room for
_STRIP = 512  # characters whose bins are found together
_PADDING = 16  # between units, which would else all begin at the same place of the cache


@compiled(nogil=True)
def levels_of_float16(bits: NDArray[np.uint16], into: NDArray[np.uint16]) -> bool:
    """Write the levels of (n_chars, n_units) values in float16 from their bits; both zeros have the same level.

    Returns:
        Whether all values are finite numbers.
    """
    n_chars, n_units = bits.shape
    largest = np.uint16(0)
    for start in range(0, n_chars, _HALVES):
        for first in range(0, n_units, _HALVES):  # both arrays are in the cache for this many lines
            for unit in range(first, min(first + _HALVES, n_units)):
                for t in range(start, min(start + _HALVES, n_chars)):
                    value = bits[t, unit]
                    into[unit, t] = 0x8000 + value if value < 0x8000 else 0x10000 - value
                    magnitude = np.uint16(value & _UNSIGNED_HALF)
                    largest = magnitude if magnitude > largest else largest
    return bool(largest < _INFINITE_HALF)


@compiled(nogil=True)
def levels_of_bins(
    values: NDArray[np.float32],
    middle: NDArray[np.float32],
    saturates: NDArray[np.bool_],
    per_scale: NDArray[np.float32],
    shift: NDArray[np.int64],
    levels: NDArray[np.uint32],
    first_edge: NDArray[np.int64],
    edges: NDArray[np.float32],
    into: NDArray[np.uint16],
) -> bool:
    """Write the levels of (n_chars, n_units) values by the fields of `Bins`.

    Each step is done over a strip of characters, so that all but the look-ups can be vectorised.

    Returns:
        Whether all values are finite numbers.
    """
    n_chars, n_units = values.shape
    are_numbers = True
    distances = np.empty((n_units, _STRIP + _PADDING), np.float32)
    grown, copied = np.empty(_STRIP, np.float32), np.empty(_STRIP, np.float32)
    cells, steps = np.empty(_STRIP, np.int32), np.empty(_STRIP, np.int32)
    for start in range(0, n_chars, _STRIP):
        stop = min(start + _STRIP, n_chars)
        for tile in range(start, stop, _WORDS):
            for first in range(0, n_units, _WORDS):  # both arrays are in the cache for this many lines
                for t in range(tile, min(tile + _WORDS, stop)):
                    for unit in range(first, min(first + _WORDS, n_units)):
                        distances[unit, t - start] = values[t, unit]
        for unit in range(n_units):
            of_unit = distances[unit, : stop - start]
            are_numbers &= _are_numbers(of_unit)
            if first_edge[unit] >= 0:
                for t in range(len(of_unit)):  # an assignment takes a second to compile
                    copied[t] = of_unit[t]
            _find_cells(
                of_unit, middle[unit], saturates[unit], per_scale[unit], np.int32(shift[unit]), grown, cells, steps
            )
            if first_edge[unit] >= 0:
                _search_edges(copied, cells, levels[unit], edges[first_edge[unit] :], into[unit, start:stop])
            else:
                _look_up(cells, steps, levels[unit], shift[unit], into[unit, start:stop])
    return bool(are_numbers)


@compiled(nogil=True)
def count_cells(
    values: NDArray[np.float32],
    middle: NDArray[np.float32],
    saturates: NDArray[np.bool_],
    per_scale: NDArray[np.float32],
    shift: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Count how many of (n_chars, n_units) values lie in each cell."""
    n_chars, n_units = values.shape
    distances, grown = np.empty(n_chars, np.float32), np.empty(n_chars, np.float32)
    cells, steps = np.empty(n_chars, np.int32), np.empty(n_chars, np.int32)
    for unit in range(n_units):
        for t in range(n_chars):
            distances[t] = values[t, unit]
        _find_cells(
            distances, middle[unit], saturates[unit], per_scale[unit], np.int32(shift[unit]), grown, cells, steps
        )
        for cell in cells:
            counts[unit, cell] += 1


@compiled(nogil=True)
def most_shared(in_order: NDArray[np.float32], levels: NDArray[np.uint16]) -> NDArray[np.int64]:
    """(n_units,) the largest number of values that share a level with a more frequent value."""
    n_chars, n_units = in_order.shape
    most = np.zeros(n_units, np.int64)
    for unit in range(n_units):
        n_level = n_value = n_frequent = 0
        for t in range(n_chars):
            same_level = t > 0 and levels[unit, t] == levels[unit, t - 1]
            n_value = n_value + 1 if same_level and in_order[t, unit] == in_order[t - 1, unit] else 1
            n_level, n_frequent = (n_level + 1, max(n_frequent, n_value)) if same_level else (1, 1)
            most[unit] = max(most[unit], n_level - n_frequent)
    return most


@compiled()
def _are_numbers(values: NDArray[np.float32]) -> bool:
    """Return whether all values are finite numbers."""
    bits, largest = values.view(np.int32), np.int32(0)
    for t in range(len(bits)):
        magnitude = np.int32(bits[t] & _UNSIGNED)
        largest = magnitude if magnitude > largest else largest
    return bool(largest < _INFINITE)


@compiled()
def _find_cells(
    values: NDArray[np.float32],
    middle: np.float32,
    saturates: bool,
    per_scale: np.float32,
    shift: np.int32,
    grown: NDArray[np.float32],
    cells: NDArray[np.int32],
    steps: NDArray[np.int32],
) -> None:
    """Find the cells of values, and how many steps each is from the lower end of its cell; values are overwritten."""
    if saturates:
        _find_cells_of_ends(values, per_scale, shift, grown, cells, steps)
    else:
        _grow(values, middle, per_scale, grown)
        _find_cells_of_middle(values, grown.view(np.int32), shift, cells, steps)


@compiled()
def _find_cells_of_ends(
    values: NDArray[np.float32],
    per_scale: np.float32,
    shift: np.int32,
    grown: NDArray[np.float32],
    cells: NDArray[np.int32],
    steps: NDArray[np.int32],
) -> None:
    """Find the cells of a unit that saturates, which are counted from the nearest of −1, 0 and 1.

    On either side of 0, the last cell is for values beyond the end, which the sample does not have, and the one before
    it for the end itself.
    """
    end, half, last_step = np.float32(1), np.float32(0.5), np.int32((1 << shift) - 1)
    for t in range(len(values)):
        size = abs(values[t])
        grown[t] = end + (size if size <= half else abs(end - size)) * per_scale
    bits = grown.view(np.int32)
    for t in range(len(values)):
        size = abs(values[t])
        all_steps = max(bits[t] - _ONE, np.int32(0))
        cell = all_steps >> shift
        is_beyond = cell >= N_END_CELLS
        step = last_step if is_beyond else all_steps & last_step
        cell = np.int32(N_END_CELLS - 1) if is_beyond else cell
        is_outer = size > half
        position = np.int32(N_CELLS - 2) - cell if is_outer else cell + np.int32(1)
        step = last_step - step if is_outer else step
        position = np.int32(0) if size == 0 else position
        position = np.int32(N_CELLS - 1) if size == end else position
        position = np.int32(N_CELLS) if size > end else position
        is_below = values[t] < 0
        cells[t] = N_CELLS - position if is_below else N_CELLS + position
        steps[t] = last_step - step if is_below else step


@compiled()
def _grow(
    distances: NDArray[np.float32], middle: np.float32, per_scale: np.float32, grown: NDArray[np.float32]
) -> None:
    """Turn values into their distances from the middle, and these into float32 above 1.

    The bits of such a float32, as a whole number, are piecewise linear in place of a logarithm.
    """
    for t in range(len(distances)):
        distances[t] -= middle
        grown[t] = np.float32(1) + abs(distances[t]) * per_scale


@compiled()
def _find_cells_of_middle(
    distances: NDArray[np.float32],
    bits: NDArray[np.int32],
    shift: np.int32,
    cells: NDArray[np.int32],
    steps: NDArray[np.int32],
) -> None:
    """Find the cells of a unit that does not saturate, which are counted from its middle."""
    last_step = np.int32((1 << shift) - 1)
    for t in range(len(distances)):
        all_steps = bits[t] - _ONE
        cell = max(all_steps >> shift, np.int32(0))  # NaN may give a negative one
        is_beyond = cell >= N_CELLS
        step = last_step if is_beyond else all_steps & last_step
        position = np.int32(N_CELLS) if is_beyond else cell + np.int32(1)
        position = np.int32(0) if distances[t] == 0 else position
        is_below = distances[t] < 0
        cells[t] = N_CELLS - position if is_below else N_CELLS + position
        steps[t] = last_step - step if is_below else step


@compiled()
def _look_up(
    cells: NDArray[np.int32],
    steps: NDArray[np.int32],
    levels: NDArray[np.uint32],
    shift: np.int64,
    into: NDArray[np.uint16],
) -> None:
    """Write the levels of values from their cells, and their steps within these."""
    for t in range(np.uint64(len(into))):
        entry = np.uint64(levels[np.uint64(cells[t])])
        into[t] = (entry >> np.uint64(16)) + ((np.uint64(steps[t]) * (entry & np.uint64(0xFFFF))) >> np.uint64(shift))


@compiled()
def _search_edges(
    values: NDArray[np.float32],
    cells: NDArray[np.int32],
    levels: NDArray[np.uint32],
    edges: NDArray[np.float32],
    into: NDArray[np.uint16],
) -> None:
    """Write how many edges are at or below values: those of lower cells, and some of the same one."""
    for t in range(len(into)):
        entry = levels[cells[t]]
        low = entry >> np.uint32(16)
        high = low + (entry & np.uint32(0xFFFF))
        while low < high:
            between = (low + high) >> np.uint32(1)
            if edges[between] <= values[t]:
                low = between + np.uint32(1)
            else:
                high = between
        into[t] = low
