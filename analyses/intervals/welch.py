"""Welch's test: is a difference larger than two independent errors together explain?"""

import numpy as np


def welch_p_value(difference: float, variances: tuple[float, float], degrees_of_freedom: tuple[float, float]) -> float:
    """Return the two-sided p-value of a difference with two independent errors, by Student's t.

    Args:
        difference: The difference; 0 under the null.
        variances: The variance of each error.
        degrees_of_freedom: Those with which each variance is estimated.

    Returns:
        The p-value; without any error 1 if there is no difference, and NaN otherwise.

    Source:
        Welch 1947, Biometrika 34:28-35.
    """
    from scipy.stats import t as student

    total = sum(variances)
    if not total > 0:
        return 1.0 if difference == 0 else float(np.nan)
    shares = (variance**2 / freedom for variance, freedom in zip(variances, degrees_of_freedom, strict=True))
    return float(2 * student.sf(abs(difference) / np.sqrt(total), total**2 / sum(shares)))
