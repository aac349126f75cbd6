"""Minimisers of convex functions whose every evaluation is a pass over the data.

They have the ask-and-tell interface, so that many of them can share a pass. `ask` chooses the next `point`; the caller
evaluates the function there, and gives its value and gradient to `tell`. Between these calls the caller may give a
Hessian that was measured at the best point (`set_hessian`), and an upper bound of how far the function can still
decrease (`set_gap`).
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Solve = Callable[[Array], Array]
_N_PAIRS = 20  # steps that L-BFGS remembers
_SMALLEST_STEP = 1e-10
_SUFFICIENT_DECREASE = 1e-4  # Armijo's condition: share of the decrease that the gradient predicts
_ROUNDING = 1e-7  # relative error of sums of float32
_FINEST = 1e-14  # relative error of sums of float64
_NEAR = 10.0  # times the tolerance


class NewtonSteps(Protocol):
    """A quadratic model of a function with an L1 penalty, made of its Hessian."""

    def step(self, point: Array, gradient: Array) -> tuple[Array, float]:
        """Return the step from a point to the minimum of the model, and how far the model decreases by it."""
        ...

    def update(self, step: Array, change: Array) -> None:
        """Correct the Hessian by how the gradient changed along a step."""
        ...


class _Descent:
    """Descent with backtracking: a step is shortened until the function decreases.

    Attributes:
        best: The best point so far.
        value: The function there; infinite before the first evaluation.
        gradient: The gradient there, without the L1 penalty.
        is_solved: Whether the function cannot decrease by more than the tolerance from there.
        is_done: Whether to stop: the desired tolerance is reached, or rounding hides the rest.
        is_near: Whether the next step is expected to solve the problem, or nearly.
        point: Where to evaluate next.
        has_decreased: Whether the last evaluation became the best point, and did not go too far.
    """

    def __init__(self, start: Array, tolerance: float, desired_tolerance: float, negligible: float) -> None:
        """Begin to minimise at a point.

        Args:
            start: The first point.
            tolerance: The share of the value that the function may still be able to decrease by.
            desired_tolerance: The share that is aimed at; `tolerance`, if that is smaller.
            negligible: A decrease that is tolerated whatever the value.
        """
        self.best, self.value = start, np.inf
        self.gradient = np.zeros_like(start)
        self.is_solved = self.is_done = self.is_near = self.has_decreased = False
        self.point = start
        self._tolerance, self._negligible = tolerance, negligible
        self._desired_tolerance = min(tolerance, desired_tolerance)
        self._gap = np.inf
        self._direction = np.zeros_like(start)
        self._step, self._slope = 1.0, 0.0

    def set_gap(self, gap: float) -> None:
        """Set the upper bound of how far the function can decrease from the best point, and so `is_solved`."""
        is_rounding = self.is_solved and not gap < 0.5 * self._gap
        self._gap = gap
        self.is_solved = gap <= max(self._tolerance * abs(self.value), self._negligible)
        is_as_desired = gap <= max(self._desired_tolerance * abs(self.value), self._negligible)
        self.is_done = is_as_desired or (self.is_solved and is_rounding)

    def _decreases(self, value: float) -> bool:
        """Return True if the value at `point` is low enough; otherwise choose a point on the way there."""
        if not np.isfinite(self.value):
            return True
        allowed = self.value + _SUFFICIENT_DECREASE * self._step * self._slope
        if value <= allowed + max(min(_ROUNDING, self._desired_tolerance), _FINEST) * abs(self.value):
            return True
        self.has_decreased = False
        if self.is_solved:  # the rest is rounding
            self.is_done = True
            return False
        # the minimum of the parabola through both values
        curvature = value - self.value - self._step * self._slope
        shorter = -self._slope * self._step**2 / (2 * curvature) if np.isfinite(curvature) else 0.0
        self._step = float(np.clip(shorter, 0.1 * self._step, 0.5 * self._step))
        self.is_done = self._step < _SMALLEST_STEP
        self.point = self.best + self._step * self._direction
        return False

    def _set_direction(self, direction: Array, slope: float) -> None:
        """Let the next point be the end of a step from the best one, along which the function has a slope."""
        self._direction, self._slope, self._step = direction, slope, 1.0
        self.is_near = -0.5 * slope <= _NEAR * max(self._tolerance * abs(self.value), self._negligible)
        self.point = self.best + direction


class QuasiNewton(_Descent):
    """L-BFGS whose initial Hessian is given, as expected or as measured.

    Source:
        Nocedal 1980, Mathematics of Computation 35:773-782.
    """

    def __init__(
        self, start: Array, solve: Solve, tolerance: float, desired_tolerance: float, negligible: float
    ) -> None:
        """Begin with the inverse of the expected Hessian, as a function that multiplies; the rest as of `_Descent`."""
        super().__init__(start, tolerance, desired_tolerance, negligible)
        self._solve = solve
        self._pairs: deque[tuple[Array, Array, float]] = deque(maxlen=_N_PAIRS)
        self._scale = 1.0  # of the inverse Hessian, such that it fits the last of the pairs

    def tell(self, value: float, gradient: Array) -> None:
        """Take the value and gradient at `point`."""
        is_first = not np.isfinite(self.value)
        if not self._decreases(value):
            return
        if not is_first:
            s, y = self.point - self.best, gradient - self.gradient
            product = float(np.vdot(s, y))
            expected = float(np.vdot(y, self._solve(y)))
            if expected > 0 and product > 1e-12 * expected:
                self._pairs.append((s, y, product))
                self._scale = product / expected
        self.has_decreased = True
        self.best, self.value, self.gradient = self.point, value, gradient

    def set_hessian(self, solve: Solve) -> None:
        """Replace the initial Hessian, and forget the steps so far, which it accounts for."""
        self._solve = solve
        self._forget_pairs()

    def ask(self) -> Array:
        """Choose the next point to evaluate, from the best one, and return it."""
        direction = -self._times_inverse_hessian(self.gradient)
        self._set_direction(direction, float(np.vdot(self.gradient, direction)))
        return self.point

    def release(self) -> None:
        """Free the memory that only further steps would need."""
        self._forget_pairs()
        self._solve = lambda q: q

    def _forget_pairs(self) -> None:
        self._pairs.clear()
        self._scale = 1.0

    def _times_inverse_hessian(self, gradient: Array) -> Array:
        """Multiply the gradient by the approximate inverse Hessian, by the two-loop recursion of L-BFGS."""
        q, alphas = gradient.copy(), []
        for s, y, product in reversed(self._pairs):
            alpha = float(np.vdot(s, q)) / product
            alphas.append(alpha)
            q -= alpha * y
        q = self._scale * self._solve(q)
        for (s, y, product), alpha in zip(self._pairs, reversed(alphas), strict=True):
            q += (alpha - float(np.vdot(y, q)) / product) * s
        return q


class Proximal(_Descent):
    """Proximal Newton: Newton steps for a function plus an L1 penalty.

    Attributes:
        expected_decrease: How far the function decreases by the next step, according to its Hessian.

    Others as of `_Descent`; `value` includes the L1 penalty.

    Source:
        Lee, Sun & Saunders 2014, SIAM Journal on Optimization 24:1420-1443.
    """

    def __init__(self, start: Array, l1: Array, tolerance: float, desired_tolerance: float, negligible: float) -> None:
        """Begin at a point (n, k), with the L1 penalty (n,) of each row; the rest as of `_Descent`."""
        super().__init__(start, tolerance, desired_tolerance, negligible)
        self._l1 = l1
        self._steps: NewtonSteps | None = None
        self.expected_decrease = np.inf

    def tell(self, value: float, gradient: Array) -> None:
        """Take the value and gradient at `point`, both without the L1 penalty."""
        is_first = not np.isfinite(self.value)
        value += float(self._l1 @ np.abs(self.point).sum(axis=1))
        if not self._decreases(value):
            return
        if not is_first and self._steps is not None:
            self._steps.update(self.point - self.best, gradient - self.gradient)
        self.has_decreased = True
        self.best, self.value, self.gradient = self.point, value, gradient

    def set_hessian(self, steps: NewtonSteps) -> None:
        """Replace the Hessian, in the form of the Newton steps that it leads to."""
        self._steps = steps

    def ask(self) -> Array:
        """Choose the next point to evaluate, from the best one, and return it; the same one without a Hessian."""
        if self._steps is not None:
            step, self.expected_decrease = self._steps.step(self.best, self.gradient)
            sizes = self._l1 @ (np.abs(self.best + step) - np.abs(self.best)).sum(axis=1)
            self._set_direction(step, float(np.vdot(self.gradient, step) + sizes))
        return self.point

    def release(self) -> None:
        """Free the memory that only further steps would need."""
        self._steps = None


Minimiser = QuasiNewton | Proximal
