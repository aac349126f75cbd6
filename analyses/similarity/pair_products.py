"""Products of the units of two models with each other and among themselves: what CKA and correlations are made of."""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.collecting.text_cells import TextCells
from analyses.similarity.paired_blocks import Piece
from analyses.targets.splits import GAP, Split
from analyses.threads import in_threads

Array = NDArray[np.float64]


class Groups(NamedTuple):
    """How the characters of a text are divided: into folds that are a gap apart from the held-out one, and the rest.

    Attributes:
        of_cell: (n_cells,) the group of each cell of the text: its fold, or `n_folds` for characters in gaps.
        n_folds: How many folds there are.
        held_out: The fold that is held out.
    """

    of_cell: NDArray[np.int64]
    n_folds: int
    held_out: int

    @classmethod
    def of(cls, split: Split, cells: TextCells) -> "Groups":
        """Return the groups of the cells of a split."""
        fold = split.stretch(cells.starts) % split.n_folds
        return cls(np.where(cells.parts(split.only_fold) == GAP, split.n_folds, fold), split.n_folds, split.fold)

    @property
    def training(self) -> NDArray[np.int64]:
        """(n_folds − 1,) the folds that train."""
        return np.delete(np.arange(self.n_folds), self.held_out)


class Covariances(NamedTuple):
    """Covariances of the units of two models in each fold of the text, of those products that are needed.

    Attributes:
        n: (n_groups,) characters.
        x_mean: (n_groups, n_first_units) means of the units of the first model.
        y_mean: (n_groups, n_second_units) means of those of the second.
        x_variance: (n_groups, n_first_units) variances.
        y_variance: (n_groups, n_second_units) variances.
        xy: (n_groups, n_first_units, n_second_units) covariances of units of both models.
        xx: For each site of the first model, (n_groups, n_units, n_units) covariances of its units.
        yy: The same of the second model.
    """

    n: Array
    x_mean: Array
    y_mean: Array
    x_variance: Array
    y_variance: Array
    xy: Array
    xx: list[Array]
    yy: list[Array]


class PairProducts:
    """Sums of products of units, in each group of characters, less numbers near their means.

    They take 8 bytes for each group and each pair of units of both models, and of units of the same site: .2 GB for two
    models of 2,048 units each.
    """

    def __init__(self, groups: Groups, first_sizes: Sequence[int], second_sizes: Sequence[int]) -> None:
        """Start with no characters.

        Args:
            groups: How the characters are divided.
            first_sizes: How many units each site of the first model has.
            second_sizes: The same of the second.
        """
        self._groups = groups
        self._x_sites, self._y_sites = slices_of(first_sizes), slices_of(second_sizes)
        n_groups, n_x, n_y = groups.n_folds + 1, sum(first_sizes), sum(second_sizes)
        self._n = np.zeros(n_groups)
        self._x, self._y = np.zeros((n_groups, n_x)), np.zeros((n_groups, n_y))
        self._xy = np.zeros((n_groups, n_x, n_y))
        self._xx = [np.zeros((n_groups, size, size)) for size in first_sizes]
        self._yy = [np.zeros((n_groups, size, size)) for size in second_sizes]
        self._middles: tuple[Array, Array] | None = None

    def add(self, piece: Piece) -> None:
        """Add characters."""
        if self._middles is None:
            self._middles = piece.x.mean(axis=0), piece.y.mean(axis=0)
        x, y = (values - middle for values, middle in zip(piece[1:], self._middles, strict=True))
        group = int(self._groups.of_cell[piece.cell])
        self._n[group] += len(x)
        self._x[group] += x.sum(axis=0)
        self._y[group] += y.sum(axis=0)
        jobs = [(x[:, site], y, self._xy[group, site]) for site in self._x_sites]
        jobs += [(x[:, site], x[:, site], sums[group]) for site, sums in zip(self._x_sites, self._xx, strict=True)]
        jobs += [(y[:, site], y[:, site], sums[group]) for site, sums in zip(self._y_sites, self._yy, strict=True)]
        for _ in in_threads(_add_product, jobs):
            pass

    def covariances(self, groups: NDArray[np.int64] | None = None) -> Covariances:
        """Return the covariances in each group, or in several groups together, as the only group.

        Args:
            groups: The groups to put together; None is each by itself.
        """
        together = partial(_together, groups=groups)
        n = together(self._n)
        with np.errstate(invalid="ignore", divide="ignore"):
            x, y = together(self._x) / n[:, None], together(self._y) / n[:, None]
            xy = together(self._xy) / n[:, None, None] - x[:, :, None] * y[:, None, :]
            xx = [
                _covariance(together(sums), n, x[:, site]) for site, sums in zip(self._x_sites, self._xx, strict=True)
            ]
            yy = [
                _covariance(together(sums), n, y[:, site]) for site, sums in zip(self._y_sites, self._yy, strict=True)
            ]
        x_middle, y_middle = self._middles or (0.0, 0.0)
        return Covariances(n, x + x_middle, y + y_middle, _variances(xx), _variances(yy), xy, xx, yy)


def slices_of(sizes: Sequence[int]) -> list[slice]:
    """Return where each site's units are among those of all sites.

    >>> slices_of([3, 2])
    [slice(0, 3, None), slice(3, 5, None)]
    """
    return [slice(start, stop) for start, stop in itertools.pairwise(itertools.accumulate(sizes, initial=0))]


def _add_product(job: tuple[Array, Array, Array]) -> None:
    left, right, sums = job
    sums += left.T @ right


def _together(sums: Array, groups: NDArray[np.int64] | None) -> Array:
    return sums if groups is None else sums[groups].sum(axis=0, keepdims=True)


def _covariance(products: Array, n: Array, mean: Array) -> Array:
    return np.asarray(products / n[:, None, None] - mean[:, :, None] * mean[:, None, :])


def _variances(covariances: Sequence[Array]) -> Array:
    return np.concatenate([np.diagonal(of_site, axis1=1, axis2=2) for of_site in covariances], axis=1)
