"""Choosing the units that tell a label best together."""

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
from analyses.probing.designs.budgets import rows_given, rows_used
from analyses.probing.designs.design import NOT_NUMBERS, Tile, UnitDesign
from analyses.targets.classes import refuse_many
from analyses.targets.row_runs import RowView, parts_of_rows, pieces_of_rows
from analyses.targets.splits import TRAIN
from analyses.targets.target import Target
from analyses.threads import in_threads
from hypotheses.labels import Labels

Array = NDArray[np.float64]
_ROWS_PER_UNIT = 40  # of the sample of training characters that is looked at
_FEWEST_ROWS = 50_000
_ALONE = 1e-6  # of a unit's variance has to be its own, not of those chosen before


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """Units in the order in which they were chosen.

    Attributes:
        units: The best alone, then the one that adds most to it, and so on.
        r2: (n_units,) share of the label's variance that each explains with those before it, in training.
        n_chars: Training characters that they were chosen on.
        every: One training character in so many was looked at.
    """

    units: tuple[Unit, ...]
    r2: Array
    n_chars: int
    every: int


def select(
    source: Source,
    asked: Target,
    sites: Collection[Site],
    most: int,
    progress: Progress = no_progress,
) -> Selected:
    """Choose units one by one: each time the one that, with those before it, explains most of a label by least squares.

    Of a label of several classes it is the mean over them. Chosen on training characters: on one in so many, as long as
    that leaves 50,000, and 40 for each unit; on all where there are fewer than twice as many.

    Args:
        source: A recording, or live activations.
        asked: The label.
        sites: Where to look.
        most: Units, if there are so many that add something.
        progress: Called with the characters done and their number.

    Raises:
        AnalysisError: If activations are not numbers.

    Source:
        Advance selection; as orthogonal least squares in Chen, Billings & Luo 1989, International Journal of Control
        50:1873-1896. Sparse probing: Gurnee et al. 2023, arXiv:2305.01610.
    """
    units = units_of(source.sites, in_order(source.sites, sites))
    n_rows, used = source.selection.n_chars, rows_used(source)
    parts = parts_of_rows(asked.split.folds(), asked.selection)
    train = np.empty(n_rows, np.bool_)
    labels = _Columns(asked)
    for rows in pieces_of_rows(n_rows):
        train[rows] = (parts[rows][0] == TRAIN) & used[rows] & labels.present(rows)
        labels.take(rows, train[rows])
    every = max(int(train.sum()) // max(_ROWS_PER_UNIT * len(units), _FEWEST_ROWS), 1)
    total = np.zeros((len(units) + labels.n + 1,) * 2)
    design = UnitDesign(source, units, train, given=rows_given(source), progress=progress)

    def products(tile: Tile) -> NDArray[Any]:
        ones = np.ones((len(tile.x), 1), np.float32)  # type: ignore[attr-defined]
        x = np.hstack([tile.x, labels.at(tile.rows), ones])  # type: ignore[attr-defined]
        return np.asarray(x.T @ x)

    for own in in_threads(products, design.tiles(train, every)):
        total += own
    if not np.isfinite(total).all():
        raise AnalysisError(NOT_NUMBERS)
    means = total[-1, :-1] / total[-1, -1]
    scatter = total[:-1, :-1] / total[-1, -1] - np.outer(means, means)
    n = len(units)
    chosen, r2 = _forward(scatter[:n, :n], scatter[:n, n:], np.diagonal(scatter)[n:], most)
    return Selected(tuple(units[place] for place in chosen), r2, int(total[-1, -1]), every)


class _Columns:
    """A label as numbers: one, or one for each class but those that do not occur in training.

    Attributes:
        n: How many there are, once all rows were taken.
    """

    def __init__(self, asked: Target) -> None:
        refuse_many(asked)
        self._asked, self._rows = asked, RowView(asked.selection, asked.labels.__getitem__)
        self._counts = np.zeros(len(asked.labels.names), np.int64)
        self._moments = Moments.empty(0)

    def _labels(self, rows: slice) -> Labels:
        labels: Labels = self._rows[rows]  # type: ignore[assignment]
        return labels

    def present(self, rows: slice) -> NDArray[np.bool_]:
        """(n_rows,) where there is a label."""
        return self._labels(rows).present

    def take(self, rows: slice, train: NDArray[np.bool_]) -> None:
        """Take note of the labels of some rows, of which some train."""
        labels = self._labels(rows)
        if self._asked.kind == "categorical":
            self._counts += np.bincount(labels.values[train], minlength=len(self._counts))
        else:
            numbers = labels.values[labels.present].astype(np.float64)
            self._moments.merge(Moments.of(np.empty((len(numbers), 0)), numbers))

    @property
    def n(self) -> int:
        return int((self._counts > 0).sum()) if self._asked.kind == "categorical" else 1

    def at(self, rows: slice) -> NDArray[np.float32]:
        """(n_rows, n) the numbers of some rows that have a label."""
        values = self._labels(rows).values
        if self._asked.kind == "categorical":
            return np.asarray(values[:, None] == np.flatnonzero(self._counts), np.float32)
        mean, deviation = self._moments.label_mean, np.sqrt(self._moments.label_scatter / max(self._moments.n, 1))
        return np.asarray((values - mean) / (deviation or 1.0), np.float32)[:, None]


def _forward(scatter: Array, with_label: Array, of_label: Array, most: int) -> tuple[list[int], Array]:
    """Places of the chosen columns, and the mean share of the labels that they explain."""
    left, rest, own = scatter.copy(), with_label.copy(), np.diagonal(scatter).copy()
    known = of_label > 0
    chosen: list[int] = []
    r2: list[float] = []
    explained = 0.0
    while len(chosen) < most:
        variance = np.diagonal(left)
        usable = variance > _ALONE * np.maximum(own, 1e-300)
        usable[chosen] = False
        if not usable.any():
            break
        gains = np.where(
            usable, (rest[:, known] ** 2 / of_label[known]).mean(axis=1) / np.where(usable, variance, 1), -1.0
        )
        best = int(np.argmax(gains))
        column = left[:, best] / left[best, best]
        explained += float(gains[best])
        chosen.append(best)
        r2.append(explained)
        rest -= np.outer(column, rest[best])
        left -= np.outer(column, left[best].copy())
    return chosen, np.array(r2)
