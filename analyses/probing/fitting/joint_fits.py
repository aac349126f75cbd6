"""Fitting many linear probes at once: all that see the same rows share each pass over them."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from activations.progress import Progress, no_progress
from analyses.probing.designs.design import Basis, Design, SparseDesign, Tile
from analyses.probing.fitting.curvatures import (
    Curvature,
    Newton,
    ProximalNewton,
    Sample,
    of_classes,
    of_products,
    of_score,
)
from analyses.probing.fitting.minimising import Minimiser, Proximal, QuasiNewton
from analyses.probing.fitting.problems import Linear, Probe, Problem, check
from analyses.probing.fitting.responses import Response, column_sums, logistic, softmax, squared
from analyses.targets.row_runs import RowMask
from analyses.threads import in_threads

Array = NDArray[np.float64]
TOLERANCE = 1e-6
NEGLIGIBLE = 1e-12
MOST_PASSES = 300
_USUAL_PASSES = 20
_PASSES_BEFORE = 5  # the first of the
_PASSES_BETWEEN = 5  # measurements of second derivatives
_LOOSENESS = 4.0  # by which second derivatives may be smaller than those that were measured
_ALIKE = 2.0  # factor between sums of second derivatives of probes that can do with one measurement
_ROWS_PER_COLUMN = 6  # of the sample that a measurement takes
_SAMPLES_OF_CLASSES = 2  # times as many, if there are several classes
_FEWEST_ROWS = 2000  # of it, however few columns there are
_GOLDEN = 0.6180339887498949
_PASSES_BETWEEN_PRODUCTS = 10  # and before the first, where second derivatives are of all rows
_PASSES_BETWEEN_NEAR = 3  # where only these can show that a probe is solved
_PRODUCT_BYTES = 512 << 20  # that they take for all probes
_SAMPLE_BYTES = 256 << 20  # that samples of all probes take together


def fit_probes(
    design: Design,
    responses: Sequence[Response],
    rows: Sequence[RowMask],
    problems: Sequence[Problem],
    *,
    weights: Array | None = None,
    tolerance: float = TOLERANCE,
    aim: float = np.inf,
    negligible: float = NEGLIGIBLE,
    most_passes: int = MOST_PASSES,
    progress: Progress = no_progress,
) -> list[Linear]:
    """Fit linear probes together.

    Each is minimised by L-BFGS, first in the principal directions of the design, then by second derivatives that are
    measured every few passes (by Newton steps with the penalty if that is L1); a pass over the rows serves all. A probe
    is solved once these derivatives show that it is.

    Args:
        design: What they see.
        responses: What they are to say.
        rows: (n_rows,) each: sets of rows to fit them to.
        problems: What to fit.
        weights: (n_rows,) of the rows; None: all weigh 1.
        tolerance: How far the objective may be from the smallest one, as a share of it.
        aim: How far it is to be, if rounding allows; the tolerance, if that is less.
        negligible: Or how far for each row, in nats or half squares.
        most_passes: After which those that are not solved are given up.
        progress: Called with the passes done and a guess of how many there will be.

    Raises:
        AnalysisError: If a penalty or ratio is out of range, or a problem has no rows or only one class.
    """
    for each in problems:
        check(each)
    return _Together(design, responses, rows, problems, weights).minimise(
        tolerance, aim, negligible, most_passes, progress
    )


def mean_losses(
    design: Design,
    responses: Sequence[Response],
    rows: Sequence[RowMask],
    problems: Sequence[Problem],
    fitted: Sequence[Linear],
) -> Array:
    """(n_problems,) the mean loss of each probe over other rows, in nats or half squares; see `fit_probes`.

    NaN where none of the rows has a label.
    """
    together = _Together(design, responses, rows, problems, None)
    functions = [
        (each.weights, each.intercept - responses[problem.response].middle)
        for each, problem in zip(fitted, problems, strict=True)
    ]
    sums, _ = together.losses(list(range(len(problems))), functions)
    n = np.array([each.n for each in together.probes])
    return np.asarray(np.divide(sums.losses, n, out=np.full(len(n), np.nan), where=n > 0))


class _Batch:
    """Probes of one kind, side by side; one of several classes is alone in its own.

    Attributes:
        columns: Those of all scores that are theirs.
    """

    def __init__(self, columns: slice, probes: list[Probe], masks: list[int], dtype: np.dtype[Any]) -> None:
        self.columns = columns
        self._kind = probes[0].response.kind
        self._masks = masks
        self._responses = list({id(each.response): each.response for each in probes}.values())
        place = {id(each): n for n, each in enumerate(self._responses)}
        self._of_response = [place[id(each.response)] for each in probes]
        factors = np.stack([each.class_weights for each in probes]).astype(dtype)
        self._factors = None if (factors == 1).all() else factors

    def losses(
        self, z: NDArray[Any], rows: slice, masks: NDArray[np.bool_], weights: NDArray[Any] | None
    ) -> tuple[NDArray[Any], Array, NDArray[Any], NDArray[Any]]:
        """Of what is said of some rows.

        Residuals (n_rows, n_scores), summed losses (n_probes,), curvatures, and weights (n_rows, n_probes) of the rows.
        """
        labels = [each.at(rows) - each.middle if each.kind == "numeric" else each.at(rows) for each in self._responses]
        y = _beside(labels)
        if len(self._of_response) > 1:
            y = y[:, self._of_response]
        if self._kind == "numeric":
            y = y.astype(z.dtype)
        present = ~np.isnan(y) if self._kind == "numeric" else y >= 0
        weigh = (masks[:, self._masks] & present).astype(z.dtype)
        if weights is not None:
            weigh *= weights[rows, None]
        y = np.where(present, y, 0)
        if self._factors is not None:
            weigh *= self._factors[np.arange(len(self._factors)), y]
        if self._kind == "categorical":
            return *softmax(z, y[:, 0], weigh[:, 0]), weigh
        loss = logistic if self._kind == "binary" else squared
        return *loss(z, y.astype(z.dtype), weigh), weigh


class _Sums(NamedTuple):
    """What a pass adds up: for each probe its loss, gradients, and the curvature of each of its scores."""

    losses: Array
    gradients: list[Array]
    of_intercepts: list[Array]
    curvatures: list[Array]


class _Together:
    """The sums over rows of the losses of many probes, and of their gradients.

    Attributes:
        probes: One for each problem.
    """

    def __init__(
        self,
        design: Design,
        responses: Sequence[Response],
        rows: Sequence[RowMask],
        problems: Sequence[Problem],
        weights: Array | None,
    ) -> None:
        self._design = design
        self._weights = None if weights is None else weights.astype(design.dtype)
        self._masks = rows
        self._mask_of = [each.rows for each in problems]
        self._wanted = np.zeros(design.n_rows, np.bool_)
        for number in sorted(set(self._mask_of)):
            self._wanted |= rows[number][:]
        self._batched: tuple[list[int], tuple[list[int], list[_Batch]]] = ([], ([], []))
        self._basis: Basis | None = None
        self._measured: list[int | None] = [None] * len(problems)  # the pass in which each was
        self._metrics: list[Newton | ProximalNewton | None] = [None] * len(problems)
        self._n_sampled = max(_ROWS_PER_COLUMN * (design.n_columns + 1), _FEWEST_ROWS)
        self._measured_here: set[int] = set()  # probes measured in this pass
        self._room = 0  # for second derivatives of all rows
        if isinstance(design, SparseDesign):
            self._room = _PRODUCT_BYTES // (8 * (design.n_columns + 1) ** 2)
        # few enough to take each as it is, as often as need be
        self._takes_all = int(self._wanted.sum()) <= 4 * self._n_sampled
        sums = {
            (response, mask): responses[response].sums(rows[mask], weights)
            for response, mask in dict.fromkeys((each.response, each.rows) for each in problems)
        }
        self.probes = [
            Probe(each, responses[each.response], sums[each.response, each.rows], design.n_columns) for each in problems
        ]
        self._curvatures = [each.n * each.curvature for each in self.probes]

    def minimise(
        self, tolerance: float, aim: float, negligible: float, most_passes: int, progress: Progress
    ) -> list[Linear]:
        """Fit all."""
        minimisers = self._minimisers(tolerance, aim, negligible)
        n_passes = [0] * len(minimisers)
        for done in range(most_passes):
            active = [number for number, each in enumerate(minimisers) if not each.is_done]
            if not active:
                break
            progress(done, max(_USUAL_PASSES, done + 5))
            points = [minimisers[number].point for number in active]
            functions = [(point[:-1], point[-1]) for point in points]
            to_measure = self._to_measure(minimisers, active, done)
            sums, curvatures = self.losses(active, functions, to_measure)
            for place, number in enumerate(active):
                own, probe = minimisers[number], self.probes[number]
                found = sums.losses[place], sums.gradients[place], sums.of_intercepts[place]
                own.take(*probe.penalised(own.point, *found))
                n_passes[number] += 1
                if own.has_fallen:
                    self._curvatures[number] = sums.curvatures[place]
            self._change_metrics(minimisers, active, done, curvatures)
            fallen = [(number, minimisers[number]) for number in active if minimisers[number].has_fallen]
            list(in_threads(self._look_ahead, fallen))
            for number in active:
                own = minimisers[number]
                if own.is_done:
                    own.let_go()
                    self._metrics[number] = None
        return [
            Linear(own.best[:-1], own.best[-1] + probe.response.middle, own.value, n, own.is_solved)
            for own, probe, n in zip(minimisers, self.probes, n_passes, strict=True)
        ]

    def _minimisers(self, tolerance: float, aim: float, negligible: float) -> list[Minimiser]:
        self._basis = self._design.basis(self._wanted)
        return [
            probe.proximal(tolerance, aim, negligible)
            if probe.problem.l1_ratio > 0
            else probe.minimiser(self._basis, tolerance, aim, negligible)
            for probe in self.probes
        ]

    def _is_due(self, number: int, minimiser: Minimiser, done: int) -> bool:
        """Whether it is time to measure a probe's second derivatives."""
        last, probe = self._measured[number], self.probes[number]
        if self._room:
            wait = _PASSES_BETWEEN_NEAR if minimiser.is_near and last else _PASSES_BETWEEN_PRODUCTS
            return probe.response.n_scores == 1 and done >= (last or 0) + wait
        if last is None:
            return isinstance(minimiser, Proximal) or minimiser.is_near or done >= _PASSES_BEFORE
        if probe.response.kind == "numeric":
            return False  # they are the same everywhere
        return done >= last + (1 if self._takes_all else _PASSES_BETWEEN)

    def _to_measure(self, minimisers: Sequence[Minimiser], active: list[int], done: int) -> dict[int, Array]:
        """Which probes' second derivatives to measure, one of each group, and how often to take rows of a curvature."""
        found: dict[int, Array] = {}
        if self._basis is None or (self._basis.vectors is None and not self._room):
            return found
        n_columns = self._design.n_columns + 1
        n_bytes = self._n_sampled * n_columns * self._design.dtype.itemsize
        if self._room:  # of which only the weights of the rows are kept
            n_bytes = 4 * int(self._wanted.sum())
        room = _SAMPLE_BYTES // n_bytes
        groups = set()
        n_new = self._room - sum(each is not None for each in self._metrics)
        for number in sorted(active, key=lambda number: -1 if (last := self._measured[number]) is None else last):
            probe = self.probes[number]
            if probe.group in groups or not self._is_due(number, minimisers[number], done):
                continue
            if self._room and self._metrics[number] is None:
                if n_new <= 0:
                    continue
                n_new -= 1
            if not found or probe.response.n_scores <= room:
                found[number] = np.maximum(self._curvatures[number], 1e-300)
                groups.add(probe.group)
                room -= probe.response.n_scores
        return found

    def _change_metrics(
        self, minimisers: Sequence[Minimiser], active: list[int], done: int, curvatures: Mapping[int, Curvature]
    ) -> None:
        """Give each probe what was measured of it, or of one that is nearly like it."""
        of_group = {
            self.probes[number].group: curvature
            for number, curvature in curvatures.items()
            if minimisers[number].has_fallen
        }
        changes = []
        self._measured_here = set(curvatures)
        n_metrics = sum(each is not None for each in self._metrics)
        for number in active:
            own, curvature = minimisers[number], of_group.get(self.probes[number].group)
            if curvature is None or not own.has_fallen or not self._is_due(number, own, done):
                continue
            if self._room and self._metrics[number] is None:
                if n_metrics >= self._room:
                    continue
                n_metrics += 1
            ratio = self._curvatures[number] / np.maximum(curvature.totals, 1e-300)
            if number in curvatures or ((ratio < _ALIKE).all() and (ratio > 1 / _ALIKE).all()):
                self._measured[number] = done
                changes.append((number, curvature))

        def make(change: tuple[int, Curvature]) -> Newton | ProximalNewton:
            number, curvature = change
            probe = self.probes[number]
            own = minimisers[number]
            if isinstance(own, Proximal):
                return probe.proximal_newton(curvature, own.gradient)
            return probe.newton(curvature, own.gradient)

        for (number, _), metric in zip(changes, in_threads(make, changes), strict=True):
            self._metrics[number] = metric
            minimiser = minimisers[number]
            if isinstance(minimiser, Proximal) and isinstance(metric, ProximalNewton):
                minimiser.change_metric(metric)
            elif isinstance(minimiser, QuasiNewton) and isinstance(metric, Newton):
                minimiser.change_metric(metric.solve)

    def _look_ahead(self, active: tuple[int, Minimiser]) -> None:
        """Find the next point of a probe, and judge the best so far."""
        number, minimiser = active
        minimiser.aim()
        minimiser.judge(self._gap(number, minimiser))

    def _gap(self, number: int, minimiser: Minimiser) -> float:
        """How far the objective can fall from the best point so far."""
        metric, curvatures = self._metrics[number], self._curvatures[number]
        largest = np.inf
        if self._basis is not None and self._basis.vectors is None:
            largest = self.probes[number].gap_of_gradient(minimiser.gradient, curvatures, self._basis.longest)
        if metric is None or not minimiser.is_near or (self._room and number not in self._measured_here):
            return largest
        left = curvatures / np.maximum(metric.curvature.totals, 1e-300)
        looseness = _LOOSENESS / min(1.0, max(float(left.min()), 1e-300))
        if isinstance(metric, Newton):
            return min(looseness * metric.decrement(minimiser.gradient), largest)
        if isinstance(minimiser, Proximal) and minimiser.fall >= 0:
            return looseness * metric.looseness * minimiser.fall
        return largest  # astray, by rounding

    def losses(
        self,
        numbers: list[int],
        functions: Sequence[tuple[Array, Array]],
        measured: Mapping[int, Array] = MappingProxyType({}),
    ) -> tuple[_Sums, dict[int, Curvature]]:
        """The sums of some of the probes in one pass, and second derivatives of those that are to be measured.

        These are given with how much second derivatives by the intercepts (n_scores,) are expected to add up to.
        """
        dtype = self._design.dtype
        order, batches = self._batches(numbers)
        with np.errstate(over="ignore"):  # as below
            weights = np.hstack([functions[place][0] for place in order]).astype(dtype)
            intercepts = np.hstack([functions[place][1] for place in order]).astype(dtype)
        sizes = [self.probes[numbers[place]].response.n_scores for place in order]
        ends = np.cumsum(sizes)
        columns = {
            numbers[place]: slice(int(end) - size, int(end))
            for place, end, size in zip(order, ends, sizes, strict=True)
        }

        @np.errstate(over="ignore", invalid="ignore")  # too far away: a shorter step is tried
        def add_up(tile: Tile) -> tuple[Array, NDArray[Any], Array, Array, list[Sample]]:
            z = tile.times(weights) + intercepts
            masks = _beside([mask[tile.rows] for mask in self._masks])
            residuals, losses = np.empty_like(z), []
            curvatures, row_weights = np.zeros_like(z), np.zeros_like(z)
            for batch in batches:
                own = batch.columns
                residuals[:, own], loss, curvatures[:, own], row_weights[:, own] = batch.losses(
                    z[:, own], tile.rows, masks, self._weights
                )
                losses.append(loss)
            samples = [
                self._sample(tile, curvatures[:, columns[number]], row_weights[:, columns[number]], expected)
                for number, expected in measured.items()
            ]
            return (
                np.concatenate(losses),
                tile.transposed_times(residuals),
                column_sums(residuals),
                column_sums(curvatures),
                samples,
            )

        most_rows = 4 * _SAMPLES_OF_CLASSES * self._n_sampled
        losses, gradient = np.zeros(len(numbers)), np.zeros(weights.shape)
        of_intercepts, curvatures = np.zeros(len(intercepts)), np.zeros(len(intercepts))
        samples: dict[int, list[Sample]] = {number: [] for number in measured}
        with np.errstate(invalid="ignore"):  # as above
            for own in in_threads(add_up, self._design.tiles(self._wanted)):
                losses += own[0]
                gradient += own[1]
                of_intercepts += own[2]
                curvatures += own[3]
                for number, rows in zip(measured, own[4], strict=True):
                    if number in samples:
                        samples[number].append(rows)
                        if not self._takes_all and sum(len(each.rows) for each in samples[number]) > most_rows:
                            del samples[number]  # there is more curvature than was expected; the next pass knows
        split = [np.split(each, ends[:-1], axis=-1) for each in (gradient, of_intercepts, curvatures)]
        back = np.argsort(order)
        sums = _Sums(losses[back], *([each[n] for n in back] for each in split))
        found = {}
        for number, sample in samples.items():
            place = numbers.index(number)
            if np.isfinite(sums.losses[place]):
                found[number] = (number, sample, np.vstack(functions[place]))
        measurements = in_threads(self._curvature, found.values())
        return sums, dict(zip(found, measurements, strict=True))

    def _sample(self, tile: Tile, curvatures: NDArray[Any], row_weights: NDArray[Any], expected: Array) -> Sample:
        """Rows as often as their curvature asks for, so that few are enough, whatever is rare; or all of them.

        The products of the columns of these rows, weighed by the weights that are given with them, add up to those of
        all. Of a single score, weights are curvatures; of several classes, those of the rows.
        """
        own = row_weights[:, 0] if curvatures.shape[1] > 1 else curvatures[:, 0]
        if self._room:
            return Sample(np.empty((0, 0)), own)
        x = tile.x  # type: ignore[attr-defined]
        if self._takes_all:
            chosen: Any = slice(None)
            weights = own.astype(np.float64)
            x = x.astype(np.float64)
        else:
            if curvatures.shape[1] > 1:
                importance = (curvatures / expected).mean(axis=1)
                chosen, factors = _chosen(importance, float(_SAMPLES_OF_CLASSES * self._n_sampled), _offset(tile))
            else:
                chosen, factors = _chosen(own, self._n_sampled / float(expected[0]), _offset(tile))
            weights = own[chosen] * factors
            x = x[chosen]
        return Sample(np.hstack([x, np.ones((len(x), 1), x.dtype)]), weights)

    def _curvature(self, measured: tuple[int, list[Sample], Array]) -> Curvature:
        number, samples, point = measured
        if isinstance(self._design, SparseDesign):
            return of_products(self._design.products(self._wanted, [each.weights for each in samples]))
        weights = np.concatenate([each.weights for each in samples])
        sample = Sample(np.concatenate([each.rows for each in samples]), weights)
        return of_classes(sample, point) if self.probes[number].response.n_scores > 1 else of_score(sample)

    def _batches(self, numbers: list[int]) -> tuple[list[int], list[_Batch]]:
        """The places in `numbers` in an order in which probes of one kind are neighbours, and the batches of these."""
        if self._batched[0] == numbers:
            return self._batched[1]
        kinds = [self.probes[number].response.kind for number in numbers]
        groups = [
            [place for place, own in enumerate(kinds) if own == kind] for kind in ("binary", "numeric") if kind in kinds
        ]
        groups += [[place] for place, own in enumerate(kinds) if own == "categorical"]
        batches, first = [], 0
        for group in groups:
            probes = [self.probes[numbers[place]] for place in group]
            last = first + sum(each.response.n_scores for each in probes)
            masks = [self._mask_of[numbers[place]] for place in group]
            batches.append(_Batch(slice(first, last), probes, masks, self._design.dtype))
            first = last
        self._batched = numbers, ([place for group in groups for place in group], batches)
        return self._batched[1]


def _beside(columns: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """(n_rows, n_columns) columns side by side; of a single one without a copy."""
    return columns[0][:, None] if len(columns) == 1 else np.column_stack(columns)


def _offset(tile: Tile) -> float:
    """From 0 to 1, another for each tile."""
    return float(tile.rows.start * _GOLDEN % 1)


@njit(nogil=True, cache=True)
def _chosen(importance: NDArray[Any], rate: float, offset: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which rows are taken, one each time that the sum of importance · rate passes another whole number; and 1 / share.

    The share of a row is how often rows like it are taken, at most 1. None is taken that has no importance, or no
    number for one, as where a point is too far away.
    """
    total, n_chosen = offset, 0
    chosen, factors = np.empty(len(importance), np.int64), np.empty(len(importance), np.float64)
    for row in range(len(importance)):
        share = min(importance[row] * rate, 1.0)
        if not share > 0:
            continue
        total += share
        if total >= 1:
            total -= 1
            chosen[n_chosen], factors[n_chosen] = row, 1 / share
            n_chosen += 1
    return chosen[:n_chosen], factors[:n_chosen]
