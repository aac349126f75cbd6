"""AUCs of units for many binary labels at once, in one reading of the levels if they fit in memory, or in two."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site, in_order
from analyses.collecting.collect import AnyStatistic, collect
from analyses.levels.columns import Columns, LevelReader, Tile
from analyses.levels.joint_labels import JointLabels
from analyses.levels.pieces import Segmentations
from analyses.levels.ranks import ranks_at_once, ranks_by_sorting
from analyses.ranking.best_units import LabelColumns, best_units
from analyses.ranking.influences import auc_influence
from analyses.ranking.unit_scores import UnitScores, auc_scores
from analyses.session import Session
from analyses.statistics.placements import Placements, PlacementSums, placements
from analyses.statistics.rank_sums import RankSums, RankTotals

_SUMS_BYTES = 1 << 27
_PLACEMENT_BYTES = 1 << 29


class LabelGroup(NamedTuple):
    """Binary labels that are missing at the same characters, so that their ranks are shared.

    Attributes:
        joint: The labels.
        families: Numbers of the labels that share intervals: one label, or the classes of one, each against the rest.
            Each unit can have an interval for the label of a family that it tells most surely.
    """

    joint: JointLabels
    families: list[list[int]]


class AucOptions(NamedTuple):
    """How AUCs are made.

    Attributes:
        exact: Whether to sort values in float32 instead of putting them into bins.
        n_intervals: How many units of each site, of each family, have an interval: the best in training; None is all.
    """

    exact: bool
    n_intervals: int | None


class _Ranked(NamedTuple):
    """Sums of ranks, and how to read the levels that they were made of once more.

    Attributes:
        totals: For each label group, the sums of ranks of each of the columns.
        readings: Goes through all characters each time it is called.
    """

    totals: list[dict[Columns, RankTotals]]
    readings: Callable[[], Iterable[Tile]]


def aucs(
    source: Source,
    groups: Sequence[LabelGroup],
    column_groups: Sequence[list[Columns]],
    forward: Callable[[int], None],
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
    for columns in column_groups:  # the memory of one column group is released before the next is read
        new = _aucs_of_columns(source, groups, scores, columns, forward, waiting, options)
        for of_group, by_label in zip(new, scores, strict=True):
            for (label, own_columns), own in of_group.items():
                by_site, site = by_label[label], own_columns.site
                by_site[site] = by_site[site].beside(own) if site in by_site else own
    return scores


def _aucs_of_columns(
    source: Source,
    groups: Sequence[LabelGroup],
    earlier: Sequence[Sequence[Mapping[Site, UnitScores]]],
    columns: list[Columns],
    forward: Callable[[int], None],
    waiting: list[AnyStatistic],
    options: AucOptions,
) -> list[dict[LabelColumns, UnitScores]]:
    """Score units that are read together, for each label group; `earlier` has the scores of those read before."""
    n_labels = [group.joint.n_labels for group in groups]
    placement_sums: list[PlacementSums] = []
    if places_all_units(source, n_labels, columns, options.n_intervals):
        placement_sums = [_placements_of_all(group.joint, columns) for group in groups]
    waiting += placement_sums
    ranked = _rank(source, [group.joint for group in groups], columns, forward, waiting, exact=options.exact)
    scores, best = [], []
    for group, of_earlier, totals in zip(groups, earlier, ranked.totals, strict=True):
        new = {
            (label, own_columns): auc_scores(own_totals, label)
            for own_columns, own_totals in totals.items()
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
        for key, own in of_units.items():
            new[key] = _with_intervals(new[key], chosen[key], own, group.joint.split.held_out_atoms)
    return scores


def _placements_of_all(joint: JointLabels, columns: Sequence[Columns]) -> PlacementSums:
    units = {(label, own): np.arange(own.n_units) for label in range(joint.n_labels) for own in columns}
    return PlacementSums(joint, units)


def places_all_units(
    source: Source, n_labels: Sequence[int], columns: Sequence[Columns], n_intervals: int | None
) -> bool:
    """Whether to place the characters of all units at once, to save a live source two more readings for the best."""
    n_bytes = PlacementSums.BYTES_PER_UNIT * sum(n_labels) * sum(own.n_units for own in columns)
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
    scores.within[units] = placed.aucs_within()
    influence = auc_influence(scores.sums.units(units), placed, held_out_atoms)
    return scores._replace(interval_units=units, influence=influence)


def _rank(
    source: Source,
    joint_labels: list[JointLabels],
    columns: list[Columns],
    forward: Callable[[int], None],
    waiting: list[AnyStatistic],
    *,
    exact: bool,
) -> _Ranked:
    reader = Session.of(source).levels
    if exact or reader.most_at_once():
        return _rank_in_one_reading(reader, source, joint_labels, columns, forward, exact=exact)
    reader.find_bins(source, in_order(source.sites, (own.site for own in columns)))
    ranks = RankSums(joint_labels, columns, {own: reader.middle_levels(own) for own in columns})
    collect(source, [ranks, *waiting], forward)
    waiting.clear()
    return _Ranked(ranks.result(), lambda: reader.tiles(source, columns, forward))


def _rank_in_one_reading(
    reader: LevelReader,
    source: Source,
    joint_labels: list[JointLabels],
    columns: list[Columns],
    forward: Callable[[int], None],
    *,
    exact: bool,
) -> _Ranked:
    """Rank units whose levels at all characters fit in memory, or values if the AUCs are to be exact."""
    places, levels = reader.whole(source, columns, forward, exact=exact)
    totals: list[dict[Columns, RankTotals]] = [{} for _ in joint_labels]
    ranked_levels: dict[Columns, NDArray[np.uint16]] = {}
    rows = [joint.rows(places) for joint in joint_labels]
    segmentations = Segmentations([joint_rows.pieces for joint_rows in rows])
    most_units = max(1, _SUMS_BYTES // (8 * max(1, int(segmentations.code_borders[-1]))))
    for wide, all_levels in levels.items():
        for start in range(wide.start, wide.stop, most_units):
            own_columns = Columns(wide.site, start, min(start + most_units, wide.stop))
            own = all_levels[start - wide.start : own_columns.stop - wide.start]
            if own.dtype == np.uint16:
                sums = ranks_at_once(own, segmentations, reader.middle_levels(own_columns))
            else:
                sums = [
                    ranks_by_sorting(own, of_rows.pieces.parts, of_rows.codes, of_rows.pieces.kinds) for of_rows in rows
                ]
            for joint, joint_rows, of_joint, (code_sums, summary) in zip(joint_labels, rows, totals, sums, strict=True):
                of_joint[own_columns] = RankTotals(joint, summary)
                of_joint[own_columns].add(code_sums, joint_rows)
            ranked_levels[own_columns] = own
    as_levels = cache(lambda: {own: reader.levels_of(own, values) for own, values in ranked_levels.items()})
    return _Ranked(totals, lambda: [(places, as_levels())])
