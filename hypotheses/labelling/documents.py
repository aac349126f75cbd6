"""The labels of a whole corpus: document by document, and cached on disk where that was slow."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import regex

from hypotheses.hypothesis import Hypothesis
from hypotheses.labelling import cache
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labels import Labels
from hypotheses.origins import Documents, Origin

MOST_CHARS = 32 << 20
"""Longer documents are labelled in pieces."""

_JOINED_CHARS = 1 << 16  # of short documents that are labelled in one call

_LAST_BLANK_LINE = regex.compile(r"(?r)\n[ \t\r]*\n")


def label_corpus(
    hypothesis: Hypothesis,
    names: Sequence[str],
    texts: Iterable[str],
    corpus_sha256: str,
    *,
    file_names: Sequence[str] | None = None,
    lengths: Sequence[int] | None = None,
    use_cache: bool = True,
    piece_chars: int = MOST_CHARS,
) -> CorpusLabels:
    """Label the documents of a corpus independently of each other, with the text of one at a time in memory.

    A longer document than `piece_chars` is labelled in pieces, which end after blank lines if possible. Labels that
    took longer than a second are cached on disk, under the hashes of the text, of the files in which the hypothesis is
    written and of those that it is declared to read; see `Hypothesis.fingerprint`. They are not cached if the
    hypothesis opens other files, or uses something that cannot be hashed.

    Args:
        hypothesis: The hypothesis.
        names: Names of the documents.
        texts: Texts of the documents, in order; consumed one at a time.
        corpus_sha256: Hash of the texts and of where they begin.
        file_names: Names of the files that the documents are from; by default, those of the documents.
        lengths: Lengths of the documents in characters; by default, the texts are all held in memory to know them.
        use_cache: Whether to read labels from the cache; they are written to it in any case.
        piece_chars: The most characters of a document that are labelled in one piece.

    Returns:
        One label for each character. `cached_at` says when cached labels were made, and `not_cached_because` why slow
        labels were not cached.

    Raises:
        HypothesisError: If the hypothesis fails on a text, or gives labels of different kinds.
    """
    if lengths is None:
        texts = list(texts)
        lengths = list(map(len, texts))
    documents = Documents(names, file_names or names, lengths)

    def make() -> CorpusLabels:
        if _can_be_joined(hypothesis):
            return CorpusLabels.join(_labels_of_joined(hypothesis, texts, piece_chars))
        labels = CorpusLabels.join(
            hypothesis(text[start:stop], _origin=Origin(documents, number, start))
            for number, text in enumerate(texts)
            for start, stop in _pieces(text, piece_chars)
        )
        return replace(labels, notes=tuple(documents.notes), warnings=tuple(documents.warnings))

    before = hypothesis.dependencies(clear_caches=True)
    if before.fingerprint is None:
        return cache.make_uncached(make, before.not_understood)
    key = hashlib.sha256(f"{before.fingerprint} {corpus_sha256}".encode())
    if hypothesis.uses_file_name:
        key.update("\n".join((*names, *documents.file_names)).encode("utf-8", "surrogatepass"))

    def find_unhashed() -> str:
        after = hypothesis.dependencies()
        return after.not_understood if after.not_understood or after == before else "what it uses changes as it labels"

    return cache.load_or_make(key.hexdigest(), make, make_anew=not use_cache, find_unhashed=find_unhashed)


def _can_be_joined(hypothesis: Hypothesis) -> bool:
    """Tell whether several texts can be labelled in one call, with labels of the same kind and classes."""
    has_declared_kind = hypothesis.kind in ("binary", "numeric") or (
        hypothesis.kind == "categorical" and bool(hypothesis.names)
    )
    return hypothesis.separator is not None and has_declared_kind and not hypothesis.uses_file_name


def _labels_of_joined(hypothesis: Hypothesis, texts: Iterable[str], piece_chars: int) -> Iterator[Labels]:
    """Yield the labels of texts in order; consecutive short texts are labelled in one call."""
    most = min(_JOINED_CHARS, piece_chars)
    short: list[str] = []
    n_chars = 0
    for text in texts:
        if short and n_chars + len(text) > most:
            yield _label_together(hypothesis, short)
            short, n_chars = [], 0
        if len(text) > most:
            yield from (hypothesis(text[start:stop]) for start, stop in _pieces(text, piece_chars))
        else:
            short.append(text)
            n_chars += len(text)
    if short:
        yield _label_together(hypothesis, short)


def _label_together(hypothesis: Hypothesis, texts: Sequence[str]) -> Labels:
    """Return the joined labels of texts, which are labelled with the separator between them."""
    separator = hypothesis.separator or ""
    labels = hypothesis(separator.join(texts))
    if not separator:
        return labels
    lengths = np.array([(len(text), len(separator)) for text in texts]).ravel()[:-1]
    is_text = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
    missing = None if labels.missing is None else labels.missing[is_text]
    return replace(labels, values=labels.values[is_text], missing=missing)


def _pieces(text: str, most: int) -> Iterator[tuple[int, int]]:
    """Cut a text into pieces of at most `most` characters, which end after a blank line, or else a line, if any.

    Yields where each piece begins and ends.
    """
    start = 0
    while len(text) - start > most:
        stop = start + most
        blank_line = _LAST_BLANK_LINE.search(text, start, stop)
        line_end = text.rfind("\n", start, stop) + 1
        cut = blank_line.end() if blank_line else line_end or stop
        yield start, cut
        start = cut
    yield start, len(text)
