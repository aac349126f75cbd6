"""How well each unit alone tells a label, on the training, the test, and all characters."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.units import Site
from analyses.alignment import Target
from analyses.errors import AnalysisError
from analyses.splits import PARTS, TEST, TRAIN
from analyses.statistics import Bins, Moments, ValueCounts, auc_error_bound, auc_from_counts
from analyses.stretch_sums import RankSums, StretchSums

Progress = Callable[[int, int], None]
_TABLE_BYTES = 1 << 29


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


@dataclass(frozen=True, slots=True)
class _Columns:
    """Some units of a site, side by side."""

    site: Site
    start: int
    stop: int

    def of(self, block: Block) -> NDArray[Any]:
        """(n_chars, n_units) the values of these units."""
        return block.values[self.site][:, self.start : self.stop]


def aucs(source: Source, asked: Target, sites: Collection[Site], progress: Progress) -> dict[Site, Scores]:
    """The AUC of every unit of some sites.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    wide = [site for site in sites if source.dtype(site) != np.float16]
    groups = _groups(source, sites)
    n_passes = 2 * len(groups) + bool(wide)
    step = _Steps(progress, n_passes * source.selection.n_chars)
    bins = _bins(source, wide, step) if wide else {}
    found: dict[Site, Scores] = {}
    for group in groups:
        counts = {columns: _empty_counts(columns, bins) for columns in group}
        for block in source.blocks(sorted({columns.site for columns in group})):
            labels, parts = asked.rows(block)
            classes = np.where(parts < 0, -1, 2 * parts + labels).astype(np.int8)
            for columns, own in counts.items():
                if not own.update(columns.of(block), classes):
                    raise AnalysisError(_not_numbers(columns.site))
            step.forward(block.n_chars)
        ranks = {
            columns: RankSums(own.counts.sum(0, np.uint32), asked.split.n_stretches, _bins_of(columns, bins))
            for columns, own in counts.items()
        }
        for block in source.blocks(sorted({columns.site for columns in group})):
            labels, stretches = asked.rows(block).labels, asked.stretches(block)
            for columns, sums in ranks.items():
                sums.update(columns.of(block), labels, stretches)
            step.forward(block.n_chars)
        for columns in group:
            own_scores = _scores_from_counts(counts.pop(columns).counts, columns.site in bins, ranks[columns].sums)
            known = found.get(columns.site)
            found[columns.site] = known.beside(own_scores) if known else own_scores
    return found


def correlations(source: Source, asked: Target, sites: Collection[Site], progress: Progress) -> dict[Site, Scores]:
    """Pearson's r of every unit of some sites with the label.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    moments = {(site, part): Moments.empty(source.sites[site]) for site in sites for part in PARTS}
    sums = {site: StretchSums.empty(asked.split.n_stretches, source.sites[site]) for site in sites}
    middles: dict[Site, NDArray[np.float64]] = {}  # near the means, so that squares do not swallow what differs
    middle_label = float(np.mean(asked.labels.values[asked.labels.present]))
    step = _Steps(progress, source.selection.n_chars)
    for block in source.blocks(sites):
        labels, parts = asked.rows(block)
        stretches = asked.stretches(block)
        for site in sites:
            middle = middles.setdefault(site, block.values[site].mean(axis=0, dtype=np.float64))
            sums[site].merge(
                StretchSums.of_rows(block.values[site] - middle, labels - middle_label, stretches, len(sums[site].n))
            )
            for part in PARTS:
                rows = parts == part
                moments[site, part].merge(Moments.of(block.values[site][rows], labels[rows]))
        step.forward(block.n_chars)
    found = {}
    for site in sites:
        train, test, gap = (moments[site, part] for part in PARTS)
        separate = train.correlation, test.correlation
        train.merge(test)
        train.merge(gap)
        if not np.isfinite(train.mean).all():
            raise AnalysisError(_not_numbers(site))
        found[site] = Scores(*separate, train.correlation, np.zeros(len(train.mean)), sums[site])
    return found


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
    most = max(1, _TABLE_BYTES // ValueCounts.n_bytes(2 * len(PARTS), 1))
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


def _empty_counts(columns: _Columns, bins: dict[Site, Bins]) -> ValueCounts:
    return ValueCounts(2 * len(PARTS), columns.stop - columns.start, _bins_of(columns, bins))


def _bins_of(columns: _Columns, bins: dict[Site, Bins]) -> Bins | None:
    own = bins.get(columns.site)
    return own.of(slice(columns.start, columns.stop)) if own else None


def _scores_from_counts(counts: NDArray[np.uint32], in_bins: bool, sums: StretchSums) -> Scores:
    """Scores from (2 * n_parts, n_units, n_values) counts, those of False and True for each part."""
    negative, positive = counts[::2].sum(0, np.uint32), counts[1::2].sum(0, np.uint32)
    return Scores(
        auc_from_counts(counts[2 * TRAIN + 1], counts[2 * TRAIN]),
        auc_from_counts(counts[2 * TEST + 1], counts[2 * TEST]),
        auc_from_counts(positive, negative),
        auc_error_bound(positive, negative) if in_bins else np.zeros(counts.shape[1]),
        sums,
    )


def _not_numbers(site: Site) -> str:
    return f"some activations of {site} are not numbers (NaN or infinite); the model's weights may be broken"
