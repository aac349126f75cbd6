"""Products in pieces: the same as in one, whatever the sizes and the order in memory."""

import numpy as np
import pytest
from numpy.typing import NDArray

from analyses.probing.designs import tall_products


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("n_rows", "n_columns", "n_weights"),
    [(1, 3, 2), (700, 512, 20), (196, 512, 20), (5, 300_000, 4), (900, 512, 1), (50, 512, 40), (0, 3, 2), (4, 0, 2)],
)
def test_products_in_pieces_are_those_of_the_whole(
    n_rows: int, n_columns: int, n_weights: int, dtype: type[np.floating], rng: np.random.Generator
) -> None:
    """97 rows of 512 columns make a piece for 20 weights; 196 leave 2 over, and a row of 300,000 exceeds a piece."""
    x = rng.integers(-3, 4, (n_rows, n_columns)).astype(dtype)  # whole numbers: any order of sums gives the same
    weights = rng.integers(-3, 4, (n_columns, n_weights)).astype(dtype)
    numbers = rng.integers(-3, 4, (n_rows, n_weights)).astype(dtype)
    for rows in (x, np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]):
        z, sums = tall_products.times(rows, weights), tall_products.transposed_times(rows, numbers)
        assert z.dtype == sums.dtype == dtype
        np.testing.assert_array_equal(z, x @ weights)
        np.testing.assert_array_equal(sums, x.T @ numbers)


def test_pieces_are_small_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenBLAS copies the larger matrix where there are more than a million products of two numbers."""
    shapes: list[tuple[int, ...]] = []
    stacked = tall_products._stacked

    def seen(rows: NDArray[np.float32], n_piece: int) -> NDArray[np.float32]:
        shapes.append((n_piece, *rows.shape[1:]))
        return np.asarray(stacked(rows, n_piece))

    monkeypatch.setattr(tall_products, "_stacked", seen)
    tall_products.times(np.zeros((1024, 512), np.float32), np.zeros((512, 20), np.float32))
    assert shapes[0] == (97, 512)
