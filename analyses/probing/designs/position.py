"""The design of a control that knows only the position in the text."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from analyses.intervals.long_run import N_GROUPS, position_groups
from analyses.probing.designs.design import Basis, DenseTile, principal_directions, tiles_of
from analyses.targets.row_runs import atoms_of_rows, pieces_of_rows
from analyses.targets.splits import Split


class PositionDesign:
    """A column for each eighth of the text, one for the position in the document, and one for its logarithm.

    All are standardised. A slowly drifting unit can predict whatever these columns predict, without knowing anything
    about the text.
    """

    def __init__(self, source: Source, split: Split) -> None:
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._selection = source.selection
        group_of_atoms = position_groups(split.n_atoms)
        atoms = atoms_of_rows(split, self._selection)
        self._groups = replace(atoms, values=group_of_atoms[atoms.values])
        self._document_starts = source.corpus.starts
        self.n_rows, self.n_columns = self._selection.n_chars, N_GROUPS + 2
        self._mean, self._scale = np.zeros(self.n_columns, np.float32), np.ones(self.n_columns, np.float32)
        mean = self._sum(lambda columns: columns) / self.n_rows
        scale = np.sqrt(self._sum(lambda columns: np.square(columns - mean)) / self.n_rows)
        self._mean = mean.astype(np.float32)
        self._scale = np.where(scale > 0, scale, 1).astype(np.float32)

    def _sum(self, of: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> NDArray[np.float64]:
        """(n_columns,) sums over all rows of a function of them."""
        total = np.zeros(self.n_columns)
        for rows in pieces_of_rows(self.n_rows):
            total += of(self._columns(slice(rows.start, rows.stop, 1)).astype(np.float64)).sum(axis=0)
        return total

    def _columns(self, rows: slice) -> NDArray[np.float32]:
        """(n_rows, n_columns) numbers of a slice of rows."""
        positions = np.arange(rows.start, rows.stop, rows.step) * self._selection.every + self._selection.start
        document = np.searchsorted(self._document_starts, positions, side="right") - 1
        in_document = (positions - self._document_starts[document]).astype(np.float32)
        columns = np.empty((len(positions), self.n_columns), np.float32)
        columns[:, :N_GROUPS] = self._groups[rows][:, None] == np.arange(N_GROUPS)
        columns[:, N_GROUPS], columns[:, N_GROUPS + 1] = in_document, np.log1p(in_document)
        return (columns - self._mean) / self._scale

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> Iterator[DenseTile]:
        """Yield the tiles of the wanted rows; see `Design`."""
        for rows in tiles_of(wanted, every):
            yield DenseTile(rows, partial(self._columns, rows))

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """Return the principal directions of the wanted rows; see `Design`."""
        return principal_directions(self, wanted)
