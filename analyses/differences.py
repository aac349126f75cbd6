"""Differences between two results on the same text: two models, two snapshots of a training, or two units."""

from collections.abc import Sequence
from dataclasses import dataclass

from activations.results import Result
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Difference, Estimate, difference_of
from analyses.probing.results import ProbeResult
from analyses.ranking.results import RankedUnit, Ranking

Scored = RankedUnit | ProbeResult | Ranking


def difference(first: Scored, second: Scored, score: str | None = None) -> Difference:
    """Return the held-out score of the second result less that of the first, paired by atom of the text.

    Args:
        first: A unit of a ranking, a ranking, which stands for its best unit, or a probe.
        second: Another one for the same hypothesis on the same text, usually of another model.
        score: Which score of probes to compare; None is the AUC, or R² for numbers.

    Returns:
        The difference on the scores' own scale, with a 95 % interval and the two-sided p-value of no difference, by
        Student's t of the difference of the influences of each atom.

    Raises:
        AnalysisError: If they are on different texts, do not hold out the same stretches, or are for different
            hypotheses or scores, or a unit has no interval because none was asked for.
    """
    return difference_of(_estimate(first, score), _estimate(second, score))


def _estimate(result: Scored, score: str | None) -> Estimate:
    if isinstance(result, ProbeResult):
        name = score or result.measure
        if name in result.estimates:
            return result.estimates[name]
        there = ", ".join(result.estimates)
        why = result.note if not there else f"there are {there}"
        raise AnalysisError(f"the probe for {result.hypothesis!r} has no {name} to compare; {why}")
    if score is not None:
        raise AnalysisError(f"for units the held-out AUC or r is compared, and not {score}; remove it")
    unit = result.units[0] if isinstance(result, Ranking) else result
    if unit.estimate is None:
        raise AnalysisError(f"{unit.unit} has no interval, so that it cannot be compared; rank with `n_intervals=None`")
    return unit.estimate


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Compared(Result):
    """A difference, with the results that it compares.

    Attributes:
        hypothesis: What both were scored for.
        what: A site, `best`, or what a probe sees.
        first: The unit or probe of the first model.
        second: That of the second.
        measure: The score that is compared.
        difference: The difference of the scores.
    """

    hypothesis: str
    what: str
    first: str
    second: str
    measure: str
    difference: Difference

    def row(self) -> dict[str, str | float | int | None]:
        """Return the row that `probe rank` and `probe fit` print for two recordings; `difference` is second − first."""
        return {
            "hypothesis": self.hypothesis,
            "site": self.what,
            "first": self.first,
            "second": self.second,
            "measure": self.measure,
            "difference": self.difference.value,
            "low": self.difference.low,
            "high": self.difference.high,
            "p": self.difference.p,
            "note": self.difference.no_interval_reason,
        }


def compare_rankings(first: Ranking, second: Ranking) -> list[Compared]:
    """Compare the best units of all, and the best of each site that both have; positive if the second is better.

    Raises:
        AnalysisError: If they are on different texts, or parts of one, or do not hold out the same stretches.
    """
    of_sites = first.best_of_sites(), second.best_of_sites()
    pairs = [("best", first.units[0], second.units[0])]
    shared = [site for site in of_sites[0] if site in of_sites[1]]
    pairs += [(str(site), of_sites[0][site], of_sites[1][site]) for site in shared]
    return [
        Compared(
            hypothesis=first.hypothesis if first_unit.label is None else f"{first.hypothesis} == {first_unit.label}",
            what=what,
            first=str(first_unit.unit),
            second=str(second_unit.unit),
            measure=f"held_out_{first.measure}",
            difference=difference(first_unit, second_unit)
            if first_unit.label == second_unit.label
            else _of_different_classes(first_unit, second_unit),
        )
        for what, first_unit, second_unit in pairs
        if first_unit.estimate is not None and second_unit.estimate is not None
    ]


def _of_different_classes(first: RankedUnit, second: RankedUnit) -> Difference:
    """Refuse to compare two units that distinguish different classes best."""
    nan = float("nan")
    why = f"the first distinguishes {first.label} most reliably, the second {second.label}; name one class"
    return Difference(value=nan, low=nan, high=nan, p=nan, no_interval_reason=why)


def compare_probes(first: Sequence[ProbeResult], second: Sequence[ProbeResult]) -> list[Compared]:
    """Compare the probes that see the same sites; positive if the second is better.

    Raises:
        AnalysisError: If they are on different texts, or parts of one, or do not hold out the same stretches.
    """
    by_name = {(probe.hypothesis, probe.site, probe.control): probe for probe in second if probe.estimates}
    return [
        Compared(
            hypothesis=probe.hypothesis,
            what=probe.site,
            first=probe.site,
            second=probe.site,
            measure=probe.measure,
            difference=difference(probe, by_name[probe.hypothesis, probe.site, probe.control]),
        )
        for probe in first
        if probe.control is None and probe.estimates and (probe.hypothesis, probe.site, probe.control) in by_name
    ]
