"""What chance does if the labels are shifted in a circle, which leaves both them and the units as they are."""

import itertools
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site
from analyses.alignment import Target
from analyses.columns import Columns, LevelReader, groups, most_at_once
from analyses.errors import AnalysisError
from analyses.level_counts import LevelCounts
from analyses.levels import N_LEVELS

_CHARS_AT_ONCE = 1 << 15
_MOST_UNITS = 256
_NEAREST = 20  # a shift is at least this share of the text, lest it changes nothing


class Shifted(NamedTuple):
    """How often shifted labels have as much to do with units as the labels themselves.

    Attributes:
        p_shift: (n_units,) with the unit itself; the p-value of a test of this unit alone.
        p_max: (n_units,) with any of the units; the p-value of this unit, of all that were looked at.
    """

    p_shift: NDArray[np.float64]
    p_max: NDArray[np.float64]


def shift(
    source: Source,
    targets: Sequence[Target],
    sites: Collection[Site],
    n_shifts: int,
    seed: int,
    forward: Callable[[int], None] = lambda n_chars: None,
) -> dict[Site, Shifted]:
    """Correlate the ranks of units with labels, and with the labels shifted in a circle.

    Args:
        source: What to read.
        targets: The label, or its classes, of which the one counts that a unit has most to do with.
        sites: Where to look.
        n_shifts: How many shifts, of at least a twentieth of the text.
        seed: Of the shifts.
        forward: Called with the characters that were read, each time some were.

    Raises:
        AnalysisError: If the text is too short for so many shifts.
    """
    n_chars = source.selection.n_chars
    nearest = n_chars // _NEAREST
    if n_shifts > n_chars - 2 * nearest:
        raise AnalysisError(f"{n_chars:,} characters cannot be shifted in {n_shifts:,} ways; ask for fewer shifts")
    rng = np.random.default_rng(seed)
    steps = [0, *(nearest + rng.choice(n_chars - 2 * nearest, n_shifts, replace=False)).tolist()]
    labels = np.stack([_twice(each) for each in targets])
    chosen = sorted(sites)
    sizes = [(site, source.sites[site]) for site in chosen]
    found: dict[Site, list[NDArray[np.float64]]] = {site: [] for site in chosen}
    for group in groups(sizes, most_at_once(n_chars) or _MOST_UNITS):
        for each, sums in _correlate(source, group, labels, steps, forward).items():
            found[each.site].append(np.abs(sums).max(axis=1))
    distances = {site: np.concatenate(parts) for site, parts in found.items()}
    largest = np.max([each.max(axis=0) for each in distances.values()], axis=0)
    return {
        site: Shifted(
            (1 + (own[:, 1:] >= own[:, :1]).sum(axis=1)) / (1 + n_shifts),
            (1 + (largest[None, 1:] >= own[:, :1]).sum(axis=1)) / (1 + n_shifts),
        )
        for site, own in distances.items()
    }


def _twice(asked: Target) -> NDArray[np.float32]:
    """(2 × n_used,) labels of the characters that are used, of mean 0 and size 1, 0 where they are missing; twice."""
    labels, parts = asked.all_rows
    there = parts >= 0
    own = np.where(there, labels.astype(np.float64) - labels[there].mean(), 0.0)
    size = np.sqrt((own**2).sum())
    return np.tile(own / size if size > 0 else own, 2).astype(np.float32)


def _correlate(
    source: Source, group: list[Columns], labels: NDArray[np.float32], steps: list[int], forward: Callable[[int], None]
) -> dict[Columns, NDArray[np.float64]]:
    """(n_units, n_labels, n_steps) correlations of ranks with labels so many characters on."""
    reader, n_chars = LevelReader.of(source), source.selection.n_chars
    kept = [reader.whole(source, group, forward)] if most_at_once(n_chars) else None
    counts = {each: LevelCounts(1, each.n_units) for each in group}
    for places, levels in kept or reader.tiles(source, group, forward):
        for each, own in counts.items():
            own.update(levels[each], np.zeros(len(places), np.int8))
    ranks = {each: _rank(own.counts[..., 0]) for each, own in counts.items()}
    sums = {each: np.zeros((each.n_units, len(labels), len(steps))) for each in group}
    for places, levels in kept or reader.tiles(source, group, forward):
        rows = (places - source.selection.start) // source.selection.every
        for start in range(0, len(places), _CHARS_AT_ONCE):
            tile = slice(start, start + _CHARS_AT_ONCE)
            own_rows = rows[tile]
            y = np.empty((len(labels) * len(steps), len(own_rows)), np.float32)
            for line, (label, step) in enumerate(itertools.product(labels, steps)):
                np.take(label, own_rows + step, out=y[line])
            for each in group:
                x = np.empty((each.n_units, len(own_rows)), np.float32)
                _look_up(levels[each][:, tile], ranks[each], x)
                sums[each] += (x @ y.T).reshape(sums[each].shape)
    return sums


@njit(parallel=True, cache=True)
def _rank(counts: NDArray[np.uint32]) -> NDArray[np.float32]:
    """(n_units, 65536) the ranks of levels, of mean 0, and of size 1 over all characters; 0 if there is one only."""
    ranks = np.zeros((len(counts), N_LEVELS), np.float32)
    for unit in prange(len(counts)):
        n = np.float64(0)
        for level in range(N_LEVELS):
            n += counts[unit, level]
        squares, below = 0.0, 0.0
        for level in range(N_LEVELS):
            rank = 2 * below + counts[unit, level] - n
            squares += counts[unit, level] * rank * rank
            below += counts[unit, level]
            ranks[unit, level] = rank
        if squares > 0:
            ranks[unit] /= np.float32(np.sqrt(squares))
        else:
            ranks[unit] = 0
    return ranks


@njit(parallel=True, cache=True)
def _look_up(levels: NDArray[np.uint16], ranks: NDArray[np.float32], into: NDArray[np.float32]) -> None:
    for unit in prange(len(levels)):
        for t in range(levels.shape[1]):
            into[unit, t] = ranks[unit, levels[unit, t]]
