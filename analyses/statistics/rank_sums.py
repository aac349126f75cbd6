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
from analyses.levels.ranks import ALL, N_GROUPS, Ranked, Ranks, Sums
from analyses.targets.splits import TEST, TRAIN


class RankTotals:
    """Sums of the ranks of some units, for several labels at once.

    Attributes:
        ranked: What is known of the ranks.
        everywhere: Sums of the ranks among all characters, an atom each.
        within: Of the ranks among the training and among the test characters: cells `TRAIN` and `TEST`.
        others: (n_units, n_labels + 1) how many others have the level of each character, summed over those with a
            label; the last over all.
    """

    def __init__(self, asked: JointLabels, ranked: Ranked) -> None:
        n_units = len(ranked.ties)
        self.ranked = ranked
        self.everywhere = JointSums(asked.split.n_atoms, n_units, asked.n_labels)
        self.within = JointSums(2, n_units, asked.n_labels)
        self.others = np.zeros((n_units, asked.n_labels + 1))

    def add(self, sums: Sums, rows: JointRows) -> None:
        """Add sums of characters; see `ranks_at_once`, of one way."""
        for _, atom, run in rows.runs:
            self.everywhere.add(atom, sums.everywhere[:, run], rows.y[run], rows.n[run])
        parts, examples = rows.of_kinds
        y, n = rows.y[examples], np.bincount(rows.pieces.kinds, rows.n, len(examples)).astype(np.int64)
        for part in (TRAIN, TEST):
            chosen = parts == part
            self.within.add(part, sums.within[:, chosen], y[chosen], n[chosen])
        if sums.others is not None:
            self.others += sums.others @ y

    def merge(self, other: "RankTotals") -> None:
        """Add the sums of other characters with the same ranks, which are whole numbers and add up exactly."""
        self.everywhere.merge(other.everywhere)
        self.within.merge(other.within)
        self.others += other.others

    def of_atoms(self, label: int) -> AtomSums:
        """The sums of one label over each atom, of ranks over 2 n."""
        n = self.ranked.n
        sums = self.everywhere.of_label(label)
        sums.xx[:] = self.ranked.squares[:, ALL] * (sums.n / n[ALL])[:, None]  # only their sum is asked for
        return sums.scaled(1 / (2 * n[ALL]))

    def of_part(self, label: int, part: int) -> AtomSums:
        """The sums of one label over a part, `TRAIN` or `TEST`, in one cell, of the ranks there over 2 n."""
        return self.within.of_label(label).of(np.arange(2) == part).scaled(1 / (2 * self.ranked.n[part]))

    def correlations(self, part: int) -> NDArray[np.float64]:
        """(n_units,) Spearman's rank correlations in a part, `TRAIN` or `TEST`, with a label given as its ranks there.

        NaN for units that never change there.
        """
        total = self.within.of_label(0).of(np.arange(2) == part)
        n, y = total.n[0], total.y[0]
        scatter = self.ranked.squares[:, part] * max(total.yy[0] - y * y / n, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            co_scatter = total.xy[0] - total.x[0] * y / n
            return np.asarray(np.clip(np.where(scatter > 0, co_scatter / np.sqrt(scatter), np.nan), -1, 1))

    def arrays(self) -> State:
        """All that is added up, by name."""
        found: State = {"others": self.others}
        for name, sums in (("everywhere", self.everywhere), ("within", self.within)):
            found |= {f"{name}/{own}": array for own, array in sums.arrays().items()}
        return found

    def restore(self, arrays: State) -> None:
        """Take over sums."""
        self.others = arrays["others"].copy()
        for name, sums in (("everywhere", self.everywhere), ("within", self.within)):
            sums.restore({own: arrays[f"{name}/{own}"] for own in sums.arrays()})


class RankSums:
    """The ranks of units' levels, for several labels, together where these are missing at the same characters.

    Levels are counted in the first reading, which gives each its rank, and ranks are added up in the second. Labels
    that are missing at other characters than the first ones have ranks of their own. They are made of the same counts,
    and of those of the characters at which they differ from these, which are mostly few.
    """

    n_readings = 2

    def __init__(
        self,
        asked: Sequence[JointLabels],
        columns: Sequence[Columns],
        middle_levels: Mapping[Columns, NDArray[np.int64] | None],
    ) -> None:
        """Of some labels and units, and of the middles of their bins; see `levels.Bins`."""
        self.columns = list(columns)
        self._asked, self._middle_levels = list(asked), middle_levels
        self._keys = [(number, each) for number in range(len(self._asked)) for each in self.columns]
        self._counts = {key: LevelCounts(N_GROUPS, key[1].n_units) for key in self._keys}
        self._ranks: dict[tuple[int, Columns], Ranks] = {}
        self._totals: dict[tuple[int, Columns], RankTotals] = {}

    def take(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """See `LevelStatistic`."""
        if self._ranks:
            for number, joint in enumerate(self._asked):
                rows = joint.rows(places)
                for each in self.columns:
                    key = number, each
                    self._totals[key].add(self._ranks[key].add_up(levels[each], rows.pieces), rows)
        else:
            self._count(places, levels)

    def _count(self, places: NDArray[np.int64], levels: Mapping[Columns, NDArray[np.uint16]]) -> None:
        """Count for the first labels, and for others what differs from these."""
        first, *others = (joint.parts(places) for joint in self._asked)
        for each in self.columns:
            self._counts[0, each].update(levels[each], first)
        for number, parts in enumerate(others, 1):
            differ = np.flatnonzero(parts != first)
            for each in self.columns if len(differ) else ():
                own = np.ascontiguousarray(levels[each][:, differ])
                self._counts[number, each].update(own, parts[differ])
                self._counts[number, each].update(own, first[differ], take_off=True)

    def merge(self, other: "RankSums") -> None:
        """See `Statistic`."""
        for key, counts in self._counts.items():
            counts.counts += other._counts[key].counts
        for key, totals in self._totals.items():
            totals.merge(other._totals[key])

    def end_reading(self) -> None:
        """See `Statistic`."""
        for (number, each), counts in self._counts.items():
            if number:
                counts.counts += self._counts[0, each].counts  # modulo 2³², in which what was taken off comes out right
        for (number, each), counts in self._counts.items():
            self._ranks[number, each] = Ranks(counts, self._middle_levels[each])
            self._totals[number, each] = RankTotals(self._asked[number], self._ranks[number, each].ranked)
        self._counts = {}

    def result(self) -> list[dict[Columns, RankTotals]]:
        """For each of the labels that are missing at the same characters, the sums of each of the columns."""
        return [
            {each: self._totals[number, each] for each in self.columns if (number, each) in self._totals}
            for number in range(len(self._asked))
        ]

    def arrays(self) -> State:
        """See `Statistic`."""
        found: State = {}
        for place, key in enumerate(self._keys):
            if self._ranks:
                own: dict[str, NDArray[Any]] = {**self._ranks[key].arrays(), **self._totals[key].arrays()}
            else:
                own = {"counts": self._counts[key].counts}
            found |= {f"{place}/{name}": array for name, array in own.items()}
        return found

    def restore(self, arrays: State) -> None:
        """See `Statistic`."""
        for place, key in enumerate(self._keys):
            own = {
                name.removeprefix(f"{place}/"): array for name, array in arrays.items() if name.startswith(f"{place}/")
            }
            if "counts" in own:
                self._counts[key].counts = own["counts"].copy()
                continue
            self._counts.pop(key, None)
            self._ranks[key] = Ranks.restored(own)
            self._totals[key] = RankTotals(self._asked[key[0]], self._ranks[key].ranked)
            self._totals[key].restore(own)
