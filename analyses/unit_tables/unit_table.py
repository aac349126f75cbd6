"""Results of a table of units: what each responds to most, its memory, and its saturation."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from activations.results import Result, Row
from activations.units import Site, Unit
from analyses.intervals.estimates import Difference
from analyses.rounding import rounded
from analyses.unit_tables.explained_shares import (
    AT_LEAST,
    BOUNDS,
    MOST_Q,
    ExplainedShare,
    UnitStrengths,
    difference_of_shares,
    explained_shares,
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class DescribedUnit(Result):
    """A unit with the hypothesis that it responds to most, its memory, and its saturation.

    Attributes:
        unit: The unit.
        hypothesis: The hypothesis that describes it best in training; of several classes, with the one that the unit
            distinguishes most reliably, such as `bracket_depth == 2`. None if no hypothesis has a score.
        measure: `auc`, or `r` for a number; None without a hypothesis.
        score: |2 AUC − 1| or |r| on training characters, by which the hypothesis was chosen.
        held_out: AUC or r on held-out characters, sign-aligned on the training characters; NaN without a hypothesis.
        low: The lower end of its 95 % interval; NaN if there is none.
        high: The upper end.
        strength: 2 AUC − 1 or r, held out: what hypotheses of both kinds have in common, in [−1, 1], 0 by chance.
        p: p-value under the null that the unit is independent of all hypotheses apart from trends: that of the chosen
            one times the number of hypotheses among which it was chosen.
        q: False discovery rate at this `p` (Benjamini & Hochberg) over all units of the table.
        direction: +1 if the unit is higher where the label is higher, −1 if lower, in training.
        n_hypotheses: Among how many hypotheses it was chosen: those for which the text suffices for a p-value.
        time_constant: Characters after which the unit's autocorrelation falls under 1/e, without an interval; infinite
            if it does not at any lag that was measured, and NaN if the unit never changes.
        left_saturated: The share of characters at which the unit is within .1 of the lower end of its range; NaN if its
            range is not known.
        right_saturated: The same of the upper end.
        no_interval_reason: Why `held_out` has no interval, as a sentence; empty if it has one.
    """

    unit: Unit
    hypothesis: str | None
    measure: str | None
    score: float
    held_out: float
    low: float
    high: float
    strength: float
    p: float
    q: float
    direction: int
    n_hypotheses: int
    time_constant: float
    left_saturated: float
    right_saturated: float
    no_interval_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnitTable(Result):
    """All units of some sites, those that any hypothesis describes best in training first.

    Attributes:
        units: The units.
        sites: Their sites, in the order in which the model declares them.
        hypotheses: The hypotheses that were tried.
        longest: The longest lag at which memory was measured, in characters.
        n_test: Held-out characters, at most: fewer have a label of some hypotheses.
        notes: Sentences that say what is missing.
        strengths: What shares of explained units are computed from; units are in the order of `units`.
    """

    units: tuple[DescribedUnit, ...] = field(repr=False)
    sites: tuple[Site, ...]
    hypotheses: tuple[str, ...]
    longest: int
    n_test: int
    notes: tuple[str, ...]
    strengths: UnitStrengths = field(repr=False)

    def rows(self, top: int | None = None) -> list[Row]:
        """Return the first `top` units, or all, as the rows that `probe units --json` prints."""
        return [dict(described.row()) for described in self.units[:top]]

    def share(self, at_least: float = AT_LEAST, seed: int = 0) -> ExplainedShare:
        """Return the share of units that some hypothesis explains: held-out strength of `at_least`, and q < .05."""
        [share] = explained_shares(self.strengths, [at_least], seed)
        return share

    def shares(self, bounds: Sequence[float] = BOUNDS, seed: int = 0) -> list[ExplainedShare]:
        """Return this share for several bounds, as it depends on them; see `explained_shares`."""
        return explained_shares(self.strengths, bounds, seed)

    def __str__(self) -> str:
        lines = [f"{self.share()} with strength {AT_LEAST} or more and q < {MOST_Q}"]
        lines += [
            f"{described.unit!s:>22}  {described.hypothesis}  held-out {described.measure} "
            f"{rounded(described.held_out, '.3f')} "
            f"({_interval(described)})  q {described.q:.1g}  time constant {described.time_constant:.3g}"
            for described in self.units[:10]
            if described.hypothesis is not None
        ]
        return "\n".join([*lines, *self.notes])


def share_difference(first: UnitTable, second: UnitTable, at_least: float = AT_LEAST, seed: int = 0) -> Difference:
    """Return the share of explained units of the second table less that of the first; see `difference_of_shares`.

    Raises:
        AnalysisError: If they are of different texts.
    """
    return difference_of_shares(first.strengths, second.strengths, at_least, seed)


def _interval(described: DescribedUnit) -> str:
    return (
        "no interval"
        if np.isnan(described.low)
        else f"{rounded(described.low, '.3f')} to {rounded(described.high, '.3f')}"
    )
