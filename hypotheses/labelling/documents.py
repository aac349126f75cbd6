"""The labels of a whole corpus: document by document, and kept on disk where that took long."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import regex

from hypotheses.hypothesis import Hypothesis
from hypotheses.labelling import cache
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labels import Labels

MOST_CHARS = 32 << 20
"""A document that is longer is labelled in pieces."""

_JOINED_CHARS = 1 << 16  # of short documents that are labelled together

_LAST_BLANK_LINE = regex.compile(r"(?r)\n[ \t\r]*\n")


def label_corpus(
    asked: Hypothesis,
    names: Sequence[str],
    texts: Iterable[str],
    corpus_sha256: str,
    *,
    use_cache: bool = True,
) -> CorpusLabels:
    """Label the documents of a corpus, each by itself, with the text of one at a time in memory.

    A document of more than 32 Mi characters is labelled in pieces, which end behind blank lines where there are some.
    What took longer than a second is kept on disk, under the hashes of the text, of the files in which the hypothesis
    is written and of those that it is declared to read; see `Hypothesis.fingerprint`. It is not kept if the hypothesis
    opens other files, or uses what no hash tells; `CorpusLabels.not_cached_because` says why.
    `CorpusLabels.cached_at` says when kept labels were made.

    Args:
        asked: The hypothesis.
        names: Of the documents.
        texts: Of the documents, in order; one at a time is asked for.
        corpus_sha256: Hash of the texts and of where they begin.
        use_cache: Whether to look for labels kept before; those that are made are kept in any case.

    Returns:
        As many labels as there are characters.

    Raises:
        HypothesisError: If the hypothesis fails on a text, or gives labels of different kinds.
    """

    def label() -> CorpusLabels:
        if _may_be_joined(asked):
            return CorpusLabels.join(_labels_of_joined(asked, texts))
        return CorpusLabels.join(
            asked(piece, file_name=name) for name, text in zip(names, texts, strict=True) for piece in _pieces(text)
        )

    basis = asked.basis(forget=True)
    if basis.fingerprint is None:
        return cache.label_anew(label, basis.unknown)
    key = hashlib.sha256(f"{basis.fingerprint} {corpus_sha256}".encode())
    if asked.uses_file_name:
        key.update("\n".join(names).encode())

    def unknown() -> str:
        again = asked.basis()
        return again.unknown if again.unknown or again == basis else "what it uses changes while it labels"

    return cache.remember(key.hexdigest(), label, anew=not use_cache, unknown=unknown)


def _may_be_joined(asked: Hypothesis) -> bool:
    """Whether the labels of several texts can be had at one time, and are of the kind and classes that each has."""
    is_declared = asked.kind == "binary" or asked.kind == "numeric" or (asked.kind == "categorical" and asked.names)
    return asked.separator is not None and bool(is_declared) and not asked.uses_file_name


def _labels_of_joined(asked: Hypothesis, texts: Iterable[str]) -> Iterator[Labels]:
    """The labels of texts in their order, those of short texts in a row together."""
    most = min(_JOINED_CHARS, MOST_CHARS)
    short: list[str] = []
    n_chars = 0
    for text in texts:
        if short and n_chars + len(text) > most:
            yield _labels_together(asked, short)
            short, n_chars = [], 0
        if len(text) > most:
            yield from map(asked, _pieces(text))
        else:
            short.append(text)
            n_chars += len(text)
    if short:
        yield _labels_together(asked, short)


def _labels_together(asked: Hypothesis, texts: Sequence[str]) -> Labels:
    """The labels of some texts, which are labelled with the separator between them."""
    separator = asked.separator or ""
    labels = asked(separator.join(texts))
    if not separator:
        return labels
    lengths = np.array([(len(text), len(separator)) for text in texts]).ravel()[:-1]
    is_of_text = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
    missing = None if labels.missing is None else labels.missing[is_of_text]
    return replace(labels, values=labels.values[is_of_text], missing=missing)


def _pieces(text: str) -> Iterator[str]:
    """The text as it is, or cut into pieces of at most `MOST_CHARS`."""
    start = 0
    while len(text) - start > MOST_CHARS:
        stop = start + MOST_CHARS
        blank_line = _LAST_BLANK_LINE.search(text, start, stop)
        end_of_line = text.rfind("\n", start, stop) + 1
        cut = blank_line.end() if blank_line else end_of_line or stop
        yield text[start:cut]
        start = cut
    yield text[start:]
