"""AUCs and average precisions of predictions, from one sort of eight bytes for each held-out character."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.long_run import N_GROUPS
from hypotheses.kernels import compiled

Array = NDArray[np.float64]


class RankingMetrics(NamedTuple):
    """Metrics of how the predictions for one class rank its characters above all others.

    Attributes:
        auc: Area under the ROC curve; NaN if all characters are of the class, or none.
        average_precision: Mean precision at the characters of the class, from the highest prediction on, tied ones at
            once; NaN likewise.
        influence: (n_cells,) what each cell adds to the error of the AUC: the placement of each of its characters
            among those of the other kind, less the AUC.
        within: Sum over position groups of the AUC within the group, each weighted by n₁ n₀ / n; and the sum of the
            weights.
    """

    auc: float
    average_precision: float
    influence: Array
    within: tuple[float, float]


class RankingAccumulator:
    """Collects the predictions of one fold for one class, to be sorted.

    Each held-out character is kept as one unsigned integer of 64 bits. Sorting these integers sorts the predictions:

        | prediction, as an integer in the same order | cell | is the character of the class? |
        |                  64 − b bits                 | b − 1 bits |           1 bit           |
    """

    def __init__(self, n_chars: int, n_cells: int) -> None:
        """Make room for at most `n_chars` characters of `n_cells` cells."""
        self._keys = np.empty(n_chars, np.uint64)
        self._n_chars, self._n_cells = 0, n_cells
        self._n_bits = np.uint64(int(n_cells - 1).bit_length() + 1)

    def add(self, predictions: NDArray[np.floating], is_positive: NDArray[np.bool_], cell: NDArray[np.int64]) -> None:
        """Add the predictions for some characters.

        Args:
            predictions: (n_chars,) logits in float32; or probabilities in float64, which are rounded to the bits that
                there is room for: about 14 digits.
            is_positive: (n_chars,) True where a character is of the class.
            cell: (n_chars,) cell of each character.
        """
        cell_mask = (np.uint64(1) << self._n_bits) - np.uint64(1)
        keys = self._keys[self._n_chars : self._n_chars + len(predictions)]
        if predictions.dtype == np.float32:
            bits = (predictions + np.float32(0)).view(np.uint32)  # 0 and -0 get the same bits
            ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
            keys[:] = ordered.astype(np.uint64) << self._n_bits
        else:  # the two upper bits of a probability are 0
            keys[:] = (predictions.astype(np.float64).view(np.uint64) << np.uint64(2)) & ~cell_mask
        keys |= (cell.astype(np.uint64) << np.uint64(1)) | is_positive
        self._n_chars += len(predictions)

    def metrics(self, group: NDArray[np.int64]) -> RankingMetrics:
        """Sort the predictions and compute their metrics, given (n_cells,) the position group of each cell."""
        keys = self._keys[: self._n_chars]
        keys.sort()
        sums = _RankSums(*_rank_sums(keys, int(self._n_bits), group, N_GROUPS))
        n, n_positive = sums.n_of_cells.sum(axis=0)
        n_negative = n - n_positive
        n_of_groups, positive_of_groups = sums.n_of_groups.T
        weights = positive_of_groups * (n_of_groups - positive_of_groups) / np.maximum(n_of_groups, 1)
        has_auc = weights > 0
        weighted_aucs = sums.ordered_of_groups[has_auc] / n_of_groups[has_auc]
        within = float(weighted_aucs.sum()), float(weights.sum())
        if not (n_positive and n_negative):
            return RankingMetrics(np.nan, np.nan, np.zeros(self._n_cells), within)
        auc = float(sums.ordered / (n_positive * n_negative))
        of_negative = sums.higher / n_positive - (sums.n_of_cells[:, 0] - sums.n_of_cells[:, 1]) * auc
        of_positive = sums.lower / n_negative - sums.n_of_cells[:, 1] * auc
        influence = of_negative / n_negative + of_positive / n_positive
        return RankingMetrics(auc, float(sums.precision / n_positive), influence, within)


class _RankSums(NamedTuple):
    """Counts of pairs of a positive and a negative character, in which ties count half.

    Attributes:
        ordered: Pairs whose positive character has the higher prediction.
        precision: Sum of the precisions at the positive characters.
        n_of_cells: (n_cells, 2) characters, and positive characters.
        higher: (n_cells,) over a cell's negative characters, how many positive ones are higher.
        lower: (n_cells,) over a cell's positive characters, how many negative ones are lower.
        n_of_groups: (n_groups, 2) characters of each position group, and positive ones.
        ordered_of_groups: (n_groups,) pairs within one position group, counted like `ordered`.
    """

    ordered: float
    precision: float
    n_of_cells: Array
    higher: Array
    lower: Array
    n_of_groups: Array
    ordered_of_groups: Array


@compiled(nogil=True)
def _rank_sums(keys: NDArray[np.uint64], n_bits: int, group: NDArray[np.int64], n_groups: int) -> Any:
    """Compute the fields of `_RankSums` from sorted keys, one run of tied predictions after another."""
    n_cells = len(group)
    n_of_cells, n_of_groups = np.zeros((n_cells, 2)), np.zeros((n_groups, 2))
    higher, lower, ordered_of_groups = np.zeros(n_cells), np.zeros(n_cells), np.zeros(n_groups)
    tied = np.zeros((n_groups, 2))  # negative and positive characters of a run, in each group
    cell_mask = np.uint64((1 << n_bits) - 1)
    n_all_positive = 0.0
    for key in keys:
        n_all_positive += key & np.uint64(1)
    ordered = precision = n_before = positive_before = 0.0
    first = 0
    while first < len(keys):
        prediction, last, n_positive = keys[first] >> np.uint64(n_bits), first, 0.0
        while last < len(keys) and keys[last] >> np.uint64(n_bits) == prediction:
            cell, is_positive = (keys[last] & cell_mask) >> np.uint64(1), keys[last] & np.uint64(1)
            tied[group[cell], is_positive] += 1
            n_positive += is_positive
            last += 1
        n_negative = last - first - n_positive
        below = n_before - positive_before + 0.5 * n_negative
        above = n_all_positive - positive_before - 0.5 * n_positive
        ordered += n_positive * below
        precision += n_positive * (n_all_positive - positive_before) / (len(keys) - n_before)
        for index in range(first, last):
            cell, is_positive = (keys[index] & cell_mask) >> np.uint64(1), keys[index] & np.uint64(1)
            n_of_cells[cell, 0] += 1
            if is_positive:
                n_of_cells[cell, 1] += 1
                lower[cell] += below
            else:
                higher[cell] += above
            own_group = group[cell]
            n_tied = tied[own_group, 0] + tied[own_group, 1]
            if n_tied:  # each group once a run
                negative_before = n_of_groups[own_group, 0] - n_of_groups[own_group, 1]
                ordered_of_groups[own_group] += tied[own_group, 1] * (negative_before + 0.5 * tied[own_group, 0])
                n_of_groups[own_group, 0] += n_tied
                n_of_groups[own_group, 1] += tied[own_group, 1]
                tied[own_group] = 0
        n_before += last - first
        positive_before += n_positive
        first = last
    return ordered, precision, n_of_cells, higher, lower, n_of_groups, ordered_of_groups
