"""Control tasks: labels that have nothing to do with a hypothesis, so that a probe should be at chance."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from analyses.errors import AnalysisError
from analyses.probing.control_names import CONTEXT, N_CONTEXT, RUNS
from analyses.targets.row_runs import PIECE_ROWS, pieces_of_rows, value_counts
from analyses.targets.target import Target
from hypotheses.labelling.corpus_labels import narrowest
from hypotheses.labelling.long_labels import AnyLabels
from hypotheses.labels import Kind, Labels


def control_task(name: str, target: Target, corpus: Corpus, seed: int = 0) -> Target:
    """Make the target of a control task, with as many labels of each kind as a hypothesis has.

    Args:
        name: One of `TASKS`.
        target: The target of the hypothesis.
        corpus: The text.
        seed: Seed of the draw.

    Raises:
        AnalysisError: If there is no such task.

    Source:
        Hewitt & Liang 2019, EMNLP: a label for each word type; single characters have too few types for that.
    """
    values = np.array(target.labels.values)
    values[target.selection.start : target.selection.stop] = control_labels(name, target, corpus, seed)
    return replace(target, labels=Labels(values, target.labels.kind, target.labels.missing, target.labels.names))


def control_labels(
    name: str, target: Target, corpus: Corpus, seed: int = 0, *, piece_rows: int = PIECE_ROWS
) -> NDArray[Any]:
    """Draw the labels of `control_task`, from the first used character to the last, in the narrowest dtype.

    Values where the label is missing mean nothing. Characters are looked at `piece_rows` at a time, which changes only
    the memory that this takes.
    """
    if name not in TASKS:
        raise AnalysisError(f"there is no control task {name!r}; there are {', '.join(TASKS)}")
    used = slice(target.selection.start, target.selection.stop)
    missing = target.labels.missing_at(used)
    values = _narrow(target.labels, target.selection, piece_rows)
    labels = _UsedLabels(target.kind, values, None if missing is None else ~missing, piece_rows)
    return TASKS[name](labels, corpus, target.selection.start, np.random.default_rng(seed))


class _UsedLabels(NamedTuple):
    """The labels of a hypothesis, from the first used character to the last.

    Attributes:
        kind: Binary, categorical or numeric.
        values: (n_chars,) in the narrowest dtype.
        present: (n_chars,) True where there is a label; None: everywhere.
        piece_rows: How many characters are looked at at a time.
    """

    kind: Kind
    values: NDArray[Any]
    present: NDArray[np.bool_] | None
    piece_rows: int

    def in_pieces(self) -> Iterator[tuple[slice, NDArray[np.bool_] | slice]]:
        """Yield a piece of the characters at a time, and which of them have a label."""
        for piece in pieces_of_rows(len(self.values), self.piece_rows):
            yield piece, slice(None) if self.present is None else self.present[piece]

    @property
    def all_present(self) -> NDArray[Any]:
        """(n_present,) the labels that are not missing."""
        return self.values if self.present is None else self.values[self.present]

    def with_present(self, values: NDArray[Any]) -> NDArray[Any]:
        """(n_chars,) the labels, in which (n_present,) other values replace all that are not missing."""
        if self.present is None:
            return values
        replaced = self.values.copy()
        replaced[self.present] = values
        return replaced


def _labels_of_contexts(labels: _UsedLabels, corpus: Corpus, start: int, rng: np.random.Generator) -> NDArray[Any]:
    """(n_chars,) labels drawn for each context of three characters of one document.

    In a random order of the contexts, each gets the label at the middle of its characters among the sorted labels, so
    that each label is about as frequent as before.
    """
    contexts, n = value_counts(_contexts(corpus, start, piece)[present] for piece, present in labels.in_pieces())
    order = rng.permutation(len(n))
    middles = np.empty(len(n), np.int64)
    middles[order] = np.cumsum(n[order]) - (n[order] + 1) // 2
    if labels.values.dtype.kind == "f":
        label_of_context = np.sort(labels.all_present)[middles]
    else:
        values, n_of_values = value_counts(labels.values[piece][present] for piece, present in labels.in_pieces())
        label_of_context = values[np.searchsorted(np.cumsum(n_of_values), middles, side="right")]
    drawn = labels.values.copy()
    for piece, present in labels.in_pieces():
        indices = np.searchsorted(contexts, _contexts(corpus, start, piece)[present])
        drawn[piece][present] = label_of_context[indices]
    return drawn


def _contexts(corpus: Corpus, start: int, piece: slice) -> NDArray[np.uint64]:
    """(n_chars,) a number for the three characters of one document that end at each character of a piece.

    Args:
        corpus: The text.
        start: Position in the text from which the piece is counted.
        piece: The characters.
    """
    first, stop = start + piece.start, start + piece.stop
    context = np.zeros(stop - first, np.uint64)
    documents = corpus.starts_within(first - N_CONTEXT, stop) - first
    for back in range(N_CONTEXT):
        codes = np.zeros(len(context), np.uint64)
        codes[max(back - first, 0) :] = corpus.codes[max(first - back, 0) : stop - back]
        for after in range(back):  # characters before the start of a document are not in it
            positions = documents + after
            codes[positions[(positions >= 0) & (positions < len(codes))]] = 0
        context = context * np.uint64(1 << 21) + codes  # a code point has 21 bits
    return context


def _labels_in_random_runs(labels: _UsedLabels, corpus: Corpus, start: int, rng: np.random.Generator) -> NDArray[Any]:
    """(n_chars,) the runs of the labels in random order; numbers are rotated by a tenth of them or more."""
    values = labels.all_present
    if labels.kind == "numeric":
        tenth = len(values) // 10
        return labels.with_present(np.roll(values, int(rng.integers(tenth, len(values) - tenth + 1))))
    dtype = np.result_type(np.int32, np.min_scalar_type(-len(values)))
    starts = [np.zeros(1, dtype)]
    for piece in pieces_of_rows(len(values) - 1, labels.piece_rows):
        changes = values[piece.start + 1 : piece.stop + 1] != values[piece]
        starts.append((np.flatnonzero(changes) + piece.start + 1).astype(dtype))
    run_starts = np.concatenate(starts)
    lengths, run_values = np.diff(run_starts, append=dtype.type(len(values))), values[run_starts]
    if labels.kind == "binary":  # runs of True and of False go on alternating
        for value in (False, True):
            lengths[run_values == value] = rng.permutation(lengths[run_values == value])
    else:
        order = rng.permutation(len(run_values))
        lengths, run_values = lengths[order], run_values[order]
    return labels.with_present(np.repeat(run_values, lengths))


def _narrow(labels: AnyLabels, used: Selection, piece_rows: int) -> NDArray[Any]:
    """(n_chars,) the labels from the first used character to the last, in the narrowest dtype that holds them."""
    n_chars = used.stop - used.start
    pieces = list(pieces_of_rows(n_chars, piece_rows))
    positions = [slice(used.start + rows.start, used.start + rows.stop) for rows in pieces]
    values = np.empty(n_chars, np.result_type(*{narrowest(labels.values_at(piece)).dtype for piece in positions}))
    for rows, piece in zip(pieces, positions, strict=True):
        values[rows] = labels.values_at(piece)
    return values


TASKS: dict[str, Callable[[_UsedLabels, Corpus, int, np.random.Generator], NDArray[Any]]] = {
    CONTEXT: _labels_of_contexts,
    RUNS: _labels_in_random_runs,
}
"""Functions that draw the labels of a control task from those of a hypothesis, the text, the position of the first used
character, and a generator of random numbers. `control_names.CONTROLS` describes the tasks."""
