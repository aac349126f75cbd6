"""Linear probes: all units of a site, any list of units, or controls that see no model, against labels."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate

from activations.blocks import Source
from activations.deprecation import renamed_keyword
from activations.progress import Progress, no_progress
from activations.site_names import AnySites, AnyUnits
from activations.units import Unit, in_order, units_of
from analyses.intervals.estimates import difference_of
from analyses.long_jobs import long_jobs
from analyses.named_parts import sites_among, units_among
from analyses.probing.control_names import CHARS, CONTEXT, POSITION, check_controls
from analyses.probing.controls import TASKS, control_labels
from analyses.probing.designs.budgets import available_runs, within_budget
from analyses.probing.designs.characters import CharacterDesign
from analyses.probing.designs.position import PositionDesign
from analyses.probing.designs.units import UnitDesign, raw_dtype
from analyses.probing.kept_probes import Probe
from analyses.probing.options import DEFAULT_OPTIONS, FitOptions
from analyses.probing.results import ProbeResult
from analyses.probing.task_fits import fit_tasks, groups_of_tasks
from analyses.probing.tasks import ProbeTask, probe_tasks, rows_in_any_fold
from analyses.session import question
from analyses.targets.labelling import ManyHypotheses, targets_for
from analyses.targets.splits import TRAIN
from analyses.targets.target import Target

LAST_CHARACTERS = (1, 5, 20)
Fit = Callable[[Progress], list[tuple[int, ProbeResult]]]
"""A function that fits the probes which see one design, and returns each result with the number of its hypothesis."""
_ORDER_OF_RESULTS = (None, *TASKS, CHARS, POSITION)


@renamed_keyword("how", "options")
@question
def fit(
    source: Source,
    hypotheses: ManyHypotheses,
    *,
    sites: AnySites | None = None,
    controls: str | Collection[str] = (),
    options: FitOptions = DEFAULT_OPTIONS,
    progress: Progress = no_progress,
) -> list[ProbeResult]:
    """Fit a linear probe for each site, and judge it on held-out characters.

    All hypotheses on a site are fitted together, in the same passes over it.

    Args:
        source: A recording or live activations. A probe needs many passes: those of a live source are kept in
            temporary files meanwhile, as many as `options.budget` allows.
        hypotheses: One or several: a name, a function, or a target made before.
        sites: The sites to fit probes for. None is all.
        controls: Some of `control_names.CONTROLS`, which describes them.
        options: How to fit and judge the probes.
        progress: Called, step by step, with the amount done and an estimate of the total.

    Returns:
        A result for each hypothesis and site, in their order; the controls of a hypothesis follow its probes.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be probed for.

    Source:
        Hupkes, Veldhoen & Zuidema 2018, Journal of Artificial Intelligence Research 61:907-926: diagnostic
        classifiers. Hewitt & Liang 2019, EMNLP: control tasks and selectivity.
    """
    chosen = sites_among(source, sites)
    designs = [units_of(source.sites, [site]) for site in chosen]
    return fit_units(source, hypotheses, designs, controls=controls, options=options, progress=progress)


@renamed_keyword("how", "options")
@question
def fit_units(
    source: Source,
    hypotheses: ManyHypotheses,
    designs: Sequence[AnyUnits],
    *,
    controls: str | Collection[str] = (),
    options: FitOptions = DEFAULT_OPTIONS,
    progress: Progress = no_progress,
) -> list[ProbeResult]:
    """Fit linear probes that see a list of units each. See `fit`."""
    controls = [controls] if isinstance(controls, str) else controls
    check_controls(controls)
    targets = targets_for(source, hypotheses, options.label_memory)
    if not targets:
        return []
    unit_lists = [units_among(source, design) for design in designs]
    sites = in_order(source.sites, (unit.site for units in unit_lists for unit in units))
    with within_budget(source, sites, targets[0].split, options.budget, progress) as recording:
        tasks = probe_tasks(recording, targets, options)
        tasks += _control_tasks(source, tasks, [name for name in TASKS if name in controls], options)
        fits: list[Fit] = [partial(_fit_design, recording, units, tasks, options) for units in reversed(unit_lists)]
        fits = [*_fits_without_model(recording, targets, controls, options), *fits]  # the longest first
        at_a_time = _designs_in_memory(recording, unit_lists, options)
        fitted = long_jobs(fits, progress, at_a_time=at_a_time)
    results = [result for of_design in reversed(fitted) for result in of_design]
    progress(1, 1)
    results.sort(key=lambda result: (result[0], _ORDER_OF_RESULTS.index(result[1].control)))
    return _with_selectivity([result for _, result in results])


@question
def fit_characters(
    source: Source,
    targets: Sequence[Target],
    n_last: int,
    options: FitOptions = DEFAULT_OPTIONS,
    progress: Progress = no_progress,
) -> list[ProbeResult]:
    """Fit probes that see the last `n_last` characters and no model: they show what the text itself encodes.

    They have an L2 penalty, whatever the penalty in `options`. See `fit`.
    """
    design = CharacterDesign(source, n_last)
    options = replace(options, l1_ratio=0.0)
    site = "last character" if n_last == 1 else f"last {n_last} characters"
    return [
        replace(result, site=site, control=CHARS, raw_weights=result.weights)
        for group in groups_of_tasks(probe_tasks(source, targets, options), options)
        for result in fit_tasks(design, group, options, progress)
    ]


@question
def fit_position(
    source: Source,
    targets: Sequence[Target],
    options: FitOptions = DEFAULT_OPTIONS,
    progress: Progress = no_progress,
) -> list[ProbeResult]:
    """Fit probes that see the position in the text alone: how well a slow unit does without knowing anything.

    They have an L2 penalty, whatever the penalty in `options`. See `fit`.
    """
    options = replace(options, l1_ratio=0.0)
    results: dict[int, ProbeResult] = {}
    tasks = probe_tasks(source, targets, options)
    for split in dict.fromkeys(target.split for target in targets):
        design = PositionDesign(source, split)
        for group in groups_of_tasks([task for task in tasks if task.target.split == split], options):
            for task, result in zip(group, fit_tasks(design, group, options, progress), strict=True):
                results[task.index] = replace(result, site=POSITION, control=POSITION, raw_weights=result.weights)
    return [results[index] for index in range(len(targets))]


def _fits_without_model(
    source: Source, targets: Sequence[Target], controls: Collection[str], options: FitOptions
) -> list[Fit]:
    """Return functions that fit the controls which see no model, the longest first."""

    def numbered(fit: Callable[[Progress], list[ProbeResult]], progress: Progress) -> list[tuple[int, ProbeResult]]:
        return list(enumerate(fit(progress)))

    numbers_of_characters = sorted(LAST_CHARACTERS, reverse=True) if CHARS in controls else ()
    fits = [partial(fit_characters, source, targets, n_last, options) for n_last in numbers_of_characters]
    if POSITION in controls:
        fits.append(partial(fit_position, source, targets, options))
    return [partial(numbered, fit) for fit in fits]


def _designs_in_memory(source: Source, unit_lists: Sequence[Sequence[Unit]], options: FitOptions) -> int:
    """Return how many of the designs may be in memory together, or 1 if one of them has to be read in every pass."""
    n_rows = sum(map(len, available_runs(source)))
    sizes = sorted(n_rows * len(units) * raw_dtype(source, units).itemsize for units in unit_lists)
    return max(1, sum(total <= options.memory for total in accumulate(reversed(sizes))))


def _control_tasks(
    source: Source, tasks: Sequence[ProbeTask], names: Sequence[str], options: FitOptions
) -> list[ProbeTask]:
    """Make the control tasks of these names for each task."""
    memory_bytes = options.label_memory // max(1, len(names) * len(tasks))
    return [
        ProbeTask.as_control(name, control_labels(name, task.target, source.corpus, options.seed), task, memory_bytes)
        for name in names
        for task in tasks
    ]


def _fit_design(
    source: Source, units: Sequence[Unit], tasks: Sequence[ProbeTask], options: FitOptions, progress: Progress
) -> list[tuple[int, ProbeResult]]:
    """Fit probes that see some units, and return each result with the number of its hypothesis."""
    results = []
    for group in groups_of_tasks(tasks, options):
        train = rows_in_any_fold(group, TRAIN)
        runs = available_runs(source)
        design = UnitDesign(source, units, train, runs=runs, memory=options.memory, progress=progress)
        for task, result in zip(group, fit_tasks(design, group, options, progress), strict=True):
            weights = result.weights
            raw_weights = weights / design.scale[:, None] if len(weights) else weights
            site = _name_of_units(source, units)
            result = replace(result, site=site, units=tuple(units), raw_weights=raw_weights, control=task.control)
            if task.control is None and task.can_be_fitted:
                result = replace(result, probe=_kept(source, design, task, result))
            results.append((task.index, result))
    return results


def _kept(source: Source, design: UnitDesign, task: ProbeTask, result: ProbeResult) -> Probe:
    """Return the probe of a result with all that it takes to use it elsewhere."""
    n_of_classes = task.n_train_of_classes
    return Probe(
        hypothesis=result.hypothesis,
        kind=result.kind,
        site=result.site,
        sites={unit.site: source.sites[unit.site] for unit in result.units},
        units=result.units,
        weights=result.weights,
        intercept=result.intercept,
        mean=design.mean,
        scale=design.scale,
        classes=tuple(task.target.labels.names),
        majority_class=int(n_of_classes.sum(axis=0).argmax()),
        held_out=task.held_out_runs,
        n_train=result.n_train,
        penalties=result.penalties,
        seed=result.seed,
        model_sha256=source.model_sha256,
        text_sha256=task.target.corpus_sha256,
    )


def _name_of_units(source: Source, units: Sequence[Unit]) -> str:
    """Return the name of a site whose units these are, or of the single unit, or their number."""
    sites = {unit.site for unit in units}
    if len(sites) == 1 and len(units) == source.sites[units[0].site]:
        return str(sites.pop())
    return str(units[0]) if len(units) == 1 else f"{len(units)} units"


def _with_selectivity(results: Sequence[ProbeResult]) -> list[ProbeResult]:
    """Add to each probe how much better it is than the same probe for labels by context."""
    by_context = {_key(result): result for result in results if result.control == CONTEXT}
    return [
        _compared(result, by_context[_key(result)]) if result.control is None and _key(result) in by_context else result
        for result in results
    ]


def _key(result: ProbeResult) -> tuple[object, ...]:
    return result.hypothesis, result.site, result.units


def _compared(result: ProbeResult, control: ProbeResult) -> ProbeResult:
    """Add the selectivity, and its interval if both scores have one."""
    name = "r2" if result.kind == "numeric" else "accuracy"
    interval = (math.nan, math.nan)
    if name in result.estimates and name in control.estimates:
        difference = difference_of(control.estimates[name], result.estimates[name])
        interval = difference.low, difference.high
    selectivity = getattr(result, name) - getattr(control, name)
    return replace(result, selectivity=selectivity, selectivity_interval=interval)
