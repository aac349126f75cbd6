"""Newton steps for a loss with an L2 penalty."""

import numpy as np
from numpy.typing import NDArray

from analyses.probing.fitting.second_order.conjugate_gradients import conjugate_gradients
from analyses.probing.fitting.second_order.hessians import Hessian, centred

Array = NDArray[np.float64]
_MAX_STEPS = 500  # of conjugate gradients
_PRECISION = 0.1  # relative precision of the decrease that conjugate gradients find
_LEAST_SHARE = 1e-12  # of the largest curvature, by which that of any coefficient is measured at least
_LEAST_SHARE_OF_CLASSES = 1e-6  # the same where blocks are only preconditioners


class Newton:
    """The inverse of the Hessian of a loss with an L2 penalty.

    Attributes:
        hessian: The Hessian of the loss alone.
    """

    def __init__(self, hessian: Hessian, l2: Array) -> None:
        """Factorise the blocks of the Hessian.

        Args:
            hessian: The Hessian of the loss.
            l2: (n_columns + 1, n_outputs) a diagonal to add: the L2 penalties of the weights, and what is added to the
                intercepts to keep their steps short.
        """
        self.hessian = hessian
        self._l2 = l2
        self._factors: list[tuple[Array, bool]] = []
        self._looseness = hessian.looseness(l2)
        self._largest = max(float(np.diag(block).max()) for block in hessian.blocks)
        self._least_share = _LEAST_SHARE if hessian.sample is None else _LEAST_SHARE_OF_CLASSES
        for block, l2_of_output in zip(hessian.blocks, l2.T, strict=True):
            self._factorise(block, l2_of_output)

    def _factorise(self, block: Array, l2: Array) -> None:
        """Factorise the block of one output, to which as much is added as rounding asks for.

        The block of a class that no row of the sample may be of is 0. Compared with those of the others it is taken to
        be a little more, so that rounding errors times its inverse are small.
        """
        from scipy.linalg import cho_factor

        diagonal = np.maximum(np.diag(block), self._least_share * max(self._largest, 1e-300))
        rounding = self.hessian.rounding
        while True:
            added = rounding * diagonal
            try:
                penalised = np.array(block.T, order="F")  # the order that LAPACK wants; blocks are symmetric
                np.einsum("ii->i", penalised)[:] += l2 + added
                self._factors.append(cho_factor(penalised, overwrite_a=True, check_finite=False))
                break
            except np.linalg.LinAlgError:
                rounding *= 10
        relative = added[:-1] / np.maximum(l2[:-1], 1e-300)
        self._looseness = max(self._looseness, 1 + float(relative.max(initial=0)))

    def solve(self, q: Array) -> Array:
        """Multiply the inverse by coefficients (n_columns + 1, n_outputs)."""
        return self._solve(q)[0]

    def decrement(self, gradient: Array) -> float:
        """Bound how far a function with this Hessian and a gradient can decrease: half the squared Newton decrement."""
        step, missing = self._solve(gradient)
        return 0.5 * self._looseness * (float(np.vdot(gradient, step)) + missing)

    def _solve(self, q: Array) -> tuple[Array, float]:
        """Multiply the inverse by q, and bound by how much q · product is smaller than q · inverse · q."""
        if self.hessian.sample is None:
            return self._solve_blocks(q), 0.0
        return self._solve_classes(centred(q))

    def _solve_blocks(self, q: Array) -> Array:
        """Multiply the inverse of each output's block by the coefficients of that output."""
        from scipy.linalg import cho_solve

        return np.column_stack(
            [cho_solve(factor, q[:, k], check_finite=False) for k, factor in enumerate(self._factors)]
        )

    def _solve_classes(self, q: Array) -> tuple[Array, float]:
        """Solve for all classes by conjugate gradients, preconditioned by the blocks.

        The mixed derivatives of the classes matter: where a class is rare, the blocks alone are far from the Hessian.
        """
        least_of_intercepts = (self.hessian.intercept_curvatures + self._l2[-1]).min()
        least = np.maximum(np.append(self._l2[:-1, 0], least_of_intercepts), 1e-300)[:, None]

        def missing(residual: Array) -> float:
            return float((residual**2 / least).sum())

        solution, residual = conjugate_gradients(
            lambda v: centred(self.hessian.times(v)) + centred(self._l2 * v),
            lambda v: centred(self._solve_blocks(v)),
            q,
            _MAX_STEPS,
            reduction=self.hessian.rounding**2,  # further steps would follow rounding errors, and have no end
            is_solved=lambda solution, residual: missing(residual) <= _PRECISION * float(np.vdot(q, solution)),
        )
        return solution, missing(residual)
