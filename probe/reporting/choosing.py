"""Which hypotheses a report tells of: those with the surest units, unless a few characters answer them."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from activations.blocks import Source
from analyses.passages.effects import SIGNIFICANT
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit_characters
from analyses.probing.results import ProbeResult
from analyses.ranking.results import Ranking
from analyses.targets.target import Target

_N_LAST = 5
_ANSWERED = {"auc": 0.98, "r2": 0.9}  # by the last characters alone: a hypothesis that says little of the model
_PENALTY = 10.0  # of the probes that decide this, which need not be the best ones


class Chosen(NamedTuple):
    """The hypotheses of a report.

    Attributes:
        targets: Their labels, the one with the surest unit first.
        rankings: The units of each.
        left_out: Why others are left out, a sentence by the name of each.
    """

    targets: list[Target]
    rankings: list[Ranking]
    left_out: dict[str, str]


def sureness(ranking: Ranking) -> float:
    """Return how sure it is that the best unit tells a hypothesis, to compare hypotheses by.

    It is the lower end of the interval of the held-out score, as r or 2 AUC − 1: 1 is sure and perfect, 0 chance.
    Without an interval it is −1.
    """
    low = ranking.units[0].low if ranking.units else math.nan
    if math.isnan(low):
        return -1.0
    return low if ranking.measure == "r" else 2 * low - 1


def surest(source: Source, targets: Sequence[Target], rankings: Sequence[Ranking], n: int | None) -> Chosen:
    """Choose the hypotheses with the surest units.

    Left out are those of several classes, which take the longest to fit; those that no unit is shown to tell, if q is
    multiplied by the number of hypotheses; and those that the last five characters answer by themselves, such as
    `vowel`, which say little of what a model remembers.

    Args:
        source: A recording or live activations.
        targets: The labels of all hypotheses that apply.
        rankings: The units of each, with intervals.
        n: How many hypotheses to choose; None is all, and leaves out none.
    """
    order = sorted(range(len(targets)), key=lambda number: -sureness(rankings[number]))
    if n is None:
        return Chosen([targets[number] for number in order], [rankings[number] for number in order], {})
    left_out: dict[str, str] = {}
    sure: list[int] = []
    for number in order:
        target, best = targets[number], rankings[number].units[0]
        if target.kind == "categorical":
            left_out[target.hypothesis] = "it has several classes, which take long; name it (-H) to have it here"
        elif not best.q * len(targets) < SIGNIFICANT or sureness(rankings[number]) <= 0:
            left_out[target.hypothesis] = (
                f"no unit is shown to tell it: q times {len(targets)} hypotheses is not below .05"
            )
        else:
            sure.append(number)
    answered = {
        probe.hypothesis: probe
        for probe in fit_characters(source, [targets[number] for number in sure], _N_LAST, FitOptions(penalty=_PENALTY))
    }
    chosen: list[int] = []
    for number in sure:
        name = targets[number].hypothesis
        if answered[name].score >= _ANSWERED[answered[name].measure]:
            left_out[name] = f"the last {_N_LAST} characters alone answer it ({_score_text(answered[name])})"
        elif len(chosen) < n:
            chosen.append(number)
        else:
            best = rankings[number].units[0]
            surer = "1 hypothesis has a surer unit" if n == 1 else f"{n} hypotheses have surer units"
            left_out[name] = (
                f"{surer}, by the lower end of the interval; its best is {best.unit}, with {best.held_out:.3f} "
                f"({best.low:.3f} to {best.high:.3f})"
            )
    return Chosen([targets[number] for number in chosen], [rankings[number] for number in chosen], left_out)


def _score_text(probe: ProbeResult) -> str:
    return f"{'R²' if probe.measure == 'r2' else 'AUC'} {probe.score:.3f}"
