"""Linear probes: all units of a site, any list of units, or the last characters, against labels."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Progress, no_progress
from activations.site_names import AnySites, AnyUnits
from activations.units import Unit, in_order, units_of
from analyses.errors import AnalysisError
from analyses.intervals.estimates import difference_of
from analyses.named_parts import sites_among, units_among
from analyses.probing.controls import CONTEXT, TASKS, control_labels
from analyses.probing.designs.budgets import rows_given, within_budget
from analyses.probing.designs.characters import CharacterDesign
from analyses.probing.designs.design import Design, UnitDesign
from analyses.probing.designs.position import PositionDesign
from analyses.probing.fitting.joint_fits import fit_probes, mean_losses
from analyses.probing.fitting.problems import Linear, Problem
from analyses.probing.fitting.responses import Response
from analyses.probing.labels import Asked, in_any, with_folds
from analyses.probing.listening import RANKED_BYTES, RANKING_BYTES, Fitted, Heard, hear
from analyses.probing.results import DEFAULT, PENALTIES, Fitting, ProbeResult
from analyses.probing.scores import score
from analyses.session import question
from analyses.targets.labelling import ManyHypotheses, targets_for
from analyses.targets.row_runs import RowRuns
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target

LAST_CHARACTERS = (1, 5, 20)
CHARS, POSITION = "chars", "position"
CONTROLS = (CHARS, POSITION, *TASKS)
_CHOOSING_TOLERANCE = 1e-4
_USUAL_PENALTY = 100.0  # where there is too little to choose by


@question
def fit(
    source: Source,
    hypotheses: ManyHypotheses,
    *,
    sites: AnySites | None = None,
    controls: str | Collection[str] = (),
    how: Fitting = DEFAULT,
    progress: Progress = no_progress,
) -> list[ProbeResult]:
    """Fit a linear probe for each site, and judge it on held-out characters.

    All hypotheses on a site are fitted together, in the same passes over it.

    Args:
        source: A recording or live activations. A probe needs many passes: those of a live source are kept in
            temporary files meanwhile, as many as `how.budget` allows.
        hypotheses: One or several: a name, a function, or a target made before.
        sites: Where to look; None is everywhere.
        controls: Some of `CONTROLS`: `chars`, the same on the last 1, 5 and 20 characters, without the model;
            `position`, on the place in the text alone: its eighth, the place in the document, and its logarithm;
            `context`, labels drawn at random for each context of three characters, and `runs`, runs as long as those
            of the labels in random order, both on the same sites.
        how: How to fit and judge them.
        progress: Called, step by step, with what is done and a guess of how much there is to do.

    Returns:
        A result for each hypothesis and site, in their order, and behind those of a hypothesis its controls.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be probed for.

    Source:
        Hupkes, Veldhoen & Zuidema 2018, Journal of Artificial Intelligence Research 61:907-926: diagnostic
        classifiers. Hewitt & Liang 2019, EMNLP: control tasks and selectivity.
    """
    chosen = sites_among(source, sites)
    designs = [units_of(source.sites, [site]) for site in chosen]
    return fit_units(source, hypotheses, designs, controls=controls, how=how, progress=progress)


@question
def fit_units(
    source: Source,
    hypotheses: ManyHypotheses,
    designs: Sequence[AnyUnits],
    *,
    controls: str | Collection[str] = (),
    how: Fitting = DEFAULT,
    progress: Progress = no_progress,
) -> list[ProbeResult]:
    """Fit linear probes that each see a list of units of their own. See `fit`."""
    controls = [controls] if isinstance(controls, str) else controls
    for name in controls:
        if name not in CONTROLS:
            raise AnalysisError(f"there is no control {name!r}; there are {', '.join(CONTROLS)}")
    targets = targets_for(source, hypotheses)
    if not targets:
        return []
    unit_lists = [units_among(source, design) for design in designs]
    last = LAST_CHARACTERS if CHARS in controls else ()
    sites = in_order(source.sites, (unit.site for units in unit_lists for unit in units))
    found: list[tuple[int, int, ProbeResult]] = []
    with within_budget(source, sites, targets[0].split, how.budget, progress) as recording:
        labels = with_folds(recording, targets, how)
        asked = list(labels)
        tasks = [name for name in TASKS if name in controls]
        for name in tasks:
            for each in labels:
                made = control_labels(name, each.target, source.corpus, how.seed)
                asked.append(Asked.as_control(name, made, each, len(tasks) * len(labels)))
        for step, units in enumerate(unit_lists):
            forward = partial(_forward, progress, step, len(designs) + len(last))
            for group in _groups(asked, how):
                train = in_any(group, TRAIN)
                given = rows_given(recording)
                design = UnitDesign(recording, units, train, given=given, memory=how.memory, progress=forward)
                for each, result in zip(group, _fit(design, group, how, forward), strict=True):
                    raw = result.weights / design.scale[:, None] if len(result.weights) else result.weights
                    own = replace(
                        result, site=_name(source, units), units=tuple(units), raw_weights=raw, control=each.control
                    )
                    found.append((each.place, 1 + CONTROLS.index(each.control) if each.control else 0, own))
        for step, n_last in enumerate(last, len(designs)):
            forward = partial(_forward, progress, step, len(designs) + len(last))
            by_characters = fit_characters(recording, targets, n_last, how, forward)
            found += [(place, len(CONTROLS) + 1, each) for place, each in enumerate(by_characters)]
        if POSITION in controls:
            found += [
                (place, len(CONTROLS) + 2, each) for place, each in enumerate(fit_position(recording, targets, how))
            ]
    progress(1, 1)
    return _with_selectivity([result for *_, result in sorted(found, key=lambda each: each[:2])])


@question
def fit_characters(
    source: Source,
    targets: Sequence[Target],
    n_last: int,
    how: Fitting = DEFAULT,
    progress: Progress = no_progress,
) -> list[ProbeResult]:
    """Fit probes that see the last so many characters of the text, and no model: what the text itself gives away.

    They have an L2 penalty, whatever `how` asks for. See `fit`.
    """
    design = CharacterDesign(source, n_last)
    site = "last character" if n_last == 1 else f"last {n_last} characters"
    return [
        replace(result, site=site, control=CHARS, raw_weights=result.weights)
        for group in _groups(with_folds(source, targets, how), how)
        for result in _fit(design, group, replace(how, l1_ratio=0.0), progress)
    ]


@question
def fit_position(
    source: Source,
    targets: Sequence[Target],
    how: Fitting = DEFAULT,
    progress: Progress = no_progress,
) -> list[ProbeResult]:
    """Fit probes that see the place in the text alone: what a slow unit tells without knowing anything.

    They have an L2 penalty, whatever `how` asks for. See `fit`.
    """
    own = replace(how, l1_ratio=0.0)
    found: list[ProbeResult | None] = [None] * len(targets)
    for split in dict.fromkeys(each.split for each in targets):
        design = PositionDesign(source, split)
        for group in _groups([each for each in with_folds(source, targets, how) if each.target.split == split], how):
            for each, result in zip(group, _fit(design, group, own, progress), strict=True):
                found[each.place] = replace(result, site=POSITION, control=POSITION, raw_weights=result.weights)
    return [each for each in found if each is not None]


def _groups(asked: Sequence[Asked], how: Fitting) -> Iterator[list[Asked]]:
    """So many at a time that what probes say of held-out characters fits in memory."""
    group: list[Asked] = []
    n_bytes = 0
    for each in asked:
        own = RANKED_BYTES * each.response.n_scores * int(each.n_tests.sum())
        if group and n_bytes + own > min(RANKING_BYTES, how.memory):
            yield group
            group, n_bytes = [], 0
        group.append(each)
        n_bytes += own
    if group:
        yield group


def _forward(progress: Progress, step: int, n_steps: int, done: int, total: int) -> None:
    progress(int(1000 * (step + min(done / max(total, 1), 1.0))), 1000 * n_steps)


def _name(source: Source, units: Sequence[Unit]) -> str:
    sites = {unit.site for unit in units}
    if len(sites) == 1 and len(units) == source.sites[units[0].site]:
        return str(sites.pop())
    return str(units[0]) if len(units) == 1 else f"{len(units)} units"


def _fit(design: Design, asked: Sequence[Asked], how: Fitting, progress: Progress) -> list[ProbeResult]:
    """Fit all probes of a design together, and judge them."""
    able = [each for each in asked if each.can_be_fitted]
    responses = [each.response for each in able]
    if how.penalty is None:
        penalties = _choose(design, able, how, progress)
    else:
        penalties = [[how.penalty] * each.folds.n_folds for each in able]
    masks, place = _masks(able, [each.folds.parts.are(TRAIN) for each in able])
    problems = [
        _problem(how, number, place[id(each.folds)] + fold, penalty)
        for number, each in enumerate(able)
        for fold, penalty in enumerate(penalties[number])
    ]
    fitted = iter(fit_probes(design, responses, masks, problems, progress=progress) if able else [])
    own = [[next(fitted) for _ in range(each.folds.n_folds)] for each in able]
    said = hear(design, [Fitted(each, linears) for each, linears in zip(able, own, strict=True)], how)
    judged = iter(
        [
            _judged(each, linears, heard, tuple(penalty), how)
            for each, linears, heard, penalty in zip(able, own, said, penalties, strict=True)
        ]
    )
    return [next(judged) if each.can_be_fitted else _result(each, note=each.note) for each in asked]


def _choose(design: Design, asked: Sequence[Asked], how: Fitting, progress: Progress) -> list[list[float]]:
    """The penalty for each label and fold that does best on stretches that are held out within the training part."""
    responses = [each.response for each in asked]
    train, place = _masks(asked, [each.folds.inner.are(TRAIN) for each in asked])
    test, _ = _masks(asked, [each.folds.inner.are(TEST) for each in asked])
    chosen = [[_USUAL_PENALTY] * each.folds.n_folds for each in asked]
    cases, problems = [], []
    for number, each in enumerate(asked):
        for fold in range(each.folds.n_folds):
            rows = place[id(each.folds)] + fold
            if each.response.has_two(train[rows]) and each.response.has_any(test[rows]):
                cases.append((number, fold))
                problems += [_problem(how, number, rows, penalty) for penalty in PENALTIES]
    if problems:
        fitted = fit_probes(design, responses, train, problems, tolerance=_CHOOSING_TOLERANCE, progress=progress)
        losses = mean_losses(design, responses, test, problems, fitted).reshape(-1, len(PENALTIES))
        for (number, fold), best in zip(cases, losses.argmin(axis=1), strict=True):
            chosen[number][fold] = PENALTIES[best]
    return chosen


def _problem(how: Fitting, response: int, rows: int, penalty: float) -> Problem:
    return Problem(response=response, rows=rows, penalty=penalty, l1_ratio=how.l1_ratio, balanced=how.balanced)


def _masks(asked: Sequence[Asked], masks: Sequence[RowRuns]) -> tuple[list[RowRuns], dict[int, int]]:
    """The masks of different folds, one after another, and where those of each begin."""
    found: list[RowRuns] = []
    place: dict[int, int] = {}
    for each, own in zip(asked, masks, strict=True):
        if id(each.folds) not in place:
            place[id(each.folds)] = len(found)
            found += own.along_first_axis()
    return found, place


def _judged(
    each: Asked, fitted: Sequence[Linear], heard: Heard, penalties: tuple[float, ...], how: Fitting
) -> ProbeResult:
    """The result of the probes of a label."""
    found = score(heard.sums, heard.ranks, each.cells, each.precision, heard.by_accident)
    values: dict[str, Any] = dict(found.values)
    if each.response.kind != "numeric":
        values["majority"] = heard.sums.share_of(each.folds.fold_of_atoms, each.usual)
    notes = [each.note] if each.note else []
    n_passes = max(linear.n_passes for linear in fitted)
    if not all(linear.is_solved for linear in fitted):
        notes.append(f"not converged in {n_passes} passes; use a larger penalty")
    predictions, logits = None, None
    if heard.said is not None:
        on_text = np.full((len(each.target.labels), heard.said.shape[1]), np.nan, np.float32)
        on_text[each.target.used] = heard.said
        predictions = _probabilities(on_text, each.response)
        logits = None if each.response.kind == "numeric" else on_text
    return _result(
        each,
        **values,
        estimates=found.estimates,
        aucs=dict(zip(each.target.labels.names, found.of_classes.tolist(), strict=False)),
        weights=np.mean([linear.weights for linear in fitted], axis=0),
        intercept=np.mean([linear.intercept for linear in fitted], axis=0),
        penalties=penalties,
        n_train=round(each.n_train),
        n_test=int(each.n_tests.sum()),
        n_passes=n_passes,
        note="; ".join(notes),
        predictions=predictions,
        logits=logits,
    )


def _result(each: Asked, **found: Any) -> ProbeResult:
    return ProbeResult(
        hypothesis=each.target.hypothesis,
        kind=each.target.kind,
        site="",
        n_chars=len(each.folds.atom),
        n_used=each.folds.n_used,
        **found,
    )


def _probabilities(said: NDArray[np.float32], response: Response) -> NDArray[np.float32]:
    from scipy.special import expit, softmax

    if response.kind == "numeric":
        return np.asarray(said + response.middle, np.float32)
    return np.asarray(expit(said) if response.kind == "binary" else softmax(said, axis=1), np.float32)


def _with_selectivity(results: Sequence[ProbeResult]) -> list[ProbeResult]:
    """With how much better each probe does than the same one does for labels by context."""
    by_context = {(each.hypothesis, each.site, each.units): each for each in results if each.control == CONTEXT}
    found = []
    for each in results:
        control = by_context.get((each.hypothesis, each.site, each.units))
        name = "r2" if each.kind == "numeric" else "accuracy"
        if each.control is None and control is not None:
            more, interval = getattr(each, name) - getattr(control, name), (math.nan, math.nan)
            if name in each.estimates and name in control.estimates:
                paired = difference_of(control.estimates[name], each.estimates[name])
                interval = paired.low, paired.high
            each = replace(each, selectivity=more, selectivity_interval=interval)
        found.append(each)
    return found
