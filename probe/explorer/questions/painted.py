"""Painted passages: where they begin and end, what lies around them, and a file of labels that has them."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from activations.files import check_new, check_output, replacing
from activations.texts.corpus import Corpus
from analyses.errors import AnalysisError
from hypotheses.origins import Documents
from hypotheses.spelling import quoted
from probe.explorer.questions.plain_values import Answer

AnySpans = Sequence[Sequence[int]]
"""Where each passage begins, and one past where it ends."""
MOST_SPANS = 10_000
LEAST_MARGIN, MOST_MARGIN = 20, 200
"""Characters on either side of a passage that it is compared with: as many as it has itself, within these."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Painted:
    """Passages of a text that were painted.

    Attributes:
        corpus: The text.
        spans: (n_passages, 2) where each begins, and one past where it ends; in order, without overlaps, and each
            within one document.
    """

    corpus: Corpus
    spans: NDArray[np.int64]

    @property
    def n_chars(self) -> int:
        """Number of characters that are painted."""
        return int(np.diff(self.spans).sum())

    def is_inside(self, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) whether the characters at some positions are painted."""
        numbers = np.searchsorted(self.spans[:, 0], positions, side="right") - 1
        return np.asarray((numbers >= 0) & (positions < self.spans[numbers, 1]))

    def overlaps(self, start: int, stop: int) -> bool:
        """Return whether any character from `start` up to `stop` is painted."""
        number = int(np.searchsorted(self.spans[:, 1], start, side="right"))
        return number < len(self.spans) and int(self.spans[number, 0]) < stop

    @property
    def labels(self) -> NDArray[np.bool_]:
        """(n_chars,) whether each character of the text is painted."""
        changes = np.zeros(len(self.corpus) + 1, np.int8)
        changes[self.spans[:, 0]] += 1
        changes[self.spans[:, 1]] -= 1
        return np.cumsum(changes[:-1], dtype=np.int8).astype(bool)

    def windows(self) -> NDArray[np.int64]:
        """(n_passages, 2) where each passage with its margins begins and ends, within its document."""
        lengths = np.diff(self.spans)[:, 0]
        margins = lengths.clip(LEAST_MARGIN, MOST_MARGIN)
        documents = np.searchsorted(self.corpus.starts, self.spans[:, 0], side="right") - 1
        starts = np.maximum(self.spans[:, 0] - margins, self.corpus.starts[documents])
        stops = np.minimum(self.spans[:, 1] + margins, self.corpus.stops[documents])
        return np.stack([starts, stops], axis=1)


def painted(corpus: Corpus, spans: AnySpans) -> Painted:
    """Return painted passages in order: those that touch are joined, and those of two documents are cut.

    Args:
        corpus: The text.
        spans: The passages, in any order.

    Raises:
        AnalysisError: If there are none, too many, or one is not within the text.
    """
    if not len(spans):
        raise AnalysisError("nothing is painted; drag over some of the text first")
    if len(spans) > MOST_SPANS:
        raise AnalysisError(f"{len(spans):,} passages are painted; paint at most {MOST_SPANS:,}")
    for span in spans:
        if len(span) != 2 or not 0 <= span[0] < span[1] <= len(corpus):
            raise AnalysisError(
                f"{list(span)!r:.60} is no passage of a text of {len(corpus):,} characters; give where it begins, and "
                "one past where it ends"
            )
    joined: list[list[int]] = []
    for start, stop in sorted((int(start), int(stop)) for start, stop in spans):
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], stop)
        else:
            joined.append([start, stop])
    parts = [part for start, stop in joined for part in _cut(start, stop, corpus.starts_within(start + 1, stop))]
    return Painted(corpus=corpus, spans=np.array(parts, np.int64))


def _cut(start: int, stop: int, borders: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the parts of a passage between borders of documents within it."""
    for border in borders.tolist():
        yield start, border
        start = border
    yield start, stop


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSelection(Answer):
    """A file with painted passages.

    Attributes:
        path: The file: CSV with the columns `start` and `end`. If the text is from several files, there are also
            `document` and `label`, and rows for what is not painted: a file without rows would have no labels.
        hypothesis: How commands name it, such as `labels:selection.csv`.
        n_passages: Number of passages.
        n_chars: Number of characters in them.
    """

    path: Path
    hypothesis: str
    n_passages: int
    n_chars: int


def save_selection(corpus: Corpus, spans: AnySpans, path: Path, *, overwrite: bool = False) -> SavedSelection:
    """Write painted passages as labels that every command reads: True in the passages, and False elsewhere.

    Args:
        corpus: The text.
        spans: The passages.
        path: The file.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        ActivationError: If it cannot be written.
        AnalysisError: If the passages are not in the text, or two of its files have one name.
    """
    if path.suffix != ".csv":
        raise AnalysisError(f"{path.name!r} is no name of a table; let it end with .csv")
    check_new(path, overwrite=overwrite)
    check_output(path)
    selection, table = painted(corpus, spans), table_of_selection(corpus, spans)
    with replacing(path) as temporary:
        temporary.write_text(table, encoding="utf-8", newline="")
    return SavedSelection(
        path=path, hypothesis=f"labels:{quoted(str(path))}", n_passages=len(selection.spans), n_chars=selection.n_chars
    )


def table_of_selection(corpus: Corpus, spans: AnySpans) -> str:
    """Return the table of painted passages that `save_selection` writes.

    Raises:
        AnalysisError: If the passages are not in the text, or two of its files have one name.
    """
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(_rows(painted(corpus, spans)))
    return table.getvalue()


def _rows(selection: Painted) -> Iterator[list[str | int]]:
    """Yield the header and the rows of a table of passages; positions are counted in the file that each is from."""
    corpus = selection.corpus
    names = [document.name for document in corpus.documents]
    lengths = [document.n_chars for document in corpus.documents]
    documents = Documents(names, [document.file_name for document in corpus.documents], lengths)
    if len(documents.files) == 1:
        yield ["start", "end"]
        yield from selection.spans.tolist()
        return
    file_names = [file.name for file in documents.files]
    if len(set(file_names)) < len(file_names):
        raise AnalysisError(
            "two files of this text have the same name, so that a table cannot tell them apart; record them under "
            "different names"
        )
    yield ["document", "start", "end", "label"]
    for file in documents.files:
        numbers = file.documents
        first, last = int(corpus.starts[numbers.start]), int(corpus.stops[numbers.stop - 1])
        spans = selection.spans[(selection.spans[:, 0] >= first) & (selection.spans[:, 0] < last)] - first
        for label, start, stop in _labelled(spans.tolist(), last - first):
            yield [file.name, start, stop, label]


def _labelled(spans: list[list[int]], n_chars: int) -> Iterator[tuple[str, int, int]]:
    """Yield the passages and what lies between them, so that all characters of a file have a label."""
    position = 0
    for start, stop in [*spans, [n_chars, n_chars]]:
        if position < start:
            yield "False", position, start
        if start < stop:
            yield "True", start, stop
        position = stop
