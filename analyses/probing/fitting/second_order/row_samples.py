"""Samples of rows that Hessians are measured at."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.probing.designs.design import Design, SparseDesign, Tile
from analyses.probing.fitting.second_order.hessians import (
    Hessian,
    Sample,
    hessian_of_classes,
    hessian_of_output,
    hessian_of_products,
)
from analyses.threads import in_threads
from hypotheses.kernels import compiled

Array = NDArray[np.float64]
MIN_ROWS = 2000  # of a sample, however few columns there are
_ROWS_PER_COLUMN = 6  # of a sample
_MOST_ROWS_PER_COLUMN = 32  # where Hessians take less time than passes
_OUTPUTS_OF_A_PASS = 16  # whose products take as long as what a pass does whatever the number of outputs
_MAX_BYTES = 32 << 20  # of a larger sample
_SAMPLES_OF_CLASSES = 2  # times as many rows, if there are several classes
_GOLDEN = 0.6180339887498949


class RowSampler:
    """Draws samples of rows, a tile at a time, and computes Hessians from them.

    Of a sparse design all rows are used, of which only the weights are kept.

    Attributes:
        n_rows: Expected size of the sample for a single output.
        is_cheap: Whether computing all Hessians takes less time than a pass, so that they can be measured often.
        max_rows: Size at which a sample is given up; it is larger than expected only if the curvature is.
        takes_all: Whether rows are so few that a sample is all of them, in float64.
        n_bytes: Memory for the sample for a single output.
    """

    def __init__(self, design: Design, wanted: NDArray[np.bool_], share: float = 1.0) -> None:
        """Prepare to sample the wanted rows of a design, which has all of them or a share, as a rough fit needs."""
        self._design, self._wanted = design, wanted
        self._is_sparse = isinstance(design, SparseDesign)
        self._n_wanted, self._n_columns = round(share * int(wanted.sum())), design.n_columns + 1
        self._fewest_rows = max(_ROWS_PER_COLUMN * self._n_columns, MIN_ROWS)
        self.takes_all = share == 1 and self._n_wanted <= 4 * self._fewest_rows
        self.is_cheap = False
        self._set_size(self._fewest_rows)

    def choose_size(self, n_outputs: int, n_blocks: int) -> None:
        """Let samples be so large that computing all Hessians takes about as long as a pass, within bounds.

        Args:
            n_outputs: Outputs of all probes in a pass.
            n_blocks: Matrices of second derivatives that have to be computed to know them for all of these probes.
        """
        as_long_as_a_pass = (
            4 * self._n_wanted * (n_outputs + _OUTPUTS_OF_A_PASS) // (max(n_blocks, 1) * self._n_columns)
        )
        largest = min(_MOST_ROWS_PER_COLUMN * self._n_columns, self._n_wanted // 4, _MAX_BYTES // (4 * self._n_columns))
        self.is_cheap = 2 * as_long_as_a_pass >= largest
        self._set_size(max(self._fewest_rows, min(as_long_as_a_pass, largest)))

    def _set_size(self, n_rows: int) -> None:
        self.n_rows, self.max_rows = n_rows, 4 * _SAMPLES_OF_CLASSES * n_rows
        self.n_bytes = 4 * self._n_wanted if self._is_sparse else n_rows * self._n_columns * self._design.dtype.itemsize

    def sample(self, tile: Tile, curvatures: NDArray[Any], row_weights: NDArray[Any] | None, expected: Array) -> Sample:
        """Draw rows of a tile in proportion to their curvature, so that few are enough, whatever is rare; or take all.

        The weighted sums of products of columns over the sample are estimates of those over all rows. The weights are
        the curvatures for a single output, and the weights of the rows for several classes.

        Args:
            tile: The rows.
            curvatures: (n_rows, n_outputs) second derivatives of the loss of each row.
            row_weights: (n_rows,) weights of the rows, if there are several classes.
            expected: (n_outputs,) the sum that curvatures are expected to have over all tiles.
        """
        weights = curvatures[:, 0] if row_weights is None else row_weights
        if self._is_sparse:
            return Sample(np.empty((0, 0)), weights)
        x = tile.x  # type: ignore[attr-defined]
        if self.takes_all:
            x, weights = x.astype(np.float64), weights.astype(np.float64)
        else:
            if row_weights is not None:
                sizes, rate = (curvatures / expected).mean(axis=1), float(_SAMPLES_OF_CLASSES * self.n_rows)
            else:
                sizes, rate = weights, self.n_rows / float(expected[0])
            offset = float(tile.rows.start * _GOLDEN % 1)  # another one for each tile
            drawn, inverse_shares = systematic_sample(sizes, rate, offset)
            x, weights = x[drawn], weights[drawn] * inverse_shares
        return Sample(np.hstack([x, np.ones((len(x), 1), x.dtype)]), weights)

    def hessians(
        self, samples: Mapping[int, Sequence[Sample]], coefficients: Mapping[int, Array]
    ) -> dict[int, Hessian]:
        """Compute Hessians from samples of all tiles.

        Args:
            samples: The samples of each probe, one for each tile, by the probe's number.
            coefficients: (n_columns + 1, n_outputs) coefficients of each probe where they were drawn.
        """
        numbers = list(samples)
        computed = in_threads(lambda number: self._hessian(samples[number], coefficients[number]), numbers)
        return dict(zip(numbers, computed, strict=True))

    def _hessian(self, samples: Sequence[Sample], coefficients: Array) -> Hessian:
        if isinstance(self._design, SparseDesign):
            return hessian_of_products(self._design.products(self._wanted, [sample.weights for sample in samples]))
        weights = np.concatenate([sample.weights for sample in samples])
        sample = Sample(np.concatenate([sample.rows for sample in samples]), weights)
        return hessian_of_classes(sample, coefficients) if coefficients.shape[1] > 1 else hessian_of_output(sample)


@compiled(nogil=True)
def systematic_sample(sizes: NDArray[Any], rate: float, offset: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw rows with probabilities proportional to their sizes, by systematic sampling.

    A row is drawn each time that the sum of size · rate passes another integer. Rows whose size is 0 or NaN, as where
    a point is too far away, are never drawn.

    Args:
        sizes: (n_rows,) how important each row is.
        rate: Its product with a row's size is the probability of the row, at most 1.
        offset: In [0, 1), where the sum begins.

    Returns:
        The rows that are drawn, and the inverse of the probability of each.

    Source:
        Madow 1949, Annals of Mathematical Statistics 20:333-354.
    """
    total, n_drawn = offset, 0
    drawn, inverse_shares = np.empty(len(sizes), np.int64), np.empty(len(sizes), np.float64)
    for row in range(len(sizes)):
        share = min(sizes[row] * rate, 1.0)
        if not share > 0:
            continue
        total += share
        if total >= 1:
            total -= 1
            drawn[n_drawn], inverse_shares[n_drawn] = row, 1 / share
            n_drawn += 1
    return drawn[:n_drawn], inverse_shares[:n_drawn]
