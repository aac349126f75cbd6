"""Levels: the rank of a value among 65,536 in ascending order, those of float16, or bins of values in float32."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.levels.bins import Bins
from analyses.levels.level_kernels import levels_of_bins, levels_of_float16
from analyses.threads import in_threads

_VALUES_AT_ONCE = 1 << 20  # by one thread


def to_levels(values: NDArray[Any], into: NDArray[np.uint16], bins: Bins | None = None) -> bool:
    """Write the levels of values, unit by unit.

    Args:
        values: (n_chars, n_units) activations.
        into: (n_units, n_chars), which may be part of an array.
        bins: The bins of the units, for values in float32; None for values in float16.

    Returns:
        Whether all values are finite numbers.
    """
    n_chars, n_units = values.shape
    n_at_once = max(1, _VALUES_AT_ONCE // max(n_units, 1))
    pieces = [slice(start, start + n_at_once) for start in range(0, n_chars, n_at_once)]
    return all(list(in_threads(lambda rows: _write_levels(values[rows], into[:, rows], bins), pieces)))


def _write_levels(values: NDArray[Any], into: NDArray[np.uint16], bins: Bins | None) -> bool:
    """Write the levels of some characters in this thread; see `to_levels`."""
    if bins is None:
        return bool(levels_of_float16(values.astype(np.float16, copy=False).view(np.uint16), into))
    return bool(
        levels_of_bins(
            values, bins.middle, bins.saturates, bins.per_scale, bins.shift, bins.levels,
            bins.first_edge, bins.edges, into,
        )
    )  # fmt: skip
