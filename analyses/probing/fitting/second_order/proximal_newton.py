"""Newton steps for a loss with an L1 penalty, or an elastic net."""

import numpy as np
from numpy.typing import NDArray

from analyses.probing.fitting.second_order.conjugate_gradients import conjugate_gradients
from analyses.probing.fitting.second_order.hessians import Hessian, centred
from hypotheses.kernels import compiled

Array = NDArray[np.float64]
_MAX_STEPS = 30  # of conjugate gradients where signs are fixed
_N_SWEEPS = 5  # over the coordinates, before signs are fixed
_ROUNDING = 1e-15
_FINE = 1e-7  # decrease by one sweep, relative to all sweeps before it, below which they end
_COARSE = 1e-5  # the same of one round over the classes, and of conjugate gradients
_MAX_ROUNDS = 50
_ROUNDS_OF_CLASS = 2  # for one class, in each round over the classes


class ProximalNewton:
    """The quadratic model of a loss, plus L1 and L2 penalties on its coefficients.

    Attributes:
        hessian: The Hessian of the loss alone.
        looseness: Factor by which a decrease may be underestimated because curvatures were added to the intercepts'.
    """

    def __init__(self, hessian: Hessian, l1: Array, l2: Array) -> None:
        """Add the L2 penalties to the Hessian.

        Args:
            hessian: The Hessian of the loss.
            l1: (n_columns + 1,) L1 penalties of the coefficients.
            l2: (n_columns + 1, n_outputs) a diagonal to add, as for `Newton`.
        """
        self.hessian = hessian
        self._l1, self._l2 = l1, l2
        self.looseness = hessian.looseness(l2)
        self._blocks = [
            block + np.diag(l2_of_output + hessian.rounding * np.diag(block))
            for block, l2_of_output in zip(hessian.blocks, l2.T, strict=True)
        ]

    def update(self, step: Array, change: Array) -> None:
        """Correct the Hessian of a single output by how the gradient changed along a step.

        Source:
            Broyden, Fletcher, Goldfarb and Shanno 1970; with a penalty Lee, Sun & Saunders 2014, SIAM Journal on
            Optimization 24:1420-1443.
        """
        if self.hessian.sample is not None:
            return
        [block] = self._blocks
        s, y = step[:, 0], change[:, 0]
        expected = block @ s
        product, expected_product = float(s @ y), float(s @ expected)
        if product > 1e-6 * expected_product > 0:
            self._blocks = [block + np.outer(y, y) / product - np.outer(expected, expected) / expected_product]

    def step(self, point: Array, gradient: Array) -> tuple[Array, float]:
        """Return the step to the model's minimum, and how far the model decreases by it.

        Args:
            point: (n_columns + 1, n_outputs) the coefficients.
            gradient: (n_columns + 1, n_outputs) gradient there, of the loss and the L2 penalty.
        """
        if self.hessian.sample is None:
            [block] = self._blocks
            start = point[:, 0]
            minimum = minimise_quadratic(block, gradient[:, 0] - block @ start, self._l1, start)[:, None]
            step = minimum - point
            quadratic = float(step[:, 0] @ block @ step[:, 0])
        else:
            step = self._step_of_classes(point, gradient)
            quadratic = float(np.vdot(step, self.hessian.times(step) + self._l2 * step))
        linear = float(np.vdot(gradient, step))
        return step, -(linear + 0.5 * quadratic + self._l1_size(point + step) - self._l1_size(point))

    def _l1_size(self, point: Array) -> float:
        return float(self._l1 @ np.abs(point).sum(axis=1))

    def _step_of_classes(self, point: Array, gradient: Array) -> Array:
        """Minimise the model for one class after another, until no class moves, and return the whole step."""
        sample = self.hessian.sample
        if sample is None:
            raise ValueError("the Hessian of a single output has no sample")
        rows, new = sample.rows, point.copy()
        z = np.zeros((len(rows), point.shape[1]), rows.dtype)
        total_decrease = 0.0
        for _ in range(_MAX_ROUNDS):
            decrease = 0.0
            for k, block in enumerate(self._blocks):
                change = rows.T @ self.hessian.residual_changes(z)[:, k].astype(rows.dtype)
                slope = gradient[:, k] + change + self._l2[:, k] * (new[:, k] - point[:, k])
                linear = slope - block @ new[:, k]
                of_class = minimise_quadratic(block, linear, self._l1, new[:, k], _ROUNDS_OF_CLASS)
                step = of_class - new[:, k]
                z[:, k] += rows @ step.astype(rows.dtype)
                new[:, k] = of_class
                decrease += 0.5 * float(step @ block @ step)
            total_decrease += decrease
            new = self._solve_for_signs(point, new - _common_shifts(new, self._l1, self._l2[:, 0]), gradient)
            z = rows @ (new - point).astype(rows.dtype)
            if decrease <= _COARSE * total_decrease:
                break
        return new - point

    def _solve_for_signs(self, point: Array, new: Array, gradient: Array) -> Array:
        """Go to the minimum among coefficients with the same signs, or to where the first on the way becomes 0."""
        from scipy.linalg import cho_factor, cho_solve

        free, signs = (new != 0) | (self._l1[:, None] == 0), np.sign(new)
        indices = [np.flatnonzero(free_of_class) for free_of_class in free.T]
        try:
            factors = [cho_factor(block[np.ix_(rows, rows)]) for block, rows in zip(self._blocks, indices, strict=True)]
        except np.linalg.LinAlgError:
            return new

        def level(q: Array) -> Array:  # a constant added to all intercepts changes no probability
            return np.vstack([q[:-1], centred(q[-1:])])

        def times(v: Array) -> Array:
            return level(np.where(free, self.hessian.times(v) + self._l2 * v, 0.0))

        def solve_blocks(q: Array) -> Array:
            solution = np.zeros_like(q)
            for k, (factor, rows) in enumerate(zip(factors, indices, strict=True)):
                solution[rows, k] = cho_solve(factor, q[rows, k])
            return level(solution)

        moved = new - point
        slope = gradient + self.hessian.times(moved) + self._l2 * moved + self._l1[:, None] * signs
        slope = level(np.where(free, slope, 0.0))
        step, _ = conjugate_gradients(times, solve_blocks, -slope, _MAX_STEPS, reduction=_COARSE)
        crosses_zero = (self._l1[:, None] > 0) & ((new + step) * signs < 0)
        share = float(np.min(-new[crosses_zero] / step[crosses_zero], initial=1.0))
        if share * float(np.vdot(slope, step)) + 0.5 * share**2 * float(np.vdot(step, times(step))) >= 0:  # rounding
            return new
        ends = new + share * step
        return np.where(crosses_zero & (ends * signs <= 1e-15 * np.abs(new)), 0.0, ends)


def _common_shifts(coefficients: Array, l1: Array, l2: Array) -> Array:
    """(n_columns + 1, 1) what to subtract from a coefficient of all classes at once, so that penalties are smallest.

    It changes no probability. Coefficients that are equal to it become exactly 0. Of intercepts, which are not
    penalised, it is the mean.
    """
    n = coefficients.shape[1]
    low, high = coefficients.min(axis=1), coefficients.max(axis=1)
    for _ in range(60):
        middle = (low + high) / 2
        distances = coefficients - middle[:, None]
        slope = -l1 * np.sign(distances).sum(axis=1) - l2 * distances.sum(axis=1)
        low, high = np.where(slope < 0, middle, low), np.where(slope > 0, middle, high)
        is_flat = slope == 0
        low, high = np.where(is_flat, middle, low), np.where(is_flat, middle, high)
    exact = np.sort(coefficients, axis=1)
    nearest = exact[np.arange(len(exact)), np.abs(exact - middle[:, None]).argmin(axis=1)]
    is_coefficient = np.abs(nearest - middle) <= 1e-12 * (np.abs(coefficients).max(axis=1) + 1e-300)
    middle = np.where(is_coefficient, nearest, middle)
    is_intercept = np.arange(len(l1)) == len(l1) - 1
    return np.asarray(np.where(is_intercept, coefficients.sum(axis=1) / n, middle)[:, None])


def minimise_quadratic(hessian: Array, linear: Array, l1: Array, start: Array, max_rounds: int = _MAX_ROUNDS) -> Array:
    """Minimise linear · x + ½ x · hessian · x + l1 · |x|, exactly or nearly so.

    In each round, sweeps of coordinate descent find which coordinates are 0 and the signs of the others, for which the
    equations are then solved.

    Source:
        Lee, Battle, Raina & Ng 2007, Efficient sparse coding algorithms, NIPS 19.
    """
    x, total_decrease = start.copy(), 0.0
    for _ in range(max_rounds):
        decrease = _coordinate_descent(hessian, linear, l1, x, _N_SWEEPS)
        total_decrease += decrease
        if decrease <= max(_FINE * total_decrease, _ROUNDING * abs(float(linear @ x))):
            break
        _solve_for_signs(hessian, linear, l1, x)
    return x


def _solve_for_signs(hessian: Array, linear: Array, l1: Array, x: Array) -> None:
    """Move x to the minimum among points with its signs, or to where the first coordinate on the way becomes 0."""
    from scipy.linalg import cho_factor, cho_solve

    free = np.flatnonzero((x != 0) | (l1 == 0))
    while len(free):
        x_free, signs = x[free], np.sign(x[free])
        slope = linear[free] + hessian[free] @ x + l1[free] * signs
        try:
            factor = cho_factor(hessian[np.ix_(free, free)], check_finite=False)
        except np.linalg.LinAlgError:
            return
        step = -cho_solve(factor, slope, check_finite=False)
        crosses_zero = (l1[free] > 0) & ((x_free + step) * signs < 0)
        share = float(np.min(-x_free[crosses_zero] / step[crosses_zero], initial=1.0))
        quadratic = float(step @ hessian[np.ix_(free, free)] @ step)
        if share * float(slope @ step) + 0.5 * share**2 * quadratic >= 0:  # rounding
            return
        x[free] = x_free + share * step
        if not crosses_zero.any():
            return
        zero = free[crosses_zero & ((x_free + share * step) * signs <= 1e-15 * np.abs(x_free))]
        x[zero] = 0.0
        free = free[~np.isin(free, zero)]


@compiled()
def _coordinate_descent(hessian: Array, linear: Array, l1: Array, x: Array, n_sweeps: int) -> float:
    """Minimise as `minimise_quadratic` does, coordinate by coordinate, and return the decrease by the last sweep."""
    slope = linear + hessian @ x
    decrease = 0.0
    for _ in range(n_sweeps):
        decrease = 0.0
        for j in range(len(x)):
            curvature = hessian[j, j]
            if curvature <= 0:
                continue
            unpenalised = x[j] - slope[j] / curvature
            new = np.sign(unpenalised) * max(abs(unpenalised) - l1[j] / curvature, 0.0)
            step = new - x[j]
            if step != 0:
                x[j] = new
                slope += step * hessian[j]
                decrease += 0.5 * curvature * step * step
        if decrease == 0:
            break
    return decrease
