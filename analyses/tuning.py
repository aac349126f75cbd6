"""Tuning curves: the mean of a unit in each class of characters, or bin of a number."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.alignment import Target
from analyses.classes import Classes
from analyses.splits import TEST, TRAIN

_LEAST_WAVE = 0.5  # of the variance of the curve, that a wave has to explain
_FEWEST_PLACES = 24
_LEAST_SURE = 100  # times the variance that chance gives it, if characters were independent
_N_PERIODS = 400


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
        period: Of the wave that the curve is, in the label's unit; None if it is none.
    """

    hypothesis: str
    labels: tuple[str, ...] = field(repr=False)
    places: NDArray[np.float64] = field(repr=False)
    means: NDArray[np.float64] = field(repr=False)
    deviations: NDArray[np.float64] = field(repr=False)
    n: NDArray[np.int64] = field(repr=False)
    eta2: float
    period: float | None

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
    parts = asked.parts_of_text
    k = len(classes.names)

    def sums(rows: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        x, of = values[rows] - middle, classes.of[rows]
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
    return Tuning(
        hypothesis=asked.hypothesis,
        labels=classes.names,
        places=classes.middles,
        means=means + middle,
        deviations=deviations,
        n=n,
        eta2=float(1 - missed / scatter) if scatter > 0 else float("nan"),
        period=_period(classes.middles, means, deviations, n) if asked.kind == "numeric" else None,
    )


def _period(
    places: NDArray[np.float64], means: NDArray[np.float64], deviations: NDArray[np.float64], n: NDArray[np.int64]
) -> float | None:
    """Of the wave that fits a curve best, if that is most of what a line leaves, and goes round at least twice."""
    there = n > 0
    x, y, weights = places[there], means[there], np.sqrt(n[there])
    if len(x) < _FEWEST_PLACES:
        return None

    def missed(*columns: NDArray[np.float64]) -> float:
        design = np.stack([np.ones_like(x), x, *columns], axis=1) * weights[:, None]
        found = np.linalg.lstsq(design, y * weights, rcond=None)[0]
        return float(((y * weights - design @ found) ** 2).sum())

    steps = np.diff(x)
    shortest, longest = 2 * float(np.median(steps)), float(x[-1] - x[0]) / 2
    if not 0 < shortest < longest:
        return None
    periods = 1 / np.linspace(1 / longest, 1 / shortest, _N_PERIODS)
    rests = [missed(np.sin(2 * np.pi * x / period), np.cos(2 * np.pi * x / period)) for period in periods]
    best, of_line = int(np.argmin(rests)), missed()
    chance = float((n[there] * deviations[there] ** 2).sum() / n[there].sum())
    is_wave = rests[best] < (1 - _LEAST_WAVE) * of_line and of_line - rests[best] > _LEAST_SURE * chance
    return float(periods[best]) if is_wave else None
