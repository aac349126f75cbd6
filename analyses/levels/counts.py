"""How often each unit takes each level."""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from analyses.kernels import in_parallel
from analyses.levels.binning import N_LEVELS

_ON, _BACK = np.uint32(1), np.uint32(0xFFFFFFFF)  # which is 1 less, modulo 2³²


class LevelCounts:
    """How often each unit takes each level, separately for groups of characters.

    Attributes:
        counts: (n_units, 65536, n_groups) uint32, levels in ascending order.
    """

    def __init__(self, n_groups: int, n_units: int) -> None:
        self.counts: NDArray[np.uint32] = np.zeros((n_units, N_LEVELS, n_groups), np.uint32)

    @staticmethod
    def n_bytes(n_groups: int, n_units: int) -> int:
        """Memory that the counts take."""
        return 4 * n_groups * n_units * N_LEVELS

    def update(self, levels: NDArray[np.uint16], groups: NDArray[np.int8], *, take_off: bool = False) -> None:
        """Count some characters; the more at once, the less often a unit's counts have to be fetched from memory.

        Args:
            levels: (n_units, n_chars) of the units; see `levels.to_levels`.
            groups: (n_chars,) the group of each character; negative ones are not counted.
            take_off: Whether to count them backwards.
        """
        _count(levels, groups, self.counts, _BACK if take_off else _ON)


@in_parallel
def _count(levels: NDArray[np.uint16], groups: NDArray[np.int8], counts: NDArray[np.uint32], step: np.uint32) -> None:
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            if groups[t] >= 0:
                counts[unit, levels[unit, t], groups[t]] += step
