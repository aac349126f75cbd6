"""Passages: the parts of a text that a model reads anew for each intervention, spread over the whole text."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.texts.corpus import Corpus
from analyses.errors import AnalysisError
from analyses.targets.splits import ATOM_CHARS, FEWEST_ATOMS, MOST_ATOMS

N_CHARS = 20_000
WARM_UP_CHARS = 256
_PASSAGE_CHARS = 1000
_FEWEST_PASSAGES = 20
_FEWEST_CHARS = 200


@dataclass(frozen=True, slots=False, eq=False)
class Passages:
    """Parts of a text, each of which is read from a zero state after a warm-up.

    Attributes:
        corpus: The passages with their warm-ups, a document each.
        positions: (n_chars,) int64, the position of each of its characters in the whole text.
        is_counted: (n_chars,) bool, False in warm-ups, and for a character at the end that is only predicted.
    """

    corpus: Corpus
    positions: NDArray[np.int64]
    is_counted: NDArray[np.bool_]

    @cached_property
    def n_counted(self) -> int:
        """Number of characters that are counted."""
        return int(np.count_nonzero(self.is_counted))


def spread_passages(source: Source, n_chars: int, warm_up_chars: int = WARM_UP_CHARS) -> Passages:
    """Choose passages of about `n_chars` characters together, at equal distances in the selected part of a text.

    Args:
        source: The source whose text is read, and whose selection is used.
        n_chars: Number of characters wanted; a text that is not longer is taken whole.
        warm_up_chars: Characters that are read before each passage, if its document has as many there.

    Raises:
        AnalysisError: If `n_chars` is below 200.
    """
    if n_chars < _FEWEST_CHARS:
        raise AnalysisError(f"{n_chars:,} characters are too few to measure an effect on; use {_FEWEST_CHARS} or more")
    corpus, selection = source.corpus, source.selection
    first, last = selection.start, selection.stop
    if last - first <= n_chars:
        starts = np.unique(np.append(first, corpus.starts_within(first, last)))
        stops = np.append(starts[1:], last)
    else:
        length = min(_PASSAGE_CHARS, n_chars // _FEWEST_PASSAGES)
        n_passages = n_chars // length
        starts = first + (np.arange(n_passages) * (last - first - length) // max(n_passages - 1, 1))
        starts, stops = _cut_at_documents(corpus, starts, length)
    is_usable = stops - starts >= 2
    return _with_warm_up(source, starts[is_usable], stops[is_usable], warm_up_chars)


def _cut_at_documents(
    corpus: Corpus, starts: NDArray[np.int64], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where passages of one length start and stop, those with several documents in them cut into one of each."""
    of_documents = corpus.starts_within(int(starts[0]), int(starts[-1]) + length)
    passages = np.searchsorted(starts, of_documents, side="right") - 1
    firsts = np.union1d(starts, of_documents[of_documents < starts[passages] + length])
    numbers = np.searchsorted(corpus.starts, firsts, side="right") - 1
    passages = np.searchsorted(starts, firsts, side="right") - 1
    return firsts, np.minimum(starts[passages] + length, corpus.stops[numbers])


def _with_warm_up(source: Source, starts: NDArray[np.int64], stops: NDArray[np.int64], n_chars: int) -> Passages:
    """Make passages that begin with a warm-up, and end with a character more, so that the last one has a loss."""
    corpus = source.corpus
    numbers = np.searchsorted(corpus.starts, starts, side="right") - 1
    n_before, n_after = (1, n_chars) if source.reading_rule.backwards else (n_chars, 1)
    first = np.maximum(starts - n_before, corpus.starts[numbers])
    last = np.minimum(stops + n_after, corpus.stops[numbers])
    positions = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)])
    passage = np.repeat(np.arange(len(first)), last - first)
    is_counted = (positions >= starts[passage]) & (positions < stops[passage])
    return Passages(corpus.parts(first.tolist(), last.tolist()), positions, is_counted)


def atom_starts(n_chars: int) -> NDArray[np.int64]:
    """(n_atoms,) where the atoms of so many counted characters start: equal pieces of about 1,000, 20 to 200."""
    n_atoms = min(max(round(n_chars / ATOM_CHARS), FEWEST_ATOMS), MOST_ATOMS, n_chars)
    return np.arange(n_atoms) * n_chars // n_atoms
