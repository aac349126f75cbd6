"""Sums over rows of the losses of many probes and of their derivatives, in one pass."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.probing.designs.design import Design, Tile
from analyses.probing.fitting.losses import column_sums, logistic, softmax, squared
from analyses.probing.fitting.objectives import Objective
from analyses.probing.fitting.second_order.hessians import Sample
from analyses.probing.fitting.second_order.row_samples import RowSampler
from analyses.targets.row_runs import RowMask
from analyses.threads import in_threads

Array = NDArray[np.float64]
NOT_MEASURED: Mapping[int, Array] = MappingProxyType({})


class _Batch:
    """Probes of one kind, whose outputs are neighbouring columns; a probe of several classes has its own batch.

    Attributes:
        columns: The columns of their outputs, among those of all batches.
    """

    def __init__(self, columns: slice, objectives: Sequence[Objective], dtype: np.dtype[Any]) -> None:
        self.columns = columns
        self._kind = objectives[0].response.kind
        self._masks = [objective.problem.rows for objective in objectives]
        self._responses = list({id(objective.response): objective.response for objective in objectives}.values())
        index = {id(response): n for n, response in enumerate(self._responses)}
        self._response_of_probe = [index[id(objective.response)] for objective in objectives]
        class_weights = np.stack([objective.class_weights for objective in objectives]).astype(dtype)
        self._class_weights = None if (class_weights == 1).all() else class_weights

    def losses(
        self, z: NDArray[Any], rows: slice, masks: NDArray[np.bool_], weights: NDArray[Any] | None
    ) -> tuple[NDArray[Any], Array, NDArray[Any], NDArray[Any]]:
        """Compute the losses of outputs, and their derivatives.

        Args:
            z: (n_rows, n_outputs) outputs of all probes of the batch.
            rows: The rows that they are for.
            masks: (n_rows, n_masks) the sets of rows that probes are fitted to.
            weights: Weights of all rows; None: all weigh 1.

        Returns:
            Residuals (n_rows, n_outputs), summed losses (n_probes,), curvatures (n_rows, n_outputs), and the weights
            (n_rows, n_probes) that rows have for each probe.
        """
        is_numeric = self._kind == "numeric"
        y = side_by_side(
            [response.at(rows) - response.centre if is_numeric else response.at(rows) for response in self._responses]
        )
        if len(self._response_of_probe) > 1:
            y = y[:, self._response_of_probe]
        if is_numeric:
            y = y.astype(z.dtype)
        present = ~np.isnan(y) if is_numeric else y >= 0
        row_weights = (masks[:, self._masks] & present).astype(z.dtype)
        if weights is not None:
            row_weights *= weights[rows, None]
        y = np.where(present, y, 0)
        if self._class_weights is not None:
            row_weights *= self._class_weights[np.arange(len(self._class_weights)), y]
        if self._kind == "categorical":
            return *softmax(z, y[:, 0], row_weights[:, 0]), row_weights
        loss = logistic if self._kind == "binary" else squared
        return *loss(z, y.astype(z.dtype), row_weights), row_weights


class PassSums(NamedTuple):
    """Sums over the rows of one pass, for each probe in the order asked for.

    Attributes:
        losses: (n_probes,) summed losses.
        gradients: For each probe, (n_columns, n_outputs) derivatives by its weights.
        intercept_gradients: For each probe, (n_outputs,) derivatives by its intercepts.
        intercept_curvatures: For each probe, (n_outputs,) second derivatives by its intercepts.
    """

    losses: Array
    gradients: list[Array]
    intercept_gradients: list[Array]
    intercept_curvatures: list[Array]


class _Layout(NamedTuple):
    """Which columns hold the outputs of some probes, so that probes of one kind are neighbours.

    Attributes:
        numbers: The probes, in the order asked for.
        order: Indices of `numbers`, in the order of the columns.
        ends: (n_probes,) the end of each probe's columns, in that order.
        columns: The columns of each probe, by its number.
        batches: Probes of one kind.
    """

    numbers: list[int]
    order: list[int]
    ends: NDArray[np.int64]
    columns: dict[int, slice]
    batches: list[_Batch]


class _TileSums(NamedTuple):
    """Sums over one tile, which are added to those of the pass, in the order of a layout."""

    losses: Array
    gradients: NDArray[Any]
    intercept_gradients: Array
    intercept_curvatures: Array
    samples: list[Sample]


class LossSums:
    """Sums the losses of many probes over the rows of a design, one pass for all.

    Attributes:
        objectives: One for each probe.
        wanted: (n_rows,) rows that any of the probes is fitted to.
        sampler: Draws rows for Hessians.
    """

    def __init__(
        self, design: Design, masks: Sequence[RowMask], objectives: Sequence[Objective], weights: Array | None
    ) -> None:
        """Prepare for passes over a design.

        Args:
            design: What the probes see.
            masks: (n_rows,) each: sets of rows, by the numbers that problems give.
            objectives: One for each probe.
            weights: (n_rows,) weights of the rows; None: all weigh 1.
        """
        self.objectives = objectives
        self._design, self._masks = design, masks
        self._weights = None if weights is None else weights.astype(design.dtype)
        self.wanted = np.zeros(design.n_rows, np.bool_)
        for number in sorted({objective.problem.rows for objective in objectives}):
            self.wanted |= masks[number][:]
        self.sampler = RowSampler(design, self.wanted)
        self._last_layout: _Layout | None = None

    def sums(
        self,
        numbers: list[int],
        functions: Sequence[tuple[Array, Array]],
        expected: Mapping[int, Array] = NOT_MEASURED,
    ) -> tuple[PassSums, dict[int, list[Sample]]]:
        """Sum the losses and gradients of some probes in one pass, and draw samples for the Hessians of others.

        Args:
            numbers: The probes.
            functions: Weights (n_columns, n_outputs) and intercepts (n_outputs,) of each.
            expected: For each of these probes whose Hessian is measured, the expected sum of second derivatives by
                its intercepts (n_outputs,).

        Returns:
            The sums, and for each probe whose Hessian is measured the samples of all tiles. Probes with too large a
            sample are left out.
        """
        dtype = self._design.dtype
        layout = self._layout(numbers)
        with np.errstate(over="ignore"):  # too far away: a shorter step is tried
            weights = np.hstack([functions[index][0] for index in layout.order]).astype(dtype)
            intercepts = np.hstack([functions[index][1] for index in layout.order]).astype(dtype)

        def sum_tile(tile: Tile) -> _TileSums:
            with np.errstate(over="ignore", invalid="ignore"):  # likewise
                return self._sum_tile(tile, tile.times(weights) + intercepts, layout, expected)

        losses, gradients = np.zeros(len(numbers)), np.zeros(weights.shape)
        intercept_gradients, intercept_curvatures = np.zeros(len(intercepts)), np.zeros(len(intercepts))
        samples: dict[int, list[Sample]] = {number: [] for number in expected}
        with np.errstate(invalid="ignore"):
            for of_tile in in_threads(sum_tile, self._design.tiles(self.wanted)):
                losses += of_tile.losses
                gradients += of_tile.gradients
                intercept_gradients += of_tile.intercept_gradients
                intercept_curvatures += of_tile.intercept_curvatures
                self._add_samples(samples, dict(zip(expected, of_tile.samples, strict=True)))
        back = np.argsort(layout.order)

        def by_probe(sums: Array) -> list[Array]:
            split = np.split(sums, layout.ends[:-1], axis=-1)
            return [split[index] for index in back]

        sums = PassSums(
            losses[back], by_probe(gradients), by_probe(intercept_gradients), by_probe(intercept_curvatures)
        )
        return sums, samples

    def _sum_tile(self, tile: Tile, z: NDArray[Any], layout: _Layout, expected: Mapping[int, Array]) -> _TileSums:
        """Sum losses and derivatives over one tile, given the outputs (n_rows, n_outputs) of all probes."""
        masks = side_by_side([mask[tile.rows] for mask in self._masks])
        residuals, losses = np.empty_like(z), []
        curvatures, row_weights = np.zeros_like(z), np.zeros_like(z)
        for batch in layout.batches:
            columns = batch.columns
            residuals[:, columns], loss, curvatures[:, columns], row_weights[:, columns] = batch.losses(
                z[:, columns], tile.rows, masks, self._weights
            )
            losses.append(loss)
        samples = [
            self.sampler.sample(
                tile, curvatures[:, layout.columns[number]], row_weights[:, layout.columns[number]], curvature_sums
            )
            for number, curvature_sums in expected.items()
        ]
        return _TileSums(
            np.concatenate(losses),
            tile.transposed_times(residuals),
            column_sums(residuals),
            column_sums(curvatures),
            samples,
        )

    def _add_samples(self, samples: dict[int, list[Sample]], of_tile: Mapping[int, Sample]) -> None:
        """Append the samples of a tile to those before it; drop a probe whose samples become too large.

        Samples are too large where there is more curvature than was expected. The next pass expects as much.
        """
        for number, sample in of_tile.items():
            if number in samples:
                samples[number].append(sample)
                n_rows = sum(len(part.rows) for part in samples[number])
                if not self.sampler.takes_all and n_rows > self.sampler.max_rows:
                    del samples[number]

    def _layout(self, numbers: list[int]) -> _Layout:
        """Arrange the outputs of some probes; the arrangement of the last pass is used again if it is the same."""
        if self._last_layout is not None and self._last_layout.numbers == numbers:
            return self._last_layout
        kinds = [self.objectives[number].response.kind for number in numbers]
        groups = [
            [index for index, own_kind in enumerate(kinds) if own_kind == kind]
            for kind in ("binary", "numeric")
            if kind in kinds
        ]
        groups += [[index] for index, kind in enumerate(kinds) if kind == "categorical"]
        order = [index for group in groups for index in group]
        sizes = [self.objectives[numbers[index]].response.n_outputs for index in order]
        ends = np.cumsum(sizes)
        columns = {
            numbers[index]: slice(int(end) - size, int(end))
            for index, end, size in zip(order, ends, sizes, strict=True)
        }
        batches = [
            _Batch(
                slice(columns[numbers[group[0]]].start, columns[numbers[group[-1]]].stop),
                [self.objectives[numbers[index]] for index in group],
                self._design.dtype,
            )
            for group in groups
        ]
        self._last_layout = _Layout(numbers, order, ends, columns, batches)
        return self._last_layout


def side_by_side(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """(n_rows, n_columns) columns side by side; a single one is not copied."""
    return columns[0][:, None] if len(columns) == 1 else np.column_stack(columns)
