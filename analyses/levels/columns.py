"""Levels unit by unit, for many characters at once, from what a source gives character by character."""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.progress import Advance, no_advance
from activations.units import Site, in_order
from analyses.errors import AnalysisError
from analyses.levels.binning import to_levels
from analyses.levels.bins import Bins
from analyses.levels.choosing_bins import bins_around
from analyses.threads import ReentrantLock, do_in_threads

REMEMBERED_BYTES = 1 << 28
_LIVE_TILE_BYTES = 3 << 25
_GATHERED_CHARS = 1 << 14  # of a live source, whose levels are found together
_WAITING_BYTES = 1 << 25  # of blocks of another source, whose levels are found together
_FEWEST_AT_ONCE = 32
_SAMPLED_CHARS = 16_000  # from which bins are made
_PADDING = 32  # between units, which would else all begin at the same place of the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """Limits on what is read and counted together: they decide on memory and speed, and leave results as they are.

    Attributes:
        whole_bytes: Bytes that all characters of some units may take in one tile.
        whole_units: The most units in such a tile, unless the source is live.
        statistic_bytes: Bytes that a statistic of several units may take.
        live_statistic_bytes: The same for a live source, which it takes long to read again.
        tile_chars: Characters of other tiles: few enough that the tables of a unit stay in the cache meanwhile.
        live_tile_chars: The most characters of such a tile of a live source, whose tables stay in the cache for longer.
    """

    whole_bytes: int = 1 << 28
    whole_units: int = 256
    statistic_bytes: int = 1 << 29
    live_statistic_bytes: int = 1 << 31
    tile_chars: int = 1 << 15
    live_tile_chars: int = 1 << 18


DEFAULT_LIMITS = ReadingLimits()


@dataclass(frozen=True, slots=True)
class Columns:
    """Neighbouring units of a site, from `start` up to `stop`."""

    site: Site
    start: int
    stop: int

    @property
    def n_units(self) -> int:
        """The number of these units."""
        return self.stop - self.start

    @property
    def units(self) -> slice:
        """Their numbers among the units of the site."""
        return slice(self.start, self.stop)


Tile = tuple[NDArray[np.int64], dict[Columns, NDArray[Any]]]
"""(n_chars,) places of some characters in the corpus, and (n_units, n_chars) levels of some columns there."""


def column_groups(sizes: Collection[tuple[Site, int]], most_units: int) -> list[list[Columns]]:
    """Divide the units of sites of these sizes, in order, into as few groups as possible of about the same size.

    Where sites are alike, few of the groups have units of two sites, which would both have to be read.
    """
    n_all = sum(n_units for _, n_units in sizes)
    n_each = -(-n_all // max(1, -(-n_all // most_units)))
    groups: list[list[Columns]] = [[]]
    room = n_each
    for site, n_units in sizes:
        start = 0
        while start < n_units:
            if room == 0:
                groups.append([])
                room = n_each
            stop = min(n_units, start + room)
            groups[-1].append(Columns(site, start, stop))
            room -= stop - start
            start = stop
    return groups


class LevelReader:
    """Reads the levels of the units of a source, and remembers bins and levels for the next question.

    Levels are remembered if those of all units fit in the memory set aside for it. While one thread finds or reads
    something to be remembered, others wait for it.

    Attributes:
        wide: The sites in float32, whose values are put into bins.
        limits: What is read and counted together.
    """

    def __init__(
        self,
        source: Source,
        memory_bytes: int = REMEMBERED_BYTES,
        lock: ReentrantLock | None = None,
        limits: ReadingLimits = DEFAULT_LIMITS,
    ) -> None:
        """Make a reader for a source, which is passed again whenever it is read.

        Args:
            source: The source.
            memory_bytes: The most memory that the cache may take.
            lock: Held by a thread that reads the cache.
            limits: What may be read and counted together.
        """
        self.limits = limits
        self.wide = {site for site in source.sites if source.dtype(site) != np.float16}
        self._n_chars = source.selection.n_chars
        self._n_units = sum(source.sites.values())
        self._is_live = source.is_live
        self._memory_bytes = memory_bytes
        self._lock = lock or ReentrantLock()
        self._bins: dict[Site, Bins] = {}
        self._tiles: dict[tuple[Columns, ...], Tile] = {}

    @property
    def n_bytes(self) -> int:
        """The memory that the cache takes."""
        return self._n_bytes_of_bins + sum(map(_n_bytes, list(self._tiles.values())))

    @property
    def _n_bytes_of_bins(self) -> int:
        return sum(bins.n_bytes for bins in list(self._bins.values()))

    def forget_too_much(self) -> None:
        """Drop what exceeds the memory of the cache, bins too; no analysis may be using them."""
        self._forget_some(self._tiles)
        self._forget_some(self._bins)

    def _forget_some(self, remembered: dict[Any, Any]) -> None:
        """Forget what was remembered first, as long as everything takes more memory than is set aside."""
        while remembered and self.n_bytes > self._memory_bytes:
            del remembered[next(iter(remembered))]

    def most_at_once(self, *, exact: bool = False) -> int:
        """Return how many units are best read together, all characters in one tile; 0 if that exceeds the memory.

        Args:
            exact: Whether values in float32 are to be read as they are, for which there is no other way than this one.
        """
        if exact:
            return min(max(1, self.limits.whole_bytes // (4 * self._n_chars)), self.limits.whole_units)
        if self._is_live:  # which is not read again for more units
            return self._n_units if 2 * self._n_chars * self._n_units <= self.limits.whole_bytes else 0
        n_units = self.limits.whole_bytes // (2 * self._n_chars)
        return min(n_units, self.limits.whole_units) if n_units >= _FEWEST_AT_ONCE else 0

    def most_units(self, bytes_per_unit: int) -> int:
        """Return how many units to count together, if a statistic takes this much memory for each."""
        most_bytes = self.limits.live_statistic_bytes if self._is_live else self.limits.statistic_bytes
        return self.most_at_once() or max(1, most_bytes // bytes_per_unit)

    def middle_levels(self, columns: Columns) -> NDArray[np.int64] | None:
        """(n_units,) the middle levels of the bins of units in float32, once they are found; None for float16."""
        return self._bins[columns.site].of(columns.units).middle_levels if columns.site in self.wide else None

    @property
    def bins_sha256(self) -> str:
        """Hash of the bins that were found so far, in hexadecimal."""
        digest = hashlib.sha256()
        for site, bins in sorted(self._bins.items()):
            digest.update(str(site).encode())
            for field in fields(bins):
                digest.update(np.ascontiguousarray(getattr(bins, field.name)).tobytes())
        return digest.hexdigest()

    def whole(self, source: Source, columns: Collection[Columns], progress: Advance, *, exact: bool = False) -> Tile:
        """Read all characters in one tile; if it is to be exact, with values, not levels, of sites in float32."""
        key = tuple(columns)
        self.find_bins(source, in_order(source.sites, (units.site for units in key)))
        if exact or not self._remembers:
            [tile] = self.tiles(source, key, progress, self._n_chars, exact=exact)
            return tile
        with self._lock.held():
            if key in self._tiles:
                progress(self._n_chars)
            else:
                [self._tiles[key]] = self.tiles(source, key, progress, self._n_chars)
            tile = self._tiles[key]
            self._forget_some(self._tiles)
        return tile

    @property
    def _remembers(self) -> bool:
        """True if there is room for the levels of all units, beside the bins."""
        return 2 * self._n_chars * self._n_units + self._n_bytes_of_bins <= self._memory_bytes

    def levels_of(self, columns: Columns, values: NDArray[Any]) -> NDArray[np.uint16]:
        """(n_units, n_chars) levels of what was read of some columns, whether these are levels or exact values."""
        if values.dtype == np.uint16:
            return values
        levels = np.empty(values.shape, np.uint16)
        self.write_levels(columns, values.T, levels)
        return levels

    def tiles(
        self,
        source: Source,
        columns: Collection[Columns],
        progress: Advance,
        n_at_once: int | None = None,
        *,
        exact: bool = False,
    ) -> Iterator[Tile]:
        """Yield all characters, many at a time; each tile is overwritten by the next.

        Args:
            source: The source that this reads.
            columns: The units.
            progress: Called with the characters that were read, each time some were.
            n_at_once: How many are in a tile; None is as many as fit in the cache.
            exact: Whether to give values, not levels, of sites in float32.

        Raises:
            AnalysisError: If an activation is not a number.
        """
        columns = list(columns)
        sites = in_order(source.sites, (units.site for units in columns))
        self.find_bins(source, sites)
        tiles = Tiles(self, source, columns, n_at_once, exact=exact)
        for block in source.blocks(sites):
            yield from tiles.add(block)
            progress(block.n_chars)
        yield from tiles.rest()

    def write_levels(self, columns: Columns, values: NDArray[np.floating], into: NDArray[Any]) -> None:
        """Write levels (n_units, n_chars), or the values themselves, of (n_chars, n_units) values of some columns.

        Raises:
            AnalysisError: If a value is not a number.
        """
        if into.dtype != np.uint16:
            into[:] = values.T
            are_numbers = bool(np.isfinite(values).all())
        else:
            bins = self._bins[columns.site] if columns.site in self.wide else None
            are_numbers = to_levels(values, into, None if bins is None else bins.of(columns.units))
        if not are_numbers:
            raise AnalysisError(not_numbers(columns.site))

    def lacking(self, sites: Collection[Site]) -> list[Site]:
        """Return the sites whose bins have still to be found, in a pass of its own."""
        return [site for site in sites if site in self.wide and site not in self._bins]

    def find_bins(self, source: Source, sites: Collection[Site], progress: Advance = no_advance) -> None:
        """Find bins for the units of sites in float32, from where the values of some characters lie.

        Raises:
            AnalysisError: If one of these is not a number.
        """
        if not self.lacking(sites):
            return
        with self._lock.held():
            missing = self.lacking(sites)  # another thread may have found some meanwhile
            if not missing:
                return
            for site, sample in source.sample(missing, _SAMPLED_CHARS, progress).items():
                if not np.isfinite(sample).all():
                    raise AnalysisError(not_numbers(site))
                self._bins[site] = bins_around(sample)
            self._forget_some(self._tiles)


class Tiles:
    """Gathers blocks until there are enough characters for a tile; each tile is overwritten by the next."""

    def __init__(
        self,
        reader: LevelReader,
        source: Source,
        columns: Collection[Columns],
        n_at_once: int | None = None,
        *,
        exact: bool = False,
    ) -> None:
        """Start with no characters, for some units of a source whose bins are known; see `LevelReader.tiles`."""
        gathered_sizes = {units.site: source.sites[units.site] for units in columns} if source.is_live else {}
        self._reader, self._n_at_once = reader, n_at_once or _chars_of_tile(source, columns, reader.limits)
        self._levels: dict[Columns, NDArray[Any]] = {}
        for units in columns:
            dtype = source.dtype(units.site) if exact and units.site in reader.wide else np.uint16
            padded = np.empty((units.n_units, self._n_at_once + _PADDING), dtype)
            self._levels[units] = padded[:, : self._n_at_once]
        self._places = np.empty(self._n_at_once, np.int64)
        self._n_filled = self._n_levels = 0  # characters that are there, and those of them whose levels are known
        self._waiting: list[tuple[Columns, NDArray[Any], NDArray[Any]]] = []  # values of blocks, and where levels go
        self._n_waiting = 0  # bytes of these blocks
        self._gathered = {
            site: np.empty((min(self._n_at_once, _GATHERED_CHARS), n_units), source.dtype(site))
            for site, n_units in gathered_sizes.items()
        }

    def add(self, block: Block) -> Iterator[Tile]:
        """Add the characters of a block, and yield each tile that is full."""
        places, first = block.positions, 0
        while first < block.n_chars:
            n_added = min(block.n_chars - first, self._room_left)
            rows, into = slice(first, first + n_added), slice(self._n_filled, self._n_filled + n_added)
            self._places[into] = np.arange(places.start, places.stop, places.step)[rows]
            if self._gathered:
                for site, values in self._gathered.items():
                    values[into.start - self._n_levels : into.stop - self._n_levels] = block.values[site][rows]
            else:
                self._wait(block, rows, into)
            first, self._n_filled = first + n_added, self._n_filled + n_added
            if self._gathered and self._n_filled - self._n_levels == _GATHERED_CHARS:
                self._find_levels()
            if self._n_filled == self._n_at_once:
                yield self._tile()

    def _wait(self, block: Block, rows: slice, into: slice) -> None:
        """Keep rows of a block until there are enough for several threads to find their levels."""
        for columns, levels in self._levels.items():
            self._waiting.append((columns, block.values[columns.site][rows, columns.units], levels[:, into]))
        self._n_waiting += sum(values.nbytes for values in block.values.values())
        if self._n_waiting >= _WAITING_BYTES:
            self._write_waiting()

    def _write_waiting(self) -> None:
        do_in_threads(lambda block: self._reader.write_levels(*block), self._waiting)
        self._waiting, self._n_waiting = [], 0

    @property
    def _room_left(self) -> int:
        """The number of characters that can be added before levels have to be found or the tile is full."""
        left = self._n_at_once - self._n_filled
        return min(left, self._n_levels + _GATHERED_CHARS - self._n_filled) if self._gathered else left

    def rest(self) -> Iterator[Tile]:
        """Yield what is left, in a tile that is not full."""
        if self._n_filled:
            yield self._tile()

    def _tile(self) -> Tile:
        if self._gathered and self._n_levels < self._n_filled:
            self._find_levels()
        self._write_waiting()
        filled = slice(self._n_filled)
        self._n_filled = self._n_levels = 0
        return self._places[filled], {columns: levels[:, filled] for columns, levels in self._levels.items()}

    def _find_levels(self) -> None:
        """Find the levels of gathered characters: blocks of a live source are small, and all cores are busy with it."""
        gathered, new = slice(self._n_filled - self._n_levels), slice(self._n_levels, self._n_filled)
        for columns, levels in self._levels.items():
            self._reader.write_levels(columns, self._gathered[columns.site][gathered, columns.units], levels[:, new])
        self._n_levels = self._n_filled


def _chars_of_tile(source: Source, columns: Collection[Columns], limits: ReadingLimits) -> int:
    """Return how many characters a tile has: what fits in the cache, or more of a live source."""
    if not source.is_live:
        return limits.tile_chars
    bytes_per_char = 2 * sum(units.n_units for units in columns)
    most = max(limits.tile_chars, min(limits.live_tile_chars, source.selection.n_chars))
    return min(max(_LIVE_TILE_BYTES // max(bytes_per_char, 1), limits.tile_chars), most)


def _n_bytes(tile: Tile) -> int:
    """Return the memory of a tile, whose arrays are parts of others."""
    places, levels = tile
    return sum((array if array.base is None else array.base).nbytes for array in (places, *levels.values()))


def not_numbers(site: Site) -> str:
    """Say that some activations are not numbers."""
    return f"some activations of {site} are not numbers (NaN or infinite); the model's weights may be broken"
