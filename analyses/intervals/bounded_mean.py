"""Intervals for means of values within 0 and 1 that hold whatever the distribution, also where all values agree."""

import numpy as np
from numpy.typing import NDArray

_MOST_DRAWS, _MOST_WEIGHTS = 10_000, 2_000_000

Array = NDArray[np.float64]


def bounded_mean_interval(values: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the ends of 95 % intervals for the means of independent values within 0 and 1.

    The weights of the values are drawn as in the Bayesian bootstrap, with one more value, which has not been seen: 0
    for the lower end, and 1 for the upper. So values that are all 1 do not make the mean certain: of 8 of them the
    lower end is 8√.025 = .63, the exact limit for a proportion. Student's t would give no width there, and covers far
    less than 95 % where a few values differ much from the others.

    Args:
        values: (n, n_means) of one distribution for each mean, in [0, 1].
        rng: Draws the weights.

    Returns:
        (n_means,) lower and upper ends, in [0, 1]; NaN where a value is NaN.

    Source:
        Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative
        variable"; Learned-Miller & Thomas 2019, arXiv:1905.06208.
    """
    n = len(values)
    weights = rng.exponential(size=(min(_MOST_DRAWS, max(_MOST_WEIGHTS // (n + 1), 1_000)), n + 1))
    weights /= weights.sum(axis=1, keepdims=True)
    means = weights[:, :n] @ values
    low, high = np.quantile(means, 0.025, axis=0), np.quantile(means + weights[:, n:], 0.975, axis=0)
    return np.asarray(low), np.asarray(np.minimum(high, 1.0))
