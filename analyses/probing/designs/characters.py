"""What a probe sees that has no model: the last few characters of the text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from activations.blocks import Source
from analyses.probing.designs.design import Basis, tiles_of
from analyses.targets.row_runs import pieces_of_rows, value_counts

_MOST_CHARACTERS = 255  # that have a column of their own; the others share one
_TILE_ROWS = 8192  # as each has few numbers


class CharacterDesign:
    """A column for each character at each of the last so many places, that is 1 where it stands there.

    Only characters of the same document count; before its beginning all columns are 0.

    Attributes:
        n_last: Characters that are seen, the current one among them.
    """

    def __init__(self, source: Source, n_last: int) -> None:
        self.n_last = n_last
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        corpus, self._selection = source.corpus, source.selection
        self.n_rows = self._selection.n_chars
        known, counts = value_counts(corpus.codes[piece] for piece in pieces_of_rows(len(corpus)))
        frequent = np.sort(known[np.argsort(-counts, kind="stable")[:_MOST_CHARACTERS]])
        self._ids = np.empty(len(corpus), np.uint8)
        for piece in pieces_of_rows(len(corpus)):
            codes = corpus.codes[piece]
            found = np.minimum(np.searchsorted(frequent, codes), len(frequent) - 1)
            self._ids[piece] = np.where(frequent[found] == codes, found, len(frequent))
        self._documents = corpus.starts
        self._n_characters = len(frequent) + 1
        self.n_columns = n_last * self._n_characters

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> "Iterator[CharacterTile]":
        """See `Design`."""
        used = self._selection
        for rows in tiles_of(wanted, every, _TILE_ROWS):
            places = np.arange(rows.start, rows.stop, rows.step) * used.every + used.start
            yield CharacterTile(rows, places, self._starts(places), self._ids, self._n_characters, self.n_last)

    def _starts(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n_rows,) where the document begins that each of some places, in their order, is in."""
        first, last = np.searchsorted(self._documents, places[[0, -1]], side="right")
        bounds = np.searchsorted(places, self._documents[first:last])
        return np.repeat(self._documents[first - 1 : last], np.diff([0, *bounds, len(places)]))

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """See `Design`: the columns themselves, with the share of the rows in which each is 1."""
        share = np.zeros(self.n_columns)
        ones = np.ones((self.n_rows, 1), np.float32)
        for tile in self.tiles(wanted):
            share += tile.transposed_times(ones[: len(tile.places)])[:, 0]
        return Basis(None, share / max(int(wanted.sum()), 1), float(np.sqrt(self.n_last)))

    def products(self, wanted: NDArray[np.bool_], weights: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """See `SparseDesign`."""
        found = np.zeros((self.n_columns + 1, self.n_columns + 1))
        for tile, of_rows in zip(self.tiles(wanted), weights, strict=True):
            count = of_rows > 0
            own = of_rows[count].astype(np.float64)
            _multiply(tile.places[count], tile.starts[count], self._ids, self._n_characters, self.n_last, own, found)
            found[-1, -1] += own.sum()
        found += np.triu(found, 1).T
        return found


@dataclass(frozen=True, slots=True, eq=False)
class CharacterTile:
    """Some rows of it.

    Attributes:
        rows: Which ones.
        places: (n_rows,) theirs in the text.
        starts: (n_rows,) where the document of each begins.
    """

    rows: slice
    places: NDArray[np.int64]
    starts: NDArray[np.int64]
    _ids: NDArray[np.uint8]
    _n_characters: int
    _n_last: int

    def times(self, weights: NDArray[Any]) -> NDArray[Any]:
        """See `Tile`."""
        found = np.zeros((len(self.places), weights.shape[1]), np.float32)
        _look_up(self.places, self.starts, self._ids, self._n_characters, self._n_last, weights, found)
        return found

    def transposed_times(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """See `Tile`."""
        found = np.zeros((self._n_last * self._n_characters, numbers.shape[1]), np.float32)
        _add_up(self.places, self.starts, self._ids, self._n_characters, self._n_last, numbers, found)
        return found


@njit(nogil=True, cache=True)
def _look_up(
    places: NDArray[np.int64],
    starts: NDArray[np.int64],
    ids: NDArray[np.uint8],
    n_characters: int,
    n_last: int,
    weights: NDArray[np.float32],
    found: NDArray[np.float32],
) -> None:
    for row in range(len(places)):
        for back in range(min(n_last, places[row] - starts[row] + 1)):
            column = back * n_characters + ids[places[row] - back]
            for probe in range(weights.shape[1]):
                found[row, probe] += weights[column, probe]


@njit(nogil=True, cache=True)
def _add_up(
    places: NDArray[np.int64],
    starts: NDArray[np.int64],
    ids: NDArray[np.uint8],
    n_characters: int,
    n_last: int,
    numbers: NDArray[np.float32],
    found: NDArray[np.float32],
) -> None:
    for row in range(len(places)):
        for back in range(min(n_last, places[row] - starts[row] + 1)):
            column = back * n_characters + ids[places[row] - back]
            for probe in range(numbers.shape[1]):
                found[column, probe] += numbers[row, probe]


@njit(nogil=True, cache=True)
def _multiply(
    places: NDArray[np.int64],
    starts: NDArray[np.int64],
    ids: NDArray[np.uint8],
    n_characters: int,
    n_last: int,
    weights: NDArray[np.float64],
    found: NDArray[np.float64],
) -> None:
    """Of each two places after each other, as their columns lie near each other."""
    for back in range(n_last):
        for further in range(back, n_last):
            for row in range(len(places)):
                place = places[row]
                if place - starts[row] >= further:
                    column = back * n_characters + ids[place - back]
                    found[column, further * n_characters + ids[place - further]] += weights[row]
        for row in range(len(places)):
            if places[row] - starts[row] >= back:
                found[back * n_characters + ids[places[row] - back], -1] += weights[row]
