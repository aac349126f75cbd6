"""What fitted probes say of the characters that are held out, in as few passes over these as memory allows."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from analyses.intervals.long_run import position_groups
from analyses.probing.designs.design import NOT_NUMBERS, Design, Tile
from analyses.probing.fitting.problems import Linear
from analyses.probing.held_out_ranks import Ranking, Ranks
from analyses.probing.labels import Asked
from analyses.probing.results import Fitting
from analyses.probing.scores import Agreement, Sums
from analyses.targets.splits import TEST
from analyses.threads import in_threads

RANKING_BYTES = 256 << 20  # of held-out characters that are put in order at one time
RANKED_BYTES = 8  # of each of them


class Fitted(NamedTuple):
    """A label, and the probe of each fold."""

    asked: Asked
    linears: Sequence[Linear]


class Heard(NamedTuple):
    """What is known of what the probes of a label say of held-out characters.

    Attributes:
        sums: Over them.
        ranks: For each fold, of each class; see `probe_scores.score`.
        by_accident: How much of what they say is by the accident of their training; see `probe_scores.Agreement`.
        said: (n_rows, n_scores) itself, NaN at characters that are not held out, if it is to be kept; of numbers it is
            how far they are from the label's middle, which float32 may not tell from its neighbours.
    """

    sums: Sums
    ranks: list[list[Ranks]]
    by_accident: float
    said: NDArray[np.float32] | None


class _Column(NamedTuple):
    """One of the scores of a label in one of its folds."""

    label: int
    fold: int
    score: int


def hear(design: Design, fitted: Sequence[Fitted], how: Fitting) -> list[Heard]:
    """Let probes say something of each held-out character, and add that up.

    Args:
        design: What they see.
        fitted: Probes of several labels.
        how: Whether to keep it, and how much memory there is.

    Raises:
        AnalysisError: If activations are not numbers.
    """
    hearings = [_Hearing(each, design.n_rows, keep=how.keep) for each in fitted]
    for columns in _chunks(fitted, min(RANKING_BYTES, how.memory)):
        _Pass(design, hearings, columns).read()
    return [each.result for each in hearings]


def _chunks(fitted: Sequence[Fitted], n_bytes: int) -> Iterator[list[_Column]]:
    """All columns, so many at a time as take so many bytes."""
    chunk: list[_Column] = []
    left = n_bytes
    for label, (asked, _) in enumerate(fitted):
        for fold, n_tests in enumerate(asked.n_tests.tolist()):
            for place in range(asked.response.n_scores):
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

    def __init__(self, fitted: Fitted, n_rows: int, *, keep: bool) -> None:
        self.asked, self.linears = fitted
        response = self.asked.response
        self.sums = Sums(response, self.asked.folds.n_atoms)
        self.agreement = Agreement(len(self.linears))
        self.ranks: list[list[Ranks]] = [[] for _ in self.linears]
        self.said = np.full((n_rows, response.n_scores), np.nan, np.float32) if keep else None

    @property
    def result(self) -> Heard:
        """What was heard, after all passes."""
        return Heard(self.sums, self.ranks, self.agreement.by_accident, self.said)


class _Pass:
    """One pass over held-out characters, in which some columns are heard."""

    def __init__(self, design: Design, hearings: Sequence[_Hearing], columns: Sequence[_Column]) -> None:
        self._design, self._hearings = design, hearings
        self._labels = sorted({column.label for column in columns})
        asked = {label: hearings[label].asked for label in self._labels}
        self._rankings = {
            column: Ranking(int(asked[column.label].n_tests[column.fold]), asked[column.label].folds.n_atoms)
            for column in columns
            if asked[column.label].response.kind != "numeric"
        }
        self._folds = {label: sorted({each.fold for each in columns if each.label == label}) for label in self._labels}
        self._begun = {(each.label, each.fold) for each in columns if each.score == 0}
        self._wanted = np.zeros(design.n_rows, np.bool_)
        done = set()
        for label, folds in self._folds.items():
            tests = asked[label].folds.parts.are(TEST).along_first_axis()
            for fold in folds:
                if (key := (id(asked[label].folds), fold)) not in done:
                    self._wanted |= tests[fold][:]
                    done.add(key)

    def read(self) -> None:
        """Read them, and rank what is said."""
        linears = [linear for label in self._labels for linear in self._hearings[label].linears]
        middles = [
            self._hearings[label].asked.response.middle for label in self._labels for _ in self._hearings[label].linears
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
                n_folds, n_scores = len(hearing.linears), hearing.asked.response.n_scores
                last = first + n_folds * n_scores
                self._add(label, tile.rows, z[:, first:last].reshape(len(z), n_folds, n_scores))
                first = last
        for column, ranks in zip(self._rankings, in_threads(self._rank, self._rankings), strict=True):
            self._hearings[column.label].ranks[column.fold].append(ranks)

    def _rank(self, column: _Column) -> Ranks:
        return self._rankings[column].ranks(position_groups(self._hearings[column.label].asked.folds.n_atoms))

    def _add(self, label: int, rows: slice, z: NDArray[np.float32]) -> None:
        """What all folds' probes of a label say of some rows, (n_rows, n_folds, n_scores)."""
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
                hearing.sums.add(own, labels - response.middle if response.kind == "numeric" else labels, cell)
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
