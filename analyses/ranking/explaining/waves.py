"""Waves in tuning curves: does a unit's mean go up and down with a number, again and again?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.students_t import upper_tail

SURE = 0.01  # the largest p of a wave that is named
_FEWEST_PLACES = 8
_FEWEST_STRETCHES = 4  # that have to show both a crest and the trough beside it
_N_PERIODS = 400
_LEAST_EXPLAINED = 0.5  # of the curve's variance about a line
_DEGREE = 4  # of a polynomial with as many free parameters as a line and a wave: its period, phase and height

Array = NDArray[np.float64]


class Wave(NamedTuple):
    """The period and the p-value of a wave in a curve.

    Attributes:
        period: Period in the label's unit; None if there is no wave that is sure, and most of the curve.
        p: p-value under the null that the curve has at most one peak or trough; None if there are too few data.
    """

    period: float | None
    p: float | None


def find_wave(places: Array, sums: Array, counts: NDArray[np.int64]) -> Wave:
    """Look for a wave that goes through at least two periods.

    It is looked for in every other stretch of the text, among all periods, and tested in the stretches between: is the
    unit higher in its crests than in the troughs beside them? Stretches are the sample, since neighbouring characters
    share the unit's state. A curve that rises, falls, has one peak or a step can do so at about half of the borders
    between crests and troughs; p is for more than these. A wave is named if p is at most .01, and if the wave, with a
    line, explains more of the curve than a polynomial with as many parameters does, and at least half of what a line
    leaves.

    Args:
        places: (n_classes,) where each class, or bin, of a numeric label lies, in ascending order.
        sums: (n_stretches, n_classes) of the unit over the characters of each class in each stretch of the text.
        counts: (n_stretches, n_classes) how many characters these are.

    Source:
        Benjamini & Heller 2008, Biometrics 64:1215-1222: p-values for at least a given number of several hypotheses.
    """
    searched, tested = slice(0, None, 2), slice(1, None, 2)
    is_there = counts[searched].sum(axis=0) > 0
    x, sums, counts = places[is_there], sums[:, is_there], counts[:, is_there]
    if len(x) < _FEWEST_PLACES:
        return Wave(None, None)
    shortest, longest = 2 * float(np.median(np.diff(x))), float(x[-1] - x[0]) / 2
    if not 0 < shortest < longest:
        return Wave(None, None)
    frequencies = np.linspace(1 / longest, 1 / shortest, _N_PERIODS)
    candidate = _fit_wave(x, sums[searched], counts[searched], frequencies)
    p = _p_value(candidate.heights > 0, sums[tested], counts[tested])
    if p is None or p > SURE:
        return Wave(None, p)
    near = frequencies[np.abs(frequencies - candidate.frequency) <= 1 / (4 * longest)]
    wave = _fit_wave(x, sums, counts, near)
    line_error, polynomial_error = (_polynomial_error(x, sums, counts, degree) for degree in (1, _DEGREE))
    is_most = wave.squared_error < min((1 - _LEAST_EXPLAINED) * line_error, polynomial_error)
    return Wave(1 / wave.frequency if is_most else None, p)


class _FittedWave(NamedTuple):
    """The wave that fits a curve best, together with a line.

    Attributes:
        frequency: Its frequency.
        heights: (n_places,) its height at each place.
        squared_error: What wave and line leave of the curve.
    """

    frequency: float
    heights: Array
    squared_error: float


def _fit_wave(x: Array, sums: Array, counts: NDArray[np.int64], frequencies: Array) -> _FittedWave:
    """Fit a line and a wave of each frequency by weighted least squares, and return the best."""
    y, weights = _curve(sums, counts)
    angles = 2 * np.pi * frequencies[:, None] * x
    line = np.broadcast_to(np.vander(_scaled(x), 2), (*angles.shape, 2))
    design = np.concatenate([line, np.sin(angles)[..., None], np.cos(angles)[..., None]], axis=2)
    weighted = design * weights[:, None]  # (n_frequencies, n_places, 4)
    coefficients = np.linalg.pinv(weighted) @ y
    errors = ((y - (weighted @ coefficients[..., None])[..., 0]) ** 2).sum(axis=1)
    best = int(errors.argmin())
    heights = design[best, :, 2:] @ coefficients[best, 2:]
    return _FittedWave(float(frequencies[best]), heights, float(errors[best]))


def _polynomial_error(x: Array, sums: Array, counts: NDArray[np.int64], degree: int) -> float:
    """Return the squared error of the best polynomial of a degree."""
    y, weights = _curve(sums, counts)
    design = np.vander(_scaled(x), degree + 1) * weights[:, None]
    return float(((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum())


def _curve(sums: Array, counts: NDArray[np.int64]) -> tuple[Array, Array]:
    """(n_places,) means, times the weight of each, and the weights."""
    weights = np.sqrt(counts.sum(axis=0))
    return sums.sum(axis=0) / weights, weights


def _scaled(x: Array) -> Array:
    return np.asarray((x - x.mean()) / (x[-1] - x[0]))


def _p_value(is_crest: NDArray[np.bool_], sums: Array, counts: NDArray[np.int64]) -> float | None:
    """Test the null that a curve has at most one peak or trough, by the borders between crests and troughs."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(is_crest)) + 1])
    n_borders = len(starts) - 1
    n_needed = n_borders // 2 + 2  # one more than a curve with one peak or trough can have the right way round
    if n_borders < n_needed:
        return None
    signs = np.where(is_crest[starts[:-1]], 1.0, -1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.add.reduceat(sums, starts, axis=1) / np.add.reduceat(counts, starts, axis=1)
        differences = -np.diff(means, axis=1) * signs  # (n_stretches, n_borders)
        n = np.isfinite(differences).sum(axis=0)
        total = np.nansum(differences, axis=0)
        spread = np.nansum((differences - total / n) ** 2, axis=0)
        border_p = upper_tail(total / np.sqrt(n * spread / (n - 1)), n - 1)
    border_p = np.sort(border_p[(n >= _FEWEST_STRETCHES) & ~np.isnan(border_p)])
    if len(border_p) < n_needed:
        return None
    return min(1.0, float((n_borders - n_needed + 1) * border_p[n_needed - 1]))
