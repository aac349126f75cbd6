"""How positives and negatives stand to each other: what intervals of AUCs, and AUCs without position, are made of."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from analyses.collecting.statistic import State
from analyses.intervals.long_run import N_GROUPS, position_groups
from analyses.levels.bins import N_LEVELS
from analyses.levels.columns import Columns, Tile
from analyses.levels.joint_labels import JointLabels, Labelled
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

    def units(self, chosen: slice | NDArray[np.int64]) -> "Placements":
        """Some of the units; a view if they are a slice."""
        return Placements(*(each[..., chosen] for each in self))

    def beside(self, other: "Placements") -> "Placements":
        """With the units that stand behind these."""
        return Placements(*(np.concatenate(pair, axis=-1) for pair in zip(self, other, strict=True)))

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


Wanted = Mapping[tuple[int, Columns], NDArray[np.int64]]
"""Which units of some columns, by the number of a label and the columns."""


def placements(
    wanted: Sequence[tuple[JointLabels, Wanted]], readings: Callable[[], Iterable[Tile]]
) -> list[dict[tuple[int, Columns], Placements]]:
    """Place the characters of some units, others for each label, some hundreds of units at a time.

    Args:
        wanted: Labels, and which units.
        readings: What goes through all characters each time it is called.
    """
    found: list[dict[tuple[int, Columns], Placements]] = [{} for _ in wanted]
    for batch in _batches([units for _, units in wanted]):
        sums = {number: PlacementSums(wanted[number][0], own) for number, own in batch.items()}
        for _ in range(PlacementSums.n_readings):
            for places, levels in readings():
                for each in sums.values():
                    each.update_levels(places, levels)
            for each in sums.values():
                each.end_reading()
        for number, each in sums.items():
            for key, own in each.result().items():
                before = found[number].get(key)
                found[number][key] = own if before is None else before.beside(own)
    return found


def _batches(wanted: Sequence[Wanted]) -> Iterator[dict[int, dict[tuple[int, Columns], NDArray[np.int64]]]]:
    """So many units at a time that their tables fit in memory, by their place among those wanted."""
    batch: dict[int, dict[tuple[int, Columns], NDArray[np.int64]]] = {}
    room = _MOST_UNITS
    for number, each in enumerate(wanted):
        for key, units in each.items():
            for first in range(0, len(units), _MOST_UNITS):
                own = units[first : first + _MOST_UNITS]
                if len(own) > room:
                    yield batch
                    batch, room = {}, _MOST_UNITS
                batch.setdefault(number, {})[key] = own
                room -= len(own)
    if batch:
        yield batch


class PlacementSums:
    """`Placements` of the characters of some units, others for each label.

    Positives are counted in the first reading, and characters placed among them in the second.
    """

    n_readings = 2
    BYTES_PER_UNIT = 8 * N_LEVELS

    def __init__(self, asked: JointLabels, wanted: Wanted) -> None:
        """Of some labels, and of units by the number of a label and their columns."""
        self.columns = list(dict.fromkeys(columns for _, columns in wanted))
        self._asked = asked
        self._found = {key: Placements.empty(asked.split.n_atoms, len(units)) for key, units in wanted.items()}
        self._groups = np.where(asked.split.held_out_atoms, position_groups(asked.split.n_atoms), -1)
        self._pieces = [
            _Piece(*key, units[first : first + _AT_ONCE], self._found[key].units(slice(first, first + _AT_ONCE)))
            for key, units in wanted.items()
            for first in range(0, len(units), _AT_ONCE)
        ]
        self._tables = [_Table.empty(len(piece.units)) for piece in self._pieces]
        self._are_counted = False

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """See `LevelStatistic`."""
        labelled = self._asked.labelled(places)
        numbers = {piece.label for piece in self._pieces}
        labels = {number: self._asked.label(number, labelled.places) for number in numbers}
        step = _add if self._are_counted else _count
        work = partial(_work, step=step, labels=labels, labelled=labelled, levels=levels, groups=self._groups)
        deque(in_threads(work, zip(self._pieces, self._tables, strict=True)), maxlen=0)

    def merge(self, other: "PlacementSums") -> None:
        """See `Statistic`."""
        if not self._are_counted:
            for table, others in zip(self._tables, other._tables, strict=True):
                table.places[:] += others.places
                table.bins[:] += others.bins
        for key, placed in self._found.items():
            for own_sums, more_sums in zip(placed, other._found[key], strict=True):
                own_sums += more_sums

    def end_reading(self) -> None:
        """See `Statistic`."""
        if not self._are_counted:
            deque(in_threads(lambda table: _to_places(*table), self._tables), maxlen=0)
        self._are_counted = True

    def result(self) -> dict[tuple[int, Columns], Placements]:
        """By the number of a label, and columns."""
        return self._found

    def arrays(self) -> State:
        """See `Statistic`."""
        found: State = {"are_counted": np.array(self._are_counted)}
        for number, table in enumerate(self._tables):
            found |= {f"{number}/{name}": array for name, array in table._asdict().items()}
        for number, placed in enumerate(self._found.values()):
            found |= {f"{number}/sums/{name}": array for name, array in placed._asdict().items()}
        return found

    def restore(self, arrays: State) -> None:
        """See `Statistic`."""
        self._are_counted = bool(arrays["are_counted"])
        for number, table in enumerate(self._tables):
            for name, array in table._asdict().items():
                array[:] = arrays[f"{number}/{name}"]
        for number, placed in enumerate(self._found.values()):
            for name, array in placed._asdict().items():
                array[:] = arrays[f"{number}/sums/{name}"]


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
