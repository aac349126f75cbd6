"""What chance does if the labels are shifted in a circle, which leaves both them and the units as they are."""

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site
from analyses.alignment import Target
from analyses.classes import Classes
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
    asked: Target,
    classes: Classes | None,
    sites: Collection[Site],
    n_shifts: int,
    seed: int,
    forward: Callable[[int], None] = lambda n_chars: None,
) -> dict[Site, Shifted]:
    """Correlate the ranks of units with a label, and with the label shifted in a circle.

    Args:
        source: What to read.
        asked: The label.
        classes: Of the label, if not itself but that of its classes counts which a unit has most to do with.
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
    labels = _Labels.numbers(asked) if classes is None else _Labels.classes(asked, classes)
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


class _Labels(NamedTuple):
    """Labels of the characters that are used: numbers, or classes of which each is a label.

    Attributes:
        values: (n_used,) float32 numbers of mean 0 and size 1, 0 where they are missing; or int16 places in `there`,
            the last one where the label is missing.
        there: (n_classes, n_classes + 1) what each class is where the label is each of them, or missing; None of
            numbers.
    """

    values: NDArray[Any]
    there: NDArray[np.float32] | None

    @classmethod
    def numbers(cls, asked: Target) -> "_Labels":
        labels, parts = asked.all_rows
        there = parts >= 0
        own = np.where(there, labels.astype(np.float64) - labels[there].mean(), 0.0)
        return cls((own / np.sqrt((own**2).sum())).astype(np.float32), None)

    @classmethod
    def classes(cls, asked: Target, classes: Classes) -> "_Labels":
        used, k = asked.selection, len(classes.names)
        parts = asked.all_rows.parts
        of = np.where(parts >= 0, classes.of[used.start : used.stop : used.every], k).astype(np.int16)
        share = np.bincount(of, minlength=k + 1)[:k] / max((of < k).sum(), 1)
        size = np.sqrt(np.maximum((of < k).sum() * share * (1 - share), 1e-12))
        there = np.zeros((k, k + 1))
        there[:, :k] = (np.eye(k) - share[:, None]) / size[:, None]
        return cls(of, there.astype(np.float32))

    @property
    def n_labels(self) -> int:
        return 1 if self.there is None else len(self.there)

    def shifted(self, rows: NDArray[np.int64], steps: list[int]) -> Iterator[NDArray[np.float32]]:
        """Each label, (n_steps, n_rows), of characters so many steps on."""
        own = np.empty((len(steps), len(rows)), self.values.dtype)
        for line, step in enumerate(steps):
            np.take(self.values, rows + step, out=own[line], mode="wrap")
        yield from [own] if self.there is None else (values[own] for values in self.there)


def _correlate(
    source: Source, group: list[Columns], labels: _Labels, steps: list[int], forward: Callable[[int], None]
) -> dict[Columns, NDArray[np.float64]]:
    """(n_units, n_labels, n_steps) correlations of ranks with labels so many characters on."""
    tiles = LevelReader.of(source).readings(source, group, forward)
    counts = {each: LevelCounts(1, each.n_units) for each in group}
    for places, levels in tiles():
        for each, own in counts.items():
            own.update(levels[each], np.zeros(len(places), np.int8))
    ranks = {each: _rank(own.counts[..., 0]) for each, own in counts.items()}
    sums = {each: np.zeros((each.n_units, labels.n_labels, len(steps))) for each in group}
    for places, levels in tiles():
        rows = (places - source.selection.start) // source.selection.every
        for start in range(0, len(places), _CHARS_AT_ONCE):
            tile = slice(start, start + _CHARS_AT_ONCE)
            x = {each: np.empty((each.n_units, len(rows[tile])), np.float32) for each in group}
            for each, into in x.items():
                _look_up(levels[each][:, tile], ranks[each], into)
            for place, y in enumerate(labels.shifted(rows[tile], steps)):
                for each, own_x in x.items():
                    sums[each][:, place] += own_x @ y.T
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
