"""The protocol of a statistic, and how to add one.

A statistic is a class with the members of `Statistic` below. `collect` reads a source and updates any number of them
with each block. A text can also be read in shards: each updates a statistic of its own with some of the blocks, and
these are merged. For example, the largest value of each unit where a label is True:

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

from activations.blocks import Block
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.targets.target import Rows, Target

State = dict[str, NDArray[Any]]
"""The whole state of a statistic, as plain arrays by name."""


def refuse_other_arguments(arrays: State, **arguments: Any) -> None:
    """Refuse the arrays of a statistic that was made with other arguments, which are among its arrays.

    Raises:
        AnalysisError: If one of them differs.
    """
    for name, value in arguments.items():
        if not np.array_equal(arrays[name], value):
            raise AnalysisError(
                f"what was saved has {name} {', '.join(map(str, np.ravel(arrays[name])))}, not "
                f"{', '.join(map(str, np.ravel(value)))}; collect it again, or ask for the same"
            )


class BlockLabels:
    """The labels of the characters of one block, shared by all statistics that use them."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._rows: dict[int, Rows] = {}

    def of(self, target: Target) -> Rows:
        """(n_chars,) labels and parts of the block's characters."""
        if id(target) not in self._rows:
            self._rows[id(target)] = target.rows(self._block)
        return self._rows[id(target)]


class Statistic(Protocol):
    """Something that is counted in one or more readings of a source.

    What it adds up depends on where a block lies, never on when it comes.

    Attributes:
        sites: The sites whose activations it needs.
        n_readings: How many times it has to see every character.
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
        """Add what another statistic, made with the same arguments, has seen of other characters in this reading."""
        ...

    def end_reading(self) -> None:
        """Prepare for the next reading, once all shards of this one have been merged."""
        ...

    def result(self) -> Any:
        """Return what was found, after the last reading."""
        ...

    def arrays(self) -> State:
        """Return the whole state, to be saved as data."""
        ...

    def restore(self, arrays: State) -> None:
        """Take over the state of a statistic, made with the same arguments, whose arrays these are."""
        ...


@runtime_checkable
class LevelStatistic(Protocol):
    """A statistic of the levels of units, many characters at a time; see `levels.columns`.

    Attributes:
        columns: The units whose levels it needs.
        n_readings: How many times it has to see every character.
    """

    n_readings: int

    @property
    def columns(self) -> Collection[Any]:
        """The units whose levels it needs."""
        ...

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Any, NDArray[np.uint16]]) -> None:
        """Add characters at (n_chars,) places in the text, with (n_units, n_chars) levels of each of the columns."""
        ...

    def merge(self, other: Self) -> None:
        """Add what another statistic has seen of other characters."""
        ...

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""
        ...

    def result(self) -> Any:
        """Return what was found, after the last reading."""
        ...

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        ...

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        ...
