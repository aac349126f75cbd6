"""p-values by permutation: circular shifts of the labels leave both them and the units as they are."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Advance, no_advance
from activations.units import Site, in_order
from analyses.collecting.collect import AnyStatistic, collect
from analyses.errors import AnalysisError
from analyses.levels.columns import Columns, column_groups
from analyses.levels.pieces import ShiftedRuns
from analyses.levels.ranks import ShiftedRankSums
from analyses.ranking.shifting.shift_sums import ShiftSums
from analyses.ranking.shifting.shifted_labels import ShiftedLabels
from analyses.session import Session
from analyses.targets.classes import Classes
from analyses.targets.target import Target

_BYTES_PER_UNIT = 1 << 21  # of counts, ranks and sums
_NEAREST = 20  # a shift is at least 1 / 20 of the text, lest it changes nothing


class Shifted(NamedTuple):
    """p-values by circular shifts: how often shifted labels depend on units as much as the labels themselves.

    Attributes:
        p_shift: (n_units,) compared with the same unit; the p-value of a test of this unit alone.
        p_max: (n_units,) compared with the best of all units; the p-value corrected for the number of units.
    """

    p_shift: NDArray[np.float64]
    p_max: NDArray[np.float64]


class Shifts:
    """Correlations of the ranks of units with a label, and with circular shifts of the label, position removed.

    Attributes:
        statistics: The sums of the first units, which the caller may update in readings of its own, and remove.
    """

    def __init__(
        self,
        source: Source,
        target: Target,
        classes: Classes | None,
        frequent_classes: Sequence[int],
        sites: Collection[Site],
        n_shifts: int,
        seed: int,
    ) -> None:
        """Choose the shifts, and plan the readings.

        Args:
            source: What to read.
            target: The label.
            classes: The classes of the label, if units are judged by the class that they depend on most.
            frequent_classes: The numbers of the classes that are looked at.
            sites: The sites whose units are judged.
            n_shifts: How many shifts, of at least a twentieth of the text.
            seed: Seed of the shifts.

        Raises:
            AnalysisError: If the text is too short for this number of shifts.
        """
        n_chars = source.selection.n_chars
        nearest = n_chars // _NEAREST
        if n_shifts > n_chars - 2 * nearest:
            raise AnalysisError(f"{n_chars:,} characters cannot be shifted in {n_shifts:,} ways; ask for fewer shifts")
        rng = np.random.default_rng(seed)
        steps = [0, *(nearest + rng.choice(n_chars - 2 * nearest, n_shifts, replace=False)).tolist()]
        self._source, self._n_shifts = source, n_shifts
        self._labels = ShiftedLabels(target, classes, frequent_classes, steps)
        sizes = [(site, source.sites[site]) for site in in_order(source.sites, sites)]
        self._groups = column_groups(sizes, Session.of(source).levels.most_units(_BYTES_PER_UNIT))
        self._first = ShiftSums(self._labels, source.selection, self._groups[0])
        self.statistics: list[AnyStatistic] = [self._first]
        self._sizes: dict[Columns, NDArray[np.float64]] = {}  # (n_units, 1 + n_shifts) of those that were read

    @cached_property
    def runs(self) -> ShiftedRuns | None:
        """Where the label changes; None if it is missing somewhere, or changes too often for `add_ranked`."""
        return self._labels.runs()

    def add_ranked(self, columns: Columns, sums: ShiftedRankSums) -> None:
        """Take over what was added up for the shifts of `runs` when units were ranked."""
        self._sizes[columns] = np.abs(self._labels.correlations(sums)).max(axis=1)

    def add_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """Read units from their levels at all characters."""
        sums = ShiftSums(self._labels, self._source.selection, list(levels))
        for _ in range(sums.n_readings):
            sums.update_levels(places, levels)
            sums.end_reading()
        self._add(sums)

    def _add(self, sums: ShiftSums) -> None:
        for columns, products in sums.result().items():
            self._sizes[columns] = np.abs(products).max(axis=1)

    def judge(self, forward: Advance = no_advance) -> dict[Site, Shifted]:
        """Read what has still to be read, and compare the shifted labels with the label as it is."""
        sums = self._first
        del self._first
        for number, group in enumerate([] if self._sizes else self._groups):  # units are ranked all at once, or none
            if number:
                sums = ShiftSums(self._labels, self._source.selection, group)
            if number or self.statistics:
                collect(self._source, [sums], forward)
            self._add(sums)
            del sums  # free gigabytes before the next are made
        self.statistics.clear()
        sizes = {
            site: np.concatenate([size for columns, size in self._sizes.items() if columns.site == site])
            for site in dict.fromkeys(columns.site for columns in self._sizes)
        }
        largest = np.max([of_site.max(axis=0) for of_site in sizes.values()], axis=0)
        return {
            site: Shifted(
                (1 + (of_site[:, 1:] >= of_site[:, :1]).sum(axis=1)) / (1 + self._n_shifts),
                (1 + (largest[1:] >= of_site[:, :1]).sum(axis=1)) / (1 + self._n_shifts),
            )
            for site, of_site in sizes.items()
        }
