"""Labels that a probe ought not to be able to read: control tasks."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from analyses.errors import AnalysisError
from analyses.targets.row_runs import pieces_of_rows, value_counts
from analyses.targets.target import Target
from hypotheses.labelling.corpus_labels import narrowest
from hypotheses.labelling.long_labels import AnyLabels
from hypotheses.labels import Kind, Labels

CONTEXT, RUNS = "context", "runs"
TASKS = (CONTEXT, RUNS)
N_CONTEXT = 3


def control_task(name: str, asked: Target, corpus: Corpus, seed: int = 0) -> Target:
    """The target of a control task: as many labels of each kind, that have nothing to do with the hypothesis.

    Args:
        name: `context`: a label for each context of three characters, about as often as the hypothesis has it, so that
            only a probe that remembers contexts can tell it. `runs`: the runs of the hypothesis's labels, as long as
            they are, in random order; a numeric label is shifted in a circle instead.
        asked: The hypothesis's labels.
        corpus: The text.
        seed: Of the draw.

    Raises:
        AnalysisError: If there is no such task.

    Source:
        Hewitt & Liang 2019, EMNLP: a label for each type; single characters are too few for that.
    """
    values = np.array(asked.labels.values)
    values[asked.selection.start : asked.selection.stop] = control_labels(name, asked, corpus, seed)
    return replace(asked, labels=Labels(values, asked.labels.kind, asked.labels.missing, asked.labels.names))


def control_labels(name: str, asked: Target, corpus: Corpus, seed: int = 0) -> NDArray[Any]:
    """The labels of `control_task` in the narrowest numbers that hold them, from the first used character to the last.

    What stands where the label is missing means nothing.
    """
    make = {CONTEXT: by_context, RUNS: in_random_runs}.get(name)
    if make is None:
        raise AnalysisError(f"there is no control task {name!r}; there are {', '.join(TASKS)}")
    within = slice(asked.selection.start, asked.selection.stop)
    missing = asked.labels.missing_at(within)
    own = _Own(asked.kind, _narrow(asked.labels, asked.selection), None if missing is None else ~missing)
    return make(own, corpus, asked.selection.start, np.random.default_rng(seed))


class _Own(NamedTuple):
    """A hypothesis's labels, from the first used character to the last.

    Attributes:
        kind: Of them.
        values: (n_chars,) in few bytes.
        present: (n_chars,) where there is one; None is everywhere.
    """

    kind: Kind
    values: NDArray[Any]
    present: NDArray[np.bool_] | None

    def in_pieces(self) -> Iterator[tuple[slice, NDArray[np.bool_] | slice]]:
        """Where each piece of them is, and which of its characters have a label."""
        for piece in pieces_of_rows(len(self.values)):
            yield piece, slice(None) if self.present is None else self.present[piece]

    @property
    def all_present(self) -> NDArray[Any]:
        """(n_present,) those that there are."""
        return self.values if self.present is None else self.values[self.present]

    def with_present(self, values: NDArray[Any]) -> NDArray[Any]:
        """(n_chars,) the labels, with others (n_present,) in the place of those that there are."""
        if self.present is None:
            return values
        found = self.values.copy()
        found[self.present] = values
        return found


def by_context(asked: _Own, corpus: Corpus, start: int, rng: np.random.Generator) -> NDArray[Any]:
    """(n_chars,) labels drawn for each context of three characters, in the same document."""
    contexts, n = value_counts(_contexts(corpus, start, piece)[told] for piece, told in asked.in_pieces())
    order = rng.permutation(len(n))
    middles = np.empty(len(n), np.int64)
    middles[order] = np.cumsum(n[order]) - (n[order] + 1) // 2  # so that each label is as frequent as it was
    if asked.values.dtype.kind == "f":
        of_contexts = np.sort(asked.all_present)[middles]
    else:
        known, n_known = value_counts(asked.values[piece][told] for piece, told in asked.in_pieces())
        of_contexts = known[np.searchsorted(np.cumsum(n_known), middles, side="right")]
    found = asked.values.copy()
    for piece, told in asked.in_pieces():
        found[piece][told] = of_contexts[np.searchsorted(contexts, _contexts(corpus, start, piece)[told])]
    return found


def _contexts(corpus: Corpus, start: int, piece: slice) -> NDArray[np.uint64]:
    """(n_chars,) a number for each three characters of one document that end at some characters after `start`."""
    first, stop = start + piece.start, start + piece.stop
    context = np.zeros(stop - first, np.uint64)
    documents = corpus.starts_within(first - N_CONTEXT, stop) - first
    for back in range(N_CONTEXT):
        behind = np.zeros(len(context), np.uint64)
        behind[max(back - first, 0) :] = corpus.codes[max(first - back, 0) : stop - back]
        for after in range(back):  # what stands before a document is none of its characters
            places = documents + after
            behind[places[(places >= 0) & (places < len(behind))]] = 0
        context = context * np.uint64(1 << 21) + behind  # a code point has 21 bits
    return context


def in_random_runs(asked: _Own, corpus: Corpus, start: int, rng: np.random.Generator) -> NDArray[Any]:
    """(n_chars,) the runs of the labels in random order; numbers shifted in a circle by a tenth of them or more."""
    own = asked.all_present
    if asked.kind == "numeric":
        return asked.with_present(np.roll(own, int(rng.integers(len(own) // 10, len(own) - len(own) // 10 + 1))))
    dtype = np.result_type(np.int32, np.min_scalar_type(-len(own)))
    starts = [np.zeros(1, dtype)]
    for piece in pieces_of_rows(len(own) - 1):
        changes = own[piece.start + 1 : piece.stop + 1] != own[piece]
        starts.append((np.flatnonzero(changes) + piece.start + 1).astype(dtype))
    of_runs = np.concatenate(starts)
    lengths, values = np.diff(of_runs, append=dtype.type(len(own))), own[of_runs]
    if asked.kind == "binary":  # True and False go on in turn
        for value in (False, True):
            lengths[values == value] = rng.permutation(lengths[values == value])
    else:
        order = rng.permutation(len(values))
        lengths, values = lengths[order], values[order]
    return asked.with_present(np.repeat(values, lengths))


def _narrow(labels: AnyLabels, used: Selection) -> NDArray[Any]:
    """(n_chars,) the labels from the first used character to the last, in the narrowest numbers that hold them."""
    n_chars = used.stop - used.start
    places = [slice(used.start + rows.start, used.start + rows.stop) for rows in pieces_of_rows(n_chars)]
    found = np.empty(n_chars, np.result_type(*{narrowest(labels.values_at(piece)).dtype for piece in places}))
    for rows, piece in zip(pieces_of_rows(n_chars), places, strict=True):
        found[rows] = labels.values_at(piece)
    return found
