"""Sums of units before and after events in the text, for averages around the moments at which a label changes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.site_names import AnyUnits
from activations.units import Site, Unit
from analyses.collecting.statistic import BlockLabels, State, refuse_other_arguments
from analyses.errors import AnalysisError
from analyses.levels.columns import not_numbers
from analyses.named_parts import units_among
from analyses.session import AnySource, Session
from analyses.targets.splits import Split
from hypotheses.kernels import compiled

Array = NDArray[np.float64]


class Events(NamedTuple):
    """Places in a text at which something happens.

    Attributes:
        places: (n_events,) the character with which each happens, in ascending order; two may share one.
        kinds: (n_events,) which of several kinds it is.
        n_kinds: How many kinds there are.
    """

    places: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    n_kinds: int

    def numbers(self) -> NDArray[np.int64]:
        """(n_kinds,) how many events there are of each kind."""
        return np.bincount(self.kinds, minlength=self.n_kinds)


class SumsAroundEvents(NamedTuple):
    """Sums of units at some distances from events, for each atom that the events lie in.

    Attributes:
        units: The units.
        offsets: (n_offsets,) characters since the event; 0 is the character with which it happens.
        n: (n_kinds, n_atoms, n_offsets) how many characters are added up: fewer than events where a document ends.
        sums: (n_kinds, n_atoms, n_offsets, n_units) sums of the units at them.
    """

    units: tuple[Unit, ...]
    offsets: NDArray[np.int64]
    n: NDArray[np.int64]
    sums: Array


class EventSums:
    """Sums of some units at every distance from events, in one reading.

    Distances are counted within documents. An activation counts for each event that it is near to; the labels are
    shifted, so to speak, and the activations stay where they are, so that blocks may come in any order.
    """

    n_readings = 1
    predictions = False

    def __init__(
        self, source: AnySource, events: Events, units: AnyUnits, split: Split, *, before: int = 20, after: int = 40
    ) -> None:
        """Start with no characters added up yet.

        Args:
            source: What will be read.
            events: What happens where.
            units: The units.
            split: The atoms of the text.
            before: How many characters before each event are looked at.
            after: How many characters after it.

        Raises:
            AnalysisError: If there is no such unit, or a distance is negative.
        """
        if before < 0 or after < 0:
            raise AnalysisError(f"{before} characters before and {after} after events are not numbers from 0 up")
        source = Session.of(source)
        self._units = tuple(units_among(source, units))
        self.sites = list(dict.fromkeys(unit.site for unit in self._units))
        self._events, self._split, self._before, self._after = events, split, before, after
        self._starts, self._stops = source.corpus.starts, source.corpus.stops
        shape = (events.n_kinds, split.n_atoms, before + 1 + after)
        self._n, self._sums = np.zeros(shape, np.int64), np.zeros((*shape, len(self._units)))

    def update(self, block: Block, labels: BlockLabels) -> None:
        """Add the characters of a block.

        Raises:
            AnalysisError: If an activation is not a number.
        """
        all_places = self._events.places
        near = slice(
            int(np.searchsorted(all_places, block.start - self._after)),
            int(np.searchsorted(all_places, block.stop + self._before)),
        )
        places = all_places[near]
        if not len(places):
            return
        values = np.stack([block.values[unit.site][:, unit.index] for unit in self._units], axis=1).astype(np.float64)
        if not np.isfinite(values).all():
            raise AnalysisError(not_numbers(self._not_finite(values)))
        documents = np.searchsorted(self._starts, places, side="right") - 1
        _add_around(
            values,
            (block.start, block.every, self._before),
            places,
            np.column_stack([self._starts[documents], self._stops[documents]]),
            self._events.kinds[near],
            self._split.atom(places),
            self._n,
            self._sums,
        )

    def _not_finite(self, values: Array) -> Site:
        return self._units[int((~np.isfinite(values)).any(axis=0).argmax())].site

    def merge(self, other: "EventSums") -> None:
        """Add what another statistic has seen of other characters."""
        self._n += other._n
        self._sums += other._sums

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""

    def result(self) -> SumsAroundEvents:
        """Return the sums."""
        return SumsAroundEvents(self._units, np.arange(-self._before, self._after + 1), self._n, self._sums)

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        return {
            "before": np.array(self._before),
            "after": np.array(self._after),
            "units": np.array([str(unit) for unit in self._units]),
            "n": self._n,
            "sums": self._sums,
        }

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        units = np.array([str(unit) for unit in self._units])
        refuse_other_arguments(arrays, before=self._before, after=self._after, units=units)
        self._n, self._sums = arrays["n"].copy(), arrays["sums"].copy()


def sums_by_loop(
    values: NDArray[np.floating], events: Sequence[tuple[int, int]], documents: Sequence[tuple[int, int]], offset: int
) -> tuple[int, Array]:
    """Add up the rows of (n_chars, n_units) values that are `offset` characters after events; see `EventSums`.

    This says what is computed; `_add_around` does it for all offsets at once, a block at a time.

    Args:
        values: The values.
        events: The place of each event, and the number of the document that it is in.
        documents: Where each document begins and ends.
        offset: Characters since the event.

    Returns:
        How many rows are added up, and their (n_units,) sums.
    """
    rows = [
        place + offset
        for place, document in events
        if documents[document][0] <= place + offset < documents[document][1]
    ]
    return len(rows), values[rows].sum(axis=0, dtype=np.float64)


@compiled(nogil=True)
def _add_around(
    values: Array,
    position: tuple[int, int, int],
    places: NDArray[np.int64],
    documents: NDArray[np.int64],
    kinds: NDArray[np.uint8],
    atoms: NDArray[np.int64],
    n: NDArray[np.int64],
    sums: Array,
) -> None:
    """Add the rows of a block to the sums of the events that they are near to.

    Args:
        values: (n_rows, n_units) values of the block.
        position: Where the block begins, the distance from row to row, and how many characters before events count.
        places: (n_events,) the places of the events that may be near.
        documents: (n_events, 2) where the document of each begins and ends.
        kinds: (n_events,) their kinds.
        atoms: (n_events,) their atoms.
        n: (n_kinds, n_atoms, n_offsets) to which the numbers of rows are added.
        sums: (n_kinds, n_atoms, n_offsets, n_units) to which the rows are added.
    """
    start, every, before = position
    n_rows, n_units = values.shape
    for event in range(len(places)):
        place, kind, atom = places[event], kinds[event], atoms[event]
        for column in range(n.shape[2]):
            at = place + column - before
            if at < documents[event, 0] or at >= documents[event, 1] or at < start or (at - start) % every:
                continue
            row = (at - start) // every
            if row < n_rows:
                n[kind, atom, column] += 1
                for unit in range(n_units):
                    sums[kind, atom, column, unit] += values[row, unit]
