"""How well each unit alone tells a label, on the training, the test, and all characters."""

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.units import Site
from analyses.alignment import Target
from analyses.columns import Columns, LevelReader, Tile, groups, most_at_once, not_numbers
from analyses.errors import AnalysisError
from analyses.joint_labels import JointLabels, JointRows
from analyses.level_counts import LevelCounts
from analyses.placements import placements
from analyses.ranks import ALL, N_GROUPS, SHARED, Ranked, Ranks, Ways, ranks_at_once, ranks_by_sorting
from analyses.significance import auc_spread, r_spread
from analyses.splits import GAP, TEST, TRAIN, Split
from analyses.stretch_sums import JointSums, StretchSums
from hypotheses.labels import Kind

Progress = Callable[[int, int], None]
_TABLE_BYTES = 1 << 29
_SUMS_BYTES = 1 << 27
_ROUNDING = 1e-12  # of a mean: what a unit that never changes scatters by


class Scores(NamedTuple):
    """What was found for the units of a site.

    Attributes:
        train: (n_units,) AUC or Pearson's r on the training characters.
        test: (n_units,) the same on the test characters.
        everywhere: (n_units,) the same on all characters.
        error: (n_units,) how far `everywhere` may be from the exact number.
        sums: Stretch by stretch, of ranks if these are AUCs, and of the values themselves for r.
        spread: (2, n_units) how far `test` moves, down and up, when held-out stretches are drawn anew: a 95 % interval;
            NaN for units of which that was not asked.
    """

    train: NDArray[np.float64]
    test: NDArray[np.float64]
    everywhere: NDArray[np.float64]
    error: NDArray[np.float64]
    sums: StretchSums
    spread: NDArray[np.float64]

    def beside(self, other: "Scores") -> "Scores":
        """With the units that stand behind these."""
        train, test, everywhere, error = map(np.concatenate, zip(self[:4], other[:4], strict=True))
        spread = np.concatenate([self.spread, other.spread], axis=1)
        return Scores(train, test, everywhere, error, self.sums.beside(other.sums), spread)


def measure(
    source: Source,
    targets: Sequence[Target],
    sites: Collection[Site],
    progress: Progress,
    *,
    exact: bool = False,
    n_intervals: int | None = None,
    seed: int = 0,
) -> list[dict[Site, Scores]]:
    """Score every unit of some sites for several labels at once: AUC of binary ones, Pearson's r of numeric ones.

    They share their passes over the activations: one for all numeric ones, and one for all binary ones, in which only
    some of the units are read at a time; or four, with more units at a time, if the characters are very many.

    Args:
        source: Recording or live activations.
        targets: Labels of its text.
        sites: Where to look.
        progress: Called with the characters done and their number, over all passes.
        exact: Whether to sort values in float32, and not to put them into bins.
        n_intervals: How many of each site's best units, in training, have an interval; None is all.
        seed: Of the intervals' bootstrap.

    Returns:
        For each target the scores of each site.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    chosen = sorted(sites)
    binary, numeric = (_alike(targets, kind) for kind in ("binary", "numeric"))
    columns = _columns(source, chosen, len(binary), exact=exact)
    n_readings = 1 if exact or most_at_once(source.selection.n_chars) else 4
    reader = LevelReader.of(source)
    of_bins = reader.lacking(chosen) if binary else []
    n_passes = len({split for split, _ in numeric}) + bool(of_bins) + bool(binary) * n_readings * len(columns)
    step = _Steps(progress, n_passes * source.selection.n_chars)
    reader.find_bins(source, of_bins, step.forward)
    found: dict[int, dict[Site, Scores]] = {}
    if binary:
        joint = [_joint([targets[place] for place in places]) for places in binary.values()]
        aucs = _aucs(source, joint, columns, step, exact=exact, n_intervals=n_intervals, seed=seed)
        for places, scores in zip(binary.values(), aucs, strict=True):
            found.update(zip(places, scores, strict=True))
    for split in dict.fromkeys(split for split, _ in numeric):
        order = [place for (own, _), members in numeric.items() if own == split for place in members]
        of_labels = products(source, [targets[place] for place in order], chosen, step.forward)
        for place, of_sites in zip(order, of_labels, strict=True):
            found[place] = {site: _correlations(each, n_intervals, seed) for site, each in of_sites.items()}
    return [found[place] for place in range(len(targets))]


def _columns(source: Source, sites: Sequence[Site], n_masks: int, *, exact: bool = False) -> list[list[Columns]]:
    """The units of sites in groups that are read together."""
    n_bytes = LevelCounts.n_bytes(N_GROUPS, 1) * max(1, n_masks)
    most_units = most_at_once(source.selection.n_chars, exact=exact) or max(1, _TABLE_BYTES // n_bytes)
    return groups([(site, source.sites[site]) for site in sites], most_units)


def _alike(targets: Sequence[Target], kind: Kind) -> dict[tuple[Split, bytes], list[int]]:
    """The places of the targets of a kind, apart by their split and by where their labels are missing."""
    found: dict[tuple[Split, bytes], list[int]] = {}
    for place, each in enumerate(targets):
        if each.kind == kind:
            found.setdefault((each.split, _mask_of(each)), []).append(place)
    return found


def _joint(targets: Sequence[Target]) -> JointLabels:
    return JointLabels(targets[0].split, targets[0].labels.missing, [each.labels.values for each in targets])


def _mask_of(asked: Target) -> bytes:
    return b"" if asked.labels.missing is None else asked.labels.missing.tobytes()


class _Asked:
    """Several labels with one split, and masks of the characters that have them.

    Sums are kept apart by cell: a stretch has two, the second for its gaps.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.split: Split = targets[0].split
        self.n_labels = len(targets)
        self.n_cells = 2 * self.split.n_stretches
        masks = [_mask_of(each) for each in targets]
        self._masks = {mask: each.labels.missing for mask, each in zip(masks, targets, strict=True)}
        self.mask_of = [list(self._masks).index(mask) for mask in masks]
        self.n_masks = len(self._masks)
        self._values = [each.labels.values for each in targets]
        self._middles = [
            float(each.labels.values[each.labels.present].mean()) if each.kind == "numeric" else 0.0 for each in targets
        ]

    def rows(self, block: Block) -> tuple[NDArray[np.float64], list[tuple[int, slice]]]:
        """What is asked of the rows of a block.

        Returns:
            (n_chars, n_labels + n_masks) the labels, less something near their means, and masks; see `JointSums`. And
            which rows lie in which cell.
        """
        place = block.places
        y = np.ones((block.n_chars, self.n_labels + self.n_masks))
        masks = [None if missing is None else missing[place] for missing in self._masks.values()]
        for column, (values, middle) in enumerate(zip(self._values, self._middles, strict=True)):
            y[:, column] = values[place]
            y[:, column] -= middle
            if (missing := masks[self.mask_of[column]]) is not None:
                y[missing, column] = 0
        for column, missing in enumerate(masks, self.n_labels):
            if missing is not None:
                y[missing, column] = 0
        places = np.arange(place.start, place.stop, place.step)
        cells = 2 * self.split.stretch(places) + (self.split.parts_of(places) == GAP)
        borders = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist(), len(cells)]
        return y, [(int(cells[a]), slice(a, b)) for a, b in itertools.pairwise(borders)]


def spearman(
    source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
) -> dict[Site, tuple[NDArray[np.float64], ...]]:
    """Spearman's rank correlation of each unit with a label, on training and on test characters; NaN if constant."""
    from scipy.stats import rankdata

    labels, parts = asked.labels.values, asked.parts_of_text
    within = np.zeros(len(labels))
    for part in (TRAIN, TEST):
        within[parts == part] = rankdata(labels[parts == part])
    joint = JointLabels(asked.split, asked.labels.missing, [within])
    found: dict[Site, tuple[NDArray[np.float64], ...]] = {}
    for group in _columns(source, sorted(sites), 1):
        [sums], _ = _rank_sums(source, [joint], group, forward)
        for each, own in sums.items():
            before = found.get(each.site, (np.empty(0), np.empty(0)))
            found[each.site] = tuple(map(np.append, before, (own.spearman(part) for part in (TRAIN, TEST))))
    return found


def _rank_sums(
    source: Source,
    asked: list[JointLabels],
    group: list[Columns],
    forward: Callable[[int], None],
    *,
    exact: bool = False,
) -> "tuple[list[dict[Columns, _RankSums]], Callable[[], Iterable[Tile]]]":
    """For each of the joint labels, and each of the columns, the sums of ranks; and what reads their levels again."""
    reader = LevelReader.of(source)
    if exact or most_at_once(source.selection.n_chars):
        return _in_one_pass(reader, source, asked, group, forward, exact=exact)
    return _in_two_passes(reader, source, asked, group, forward)


def _aucs(
    source: Source,
    asked: list[JointLabels],
    columns: list[list[Columns]],
    step: "_Steps",
    *,
    exact: bool,
    n_intervals: int | None,
    seed: int,
) -> list[list[dict[Site, Scores]]]:
    """For each of the joint labels, and each label of them, the scores of each site."""
    found: list[list[dict[Site, Scores]]] = [[{} for _ in range(joint.n_labels)] for joint in asked]
    for group in columns:  # what was read of one goes before the next is read
        of_group = _aucs_of_group(source, asked, group, step, exact=exact, n_intervals=n_intervals, seed=seed)
        for new, scores_of_labels in zip(of_group, found, strict=True):
            for (label, each), own in new.items():
                scores = scores_of_labels[label]
                scores[each.site] = scores[each.site].beside(own) if each.site in scores else own
    return found


def _aucs_of_group(
    source: Source,
    asked: list[JointLabels],
    group: list[Columns],
    step: "_Steps",
    *,
    exact: bool,
    n_intervals: int | None,
    seed: int,
) -> list[dict[tuple[int, Columns], Scores]]:
    """For each of the joint labels, the scores by the number of a label of them and columns."""
    sums, readings = _rank_sums(source, asked, group, step.forward, exact=exact)
    found = []
    for joint, of_columns in zip(asked, sums, strict=True):
        new = {(label, each): own.scores(label) for each, own in of_columns.items() for label in range(joint.n_labels)}
        best = _best_of_sites(new, n_intervals)
        for key, placed in placements(joint, readings, best).items():
            there = joint.split.held_out & (new[key].sums.n > 0)
            new[key].spread[:, best[key]] = auc_spread(new[key].sums.of(there), placed[:, there], seed)
        found.append(new)
    return found


def _best_of_sites(
    found: dict[tuple[int, Columns], Scores], most: int | None
) -> dict[tuple[int, Columns], NDArray[np.int64]]:
    """For each label and columns those of the best units of a site that are among them; of no others is more asked."""
    best: dict[tuple[int, Columns], NDArray[np.int64]] = {}
    for label, site in dict.fromkeys((label, columns.site) for label, columns in found):
        own = [columns for other, columns in found if other == label and columns.site == site]
        units = _farthest(np.concatenate([found[label, each].train for each in own]), 0.5, most)
        for each in own:
            best[label, each] = np.sort(units[(units >= 0) & (units < each.n_units)])
            units = units - each.n_units
    return best


def _farthest(train: NDArray[np.float64], chance: float, most: int | None) -> NDArray[np.int64]:
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
) -> "tuple[list[dict[Columns, _RankSums]], Callable[[], Iterable[Tile]]]":
    places, levels = reader.whole(source, group, forward, exact=exact)
    found: list[dict[Columns, _RankSums]] = [{} for _ in asked]
    ranked_levels: dict[Columns, NDArray[np.uint16]] = {}
    rows = [joint.rows(places) for joint in asked]
    ways = Ways([joint.pieces for joint in rows])
    most_units = max(1, _SUMS_BYTES // (24 * max(1, int(ways.columns[-1]))))
    for columns, all_levels in levels.items():
        for start in range(columns.start, columns.stop, most_units):
            each = Columns(columns.site, start, min(start + most_units, columns.stop))
            own = all_levels[start - columns.start : each.stop - columns.start]
            if own.dtype == np.uint16:
                added = ranks_at_once(own, ways, reader.middle_levels(each))
            else:
                added = [ranks_by_sorting(own, joint.pieces.parts, joint.codes, len(joint.y)) for joint in rows]
            for joint, joint_rows, sums, (new, ranked) in zip(asked, rows, found, added, strict=True):
                sums[each] = _RankSums(joint, ranked)
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
) -> "tuple[list[dict[Columns, _RankSums]], Callable[[], Iterable[Tile]]]":
    counts = [{each: LevelCounts(N_GROUPS, each.n_units) for each in group} for _ in asked]
    for places, levels in reader.tiles(source, group, forward):
        for joint, own_counts in zip(asked, counts, strict=True):
            parts = joint.parts(places)
            for each, own in own_counts.items():
                own.update(levels[each], parts)
    ranks = [{each: Ranks(own, reader.middle_levels(each)) for each, own in of.items()} for of in counts]
    found = [
        {each: _RankSums(joint, own[each].ranked) for each in group} for joint, own in zip(asked, ranks, strict=True)
    ]
    for places, levels in reader.tiles(source, group, forward):
        for joint, own_ranks, sums in zip(asked, ranks, found, strict=True):
            rows = joint.rows(places)
            for each in group:
                sums[each].add(own_ranks[each].add_up(levels[each], rows.pieces), rows)
    return found, lambda: reader.tiles(source, group, forward)


class _RankSums:
    """Sums of the ranks of some units, for several labels at once."""

    def __init__(self, asked: JointLabels, ranked: Ranked) -> None:
        n_units = len(ranked.ties)
        self._ranked = ranked
        self._everywhere = JointSums(asked.split.n_stretches, n_units, asked.n_labels)
        self._within = JointSums(2, n_units, asked.n_labels)
        self._others = np.zeros((n_units, asked.n_labels + 1))

    def add(self, sums: NDArray[np.int64], rows: JointRows) -> None:
        """Add sums by code; see `ranks_at_once`, of one way."""
        own, among_all = sums[:SHARED]
        for _, stretch, run in rows.runs:
            self._everywhere.add(stretch, among_all[:, run], rows.y[run], rows.n[run])
        for part in (TRAIN, TEST):
            if runs := [each.codes for each in rows.runs if each.part == part]:
                run = slice(runs[0].start, runs[-1].stop)
                self._within.add(part, own[:, run], rows.y[run], rows.n[run])
        for others in sums[SHARED:]:
            self._others += others @ rows.y

    def spearman(self, part: int) -> NDArray[np.float64]:
        """(n_units,) rank correlations within a part, `TRAIN` or `TEST`, with a label that is given as ranks there."""
        total = self._within.of_label(0).of(np.arange(2) == part)
        n, y = total.n[0], total.y[0]
        scatter = self._ranked.squares[:, part] * max(total.yy[0] - y * y / n, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            co_scatter = total.xy[0] - total.x[0] * y / n
            return np.asarray(np.clip(np.where(scatter > 0, co_scatter / np.sqrt(scatter), np.nan), -1, 1))

    def scores(self, label: int) -> Scores:
        """What they say of one label."""
        n = self._ranked.n
        sums = self._everywhere.of_label(label)
        sums.xx[:] = self._ranked.squares[:, ALL] * (sums.n / n[ALL])[:, None]  # only their sum is asked for
        sums = sums.scaled(1 / (2 * n[ALL]))
        total = sums.together(len(sums.n))
        train, test = (
            _auc(self._within.of_label(label).of(np.arange(2) == part).scaled(1 / (2 * n[part])))[0]
            for part in (TRAIN, TEST)
        )
        error = self._ranked.auc_error(self._others[:, label], float(total.y[0]))
        return Scores(train, test, _auc(total)[0], error, sums, np.full((2, len(train)), np.nan))


def _auc(sums: StretchSums) -> NDArray[np.float64]:
    """(n_cells, n_units) AUCs; NaN where one class is empty."""
    positive, negative = sums.y[:, None], (sums.n - sums.y)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(0.5 + sums.xy / positive - (sums.x - sums.xy) / negative)


class Products(NamedTuple):
    """Sums of products of a label with the units of a site, themselves and squared.

    Attributes:
        cells: Two for each stretch, the second for its gaps, of the units' values less `middle`.
        middle: (n_units,) something near the units' means, so that squares do not swallow what differs.
        held_out: (n_cells,) whether a cell is of the test part.
        gap: (n_cells,) whether it lies between the parts.
    """

    cells: StretchSums
    middle: NDArray[np.float64]
    held_out: NDArray[np.bool_]
    gap: NDArray[np.bool_]

    def of(self, part: int) -> StretchSums:
        """The sums over a part of the text, `TRAIN`, `TEST` or `ALL`, in one cell."""
        chosen = {TRAIN: ~self.held_out & ~self.gap, TEST: self.held_out, ALL: np.ones_like(self.gap)}[part]
        cells = self.cells.of(chosen)
        return cells.together(len(cells.n))

    def scatter(self, part: int) -> NDArray[np.float64]:
        """(n_units,) sums of squared deviations from the mean; 0 for a unit that never changes but for rounding."""
        total = self.of(part)
        n, x, xx = total.n[0], total.x[0], total.xx[0]
        scatter = xx - x * x / n
        rounding = n * (_ROUNDING * (self.middle + x / n)) ** 2
        return np.asarray(np.where(scatter > rounding, scatter, 0.0))

    def r(self, part: int) -> NDArray[np.float64]:
        """(n_units,) Pearson's r; NaN where either never changes."""
        total = self.of(part)
        n, y, yy = total.n[0], total.y[0], total.yy[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            product = np.sqrt(self.scatter(part) * max(yy - y * y / n, 0.0))
            co_scatter = total.xy[0] - total.x[0] * y / n
            return np.asarray(np.clip(np.where(product > 0, co_scatter / product, np.nan), -1.0, 1.0))


def products(
    source: Source, targets: Sequence[Target], sites: Collection[Site], forward: Callable[[int], None]
) -> list[dict[Site, Products]]:
    """Sums of products of units and labels that share a split, for each label and site, in one pass.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    asked = _Asked(targets)
    sums = {site: JointSums(asked.n_cells, source.sites[site], asked.n_labels, asked.n_masks) for site in sites}
    middles: dict[Site, NDArray[np.float64]] = {}
    for block in source.blocks(sites):
        y, runs = asked.rows(block)
        for site, own in sums.items():
            if site not in middles:
                middles[site] = block.values[site].mean(axis=0, dtype=np.float64)
            x = (block.values[site] - middles[site]).T
            for cell, run in runs:
                own.add(cell, x[:, run], y[run])
        forward(block.n_chars)
    for site, own in sums.items():
        if not np.isfinite(own.xx).all():
            raise AnalysisError(not_numbers(site))
    held_out, gap = np.repeat(asked.split.held_out, 2), np.tile([False, True], asked.split.n_stretches)
    return [
        {
            site: Products(own.of_label(label, asked.mask_of[label]), middles[site], held_out, gap & ~held_out)
            for site, own in sums.items()
        }
        for label in range(asked.n_labels)
    ]


def _correlations(found: Products, n_intervals: int | None, seed: int) -> Scores:
    train, test, everywhere = (found.r(part) for part in (TRAIN, TEST, ALL))
    best, spread = _farthest(train, 0.0, n_intervals), np.full((2, len(train)), np.nan)
    held_out = found.cells.of(found.held_out).together(2)
    spread[:, best] = r_spread(held_out.of(held_out.n > 0).units(best), seed)
    return Scores(train, test, everywhere, np.zeros_like(train), found.cells.together(2), spread)


class _Steps:
    """Counts characters over several passes."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def forward(self, n_chars: int) -> None:
        self._done = min(self._done + n_chars, self._total)
        self._progress(self._done, self._total)
