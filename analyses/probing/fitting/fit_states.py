"""The state of one probe's fit between passes."""

import numpy as np
from numpy.typing import NDArray

from analyses.probing.designs.design import Basis
from analyses.probing.fitting.minimisers import Proximal, QuasiNewton
from analyses.probing.fitting.objectives import Objective
from analyses.probing.fitting.problems import FittedProbe, SolverOptions
from analyses.probing.fitting.second_order.hessians import Hessian
from analyses.probing.fitting.second_order.newton import Newton
from analyses.probing.fitting.second_order.proximal_newton import ProximalNewton

Array = NDArray[np.float64]
_LOOSENESS = 4.0  # factor by which the true Hessian may be smaller than the measured one


class FitState:
    """A probe that is being fitted.

    Attributes:
        number: Number of the probe among those that are fitted together.
        objective: What the probe minimises.
        minimiser: Chooses the points where the objective is evaluated.
        has_start: Whether it began at another probe, so that its first Hessian is already like that at its minimum.
        intercept_curvatures: (n_outputs,) second derivatives by the intercepts, at the best point.
        newton: The Hessian that was measured last, in the form of Newton steps; None before the first.
        measured_in: The pass that it was measured in.
        is_own_hessian_new: Whether it was measured in the last pass, and for this probe itself.
        n_passes: Passes so far.
    """

    def __init__(
        self, number: int, objective: Objective, basis: Basis, options: SolverOptions, start: FittedProbe | None = None
    ) -> None:
        """Begin at a probe for the same labels in other rows, or with another penalty; None: at weights of 0."""
        self.number, self.objective = number, objective
        self.minimiser = objective.minimiser(basis, options, start)
        self.has_start = start is not None
        curvature = objective.curvature if start is None or start.curvature is None else start.curvature
        self.intercept_curvatures = objective.n * curvature
        self.newton: Newton | ProximalNewton | None = None
        self.measured_in: int | None = None
        self.is_own_hessian_new = False
        self.n_passes = 0
        self._longest_row = basis.longest if basis.vectors is None else None

    def tell(self, loss: float, gradient: Array, intercept_gradient: Array, intercept_curvatures: Array) -> None:
        """Take the sums of a pass at the minimiser's point."""
        point = self.minimiser.point
        self.minimiser.tell(*self.objective.with_penalty(point, loss, gradient, intercept_gradient))
        self.n_passes += 1
        if self.minimiser.has_decreased:
            self.intercept_curvatures = intercept_curvatures

    def newton_of(self, hessian: Hessian) -> Newton | ProximalNewton:
        """Return Newton steps with a Hessian that was measured at the best point, or one that is similar."""
        return self.objective.newton(hessian, self.minimiser.gradient)

    def set_newton(self, newton: Newton | ProximalNewton) -> None:
        """Let the minimiser go on with these Newton steps."""
        self.newton = newton
        if isinstance(self.minimiser, Proximal) and isinstance(newton, ProximalNewton):
            self.minimiser.set_hessian(newton)
        elif isinstance(self.minimiser, QuasiNewton) and isinstance(newton, Newton):
            self.minimiser.set_hessian(newton.solve)

    def look_ahead(self, *, needs_own_hessian: bool) -> None:
        """Choose the next point, and find out whether the best point so far is the solution.

        Args:
            needs_own_hessian: Whether only a Hessian that was measured for this probe in this pass can show that.
        """
        self.minimiser.ask()
        self.minimiser.set_gap(self._gap(needs_own_hessian=needs_own_hessian))

    def _gap(self, *, needs_own_hessian: bool) -> float:
        """Bound how far the objective can decrease from the best point."""
        minimiser, newton = self.minimiser, self.newton
        by_penalty = np.inf
        if self._longest_row is not None:
            by_penalty = self.objective.gap_by_penalty(minimiser.gradient, self.intercept_curvatures, self._longest_row)
        if newton is None or not minimiser.is_near or (needs_own_hessian and not self.is_own_hessian_new):
            return by_penalty
        change = self.intercept_curvatures / np.maximum(newton.hessian.intercept_curvatures, 1e-300)
        looseness = _LOOSENESS / min(1.0, max(float(change.min()), 1e-300))
        if isinstance(newton, Newton):
            return min(looseness * newton.decrement(minimiser.gradient), by_penalty)
        if isinstance(minimiser, Proximal) and minimiser.expected_decrease >= 0:
            return looseness * newton.looseness * minimiser.expected_decrease
        return by_penalty  # rounding has led the step astray

    def release(self) -> None:
        """Free the memory that only further passes would need."""
        self.minimiser.release()
        self.newton = None

    @property
    def result(self) -> FittedProbe:
        """The probe at the best point so far."""
        objective, minimiser = self.objective, self.minimiser
        weights, intercept = minimiser.best[:-1], minimiser.best[-1] + objective.response.centre
        curvature = self.intercept_curvatures / max(objective.n, 1e-300)
        return FittedProbe(weights, intercept, minimiser.value, self.n_passes, minimiser.is_solved, curvature)
