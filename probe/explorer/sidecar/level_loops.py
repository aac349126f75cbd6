"""Compiled loops over levels."""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled

_STRIP = 512  # characters whose levels are found together, in the cache
_WORDS = 16  # float32 in a line of the cache
_PADDING = 16  # between units, which would else all begin at the same place of the cache
_HIGHEST, _MISSING = 254, 255  # as in `probe.viewer.scales`


def write_levels(
    values: NDArray[Any], offsets: NDArray[np.float64], steps: NDArray[np.float64], into: NDArray[np.uint8]
) -> None:
    """Write the levels of values, unit by unit, as `Scale.levels` defines them.

    Args:
        values: (n_rows, n_units) in float16 or float32.
        offsets: (n_units,) the value of level 0.
        steps: (n_units,) the difference of the values of neighbouring levels.
        into: (n_units, n_rows), which may be part of an array.
    """
    if values.dtype == np.float16:
        _write_levels_of_bits(values.view(np.uint16), _float16_values(), offsets, steps, into)
    else:
        _write_levels(values, offsets, steps, into)


@cache
def _float16_values() -> NDArray[np.float32]:
    """Return (65536,) the value of each float16 by its bits, which are faster looked up than converted."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


@compiled(nogil=True)
def _write_levels(
    values: NDArray[np.float32],
    offsets: NDArray[np.float64],
    steps: NDArray[np.float64],
    into: NDArray[np.uint8],
) -> None:
    n_rows, n_units = values.shape
    strip = np.empty((n_units, _STRIP + _PADDING), np.float32)
    for start in range(0, n_rows, _STRIP):
        stop = min(start + _STRIP, n_rows)
        for tile in range(start, stop, _WORDS):
            for first in range(0, n_units, _WORDS):  # both arrays are in the cache for this many lines
                for t in range(tile, min(tile + _WORDS, stop)):
                    for unit in range(first, min(first + _WORDS, n_units)):
                        strip[unit, t - start] = values[t, unit]
        for unit in range(n_units):
            _write_levels_of_unit(strip[unit, : stop - start], offsets[unit], steps[unit], into[unit, start:stop])


@compiled(nogil=True)
def _write_levels_of_bits(
    bits: NDArray[np.uint16],
    of_bits: NDArray[np.float32],
    offsets: NDArray[np.float64],
    steps: NDArray[np.float64],
    into: NDArray[np.uint8],
) -> None:
    n_rows, n_units = bits.shape
    strip = np.empty((n_units, _STRIP + _PADDING), np.float32)
    for start in range(0, n_rows, _STRIP):
        stop = min(start + _STRIP, n_rows)
        for tile in range(start, stop, _WORDS):
            for first in range(0, n_units, _WORDS):
                for t in range(tile, min(tile + _WORDS, stop)):
                    for unit in range(first, min(first + _WORDS, n_units)):
                        strip[unit, t - start] = of_bits[bits[t, unit]]
        for unit in range(n_units):
            _write_levels_of_unit(strip[unit, : stop - start], offsets[unit], steps[unit], into[unit, start:stop])


@compiled()
def _write_levels_of_unit(values: NDArray[np.float32], offset: float, step: float, into: NDArray[np.uint8]) -> None:
    for t in range(len(into)):
        value = np.float64(values[t])
        is_number = value - value == 0
        nearest = ((value if is_number else 0.0) - offset) / step + 0.5
        level = np.int32(min(max(nearest, 0.0), 254.0))
        into[t] = np.uint8(level if is_number else _MISSING)


@compiled(nogil=True)
def write_extremes(
    levels: NDArray[np.uint8], edges: NDArray[np.int64], lowest: NDArray[np.uint8], highest: NDArray[np.uint8]
) -> None:
    """Write the lowest and the highest level of each bin, leaving out missing ones; 255 for both if all are missing.

    Args:
        levels: (n_rows,).
        edges: (n_bins + 1,) the first row of each bin, and one past the last row.
        lowest: (n_bins,).
        highest: (n_bins,).
    """
    for number in range(len(lowest)):
        low, high = np.uint8(_MISSING), np.uint8(0)
        for t in range(edges[number], edges[number + 1]):
            low = min(low, levels[t])
            high = max(high, np.uint8(levels[t] + 1))  # a missing one becomes 0
        lowest[number], highest[number] = low, np.uint8(high - 1)
