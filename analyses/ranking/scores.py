"""How well each unit alone tells a label, on the training, the test, and all characters."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site, in_order
from analyses.collecting.collect import AnyStatistic, collect
from analyses.intervals.atom_sums import AtomSums
from analyses.intervals.long_run import WithinGroups, position_groups
from analyses.intervals.significance import surprise
from analyses.levels.columns import Columns, LevelReader, Tile, groups
from analyses.levels.counts import LevelCounts
from analyses.levels.joint_labels import JointLabels
from analyses.levels.ranks import ALL, N_GROUPS, Ways, ranks_at_once, ranks_by_sorting
from analyses.ranking.influences import auc_influence, r_influence
from analyses.session import Session, question
from analyses.statistics.placements import Placements, PlacementSums, placements
from analyses.statistics.products import Products, ProductSums, mask_of
from analyses.statistics.rank_sums import RankSums, RankTotals
from analyses.targets.splits import TEST, TRAIN, Split
from analyses.targets.target import Target
from hypotheses.labels import Kind

Progress = Callable[[int, int], None]
_SUMS_BYTES = 1 << 27
_PLACEMENT_BYTES = 1 << 29


class Scores(NamedTuple):
    """What was found for the units of a site.

    Attributes:
        train: (n_units,) AUC or Pearson's r on the training characters.
        test: (n_units,) the same on the test characters.
        everywhere: (n_units,) the same on all characters.
        error: (n_units,) how far `everywhere` may be from the exact number.
        tied: (n_units,) chance that another character, drawn at random, has the same recorded value, in [0, 1]; NaN if
            values are not ranked.
        within: (n_units,) `test` among characters of the same position group; NaN for units not in `closely`.
        sums: Atom by atom, of ranks if these are AUCs, and of the values themselves for r.
        closely: (n_closely,) the units that were looked at closely, for an interval.
        influence: (n_atoms, n_closely) what each atom adds to the error of `test`, to first order.
    """

    train: NDArray[np.float64]
    test: NDArray[np.float64]
    everywhere: NDArray[np.float64]
    error: NDArray[np.float64]
    tied: NDArray[np.float64]
    within: NDArray[np.float64]
    sums: AtomSums
    closely: NDArray[np.int64]
    influence: NDArray[np.float64]

    def beside(self, other: "Scores") -> "Scores":
        """With the units that stand behind these."""
        columns = map(np.concatenate, zip(self[:6], other[:6], strict=True))
        train, test, everywhere, error, tied, within = columns
        closely = np.concatenate([self.closely, other.closely + len(self.train)])
        influence = np.concatenate([self.influence, other.influence], axis=1)
        sums = self.sums.beside(other.sums)
        return Scores(train, test, everywhere, error, tied, within, sums, closely, influence)


@question
def measure(
    source: Source,
    targets: Sequence[Target],
    sites: Collection[Site],
    progress: Progress,
    *,
    families: Sequence[Sequence[int]] = (),
    beside: list[AnyStatistic],
    exact: bool = False,
    n_intervals: int | None = None,
) -> list[dict[Site, Scores]]:
    """Score every unit of some sites for several labels at once: AUC of binary ones, Pearson's r of numeric ones.

    They share their passes over the activations: one for all numeric ones, and one for all binary ones, in which only
    some of the units are read at a time; or two, with more units at a time, if the characters are very many, and then
    two more for each 512 units that have intervals. From a live source, two serve all of this, but for intervals of so
    many units that their tables do not fit the memory.

    Args:
        source: Recording or live activations.
        targets: Labels of its text.
        sites: Where to look.
        progress: Called with the characters done and their number, over all passes.
        families: The places of targets of which units have intervals: one alone, or the classes of one label against
            the rest, of which each unit is looked at for the one that it tells most surely in training.
        beside: Statistics of others, which are updated in the same readings where that can be, and are then removed.
        exact: Whether to sort values in float32, and not to put them into bins.
        n_intervals: How many units of each site, of each family, have one: the best in training; None is all.

    Returns:
        For each target the scores of each site.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    chosen = in_order(source.sites, sites)
    binary, numeric = (_alike(targets, kind) for kind in ("binary", "numeric"))
    columns = _columns(source, chosen, len(binary), exact=exact)
    reader = Session.of(source).levels
    n_readings = 1 if exact or reader.most_at_once() else 4
    if n_readings == 4 and source.is_live and len(columns) == 1:
        n_labels = [sum(len(places) for places in binary.values())]
        n_readings = 2 if n_intervals == 0 or _places_all(source, n_labels, columns[0], n_intervals) else 4
    of_bins = reader.lacking(chosen) if binary else []
    n_passes = len({split for split, _ in numeric}) + bool(of_bins) + bool(binary) * n_readings * len(columns)
    step = _Steps(progress, n_passes * source.selection.n_chars)
    reader.find_bins(source, of_bins, step.forward)
    found: dict[int, dict[Site, Scores]] = {}
    of_splits = [
        [place for (own, _), members in numeric.items() if own == split for place in members]
        for split in dict.fromkeys(split for split, _ in numeric)
    ]
    sizes = {site: source.sites[site] for site in chosen}
    of_values = [ProductSums([targets[place] for place in places], sizes) for places in of_splits]
    waiting = [*beside, *of_values]
    beside.clear()
    if binary:
        joint = [_joint([targets[place] for place in places]) for places in binary.values()]
        local = [
            [[places.index(place) for place in family] for family in families if family[0] in places]
            for places in binary.values()
        ]
        asked = list(zip(joint, local, strict=True))
        aucs = _aucs(source, asked, columns, step, waiting, exact=exact, n_intervals=n_intervals)
        for places, scores in zip(binary.values(), aucs, strict=True):
            found.update(zip(places, scores, strict=True))
    collect(source, waiting, step.forward)
    for places, sums in zip(of_splits, of_values, strict=True):
        for place, of_sites in zip(places, sums.result(), strict=True):
            found[place] = {site: _correlations(each, n_intervals) for site, each in of_sites.items()}
    return [found[place] for place in range(len(targets))]


def _columns(source: Source, sites: Sequence[Site], n_masks: int, *, exact: bool = False) -> list[list[Columns]]:
    """The units of sites in groups that are read together."""
    n_bytes = LevelCounts.n_bytes(N_GROUPS, 1) * max(1, n_masks)
    reader = Session.of(source).levels
    most_units = reader.most_at_once(exact=exact) if exact else reader.most_units(n_bytes)
    return groups([(site, source.sites[site]) for site in sites], most_units)


def _alike(targets: Sequence[Target], kind: Kind) -> dict[tuple[Split, bytes], list[int]]:
    """The places of the targets of a kind, apart by their split and by where their labels are missing."""
    found: dict[tuple[Split, bytes], list[int]] = {}
    for place, each in enumerate(targets):
        if each.kind == kind:
            found.setdefault((each.split, mask_of(each)), []).append(place)
    return found


def _joint(targets: Sequence[Target]) -> JointLabels:
    return JointLabels(targets[0].split, [each.labels for each in targets])


def _rank_sums(
    source: Source,
    asked: list[JointLabels],
    group: list[Columns],
    forward: Callable[[int], None],
    waiting: list[AnyStatistic],
    *,
    exact: bool = False,
) -> "tuple[list[dict[Columns, RankTotals]], Callable[[], Iterable[Tile]]]":
    """For each of the joint labels, and each of the columns, the sums of ranks; and what reads their levels again."""
    reader = Session.of(source).levels
    if exact or reader.most_at_once():
        return _in_one_pass(reader, source, asked, group, forward, exact=exact)
    return _in_two_passes(reader, source, asked, group, forward, waiting)


def _aucs(
    source: Source,
    asked: list[tuple[JointLabels, list[list[int]]]],
    columns: list[list[Columns]],
    step: "_Steps",
    waiting: list[AnyStatistic],
    *,
    exact: bool,
    n_intervals: int | None,
) -> list[list[dict[Site, Scores]]]:
    """For each of the joint labels, and each label of them, the scores of each site.

    Statistics that are waiting may be updated in the same readings, and are then removed.
    """
    found: list[list[dict[Site, Scores]]] = [[{} for _ in range(joint.n_labels)] for joint, _ in asked]
    for group in columns:  # what was read of one goes before the next is read
        of_group = _aucs_of_group(source, asked, found, group, step, waiting, exact=exact, n_intervals=n_intervals)
        for new, scores_of_labels in zip(of_group, found, strict=True):
            for (label, each), own in new.items():
                scores = scores_of_labels[label]
                scores[each.site] = scores[each.site].beside(own) if each.site in scores else own
    return found


def _aucs_of_group(
    source: Source,
    asked: list[tuple[JointLabels, list[list[int]]]],
    before: list[list[dict[Site, Scores]]],
    group: list[Columns],
    step: "_Steps",
    waiting: list[AnyStatistic],
    *,
    exact: bool,
    n_intervals: int | None,
) -> list[dict[tuple[int, Columns], Scores]]:
    """For each of the joint labels, the scores by the number of a label of them and columns; and those found before."""
    of_all = [
        PlacementSums(joint, {(n, each): np.arange(each.n_units) for n in range(joint.n_labels) for each in group})
        for joint, _ in asked
        if _places_all(source, [joint.n_labels for joint, _ in asked], group, n_intervals)
    ]
    waiting += of_all
    sums, readings = _rank_sums(source, [joint for joint, _ in asked], group, step.forward, waiting, exact=exact)
    found, best = [], []
    for (joint, families), earlier, of_columns in zip(asked, before, sums, strict=True):
        new = {
            (label, each): auc_scores(own, label) for each, own in of_columns.items() for label in range(joint.n_labels)
        }
        found.append(new)
        best.append(_best_of_sites(new, earlier, families, ~joint.split.held_out_atoms, n_intervals))
    if of_all:
        placed = [
            {key: each.result()[key].units(units) for key, units in chosen.items()}
            for each, chosen in zip(of_all, best, strict=True)
        ]
    else:
        placed = placements([(joint, own) for (joint, _), own in zip(asked, best, strict=True)], readings)
    for (joint, _), new, chosen, of_units in zip(asked, found, best, placed, strict=True):
        for key, own in of_units.items():
            new[key] = _looked_at(new[key], chosen[key], own, joint.split.held_out_atoms)
    return found


def _places_all(source: Source, n_labels: Sequence[int], group: list[Columns], n_intervals: int | None) -> bool:
    """Whether to place the characters of all units, lest a live source be read twice more for the best of them."""
    n_bytes = PlacementSums.BYTES_PER_UNIT * sum(n_labels) * sum(each.n_units for each in group)
    return (
        source.is_live
        and n_intervals != 0
        and not Session.of(source).levels.most_at_once()
        and n_bytes <= _PLACEMENT_BYTES
    )


def _looked_at(scores: Scores, units: NDArray[np.int64], placed: Placements, held_out: NDArray[np.bool_]) -> Scores:
    scores.within[units] = placed.aucs_within()
    return scores._replace(closely=units, influence=auc_influence(scores.sums.units(units), placed, held_out))


def _best_of_sites(
    found: dict[tuple[int, Columns], Scores],
    before: list[dict[Site, Scores]],
    families: list[list[int]],
    training: NDArray[np.bool_],
    most: int | None,
) -> dict[tuple[int, Columns], NDArray[np.int64]]:
    """For each label and columns those of the best units of a site, of these and those before, that are among them."""
    best: dict[tuple[int, Columns], NDArray[np.int64]] = {}
    for site in dict.fromkeys(columns.site for _, columns in found):
        own = list(dict.fromkeys(columns for _, columns in found if columns.site == site))
        for family in families:
            pieces = [[before[label][site] for label in family]] if site in before[family[0]] else []
            pieces += [[found[label, each] for label in family] for each in own]
            labels = np.concatenate([surest(piece, training) for piece in pieces])
            trains = np.concatenate([[each.train for each in piece] for piece in pieces], axis=1)
            units = farthest(trains[labels, np.arange(len(labels))], 0.5, most)
            starts = len(labels) - np.cumsum([each.n_units for each in own[::-1]])[::-1]
            for number, label in enumerate(family):
                chosen = np.sort(units[labels[units] == number])
                for each, start in zip(own, starts, strict=True):
                    here = chosen[(chosen >= start) & (chosen < start + each.n_units)] - start
                    if len(here):
                        best[label, each] = here
    return best


def surest(scores: Sequence[Scores], training: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n_units,) which of several labels each unit tells most surely, by these atoms."""
    if len(scores) == 1:
        return np.zeros(len(scores[0].train), np.int64)
    surprises = [surprise(each.sums.of(training)) for each in scores]
    return np.asarray(np.nan_to_num(surprises, nan=-1.0).argmax(axis=0))


def farthest(train: NDArray[np.float64], chance: float, most: int | None) -> NDArray[np.int64]:
    """The units, at most so many, that are farthest from chance."""
    return np.argsort(-np.nan_to_num(np.abs(train - chance), nan=-1.0), kind="stable")[:most]


def _in_one_pass(
    reader: LevelReader,
    source: Source,
    asked: list[JointLabels],
    group: list[Columns],
    forward: Callable[[int], None],
    *,
    exact: bool,
) -> "tuple[list[dict[Columns, RankTotals]], Callable[[], Iterable[Tile]]]":
    places, levels = reader.whole(source, group, forward, exact=exact)
    found: list[dict[Columns, RankTotals]] = [{} for _ in asked]
    ranked_levels: dict[Columns, NDArray[np.uint16]] = {}
    rows = [joint.rows(places) for joint in asked]
    ways = Ways([joint.pieces for joint in rows])
    most_units = max(1, _SUMS_BYTES // (8 * max(1, int(ways.columns[-1]))))
    for columns, all_levels in levels.items():
        for start in range(columns.start, columns.stop, most_units):
            each = Columns(columns.site, start, min(start + most_units, columns.stop))
            own = all_levels[start - columns.start : each.stop - columns.start]
            if own.dtype == np.uint16:
                added = ranks_at_once(own, ways, reader.middle_levels(each))
            else:
                added = [ranks_by_sorting(own, joint.pieces.parts, joint.codes, joint.pieces.kinds) for joint in rows]
            for joint, joint_rows, sums, (new, ranked) in zip(asked, rows, found, added, strict=True):
                sums[each] = RankTotals(joint, ranked)
                sums[each].add(new, joint_rows)
            ranked_levels[each] = own
    as_levels = cache(lambda: {each: reader.levels_of(each, own) for each, own in ranked_levels.items()})
    return found, lambda: [(places, as_levels())]


def _in_two_passes(
    reader: LevelReader,
    source: Source,
    asked: list[JointLabels],
    group: list[Columns],
    forward: Callable[[int], None],
    waiting: list[AnyStatistic],
) -> "tuple[list[dict[Columns, RankTotals]], Callable[[], Iterable[Tile]]]":
    reader.find_bins(source, in_order(source.sites, (each.site for each in group)))
    middle_levels = {each: reader.middle_levels(each) for each in group}
    ranks = RankSums(asked, group, middle_levels)
    collect(source, [ranks, *waiting], forward)
    waiting.clear()
    return ranks.result(), lambda: reader.tiles(source, group, forward)


def auc_scores(totals: RankTotals, label: int) -> Scores:
    """What sums of ranks say of one label."""
    sums, ranked = totals.of_atoms(label), totals.ranked
    n, total = ranked.n[ALL], sums.together()
    train, test = (_auc(totals.of_part(label, part))[0] for part in (TRAIN, TEST))
    error = ranked.auc_error(totals.others[:, label], float(total.y[0]))
    tied = ranked.ties / max(n * (n - 1.0), 1.0)
    return _not_looked_at(train, test, _auc(total)[0], error, tied, sums)


def _not_looked_at(
    train: NDArray[np.float64],
    test: NDArray[np.float64],
    everywhere: NDArray[np.float64],
    error: NDArray[np.float64],
    tied: NDArray[np.float64],
    sums: AtomSums,
) -> Scores:
    """Scores of units that have no intervals."""
    nothing = np.empty((int((sums.n > 0).sum()), 0))
    within = np.full(len(train), np.nan)
    return Scores(train, test, everywhere, error, tied, within, sums, np.empty(0, np.int64), nothing)


def _auc(sums: AtomSums) -> NDArray[np.float64]:
    """(n_cells, n_units) AUCs; NaN where one class is empty."""
    positive, negative = sums.y[:, None], (sums.n - sums.y)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(0.5 + sums.xy / positive - (sums.x - sums.xy) / negative)


def _correlations(found: Products, n_intervals: int | None) -> Scores:
    train, test, everywhere = (found.r(part) for part in (TRAIN, TEST, ALL))
    sums, nothing = found.of_atoms, np.full(len(train), np.nan)
    held_out = np.zeros(len(sums.n), np.bool_)
    held_out[found.atoms[found.held_out]] = True
    closely = np.sort(farthest(train, 0.0, n_intervals))
    scores = Scores(train, test, everywhere, np.zeros_like(train), nothing, nothing.copy(), sums, closely, np.empty(0))
    groups = position_groups(len(sums.n))
    own = sums.units(closely)
    near = WithinGroups(own.of(held_out & (own.n > 0)), groups[held_out & (own.n > 0)])
    with np.errstate(invalid="ignore", divide="ignore"):
        product = np.sqrt(near.label_scatter * near.unit_scatter)
        scores.within[closely] = np.where(product > 0, near.product.sum(axis=0) / product, np.nan)
    return scores._replace(influence=r_influence(own, held_out))


class _Steps:
    """Counts characters over several passes."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def forward(self, n_chars: int) -> None:
        self._done = min(self._done + n_chars, self._total)
        self._progress(self._done, self._total)
