"""The design of a control without a model: the last few characters of the text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from analyses.probing.designs.design import Basis, tiles_of
from analyses.targets.row_runs import pieces_of_rows, value_counts
from analyses.threads import do_in_threads
from hypotheses.kernels import compiled

_MAX_CHARACTERS = 255  # that have a column of their own; the others share one
_TILE_ROWS = 8192  # more than in other designs, because a row has only `n_last` nonzero numbers


class CharacterDesign:
    """One-hot columns for the current character, the one before it, …: 1 where the character is that one, else 0.

    Only characters of the same document count; before its start all columns are 0.

    Attributes:
        n_last: Number of characters that are seen, including the current one.
    """

    def __init__(self, source: Source, n_last: int) -> None:
        self.n_last = n_last
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        corpus, self._selection = source.corpus, source.selection
        self.n_rows = self._selection.n_chars
        codes, counts = value_counts(corpus.codes[piece] for piece in pieces_of_rows(len(corpus)))
        frequent = np.sort(codes[np.argsort(-counts, kind="stable")[:_MAX_CHARACTERS]])
        self._ids = np.empty(len(corpus), np.uint8)
        for piece in pieces_of_rows(len(corpus)):
            codes = corpus.codes[piece]
            ids = np.minimum(np.searchsorted(frequent, codes), len(frequent) - 1)
            self._ids[piece] = np.where(frequent[ids] == codes, ids, len(frequent))
        self._document_starts = corpus.starts
        self._n_characters = len(frequent) + 1
        self.n_columns = n_last * self._n_characters

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> "Iterator[CharacterTile]":
        """Yield the tiles of the wanted rows; see `Design`."""
        selection = self._selection
        for rows in tiles_of(wanted, every, _TILE_ROWS):
            positions = np.arange(rows.start, rows.stop, rows.step) * selection.every + selection.start
            starts = self._starts_of_documents(positions)
            yield CharacterTile(rows, positions, starts, self._ids, self._n_characters, self.n_last)

    def _starts_of_documents(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n_rows,) where the document of each position starts; positions are sorted."""
        first, last = np.searchsorted(self._document_starts, positions[[0, -1]], side="right")
        bounds = np.searchsorted(positions, self._document_starts[first:last])
        return np.repeat(self._document_starts[first - 1 : last], np.diff([0, *bounds, len(positions)]))

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """Return the columns themselves, each with the share of the rows in which it is 1; see `Design`."""
        shares = np.zeros(self.n_columns)
        ones = np.ones((self.n_rows, 1), np.float32)
        for tile in self.tiles(wanted):
            shares += tile.transposed_times(ones[: len(tile.positions)])[:, 0]
        return Basis(None, shares / max(int(wanted.sum()), 1), float(np.sqrt(self.n_last)))

    def products(self, wanted: NDArray[np.bool_], weights: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """(n_columns + 1, n_columns + 1) weighted sums of products of columns and 1; see `SparseDesign`."""
        sums = np.zeros((self.n_columns + 1, self.n_columns + 1))
        for tile, row_weights in zip(self.tiles(wanted), weights, strict=True):
            is_used = row_weights > 0
            used = row_weights[is_used].astype(np.float64)
            positions, starts = tile.positions[is_used], tile.starts[is_used]
            add = partial(_add_products, positions, starts, self._ids, self._n_characters, self.n_last, used, sums)
            do_in_threads(add, range(self.n_last))  # each adds to rows of its own
            sums[-1, -1] += used.sum()
        diagonal = sums.diagonal().copy()
        sums = sums + sums.T
        np.fill_diagonal(sums, diagonal)
        return sums


@dataclass(frozen=True, slots=True, eq=False)
class CharacterTile:
    """A few rows of a `CharacterDesign`.

    Attributes:
        rows: The rows of the design that are in this tile.
        positions: (n_rows,) position of each row's character in the text.
        starts: (n_rows,) position where the document of each row's character starts.
    """

    rows: slice
    positions: NDArray[np.int64]
    starts: NDArray[np.int64]
    _ids: NDArray[np.uint8]
    _n_characters: int
    _n_last: int

    def times(self, weights: NDArray[Any]) -> NDArray[Any]:
        """(n_rows, n_weights) products with weights; see `Tile`."""
        products = np.zeros((len(self.positions), weights.shape[1]), np.float32)
        _times(self.positions, self.starts, self._ids, self._n_characters, self._n_last, weights, products)
        return products

    def transposed_times(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """(n_columns, n_numbers) sums of products with numbers; see `Tile`."""
        sums = np.zeros((self._n_last * self._n_characters, numbers.shape[1]), np.float32)
        _transposed_times(self.positions, self.starts, self._ids, self._n_characters, self._n_last, numbers, sums)
        return sums


@compiled(nogil=True)
def _times(
    positions: NDArray[np.int64],
    starts: NDArray[np.int64],
    ids: NDArray[np.uint8],
    n_characters: int,
    n_last: int,
    weights: NDArray[np.float32],
    products: NDArray[np.float32],
) -> None:
    """Add to each row's products the weights of its columns that are 1."""
    for row in range(len(positions)):
        for back in range(min(n_last, positions[row] - starts[row] + 1)):
            column = back * n_characters + ids[positions[row] - back]
            for probe in range(weights.shape[1]):
                products[row, probe] += weights[column, probe]


@compiled(nogil=True)
def _transposed_times(
    positions: NDArray[np.int64],
    starts: NDArray[np.int64],
    ids: NDArray[np.uint8],
    n_characters: int,
    n_last: int,
    numbers: NDArray[np.float32],
    sums: NDArray[np.float32],
) -> None:
    """Add each row's numbers to the sums of its columns that are 1."""
    for row in range(len(positions)):
        for back in range(min(n_last, positions[row] - starts[row] + 1)):
            column = back * n_characters + ids[positions[row] - back]
            for probe in range(numbers.shape[1]):
                sums[column, probe] += numbers[row, probe]


@compiled(nogil=True)
def _add_products(
    positions: NDArray[np.int64],
    starts: NDArray[np.int64],
    ids: NDArray[np.uint8],
    n_characters: int,
    n_last: int,
    weights: NDArray[np.float64],
    sums: NDArray[np.float64],
    back: int,
) -> None:
    """Add each row's weight to the products of its columns that are 1, in the upper triangle of the sums.

    Only products with the character that is `back` before the current one are added to, and only those further back.

    The loop over rows is the innermost one, because all columns for one distance back lie near each other in memory.
    """
    for further in range(back, n_last):
        for row in range(len(positions)):
            position = positions[row]
            if position - starts[row] >= further:
                column = back * n_characters + ids[position - back]
                sums[column, further * n_characters + ids[position - further]] += weights[row]
    for row in range(len(positions)):
        if positions[row] - starts[row] >= back:
            sums[back * n_characters + ids[positions[row] - back], -1] += weights[row]
