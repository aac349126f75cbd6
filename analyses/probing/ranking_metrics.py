"""AUCs and average precisions of what a probe says, by one sort of eight bytes for each held-out character."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from analyses.intervals.long_run import N_GROUPS

Array = NDArray[np.float64]


class RankingMetrics(NamedTuple):
    """How well what is said of some characters puts those of a class above the others.

    Attributes:
        auc: NaN if all are of the class, or none.
        average_precision: Mean precision at the characters of the class, from the highest value on, equal values at
            once; NaN likewise.
        influence: (n_cells,) what each cell adds to the error of the AUC: of each of its characters the placement among
            those of the other kind, less the AUC.
        within: The sum of AUCs among characters of one position group, each times n₁ n₀ / n, and the sum of these
            weights.
    """

    auc: float
    average_precision: float
    influence: Array
    within: tuple[float, float]


class RankingAccumulator:
    """Held-out characters of one fold with what a probe says of one class, to be put in order.

    Each is kept as a whole number: what is said of it in the upper bits, in the order of these numbers, and in the
    lower ones its cell and whether it is of the class.
    """

    def __init__(self, n_chars: int, n_cells: int) -> None:
        """Of so many characters at most."""
        self._keys = np.empty(n_chars, np.uint64)
        self._n_chars, self._n_cells = 0, n_cells
        self._n_bits = np.uint64(int(n_cells - 1).bit_length() + 1)

    def add(self, said: NDArray[np.floating], is_it: NDArray[np.bool_], cell: NDArray[np.int64]) -> None:
        """Add some characters.

        Args:
            said: (n_chars,) logits in float32; or probabilities in float64, of which so many bits are kept as fit:
                about 14 digits.
            is_it: (n_chars,) whether each is of the class.
            cell: (n_chars,) of each.
        """
        mask = (np.uint64(1) << self._n_bits) - np.uint64(1)
        keys = self._keys[self._n_chars : self._n_chars + len(said)]
        if said.dtype == np.float32:
            bits = (said + np.float32(0)).view(np.uint32)  # of 0 and -0 the same
            ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
            keys[:] = ordered.astype(np.uint64) << self._n_bits
        else:
            keys[:] = (said.astype(np.float64).view(np.uint64) << np.uint64(2)) & ~mask  # no share has the upper two
        keys |= (cell.astype(np.uint64) << np.uint64(1)) | is_it
        self._n_chars += len(said)

    def metrics(self, group: NDArray[np.int64]) -> RankingMetrics:
        """What follows from their order, given (n_cells,) the position group of each cell."""
        keys = self._keys[: self._n_chars]
        keys.sort()
        sums = _Sums(*_add_up(keys, int(self._n_bits), group, N_GROUPS))
        n, n_positive = sums.n_of_cells.sum(axis=0)
        n_negative = n - n_positive
        n_of_groups, positive_of_groups = sums.n_of_groups.T
        weights = positive_of_groups * (n_of_groups - positive_of_groups) / np.maximum(n_of_groups, 1)
        told = weights > 0
        within = float((sums.ordered_of_groups[told] / n_of_groups[told]).sum()), float(weights.sum())
        if not (n_positive and n_negative):
            return RankingMetrics(np.nan, np.nan, np.zeros(self._n_cells), within)
        auc = float(sums.ordered / (n_positive * n_negative))
        of_negative = sums.higher / n_positive - (sums.n_of_cells[:, 0] - sums.n_of_cells[:, 1]) * auc
        of_positive = sums.lower / n_negative - sums.n_of_cells[:, 1] * auc
        influence = of_negative / n_negative + of_positive / n_positive
        return RankingMetrics(auc, float(sums.precision / n_positive), influence, within)


class _Sums(NamedTuple):
    """Of characters in their order, equal values counted half.

    Attributes:
        ordered: Pairs of a character of the class and a lower one that is not.
        precision: Sum of the precisions at the characters of the class.
        n_of_cells: (n_cells, 2) characters, and those of the class.
        higher: (n_cells,) for those not of the class, how many of the class are higher.
        lower: (n_cells,) for those of the class, how many of the others are lower.
        n_of_groups: (n_groups, 2) as of cells.
        ordered_of_groups: (n_groups,) pairs within one position group.
    """

    ordered: float
    precision: float
    n_of_cells: Array
    higher: Array
    lower: Array
    n_of_groups: Array
    ordered_of_groups: Array


@njit(nogil=True, cache=True)
def _add_up(keys: NDArray[np.uint64], n_bits: int, group: NDArray[np.int64], n_groups: int) -> Any:
    """What `_Sums` has, of sorted keys."""
    n_cells = len(group)
    n_of_cells, n_of_groups = np.zeros((n_cells, 2)), np.zeros((n_groups, 2))
    higher, lower, ordered_of_groups = np.zeros(n_cells), np.zeros(n_cells), np.zeros(n_groups)
    equal = np.zeros((n_groups, 2))  # of the same value
    cells = np.uint64((1 << n_bits) - 1)
    n_all = 0.0
    for key in keys:
        n_all += key & np.uint64(1)
    ordered = precision = n_before = positive_before = 0.0
    first = 0
    while first < len(keys):
        value, last, n_positive = keys[first] >> np.uint64(n_bits), first, 0.0
        while last < len(keys) and keys[last] >> np.uint64(n_bits) == value:
            cell, is_it = (keys[last] & cells) >> np.uint64(1), keys[last] & np.uint64(1)
            equal[group[cell], is_it] += 1
            n_positive += is_it
            last += 1
        n_negative = last - first - n_positive
        below = n_before - positive_before + 0.5 * n_negative
        above = n_all - positive_before - 0.5 * n_positive
        ordered += n_positive * below
        precision += n_positive * (n_all - positive_before) / (len(keys) - n_before)
        for place in range(first, last):
            cell, is_it = (keys[place] & cells) >> np.uint64(1), keys[place] & np.uint64(1)
            n_of_cells[cell, 0] += 1
            if is_it:
                n_of_cells[cell, 1] += 1
                lower[cell] += below
            else:
                higher[cell] += above
            own = group[cell]
            of_group = equal[own, 0] + equal[own, 1]
            if of_group:  # each group once
                negative_before = n_of_groups[own, 0] - n_of_groups[own, 1]
                ordered_of_groups[own] += equal[own, 1] * (negative_before + 0.5 * equal[own, 0])
                n_of_groups[own, 0] += of_group
                n_of_groups[own, 1] += equal[own, 1]
                equal[own] = 0
        n_before += last - first
        positive_before += n_positive
        first = last
    return ordered, precision, n_of_cells, higher, lower, n_of_groups, ordered_of_groups
