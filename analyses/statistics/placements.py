"""Placements of positives among negatives and the reverse: what intervals of AUCs, and AUCs within groups, are made of.

For each unit and label, 65,536 levels have two numbers of 32 bits each, first counts and then what is made of them:

    first reading    positives with each level                held-out characters with each level
    second reading   place of the level among the positives   bin of the level, for AUCs within position groups
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.collecting.statistic import State
from analyses.intervals.long_run import N_GROUPS, position_groups
from analyses.levels.bins import N_LEVELS
from analyses.levels.columns import Columns, Tile
from analyses.levels.joint_labels import JointLabels, Labelled
from analyses.threads import do_in_threads
from hypotheses.kernels import compiled

_AT_ONCE = 8  # units that a thread works on, with tables of 512 KiB each
_MOST_UNITS = 512  # that are worked on in the same readings
_N_BINS = 256  # enough for AUCs within position groups
_NEGATIVE, _POSITIVE = range(2)


class Placements(NamedTuple):
    """Sums of the places of the characters of some units among the positives, those whose label is True.

    A character's place is twice the number of positives that are lower, plus the number of those that are equal.

    Attributes:
        positive: (n_atoms, n_units) sums of the places of an atom's positives.
        negative: (n_atoms, n_units) sums of the places of its negatives.
        held_out: (n_groups, 2, n_bins, n_units) how many held-out negatives and positives of each position group lie in
            bins of the unit's values. No bin has more than 1/128 of all positives, or of all that are held out, except
            bins of a single level.
    """

    positive: NDArray[np.int64]
    negative: NDArray[np.int64]
    held_out: NDArray[np.int64]

    @classmethod
    def empty(cls, n_atoms: int, n_units: int) -> "Placements":
        """Return the placements of no characters."""
        sums = np.zeros((2, n_atoms, n_units), np.int64)
        return cls(sums[1], sums[0], np.zeros((N_GROUPS, 2, _N_BINS, n_units), np.int64))

    def units(self, chosen: slice | NDArray[np.int64]) -> "Placements":
        """Return the placements of some of the units; a view if they are a slice."""
        return Placements(*(array[..., chosen] for array in self))

    def beside(self, other: "Placements") -> "Placements":
        """Return these placements followed by those of further units."""
        return Placements(*(np.concatenate(pair, axis=-1) for pair in zip(self, other, strict=True)))

    def aucs_within(self) -> NDArray[np.float64]:
        """(n_units,) held-out AUCs of characters of the same position group; NaN if no group has both labels.

        They are the mean over the groups, weighted by n₁ n₀ / n.
        """
        negative, positive = self.held_out[:, _NEGATIVE], self.held_out[:, _POSITIVE]
        lower = np.cumsum(negative, axis=1) - 0.5 * negative
        n_negative, n_positive = negative.sum(axis=1), positive.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            aucs = (positive * lower).sum(axis=1) / (n_negative * n_positive)
            weights = n_negative * n_positive / (n_negative + n_positive)
            return np.asarray(np.nansum(aucs * weights, axis=0) / np.nansum(weights, axis=0))


LabelColumns = tuple[int, Columns]
"""The number of a label, and columns."""
ChosenUnits = Mapping[LabelColumns, NDArray[np.int64]]
"""The units of some columns that are placed, by the number of a label and the columns."""


def placements(
    chosen: Sequence[tuple[JointLabels, ChosenUnits]], readings: Callable[[], Iterable[Tile]]
) -> list[dict[LabelColumns, Placements]]:
    """Place the characters of some units, which differ from label to label, some hundreds of units at a time.

    Args:
        chosen: Labels, and the units that are placed for them.
        readings: Goes through all characters each time it is called.
    """
    placed: list[dict[LabelColumns, Placements]] = [{} for _ in chosen]
    for batch in _batches([units for _, units in chosen]):
        sums = {number: PlacementSums(chosen[number][0], units) for number, units in batch.items()}
        for _ in range(PlacementSums.n_readings):
            for places, levels in readings():
                for statistic in sums.values():
                    statistic.update_levels(places, levels)
            for statistic in sums.values():
                statistic.end_reading()
        for number, statistic in sums.items():
            for key, new in statistic.result().items():
                earlier = placed[number].get(key)
                placed[number][key] = new if earlier is None else earlier.beside(new)
    return placed


def _batches(chosen: Sequence[ChosenUnits]) -> Iterator[dict[int, dict[LabelColumns, NDArray[np.int64]]]]:
    """Yield as many units at a time as have tables that fit in memory, by their position among the chosen ones."""
    batch: dict[int, dict[LabelColumns, NDArray[np.int64]]] = {}
    room = _MOST_UNITS
    for number, of_labels in enumerate(chosen):
        for key, units in of_labels.items():
            for first in range(0, len(units), _MOST_UNITS):
                some = units[first : first + _MOST_UNITS]
                if len(some) > room:
                    yield batch
                    batch, room = {}, _MOST_UNITS
                batch.setdefault(number, {})[key] = some
                room -= len(some)
    if batch:
        yield batch


class PlacementSums:
    """`Placements` of the characters of some units, which differ from label to label.

    Positives are counted in the first reading, and characters placed among them in the second.
    """

    n_readings = 2
    BYTES_PER_UNIT = 8 * N_LEVELS

    def __init__(self, joint: JointLabels, units: ChosenUnits) -> None:
        """Start with no characters, for some labels, and units by the number of a label and their columns."""
        self.columns = list(dict.fromkeys(columns for _, columns in units))
        self._joint = joint
        self._placements = {key: Placements.empty(joint.split.n_atoms, len(chosen)) for key, chosen in units.items()}
        self._groups = np.where(joint.split.held_out_atoms, position_groups(joint.split.n_atoms), -1)
        self._pieces = [
            _UnitPiece(
                *key, chosen[first : first + _AT_ONCE], self._placements[key].units(slice(first, first + _AT_ONCE))
            )
            for key, chosen in units.items()
            for first in range(0, len(chosen), _AT_ONCE)
        ]
        self._tables = [_Table.empty(len(piece.units)) for piece in self._pieces]
        self._are_counted = False

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """Add characters, given the levels of each of the columns."""
        labelled = self._joint.labelled(places)
        numbers = {piece.label for piece in self._pieces}
        labels = {number: self._joint.label(number, labelled.places) for number in numbers}
        step = _add_places if self._are_counted else _count
        work = partial(_work, step=step, labels=labels, labelled=labelled, levels=levels, groups=self._groups)
        do_in_threads(work, zip(self._pieces, self._tables, strict=True))

    def merge(self, other: "PlacementSums") -> None:
        """Add what another statistic has seen of other characters."""
        if not self._are_counted:
            for table, others in zip(self._tables, other._tables, strict=True):
                table.places[:] += others.places
                table.bins[:] += others.bins
        for key, placed in self._placements.items():
            for sums, more in zip(placed, other._placements[key], strict=True):
                sums += more

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""
        if not self._are_counted:
            do_in_threads(lambda table: _counts_to_places(*table), self._tables)
        self._are_counted = True

    def result(self) -> dict[LabelColumns, Placements]:
        """Return the placements by the number of a label, and columns."""
        return self._placements

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        state: State = {"are_counted": np.array(self._are_counted)}
        for number, table in enumerate(self._tables):
            state |= {f"{number}/{name}": array for name, array in table._asdict().items()}
        for number, placed in enumerate(self._placements.values()):
            state |= {f"{number}/sums/{name}": array for name, array in placed._asdict().items()}
        return state

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        self._are_counted = bool(arrays["are_counted"])
        for number, table in enumerate(self._tables):
            for name, array in table._asdict().items():
                array[:] = arrays[f"{number}/{name}"]
        for number, placed in enumerate(self._placements.values()):
            for name, array in placed._asdict().items():
                array[:] = arrays[f"{number}/sums/{name}"]


class _Table(NamedTuple):
    """Counts of characters at each level, and then places and bins in their memory.

    Attributes:
        places: (n_units, 65536) positives, and then their places.
        bins: (n_units, 65536) held-out characters, and then their bins.
        n_positive: (1,) how many positives there are.
    """

    places: NDArray[np.uint32]
    bins: NDArray[np.uint32]
    n_positive: NDArray[np.int64]

    @classmethod
    def empty(cls, n_units: int) -> "_Table":
        """Return the counts of no characters."""
        counts = np.zeros((2, n_units, N_LEVELS), np.uint32)
        return cls(counts[0], counts[1], np.zeros(1, np.int64))


class _UnitPiece(NamedTuple):
    """A few units that are placed for a label, given by its number, and a view of the sums that they go to."""

    label: int
    columns: Columns
    units: NDArray[np.int64]
    placements: Placements


def _work(
    piece_and_table: tuple[_UnitPiece, _Table],
    step: Callable[..., None],
    labels: Mapping[int, NDArray[np.bool_]],
    labelled: Labelled,
    levels: Mapping[Columns, NDArray[Any]],
    groups: NDArray[np.int64],
) -> None:
    """Do one of the two steps for some units: `_count` or `_add_places`."""
    piece, table = piece_and_table
    _, *runs = labelled
    step(levels[piece.columns], piece.units, labels[piece.label], *runs, groups, *table, *piece.placements)


@compiled(nogil=True)
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
    """Count positives, and held-out characters, at each level.

    For each unit the same as `np.bincount(levels[unit][rows], minlength=N_LEVELS)` of the rows of each kind.
    """
    for n in range(len(units)):
        of_unit, positives_of_unit, held_out_of_unit = levels[units[n]], positives[n], held_out_ones[n]
        for run in range(len(starts)):
            for row in range(np.uint64(starts[run]), np.uint64(stops[run])):
                if is_true[row]:
                    positives_of_unit[of_unit[row]] += np.uint32(1)
            if groups[atoms[run]] >= 0:
                for row in range(np.uint64(starts[run]), np.uint64(stops[run])):
                    held_out_of_unit[of_unit[row]] += np.uint32(1)


@compiled(nogil=True)
def _counts_to_places(
    positives: NDArray[np.uint32], held_out_ones: NDArray[np.uint32], n_positive: NDArray[np.int64]
) -> None:
    """Turn counts into places and bins, in their memory.

    For each unit the same as `places = 2 * np.cumsum(positives) - positives`, and `bins` from the mean of that and the
    same for held-out characters, each over its largest value.
    """
    n_held_out_ones = 0
    n_positive[0] = 0
    for level in range(N_LEVELS):
        n_positive[0] += positives[0, level]
        n_held_out_ones += held_out_ones[0, level]
    per_positive = 0.25 * _N_BINS / max(1, n_positive[0])
    per_held_out = 0.25 * _N_BINS / max(1, n_held_out_ones)
    for n in range(len(positives)):
        places, bins = positives[n], held_out_ones[n]
        lower = lower_held_out = np.uint32(0)
        for level in range(N_LEVELS):
            n_here, n_held_out = places[level], bins[level]
            places[level] = lower + lower + n_here
            middle = places[level] * per_positive + (lower_held_out + lower_held_out + n_held_out) * per_held_out
            bins[level] = min(int(middle), _N_BINS - 1)
            lower, lower_held_out = lower + n_here, lower_held_out + n_held_out


@compiled(nogil=True)
def _add_places(
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
    """Add the places of positives and negatives to the sums of their atoms, and count held-out ones in bins."""
    for n in range(len(units)):
        of_unit, place_of, bin_of = levels[units[n]], places[n], bins[n]
        for run in range(len(starts)):
            positive = both = np.uint64(0)
            for row in range(np.uint64(starts[run]), np.uint64(stops[run])):
                below = np.uint64(place_of[of_unit[row]])
                both += below
                positive += below * np.uint64(is_true[row])
            positive_sums[atoms[run], n] += np.int64(positive)
            negative_sums[atoms[run], n] += np.int64(both - positive)
            group = groups[atoms[run]]
            if group >= 0:
                for row in range(np.uint64(starts[run]), np.uint64(stops[run])):
                    held_out[group, np.int64(is_true[row]), bin_of[of_unit[row]], n] += 1
