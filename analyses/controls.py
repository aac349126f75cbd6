"""Labels that a probe ought not to be able to read: control tasks."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from activations.corpus import Corpus
from analyses.alignment import Target
from analyses.errors import AnalysisError
from hypotheses.labels import Labels

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
    make = {CONTEXT: by_context, RUNS: in_random_runs}.get(name)
    if make is None:
        raise AnalysisError(f"there is no control task {name!r}; there are {', '.join(TASKS)}")
    values = np.array(asked.labels.values)
    used = np.zeros(len(values), np.bool_)
    used[asked.selection.start : asked.selection.stop] = True
    places = np.flatnonzero(used & asked.labels.present)
    values[places] = make(asked, corpus, places, np.random.default_rng(seed))
    return replace(asked, labels=Labels(values, asked.labels.kind, asked.labels.missing, asked.labels.names))


def by_context(
    asked: Target, corpus: Corpus, places: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.generic]:
    """(n_places,) labels drawn for each context of three characters, in the same document."""
    context = np.zeros(len(corpus), np.uint64)
    for back in range(N_CONTEXT):
        behind = corpus.codes.astype(np.uint64)
        behind[back:] = behind[: len(behind) - back].copy()
        for document in corpus.documents:
            behind[document.start : document.start + back] = 0
        context = context * np.uint64(1 << 21) + behind  # a code point has 21 bits
    _, which, n = np.unique(context[places], return_inverse=True, return_counts=True)
    order = rng.permutation(len(n))
    middles = np.empty(len(n), np.int64)
    middles[order] = np.cumsum(n[order]) - (n[order] + 1) // 2  # so that each label is as frequent as it was
    return np.asarray(np.sort(asked.labels.values[places])[middles][which])


def in_random_runs(
    asked: Target, corpus: Corpus, places: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.generic]:
    """(n_places,) the runs of the labels in random order; numbers shifted in a circle by a tenth of them or more."""
    own = asked.labels.values[places]
    if asked.kind == "numeric":
        return np.roll(own, int(rng.integers(len(own) // 10, len(own) - len(own) // 10 + 1)))
    starts = np.flatnonzero(np.concatenate([[True], own[1:] != own[:-1]]))
    lengths, values = np.diff(starts, append=len(own)), own[starts]
    if asked.kind == "binary":  # True and False go on in turn
        for value in (False, True):
            lengths[values == value] = rng.permutation(lengths[values == value])
    else:
        order = rng.permutation(len(values))
        lengths, values = lengths[order], values[order]
    return np.repeat(values, lengths)
