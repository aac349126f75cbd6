"""The objective of one probe, as far as it is known before any pass over the rows."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analyses.probing.designs.design import Basis
from analyses.probing.fitting.minimisers import Minimiser, Proximal, QuasiNewton
from analyses.probing.fitting.problems import FittedProbe, Problem, SolverOptions
from analyses.probing.fitting.responses import Response
from analyses.probing.fitting.second_order.hessians import Hessian, centred
from analyses.probing.fitting.second_order.newton import Newton
from analyses.probing.fitting.second_order.proximal_newton import ProximalNewton

Array = NDArray[np.float64]
_FINER = 1e-6
_ROUGH_PENALTY = 1e-3  # the least for each row in a rough fit, which else would be too sure where few rows decide
_LONGEST_STEP = 10.0  # of an intercept
_SMALLEST_SHARE = 1e-6  # that a class is assumed to have at the start


class Objective:
    """The function that a probe minimises, the losses of its rows and the penalty, with minimisers and Hessians for it.

    Attributes:
        problem: The problem that the objective belongs to.
        response: The labels that the probe is fitted to.
        class_weights: (n_classes,) weights of rows by their class.
        n: Total weight of the rows.
        curvature: (n_outputs,) mean second derivative by each intercept, where all weights are 0.
    """

    def __init__(self, problem: Problem, response: Response, sums: Array, n_columns: int) -> None:
        """Start from the summed weights of the rows; see `Response.sums`."""
        self.problem, self.response = problem, response
        self._sums = sums
        self._n_columns = n_columns
        self._l2 = problem.penalty * (1 - problem.l1_ratio)
        self.class_weights = np.ones(response.n_classes)
        self._loss_unit = 1.0  # the size of a loss, by which negligible losses are measured
        if response.kind == "numeric":
            self.n = float(sums[0])
            self.curvature, self._loss_unit = np.ones(1), response.variance
            self._start = np.array([sums[1] / max(self.n, 1e-300)])
            return
        counts = sums
        if problem.balanced:
            occurs = counts > 0
            self.class_weights[occurs] = counts.sum() / (occurs.sum() * counts[occurs])
        weighted = counts * self.class_weights
        self.n = float(weighted.sum())
        shares = np.clip(weighted / max(self.n, 1e-300), _SMALLEST_SHARE, 1 - _SMALLEST_SHARE)
        logs = np.log(shares)
        self._start = logs[1:] - logs[:1] if response.kind == "binary" else logs
        self.curvature = (shares * (1 - shares))[-response.n_outputs :]

    def roughly(self, share: float) -> "Objective":
        """Return the objective as expected for a share of the rows, drawn evenly, with no less than some penalty."""
        problem = replace(self.problem, penalty=max(self.problem.penalty, _ROUGH_PENALTY * self.n) * share)
        return Objective(problem, self.response, self._sums * share, self._n_columns)

    @property
    def hessian_group(self) -> tuple[object, ...]:
        """A key that objectives share whose losses have nearly the same Hessian at their minimum."""
        return self.problem.response, self.problem.rows, self.problem.balanced

    @property
    def _is_penalised(self) -> Array:
        """(n_columns + 1,) 1 for weights, and 0 for the intercept, which is not penalised."""
        return np.append(np.ones(self._n_columns), 0.0)

    @property
    def _l1(self) -> Array:
        """(n_columns + 1,) L1 penalty of each coefficient."""
        return self.problem.penalty * self.problem.l1_ratio * self._is_penalised

    def minimiser(self, basis: Basis, options: SolverOptions, start: FittedProbe | None = None) -> Minimiser:
        """Return a minimiser of the objective, at a probe, or where all weights are 0."""
        start_point = self._start_point(start)
        desired_tolerance, negligible = options.desired_tolerance, options.negligible * self._loss_unit * self.n
        if self.problem.l1_ratio > 0:
            return Proximal(start_point, self._l1, options.tolerance, desired_tolerance, negligible)
        variances = np.append(basis.variances, 1.0)[:, None]
        expected = self.n * variances * self.curvature + self._l2 * self._is_penalised[:, None]
        diagonal = np.maximum(expected, 1e-12 * self.n)  # of the Hessian, in the directions of the basis

        def solve(q: Array) -> Array:
            if basis.vectors is None:
                return centred(q / diagonal)
            weights = basis.vectors @ ((basis.vectors.T @ q[:-1]) / diagonal[:-1])
            return centred(np.vstack([weights, q[-1:] / diagonal[-1:]]))

        if self.response.kind == "numeric" and basis.vectors is not None:
            # this Hessian is exact, and the last digits cost next to nothing
            desired_tolerance, negligible = min(desired_tolerance, options.tolerance) * _FINER, 0.0
        return QuasiNewton(start_point, solve, options.tolerance, desired_tolerance, negligible)

    def newton(self, hessian: Hessian, gradient: Array) -> Newton | ProximalNewton:
        """Return Newton steps with a Hessian of the loss, measured where the loss has this gradient."""
        penalty_hessian = self._penalty_hessian(hessian, gradient)
        if self.problem.l1_ratio > 0:
            return ProximalNewton(hessian, self._l1, penalty_hessian)
        return Newton(hessian, penalty_hessian)

    def _penalty_hessian(self, hessian: Hessian, gradient: Array) -> Array:
        """(n_columns + 1, n_outputs) diagonal of the Hessian of the L2 penalty.

        Where the logits of a class are far off, its loss has next to no curvature, and steps of its intercept would
        have no end. A curvature is added that keeps them short.
        """
        diagonal = np.repeat(self._l2 * self._is_penalised[:, None], gradient.shape[1], axis=1)
        least = np.abs(gradient[-1]) / _LONGEST_STEP
        diagonal[-1] = np.where(hessian.intercept_curvatures < least, least, 0.0)
        return diagonal

    def gap_by_penalty(self, gradient: Array, intercept_curvatures: Array, longest: float) -> float:
        """Bound how far the objective can decrease, by the curvature of the L2 penalty alone.

        Args:
            gradient: (n_columns + 1, n_outputs) gradient of the objective.
            intercept_curvatures: (n_outputs,) second derivatives by the intercepts.
            longest: Length of the longest row of the design.
        """
        of_intercepts = np.abs(gradient[-1])
        of_weights = np.linalg.norm(gradient[:-1], axis=0) + longest * of_intercepts
        curvatures = np.maximum(intercept_curvatures, 1e-300)
        return float((of_weights**2).sum() / (2 * self._l2) + (of_intercepts**2 / curvatures).sum())

    def _start_point(self, start: FittedProbe | None) -> Array:
        """(n_columns + 1, n_outputs) a probe; or weights of 0 and intercepts that predict the shares of the classes."""
        if start is not None:
            return np.vstack([start.weights, start.intercept - self.response.centre])
        return np.vstack([np.zeros((self._n_columns, len(self._start))), centred(self._start[None])])

    def with_penalty(
        self, point: Array, loss: float, gradient: Array, intercept_gradient: Array
    ) -> tuple[float, Array]:
        """Add the L2 penalty to a summed loss, and to its gradient (n_columns, n_outputs), at a point."""
        value = loss + 0.5 * self._l2 * float(np.vdot(point[:-1], point[:-1]))
        return value, np.vstack([gradient + self._l2 * point[:-1], intercept_gradient])
