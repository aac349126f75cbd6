"""The grid of a recording: the blocks of rows that have a checksum each."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from activations.texts.corpus import Document, end_of_run
from activations.texts.selection import Selection


class Grid:
    """The blocks of rows that have a checksum each.

    The selected part of every document is cut from its start every `block_chars` characters; a part in which no
    character is selected is no block.

    Attributes:
        starts: (n_blocks,) where each block begins in the corpus.
        stops: (n_blocks,) one past its last character.
        documents: (n_blocks,) the index of the document that it is part of.
        first_rows: (n_blocks,) its first row in a dataset.
        last_rows: (n_blocks,) one past its last row.
    """

    def __init__(self, documents: tuple[Document, ...], selection: Selection, block_chars: int) -> None:
        document_starts = _clipped([document.start for document in documents], selection)
        document_stops = _clipped([document.stop for document in documents], selection)
        block_chars = min(block_chars, max(1, selection.stop))  # so that no sum overflows
        n_blocks = -(-(document_stops - document_starts) // block_chars)
        document_of = np.repeat(np.arange(len(documents)), n_blocks)
        number = np.arange(len(document_of)) - np.repeat(np.cumsum(n_blocks) - n_blocks, n_blocks)
        starts = document_starts[document_of] + number * block_chars
        stops = np.minimum(starts + block_chars, document_stops[document_of])
        first_rows, last_rows = selection.rows(starts), selection.rows(stops)
        has_rows = first_rows < last_rows
        self.documents: NDArray[np.int64] = document_of[has_rows]
        self.starts: NDArray[np.int64] = starts[has_rows]
        self.stops: NDArray[np.int64] = stops[has_rows]
        self.first_rows: NDArray[np.int64] = first_rows[has_rows]
        self.last_rows: NDArray[np.int64] = last_rows[has_rows]

    def __len__(self) -> int:
        return len(self.starts)

    def numbers(self, first_row: int, last_row: int) -> range:
        """Return the blocks that the rows from `first_row` up to `last_row` lie in."""
        first = int(np.searchsorted(self.first_rows, first_row, side="right")) - 1
        return range(first, int(np.searchsorted(self.first_rows, last_row)))

    def runs(self, most_chars: int) -> Iterator[range]:
        """Give all blocks in order, as many at a time as have at most `most_chars` rows, or one block.

        Those of one run are of one document, or, where many documents fit, of several whole documents.
        """
        ends = np.flatnonzero(np.diff(self.documents, append=-1)) + 1  # one past the last block of each document
        first = 0
        while first < len(self):
            n_fitting = int(np.searchsorted(self.last_rows, self.first_rows[first] + most_chars, side="right"))
            last = end_of_run(ends, first, max(first + 1, n_fitting))
            yield range(first, last)
            first = last


def _clipped(positions: list[int], selection: Selection) -> NDArray[np.int64]:
    return np.array(positions, np.int64).clip(selection.start, selection.stop)
