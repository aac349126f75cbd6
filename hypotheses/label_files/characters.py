"""Labels of rows that are characters or tokens, checked against the text."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.label_files.tables import Tokens
from hypotheses.labels import Labels

_CONTEXT = 12


class RowsOfText:
    """The rows of one text, a character or a token each, in the order of the text.

    The text may be read in parts, one after another from its beginning.
    """

    def __init__(
        self,
        source: str,
        name: str,
        labels: Labels,
        tokens: Tokens | None,
        n_chars: int,
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        """Compare the number of rows with the length of a text.

        Args:
            source: The file with the rows.
            name: What the text is called.
            labels: (n_rows,) their labels.
            tokens: Their characters or tokens, if the file has them.
            n_chars: The length of the text.
            rows: (n_rows,) their numbers in the file; None if they are all of its rows.

        Raises:
            HypothesisError: If there is not a row for each character, and the file has no tokens.
        """
        if tokens is not None and tokens.lengths.max(initial=0) == 2:
            unescaped = tokens.unescaped()
            tokens = unescaped if (unescaped.lengths <= 1).all() else tokens
        self._source, self._name, self._labels, self._tokens = source, name or "the text", labels, tokens
        self._n_chars, self._rows = n_chars, rows
        self._row_at: dict[int, int] = {0: 0}  # where parts of the text begin: the row of their first token
        self.are_characters = len(labels) == n_chars and (tokens is None or bool((tokens.lengths <= 1).all()))
        if tokens is None and not self.are_characters:
            raise HypothesisError(
                f"{source} has {len(labels):,} labels for {self._name}, which has {n_chars:,} characters; expected one "
                "label per character, or a column with the characters or tokens"
            )

    def part(self, text: str, start: int) -> Labels:
        """Return the labels of a part of the text.

        Args:
            text: The part.
            start: Where it begins.

        Raises:
            HypothesisError: If the characters or tokens of the file are not those of the text.
        """
        if self.are_characters:
            stop = start + len(text)
            self._check_characters(text, start, stop)
            return self._labels[start:stop]
        rows = self._tokens_of(text, start)
        is_missing = rows < 0
        rows = np.maximum(rows, 0)
        missing = is_missing if self._labels.missing is None else is_missing | self._labels.missing[rows]
        missing_anywhere = missing if missing.any() else None
        return Labels(self._labels.values[rows], self._labels.kind, missing_anywhere, self._labels.names)

    def _check_characters(self, text: str, start: int, stop: int) -> None:
        tokens = self._tokens
        if tokens is None:
            return
        begin, end = (int(tokens.ends[row - 1]) if row else 0 for row in (start, stop))
        if tokens.text[begin:end] == text:
            return
        for n, char in enumerate(text):
            written = tokens[start + n]
            if written != char and not (written == "" and char.isspace()):
                raise self._mismatch(text, n, start, start + n, char, written)

    def _tokens_of(self, text: str, start: int) -> NDArray[np.int64]:
        """Return (n_chars,) the row of each character's token; −1 for white space between tokens."""
        tokens = self._tokens
        row = self._row_at.get(start)
        if tokens is None or row is None:
            raise HypothesisError(f"a token of {self._source} extends beyond a document of {self._name}")
        n_rows = len(self._labels)
        rows = np.full(len(text), -1, np.int64)
        position = 0
        ends = tokens.ends.tolist()
        begin = ends[row - 1] if row else 0
        while row < n_rows:
            token = tokens.text[begin : ends[row]]
            if not text.startswith(token, position):
                while position < len(text) and text[position].isspace():
                    position += 1
                if position == len(text):
                    break
                if not text.startswith(token, position):
                    stripped = token.strip()
                    if not (stripped != token and text.startswith(stripped, position)):
                        raise self._mismatch(text, position, start, row, text[position : position + len(token)], token)
                    token = stripped
            elif position == len(text) and token:
                break
            rows[position : position + len(token)] = row
            position += len(token)
            begin = ends[row]
            row += 1
        if text[position:].strip():
            raise HypothesisError(
                f"{self._source} ends before {self._name}: its last row is {self._number(n_rows - 1):,}, and the text "
                f"continues with {text[position : position + _CONTEXT]!r} (character {start + position:,}); {ADVICE}"
            )
        if start + len(text) == self._n_chars and row < n_rows:
            raise HypothesisError(
                f"{self._source} has rows after the end of {self._name}: row {self._number(row):,} is {tokens[row]!r}; "
                f"{ADVICE}"
            )
        self._row_at[start + len(text)] = row
        return rows

    def _number(self, row: int) -> int:
        """Return the number of a row in the file, from 1."""
        return (row if self._rows is None else int(self._rows[row])) + 1

    def _mismatch(self, text: str, n: int, start: int, row: int, expected: str, written: str) -> HypothesisError:
        before = text[max(n - _CONTEXT, 0) : n]
        after = text[n + len(expected) : n + len(expected) + _CONTEXT]
        advice = ADVICE
        if "\r" in (expected, written) or "\ufeff" in (expected, written):
            advice = "line ends or byte-order marks differ; make the labels from the same text"
        return HypothesisError(
            f"{self._source} does not fit {self._name}: row {self._number(row):,} has {written!r} where character "
            f"{start + n:,} is {expected!r}, between {before!r} and {after!r}; {advice}"
        )


ADVICE = "are they made from the same text, with the same line ends?"
