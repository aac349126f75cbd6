"""Which units respond most to a hypothesis: one unit against one label."""

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site, Unit, in_order, units_of
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Estimate, Scale, intervals, standard_errors
from analyses.intervals.long_run import n_cosines
from analyses.intervals.significance import FEWEST_PIECES, FEWEST_RUNS, evidence, q_values
from analyses.ranking.labels import LabelPrecision, RankedLabel, RankedTarget
from analyses.ranking.methods import Method, MethodScores, Plan, method_for
from analyses.ranking.scores import Scores, measure, surest
from analyses.ranking.shifts import Shifted, Shifts
from analyses.session import Session, question
from analyses.targets.labelling import AnyHypothesis, target_for, targets_for
from analyses.targets.run_counts import ENOUGH_RUNS
from analyses.targets.target import Target

Progress = Callable[[int, int], None]
TOO_SLOW = "no interval for units that change so slowly that the text holds too few independent pieces of them"
TABLE_COLUMNS = (
    "hypothesis", "unit", "site", "class", "method", "score", "score_test", "measure", "test", "low", "high", "within",
    "p", "q", "p_shift", "p_max", "direction", "all", "tied",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedUnit:
    """How well one unit tells the label by itself.

    Attributes:
        unit: Which one.
        score: What orders the ranking, from training characters only, by the ranking's method; see `methods.METHODS`.
            By AUC and r, a unit that never changes stands last, with 0 or NaN.
        held_out_score: The same on held-out characters, with what was chosen in training (a threshold, a direction, the
            means of classes); NaN if the method has none.
        overall: AUC in [0, 1], or Pearson's r in [−1, 1], on all characters. An AUC under .5 is a unit that is
            silent where the label is True.
        held_out: The same on held-out characters, sign-aligned on the training characters: above chance (.5 for
            AUC, 0 for r) if what was found in training holds.
        low: The lower end of the 95 % interval of `held_out`; NaN if there is none, see `estimate`.
        high: Its upper end.
        within: `held_out` among characters of the same eighth of the text, so that what unit and label owe to a common
            trend is left out; sign-aligned; NaN for units without an interval.
        p: p-value under the null that unit and label are independent, but for trends; see `significance.evidence`. Of
            several classes, or if the method sees bins of a number: of the surest class against the rest, times the
            number of classes. NaN where the text cannot answer.
        q: The share of false ones to expect among the units with a `p` as small as this (Benjamini & Hochberg), of all
            units that were ranked together.
        tied: Chance that another character, drawn at random, has the same recorded value (or bin) of the unit; NaN for
            a numeric label.
        p_shift: How often labels that are shifted in a circle have as much to do with this unit; None if not asked for.
        p_max: How often they have as much to do with any of the units that were ranked together.
        direction: +1 if the unit is higher where the label is higher, −1 if lower, on training characters.
        label: Of several classes, the one that the unit tells most surely from the rest in training, which the AUC is
            of; otherwise None.
        estimate: `held_out` with what each atom of the text adds to its error, for comparisons; None if not asked for.
    """

    unit: Unit
    score: float
    held_out_score: float
    overall: float
    held_out: float
    low: float
    high: float
    within: float
    p: float
    q: float
    tied: float
    direction: int
    p_shift: float | None = None
    p_max: float | None = None
    label: str | None = None
    estimate: Estimate | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """The units of a source, the most responsible first.

    Attributes:
        hypothesis: What they are ranked for.
        method: What orders them.
        measure: What stands beside the score of every unit: `auc`, or `r` for a numeric label.
        units: All of them, by falling score; those with the same score by the distance of their AUC (or r) from chance.
        n_train: Training characters with a label.
        n_test: Held-out characters with a label.
        auc_error: How far an AUC may be from the exact one, because activations in float32 are counted in bins; 0 if
            none are.
        prevalence: Share of labelled characters whose label is True; None if it is not binary.
        n_test_runs: Unbroken runs of held-out characters whose label is True, or the class that has the fewest of
            those that are ranked for; None for a numeric label.
        notes: What makes the scores uncertain, or why there are no intervals or p-values, each a sentence.
        sites: Those of the units, in the order in which the model declares them.
    """

    hypothesis: str
    method: str
    measure: str
    units: tuple[RankedUnit, ...] = field(repr=False)
    n_train: int
    n_test: int
    auc_error: float
    prevalence: float | None
    n_test_runs: int | None
    notes: tuple[str, ...] = ()
    sites: tuple[Site, ...] = ()

    def best_of_sites(self) -> dict[Site, RankedUnit]:
        """The best unit of each site."""
        best: dict[Site, RankedUnit] = {}
        for each in self.units:
            best.setdefault(each.unit.site, each)
        return {site: best[site] for site in in_order(self.sites, best)}

    def rows_of_sites(self, *, best_only: bool = True) -> list[dict[str, str | float | int | None]]:
        """The best unit of each site, or all units, as the rows that `probe rank --all --json` prints."""
        units = self.best_of_sites().values() if best_only else self.units
        return [self._row(each) | {"site": str(each.unit.site)} for each in units]

    def rows(self, top: int | None = None) -> list[dict[str, str | float | int | None]]:
        """The first `top` units as the rows that `probe rank --json` prints."""
        return [self._row(each) for each in self.units[:top]]

    def table_rows(self, units: Iterable[RankedUnit] | None = None) -> Iterator[dict[str, str | float | int | None]]:
        """Some of the units, one after another, as the rows of a table that hypotheses of all kinds share.

        Args:
            units: Which; None is all of them, in their order.

        Yields:
            `TABLE_COLUMNS`, which are those of `rows`, but that `measure` names the AUC or r, which `test` and `within`
            are of held-out characters, and `all` of all; `class` is None unless the hypothesis has several.
        """
        for each in self.units if units is None else units:
            values = (
                self.hypothesis, str(each.unit), str(each.unit.site), each.label, self.method, each.score,
                each.held_out_score, self.measure, each.held_out, each.low, each.high, each.within, each.p, each.q,
                each.p_shift, each.p_max, each.direction, each.overall, each.tied,
            )  # fmt: skip
            yield dict(zip(TABLE_COLUMNS, values, strict=True))

    def _row(self, each: RankedUnit) -> dict[str, str | float | int | None]:
        own = {} if self.method == self.measure else {"score_test": each.held_out_score}
        label = {} if each.label is None else {"class": each.label}
        return {
            "hypothesis": self.hypothesis,
            "unit": str(each.unit),
            "method": self.method,
            "score": each.score,
            **own,
            **label,
            f"{self.measure}_test": each.held_out,
            "low": each.low,
            "high": each.high,
            f"{self.measure}_within": each.within,
            "p": each.p,
            "q": each.q,
            **({} if each.p_max is None else {"p_shift": each.p_shift, "p_max": each.p_max}),
            "direction": each.direction,
            self.measure: each.overall,
            "tied": each.tied,
        }

    def __str__(self) -> str:
        lines = [f"units for {self.hypothesis}, by {self.method} on {self.n_train:,} characters"]
        lines += [
            f"{each.unit!s:>22}  held-out {self.measure} {each.held_out:+.3f} ({_interval(each)})  "
            f"within position groups {each.within:+.3f}  q {each.q:.1g}"
            for each in self.units[:10]
        ]
        return "\n".join([*lines, *self.notes])


def _interval(each: RankedUnit) -> str:
    return "no interval" if math.isnan(each.low) else f"{each.low:+.3f} to {each.high:+.3f}"


@question
def rank(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    *,
    method: str | None = None,
    sites: Collection[Site] | None = None,
    exact: bool = False,
    shifts: int = 0,
    n_intervals: int | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Ranking:
    """Rank units by how well each of them alone tells a label.

    The AUCs of activations in float16 are exact; those in float32 are counted in bins, with the bound on the error in
    the result. Whatever orders them, every unit has its AUC or r, too.

    Args:
        source: A recording or live activations.
        hypothesis: Its name, a function, or a target made before.
        method: What orders them, see `methods.METHODS`; None is `auc`, or `r` for a numeric label.
        sites: Where to look; None is everywhere.
        exact: Whether to make exact AUCs of activations in float32, too, which takes some .1 s for each of these units
            and million characters.
        shifts: How often to shift the labels in a circle, to see what chance does.
        n_intervals: How many units of each site, those with the best AUC or r, have an interval; None is all.
        seed: Of the shifts.
        progress: Called with the characters done and their number.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be ranked for, or not by this method, or activations are not numbers.
    """
    asked = target_for(source, hypothesis)
    how = [method_for(method, asked.kind)]
    [ranking] = _rank_by(source, asked, how, sites, exact, shifts, n_intervals, seed, progress)
    return ranking


@question
def compare(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    methods: Sequence[str],
    *,
    sites: Collection[Site] | None = None,
    exact: bool = False,
    progress: Progress = lambda done, total: None,
) -> list[Ranking]:
    """Rank units for one label by several methods, in their order; see `rank`."""
    asked = target_for(source, hypothesis)
    how = [method_for(each, asked.kind) for each in methods]
    return _rank_by(source, asked, how, sites, exact, 0, None, 0, progress)


def _rank_by(
    source: Source,
    asked: Target,
    methods: Sequence[Method],
    sites: Collection[Site] | None,
    exact: bool,
    shifts: int,
    n_intervals: int | None,
    seed: int,
    progress: Progress,
) -> list[Ranking]:
    _refuse_exact(source, exact=exact)
    chosen = in_order(source.sites, source.sites if sites is None else sites)
    units = _units(source, chosen)
    rankings = []
    label = RankedLabel.of(asked, over_classes=any(each.over_classes for each in methods))
    if not label.targets:
        raise AnalysisError(f"{label.notes[0]}; use a longer text")
    chance = None
    if shifts:
        [how] = methods
        sees_classes = how.over_classes or asked.kind == "categorical"
        classes = label.classes if sees_classes and label.counted else None
        chance = Shifts(source, asked, classes, label.counted, chosen, shifts, seed)
    plan = Plan(source, asked, [each for each in methods if each.name != _measure_of(asked)], chosen)
    if chance and source.is_live:
        plan.statistics.append(chance.statistics.pop())
    found = measure(
        source,
        label.targets,
        chosen,
        progress,
        families=[range(label.n_own)],
        beside=plan.statistics,
        exact=exact,
        n_intervals=n_intervals,
    )
    of_methods = plan.marks(_forward(progress, source.selection.n_chars))
    shifted = chance.judge(_forward(progress, source.selection.n_chars)) if chance else None
    for how in methods:
        marks = of_methods.get(how.name)
        if how.measure is not None:
            marks = how.measure(source, asked, chosen, _forward(progress, source.selection.n_chars))
        rankings.append(_ranking(label, found, units, how, marks, shifted))
    return rankings


@question
def rank_all(
    source: Source,
    targets: Sequence[AnyHypothesis | Target],
    *,
    sites: Collection[Site] | None = None,
    exact: bool = False,
    n_intervals: int | None = 1,
    progress: Progress = lambda done, total: None,
) -> list[Ranking]:
    """Rank units for many labels at once, which takes hardly more passes over the activations than for one.

    Args:
        source: A recording or live activations.
        targets: What to rank for: names, functions, or targets made before; see `labelling.target`.
        sites: Where to look; None is everywhere.
        exact: See `rank`.
        n_intervals: How many units of each site, the best of it, have an interval; None is all. They include as many of
            the best of all sites.
        progress: Called with the characters done and their number.

    Returns:
        A ranking for each, in their order. Units that were among the best of their site so far when they were read have
        an interval, too. A label none of whose classes has runs enough has no scores.

    Raises:
        AnalysisError: If a target is of another text, or activations are not numbers.
    """
    _refuse_exact(source, exact=exact)
    asked = [RankedLabel.of(each, over_classes=False) for each in targets_for(source, targets)]
    chosen = in_order(source.sites, source.sites if sites is None else sites)
    ends = np.cumsum([0, *(len(each.targets) for each in asked)])
    families = [range(start, stop) for start, stop in itertools.pairwise(ends.tolist())]
    labels = [each for own in asked for each in own.targets]
    found = measure(
        source,
        labels,
        chosen,
        progress,
        families=[each for each in families if each],
        beside=[],
        exact=exact,
        n_intervals=n_intervals,
    )
    units = _units(source, chosen)
    return [
        _ranking(each, [found[place] for place in places], units, method_for(None, each.asked.kind))
        if each.targets
        else _without_scores(each, units)
        for each, places in zip(asked, families, strict=True)
    ]


def intervals_cost_readings(source: Source) -> bool:
    """Whether a live source has to be read twice more for the intervals of `rank_all`."""
    return source.is_live and not Session.of(source).levels.most_at_once()


def _refuse_exact(source: Source, *, exact: bool) -> None:
    if exact and source.is_live:
        raise AnalysisError("exact AUCs sort the activations, which needs a recording; make one with `probe extract`")


def _without_scores(label: RankedLabel, units: Mapping[Site, list[Unit]]) -> Ranking:
    """Of a label none of whose classes has runs enough."""
    nan = math.nan
    nothing = RankedUnit(
        unit=units[next(iter(units))][0], score=nan, held_out_score=nan, overall=nan, held_out=nan, low=nan, high=nan,
        within=nan, p=nan, q=nan, tied=nan, direction=1,
    )  # fmt: skip
    sizes = label.asked.sizes()
    return Ranking(
        hypothesis=label.asked.hypothesis,
        method="auc",
        measure="auc",
        units=tuple(replace(nothing, unit=unit) for own in units.values() for unit in own),
        n_train=sizes.n_train,
        n_test=sizes.n_test,
        auc_error=0.0,
        prevalence=None,
        n_test_runs=None,
        notes=label.notes,
        sites=tuple(units),
    )


def _units(source: Source, sites: Sequence[Site]) -> dict[Site, list[Unit]]:
    return {site: units_of(source.sites, [site]) for site in sites}


def _forward(progress: Progress, total: int) -> Callable[[int], None]:
    """Takes the characters that were read, and tells how many these are of so many; more than these are told as all."""
    done = 0

    def forward(n_chars: int) -> None:
        nonlocal done
        done = min(done + n_chars, total)
        progress(done, total)

    return forward


def _measure_of(asked: Target) -> str:
    return "r" if asked.kind == "numeric" else "auc"


class _Facts(NamedTuple):
    """What is known of the units of a site, (n_units,) each; see `RankedUnit`.

    `train` is the AUC or r that `direction` comes from; `held_out`, `low`, `high`, and `within` are sign-aligned.
    """

    score: NDArray[np.float64]
    held_out_score: NDArray[np.float64]
    overall: NDArray[np.float64]
    train: NDArray[np.float64]
    held_out: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    within: NDArray[np.float64]
    p: NDArray[np.float64]
    tied: NDArray[np.float64]


def _facts(own: RankedTarget, scores: Scores) -> tuple[_Facts, dict[int, Estimate], LabelPrecision]:
    """What is known of units, and of those that were looked at closely an estimate."""
    asked = own.target
    sure, chance = evidence(scores.sums), _chance(asked)
    known = LabelPrecision.of(own, scores.sums, sure)
    text = f"{asked.corpus_sha256} {asked.selection} {asked.split} {asked.hypothesis}"
    score = np.abs(scores.train - chance) / (1 - chance)
    below = scores.train < chance
    test, within = (np.where(below, 2 * chance - each, each) for each in (scores.test, scores.within))
    low, high = np.full((2, len(test)), np.nan)
    scale: Scale = "fisher" if asked.kind == "numeric" else "logit"
    influence = np.where(below[scores.closely], -1, 1) * scores.influence
    is_slow = (sure.unit_pieces < FEWEST_PIECES) | sure.units_drift
    estimates = {
        unit: Estimate(
            value=float(test[unit]),
            influence=each,
            n_atoms=known.n_atoms,
            n_cosines=n_cosines(known.n_all),
            scale=scale,
            n_runs=known.n_runs,
            text=text,
            declined=known.declined or (TOO_SLOW if is_slow[unit] else ""),
        )
        for unit, each in zip(scores.closely.tolist(), influence.T, strict=True)
    }
    if len(scores.closely) and not known.declined:
        errors = standard_errors(influence, known.n_atoms, n_cosines(known.n_all))
        values = np.where(is_slow[scores.closely], np.nan, test[scores.closely])
        low[scores.closely], high[scores.closely] = intervals(
            values, errors, n_cosines(known.n_all), scale, known.n_runs
        )
    p = np.full(len(test), np.nan) if known.no_p else sure.p
    held_out = (test - chance) / (1 - chance)
    facts = _Facts(score, held_out, scores.everywhere, scores.train, test, low, high, within, p, scores.tied)
    return facts, estimates, known


def _of_classes(facts: Sequence[_Facts], place: NDArray[np.int64]) -> _Facts:
    """For each unit what is known of one of several classes."""
    units = np.arange(len(place))
    return _Facts(*(np.array(of_classes)[place, units] for of_classes in zip(*facts, strict=True)))


def _smallest(p: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(n_units,) the smallest of several p-values, times their number; NaN if there are none."""
    known = np.array(p)
    n_known = np.isfinite(known).sum(axis=0)
    smallest = np.where(np.isnan(known), np.inf, known).min(axis=0)
    return np.where(n_known > 0, np.minimum(np.where(n_known > 0, smallest, 1.0) * n_known, 1.0), np.nan)


def _chance(asked: Target) -> float:
    return 0.0 if asked.kind == "numeric" else 0.5


def _ranking(
    label: RankedLabel,
    found: Sequence[dict[Site, Scores]],
    units: Mapping[Site, list[Unit]],
    method: Method,
    marks: Mapping[Site, MethodScores] | None = None,
    shifted: Mapping[Site, Shifted] | None = None,
) -> Ranking:
    asked = label.asked
    training = ~asked.split.held_out_atoms
    of_sites: list[_Facts] = []
    classes: list[NDArray[np.int64]] = []
    estimates: dict[int, Estimate] = {}
    n_units = 0
    precisions: list[LabelPrecision] = []
    for site, own_units in units.items():
        scored, closely, known = zip(
            *(_facts(each, scores[site]) for each, scores in zip(label.each, found, strict=True)), strict=True
        )
        own = slice(0, label.n_own)
        of_class = surest([scores[site] for scores in found[own]], training)
        facts = _of_classes(scored[own], of_class)
        own_p = [each.p for each in scored[own]]
        if asked.kind == "numeric" and method.over_classes:  # r does not see what the method does
            own_p = [each.p for each in scored[label.n_own :]] or [np.full(len(facts.p), np.nan)]
        facts = facts._replace(p=_smallest(own_p))
        if marks is not None:
            facts = facts._replace(score=marks[site].train, held_out_score=marks[site].test)
        estimates |= {
            n_units + unit: estimate
            for number, of_units in enumerate(closely[own])
            for unit, estimate in of_units.items()
            if of_class[unit] == number
        }
        n_units += len(own_units)
        of_sites.append(facts)
        classes.append(of_class)
        precisions += known[own]
    facts = _Facts(*(np.concatenate(parts) for parts in zip(*of_sites, strict=True)))
    by_chance: dict[str, NDArray[np.float64]] = {}
    of_method = [] if marks is None else [note for note in dict.fromkeys(each.note for each in marks.values()) if note]
    sees_none = method.over_classes and asked.kind == "numeric" and not label.counted
    if sees_none:
        of_method.append(
            f"no p-value for {asked.hypothesis}: no bin of it has {FEWEST_RUNS} runs held out and in training"
        )
    if shifted is not None:
        of_fields = zip(*(shifted[site] for site in units), strict=True)
        by_chance = dict(zip(Shifted._fields, map(np.concatenate, of_fields), strict=True))
        if sees_none or all(each.no_p for each in precisions):
            by_chance = {name: np.full(len(array), np.nan) for name, array in by_chance.items()}
    sizes = asked.sizes()
    n_test_runs = min((each.n_runs for each in precisions if each.n_runs is not None), default=None)
    return Ranking(
        hypothesis=asked.hypothesis,
        method=method.name,
        measure=_measure_of(asked),
        units=_in_order(
            label,
            [each for own_units in units.values() for each in own_units],
            facts,
            by_chance,
            np.concatenate(classes),
            estimates,
        ),
        n_train=sizes.n_train,
        n_test=sizes.n_test,
        auc_error=max(float(np.nan_to_num(scores[site].error).max()) for scores in found for site in units),
        prevalence=sizes.mean if asked.kind == "binary" else None,
        n_test_runs=n_test_runs,
        notes=(*label.notes, *_notes(label, precisions, estimates.values()), *of_method),
        sites=tuple(units),
    )


def _notes(label: RankedLabel, precisions: Sequence[LabelPrecision], estimates: Collection[Estimate]) -> list[str]:
    """What makes scores uncertain."""
    notes = []
    if n_slow := sum(each.declined == TOO_SLOW for each in estimates):
        notes.append(f"{TOO_SLOW}, as {n_slow:,} of {len(estimates):,} do")
    for each, known in zip(label.targets[: label.n_own], precisions, strict=False):  # those of the first site
        if known.n_runs is not None and FEWEST_RUNS <= known.n_runs < ENOUGH_RUNS:
            what = "is True in" if label.asked.kind == "binary" else "has"
            runs = f"{known.n_runs} run{'s' if known.n_runs != 1 else ''}"
            notes.append(
                f"{each.hypothesis} {what} only {runs} of held-out characters, so that its scores are uncertain"
            )
        notes += [sentence for sentence in (known.declined, known.no_p) if sentence]
    return notes


def _in_order(
    label: RankedLabel,
    units: list[Unit],
    facts: _Facts,
    by_chance: dict[str, NDArray[np.float64]],
    classes: NDArray[np.int64],
    estimates: Mapping[int, Estimate],
) -> tuple[RankedUnit, ...]:
    order = np.lexsort((-np.abs(facts.train - _chance(label.asked)), -facts.score))  # NaN comes last
    columns = {
        **{name: array for name, array in facts._asdict().items() if name != "train"},
        **by_chance,
        "q": q_values(facts.p),
        "direction": np.where(facts.train < _chance(label.asked), -1, 1),
    }
    rows = zip(*(array[order].tolist() for array in columns.values()), strict=True)
    names, classes_of_units = label.names, classes.tolist()
    return tuple(
        RankedUnit(
            unit=units[place],
            label=names[classes_of_units[place]],
            estimate=estimates.get(place),
            **dict(zip(columns, row, strict=True)),
        )
        for place, row in zip(order.tolist(), rows, strict=True)
    )
