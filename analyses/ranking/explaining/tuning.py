"""Tuning curves: the mean of a unit in each class of characters, or bin of a number."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.results import Result
from analyses.ranking.explaining.waves import Wave, find_wave
from analyses.targets.classes import Classes
from analyses.targets.row_runs import parts_of_rows, pieces_of_rows
from analyses.targets.splits import GAP, PARTS, TEST, TRAIN
from analyses.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Tuning(Result):
    """The tuning curve of a unit: how its mean depends on a label.

    Attributes:
        hypothesis: The label.
        labels: The names of the classes, or bins.
        places: (n_classes,) the mean label of each bin; the numbers of classes that have no order.
        means: (n_classes,) means of the unit over the characters of each class; NaN where there are none.
        deviations: (n_classes,) standard deviations of the unit there.
        n: (n_classes,) how many characters there are.
        eta2: Share of the unit's held-out variance that the means of training explain, at most 1.
        median: Median of the unit, over all characters with a label.
        period: Period of the wave that the curve is, in the label's unit; None if it is none; see `waves.find_wave`.
        wave_p: p-value under the null that the curve has at most one peak; None for a label that is not a number, or if
            there are too few data.
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
        """Return the curve as rows, one for each class."""
        columns = (self.labels, self.means.tolist(), self.deviations.tolist(), self.n.tolist())
        return [
            {"hypothesis": self.hypothesis, "label": label, "mean": mean, "deviation": deviation, "n_chars": n}
            for label, mean, deviation, n in zip(*columns, strict=True)
        ]


def tune(values: NDArray[np.floating], target: Target, classes: Classes) -> Tuning:
    """Compute the tuning curve of one unit.

    Args:
        values: (n_chars,) values of the unit at all characters of the text.
        target: The label.
        classes: The classes of the label.
    """
    labelled = _LabelledValues(values, target, classes)
    middle, median = labelled.mean_and_median()
    sums = labelled.sums(middle)
    x, xx, n = sums.over(TRAIN, TEST, GAP)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = x / n
        deviations = np.sqrt(np.maximum(xx / n - means**2, 0))
    wave = Wave(None, None)
    if target.kind == "numeric":
        wave = find_wave(classes.middles, sums.by_stretch[0], sums.by_stretch[1].astype(np.int64))
    return Tuning(
        hypothesis=target.hypothesis,
        labels=classes.names,
        places=classes.middles,
        means=means + middle,
        deviations=deviations,
        n=n.astype(np.int64),
        eta2=_held_out_eta2(sums),
        median=median,
        period=wave.period,
        wave_p=wave.p,
    )


class _Sums(NamedTuple):
    """Sums of a unit's values, less their mean, over the characters with a label.

    Attributes:
        by_part: (n_parts, 3, n_classes) sums of the values, sums of their squares, and numbers of characters.
        by_stretch: (2, n_stretches, n_classes) sums of the values, and numbers of characters.
    """

    by_part: NDArray[np.float64]
    by_stretch: NDArray[np.float64]

    def over(self, *parts: int) -> NDArray[np.float64]:
        """(3, n_classes) the sums over some parts together."""
        return np.asarray(self.by_part[list(parts)].sum(axis=0))


def _held_out_eta2(sums: _Sums) -> float:
    """Return the share of the held-out variance that the means of training explain."""
    x_train, _, n_train = sums.over(TRAIN)
    expected = np.where(n_train > 0, x_train / np.maximum(n_train, 1), x_train.sum() / n_train.sum())
    x_test, xx_test, n_test = sums.over(TEST)
    unexplained = (xx_test - 2 * expected * x_test + n_test * expected**2).sum()
    scatter = xx_test.sum() - x_test.sum() ** 2 / n_test.sum()
    return float(1 - unexplained / scatter) if scatter > 0 else float("nan")


class _LabelledValues:
    """The values of a unit at the characters that have a label, some at a time."""

    def __init__(self, values: NDArray[np.floating], target: Target, classes: Classes) -> None:
        self._values, self._target, self._classes = values, target, classes
        self._parts = parts_of_rows([target.split.only_fold], target.selection)

    def _pieces(self) -> Iterator[tuple[slice, slice, slice | NDArray[np.bool_]]]:
        """Yield rows, their places in the text, and which of them have a label."""
        used = self._target.selection
        for rows in pieces_of_rows(used.n_chars):
            places = slice(
                used.start + rows.start * used.every, min(used.start + rows.stop * used.every, used.stop), used.every
            )
            missing = self._target.labels.missing_at(places)
            yield rows, places, slice(None) if missing is None else ~missing

    def mean_and_median(self) -> tuple[float, float]:
        """Return the mean and the median of the values."""
        labelled = np.empty(self._target.selection.n_chars, self._values.dtype)
        total, n = 0.0, 0
        for _, places, is_labelled in self._pieces():
            values = self._values[places][is_labelled]
            labelled[n : n + len(values)] = values
            total, n = total + float(values.sum(dtype=np.float64)), n + len(values)
        labelled = labelled[:n]
        labelled.partition([(n - 1) // 2, n // 2])
        return total / n, (float(labelled[(n - 1) // 2]) + float(labelled[n // 2])) / 2

    def sums(self, middle: float) -> _Sums:
        """Add up the values less a number."""
        split, n_classes = self._target.split, len(self._classes.names)
        by_part = np.zeros((len(PARTS), 3, n_classes))
        by_stretch = np.zeros((2, split.n_stretches, n_classes))
        for rows, places, is_labelled in self._pieces():
            x = self._values[places][is_labelled].astype(np.float64) - middle
            classes, parts = self._classes.of(places)[is_labelled], self._parts[rows][0][is_labelled]
            cells = parts.astype(np.int64) * n_classes + classes
            for row, weights in enumerate((x, x * x, None)):
                by_part[:, row] += np.bincount(cells, weights, len(PARTS) * n_classes).reshape(-1, n_classes)
            if self._target.kind == "numeric":
                stretches = split.stretch(np.arange(places.start, places.stop, places.step)[is_labelled])
                cells, n_cells = stretches * n_classes + classes, split.n_stretches * n_classes
                by_stretch[0] += np.bincount(cells, x, n_cells).reshape(-1, n_classes)
                by_stretch[1] += np.bincount(cells, minlength=n_cells).reshape(-1, n_classes)
        return _Sums(by_part, by_stretch)
