"""Which units respond most to a hypothesis: one unit against one label."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site, Unit, units_of
from analyses.alignment import ENOUGH_RUNS, AnyHypothesis, Target, ask, fewest_runs
from analyses.classes import classes_of, one_against_rest
from analyses.methods import Marks, Method, method_for
from analyses.scores import Scores, measure
from analyses.shifts import Shifted, shift
from analyses.significance import evidence, q_values
from analyses.splits import TEST, TRAIN

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedUnit:
    """How well one unit tells the label by itself.

    Attributes:
        unit: Which one.
        score: What orders the ranking, from training characters only, by the ranking's method; see `methods.METHODS`.
            By AUC and r, a unit that never changes stands last, with 0 or NaN.
        held_out: The same on held-out characters, with what was chosen in training (a threshold, a direction, the means
            of classes); NaN if the method has none.
        raw: AUC in [0, 1], or Pearson's r in [−1, 1], on all characters. An AUC under .5 is a unit that is
            silent where the label is True.
        test: The same on held-out characters, turned the way the training characters say: above chance (.5 for
            AUC, 0 for r) if what was found in training holds.
        low: The lower end of a 95 % interval about `test`, from drawing the test stretches anew; NaN if they are fewer
            than 4.
        high: Its upper end.
        p: How often a unit that has nothing to do with the label would seem to have as much, on all stretches; see
            `significance.evidence`. Of several classes, or if the method sees bins of a number: of the surest class
            against the rest, times the number of classes.
        q: The share of false ones to expect among the units with a `p` as small as this (Benjamini & Hochberg), of all
            units that were ranked together.
        n_effective: How many independent characters would be as much evidence as these.
        p_shift: How often labels that are shifted in a circle have as much to do with this unit; None if not asked for.
        p_max: How often they have as much to do with any of the units that were ranked together.
        direction: +1 if the unit is higher where the label is higher, −1 if lower, on training characters.
        label: Of several classes, the one that the unit tells best from the rest in training, which the AUC is of;
            otherwise None.
    """

    unit: Unit
    score: float
    held_out: float
    raw: float
    test: float
    low: float
    high: float
    p: float
    q: float
    n_effective: float
    direction: int
    p_shift: float | None = None
    p_max: float | None = None
    label: str | None = None


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
        n_test_runs: Unbroken stretches of held-out characters whose label is True, or the class that has the
            fewest; None for a numeric label.
        note: What one has to know to read the method's scores, as a sentence; empty if nothing.
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
    note: str = ""

    @property
    def warning(self) -> str | None:
        """What makes the scores uncertain, as a sentence; None if nothing does."""
        if self.n_test_runs is None or self.n_test_runs >= ENOUGH_RUNS:
            return None
        runs = f"{self.n_test_runs} run{'s' if self.n_test_runs != 1 else ''}"
        what = f"{self.hypothesis} is True in" if self.prevalence is not None else f"a class of {self.hypothesis} has"
        return f"{what} only {runs} of held-out characters, so that their scores are uncertain"

    def best_of_sites(self) -> dict[Site, RankedUnit]:
        """The best unit of each site."""
        best: dict[Site, RankedUnit] = {}
        for each in self.units:
            best.setdefault(each.unit.site, each)
        return dict(sorted(best.items()))

    def rows_of_sites(self) -> list[dict[str, str | float | int | None]]:
        """The best unit of each site as the rows that `probe rank --all --json` prints."""
        return [self._row(each) | {"site": str(site)} for site, each in self.best_of_sites().items()]

    def rows(self, top: int | None = None) -> list[dict[str, str | float | int | None]]:
        """The first `top` units as the rows that `probe rank --json` prints."""
        return [self._row(each) for each in self.units[:top]]

    def _row(self, each: RankedUnit) -> dict[str, str | float | int | None]:
        own = {} if self.method == self.measure else {"score_test": each.held_out}
        label = {} if each.label is None else {"class": each.label}
        return {
            "hypothesis": self.hypothesis,
            "unit": str(each.unit),
            "method": self.method,
            "score": each.score,
            **own,
            **label,
            self.measure: each.raw,
            f"{self.measure}_test": each.test,
            "low": each.low,
            "high": each.high,
            "p": each.p,
            "q": each.q,
            **({} if each.p_max is None else {"p_shift": each.p_shift, "p_max": each.p_max}),
            "n_effective": None if np.isnan(each.n_effective) else round(each.n_effective),
            "direction": each.direction,
        }

    def __str__(self) -> str:
        lines = [f"units for {self.hypothesis}, by {self.method} on {self.n_train:,} characters"]
        lines += [
            f"{each.unit!s:>22}  score {each.score:.3f}  {self.measure} {each.raw:+.3f}  held out {each.test:+.3f} "
            f"({each.low:+.3f} to {each.high:+.3f})  q {each.q:.1g}"
            for each in self.units[:10]
        ]
        return "\n".join(lines)


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
        seed: Of the bootstrap and the shifts.
        progress: Called with the characters done and their number.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be ranked for, or not by this method, or activations are not numbers.
    """
    asked = ask(source, hypothesis)
    how = [method_for(method, asked.kind)]
    [ranking] = _rank_by(source, asked, how, sites, exact, shifts, n_intervals, seed, progress)
    return ranking


def compare(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    methods: Sequence[str],
    *,
    sites: Collection[Site] | None = None,
    exact: bool = False,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> list[Ranking]:
    """Rank units for one label by several methods, in their order; see `rank`."""
    asked = ask(source, hypothesis)
    how = [method_for(each, asked.kind) for each in methods]
    return _rank_by(source, asked, how, sites, exact, 0, None, seed, progress)


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
    chosen = sorted(source.sites if sites is None else sites)
    units = _units(source, chosen)
    rankings = []
    with source.rereadable(chosen) as activations:
        targets = _targets(asked, over_classes=any(each.over_classes for each in methods))
        found = measure(activations, targets, chosen, progress, exact=exact, n_intervals=n_intervals, seed=seed)
        for how in methods:
            n_own = len(_targets(asked, over_classes=how.over_classes))
            marks, shifted = None, None
            if how.measure is not None and how.name != _measure_of(asked):
                marks = how.measure(activations, asked, chosen, _forward(progress, source.selection.n_chars))
            if shifts:
                classes = classes_of(asked) if n_own > 1 else None
                forward = _forward(progress, source.selection.n_chars)
                shifted = shift(activations, asked, classes, chosen, shifts, seed, forward)
            rankings.append(_ranking(asked, targets[:n_own], found[:n_own], units, how, marks, shifted))
    return rankings


def rank_all(
    source: Source,
    targets: Sequence[Target],
    *,
    sites: Collection[Site] | None = None,
    exact: bool = False,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> list[Ranking]:
    """Rank units for many labels at once, which takes hardly more passes over the activations than for one.

    Args:
        source: A recording or live activations.
        targets: Labels of its text; see `alignment.target`.
        sites: Where to look; None is everywhere.
        exact: See `rank`.
        seed: Of the bootstrap.
        progress: Called with the characters done and their number.

    Returns:
        A ranking for each, in their order. Only the best unit of each site has an interval, and the best of
        the units of a site that are read together.

    Raises:
        AnalysisError: If a target is of another text, or activations are not numbers.
    """
    asked = [_targets(ask(source, each), over_classes=False) for each in targets]
    chosen = sorted(source.sites if sites is None else sites)
    with source.rereadable(chosen) as activations:
        labels = [each for own in asked for each in own]
        found = iter(measure(activations, labels, chosen, progress, exact=exact, n_intervals=1, seed=seed))
    units = _units(source, chosen)
    return [
        _ranking(each, own, [next(found) for _ in own], units, method_for(None, each.kind))
        for each, own in zip(targets, asked, strict=True)
    ]


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


def _targets(asked: Target, *, over_classes: bool) -> list[Target]:
    """What has to be measured: the label itself, or each of its classes against the rest, or both."""
    if asked.kind == "binary" or not (over_classes or asked.kind == "categorical"):
        return [asked]
    classes = one_against_rest(asked, classes_of(asked))
    return classes if asked.kind == "categorical" else [asked, *classes]


class _Facts(NamedTuple):
    """What is known of the units of a site, (n_units,) each; see `RankedUnit`.

    `train` is the AUC or r that `direction` comes from; `test`, `low` and `high` are not yet turned.
    """

    score: NDArray[np.float64]
    held_out: NDArray[np.float64]
    raw: NDArray[np.float64]
    train: NDArray[np.float64]
    test: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]
    n_effective: NDArray[np.float64]

    def turned(self, chance: float) -> "_Facts":
        """With what was measured on held-out characters as seen from the side of chance where training is."""
        below = self.train < chance
        test, low, high = (
            np.where(below, 2 * chance - other, own)
            for own, other in ((self.test, self.test), (self.low, self.high), (self.high, self.low))
        )
        low, high = np.maximum(low, 2 * chance - 1), np.minimum(high, 1.0)
        return self._replace(test=test, low=low, high=high, held_out=(test - chance) / (1 - chance))


def _facts(asked: Target, scores: Scores) -> _Facts:
    sure, chance = evidence(scores.sums), _chance(asked)
    score = np.abs(scores.train - chance) / (1 - chance)
    low, high = scores.test + scores.spread
    found = _Facts(score, score, scores.everywhere, scores.train, scores.test, low, high, sure.p, sure.n_effective)
    return found.turned(chance)


def _best_class(facts: Sequence[_Facts]) -> tuple[_Facts, NDArray[np.int64]]:
    """For each unit what is known of the class that it tells best from the rest, and which that is."""
    place = np.nan_to_num([each.score for each in facts], nan=-1.0).argmax(axis=0)
    units = np.arange(len(place))
    return _Facts(*(np.array(of_classes)[place, units] for of_classes in zip(*facts, strict=True))), place


def _surest(p: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(n_units,) the smallest of several p-values, times their number; NaN if there are none."""
    known = np.array(p)
    smallest = np.where(np.isnan(known), np.inf, known).min(axis=0) * np.isfinite(known).sum(axis=0)
    return np.where(np.isfinite(smallest), np.minimum(smallest, 1.0), np.nan)


def _chance(asked: Target) -> float:
    return 0.0 if asked.kind == "numeric" else 0.5


def _ranking(
    asked: Target,
    targets: Sequence[Target],
    found: Sequence[dict[Site, Scores]],
    units: Mapping[Site, list[Unit]],
    method: Method,
    marks: Mapping[Site, Marks] | None = None,
    shifted: Mapping[Site, Shifted] | None = None,
) -> Ranking:
    of_sites: list[_Facts] = []
    classes: list[NDArray[np.int64]] = []
    for site in units:
        each_target = zip(targets, found, strict=True)
        facts, *others = [_facts(each, scores[site]) for each, scores in each_target]
        of_class = np.zeros(len(facts.raw), np.int64)
        if asked.kind == "categorical":
            others = [facts, *others]
            facts, of_class = _best_class(others)
        if others:
            facts = facts._replace(p=_surest([each.p for each in others]))
        if marks is not None:
            facts = facts._replace(score=marks[site].train, held_out=marks[site].test)
        of_sites.append(facts)
        classes.append(of_class)
    facts = _Facts(*(np.concatenate(parts) for parts in zip(*of_sites, strict=True)))
    by_chance: dict[str, NDArray[np.float64]] = {}
    if shifted is not None:
        of_fields = zip(*(shifted[site] for site in units), strict=True)
        by_chance = dict(zip(Shifted._fields, map(np.concatenate, of_fields), strict=True))
    labels, parts = asked.all_rows
    return Ranking(
        hypothesis=asked.hypothesis,
        method=method.name,
        measure=_measure_of(asked),
        units=_in_order(
            asked, [each for own in units.values() for each in own], facts, by_chance, np.concatenate(classes)
        ),
        n_train=int((parts == TRAIN).sum()),
        n_test=int((parts == TEST).sum()),
        auc_error=max(float(np.nan_to_num(scores[site].error).max()) for scores in found for site in units),
        prevalence=float(labels[parts >= 0].mean()) if asked.kind == "binary" else None,
        n_test_runs=fewest_runs(asked, parts == TEST),
        note="" if marks is None else next((each.note for each in marks.values()), ""),
    )


def _in_order(
    asked: Target,
    units: list[Unit],
    facts: _Facts,
    by_chance: dict[str, NDArray[np.float64]],
    classes: NDArray[np.int64],
) -> tuple[RankedUnit, ...]:
    order = np.lexsort((-np.abs(facts.train - _chance(asked)), -facts.score))  # NaN comes last
    columns = {
        **{name: array for name, array in facts._asdict().items() if name != "train"},
        **by_chance,
        "q": q_values(facts.p),
        "direction": np.where(facts.train < _chance(asked), -1, 1),
    }
    names = asked.labels.names if asked.kind == "categorical" else (None,)
    rows = zip(*(array[order].tolist() for array in columns.values()), strict=True)
    return tuple(
        RankedUnit(unit=units[place], label=names[classes[place]], **dict(zip(columns, row, strict=True)))
        for place, row in zip(order.tolist(), rows, strict=True)
    )
