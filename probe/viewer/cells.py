"""Cells: how the characters of a text stand in a grid of columns, and the signs of those that have no width."""

import unicodedata
from dataclasses import dataclass

import numpy as np
import regex
from numpy.typing import NDArray

from hypotheses.terminal.signs import sign_of as sign_of

WIDTH, UNPRINTABLE = 0b11, 0b100
"""Bits of a cell: its width in columns, and whether a sign stands for the character."""
TILE_CHARS = 16_384
"""Characters of a tile. A tile begins a row, so that rows can be laid out without those before."""
_NEWLINE = 10
_EMOJI = {"\ufe0f", *map(chr, range(0x1F1E6, 0x1F200))}  # what makes a cluster an emoji: a selector, letters of flags
_CLUSTER = regex.compile(r"\r|\n|\X")
_ASCII_CELLS = np.array([1 | (0 if chr(code).isprintable() else UNPRINTABLE) for code in range(128)], np.uint8)


def cells_of(text: str) -> NDArray[np.uint8]:
    r"""Return (n_chars,) how each character stands in a grid.

    The bits `WIDTH` are the columns of the cluster that begins here: 1, or 2 of wide characters and emoji; 0 of a
    character that belongs to the cluster before it, such as a combining accent. The bit `UNPRINTABLE` says that a sign
    stands for it. Right-to-left characters stand from left to right, as they were read.

    >>> cells_of("a\u0301漢\n").tolist()
    [1, 0, 2, 5]
    """
    if text.isascii():
        return _ASCII_CELLS[np.frombuffer(text.encode("ascii"), np.uint8)]
    cells = np.zeros(len(text), np.uint8)
    for match in _CLUSTER.finditer(text):
        cluster = match[0]
        is_wide = any(map(_is_wide, cluster)) or (len(cluster) > 1 and any(char in _EMOJI for char in cluster))
        shows = cluster.isprintable() or (len(cluster) > 1 and any(char.isprintable() for char in cluster))
        cells[match.start()] = (2 if is_wide else 1) | (0 if shows else UNPRINTABLE)
    return cells


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the characters of a passage stand in rows.

    Attributes:
        rows: (n_chars,) the row of each character.
        left: (n_chars,) the column at which it begins; fractions where several characters share a cell.
        width: (n_chars,) its width in columns.
    """

    rows: NDArray[np.int64]
    left: NDArray[np.float64]
    width: NDArray[np.float64]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.rows[-1]) + 1 if len(self.rows) else 0


def lay_out(text: str, cells: NDArray[np.uint8], columns: int | None) -> Layout:
    """Put the characters of a passage into rows.

    A newline ends its row; a cluster that does not fit begins another one. The code points of a cluster share its cell
    from left to right, so that each has a place of its own.

    Args:
        text: The passage.
        cells: (n_chars,) of `cells_of`.
        columns: Columns of a row, at least 2; None never wraps.
    """
    n_chars = len(text)
    rows, left, width = np.zeros(n_chars, np.int64), np.zeros(n_chars), np.zeros(n_chars)
    row = column = 0
    position = 0
    while position < n_chars:
        if position % TILE_CHARS == 0 and column:
            row, column = row + 1, 0
        stop = position + 1
        while stop < n_chars and not cells[stop] & WIDTH and stop % TILE_CHARS:
            stop += 1
        n_columns = max(int(cells[position] & WIDTH), 1)
        if columns is not None and column and column + n_columns > columns:
            row, column = row + 1, 0
        share = n_columns / (stop - position)
        rows[position:stop] = row
        left[position:stop] = column + share * np.arange(stop - position)
        width[position:stop] = share
        column += n_columns
        if ord(text[position]) == _NEWLINE:
            row, column = row + 1, 0
        position = stop
    return Layout(rows, left, width)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"
