"""Could it be chance? P-values, q-values and intervals that take stretches of text, not characters, as the sample."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.stretch_sums import StretchSums

LEVEL = 0.95
_ENDS = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
_N_RESAMPLES = 1000
_N_STRETCHES = 50
FEWEST = 4  # stretches, below which nothing is said


class Evidence(NamedTuple):
    """How sure it is that units have something to do with a label.

    Attributes:
        p: (n_units,) two-sided p-values, of the hypothesis that they have nothing to do with each other.
        n_effective: (n_units,) how many independent characters would be as much evidence as these.
    """

    p: NDArray[np.float64]
    n_effective: NDArray[np.float64]


def evidence(sums: StretchSums) -> Evidence:
    """Test each unit by how its stretches agree.

    If a unit and a label are independent, the sums of products of their deviations in different stretches are, but for
    the borders, independent and of mean 0, however slowly both change. Their mean over its standard error has Student's
    t distribution with one degree of freedom less than there are stretches: a cluster-robust test. For ranks and a
    label that is True or False it is one of the AUC.

    Args:
        sums: Of all stretches.

    Returns:
        NaN for units that never change, and for fewer than 4 stretches.
    """
    from scipy.stats import t as student

    sums = sums.of(sums.n > 0)
    n_stretches, n_units = sums.x.shape
    if n_stretches < FEWEST:
        return Evidence(np.full(n_units, np.nan), np.full(n_units, np.nan))
    n = sums.n.sum()
    centred = sums.centred()
    spread = centred.var(axis=0, ddof=1) * n_stretches
    variance_x = sums.xx.sum(axis=0) / n - (sums.x.sum(axis=0) / n) ** 2
    variance_y = sums.yy.sum() / n - (sums.y.sum() / n) ** 2
    changes = (spread > 0) & (variance_x > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(changes, centred.sum(axis=0) / np.sqrt(spread), np.nan)
        n_effective = np.where(changes, np.minimum(n * n * variance_x * variance_y / spread, n), np.nan)
    return Evidence(2 * student.sf(np.abs(z), n_stretches - 1), n_effective)


def q_values(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each p-value, the share of false ones to expect among all that are at most as large.

    Those that are NaN stay NaN, and do not count.

    Source:
        Benjamini & Hochberg 1995, Journal of the Royal Statistical Society B 57:289-300.
    """
    from scipy.stats import false_discovery_control

    q = np.full(p.shape, np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = false_discovery_control(p[known])
    return q


@lru_cache(maxsize=16)
def draws(n_stretches: int, seed: int) -> NDArray[np.float64]:
    """(n_draws, n_stretches) how often each stretch is in each of the draws of a bootstrap; not to be written to."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_stretches, np.full(n_stretches, 1 / n_stretches), _N_RESAMPLES).astype(np.float64)
    drawn.flags.writeable = False
    return drawn


def interval(drawn: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % interval of a number that was found in each draw; NaN where none says anything."""
    known = drawn[np.isfinite(drawn)]
    if len(known) == 0:
        return np.nan, np.nan
    low, high = np.quantile(known, _ENDS)
    return float(low), float(high)


def mean_interval(values: NDArray[np.floating], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of a mean over the characters of a text, from drawing 50 stretches of it anew.

    Args:
        values: (n_chars,) one after another.
        seed: Of the draws.

    Returns:
        NaN for fewer than 4 characters.
    """
    stretches = np.array_split(values.astype(np.float64), min(_N_STRETCHES, len(values)))
    if len(stretches) < FEWEST:
        return np.nan, np.nan
    sums, sizes = np.array([(each.sum(), len(each)) for each in stretches]).T
    weights = draws(len(stretches), seed)
    return interval((weights @ sums) / (weights @ sizes))


def auc_spread(
    sums: StretchSums, placed: NDArray[np.int64], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far an AUC moves, down and up, when the stretches are drawn anew: a bootstrap's 95 % interval about it.

    What each stretch adds is taken to first order: the positives that were drawn among all negatives, and the negatives
    that were drawn among all positives.

    Args:
        sums: Of the label, over the stretches in question.
        placed: (2, n_stretches, n_units) the placements of these stretches; see `placements.placements`.
        seed: Of the draws.

    Returns:
        (n_units,) the lower and the upper end, less the AUC itself; NaN for fewer than 4 stretches.
    """
    n_positive, n_negative = sums.y, sums.n - sums.y
    of_positive, of_negative = placed[0] / max(2 * n_negative.sum(), 1), placed[1] / max(2 * n_positive.sum(), 1)

    def aucs(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        of_positives = (weights @ of_positive) / (weights @ n_positive)[:, None]
        return np.asarray(of_positives + (weights @ of_negative) / (weights @ n_negative)[:, None])

    return _spread(of_positive.shape, aucs, (n_positive, n_negative), seed)


def r_spread(sums: StretchSums, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same of Pearson's r."""

    def correlations(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        n, y, yy = ((weights @ each)[:, None] for each in (sums.n, sums.y, sums.yy))
        x, xx, xy = (weights @ each for each in (sums.x, sums.xx, sums.xy))
        product = np.sqrt(np.maximum((xx - x * x / n) * (yy - y * y / n), 0.0))
        return np.asarray((xy - x * y / n) / product)

    return _spread(sums.x.shape, correlations, (sums.n,), seed)


def _spread(
    shape: tuple[int, ...],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    needed: tuple[NDArray[np.float64], ...],
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n_stretches, n_units = shape
    if n_stretches < FEWEST:
        return np.full(n_units, np.nan), np.full(n_units, np.nan)
    weights = draws(n_stretches, seed)
    for each in needed:  # a draw without characters of both kinds says nothing
        weights = weights[weights @ each > 0]
    if len(weights) == 0:
        return np.full(n_units, np.nan), np.full(n_units, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = statistic(np.ones((1, n_stretches)))[0]
        ends = np.quantile(statistic(weights), _ENDS, axis=0)
    return ends[0] - middle, ends[1] - middle
