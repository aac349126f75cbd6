"""Fitting many linear probes together: probes that see the same rows share each pass over them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, no_progress
from analyses.probing.designs.design import Design
from analyses.probing.fitting.fit_states import FitState
from analyses.probing.fitting.hessian_schedule import HessianSchedule
from analyses.probing.fitting.loss_sums import LossSums
from analyses.probing.fitting.objectives import Objective
from analyses.probing.fitting.passes import do_pass
from analyses.probing.fitting.problems import DEFAULT_SOLVER, FittedProbe, Problem, SolverOptions
from analyses.probing.fitting.responses import Response
from analyses.probing.fitting.rough_fits import rough_fits
from analyses.targets.row_runs import RowMask

Array = NDArray[np.float64]
_USUAL_PASSES = 20


def fit_probes(
    design: Design,
    responses: Sequence[Response],
    rows: Sequence[RowMask],
    problems: Sequence[Problem],
    *,
    weights: Array | None = None,
    starts: Sequence[FittedProbe | None] | None = None,
    options: SolverOptions = DEFAULT_SOLVER,
    progress: Progress = no_progress,
) -> list[FittedProbe]:
    """Fit linear probes together, in the same passes over the rows.

    Each is minimised by L-BFGS, at first along the principal directions of the design, then with Hessians that are
    measured every few passes (by proximal Newton steps if there is an L1 penalty). One pass over the rows serves all
    probes. A probe is solved once its Hessian, or its L2 penalty, shows that it is.

    Args:
        design: What the probes see.
        responses: The labels that they are fitted to.
        rows: (n_rows,) each: sets of rows that they are fitted to.
        problems: A problem for each probe, which names one of the responses and one of the sets of rows.
        weights: (n_rows,) weights of the rows; None: all weigh 1.
        starts: Where to begin: for each problem a probe for the same labels, in other rows or with another penalty.
            None: at a rough fit to some of the rows, if there are many.
        options: When to stop, and what may be used on the way.
        progress: Called with the passes done and a guess of how many there will be.

    Raises:
        AnalysisError: If a penalty or ratio is out of range.
    """
    for problem in problems:
        problem.check()
    objectives = _objectives(design, responses, rows, problems, weights)
    losses = LossSums(design, rows, objectives, weights)
    basis = design.basis(losses.wanted)
    schedule = HessianSchedule(design, basis, losses.sampler, options)
    if starts is None or all(start is None for start in starts):
        starts = rough_fits(design, basis, rows, objectives, weights, losses.wanted)
    fits = [
        FitState(number, objective, basis, options, start)
        for number, (objective, start) in enumerate(zip(objectives, starts, strict=True))
    ]
    for n_passes in range(options.max_passes):
        active = [fit for fit in fits if not fit.minimiser.is_done]
        if not active:
            break
        progress(n_passes, max(_USUAL_PASSES, n_passes + 5))
        do_pass(active, n_passes, losses, schedule)
    return [fit.result for fit in fits]


def mean_losses(
    design: Design,
    responses: Sequence[Response],
    rows: Sequence[RowMask],
    problems: Sequence[Problem],
    fitted: Sequence[FittedProbe],
) -> Array:
    """(n_problems,) mean loss of each fitted probe over other rows, in nats or half squares; see `fit_probes`.

    It is NaN where none of the rows has a label.
    """
    objectives = _objectives(design, responses, rows, problems, None)
    functions = [
        (probe.weights, probe.intercept - objective.response.centre)
        for probe, objective in zip(fitted, objectives, strict=True)
    ]
    sums, _ = LossSums(design, rows, objectives, None).sums(list(range(len(problems))), functions)
    n = np.array([objective.n for objective in objectives])
    return np.asarray(np.divide(sums.losses, n, out=np.full(len(n), np.nan), where=n > 0))


def _objectives(
    design: Design,
    responses: Sequence[Response],
    rows: Sequence[RowMask],
    problems: Sequence[Problem],
    weights: Array | None,
) -> list[Objective]:
    """Set up the objective of each problem; problems with the same response and rows share the sums of these."""
    sums = {
        (response, mask): responses[response].sums(rows[mask], weights)
        for response, mask in dict.fromkeys((problem.response, problem.rows) for problem in problems)
    }
    return [
        Objective(problem, responses[problem.response], sums[problem.response, problem.rows], design.n_columns)
        for problem in problems
    ]
