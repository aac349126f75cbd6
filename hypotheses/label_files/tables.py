"""The columns of a file with labels that are used, in few bytes a row."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.label_files.roles import Roles, find_roles
from hypotheses.label_files.rows import RowFile, Rows, open_rows
from hypotheses.label_files.values import Column, ColumnReader

_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\\\": "\\"}


@dataclass(frozen=True)
class Tokens:
    """The characters or tokens of rows.

    Attributes:
        text: All of them, one after another.
        ends: (n_rows,) one past where each ends in `text`.
    """

    text: str
    ends: NDArray[np.int64]

    def __getitem__(self, row: int) -> str:
        return self.text[int(self.ends[row - 1]) if row else 0 : int(self.ends[row])]

    def without_first(self) -> "Tokens":
        """Return all but the first."""
        return Tokens(self.text[self.ends[0] :], self.ends[1:] - self.ends[0])

    def unescaped(self) -> "Tokens":
        r"""Return them with `\n`, `\r`, `\t` and two backslashes taken for the characters that they stand for."""
        tokens = [_ESCAPES.get(self[row], self[row]) for row in range(len(self.ends))]
        return Tokens("".join(tokens), np.cumsum(np.fromiter(map(len, tokens), np.int64, len(tokens))))

    def selected(self, rows: NDArray[np.int64]) -> "Tokens":
        """Return those of some rows."""
        return Tokens("".join([self[row] for row in rows.tolist()]), np.cumsum(self.lengths[rows]))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n_rows,) the length of each."""
        return np.diff(self.ends, prepend=0)


@dataclass(frozen=True)
class Table:
    """The rows of a file with labels.

    Attributes:
        path: The file.
        roles: What its columns are.
        n_rows: The number of rows, without a header.
        first_row: The cells of the first row, header or not.
        labels: The labels as they are written; None if rows are spans without labels.
        tokens: The characters or tokens, if the file has them.
        starts: (n_rows,) where spans begin, if rows are spans.
        ends: (n_rows,) one past where they end.
        documents: The different names of documents, if the file has them.
        document_numbers: (n_rows,) which of these each row has.
    """

    path: Path
    roles: Roles
    n_rows: int
    first_row: tuple[str, ...]
    labels: Column | None
    tokens: Tokens | None = None
    starts: NDArray[np.int64] | None = None
    ends: NDArray[np.int64] | None = None
    documents: tuple[str, ...] = ()
    document_numbers: NDArray[np.int32] | None = None

    @property
    def may_have_header(self) -> bool:
        """True if the first row may be a header that looks like labels."""
        return self.roles.names is None and not self.roles.has_spans and self.n_rows > 1 and self.labels is not None

    def without_first_row(self) -> "Table":
        """Return the rows after the first, which is a header."""
        roles = replace(self.roles, names=self.first_row, has_header=True)
        tokens = self.tokens and Tokens(
            self.tokens.text[self.tokens.ends[0] :], self.tokens.ends[1:] - self.tokens.ends[0]
        )
        labels = self.labels and self.labels.without_first()
        return replace(self, roles=roles, n_rows=self.n_rows - 1, labels=labels, tokens=tokens)


def read_table(path: Path, column: str) -> Table:
    """Read a file with labels.

    Args:
        path: The file.
        column: The column of the labels, by name or by number from 1; empty if there is no choice.

    Raises:
        HypothesisError: If it cannot be read, or it is not clear what its columns are.
    """
    file = open_rows(path)
    roles = find_roles(path, file.keys, file.sample, column)
    labels = ColumnReader(str(path), are_json=file.is_json)
    documents = ColumnReader(str(path), are_json=False)
    token_chunks: list[str] = []
    length_chunks, start_chunks, end_chunks = [], [], []
    n_rows = 0
    for rows in _without_header(file, roles):
        if roles.label is not None:
            labels.add(_cells(rows, roles.label))
        if roles.text is not None:
            tokens = _cells(rows, roles.text)
            tokens = _strings(tokens) if file.is_json else tokens
            token_chunks.append("".join(tokens))
            length_chunks.append(np.fromiter(map(len, tokens), np.int64, len(tokens)))
        if roles.start is not None and roles.end is not None:
            start_chunks.append(_positions(path, _cells(rows, roles.start), n_rows))
            end_chunks.append(_positions(path, _cells(rows, roles.end), n_rows))
        if roles.document is not None:
            documents.add(_strings(_cells(rows, roles.document)))
        n_rows += len(rows)
    if not n_rows:
        raise HypothesisError(f"{path} has a header and no rows; give it a label for each character, or spans")
    names = documents.column()
    return Table(
        path,
        roles,
        n_rows,
        tuple(map(str, file.sample[0])),
        None if roles.label is None else labels.column(),
        Tokens("".join(token_chunks), np.cumsum(np.concatenate(length_chunks))) if length_chunks else None,
        np.concatenate(start_chunks) if start_chunks else None,
        np.concatenate(end_chunks) if end_chunks else None,
        tuple(names.spellings),
        None if roles.document is None else names.codes,
    )


def _cells(rows: Rows, column: int) -> list[Any]:
    return list(map(itemgetter(column), rows))


def _strings(cells: list[Any]) -> list[str]:
    return cells if set(map(type, cells)) == {str} else ["" if cell is None else str(cell) for cell in cells]


def _without_header(file: RowFile, roles: Roles) -> Iterator[Rows]:
    is_first = roles.has_header
    for rows in file.chunks():
        if not is_first:
            yield rows
        elif len(rows) > 1:
            yield rows[1:]
        is_first = False


def _positions(path: Path, cells: Sequence[Any], n_before: int) -> NDArray[np.int64]:
    try:
        return np.fromiter(map(int, cells), np.int64, len(cells))
    except (ValueError, TypeError, OverflowError):
        pass
    return np.array([_position(path, cell, n) for n, cell in enumerate(cells, start=n_before + 1)], np.int64)


def _position(path: Path, cell: Any, row: int) -> int:
    """Read where a span begins or ends: a whole number, also written as 3.0."""
    try:
        number = float(cell)
    except (ValueError, TypeError):
        number = np.nan
    if number.is_integer() and abs(number) < 1e15:
        return int(number)
    raise HypothesisError(
        f"row {row:,} of {path} has {str(cell)[:40]!r} where a span begins or ends; give whole numbers"
    )
