"""Fitting the probes of several tasks that see the same design, and judging them on held-out characters."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress
from analyses.probing.designs.design import Design
from analyses.probing.fitting.joint_fits import fit_probes, mean_losses
from analyses.probing.fitting.problems import FittedProbe, Problem, SolverOptions
from analyses.probing.fitting.responses import Response
from analyses.probing.held_out_predictions import (
    FittedTask,
    HeldOutPredictions,
    memory_for_sorting,
    predict_held_out,
    sorted_bytes,
)
from analyses.probing.options import PENALTIES, FitOptions
from analyses.probing.results import ProbeResult
from analyses.probing.scoring.scores import score
from analyses.probing.tasks import ProbeTask
from analyses.targets.row_runs import RowRuns
from analyses.targets.splits import TEST, TRAIN

_CHOOSING = SolverOptions(tolerance=1e-4)  # penalties are compared less precisely than probes are fitted
_USUAL_PENALTY = 100.0  # where there is too little to choose by


class _Choice(NamedTuple):
    """A penalty, and the probe that was fitted with it when it was chosen, which the next fit begins at."""

    penalty: float
    probe: FittedProbe | None = None


def groups_of_tasks(tasks: Sequence[ProbeTask], options: FitOptions) -> Iterator[list[ProbeTask]]:
    """Yield as many tasks at a time as there is memory for sorting their held-out predictions."""
    group: list[ProbeTask] = []
    n_bytes = 0
    for task in tasks:
        if group and n_bytes + sorted_bytes(task) > memory_for_sorting(options):
            yield group
            group, n_bytes = [], 0
        group.append(task)
        n_bytes += sorted_bytes(task)
    if group:
        yield group


def fit_tasks(design: Design, tasks: Sequence[ProbeTask], options: FitOptions, progress: Progress) -> list[ProbeResult]:
    """Fit the probes of all tasks and folds together, and judge them.

    Returns:
        A result for each task, whose site, units, control and raw weights are still to be filled in.
    """
    can_be_fitted = [task for task in tasks if task.can_be_fitted]
    if options.penalty is None:
        chosen = _choose_penalties(design, can_be_fitted, options, progress)
    else:
        chosen = [[_Choice(options.penalty)] * task.folds.n_folds for task in can_be_fitted]
    fitted = _fit_folds(design, can_be_fitted, chosen, options, progress)
    penalties = [tuple(choice.penalty for choice in of_task) for of_task in chosen]
    predictions = predict_held_out(design, fitted, options)
    judged = iter(
        [
            score_task(of_task, of_task_predictions, of_task_penalties, options)
            for of_task, of_task_predictions, of_task_penalties in zip(fitted, predictions, penalties, strict=True)
        ]
    )
    return [
        next(judged) if task.can_be_fitted else replace(empty_result(task, options), note=task.note) for task in tasks
    ]


def _fit_folds(
    design: Design,
    tasks: Sequence[ProbeTask],
    chosen: "Sequence[Sequence[_Choice]]",
    options: FitOptions,
    progress: Progress,
) -> list[FittedTask]:
    """Fit a probe for each task and fold, with these penalties."""
    if not tasks:
        return []
    masks, first_mask = _masks(tasks, [task.folds.parts.are(TRAIN) for task in tasks])
    problems = [
        _problem(options, number, first_mask[id(task.folds)] + fold, choice.penalty)
        for number, task in enumerate(tasks)
        for fold, choice in enumerate(chosen[number])
    ]
    starts = [choice.probe for of_task in chosen for choice in of_task]
    responses = [task.response for task in tasks]
    probes = iter(fit_probes(design, responses, masks, problems, starts=starts, progress=progress))
    return [FittedTask(task, [next(probes) for _ in range(task.folds.n_folds)]) for task in tasks]


def _choose_penalties(
    design: Design, tasks: Sequence[ProbeTask], options: FitOptions, progress: Progress
) -> "list[list[_Choice]]":
    """Choose a penalty for each task and fold: the best on stretches held out within the training part."""
    responses = [task.response for task in tasks]
    train, first_mask = _masks(tasks, [task.folds.inner.are(TRAIN) for task in tasks])
    test, _ = _masks(tasks, [task.folds.inner.are(TEST) for task in tasks])
    chosen = [[_Choice(_USUAL_PENALTY)] * task.folds.n_folds for task in tasks]
    choices, problems = [], []
    for number, task in enumerate(tasks):
        for fold in range(task.folds.n_folds):
            rows = first_mask[id(task.folds)] + fold
            if task.response.has_two(train[rows]) and task.response.has_any(test[rows]):
                choices.append((number, fold))
                problems += [_problem(options, number, rows, penalty) for penalty in PENALTIES]
    if problems:
        probes = fit_probes(design, responses, train, problems, options=_CHOOSING, progress=progress)
        losses = mean_losses(design, responses, test, problems, probes).reshape(-1, len(PENALTIES))
        for n_before, ((number, fold), best) in enumerate(zip(choices, losses.argmin(axis=1).tolist(), strict=True)):
            chosen[number][fold] = _Choice(PENALTIES[best], probes[n_before * len(PENALTIES) + best])
    return chosen


def _problem(options: FitOptions, response: int, rows: int, penalty: float) -> Problem:
    return Problem(response=response, rows=rows, penalty=penalty, l1_ratio=options.l1_ratio, balanced=options.balanced)


def _masks(tasks: Sequence[ProbeTask], masks: Sequence[RowRuns]) -> tuple[list[RowRuns], dict[int, int]]:
    """Collect the masks of all folds, those of tasks that share their folds once.

    Returns:
        The masks, and the number of the first one of each task, by the id of its folds.
    """
    masks_of_folds: list[RowRuns] = []
    first_mask: dict[int, int] = {}
    for task, masks_of_task in zip(tasks, masks, strict=True):
        if id(task.folds) not in first_mask:
            first_mask[id(task.folds)] = len(masks_of_folds)
            masks_of_folds += masks_of_task.along_first_axis()
    return masks_of_folds, first_mask


def score_task(
    fitted: FittedTask, predictions: HeldOutPredictions, penalties: tuple[float, ...], options: FitOptions
) -> ProbeResult:
    """Score the probes of a task by their held-out predictions."""
    task, probes = fitted
    scores = score(predictions.sums, predictions.rankings, task.cells, task.context, predictions.training_noise)
    values: dict[str, Any] = dict(scores.values)
    if task.response.kind != "numeric":
        values["majority_accuracy"] = predictions.sums.share_of(task.folds.fold_of_atoms, task.majority_classes)
    if predictions.outputs is not None:
        outputs = np.full((len(task.target.labels), predictions.outputs.shape[1]), np.nan, np.float32)
        outputs[task.target.used] = predictions.outputs
        values["predictions"] = _predicted(outputs, task.response)
        values["logits"] = None if task.response.kind == "numeric" else outputs
    return replace(
        empty_result(task, options),
        **values,
        estimates=scores.estimates,
        aucs=dict(zip(task.target.labels.names, scores.auc_of_classes.tolist(), strict=False)),
        weights=np.mean([probe.weights for probe in probes], axis=0),
        intercept=np.mean([probe.intercept for probe in probes], axis=0),
        penalties=penalties,
        n_train=round(task.n_train),
        n_test=int(task.n_tests.sum()),
        n_passes=max(probe.n_passes for probe in probes),
        note=_note(task, probes),
    )


def _note(task: ProbeTask, probes: Sequence[FittedProbe]) -> str:
    """Say what makes the scores of a task uncertain."""
    notes = [task.note] if task.note else []
    if not all(probe.is_solved for probe in probes):
        n_passes = max(probe.n_passes for probe in probes)
        notes.append(f"not converged in {n_passes} passes; use a larger penalty")
    return "; ".join(notes)


def empty_result(task: ProbeTask, options: FitOptions) -> ProbeResult:
    """Return a result without scores, of a design that is still to be named."""
    return ProbeResult(
        hypothesis=task.target.hypothesis,
        kind=task.target.kind,
        site="",
        n_chars=len(task.folds.atom),
        n_used=task.folds.n_used,
        options=options,
    )


def _predicted(outputs: NDArray[np.float32], response: Response) -> NDArray[np.float32]:
    """(n_chars, n_outputs) probabilities, or numbers, that belong to the outputs of a probe."""
    from scipy.special import expit, softmax

    if response.kind == "numeric":
        return np.asarray(outputs + response.centre, np.float32)
    return np.asarray(expit(outputs) if response.kind == "binary" else softmax(outputs, axis=1), np.float32)
