"""How often each unit takes each level, and the AUC that follows."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from analyses.levels import N_LEVELS


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

    def update(self, levels: NDArray[np.uint16], groups: NDArray[np.int8]) -> None:
        """Count some characters; the more at once, the less often a unit's counts have to be fetched from memory.

        Args:
            levels: (n_units, n_chars) of the units; see `levels.to_levels`.
            groups: (n_chars,) the group of each character; negative ones are not counted.
        """
        _count(levels, groups, self.counts)


@njit(parallel=True, cache=True)
def _count(levels: NDArray[np.uint16], groups: NDArray[np.int8], counts: NDArray[np.uint32]) -> None:
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            if groups[t] >= 0:
                counts[unit, levels[unit, t], groups[t]] += 1


@njit(parallel=True, cache=True)
def auc_from_counts(positive: NDArray[np.uint32], negative: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Area under the ROC curve of every unit, from how often it takes each value in two classes.

    Equal to the chance that a positive character has a higher value than a negative one, ties counted half.

    Args:
        positive: (n_units, n_values) counts in the positive class, values in ascending order.
        negative: (n_units, n_values) the same in the negative class.

    Returns:
        (n_units,) in [0, 1]; 0.5 is chance; NaN where one class is empty.

    Source:
        Hanley & McNeil 1982, Radiology 143:29-36: AUC as the Mann-Whitney U statistic.
    """
    n_units, n_values = positive.shape
    aucs = np.empty(n_units)
    for unit in prange(n_units):
        twice_u, below, n_positive = np.int64(0), np.int64(0), np.int64(0)
        for value in range(n_values):
            p, n = np.int64(positive[unit, value]), np.int64(negative[unit, value])
            twice_u += p * (2 * below + n)
            below += n
            n_positive += p
        pairs = n_positive * below
        aucs[unit] = 0.5 * twice_u / pairs if pairs else np.nan
    return aucs
