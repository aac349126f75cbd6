"""AUCs of units for many binary labels at once, in one reading of the levels if they fit in memory, or in two."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Advance
from activations.units import Site, in_order
from analyses.collecting.collect import AnyStatistic, collect
from analyses.levels.columns import Columns, LevelReader, Tile
from analyses.levels.joint_labels import JointLabels
from analyses.levels.pieces import NO_SHIFTS, Segmentations, ShiftedRuns
from analyses.levels.ranks import ranks_and_shifts, ranks_by_sorting
from analyses.ranking.best_units import best_units
from analyses.ranking.influences import auc_influence
from analyses.ranking.shifting.shifts import Shifts
from analyses.ranking.unit_scores import UnitScores, auc_scores
from analyses.session import Session
from analyses.statistics.placements import LabelColumns, Placements, PlacementSums, placements
from analyses.statistics.rank_sums import RankSums, RankTotals
from analyses.targets.splits import ALL

_SUMS_BYTES = 1 << 27
_PLACEMENT_BYTES = 1 << 29


class LabelGroup(NamedTuple):
    """Binary labels that are missing at the same characters, so that their ranks are shared.

    Attributes:
        joint: The labels.
        families: Numbers of the labels that share intervals: one label, or the classes of one, each against the rest.
            Each unit can have an interval for the label of a family that it predicts most reliably.
    """

    joint: JointLabels
    families: list[list[int]]


class AucOptions(NamedTuple):
    """Options for making AUCs and intervals.

    Attributes:
        exact: Whether to sort values in float32 instead of putting them into bins.
        n_intervals: How many units of each site, of each family, have an interval: the best in training; None is all.
        shifts: Shifts of the labels, which are read along where all characters are read in one tile.
    """

    exact: bool
    n_intervals: int | None
    shifts: Shifts | None = None


class _Ranked(NamedTuple):
    """Sums of ranks, and how to read the levels that they were made of once more.

    Attributes:
        totals: For each label group, the sums of ranks of each of the columns.
        readings: Goes through all characters each time it is called.
    """

    totals: list[dict[Columns, RankTotals]]
    readings: Callable[[], Iterable[Tile]]


def compute_aucs(
    source: Source,
    groups: Sequence[LabelGroup],
    column_groups: Sequence[list[Columns]],
    forward: Advance,
    waiting: list[AnyStatistic],
    options: AucOptions,
) -> list[list[dict[Site, UnitScores]]]:
    """Score the units of some columns for each label of each label group.

    Args:
        source: A recording or live activations.
        groups: The labels.
        column_groups: The units, in groups that are read together.
        forward: Called with the characters that were read.
        waiting: Statistics that may be updated in the same readings; those that were are removed.
        options: How the AUCs are made.

    Returns:
        For each label group, for each of its labels, the scores of each site.
    """
    scores: list[list[dict[Site, UnitScores]]] = [[{} for _ in range(group.joint.n_labels)] for group in groups]
    for column_group in column_groups:  # the memory of one group is released before the next is read
        new = _aucs_of_group(source, groups, scores, column_group, forward, waiting, options)
        for of_labels, by_label in zip(new, scores, strict=True):
            for (label, columns), of_columns in of_labels.items():
                by_site, site = by_label[label], columns.site
                by_site[site] = by_site[site].beside(of_columns) if site in by_site else of_columns
    return scores


def _aucs_of_group(
    source: Source,
    groups: Sequence[LabelGroup],
    earlier: Sequence[Sequence[Mapping[Site, UnitScores]]],
    column_group: list[Columns],
    forward: Advance,
    waiting: list[AnyStatistic],
    options: AucOptions,
) -> list[dict[LabelColumns, UnitScores]]:
    """Score units that are read together, for each label group; `earlier` has the scores of those read before."""
    n_labels = [group.joint.n_labels for group in groups]
    placement_sums: list[PlacementSums] = []
    if places_all_units(source, n_labels, column_group, options.n_intervals):
        placement_sums = [_placements_of_all(group.joint, column_group) for group in groups]
    waiting += placement_sums
    ranked = _rank(source, [group.joint for group in groups], column_group, forward, waiting, options)
    scores, best = [], []
    for group, of_earlier, totals in zip(groups, earlier, ranked.totals, strict=True):
        new = {
            (label, columns): auc_scores(of_columns, label)
            for columns, of_columns in totals.items()
            for label in range(group.joint.n_labels)
        }
        training_atoms = ~group.joint.split.held_out_atoms
        scores.append(new)
        best.append(best_units(new, of_earlier, group.families, training_atoms, options.n_intervals))
    if placement_sums:
        placed = [
            {key: sums.result()[key].units(units) for key, units in chosen.items()}
            for sums, chosen in zip(placement_sums, best, strict=True)
        ]
    else:
        joint_labels = [group.joint for group in groups]
        placed = placements(list(zip(joint_labels, best, strict=True)), ranked.readings)
    for group, new, chosen, of_units in zip(groups, scores, best, placed, strict=True):
        for key, placements_of_key in of_units.items():
            new[key] = _with_intervals(new[key], chosen[key], placements_of_key, group.joint.split.held_out_atoms)
    return scores


def _placements_of_all(joint: JointLabels, column_group: Sequence[Columns]) -> PlacementSums:
    units = {
        (label, columns): np.arange(columns.n_units) for label in range(joint.n_labels) for columns in column_group
    }
    return PlacementSums(joint, units)


def places_all_units(
    source: Source, n_labels: Sequence[int], column_group: Sequence[Columns], n_intervals: int | None
) -> bool:
    """Return whether to place the characters of all units, which saves a live source two readings for the best."""
    n_bytes = PlacementSums.BYTES_PER_UNIT * sum(n_labels) * sum(columns.n_units for columns in column_group)
    return (
        source.is_live
        and n_intervals != 0
        and not Session.of(source).levels.most_at_once()
        and n_bytes <= _PLACEMENT_BYTES
    )


def _with_intervals(
    scores: UnitScores, units: NDArray[np.int64], placed: Placements, held_out_atoms: NDArray[np.bool_]
) -> UnitScores:
    """Add what the intervals of some units are made of."""
    scores.within_position_groups[units] = placed.aucs_within()
    influence = auc_influence(scores.sums.units(units), placed, held_out_atoms)
    return scores._replace(interval_units=units, influence=influence)


def _rank(
    source: Source,
    joint_labels: list[JointLabels],
    column_group: list[Columns],
    forward: Advance,
    waiting: list[AnyStatistic],
    options: AucOptions,
) -> _Ranked:
    reader = Session.of(source).levels
    if options.exact or reader.most_at_once():
        return _rank_in_one_reading(reader, source, joint_labels, column_group, forward, options)
    reader.find_bins(source, in_order(source.sites, (columns.site for columns in column_group)))
    ranks = RankSums(joint_labels, column_group, {columns: reader.middle_levels(columns) for columns in column_group})
    collect(source, [ranks, *waiting], forward)
    waiting.clear()
    return _Ranked(ranks.result(), lambda: reader.tiles(source, column_group, forward))


def _rank_in_one_reading(
    reader: LevelReader,
    source: Source,
    joint_labels: list[JointLabels],
    column_group: list[Columns],
    forward: Advance,
    options: AucOptions,
) -> _Ranked:
    """Rank units whose levels at all characters fit in memory, or values if the AUCs are to be exact."""
    places, levels = reader.whole(source, column_group, forward, exact=options.exact)
    totals: list[dict[Columns, RankTotals]] = [{} for _ in joint_labels]
    ranked_levels: dict[Columns, NDArray[np.uint16]] = {}
    rows = [joint.rows(places) for joint in joint_labels]
    segmentations = Segmentations([joint_rows.pieces for joint_rows in rows])
    most_units = max(1, _SUMS_BYTES // (8 * max(1, int(segmentations.code_borders[-1]))))
    shifts = None if options.exact or source.is_live else options.shifts
    runs = _runs_to_rank(shifts, source, places, segmentations) if shifts else None
    if shifts and runs is None:
        shifts.add_levels(places, levels)
    for wide_columns, wide_levels in levels.items():
        for start in range(wide_columns.start, wide_columns.stop, most_units):
            columns = Columns(wide_columns.site, start, min(start + most_units, wide_columns.stop))
            own_levels = wide_levels[start - wide_columns.start : columns.stop - wide_columns.start]
            if own_levels.dtype == np.uint16:
                middle_levels = reader.middle_levels(columns)
                sums, shift_sums = ranks_and_shifts(own_levels, segmentations, middle_levels, runs or NO_SHIFTS)
                if shifts and runs:
                    shifts.add_ranked(columns, shift_sums)
            else:
                sums = [
                    ranks_by_sorting(own_levels, of_rows.pieces.parts, of_rows.codes, of_rows.pieces.kinds)
                    for of_rows in rows
                ]
            for joint, joint_rows, of_joint, (code_sums, summary) in zip(joint_labels, rows, totals, sums, strict=True):
                of_joint[columns] = RankTotals(joint, summary)
                of_joint[columns].add(code_sums, joint_rows)
            ranked_levels[columns] = own_levels
    as_levels = cache(lambda: {columns: reader.levels_of(columns, values) for columns, values in ranked_levels.items()})
    return _Ranked(totals, lambda: [(places, as_levels())])


def _runs_to_rank(
    shifts: Shifts, source: Source, places: NDArray[np.int64], segmentations: Segmentations
) -> ShiftedRuns | None:
    """Return the runs of shifted labels if ranks among all characters, in the order of the text, are made anyway."""
    selection = source.selection
    in_order = np.array_equal(places, np.arange(selection.start, selection.stop, selection.every))
    return shifts.runs if in_order and segmentations.flat.n[0, ALL] == len(places) else None
