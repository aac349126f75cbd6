"""Forward selection: the units that predict a label best together, chosen one by one."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Progress, no_progress
from activations.units import Site, Unit, in_order, units_of
from analyses.errors import AnalysisError
from analyses.moments import Moments
from analyses.probing.designs.budgets import available_rows, available_runs
from analyses.probing.designs.design import NOT_NUMBERS, Tile
from analyses.probing.designs.units import UnitDesign
from analyses.targets.classes import refuse_many
from analyses.targets.row_runs import RowView, parts_of_rows, pieces_of_rows
from analyses.targets.splits import TRAIN
from analyses.targets.target import Target
from analyses.threads import in_threads
from hypotheses.labels import Labels

Array = NDArray[np.float64]
_ROWS_PER_UNIT = 40  # of the sample of training characters that is read
_MIN_ROWS = 50_000  # of that sample, if there are as many
_MIN_OWN_VARIANCE = 1e-6  # share of a unit's variance that the units chosen before it do not explain


@dataclass(frozen=True, slots=True, eq=False)
class SelectedUnits:
    """Units in the order in which they were chosen.

    Attributes:
        units: The unit that is best by itself, then the one that adds most to it, and so on.
        r2: (n_units,) share of the label's variance that each explains with those before it, in training.
        n_chars: Training characters that were read.
        every: One training character in every `every` was read.
    """

    units: tuple[Unit, ...]
    r2: Array
    n_chars: int
    every: int


def select_units(
    source: Source,
    target: Target,
    sites: Collection[Site],
    max_units: int,
    progress: Progress = no_progress,
) -> SelectedUnits:
    """Choose units one by one: each time the one that, with those before it, explains most of a label's variance.

    Labels are explained by least squares; of several classes it is the mean over them. Training characters are read:
    all of them, or one in every few if that leaves 50,000, and 40 for each unit.

    Args:
        source: A recording, or live activations.
        target: The label.
        sites: The sites whose units may be chosen.
        max_units: Units to choose, if as many add something.
        progress: Called with the characters done and their number.

    Raises:
        AnalysisError: If activations are not numbers.

    Source:
        Forward selection as orthogonal least squares: Chen, Billings & Luo 1989, International Journal of Control
        50:1873-1896. Sparse probing: Gurnee et al. 2023, arXiv:2305.01610.
    """
    units = units_of(source.sites, in_order(source.sites, sites))
    labels = _LabelColumns(target)
    train = _training_rows(source, target, labels)
    every = max(int(train.sum()) // max(_ROWS_PER_UNIT * len(units), _MIN_ROWS), 1)
    design = UnitDesign(source, units, train, runs=available_runs(source), progress=progress)

    def products(tile: Tile) -> NDArray[Any]:
        ones = np.ones((len(tile.x), 1), np.float32)  # type: ignore[attr-defined]
        x = np.hstack([tile.x, labels.at(tile.rows), ones])  # type: ignore[attr-defined]
        return np.asarray(x.T @ x)

    total = np.zeros((len(units) + labels.n_columns + 1,) * 2)
    for products_of_tile in in_threads(products, design.tiles(train, every)):
        total += products_of_tile
    if not np.isfinite(total).all():
        raise AnalysisError(NOT_NUMBERS)
    means = total[-1, :-1] / total[-1, -1]
    covariance = total[:-1, :-1] / total[-1, -1] - np.outer(means, means)
    n = len(units)
    chosen, r2 = _select(covariance[:n, :n], covariance[:n, n:], np.diagonal(covariance)[n:], max_units)
    return SelectedUnits(tuple(units[index] for index in chosen), r2, int(total[-1, -1]), every)


def _training_rows(source: Source, target: Target, labels: "_LabelColumns") -> NDArray[np.bool_]:
    """(n_rows,) True for training characters with a label, whose labels are added to the columns."""
    n_rows, available = source.selection.n_chars, available_rows(source)
    parts = parts_of_rows(target.split.folds(), target.selection)
    train = np.empty(n_rows, np.bool_)
    for rows in pieces_of_rows(n_rows):
        train[rows] = (parts[rows][0] == TRAIN) & available[rows] & labels.present(rows)
        labels.add(rows, train[rows])
    return train


class _LabelColumns:
    """A label as columns of numbers: one standardised column, or one for each class that occurs in training."""

    def __init__(self, target: Target) -> None:
        refuse_many(target)
        self._kind, self._rows = target.kind, RowView(target.selection, target.labels.__getitem__)
        self._counts = np.zeros(len(target.labels.names), np.int64)
        self._moments = Moments.empty(0)

    def _labels(self, rows: slice) -> Labels:
        labels: Labels = self._rows[rows]  # type: ignore[assignment]
        return labels

    def present(self, rows: slice) -> NDArray[np.bool_]:
        """(n_rows,) True where there is a label."""
        return self._labels(rows).present

    def add(self, rows: slice, train: NDArray[np.bool_]) -> None:
        """Count the classes of training rows, or add up the moments of a number."""
        labels = self._labels(rows)
        if self._kind == "categorical":
            self._counts += np.bincount(labels.values[train], minlength=len(self._counts))
        else:
            numbers = labels.values[labels.present].astype(np.float64)
            self._moments.merge(Moments.of(np.empty((len(numbers), 0)), numbers))

    @property
    def n_columns(self) -> int:
        """The number of columns, known once all rows were added."""
        return int((self._counts > 0).sum()) if self._kind == "categorical" else 1

    def at(self, rows: slice) -> NDArray[np.float32]:
        """(n_rows, n_columns) numbers of rows that have a label."""
        values = self._labels(rows).values
        if self._kind == "categorical":
            return np.asarray(values[:, None] == np.flatnonzero(self._counts), np.float32)
        mean, deviation = self._moments.label_mean, np.sqrt(self._moments.label_scatter / max(self._moments.n, 1))
        return np.asarray((values - mean) / (deviation or 1.0), np.float32)[:, None]


def _select(covariance: Array, with_labels: Array, label_variances: Array, max_columns: int) -> tuple[list[int], Array]:
    """Select columns one by one, by their residual covariances given the columns selected before.

    Args:
        covariance: (n_columns, n_columns) covariances of the columns.
        with_labels: (n_columns, n_labels) covariances of columns and labels.
        label_variances: (n_labels,) variances of the labels.
        max_columns: Columns to select.

    Returns:
        The selected columns, and the mean share of the labels' variance that each explains with those before it.
    """
    residual, residual_with_labels = covariance.copy(), with_labels.copy()
    variances = np.diagonal(covariance).copy()
    varies = label_variances > 0
    selected: list[int] = []
    r2: list[float] = []
    explained = 0.0
    while len(selected) < max_columns:
        residual_variances = np.diagonal(residual)
        usable = residual_variances > _MIN_OWN_VARIANCE * np.maximum(variances, 1e-300)
        usable[selected] = False
        if not usable.any():
            break
        shares = (residual_with_labels[:, varies] ** 2 / label_variances[varies]).mean(axis=1)
        gains = np.where(usable, shares / np.where(usable, residual_variances, 1), -1.0)
        best = int(np.argmax(gains))
        coefficients = residual[:, best] / residual[best, best]
        explained += float(gains[best])
        selected.append(best)
        r2.append(explained)
        residual_with_labels -= np.outer(coefficients, residual_with_labels[best])
        residual -= np.outer(coefficients, residual[best].copy())
    return selected, np.array(r2)
