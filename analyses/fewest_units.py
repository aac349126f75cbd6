"""The fewest units that together reach a share of what all units know above chance."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from activations.results import Result
from analyses.intervals.estimates import Estimate
from analyses.probing.results import ProbeResult

SHARES = (0.95, 0.99)
_CHANCE = {"auc": 0.5, "r2": 0.0}
_NO_ERROR = 1e-10  # smaller standard errors count as none


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FewestUnits(Result):
    """The fewest units, in the order in which they were chosen, that reach a share of what all units know.

    Attributes:
        share: The share of the held-out score of all units above chance.
        n_units: The fewest units that reach it; None if none of those that were tried do.
        low: The lower end of its 95 % interval, in units; None if there is none.
        high: The upper end; the number of all units if fewer may not suffice.
        most: The largest number of units that was tried.
        n_all: The number of all units.
        score_of_all: The held-out score of the probe of all units.
        note: Why there is no number, or no interval, as a sentence; empty if there are both.
    """

    share: float
    n_units: int | None
    low: int | None = None
    high: int | None = None
    most: int
    n_all: int
    score_of_all: float
    note: str = ""

    def row(self) -> dict[str, str | float | int | None]:
        """Return what `probe curve --json` prints of this."""
        percent = f"{100 * self.share:.0f}"
        return {f"units_for_{percent}": self.n_units, f"units_for_{percent}_low": self.low,
                f"units_for_{percent}_high": self.high}  # fmt: skip

    def __str__(self) -> str:
        known = f"{100 * self.share:.0f} % of what all {self.n_all:,} units know above chance"
        if not self.is_known:
            return f"{known}: {self.note}"
        if self.n_units is None:
            number = f"more than {self.most:,} units reach"
        else:
            number = f"{self.n_units:,} {'unit reaches' if self.n_units == 1 else 'units reach'}"
        has_interval = self.low is not None and self.high is not None
        interval = f"95 % interval {self.low:,} to {self.high:,}" if has_interval else self.note
        return f"{number} {known} ({interval})"

    @property
    def is_known(self) -> bool:
        """True if all units together are above chance, so that there is a share to be reached."""
        return self.n_units is not None or self.low is not None


def fewest_units(
    share: float,
    sizes: Sequence[int],
    points: Sequence[ProbeResult],
    all_units: ProbeResult,
    fit_best: Callable[[int], ProbeResult],
) -> FewestUnits:
    """Find the fewest units that reach a share of what all units know above chance, with a 95 % interval.

    Let Δ(n) be the score of the best n units above chance, less the share of that of all units. The number of units is
    the smallest n with Δ(n) ≥ 0, found by bisection between two sizes. Its interval has the numbers that the
    differences do not exclude, which are paired by atom of the text: from below, sizes are excluded one after another
    as long as the 95 % interval of Δ is below 0; from above, as long as that of the next smaller size is above 0. In
    either direction, only a test of the true number itself can go wrong, in at most 2.5 % of cases, so that the number
    of sizes does not matter. Scores are taken not to fall when units are added.

    Args:
        share: The share, above 0 and below 1.
        sizes: (n_points,) numbers of units, ascending, fixed before anything is scored.
        points: (n_points,) the probe of so many of the best units, which were chosen in training.
        all_units: The probe of all units.
        fit_best: Returns the probe of a number of the best units.
    """
    unusable = _why_unusable(all_units)
    n_units = low = high = None
    note = unusable
    if not unusable:
        above = [_above_share(point, all_units, share) for point in points]
        reaching = [place for place, estimate in enumerate(above) if estimate.value >= 0]
        if reaching:
            first = reaching[0]
            n_units = _bisected(
                sizes[first - 1] if first else 0,
                sizes[first],
                lambda n: _above_share(fit_best(n), all_units, share).value >= 0,
            )
        ends = [_ends(estimate) for estimate in above]
        if all(math.isfinite(end) for both in ends for end in both):
            low, high = _interval(sizes, ends, len(all_units.units))
        else:
            reasons = [estimate.no_interval_reason for estimate in above if estimate.no_interval_reason]
            note = next(iter(reasons), "no interval: the scores have no errors from which it could be made")
    return FewestUnits(
        share=share,
        n_units=n_units,
        low=low,
        high=high,
        most=sizes[-1],
        n_all=len(all_units.units),
        score_of_all=all_units.score,
        note=note,
    )


def _why_unusable(all_units: ProbeResult) -> str:
    """Say why there is nothing of which a share could be reached; empty if there is something."""
    low, _ = all_units.interval
    if math.isnan(all_units.score):
        return all_units.note or "the probe of all units has no score"
    if all_units.score <= _CHANCE[all_units.measure] or low <= _CHANCE[all_units.measure]:
        return "the interval of all units together includes chance"
    return ""


def _above_share(point: ProbeResult, all_units: ProbeResult, share: float) -> Estimate:
    """Estimate how far a probe is above a share of what all units know above chance, paired by atom."""
    chance = _CHANCE[all_units.measure]
    value = (point.score - chance) - share * (all_units.score - chance)
    of_point, of_all = (probe.estimates.get(probe.measure, Estimate(value=math.nan)) for probe in (point, all_units))
    reason = of_point.no_interval_reason or of_all.no_interval_reason
    if of_point.influence.shape != of_all.influence.shape:
        return Estimate(value=value, no_interval_reason=reason or "no interval: a probe has no score")
    return Estimate(
        value=value,
        influence=of_point.influence - share * of_all.influence,
        n_atoms=of_all.n_atoms,
        n_cosines=of_all.n_cosines,
        n_runs=of_all.n_runs,
        text=of_all.text,
        no_interval_reason=reason,
    )


def _ends(estimate: Estimate) -> tuple[float, float]:
    """Return the 95 % interval of a difference; by the rule of three if probes make no error at all."""
    if estimate.standard_error <= _NO_ERROR and estimate.n_runs:
        reach = min(3 / estimate.n_runs, 1.0)
        return estimate.value - reach, estimate.value + reach
    return estimate.interval


def _interval(sizes: Sequence[int], ends: Sequence[tuple[float, float]], n_all: int) -> tuple[int, int]:
    """Return the numbers of units that differences with these intervals do not exclude, from and to."""
    low, high = 1, n_all
    for size, (_, upper) in zip(sizes, ends, strict=True):
        if upper >= 0:
            break
        low = size + 1
    for size, (lower, _) in zip(reversed(sizes), reversed(ends), strict=True):
        if lower <= 0:
            break
        high = size
    return min(low, n_all), max(high, min(low, n_all))


def _bisected(below: int, reaching: int, reaches: Callable[[int], bool]) -> int:
    """Return the smallest number that reaches, between one that does not and one that does."""
    while reaching - below > 1:
        middle = (below + reaching) // 2
        if reaches(middle):
            reaching = middle
        else:
            below = middle
    return reaching
