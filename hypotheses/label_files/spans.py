"""Labels of spans: the characters from a start up to an end, which is not among them."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.label_files.characters import ADVICE
from hypotheses.label_files.tables import Table
from hypotheses.labels import Labels

POSITIONS = "positions count characters from 0, not bytes"
OUTSIDE = "none"
"""The class of characters outside of all spans that have classes."""


class SpansOfText:
    """The spans of one text.

    Outside of all spans, a character is False if spans have no labels, of the class `none` if they have classes, and
    without a label if they have numbers, or are True and False themselves.
    """

    def __init__(
        self, table: Table, row_labels: Labels | None, rows: NDArray[np.int64] | None, n_chars: int, name: str
    ) -> None:
        """Label the characters of a text.

        Args:
            table: The file with the spans.
            row_labels: The labels of the spans; None if spans have none.
            rows: (n_spans,) the rows of this text; None is all.
            n_chars: The length of the text.
            name: What the text is called.

        Raises:
            HypothesisError: If a span is not within the text, or two with different labels overlap.
        """
        numbers = np.arange(table.n_rows) if rows is None else rows
        if table.starts is None or table.ends is None:
            raise HypothesisError(f"{table.path} has no spans")
        _check(table, numbers, n_chars, name)
        order = np.argsort(table.starts[numbers], kind="stable")
        self._table, self._name, self._numbers = table, name or "the text", numbers[order]
        self._starts, self._ends = table.starts[self._numbers], table.ends[self._numbers]
        span_at = _span_at(self._starts, self._ends, n_chars)
        if row_labels is None:
            self._labels = Labels(span_at >= 0, "binary")
        else:
            _refuse_contradictions(table, row_labels, self._numbers, self._starts, self._ends)
            self._labels = _labels_of(row_labels, np.append(self._numbers, -1)[span_at])

    def part(self, text: str, start: int) -> Labels:
        """Return the labels of a part of the text.

        Args:
            text: The part.
            start: Where it begins.

        Raises:
            HypothesisError: If the file has the text of a span, and it is another.
        """
        stop = start + len(text)
        first = int(np.searchsorted(self._starts, start))
        tokens = self._table.tokens
        for n in range(first, int(np.searchsorted(self._starts, stop))) if tokens is not None else ():
            begin, end, row = int(self._starts[n]), int(self._ends[n]), int(self._numbers[n])
            if tokens is not None and end <= stop and tokens[row] != text[begin - start : end - start]:
                raise HypothesisError(
                    f"{self._table.path} does not fit {self._name}: row {row + 1:,} has {tokens[row][:40]!r} where "
                    f"characters {begin:,} to {end:,} are {text[begin - start : end - start][:40]!r}; {ADVICE} "
                    f"{POSITIONS}, and an end is one past the last"
                )
        return self._labels[start:stop]


def _labels_of(row_labels: Labels, row_at: NDArray[np.int64]) -> Labels:
    """Return the labels of characters, given the row of the span that each is in; −1 if it is in none."""
    is_inside = row_at >= 0
    values = row_labels.values[row_at]
    missing = np.zeros(len(row_at), bool) if row_labels.missing is None else row_labels.missing[row_at] & is_inside
    if row_labels.kind == "categorical":
        names = tuple(sorted({*row_labels.names, OUTSIDE}))
        indices = np.array([names.index(label) for label in row_labels.names], np.int32)
        values = np.where(is_inside, indices[values], names.index(OUTSIDE)).astype(np.int32)
        return Labels(values, "categorical", missing if missing.any() else None, names)
    missing |= ~is_inside
    return Labels(values, row_labels.kind, missing if missing.any() else None)


def _check(table: Table, numbers: NDArray[np.int64], n_chars: int, name: str) -> None:
    """Refuse spans that are not within the text."""
    starts, ends = np.asarray(table.starts)[numbers], np.asarray(table.ends)[numbers]
    for is_wrong, reason in (
        (starts < 0, "begins before the text"),
        (ends < starts, "ends before it begins"),
        (ends == starts, "has no characters; an end is one past the last character"),
        (
            ends > n_chars,
            f"ends after {name or 'the text'}, which has {n_chars:,} characters; {POSITIONS}",
        ),
    ):
        if is_wrong.any():
            n = int(is_wrong.argmax())
            raise HypothesisError(
                f"the span {starts[n]:,} to {ends[n]:,} in row {numbers[n] + 1:,} of {table.path} {reason}"
            )


def _span_at(starts: NDArray[np.int64], ends: NDArray[np.int64], n_chars: int) -> NDArray[np.int64]:
    """Return (n_chars,) which span each character is in, the one that begins last if several; −1 if none.

    Spans are sorted by where they start.
    """
    at = np.full(n_chars, -1, np.int64)
    if (starts[1:] >= ends[:-1]).all():
        lengths = ends - starts
        inside = np.repeat(starts - np.append(0, np.cumsum(lengths)[:-1]), lengths) + np.arange(lengths.sum())
        at[inside] = np.repeat(np.arange(len(starts)), lengths)
        return at
    for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        at[start:end] = number
    return at


def _refuse_contradictions(
    table: Table, labels: Labels, numbers: NDArray[np.int64], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> None:
    """Refuse spans, sorted by their starts, that overlap and have different labels."""
    if (starts[1:] >= ends[:-1]).all():
        return
    values, present = labels.values, labels.present
    until: list[tuple[int, int]] = []  # for each different label, where the last span of it ends, and its row
    for number, start, end in zip(numbers.tolist(), starts.tolist(), ends.tolist(), strict=True):
        until = [(stop, row) for stop, row in until if stop > start]
        for _, row in until:
            if present[row] != present[number] or (present[row] and values[row] != values[number]):
                raise HypothesisError(
                    f"the spans in rows {min(row, number) + 1:,} and {max(row, number) + 1:,} of {table.path} overlap "
                    f"at {start:,} and have different labels; keep one, or use a file for each label"
                )
        until = [max([*until, (end, number)])]
