"""What probes are fitted to: labels in the numbers that a loss takes, and the losses."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.labels import Kind


@dataclass(frozen=True, eq=False)
class Response:
    """The labels of the rows of a design.

    Attributes:
        kind: Binary, categorical or numeric: which loss is meant.
        values: (n_rows,) the class of each row, and -1 where the label is missing; of a numeric label float64, NaN
            where it is missing.
        n_classes: How many there are; 1 for a numeric label.
    """

    kind: Kind
    values: NDArray[Any]
    n_classes: int

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n_rows,) where there is a label."""
        return np.asarray(~np.isnan(self.values) if self.kind == "numeric" else self.values >= 0)

    @cached_property
    def middle(self) -> float:
        """The mean of a numeric label, from which it is fitted; 0 of classes, or of no labels."""
        return float(self.values[self.present].mean()) if self._has_numbers else 0.0

    @cached_property
    def variance(self) -> float:
        """That of a numeric label; 1 of classes, or of no labels."""
        return float(self.values[self.present].var()) if self._has_numbers else 1.0

    @property
    def _has_numbers(self) -> bool:
        return self.kind == "numeric" and bool(self.present.any())

    @property
    def n_scores(self) -> int:
        """How many numbers a probe gives for a row: a logit, one for each of three or more classes, or a value."""
        return self.n_classes if self.kind == "categorical" else 1

    def counts(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n_classes,) how much the rows of each class weigh together, of rows (n_rows,) that weigh so much."""
        present = self.present
        return np.bincount(self.values[present], weights[present], self.n_classes).astype(np.float64)


def logistic(
    z: NDArray[Any], y: NDArray[Any], weights: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[Any]]:
    """The loss, in nats, of logits of labels that are 0 or 1.

    Args:
        z: (n_rows, n_probes) logits.
        y: (n_rows, n_probes) labels, in the number type of z.
        weights: (n_rows, n_probes) of the rows, 0 to leave them out.

    Returns:
        Residuals (n_rows, n_probes), which are the derivatives of the losses by z, the summed losses (n_probes,), and
        the second derivatives (n_rows, n_probes).
    """
    small = np.exp(-np.abs(z))
    residuals, curvatures, losses = np.empty_like(z), np.empty_like(z), np.zeros(z.shape[1])
    _logistic(z, y, weights, small, np.log(1 + small), residuals, losses, curvatures)
    return residuals, losses, curvatures


@njit(nogil=True, cache=True, error_model="numpy")
def _logistic(
    z: NDArray[Any],
    y: NDArray[Any],
    weights: NDArray[Any],
    small: NDArray[Any],
    logs: NDArray[Any],
    residuals: NDArray[Any],
    losses: NDArray[np.float64],
    curvatures: NDArray[Any],
) -> None:
    """What `logistic` returns, from exp(−|z|) and log(1 + exp(−|z|)), where the sum has been rounded.

    The logarithm is that of the sum as it is, made exact as by Kahan (Goldberg 1991, ACM Computing Surveys 23:5-48),
    in a third of the time that log1p takes.
    """
    n_rows, n_probes = z.shape
    zero, one = z.dtype.type(0), z.dtype.type(1)  # beside which float32 stays float32
    for row in range(n_rows):
        for probe in range(n_probes):
            rounded = one + small[row, probe]
            of_larger = one / rounded
            of_smaller = small[row, probe] * of_larger
            p = of_larger if z[row, probe] >= 0 else of_smaller
            residuals[row, probe] = (p - y[row, probe]) * weights[row, probe]
            curvatures[row, probe] = of_larger * of_smaller * weights[row, probe]
            share = rounded - one
            log = logs[row, probe] * (small[row, probe] / share) if share > 0 else small[row, probe]
            loss = log + max(z[row, probe], zero) - y[row, probe] * z[row, probe]
            losses[probe] += loss * weights[row, probe]


def softmax(
    z: NDArray[Any], classes: NDArray[Any], weights: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[Any]]:
    """The loss, in nats, of logits of classes.

    Args:
        z: (n_rows, n_classes) logits.
        classes: (n_rows,) places of the right ones.
        weights: (n_rows,) of the rows, 0 to leave them out.

    Returns:
        As `logistic` does, for one probe of n_classes scores; of the second derivatives those by the same score twice.
    """
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z)
    total = p.sum(axis=1)
    rows = np.arange(len(z))
    losses = np.log(total) - z[rows, classes]
    p /= total[:, None]
    curvatures = p * (1 - p) * weights[:, None]
    p[rows, classes] -= 1
    return p * weights[:, None], (losses * weights).sum(dtype=np.float64)[None], curvatures


def squared(
    z: NDArray[Any], y: NDArray[Any], weights: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[Any]]:
    """Half the squared error of numbers; arguments and results as of `logistic`."""
    residuals = (z - y) * weights
    return residuals, 0.5 * column_sums(residuals * (z - y)), weights


@njit(nogil=True, cache=True)
def column_sums(numbers: NDArray[Any]) -> NDArray[np.float64]:
    """(n_columns,) sums over the rows of (n_rows, n_columns) numbers, in float64."""
    n_rows, n_columns = numbers.shape
    sums = np.zeros(n_columns)
    for row in range(n_rows):
        for column in range(n_columns):
            sums[column] += numbers[row, column]
    return sums
