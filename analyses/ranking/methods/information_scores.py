"""Mutual information of a unit and a label."""

import numpy as np
from numpy.typing import NDArray

from analyses.ranking.methods.method import MethodScores
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target


def mutual_information(counts: NDArray[np.int64], target: Target) -> MethodScores:
    """Score units by the mutual information of their bins and the label's classes, in bits."""
    return MethodScores(_bits(counts[:, TRAIN]), _bits(counts[:, TEST]))


def _bits(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n_units,) mutual information, in bits, of (n_units, n_bins, n_classes) counts, less what chance adds to it.

    Source:
        Miller 1955, in Quastler (ed.), Information Theory in Psychology: the correction for few characters.
    """
    bits = np.zeros(len(counts))
    for unit, table in enumerate(counts):
        n, of_bins, of_classes = table.sum(), table.sum(axis=1), table.sum(axis=0)
        bins, classes = np.nonzero(table)
        joint = table[bins, classes] / n
        information = (joint * np.log2(joint * n * n / (of_bins[bins] * of_classes[classes]))).sum()
        n_free = (np.count_nonzero(of_bins) - 1) * (np.count_nonzero(of_classes) - 1)
        bits[unit] = max(information - n_free / (2 * n * np.log(2)), 0.0)
    return bits
