"""Student's t distribution, from `scipy.special`: `scipy.stats` has the same values, and takes a second to import."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def upper_tail(t: ArrayLike, degrees_of_freedom: ArrayLike) -> NDArray[np.float64]:
    """Return the probability of a value above `t`, in [0, 1]; the arguments are broadcast.

    NaN where `t` is NaN, or the degrees of freedom are not above 0. They need not be whole numbers.
    """
    from scipy.special import stdtr

    return np.asarray(stdtr(degrees_of_freedom, -np.asarray(t)))


def two_sided_p(t: ArrayLike, degrees_of_freedom: ArrayLike) -> NDArray[np.float64]:
    """Return the probability of a value at least as far from 0 as `t`, on either side; NaN as for `upper_tail`."""
    return 2 * upper_tail(np.abs(t), degrees_of_freedom)


def quantile(share: float, degrees_of_freedom: ArrayLike) -> NDArray[np.float64]:
    """Return the value below which a share, in (0, 1), of the distribution lies."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(degrees_of_freedom, share))
