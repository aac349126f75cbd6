"""Logistic and ridge regression of several designs at once, from sums over blocks."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError

Array = NDArray[np.float64]
Batch = tuple[NDArray[np.float32], NDArray[np.float64]]
Passes = Callable[[int], Iterator[list[Batch]]]
_MOST_PASSES = 50
_TOLERANCE = 1e-7
_SAMPLE = 8  # the first passes see one row in this many, and stop early
_SAMPLE_TOLERANCE = 1e-3
_MOST_SAMPLE_PASSES = 12
_LEAST_RARER = 50  # rows of the rarer label in a sample that is to be trusted
_USUAL_PASSES = 12


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A linear function of standardised units.

    Attributes:
        weights: (n_units,) per standard deviation of each unit.
        intercept: The value at the mean of every unit.
        n_passes: Over the activations, to find it.
    """

    weights: Array
    intercept: float
    n_passes: int


def fit_logistic(
    passes: Passes, sizes: Iterable[int], penalty: float, progress: Callable[[int, int], None]
) -> list[Linear]:
    """Logistic regression with an L2 penalty, by Newton's method.

    Each minimises the sum of −log p(label) over the rows, in nats, plus penalty/2 · |weights|². The intercept is
    not penalised. The Hessian of all designs is summed in the same pass over the data.

    The first passes see a sample of the rows, to start from near the goal; the last ones see all.

    Args:
        passes: Starts a pass over every n-th row: the standardised units (n_rows, n_units) of every
            design and the labels (n_rows,), 0 or 1.
        sizes: `n_units` of each design.
        penalty: Above 0.
        progress: Called with the passes done and a guess of how many there will be.

    Returns:
        The coefficients of each design, in nats.

    Raises:
        AnalysisError: If one does not converge.
    """
    problems = [_Newton(size, penalty) for size in sizes]
    _minimise(problems, lambda: passes(_SAMPLE), _SAMPLE_TOLERANCE, _MOST_SAMPLE_PASSES, progress)
    for problem in problems:
        if not problem.is_solved or problem.n_rarer < _LEAST_RARER:
            problem.best = np.zeros_like(problem.best)  # a sample that small leads astray
    _minimise(problems, lambda: passes(1), _TOLERANCE, _MOST_PASSES, progress)
    if not all(problem.is_solved for problem in problems):
        raise AnalysisError(f"a probe did not converge in {_MOST_PASSES} passes; use a larger penalty than {penalty}")
    return [Linear(problem.best[:-1], float(problem.best[-1]), problem.n_passes) for problem in problems]


def _minimise(
    problems: Sequence["_Newton"],
    start_pass: Callable[[], Iterator[list[Batch]]],
    tolerance: float,
    most_passes: int,
    progress: Callable[[int, int], None],
) -> None:
    """Take steps until all problems are solved, or there were too many passes."""
    for problem in problems:
        problem.restart(tolerance)
    for _ in range(most_passes):
        unsolved = [problem for problem in problems if not problem.is_solved]
        if not unsolved:
            break
        done = max(problem.n_passes for problem in problems)
        progress(done, max(_USUAL_PASSES, done + 1))
        for batches in start_pass():
            for problem, (x, y) in zip(problems, batches, strict=True):
                if not problem.is_solved:
                    problem.add(x, y)
        for problem in unsolved:
            problem.step()


def fit_ridge(
    passes: Passes, sizes: Iterable[int], penalty: float, progress: Callable[[int, int], None]
) -> list[Linear]:
    """Least squares with an L2 penalty, in one pass.

    Each minimises half the sum of squared residuals over the rows plus penalty/2 · |weights|²; the intercept is
    not penalised. Arguments and result as in `fit_logistic`, labels being any numbers.
    """
    grams = [np.zeros((size + 1, size + 1)) for size in sizes]
    moments = [np.zeros(len(gram)) for gram in grams]
    progress(0, 2)
    for batches in passes(1):
        for gram, moment, (x, y) in zip(grams, moments, batches, strict=True):
            design = _with_ones(x).astype(np.float64)
            gram += design.T @ design
            moment += design.T @ y
    solved = [_solve(g + _ridge(len(g), penalty), m) for g, m in zip(grams, moments, strict=True)]
    return [Linear(each[:-1], float(each[-1]), 1) for each in solved]


class _Newton:
    """The minimisation of one logistic regression: a point, and the sums over the rows there."""

    def __init__(self, n_units: int, penalty: float) -> None:
        self.best: Array = np.zeros(n_units + 1)
        self.n_passes = 0
        self.n_rarer = 0
        self._ridge = _ridge(n_units + 1, penalty)
        self.restart(_TOLERANCE)

    def restart(self, tolerance: float) -> None:
        """Go on from the best point with other rows."""
        self.is_solved = False
        self._tolerance = tolerance
        self._point = self.best
        self._lowest = np.inf
        self._clear()

    def _clear(self) -> None:
        self._n_rows, self._n_true = 0, 0.0
        self._loss = 0.0
        self._gradient: Array = np.zeros_like(self.best)
        self._hessian: Array = np.zeros_like(self._ridge)

    def add(self, x: NDArray[np.float32], y: Array) -> None:
        """Sum up rows."""
        self._n_rows += len(y)
        self._n_true += float(y.sum())
        design = _with_ones(x)
        logits = design @ self._point.astype(np.float32)
        p = 0.5 * (1 + np.tanh(0.5 * logits))
        self._loss += float(np.sum(np.logaddexp(0, logits, dtype=np.float64) - y * logits))
        self._gradient += design.T @ (p - y).astype(np.float32)
        self._hessian += (design * (p * (1 - p))[:, None]).T @ design

    def step(self) -> None:
        """Go on to the next point, once all rows are summed up at this one."""
        self.n_passes += 1
        self.n_rarer = round(min(self._n_true, self._n_rows - self._n_true))
        objective = self._loss + 0.5 * float(self._point @ self._ridge @ self._point)
        if objective > self._lowest * (1 + _TOLERANCE):  # too far: half of the way
            self._point = 0.5 * (self._point + self.best)
            self._clear()
            return
        step = _solve(self._hessian + self._ridge, self._gradient + self._ridge @ self._point)
        decrement = 0.5 * float(step @ (self._gradient + self._ridge @ self._point))
        self.best, self._lowest = self._point, objective
        self.is_solved = decrement <= self._tolerance * objective
        self._point = self.best - step
        self._clear()


def _with_ones(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.hstack([x, np.ones((len(x), 1), np.float32)])


def _solve(matrix: Array, vector: Array) -> Array:
    return np.asarray(np.linalg.solve(matrix, vector), np.float64)


def _ridge(size: int, penalty: float) -> Array:
    diagonal = np.full(size, float(penalty))
    diagonal[-1] = 1e-9  # the intercept is free; this only keeps the matrix regular
    return np.diag(diagonal)
