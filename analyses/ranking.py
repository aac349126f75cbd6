"""Which units respond most to a hypothesis: one unit against one label."""

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site, Unit
from analyses.alignment import AnyHypothesis, Target, ask
from analyses.scores import Scores, measure
from analyses.significance import auc_spread, evidence, q_values, r_spread
from analyses.splits import TEST, TRAIN

_ENOUGH_RUNS = 50
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedUnit:
    """How well one unit tells the label by itself.

    Attributes:
        unit: Which one.
        score: What orders the ranking, in [0, 1], from training characters only: |2·auc − 1| of a binary label,
            |r| of a numeric one. 0 is chance. A unit that never changes stands last, with 0, or NaN for r.
        raw: AUC in [0, 1], or Pearson's r in [−1, 1], on all characters. An AUC under .5 is a unit that is
            silent where the label is True.
        test: The same on held-out characters, turned the way the training characters say: above chance (.5 for
            AUC, 0 for r) if what was found in training holds.
        low: The lower end of a 95 % interval about `test`, from drawing the test stretches anew; NaN if they are fewer
            than 4.
        high: Its upper end.
        p: How often a unit that has nothing to do with the label would seem to have as much, on all stretches; see
            `significance.evidence`.
        q: The share of false ones to expect among the units with a `p` as small as this (Benjamini & Hochberg), of all
            units that were ranked together.
        n_effective: How many independent characters would be as much evidence as these.
        direction: +1 if the unit is higher where the label is higher, −1 if lower, on training characters.
    """

    unit: Unit
    score: float
    raw: float
    test: float
    low: float
    high: float
    p: float
    q: float
    n_effective: float
    direction: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """The units of a source, the most responsible first.

    Attributes:
        hypothesis: What they are ranked for.
        method: `auc` for a binary label, `r` for a numeric one.
        units: All of them, by falling score.
        n_train: Training characters with a label.
        n_test: Held-out characters with a label.
        auc_error: How far an AUC may be from the exact one, because activations in float32 are counted in bins; 0 if
            none are.
        prevalence: Share of labelled characters whose label is True; None for a numeric label.
        n_test_runs: Unbroken stretches of held-out characters whose label is True; None for a numeric label.
    """

    hypothesis: str
    method: str
    units: tuple[RankedUnit, ...] = field(repr=False)
    n_train: int
    n_test: int
    auc_error: float
    prevalence: float | None
    n_test_runs: int | None

    @property
    def warning(self) -> str | None:
        """What makes the scores uncertain, as a sentence; None if nothing does."""
        if self.n_test_runs is None or self.n_test_runs >= _ENOUGH_RUNS:
            return None
        runs = f"{self.n_test_runs} run{'s' if self.n_test_runs != 1 else ''}"
        return f"{self.hypothesis} is True in only {runs} of held-out characters, so that their scores are uncertain"

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
        return {
            "hypothesis": self.hypothesis,
            "unit": str(each.unit),
            "method": self.method,
            "score": each.score,
            self.method: each.raw,
            f"{self.method}_test": each.test,
            "low": each.low,
            "high": each.high,
            "p": each.p,
            "q": each.q,
            "n_effective": None if np.isnan(each.n_effective) else round(each.n_effective),
            "direction": each.direction,
        }

    def __str__(self) -> str:
        lines = [f"units for {self.hypothesis}, by {self.method} on {self.n_train:,} characters"]
        lines += [
            f"{each.unit!s:>22}  score {each.score:.3f}  {self.method} {each.raw:+.3f}  held out {each.test:+.3f} "
            f"({each.low:+.3f} to {each.high:+.3f})  q {each.q:.1g}"
            for each in self.units[:10]
        ]
        return "\n".join(lines)


def rank(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    *,
    sites: Collection[Site] | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Ranking:
    """Rank units by how well each of them alone tells a label.

    The AUCs of activations in float16 are exact; those in float32 are counted in bins, with the bound on the error in
    the result.

    Args:
        source: A recording or live activations.
        hypothesis: Its name, a function, or a target made before.
        sites: Where to look; None is everywhere.
        seed: Of the bootstrap.
        progress: Called with the characters done and their number.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be ranked for, or activations are not numbers.
    """
    asked = ask(source, hypothesis)
    chosen = sorted(source.sites if sites is None else sites)
    with source.rereadable(chosen) as activations:
        [scores] = measure(activations, [asked], chosen, progress)
    return _ranking(asked, scores, chosen, seed, best_only=False)


def rank_all(
    source: Source,
    targets: Sequence[Target],
    *,
    sites: Collection[Site] | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> list[Ranking]:
    """Rank units for many labels at once, which takes hardly more passes over the activations than for one.

    Args:
        source: A recording or live activations.
        targets: Labels of its text; see `alignment.target`.
        sites: Where to look; None is everywhere.
        seed: Of the bootstrap.
        progress: Called with the characters done and their number.

    Returns:
        A ranking for each, in their order. Only the best unit of each site has an interval.

    Raises:
        AnalysisError: If a target is of another text, or activations are not numbers.
    """
    asked = [ask(source, each) for each in targets]
    chosen = sorted(source.sites if sites is None else sites)
    with source.rereadable(chosen) as activations:
        found = measure(activations, asked, chosen, progress)
    return [_ranking(each, scores, chosen, seed, best_only=True) for each, scores in zip(asked, found, strict=True)]


def _ranking(asked: Target, scores: dict[Site, Scores], chosen: list[Site], seed: int, *, best_only: bool) -> Ranking:
    is_binary = asked.kind == "binary"
    chance = 0.5 if is_binary else 0.0
    columns: list[list[NDArray[np.float64]]] = []
    for site in chosen:
        own = scores[site]
        sure = evidence(own.sums)
        distance = np.nan_to_num(np.abs(own.train - chance), nan=-1.0)
        wanted = distance == distance.max() if best_only else np.ones(len(distance), bool)
        low, high = np.full(len(wanted), np.nan), np.full(len(wanted), np.nan)
        spread = auc_spread if is_binary else r_spread
        below, above = spread(own.sums.of(asked.split.held_out).units(wanted), seed)
        low[wanted], high[wanted] = own.test[wanted] + below, own.test[wanted] + above
        columns.append([own.everywhere, own.train, own.test, low, high, sure.p, sure.n_effective])
    raw, train, test, low, high, p, n_effective = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    units = [Unit(site, index) for site in chosen for index in range(len(scores[site].train))]
    order = np.argsort(-np.abs(train - chance), kind="stable")  # NaN comes last
    arrays = [array[order].tolist() for array in (raw, train, test, low, high, p, q_values(p), n_effective)]
    ranked = map(functools.partial(_ranked, chance=chance), [units[place] for place in order.tolist()], *arrays)
    labels, parts = asked.all_rows
    positive = (parts == TEST) & (labels == 1)
    return Ranking(
        hypothesis=asked.hypothesis,
        method="auc" if is_binary else "r",
        units=tuple(ranked),
        n_train=int((parts == TRAIN).sum()),
        n_test=int((parts == TEST).sum()),
        auc_error=max(float(np.nan_to_num(scores[site].error).max()) for site in chosen),
        prevalence=float(labels[parts >= 0].mean()) if is_binary else None,
        n_test_runs=int((np.diff(positive, prepend=False) & positive).sum()) if is_binary else None,
    )


def _ranked(
    unit: Unit,
    raw: float,
    train: float,
    test: float,
    low: float,
    high: float,
    p: float,
    q: float,
    n_effective: float,
    *,
    chance: float,
) -> RankedUnit:
    direction = -1 if train < chance else 1
    if direction < 0:
        test, low, high = (2 * chance - each for each in (test, high, low))
    return RankedUnit(
        unit=unit,
        score=abs(train - chance) / (1 - chance),
        raw=raw,
        test=test,
        low=max(low, 2 * chance - 1),
        high=min(high, 1.0),
        p=p,
        q=q,
        n_effective=n_effective,
        direction=direction,
    )
