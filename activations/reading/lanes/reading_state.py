"""The state of a reading, from which an interrupted reading can be resumed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.lane_differences import Borders, States
from activations.recordings.journal import Arrays
from activations.units import Site


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """The result of one turn of each lane of a group.

    Attributes:
        group: Number of the group of lanes.
        number: Number of the round, counted from 0, rounds of the warm-up included.
        blocks: The blocks of the turns that are kept.
        states: (n_lanes, n_units) the state after the round, for each site that carries one.
        warm: (n_lanes,) bool, the lanes whose turn is kept, and as long as the longest turn.
        meetings: The borders of lanes that were reached, and the state there.
    """

    group: int
    number: int
    blocks: tuple[Block, ...]
    states: States
    warm: NDArray[np.bool_]
    meetings: tuple[tuple[int, States], ...]


@dataclass
class ReadingState:
    """The rounds that are done, and what is needed to go on.

    Attributes:
        n_rounds: For each group of lanes, the number of rounds that it has done.
        states: For each group of lanes, the states after its last round; empty before the first.
        borders: What is known so far of the borders where lanes meet.
    """

    n_rounds: list[int]
    states: list[States]
    borders: Borders = field(default_factory=Borders)

    @classmethod
    def start(cls, n_groups: int) -> "ReadingState":
        """Make the state of a reading that has not begun."""
        return cls([0] * n_groups, [{}] * n_groups)

    def add(self, finished: Round) -> None:
        """Note that one more round is done, and its blocks are used."""
        self.n_rounds[finished.group] = finished.number + 1
        self.states[finished.group] = finished.states
        for border, state in finished.meetings:
            self.borders.meet(border, state)
        if finished.warm.any():
            self.borders.see({site: values[finished.warm] for site, values in finished.states.items()})

    def to_arrays(self) -> Arrays:
        """Return the whole state as named arrays."""
        borders = self.borders
        arrays: Arrays = {"n_rounds": np.array(self.n_rounds)}
        for group, states in enumerate(self.states):
            arrays |= _prefixed(f"states/{group}", states)
        for border, state in borders.waiting.items():
            arrays |= _prefixed(f"waiting/{border}", state)
        for name in ("largest", "lowest", "highest"):
            arrays |= _prefixed(name, getattr(borders, name))
        arrays |= {f"means/{site}": np.array(list(means.items())) for site, means in borders.means.items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "ReadingState":
        """Make a state from what `to_arrays` returned."""
        state = cls.start(len(arrays["n_rounds"]))
        state.n_rounds = arrays["n_rounds"].tolist()
        borders = state.borders
        state.states = [_with_prefix(arrays, f"states/{group}") for group in range(len(state.n_rounds))]
        positions = {int(name.split("/")[1]) for name in arrays if name.startswith("waiting/")}
        borders.waiting = {border: _with_prefix(arrays, f"waiting/{border}") for border in sorted(positions)}
        borders.largest, borders.lowest, borders.highest = (
            _with_prefix(arrays, name) for name in ("largest", "lowest", "highest")
        )
        borders.means = {
            site: {int(border): float(mean) for border, mean in means}
            for site, means in _with_prefix(arrays, "means").items()
        }
        return state


def _prefixed(prefix: str, values: Mapping[Site, NDArray[Any]]) -> Arrays:
    return {f"{prefix}/{site}": array for site, array in values.items()}


def _with_prefix(arrays: Arrays, prefix: str) -> dict[Site, NDArray[Any]]:
    return {
        Site.parse(name.removeprefix(f"{prefix}/")): array
        for name, array in arrays.items()
        if name.startswith(f"{prefix}/")
    }
