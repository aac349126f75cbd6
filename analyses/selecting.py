"""Choosing the units that tell a label best together."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site, Unit, units_of
from analyses.alignment import Target
from analyses.classes import classes_of
from analyses.designs import NOT_NUMBERS, Progress, Tile, UnitDesign
from analyses.errors import AnalysisError
from analyses.splits import TRAIN
from analyses.threads import in_threads

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
    progress: Progress = lambda done, total: None,
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
        Forward selection; as orthogonal least squares in Chen, Billings & Luo 1989, International Journal of Control
        50:1873-1896. Sparse probing: Gurnee et al. 2023, arXiv:2305.01610.
    """
    units = units_of(source.sites, sorted(sites))
    labels, parts = asked.all_rows
    train = parts == TRAIN
    y = _columns(asked, labels)
    every = max(int(train.sum()) // max(_ROWS_PER_UNIT * len(units), _FEWEST_ROWS), 1)
    total = np.zeros((len(units) + y.shape[1] + 1,) * 2)
    design = UnitDesign(source, units, train, progress=progress)

    def products(tile: Tile) -> NDArray[Any]:
        x = np.hstack([tile.x, y[tile.rows], np.ones((len(tile.x), 1), np.float32)])  # type: ignore[attr-defined]
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


def _columns(asked: Target, labels: NDArray[Any]) -> NDArray[np.float32]:
    """(n_rows, n_columns) the label as numbers: one, or one for each class but the rarest, which the others imply."""
    if asked.kind != "categorical":
        values = np.nan_to_num(labels.astype(np.float64))
        return np.asarray((values - values.mean()) / (values.std() or 1.0), np.float32)[:, None]
    n_classes = len(classes_of(asked).names)
    there = np.bincount(labels[asked.all_rows.parts == TRAIN], minlength=n_classes) > 0
    return np.asarray(np.eye(n_classes, dtype=np.float32)[labels][:, there])


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
