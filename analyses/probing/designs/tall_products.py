"""Products of a tall matrix with a few columns, cut into pieces that BLAS multiplies without copying them first.

A library of matrix products rearranges the whole tall matrix in memory before it multiplies, which takes as long as
its products with ten columns. OpenBLAS leaves that away if matrices are small, on processors with AVX-512. A stack of
small products takes 0.15 to 0.75 of the time of a large one there, and up to 1.1 of it elsewhere.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_PRODUCTS = 1_000_000  # of two numbers, in a product of matrices that OpenBLAS takes for small
_MOST_COLUMNS = 32  # with which a stack of small products is faster than a large one


def times(x: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """(n_rows, n_weights) products of rows (n_rows, n_columns) with weights (n_columns, n_weights), `x @ weights`."""
    n_whole, n_piece = _pieces(x, weights.shape[1])
    if not n_whole:
        return np.asarray(x @ weights)
    z = np.empty((len(x), weights.shape[1]), x.dtype)
    np.matmul(_stacked(x[:n_whole], n_piece), weights, out=_stacked(z[:n_whole], n_piece))
    np.matmul(x[n_whole:], weights, out=z[n_whole:])
    return z


def transposed_times(x: NDArray[Any], numbers: NDArray[Any]) -> NDArray[Any]:
    """(n_columns, n_numbers) sums over rows of products with numbers (n_rows, n_numbers), `x.T @ numbers`."""
    n_whole, n_piece = _pieces(x, numbers.shape[1])
    if not n_whole:
        return np.asarray(x.T @ numbers)
    of_pieces = _stacked(x[:n_whole], n_piece).transpose(0, 2, 1) @ _stacked(numbers[:n_whole], n_piece)
    return np.asarray(of_pieces.sum(axis=0) + x[n_whole:].T @ numbers[n_whole:])


def _pieces(x: NDArray[Any], n_columns: int) -> tuple[int, int]:
    """Return how many rows to cut into pieces, and the rows of a piece; 0 rows if one product of all is as fast.

    Products with a single column need no copy of the matrix.
    """
    if not 1 < n_columns <= _MOST_COLUMNS or not x.shape[1]:
        return 0, 1
    n_piece = max(_MOST_PRODUCTS // (x.shape[1] * n_columns), 1)
    return len(x) // n_piece * n_piece, n_piece


def _stacked(rows: NDArray[Any], n_piece: int) -> NDArray[Any]:
    """(n_pieces, n_piece, n_columns) the same numbers, which are not copied."""
    return rows.reshape(-1, n_piece, rows.shape[1])
