"""Levels unit by unit, for many characters at once, of what a source gives character by character."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.units import Site
from analyses.levels import Bins, to_levels

CHARS_AT_ONCE = 1 << 15  # so many that what is known of a unit stays in the cache while they are read
_KEPT_BYTES = 1 << 28
_MOST_KEPT = 256
_FEWEST_KEPT = 32
_PADDING = 32  # between units, which would else all begin at the same place of the cache


@dataclass(frozen=True, slots=True)
class Columns:
    """Some units of a site, side by side."""

    site: Site
    start: int
    stop: int

    @property
    def n_units(self) -> int:
        """How many."""
        return self.stop - self.start

    @property
    def units(self) -> slice:
        """Their places among the units of the site."""
        return slice(self.start, self.stop)


Tile = tuple[NDArray[np.int64], dict[Columns, NDArray[np.uint16]]]
"""(n_chars,) places of some characters in the corpus, and (n_units, n_chars) levels of some columns there."""


def groups(sizes: Collection[tuple[Site, int]], most_units: int) -> list[list[Columns]]:
    """The units of sites of these sizes in order, at most so many in a group."""
    found: list[list[Columns]] = [[]]
    room = most_units
    for site, n_units in sizes:
        start = 0
        while start < n_units:
            if room == 0:
                found.append([])
                room = most_units
            stop = min(n_units, start + room)
            found[-1].append(Columns(site, start, stop))
            room -= stop - start
            start = stop
    return found


class Levels:
    """The levels of some columns of a source, unit by unit, to be gone through more than once.

    Attributes:
        are_kept: Whether they are in memory, all characters in one tile.
        n_chars: How many characters there are.
    """

    def __init__(self, source: Source, columns: Collection[Columns], bins: Mapping[Site, Bins]) -> None:
        self.n_chars = source.selection.n_chars
        self.are_kept = sum(each.n_units for each in columns) <= most_kept(self.n_chars)
        self._source = source
        self._columns = list(columns)
        self._bins = {each: bins[each.site].of(each.units) for each in columns if each.site in bins}
        self._kept: list[Tile] = []

    def tiles(self, progress: Callable[[int], None] = lambda n_chars: None) -> Iterator[Tile]:
        """All characters, many at a time; what is given is overwritten by the next.

        Args:
            progress: Called with the characters that were read, each time some were.
        """
        if self._kept:
            yield from self._kept
            return
        n_at_once = self.n_chars if self.are_kept else CHARS_AT_ONCE
        room = {
            each: np.empty((each.n_units, n_at_once + _PADDING), np.uint16)[:, :n_at_once] for each in self._columns
        }
        places = np.empty(n_at_once, np.int64)
        n_filled = 0
        for block in self._source.blocks(sorted({each.site for each in self._columns})):
            first = 0
            while first < block.n_chars:
                n_taken = min(block.n_chars - first, n_at_once - n_filled)
                self._take(block, slice(first, first + n_taken), places, room, n_filled)
                first, n_filled = first + n_taken, n_filled + n_taken
                if n_filled == n_at_once:
                    if self.are_kept:
                        self._kept = [(places, room)]
                    yield places, room
                    n_filled = 0
            progress(block.n_chars)
        if n_filled:
            yield places[:n_filled], {each: levels[:, :n_filled] for each, levels in room.items()}

    def _take(
        self,
        block: Block,
        rows: slice,
        places: NDArray[np.int64],
        room: dict[Columns, NDArray[np.uint16]],
        n_filled: int,
    ) -> None:
        own = block.places
        where = slice(n_filled, n_filled + rows.stop - rows.start)
        places[where] = np.arange(own.start, own.stop, own.step)[rows]
        for each, levels in room.items():
            to_levels(block.values[each.site][rows, each.units], levels[:, where], self._bins.get(each))


def most_kept(n_chars: int) -> int:
    """How many units' levels of so many characters are kept in memory at most; 0 if there are too many characters."""
    n_units = _KEPT_BYTES // (2 * n_chars)
    return min(n_units, _MOST_KEPT) if n_units >= _FEWEST_KEPT else 0
