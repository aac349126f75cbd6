"""Saturated units: float16 would make one number of many values that differ in float32, and so lose their order.

A saturated unit stays near 1 or -1, where float16 has few numbers. An AUC is made of nothing but the order of values,
so that a site with such units is kept in float32.
"""

import numpy as np
from numpy.typing import NDArray

MOST_SHARED = 0.01
_FEWEST_SHARED = 16
_MINUS_0 = 0x8000


def loses_order(values: NDArray[np.float32]) -> bool:
    """Return whether float16 would lose the order of any unit, by the rule of `largest_shared`.

    Args:
        values: (n_chars, n_units) activations.
    """
    fewest = max(_FEWEST_SHARED, int(MOST_SHARED * len(values)) + 1)
    if len(values) < fewest:
        return False
    with np.errstate(over="ignore"):
        bits = np.ascontiguousarray(values.astype(np.float16).view(np.uint16).T)
    bits[bits == _MINUS_0] = 0
    in_order = np.sort(bits, axis=1, kind="stable")  # a radix sort, in linear time
    may_lose = (in_order[:, fewest - 1 :] == in_order[:, : len(values) - fewest + 1]).any(axis=1)
    return any(largest_shared(values[:, [unit]])[0] > MOST_SHARED for unit in np.flatnonzero(may_lose))


def largest_shared(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return each unit's largest share of characters that are one number in float16 and several in float32.

    Rounding to float16 moves the AUC for a binary label by at most half of this share, divided by the share of the
    commoner class: by at most the share itself where both classes are equally common, and by half of it where one is
    rare. The bound is reached only if these characters hold all of one class and the unit separates the classes there.

    Args:
        values: (n_chars, n_units) activations.

    Returns:
        (n_units,) in [0, 1]; 0 if these are fewer than 16 characters, which may happen by chance.
    """
    return np.array([_largest_shared(of_unit) for of_unit in np.sort(values.T, axis=1)], np.float64)


def _largest_shared(in_order: NDArray[np.float32]) -> float:
    with np.errstate(over="ignore"):
        rounded = in_order.astype(np.float16)
    starts = np.flatnonzero(np.append(True, rounded[1:] != rounded[:-1]))
    n_changes = np.append(0, np.cumsum(in_order[1:] != in_order[:-1]))
    stops = np.append(starts[1:], len(in_order))
    run_lengths = (stops - starts)[n_changes[stops - 1] > n_changes[starts]]
    n_shared = int(run_lengths.max(initial=0))
    return n_shared / len(in_order) if n_shared >= _FEWEST_SHARED else 0.0
