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
_MOST_UNITS = 64  # that are worked on in the same readings
_N_BINS = 256  # of a unit's mid-ranks, which suffice for AUCs within position groups
_NEGATIVE, _POSITIVE = range(2)


class Placements(NamedTuple):
    """Where the characters of some units stand among those of the other value of a label.

    Attributes:
        positive: (n_atoms, n_units) twice the sums over an atom's positives of how many of all negatives are lower.
        negative: (n_atoms, n_units) twice the sums over its negatives of how many of all positives are higher. Ties
            count half, in both.
        held_out: (n_groups, 2, n_bins, n_units) how many held-out negatives and positives of each position group lie in
            256 bins of the unit's mid-ranks.
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

    The placement of a positive is how many of all negatives are lower, ties counted half; that of a negative how many
    of all positives are higher. The mean of either, over the number of the others, is the AUC.

    Args:
        asked: The labels.
        readings: What goes through all characters each time it is called.
        wanted: Which units, by the number of a label, and columns.

    Source:
        DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837-845; of clusters, Obuchowski 1997, Biometrics
        53:567-578.
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
        tables = [
            _Table(np.zeros((len(piece.units), 2, N_LEVELS), np.uint32), np.zeros((len(piece.units), 2), np.int64))
            for piece in batch
        ]
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
    """How many negatives and positives have each level, and then the placements of the level's characters.

    Attributes:
        levels: (n_units, 2, 65536) of the negatives, and of the positives.
        totals: (n_units, 2) how many there are.
    """

    levels: NDArray[np.uint32]
    totals: NDArray[np.int64]


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
    counts: NDArray[np.uint32],
    totals: NDArray[np.int64],
    positive_sums: NDArray[np.int64],
    negative_sums: NDArray[np.int64],
    held_out: NDArray[np.int64],
) -> None:
    for n in range(len(units)):
        own, negative, positive = levels[units[n]], counts[n, 0], counts[n, 1]
        place = 0
        for run in range(len(starts)):
            for row in range(starts[run], stops[run]):
                if is_true[place]:
                    positive[own[row]] += np.uint32(1)
                else:
                    negative[own[row]] += np.uint32(1)
                place += 1


@njit(nogil=True, cache=True)
def _to_places(counts: NDArray[np.uint32], totals: NDArray[np.int64]) -> None:
    """Make of counts how many negatives are lower, and how many positives higher: twice, and once those equal."""
    for n in range(len(counts)):
        negative, positive = counts[n, 0], counts[n, 1]
        below = above = np.uint32(0)
        for level in range(len(negative)):
            count = negative[level]
            negative[level] = below + below + count
            below += count
        for level in range(len(positive) - 1, -1, -1):
            count = positive[level]
            positive[level] = above + above + count
            above += count
        totals[n, 0], totals[n, 1] = below, above


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
    totals: NDArray[np.int64],
    positive_sums: NDArray[np.int64],
    negative_sums: NDArray[np.int64],
    held_out: NDArray[np.int64],
) -> None:
    for n in range(len(units)):
        own, of_positive, of_negative = levels[units[n]], places[n, 0], places[n, 1]
        twice_positive = 2 * totals[n, 1]
        per_rank = _N_BINS / (2 * (totals[n, 0] + totals[n, 1]))
        place = 0
        for run in range(len(starts)):
            positive = negative = np.int64(0)
            group = groups[atoms[run]]
            for row in range(starts[run], stops[run]):
                level, label = own[row], is_true[place]
                if label:
                    positive += np.int64(of_positive[level])
                else:
                    negative += np.int64(of_negative[level])
                if group >= 0:
                    rank = np.int64(of_positive[level]) + twice_positive - np.int64(of_negative[level])
                    held_out[group, np.int64(label), int(rank * per_rank), n] += 1
                place += 1
            positive_sums[atoms[run], n] += positive
            negative_sums[atoms[run], n] += negative
