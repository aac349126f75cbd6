"""How positives and negatives stand to each other: what intervals of AUCs, and AUCs without position, are made of."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from analyses.columns import Columns, Tile
from analyses.joint_labels import JointLabels, Labelled
from analyses.levels import N_LEVELS
from analyses.long_run import N_GROUPS, position_groups
from analyses.threads import in_threads

_AT_ONCE = 8  # units that a thread works on, with tables of 512 KiB each
_MOST_UNITS = 512  # that are worked on in the same readings
_N_BINS = 256  # which suffice for AUCs within position groups
_NEGATIVE, _POSITIVE = range(2)


class Placements(NamedTuple):
    """Where the characters of some units stand among the positives, those whose label is True.

    A character's place is twice the number of positives that are lower, and once that of those equal.

    Attributes:
        positive: (n_atoms, n_units) sums of the places of an atom's positives.
        negative: (n_atoms, n_units) sums of the places of its negatives.
        held_out: (n_groups, 2, n_bins, n_units) how many held-out negatives and positives of each position group lie in
            bins of the unit's values. No bin has more than 1/128 of all positives, or of all that are held out, but for
            those of one level.
    """

    positive: NDArray[np.int64]
    negative: NDArray[np.int64]
    held_out: NDArray[np.int64]

    @classmethod
    def empty(cls, n_atoms: int, n_units: int) -> "Placements":
        """Of no characters."""
        sums = np.zeros((2, n_atoms, n_units), np.int64)
        return cls(sums[1], sums[0], np.zeros((N_GROUPS, 2, _N_BINS, n_units), np.int64))

    def units(self, chosen: slice) -> "Placements":
        """A view of some of the units."""
        return Placements(*(each[..., chosen] for each in self))

    def aucs_within(self) -> NDArray[np.float64]:
        """(n_units,) held-out AUCs of characters of the same position group; NaN if no group has both labels.

        The mean over the groups, weighted by n₁ n₀ / n.
        """
        negative, positive = self.held_out[:, _NEGATIVE], self.held_out[:, _POSITIVE]
        lower = np.cumsum(negative, axis=1) - 0.5 * negative
        n_negative, n_positive = negative.sum(axis=1), positive.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            aucs = (positive * lower).sum(axis=1) / (n_negative * n_positive)
            weights = n_negative * n_positive / (n_negative + n_positive)
            return np.asarray(np.nansum(aucs * weights, axis=0) / np.nansum(weights, axis=0))


def placements(
    asked: JointLabels,
    readings: Callable[[], Iterable[Tile]],
    wanted: Mapping[tuple[int, Columns], NDArray[np.int64]],
) -> dict[tuple[int, Columns], Placements]:
    """Place the characters of some units, others for each label.

    Args:
        asked: The labels.
        readings: What goes through all characters each time it is called.
        wanted: Which units, by the number of a label, and columns.
    """
    split = asked.split
    found = {key: Placements.empty(split.n_atoms, len(units)) for key, units in wanted.items()}
    groups = np.where(split.held_out_atoms, position_groups(split.n_atoms), -1)
    pieces = [
        _Piece(*key, own[first : first + _AT_ONCE], found[key].units(slice(first, first + _AT_ONCE)))
        for key, own in wanted.items()
        for first in range(0, len(own), _AT_ONCE)
    ]
    batches = np.cumsum([len(piece.units) for piece in pieces]) // (_MOST_UNITS + 1)
    for number in dict.fromkeys(batches.tolist()):
        batch = [piece for piece, own_batch in zip(pieces, batches, strict=True) if own_batch == number]
        tables = [_Table.empty(len(piece.units)) for piece in batch]
        for step in (_count, _add):
            for places, levels in readings():
                labelled = asked.labelled(places)
                labels = {number: asked.label(number, labelled.places) for number in {piece.label for piece in batch}}
                work = partial(_work, step=step, labels=labels, labelled=labelled, levels=levels, groups=groups)
                deque(in_threads(work, zip(batch, tables, strict=True)), maxlen=0)
            if step is _count:
                deque(in_threads(lambda table: _to_places(*table), tables), maxlen=0)
    return found


class _Table(NamedTuple):
    """How many characters have each level, and then what there is to know of these.

    Attributes:
        places: (n_units, 65536) positives, and then their places.
        bins: (n_units, 65536) held-out characters, and then their bins.
        n_positive: (1,) how many there are.
    """

    places: NDArray[np.uint32]
    bins: NDArray[np.uint32]
    n_positive: NDArray[np.int64]

    @classmethod
    def empty(cls, n_units: int) -> "_Table":
        """Of no characters."""
        counts = np.zeros((2, n_units, N_LEVELS), np.uint32)
        return cls(counts[0], counts[1], np.zeros(1, np.int64))


class _Piece(NamedTuple):
    """Some units of columns that are placed for a label, by its number, and where their sums go."""

    label: int
    columns: Columns
    units: NDArray[np.int64]
    placements: Placements


def _work(
    own: tuple[_Piece, _Table],
    step: Callable[..., None],
    labels: Mapping[int, NDArray[np.bool_]],
    labelled: Labelled,
    levels: Mapping[Columns, NDArray[Any]],
    groups: NDArray[np.int64],
) -> None:
    piece, table = own
    _, *runs = labelled
    step(levels[piece.columns], piece.units, labels[piece.label], *runs, groups, *table, *piece.placements)


@njit(nogil=True, cache=True)
def _count(
    levels: NDArray[np.uint16],
    units: NDArray[np.int64],
    is_true: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    atoms: NDArray[np.int64],
    groups: NDArray[np.int64],
    positives: NDArray[np.uint32],
    held_out_ones: NDArray[np.uint32],
    n_positive: NDArray[np.int64],
    positive_sums: NDArray[np.int64],
    negative_sums: NDArray[np.int64],
    held_out: NDArray[np.int64],
) -> None:
    for n in range(len(units)):
        own, of_unit, of_held_out = levels[units[n]], positives[n], held_out_ones[n]
        for run in range(len(starts)):
            for row in range(np.uint64(starts[run]), np.uint64(stops[run])):
                if is_true[row]:
                    of_unit[own[row]] += np.uint32(1)
            if groups[atoms[run]] >= 0:
                for row in range(np.uint64(starts[run]), np.uint64(stops[run])):
                    of_held_out[own[row]] += np.uint32(1)


@njit(nogil=True, cache=True)
def _to_places(positives: NDArray[np.uint32], held_out_ones: NDArray[np.uint32], n_positive: NDArray[np.int64]) -> None:
    """Make places and bins of counts."""
    n_positive[0] = positives[0].sum()
    per_positive = 0.25 * _N_BINS / max(1, n_positive[0])
    per_held_out = 0.25 * _N_BINS / max(1, held_out_ones[0].sum())
    for n in range(len(positives)):
        places, bins = positives[n], held_out_ones[n]
        lower = lower_held_out = np.uint32(0)
        for level in range(N_LEVELS):
            count, own = places[level], bins[level]
            places[level] = lower + lower + count
            middle = places[level] * per_positive + (lower_held_out + lower_held_out + own) * per_held_out
            bins[level] = min(int(middle), _N_BINS - 1)
            lower, lower_held_out = lower + count, lower_held_out + own


@njit(nogil=True, cache=True)
def _add(
    levels: NDArray[np.uint16],
    units: NDArray[np.int64],
    is_true: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    atoms: NDArray[np.int64],
    groups: NDArray[np.int64],
    places: NDArray[np.uint32],
    bins: NDArray[np.uint32],
    n_positive: NDArray[np.int64],
    positive_sums: NDArray[np.int64],
    negative_sums: NDArray[np.int64],
    held_out: NDArray[np.int64],
) -> None:
    for n in range(len(units)):
        own, of_unit, bin_of = levels[units[n]], places[n], bins[n]
        for run in range(len(starts)):
            positive = both = np.uint64(0)
            for row in range(np.uint64(starts[run]), np.uint64(stops[run])):
                place = np.uint64(of_unit[own[row]])
                both += place
                positive += place * np.uint64(is_true[row])
            positive_sums[atoms[run], n] += np.int64(positive)
            negative_sums[atoms[run], n] += np.int64(both - positive)
            group = groups[atoms[run]]
            if group >= 0:
                for row in range(np.uint64(starts[run]), np.uint64(stops[run])):
                    held_out[group, np.int64(is_true[row]), bin_of[own[row]], n] += 1
