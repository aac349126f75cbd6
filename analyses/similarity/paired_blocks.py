"""Two sources of the same text, read side by side: a few thousand characters of both at a time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.units import Site
from analyses.collecting.text_cells import TextCells
from analyses.errors import AnalysisError
from analyses.levels.columns import not_numbers

Array = NDArray[np.float64]
_ROWS = 2048  # at a time, in double precision


class Sides(NamedTuple):
    """Two sources of the same text, and the sites that are looked at in each.

    Attributes:
        first: One source.
        second: The other.
        first_sites: Sites of the first.
        second_sites: Sites of the second.
    """

    first: Source
    second: Source
    first_sites: Sequence[Site]
    second_sites: Sequence[Site]


class Piece(NamedTuple):
    """Some neighbouring characters of one cell of the text, as both models have read them.

    Attributes:
        cell: The cell; see `TextCells`.
        x: (n_chars, n_first_units) activations of the first source, its sites side by side.
        y: (n_chars, n_second_units) the same of the second.
    """

    cell: int
    x: Array
    y: Array


def check_same_text(first: Source, second: Source) -> None:
    """Refuse two sources that do not give the same characters.

    Raises:
        AnalysisError: If the texts, or the characters that are given, differ.
    """
    if first.corpus.sha256 != second.corpus.sha256:
        raise AnalysisError(
            "the two models have read different texts, so that their units cannot be compared character by character; "
            "record both on the same text"
        )
    if first.selection != second.selection:
        raise AnalysisError(
            "the two sources give different characters of the text; record both with the same --range and --every"
        )


def pieces(sides: Sides, cells: TextCells) -> Iterator[Piece]:
    """Yield every character once, as both models have read it, in any order.

    The blocks are those of the live source, if one is, and the other is read where each block lies.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    for block, first, second in _blocks(sides):
        for cell, run in cells.runs(block):
            for start in range(run.start, run.stop, _ROWS):
                rows = slice(start, min(start + _ROWS, run.stop))
                yield Piece(cell, _beside(first, sides.first_sites, rows), _beside(second, sides.second_sites, rows))


def _blocks(sides: Sides) -> Iterator[tuple[Block, Mapping[Site, NDArray[Any]], Mapping[Site, NDArray[Any]]]]:
    first, second, first_sites, second_sites = sides
    if second.is_live and not first.is_live:
        for block in second.blocks(second_sites):
            yield block, first.read(first_sites, block.start, block.stop), block.values
    else:
        for block in first.blocks(first_sites):
            yield block, block.values, second.read(second_sites, block.start, block.stop)


def _beside(values: Mapping[Site, NDArray[Any]], sites: Sequence[Site], rows: slice) -> Array:
    beside = np.hstack([values[site][rows] for site in sites], dtype=np.float64)
    if not np.isfinite(beside).all():
        raise AnalysisError(not_numbers(next(site for site in sites if not np.isfinite(values[site][rows]).all())))
    return beside
