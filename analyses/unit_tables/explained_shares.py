"""The share of units that some hypothesis explains, with an interval for other text of the same kind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.results import Result
from analyses.errors import AnalysisError
from analyses.intervals.estimates import LEVEL, Difference, Estimate
from analyses.intervals.long_run import cosines, n_cosines
from analyses.rounding import rounded

Array = NDArray[np.float64]
AT_LEAST = 0.8
"""The strength from which on a unit counts as explained: an AUC of .9, or a correlation of .8."""
BOUNDS = (0.5, 0.6, 0.7, 0.8, 0.9)
"""The bounds for which the share is reported, so that everybody sees how much it depends on them."""
MOST_Q = 0.05
_N_DRAWS = 2000
_MOST_STRENGTH = 1 - 1e-6


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ExplainedShare(Result):
    """The share of units that some hypothesis explains.

    Attributes:
        at_least: The least strength (|2 AUC − 1|, or |r|) on held-out characters with which a unit counts, in [0, 1].
        n_explained: How many units count: those with that strength and q < .05.
        n_units: How many units there are.
        share: The one divided by the other.
        low: The lower end of its 95 % interval for other text of this kind, of these units; NaN if there is none.
        high: The upper end.
        n_without_interval: How many of the explained units have no interval of their own, so that the interval of the
            share takes them as certain.
        no_interval_reason: Why the share has no interval, as a sentence; empty if it has one.
    """

    at_least: float
    n_explained: int
    n_units: int
    share: float
    low: float
    high: float
    n_without_interval: int = 0
    no_interval_reason: str = ""

    def __str__(self) -> str:
        interval = "no interval" if np.isnan(self.low) else f"{rounded(self.low, '.1%')} to {rounded(self.high, '.1%')}"
        return (
            f"{self.n_explained:,} of {self.n_units:,} units are explained, {rounded(self.share, '.1%')} ({interval})"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UnitStrengths:
    """How strongly each unit responds to the hypothesis that was chosen for it, and how far that may be wrong.

    Attributes:
        strength: (n_units,) 2 AUC − 1 or r, held out and sign-aligned, in [−1, 1]; NaN for units without a hypothesis.
        is_significant: (n_units,) whether q < .05.
        projections: (n_cosines, n_units) errors of each strength, on Fisher's scale, projected on the first cosines of
            the text, so that their mean square is the variance of the strength; 0 for units whose error is not known.
        text: Identifies the text.
    """

    strength: Array
    is_significant: NDArray[np.bool_]
    projections: Array
    text: str

    def explained(self, at_least: float) -> NDArray[np.bool_]:
        """(n_units,) whether each unit counts as explained."""
        return np.asarray((self.strength >= at_least) & self.is_significant)

    def drawn_shares(self, at_least: Sequence[float], seed: int) -> Array:
        """(n_draws, n_bounds) shares of explained units if the strengths had other errors, drawn from their estimates.

        The errors of units depend on each other as they do in the text, and so do those of two models that read the
        same text, if the seed is the same. Units that are not significant do not count in any draw.
        """
        rng = np.random.default_rng(seed)
        freedom = len(self.projections)
        weights = rng.standard_normal((_N_DRAWS, freedom)) / np.sqrt(freedom)
        weights *= np.sqrt(freedom / rng.chisquare(freedom, (_N_DRAWS, 1)))  # as in Student's t
        bounds = np.arctanh(np.clip(at_least, -_MOST_STRENGTH, _MOST_STRENGTH))
        counts = np.zeros((_N_DRAWS, len(bounds)))
        units = np.flatnonzero(self.is_significant & np.isfinite(self.strength))
        middle = np.arctanh(np.clip(self.strength[units], -_MOST_STRENGTH, _MOST_STRENGTH))
        for first in range(0, len(units), 256):
            some = slice(first, first + 256)
            drawn = middle[some] + weights @ self.projections[:, units[some]]
            counts += np.stack([(drawn >= bound).sum(axis=1) for bound in bounds], axis=1)
        return counts / max(len(self.strength), 1)


def projected_errors(estimate: Estimate, atoms: NDArray[np.bool_], strength_per_score: float) -> Array:
    """(n_cosines,) the errors of a unit's strength on Fisher's scale, projected on the first cosines of the text.

    Args:
        estimate: The held-out score.
        atoms: (n_atoms,) the atoms that have labels, whose influences the estimate has.
        strength_per_score: By how much the strength grows with the score: 2 for an AUC, 1 for r.

    Returns:
        Numbers whose mean square is the variance of the strength; zeros where the error is not known.
    """
    n = n_cosines(len(atoms))
    error = estimate.standard_error
    if not (np.isfinite(error) and error > 0):
        return np.zeros(n)
    influence = np.zeros(len(atoms))
    influence[atoms] = estimate.influence
    projected = cosines(len(atoms), n) @ influence
    size = float(np.sqrt(np.mean(projected**2)))
    strength = strength_per_score * estimate.value - (strength_per_score - 1)
    slope = strength_per_score / max(1 - strength**2, 1e-6)  # of Fisher's z
    return np.asarray(projected * (error * slope / size if size > 0 else 0.0))


def explained_shares(strengths: UnitStrengths, bounds: Sequence[float], seed: int = 0) -> list[ExplainedShare]:
    """Return the share of explained units for each of some bounds, with 95 % intervals.

    The interval is from a multiplier bootstrap: errors of all strengths are drawn together, as normal combinations of
    the projections of their influences on the first cosines of the text. Errors lift more units above a bound than they
    push below where there are fewer and fewer units towards it. By how much is estimated as the mean of the draws less
    the share itself; the interval holds both the quantiles of the draws and these less twice that.

    Args:
        strengths: The strengths of the units of one model.
        bounds: The least strengths, in [0, 1].
        seed: Seed of the draws.

    Raises:
        AnalysisError: If a bound is not in [0, 1].
    """
    for bound in bounds:
        if not 0 <= bound <= 1:
            raise AnalysisError(f"the least strength is {bound:g}; it must be in [0, 1], such as {AT_LEAST}")
    drawn = strengths.drawn_shares(bounds, seed)
    n_units = len(strengths.strength)
    is_known = strengths.projections.any(axis=0)
    shares = []
    for bound, draws in zip(bounds, drawn.T, strict=True):
        explained = strengths.explained(bound)
        share = float(explained.mean()) if n_units else float("nan")
        low, high = _interval(share, draws) if is_known.any() else (float("nan"), float("nan"))
        shares.append(
            ExplainedShare(
                at_least=float(bound),
                n_explained=int(explained.sum()),
                n_units=n_units,
                share=share,
                low=max(low, 0.0) if np.isfinite(low) else low,
                high=min(high, 1.0) if np.isfinite(high) else high,
                n_without_interval=int((explained & ~is_known).sum()),
                no_interval_reason="" if is_known.any() else "no interval for the share: no unit's score has one",
            )
        )
    return shares


def difference_of_shares(
    first: UnitStrengths, second: UnitStrengths, at_least: float = AT_LEAST, seed: int = 0
) -> Difference:
    """Return the second share of explained units less the first, for two models that read the same text.

    The errors of both are drawn together, so that what the text adds to both drops out; see `explained_shares`.

    Raises:
        AnalysisError: If the texts differ.
    """
    if first.text != second.text:
        raise AnalysisError("the two tables are of different texts, or of other parts of one; make them of the same")
    shares = [float(strengths.explained(at_least).mean()) for strengths in (first, second)]
    value = shares[1] - shares[0]
    if not (first.projections.any() or second.projections.any()):
        nan = float("nan")
        return Difference(value=value, low=nan, high=nan, p=nan, no_interval_reason="no unit has an interval")
    drawn = [strengths.drawn_shares([at_least], seed)[:, 0] for strengths in (first, second)]
    draws = drawn[1] - drawn[0]
    low, high = _interval(value, draws)
    p = max(_p_value(draws), _p_value(draws - 2 * (draws.mean() - value)))  # as the interval holds the ends of both
    return Difference(value=value, low=max(low, -1.0), high=min(high, 1.0), p=p)


def _p_value(draws: Array) -> float:
    """Return the two-sided p-value of 0, given draws of a difference."""
    tail = min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0))
    return min(1.0, 2 * (tail + 1) / (len(draws) + 1))


def _interval(value: float, draws: Array) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    bias = float(draws.mean()) - value
    return float(min(low, low - 2 * bias)), float(max(high, high - 2 * bias))
