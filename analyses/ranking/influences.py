"""Influences: what each atom of a text adds to the error of a unit's held-out score, to first order."""

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.atom_sums import AtomSums
from analyses.statistics.placements import Placements


def auc_influence(sums: AtomSums, placed: Placements, held_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the influence of each atom on held-out AUCs, learned from all atoms of the text.

    The placement of a positive is the number of negatives that are lower, ties counted half; the placement of a
    negative is the number of positives that are higher. The mean placement of either, divided by the number of the
    others, is the AUC. The derivative is the deviation of an atom's placements from that mean; it is computed on all
    atoms and rescaled to the held-out share, for positives and negatives separately.

    Args:
        sums: Sums of the ranks and the label; see `ranks.RankSummary`, over 2 n.
        placed: (n_units,) the same units.
        held_out: (n_atoms,) the atoms that the AUCs are of.

    Returns:
        (n_labelled_atoms, n_units) influences of the atoms that have labels.

    Source:
        DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837-845; of clusters, Obuchowski 1997, Biometrics
        53:567-578.
    """
    is_labelled = sums.n > 0
    n_atoms, n_held_out = is_labelled.sum(), (is_labelled & held_out).sum()
    positive, negative = sums.y[:, None], (sums.n - sums.y)[:, None]
    lower = sums.n.sum() * (sums.xy + 0.5 * positive) - 0.5 * placed.positive  # of all characters, less the positives
    higher = negative * positive.sum() - 0.5 * placed.negative
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = lower.sum(axis=0) / (positive.sum() * negative.sum())
        of_positives, of_negatives = (
            (placements / others.sum() - auc * counts)
            * np.sqrt(n_atoms / n_held_out / counts.sum() / counts[held_out].sum())
            for placements, counts, others in (
                (lower, positive, negative),
                (higher, negative, positive),
            )
        )
    return np.asarray((of_positives + of_negatives)[is_labelled])


def r_influence(sums: AtomSums, held_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the influence of each atom on held-out correlations, learned from all atoms of the text.

    Args:
        sums: Sums of the units' values and the label.
        held_out: (n_atoms,) the atoms that the correlations are of.

    Returns:
        (n_labelled_atoms, n_units) influences of the atoms that have labels.
    """
    is_labelled = sums.n > 0
    sums, held_out = sums.of(is_labelled), held_out[is_labelled]
    n = sums.n.sum()
    mean_x, mean_y = sums.x.sum(axis=0) / n, sums.y.sum() / n
    with np.errstate(invalid="ignore", divide="ignore"):
        x = (sums.xx - 2 * mean_x * sums.x) + sums.n[:, None] * mean_x**2
        y = (sums.yy - 2 * mean_y * sums.y + sums.n * mean_y**2)[:, None]
        xy = sums.xy - mean_y * sums.x - mean_x * (sums.y - sums.n * mean_y)[:, None]
        size_x, size_y = np.sqrt(x.sum(axis=0)), np.sqrt(y.sum())
        r = xy.sum(axis=0) / (size_x * size_y)
        influence = xy / (size_x * size_y) - r / 2 * (x / size_x**2 + y / size_y**2)
        return np.asarray(influence * np.sqrt(len(sums.n) / held_out.sum() * n / sums.n[held_out].sum()))
