"""Scores of every unit for several labels at once, in as few readings of the source as memory allows."""

from collections.abc import Collection, Mapping, Sequence

from activations.blocks import Source
from activations.progress import Progress, counting
from activations.units import Site, in_order
from analyses.collecting.collect import AnyStatistic, collect
from analyses.levels.columns import Columns, column_groups
from analyses.levels.counts import LevelCounts
from analyses.levels.joint_labels import JointLabels
from analyses.levels.rank_kernels import N_COUNT_COLUMNS
from analyses.ranking.aucs import AucOptions, LabelGroup, compute_aucs, places_all_units
from analyses.ranking.shifting.shifts import Shifts
from analyses.ranking.unit_scores import UnitScores, correlation_scores
from analyses.session import Session, question
from analyses.statistics.products import ProductSums, mask_of
from analyses.targets.splits import Split
from analyses.targets.target import Target
from hypotheses.labels import Kind


@question
def score_units(
    source: Source,
    targets: Sequence[Target],
    sites: Collection[Site],
    progress: Progress,
    *,
    families: Sequence[Sequence[int]] = (),
    statistics: list[AnyStatistic],
    exact: bool = False,
    n_intervals: int | None = None,
    shifts: Shifts | None = None,
) -> list[dict[Site, UnitScores]]:
    """Score every unit of some sites for several labels at once: AUC of binary ones, Pearson's r of numeric ones.

    The labels share their readings of the activations: one for all numeric labels, and one for all binary ones, in
    which only some of the units are read at a time; or, for very long texts, two with more units at a time, and two
    more for each 512 units that have intervals. From a live source, two readings serve all of this, unless too many
    units have intervals for their tables to fit in memory.

    Args:
        source: Recording or live activations.
        targets: Labels of its text.
        sites: The sites whose units are scored.
        progress: Called with the characters done and their number, over all readings.
        families: Positions of targets whose units have intervals: one target, or the classes of one label against the
            rest, of which each unit has an interval for the one that it predicts most reliably in training.
        statistics: Further statistics, which are updated in the same readings where possible, and then removed.
        exact: Whether to sort values in float32 instead of putting them into bins.
        n_intervals: How many units of each site, of each family, have an interval: the best in training; None is all.
        shifts: Shifts of the labels, which are read along where that is possible.

    Returns:
        For each target the scores of each site.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    chosen = in_order(source.sites, sites)
    sizes = {site: source.sites[site] for site in chosen}
    binary, numeric = (_positions_by_mask(targets, kind) for kind in ("binary", "numeric"))
    numeric_by_split = _joined_by_split(numeric)
    groups = [_label_group(targets, positions, families) for positions in binary.values()]
    columns = _column_groups(source, sizes, len(groups), exact=exact)
    reader = Session.of(source).levels
    sites_without_bins = reader.lacking(chosen) if groups else []
    options = AucOptions(exact, n_intervals, shifts)
    n_readings = bool(groups) * len(columns) * _readings_of_aucs(source, groups, columns, options)
    n_readings += len(numeric_by_split) + bool(sites_without_bins)
    forward = counting(progress, n_readings * source.selection.n_chars)
    reader.find_bins(source, sites_without_bins, forward)

    products = [ProductSums([targets[position] for position in positions], sizes) for positions in numeric_by_split]
    waiting = [*statistics, *products]
    statistics.clear()
    scores: dict[int, dict[Site, UnitScores]] = {}
    if groups:
        of_groups = compute_aucs(source, groups, columns, forward, waiting, options)
        for positions, of_labels in zip(binary.values(), of_groups, strict=True):
            scores.update(zip(positions, of_labels, strict=True))
    collect(source, waiting, forward)
    for positions, sums in zip(numeric_by_split, products, strict=True):
        for position, by_site in zip(positions, sums.result(), strict=True):
            scores[position] = {site: correlation_scores(of_site, n_intervals) for site, of_site in by_site.items()}
    return [scores[position] for position in range(len(targets))]


def _positions_by_mask(targets: Sequence[Target], kind: Kind) -> dict[tuple[Split, bytes], list[int]]:
    """Group the positions of targets of a kind by their split and by where their labels are missing."""
    positions: dict[tuple[Split, bytes], list[int]] = {}
    for position, target in enumerate(targets):
        if target.kind == kind:
            positions.setdefault((target.split, mask_of(target)), []).append(position)
    return positions


def _joined_by_split(positions: Mapping[tuple[Split, bytes], list[int]]) -> list[list[int]]:
    """Join the groups that have the same split."""
    return [
        [
            position
            for (members_split, _), members in positions.items()
            if members_split == split
            for position in members
        ]
        for split in dict.fromkeys(split for split, _ in positions)
    ]


def _label_group(targets: Sequence[Target], positions: Sequence[int], families: Sequence[Sequence[int]]) -> LabelGroup:
    labels = [targets[position].labels for position in positions]
    own_families = [[positions.index(position) for position in family] for family in families if family[0] in positions]
    return LabelGroup(JointLabels(targets[positions[0]].split, labels), own_families)


def _column_groups(source: Source, sizes: Mapping[Site, int], n_masks: int, *, exact: bool) -> list[list[Columns]]:
    """Divide the units of sites into groups that are read together."""
    reader = Session.of(source).levels
    n_bytes = LevelCounts.n_bytes(N_COUNT_COLUMNS, 1) * max(1, n_masks)
    most_units = reader.most_at_once(exact=exact) if exact else reader.most_units(n_bytes)
    return column_groups(list(sizes.items()), most_units)


def _readings_of_aucs(
    source: Source, groups: Sequence[LabelGroup], columns: Sequence[list[Columns]], options: AucOptions
) -> int:
    """Count the readings that AUCs of one group of columns take."""
    if options.exact or Session.of(source).levels.most_at_once():
        return 1
    if not (source.is_live and len(columns) == 1):
        return 4
    n_labels = [group.joint.n_labels for group in groups]
    needs_no_more = options.n_intervals == 0 or places_all_units(source, n_labels, columns[0], options.n_intervals)
    return 2 if needs_no_more else 4
