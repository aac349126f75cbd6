"""Sums over the atoms of a text, of which scores, intervals and p-values are made.

Neighbouring characters share both state and label, so that atoms of the text, and not its characters, are the sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analyses.threads import do_in_threads
from hypotheses.kernels import compiled

_MANY = 1 << 20  # values from which on it pays to share work among cores
_ROWS, _UNITS = 32, 128  # of a tile, which stays in the cache while its products are added up


@dataclass(frozen=True, slots=True, eq=False)
class AtomSums:
    """Sums over the characters of each atom, or of another part of the text, of a number x of each unit and a label y.

    Attributes:
        n: (n_atoms,) characters with a label.
        y: (n_atoms,) sums of y.
        yy: (n_atoms,) sums of y².
        x: (n_atoms, n_units) sums of x.
        xx: (n_atoms, n_units) sums of x².
        xy: (n_atoms, n_units) sums of x y.
    """

    n: NDArray[np.float64]
    y: NDArray[np.float64]
    yy: NDArray[np.float64]
    x: NDArray[np.float64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]

    def beside(self, other: "AtomSums") -> "AtomSums":
        """Return these sums followed by those of further units at the same characters."""
        units = (np.concatenate([getattr(self, name), getattr(other, name)], axis=1) for name in ("x", "xx", "xy"))
        return AtomSums(self.n, self.y, self.yy, *units)

    def units(self, chosen: NDArray[np.int64]) -> "AtomSums":
        """Return the sums of some of the units."""
        return AtomSums(self.n, self.y, self.yy, self.x[:, chosen], self.xx[:, chosen], self.xy[:, chosen])

    def scaled(self, factor: float) -> "AtomSums":
        """Return the sums for every x times `factor`."""
        return AtomSums(self.n, self.y, self.yy, self.x * factor, self.xx * factor**2, self.xy * factor)

    def together(self, firsts: NDArray[np.int64] | None = None) -> "AtomSums":
        """Add up neighbouring atoms, from each of `firsts` up to the next; None adds up all."""
        starts = np.zeros(1, np.int64) if firsts is None else firsts
        return AtomSums(*(np.add.reduceat(array, starts, axis=0) for array in self._arrays))

    def of(self, atoms: NDArray[np.bool_]) -> "AtomSums":
        """Return the sums of some of the atoms."""
        return self if atoms.all() else AtomSums(*(array[atoms] for array in self._arrays))

    @property
    def _arrays(self) -> tuple[NDArray[np.float64], ...]:
        return self.n, self.y, self.yy, self.x, self.xx, self.xy


class JointSums:
    """Sums of products of numbers of units with several labels at once, separately for cells of characters.

    Attributes:
        xy: (n_cells, n_labels + n_masks, n_units) sums of products with each label; the last rows are sums of the
            units' numbers over the characters of each mask, which are those that have some of the labels.
        xx: (n_cells, n_masks, n_units) sums of the squares of the units' numbers over the characters of each mask.
        y: (n_cells, n_labels + n_masks) sums of the labels; the last columns are numbers of characters.
        yy: (n_cells, n_labels + n_masks) sums of their squares.
    """

    def __init__(self, n_cells: int, n_units: int, n_labels: int, n_masks: int = 1) -> None:
        n_columns = n_labels + n_masks
        self.xy, self.xx = np.zeros((n_cells, n_columns, n_units)), np.zeros((n_cells, n_masks, n_units))
        self.y, self.yy = np.zeros((n_cells, n_columns)), np.zeros((n_cells, n_columns))
        self._n_labels = n_labels

    def add(self, cell: int, x: NDArray[np.number], y: NDArray[np.float64], n: NDArray[np.int64] | None = None) -> None:
        """Add characters of a cell.

        Args:
            cell: The cell.
            x: (n_units, n_chars) numbers of the units; or (n_units, n_codes) their sums over characters with equal y.
            y: (n_chars, n_labels + n_masks) labels, 0 where they are missing, and masks, 1 where they are not.
            n: (n_codes,) how many characters each sum has; the squares of x are then not added.
        """
        self.xy[cell] += (x @ y).T
        if n is None:
            self.xx[cell] += (np.square(x) @ y[:, self._n_labels :]).T
            n = np.ones(len(y), np.int64)
        self.y[cell] += n @ y
        self.yy[cell] += n @ np.square(y)

    def add_rows(
        self, cell: int, values: NDArray[np.floating], middle: NDArray[np.float64], y: NDArray[np.float64]
    ) -> None:
        """Add characters of a cell, and read them once for all sums.

        Args:
            cell: The cell.
            values: (n_chars, n_units) activations, in float16 or float32.
            middle: (n_units,) subtracted from the activations.
            y: (n_labels + n_masks, n_chars) labels and masks as in `add`.
        """
        if values.dtype == np.float16:
            values = values.astype(np.float32)
        add = partial(_add_units, values, middle, y, self._n_labels, self.xy[cell], self.xx[cell])
        firsts = range(0, values.shape[1], _UNITS)
        do_in_threads(add, firsts, is_worth_it=values.size >= _MANY)
        self.y[cell] += y.sum(axis=1)
        self.yy[cell] += np.einsum("ij,ij->i", y, y)

    def merge(self, other: "JointSums", moved: NDArray[np.float64] | None = None) -> None:
        """Add the sums of other characters.

        Args:
            other: Sums for the same labels and units.
            moved: (n_units,) added to each of the units' numbers in `other`; None is nothing.
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
        """Return all sums by name."""
        return {"xy": self.xy, "xx": self.xx, "y": self.y, "yy": self.yy}

    def restore(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Take over the sums that `arrays` returned."""
        self.xy, self.xx, self.y, self.yy = (arrays[name].copy() for name in ("xy", "xx", "y", "yy"))

    def of_label(self, label: int, mask: int = 0) -> AtomSums:
        """Return the sums of one of the labels over each cell."""
        column = self._n_labels + mask
        return AtomSums(
            self.y[:, column],
            self.y[:, label],
            self.yy[:, label],
            self.xy[:, column],
            self.xx[:, mask],
            self.xy[:, label],
        )


@compiled(nogil=True)
def _add_units(
    values: NDArray[np.floating],
    middle: NDArray[np.float64],
    y: NDArray[np.float64],
    n_labels: int,
    xy: NDArray[np.float64],
    xx: NDArray[np.float64],
    first: int,
) -> None:
    """Add `y @ x` to `xy`, and `y[n_labels:] @ x**2` to `xx`, with `x = values - middle`, for units from `first` on."""
    n_chars, n_units = len(values), min(_UNITS, values.shape[1] - first)
    x = np.empty((_ROWS, _UNITS))
    for start in range(0, n_chars, _ROWS):
        n_rows = min(_ROWS, n_chars - start)
        for row in range(n_rows):
            for unit in range(n_units):
                x[row, unit] = values[start + row, first + unit] - middle[first + unit]
        for column in range(len(y)):
            _add_products(x, y[column, start : start + n_rows], xy[column, first : first + n_units])
        for row in range(n_rows):
            for unit in range(n_units):
                x[row, unit] *= x[row, unit]
        for mask in range(len(xx)):
            _add_products(x, y[n_labels + mask, start : start + n_rows], xx[mask, first : first + n_units])


@compiled(nogil=True)
def _add_products(x: NDArray[np.float64], y: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    """Add `y @ x` to the sums, four rows at a time, so that sums are fetched and stored once for these."""
    n_fours = len(y) // 4 * 4
    for row in range(0, n_fours, 4):
        a, b, c, d = y[row], y[row + 1], y[row + 2], y[row + 3]
        for unit in range(len(sums)):
            sums[unit] += (a * x[row, unit] + b * x[row + 1, unit]) + (c * x[row + 2, unit] + d * x[row + 3, unit])
    for row in range(n_fours, len(y)):
        for unit in range(len(sums)):
            sums[unit] += y[row] * x[row, unit]
