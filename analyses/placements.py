"""How the positives and negatives of held-out stretches stand to each other: what the intervals of AUCs are made of."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from analyses.columns import Columns, Tile
from analyses.joint_labels import HeldOut, JointLabels
from analyses.levels import N_LEVELS
from analyses.threads import in_threads

_AT_ONCE = 8  # units that a thread works on, with tables of 512 KiB each
_MOST_UNITS = 64  # that are worked on in the same readings


def placements(
    asked: JointLabels,
    readings: Callable[[], Iterable[Tile]],
    wanted: Mapping[tuple[int, Columns], NDArray[np.int64]],
) -> dict[tuple[int, Columns], NDArray[np.int64]]:
    """Place the held-out characters of some units, others for each label.

    The placement of a positive is how many of all negatives are lower, ties counted half; that of a negative how many
    of all positives are higher. The mean of either, over the number of the others, is the AUC.

    Args:
        asked: The labels.
        readings: What goes through all characters each time it is called.
        wanted: Which units, by the number of a label, and columns.

    Returns:
        (2, n_stretches, n_units) twice the sums over the positives, and over the negatives, of each stretch; 0 for
        those that are not held out.

    Source:
        DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837-845; of clusters, Obuchowski 1997, Biometrics
        53:567-578.
    """
    found = {key: np.zeros((2, asked.split.n_stretches, len(units)), np.int64) for key, units in wanted.items()}
    pieces = [
        _Piece(*key, own[first : first + _AT_ONCE], found[key][:, :, first : first + _AT_ONCE])
        for key, own in wanted.items()
        for first in range(0, len(own), _AT_ONCE)
    ]
    batches = np.cumsum([len(piece.units) for piece in pieces]) // (_MOST_UNITS + 1)
    for number in dict.fromkeys(batches.tolist()):
        batch = [piece for piece, own_batch in zip(pieces, batches, strict=True) if own_batch == number]
        tables = [np.zeros((len(piece.units), 2, N_LEVELS), np.uint32) for piece in batch]
        for step in (_count, _add):
            for places, levels in readings():
                held_out = asked.held_out(places)
                labels = {number: asked.label(number, held_out.places) for number in {piece.label for piece in batch}}
                work = partial(_work, step=step, labels=labels, held_out=held_out, levels=levels)
                deque(in_threads(work, zip(batch, tables, strict=True)), maxlen=0)
            if step is _count:
                deque(in_threads(_to_places, tables), maxlen=0)
    return found


class _Piece(NamedTuple):
    """Some units of columns that are placed for a label, by its number, and where their sums go."""

    label: int
    columns: Columns
    units: NDArray[np.int64]
    sums: NDArray[np.int64]


def _work(
    own: tuple[_Piece, NDArray[np.uint32]],
    step: Callable[..., None],
    labels: Mapping[int, NDArray[np.bool_]],
    held_out: HeldOut,
    levels: Mapping[Columns, NDArray[Any]],
) -> None:
    piece, tables = own
    _, *runs = held_out
    step(levels[piece.columns], piece.units, labels[piece.label], *runs, tables, piece.sums)


@njit(nogil=True, cache=True)
def _count(
    levels: NDArray[np.uint16],
    units: NDArray[np.int64],
    is_true: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    stretches: NDArray[np.int64],
    counts: NDArray[np.uint32],
    sums: NDArray[np.int64],
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
def _to_places(counts: NDArray[np.uint32]) -> None:
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


@njit(nogil=True, cache=True)
def _add(
    levels: NDArray[np.uint16],
    units: NDArray[np.int64],
    is_true: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    stretches: NDArray[np.int64],
    places: NDArray[np.uint32],
    sums: NDArray[np.int64],
) -> None:
    for n in range(len(units)):
        own, of_positive, of_negative = levels[units[n]], places[n, 0], places[n, 1]
        place = 0
        for run in range(len(starts)):
            positive = negative = np.int64(0)
            for row in range(starts[run], stops[run]):
                if is_true[place]:
                    positive += np.int64(of_positive[own[row]])
                else:
                    negative += np.int64(of_negative[own[row]])
                place += 1
            sums[0, stretches[run], n] += positive
            sums[1, stretches[run], n] += negative
