"""Counts of unbroken runs of neighbouring characters with each value of a label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ENOUGH_RUNS = 50  # held-out runs, below which a score is called uncertain


class RunCounts:
    """Counts the unbroken runs of each value among chosen rows, which may be added some at a time.

    Attributes:
        n: (n_values,) runs of each value.
    """

    def __init__(self, n_values: int) -> None:
        """Start with no rows; values are from 0 up to `n_values`."""
        self.n = np.zeros(n_values, np.int64)
        self._last_value = n_values  # which stands for rows that are not chosen

    def add(self, values: NDArray[Any], is_chosen: NDArray[np.bool_]) -> None:
        """Add the next (n_rows,) values, of which only the chosen ones count."""
        not_chosen = len(self.n)
        values = np.where(is_chosen, values, not_chosen)
        begins = np.diff(values, prepend=self._last_value) != 0
        self.n += np.bincount(values[begins], minlength=not_chosen + 1)[:not_chosen]
        self._last_value = int(values[-1]) if len(values) else self._last_value
