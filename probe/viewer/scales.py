"""Scales: values of a track as 255 levels, and the colour of each level."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError

MISSING = 255
"""The level of a character without a value."""
HIGHEST = MISSING - 1
"""The highest level of a value."""
_MIDDLE = 127
_MOST, _LEAST = 1e300, 1e-300  # beyond these, numbers overflow or vanish
_FULL_COLOUR_QUANTILE = 0.9  # so that a few outliers do not leave the other characters pale
_MOST_DISTINCT = 20  # whole numbers up to here above the lowest each have a colour of their own

ScaleKind = Literal["diverging", "sequential", "probability", "binary", "classes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What the levels of a track mean: a value is `offset + level * step`.

    Attributes:
        kind: How it is coloured: from two ends of a middle, from one end, from the colour of False to that of True,
            True or not, or a colour for each class.
        offset: The value of level 0.
        step: The difference of the values of neighbouring levels.
        gain: How many colours one level is; more than 1 where the full colour is reached before the farthest value.
        classes: Names of the classes, which are levels 0, 1, …; empty for other kinds.
        is_whole: Whether all values are whole numbers, which levels then give exactly.
    """

    kind: ScaleKind
    offset: float = 0.0
    step: float = 1.0
    gain: float = 1.0
    classes: tuple[str, ...] = ()
    is_whole: bool = False

    @property
    def pivot(self) -> int:
        """The level whose colour is that of the paper: the middle of a diverging scale, the low end of others."""
        return _MIDDLE if self.kind == "diverging" else 0

    @property
    def middle(self) -> float:
        """The value whose colour is that of the paper."""
        return self.offset + self.pivot * self.step

    @property
    def full(self) -> float:
        """How far from the middle a value has the full colour; values farther away have it, too."""
        return (HIGHEST - self.pivot) * self.step / self.gain

    @property
    def digits(self) -> int:
        """How many digits after the decimal point of a value mean something, given the step: 0 to 6."""
        return 0 if self.is_whole else min(max(round(-math.log10(self.step)), 0), 6)

    def values(self, levels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """(n_chars,) the values of levels, to half a step; NaN where they are missing."""
        values = self.offset + levels * self.step
        return np.where(levels == MISSING, np.nan, np.round(values) if self.is_whole else values)

    def levels(self, values: NDArray[np.floating]) -> NDArray[np.uint8]:
        """(n_chars,) the nearest levels of values, 0 to 254; `MISSING` where they are not finite numbers.

        Values beyond the ends of the scale have the levels of these.
        """
        values = _bounded(values)
        is_number = np.isfinite(values)
        nearest = np.floor((np.where(is_number, values, 0.0) - self.offset) / self.step + 0.5)
        return np.where(is_number, np.clip(nearest, 0, HIGHEST), MISSING).astype(np.uint8)

    def colours(self, levels: NDArray[np.uint8]) -> NDArray[np.intp]:
        """(n_chars,) the index of each level's colour in the table of the kind, 0 to 254; of missing ones, 0.

        Classes are their own indices; which of a shorter table is taken is theirs modulo its length.
        """
        if self.kind in ("binary", "classes"):
            return np.where(levels == MISSING, 0, levels).astype(np.intp)
        indices = np.floor(self.pivot + (levels.astype(np.float64) - self.pivot) * self.gain + 0.5)
        return np.where(levels == MISSING, 0, np.clip(indices, 0, HIGHEST)).astype(np.intp)


def diverging(values: NDArray[np.floating], middle: float) -> tuple[NDArray[np.uint8], Scale]:
    """Quantise values on a scale that goes from a middle both ways, equally far.

    Args:
        values: (n_chars,) any numbers; NaN is missing.
        middle: The value whose colour is that of the paper.

    Returns:
        (n_chars,) uint8 levels 0 to 254, or `MISSING`, and their scale. A tenth of the values have the full colour.
    """
    values, middle = _bounded(values), float(np.clip(middle, -_MOST, _MOST))
    distances = np.abs(values[np.isfinite(values)] - middle)
    farthest = _or_if_none(float(distances.max(initial=0.0)), 1.0)
    full = _or_if_none(float(np.quantile(distances, _FULL_COLOUR_QUANTILE)) if len(distances) else 0.0, farthest)
    step = farthest / _MIDDLE
    scale = Scale(kind="diverging", offset=middle - farthest, step=step, gain=farthest / full)
    return scale.levels(values), scale


def sequential(values: NDArray[np.floating], low: float | None = None) -> tuple[NDArray[np.uint8], Scale]:
    """Quantise values on a scale that goes from a low end up.

    Args:
        values: (n_chars,) any numbers; NaN is missing.
        low: The value of the low end, at most the lowest; None is the lowest.

    Returns:
        (n_chars,) uint8 levels 0 to 254, or `MISSING`, and their scale. A tenth of the values have the full
        colour; of whole numbers that are few, such as depths of brackets, only the highest.
    """
    values = _bounded(values)
    present = values[np.isfinite(values)]
    low = (float(present.min()) if len(present) else 0.0) if low is None else low
    span = _or_if_none(float((present - low).max(initial=0.0)), 1.0)
    is_whole = bool((present == np.round(present)).all()) and low == round(low) and span <= HIGHEST
    full = _or_if_none(float(np.quantile(present - low, _FULL_COLOUR_QUANTILE)) if len(present) else 0.0, span)
    if is_whole and span <= _MOST_DISTINCT:
        full = span
    scale = Scale(kind="sequential", offset=low, step=span / HIGHEST, gain=span / full, is_whole=is_whole)
    return scale.levels(values), scale


def probabilities(values: NDArray[np.floating]) -> tuple[NDArray[np.uint8], Scale]:
    """Return (n_chars,) levels of numbers in [0, 1], or `MISSING`, and their scale: 0 looks like False, 1 like True."""
    scale = Scale(kind="probability", step=1 / HIGHEST)
    return scale.levels(values), scale


def binary(values: NDArray[np.bool_], present: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], Scale]:
    """Return (n_chars,) levels 0 for False, 1 for True, or `MISSING`, and their scale."""
    return np.where(present, values, MISSING).astype(np.uint8), Scale(kind="binary", classes=("False", "True"))


def classes(
    values: NDArray[np.integer], present: NDArray[np.bool_], names: tuple[str, ...]
) -> tuple[NDArray[np.uint8], Scale]:
    """Return (n_chars,) levels that are numbers of classes, or `MISSING`, and their scale.

    Only classes that occur are kept, so that a vocabulary of any size fits.

    Raises:
        AnalysisError: If more than 255 classes occur.
    """
    occurring = np.unique(values[present])
    if len(occurring) > MISSING:
        raise AnalysisError(
            f"{len(occurring)} classes occur in the passage, and at most {MISSING} can be shown; choose a shorter one"
        )
    numbers = np.searchsorted(occurring, values) if len(occurring) else np.zeros(len(values), int)
    levels = np.where(present, numbers, MISSING).astype(np.uint8)
    return levels, Scale(kind="classes", classes=tuple(names[number] for number in occurring))


def _bounded(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return values in double precision, whose differences do not overflow; infinite ones and NaN as they are."""
    double = values.astype(np.float64)
    return np.where(np.isfinite(double), np.clip(double, -_MOST, _MOST), double)


def _or_if_none(width: float, other: float) -> float:
    """Return a width of a scale, or another one if it is 0, or too small to be divided into steps."""
    return width if width > _LEAST else other
