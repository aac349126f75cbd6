"""Passages: which part of a text is shown, and where its documents begin."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from analyses.errors import AnalysisError
from hypotheses.labelling.corpus_labels import CHUNK, CorpusLabels
from hypotheses.labelling.long_labels import AnyLabels
from probe.viewer.text_view import DocumentStart

AnySpan = slice | tuple[int | None, int | None]
"""Where a passage begins and stops: `(start, stop)` or `slice(start, stop)`; None is the end of the text."""
_SEARCHED_CHARS = 1 << 22  # at one time
_CONTEXT_CHARS = 1 << 16  # that a pattern may look at before and after these
_NEWLINE = ord("\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a text a passage is; with nothing but a length, where labels first change, or the beginning.

    Attributes:
        n_chars: About how many characters the passage has, unless there is a span.
        around: A position in the corpus that it is around; below 0 it counts from the end.
        find: A regular expression; it is around the first match.
        span: Where it begins and stops.
    """

    n_chars: int
    around: int | None = None
    find: str | None = None
    span: AnySpan | None = None

    def __post_init__(self) -> None:
        if sum(place is not None for place in (self.around, self.find, self.span)) > 1:
            raise AnalysisError("a passage is around a position, around a match, or a range; name one of the three")
        if self.n_chars < 1:
            raise AnalysisError(f"a passage of {self.n_chars} characters shows nothing; name a number above 0")
        if self.around is not None and not isinstance(self.around, SupportsIndex):
            raise AnalysisError(f"{self.around!r:.50} is not a position; give the number of a character, such as 5000")
        if self.find is not None and not isinstance(self.find, str):
            raise AnalysisError(f"{self.find!r:.50} is not a pattern; write a regular expression as a string")

    @property
    def is_open(self) -> bool:
        """True if labels may decide where the passage is."""
        return self.around is None and self.find is None and self.span is None

    def passage(self, corpus: Corpus, parts: Sequence[slice], labels: AnyLabels | CorpusLabels | None = None) -> slice:
        """Return the positions of the passage in a text; it has whole lines if at least half of it is in such.

        Args:
            corpus: The text.
            parts: Parts of the text; unless it is named by a position or as a span, the passage is in one of these.
            labels: The labels that decide, if nothing else does.

        Raises:
            ActivationError: If it is beyond the text.
            HypothesisError: If the pattern cannot be read, or takes too long or too much memory.
            AnalysisError: If the pattern is never found, or the span is none.
        """
        n_chars = len(corpus)
        if self.span is not None:
            chosen = Selection.of(n_chars, *_ends(self.span))
            return slice(chosen.start, chosen.stop)
        if self.around is not None:
            focus = self.around + (n_chars if self.around < 0 else 0)
            if not 0 <= focus < n_chars:
                raise ActivationError(
                    f"there is no character {self.around:,}: the text has {n_chars:,}, 0 to {n_chars - 1:,}"
                )
            return _whole_lines(corpus, slice(0, n_chars), focus, self.n_chars)
        if self.find is not None:
            places = ((part, first_match(corpus, part, self.find)) for part in parts)
        else:
            places = ((part, None if labels is None else first_change(labels, part)) for part in parts)
        for part, place in places:
            if place is not None:
                return _whole_lines(corpus, part, place, self.n_chars)
        if self.find is not None:
            raise AnalysisError(
                f"the pattern {self.find!r} matches nowhere in characters {parts[0].start:,} to {parts[-1].stop:,} of "
                "the text; try a shorter one, or (?i) to ignore case"
            )
        return _whole_lines(corpus, parts[0], parts[0].start, self.n_chars)


def first_change(labels: AnyLabels | CorpusLabels, part: slice) -> int | None:
    """Return the position in a part of a text where labels first change, with missing ones as one more value.

    It is None if they never do.
    """
    first: int = part.start
    for start in range(first, part.stop, CHUNK):
        before = max(start - 1, first)
        chunk = _labels_of(labels, before, min(start + CHUNK, part.stop))
        changes = np.flatnonzero(chunk[1:] != chunk[:-1])
        if len(changes):
            return before + int(changes[0]) + 1
    return None


def first_match(corpus: Corpus, part: slice, pattern: str) -> int | None:
    """Return the position in a part of a text at which a regular expression first matches; None if it never does.

    Raises:
        HypothesisError: If the pattern cannot be read, or takes too long or too much memory.
    """
    from hypotheses.matching.matches import matches
    from hypotheses.matching.worker import FIRST

    first: int = part.start
    last: int = part.stop
    for start in range(first, last, _SEARCHED_CHARS):
        before = max(start - _CONTEXT_CHARS, first)
        stop = min(start + _SEARCHED_CHARS, last)
        text = corpus.text(before, min(stop + _CONTEXT_CHARS, last))
        for match, _ in matches(pattern, text, FIRST, start=start - before).tolist():
            if before + match < stop:
                return before + int(match)
    return None


def document_starts(corpus: Corpus, passage: slice) -> tuple[DocumentStart, ...]:
    """Return where documents begin in a passage, the document of its first character first."""
    first = int(np.searchsorted(corpus.starts, passage.start, side="right")) - 1
    last = int(np.searchsorted(corpus.starts, passage.stop))
    starts = []
    for document in corpus.documents[first:last]:
        position = max(document.start, passage.start)
        newlines = np.flatnonzero(corpus.codes[document.start : position] == _NEWLINE)
        line_start = document.start + (int(newlines[-1]) + 1 if len(newlines) else 0)
        starts.append(
            DocumentStart(
                name=document.name,
                position=position - passage.start,
                line=len(newlines) + 1,
                column=position - line_start + 1,
            )
        )
    return tuple(starts)


def _labels_of(labels: AnyLabels | CorpusLabels, start: int, stop: int) -> NDArray[np.float64]:
    """(n_chars,) labels as numbers, with another number where they are missing."""
    part = labels[start:stop]
    return np.where(part.present, part.values.astype(np.float64), -np.inf)


def _ends(span: Any) -> tuple[int | None, int | None]:
    """Return where a span begins and stops.

    Raises:
        AnalysisError: If it is no pair of positions, or skips characters.
    """
    ends = (span.start, span.stop) if isinstance(span, slice) and span.step in (None, 1) else span
    is_pair = isinstance(ends, tuple | list) and len(ends) == 2
    if not is_pair or not all(end is None or isinstance(end, SupportsIndex) for end in ends):
        raise AnalysisError(f"{span!r:.50} is not a span; give where it begins and stops, such as (5000, 6000)")
    return ends[0], ends[1]


def _whole_lines(corpus: Corpus, part: slice, focus: int, n_chars: int) -> slice:
    """Return a passage around a position, within a part of a text, that begins and ends with a line if it can.

    Near the end of the part it has more before the position, to be as long as elsewhere.
    """
    earliest = max(min(focus - n_chars // 2, part.stop - n_chars), part.start)
    line_starts = np.flatnonzero(corpus.codes[max(earliest - 1, 0) : focus] == _NEWLINE) + max(earliest - 1, 0) + 1
    start = int(line_starts[0]) if earliest and len(line_starts) else earliest
    stop = min(start + n_chars, part.stop)
    line_ends = np.flatnonzero(corpus.codes[focus:stop] == _NEWLINE) + focus + 1
    if stop < part.stop and len(line_ends) and line_ends[-1] - start >= n_chars // 2:
        stop = int(line_ends[-1])
    return slice(start, stop)
