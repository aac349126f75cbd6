"""What is counted over the repetitions of an experiment: a few numbers that a line of the results holds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm
from truth_repeating import BEST_OF, PROBED, Record

Counts = dict[str, float]
Columns = Mapping[str, NDArray[np.float64]]
Scale = tuple[Callable[[Any], Any], Callable[[Any], Any]]
LOGIT: Scale = (logit, expit)
FISHER: Scale = (np.arctanh, np.tanh)
PLAIN: Scale = (np.asarray, np.asarray)
_ENDS = float(norm.ppf(0.975))


def columns(records: Sequence[Record]) -> Columns:
    """(n,) numbers of all repetitions by name; NaN where one does not have it."""
    names = dict.fromkeys(name for record in records for name in record)
    return {name: np.array([record.get(name, np.nan) for record in records], np.float64) for name in names}


def of_intervals(found: Columns, scale: Scale, suffix: str = "") -> Counts:
    """How many intervals are shown, how many cover the truth, and how wide they are.

    `true_width` is the median width of intervals of the true variance, which is that of the estimates less the truths
    on the scale on which intervals are symmetric.
    """
    low, high, score, truth = (found[f"{name}{suffix}"] for name in ("low", "high", "score", "truth"))
    shown = np.isfinite(low) & np.isfinite(high)
    counts: Counts = {"shown": int(shown.sum()), "covered": int(((low <= truth) & (truth <= high) & shown).sum())}
    if shown.sum() > 1:
        there, back = scale
        with np.errstate(divide="ignore", invalid="ignore"):
            z, error = there(score[shown]), there(score[shown]) - there(truth[shown])
        known = np.isfinite(error)
        half = _ENDS * np.sqrt(np.mean(error[known] ** 2))
        counts["width"] = float(np.median((high - low)[shown]))
        counts["true_width"] = float(np.median(back(z[known] + half) - back(z[known] - half)))
    return {f"{name}{suffix}": count for name, count in counts.items()}


def of_p(found: Columns) -> Counts:
    """How many p-values are shown, and how many are below .05."""
    return {"p_shown": int(np.isfinite(found["p"]).sum()), "p_below": int((found["p"] < 0.05).sum())}


def of_units(found: Columns, scale: Scale) -> Counts:
    """See `truth_repeating.unit_repetition`."""
    refused, due = found["refused"] > 0, found.get("due", np.zeros(1)) > 0
    counts: Counts = {"refused": int(refused.sum()), "due": int(due.sum())}
    if refused.all():
        return counts | {"shown": 0, "covered": 0, "p_shown": 0, "p_below": 0, "due_but_declined": 0}
    lacking = np.isnan(found["low"]) | np.isnan(found["high"]) | np.isnan(found["p"])
    return counts | of_intervals(found, scale) | of_p(found) | {"due_but_declined": int((due & lacking).sum())}


def of_rankings(found: Columns, scale: Scale) -> Counts:
    """See `truth_repeating.ranking_repetition`."""
    refused = found["refused"] > 0
    counts: Counts = {"refused": int(refused.sum())}
    if refused.all():
        return counts | {"any_q": 0, "declined": 0, "due_but_declined": 0, "shown": 0, "covered": 0}
    declined = found["declined"] > 0
    for name in ("any_q", "n_p", "n_below"):
        counts[name] = int(np.nansum(found[name]))
    counts |= {"declined": int(declined.sum()), "due_but_declined": int((declined & (found["due"] > 0)).sum())}
    return counts | of_intervals(found, scale)


def of_power(found: Columns, scale: Scale) -> Counts:
    """See `truth_repeating.power_repetition`."""
    return {name: int(found[name].sum()) for name in ("found", "n_false")}


def of_curse(found: Columns, scale: Scale) -> Counts:
    """See `truth_repeating.curse_repetition`."""
    errors = {n: found[f"error_{n}"] for n in BEST_OF}
    return {f"mean_{n}": float(own.mean()) for n, own in errors.items()} | {
        f"deviation_{n}": float(own.std()) for n, own in errors.items()
    }


def of_probes(found: Columns, scale: Scale) -> Counts:
    """See `truth_repeating.fit_repetition`."""
    return of_intervals(found, scale)


def of_curves(found: Columns, scale: Scale) -> Counts:
    """See `truth_repeating.curve_repetition`."""
    counts: Counts = {}
    for n in PROBED:
        counts |= of_intervals(found, scale, f"_{n}")
    return counts


def of_differences(found: Columns, scale: Scale) -> Counts:
    """See `truth_repeating.difference_repetition`."""
    return of_intervals(found, PLAIN) | of_p(found)


def of_commands(found: Columns, scale: Scale) -> Counts:
    """See `truth_repeating.command_repetition`."""
    return {"same": int(found["same"].sum())}
