"""How well each unit alone tells a label, on the training, the test, and all characters."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.units import Site
from analyses.alignment import Target
from analyses.errors import AnalysisError
from analyses.ranks import ALL, N_GROUPS, Ranks, transpose
from analyses.splits import GAP, TEST, TRAIN, Split
from analyses.statistics import Bins, Moments, ValueCounts
from analyses.stretch_sums import JointSums, StretchSums

Progress = Callable[[int, int], None]
_TABLE_BYTES = 1 << 29
_ROWS_AT_ONCE = 1 << 15  # so that what is known of a unit's values stays in the cache while many are read
_ROUNDING = 1e-12  # of a mean: what a unit that never changes scatters by


class Scores(NamedTuple):
    """What was found for the units of a site.

    Attributes:
        train: (n_units,) AUC or Pearson's r on the training characters.
        test: (n_units,) the same on the test characters.
        everywhere: (n_units,) the same on all characters.
        error: (n_units,) how far `everywhere` may be from the exact number.
        sums: Stretch by stretch, of ranks if these are AUCs, and of the values themselves for r.
    """

    train: NDArray[np.float64]
    test: NDArray[np.float64]
    everywhere: NDArray[np.float64]
    error: NDArray[np.float64]
    sums: StretchSums

    def beside(self, other: "Scores") -> "Scores":
        """With the units that stand behind these."""
        train, test, everywhere, error = map(np.concatenate, zip(self[:4], other[:4], strict=True))
        return Scores(train, test, everywhere, error, self.sums.beside(other.sums))


def measure(
    source: Source, targets: Sequence[Target], sites: Collection[Site], progress: Progress
) -> list[dict[Site, Scores]]:
    """Score every unit of some sites for several labels at once: AUC of binary ones, Pearson's r of numeric ones.

    They share their passes over the activations: one for all numeric ones, and two for all binary ones whose labels are
    missing at the same characters (more if the units are so many that the counts of their values pass 512 MiB).

    Args:
        source: Recording or live activations.
        targets: Labels of its text.
        sites: Where to look.
        progress: Called with the characters done and their number, over all passes.

    Returns:
        For each target the scores of each site.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    groups: dict[object, list[int]] = {}
    for place, each in enumerate(targets):
        missing = _mask_of(each) if each.kind == "binary" else None  # ranks are among the characters that have a label
        groups.setdefault((each.kind, each.split, missing), []).append(place)
    columns = _groups(source, sites)
    wide = [site for site in sites if source.dtype(site) != np.float16]
    n_binary = sum(targets[members[0]].kind == "binary" for members in groups.values())
    n_passes = len(groups) - n_binary + n_binary * 2 * len(columns) + bool(wide and n_binary)
    step = _Steps(progress, n_passes * source.selection.n_chars)
    bins = _bins(source, wide, step) if wide and n_binary else {}
    found: dict[int, dict[Site, Scores]] = {}
    for members in groups.values():
        asked = _Asked([targets[place] for place in members])
        if targets[members[0]].kind == "binary":
            scores = _aucs(source, asked, columns, bins, step)
        else:
            scores = _correlations(source, asked, sites, step)
        found.update(zip(members, scores, strict=True))
    return [found[place] for place in range(len(targets))]


def _mask_of(asked: Target) -> bytes:
    return b"" if asked.labels.missing is None else asked.labels.missing.tobytes()


class _Rows(NamedTuple):
    """What is asked of the rows of a block.

    Attributes:
        y: (n_chars, n_labels + n_masks) the labels, less something near their means, and masks; see `JointSums`.
        parts: (n_chars,) `TRAIN`, `TEST`, `GAP`, or -1 where no label is there.
        runs: Rows that lie in one part of one stretch: its cell, the part, and which rows.
    """

    y: NDArray[np.float64]
    parts: NDArray[np.int8]
    runs: list[tuple[int, int, slice]]


class _Asked:
    """Several labels with one split, and masks of the characters that have them.

    Sums are kept apart by cell: a stretch has two, the second for its gaps.
    """

    def __init__(self, targets: list[Target]) -> None:
        self.split: Split = targets[0].split
        self.n_labels = len(targets)
        self.n_cells = 2 * self.split.n_stretches
        masks = [_mask_of(each) for each in targets]
        self._masks = {mask: each.labels.missing for mask, each in zip(masks, targets, strict=True)}
        self.mask_of = [list(self._masks).index(mask) for mask in masks]
        self.n_masks = len(self._masks)
        self._values = [each.labels.values for each in targets]
        self._middles = [float(each.labels.values[each.labels.present].mean()) for each in targets]
        if targets[0].kind == "binary":
            self._middles = [0.0] * self.n_labels
        is_test = np.repeat(self.split.held_out, 2)
        is_gap = np.tile([False, True], self.split.n_stretches)
        self.cells_of = {TEST: is_test, TRAIN: ~is_test & ~is_gap}

    def rows(self, block: Block) -> _Rows:
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
        parts = self.split.parts(place.start, place.stop)[:: place.step]
        stretches = self.split.stretch(np.arange(place.start, place.stop, place.step))
        cells = 2 * stretches + (parts == GAP)
        starts = [0, *(np.flatnonzero(np.diff(cells)) + 1).tolist()]
        stops = [*starts[1:], len(cells)]
        runs = [(int(cells[a]), int(parts[a]), slice(a, b)) for a, b in zip(starts, stops, strict=True)]
        if self.n_masks == 1 and masks[0] is not None:
            parts = np.where(masks[0], -1, parts).astype(np.int8)
        return _Rows(y, parts, runs)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Some units of a site, side by side."""

    site: Site
    start: int
    stop: int

    @property
    def n_units(self) -> int:
        return self.stop - self.start

    def of(self, block: Block) -> NDArray[Any]:
        """(n_chars, n_units) the values of these units."""
        return block.values[self.site][:, self.start : self.stop]

    def bins(self, of_sites: dict[Site, Bins]) -> Bins | None:
        own = of_sites.get(self.site)
        return own.of(slice(self.start, self.stop)) if own else None


def _aucs(
    source: Source, asked: _Asked, groups: list[list[_Columns]], bins: dict[Site, Bins], step: "_Steps"
) -> list[dict[Site, Scores]]:
    found: list[dict[Site, Scores]] = [{} for _ in range(asked.n_labels)]
    for group in groups:
        ranks = _count(source, asked, group, bins, step)
        everywhere = {each: JointSums(asked.n_cells, each.n_units, asked.n_labels) for each in group}
        within = {each: JointSums(2, each.n_units, asked.n_labels) for each in group}
        ties = {each: np.zeros((each.n_units, asked.n_labels)) for each in group}
        for values, rows in _read(source, asked, group, step):
            for each in group:
                own, among_all, alike = ranks[each].of(values[each], rows.parts)
                for cell, part, run in rows.runs:
                    everywhere[each].add(cell, among_all[:, run], rows.y[run], squares=False)
                    if part != GAP:
                        within[each].add(part, own[:, run], rows.y[run], squares=False)
                if each.site in bins:
                    ties[each] += alike @ rows.y[:, : asked.n_labels]
        for each in group:
            n = ranks[each].n
            everywhere[each].xx[0, :, 0] = ranks[each].squares  # of which only the sum over all cells is asked
            for label, scores in enumerate(found):
                sums = everywhere[each].of_label(label).scaled(1 / (2 * n[ALL]))
                total = sums.together(len(sums.n))
                train, test = (
                    _auc(within[each].of_label(label).of(np.arange(2) == part).scaled(1 / (2 * n[part])))[0]
                    for part in (TRAIN, TEST)
                )
                error = ranks[each].auc_error(ties[each][:, label], float(total.y[0]))
                new = Scores(train, test, _auc(total)[0], error, sums.together(2))
                scores[each.site] = scores[each.site].beside(new) if each.site in scores else new
    return found


def _count(
    source: Source, asked: _Asked, group: list[_Columns], bins: dict[Site, Bins], step: "_Steps"
) -> dict[_Columns, Ranks]:
    counts = {each: ValueCounts(N_GROUPS, each.n_units, each.bins(bins)) for each in group}
    for values, rows in _read(source, asked, group, step):
        for each, own in counts.items():
            if not own.update(values[each], rows.parts):
                raise AnalysisError(_not_numbers(each.site))
    return {each: Ranks(own) for each, own in counts.items()}


def _read(
    source: Source, asked: _Asked, group: list[_Columns], step: "_Steps"
) -> Iterator[tuple[dict[_Columns, NDArray[Any]], _Rows]]:
    """The values of units, (n_units, n_chars), of many blocks at once, and what is asked of their rows."""
    waiting: list[Block] = []
    for block in source.blocks(sorted({each.site for each in group})):
        waiting.append(block)
        if sum(each.n_chars for each in waiting) >= _ROWS_AT_ONCE:
            yield _together(waiting, asked, group)
            step.forward(sum(each.n_chars for each in waiting))
            waiting = []
    if waiting:
        yield _together(waiting, asked, group)
        step.forward(sum(each.n_chars for each in waiting))


def _together(blocks: list[Block], asked: _Asked, group: list[_Columns]) -> tuple[dict[_Columns, NDArray[Any]], _Rows]:
    starts = np.cumsum([0, *(block.n_chars for block in blocks)]).tolist()
    values = {}
    for each in group:
        whole = np.empty((each.n_units, starts[-1]), each.of(blocks[0]).dtype)
        for start, block in zip(starts, blocks, strict=False):
            transpose(each.of(block), whole[:, start : start + block.n_chars])
        values[each] = whole
    rows = [asked.rows(block) for block in blocks]
    runs = [
        (cell, part, slice(start + run.start, start + run.stop))
        for start, own in zip(starts, rows, strict=False)
        for cell, part, run in own.runs
    ]
    y, parts = np.concatenate([own.y for own in rows]), np.concatenate([own.parts for own in rows])
    return values, _Rows(y, parts, runs)


def _auc(sums: StretchSums) -> NDArray[np.float64]:
    """(n_cells, n_units) AUCs; NaN where one class is empty."""
    positive, negative = sums.y[:, None], (sums.n - sums.y)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(0.5 + sums.xy / positive - (sums.x - sums.xy) / negative)


def _correlations(source: Source, asked: _Asked, sites: Collection[Site], step: "_Steps") -> list[dict[Site, Scores]]:
    sums = {site: JointSums(asked.n_cells, source.sites[site], asked.n_labels, asked.n_masks) for site in sites}
    middles: dict[Site, NDArray[np.float64]] = {}  # near the means, so that squares do not swallow what differs
    for block in source.blocks(sites):
        rows = asked.rows(block)
        for site, own in sums.items():
            middle = middles.setdefault(site, block.values[site].mean(axis=0, dtype=np.float64))
            x = (block.values[site] - middle).T
            for cell, _, run in rows.runs:
                own.add(cell, x[:, run], rows.y[run])
        step.forward(block.n_chars)
    for site, own in sums.items():
        if not np.isfinite(own.xx).all():
            raise AnalysisError(_not_numbers(site))
    found: list[dict[Site, Scores]] = []
    for label in range(asked.n_labels):
        scores = {}
        for site, own in sums.items():
            cells = own.of_label(label, asked.mask_of[label])
            train, test = (_r(cells.of(asked.cells_of[part]), middles[site]) for part in (TRAIN, TEST))
            scores[site] = Scores(train, test, _r(cells, middles[site]), np.zeros_like(train), cells.together(2))
        found.append(scores)
    return found


def _r(cells: StretchSums, middle: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n_units,) Pearson's r over all of some cells; NaN where either never changes."""
    total = cells.together(len(cells.n))
    n, y, yy = total.n[0], total.y[0], total.yy[0]
    x, xx, xy = total.x[0], total.xx[0], total.xy[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        scatter = xx - x * x / n
        rounding = n * (_ROUNDING * (middle + x / n)) ** 2
        product = np.sqrt(np.where(scatter > rounding, scatter, 0.0) * max(yy - y * y / n, 0.0))
        return np.asarray(np.clip(np.where(product > 0, (xy - x * y / n) / product, np.nan), -1.0, 1.0))


class _Steps:
    """Counts characters over several passes."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def forward(self, n_chars: int) -> None:
        self._done += n_chars
        self._progress(self._done, self._total)


def _groups(source: Source, sites: Collection[Site]) -> list[list[_Columns]]:
    """The units of the sites, so many at a time that their counts fit the memory set aside for them."""
    most = max(1, _TABLE_BYTES // ValueCounts.n_bytes(N_GROUPS, 1))
    groups: list[list[_Columns]] = [[]]
    room = most
    for site in sites:
        start = 0
        while start < source.sites[site]:
            if room == 0:
                groups.append([])
                room = most
            stop = min(source.sites[site], start + room)
            groups[-1].append(_Columns(site, start, stop))
            room -= stop - start
            start = stop
    return groups


def _bins(source: Source, sites: Collection[Site], step: _Steps) -> dict[Site, Bins]:
    """Bins for the units of sites in float32, from where their values lie."""
    moments = {site: Moments.empty(source.sites[site]) for site in sites}
    for block in source.blocks(sites):
        for site in sites:
            moments[site].merge(Moments.of(block.values[site], np.zeros(block.n_chars)))
        step.forward(block.n_chars)
    for site, own in moments.items():
        if not np.isfinite(own.mean).all():
            raise AnalysisError(_not_numbers(site))
    return {site: Bins.around(own) for site, own in moments.items()}


def _not_numbers(site: Site) -> str:
    return f"some activations of {site} are not numbers (NaN or infinite); the model's weights may be broken"
