"""The labels that probes are fitted to, as the numbers that a loss takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.targets.row_runs import RowMask, RowView, pieces_of_rows
from hypotheses.labels import Kind


@dataclass(frozen=True, eq=False)
class Response:
    """The labels of the rows of a design.

    Attributes:
        kind: Binary, categorical or numeric: it decides which loss is used.
        values: (n_rows,) the class of each row, in any integer dtype, or bool, and -1 where the label is missing; or
            the number, NaN where it is missing.
        n_classes: Number of classes; 1 for a numeric label.
        missing: (n_rows,) True where the label is missing, whatever is in `values`; None: nowhere.
    """

    kind: Kind
    values: NDArray[Any] | RowView
    n_classes: int
    missing: NDArray[np.bool_] | RowView | None = None

    def at(self, rows: slice) -> NDArray[Any]:
        """(n_rows,) integers, -1 where the label is missing; or float64, NaN where it is missing."""
        values = self.values[rows]
        if self.kind == "numeric":
            values = values.astype(np.float64, copy=False)
        elif values.dtype.itemsize == 1:
            values = values.view(np.int8)
        return values if self.missing is None else np.where(self.missing[rows], self._missing_value, values)

    @property
    def _missing_value(self) -> Any:
        return np.nan if self.kind == "numeric" else np.int8(-1)

    def are_present(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Return True for every value from `at` that is a label, and not the mark of a missing one."""
        return np.asarray(~np.isnan(values) if self.kind == "numeric" else values >= 0)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n_rows,) True where the row has a label."""
        return self.are_present(self.at(slice(None)))

    def labels_in(self, mask: RowMask) -> Iterator[NDArray[Any]]:
        """Yield the labels of the rows of a mask, a piece of the text at a time."""
        for rows in pieces_of_rows(len(mask)):
            values = self.at(rows)[mask[rows]]
            yield values[self.are_present(values)]

    def has_two(self, mask: RowMask) -> bool:
        """Return True if the rows of a mask have two different labels or more."""
        first = None
        for values in self.labels_in(mask):
            if len(values):
                first = values[0] if first is None else first
                if (values != first).any():
                    return True
        return False

    def has_any(self, mask: RowMask) -> bool:
        """Return True if any row of a mask has a label."""
        return any(len(values) for values in self.labels_in(mask))

    @cached_property
    def centre(self) -> float:
        """The mean of a numeric label, which is subtracted before fitting; 0 for classes, or without labels."""
        return self._mean(lambda values: values) if self.kind == "numeric" else 0.0

    @cached_property
    def variance(self) -> float:
        """The variance of a numeric label; 1 for classes, or without labels."""
        if self.kind != "numeric" or not self.has_any(np.ones(len(self.values), np.bool_)):
            return 1.0
        return self._mean(lambda values: np.square(values - self.centre))

    def _mean(self, of: Callable[[NDArray[Any]], NDArray[Any]]) -> float:
        """Return the mean of a function of the labels; 0 if there are none."""
        total, n = 0.0, 0
        for values in self.labels_in(np.ones(len(self.values), np.bool_)):
            total, n = total + float(of(values).sum()), n + len(values)
        return total / max(n, 1)

    @property
    def n_outputs(self) -> int:
        """Number of outputs of a probe: one logit, a logit for each of three or more classes, or one value."""
        return self.n_classes if self.kind == "categorical" else 1

    def sums(self, mask: RowMask, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        """Sum the weights of the rows of a mask.

        Returns:
            For classes, (n_classes,) the summed weights of the rows of each class. For numbers, (2,) the summed
            weights, and the weighted sum of the labels less `centre`.
        """
        total = np.zeros(2 if self.kind == "numeric" else self.n_classes)
        for rows in pieces_of_rows(len(mask)):
            values = self.at(rows)
            is_used = mask[rows] & self.are_present(values)
            values, row_weights = values[is_used], None if weights is None else weights[rows][is_used]
            if self.kind == "numeric":
                row_weights = np.ones(len(values)) if row_weights is None else row_weights
                total += row_weights.sum(), (values - self.centre) @ row_weights
            else:
                total += np.bincount(values, row_weights, self.n_classes)
        return total
