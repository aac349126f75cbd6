"""The labels that files give the documents of a text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.label_files.characters import RowsOfText
from hypotheses.label_files.documents import files_in_folder, find_by_name, warn_of_missing, without_labels
from hypotheses.label_files.spans import SpansOfText
from hypotheses.label_files.tables import Table, read_table
from hypotheses.label_files.values import described, interpreted
from hypotheses.labels import Kind, Labels, alike
from hypotheses.origins import Documents, Origin
from hypotheses.parameters import exists
from hypotheses.spelling import short_list


@dataclass(frozen=True)
class _Part:
    """Documents that have their labels together: all that are from one text file, or one alone.

    Attributes:
        name: What the documents are called together.
        documents: Their numbers.
        table: The file with their labels; None if they have none.
        rows: Which of its rows are theirs; None is all.
    """

    name: str
    documents: range
    table: Table | None
    rows: NDArray[np.int64] | None = None


class LabelFiles:
    """The labels that a file, or the files in a folder, give the characters of several documents."""

    def __init__(self, path: Path, column: str, documents: Documents) -> None:
        """Read the files.

        Args:
            path: A file, or a folder with a file for each text file.
            column: The column of the labels; empty if there is no choice.
            documents: The documents that are labelled.

        Raises:
            HypothesisError: If a file cannot be read, or does not fit the documents.
        """
        if path.is_dir():
            parts = _parts_in_folder(path, column, documents)
        elif path.is_file():
            parts = _parts_of_file(read_table(path, column), documents)
        else:
            what = f"{path} is neither a file nor a folder" if exists(path) else f"there is no file or folder {path}"
            raise HypothesisError(f"{what} with labels; check its path")
        self._documents = documents
        self._parts = [_without_unseen_header(part, self._n_chars(part)) for part in parts]
        self._part_of = [number for number, part in enumerate(self._parts) for _ in part.documents]
        labels_by_table = _row_labels([part.table for part in self._parts if part.table is not None])
        self._labels = [labels_by_table.get(id(part.table)) for part in self._parts]
        first = next(iter(labels_by_table.values()), None)
        self._kind: Kind = "binary" if first is None else first.kind
        self._names = () if first is None else first.names
        self._made: dict[int, RowsOfText | SpansOfText] = {}
        _warn_of_missing(self._parts, documents)
        documents.notes.append(self._note(path))

    def label(self, text: str, origin: Origin) -> Labels:
        """Return the labels of a text, which is one of the documents, or a part of one.

        Raises:
            HypothesisError: If the labels do not fit it.
        """
        number = self._part_of[origin.number]
        part = self._parts[number]
        if part.table is None:
            return without_labels(len(text), self._kind, self._names)
        if number not in self._made:
            self._made = {number: self._make(number, part.table)}
        starts = self._documents.starts
        return self._made[number].part(text, starts[origin.number] - starts[part.documents.start] + origin.start)

    def _make(self, number: int, table: Table) -> "RowsOfText | SpansOfText":
        part, labels = self._parts[number], self._labels[number]
        if table.roles.has_spans or labels is None:
            return SpansOfText(table, labels, part.rows, self._n_chars(part), part.name)
        tokens = table.tokens
        if part.rows is not None:
            labels, tokens = _selected(labels, part.rows), tokens and tokens.selected(part.rows)
        return RowsOfText(str(table.path), part.name, labels, tokens, self._n_chars(part), part.rows)

    def _n_chars(self, part: _Part) -> int:
        starts = self._documents.starts
        return starts[part.documents.stop] - starts[part.documents.start]

    def _note(self, path: Path) -> str:
        """Say what was read, in one line."""
        tables = list({id(part.table): part.table for part in self._parts if part.table is not None}.values())
        n_chars = sum(self._n_chars(part) for part in self._parts if part.table is not None)
        n_files = f"{len(tables):,} files, " if len(tables) > 1 else ""
        n_rows = sum(table.n_rows for table in tables)
        rows = f"{n_rows:,} {'span' if tables[0].roles.has_spans else 'row'}{'s' if n_rows != 1 else ''}"
        labels = list({id(labels): labels for labels in self._labels if labels is not None}.values())
        column = f"column {tables[0].roles.label_name}" if labels else "spans without labels"
        kind = f", {described(labels)}" if labels else ""
        return f"labels:{path}: {n_files}{column}, {rows} for {n_chars:,} characters{kind}"


def _parts_in_folder(folder: Path, column: str, documents: Documents) -> list[_Part]:
    paths = files_in_folder(folder, documents)
    tables: dict[Path, Table] = {}
    for path in paths:
        if path is not None and path not in tables:
            tables[path] = read_table(path, column)
    return [
        _Part(file.name, file.documents, None if path is None else tables[path])
        for file, path in zip(documents.files, paths, strict=True)
    ]


def _parts_of_file(table: Table, documents: Documents) -> list[_Part]:
    if table.document_numbers is not None:
        return _parts_by_column(table, documents)
    if len({file.name for file in documents.files}) > 1:
        names = short_list([file.name for file in documents.files][:3])
        raise HypothesisError(
            f"{table.path} has labels of one text, and there are {len(documents.files):,} ({names}); add a column "
            "'document', or give a folder with a file for each"
        )
    return [_Part(file.name, file.documents, table) for file in documents.files]


def _parts_by_column(table: Table, documents: Documents) -> list[_Part]:
    """Give each document, or each text file, the rows that name it."""
    numbers = np.asarray(table.document_numbers)
    order = np.argsort(numbers, kind="stable")
    borders = np.searchsorted(numbers[order], np.arange(len(table.documents) + 1))
    rows = {name: order[borders[n] : borders[n + 1]] for n, name in enumerate(table.documents)}
    try:
        found = find_by_name(table.documents, [file.name for file in documents.files])
        parts = [(file.name, file.documents) for file in documents.files]
    except HypothesisError:
        found = find_by_name(table.documents, documents.names)
        parts = [(name, range(number, number + 1)) for number, name in enumerate(documents.names)]
    return [
        _Part(name, numbers, None if labelled is None else table, None if labelled is None else rows[labelled])
        for (name, numbers), labelled in zip(parts, found, strict=True)
    ]


def _warn_of_missing(parts: Sequence[_Part], documents: Documents) -> None:
    numbers = [number for part in parts if part.table is None for number in part.documents]
    warn_of_missing([documents.names[number] for number in numbers], documents)


def _without_unseen_header(part: _Part, n_chars: int) -> _Part:
    """Leave out a first row that is a header, as there is one row more than the text has characters."""
    table = part.table
    if table is None or table.labels is None or not table.may_have_header or table.n_rows != n_chars + 1:
        return part
    return replace(part, table=table.without_first_row())


def _row_labels(tables: Sequence[Table]) -> dict[int, Labels]:
    """Return the labels of the rows of each table, all of one kind and with the same classes.

    Raises:
        HypothesisError: If they are of several kinds.
    """
    distinct = {id(table): (table, table.labels) for table in tables if table.labels is not None}
    if distinct and len(distinct) < len({id(table) for table in tables}):
        paths = [table.path for table in tables]
        unlabelled = next(table.path for table in tables if table.labels is None)
        labelled = next(path for path in paths if path != unlabelled)
        raise HypothesisError(f"the spans of {labelled} have labels, and those of {unlabelled} have none")
    made = {key: interpreted(column, str(table.path)) for key, (table, column) in distinct.items() if column}
    kinds = {labels.kind: distinct[key][0].path for key, labels in made.items() if labels.present.any()}
    if set(kinds) == {"binary", "numeric"}:
        made = {
            key: interpreted(column, str(table.path), as_numbers=True)
            for key, (table, column) in distinct.items()
            if column
        }
        kinds = {labels.kind: distinct[key][0].path for key, labels in made.items() if labels.present.any()}
    if len(kinds) > 1:
        (first, path), (second, other_path) = list(kinds.items())[:2]
        raise HypothesisError(f"the labels of {path} are {first}, and those of {other_path} {second}; make them alike")
    return dict(zip(made, alike(list(made.values())), strict=True))


def _selected(labels: Labels, rows: NDArray[np.int64]) -> Labels:
    missing = None if labels.missing is None else labels.missing[rows]
    return replace(labels, values=labels.values[rows], missing=missing)
