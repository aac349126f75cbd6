"""Applying kept probes: how well do probes that were fitted elsewhere read a hypothesis here?"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from activations.blocks import Source
from activations.progress import Progress, no_progress
from activations.units import in_order
from analyses.errors import AnalysisError
from analyses.intervals.long_run import n_cosines
from analyses.probing.control_names import APPLIED_CONTROLS
from analyses.probing.controls import control_labels
from analyses.probing.designs.budgets import available_rows, available_runs, within_budget
from analyses.probing.designs.units import UnitDesign
from analyses.probing.fitting.problems import FittedProbe
from analyses.probing.folds import Folds
from analyses.probing.held_out_predictions import FittedTask, predict_held_out
from analyses.probing.kept_probes import Probe
from analyses.probing.options import DEFAULT_OPTIONS, FitOptions
from analyses.probing.results import ProbeResult
from analyses.probing.task_fits import empty_result, score_task
from analyses.probing.tasks import ProbeTask
from analyses.session import question
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.row_runs import RowRuns
from analyses.targets.splits import GAP, TEST
from analyses.targets.target import Target
from hypotheses.labels import Labels
from hypotheses.spelling import short_list


@question
def apply_probes(
    source: Source,
    probes: Probe | Sequence[Probe],
    hypothesis: AnyHypothesis | Target | None = None,
    *,
    controls: str | Collection[str] = APPLIED_CONTROLS,
    any_model: bool = False,
    options: FitOptions = DEFAULT_OPTIONS,
    progress: Progress = no_progress,
) -> list[ProbeResult]:
    """Judge kept probes on the activations of the same model at another text; nothing is fitted.

    On another text than that of a probe, all characters are held out. On the same text, the probe is judged on the
    characters that were held out when it was fitted, and so gets the scores that it got then.

    Args:
        source: A recording or live activations.
        probes: One or several; see `kept_probes.load_probes`.
        hypothesis: What they are to predict; None is what each was fitted to, by its name.
        controls: `runs`, the same probe for the runs of the labels in random order (numbers are rotated), or none. The
            other controls of `fit` are probes that have to be fitted.
        any_model: Whether the model may be another one than that of the probes, such as another checkpoint.
        options: Budget, memory, seed, and whether to keep predictions; the others are for fitting.
        progress: Called, step by step, with the amount done and an estimate of the total.

    Returns:
        A result for each probe, followed by its controls. `majority` is the accuracy of always predicting the most
        frequent class of the probe's own training.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If the source is of another model, has labels that the probe does not know, or the probe has seen
            all of this text.
    """
    several = [probes] if isinstance(probes, Probe) else list(probes)
    names = [controls] if isinstance(controls, str) else list(controls)
    for name in names:
        if name not in APPLIED_CONTROLS:
            raise AnalysisError(
                f"the control {name!r} does not apply to a kept probe; there is {', '.join(APPLIED_CONTROLS)}"
            )
    if not several:
        return []
    for probe in several:
        probe.check_model(source, any_model=any_model)
    wanted = [probe.hypothesis if hypothesis is None else hypothesis for probe in several]
    targets = {id(each): target_for(source, each) for each in wanted}
    sites = in_order(source.sites, (unit.site for probe in several for unit in probe.units))
    results = []
    with within_budget(source, sites, targets[id(wanted[0])].split, options.budget, progress) as recording:
        for number, (probe, asked) in enumerate(zip(several, wanted, strict=True)):
            results += _apply(recording, probe, targets[id(asked)], names, options)
            progress(number + 1, len(several))
    return results


def _apply(
    source: Source, probe: Probe, target: Target, controls: Sequence[str], options: FitOptions
) -> list[ProbeResult]:
    """Judge one probe, and the same for the labels of controls."""
    target = _with_classes_of(probe, target)
    is_same_text = target.corpus_sha256 == probe.text_sha256
    task = ProbeTask(target, _folds(source, probe, target, is_same_text=is_same_text), 0, trains=False)
    tasks = [task]
    memory_bytes = options.label_memory // max(1, len(controls))
    for name in controls:
        labels = control_labels(name, target, source.corpus, options.seed)
        tasks.append(ProbeTask.as_control(name, labels, task, memory_bytes))
    design = UnitDesign(
        source,
        probe.units,
        np.zeros(source.selection.n_chars, np.bool_),
        moments=(probe.mean, probe.scale),
        runs=available_runs(source),
        memory=options.memory,
    )
    function = FittedProbe(probe.weights, probe.intercept, np.nan, 0, True)
    for each in tasks:
        each.majority_classes = np.array([probe.majority_class])
    fitted = [FittedTask(each, [function]) for each in tasks if each.can_be_fitted]
    scores = iter(
        [
            score_task(of_task, predictions, probe.penalties, options)
            for of_task, predictions in zip(fitted, predict_held_out(design, fitted, options), strict=True)
        ]
    )
    return [
        _completed(next(scores), probe, each, is_same_text=is_same_text)
        if each.can_be_fitted
        else replace(empty_result(each, options), site=probe.site, control=each.control, note=each.note)
        for each in tasks
    ]


def _completed(result: ProbeResult, probe: Probe, task: ProbeTask, *, is_same_text: bool) -> ProbeResult:
    """Add to a result what the probe knows of itself.

    Where the whole text is held out, neighbouring atoms are, too, so that errors have a long-run variance.
    """
    estimates = result.estimates
    if not is_same_text:
        estimates = {
            name: replace(estimate, n_cosines=n_cosines(estimate.n_atoms), text=f"{estimate.text}, all of it")
            for name, estimate in estimates.items()
        }
    return replace(
        result,
        site=probe.site,
        units=probe.units,
        control=task.control,
        raw_weights=probe.weights / probe.scale[:, None],
        n_train=probe.n_train,
        estimates=estimates,
        probe=probe if task.control is None else None,
    )


def _folds(source: Source, probe: Probe, target: Target, *, is_same_text: bool) -> Folds:
    """Return a single fold that holds out all rows, or on the text of the probe those that it was not fitted on.

    Raises:
        AnalysisError: If it was fitted on all of the text.
    """
    folds = Folds.of(target, FitOptions(), available_rows(source))
    selection = target.selection
    if not is_same_text:
        is_held_out = folds.used
    else:
        rows = selection.rows(probe.held_out.ravel())
        starts = np.unique(np.append(0, rows))
        starts = starts[starts < selection.n_chars]
        is_inside = np.searchsorted(rows, starts, side="right") % 2 == 1
        is_held_out = RowRuns(starts, is_inside, selection.n_chars).where(folds.used, False)
        if not is_held_out.values.any():
            raise AnalysisError(
                f"the probe of {probe.hypothesis!r} has seen all of this text, so that nothing is held out; apply it "
                "to another text, or fit it without --folds, which leaves a fifth out"
            )
    parts = np.where(is_held_out.values, TEST, GAP).astype(np.int8)[None]
    all_parts = replace(is_held_out, values=parts)
    return folds._replace(parts=all_parts, inner=all_parts)


def _with_classes_of(probe: Probe, target: Target) -> Target:
    """Return the same labels with the numbers that the probe's classes have.

    Raises:
        AnalysisError: If the labels are of another kind, or of classes that the probe does not know.
    """
    if target.kind != probe.kind:
        raise AnalysisError(
            f"the probe was fitted to {probe.hypothesis!r}, which is {probe.kind}, and {target.hypothesis!r} is "
            f"{target.kind}; name a hypothesis of the same kind"
        )
    names = tuple(target.labels.names)
    if names == probe.classes:
        return target
    unknown = [name for name in names if name not in probe.classes]
    if unknown:
        raise AnalysisError(
            f"{target.hypothesis!r} has classes here that the probe does not know: {short_list(unknown)}; fit one on a "
            "text in which they occur"
        )
    numbers = np.array([probe.classes.index(name) for name in names], np.int32)
    every = slice(0, len(target.labels))
    values, missing = numbers[target.labels.values_at(every)], target.labels.missing_at(every)
    return replace(target, labels=Labels(values, "categorical", missing, probe.classes))
