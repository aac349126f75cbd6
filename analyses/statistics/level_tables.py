"""How many characters of each kind have each level of a unit: histograms as fine as there are values."""

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
        """Of all characters of a text: the kind of each (n_chars,), in [0, n_kinds), or below 0 to leave it out."""
        self.columns = list(columns)
        self._kinds = kinds
        self._counts = {each: LevelCounts(n_kinds, each.n_units) for each in self.columns}

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """See `LevelStatistic`."""
        kinds = self._kinds[places]
        for each, counts in self._counts.items():
            counts.update(levels[each], kinds)

    def merge(self, other: "LevelTables") -> None:
        """See `Statistic`."""
        for each, counts in self._counts.items():
            counts.counts += other._counts[each].counts

    def end_reading(self) -> None:
        """See `Statistic`."""

    def result(self) -> dict[Columns, NDArray[np.uint32]]:
        """(n_units, 65536, n_kinds) counts, levels in ascending order."""
        return {each: counts.counts for each, counts in self._counts.items()}

    def arrays(self) -> State:
        """See `Statistic`."""
        return {f"{number}/counts": self._counts[each].counts for number, each in enumerate(self.columns)}

    def restore(self, arrays: State) -> None:
        """See `Statistic`."""
        for number, each in enumerate(self.columns):
            self._counts[each].counts = arrays[f"{number}/counts"].copy()
