"""Hessians of the summed loss of a probe, as measured at all rows or a sample of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A weighted sample of the rows of a design.

    Attributes:
        rows: (n, n_columns + 1) the rows; the last column is 1.
        weights: (n,) weights of the rows.
    """

    rows: NDArray[Any]
    weights: Array


@dataclass(frozen=True, eq=False)
class Hessian:
    """The second derivatives of a summed loss by the coefficients of a probe.

    Attributes:
        blocks: For each output, the second derivatives by its own coefficients: (n_columns + 1, n_columns + 1).
        sample: The rows that it was measured at, if there are several classes, whose coefficients have mixed
            derivatives; None of a single output.
        probabilities: (n, n_classes) the probabilities of the classes in these rows; None of a single output.
        rounding: Rounding error of the blocks, relative to their diagonals.
    """

    blocks: Sequence[Array]
    sample: Sample | None
    probabilities: Array | None
    rounding: float

    @cached_property
    def intercept_curvatures(self) -> Array:
        """(n_outputs,) the second derivatives by the intercepts."""
        return np.array([block[-1, -1] for block in self.blocks])

    def times(self, v: Array) -> Array:
        """(n_columns + 1, n_outputs) product with coefficients of that shape."""
        if self.sample is None or self.probabilities is None:
            return np.column_stack([block @ v[:, k] for k, block in enumerate(self.blocks)])
        z = self.sample.rows @ v.astype(self.sample.rows.dtype)
        return np.asarray(self.sample.rows.T @ self.residual_changes(z).astype(z.dtype), np.float64)

    def residual_changes(self, z: NDArray[Any]) -> Array:
        """(n, n_classes) how the weighted residuals of the sample change, to first order, if the logits change by z."""
        if self.sample is None or self.probabilities is None:
            raise ValueError("the Hessian of a single output has no sample")
        mean = (self.probabilities * z).sum(axis=1, keepdims=True)
        return np.asarray(self.sample.weights[:, None] * self.probabilities * (z - mean))

    def looseness(self, added: Array) -> float:
        """Return the factor by which a decrease may be underestimated if curvatures are added to the intercepts'.

        Args:
            added: (n_columns + 1, n_outputs) a diagonal that is added, of which the last row counts.
        """
        return 1 + float((added[-1] / np.maximum(self.intercept_curvatures, 1e-300)).max())


def hessian_of_output(sample: Sample) -> Hessian:
    """Return the Hessian of a single output, at rows that are weighted by their own second derivatives."""
    return Hessian([_products(sample.rows, sample.weights)], None, None, _rounding(sample))


def hessian_of_products(products: Array) -> Hessian:
    """Return the Hessian of a single output, given weighted sums of products of the columns of all rows."""
    return Hessian([products], None, None, 10 * float(np.finfo(products.dtype).eps))


def hessian_of_classes(sample: Sample, coefficients: Array) -> Hessian:
    """Return the Hessian of several classes, at coefficients (n_columns + 1, n_classes)."""
    probabilities = softmax(sample.rows @ coefficients.astype(sample.rows.dtype), axis=1).astype(np.float64)
    blocks = [_products(sample.rows, sample.weights * p * (1 - p)) for p in probabilities.T]
    return Hessian(blocks, sample, probabilities, _rounding(sample))


def _products(rows: NDArray[Any], weights: Array) -> Array:
    """(n_columns, n_columns) weighted sums over rows of the products of columns."""
    x = rows * np.sqrt(weights).astype(rows.dtype)[:, None]
    return np.asarray(x.T @ x, np.float64)


def _rounding(sample: Sample) -> float:
    return 10 * float(np.finfo(sample.rows.dtype).eps)


def centred(coefficients: Array) -> Array:
    """Subtract from the coefficients of several classes their mean over the classes, which changes no probability."""
    return coefficients - coefficients.mean(axis=1, keepdims=True) if coefficients.shape[1] > 1 else coefficients
