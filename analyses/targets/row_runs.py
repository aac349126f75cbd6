"""Values that hold for runs of neighbouring rows: the part, the atom or the fold that each row is in."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.texts.selection import Selection
from analyses.targets.splits import Fold, Split

PIECE_ROWS = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class RowRuns:
    """Values of rows that change only now and then, kept as runs; `[start:stop]` gives the values of some rows.

    Attributes:
        starts: (n_runs,) the row where each run begins; the first is 0.
        values: (…, n_runs) the value of each run.
        n_rows: How many rows there are.
    """

    starts: NDArray[np.int64]
    values: NDArray[Any]
    n_rows: int

    @classmethod
    def of_places(
        cls,
        selection: Selection,
        changes: NDArray[np.int64],
        values_at: Callable[[NDArray[np.int64]], NDArray[Any]],
    ) -> "RowRuns":
        """Make runs of a function of places in the text.

        Args:
            selection: The places that are rows.
            changes: All places where the value differs from that at the place before; there may be more.
            values_at: Returns (…, n_places) values at some places.
        """
        rows = np.unique([0, *(selection.row(change) for change in changes.tolist())])
        rows = rows[rows < selection.n_chars]
        return cls(rows, values_at(selection.start + rows * selection.every), selection.n_chars)

    def __len__(self) -> int:
        return self.n_rows

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, step = rows.indices(self.n_rows)
        first = int(self.starts.searchsorted(start, side="right")) - 1
        if first + 1 == len(self.starts) or self.starts[first + 1] >= stop:  # as for nearly every tile
            return np.repeat(self.values[..., first : first + 1], len(range(start, stop, step)), axis=-1)
        last = int(self.starts.searchsorted(stop))
        bounds = np.clip(np.append(self.starts[first:last], stop), start, stop)
        return np.repeat(self.values[..., first:last], np.diff((bounds - start + step - 1) // step), axis=-1)

    def are(self, value: Any) -> "RowRuns":
        """(…, n_rows) whether each value equals this one."""
        return replace(self, values=self.values == value)

    def where(self, mask: "RowRuns", otherwise: Any) -> "RowRuns":
        """Return the same values in the rows of a mask (n_rows,), and another value in all other rows."""
        starts = np.union1d(self.starts, mask.starts)
        values, is_in_mask = self.at(starts), mask.at(starts)
        return replace(self, starts=starts, values=np.where(is_in_mask, values, otherwise).astype(values.dtype))

    def at(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """(…, n) the values of some rows."""
        values: NDArray[Any] = self.values[..., self.starts.searchsorted(rows, side="right") - 1]
        return values

    def along_first_axis(self) -> "list[RowRuns]":
        """Split the values along their first axis."""
        return [replace(self, values=values) for values in self.values]

    def any(self) -> "RowRuns":
        """(n_rows,) whether any value along the first axis is True."""
        return replace(self, values=np.asarray(self.values.any(axis=0)))


class RowView:
    """A function of places in the text, seen as an array with an entry for each row."""

    def __init__(self, selection: Selection, at: Callable[[slice], Any]) -> None:
        """View a function of places; the rows are those of a selection."""
        self._selection, self._at = selection, at

    def __len__(self) -> int:
        return self._selection.n_chars

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        start, stop, step = rows.indices(len(self))
        used = self._selection
        values: NDArray[Any] = self._at(
            slice(used.start + start * used.every, min(used.start + stop * used.every, used.stop), step * used.every)
        )
        return values


RowMask = NDArray[np.bool_] | RowRuns
"""(n_rows,) whether each row is chosen."""


def pieces_of_rows(n_rows: int, piece_rows: int = PIECE_ROWS) -> Iterator[slice]:
    """Yield slices that together are all rows, so that arrays with an entry for each row stay small."""
    for first in range(0, n_rows, piece_rows):
        yield slice(first, min(first + piece_rows, n_rows))


def value_counts(pieces: Iterable[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the distinct values of some arrays in ascending order, and how often each occurs."""
    values: NDArray[Any] | None = None
    n = np.zeros(0, np.int64)
    for piece in pieces:
        new, n_new = np.unique(piece, return_counts=True)
        if values is None:
            values, n = new, n_new
            continue
        values, positions = np.unique(np.concatenate([values, new]), return_inverse=True)
        total = np.zeros(len(values), np.int64)
        total[positions[: len(n)]] += n
        total[positions[len(n) :]] += n_new
        n = total
    return np.zeros(0, np.int64) if values is None else values, n


def parts_of_rows(folds: list[Fold], selection: Selection) -> RowRuns:
    """(n_folds, n_rows) the part of each row in some folds of one split."""
    split = folds[0].split
    borders = _borders(split, split.n_stretches)
    changes = np.concatenate([borders - split.gap, borders, borders + split.gap])
    changes = changes[(changes >= selection.start) & (changes < selection.stop)]
    return RowRuns.of_places(selection, changes, lambda places: np.stack([fold.parts_of(places) for fold in folds]))


def atoms_of_rows(split: Split, selection: Selection) -> RowRuns:
    """(n_rows,) the atom that each row lies in."""
    return RowRuns.of_places(selection, _borders(split, split.n_atoms), split.atom)


def _borders(split: Split, n: int) -> NDArray[np.int64]:
    """(n,) where each of n equal pieces of the split characters begins."""
    return split.start + -(-np.arange(n) * split.n_chars // n)
