"""How far a reading has come, so that it can be broken off and taken up again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.lane_differences import Borders, Values
from activations.recordings.journal import Arrays
from activations.units import Site


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """What one group of lanes found in one turn of each.

    Attributes:
        group: Which lanes.
        number: Counted from 0, those of the warm-up, too.
        blocks: Of the turns that are kept.
        states: (n_lanes, n_units) the state afterwards, for each site that carries it.
        warm: (n_lanes,) bool, the lanes whose turn is kept, and as long as the longest.
        meetings: The borders of lanes that were come to, and the state there.
    """

    group: int
    number: int
    blocks: tuple[Block, ...]
    states: Values
    warm: NDArray[np.bool_]
    meetings: tuple[tuple[int, Values], ...]


@dataclass
class Position:
    """The rounds that are done, and what is needed to go on.

    Attributes:
        n_rounds: For each group of lanes, how many it has done.
        states: And the states of its lanes then; empty before the first.
        borders: What is known of the places where lanes meet.
    """

    n_rounds: list[int]
    states: list[Values]
    borders: Borders = field(default_factory=Borders)

    @classmethod
    def start(cls, n_groups: int) -> "Position":
        """Nothing is read yet."""
        return cls([0] * n_groups, [{}] * n_groups)

    def take(self, done: Round) -> None:
        """One more round is done, and its blocks are used."""
        self.n_rounds[done.group] = done.number + 1
        self.states[done.group] = done.states
        for place, state in done.meetings:
            self.borders.meet(place, state)
        if done.warm.any():
            self.borders.see({site: values[done.warm] for site, values in done.states.items()})

    def to_arrays(self) -> Arrays:
        """All of it as named arrays."""
        borders = self.borders
        arrays: Arrays = {"n_rounds": np.array(self.n_rounds)}
        for group, states in enumerate(self.states):
            arrays |= _named(f"states/{group}", states)
        for place, state in borders.waiting.items():
            arrays |= _named(f"waiting/{place}", state)
        for name in ("largest", "lowest", "highest"):
            arrays |= _named(name, getattr(borders, name))
        arrays |= {f"means/{site}": np.array(list(means.items())) for site, means in borders.means.items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> "Position":
        """What `to_arrays` gave."""
        position = cls.start(len(arrays["n_rounds"]))
        position.n_rounds = arrays["n_rounds"].tolist()
        borders = position.borders
        position.states = [_values(arrays, f"states/{group}") for group in range(len(position.n_rounds))]
        places = {int(name.split("/")[1]) for name in arrays if name.startswith("waiting/")}
        borders.waiting = {place: _values(arrays, f"waiting/{place}") for place in sorted(places)}
        borders.largest, borders.lowest, borders.highest = (
            _values(arrays, name) for name in ("largest", "lowest", "highest")
        )
        borders.means = {
            site: {int(place): float(mean) for place, mean in means} for site, means in _values(arrays, "means").items()
        }
        return position


def _named(prefix: str, values: Mapping[Site, NDArray[Any]]) -> Arrays:
    return {f"{prefix}/{site}": array for site, array in values.items()}


def _values(arrays: Arrays, prefix: str) -> dict[Site, NDArray[Any]]:
    return {
        Site.parse(name.removeprefix(f"{prefix}/")): array
        for name, array in arrays.items()
        if name.startswith(f"{prefix}/")
    }
