"""Histograms as fine as there are levels: how many characters of each kind have each level of a unit."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.collecting.statistic import State
from analyses.levels.columns import Columns
from analyses.levels.counts import LevelCounts


class LevelTables:
    """Counts of the characters of each kind at each level of each unit, in one reading: 1 MB a unit for 4 kinds."""

    n_readings = 1

    def __init__(self, kinds: NDArray[np.int8], n_kinds: int, columns: Sequence[Columns]) -> None:
        """Start with no characters counted yet.

        Args:
            kinds: (n_chars,) the kind of each character of a text, in [0, n_kinds), or below 0 to leave it out.
            n_kinds: How many kinds there are.
            columns: The units.
        """
        self.columns = list(columns)
        self._kinds = kinds
        self._counts = {columns: LevelCounts(n_kinds, columns.n_units) for columns in self.columns}

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """Add characters, given the levels of each of the columns."""
        kinds = self._kinds[places]
        for columns, counts in self._counts.items():
            counts.update(levels[columns], kinds)

    def merge(self, other: "LevelTables") -> None:
        """Add what another statistic has seen of other characters."""
        for columns, counts in self._counts.items():
            counts.counts += other._counts[columns].counts

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""

    def result(self) -> dict[Columns, NDArray[np.uint32]]:
        """(n_units, 65536, n_kinds) counts, levels in ascending order."""
        return {columns: counts.counts for columns, counts in self._counts.items()}

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        return {f"{number}/counts": self._counts[columns].counts for number, columns in enumerate(self.columns)}

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        for number, columns in enumerate(self.columns):
            self._counts[columns].counts = arrays[f"{number}/counts"].copy()
