"""Intervals for means of bounded values: exact where all values agree, and they hold whatever the distribution."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from analyses.intervals.bounded_mean import bounded_mean_interval

Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]


@pytest.mark.parametrize("n", [8, 20])
def test_values_that_agree_have_the_exact_limit_of_a_proportion(rng: np.random.Generator, n: int) -> None:
    """Clopper and Pearson's: the share whose n-th power is .025."""
    low, high = bounded_mean_interval(np.stack([np.ones(n), np.zeros(n)], axis=1), rng)
    limit = 0.025 ** (1 / n)
    assert low == pytest.approx([limit, 0], abs=0.01)
    assert high == pytest.approx([1, 1 - limit], abs=0.01)


def test_zeros_and_ones_have_the_limits_of_a_proportion(rng: np.random.Generator) -> None:
    """15 of 20, by scipy's binomial test."""
    from scipy.stats import binomtest

    low, high = bounded_mean_interval((np.arange(20) < 15).astype(np.float64)[:, np.newaxis], rng)
    exact = binomtest(15, 20).proportion_ci(method="exact")
    assert (low[0], high[0]) == pytest.approx((exact.low, exact.high), abs=0.01)


@pytest.mark.parametrize(
    ("draw", "mean"),
    [
        (lambda rng, shape: rng.normal(0.5, 0.1, shape).clip(0, 1), 0.5),
        (lambda rng, shape: np.where(rng.random(shape) < 0.9, 1.0, 0.4), 0.94),
        (lambda rng, shape: rng.beta(20, 0.5, shape), 20 / 20.5),
    ],
)
@pytest.mark.parametrize("n", [8, 30])
def test_intervals_hold_for_any_distribution(rng: np.random.Generator, draw: Draw, mean: float, n: int) -> None:
    low, high = bounded_mean_interval(draw(rng, (n, 500)), rng)
    assert np.mean((low <= mean) & (mean <= high)) >= 0.95
    assert ((low >= 0) & (high <= 1)).all()


def test_a_mean_of_what_is_no_number_has_no_interval(rng: np.random.Generator) -> None:
    low, high = bounded_mean_interval(np.array([[0.5, np.nan]] * 8), rng)
    assert np.isfinite([low[0], high[0]]).all() and np.isnan([low[1], high[1]]).all()
