"""A matrix of hypotheses: how well each can be read from each site and from single units, beside the text alone."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Progress, no_progress, steps_of
from activations.results import Result, TableCell
from activations.site_names import AnySites
from analyses.intervals.estimates import Difference, difference_of
from analyses.named_parts import sites_among
from analyses.probing.control_names import CHARS, POSITION
from analyses.probing.designs.budgets import available_runs, within_budget
from analyses.probing.options import DEFAULT_OPTIONS, FitOptions
from analyses.probing.probes import fit
from analyses.probing.results import ProbeResult
from analyses.ranking.ranking import rank_all
from analyses.ranking.results import RankedUnit, Ranking
from analyses.rounding import rounded
from analyses.session import question
from analyses.targets.labelling import ManyHypotheses, targets_for
from analyses.targets.many_hypotheses import Targets, all_targets

Array = NDArray[np.float64]
MOST_UNITS = 24
NOT_ASKED_FOR = "no interval was asked for"
_NAN = float("nan")
_NO_DIFFERENCE = Difference(value=_NAN, low=_NAN, high=_NAN, p=_NAN, no_interval_reason="there is no score")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MatrixCell(Result):
    """The held-out score of one hypothesis from one site, one unit, or the text alone.

    Attributes:
        hypothesis: The hypothesis.
        panel: What it is read from: `sites`, `units` or `text`.
        column: The site, the unit, or the control.
        measure: What `score` is: `auc`; for numbers `r2` of probes and `r` of units.
        score: The held-out score; NaN if there is none. Chance is .5 of an AUC, and 0 of the others.
        low: The lower end of its 95 % interval; NaN if there is none.
        high: The upper end.
        label: For a hypothesis of several classes, the one that a unit distinguishes; otherwise None.
        above_text: The score less that of the text alone, paired by atom of the text; NaN for units and the text.
        note: Why there is no score or no interval; empty if there is one.
    """

    hypothesis: str
    panel: str
    column: str
    measure: str
    score: float = math.nan
    low: float = math.nan
    high: float = math.nan
    label: str | None = None
    above_text: Difference = _NO_DIFFERENCE
    note: str = ""

    @property
    def strength(self) -> float:
        """The score on one scale for all kinds of labels, a correlation: 0 is chance, and 1 perfect.

        2 AUC − 1 (Somers' D), r, or the root of R², which is the correlation of calibrated predictions with the label.
        """
        if self.measure == "auc":
            return 2 * self.score - 1
        if self.measure == "r2":
            return math.sqrt(max(self.score, 0.0)) if self.score == self.score else math.nan
        return self.score

    @property
    def chance(self) -> float:
        """The value of `score` at chance."""
        return 0.5 if self.measure == "auc" else 0.0

    def row(self) -> dict[str, TableCell]:
        """Return the row that `probe plot matrix --json` prints."""
        return {
            "hypothesis": self.hypothesis,
            "panel": self.panel,
            "column": self.column,
            "class": self.label,
            "measure": self.measure,
            "score": self.score,
            "low": self.low,
            "high": self.high,
            "strength": self.strength,
            "above_text": self.above_text.value,
            "above_text_low": self.above_text.low,
            "above_text_high": self.above_text.high,
            "note": self.note,
        }


Cells = tuple[tuple[MatrixCell, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class HypothesisMatrix(Result):
    """The held-out scores of hypotheses by sites and by single units.

    Rows and columns are ordered by hierarchical clustering of `MatrixCell.strength`, so that like ones are neighbours.

    Attributes:
        hypotheses: The hypotheses, one for each row.
        sites: What probes see, one for each column of `of_sites`.
        units: The units, one for each column of `of_units`: the best of each hypothesis, chosen in training, then the
            second best, and so on.
        of_sites: (n_hypotheses, n_sites) the probes.
        of_text: (n_hypotheses,) the best of the probes that see no model. It is the highest on held-out characters, a
            choice that favours the text over the model.
        of_units: (n_hypotheses, n_units) the units.
        left_out: Why other hypotheses are not here, a sentence by the name of each.
    """

    hypotheses: tuple[str, ...]
    sites: tuple[str, ...]
    units: tuple[str, ...]
    of_sites: Cells = field(repr=False)
    of_text: tuple[MatrixCell, ...] = field(repr=False)
    of_units: Cells = field(repr=False)
    left_out: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        rankings: Sequence[Ranking],
        probes: Sequence[ProbeResult],
        *,
        n_units: int = MOST_UNITS,
        left_out: Mapping[str, str] | None = None,
    ) -> "HypothesisMatrix":
        """Make a matrix from results that are there.

        Args:
            rankings: The units, ranked for each hypothesis by AUC or r.
            probes: Probes of the sites, and the controls `chars` and `position`; others are ignored.
            n_units: The number of units; the best unit of each hypothesis is always among them.
            left_out: Why other hypotheses are not here.
        """
        hypotheses = list(dict.fromkeys([*(p.hypothesis for p in probes), *(r.hypothesis for r in rankings)]))
        sites = list(dict.fromkeys(probe.site for probe in probes if probe.control is None))
        units = _best_units(rankings, n_units)
        of_number = {p.hypothesis for p in probes if p.kind == "numeric"}
        of_number |= {ranking.hypothesis for ranking in rankings if ranking.measure == "r"}
        measures = ["r2" if hypothesis in of_number else "auc" for hypothesis in hypotheses]
        named = list(zip(hypotheses, measures, strict=True))
        of_text = [_text_cell(hypothesis, measure, probes) for hypothesis, measure in named]
        of_sites = [_site_cells(hypothesis, measure, sites, probes) for hypothesis, measure in named]
        of_units = [_unit_cells(hypothesis, units, rankings) for hypothesis in hypotheses]
        site_strengths, unit_strengths = _strengths(of_sites, len(sites)), _strengths(of_units, len(units))
        both = [site_strengths / math.sqrt(max(len(sites), 1)), unit_strengths / math.sqrt(max(len(units), 1))]
        rows = _clustered(np.hstack(both))
        site_order, unit_order = _clustered(site_strengths.T), _clustered(unit_strengths.T)
        return cls(
            hypotheses=tuple(hypotheses[row] for row in rows),
            sites=tuple(sites[column] for column in site_order),
            units=tuple(units[column] for column in unit_order),
            of_sites=tuple(tuple(of_sites[row][column] for column in site_order) for row in rows),
            of_text=tuple(of_text[row] for row in rows),
            of_units=tuple(tuple(of_units[row][column] for column in unit_order) for row in rows),
            left_out=dict(left_out or {}),
        )

    def columns(self, panel: str) -> tuple[str, ...]:
        """Return what the columns of the panel `sites` or `units` are."""
        return self.sites if panel == "sites" else self.units

    def rows(self) -> list[dict[str, TableCell]]:
        """Return the rows that `probe plot matrix --json` prints: every cell, those of a hypothesis together."""
        return [
            cell.row()
            for probes, text, units in zip(self.of_sites, self.of_text, self.of_units, strict=True)
            for cell in (*probes, text, *units)
        ]

    def __str__(self) -> str:
        width = max([10, *(len(name) for name in self.hypotheses)])
        lines = [" " * width + "".join(f"{name:>{_width(name)}}" for name in (*self.sites, "text alone"))]
        lines += [
            f"{name:>{width}}"
            + "".join(f"{_written(cell.score):>{_width(site)}}" for site, cell in zip(self.sites, cells, strict=True))
            + f"{_written(text.score):>{_width('text alone')}}"
            for name, cells, text in zip(self.hypotheses, self.of_sites, self.of_text, strict=True)
        ]
        return "\n".join(["held-out AUC of probes (R² of numbers), beside the best that sees no model", *lines])


def _width(name: str) -> int:
    return max(len(name), 6) + 2


def _written(score: float) -> str:
    return "–" if math.isnan(score) else rounded(score, ".3f")


@question
def hypothesis_matrix(
    source: Source,
    hypotheses: ManyHypotheses | None = None,
    *,
    sites: AnySites | None = None,
    n_units: int = MOST_UNITS,
    options: FitOptions = DEFAULT_OPTIONS,
    progress: Progress = no_progress,
) -> HypothesisMatrix:
    """Fit probes of each site for many hypotheses, and rank the units for them.

    A live model reads the text once, if its activations fit the budget, and twice more otherwise.

    Args:
        source: A recording or live activations.
        hypotheses: What to ask for; None is every registered hypothesis that applies to this text.
        sites: The sites of probes and units; None is all.
        n_units: The number of units; the best unit of each hypothesis is always among them.
        options: How to fit and judge the probes.
        progress: Called, step by step, with the amount done and an estimate of the total.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If a hypothesis cannot be probed for, or none applies.
    """
    targets = Targets(targets_for(source, hypotheses), {}) if hypotheses is not None else all_targets(source)
    made, chosen = targets.made, sites_among(source, sites)
    reading, ranking, fitting = steps_of(progress, [1, 1, 4])
    with within_budget(source, chosen, made[0].split, options.budget, reading) as recording:
        is_whole = len(available_runs(recording)) == 1
        rankings = rank_all(recording if is_whole else source, made, sites=chosen, progress=ranking)
        probes = fit(recording, made, sites=chosen, controls=(CHARS, POSITION), options=options, progress=fitting)
    return HypothesisMatrix.of(rankings, probes, n_units=n_units, left_out=targets.reasons)


def _best_units(rankings: Sequence[Ranking], n_units: int) -> list[str]:
    """List the best unit of each ranking, then the second best, and so on, up to a number."""
    chosen: dict[str, None] = {}
    for place in range(max((len(ranking.units) for ranking in rankings), default=0)):
        for ranking in rankings:
            is_wanted = place == 0 or len(chosen) < n_units
            if is_wanted and place < len(ranking.units) and not math.isnan(ranking.units[place].held_out):
                chosen.setdefault(str(ranking.units[place].unit))
        if len(chosen) >= n_units:
            break
    return list(chosen)


def _site_cells(hypothesis: str, measure: str, sites: Sequence[str], probes: Sequence[ProbeResult]) -> list[MatrixCell]:
    """Return the cells of a hypothesis's probes."""
    text = _best_text_probe(hypothesis, probes)
    by_site = {probe.site: probe for probe in probes if probe.hypothesis == hypothesis and probe.control is None}
    return [
        _probe_cell(by_site[site], "sites", text)
        if site in by_site
        else MatrixCell(
            hypothesis=hypothesis, panel="sites", column=site, measure=measure, note="no probe of this site was fitted"
        )
        for site in sites
    ]


def _best_text_probe(hypothesis: str, probes: Iterable[ProbeResult]) -> ProbeResult | None:
    """Return the best of a hypothesis's probes that see no model."""
    scored = [
        probe
        for probe in probes
        if probe.hypothesis == hypothesis and probe.control in (CHARS, POSITION) and not math.isnan(probe.score)
    ]
    return max(scored, key=lambda probe: probe.score, default=None)


def _text_cell(hypothesis: str, measure: str, probes: Sequence[ProbeResult]) -> MatrixCell:
    """Return the cell of the best probe of a hypothesis that sees no model."""
    best = _best_text_probe(hypothesis, probes)
    if best is not None:
        return _probe_cell(best, "text", None)
    why = "no probe of the text alone was fitted, or none could be"
    return MatrixCell(hypothesis=hypothesis, panel="text", column="", measure=measure, note=why)


def _probe_cell(probe: ProbeResult, panel: str, text: ProbeResult | None) -> MatrixCell:
    low, high = probe.interval
    estimate = probe.estimates.get(probe.measure)
    why_none = "" if estimate is None else estimate.no_interval_reason
    beside = None if text is None else text.estimates.get(text.measure)
    can_compare = estimate is not None and beside is not None and beside.text == estimate.text
    return MatrixCell(
        hypothesis=probe.hypothesis,
        panel=panel,
        column=probe.site,
        measure=probe.measure,
        score=probe.score,
        low=low,
        high=high,
        above_text=difference_of(beside, estimate) if can_compare and beside and estimate else _NO_DIFFERENCE,
        note=probe.note or (why_none if math.isnan(low) else ""),
    )


def _unit_cells(hypothesis: str, units: Sequence[str], rankings: Sequence[Ranking]) -> list[MatrixCell]:
    """Return the cells of some units for a hypothesis."""
    ranking = next((ranking for ranking in rankings if ranking.hypothesis == hypothesis), None)
    if ranking is None:
        return [
            MatrixCell(
                hypothesis=hypothesis, panel="units", column=unit, measure="auc", note="no units were ranked for it"
            )
            for unit in units
        ]
    ranked_units = {str(ranked.unit): ranked for ranked in ranking.units}
    return [_unit_cell(ranking, unit, ranked_units.get(unit)) for unit in units]


def _unit_cell(ranking: Ranking, unit: str, ranked: RankedUnit | None) -> MatrixCell:
    if ranked is None:
        why = "this unit was not ranked for it"
        return MatrixCell(hypothesis=ranking.hypothesis, panel="units", column=unit, measure=ranking.measure, note=why)
    note = ""
    if math.isnan(ranked.held_out):
        note = " ".join(ranking.notes) or "this unit has no score"
    elif math.isnan(ranked.low):
        note = NOT_ASKED_FOR if ranked.estimate is None else ranked.estimate.no_interval_reason
    return MatrixCell(
        hypothesis=ranking.hypothesis,
        panel="units",
        column=unit,
        measure=ranking.measure,
        score=ranked.held_out,
        low=ranked.low,
        high=ranked.high,
        label=ranked.label,
        note=note,
    )


def _strengths(cells: Sequence[Sequence[MatrixCell]], n_columns: int) -> Array:
    """(n_hypotheses, n_columns) strengths; where there is none, it is that of chance."""
    strengths = np.array([[cell.strength for cell in row] for row in cells], np.float64)
    return np.nan_to_num(strengths.reshape(len(cells), n_columns))


def _clustered(features: Array) -> list[int]:
    """Order rows so that like ones are neighbours, the end that is higher on average first.

    Source:
        Bar-Joseph, Gifford & Jaakkola 2001, Bioinformatics 17:S22-S29: the optimal order of a tree's leaves.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(features) < 3 or not features.shape[1]:
        return list(range(len(features)))
    order: list[int] = leaves_list(linkage(features, "average", optimal_ordering=True)).tolist()
    halves = features[order[: len(order) // 2]].mean(), features[order[-(len(order) // 2) :]].mean()
    return order if halves[0] >= halves[1] else order[::-1]
