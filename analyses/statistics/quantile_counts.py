"""How the values of units are spread in classes of characters, on training and on test ones."""

from collections.abc import Callable, Collection, Iterator

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site
from analyses.alignment import Target
from analyses.classes import Classes
from analyses.columns import Columns, LevelReader, groups
from analyses.level_counts import LevelCounts
from analyses.levels import N_LEVELS
from analyses.splits import TEST, TRAIN

N_BINS = 256
_BYTES_PER_UNIT = 1 << 21  # of counts, bins and tables
_TABLES_AT_ONCE = 32  # of a megabyte each


def histograms(
    source: Source, asked: Target, classes: Classes, sites: Collection[Site], forward: Callable[[int], None]
) -> Iterator[tuple[Columns, NDArray[np.int64]]]:
    """Count the characters of each class in bins of each unit's values.

    The bins of a unit have as many training characters each, as far as equal values allow.

    Args:
        source: What to read.
        asked: Says which characters train and test.
        classes: Of the characters.
        sites: Where to look.
        forward: Called with the characters that were read, each time some were.

    Yields:
        Some units, those of a site in order, and (n_units, 2, 256, n_classes) how many training and how many test
        characters there are, bins in ascending order.
    """
    reader = LevelReader.of(source)
    parts = asked.parts_of_text
    most_units = reader.most_units(_BYTES_PER_UNIT)
    for group in groups([(site, source.sites[site]) for site in sorted(sites)], most_units):
        tiles = reader.readings(source, group, forward)
        counts = {each: LevelCounts(1, each.n_units) for each in group}
        for places, levels in tiles():
            training = np.where(parts[places] == TRAIN, 0, -1).astype(np.int8)
            for each, own in counts.items():
                own.update(levels[each], training)
        bins = {each: _to_bins(own.counts[..., 0]) for each, own in counts.items()}
        found = {each: np.zeros((each.n_units, 2, N_BINS, len(classes.names)), np.int64) for each in group}
        for places, levels in tiles():
            for each, table in found.items():
                _count(levels[each], parts[places], classes.of[places], bins[each], table)
        yield from found.items()


def level_tables(
    source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
) -> Iterator[tuple[Columns, NDArray[np.uint32]]]:
    """Count the True and False characters at each level of each unit: histograms as fine as there are values.

    Args:
        source: What to read.
        asked: A binary label.
        sites: Where to look.
        forward: Called with the characters that were read, each time some were.

    Yields:
        Some units, those of a site in order, and (n_units, 65536, 2, 2) how many training and how many test characters
        are False and how many are True, levels in ascending order.
    """
    reader = LevelReader.of(source)
    parts = asked.parts_of_text
    cells = np.where((parts == TRAIN) | (parts == TEST), 2 * parts + asked.labels.values, -1).astype(np.int8)
    n_at_once = reader.most_at_once()
    for group in groups([(site, source.sites[site]) for site in sorted(sites)], reader.most_units(_BYTES_PER_UNIT)):
        if n_at_once:
            places, levels = reader.whole(source, group, forward)
            for each in group:
                for start in range(each.start, each.stop, _TABLES_AT_ONCE):
                    some = Columns(each.site, start, min(start + _TABLES_AT_ONCE, each.stop))
                    counted = LevelCounts(4, some.n_units)
                    counted.update(levels[each][start - each.start : some.stop - each.start], cells[places])
                    yield some, _by_part(counted)
        else:
            counts = {each: LevelCounts(4, each.n_units) for each in group}
            for places, levels in reader.tiles(source, group, forward):
                for each, own in counts.items():
                    own.update(levels[each], cells[places])
            yield from ((each, _by_part(own)) for each, own in counts.items())


def _by_part(counted: LevelCounts) -> NDArray[np.uint32]:
    return counted.counts.reshape(*counted.counts.shape[:2], 2, 2)


@njit(parallel=True, cache=True)
def _to_bins(counts: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """(n_units, 65536) the bin of each level, of the number of training characters that have a lower one."""
    bins = np.zeros((len(counts), N_LEVELS), np.uint8)
    for unit in prange(len(counts)):
        n = np.int64(0)
        for level in range(N_LEVELS):
            n += counts[unit, level]
        below = np.int64(0)
        for level in range(N_LEVELS):
            bins[unit, level] = min((2 * below + counts[unit, level]) * N_BINS // (2 * n), N_BINS - 1)
            below += counts[unit, level]
    return bins


@njit(parallel=True, cache=True)
def _count(
    levels: NDArray[np.uint16],
    parts: NDArray[np.int8],
    classes: NDArray[np.int64],
    bins: NDArray[np.uint8],
    found: NDArray[np.int64],
) -> None:
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            if parts[t] == TRAIN or parts[t] == TEST:
                found[unit, parts[t], bins[unit, levels[unit, t]], classes[t]] += 1
