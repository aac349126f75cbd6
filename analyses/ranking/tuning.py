"""Tuning curves: the mean of a unit in each class of characters, or bin of a number."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.ranking.waves import Wave, find_wave
from analyses.targets.classes import Classes
from analyses.targets.row_runs import parts_of_rows, pieces_of_rows
from analyses.targets.splits import GAP, PARTS, TEST, TRAIN
from analyses.targets.target import Target


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


def tune(values: NDArray[np.floating], asked: Target, classes: Classes) -> Tuning:
    """The tuning curve of one unit.

    Args:
        values: (n_chars,) of the unit, at all characters of the text.
        asked: The label.
        classes: Of the label.
    """
    told = _Told(values, asked, classes)
    middle, median = told.mean_and_median()
    sums = told.sums(middle)
    x, xx, n = sums.of(TRAIN, TEST, GAP)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = x / n
        deviations = np.sqrt(np.maximum(xx / n - means**2, 0))
    trained, _, n_train = sums.of(TRAIN)
    expected = np.where(n_train > 0, trained / np.maximum(n_train, 1), trained.sum() / n_train.sum())
    x_test, xx_test, n_test = sums.of(TEST)
    missed = (xx_test - 2 * expected * x_test + n_test * expected**2).sum()
    scatter = xx_test.sum() - x_test.sum() ** 2 / n_test.sum()
    wave = Wave(None, None)
    if asked.kind == "numeric":
        wave = find_wave(classes.middles, sums.of_stretches[0], sums.of_stretches[1].astype(np.int64))
    return Tuning(
        hypothesis=asked.hypothesis,
        labels=classes.names,
        places=classes.middles,
        means=means + middle,
        deviations=deviations,
        n=n.astype(np.int64),
        eta2=float(1 - missed / scatter) if scatter > 0 else float("nan"),
        median=median,
        period=wave.period,
        wave_p=wave.p,
    )


class _Sums(NamedTuple):
    """Of the unit, less its mean, over characters with a label.

    Attributes:
        of_parts: (n_parts, 3, n_classes) sums of it and of its squares, and how many characters there are.
        of_stretches: (2, n_stretches, n_classes) its sums, and how many characters there are.
    """

    of_parts: NDArray[np.float64]
    of_stretches: NDArray[np.float64]

    def of(self, *parts: int) -> NDArray[np.float64]:
        """(3, n_classes) those over some parts together."""
        return np.asarray(self.of_parts[list(parts)].sum(axis=0))


class _Told:
    """The unit where the label is known, some characters at a time."""

    def __init__(self, values: NDArray[np.floating], asked: Target, classes: Classes) -> None:
        self._values, self._asked, self._classes = values, asked, classes
        self._parts = parts_of_rows([asked.split.only_fold], asked.selection)

    def _pieces(self) -> Iterator[tuple[slice, slice, slice | NDArray[np.bool_]]]:
        """Rows, their places in the text, and which of them have a label."""
        used = self._asked.selection
        for rows in pieces_of_rows(used.n_chars):
            places = slice(
                used.start + rows.start * used.every, min(used.start + rows.stop * used.every, used.stop), used.every
            )
            missing = self._asked.labels.missing_at(places)
            yield rows, places, slice(None) if missing is None else ~missing

    def mean_and_median(self) -> tuple[float, float]:
        """Of the unit."""
        known = np.empty(self._asked.selection.n_chars, self._values.dtype)
        total, n = 0.0, 0
        for _, places, told in self._pieces():
            own = self._values[places][told]
            known[n : n + len(own)] = own
            total, n = total + float(own.sum(dtype=np.float64)), n + len(own)
        known = known[:n]
        known.partition([(n - 1) // 2, n // 2])
        return total / n, (float(known[(n - 1) // 2]) + float(known[n // 2])) / 2

    def sums(self, middle: float) -> _Sums:
        """Of the unit less a number."""
        split, k = self._asked.split, len(self._classes.names)
        of_parts = np.zeros((len(PARTS), 3, k))
        of_stretches = np.zeros((2, split.n_stretches, k))
        for rows, places, told in self._pieces():
            x = self._values[places][told].astype(np.float64) - middle
            of, parts = self._classes.of(places)[told], self._parts[rows][0][told]
            cell = parts.astype(np.int64) * k + of
            for place, own in enumerate((x, x * x, None)):
                of_parts[:, place] += np.bincount(cell, own, len(PARTS) * k).reshape(-1, k)
            if self._asked.kind == "numeric":
                cell = split.stretch(np.arange(places.start, places.stop, places.step)[told]) * k + of
                of_stretches[0] += np.bincount(cell, x, split.n_stretches * k).reshape(-1, k)
                of_stretches[1] += np.bincount(cell, minlength=split.n_stretches * k).reshape(-1, k)
        return _Sums(of_parts, of_stretches)
