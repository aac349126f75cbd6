"""Counts of how often each unit takes each level."""

import numpy as np
from numpy.typing import NDArray

from analyses.levels.bins import N_LEVELS
from analyses.levels.shares import for_shares
from hypotheses.kernels import compiled

_ADD, _TAKE_OFF = np.uint32(1), np.uint32(0xFFFFFFFF)  # which takes 1 off, modulo 2³²


class LevelCounts:
    """Counts of how often each unit takes each level, separately for groups of characters.

    Attributes:
        counts: (n_units, 65536, n_groups) uint32, levels in ascending order.
    """

    def __init__(self, n_groups: int, n_units: int) -> None:
        self.counts: NDArray[np.uint32] = np.zeros((n_units, N_LEVELS, n_groups), np.uint32)

    @staticmethod
    def n_bytes(n_groups: int, n_units: int) -> int:
        """Return the memory that the counts take."""
        return 4 * n_groups * n_units * N_LEVELS

    def update(self, levels: NDArray[np.uint16], groups: NDArray[np.int8], *, take_off: bool = False) -> None:
        """Count some characters; the more at once, the less often a unit's counts have to be fetched from memory.

        Args:
            levels: (n_units, n_chars) of the units; see `binning.to_levels`.
            groups: (n_chars,) the group of each character; negative ones are not counted.
            take_off: Whether to take the characters off the counts.
        """
        step = _TAKE_OFF if take_off else _ADD
        for_shares(len(levels), levels.size, lambda start, stop: _count(start, stop, levels, groups, self.counts, step))


@compiled(nogil=True)
def _count(
    start: int,
    stop: int,
    levels: NDArray[np.uint16],
    groups: NDArray[np.int8],
    counts: NDArray[np.uint32],
    step: np.uint32,
) -> None:
    """Add `step` to the count of each character, for each unit from `start` up to `stop`.

    For each unit the same as `np.add.at(counts[unit], (levels[unit, rows], groups[rows]), step)` with
    `rows = groups >= 0`.
    """
    for unit in range(start, stop):
        for t in range(levels.shape[1]):
            if groups[t] >= 0:
                counts[unit, levels[unit, t], groups[t]] += step
