"""The ranks of units' levels, of which AUCs are made: levels are counted first, and then ranks added up.

Summing is done by the compiled loops in `rank_kernels`, over the pieces in `pieces`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.levels.counts import LevelCounts
from analyses.levels.pieces import NO_SHIFTS, Pieces, Segmentations, ShiftedRuns
from analyses.levels.rank_kernels import UnitSums, add_up_ranks, rank_and_add_up, turn_into_ranks
from analyses.levels.shares import for_shares
from analyses.targets.splits import ALL, TEST, TRAIN
from hypotheses.kernels import compiled


class RankSummary(NamedTuple):
    """Counts, ties and squares of the ranks of some units.

    A rank is here a whole number: twice the mid-rank, less n + 1, for n characters. It lies between −n and n, and is 0
    in the middle. The AUC of a unit is 1/2 plus the mean rank of positive characters less that of negative ones over
    2n. Whole numbers add up to the same sum in any order, so that an AUC does not depend on how the characters are cut.

    Attributes:
        n: (3,) characters in the training part, in the test part, and in all.
        ties: (n_units,) how many others share the level of each character, summed; without those in the middle of bins,
            whose values are equal.
        squares: (n_units, 3) sums of the squares of the ranks among training, test, and all characters.
    """

    n: NDArray[np.int64]
    ties: NDArray[np.float64]
    squares: NDArray[np.float64]

    def auc_error(self, others: NDArray[np.float64], n_positive: float) -> NDArray[np.float64]:
        """Bound how far an AUC can be from the exact one, because values that differ have the same level.

        The bound is half the share of pairs of a positive and a negative character of one level. With c characters of a
        level, p of them positive, these are Σ p (c − p): at most Σ p (c − 1), and the same for the negative ones, and
        by Cauchy and Schwarz at most Σ pc − (Σ pc)² / Σ c².

        Args:
            others: (n_units,) Σ p (c − 1): how many others have the level of each positive character, summed.
            n_positive: Positive characters.

        Returns:
            (n_units,) errors.
        """
        n = int(self.n[ALL])
        together = others + n_positive
        mixed = np.minimum(together - together**2 / (self.ties + n), np.minimum(others, self.ties - others))
        pairs = n_positive * (n - n_positive)
        return np.asarray(0.5 * mixed / pairs) if pairs else np.full(len(mixed), np.nan)


class CodeSums(NamedTuple):
    """Sums of the ranks of characters that have the same code, or the same kind of code; see `pieces`.

    Attributes:
        overall: (n_units, n_codes) sums of the ranks among all characters, for each code.
        by_part: (n_units, n_kinds) sums of the ranks among the characters of their part, for each kind; 0 if that is
            neither training nor test.
        others: (n_units, n_kinds) how many others have the level, summed; None if no values that differ share one.
    """

    overall: NDArray[np.int64]
    by_part: NDArray[np.int64]
    others: NDArray[np.int64] | None


class ShiftedRankSums(NamedTuple):
    """Sums of the ranks of units for circular shifts of labels; see `pieces.ShiftedRuns`.

    Attributes:
        products: (n_units, n_labels, n_steps) ranks times shifted labels.
        by_group: (n_units, n_groups) ranks alone, in each position group.
        squares: (n_units,) squares of ranks.
    """

    products: NDArray[np.float64]
    by_group: NDArray[np.float64]
    squares: NDArray[np.float64]


class Ranks:
    """The rank that each level of each unit has, among the training, the test, and all characters.

    Attributes:
        summary: Their counts, ties and squares.
    """

    def __init__(self, counted: LevelCounts, middle_levels: NDArray[np.int64] | None = None) -> None:
        """Turn counts into ranks, which take over their memory.

        Args:
            counted: Counts of training, test, other, and no characters.
            middle_levels: The middle levels of bins, see `bins.Bins`; None if values that differ never have the same
                level.
        """
        counts_of_one = counted.counts[0].sum(axis=0, dtype=np.int64)  # every unit has a value at every character
        n = np.array([counts_of_one[TRAIN], counts_of_one[TEST], counts_of_one.sum()])
        self._share_levels = middle_levels is not None
        middles = _middles_or_none(middle_levels, len(counted.counts))
        n_units = len(counted.counts)
        self.summary = RankSummary(n, np.zeros(n_units), np.zeros((n_units, 3)))
        for_shares(
            n_units,
            counted.counts.size,
            lambda start, stop: turn_into_ranks(start, stop, counted.counts, middles, *self.summary),
        )
        self._tables = counted.counts.view(np.uint64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the whole state as arrays by name."""
        return {**self.summary._asdict(), "tables": self._tables, "share_levels": np.array(self._share_levels)}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]]) -> "Ranks":
        """Return ranks with the state that `arrays` returned."""
        ranks = cls.__new__(cls)
        ranks.summary = RankSummary(*(arrays[name] for name in RankSummary._fields))
        ranks._tables, ranks._share_levels = arrays["tables"], bool(arrays["share_levels"])
        return ranks

    def add_up(self, levels: NDArray[np.uint16], pieces: Pieces) -> CodeSums:
        """Add up the ranks of characters that have the same code, for one segmentation; see `ranks_at_once`."""
        sums = _zero_sums(len(levels), pieces.n_codes, pieces.n_kinds, share_levels=self._share_levels)
        flat = pieces.starts, pieces.codes, pieces.kinds, pieces.batches
        for_shares(
            len(levels), levels.size, lambda start, stop: add_up_ranks(start, stop, levels, *flat, self._tables, *sums)
        )
        return _centred(pieces, *sums, self.summary.n)


def ranks_at_once(
    levels: NDArray[np.uint16], segmentations: Segmentations, middle_levels: NDArray[np.int64] | None = None
) -> list[tuple[CodeSums, RankSummary]]:
    """Rank all characters, and add up the ranks of those that have the same code.

    Args:
        levels: (n_units, n_chars) of the characters; see `binning.to_levels`.
        segmentations: Parts and codes of the characters, which are ranked anew for each segmentation.
        middle_levels: The middle levels of bins, see `bins.Bins`; None if values that differ never have the same level.

    Returns:
        For each segmentation the sums, and a summary of the ranks.
    """
    return ranks_and_shifts(levels, segmentations, middle_levels, NO_SHIFTS)[0]


def ranks_and_shifts(
    levels: NDArray[np.uint16],
    segmentations: Segmentations,
    middle_levels: NDArray[np.int64] | None,
    runs: ShiftedRuns,
) -> tuple[list[tuple[CodeSums, RankSummary]], ShiftedRankSums]:
    """Rank all characters, and add up their ranks also for shifts of labels; see `ranks_at_once`.

    Args:
        levels: (n_units, n_chars) of the characters; see `binning.to_levels`.
        segmentations: Parts and codes of the characters.
        middle_levels: The middle levels of bins.
        runs: Where the labels change that are shifted. If there are some, the characters must be in the order of the
            text, and the first segmentation must leave none of them out.
    """
    middles = _middles_or_none(middle_levels, len(levels))
    n_codes, n_kinds = segmentations.code_borders[-1], segmentations.kind_borders[-1]
    by_code, by_kind = _zero_sums(len(levels), n_codes, n_kinds, share_levels=middle_levels is not None)
    n_units, n_segmentations = len(levels), len(segmentations.pieces)
    unit_sums = UnitSums(
        by_code=by_code,
        by_kind=by_kind,
        ties=np.zeros((n_segmentations, n_units)),
        squares=np.zeros((n_segmentations, n_units, 3)),
        of_shifts=np.zeros((n_units, runs.n_labels, len(runs.steps))),
        before_borders=np.zeros((n_units, len(runs.group_borders))),
    )
    for_shares(
        n_units,
        levels.size,
        lambda start, stop: rank_and_add_up(start, stop, levels, middles, segmentations.flat, runs, unit_sums),
    )
    sums = zip(
        np.split(by_code, segmentations.code_borders[1:-1], axis=1),
        np.split(by_kind, segmentations.kind_borders[1:-1], axis=2),
        strict=True,
    )
    ranked = [
        (_centred(pieces, *sums_of_pieces, n), RankSummary(n, ties, squares))
        for pieces, sums_of_pieces, n, ties, squares in zip(
            segmentations.pieces, sums, segmentations.flat.n, unit_sums.ties, unit_sums.squares, strict=True
        )
    ]
    by_group = np.diff(unit_sums.before_borders, axis=1)
    return ranked, ShiftedRankSums(unit_sums.of_shifts, by_group, unit_sums.squares[0, :, ALL])


def ranks_by_sorting(
    values: NDArray[np.float32], parts: NDArray[np.int8], codes: NDArray[np.int64], kinds: NDArray[np.integer]
) -> tuple[CodeSums, RankSummary]:
    """Rank (n_units, n_chars) values, any number of which may differ, for one segmentation; see `ranks_at_once`."""
    n = np.array([(parts == TRAIN).sum(), (parts == TEST).sum(), (parts >= 0).sum()])
    overall = np.zeros((len(values), len(kinds)), np.int64)
    by_part = np.zeros((len(values), int(kinds.max()) + 1 if len(kinds) else 0), np.int64)
    squares = np.zeros((len(values), 3))
    used = np.flatnonzero(parts >= 0)
    for unit, of_unit in enumerate(values):
        order = used[np.argsort(of_unit[used])]
        _add_sorted(of_unit[order], parts[order], codes[order], kinds, n, overall[unit], by_part[unit], squares[unit])
    return CodeSums(overall, by_part, None), RankSummary(n, np.zeros(len(values)), squares)


def _zero_sums(
    n_units: int, n_codes: int, n_kinds: int, *, share_levels: bool
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return zeros for sums of ranks among all, by code, and for those within parts and, if needed, others, by kind."""
    return np.zeros((n_units, n_codes), np.uint64), np.zeros((1 + share_levels, n_units, n_kinds), np.uint64)


def _middles_or_none(middle_levels: NDArray[np.int64] | None, n_units: int) -> NDArray[np.int64]:
    return np.full(n_units, -1) if middle_levels is None else middle_levels


def _centred(
    pieces: Pieces, sums_by_code: NDArray[np.uint64], sums_by_kind: NDArray[np.uint64], n: NDArray[np.int64]
) -> CodeSums:
    """Subtract, in place, by how much entries of tables are above ranks: by n for each character."""
    overall, by_kind = sums_by_code.view(np.int64), sums_by_kind.view(np.int64)
    overall -= pieces.code_counts.sum(axis=0) * n[ALL]
    excess = np.zeros(pieces.n_kinds, np.int64)
    np.add.at(excess, pieces.kinds, pieces.code_counts[TRAIN] * n[TRAIN] + pieces.code_counts[TEST] * n[TEST])
    by_kind[0] -= excess
    return CodeSums(overall, by_kind[0], by_kind[1] if len(by_kind) > 1 else None)


@compiled()
def _add_sorted(
    values: NDArray[np.float32],
    parts: NDArray[np.int8],
    codes: NDArray[np.int64],
    kinds: NDArray[np.integer],
    n: NDArray[np.int64],
    overall: NDArray[np.int64],
    within: NDArray[np.int64],
    squares: NDArray[np.float64],
) -> None:
    """Add up the centred ranks of characters that are given in ascending order of a unit's value."""
    n_lower, n_equal = np.zeros(3, np.int64), np.zeros(3, np.int64)  # in training, in test, and in all
    start = 0
    while start < len(values):
        stop = start
        n_equal[:] = 0
        while stop < len(values) and values[stop] == values[start]:
            n_equal[ALL] += 1
            if parts[stop] < ALL:
                n_equal[parts[stop]] += 1
            stop += 1
        ranks = 2 * n_lower + n_equal - n
        for t in range(start, stop):
            overall[codes[t]] += ranks[ALL]
            if parts[t] < ALL:
                within[kinds[codes[t]]] += ranks[parts[t]]
        squares += n_equal * (ranks.astype(np.float64) ** 2)
        n_lower += n_equal
        start = stop
