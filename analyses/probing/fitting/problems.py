"""One probe among those that are fitted together: what it minimises, and what is known of that before any pass."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from analyses.probing.designs.design import Basis
from analyses.probing.fitting.curvatures import Curvature, Newton, ProximalNewton, centred
from analyses.probing.fitting.minimising import Proximal, QuasiNewton
from analyses.probing.fitting.responses import Response

Array = NDArray[np.float64]
_FINER = 1e-6
_LONGEST_STEP = 10.0  # of an intercept
_LEAST_SHARE = 1e-6  # that a class is taken to have at the start


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """A probe that is to be fitted.

    It minimises the sum of the losses of its rows, plus penalty · (l1_ratio · |weights| + (1 − l1_ratio)/2 ·
    |weights|²). The intercept is not penalised. The loss is −log p(label), in nats, or half the squared error.

    Attributes:
        response: Which of the responses.
        rows: Which of the sets of rows.
        penalty: Above 0.
        l1_ratio: From 0, an L2 penalty, to 1, an L1 penalty.
        balanced: Whether rows weigh so that all classes weigh the same.
    """

    response: int = 0
    rows: int = 0
    penalty: float = 1.0
    l1_ratio: float = 0.0
    balanced: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class FittedProbe:
    """Linear functions of the columns of a design.

    Attributes:
        weights: (n_columns, n_outputs).
        intercept: (n_outputs,) the values where all columns are 0.
        objective: What was minimised.
        n_passes: Over the rows, to find them.
        is_solved: Whether the objective can be shown not to fall by more than the tolerance.
    """

    weights: Array
    intercept: Array
    objective: float
    n_passes: int
    is_solved: bool


def check(problem: Problem) -> None:
    """Refuse a problem that has no solution.

    Raises:
        AnalysisError: If its penalty or ratio is out of range.
    """
    if not (problem.penalty > 0 and np.isfinite(problem.penalty)):
        raise AnalysisError(f"the penalty is {problem.penalty:g}; it must be a number above 0")
    if not 0 <= problem.l1_ratio <= 1:
        raise AnalysisError(f"the L1 ratio is {problem.l1_ratio:g}; it goes from 0 (only L2) to 1 (only L1)")


class Objective:
    """A problem and what its rows say of it before any pass.

    Attributes:
        n: How much its rows weigh together.
        curvature: (n_outputs,) second derivatives by the intercepts, before any pass, for each row.
    """

    def __init__(self, problem: Problem, response: Response, sums: Array, n_columns: int) -> None:
        """Of rows that weigh so much together; see `Response.sums`."""
        self.problem, self.response = problem, response
        self._n_columns = n_columns
        self._l2 = problem.penalty * (1 - problem.l1_ratio)
        self.class_weights = np.ones(response.n_classes)
        self._unit = 1.0  # of losses, beside which some are negligible
        if response.kind == "numeric":
            self.n = float(sums[0])
            self.curvature, self._unit = np.ones(1), response.variance
            self._start = np.array([sums[1] / max(self.n, 1e-300)])
            return
        counts = sums
        if problem.balanced:
            known = counts > 0
            self.class_weights[known] = counts.sum() / (known.sum() * counts[known])
        weighed = counts * self.class_weights
        self.n = float(weighed.sum())
        shares = np.clip(weighed / max(self.n, 1e-300), _LEAST_SHARE, 1 - _LEAST_SHARE)
        logs = np.log(shares)
        self._start = logs[1:] - logs[:1] if response.kind == "binary" else logs
        self.curvature = (shares * (1 - shares))[-response.n_outputs :]

    @property
    def group(self) -> tuple[object, ...]:
        """What probes have in common that have the same second derivatives, but for the penalty, or nearly so."""
        return self.problem.response, self.problem.rows, self.problem.balanced

    @property
    def _free(self) -> Array:
        """1 for coordinates that are penalised, 0 for the intercept, which is not."""
        return np.append(np.ones(self._n_columns), 0.0)

    def minimiser(self, basis: Basis, tolerance: float, desired_tolerance: float, negligible: float) -> QuasiNewton:
        """What finds its minimum, if there is no L1 penalty."""
        variances = np.append(basis.variances, 1.0)[:, None]
        metric = np.maximum(self.n * variances * self.curvature + self._l2 * self._free[:, None], 1e-12 * self.n)

        def solve(q: Array) -> Array:
            if basis.vectors is None:
                return centred(q / metric)
            weights = basis.vectors @ ((basis.vectors.T @ q[:-1]) / metric[:-1])
            return centred(np.vstack([weights, q[-1:] / metric[-1:]]))

        if self.response.kind == "numeric" and basis.vectors is not None:
            # the metric is the second derivative, and the last digits come cheap
            desired_tolerance, negligible = min(desired_tolerance, tolerance) * _FINER, 0.0
        return QuasiNewton(self._begin(), solve, tolerance, desired_tolerance, negligible * self._unit * self.n)

    def proximal(self, tolerance: float, desired_tolerance: float, negligible: float) -> Proximal:
        """What finds its minimum, if there is an L1 penalty."""
        l1 = self.problem.penalty * self.problem.l1_ratio * self._free
        return Proximal(self._begin(), l1, tolerance, desired_tolerance, negligible * self._unit * self.n)

    def newton(self, curvature: Curvature, gradient: Array) -> Newton:
        """Newton steps by second derivatives of the loss where it has a gradient, if there is no L1 penalty."""
        return Newton(curvature, self._bent(curvature, gradient))

    def proximal_newton(self, curvature: Curvature, gradient: Array) -> ProximalNewton:
        """Newton steps by second derivatives of the loss where it has a gradient, if there is an L1 penalty."""
        l1 = self.problem.penalty * self.problem.l1_ratio * self._free
        return ProximalNewton(curvature, l1, self._bent(curvature, gradient))

    def _bent(self, curvature: Curvature, gradient: Array) -> Array:
        """(n_columns + 1, n_outputs) what to add to second derivatives of the loss: those of the penalty.

        Where a class has gone far astray there is next to no curvature, and steps of its intercept would have no end.
        """
        bent = np.repeat(self._l2 * self._free[:, None], gradient.shape[1], axis=1)
        least = np.abs(gradient[-1]) / _LONGEST_STEP
        bent[-1] = np.where(curvature.totals < least, least, 0.0)
        return bent

    def gap_of_gradient(self, gradient: Array, curvatures: Array, longest: float) -> float:
        """How far the objective can fall, by what an L2 penalty alone bends it.

        Args:
            gradient: (n_columns + 1, n_outputs).
            curvatures: (n_outputs,) second derivatives by the intercepts.
            longest: Length of the longest row of the design.
        """
        of_intercept = np.abs(gradient[-1])
        of_weights = np.linalg.norm(gradient[:-1], axis=0) + longest * of_intercept
        bent = np.maximum(curvatures, 1e-300)
        return float((of_weights**2).sum() / (2 * self._l2) + (of_intercept**2 / bent).sum())

    def _begin(self) -> Array:
        return np.vstack([np.zeros((self._n_columns, len(self._start))), centred(self._start[None])])

    def penalised(self, point: Array, loss: float, gradient: Array, of_intercept: Array) -> tuple[float, Array]:
        """Value and gradient at a point, of the summed losses and their gradient (n_columns, n_outputs)."""
        value = loss + 0.5 * self._l2 * float(np.vdot(point[:-1], point[:-1]))
        return value, np.vstack([gradient + self._l2 * point[:-1], of_intercept])
