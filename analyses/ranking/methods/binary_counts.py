"""Counts of characters by level, part and binary label, and the sums that methods make of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.atom_sums import JointSums
from analyses.statistics.quantile_counts import N_BINS
from analyses.statistics.rank_sums import rank_correlations
from analyses.targets.splits import TEST, TRAIN
from analyses.threads import in_threads

CountsBelow = NDArray[np.uint32]
"""(2 parts, 2 labels, n_levels + 1) how many training, and test, characters that are False, and True, lie below each
level of a unit that occurs; the last counts are of all characters."""


def counts_below(tables: NDArray[np.uint32]) -> list[CountsBelow]:
    """Return the counts below the levels of each unit.

    Args:
        tables: (n_units, 65536, 4) counts of the False and True characters of the training part, then of the test
            part, at each level.
    """

    def of_unit(table: NDArray[np.uint32]) -> CountsBelow:
        pairs = table.view(np.uint64)
        occupied = table[(pairs[:, 0] | pairs[:, 1]) > 0]
        below = np.zeros((4, len(occupied) + 1), np.uint32)
        np.cumsum(occupied, axis=0, out=below[:, 1:].T)
        return below.reshape(2, 2, -1)

    return list(in_threads(of_unit, tables))


def quantile_counts(counts: Sequence[CountsBelow]) -> NDArray[np.int64]:
    """(n_units, 2 parts, 256, 2 labels) numbers of characters, as `QuantileCounts` gives them."""

    def of_unit(below: CountsBelow) -> NDArray[np.int64]:
        training = below[TRAIN].sum(axis=0, dtype=np.int64)
        bins = np.minimum((training[:-1] + training[1:]) * N_BINS // (2 * training[-1]), N_BINS - 1)
        first_levels = np.searchsorted(bins, np.arange(N_BINS + 1))
        return np.asarray(np.diff(below[..., first_levels].astype(np.int64)).swapaxes(1, 2), np.int64)

    return np.stack(list(in_threads(of_unit, counts)))


def spearman_by_part(counts: Sequence[CountsBelow]) -> list[NDArray[np.float64]]:
    """(n_units,) Spearman's rank correlations in the training part and in the test part, as `RankSums` gives them."""
    return [_spearman([below[part].astype(np.int64) for below in counts]) for part in (TRAIN, TEST)]


def _spearman(counts: Sequence[NDArray[np.int64]]) -> NDArray[np.float64]:
    """(n_units,) Spearman's rank correlations, from the (2 labels, n_levels + 1) counts of each unit in one part."""
    n_false, n_true = counts[0][:, -1].tolist()  # every unit has a level at every character
    label_ranks = np.array([(n_false + 1) / 2, n_false + (n_true + 1) / 2])
    rank_sums, squares = zip(*in_threads(_rank_sums, counts), strict=True)
    sums = JointSums(1, len(counts), 1)
    sums.add(0, np.array(rank_sums), np.stack([label_ranks, np.ones(2)], axis=1), np.array([n_false, n_true]))
    return rank_correlations(sums.of_label(0), np.array(squares))


def _rank_sums(below: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
    """(2,) sums of the ranks of False and of True characters, and of the squares of all ranks; see `RankSummary`."""
    all_below = below.sum(axis=0)
    n, with_level = int(all_below[-1]), np.diff(all_below).astype(np.float64)
    ranks = all_below[:-1] + all_below[1:] - n
    ties = np.cumsum(with_level * (with_level * with_level - 1))  # level by level, as `RankSums` adds them up
    return np.diff(below) @ ranks, float((n * (n * float(n) - 1) - ties[-1]) / 3)
