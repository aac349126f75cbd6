"""Levels: the place of a value among 65,536 in ascending order, those of float16, or bins of values in float32."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from analyses.threads import in_threads

N_LEVELS = 1 << 16
FINITE = slice(0x0401, 0xFC00)  # the levels of float16 but for those of infinity and what is not a number
_LARGEST = np.float32(np.finfo(np.float16).max)
_CELLS = 2048  # on either side of the middle
_FINER = 4  # times than the usual distance from the middle, is the distance where cells begin to grow
_ONE = np.int32(0x3F800000)  # the bits of 1 in float32
_DOUBLING = 1 << 23  # float32 from one power of 2 to the next
_TILE = 32
_UNITS_AT_ONCE = 64  # that a thread finds bins for


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Where to cut the values of units in float32.

    A unit's values lie in cells, whose width grows with the distance from its middle, about as its logarithm does. A
    cell is cut into as many bins as a sample has values there, so that few values share a bin wherever most of them
    are. The middle has a bin of its own, since a unit may well be at 0 half of the time.

    Attributes:
        middle: (n_units,) float32, the value that the sample has most often, if it does so often, or the median.
        per_scale: (n_units,) float32, 1 over a quarter of the usual distance from it.
        shift: (n_units,) a cell has 2 to this power steps from one float32 to the next.
        first: (n_units, n_cells) the lowest level of each cell, in ascending order.
        n_levels: (n_units, n_cells) how many it has.
    """

    middle: NDArray[np.float32]
    per_scale: NDArray[np.float32]
    shift: NDArray[np.int64]
    first: NDArray[np.int32]
    n_levels: NDArray[np.int32]

    @classmethod
    def around(cls, sample: NDArray[np.float32]) -> "Bins":
        """Bins for units of which these are some (n_chars, n_units) values, in any order."""
        units = [slice(first, first + _UNITS_AT_ONCE) for first in range(0, sample.shape[1], _UNITS_AT_ONCE)]
        found = list(in_threads(lambda own: cls._around(sample[:, own]), units))
        return cls(*(np.concatenate([getattr(own, each.name) for own in found]) for each in fields(cls)))

    @classmethod
    def _around(cls, sample: NDArray[np.float32]) -> "Bins":
        middle = _middles(np.sort(sample, axis=0))
        distance = np.abs(sample - middle)
        scale = np.ones(len(middle))
        for unit, own in enumerate(distance.T):
            scale[unit] = np.median(own[own > 0]) / _FINER if own.any() else 1.0
        doublings = np.ceil(np.log2(1 + distance.max(axis=0) / scale)) + 1  # one more, for values beyond the sample
        shift = np.ceil(np.log2(doublings * _DOUBLING / (_CELLS - 1))).astype(np.int64)
        per_scale = (1 / scale).astype(np.float32)
        counts = np.zeros((len(middle), 2 * _CELLS + 1), np.int64)
        _count_cells(sample, middle, per_scale, shift, counts)
        counts[:, _CELLS] = 0
        n_shared = N_LEVELS - counts.shape[1]
        n_levels = 1 + counts * n_shared // np.maximum(counts.sum(axis=1), 1)[:, None]
        first = np.cumsum(n_levels, axis=1) - n_levels
        return cls(middle, per_scale, shift, first.astype(np.int32), n_levels.astype(np.int32))

    def of(self, units: slice) -> "Bins":
        """The bins of some of the units."""
        return Bins(*(getattr(self, each.name)[units] for each in fields(self)))

    @property
    def middle_levels(self) -> NDArray[np.int64]:
        """(n_units,) the level of the middle, which no other value has."""
        return self.first[:, _CELLS].astype(np.int64)


def _middles(in_order: NDArray[np.float32]) -> NDArray[np.float32]:
    """The value that each unit of (n_chars, n_units) sorted ones has most often, if that is often, or the median."""
    n_chars = len(in_order)
    middles = in_order[n_chars // 2].copy()
    n_same = max(2, n_chars // 100)
    for unit, own in enumerate(in_order.T):
        if len(same := np.flatnonzero(own[n_same - 1 :] == own[: n_chars - n_same + 1])):
            values, n = np.unique(own[same], return_counts=True)
            middles[unit] = values[n.argmax()]
    return np.asarray(middles)


def to_levels(values: NDArray[Any], into: NDArray[np.uint16], bins: Bins | None = None) -> None:
    """Write the levels of values, unit by unit.

    Args:
        values: (n_chars, n_units) activations. Those in float32 for which there are no bins are rounded to float16,
            which keeps 11 significant bits.
        into: (n_units, n_chars), which may be part of an array. In float16, what is infinite or not a number has a
            level that is not one of `FINITE`.
        bins: Of the units, for values in float32.
    """
    if bins is not None and values.dtype != np.float16:
        _bin(values, bins.middle, bins.per_scale, bins.shift, bins.first, bins.n_levels, into)
    elif values.dtype != np.float16:
        _turn(np.clip(values, -_LARGEST, _LARGEST).astype(np.float16).view(np.uint16), into)
    else:
        _turn(values.view(np.uint16), into)


def are_finite(levels: NDArray[np.uint16]) -> bool:
    """Whether these are levels of values in float16 that are numbers, and not infinite."""
    return bool(levels.size == 0 or (levels.min() >= FINITE.start and levels.max() < FINITE.stop))


@njit(parallel=True, cache=True)
def _turn(bits: NDArray[np.uint16], into: NDArray[np.uint16]) -> None:
    """Both zeros have the same level."""
    n_chars, n_units = bits.shape
    for strip in prange((n_chars + _TILE - 1) // _TILE):
        start = strip * _TILE
        for first in range(0, n_units, _TILE):  # both are in the cache for so many lines
            for unit in range(first, min(first + _TILE, n_units)):
                for t in range(start, min(start + _TILE, n_chars)):
                    value = bits[t, unit]
                    into[unit, t] = 0x8000 + value if value < 0x8000 else 0x10000 - value


@njit(cache=True)
def _cell(steps: Any, is_above: bool, is_middle: bool, shift: Any) -> Any:
    """The cell of a value that is so many float32 above 1 when its distance from the middle is added to that."""
    if is_middle:
        return _CELLS
    cell = min(steps >> shift, _CELLS - 1)
    return _CELLS + 1 + cell if is_above else _CELLS - 1 - cell


@njit(nogil=True, cache=True)
def _count_cells(
    values: NDArray[np.float32],
    middle: NDArray[np.float32],
    per_scale: NDArray[np.float32],
    shift: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    n_chars, n_units = values.shape
    for unit in range(n_units):
        grown = np.empty(1, np.float32)
        steps = grown.view(np.int32)
        for t in range(n_chars):
            distance = values[t, unit] - middle[unit]
            grown[0] = np.float32(1) + abs(distance) * per_scale[unit]
            step = np.int64(steps[0] - _ONE)
            counts[unit, _cell(step, distance > 0, distance == 0, shift[unit])] += 1


@njit(parallel=True, cache=True)
def _bin(
    values: NDArray[np.float32],
    middle: NDArray[np.float32],
    per_scale: NDArray[np.float32],
    shift: NDArray[np.int64],
    first: NDArray[np.int32],
    n_levels: NDArray[np.int32],
    into: NDArray[np.uint16],
) -> None:
    n_chars, n_units = values.shape
    for strip in prange((n_chars + _TILE - 1) // _TILE):
        start, stop = strip * _TILE, min((strip + 1) * _TILE, n_chars)
        distances, grown = np.empty(_TILE, np.float32), np.empty(_TILE, np.float32)
        steps = grown.view(np.int32)  # a float32 above 1 as a whole number is a logarithm, but for bends
        for unit in range(n_units):
            for t in range(start, stop):
                distances[t - start] = values[t, unit]
            for t in range(stop - start):
                distances[t] -= middle[unit]
                grown[t] = np.float32(1) + abs(distances[t]) * per_scale[unit]
            own_shift = shift[unit]
            for t in range(stop - start):
                step = np.int64(steps[t] - _ONE)
                cell = _cell(step, distances[t] > 0, distances[t] == 0, own_shift)
                within = min(step - ((step >> own_shift) << own_shift), (1 << own_shift) - 1)
                if step >> own_shift >= _CELLS:
                    within = (1 << own_shift) - 1
                n = np.int64(n_levels[unit, cell])
                place = (within * n) >> own_shift
                into[unit, start + t] = first[unit, cell] + (place if distances[t] >= 0 else n - 1 - place)
