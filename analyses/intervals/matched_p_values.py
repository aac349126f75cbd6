"""p-values beside matched interventions: does one differ from those like it by more than chance explains?"""

import numpy as np

from analyses.intervals.students_t import two_sided_p

FEWEST_MATCHED = 5
"""The number of matched interventions below which there is no p-value."""


def matched_p_value(
    difference: float,
    error_variance: float,
    error_degrees_of_freedom: float,
    *,
    matched_variance: float,
    matched_error_variance: float,
    n_matched: int,
) -> float:
    """Return the two-sided p-value of the difference between an effect and the mean of matched ones.

    The effects are measured on the same sample, so that a large part of their sampling errors is common to all, and
    drops out of the difference. What is left of them is in the sample variance s² of the matched effects, too, and is
    taken out of it, so that it does not count twice: with the variance E² of the difference's own sampling error, and v
    the part of s² that sampling errors explain, the variance of the difference is

        E² + (1 + 1/m) max(s² − v, 0)

    s² alone would be wrong where the tested intervention does more than the matched ones do: its sampling error is then
    larger than theirs.

    Args:
        difference: The effect less the mean of the matched ones.
        error_variance: E², the variance of its sampling error, estimated from the sample.
        error_degrees_of_freedom: Those with which E² is estimated.
        matched_variance: s², the sample variance of the matched effects.
        matched_error_variance: v, the expected value of s² if the matched effects differed by sampling error alone.
        n_matched: m, the number of matched interventions.

    Returns:
        The p-value by Student's t. Its degrees of freedom are Satterthwaite's, and at least the smaller of those of E²
        and s², as they are for a sum of variances. NaN for fewer than five matched interventions, or if a variance is
        not known. Without any variance, 1 if there is no difference, and else NaN.

    Source:
        DerSimonian & Laird 1986, Controlled Clinical Trials 7:177-188, for the variance between effects. Satterthwaite
        1946, Biometrics Bulletin 2:110-114.
    """
    if n_matched < FEWEST_MATCHED:
        return float(np.nan)
    scale = 1 + 1 / n_matched
    between = max(matched_variance - matched_error_variance, 0.0)
    variance = error_variance + scale * between
    if not variance > 0:
        return 1.0 if difference == 0 and variance == 0 else float(np.nan)
    degrees_of_freedom = error_degrees_of_freedom
    if between > 0:
        uncertainty = error_variance**2 / error_degrees_of_freedom + (scale * matched_variance) ** 2 / (n_matched - 1)
        degrees_of_freedom = max(variance**2 / uncertainty, min(error_degrees_of_freedom, n_matched - 1))
    return float(two_sided_p(difference / np.sqrt(variance), degrees_of_freedom))
