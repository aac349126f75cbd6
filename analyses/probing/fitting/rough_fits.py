"""Rough fits to every n-th row, which fits to all rows begin at."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.probing.designs.design import Basis, Design, SparseDesign
from analyses.probing.designs.thinned import ThinnedDesign
from analyses.probing.fitting.fit_states import FitState
from analyses.probing.fitting.hessian_schedule import HessianSchedule
from analyses.probing.fitting.loss_sums import LossSums
from analyses.probing.fitting.objectives import Objective
from analyses.probing.fitting.passes import do_pass
from analyses.probing.fitting.problems import FittedProbe, SolverOptions
from analyses.targets.row_runs import RowMask

_ROWS_PER_COLUMN = 40
_MIN_ROWS = 2000
_SPARSE = 8  # n, where every n-th row of a sparse design is taken
_LEAST = 4  # n, below which a rough fit saves less than it costs
_MAX_BYTES = 64 << 20  # of the rows that are taken
_ROUGH = SolverOptions(tolerance=2e-3, max_passes=15)


def rough_fits(
    design: Design,
    basis: Basis,
    rows: Sequence[RowMask],
    objectives: Sequence[Objective],
    weights: NDArray[np.float64] | None,
    wanted: NDArray[np.bool_],
) -> list[FittedProbe | None]:
    """Fit probes roughly, to every n-th of the wanted rows, which are kept in memory.

    This takes about as long as one or two passes over all rows, and saves five or more of them.

    Args:
        design: What the probes see.
        basis: Its principal directions.
        rows: (n_rows,) each: sets of rows that probes are fitted to.
        objectives: One for each probe.
        weights: (n_rows,) weights of the rows; None: all weigh 1.
        wanted: (n_rows,) rows that any of the probes is fitted to.

    Returns:
        A probe for each objective; None of each if the rows are too few.
    """
    n_wanted = int(wanted.sum())
    if isinstance(design, SparseDesign):
        every = _SPARSE if n_wanted > _SPARSE * _MIN_ROWS else 1
    else:
        n_kept = min(_ROWS_PER_COLUMN * design.n_columns, _MAX_BYTES // (design.dtype.itemsize * design.n_columns))
        every = n_wanted // max(n_kept, _MIN_ROWS)
    if every < _LEAST:
        return [None] * len(objectives)
    thinned = ThinnedDesign(design, wanted, every, basis)
    scaled = [objective.roughly(thinned.share) for objective in objectives]
    losses = LossSums(thinned, rows, scaled, weights, thinned.share)
    schedule = HessianSchedule(thinned, basis, losses.sampler, _ROUGH)
    fits = [FitState(number, objective, basis, _ROUGH) for number, objective in enumerate(scaled)]
    for n_passes in range(_ROUGH.max_passes):
        active = [fit for fit in fits if not (fit.minimiser.is_done or fit.minimiser.is_near)]
        if not active:
            break
        do_pass(active, n_passes, losses, schedule)
    return [fit.result for fit in fits]
