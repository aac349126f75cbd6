"""What fitted probes say of the characters that are held out, in as few passes over these as memory allows."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from analyses.intervals.long_run import position_groups
from analyses.probing.designs.design import NOT_NUMBERS, Design, Tile
from analyses.probing.fitting.problems import FittedProbe
from analyses.probing.options import FitOptions
from analyses.probing.ranking_metrics import RankingAccumulator, RankingMetrics
from analyses.probing.scores import FoldAgreement, PredictionSums
from analyses.probing.tasks import ProbeTask
from analyses.targets.splits import TEST
from analyses.threads import in_threads

RANKED_BYTES = 8  # of each of them


class FittedTask(NamedTuple):
    """A label, and the probe of each fold."""

    asked: ProbeTask
    linears: Sequence[FittedProbe]


class HeldOutPredictions(NamedTuple):
    """What is known of what the probes of a label say of held-out characters.

    Attributes:
        sums: Over them.
        ranks: For each fold, of each class; see `probe_scores.score`.
        training_noise: Share of their variance that is due to the training sample; see `scores.FoldAgreement`.
        said: (n_rows, n_outputs) itself, NaN at characters that are not held out, if it is to be kept; of numbers it is
            how far they are from the label's middle, which float32 may not tell from its neighbours.
    """

    sums: PredictionSums
    ranks: list[list[RankingMetrics]]
    training_noise: float
    said: NDArray[np.float32] | None


class _Column(NamedTuple):
    """One of the scores of a label in one of its folds."""

    label: int
    fold: int
    score: int


def predict_held_out(design: Design, fitted: Sequence[FittedTask], options: FitOptions) -> list[HeldOutPredictions]:
    """Let probes say something of each held-out character, and add that up.

    Args:
        design: What they see.
        fitted: Probes of several labels.
        options: Whether to keep it, and how much memory there is.

    Raises:
        AnalysisError: If activations are not numbers.
    """
    hearings = [_Hearing(each, design.n_rows, keep=options.keep) for each in fitted]
    for columns in _chunks(fitted, min(options.ranking_memory, options.memory)):
        _Pass(design, hearings, columns).read()
    return [each.result for each in hearings]


def _chunks(fitted: Sequence[FittedTask], n_bytes: int) -> Iterator[list[_Column]]:
    """All columns, so many at a time as take so many bytes."""
    chunk: list[_Column] = []
    left = n_bytes
    for label, (asked, _) in enumerate(fitted):
        for fold, n_tests in enumerate(asked.n_tests.tolist()):
            for place in range(asked.response.n_outputs):
                own = RANKED_BYTES * n_tests
                if chunk and own > left:
                    yield chunk
                    chunk, left = [], n_bytes
                chunk.append(_Column(label, fold, place))
                left -= own
    if chunk:
        yield chunk


class _Hearing:
    """What is heard of the probes of a label, pass by pass.

    Attributes:
        asked: The label.
        linears: The probe of each fold.
    """

    def __init__(self, fitted: FittedTask, n_rows: int, *, keep: bool) -> None:
        self.asked, self.linears = fitted
        response = self.asked.response
        self.sums = PredictionSums(response, self.asked.folds.n_atoms)
        self.agreement = FoldAgreement(len(self.linears))
        self.ranks: list[list[RankingMetrics]] = [[] for _ in self.linears]
        self.said = np.full((n_rows, response.n_outputs), np.nan, np.float32) if keep else None

    @property
    def result(self) -> HeldOutPredictions:
        """What was heard, after all passes."""
        return HeldOutPredictions(self.sums, self.ranks, self.agreement.training_noise, self.said)


class _Pass:
    """One pass over held-out characters, in which some columns are heard."""

    def __init__(self, design: Design, hearings: Sequence[_Hearing], columns: Sequence[_Column]) -> None:
        self._design, self._hearings = design, hearings
        self._labels = sorted({column.label for column in columns})
        asked = {label: hearings[label].asked for label in self._labels}
        self._rankings = {
            column: RankingAccumulator(int(asked[column.label].n_tests[column.fold]), asked[column.label].folds.n_atoms)
            for column in columns
            if asked[column.label].response.kind != "numeric"
        }
        self._folds = {label: sorted({each.fold for each in columns if each.label == label}) for label in self._labels}
        self._begun = {(each.label, each.fold) for each in columns if each.score == 0}
        self._wanted = np.zeros(design.n_rows, np.bool_)
        done = set()
        for label, folds in self._folds.items():
            tests = asked[label].folds.parts.are(TEST).each()
            for fold in folds:
                if (key := (id(asked[label].folds), fold)) not in done:
                    self._wanted |= tests[fold][:]
                    done.add(key)

    def read(self) -> None:
        """Read them, and rank what is said."""
        linears = [linear for label in self._labels for linear in self._hearings[label].linears]
        middles = [
            self._hearings[label].asked.response.centre for label in self._labels for _ in self._hearings[label].linears
        ]
        dtype = self._design.dtype
        weights = np.hstack([each.weights for each in linears]).astype(dtype)
        intercepts = np.hstack([each.intercept - middle for each, middle in zip(linears, middles, strict=True)])
        intercepts = intercepts.astype(dtype)

        def work(tile: Tile) -> tuple[Tile, NDArray[np.float32]]:
            return tile, (tile.times(weights) + intercepts).astype(np.float32, copy=False)

        for tile, z in in_threads(work, self._design.tiles(self._wanted)):
            first = 0
            for label in self._labels:
                hearing = self._hearings[label]
                n_folds, n_outputs = len(hearing.linears), hearing.asked.response.n_outputs
                last = first + n_folds * n_outputs
                self._add(label, tile.rows, z[:, first:last].reshape(len(z), n_folds, n_outputs))
                first = last
        for column, ranks in zip(self._rankings, in_threads(self._rank, self._rankings), strict=True):
            self._hearings[column.label].ranks[column.fold].append(ranks)

    def _rank(self, column: _Column) -> RankingMetrics:
        return self._rankings[column].metrics(position_groups(self._hearings[column.label].asked.folds.n_atoms))

    def _add(self, label: int, rows: slice, z: NDArray[np.float32]) -> None:
        """What all folds' probes of a label say of some rows, (n_rows, n_folds, n_outputs)."""
        hearing = self._hearings[label]
        asked = hearing.asked
        response, folds = asked.response, asked.folds
        y, parts, atom = response.at(rows), folds.parts[rows], folds.atom[rows]
        present = response.is_there(y)
        for fold in self._folds[label]:
            tests = parts[fold] == TEST
            if not tests.any():
                continue
            is_first = (label, fold) in self._begun
            if is_first and hearing.said is not None:
                hearing.said[rows][tests] = z[tests, fold]
            chosen = tests & present
            own, labels, cell = z[chosen, fold], y[chosen], atom[chosen]
            if not np.isfinite(own).all():
                raise AnalysisError(NOT_NUMBERS)
            if is_first:
                hearing.agreement.add(z[chosen])
                hearing.sums.add(own, labels - response.centre if response.kind == "numeric" else labels, cell)
            if response.kind != "numeric":
                self._order(label, fold, own, labels, cell)

    def _order(
        self, label: int, fold: int, z: NDArray[np.float32], labels: NDArray[Any], cell: NDArray[np.int64]
    ) -> None:
        """By the logit of True, or by the probability of each of several classes."""
        from scipy.special import softmax

        if z.shape[1] == 1:
            self._rankings[_Column(label, fold, 0)].add(z[:, 0], labels == 1, cell)
            return
        shares = softmax(z.astype(np.float64), axis=1)
        for place in range(z.shape[1]):
            if (ranking := self._rankings.get(_Column(label, fold, place))) is not None:
                ranking.add(shares[:, place], labels == place, cell)
