"""Sums over the atoms of a text, of which scores, intervals and p-values are made.

Neighbouring characters share both state and label, so that pieces of the text, and not its characters, are the sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class AtomSums:
    """Sums over the characters of each atom (or of another part), of a number x of each unit and a label y.

    Attributes:
        n: (n_atoms,) characters with a label.
        y: (n_atoms,) sums of y, and `yy` of its squares.
        x: (n_atoms, n_units) sums of x, `xx` of its squares, and `xy` of its products with y.
    """

    n: NDArray[np.float64]
    y: NDArray[np.float64]
    yy: NDArray[np.float64]
    x: NDArray[np.float64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]

    def beside(self, other: "AtomSums") -> "AtomSums":
        """With the units of the same characters that stand behind these."""
        units = (np.concatenate([getattr(self, name), getattr(other, name)], axis=1) for name in ("x", "xx", "xy"))
        return AtomSums(self.n, self.y, self.yy, *units)

    def units(self, chosen: NDArray[np.int64]) -> "AtomSums":
        """The sums of some of the units."""
        return AtomSums(self.n, self.y, self.yy, self.x[:, chosen], self.xx[:, chosen], self.xy[:, chosen])

    def scaled(self, factor: float) -> "AtomSums":
        """With every x so many times as large."""
        return AtomSums(self.n, self.y, self.yy, self.x * factor, self.xx * factor**2, self.xy * factor)

    def together(self, firsts: NDArray[np.int64] | None = None) -> "AtomSums":
        """Neighbours added up to one, from each of these places up to the next; None adds up all."""
        starts = np.zeros(1, np.int64) if firsts is None else firsts
        return AtomSums(*(np.add.reduceat(array, starts, axis=0) for array in self._arrays))

    def of(self, atoms: NDArray[np.bool_]) -> "AtomSums":
        """The sums of some of the atoms."""
        return self if atoms.all() else AtomSums(*(array[atoms] for array in self._arrays))

    @property
    def _arrays(self) -> tuple[NDArray[np.float64], ...]:
        return self.n, self.y, self.yy, self.x, self.xx, self.xy


class JointSums:
    """Sums of products of numbers of units with several labels at once, separately for cells of characters.

    Attributes:
        xy: (n_cells, n_labels + n_masks, n_units) sums of products; in the last rows, of the units' numbers over the
            characters of each mask, which are those that have some of the labels.
        xx: (n_cells, n_masks, n_units) sums of their squares.
        y: (n_cells, n_labels + n_masks) sums of the labels, and numbers of characters; `yy` of their squares.
    """

    def __init__(self, n_cells: int, n_units: int, n_labels: int, n_masks: int = 1) -> None:
        n_columns = n_labels + n_masks
        self.xy, self.xx = np.zeros((n_cells, n_columns, n_units)), np.zeros((n_cells, n_masks, n_units))
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
        self.xy[cell] += (x @ y).T
        if n is None:
            self.xx[cell] += (np.square(x) @ y[:, self._n_labels :]).T
            n = np.ones(len(y), np.int64)
        self.y[cell] += n @ y
        self.yy[cell] += n @ np.square(y)

    def merge(self, other: "JointSums", moved: NDArray[np.float64] | None = None) -> None:
        """Add the sums of other characters.

        Args:
            other: Of the same labels and units.
            moved: (n_units,) what to add to each of its numbers of the units; None is nothing.
        """
        xy, xx = other.xy, other.xx
        if moved is not None and moved.any():
            masks = slice(self._n_labels, None)
            xx = xx + 2 * moved * xy[:, masks] + moved**2 * other.y[:, masks, None]
            xy = xy + moved * other.y[:, :, None]
        self.xy += xy
        self.xx += xx
        self.y += other.y
        self.yy += other.yy

    def arrays(self) -> dict[str, NDArray[np.float64]]:
        """All sums by name."""
        return {"xy": self.xy, "xx": self.xx, "y": self.y, "yy": self.yy}

    def restore(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Take over sums."""
        self.xy, self.xx, self.y, self.yy = (arrays[name].copy() for name in ("xy", "xx", "y", "yy"))

    def of_label(self, label: int, mask: int = 0) -> AtomSums:
        """The sums of one of the labels, a cell each."""
        column = self._n_labels + mask
        return AtomSums(
            self.y[:, column],
            self.y[:, label],
            self.yy[:, label],
            self.xy[:, column],
            self.xx[:, mask],
            self.xy[:, label],
        )
