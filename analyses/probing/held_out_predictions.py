"""Predictions of fitted probes for held-out characters, in as few passes over these as memory allows."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from analyses.intervals.long_run import position_groups
from analyses.probing.designs.design import NOT_NUMBERS, Design, Tile
from analyses.probing.fitting.problems import FittedProbe
from analyses.probing.options import FitOptions
from analyses.probing.scoring.ranking_metrics import RankingAccumulator, RankingMetrics
from analyses.probing.scoring.scores import FoldAgreement, PredictionSums
from analyses.probing.tasks import ProbeTask
from analyses.targets.splits import TEST
from analyses.threads import in_threads

_SORTED_BYTES = 8  # of memory, for each held-out character and output


class FittedTask(NamedTuple):
    """A task with the probe that was fitted in each fold."""

    task: ProbeTask
    probes: Sequence[FittedProbe]


class HeldOutPredictions(NamedTuple):
    """Sums over the predictions for the held-out characters of a task, of which its scores are made.

    Attributes:
        sums: Sums of losses and of agreements with the labels.
        rankings: For each fold, the metrics of each class; see `scores.score`.
        training_noise: Share of the predictions' variance due to the training sample; see `scores.FoldAgreement`.
        outputs: (n_rows, n_outputs) logits, NaN at characters that are not held out; None if not kept. Of numbers it
            is the prediction less the centre of the labels: far from 0, float32 would round it too much.
    """

    sums: PredictionSums
    rankings: list[list[RankingMetrics]]
    training_noise: float
    outputs: NDArray[np.float32] | None


class _Column(NamedTuple):
    """One output of one task's probe in one fold.

    Attributes:
        task: Number of the task among those fitted together.
        fold: Number of the fold.
        output: Number of the output.
    """

    task: int
    fold: int
    output: int


def predict_held_out(design: Design, fitted: Sequence[FittedTask], options: FitOptions) -> list[HeldOutPredictions]:
    """Let the probes predict each held-out character, and sum up what scores need.

    Args:
        design: What the probes see.
        fitted: Several tasks with their probes.
        options: Whether to keep the predictions, and how much memory there is.

    Raises:
        AnalysisError: If activations are not numbers.
    """
    collected = [_TaskPredictions(task, design.n_rows, keep=options.keep) for task in fitted]
    for columns in _chunks_of_columns(fitted, options):
        _Pass(design, collected, columns).read()
    return [predictions.result for predictions in collected]


def sorted_bytes(task: ProbeTask) -> int:
    """Return the memory that sorting takes for all predictions of a task, in all folds."""
    return _SORTED_BYTES * task.response.n_outputs * int(task.n_tests.sum())


def memory_for_sorting(options: FitOptions) -> int:
    """Return the memory that sorting may take for all tasks together."""
    return min(options.ranking_memory, options.memory)


def _chunks_of_columns(fitted: Sequence[FittedTask], options: FitOptions) -> Iterator[list[_Column]]:
    """Yield all columns, as many at a time as there is memory for sorting."""
    chunk: list[_Column] = []
    memory = room = memory_for_sorting(options)
    for number, (task, _) in enumerate(fitted):
        for fold, n_tests in enumerate(task.n_tests.tolist()):
            for output in range(task.response.n_outputs):
                n_bytes = _SORTED_BYTES * n_tests
                if chunk and n_bytes > room:
                    yield chunk
                    chunk, room = [], memory
                chunk.append(_Column(number, fold, output))
                room -= n_bytes
    if chunk:
        yield chunk


class _TaskPredictions:
    """The predictions for one task, collected pass by pass.

    Attributes:
        task: The task.
        probes: The probe of each fold.
        sums: Sums over the held-out characters.
        agreement: How much the probes of all folds agree.
        rankings: For each fold, the metrics of each class.
        outputs: (n_rows, n_outputs) the predictions, if they are kept.
    """

    def __init__(self, fitted: FittedTask, n_rows: int, *, keep: bool) -> None:
        self.task, self.probes = fitted
        response = self.task.response
        self.sums = PredictionSums(response, self.task.folds.n_atoms)
        self.agreement = FoldAgreement(len(self.probes))
        self.rankings: list[list[RankingMetrics]] = [[] for _ in self.probes]
        self.outputs = np.full((n_rows, response.n_outputs), np.nan, np.float32) if keep else None

    @property
    def result(self) -> HeldOutPredictions:
        """The predictions after all passes."""
        return HeldOutPredictions(self.sums, self.rankings, self.agreement.training_noise, self.outputs)


class _Pass:
    """One pass over held-out characters, in which some columns are ranked.

    The sums and kept predictions of a fold, which all outputs share, are made in the pass that ranks its first output.
    """

    def __init__(self, design: Design, collected: Sequence[_TaskPredictions], columns: Sequence[_Column]) -> None:
        self._design, self._collected = design, collected
        self._tasks = sorted({column.task for column in columns})
        self._accumulators = {
            column: self._accumulator(column)
            for column in columns
            if collected[column.task].task.response.kind != "numeric"
        }
        self._folds = {
            number: sorted({column.fold for column in columns if column.task == number}) for number in self._tasks
        }
        self._is_first = {(column.task, column.fold) for column in columns if column.output == 0}
        self._wanted = np.zeros(design.n_rows, np.bool_)
        done = set()
        for number, folds in self._folds.items():
            folds_of_task = collected[number].task.folds
            is_test = folds_of_task.parts.are(TEST).along_first_axis()
            for fold in folds:
                if (key := (id(folds_of_task), fold)) not in done:
                    self._wanted |= is_test[fold][:]
                    done.add(key)

    def _accumulator(self, column: _Column) -> RankingAccumulator:
        task = self._collected[column.task].task
        return RankingAccumulator(int(task.n_tests[column.fold]), task.folds.n_atoms)

    def read(self) -> None:
        """Read the held-out characters, and rank the predictions for them."""
        weights, intercepts = self._functions()

        def outputs(tile: Tile) -> tuple[slice, NDArray[np.float32]]:
            return tile.rows, (tile.times(weights) + intercepts).astype(np.float32, copy=False)

        for rows, z in in_threads(outputs, self._design.tiles(self._wanted)):
            first = 0
            for number in self._tasks:
                predictions = self._collected[number]
                n_folds, n_outputs = len(predictions.probes), predictions.task.response.n_outputs
                last = first + n_folds * n_outputs
                self._add(number, rows, z[:, first:last].reshape(len(z), n_folds, n_outputs))
                first = last
        for column, metrics in zip(self._accumulators, in_threads(self._rank, self._accumulators), strict=True):
            self._collected[column.task].rankings[column.fold].append(metrics)

    def _functions(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """(n_columns, n_functions) weights and (n_functions,) intercepts of all folds' probes of the tasks."""
        functions = [
            (probe.weights, probe.intercept - predictions.task.response.centre)
            for predictions in (self._collected[number] for number in self._tasks)
            for probe in predictions.probes
        ]
        dtype = self._design.dtype
        weights = np.hstack([weights for weights, _ in functions]).astype(dtype)
        return weights, np.hstack([intercepts for _, intercepts in functions]).astype(dtype)

    def _rank(self, column: _Column) -> RankingMetrics:
        groups = position_groups(self._collected[column.task].task.folds.n_atoms)
        return self._accumulators[column].metrics(groups)

    def _add(self, number: int, rows: slice, z: NDArray[np.float32]) -> None:
        """Add the outputs (n_rows, n_folds, n_outputs) of all folds' probes of a task for some rows."""
        predictions = self._collected[number]
        response, folds = predictions.task.response, predictions.task.folds
        y, parts, atom = response.at(rows), folds.parts[rows], folds.atom[rows]
        present = response.are_present(y)
        for fold in self._folds[number]:
            is_test = parts[fold] == TEST
            if not is_test.any():
                continue
            is_first = (number, fold) in self._is_first
            if is_first and predictions.outputs is not None:
                predictions.outputs[rows][is_test] = z[is_test, fold]
            used = is_test & present
            outputs, labels, cell = z[used, fold], y[used], atom[used]
            if not np.isfinite(outputs).all():
                raise AnalysisError(NOT_NUMBERS)
            if is_first:
                predictions.agreement.add(z[used])
                centred = labels - response.centre if response.kind == "numeric" else labels
                predictions.sums.add(outputs, centred, cell)
            if response.kind != "numeric":
                self._accumulate(number, fold, outputs, labels, cell)

    def _accumulate(
        self, number: int, fold: int, z: NDArray[np.float32], labels: NDArray[Any], cell: NDArray[np.int64]
    ) -> None:
        """Collect the logits of True, or the probabilities of each of several classes, to be ranked."""
        from scipy.special import softmax

        if z.shape[1] == 1:
            self._accumulators[_Column(number, fold, 0)].add(z[:, 0], labels == 1, cell)
            return
        probabilities = softmax(z.astype(np.float64), axis=1)
        for output in range(z.shape[1]):
            if (accumulator := self._accumulators.get(_Column(number, fold, output))) is not None:
                accumulator.add(probabilities[:, output], labels == output, cell)
