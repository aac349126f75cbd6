"""Excerpts from all over a text: a sample that a model can read in no time."""

from collections.abc import Collection
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.texts.corpus import Corpus, Document
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.texts.tokenising import TokenisedText, has_tokens
from activations.units import Site

N_EXCERPTS = 64
EXCERPT_CHARS = 64
LEAD_CHARS = 64


class _Reader(Source, Protocol):
    """A source whose model can read pieces of its text as a text of their own."""

    def with_pieces(self, corpus: Corpus, positions: NDArray[np.int64], *, n_lanes: int | None = None) -> Source: ...


class Excerpts(NamedTuple):
    """A sample of a text, as a text of its own.

    Attributes:
        corpus: The excerpts; a document that an excerpt reaches into is a document here.
        is_sampled: (n_chars,) which characters are part of the sample; the others lead up to it.
        positions: (n_chars,) int64, the position of each character in the whole text.
    """

    corpus: Corpus
    is_sampled: NDArray[np.bool_]
    positions: NDArray[np.int64]


def excerpts(corpus: Corpus, selection: Selection, seed: int = 0, excerpt_chars: int = EXCERPT_CHARS) -> Excerpts:
    """Draw one excerpt from each of up to 64 equal parts of a text, with the characters that lead up to it.

    Args:
        corpus: The text.
        selection: The part of the text to draw from.
        seed: Seed of the positions.
        excerpt_chars: Length of each excerpt, in characters.
    """
    n_chars = selection.stop - selection.start
    n_excerpts = min(N_EXCERPTS, -(-n_chars // excerpt_chars))
    borders = selection.start + np.arange(n_excerpts + 1) * n_chars // n_excerpts
    spare = np.maximum(np.diff(borders) - excerpt_chars, 0)
    starts = borders[:-1] + np.random.default_rng(seed).integers(0, spare + 1)
    stops = np.minimum(starts + excerpt_chars, borders[1:])
    pieces: list[tuple[int, int, int]] = []  # where its lead begins, where it begins, and where it ends
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        first = int(np.searchsorted(corpus.stops, start, side="right"))
        last = int(np.searchsorted(corpus.stops, stop, side="left"))
        for document in corpus.documents[first : last + 1]:
            begin = max(start, document.start)
            pieces.append((max(begin - LEAD_CHARS, document.start), begin, min(stop, document.stop)))
    lengths = np.array([stop - lead for lead, _, stop in pieces])
    document_starts = (np.cumsum(lengths) - lengths).tolist()
    documents = tuple(Document("", start, n) for start, n in zip(document_starts, lengths.tolist(), strict=True))
    codes = np.concatenate([corpus.codes[lead:stop] for lead, _, stop in pieces])
    is_sampled = np.concatenate([np.arange(lead, stop) >= begin for lead, begin, stop in pieces])
    positions = np.concatenate([np.arange(lead, stop) for lead, _, stop in pieces])
    return Excerpts(Corpus(codes, documents), is_sampled, positions)


def read_excerpts(
    live: _Reader, text: TokenisedText, sites: Collection[Site], excerpt_chars: int
) -> dict[Site, NDArray[np.float32]]:
    """Let a model read excerpts from all over its text, in float32, and nothing else but what leads up to them.

    Args:
        live: The model and the text.
        text: The text as the model reads it.
        sites: The sites to read.
        excerpt_chars: Length of each excerpt, in characters.

    Returns:
        (n_sampled, n_units) activations of each site, in the order of the text.
    """
    sample = _readable_excerpts(text, text.in_reading_order(live.selection), live.reading_rule, excerpt_chars)
    reading = live.with_pieces(sample.corpus, sample.positions, n_lanes=N_EXCERPTS)
    values_by_start: dict[int, dict[Site, NDArray[Any]]] = {}
    for block in reading.blocks(sites):
        is_wanted = sample.is_sampled[block.positions]
        values_by_start[block.start] = {site: values[is_wanted] for site, values in block.values.items()}
    return {site: np.concatenate([values_by_start[start][site] for start in sorted(values_by_start)]) for site in sites}


def _readable_excerpts(text: TokenisedText, selection: Selection, rule: ReadingRule, excerpt_chars: int) -> Excerpts:
    """Draw excerpts of a text that a model reads by a rule, in the order of the text.

    Excerpts of which the rule leaves no token are left out.

    Args:
        text: What is read.
        selection: The part of the text to draw from, in the order of reading.
        rule: The rule by which it is read.
        excerpt_chars: Length of each excerpt, in characters.
    """
    sample, is_sampled, positions = excerpts(text.corpus, selection, excerpt_chars=excerpt_chars)
    if rule.is_plain:
        return Excerpts(sample, is_sampled, positions)
    if text.is_backwards:
        sample, is_sampled = sample.mirrored(), is_sampled[::-1]
        positions = len(text.corpus) - 1 - positions[::-1]
    is_readable = has_tokens(sample, rule, text.vocabulary)
    chars = np.repeat(is_readable, [document.n_chars for document in sample.documents])
    return Excerpts(sample.only(is_readable.tolist()), is_sampled[chars], positions[chars])
