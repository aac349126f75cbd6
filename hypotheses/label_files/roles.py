"""What the columns of a file with labels are: labels, characters or tokens, spans, documents."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypotheses.errors import HypothesisError
from hypotheses.label_files.values import is_missing, is_number_or_bool
from hypotheses.spelling import nearest, short_list

LABEL_NAMES = ("label", "labels", "label_", "tag", "class")
TEXT_NAMES = ("char", "character", "token", "text", "word")
START_NAMES = ("start", "begin", "start_char", "start_offset")
END_NAMES = ("end", "stop", "end_char", "end_offset")
DOCUMENT_NAMES = ("document", "file")

_KNOWN_NAMES = {*LABEL_NAMES, *TEXT_NAMES, *START_NAMES, *END_NAMES, *DOCUMENT_NAMES}
_WHOLE_NUMBER = re.compile(r"-?\d+")


@dataclass(frozen=True)
class Roles:
    """Which columns have what, by their numbers from 0.

    Attributes:
        names: Names of the columns; None if the file has no header.
        has_header: Whether the first row has the names.
        label: The labels; None if spans have none.
        text: The characters or tokens.
        start: Where spans begin.
        end: One past the last character of spans.
        document: The names of documents.
    """

    names: tuple[str, ...] | None
    has_header: bool
    label: int | None
    text: int | None = None
    start: int | None = None
    end: int | None = None
    document: int | None = None

    @property
    def has_spans(self) -> bool:
        """True if each row is a span."""
        return self.start is not None

    @property
    def label_name(self) -> str:
        """What the column of labels is called."""
        if self.label is None:
            return ""
        return repr(self.names[self.label]) if self.names else str(self.label + 1)


def find_roles(path: Path, keys: tuple[str, ...] | None, sample: Sequence[Sequence[Any]], column: str) -> Roles:
    """Find out what each column is, by its name, or by the first rows if it has none.

    Args:
        path: The file.
        keys: Names of the columns, if they are known.
        sample: The first rows, the header among them if there is one.
        column: The column of labels that is asked for, by its name or by its number from 1; empty if none is.

    Raises:
        HypothesisError: If there is no such column, or it is not clear which one has the labels.
    """
    names = keys
    has_header = keys is None and _has_header(sample, column)
    if has_header:
        names = tuple(str(name).strip() for name in sample[0])
    return _by_name(path, names, has_header, column) if names else _by_content(path, sample, column)


def _has_header(sample: Sequence[Sequence[Any]], column: str) -> bool:
    first = [str(cell).strip() for cell in sample[0]]
    if any(name.lower() in _KNOWN_NAMES for name in first) or (column and not column.isdecimal() and column in first):
        return True
    for cells in zip(*sample, strict=False):
        later = [cell for cell in cells[1:] if not is_missing(cell)]
        if later and all(map(is_number_or_bool, later)) and not is_number_or_bool(cells[0]) and cells[0]:
            return len(sample[0]) > 1 or not is_missing(cells[0])
    return False


def _by_name(path: Path, names: tuple[str, ...], has_header: bool, column: str) -> Roles:
    start, end = _named(path, names, START_NAMES), _named(path, names, END_NAMES)
    if (start is None) != (end is None):
        missing = "end" if end is None else "start"
        raise HypothesisError(f"{path} has spans without a column {missing!r}; its columns are {short_list(names)}")
    text, document = _named(path, names, TEXT_NAMES), _named(path, names, DOCUMENT_NAMES)
    label: int | None
    if column:
        label = _asked_for(path, names, column)
    else:
        taken = (start, end, text, document)
        rest = [number for number, name in enumerate(names) if number not in taken and name]
        label = _named(path, names, LABEL_NAMES)
        if label is None and len(rest) == 1:
            label = rest[0]
        if label is None and (rest or start is None):
            what = "has several columns that may be the labels" if rest else "has no column of labels"
            raise HypothesisError(f"{path} {what}; name one after a colon: {short_list(names)}")
    return Roles(names, has_header, label, text, start, end, document)


def _named(path: Path, names: tuple[str, ...], wanted: tuple[str, ...]) -> int | None:
    """Return the column with the first of some names that there is."""
    lowered = [name.lower() for name in names]
    for name in wanted:
        if lowered.count(name) > 1:
            raise HypothesisError(f"{path} has {lowered.count(name)} columns named {name!r}; rename all but one")
        if name in lowered:
            return lowered.index(name)
    return None


def _asked_for(path: Path, names: tuple[str, ...], column: str) -> int:
    if names.count(column) > 1:
        raise HypothesisError(
            f"{path} has {names.count(column)} columns named {column!r}; give a number, from 1 to {len(names)}"
        )
    if column in names:
        return names.index(column)
    if column.isdecimal() and 1 <= int(column) <= len(names):
        return int(column) - 1
    hint = f"; {nearest(column, names)}" if len(names) > 12 else ""
    raise HypothesisError(f"{path} has no column {column!r}{hint}; its columns are {short_list(names)}")


def _by_content(path: Path, sample: Sequence[Sequence[Any]], column: str) -> Roles:
    """Find the roles of columns without names: a label; a character or token and a label; or start, end and label."""
    n_columns = len(sample[0])
    columns = [[str(cell).strip() for cell in cells] for cells in zip(*sample, strict=False)]
    label = None
    if column:
        if not (column.isdecimal() and 1 <= int(column) <= n_columns):
            numbers = "its only column is 1" if n_columns == 1 else f"its columns are 1 to {n_columns}"
            raise HypothesisError(f"{path} has no column {column!r} and no header; {numbers}")
        label = int(column) - 1
    if n_columns == 1:
        return Roles(None, False, 0)
    if n_columns in (2, 3) and label in (None, 2) and _are_spans(columns[0], columns[1]):
        return Roles(None, False, 2 if n_columns == 3 else None, start=0, end=1)
    if label is None and n_columns == 2:
        label = 1
    if label is None:
        raise HypothesisError(
            f"{path} has {n_columns} columns and no header; give the number of the labels' column after a colon, such "
            f"as :{n_columns}"
        )
    return Roles(None, False, label, text=None if label == 0 or _is_numbered(columns[0]) else 0)


def _are_spans(starts: list[str], ends: list[str]) -> bool:
    if not all(_WHOLE_NUMBER.fullmatch(cell) for cell in (*starts, *ends)):
        return False
    return sum(int(start) <= int(end) for start, end in zip(starts, ends, strict=True)) > len(starts) / 2


def _is_numbered(cells: list[str]) -> bool:
    """Tell whether cells are running numbers."""
    if not all(cell.isdecimal() for cell in cells):
        return False
    first = int(cells[0])
    return [int(cell) for cell in cells] == list(range(first, first + len(cells)))
