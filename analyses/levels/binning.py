"""Levels: the place of a value among 65,536 in ascending order, those of float16, or bins of values in float32."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from analyses.kernels import in_parallel
from analyses.threads import in_threads

N_LEVELS = 1 << 16
_CELLS = 2048  # on either side of the middle
_CELLS_OF_END = 1022  # of these, on either side of .5, for a unit that saturates
_NEAR = 0.002  # of the values that are not in the middle: so many are nearer to it than where cells begin to grow
_MOST_LOST = 0.001  # of a sample, that are equally far from a middle
_MOST_SHARED = 0.001  # of a sample, that may be in a bin with another value
_FEW_SHARED = 8  # values in a bin, of which there are as many by chance
_MOST_EDGES = 16_000  # twice as many, at most, are those of a unit
_SATURATED = 0.001  # from 1 or -1, or nearer
_FEW_SATURATED = 0.005  # of a sample
_WIDEST = 1e30  # times that distance, is the largest one that is told from larger ones
_ONE = np.int32(0x3F800000)  # the bits of 1 in float32
_UNSIGNED, _INFINITE = np.int32(0x7FFFFFFF), np.int32(0x7F800000)  # all but that of the sign, and those of infinity
_UNSIGNED_HALF, _INFINITE_HALF = np.uint16(0x7FFF), np.uint16(0x7C00)  # the same in float16
_DOUBLING = 1 << 23  # float32 from one power of 2 to the next
_LINE = 64  # bytes of a line of the cache
_HALVES, _WORDS = _LINE // 2, _LINE // 4  # float16, and float32, that it has room for
_STRIP = 512  # characters whose bins are found together
_PADDING = 16  # between units, which would else all begin at the same place of the cache
_UNITS_AT_ONCE = 64  # that a thread finds bins for


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Where to cut the values of units in float32.

    A unit's values lie in cells, whose width grows with the distance from its middle, about as its logarithm does. A
    cell is cut into as many bins as a sample has values there, so that few values share a bin wherever most of them
    are. The middle has a bin of its own, since a unit may well be at 0 half of the time.

    A unit that saturates, as a gate does at 0 and 1 and a hidden unit at −1, 0 and 1, has values near each of these
    that would be equally far from any other middle: the width of its cells grows with the distance from the nearest.

    The values of a few units gather anywhere, as those of one that counts do near whole numbers. If many values of the
    sample would share a bin, each value of the sample is the lower edge of one. This takes a search within each cell.

    Attributes:
        middle: (n_units,) float32, the value that the sample has most often, if it does so often, or the median; 0 for
            a unit that saturates.
        saturates: (n_units,) whether it does.
        middle_levels: (n_units,) a level that one value alone has: the middle, or an end (−1 or 1) that is more
            frequent; of a unit that has edges, the value that the sample has most often.
        per_scale: (n_units,) float32, 1 over the distance from it within which hardly any values lie.
        shift: (n_units,) a cell has 2 to this power steps from one float32 to the next.
        levels: (n_units, n_cells) the lowest level of each cell, in ascending order, in the upper 16 bits, and in the
            lower ones how many it has.
        first_edge: (n_units,) the place of the lowest edge of each unit that has edges, and −1 of others.
        edges: Of all units that have edges, in ascending order for each.
    """

    middle: NDArray[np.float32]
    saturates: NDArray[np.bool_]
    middle_levels: NDArray[np.int64]
    per_scale: NDArray[np.float32]
    shift: NDArray[np.int64]
    levels: NDArray[np.uint32]
    first_edge: NDArray[np.int64]
    edges: NDArray[np.float32]

    @classmethod
    def around(cls, sample: NDArray[np.float32]) -> "Bins":
        """Bins for units of which these are some (n_chars, n_units) values, in any order."""
        units = [slice(first, first + _UNITS_AT_ONCE) for first in range(0, sample.shape[1], _UNITS_AT_ONCE)]
        return cls._joined(list(in_threads(lambda own: cls._around(sample[:, own]), units)))

    @classmethod
    def _joined(cls, parts: "list[Bins]") -> "Bins":
        """The bins of the units of each part, side by side."""
        n_before = np.cumsum([0] + [len(own.edges) for own in parts])
        for own, n in zip(parts, n_before, strict=False):
            own.first_edge[own.first_edge >= 0] += n
        return cls(*(np.concatenate([getattr(own, each.name) for own in parts]) for each in fields(cls)))

    @classmethod
    def _around(cls, sample: NDArray[np.float32]) -> "Bins":
        in_order = np.sort(sample, axis=0)
        middle, saturates = _middles(in_order)
        distance = np.abs(sample - middle)
        np.minimum(distance, np.abs(1 - distance), out=distance, where=saturates)
        scale = np.ones(len(middle))
        for unit, own in enumerate(distance.T):
            if own.any():
                scale[unit] = max(np.quantile(own[own > 0], _NEAR), own.max() / _WIDEST, 1e-36)
        doublings = np.ceil(np.log2(1 + distance.max(axis=0) / scale)) + 1  # one more, for values beyond the sample
        n_cells = np.where(saturates, _CELLS_OF_END, _CELLS)
        shift = np.ceil(np.log2(doublings * _DOUBLING / (n_cells - 1))).astype(np.int64)
        per_scale = (1 / scale).astype(np.float32)
        counts = np.zeros((len(middle), 2 * _CELLS + 1), np.int64)
        _count_cells(sample, middle, saturates, per_scale, shift, counts)
        exact = np.array([_CELLS, 1, 2 * _CELLS - 1])  # the cells of the middle and of both ends
        own_cell = np.where(saturates, exact[counts[:, exact].argmax(axis=1)], _CELLS)
        counts[:, _CELLS] = 0
        counts[np.flatnonzero(saturates)[:, None], [0, 1, -2, -1]] = 0
        n_shared = N_LEVELS - counts.shape[1]
        n_levels = 1 + counts * n_shared // np.maximum(counts.sum(axis=1), 1)[:, None]
        first = np.cumsum(n_levels, axis=1) - n_levels
        levels = (first << 16 | n_levels).astype(np.uint32)
        no_edges = np.full(len(middle), -1), np.empty(0, np.float32)
        return cls(
            middle, saturates, first[np.arange(len(middle)), own_cell], per_scale, shift, levels, *no_edges
        )._with_edges(in_order)

    def _with_edges(self, in_order: NDArray[np.float32]) -> "Bins":
        """With edges for the units of which many of (n_chars, n_units) sorted values would share a bin."""
        found = np.empty(in_order.T.shape, np.uint16)
        to_levels(in_order, found, self)
        most = max(_FEW_SHARED, int(_MOST_SHARED * len(in_order)))
        levels, middle_levels, first_edge = self.levels.copy(), self.middle_levels.copy(), self.first_edge.copy()
        edges: list[NDArray[np.float32]] = []
        for unit in np.flatnonzero(_most_shared(in_order, found) > most):
            one = slice(unit, unit + 1)
            frequent, own = _edges(in_order[:, unit])
            counts = np.zeros((1, levels.shape[1]), np.int64)
            _count_cells(
                own[:, None], self.middle[one], self.saturates[one], self.per_scale[one], self.shift[one], counts
            )
            levels[unit] = (np.cumsum(counts) - counts[0]) << 16 | counts[0]
            middle_levels[unit] = np.searchsorted(own, frequent, "right")
            first_edge[unit] = sum(map(len, edges))
            edges.append(own)
        return replace(
            self,
            levels=levels,
            middle_levels=middle_levels,
            first_edge=first_edge,
            edges=np.concatenate([self.edges, *edges]),
        )

    @property
    def n_bytes(self) -> int:
        """The memory that they take."""
        return sum(getattr(self, each.name).nbytes for each in fields(self))

    def of(self, units: slice) -> "Bins":
        """The bins of some of the units."""
        own = {each.name: getattr(self, each.name)[units] for each in fields(self) if each.name != "edges"}
        return Bins(**own, edges=self.edges)


def _middles(in_order: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The middle of each unit of (n_chars, n_units) sorted ones, and whether it saturates; see `Bins`.

    The middle is the value that a unit has most often, if that is often, or the median; unless the unit saturates, or
    many values that differ are equally far from it in float32, as those near 0 are from 1.
    """
    n_chars = len(in_order)
    middles = in_order[n_chars // 2].copy()
    n_same = max(2, n_chars // 100)
    within = (in_order[0] >= -1) & (in_order[-1] <= 1)
    for unit, own in enumerate(in_order.T):
        if len(same := np.flatnonzero(own[n_same - 1 :] == own[: n_chars - n_same + 1])):
            values, n = np.unique(own[same], return_counts=True)
            middles[unit] = values[n.argmax()]
            size = np.abs(values)
            within[unit] &= bool((np.minimum(size, 1 - size) < _SATURATED).all())  # others would have no level alone
    with np.errstate(over="ignore", invalid="ignore"):
        distances = in_order - middles
        n_lost = ((distances[1:] == distances[:-1]) & (in_order[1:] != in_order[:-1])).sum(axis=0)
    n_saturated = (np.abs(in_order) > 1 - _SATURATED).sum(axis=0)
    is_lost = n_lost > _MOST_LOST * n_chars
    saturates = within & (is_lost | (n_saturated > _FEW_SATURATED * n_chars))
    middles[is_lost | saturates] = 0
    return middles, saturates


def _edges(in_order: NDArray[np.float32]) -> tuple[np.float32, NDArray[np.float32]]:
    """The most frequent of sorted values, and edges of bins: each value, and what follows one that is there twice."""
    values, n = np.unique(in_order[:: -(-len(in_order) // _MOST_EDGES)], return_counts=True)
    frequent = values[n.argmax()]
    after = np.nextafter(np.append(values[n > 1], frequent), np.float32(np.inf))
    return frequent, np.unique(np.concatenate([values, after]))


@njit(nogil=True, cache=True)
def _most_shared(in_order: NDArray[np.float32], levels: NDArray[np.uint16]) -> NDArray[np.int64]:
    """(n_units,) how many values at most have a level that is that of a more frequent value."""
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


def to_levels(values: NDArray[Any], into: NDArray[np.uint16], bins: Bins | None = None) -> bool:
    """Write the levels of values, unit by unit.

    Args:
        values: (n_chars, n_units) activations.
        into: (n_units, n_chars), which may be part of an array.
        bins: Of the units, for values in float32; None for those in float16.

    Returns:
        Whether all values are numbers, and not infinite.
    """
    if bins is None:
        return bool(_turn(values.astype(np.float16, copy=False).view(np.uint16), into))
    return bool(
        _bin(
            values, bins.middle, bins.saturates, bins.per_scale, bins.shift, bins.levels,
            bins.first_edge, bins.edges, into,
        )
    )  # fmt: skip


@in_parallel
def _turn(bits: NDArray[np.uint16], into: NDArray[np.uint16]) -> bool:
    """Both zeros have the same level."""
    n_chars, n_units = bits.shape
    n_strips = (n_chars + _HALVES - 1) // _HALVES
    largest = np.zeros(n_strips, np.uint16)
    for strip in prange(n_strips):
        start, own = strip * _HALVES, np.uint16(0)
        for first in range(0, n_units, _HALVES):  # both are in the cache for so many lines
            for unit in range(first, min(first + _HALVES, n_units)):
                for t in range(start, min(start + _HALVES, n_chars)):
                    value = bits[t, unit]
                    into[unit, t] = 0x8000 + value if value < 0x8000 else 0x10000 - value
                    magnitude = np.uint16(value & _UNSIGNED_HALF)
                    own = magnitude if magnitude > own else own
        largest[strip] = own
    return bool(np.all(largest < _INFINITE_HALF))


@njit(nogil=True, cache=True)
def _count_cells(
    values: NDArray[np.float32],
    middle: NDArray[np.float32],
    saturates: NDArray[np.bool_],
    per_scale: NDArray[np.float32],
    shift: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    n_chars, n_units = values.shape
    distances, grown = np.empty(n_chars, np.float32), np.empty(n_chars, np.float32)
    cells, within = np.empty(n_chars, np.int32), np.empty(n_chars, np.int32)
    for unit in range(n_units):
        distances[:] = values[:, unit]
        _find(distances, middle[unit], saturates[unit], per_scale[unit], np.int32(shift[unit]), grown, cells, within)
        for cell in cells:
            counts[unit, cell] += 1


@in_parallel
def _bin(
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
    """Step by step over a strip of characters, so that all but the look-ups is done for many of them at once."""
    n_chars, n_units = values.shape
    n_strips = (n_chars + _STRIP - 1) // _STRIP
    are_numbers = np.ones(n_strips, np.bool_)
    for strip in prange(n_strips):
        start, stop = strip * _STRIP, min((strip + 1) * _STRIP, n_chars)
        distances = np.empty((n_units, _STRIP + _PADDING), np.float32)
        grown = np.empty(_STRIP, np.float32)
        cells, within = np.empty(_STRIP, np.int32), np.empty(_STRIP, np.int32)
        copied = np.empty(_STRIP, np.float32)
        for tile in range(start, stop, _WORDS):
            for first in range(0, n_units, _WORDS):  # both are in the cache for so many lines
                for t in range(tile, min(tile + _WORDS, stop)):
                    for unit in range(first, min(first + _WORDS, n_units)):
                        distances[unit, t - start] = values[t, unit]
        for unit in range(n_units):
            own = distances[unit, : stop - start]
            are_numbers[strip] &= _are_numbers(own)
            if first_edge[unit] >= 0:
                copied[: len(own)] = own
            _find(own, middle[unit], saturates[unit], per_scale[unit], np.int32(shift[unit]), grown, cells, within)
            if first_edge[unit] >= 0:
                _search(copied, cells, levels[unit], edges[first_edge[unit] :], into[unit, start:stop])
            else:
                _look_up(cells, within, levels[unit], shift[unit], into[unit, start:stop])
    return bool(are_numbers.all())


@njit(cache=True)
def _are_numbers(values: NDArray[np.float32]) -> bool:
    bits, largest = values.view(np.int32), np.int32(0)
    for t in range(len(bits)):
        own = np.int32(bits[t] & _UNSIGNED)
        largest = own if own > largest else largest
    return bool(largest < _INFINITE)


@njit(cache=True)
def _find(
    values: NDArray[np.float32],
    middle: np.float32,
    saturates: bool,
    per_scale: np.float32,
    shift: np.int32,
    grown: NDArray[np.float32],
    cells: NDArray[np.int32],
    within: NDArray[np.int32],
) -> None:
    """Find the cells of values, and how many steps each is from the lower end of its cell; values are used up."""
    if saturates:
        _to_cells_of_ends(values, per_scale, shift, grown, cells, within)
    else:
        _grow(values, middle, per_scale, grown)
        _to_cells(values, grown.view(np.int32), shift, cells, within)


@njit(cache=True)
def _to_cells_of_ends(
    values: NDArray[np.float32],
    per_scale: np.float32,
    shift: np.int32,
    grown: NDArray[np.float32],
    cells: NDArray[np.int32],
    within: NDArray[np.int32],
) -> None:
    """As `_to_cells`, of a unit that saturates: cells are counted from the nearest of −1, 0 and 1.

    On either side of 0, the last cell is for values beyond the end, which the sample has not, and the one before it for
    the end itself.
    """
    one, half, last_step = np.float32(1), np.float32(0.5), np.int32((1 << shift) - 1)
    for t in range(len(values)):
        size = abs(values[t])
        grown[t] = one + (size if size <= half else abs(one - size)) * per_scale
    steps = grown.view(np.int32)
    for t in range(len(values)):
        size = abs(values[t])
        step = max(steps[t] - _ONE, np.int32(0))
        cell = step >> shift
        is_beyond = cell >= _CELLS_OF_END
        own = last_step if is_beyond else step & last_step
        cell = np.int32(_CELLS_OF_END - 1) if is_beyond else cell
        is_outer = size > half
        place = np.int32(_CELLS - 2) - cell if is_outer else cell + np.int32(1)
        own = last_step - own if is_outer else own
        place = np.int32(0) if size == 0 else place
        place = np.int32(_CELLS - 1) if size == one else place
        place = np.int32(_CELLS) if size > one else place
        is_below = values[t] < 0
        cells[t] = _CELLS - place if is_below else _CELLS + place
        within[t] = last_step - own if is_below else own


@njit(cache=True)
def _grow(
    distances: NDArray[np.float32], middle: np.float32, per_scale: np.float32, grown: NDArray[np.float32]
) -> None:
    """Turn values into their distances from the middle, and these into float32 above 1.

    Such a float32 as a whole number is a logarithm, but for bends.
    """
    for t in range(len(distances)):
        distances[t] -= middle
        grown[t] = np.float32(1) + abs(distances[t]) * per_scale


@njit(cache=True)
def _to_cells(
    distances: NDArray[np.float32],
    steps: NDArray[np.int32],
    shift: np.int32,
    cells: NDArray[np.int32],
    within: NDArray[np.int32],
) -> None:
    """Find the cells of values, and how many steps each is from the lower end of its cell."""
    last_step = np.int32((1 << shift) - 1)
    for t in range(len(distances)):
        step = steps[t] - _ONE
        cell = max(step >> shift, np.int32(0))  # of what is not a number, it may be below
        is_beyond = cell >= _CELLS
        own = last_step if is_beyond else step & last_step
        place = np.int32(_CELLS) if is_beyond else cell + np.int32(1)
        place = np.int32(0) if distances[t] == 0 else place
        is_below = distances[t] < 0
        cells[t] = _CELLS - place if is_below else _CELLS + place
        within[t] = last_step - own if is_below else own


@njit(cache=True)
def _look_up(
    cells: NDArray[np.int32],
    within: NDArray[np.int32],
    levels: NDArray[np.uint32],
    shift: np.int64,
    into: NDArray[np.uint16],
) -> None:
    """Write the levels of values."""
    for t in range(np.uint64(len(into))):
        entry = np.uint64(levels[np.uint64(cells[t])])
        into[t] = (entry >> np.uint64(16)) + ((np.uint64(within[t]) * (entry & np.uint64(0xFFFF))) >> np.uint64(shift))


@njit(cache=True)
def _search(
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
