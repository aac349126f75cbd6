"""Sums over the stretches of a text, of which intervals and p-values are made.

Neighbouring characters share both state and label, so that the stretches, and not the characters, are the sample.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class StretchSums:
    """Sums over the characters of each stretch (or of another part), of a number x of each unit and a label y.

    Attributes:
        n: (n_stretches,) characters with a label.
        y: (n_stretches,) sums of y, and `yy` of its squares.
        x: (n_stretches, n_units) sums of x, `xx` of its squares, and `xy` of its products with y.
    """

    n: NDArray[np.float64]
    y: NDArray[np.float64]
    yy: NDArray[np.float64]
    x: NDArray[np.float64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]

    def beside(self, other: "StretchSums") -> "StretchSums":
        """With the units of the same characters that stand behind these."""
        units = (np.concatenate([getattr(self, name), getattr(other, name)], axis=1) for name in ("x", "xx", "xy"))
        return StretchSums(self.n, self.y, self.yy, *units)

    def units(self, chosen: NDArray[np.int64]) -> "StretchSums":
        """The sums of some of the units."""
        return StretchSums(self.n, self.y, self.yy, self.x[:, chosen], self.xx[:, chosen], self.xy[:, chosen])

    def scaled(self, factor: float) -> "StretchSums":
        """With every x so many times as large."""
        return StretchSums(self.n, self.y, self.yy, self.x * factor, self.xx * factor**2, self.xy * factor)

    def together(self, n_each: int) -> "StretchSums":
        """So many neighbours added up to one."""
        return StretchSums(*(array.reshape(-1, n_each, *array.shape[1:]).sum(axis=1) for array in self._arrays))

    def of(self, stretches: NDArray[np.bool_]) -> "StretchSums":
        """The sums of some of the stretches."""
        return StretchSums(*(array[stretches] for array in self._arrays))

    @property
    def _arrays(self) -> tuple[NDArray[np.float64], ...]:
        return self.n, self.y, self.yy, self.x, self.xx, self.xy

    def centred(self) -> NDArray[np.float64]:
        """(n_stretches, n_units) sums of products of the deviations of x and y from their means over all of the text.

        Each has mean 0 if x and y have nothing to do with each other, whatever they have to do with themselves.
        """
        n = self.n.sum()
        mean_x, mean_y = self.x.sum(axis=0) / n, self.y.sum() / n
        return np.asarray(self.xy - mean_x * self.y[:, None] - mean_y * self.x + self.n[:, None] * mean_x * mean_y)


class JointSums:
    """Sums of products of numbers of units with several labels at once, separately for cells of characters.

    Attributes:
        xy: (n_cells, n_units, n_labels + n_masks) sums of products; in the last columns, of the units' numbers over the
            characters of each mask, which are those that have some of the labels.
        xx: (n_cells, n_units, n_masks) sums of their squares.
        y: (n_cells, n_labels + n_masks) sums of the labels, and numbers of characters; `yy` of their squares.
    """

    def __init__(self, n_cells: int, n_units: int, n_labels: int, n_masks: int = 1) -> None:
        n_columns = n_labels + n_masks
        self.xy, self.xx = np.zeros((n_cells, n_units, n_columns)), np.zeros((n_cells, n_units, n_masks))
        self.y, self.yy = np.zeros((n_cells, n_columns)), np.zeros((n_cells, n_columns))
        self._n_labels = n_labels

    def add(self, cell: int, x: NDArray[np.number], y: NDArray[np.float64], n: NDArray[np.int64] | None = None) -> None:
        """Add characters of a cell.

        Args:
            cell: Which one.
            x: (n_units, n_chars) numbers of the units; or (n_units, n_codes) their sums over characters with equal y.
            y: (n_chars, n_labels + n_masks) labels, 0 where they are missing, and masks, 1 where they are not.
            n: (n_codes,) how many characters each sum is of; the squares of x are then not known.
        """
        self.xy[cell] += x @ y
        if n is None:
            self.xx[cell] += np.square(x) @ y[:, self._n_labels :]
            n = np.ones(len(y), np.int64)
        self.y[cell] += n @ y
        self.yy[cell] += n @ np.square(y)

    def of_label(self, label: int, mask: int = 0) -> StretchSums:
        """The sums of one of the labels, a cell each."""
        column = self._n_labels + mask
        return StretchSums(
            self.y[:, column],
            self.y[:, label],
            self.yy[:, label],
            self.xy[:, :, column],
            self.xx[:, :, mask],
            self.xy[:, :, label],
        )
