"""The design of an array that the user gives: its rows, centred."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.probing.designs.design import Basis, DenseTile, principal_directions, tiles_of


class ArrayDesign:
    """The rows of an array, less the means of its columns.

    Attributes:
        mean: (n_columns,) weighted means of the columns.
    """

    def __init__(self, x: NDArray[np.floating], weights: NDArray[np.float64] | None = None) -> None:
        """Centre the columns of an array.

        Args:
            x: (n_rows, n_columns) numbers in float32 or float64.
            weights: (n_rows,) weights of the rows in the means; None: all weigh the same.
        """
        self.mean = np.average(x.astype(np.float64, copy=False), axis=0, weights=weights)
        self._x = x - self.mean.astype(x.dtype)
        self.n_rows, self.n_columns = x.shape
        self.dtype: np.dtype[Any] = x.dtype

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> Iterator[DenseTile]:
        """Yield the tiles of the wanted rows; see `Design`."""
        for rows in tiles_of(wanted, every):
            yield DenseTile(rows, self._x[rows])

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """Return the principal directions of the wanted rows; see `Design`."""
        return principal_directions(self, wanted)
