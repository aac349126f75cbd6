"""Design matrices, a row of numbers for each character, which are read a tile of rows at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from analyses.probing.designs import tall_products
from analyses.targets.row_runs import pieces_of_rows
from analyses.threads import in_threads, one_thread_each

MEMORY = 384 << 20
NOT_NUMBERS = "some activations are not numbers (NaN or infinite); the model's weights may be broken"
_TILE_ROWS = 1024
_MIN_ROWS_PER_COLUMN = 40  # in the sample that the principal directions are computed from


class Tile(Protocol):
    """A few rows of a design."""

    @property
    def rows(self) -> slice:
        """The rows of the design that are in this tile."""
        ...

    def times(self, weights: NDArray[Any]) -> NDArray[Any]:
        """(n_rows, n_weights) products of the rows with (n_columns, n_weights) weights."""
        ...

    def transposed_times(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """(n_columns, n_numbers) sums over the rows of their products with (n_rows, n_numbers) numbers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Directions along which the rows of a design are uncorrelated, or nearly so.

    Attributes:
        vectors: (n_columns, n_columns) orthonormal directions, one a column; None: the columns themselves.
        variances: (n_columns,) variance of the rows along each direction.
        longest: The length of the longest row, if it is known.
    """

    vectors: NDArray[np.float64] | None
    variances: NDArray[np.float64]
    longest: float = np.inf


class Design(Protocol):
    """A row of numbers for each character that a source gives, whose columns have mean 0 or nearly so."""

    @property
    def n_rows(self) -> int:
        """Number of rows, one for each character."""
        ...

    @property
    def n_columns(self) -> int:
        """Number of columns, one for each weight."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of products with a tile: float32 or float64."""
        ...

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> Iterator[Tile]:
        """Yield the rows that are True in (n_rows,) `wanted`, or every n-th of them; a tile is valid until the next."""
        ...

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """Return directions along which the wanted rows are uncorrelated, or nearly so."""
        ...


@runtime_checkable
class SparseDesign(Design, Protocol):
    """A design with few nonzero numbers in a row, so that products of columns over all rows are cheap."""

    def products(self, wanted: NDArray[np.bool_], weights: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """(n_columns + 1, n_columns + 1) weighted sums of products of columns, a column of ones being the last.

        Args:
            wanted: (n_rows,) the rows that are summed over.
            weights: For each tile of `tiles(wanted)`, the weights of its rows.
        """
        ...


class DenseTile:
    """A tile whose numbers are in memory, or are computed when they are first used.

    Attributes:
        rows: The rows of the design that are in this tile.
    """

    def __init__(self, rows: slice, x: NDArray[Any] | Callable[[], NDArray[Any]]) -> None:
        self.rows = rows
        self._x = x

    @property
    def x(self) -> NDArray[Any]:
        """(n_rows, n_columns) the numbers themselves."""
        if callable(self._x):
            self._x = self._x()
        return self._x

    def keep(self) -> None:
        """Compute the numbers, where they are not in memory yet; the tile is then valid as long as it is kept."""
        self._x = np.ascontiguousarray(self.x)

    def times(self, weights: NDArray[Any]) -> NDArray[Any]:
        """(n_rows, n_weights) products with weights; see `Tile`."""
        return tall_products.times(self.x, weights)

    def transposed_times(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """(n_columns, n_numbers) sums of products with numbers; see `Tile`."""
        return tall_products.transposed_times(self.x, numbers)


def tiles_of(wanted: NDArray[np.bool_], every: int = 1, n_rows: int = _TILE_ROWS) -> Iterator[slice]:
    """Cut the rows that are True into slices of at most `n_rows`; from each run of them take every n-th row."""
    borders: list[int] = []  # where a run of wanted rows starts, where it stops, where the next one starts, …
    last_of_piece = False
    for rows in pieces_of_rows(len(wanted)):
        piece = wanted[rows]
        borders += (np.flatnonzero(np.diff(piece, prepend=last_of_piece)) + rows.start).tolist()
        last_of_piece = bool(piece[-1])
    for run_start, run_stop in zip(borders[::2], [*borders[1::2], len(wanted)], strict=False):
        for start in range(run_start, run_stop, n_rows * every):
            yield slice(start, min(start + n_rows * every, run_stop), every)


def gram_matrix(design: Design, wanted: NDArray[np.bool_], every: int = 1) -> tuple[NDArray[np.float64], int]:
    """Sum the products of a dense design's columns, a column of ones being the last.

    Returns:
        (n_columns + 1, n_columns + 1) sums, and the number of rows that they are over.
    """

    def products(tile: Tile) -> tuple[NDArray[Any], int]:
        x: NDArray[Any] = tile.x  # type: ignore[attr-defined]
        with_ones = np.hstack([x, np.ones((len(x), 1), x.dtype)])
        return with_ones.T @ with_ones, len(x)

    total, n_rows = np.zeros((design.n_columns + 1,) * 2), 0
    for products_of_tile, n_rows_of_tile in in_threads(products, design.tiles(wanted, every)):
        total += products_of_tile
        n_rows += n_rows_of_tile
    return total, n_rows


def principal_directions(design: Design, wanted: NDArray[np.bool_]) -> Basis:
    """Compute the principal directions of a dense design from a sample of its rows."""
    every = max(int(wanted.sum()) // max(_MIN_ROWS_PER_COLUMN * design.n_columns, _TILE_ROWS), 1)
    total, n_rows = gram_matrix(design, wanted, every)
    if not np.isfinite(total).all():
        raise AnalysisError(NOT_NUMBERS)
    with one_thread_each():
        variances, vectors = np.linalg.eigh(total[:-1, :-1] / max(n_rows, 1))
    return Basis(vectors, np.maximum(variances, 0.0))
