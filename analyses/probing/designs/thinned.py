"""Every n-th row of another design, kept in memory, which first steps are taken with."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.probing.designs.design import Basis, DenseTile, Design, Tile


class ThinnedDesign:
    """Some of the rows of a design, evenly spread; rows have the numbers that they have there.

    Attributes:
        n_rows: Number of rows of the whole design.
        n_columns: Number of its columns.
        dtype: The dtype of products.
        share: The share of the wanted rows that are in this design.
    """

    def __init__(self, design: Design, wanted: NDArray[np.bool_], every: int, basis: Basis) -> None:
        """Read every n-th of the wanted rows of a design, whose principal directions are known."""
        self.n_rows, self.n_columns = design.n_rows, design.n_columns
        self.dtype: np.dtype[Any] = design.dtype
        self._tiles = list(design.tiles(wanted, every))
        for tile in self._tiles:
            if isinstance(tile, DenseTile):
                tile.keep()
        n_kept = sum(len(range(*tile.rows.indices(self.n_rows))) for tile in self._tiles)
        self.share = n_kept / max(int(wanted.sum()), 1)
        self._basis = basis

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> Iterator[Tile]:
        """Yield all tiles, which are of the wanted rows; see `Design`."""
        yield from self._tiles

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """Return the directions of the whole design; see `Design`."""
        return self._basis
