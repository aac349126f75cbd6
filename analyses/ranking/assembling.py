"""From scores of units to a `Ranking`: intervals, p- and q-values, the best class, order, and notes."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit
from analyses.intervals.estimates import Estimate, Scale, intervals, standard_errors
from analyses.intervals.long_run import n_cosines
from analyses.intervals.significance import FEWEST_PIECES, FEWEST_RUNS, evidence, q_values
from analyses.ranking.best_units import surest_labels
from analyses.ranking.labels import LabelPrecision, RankedLabel, TargetRuns
from analyses.ranking.methods.method import Method, MethodScores
from analyses.ranking.results import RankedUnit, Ranking
from analyses.ranking.shifting.shifts import Shifted
from analyses.ranking.unit_scores import UnitScores
from analyses.targets.run_counts import ENOUGH_RUNS
from analyses.targets.target import Target

TOO_SLOW = "no interval for units that change so slowly that the text holds too few independent pieces of them"


class _UnitFields(NamedTuple):
    """The fields of `RankedUnit` as (n_units,) arrays.

    `train` is the AUC or r in training, whose side of chance is the `direction`; `held_out`, `low`, `high` and
    `within_position_groups` are sign-aligned with it.
    """

    score: NDArray[np.float64]
    held_out_score: NDArray[np.float64]
    overall: NDArray[np.float64]
    train: NDArray[np.float64]
    held_out: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    within_position_groups: NDArray[np.float64]
    p: NDArray[np.float64]
    tie_probability: NDArray[np.float64]


class _Judged(NamedTuple):
    """The units of a site, judged for one target.

    Attributes:
        columns: Their scores.
        estimates: Of those that have an interval, by their number in the site.
        precision: How sure scores can be for this target.
    """

    columns: _UnitFields
    estimates: dict[int, Estimate]
    precision: LabelPrecision


class _SiteResult(NamedTuple):
    """The units of a site, each judged by the class that it distinguishes most reliably.

    Attributes:
        columns: Their scores.
        classes: (n_units,) the number of that class; 0 for a label that is scored as it is.
        estimates: Of those that have an interval, by their number in the site.
        precisions: How sure scores can be, for each class.
    """

    columns: _UnitFields
    classes: NDArray[np.int64]
    estimates: dict[int, Estimate]
    precisions: list[LabelPrecision]


def assemble(
    label: RankedLabel,
    scores: Sequence[dict[Site, UnitScores]],
    units: Mapping[Site, list[Unit]],
    method: Method,
    method_scores: Mapping[Site, MethodScores] | None = None,
    shifted: Mapping[Site, Shifted] | None = None,
) -> Ranking:
    """Make a ranking of the scores of units.

    Args:
        label: The label.
        scores: For each of the label's targets the scores of each site.
        units: The units of each site.
        method: The method that orders the units.
        method_scores: Its scores; None if the AUC or r orders the units.
        shifted: p-values by circular shifts; None if there are none.
    """
    target = label.target
    results = {
        site: _judge_site(label, [by_site[site] for by_site in scores], method, (method_scores or {}).get(site))
        for site in units
    }
    columns = _UnitFields(
        *(np.concatenate(parts) for parts in zip(*(r.columns for r in results.values()), strict=True))
    )
    precisions = [precision for result in results.values() for precision in result.precisions]
    estimates: dict[int, Estimate] = {}
    first = 0
    for site, result in results.items():
        estimates |= {first + unit: estimate for unit, estimate in result.estimates.items()}
        first += len(units[site])
    has_p = not (_sees_no_class(label, method) or all(precision.no_p for precision in precisions))
    sizes = target.sizes()
    return Ranking(
        hypothesis=target.hypothesis,
        method=method.name,
        measure=measure_of(target),
        units=_in_order(
            label,
            [unit for of_site in units.values() for unit in of_site],
            columns,
            _shift_columns(shifted, units, has_p=has_p) | _evidence_columns(method_scores),
            np.concatenate([result.classes for result in results.values()]),
            estimates,
        ),
        n_train=sizes.n_train,
        n_test=sizes.n_test,
        auc_error=max(float(np.nan_to_num(by_site[site].error).max()) for by_site in scores for site in units),
        prevalence=sizes.mean if target.kind == "binary" else None,
        n_test_runs=min((p.n_runs for p in precisions if p.n_runs is not None), default=None),
        notes=(
            *label.notes,
            *_precision_notes(label, precisions, estimates.values()),
            *_method_notes(label, method, method_scores),
        ),
        sites=tuple(units),
    )


def without_scores(label: RankedLabel, units: Mapping[Site, list[Unit]]) -> Ranking:
    """Make the ranking for a label none of whose classes has enough runs: all units, without scores."""
    sizes = label.target.sizes()
    return Ranking(
        hypothesis=label.target.hypothesis,
        method="auc",
        measure="auc",
        units=tuple(_without_score(unit) for of_site in units.values() for unit in of_site),
        n_train=sizes.n_train,
        n_test=sizes.n_test,
        auc_error=0.0,
        prevalence=None,
        n_test_runs=None,
        notes=label.notes,
        sites=tuple(units),
    )


def _without_score(unit: Unit) -> RankedUnit:
    nan = math.nan
    return RankedUnit(
        unit=unit, score=nan, held_out_score=nan, overall=nan, held_out=nan, low=nan, high=nan,
        within_position_groups=nan, p=nan, q=nan, tie_probability=nan, direction=1,
    )  # fmt: skip


def measure_of(target: Target) -> str:
    """The score that every unit has for a label, whatever the method: `r` for a number, otherwise `auc`."""
    return "r" if target.kind == "numeric" else "auc"


def _chance(target: Target) -> float:
    return 0.0 if target.kind == "numeric" else 0.5


def _judge_site(
    label: RankedLabel, scores: Sequence[UnitScores], method: Method, method_scores: MethodScores | None
) -> _SiteResult:
    """Judge the units of a site for each target, and choose the most reliable class of each unit."""
    judged = [_judge(runs, of_target) for runs, of_target in zip(label.target_runs, scores, strict=True)]
    scored = judged[: label.n_scored]
    classes = surest_labels(scores[: label.n_scored], ~label.target.split.held_out_atoms)
    columns = _of_classes([of_target.columns for of_target in scored], classes)
    p_values = [of_target.columns.p for of_target in scored]
    if label.target.kind == "numeric" and method.detects_nonmonotonic:  # r does not see what the method does
        p_values = [of_target.columns.p for of_target in judged[label.n_scored :]] or [np.full(len(classes), np.nan)]
    columns = columns._replace(p=_smallest(p_values))
    if method_scores is not None:
        columns = columns._replace(score=method_scores.train, held_out_score=method_scores.held_out)
    estimates = {
        unit: estimate
        for number, of_target in enumerate(scored)
        for unit, estimate in of_target.estimates.items()
        if classes[unit] == number
    }
    return _SiteResult(columns, classes, estimates, [of_target.precision for of_target in scored])


def _judge(runs: TargetRuns, scores: UnitScores) -> _Judged:
    """Add directions, p-values and intervals to the scores of the units of a site for one target."""
    target = runs.target
    site_evidence, chance = evidence(scores.sums), _chance(target)
    precision = LabelPrecision.of(runs, scores.sums, site_evidence)
    is_below = scores.train < chance
    held_out, within_position_groups = (
        np.where(is_below, 2 * chance - part, part) for part in (scores.held_out, scores.within_position_groups)
    )
    is_slow = (site_evidence.unit_pieces < FEWEST_PIECES) | site_evidence.units_keep_levels
    signed = scores._replace(
        held_out=held_out, influence=np.where(is_below[scores.interval_units], -1, 1) * scores.influence
    )
    low, high = _intervals(target, signed, precision, is_slow)
    columns = _UnitFields(
        score=np.abs(scores.train - chance) / (1 - chance),
        held_out_score=(held_out - chance) / (1 - chance),
        overall=scores.overall,
        train=scores.train,
        held_out=held_out,
        low=low,
        high=high,
        within_position_groups=within_position_groups,
        p=np.full(len(held_out), np.nan) if precision.no_p else site_evidence.p,
        tie_probability=scores.tie_probability,
    )
    return _Judged(columns, _estimates(target, signed, precision, is_slow), precision)


def _scale(target: Target) -> Scale:
    return "fisher" if target.kind == "numeric" else "logit"


def _estimates(
    target: Target, scores: UnitScores, precision: LabelPrecision, is_slow: NDArray[np.bool_]
) -> dict[int, Estimate]:
    """Make the estimates of sign-aligned scores, by the number of the unit in the site."""
    text = f"{target.corpus_sha256} {target.selection} {target.split} {target.hypothesis}"
    return {
        unit: Estimate(
            value=float(scores.held_out[unit]),
            influence=influence,
            n_atoms=precision.n_held_out_atoms,
            n_cosines=n_cosines(precision.n_atoms),
            scale=_scale(target),
            n_runs=precision.n_runs,
            text=text,
            no_interval_reason=precision.no_interval or (TOO_SLOW if is_slow[unit] else ""),
        )
        for unit, influence in zip(scores.interval_units.tolist(), scores.influence.T, strict=True)
    }


def _intervals(
    target: Target, scores: UnitScores, precision: LabelPrecision, is_slow: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n_units,) lower and upper ends of the intervals of sign-aligned scores; NaN for units without one.

    The same as `Estimate.interval` of each unit, for all units at once.
    """
    low, high = np.full((2, len(scores.held_out)), np.nan)
    units = scores.interval_units
    if len(units) and not precision.no_interval:
        degrees_of_freedom = n_cosines(precision.n_atoms)
        errors = standard_errors(scores.influence, precision.n_held_out_atoms, degrees_of_freedom)
        values = np.where(is_slow[units], np.nan, scores.held_out[units])
        low[units], high[units] = intervals(values, errors, degrees_of_freedom, _scale(target), precision.n_runs)
    return low, high


def _of_classes(columns: Sequence[_UnitFields], classes: NDArray[np.int64]) -> _UnitFields:
    """Take for each unit the scores of one of several classes."""
    units = np.arange(len(classes))
    return _UnitFields(*(np.array(by_class)[classes, units] for by_class in zip(*columns, strict=True)))


def _smallest(p_values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(n_units,) the smallest of several p-values, times their number; NaN if there are none."""
    p = np.array(p_values)
    n_known = np.isfinite(p).sum(axis=0)
    smallest = np.where(np.isnan(p), np.inf, p).min(axis=0)
    return np.where(n_known > 0, np.minimum(np.where(n_known > 0, smallest, 1.0) * n_known, 1.0), np.nan)


def _sees_no_class(label: RankedLabel, method: Method) -> bool:
    """Return whether the method sees the bins of a number, none of which has enough runs."""
    return method.detects_nonmonotonic and label.target.kind == "numeric" and not label.frequent_classes


def _shift_columns(
    shifted: Mapping[Site, Shifted] | None, units: Mapping[Site, list[Unit]], *, has_p: bool
) -> dict[str, NDArray[np.float64]]:
    """Return (n_units,) p-values by circular shifts, by the names of their fields; NaN where there are no p-values."""
    if shifted is None:
        return {}
    fields = zip(*(shifted[site] for site in units), strict=True)
    columns = dict(zip(Shifted._fields, map(np.concatenate, fields), strict=True))
    return columns if has_p else {name: np.full(len(column), np.nan) for name, column in columns.items()}


def _evidence_columns(method_scores: Mapping[Site, MethodScores] | None) -> dict[str, NDArray[np.float64]]:
    """Return (n_units,) intervals, p- and q-values of a method's scores by their fields; nothing if it has none."""
    evidence = [scores.evidence for scores in (method_scores or {}).values() if scores.evidence is not None]
    if not evidence:
        return {}
    overall, low, high, p = (np.concatenate(parts) for parts in zip(*(each[:4] for each in evidence), strict=True))
    return {"overall_score": overall, "score_low": low, "score_high": high, "score_p": p, "score_q": q_values(p)}


def _precision_notes(
    label: RankedLabel, precisions: Sequence[LabelPrecision], estimates: Collection[Estimate]
) -> list[str]:
    """Say what makes scores uncertain."""
    notes = []
    if n_slow := sum(estimate.no_interval_reason == TOO_SLOW for estimate in estimates):
        notes.append(f"{TOO_SLOW}, as {n_slow:,} of {len(estimates):,} do")
    scored = label.targets[: label.n_scored]
    for target, precision in zip(scored, precisions, strict=False):  # the precisions of the first site
        if precision.n_runs is not None and FEWEST_RUNS <= precision.n_runs < ENOUGH_RUNS:
            what = "is True in" if label.target.kind == "binary" else "has"
            runs = f"{precision.n_runs} run{'s' if precision.n_runs != 1 else ''}"
            notes.append(
                f"{target.hypothesis} {what} only {runs} of held-out characters, so that its scores are uncertain"
            )
        notes += [sentence for sentence in (precision.no_interval, precision.no_p) if sentence]
    return notes


def _method_notes(label: RankedLabel, method: Method, method_scores: Mapping[Site, MethodScores] | None) -> list[str]:
    """Return the caveat of a method's scores, and the reason why it has no p-values."""
    by_site = {} if method_scores is None else method_scores
    notes = [note for note in dict.fromkeys(scores.note for scores in by_site.values()) if note]
    reasons = [scores.evidence.no_interval_reason for scores in by_site.values() if scores.evidence is not None]
    notes += [f"{method.name} has {reason}" for reason in dict.fromkeys(reasons) if reason]
    if _sees_no_class(label, method):
        notes.append(
            f"no p-value for {label.target.hypothesis}: no bin of it has {FEWEST_RUNS} runs held out and in training"
        )
    return notes


def _in_order(
    label: RankedLabel,
    units: list[Unit],
    columns: _UnitFields,
    more_columns: dict[str, NDArray[np.float64]],
    classes: NDArray[np.int64],
    estimates: Mapping[int, Estimate],
) -> tuple[RankedUnit, ...]:
    """Sort units by their score, and those with the same score by the distance of their AUC or r from chance."""
    chance = _chance(label.target)
    order = np.lexsort((-np.abs(columns.train - chance), -columns.score))  # NaN comes last
    fields = {
        **{name: column for name, column in columns._asdict().items() if name != "train"},
        **more_columns,
        "q": q_values(columns.p),
        "direction": np.where(columns.train < chance, -1, 1),
    }
    rows = zip(*(column[order].tolist() for column in fields.values()), strict=True)
    names, class_of_unit = label.names, classes.tolist()
    return tuple(
        RankedUnit(
            unit=units[number],
            label=names[class_of_unit[number]],
            estimate=estimates.get(number),
            **dict(zip(fields, row, strict=True)),
        )
        for number, row in zip(order.tolist(), rows, strict=True)
    )
