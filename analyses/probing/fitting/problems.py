"""The problem that is solved for one probe, its solution, and the options of the solver."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError

MAX_PASSES = 300


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """The minimisation problem of one probe.

    It minimises the sum of the losses of its rows, plus penalty · (l1_ratio · |weights| + (1 − l1_ratio)/2 ·
    |weights|²). The intercept is not penalised. The loss is −log p(label), in nats, or half the squared error.

    Attributes:
        response: Number of the response, in the list that is given to `fit_probes`.
        rows: Number of the set of rows, likewise.
        penalty: Strength of the penalty, above 0.
        l1_ratio: From 0, an L2 penalty, to 1, an L1 penalty.
        balanced: Whether rows are weighted so that all classes have the same total weight.
    """

    response: int = 0
    rows: int = 0
    penalty: float = 1.0
    l1_ratio: float = 0.0
    balanced: bool = False

    def check(self) -> None:
        """Refuse a problem that has no solution.

        Raises:
            AnalysisError: If its penalty or ratio is out of range.
        """
        if not (self.penalty > 0 and np.isfinite(self.penalty)):
            raise AnalysisError(f"the penalty is {self.penalty:g}; it must be a number above 0")
        if not 0 <= self.l1_ratio <= 1:
            raise AnalysisError(f"the L1 ratio is {self.l1_ratio:g}; it must be from 0 (only L2) to 1 (only L1)")


@dataclass(frozen=True, slots=True, eq=False)
class FittedProbe:
    """Linear functions of the columns of a design, one for each output of a probe.

    Attributes:
        weights: (n_columns, n_outputs) weights of the columns.
        intercept: (n_outputs,) the outputs where all columns are 0.
        objective: The minimum that was reached.
        n_passes: Passes over the rows that it took.
        is_solved: Whether the objective is shown to be within the tolerance of its minimum.
        curvature: (n_outputs,) mean second derivative of a row's loss by each output, where it was measured; else None.
    """

    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]
    objective: float
    n_passes: int
    is_solved: bool
    curvature: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverOptions:
    """When the solver stops, and what it may use on the way.

    Attributes:
        tolerance: A probe is solved if its objective is within this share of its minimum.
        desired_tolerance: The share that is aimed at, as far as rounding allows; `tolerance`, if that is smaller.
        negligible: A probe is solved, too, if its objective is within this much a row of its minimum, in nats or half
            squares.
        max_passes: Passes over the rows after which probes that are not solved are given up.
        passes_before_hessian: Passes by L-BFGS before the first Hessian is measured, unless a probe is nearly solved
            sooner.
        product_bytes: Memory for the Hessians of sparse designs, of all probes together.
    """

    tolerance: float = 1e-6
    desired_tolerance: float = np.inf
    negligible: float = 1e-12
    max_passes: int = MAX_PASSES
    passes_before_hessian: int = 5
    product_bytes: int = 512 << 20


DEFAULT_SOLVER = SolverOptions()
