"""Sums over rows of the losses of many probes and of their derivatives, in one pass."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.probing.designs.design import Design, Tile
from analyses.probing.fitting.losses import LogisticLabels, LossesOfRows, logistic, softmax, squared
from analyses.probing.fitting.objectives import Objective
from analyses.probing.fitting.second_order.hessians import Sample
from analyses.probing.fitting.second_order.row_samples import RowSampler
from analyses.probing.fitting.tile_labels import LabelsOfTile, TileLabels
from analyses.targets.row_runs import RowMask
from analyses.threads import in_threads

Array = NDArray[np.float64]
NOT_MEASURED: Mapping[int, Array] = MappingProxyType({})


class _Batch:
    """Probes of one kind, whose outputs are neighbouring columns; a probe of several classes has its own batch.

    Attributes:
        columns: The columns of their outputs, among those of all batches.
    """

    def __init__(
        self, columns: slice, objectives: Sequence[Objective], labels: TileLabels, dtype: np.dtype[Any]
    ) -> None:
        self.columns = columns
        self._kind = objectives[0].response.kind
        self._masks = np.array([objective.problem.rows for objective in objectives])
        self._labels = np.array([labels.number(objective.response) for objective in objectives])
        self._class_weights = np.stack([objective.class_weights for objective in objectives]).astype(dtype)

    def losses(
        self, z: NDArray[Any], labels: LabelsOfTile, weights: NDArray[Any] | None
    ) -> tuple[LossesOfRows, NDArray[Any] | None]:
        """Compute the losses of outputs, and their derivatives.

        Args:
            z: (n_rows, n_outputs) outputs of all probes of the batch.
            labels: The labels of the rows.
            weights: (n_rows,) weights of the rows; None: all weigh 1.

        Returns:
            The losses, and, if there are several classes, (n_rows,) the weights that the rows have.
        """
        if self._kind == "binary":
            of_probes = LogisticLabels(self._labels, self._masks, self._class_weights)
            return logistic(z, labels.binary, labels.masks, weights, of_probes), None
        if self._kind == "numeric":
            y = labels.numeric[:, self._labels]
            is_missing = np.isnan(y)
            row_weights = (labels.masks[:, self._masks] & ~is_missing).astype(z.dtype)
            if weights is not None:
                row_weights *= weights[:, None]
            return squared(z, np.where(is_missing, z.dtype.type(0), y), row_weights), None
        classes = labels.classes[int(self._labels[0])]
        is_used = labels.masks[:, self._masks[0]] & (classes >= 0)
        classes = np.where(is_used, classes, 0)
        row_weights = self._class_weights[0, classes] * is_used
        if weights is not None:
            row_weights *= weights
        return softmax(z, classes, row_weights), row_weights


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
        batch_of_probe: The number of each probe's batch, by its number.
    """

    numbers: list[int]
    order: list[int]
    ends: NDArray[np.int64]
    columns: dict[int, slice]
    batches: list[_Batch]
    batch_of_probe: dict[int, int]


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
        self,
        design: Design,
        masks: Sequence[RowMask],
        objectives: Sequence[Objective],
        weights: Array | None,
        share: float = 1.0,
    ) -> None:
        """Prepare for passes over a design.

        Args:
            design: What the probes see.
            masks: (n_rows,) each: sets of rows, by the numbers that problems give.
            objectives: One for each probe.
            weights: (n_rows,) weights of the rows; None: all weigh 1.
            share: The share of the rows of these sets that the design has.
        """
        self.objectives = objectives
        self._design = design
        self._weights = None if weights is None else weights.astype(design.dtype)
        self.wanted = np.zeros(design.n_rows, np.bool_)
        for number in sorted({objective.problem.rows for objective in objectives}):
            self.wanted |= masks[number][:]
        self.sampler = RowSampler(design, self.wanted, share)
        self._labels = TileLabels([objective.response for objective in objectives], masks, design.dtype)
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
        n_sampled = dict.fromkeys(expected, 0)
        with np.errstate(invalid="ignore"):
            for of_tile in in_threads(sum_tile, self._design.tiles(self.wanted)):
                losses += of_tile.losses
                gradients += of_tile.gradients
                intercept_gradients += of_tile.intercept_gradients
                intercept_curvatures += of_tile.intercept_curvatures
                self._add_samples(samples, n_sampled, dict(zip(expected, of_tile.samples, strict=True)))
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
        labels = self._labels.of(tile.rows)
        weights = None if self._weights is None else self._weights[tile.rows]
        parts, row_weights = [], {}
        for number, batch in enumerate(layout.batches):
            losses, row_weights[number] = batch.losses(_columns_of(z, batch.columns), labels, weights)
            parts.append(losses)
        samples = []
        for number, curvature_sums in expected.items():
            columns, batch_number = layout.columns[number], layout.batch_of_probe[number]
            first = layout.batches[batch_number].columns.start
            curvatures = parts[batch_number].curvatures[:, columns.start - first : columns.stop - first]
            samples.append(self.sampler.sample(tile, curvatures, row_weights[batch_number], curvature_sums))
        residuals = parts[0].residuals if len(parts) == 1 else np.hstack([part.residuals for part in parts])
        return _TileSums(
            np.concatenate([part.losses for part in parts]),
            tile.transposed_times(residuals),
            np.concatenate([part.residual_sums for part in parts]),
            np.concatenate([part.curvature_sums for part in parts]),
            samples,
        )

    def _add_samples(
        self, samples: dict[int, list[Sample]], n_sampled: dict[int, int], of_tile: Mapping[int, Sample]
    ) -> None:
        """Append the samples of a tile to those before it; drop a probe whose samples become too large.

        Samples are too large where there is more curvature than was expected. The next pass expects as much.
        """
        for number, sample in of_tile.items():
            if number in samples:
                samples[number].append(sample)
                n_sampled[number] += len(sample.rows)
                if not self.sampler.takes_all and n_sampled[number] > self.sampler.max_rows:
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
                self._labels,
                self._design.dtype,
            )
            for group in groups
        ]
        batch_of_probe = {numbers[index]: number for number, group in enumerate(groups) for index in group}
        self._last_layout = _Layout(numbers, order, ends, columns, batches, batch_of_probe)
        return self._last_layout


def _columns_of(numbers: NDArray[Any], columns: slice) -> NDArray[Any]:
    """(n_rows, n) some columns, whose rows lie behind each other; all are not copied."""
    return numbers if columns == slice(0, numbers.shape[1]) else np.ascontiguousarray(numbers[:, columns])
