"""Intervals of held-out scores and of their differences, from the influence of each atom of the text."""

import itertools
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from activations.deprecation import renamed_attribute
from activations.results import Result
from analyses.errors import AnalysisError
from analyses.intervals.long_run import long_run_variance, n_cosines
from analyses.intervals.students_t import quantile, two_sided_p
from analyses.rounding import rounded
from analyses.targets.splits import ATOM_CHARS, FEWEST_ATOMS, MOST_ATOMS

Array = NDArray[np.float64]
Scale = Literal["logit", "fisher", "plain"]
LEVEL = 0.95
_FEWEST_CHARS = 100
_ROUNDING = 1e-10  # of a score: smaller influences count as none


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimate:
    """A held-out score, with what each atom adds to its error.

    Attributes:
        value: The score; NaN if there is none.
        influence: (n_atoms,) what each atom adds to the error, to first order; empty if not known.
        n_atoms: How many atoms the score is computed on.
        n_cosines: Number of cosines that its long-run variance is estimated with. None if the atoms are independent,
            as for atoms held out here and there; the variance is then that of their influences.
        scale: The scale on which the error is symmetric: the logit of a share or an AUC, Fisher's z of a correlation,
            or the score's own.
        n_runs: Held-out runs of the label's rarer value, used for the interval of a score without errors (rule of
            three).
        text: Identifies the text; scores on the same text can be compared atom by atom.
        no_interval_reason: Why there is no interval, as a sentence; empty if there is one.
    """

    value: float
    influence: Array = field(default_factory=lambda: np.empty(0), repr=False)
    n_atoms: int = 0
    n_cosines: int | None = None
    scale: Scale = "plain"
    n_runs: int | None = None
    text: str = field(default="", repr=False)
    no_interval_reason: str = ""
    declined = renamed_attribute("declined", "no_interval_reason")

    @property
    def standard_error(self) -> float:
        """The standard error of the score, on its own scale; NaN if it is not known."""
        if self.no_interval_reason or not self.n_atoms or not np.isfinite(self.influence).all():
            return float("nan")
        return float(standard_errors(self.influence[:, None], self.n_atoms, self.n_cosines)[0])

    @property
    def degrees_of_freedom(self) -> int:
        """The degrees of freedom of Student's t."""
        return self.n_cosines if self.n_cosines is not None else len(self.influence) - 1

    freedom = renamed_attribute("freedom", "degrees_of_freedom")

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval; NaN if there is none."""
        if self.no_interval_reason or not np.isfinite(self.value):
            return float("nan"), float("nan")
        low, high = intervals(
            np.array([self.value]), np.array([self.standard_error]), self.degrees_of_freedom, self.scale, self.n_runs
        )
        return float(low[0]), float(high[0])


def standard_errors(influence: Array, n_atoms: int, n_cosines: int | None) -> Array:
    """(n_scores,) standard errors of sums over `n_atoms` atoms, from influences (all atoms, n_scores)."""
    if n_cosines is None:
        return np.asarray(np.sqrt(n_atoms * influence.var(axis=0, ddof=1)))
    return np.asarray(np.sqrt(n_atoms * long_run_variance(influence, n_cosines)))


def intervals(
    values: Array, errors: Array, degrees_of_freedom: int, scale: Scale, n_runs: int | None
) -> tuple[Array, Array]:
    """Return 95 % intervals of scores by Student's t, symmetric on their scale.

    For a score without any error, or with nothing right, the interval is that of the rule of three: if none of R runs
    has an error, at most 3/R are wrong, with 95 % confidence. Where the standard error is 0 at another score, as for a
    unit that never changes, there is no interval: NaN.

    Source:
        Hanley & Lippman-Hand 1983, JAMA 249:1743-1745: the rule of three.
    """
    from scipy.special import expit, logit

    reach = quantile((1 + LEVEL) / 2, degrees_of_freedom) * errors
    with np.errstate(invalid="ignore", divide="ignore"):
        if scale == "logit":
            middle, reach = logit(values), reach / (values * (1 - values))
            low, high = expit(middle - reach), expit(middle + reach)
        elif scale == "fisher":
            middle, reach = np.arctanh(values), reach / (1 - values**2)
            low, high = np.tanh(middle - reach), np.tanh(middle + reach)
        else:
            low, high = values - reach, values + reach
    known = errors > _ROUNDING
    low, high = np.where(known, low, np.nan), np.where(known, high, np.nan)
    if scale == "logit" and n_runs:
        bound = min(3 / n_runs, 1.0)
        for is_end, ends in ((values >= 1 - _ROUNDING, (1 - bound, 1.0)), (values <= _ROUNDING, (0.0, bound))):
            low, high = np.where(is_end, ends[0], low), np.where(is_end, ends[1], high)
    return low, high


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Difference(Result):
    """The difference of two scores on the same text, with its interval and p-value.

    Attributes:
        value: The second score less the first.
        low: The lower end of its 95 % interval; NaN if there is none.
        high: The upper one.
        p: Two-sided p-value of no difference; NaN if there is none.
        no_interval_reason: Why there is none, as a sentence; empty if there is one.
    """

    value: float
    low: float
    high: float
    p: float
    no_interval_reason: str = ""
    declined = renamed_attribute("declined", "no_interval_reason")

    def __str__(self) -> str:
        if self.no_interval_reason:
            return f"{rounded(self.value, '+.3f')} ({self.no_interval_reason})"
        return (
            f"{rounded(self.value, '+.3f')} ({rounded(self.low, '+.3f')} to {rounded(self.high, '+.3f')}), p "
            f"{self.p:.1g}"
        )


def difference_of(first: Estimate, second: Estimate) -> Difference:
    """Return the second score less the first, with an interval and a p-value, both paired by atom.

    Raises:
        AnalysisError: If they are on different texts, or hold out different parts of it.
    """
    if first.text != second.text:
        raise AnalysisError(
            "the two scores are of different texts, of other parts of one, or of another label; compare models on the "
            "same text, read from and to the same characters, for the same hypothesis"
        )
    value = second.value - first.value
    nan = float("nan")
    no_interval_reason = first.no_interval_reason or second.no_interval_reason
    if no_interval_reason or not np.isfinite(value) or first.influence.shape != second.influence.shape:
        return Difference(
            value=value, low=nan, high=nan, p=nan, no_interval_reason=no_interval_reason or "there is no score"
        )
    paired = Estimate(
        value=value,
        influence=second.influence - first.influence,
        n_atoms=first.n_atoms,
        n_cosines=first.n_cosines,
        text=first.text,
    )
    error = paired.standard_error
    if error <= _ROUNDING:
        return Difference(
            value=value, low=nan, high=nan, p=nan, no_interval_reason="the two make the same errors everywhere"
        )
    low, high = paired.interval
    p = float(two_sided_p(value / error, paired.degrees_of_freedom))
    return Difference(value=value, low=low, high=high, p=p)


def mean_interval(values: NDArray[np.floating]) -> tuple[float, float]:
    """Return the 95 % interval of a mean over the characters of a text, which depend on their neighbours.

    Args:
        values: (n_chars,) consecutive values.

    Returns:
        The lower and the upper end; NaN for fewer than 100 characters.
    """
    n_chars = len(values)
    if n_chars < _FEWEST_CHARS:
        return float("nan"), float("nan")
    n_atoms = min(max(round(n_chars / ATOM_CHARS), FEWEST_ATOMS), MOST_ATOMS)
    mean = float(values.mean(dtype=np.float64))
    borders = (np.arange(n_atoms + 1) * n_chars // n_atoms).tolist()
    atoms = (values[start:stop].astype(np.float64) for start, stop in itertools.pairwise(borders))
    influence = np.array([np.add.reduceat(atom - mean, [0])[0] for atom in atoms]) / n_chars
    return Estimate(value=mean, influence=influence, n_atoms=n_atoms, n_cosines=n_cosines(n_atoms)).interval
