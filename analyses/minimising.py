"""Minimising a convex function from its values and gradients, where each evaluation is a pass over the data.

Those who minimise are asked for the next `point`, and told the value and gradient there with `take`: so that many of
them can share a pass.
"""

from collections import deque
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Solve = Callable[[Array], Array]
_MEMORY = 20  # steps that are remembered
_SMALLEST_STEP = 1e-10
_LEAST_DESCENT = 1e-4
_ROUNDING = 1e-7  # of sums of float32
_FINEST = 1e-14  # of those of float64
_SWEEPS = 1000


class QuasiNewton:
    """L-BFGS that begins each step with a metric, with steps that are made shorter until the function falls.

    Attributes:
        best: The best point so far.
        value: Of the function there, or before the last step; infinite before the first.
        is_solved: Whether it cannot fall by more than the tolerance, a share of its value, or by more than what is
            negligible, from there.
        point: Where to evaluate next.
        has_fallen: Whether the last evaluation was of the best point so far, and not of one too far away.
        solve: The inverse of the metric, of what the second derivatives are expected to be, times an array; it may be
            put in place of another one while this goes on.

    Source:
        Nocedal 1980, Mathematics of Computation 35:773-782.
    """

    def __init__(self, start: Array, solve: Solve, tolerance: float, negligible: float) -> None:
        self.best, self.value = start, np.inf
        self.is_solved = self.has_fallen = False
        self.point = start
        self.solve = solve
        self._tolerance, self._negligible = tolerance, negligible
        self._gradient = np.zeros_like(start)
        self._direction = np.zeros_like(start)
        self._step, self._descent = 1.0, 0.0
        self._pairs: deque[tuple[Array, Array, float]] = deque(maxlen=_MEMORY)
        self._scale = 1.0  # of what the metric makes of a gradient, as the last of the pairs has it

    def take(self, value: float, gradient: Array) -> None:
        """Go on, given the value and gradient at `point`."""
        if np.isfinite(self.value) and not self._falls(value):
            # where a parabola through both values has its lowest point
            curvature = value - self.value - self._step * self._descent
            shorter = -self._descent * self._step**2 / (2 * curvature) if np.isfinite(curvature) else 0.0
            self._step = float(np.clip(shorter, 0.1 * self._step, 0.5 * self._step))
            self.is_solved = self._step < _SMALLEST_STEP
            self.has_fallen = False
            self.point = self.best + self._step * self._direction
            return
        if np.isfinite(self.value):
            s, y = self.point - self.best, gradient - self._gradient
            product = float(np.vdot(s, y))
            expected = float(np.vdot(y, self.solve(y)))
            if product > 1e-12 * expected:
                self._pairs.append((s, y, product))
                self._scale = product / expected
        self.has_fallen = True
        self.best, self.value, self._gradient = self.point, value, gradient
        self._direction = -self._newton(gradient)
        self._descent = float(np.vdot(gradient, self._direction))
        self._step = 1.0
        self.is_solved = -0.5 * self._descent <= max(self._tolerance * abs(value), self._negligible)
        self.point = self.best + self._direction
        if self.is_solved:  # the last step is so small that it need not be looked at
            self.best = self.point

    def change_metric(self, solve: Solve) -> None:
        """Go on with another metric, and without the steps so far, of which it knows."""
        self.solve = solve
        self._forget()
        self._direction = -self._newton(self._gradient)
        self._descent = float(np.vdot(self._gradient, self._direction))
        self._step = 1.0
        self.point = self.best + self._direction

    def let_go(self) -> None:
        """Free what is needed only to go on."""
        self._forget()
        self.solve = lambda q: q

    def _forget(self) -> None:
        self._pairs.clear()
        self._scale = 1.0

    def _falls(self, value: float) -> bool:
        enough = self.value + _LEAST_DESCENT * self._step * self._descent
        return value <= enough + max(min(_ROUNDING, self._tolerance), _FINEST) * abs(self.value)

    def _newton(self, gradient: Array) -> Array:
        """An approximation of the inverse of the second derivatives, times the gradient."""
        q, shares = gradient.copy(), []
        for s, y, product in reversed(self._pairs):
            share = float(np.vdot(s, q)) / product
            shares.append(share)
            q -= share * y
        q = self._scale * self.solve(q)
        for (s, y, product), share in zip(self._pairs, reversed(shares), strict=True):
            q += (share - float(np.vdot(y, q)) / product) * s
        return q


class Proximal:
    """Accelerated proximal gradients in a metric that bounds the curvature, for a function plus |coordinates|.

    Attributes: as of `QuasiNewton`; `value` is with the penalty.

    Source:
        Beck & Teboulle 2009, SIAM Journal on Imaging Sciences 2:183-202; begun anew where it goes astray, after
        O'Donoghue & Candès 2015, Foundations of Computational Mathematics 15:715-732.
    """

    def __init__(self, start: Array, metric: Array, l1: Array, tolerance: float, negligible: float) -> None:
        """Of a start (n, k), the metric (n, n), which is that of each column, and the penalty (n,) on |coordinates|."""
        self.best, self.value = start, np.inf
        self.is_solved = False
        self.point = start
        self._metric, self._l1 = metric, l1
        self._tolerance, self._negligible = tolerance, negligible
        self._momentum = 1.0

    def take(self, value: float, gradient: Array) -> None:
        """Go on, given the value, without the penalty on |coordinates|, and gradient at `point`."""
        self.value = value + float(self._l1 @ np.abs(self.point).sum(axis=1))
        new = np.empty_like(self.best)
        for column in range(new.shape[1]):
            linear = gradient[:, column] - self._metric @ self.point[:, column]
            new[:, column] = _descend(self._metric, linear, self._l1, self.best[:, column].copy(), _SWEEPS)
        moved, stepped = new - self.point, new - self.best
        decrement = 0.5 * float(np.vdot(moved, self._metric @ moved))
        self.is_solved = decrement <= max(self._tolerance * abs(self.value), self._negligible)
        if float(np.vdot(self._metric @ moved, stepped)) < 0:
            self._momentum = 1.0
        following = (1 + np.sqrt(1 + 4 * self._momentum**2)) / 2
        self.point = new + (self._momentum - 1) / following * stepped
        self._momentum, self.best = following, new


Minimiser = QuasiNewton | Proximal


@njit(cache=True)
def _descend(metric: Array, linear: Array, l1: Array, start: Array, most: int) -> Array:
    """Minimise linear·x + ½ x·metric·x + l1·|x| coordinate by coordinate."""
    x = start
    slope = linear + metric @ x
    for _ in range(most):
        largest = 0.0
        for j in range(len(x)):
            curvature = metric[j, j]
            if curvature <= 0:
                continue
            middle = x[j] - slope[j] / curvature
            new = np.sign(middle) * max(abs(middle) - l1[j] / curvature, 0.0)
            step = new - x[j]
            if step != 0:
                x[j] = new
                slope += step * metric[j]
                largest = max(largest, curvature * step * step)
        if largest < 1e-12 * (1 + abs(linear @ x)):
            break
    return x
