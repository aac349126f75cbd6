"""What probes are fitted to: labels in the numbers that a loss takes, and the losses."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from analyses.targets.row_runs import RowMask, RowView, pieces_of_rows
from hypotheses.labels import Kind


@dataclass(frozen=True, eq=False)
class Response:
    """The labels of the rows of a design.

    Attributes:
        kind: Binary, categorical or numeric: which loss is meant.
        values: (n_rows,) the class of each row, in any number type, or bool, and -1 where the label is missing; or the
            number, NaN where it is missing.
        n_classes: How many there are; 1 for a numeric label.
        missing: (n_rows,) where the label is missing, too, whatever stands in `values`; None is nowhere.
    """

    kind: Kind
    values: NDArray[Any] | RowView
    n_classes: int
    missing: NDArray[np.bool_] | RowView | None = None

    def at(self, rows: slice) -> NDArray[Any]:
        """(n_rows,) whole numbers, -1 where the label is missing; or float64, NaN where it is missing."""
        values = self.values[rows]
        if self.kind == "numeric":
            values = values.astype(np.float64, copy=False)
        elif values.dtype.itemsize == 1:
            values = values.view(np.int8)
        return values if self.missing is None else np.where(self.missing[rows], self._missing, values)

    @property
    def _missing(self) -> Any:
        return np.nan if self.kind == "numeric" else np.int8(-1)

    def is_there(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of some values are labels."""
        return np.asarray(~np.isnan(values) if self.kind == "numeric" else values >= 0)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n_rows,) where there is a label."""
        return self.is_there(self.at(slice(None)))

    def labels_in(self, mask: RowMask) -> Iterator[NDArray[Any]]:
        """The labels in some rows, a piece of the text at a time."""
        for rows in pieces_of_rows(len(mask)):
            values = self.at(rows)[mask[rows]]
            yield values[self.is_there(values)]

    def has_two(self, mask: RowMask) -> bool:
        """Whether there are two different labels or more in some rows."""
        first = None
        for values in self.labels_in(mask):
            if len(values):
                first = values[0] if first is None else first
                if (values != first).any():
                    return True
        return False

    def has_any(self, mask: RowMask) -> bool:
        """Whether there is a label in some rows."""
        return any(len(values) for values in self.labels_in(mask))

    @cached_property
    def middle(self) -> float:
        """The mean of a numeric label, from which it is fitted; 0 of classes, or of no labels."""
        return self._mean(lambda values: values) if self.kind == "numeric" else 0.0

    @cached_property
    def variance(self) -> float:
        """That of a numeric label; 1 of classes, or of no labels."""
        if self.kind != "numeric" or not self.has_any(np.ones(len(self.values), np.bool_)):
            return 1.0
        return self._mean(lambda values: np.square(values - self.middle))

    def _mean(self, of: Callable[[NDArray[Any]], NDArray[Any]]) -> float:
        """The mean over all labels of what a function makes of each; 0 if there are none."""
        total, n = 0.0, 0
        for values in self.labels_in(np.ones(len(self.values), np.bool_)):
            total, n = total + float(of(values).sum()), n + len(values)
        return total / max(n, 1)

    @property
    def n_scores(self) -> int:
        """How many numbers a probe gives for a row: a logit, one for each of three or more classes, or a value."""
        return self.n_classes if self.kind == "categorical" else 1

    def sums(self, mask: RowMask, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """How much the rows of a mask weigh together.

        Returns:
            (n_classes,) those of each class; of numbers (2,) those of all, and the sum of their distances from the
            middle, weighed.
        """
        total = np.zeros(2 if self.kind == "numeric" else self.n_classes)
        for rows in pieces_of_rows(len(mask)):
            values = self.at(rows)
            chosen = mask[rows] & self.is_there(values)
            values, own = values[chosen], None if weights is None else weights[rows][chosen]
            if self.kind == "numeric":
                own = np.ones(len(values)) if own is None else own
                total += own.sum(), (values - self.middle) @ own
            else:
                total += np.bincount(values, own, self.n_classes)
        return total


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
