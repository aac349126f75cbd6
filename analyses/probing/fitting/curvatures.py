"""Second derivatives of the summed loss of a probe, as measured at some rows or all, and Newton steps by them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import softmax

Array = NDArray[np.float64]
Times = Callable[[Array], Array]
_MOST_SIGNED = 30  # of them where signs are fixed
_MOST_STEPS = 500  # of conjugate gradients
_PRECISION = 0.1  # of what they say of how far a function can fall
_SWEEPS = 5
_ROUNDING = 1e-15
_FINE = 1e-7  # of what a sweep makes a function fall by, beside all sweeps before it
_COARSE = 1e-5  # the same of a round over the classes
_MOST_ROUNDS = 50
_ROUNDS_OF_CLASS = 2  # in each round over them


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows (n, n_columns + 1), the last column 1, and how much each weighs (n,)."""

    rows: NDArray[Any]
    weights: Array


@dataclass(frozen=True, eq=False)
class Curvature:
    """The second derivatives of a summed loss.

    Attributes:
        blocks: For each score, those by its own coefficients: (n_columns + 1, n_columns + 1).
        sample: Rows of which they are made, if there are several classes: these are bound to each other.
        shares: (n, n_classes) the probabilities of the classes in these.
        rounding: Of the blocks, relative to their diagonals.
    """

    blocks: Sequence[Array]
    sample: Sample | None
    shares: Array | None
    rounding: float

    @cached_property
    def totals(self) -> Array:
        """(n_outputs,) the second derivatives by the intercepts."""
        return np.array([block[-1, -1] for block in self.blocks])

    def times(self, v: Array) -> Array:
        """The second derivatives times coefficients (n_columns + 1, n_outputs)."""
        if self.sample is None or self.shares is None:
            return np.column_stack([block @ v[:, k] for k, block in enumerate(self.blocks)])
        z = self.sample.rows @ v.astype(self.sample.rows.dtype)
        return np.asarray(self.sample.rows.T @ self.slopes(z).astype(z.dtype), np.float64)

    def slopes(self, z: NDArray[Any]) -> Array:
        """(n, n_classes) how the residuals of the sample change with logits that change by z."""
        if self.sample is None or self.shares is None:
            raise ValueError("one score has no sample")
        mean = (self.shares * z).sum(axis=1, keepdims=True)
        return np.asarray(self.sample.weights[:, None] * self.shares * (z - mean))


def of_score(sample: Sample) -> Curvature:
    """That of a single score, of rows that weigh as much as their own second derivatives."""
    return Curvature([_products(sample.rows, sample.weights)], None, None, _rounding(sample))


def of_products(products: Array) -> Curvature:
    """That of a single score, of sums of products of the columns of all rows, which weigh as above."""
    return Curvature([products], None, None, 10 * float(np.finfo(products.dtype).eps))


def of_classes(sample: Sample, point: Array) -> Curvature:
    """That of several classes, at coefficients (n_columns + 1, n_classes)."""
    shares = softmax(sample.rows @ point.astype(sample.rows.dtype), axis=1).astype(np.float64)
    blocks = [_products(sample.rows, sample.weights * share * (1 - share)) for share in shares.T]
    return Curvature(blocks, sample, shares, _rounding(sample))


def _products(rows: NDArray[Any], weights: Array) -> Array:
    """(n_columns, n_columns) the sums of products of columns, in rows that weigh so much."""
    x = rows * np.sqrt(weights).astype(rows.dtype)[:, None]
    return np.asarray(x.T @ x, np.float64)


def _rounding(sample: Sample) -> float:
    return 10 * float(np.finfo(sample.rows.dtype).eps)


class Newton:
    """The inverse of the second derivatives of a loss and an L2 penalty.

    Attributes:
        curvature: That of the loss.
    """

    def __init__(self, curvature: Curvature, l2: Array) -> None:
        """Of the penalty (n_columns + 1, n_outputs) of each coefficient; what is added to intercepts is no penalty."""
        from scipy.linalg import cho_factor

        self.curvature = curvature
        self._l2, self._factors = l2, []
        self._looseness = added_to_intercepts(curvature, l2)
        for block, own_l2 in zip(curvature.blocks, l2.T, strict=True):
            diagonal, rounding = np.maximum(np.diag(block), 1e-12 * max(float(np.diag(block).max()), 1e-300)), 0.0
            rounding = curvature.rounding
            while True:
                added = rounding * diagonal
                try:
                    whole = np.array(block.T, order="F")  # as the library wants it; it is the same either way
                    np.einsum("ii->i", whole)[:] += own_l2 + added
                    self._factors.append(cho_factor(whole, overwrite_a=True, check_finite=False))
                    break
                except np.linalg.LinAlgError:
                    rounding *= 10
            weak = added[:-1] / np.maximum(own_l2[:-1], 1e-300)
            self._looseness = max(self._looseness, 1 + float(weak.max(initial=0)))

    def solve(self, q: Array) -> Array:
        """The inverse, times (n_columns + 1, n_outputs)."""
        return self._solve(q)[0]

    def decrement(self, gradient: Array) -> float:
        """How far a function with these second derivatives can fall, at most, where it has a gradient."""
        step, rest = self._solve(gradient)
        return 0.5 * self._looseness * (float(np.vdot(gradient, step)) + rest)

    def _solve(self, q: Array) -> tuple[Array, float]:
        """The inverse times q, and how much more than what this says q · inverse · q may be."""
        if self.curvature.sample is None:
            return self._by_blocks(q), 0.0
        return self._by_conjugate_gradients(centred(q))

    def _by_blocks(self, q: Array) -> Array:
        from scipy.linalg import cho_solve

        return np.column_stack(
            [cho_solve(factor, q[:, k], check_finite=False) for k, factor in enumerate(self._factors)]
        )

    def _by_conjugate_gradients(self, q: Array) -> tuple[Array, float]:
        """Classes are bound to each other: where one is rare, the blocks alone are far from all derivatives.

        Source:
            Hestenes & Stiefel 1952, Journal of Research of the National Bureau of Standards 49:409-436.
        """
        found, rest = np.zeros_like(q), q.copy()
        own = centred(self._by_blocks(rest))
        along, product = own, float(np.vdot(rest, own))
        of_intercepts = (self.curvature.totals + self._l2[-1]).min()
        strength = np.maximum(np.append(self._l2[:-1, 0], of_intercepts), 1e-300)[:, None]
        missed = float((rest**2 / strength).sum())
        for _ in range(_MOST_STEPS):
            if product <= 0 or missed <= _PRECISION * float(np.vdot(q, found)):
                break
            of_step = centred(self.curvature.times(along)) + centred(self._l2 * along)
            bent = float(np.vdot(along, of_step))
            if bent <= 0:
                break
            found = found + product / bent * along
            rest = rest - product / bent * of_step
            missed = float((rest**2 / strength).sum())
            own = centred(self._by_blocks(rest))
            following = float(np.vdot(rest, own))
            along, product = own + following / product * along, following
        return found, missed


def centred(coefficients: Array) -> Array:
    """Without what is the same for all of several classes, which changes nothing that a probe says."""
    return coefficients - coefficients.mean(axis=1, keepdims=True) if coefficients.shape[1] > 1 else coefficients


class ProximalNewton:
    """Where a function has its minimum that has these second derivatives, and penalties on coefficients.

    Attributes:
        curvature: That of the loss.
        looseness: By how much what was added to intercepts may make a fall seem smaller.
    """

    def __init__(self, curvature: Curvature, l1: Array, l2: Array) -> None:
        """Of the penalties (n_columns + 1,) on |coefficient| and, as for `Newton`, (n_columns + 1, n_outputs)."""
        self.curvature = curvature
        self._l1, self._l2 = l1, l2
        self.looseness = added_to_intercepts(curvature, l2)
        self._blocks = [
            block + np.diag(own_l2 + curvature.rounding * np.diag(block))
            for block, own_l2 in zip(curvature.blocks, l2.T, strict=True)
        ]

    def update(self, step: Array, change: Array) -> None:
        """Make the second derivatives such that they tell the change of the gradient along a step.

        Source:
            Broyden, Fletcher, Goldfarb and Shanno 1970; with a penalty Lee, Sun & Saunders 2014, SIAM Journal on
            Optimization 24:1420-1443.
        """
        if self.curvature.sample is not None:
            return
        [block] = self._blocks
        s, y = step[:, 0], change[:, 0]
        expected = block @ s
        along, told = float(s @ y), float(s @ expected)
        if along > 1e-6 * told > 0:
            self._blocks = [block + np.outer(y, y) / along - np.outer(expected, expected) / told]

    def step(self, point: Array, gradient: Array) -> tuple[Array, float]:
        """The step to the minimum, and how far the function falls by it; the gradient is without the L1 penalty."""
        if self.curvature.sample is None:
            [block] = self._blocks
            start = point[:, 0]
            new = smallest(block, gradient[:, 0] - block @ start, self._l1, start)[:, None]
            step = new - point
            bent = float(step[:, 0] @ block @ step[:, 0])
        else:
            step = self._of_classes(point, gradient)
            bent = float(np.vdot(step, self.curvature.times(step) + self._l2 * step))
        return step, -(float(np.vdot(gradient, step)) + 0.5 * bent + self._sizes(point + step) - self._sizes(point))

    def _sizes(self, point: Array) -> float:
        return float(self._l1 @ np.abs(point).sum(axis=1))

    def _of_classes(self, point: Array, gradient: Array) -> Array:
        """One class after another, until none moves."""
        sample = self.curvature.sample
        if sample is None:
            raise ValueError("one score has no sample")
        rows, new = sample.rows, point.copy()
        z = np.zeros((len(rows), point.shape[1]), rows.dtype)
        fallen = 0.0
        for _ in range(_MOST_ROUNDS):
            moved = 0.0
            for k, block in enumerate(self._blocks):
                change = rows.T @ self.curvature.slopes(z)[:, k].astype(rows.dtype)
                slope = gradient[:, k] + change + self._l2[:, k] * (new[:, k] - point[:, k])
                own = smallest(block, slope - block @ new[:, k], self._l1, new[:, k], _ROUNDS_OF_CLASS)
                step = own - new[:, k]
                z[:, k] += rows @ step.astype(rows.dtype)
                new[:, k] = own
                moved += 0.5 * float(step @ block @ step)
            fallen += moved
            new = self._solve_for_signs(point, new - _middles(new, self._l1, self._l2[:, 0]), gradient)
            z = rows @ (new - point).astype(rows.dtype)
            if moved <= _COARSE * fallen:
                break
        return new - point

    def _solve_for_signs(self, point: Array, new: Array, gradient: Array) -> Array:
        """Go to the smallest value among coefficients with the same signs, or where one on the way there comes to 0."""
        from scipy.linalg import cho_factor, cho_solve

        free, signs = (new != 0) | (self._l1[:, None] == 0), np.sign(new)
        places = [np.flatnonzero(own) for own in free.T]
        try:
            factors = [cho_factor(block[np.ix_(own, own)]) for block, own in zip(self._blocks, places, strict=True)]
        except np.linalg.LinAlgError:
            return new

        def times(v: Array) -> Array:
            return level(np.where(free, self.curvature.times(v) + self._l2 * v, 0.0))

        def level(q: Array) -> Array:  # all intercepts together change nothing
            return np.vstack([q[:-1], centred(q[-1:])])

        def solve(q: Array) -> Array:
            found = np.zeros_like(q)
            for k, (factor, own) in enumerate(zip(factors, places, strict=True)):
                found[own, k] = cho_solve(factor, q[own, k])
            return level(found)

        changed = new - point
        slope = gradient + self.curvature.times(changed) + self._l2 * changed + self._l1[:, None] * signs
        slope = level(np.where(free, slope, 0.0))
        step = conjugate_gradients(times, solve, -slope)
        crosses = (self._l1[:, None] > 0) & ((new + step) * signs < 0)
        share = float(np.min(-new[crosses] / step[crosses], initial=1.0))
        if share * float(np.vdot(slope, step)) + 0.5 * share**2 * float(np.vdot(step, times(step))) >= 0:  # rounding
            return new
        moved = new + share * step
        return np.where(crosses & (moved * signs <= 1e-15 * np.abs(new)), 0.0, moved)


def added_to_intercepts(curvature: Curvature, l2: Array) -> float:
    """1, and how much larger the largest is of what is added to the second derivatives by intercepts than these."""
    return 1 + float((l2[-1] / np.maximum(curvature.totals, 1e-300)).max())


def conjugate_gradients(times: Times, solve: Times, q: Array) -> Array:
    """The inverse of a matrix times q, by its products and by the inverse of one that is like it.

    Source:
        Hestenes & Stiefel 1952, Journal of Research of the National Bureau of Standards 49:409-436.
    """
    found, rest = np.zeros_like(q), q
    own = solve(rest)
    along, product = own, float(np.vdot(rest, own))
    enough = _COARSE * product
    for _ in range(_MOST_SIGNED):
        if product <= enough:
            break
        of_step = times(along)
        bent = float(np.vdot(along, of_step))
        if bent <= 0:
            break
        found = found + product / bent * along
        rest = rest - product / bent * of_step
        own = solve(rest)
        following = float(np.vdot(rest, own))
        along, product = own + following / product * along, following
    return found


def _middles(coefficients: Array, l1: Array, l2: Array) -> Array:
    """(n_columns + 1, 1) what to subtract from each row, the same for all classes, for penalties as small as can be."""
    n = coefficients.shape[1]
    low, high = coefficients.min(axis=1), coefficients.max(axis=1)
    for _ in range(60):
        middle = (low + high) / 2
        away = coefficients - middle[:, None]
        slope = -l1 * np.sign(away).sum(axis=1) - l2 * away.sum(axis=1)
        low, high = np.where(slope < 0, middle, low), np.where(slope > 0, middle, high)
        flat = slope == 0
        low, high = np.where(flat, middle, low), np.where(flat, middle, high)
    exact = np.sort(coefficients, axis=1)
    near = exact[np.arange(len(exact)), np.abs(exact - middle[:, None]).argmin(axis=1)]
    is_one = np.abs(near - middle) <= 1e-12 * (np.abs(coefficients).max(axis=1) + 1e-300)
    middle = np.where(is_one, near, middle)  # so that zeros stay zeros
    no_penalty = np.arange(len(l1)) == len(l1) - 1
    return np.asarray(np.where(no_penalty, coefficients.sum(axis=1) / n, middle)[:, None])


def smallest(metric: Array, linear: Array, l1: Array, start: Array, n_rounds: int = _MOST_ROUNDS) -> Array:
    """Where linear·x + ½ x·metric·x + l1·|x| is smallest, or nearly, after so many rounds.

    Some sweeps over the coordinates say which are 0 and the signs of the others, for which the equations are solved.

    Source:
        Lee, Battle, Raina & Ng 2007, Efficient sparse coding algorithms, NIPS 19.
    """
    x, fallen = start.copy(), 0.0
    for _ in range(n_rounds):
        moved = _descend(metric, linear, l1, x, _SWEEPS)
        fallen += moved
        if moved <= max(_FINE * fallen, _ROUNDING * abs(float(linear @ x))):
            break
        _solve_for_signs(metric, linear, l1, x)
    return x


def _solve_for_signs(metric: Array, linear: Array, l1: Array, x: Array) -> None:
    """Go to the smallest value among points with the signs of x, or where a coordinate on the way there comes to 0."""
    from scipy.linalg import cho_factor, cho_solve

    free = np.flatnonzero((x != 0) | (l1 == 0))
    while len(free):
        own, signs = x[free], np.sign(x[free])
        slope = linear[free] + metric[free] @ x + l1[free] * signs
        try:
            factor = cho_factor(metric[np.ix_(free, free)], check_finite=False)
        except np.linalg.LinAlgError:
            return
        step = -cho_solve(factor, slope, check_finite=False)
        crosses = (l1[free] > 0) & ((own + step) * signs < 0)
        share = float(np.min(-own[crosses] / step[crosses], initial=1.0))
        bent = float(step @ metric[np.ix_(free, free)] @ step)
        if share * float(slope @ step) + 0.5 * share**2 * bent >= 0:  # rounding
            return
        x[free] = own + share * step
        if not crosses.any():
            return
        reached = free[crosses & ((own + share * step) * signs <= 1e-15 * np.abs(own))]
        x[reached] = 0.0
        free = free[~np.isin(free, reached)]


@njit(cache=True)
def _descend(metric: Array, linear: Array, l1: Array, x: Array, n_sweeps: int) -> float:
    """Make linear·x + ½ x·metric·x + l1·|x| smaller coordinate by coordinate; how much the last sweep did."""
    slope = linear + metric @ x
    moved = 0.0
    for _ in range(n_sweeps):
        moved = 0.0
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
                moved += 0.5 * curvature * step * step
        if moved == 0:
            break
    return moved
