"""Fitting many linear probes at once: all that see the same rows share each pass over them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from analyses.designs import Basis, Design, Progress, Rows, Tile, gram
from analyses.minimising import Minimiser, QuasiNewton
from analyses.problems import Linear, Probe, Problem, check
from analyses.responses import Response, column_sums, logistic, softmax, squared
from analyses.threads import in_threads

Array = NDArray[np.float64]
TOLERANCE = 1e-5
NEGLIGIBLE = 1e-9
MOST_PASSES = 300
_USUAL_PASSES = 20
_PASSES_BETWEEN = 5  # measurements of second derivatives
_ROWS_PER_COLUMN = 10  # of the sample that a measurement takes
_FEWEST_ROWS = 2000  # of it, however few columns there are
_SAMPLE_BYTES = 256 << 20  # that samples of all probes take together


def fit_probes(
    design: Design,
    responses: Sequence[Response],
    rows: Sequence[NDArray[np.bool_]],
    problems: Sequence[Problem],
    *,
    weights: Array | None = None,
    tolerance: float = TOLERANCE,
    negligible: float = NEGLIGIBLE,
    most_passes: int = MOST_PASSES,
    progress: Progress = lambda done, total: None,
) -> list[Linear]:
    """Fit linear probes together.

    Each is minimised by L-BFGS in the principal directions of the design, where all its second derivatives are alike
    (by accelerated proximal gradients if it has an L1 penalty); a pass over the rows serves all.

    Args:
        design: What they see.
        responses: What they are to say.
        rows: (n_rows,) each: sets of rows to fit them to.
        problems: What to fit.
        weights: (n_rows,) of the rows; None: all weigh 1.
        tolerance: How far the objective may be from the smallest one, as a share of it, about.
        negligible: Or how far for each row, in nats or half squares.
        most_passes: After which those that are not solved are given up.
        progress: Called with the passes done and a guess of how many there will be.

    Raises:
        AnalysisError: If a penalty or ratio is out of range, or a problem has no rows or only one class.
    """
    for each in problems:
        check(each)
    return _Together(design, responses, rows, problems, weights).minimise(tolerance, negligible, most_passes, progress)


def mean_losses(
    design: Design,
    responses: Sequence[Response],
    rows: Sequence[NDArray[np.bool_]],
    problems: Sequence[Problem],
    fitted: Sequence[Linear],
) -> Array:
    """(n_problems,) the mean loss of each probe over other rows, in nats or half squares; see `fit_probes`."""
    together = _Together(design, responses, rows, problems, None)
    functions = [
        (each.weights, each.intercept - responses[problem.response].middle)
        for each, problem in zip(fitted, problems, strict=True)
    ]
    sums, _ = together.losses(list(range(len(problems))), functions)
    return np.asarray(sums.losses / [each.n for each in together.probes])


class _Batch:
    """Probes of one kind, side by side; one of several classes is alone in its own.

    Attributes:
        columns: Those of all scores that are theirs.
    """

    def __init__(self, columns: slice, probes: list[Probe], masks: list[int], dtype: np.dtype[Any]) -> None:
        self.columns = columns
        self._kind = probes[0].response.kind
        self._masks = masks
        responses = list({id(each.response): each.response for each in probes}.values())
        place = {id(each): n for n, each in enumerate(responses)}
        self._of_response = [place[id(each.response)] for each in probes]
        self._y = np.column_stack(
            [each.values - each.middle if each.kind == "numeric" else each.values for each in responses]
        )
        if self._kind == "numeric":
            self._y = self._y.astype(dtype)
        factors = np.stack([each.class_weights for each in probes]).astype(dtype)
        self._factors = None if (factors == 1).all() else factors

    def losses(
        self, z: NDArray[Any], rows: Rows, masks: NDArray[np.bool_], weights: NDArray[Any] | None
    ) -> tuple[NDArray[Any], Array, NDArray[Any]]:
        """Residuals (n_rows, n_scores), summed losses (n_probes,), and curvatures, of what is said of some rows."""
        y = self._y[rows][:, self._of_response]
        present = ~np.isnan(y) if self._kind == "numeric" else y >= 0
        weigh = (masks[:, self._masks] & present).astype(z.dtype)
        if weights is not None:
            weigh *= weights[rows, None]
        y = np.where(present, y, 0)
        if self._factors is not None:
            weigh *= self._factors[np.arange(len(self._factors)), y]
        if self._kind == "categorical":
            return softmax(z, y[:, 0], weigh[:, 0])
        loss = logistic if self._kind == "binary" else squared
        return loss(z, y.astype(z.dtype), weigh)


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
        rows: Sequence[NDArray[np.bool_]],
        problems: Sequence[Problem],
        weights: Array | None,
    ) -> None:
        self._design = design
        self._weights = None if weights is None else weights.astype(design.dtype)
        self._masks = np.column_stack(list(rows))
        self._mask_of = [each.rows for each in problems]
        self._wanted = np.asarray(self._masks[:, sorted(set(self._mask_of))].any(axis=1))
        self._batched: tuple[list[int], tuple[list[int], list[_Batch]]] = ([], ([], []))
        self._curvatures = [np.zeros(1)] * len(problems)
        self._basis: Basis | None = None
        self.probes = [
            Probe(each, responses[each.response], rows[each.rows], weights, design.n_columns) for each in problems
        ]

    def minimise(self, tolerance: float, negligible: float, most_passes: int, progress: Progress) -> list[Linear]:
        """Fit all."""
        minimisers = self._minimisers(tolerance, negligible)
        n_passes = [0] * len(minimisers)
        measured: defaultdict[object, int] = defaultdict(int)  # the pass in which a group was measured
        for done in range(most_passes):
            active = [number for number, each in enumerate(minimisers) if not each.is_solved]
            if not active:
                break
            progress(done, max(_USUAL_PASSES, done + 5))
            points = [minimisers[number].point for number in active]
            functions = [(point[:-1], point[-1]) for point in points]
            to_measure = self._to_measure(active, done, measured)
            sums, products = self.losses(active, functions, to_measure)
            for place, number in enumerate(active):
                own, probe = minimisers[number], self.probes[number]
                found = sums.losses[place], sums.gradients[place], sums.of_intercepts[place]
                own.take(*probe.penalised(own.point, *found))
                n_passes[number] += 1
                if own.is_solved and isinstance(own, QuasiNewton):
                    own.let_go()
                if _has_fallen(own):
                    self._curvatures[number] = sums.curvatures[place]
            sound = {self.probes[number].group for number in to_measure if _has_fallen(minimisers[number])}
            measured_anew = [
                (own, self.probes[number])
                for number in active
                if isinstance(own := minimisers[number], QuasiNewton)
                and not own.is_solved
                and own.has_fallen
                and self.probes[number].group in sound
            ]
            makers = [partial(probe.metric, products[probe.group]) for _, probe in measured_anew]
            for (own, _), solve in zip(measured_anew, in_threads(lambda make: make(), makers), strict=True):
                own.change_metric(solve)
        return [
            Linear(own.best[:-1], own.best[-1] + probe.response.middle, own.value, n, own.is_solved)
            for own, probe, n in zip(minimisers, self.probes, n_passes, strict=True)
        ]

    def _minimisers(self, tolerance: float, negligible: float) -> list[Minimiser]:
        found: list[Minimiser] = []
        bound: Array | None = None
        most = 1.0 if self._weights is None else float(self._weights.max())
        for probe in self.probes:
            if probe.problem.l1_ratio > 0:
                if bound is None:
                    bound = most * gram(self._design, self._wanted)[0]
                found.append(probe.proximal(bound, tolerance, negligible))
            else:
                if self._basis is None:
                    self._basis = self._design.basis(self._wanted)
                found.append(probe.minimiser(self._basis, tolerance, negligible))
        return found

    def _to_measure(self, numbers: list[int], done: int, measured: dict[object, int]) -> dict[int, Array]:
        """Which probes' second derivatives to measure, one of each group, and how often to take rows of a curvature."""
        n_columns = self._design.n_columns + 1
        n_rows = max(_ROWS_PER_COLUMN * n_columns, _FEWEST_ROWS)
        all_rows = int(self._wanted.sum()) <= 4 * n_rows  # few enough to take each as it is, as often as need be
        room = _SAMPLE_BYTES // (n_rows * n_columns * self._design.dtype.itemsize)
        found: dict[int, Array] = {}
        if self._basis is None or self._basis.vectors is None:
            return found
        for number in sorted(numbers, key=lambda number: measured[self.probes[number].group]):
            probe = self.probes[number]
            can_be = probe.response.kind != "numeric" and probe.problem.l1_ratio == 0
            is_due = done >= measured[probe.group] + (
                1 if all_rows and probe.response.kind == "binary" else _PASSES_BETWEEN
            )
            if can_be and is_due and (not found or probe.response.n_scores <= room):
                own = np.maximum(self._curvatures[number], 1e-300)
                found[number] = np.full(len(own), np.inf) if all_rows else n_rows / own
                measured[probe.group] = done
                room -= probe.response.n_scores
        return found

    def losses(
        self,
        numbers: list[int],
        functions: Sequence[tuple[Array, Array]],
        measured: Mapping[int, Array] = MappingProxyType({}),
    ) -> tuple[_Sums, dict[object, list[Array]]]:
        """The sums of some of the probes in one pass, and second derivatives of those that are to be measured."""
        dtype = self._design.dtype
        order, batches = self._batches(numbers)
        with np.errstate(over="ignore"):  # as below
            weights = np.hstack([functions[place][0] for place in order]).astype(dtype)
            intercepts = np.hstack([functions[place][1] for place in order]).astype(dtype)
        sizes = [self.probes[numbers[place]].response.n_scores for place in order]
        ends = np.cumsum(sizes)
        firsts = {numbers[place]: int(end) - size for place, end, size in zip(order, ends, sizes, strict=True)}
        sampled = [
            (firsts[number] + score, rate)
            for number, rates in measured.items()
            for score, rate in enumerate(rates.tolist())
        ]

        @np.errstate(over="ignore", invalid="ignore")  # too far away: a shorter step is tried
        def add_up(tile: Tile) -> tuple[Array, NDArray[Any], Array, Array, list[NDArray[Any]]]:
            z = tile.times(weights) + intercepts
            masks, residuals, losses = self._masks[tile.rows], np.empty_like(z), []
            curvatures = np.zeros_like(z)
            for batch in batches:
                own = batch.columns
                residuals[:, own], loss, curvatures[:, own] = batch.losses(z[:, own], tile.rows, masks, self._weights)
                losses.append(loss)
            return (
                np.concatenate(losses),
                tile.transposed_times(residuals),
                column_sums(residuals),
                column_sums(curvatures),
                [_sample(tile, curvatures[:, column], rate) for column, rate in sampled],
            )

        losses, gradient = np.zeros(len(numbers)), np.zeros(weights.shape)
        of_intercepts, curvatures = np.zeros(len(intercepts)), np.zeros(len(intercepts))
        samples: list[list[NDArray[Any]]] = [[] for _ in sampled]
        for own in in_threads(add_up, self._design.tiles(self._wanted)):
            losses += own[0]
            gradient += own[1]
            of_intercepts += own[2]
            curvatures += own[3]
            for sample, rows in zip(samples, own[4], strict=True):
                sample.append(rows)
        split = [np.split(each, ends[:-1], axis=-1) for each in (gradient, of_intercepts, curvatures)]
        back = np.argsort(order)
        sums = _Sums(losses[back], *([each[n] for n in back] for each in split))
        products = in_threads(_products, samples)
        return sums, {self.probes[number].group: [next(products) for _ in rates] for number, rates in measured.items()}

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


def _has_fallen(minimiser: Minimiser) -> bool:
    """Whether what was measured at its point is worth anything: it was not too far away."""
    return isinstance(minimiser, QuasiNewton) and minimiser.has_fallen


def _sample(tile: Tile, curvatures: NDArray[Any], rate: float) -> NDArray[Any]:
    """Rows (n_chosen, n_columns + 1), the last column 1, whose products add up to those of all, weighed by curvature.

    Rows are taken as often as their curvature asks for, so that few are enough, whatever is rare; each once if the rate
    is infinite.
    """
    x = tile.x  # type: ignore[attr-defined]
    if np.isinf(rate):
        x = np.hstack([x, np.ones((len(x), 1), x.dtype)])
        return np.asarray(x * np.sqrt(curvatures)[:, None])
    curvatures = np.nan_to_num(curvatures, posinf=0.0)  # where the point is too far away
    return _chosen(x, curvatures, rate)


@njit(nogil=True, cache=True)
def _chosen(x: NDArray[Any], curvatures: NDArray[Any], rate: float) -> NDArray[Any]:
    """Rows as often as the sum of the curvatures passes another whole number, times `rate`, and 1 behind each."""
    n_rows, n_columns = x.shape
    total, taken, n_chosen = 0.0, np.int64(0), 0
    times = np.zeros(n_rows, np.int64)
    for row in range(n_rows):
        total += curvatures[row]
        upto = np.int64(np.floor(total * rate + 0.5))
        times[row] = upto - taken
        n_chosen += times[row] > 0
        taken = upto
    found = np.empty((n_chosen, n_columns + 1), x.dtype)
    place = 0
    for row in range(n_rows):
        if times[row] > 0:
            factor = x.dtype.type(np.sqrt(times[row] / rate))
            for column in range(n_columns):
                found[place, column] = x[row, column] * factor
            found[place, n_columns] = factor
            place += 1
    return found


def _products(rows: list[NDArray[Any]]) -> Array:
    x = np.concatenate(rows)
    return np.asarray(x.T @ x, np.float64)
