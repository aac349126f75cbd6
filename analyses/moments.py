"""Means, variances and covariances, which are updated block by block and can be merged.

They are kept as deviations from the mean, and merged by the formulas of Chan, Golub & LeVeque 1983 (The American
Statistician 37:242-247), so that nothing cancels however far the values are from 0.
"""

from dataclasses import dataclass

import numpy as np
from numba import prange
from numpy.typing import NDArray

from analyses.kernels import in_parallel
from analyses.threads import do_in_threads

_ROUNDING = 1e-12
_COLUMNS = 256  # whose products one thread adds up
_TILE = 32


@dataclass(slots=True, eq=False)
class Moments:
    """Means, variances and covariances of units with one number per character.

    Attributes:
        n: How many characters were added.
        mean: (n_units,) means of the units.
        label_mean: Mean of the number.
        scatter: (n_units,) sums of squared deviations of the units.
        label_scatter: Sum of squared deviations of the number.
        co_scatter: (n_units,) sums of products of the deviations of unit and number.
    """

    n: int
    mean: NDArray[np.float64]
    label_mean: float
    scatter: NDArray[np.float64]
    label_scatter: float
    co_scatter: NDArray[np.float64]

    @classmethod
    def empty(cls, n_units: int) -> "Moments":
        """Return the moments of no characters."""
        return cls(0, np.zeros(n_units), 0.0, np.zeros(n_units), 0.0, np.zeros(n_units))

    @classmethod
    def of(cls, values: NDArray[np.floating], labels: NDArray[np.float64]) -> "Moments":
        """Compute the moments of (n_chars, n_units) activations and (n_chars,) numbers."""
        if len(labels) == 0:
            return cls.empty(values.shape[1])
        label_mean = float(labels.mean())
        y = labels - label_mean
        mean, scatter, co_scatter = _moments(values if values.dtype != np.float16 else values.astype(np.float32), y)
        return cls(len(y), mean, label_mean, scatter, float(y @ y), co_scatter)

    def merge(self, other: "Moments") -> None:
        """Add the moments of other characters."""
        if other.n == 0:
            return
        n = self.n + other.n
        step, label_step = other.mean - self.mean, other.label_mean - self.label_mean
        weight = self.n * other.n / n
        self.scatter = self.scatter + other.scatter + weight * step**2
        self.label_scatter = self.label_scatter + other.label_scatter + weight * label_step**2
        self.co_scatter = self.co_scatter + other.co_scatter + weight * step * label_step
        self.mean = self.mean + step * (other.n / n)
        self.label_mean = self.label_mean + label_step * (other.n / n)
        self.n = n

    @property
    def deviation(self) -> NDArray[np.float64]:
        """(n_units,) standard deviations of the units."""
        return np.sqrt(self.scatter / max(self.n, 1))

    @property
    def correlation(self) -> NDArray[np.float64]:
        """(n_units,) Pearson's r of each unit with the number, in [-1, 1]; NaN where either never changes."""
        rounding = self.n * (_ROUNDING * self.mean) ** 2  # what a constant scatters by, computed in float64
        product = np.sqrt(np.where(self.scatter > rounding, self.scatter, 0.0) * self.label_scatter)
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.where(product > 0, self.co_scatter / product, np.nan)
        return np.asarray(np.clip(r, -1.0, 1.0))


@dataclass(slots=True, eq=False)
class Scatter:
    """Means of columns, and sums of products of deviations from them, for several groups of rows.

    Attributes:
        n: (n_groups,) how many rows each group has.
        mean: (n_groups, n_columns) means of the columns.
        products: (n_groups, n_columns, n_columns) sums of products, of which only the lower triangles are valid.
    """

    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    products: NDArray[np.float64]

    @classmethod
    def empty(cls, n_groups: int, n_columns: int) -> "Scatter":
        """Return means and products of no rows."""
        products = np.zeros((n_groups, n_columns, n_columns))
        return cls(np.zeros(n_groups, np.int64), np.zeros((n_groups, n_columns)), products)

    def add(self, group: int, rows: NDArray[np.float64]) -> None:
        """Add (n_rows, n_columns) rows to a group."""
        mean = rows.mean(axis=0)
        step, weight = self._step(group, mean, len(rows))
        deviations = np.vstack([rows - mean, np.sqrt(weight) * step])  # the last row is what merging adds
        products = self.products[group]

        def add(first: int) -> None:
            new, before = deviations[:, first : first + _COLUMNS], deviations[:, :first]
            with np.errstate(invalid="ignore", over="ignore"):  # a thread does not inherit this from its caller
                products[first : first + _COLUMNS, :first] += new.T @ before
                products[first : first + _COLUMNS, first : first + _COLUMNS] += new.T @ new

        do_in_threads(add, range(0, len(mean), _COLUMNS))

    def merge(self, other: "Scatter") -> None:
        """Add the rows of another scatter to the same groups."""
        for group in np.flatnonzero(other.n).tolist():
            self._merge(group, other, group)

    def together(self, groups: NDArray[np.int64]) -> "Scatter":
        """Join some groups into one, with whole matrices."""
        total = Scatter.empty(1, self.mean.shape[1])
        for group in groups[self.n[groups] > 0].tolist():
            total._merge(0, self, group)
        lower = np.tril(total.products[0])
        total.products[0] = lower + np.tril(lower, -1).T
        return total

    def _merge(self, group: int, other: "Scatter", others_group: int) -> None:
        step, weight = self._step(group, other.mean[others_group], int(other.n[others_group]))
        self.products[group] += other.products[others_group]
        self.products[group] += np.outer(weight * step, step)

    def _step(self, group: int, mean: NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], float]:
        """Count n rows with this mean; return its step from the mean so far, and the weight of the step's square."""
        n_before, step = int(self.n[group]), mean - self.mean[group]
        self.n[group] += n
        self.mean[group] += step * (n / (n_before + n))
        return step, n_before * n / (n_before + n)


@in_parallel
def _moments(
    values: NDArray[np.floating], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(n_units,) means, sums of squared deviations, and sums of products of these with numbers of mean 0.

    The same as `mean = values.mean(axis=0)`, `((values - mean) ** 2).sum(axis=0)` and `y @ (values - mean)`.
    """
    n_chars, n_units = values.shape
    mean, scatter, co_scatter = np.zeros(n_units), np.zeros(n_units), np.zeros(n_units)
    for tile in prange((n_units + _TILE - 1) // _TILE):
        first, last = tile * _TILE, min((tile + 1) * _TILE, n_units)
        for t in range(n_chars):
            for unit in range(first, last):
                mean[unit] += values[t, unit]
        for unit in range(first, last):
            mean[unit] /= n_chars
        for t in range(n_chars):
            for unit in range(first, last):
                deviation = values[t, unit] - mean[unit]
                scatter[unit] += deviation * deviation
                co_scatter[unit] += deviation * y[t]
    return mean, scatter, co_scatter
