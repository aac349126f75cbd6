"""Linear equations whose matrix is only known by its products."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Times = Callable[[Array], Array]


def conjugate_gradients(
    times: Times,
    precondition: Times,
    q: Array,
    max_steps: int,
    *,
    reduction: float = 0.0,
    is_solved: Callable[[Array, Array], bool] = lambda solution, residual: False,
) -> tuple[Array, Array]:
    """Multiply q by the inverse of a positive definite matrix.

    Args:
        times: Multiplies by the matrix.
        precondition: Multiplies by the inverse of a matrix that is similar to it.
        q: The right-hand side, of any shape.
        max_steps: Products after which to stop.
        reduction: Stop where residual · preconditioned residual is this much smaller than at the start.
        is_solved: Stop where this is True of the solution and its residual.

    Returns:
        The solution, and its residual.

    Source:
        Hestenes & Stiefel 1952, Journal of Research of the National Bureau of Standards 49:409-436.
    """
    solution, residual = np.zeros_like(q), q
    direction = precondition(residual)
    product = float(np.vdot(residual, direction))
    smallest_product = reduction * product
    for _ in range(max_steps):
        if product <= smallest_product or is_solved(solution, residual):
            break
        change = times(direction)
        curvature = float(np.vdot(direction, change))
        if curvature <= 0:
            break
        solution = solution + product / curvature * direction
        residual = residual - product / curvature * change
        preconditioned = precondition(residual)
        next_product = float(np.vdot(residual, preconditioned))
        direction, product = preconditioned + next_product / product * direction, next_product
    return solution, residual
