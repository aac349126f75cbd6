"""Sums of the ranks of units' levels, by atom and label: what AUCs and their p-values are made of."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.collecting.statistic import State
from analyses.intervals.atom_sums import AtomSums, JointSums
from analyses.levels.columns import Columns
from analyses.levels.counts import LevelCounts
from analyses.levels.joint_labels import JointLabels, JointRows
from analyses.levels.rank_kernels import N_COUNT_COLUMNS
from analyses.levels.ranks import CodeSums, Ranks, RankSummary
from analyses.targets.splits import ALL, TEST, TRAIN


def rank_correlations(sums: AtomSums, squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_units,) Spearman's rank correlations; NaN for units that never change.

    Args:
        sums: Sums of the units' ranks, see `RankSummary`, and of the label's ranks, in one cell.
        squares: (n_units,) sums of the squares of the units' ranks.
    """
    n, y = sums.n[0], sums.y[0]
    scatter = squares * max(sums.yy[0] - y * y / n, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        co_scatter = sums.xy[0] - sums.x[0] * y / n
        return np.asarray(np.clip(np.where(scatter > 0, co_scatter / np.sqrt(scatter), np.nan), -1, 1))


class RankTotals:
    """Sums of the ranks of some units, for several labels at once.

    Attributes:
        summary: Counts, ties and squares of the ranks.
        overall: Sums of the ranks among all characters, a cell for each atom.
        by_part: Sums of the ranks among the training and among the test characters, in the cells `TRAIN` and `TEST`.
        others: (n_units, n_labels + 1) how many others have the level of each character, summed over those with a
            label; the last column is over all characters.
    """

    def __init__(self, joint: JointLabels, summary: RankSummary) -> None:
        n_units = len(summary.ties)
        self.summary = summary
        self.overall = JointSums(joint.split.n_atoms, n_units, joint.n_labels)
        self.by_part = JointSums(2, n_units, joint.n_labels)
        self.others = np.zeros((n_units, joint.n_labels + 1))

    def add(self, sums: CodeSums, rows: JointRows) -> None:
        """Add the sums of some characters; see `ranks_at_once`."""
        for _, atom, codes in rows.runs:
            self.overall.add(atom, sums.overall[:, codes], rows.y[codes], rows.n[codes])
        parts, examples = rows.kind_examples
        y, n = rows.y[examples], np.bincount(rows.pieces.kinds, rows.n, len(examples)).astype(np.int64)
        for part in (TRAIN, TEST):
            is_part = parts == part
            self.by_part.add(part, sums.by_part[:, is_part], y[is_part], n[is_part])
        if sums.others is not None:
            self.others += sums.others @ y

    def merge(self, other: "RankTotals") -> None:
        """Add the sums of other characters with the same ranks, which are whole numbers and add up exactly."""
        self.overall.merge(other.overall)
        self.by_part.merge(other.by_part)
        self.others += other.others

    def of_atoms(self, label: int) -> AtomSums:
        """Return the sums of one label over each atom, of ranks over 2 n."""
        n = self.summary.n
        sums = self.overall.of_label(label)
        sums.xx[:] = self.summary.squares[:, ALL] * (sums.n / n[ALL])[:, None]  # only their sum over atoms is used
        return sums.scaled(1 / (2 * n[ALL]))

    def of_part(self, label: int, part: int) -> AtomSums:
        """Return the sums of one label over a part, `TRAIN` or `TEST`, in one cell, of the ranks there over 2 n."""
        return self.by_part.of_label(label).of(np.arange(2) == part).scaled(1 / (2 * self.summary.n[part]))

    def correlations(self, part: int) -> NDArray[np.float64]:
        """(n_units,) Spearman's rank correlations in a part, `TRAIN` or `TEST`, with a label given as its ranks there.

        NaN for units that never change there.
        """
        return rank_correlations(self.by_part.of_label(0).of(np.arange(2) == part), self.summary.squares[:, part])

    def arrays(self) -> State:
        """Return all sums by name."""
        state: State = {"others": self.others}
        for name, sums in self._sums_by_name.items():
            state |= {f"{name}/{array_name}": array for array_name, array in sums.arrays().items()}
        return state

    def restore(self, arrays: State) -> None:
        """Take over the sums that `arrays` returned."""
        self.others = arrays["others"].copy()
        for name, sums in self._sums_by_name.items():
            sums.restore({array_name: arrays[f"{name}/{array_name}"] for array_name in sums.arrays()})

    @property
    def _sums_by_name(self) -> dict[str, JointSums]:
        """The sums by their names in saved files."""
        return {"everywhere": self.overall, "within": self.by_part}


class RankSums:
    """The ranks of units' levels, for several labels, together where these are missing at the same characters.

    Levels are counted in the first reading, which gives each its rank, and ranks are added up in the second. Labels
    that are missing at other characters than the first ones have ranks of their own. They are made of the same counts,
    and of those of the characters at which they differ from these, which are mostly few.
    """

    n_readings = 2

    def __init__(
        self,
        joint_labels: Sequence[JointLabels],
        columns: Sequence[Columns],
        middle_levels: Mapping[Columns, NDArray[np.int64] | None],
    ) -> None:
        """Start with no characters counted yet.

        Args:
            joint_labels: Labels, those together that are missing at the same characters.
            columns: The units.
            middle_levels: The middle levels of the bins of each of the columns, see `bins.Bins`.
        """
        self.columns = list(columns)
        self._joint_labels, self._middle_levels = list(joint_labels), middle_levels
        self._keys = [(number, columns) for number in range(len(self._joint_labels)) for columns in self.columns]
        self._counts = {key: LevelCounts(N_COUNT_COLUMNS, key[1].n_units) for key in self._keys}
        self._ranks: dict[tuple[int, Columns], Ranks] = {}
        self._totals: dict[tuple[int, Columns], RankTotals] = {}

    def update_levels(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """Add characters, given the levels of each of the columns."""
        if not self._ranks:
            self._count(places, levels)
            return
        for number, joint in enumerate(self._joint_labels):
            rows = joint.rows(places)
            for columns in self.columns:
                key = number, columns
                self._totals[key].add(self._ranks[key].add_up(levels[columns], rows.pieces), rows)

    def _count(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """Count for the first labels, and for others what differs from these."""
        first, *others = (joint.parts(places) for joint in self._joint_labels)
        for columns in self.columns:
            self._counts[0, columns].update(levels[columns], first)
        for number, parts in enumerate(others, 1):
            differ = np.flatnonzero(parts != first)
            for columns in self.columns if len(differ) else ():
                different = np.ascontiguousarray(levels[columns][:, differ])
                self._counts[number, columns].update(different, parts[differ])
                self._counts[number, columns].update(different, first[differ], take_off=True)

    def merge(self, other: "RankSums") -> None:
        """Add what another statistic has seen of other characters."""
        for key, counts in self._counts.items():
            counts.counts += other._counts[key].counts
        for key, totals in self._totals.items():
            totals.merge(other._totals[key])

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""
        for (number, columns), counts in self._counts.items():
            if number:
                # modulo 2³², so that what was taken off comes out right
                counts.counts += self._counts[0, columns].counts
        for (number, columns), counts in self._counts.items():
            ranks = Ranks(counts, self._middle_levels[columns])
            self._ranks[number, columns] = ranks
            self._totals[number, columns] = RankTotals(self._joint_labels[number], ranks.summary)
        self._counts = {}

    def result(self) -> list[dict[Columns, RankTotals]]:
        """Return the sums of each of the columns, for each of the joint labels."""
        return [
            {columns: self._totals[number, columns] for columns in self.columns if (number, columns) in self._totals}
            for number in range(len(self._joint_labels))
        ]

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        state: State = {}
        for number, key in enumerate(self._keys):
            if self._ranks:
                arrays: dict[str, NDArray[Any]] = {**self._ranks[key].arrays(), **self._totals[key].arrays()}
            else:
                arrays = {"counts": self._counts[key].counts}
            state |= {f"{number}/{name}": array for name, array in arrays.items()}
        return state

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        for number, key in enumerate(self._keys):
            prefix = f"{number}/"
            arrays_of_key = {
                name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)
            }
            if "counts" in arrays_of_key:
                self._counts[key].counts = arrays_of_key["counts"].copy()
                continue
            self._counts.pop(key, None)
            self._ranks[key] = Ranks.restored(arrays_of_key)
            self._totals[key] = RankTotals(self._joint_labels[key[0]], self._ranks[key].summary)
            self._totals[key].restore(arrays_of_key)
