"""Tuning curves: the mean of a unit in each class of characters, or bin of a number."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.alignment import Target
from analyses.classes import Classes
from analyses.splits import TEST, TRAIN
from analyses.waves import Wave, find_wave


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tuning:
    """How a unit's mean goes with a label.

    Attributes:
        hypothesis: The label.
        labels: Of the classes, or bins.
        places: (n_classes,) the mean label of each bin; the places of classes that have no order.
        means: (n_classes,) of the unit over the characters of each; NaN where there are none.
        deviations: (n_classes,) standard deviations of the unit there.
        n: (n_classes,) how many characters there are.
        eta2: Share of the unit's held-out variance that the means of training explain, at most 1.
        median: Of the unit, over all characters with a label.
        period: Of the wave that the curve is, in the label's unit; None if it is none; see `waves.find_wave`.
        wave_p: How often a curve with one peak at most would seem to be a wave; None for a label that is not a number,
            or if there is too little to tell.
    """

    hypothesis: str
    labels: tuple[str, ...] = field(repr=False)
    places: NDArray[np.float64] = field(repr=False)
    means: NDArray[np.float64] = field(repr=False)
    deviations: NDArray[np.float64] = field(repr=False)
    n: NDArray[np.int64] = field(repr=False)
    eta2: float
    median: float
    period: float | None
    wave_p: float | None

    def rows(self) -> list[dict[str, str | float | int]]:
        """A row for each class."""
        columns = (self.labels, self.means.tolist(), self.deviations.tolist(), self.n.tolist())
        return [
            {"hypothesis": self.hypothesis, "label": label, "mean": mean, "deviation": deviation, "n_chars": n}
            for label, mean, deviation, n in zip(*columns, strict=True)
        ]


def tune(values: NDArray[np.float64], asked: Target, classes: Classes) -> Tuning:
    """The tuning curve of one unit.

    Args:
        values: (n_chars,) of the unit, at all characters of the text.
        asked: The label.
        classes: Of the label.
    """
    parts, of_text = asked.parts_of_text, classes.of(slice(None))
    k = len(classes.names)

    def sums(rows: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        x, of = values[rows] - middle, of_text[rows]
        return np.bincount(of, x, k), np.bincount(of, x * x, k), np.bincount(of, minlength=k)

    middle = float(values[parts >= 0].mean())
    x, xx, n = sums(parts >= 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = x / n
        deviations = np.sqrt(np.maximum(xx / n - means**2, 0))
    trained, _, n_train = sums(parts == TRAIN)
    expected = np.where(n_train > 0, trained / np.maximum(n_train, 1), trained.sum() / n_train.sum())
    x_test, xx_test, n_test = sums(parts == TEST)
    missed = (xx_test - 2 * expected * x_test + n_test * expected**2).sum()
    scatter = xx_test.sum() - x_test.sum() ** 2 / n_test.sum()
    wave = _wave(values, asked, classes)
    return Tuning(
        hypothesis=asked.hypothesis,
        labels=classes.names,
        places=classes.middles,
        means=means + middle,
        deviations=deviations,
        n=n,
        eta2=float(1 - missed / scatter) if scatter > 0 else float("nan"),
        median=float(np.median(values[parts >= 0])),
        period=wave.period,
        wave_p=wave.p,
    )


def _wave(values: NDArray[np.float64], asked: Target, classes: Classes) -> Wave:
    """Of the curve of a numeric label, whose pieces are the stretches of the text."""
    if asked.kind != "numeric":
        return Wave(None, None)
    rows = np.flatnonzero(asked.parts_of_text >= 0)
    shape = asked.split.n_stretches, len(classes.names)
    cells = asked.split.stretch(rows) * shape[1] + classes.of(rows)
    n_cells = shape[0] * shape[1]
    of_rows = values[rows] - values[rows].mean()
    sums: NDArray[Any] = np.bincount(cells, of_rows, n_cells)
    return find_wave(classes.middles, sums.reshape(shape), np.bincount(cells, minlength=n_cells).reshape(shape))
