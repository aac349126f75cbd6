"""Gram matrices: sums of products of units with each other and with labels, which least squares are made of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.results import Result, TableCell
from activations.site_names import AnySites
from activations.units import Unit, units_of
from analyses.collecting.statistic import BlockLabels, State
from analyses.collecting.text_cells import Part, TextCells, cells_of
from analyses.errors import AnalysisError
from analyses.levels.columns import not_numbers
from analyses.moments import Scatter
from analyses.named_parts import sites_among
from analyses.session import AnySource, Session
from analyses.statistics.products import mask_of
from analyses.targets.labelling import ManyHypotheses, targets_for
from analyses.targets.target import Target

Array = NDArray[np.float64]
_TILE_ROWS = 2048
_ROUNDING = 1e-12  # of the mean, that a column which never changes may deviate by


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Gram(Result):
    """Sums of products of deviations from the means, over the labelled characters of one part of a text.

    Sums of products of the numbers themselves follow: Σ x xᵀ is `xx` + `n` · `x_mean` `x_mean`ᵀ, Σ x y likewise.

    Attributes:
        units: The units, in their order in the matrices.
        names: (n_columns,) names of the label's columns: the hypothesis, True as 1; or its classes, 1 in the class.
        n: How many characters there are.
        x_mean: (n_units,) means of the units.
        y_mean: (n_columns,) means of the label's columns.
        xx: (n_units, n_units) sums of products of deviations of units; divided by `n`, covariances.
        xy: (n_units, n_columns) sums of products of deviations of units with those of the label. They are
            also minus the gradient of a logistic loss where all weights are 0 and the intercept is that of the label's
            frequency.
        yy: (n_columns, n_columns) sums of products of deviations of the label's columns.
    """

    units: tuple[Unit, ...]
    names: tuple[str, ...]
    n: int
    x_mean: Array
    y_mean: Array
    xx: Array
    xy: Array
    yy: Array

    @property
    def deviation(self) -> Array:
        """(n_units,) standard deviations of the units."""
        return np.sqrt(np.diagonal(self.xx) / max(self.n, 1))

    @property
    def correlation(self) -> Array:
        """(n_units, n_columns) Pearson's r of each unit with each column; NaN where either never changes."""
        scatters = _scatters(self.xx, self.n, self.x_mean), _scatters(self.yy, self.n, self.y_mean)
        return self.xy / np.sqrt(np.outer(*scatters))

    def ridge(self, penalty: float) -> tuple[Array, Array]:
        """Fit the ridge regression of the label on all units.

        Args:
            penalty: Above 0, on squared weights per standard deviation of each unit, as in `probe.fit`: it minimises
                half the sum of squared errors + penalty / 2 · |weights|². Units that never change have weight 0.

        Returns:
            (n_units, n_columns) weights for the units' values as they are, and (n_columns,) intercepts.

        Raises:
            AnalysisError: If the penalty is not above 0, or too small for units that depend on each other; or if no
                character has a label.
        """
        from scipy.linalg import solve

        if not 0 < penalty < np.inf:
            raise AnalysisError(f"the penalty is {penalty:g}; it must be a number above 0")
        if self.n == 0:
            raise AnalysisError(f"{', '.join(self.names)}: no character of this part has a label")
        deviation = self.deviation
        changes = ~np.isnan(_scatters(self.xx, self.n, self.x_mean))
        factor = np.divide(1, deviation, out=np.zeros_like(deviation), where=changes)
        metric = self.xx * np.outer(factor, factor) + penalty * np.eye(len(factor))
        try:
            weights = factor[:, None] * solve(metric, factor[:, None] * self.xy, assume_a="pos")
        except np.linalg.LinAlgError as error:
            raise AnalysisError(
                f"a penalty of {penalty:g} is too small for units that depend on each other; use a larger one"
            ) from error
        return weights, self.y_mean - self.x_mean @ weights

    def r2(self, weights: Array, intercept: Array) -> Array:
        """(n_columns,) the share of the label's variance in this part that linear functions explain; it can be below 0.

        NaN where the label never changes in this part.

        Args:
            weights: (n_units, n_columns) for the units' values, as `ridge` returns them.
            intercept: (n_columns,) intercepts.
        """
        bias = self.x_mean @ weights + intercept - self.y_mean
        explained = np.einsum("ij,ij->j", weights, 2 * self.xy - self.xx @ weights) - self.n * bias**2
        return np.asarray(explained / _scatters(self.yy, self.n, self.y_mean))

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit and column of the label, with their correlation."""
        columns = zip(self.units, self.x_mean, self.deviation, self.correlation, strict=True)
        return [
            {
                "unit": str(unit),
                "label": name,
                "n_chars": self.n,
                "mean": float(mean),
                "deviation": float(deviation),
                "correlation": float(r),
            }
            for unit, mean, deviation, correlations in columns
            for name, r in zip(self.names, correlations, strict=True)
        ]

    def __str__(self) -> str:
        return f"{len(self.units)} units and {', '.join(self.names)} at {self.n:,} characters"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GramsOfLabel:
    """The sums of one hypothesis; `of` returns those of a part of the text.

    Attributes:
        units: The units, in their order in the matrices.
        names: (n_columns,) names of the columns of the label.
        cells: Pieces of the text.
        group_of_cell: (n_cells,) the group of `scatter` that each belongs to.
        scatter: Sums of the units, the label, and labels that are missing at the same characters.
        columns: (n_columns,) the columns of `scatter` that are those of the label.
    """

    units: tuple[Unit, ...]
    names: tuple[str, ...]
    cells: TextCells
    group_of_cell: NDArray[np.int64]
    scatter: Scatter
    columns: NDArray[np.int64]

    def of(self, part: Part = "all", fold: int | None = None) -> Gram:
        """Return the sums over all characters with a label, or over those that train or test.

        Args:
            part: `all` (with the characters in gaps), `train` or `test`.
            fold: One of the split's folds, counted from 0; None is the one that the split holds out.

        Raises:
            AnalysisError: If there is no such part or fold.
        """
        total = self.scatter.together(np.unique(self.group_of_cell[self.cells.chosen(part, fold)]))
        n_units, columns = len(self.units), self.columns
        mean, products = total.mean[0], total.products[0]
        return Gram(
            units=self.units,
            names=self.names,
            n=int(total.n[0]),
            x_mean=mean[:n_units],
            y_mean=mean[columns],
            xx=products[:n_units, :n_units],
            xy=products[:n_units, columns],
            yy=products[np.ix_(columns, columns)],
        )


class GramMatrices:
    """The Gram matrix of all units of some sites, and their products with labels, in one reading.

    Sums are kept apart by what lies in the same part of every fold of the split: three for each fold, of
    8 (n_units + n_columns)² bytes each. The 15 of five folds take 31 MB for 512 units and 283 MB for 1,536; sums for
    each of 200 atoms would take thirteen times as much. Labels that are missing at other
    characters have their own sums.
    """

    n_readings = 1
    predictions = False

    def __init__(self, source: AnySource, hypotheses: ManyHypotheses, sites: AnySites | None = None) -> None:
        """Start with no characters, and label the text of a source.

        Args:
            source: What will be read.
            hypotheses: Names, functions or targets.
            sites: The sites whose units are looked at; None is all.

        Raises:
            HypothesisError: If there is no such hypothesis, or it fails on this text.
            AnalysisError: If there is no such site, or the labels leave nothing to tell apart or have different splits.
        """
        source = Session.of(source)
        self.sites = sites_among(source, sites)
        self._units = tuple(units_of(source.sites, self.sites))
        self._targets = targets_for(source, hypotheses)
        self._cells = cells_of(self._targets)
        parts = np.stack([self._cells.parts(fold) for fold in self._cells.folds])
        self._group_of_cell = np.unique(parts, axis=1, return_inverse=True)[1].reshape(-1)
        n_groups = int(self._group_of_cell.max()) + 1
        self._targets_by_mask: dict[bytes, list[Target]] = {}  # by where labels are missing
        for target in self._targets:
            self._targets_by_mask.setdefault(mask_of(target), []).append(target)
        self._scatters = [
            Scatter.empty(n_groups, len(self._units) + sum(len(_names(target)) for target in targets))
            for targets in self._targets_by_mask.values()
        ]

    @np.errstate(invalid="ignore", over="ignore")  # NaNs are reported at the end of the reading
    def update(self, block: Block, labels: BlockLabels) -> None:
        """Add the characters of a block."""
        runs = [(int(self._group_of_cell[cell]), run) for cell, run in self._cells.runs(block)]
        for targets, scatter in zip(self._targets_by_mask.values(), self._scatters, strict=True):
            present = labels.of(targets[0]).parts >= 0
            y = np.hstack([_columns(target, labels.of(target).labels) for target in targets])
            for group, run in runs:
                rows = np.flatnonzero(present[run]) + run.start
                for first in range(0, len(rows), _TILE_ROWS):
                    tile = rows[first : first + _TILE_ROWS]
                    x = [block.values[site][tile] for site in self.sites]
                    scatter.add(group, np.hstack([*x, y[tile]], dtype=np.float64))

    def merge(self, other: "GramMatrices") -> None:
        """Add what another statistic has seen of other characters."""
        for scatter, others in zip(self._scatters, other._scatters, strict=True):
            scatter.merge(others)

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result.

        Raises:
            AnalysisError: If an activation is not a number.
        """
        for scatter in self._scatters:
            are_broken = ~np.isfinite(scatter.mean[:, : len(self._units)]).all(axis=0)
            if are_broken.any():
                raise AnalysisError(not_numbers(self._units[int(are_broken.argmax())].site))

    def result(self) -> list[GramsOfLabel]:
        """Return the sums of each hypothesis, in their order."""
        grams = {}
        for targets, scatter in zip(self._targets_by_mask.values(), self._scatters, strict=True):
            first = len(self._units)
            for target in targets:
                names = _names(target)
                columns = np.arange(first, first + len(names))
                first += len(names)
                grams[id(target)] = GramsOfLabel(
                    units=self._units,
                    names=names,
                    cells=self._cells,
                    group_of_cell=self._group_of_cell,
                    scatter=scatter,
                    columns=columns,
                )
        return [grams[id(target)] for target in self._targets]

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        state: State = {}
        for number, scatter in enumerate(self._scatters):
            state |= {f"{number}/n": scatter.n, f"{number}/mean": scatter.mean, f"{number}/products": scatter.products}
        return state

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        self._scatters = [
            Scatter(*(arrays[f"{number}/{name}"].copy() for name in ("n", "mean", "products")))
            for number in range(len(self._scatters))
        ]


def _scatters(products: Array, n: int, mean: Array) -> Array:
    """(n_columns,) sums of squared deviations from the mean; NaN for a column that is constant up to rounding."""
    scatters = np.diagonal(products)
    return np.where(scatters > n * (_ROUNDING * mean) ** 2, scatters, np.nan)


def _names(target: Target) -> tuple[str, ...]:
    """Return the names of the columns of a label: its own, or those of its classes."""
    return target.labels.names if target.kind == "categorical" else (target.hypothesis,)


def _columns(target: Target, labels: NDArray[Any]) -> Array:
    """(n_chars, n_columns) labels as numbers, with any value where the label is missing."""
    if target.kind == "categorical":
        return np.asarray(labels[:, None] == np.arange(len(target.labels.names)), np.float64)
    return labels[:, None].astype(np.float64)
