"""How the positives and negatives of held-out stretches stand to each other: what the intervals of AUCs are made of."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from analyses.columns import Columns, Tile
from analyses.joint_labels import JointLabels
from analyses.splits import TEST
from analyses.threads import in_threads

_N_LEVELS = 1 << 16
_AT_ONCE = 8  # units that a thread works on, with tables of 512 KiB each
_MOST_UNITS = 64  # that are worked on in the same readings


class Placements(NamedTuple):
    """Sums over the characters of each stretch of their placements.

    The placement of a positive is the share of all negatives that are lower, ties counted half; that of a negative the
    share of all positives that are higher. The mean of either is the AUC.

    Attributes:
        n_positive: (n_stretches,) held-out characters whose label is True, and `n_negative` of the others.
        of_positive: (n_stretches, n_units) sums, and `of_negative`.

    Source:
        DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44:837-845; of clusters, Obuchowski 1997, Biometrics
        53:567-578.
    """

    n_positive: NDArray[np.float64]
    n_negative: NDArray[np.float64]
    of_positive: NDArray[np.float64]
    of_negative: NDArray[np.float64]


def placements(
    asked: JointLabels,
    readings: Callable[[], Iterable[Tile]],
    wanted: Mapping[tuple[int, Columns], NDArray[np.int64]],
) -> dict[tuple[int, Columns], Placements]:
    """Place the held-out characters of some units, others for each label.

    Args:
        asked: The labels.
        readings: What goes through all characters each time it is called.
        wanted: Which units, by the number of a label, and columns.

    Returns:
        Of the stretches that are held out and have labels, where units are wanted.
    """
    pieces = [
        _Placing(key, units, asked.split.n_stretches)
        for key, own in wanted.items()
        for units in np.split(own, range(_AT_ONCE, len(own), _AT_ONCE))
        if len(units)
    ]
    ends = np.cumsum([piece.n_units for piece in pieces])
    for number in range(-(-int(ends[-1]) // _MOST_UNITS) if pieces else 0):
        batch = [piece for piece, end in zip(pieces, ends, strict=True) if (end - 1) // _MOST_UNITS == number]
        for step in (_Placing.count, _Placing.add):
            for places, levels in readings():
                rows = _HeldOut.of(asked, places, {piece.label for piece in batch})
                if len(rows.starts) == 0:
                    continue
                deque(in_threads(partial(step, rows=rows, levels=levels), batch), maxlen=0)
        for piece in batch:
            piece.let_go()
    found: dict[tuple[int, Columns], list[_Placing]] = {}
    for piece in pieces:
        found.setdefault((piece.label, piece.columns), []).append(piece)
    return {key: _Placing.together(own, asked.split.held_out) for key, own in found.items()}


class _HeldOut(NamedTuple):
    """The held-out characters with a label, of some.

    Attributes:
        stretches: (n_held_out,) that each is in.
        labels: (n_held_out,) each, by its number.
        starts: (n_runs,) where each unbroken run of them begins, and `stops`; `of_run` is its stretch.
    """

    stretches: NDArray[np.int64]
    labels: dict[int, NDArray[np.bool_]]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    of_run: NDArray[np.int64]

    @classmethod
    def of(cls, asked: JointLabels, places: NDArray[np.int64], wanted: Iterable[int]) -> "_HeldOut":
        rows = np.flatnonzero(asked.parts(places) == TEST)
        own = places[rows]
        stretches = asked.split.stretch(own)
        first = np.flatnonzero((np.diff(rows, prepend=-2) > 1) | (np.diff(stretches, prepend=-1) != 0))
        last = np.append(first, len(rows))[1:] - 1
        labels = {number: asked.label(number, own) for number in wanted}
        return cls(stretches, labels, rows[first], rows[last] + 1, stretches[first])


class _Placing:
    """Some units of columns and a label, whose characters are all counted first, and then looked up and added up."""

    def __init__(self, key: tuple[int, Columns], units: NDArray[np.int64], n_stretches: int) -> None:
        self.label, self.columns = key
        self._units = units
        self._tables = np.zeros((0, 2, _N_LEVELS), np.uint32)  # not before they are needed
        self._is_counted = False
        self._n = np.zeros((2, n_stretches))
        self._sums = np.zeros((len(units), 2, n_stretches))

    @property
    def n_units(self) -> int:
        """How many units."""
        return len(self._units)

    def count(self, rows: _HeldOut, levels: Mapping[Columns, NDArray[Any]]) -> None:
        """Count some characters, given their levels and which of them are held out."""
        if len(self._tables) == 0:
            self._tables = np.zeros((len(self._units), 2, _N_LEVELS), np.uint32)
        is_true = rows.labels[self.label]
        _count(levels[self.columns], self._units, is_true, rows.starts, rows.stops, self._tables)
        for n, which in zip(self._n, (is_true, ~is_true), strict=True):
            n += np.bincount(rows.stretches[which], minlength=len(n))

    def add(self, rows: _HeldOut, levels: Mapping[Columns, NDArray[Any]]) -> None:
        """Add up the same characters."""
        if not self._is_counted:
            _to_places(self._tables)
            self._is_counted = True
        runs = rows.starts, rows.stops, rows.of_run
        _add(levels[self.columns], self._units, rows.labels[self.label], *runs, self._tables, self._sums)

    def let_go(self) -> None:
        """Free what was needed only to add them up."""
        self._tables = self._tables[:0].copy()

    @staticmethod
    def together(pieces: "list[_Placing]", held_out: NDArray[np.bool_]) -> Placements:
        """What was found for the units of several, of the stretches that are held out."""
        positive, negative = pieces[0]._n
        held_out = held_out & (positive + negative > 0)
        of_positive, of_negative = np.concatenate([each._sums for each in pieces])[:, :, held_out].transpose(1, 2, 0)
        return Placements(
            positive[held_out],
            negative[held_out],
            of_positive / (2 * max(negative.sum(), 1)),
            of_negative / (2 * max(positive.sum(), 1)),
        )


@njit(nogil=True, cache=True)
def _count(
    levels: NDArray[np.uint16],
    units: NDArray[np.int64],
    is_true: NDArray[np.bool_],
    starts: NDArray[np.int64],
    stops: NDArray[np.int64],
    counts: NDArray[np.uint32],
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
    sums: NDArray[np.float64],
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
            sums[n, 0, stretches[run]] += positive
            sums[n, 1, stretches[run]] += negative
