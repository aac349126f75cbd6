"""Levels: the place of a value among 65,536 in ascending order, those of float16, or bins of values in float32."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from analyses.moments import Moments

N_LEVELS = 1 << 16
FINITE = slice(0x0401, 0xFC00)  # the levels of float16 but for those of infinity and what is not a number
_LARGEST = np.float32(np.finfo(np.float16).max)
_BINS_PER_DEVIATION = 3840.0
_NEAR = 8 * _BINS_PER_DEVIATION
_FARTHEST = N_LEVELS // 2 - 1.0
_TILE = 32


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Where to cut the values of units in float32.

    Near a unit's mean, up to some 8 standard deviations from it, the bins are equally wide, some 1/3,840 of one;
    farther out there are 64 to each doubling.

    Attributes:
        mean: (n_units,) the middle.
        width: (n_units,) of the bins near it.
    """

    mean: NDArray[np.float64]
    width: NDArray[np.float64]

    @classmethod
    def around(cls, moments: Moments) -> "Bins":
        """Bins for units with these moments, rounded so that they do not depend on the order of the blocks."""
        deviation = np.where(moments.deviation > 0, moments.deviation, 1.0)
        width = np.exp2(np.round(np.log2(deviation))) / _BINS_PER_DEVIATION
        return cls(np.asarray(np.round(moments.mean / width) * width), np.asarray(width))

    def of(self, units: slice) -> "Bins":
        """The bins of some of the units."""
        return Bins(self.mean[units], self.width[units])


def to_levels(values: NDArray[Any], into: NDArray[np.uint16], bins: Bins | None = None) -> None:
    """Write the levels of values, unit by unit.

    Args:
        values: (n_chars, n_units) activations. Those in float32 for which there are no bins are rounded to float16,
            which keeps 11 significant bits.
        into: (n_units, n_chars), which may be part of an array. What is infinite or not a number has a level that is
            not one of `FINITE`, unless there are bins.
        bins: Of the units, for values in float32.
    """
    if bins is not None and values.dtype != np.float16:
        _bin(values, bins.mean.astype(np.float32), (1 / bins.width).astype(np.float32), into)
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


@njit(parallel=True, cache=True)
def _bin(
    values: NDArray[np.float32], mean: NDArray[np.float32], per_width: NDArray[np.float32], into: NDArray[np.uint16]
) -> None:
    n_chars, n_units = values.shape
    for strip in prange((n_chars + _TILE - 1) // _TILE):
        start, stop = strip * _TILE, min((strip + 1) * _TILE, n_chars)
        places = np.empty(_TILE, np.float32)
        for unit in range(n_units):
            are_near = True
            for t in range(start, stop):
                places[t - start] = values[t, unit]
            for t in range(stop - start):
                places[t] = (places[t] - mean[unit]) * per_width[unit]
                are_near &= -_NEAR < places[t] < _NEAR
            if not are_near:
                for t in range(stop - start):
                    if abs(places[t]) >= _NEAR:
                        far = min(_NEAR + 64 * np.log2(np.float64(abs(places[t])) / _NEAR), _FARTHEST)
                        places[t] = far if places[t] > 0 else -far
            for t in range(stop - start):
                into[unit, start + t] = np.int32(places[t] + np.float32(N_LEVELS // 2))
