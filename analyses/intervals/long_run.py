"""Long-run variances of sums over the atoms of a text, whose characters depend on each other.

Neighbouring atoms share slow changes, so that the variance of their sum is not the sum of their variances. It is
estimated from the lowest frequencies: projections on the first cosines, which are all but independent of each other
whatever the memory of the characters is.

Source:
    Müller 2007, Journal of Econometrics 141:1331-1352. Lazarus, Lewis, Stock & Watson 2018, Journal of Business &
    Economic Statistics 36:541-559: recommendations for practice.
"""

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.atom_sums import AtomSums

Array = NDArray[np.float64]
N_GROUPS = 8
_MEMORY_COSINES = slice(7, 15)  # the 8th to the 15th: below them is what position explains
_ALIKE = 0.6  # correlation of neighbouring atoms, above which a unit stays at a level
_BY_CHANCE = 4.3  # standard errors of that correlation, which chance exceeds once in 100,000 times
_MUCH = 0.03  # share of a unit's variance that lies between atoms


def cosines(n_atoms: int, n: int) -> Array:
    """(n, n_atoms) the first n orthonormal cosines after the constant, n from 1 to `n_atoms` − 1."""
    angles = np.outer(np.arange(1, n + 1), np.arange(n_atoms) + 0.5)
    return np.asarray(np.sqrt(2 / n_atoms) * np.cos(np.pi / n_atoms * angles))


def n_cosines(n_atoms: int) -> int:
    """Return how many cosines an interval is made of, which are its degrees of freedom: .8 · n_atoms^⅔."""
    return max(1, min(n_atoms - 1, round(0.8 * float(np.cbrt(n_atoms)) ** 2)))


def long_run_variance(influence: Array, n: int) -> Array:
    """(…) the variance of one atom's part of the sum, from (n_atoms, …) parts and the first n cosines."""
    return np.asarray(np.mean(np.tensordot(cosines(len(influence), n), influence, axes=1) ** 2, axis=0))


def position_groups(n_atoms: int) -> NDArray[np.int64]:
    """(n_atoms,) the position group of each atom: one of eight runs of atoms, within which characters are compared."""
    return np.arange(n_atoms) * N_GROUPS // n_atoms


class WithinGroups:
    """Sums over atoms less what the means of the eight position groups explain, so that common trends drop out.

    Attributes:
        product: (n_atoms, n_units) sums of products of both deviations from the means of the position group.
        label: (n_atoms,) sums of the label's deviations.
        units: (n_atoms, n_units) sums of the units' deviations.
        label_scatter: Sum of the squares of the label's deviations, over all characters.
        unit_scatter: (n_units,) sums of the squares of the units' deviations.
    """

    def __init__(self, sums: AtomSums, groups: NDArray[np.int64]) -> None:
        """Subtract the group means, given the sums of the atoms that have labels, and the position group of each."""
        starts = np.flatnonzero(np.diff(groups, prepend=-1))
        group = np.cumsum(np.diff(groups, prepend=groups[0]) != 0)
        n, y, x = (np.add.reduceat(array, starts, axis=0) for array in (sums.n, sums.y, sums.x))
        mean_y, mean_x = y / n, x / n[:, None]
        self._groups, self._sizes = group, n
        n_chars = n.sum()
        self._n, self._units = sums.n, sums.x - np.outer(sums.n, x.sum(axis=0) / n_chars)
        self._unit_scatter = sums.xx.sum(axis=0) - x.sum(axis=0) ** 2 / n_chars
        self.label = sums.y - sums.n * mean_y[group]
        self.units = sums.x - sums.n[:, None] * mean_x[group]
        self.product = sums.xy - mean_y[group][:, None] * sums.x - mean_x[group] * self.label[:, None]
        self.label_scatter = max(float(sums.yy.sum() - (y * mean_y).sum()), 0.0)
        self.unit_scatter = np.maximum(sums.xx.sum(axis=0) - (x * mean_x).sum(axis=0), 0.0)

    @property
    def units_keep_levels(self) -> NDArray[np.bool_]:
        """(n_units,) bool, True if a unit keeps its level over several atoms, which makes up much of its variance.

        Means of neighbouring atoms then agree far more than chance allows for a memory that is short compared with an
        atom. This matters only where more than .03 of the variance lies between atoms.
        """
        means = self._units / self._n[:, None]
        squares = np.einsum("ij,ij->j", means, means)
        agreement = np.einsum("ij,ij->j", means[1:], means[:-1])
        limit = max(_ALIKE, _BY_CHANCE / np.sqrt(len(means)))
        between_atoms = np.einsum("ij,ij->j", self._units, means)
        return np.asarray((agreement > limit * squares) & (between_atoms > _MUCH * self._unit_scatter))

    @property
    def label_memory(self) -> float:
        """Integrated autocorrelation time of the label, in characters: .5 if they are independent; NaN if constant."""
        return float(self._memory(self.label[:, None], np.array([self.label_scatter]))[0])

    def lost_to_means(self, label_memory: float) -> Array:
        """(n_units,) by how much the squares of the products are too small, since group means use the same atoms.

        If a label with long-run variance λ is independent of a unit whose deviations add up to R_k in atom k, the
        square of the product is expected to be R_k² λ / n_group less than the variance of the atom's part of the sum.
        """
        long_run = 2 * label_memory * self.label_scatter / self._sizes.sum()
        return np.asarray(long_run * np.einsum("ij,ij,i->j", self.units, self.units, 1 / self._sizes[self._groups]))

    @property
    def unit_memories(self) -> Array:
        """(n_units,) integrated autocorrelation times of the units, in characters; NaN for those that never change."""
        return self._memory(self.units, self.unit_scatter)

    def _memory(self, sums: Array, scatter: Array) -> Array:
        """Return τ such that the long-run variance of a character is 2 τ times its variance."""
        n_atoms = len(sums)
        last = min(_MEMORY_COSINES.stop, n_atoms - 1)
        waves = cosines(n_atoms, last)[min(_MEMORY_COSINES.start, max(last - 8, 0)) :]
        of_groups = (waves[:, None] * (self._groups == np.arange(N_GROUPS)[:, None])).sum(axis=2)
        sizes = np.bincount(self._groups, minlength=N_GROUPS)
        # of each cosine, once the groups' means are subtracted
        remaining = 1 - (of_groups**2 / np.maximum(sizes, 1)).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            power = np.sum((waves @ sums) ** 2, axis=0) / remaining.sum()
            return np.asarray(np.where(scatter > 0, power * n_atoms / (2 * scatter), np.nan))


def label_memory(n: Array, y: Array, yy: Array) -> float:
    """Return the integrated autocorrelation time of a label, position removed, in characters.

    Args:
        n: (n_atoms,) how many characters of each atom have a label.
        y: (n_atoms,) sums of their labels.
        yy: (n_atoms,) sums of the squares of their labels.

    Returns:
        .5 if they are independent; NaN if the label does not change within position groups.
    """
    is_labelled, no_units = n > 0, np.empty((np.count_nonzero(n), 0))
    sums = AtomSums(n[is_labelled], y[is_labelled], yy[is_labelled], no_units, no_units, no_units)
    return WithinGroups(sums, position_groups(len(n))[is_labelled]).label_memory
