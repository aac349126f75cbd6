"""One pass over the rows for all probes that are being fitted."""

from collections.abc import Sequence

import numpy as np

from analyses.probing.fitting.fit_states import FitState
from analyses.probing.fitting.hessian_schedule import HessianSchedule
from analyses.probing.fitting.loss_sums import LossSums
from analyses.threads import in_threads


def do_pass(active: Sequence[FitState], n_passes: int, losses: LossSums, schedule: HessianSchedule) -> None:
    """Evaluate each probe's objective at its next point, and choose the point after that."""
    points = {fit.number: fit.minimiser.point for fit in active}
    functions = [(point[:-1], point[-1]) for point in points.values()]
    expected = schedule.expected_curvatures(active, n_passes)
    sums, samples = losses.sums(list(points), functions, expected)
    finite = {
        fit.number: samples[fit.number]
        for fit, loss in zip(active, sums.losses, strict=True)
        if fit.number in samples and np.isfinite(loss)
    }
    hessians = losses.sampler.hessians(finite, points)
    for fit, loss, gradient, intercept_gradient, intercept_curvatures in zip(active, *sums, strict=True):
        fit.tell(loss, gradient, intercept_gradient, intercept_curvatures)
    schedule.distribute(active, n_passes, hessians)

    def look_ahead(fit: FitState) -> None:
        fit.look_ahead(needs_own_hessian=schedule.needs_own_hessian)

    list(in_threads(look_ahead, [fit for fit in active if fit.minimiser.has_decreased]))
    for fit in active:
        if fit.minimiser.is_done:
            fit.release()
