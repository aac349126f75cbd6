"""Minimising a convex function from its values and gradients, where each evaluation is a pass over the data.

Those who minimise are asked for the next `point`, and told the value and gradient there with `tell`, so that many of
them can share a pass. Then they may be given second derivatives that were measured there, look for the next point with
`ask`, and are told with `judge` how far the function can fall, at most, from the best point so far.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Solve = Callable[[Array], Array]
_MEMORY = 20  # steps that are remembered
_SMALLEST_STEP = 1e-10
_LEAST_DESCENT = 1e-4
_ROUNDING = 1e-7  # of sums of float32
_FINEST = 1e-14  # of those of float64
_NEAR = 10.0  # times what is tolerated


class Steps(Protocol):
    """Where a function with a penalty on |coordinates| has its minimum, as far as its second derivatives tell."""

    def step(self, point: Array, gradient: Array) -> tuple[Array, float]:
        """The step there, and how far the function falls by it."""
        ...

    def update(self, step: Array, change: Array) -> None:
        """Learn how the gradient changed along a step."""
        ...


class _Descent:
    """What all who minimise have in common: steps are made shorter until the function falls.

    Attributes:
        best: The best point so far.
        value: Of the function there; infinite before the first.
        gradient: There, without a penalty on |coordinates|.
        is_solved: Whether it cannot fall by more than is tolerated from there.
        is_done: Whether no more is to be done: it is as near as was aimed at, or rounding hides what is left.
        is_near: Whether it expects to be done soon.
        point: Where to evaluate next.
        has_fallen: Whether the last evaluation was of the best point so far, and not of one too far away.
    """

    def __init__(self, start: Array, tolerance: float, desired_tolerance: float, negligible: float) -> None:
        """Of the shares of the value that are tolerated and aimed at, and what is negligible whatever the value."""
        self.best, self.value = start, np.inf
        self.gradient = np.zeros_like(start)
        self.is_solved = self.is_done = self.is_near = self.has_fallen = False
        self.point = start
        self._tolerance, self._desired_tolerance, self._negligible = (
            tolerance,
            min(tolerance, desired_tolerance),
            negligible,
        )
        self._gap = np.inf
        self._direction = np.zeros_like(start)
        self._step, self._descent = 1.0, 0.0

    def judge(self, gap: float) -> None:
        """Say how far the function can fall from the best point, at most."""
        is_rounding = self.is_solved and not gap < 0.5 * self._gap
        self._gap = gap
        self.is_solved = gap <= max(self._tolerance * abs(self.value), self._negligible)
        self.is_done = gap <= max(self._desired_tolerance * abs(self.value), self._negligible) or (
            self.is_solved and is_rounding
        )

    def _has_come_down(self, value: float) -> bool:
        """Whether it has, from the best point; where not, a shorter step comes next."""
        if not np.isfinite(self.value):
            return True
        enough = self.value + _LEAST_DESCENT * self._step * self._descent
        if value <= enough + max(min(_ROUNDING, self._desired_tolerance), _FINEST) * abs(self.value):
            return True
        self.has_fallen = False
        if self.is_solved:  # what is left is rounding
            self.is_done = True
            return False
        # where a parabola through both values has its lowest point
        curvature = value - self.value - self._step * self._descent
        shorter = -self._descent * self._step**2 / (2 * curvature) if np.isfinite(curvature) else 0.0
        self._step = float(np.clip(shorter, 0.1 * self._step, 0.5 * self._step))
        self.is_done = self._step < _SMALLEST_STEP
        self.point = self.best + self._step * self._direction
        return False

    def _go(self, direction: Array, descent: float) -> None:
        self._direction, self._descent, self._step = direction, descent, 1.0
        self.is_near = -0.5 * descent <= _NEAR * max(self._tolerance * abs(self.value), self._negligible)
        self.point = self.best + direction


class QuasiNewton(_Descent):
    """L-BFGS that begins each step with a metric, of what the second derivatives are expected to be.

    Source:
        Nocedal 1980, Mathematics of Computation 35:773-782.
    """

    def __init__(
        self, start: Array, solve: Solve, tolerance: float, desired_tolerance: float, negligible: float
    ) -> None:
        """Of the inverse of the metric, times an array; the rest as of `_Descent`."""
        super().__init__(start, tolerance, desired_tolerance, negligible)
        self._solve = solve
        self._pairs: deque[tuple[Array, Array, float]] = deque(maxlen=_MEMORY)
        self._scale = 1.0  # of what the metric makes of a gradient, as the last of the pairs has it

    def tell(self, value: float, gradient: Array) -> None:
        """Go on, given the value and gradient at `point`."""
        is_first = not np.isfinite(self.value)
        if not self._has_come_down(value):
            return
        if not is_first:
            s, y = self.point - self.best, gradient - self.gradient
            product = float(np.vdot(s, y))
            expected = float(np.vdot(y, self._solve(y)))
            if expected > 0 and product > 1e-12 * expected:
                self._pairs.append((s, y, product))
                self._scale = product / expected
        self.has_fallen = True
        self.best, self.value, self.gradient = self.point, value, gradient

    def change_metric(self, solve: Solve) -> None:
        """Go on with another metric, and without the steps so far, of which it knows."""
        self._solve = solve
        self._forget()

    def ask(self) -> None:
        """Look for the next point, from the best one."""
        direction = -self._newton(self.gradient)
        self._go(direction, float(np.vdot(self.gradient, direction)))

    def let_go(self) -> None:
        """Free what is needed only to go on."""
        self._forget()
        self._solve = lambda q: q

    def _forget(self) -> None:
        self._pairs.clear()
        self._scale = 1.0

    def _newton(self, gradient: Array) -> Array:
        """An approximation of the inverse of the second derivatives, times the gradient."""
        q, shares = gradient.copy(), []
        for s, y, product in reversed(self._pairs):
            share = float(np.vdot(s, q)) / product
            shares.append(share)
            q -= share * y
        q = self._scale * self._solve(q)
        for (s, y, product), share in zip(self._pairs, reversed(shares), strict=True):
            q += (share - float(np.vdot(y, q)) / product) * s
        return q


class Proximal(_Descent):
    """Newton steps for a function plus penalties on |coordinates|.

    Attributes:
        fall: How far the function falls by the next step, as far as the second derivatives tell.

    Others as of `_Descent`; `value` is with the penalty.

    Source:
        Lee, Sun & Saunders 2014, SIAM Journal on Optimization 24:1420-1443.
    """

    def __init__(self, start: Array, l1: Array, tolerance: float, desired_tolerance: float, negligible: float) -> None:
        """Of a start (n, k) and the penalty (n,) on |coordinates|; the rest as of `_Descent`."""
        super().__init__(start, tolerance, desired_tolerance, negligible)
        self._l1 = l1
        self._steps: Steps | None = None
        self.fall = np.inf

    def tell(self, value: float, gradient: Array) -> None:
        """Go on, given the value, without the penalty on |coordinates|, and gradient at `point`."""
        is_first = not np.isfinite(self.value)
        value += float(self._l1 @ np.abs(self.point).sum(axis=1))
        if not self._has_come_down(value):
            return
        if not is_first and self._steps is not None:
            self._steps.update(self.point - self.best, gradient - self.gradient)
        self.has_fallen = True
        self.best, self.value, self.gradient = self.point, value, gradient

    def change_metric(self, steps: Steps) -> None:
        """Go on with second derivatives that were measured anew."""
        self._steps = steps

    def ask(self) -> None:
        """Look for the next point, from the best one."""
        if self._steps is None:
            return
        step, self.fall = self._steps.step(self.best, self.gradient)
        sizes = self._l1 @ (np.abs(self.best + step) - np.abs(self.best)).sum(axis=1)
        self._go(step, float(np.vdot(self.gradient, step) + sizes))

    def let_go(self) -> None:
        """Free what is needed only to go on."""
        self._steps = None


Minimiser = QuasiNewton | Proximal
