"""What every statistic is, and how to add one.

A statistic is a class with the members of `Statistic` below. `collect` reads a source and updates any number of them
with each block; a shard updates its own with some of the blocks, and those of all shards are merged. For example, the
largest value of each unit where a label is True:

    class Largest:
        n_readings, predictions = 1, False

        def __init__(self, site, n_units, target):
            self.sites, self._target, self._largest = [site], target, np.full(n_units, -np.inf)

        def update(self, block, labels):
            rows = labels.of(self._target)
            values = block.values[self.sites[0]][(rows.parts >= 0) & rows.labels]
            self._largest = np.maximum(self._largest, values.max(axis=0, initial=-np.inf))

        def merge(self, other):
            self._largest = np.maximum(self._largest, other._largest)

        def end_reading(self):
            pass

        def result(self):
            return self._largest

        def arrays(self):
            return {"largest": self._largest}

        def restore(self, arrays):
            self._largest = arrays["largest"]
"""

from collections.abc import Collection, Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.units import Site, in_order
from analyses.errors import AnalysisError
from analyses.targets.target import Rows, Target

State = dict[str, NDArray[Any]]
"""Plain arrays by name: all that a statistic knows."""


def refuse_other_arguments(arrays: State, **own: Any) -> None:
    """Refuse arrays of a statistic that was made with other arguments, which are among its arrays.

    Raises:
        AnalysisError: If one of them is not its own.
    """
    for name, value in own.items():
        if not np.array_equal(arrays[name], value):
            raise AnalysisError(
                f"what was saved has {name} {', '.join(map(str, np.ravel(arrays[name])))}, not "
                f"{', '.join(map(str, np.ravel(value)))}; collect it again, or ask for the same"
            )


def sites_among(source: Source, sites: Collection[Site] | None) -> list[Site]:
    """Some sites of a source, each once and in their order; None is all of them.

    Raises:
        AnalysisError: If the source does not have one of them.
    """
    if unknown := [each for each in sites or () if each not in source.sites]:
        there = ", ".join(map(str, source.sites))
        raise AnalysisError(f"there is no site {unknown[0]} here; there are {there}")
    return in_order(source.sites, source.sites if sites is None else sites)


class BlockLabels:
    """The labels of the characters of one block, shared by all statistics that ask for them."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._rows: dict[int, Rows] = {}

    def of(self, target: Target) -> Rows:
        """(n_chars,) labels and parts of the block's characters."""
        if id(target) not in self._rows:
            self._rows[id(target)] = target.rows(self._block)
        return self._rows[id(target)]


class Statistic(Protocol):
    """What is counted in one or more readings of a source.

    What it adds up depends on where a block lies, never on when it comes.

    Attributes:
        sites: The sites whose activations it needs.
        n_readings: How often it has to see every character.
        predictions: Whether it needs the model's predictions.
    """

    n_readings: int
    predictions: bool

    @property
    def sites(self) -> Collection[Site]:
        """The sites whose activations it needs."""
        ...

    def update(self, block: Block, labels: BlockLabels) -> None:
        """Add the characters of a block."""
        ...

    def merge(self, other: Self) -> None:
        """Add what another one, made with the same arguments, has seen of other characters in the same reading."""
        ...

    def end_reading(self) -> None:
        """Go on to the next reading, once all shards of this one have been merged."""
        ...

    def result(self) -> Any:
        """What was found, after the last reading."""
        ...

    def arrays(self) -> State:
        """All that it knows, to be saved as data."""
        ...

    def restore(self, arrays: State) -> None:
        """Know what another one, made with the same arguments, knew when these were its arrays."""
        ...


@runtime_checkable
class LevelStatistic(Protocol):
    """A statistic of the levels of units, many characters at a time; see `levels` and `columns`.

    Attributes:
        columns: The units whose levels it needs.
        n_readings: How often it has to see every character.
    """

    n_readings: int

    @property
    def columns(self) -> Collection[Any]:
        """The units whose levels it needs."""
        ...

    def take(self, places: NDArray[np.int64], levels: Mapping[Any, NDArray[np.uint16]]) -> None:
        """Add characters: their places in the text (n_chars,), and levels (n_units, n_chars) of each of the columns."""
        ...

    def merge(self, other: Self) -> None:
        """See `Statistic`."""
        ...

    def end_reading(self) -> None:
        """See `Statistic`."""
        ...

    def result(self) -> Any:
        """See `Statistic`."""
        ...

    def arrays(self) -> State:
        """See `Statistic`."""
        ...

    def restore(self, arrays: State) -> None:
        """See `Statistic`."""
        ...
