"""By how much one result is above another one of the same text: two models, two moments of a training, two units."""

from collections.abc import Sequence
from dataclasses import dataclass

from analyses.errors import AnalysisError
from analyses.intervals.estimates import Difference, Estimate, difference_of
from analyses.probing.results import ProbeResult
from analyses.ranking.results import RankedUnit, Ranking

Result = RankedUnit | ProbeResult | Ranking


def difference(first: Result, second: Result, score: str | None = None) -> Difference:
    """The held-out score of the second result less that of the first, paired by atom of the text.

    Args:
        first: A unit of a ranking, a ranking, which stands for its best unit, or a probe.
        second: Another one, of the same hypothesis on the same text; of another model, as a rule.
        score: Of probes, which score; None is the AUC, or R² for numbers.

    Returns:
        On the scores' own scale, with a 95 % interval and the two-sided p-value of no difference, by Student's t of the
        difference of what each atom adds to either error.

    Raises:
        AnalysisError: If they are of different texts, are not held out alike, or are of another hypothesis or score, or
            a unit has no interval because none was asked for.
    """
    return difference_of(_estimate(first, score), _estimate(second, score))


def _estimate(result: Result, score: str | None) -> Estimate:
    if isinstance(result, ProbeResult):
        name = score or result.measure
        if name in result.estimates:
            return result.estimates[name]
        there = ", ".join(result.estimates)
        why = result.note if not there else f"there are {there}"
        raise AnalysisError(f"the probe for {result.hypothesis!r} has no {name} to compare; {why}")
    if score is not None:
        raise AnalysisError(f"of units the held-out AUC or r is compared, and not {score}; leave it away")
    unit = result.units[0] if isinstance(result, Ranking) else result
    if unit.estimate is None:
        raise AnalysisError(f"{unit.unit} has no interval, so that it cannot be compared; rank with `n_intervals=None`")
    return unit.estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A difference, and what it is between.

    Attributes:
        hypothesis: What both were scored for.
        what: A site, `best`, or what a probe sees.
        first: The unit or probe of the first model.
        second: That of the second.
        measure: Of which score.
        found: The difference.
    """

    hypothesis: str
    what: str
    first: str
    second: str
    measure: str
    found: Difference

    def row(self) -> dict[str, str | float | int | None]:
        """What `probe rank` and `probe fit` print of two recordings; `difference` is second − first."""
        return {
            "hypothesis": self.hypothesis,
            "site": self.what,
            "first": self.first,
            "second": self.second,
            "measure": self.measure,
            "difference": self.found.value,
            "low": self.found.low,
            "high": self.found.high,
            "p": self.found.p,
            "note": self.found.declined,
        }


def compare_rankings(first: Ranking, second: Ranking) -> list[Compared]:
    """The best unit of all, and the best of each site that both have, by how much it is better in the second.

    Raises:
        AnalysisError: If they are of different texts, or parts of one, or are not held out alike.
    """
    of_sites = first.best_of_sites(), second.best_of_sites()
    pairs = [("best", first.units[0], second.units[0])]
    shared = [site for site in of_sites[0] if site in of_sites[1]]
    pairs += [(str(site), of_sites[0][site], of_sites[1][site]) for site in shared]
    return [
        Compared(
            hypothesis=first.hypothesis if one.label is None else f"{first.hypothesis} == {one.label}",
            what=what,
            first=str(one.unit),
            second=str(other.unit),
            measure=f"{first.measure}_test",
            found=difference(one, other) if one.label == other.label else _of_classes(one, other),
        )
        for what, one, other in pairs
        if one.estimate is not None and other.estimate is not None
    ]


def _of_classes(one: RankedUnit, other: RankedUnit) -> Difference:
    """Two units that tell different classes best cannot be compared."""
    nothing = float("nan")
    why = f"the first tells {one.label} most surely, the second {other.label}; ask for one class"
    return Difference(value=nothing, low=nothing, high=nothing, p=nothing, declined=why)


def compare_probes(first: Sequence[ProbeResult], second: Sequence[ProbeResult]) -> list[Compared]:
    """The probes that see the same sites, by how much the second is better.

    Raises:
        AnalysisError: If they are of different texts, or parts of one, or are not held out alike.
    """
    by_name = {(each.hypothesis, each.site, each.control): each for each in second if each.estimates}
    return [
        Compared(
            hypothesis=one.hypothesis,
            what=one.site,
            first=one.site,
            second=one.site,
            measure=one.measure,
            found=difference(one, by_name[one.hypothesis, one.site, one.control]),
        )
        for one in first
        if one.control is None and one.estimates and (one.hypothesis, one.site, one.control) in by_name
    ]
