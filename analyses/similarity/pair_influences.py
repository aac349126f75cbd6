"""What each atom of a text adds to the errors of similarities, and sums for the correlations of pairs of units."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.collecting.text_cells import TextCells
from analyses.similarity.pair_products import Covariances, Groups, slices_of
from analyses.similarity.paired_blocks import Piece
from analyses.threads import in_threads

Array = NDArray[np.float64]


class Alignment(NamedTuple):
    """Inner products of the covariances of different folds, and what each atom adds to their errors.

    Attributes:
        value: The mean inner product of two folds.
        influence: (n_atoms,) what each atom adds to the error, to first order.
    """

    value: float
    influence: Array


class PairAtomSums(NamedTuple):
    """Sums over atoms of pairs of units, each of one unit of either model.

    Attributes:
        n: (n_atoms,) characters.
        x: (n_atoms, n_pairs) sums of the first unit's values, less a number near their mean.
        y: (n_atoms, n_pairs) the same of the second unit.
        xx: (n_atoms, n_pairs) sums of squares.
        yy: (n_atoms, n_pairs) sums of squares.
        xy: (n_atoms, n_pairs) sums of products.
    """

    n: Array
    x: Array
    y: Array
    xx: Array
    yy: Array
    xy: Array


class PairInfluences:
    """Sums of a second reading: quadratic forms of the covariances of the other folds, and products of pairs.

    The mean inner product of the covariance matrices S_f of different folds is an estimate of the squared size of the
    true matrix that noise does not make larger: (1 / F(F − 1)) Σ_f ⟨S_f, M_f⟩, where M_f is the sum of the others. A
    character with deviations x and y in fold f adds 2 (x' M_f y − ⟨S_f, M_f⟩) / (F (F − 1) n_f) to its error.
    """

    def __init__(
        self,
        groups: Groups,
        cells: TextCells,
        covariances: Covariances,
        pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    ) -> None:
        """Start with no characters.

        Args:
            groups: How the characters are divided.
            cells: The cells of the text.
            covariances: Those of each group, from the first reading.
            pairs: (n_pairs,) numbers of units of the first model, and of the second, whose products are added up.
        """
        self._groups, self._cells, self._covariances, self._pairs = groups, cells, covariances, pairs
        self._x_sites = slices_of([of_site.shape[1] for of_site in covariances.xx])
        self._y_sites = slices_of([of_site.shape[1] for of_site in covariances.yy])
        folds = np.flatnonzero(covariances.n[: groups.n_folds] > 0)
        self._folds = folds
        self._others_xy = _of_other_folds(covariances.xy, folds)
        self._others_xx = [_of_other_folds(of_site, folds) for of_site in covariances.xx]
        self._others_yy = [_of_other_folds(of_site, folds) for of_site in covariances.yy]
        n_atoms, n_pairs = cells.split.n_atoms, len(pairs[0])
        self._forms_xy = np.zeros((n_atoms, len(self._x_sites), len(self._y_sites)))
        self._forms_xx, self._forms_yy = (
            np.zeros((n_atoms, len(self._x_sites))),
            np.zeros((n_atoms, len(self._y_sites))),
        )
        self._n_in_fold = np.zeros((n_atoms, groups.n_folds))
        self._sums = PairAtomSums(np.zeros(n_atoms), *(np.zeros((n_atoms, n_pairs)) for _ in range(5)))

    def add(self, piece: Piece) -> None:
        """Add characters."""
        atom, group = int(self._cells.atoms[piece.cell]), int(self._groups.of_cell[piece.cell])
        self._add_pairs(piece, atom)
        if group not in self._folds:
            return
        x, y = piece.x - self._covariances.x_mean[group], piece.y - self._covariances.y_mean[group]
        self._n_in_fold[atom, group] += len(x)
        jobs = [(x[:, site], self._others_xy[group, site], y) for site in self._x_sites]
        jobs += [(x[:, site], m[group], x[:, site]) for site, m in zip(self._x_sites, self._others_xx, strict=True)]
        jobs += [(y[:, site], m[group], y[:, site]) for site, m in zip(self._y_sites, self._others_yy, strict=True)]
        forms = list(in_threads(_form, jobs))
        n_x, n_y = len(self._x_sites), len(self._y_sites)
        for site, by_unit in enumerate(forms[:n_x]):
            self._forms_xy[atom, site] += [by_unit[second].sum() for second in self._y_sites]
        self._forms_xx[atom] += [by_unit.sum() for by_unit in forms[n_x : 2 * n_x]]
        self._forms_yy[atom] += [by_unit.sum() for by_unit in forms[2 * n_x : 2 * n_x + n_y]]

    def _add_pairs(self, piece: Piece, atom: int) -> None:
        first, second = self._pairs
        x, y = piece.x - self._covariances.x_mean[0], piece.y - self._covariances.y_mean[0]
        of_units = (x.sum(axis=0)[first], y.sum(axis=0)[second])
        squares = np.einsum("ij,ij->j", x, x)[first], np.einsum("ij,ij->j", y, y)[second]
        products = np.concatenate(
            [
                np.einsum("ij,ij->j", x[:, first[a : a + 512]], y[:, second[a : a + 512]])
                for a in range(0, len(first), 512)
            ]
        )
        self._sums.n[atom] += len(x)
        for sums, new in zip(self._sums[1:], (*of_units, *squares, products), strict=True):
            sums[atom] += new

    @property
    def pair_sums(self) -> PairAtomSums:
        """The sums of the pairs of units over each atom."""
        return self._sums

    def first_with_second(self, first: int, second: int) -> Alignment:
        """Return the alignment of a site of the first model with one of the second."""
        x, y = self._x_sites[first], self._y_sites[second]
        return self._alignment(
            self._covariances.xy[:, x, y], self._others_xy[:, x, y], self._forms_xy[:, first, second]
        )

    def of_first(self, site: int) -> Alignment:
        """Return the alignment of a site of the first model with itself."""
        return self._alignment(self._covariances.xx[site], self._others_xx[site], self._forms_xx[:, site])

    def of_second(self, site: int) -> Alignment:
        """Return the alignment of a site of the second model with itself."""
        return self._alignment(self._covariances.yy[site], self._others_yy[site], self._forms_yy[:, site])

    def _alignment(self, covariances: Array, others: Array, forms: Array) -> Alignment:
        n_folds = len(self._folds)
        inner = np.zeros(self._groups.n_folds)
        inner[self._folds] = [float(np.vdot(covariances[fold], others[fold])) for fold in self._folds]
        pairs_of_folds = n_folds * (n_folds - 1)
        n = self._covariances.n[: self._groups.n_folds]
        fold_of_atom = self._n_in_fold.argmax(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = self._n_in_fold @ inner
            influence = 2 * (forms - expected) / (pairs_of_folds * n[fold_of_atom])
        return Alignment(float(inner.sum() / pairs_of_folds), np.nan_to_num(influence))


def _of_other_folds(covariances: Array, folds: NDArray[np.int64]) -> Array:
    """(n_groups, …) for each fold the sum of the covariances of the others; 0 for groups that are no folds."""
    others = np.zeros_like(covariances)
    total = covariances[folds].sum(axis=0)
    for fold in folds.tolist():
        others[fold] = total - covariances[fold]
    return others


def _form(job: tuple[Array, Array, Array]) -> Array:
    """(n_columns,) sums over rows of (x' M) y, for each column of y."""
    x, matrix, y = job
    return np.asarray(np.einsum("ij,ij->j", x @ matrix, y))


def pair_influence(sums: PairAtomSums, held_out: NDArray[np.bool_]) -> Array:
    """(n_atoms, n_pairs) the influence of each atom on the held-out correlation of each pair, from all atoms.

    The same as `ranking.influences.r_influence`, except that each pair has a second unit of its own.

    Args:
        sums: Sums over the atoms that have characters.
        held_out: (n_atoms,) the atoms that the correlations are of.
    """
    n = sums.n.sum()
    mean_x, mean_y = sums.x.sum(axis=0) / n, sums.y.sum(axis=0) / n
    n_atom = sums.n[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        x = sums.xx - 2 * mean_x * sums.x + n_atom * mean_x**2
        y = sums.yy - 2 * mean_y * sums.y + n_atom * mean_y**2
        xy = sums.xy - mean_y * sums.x - mean_x * sums.y + n_atom * mean_x * mean_y
        size_x, size_y = np.sqrt(x.sum(axis=0)), np.sqrt(y.sum(axis=0))
        r = xy.sum(axis=0) / (size_x * size_y)
        influence = xy / (size_x * size_y) - r / 2 * (x / size_x**2 + y / size_y**2)
        return np.asarray(influence * np.sqrt(len(sums.n) / held_out.sum() * n / sums.n[held_out].sum()))
