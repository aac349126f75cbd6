"""Rows of a file with labels, a chunk at a time: of CSV, TSV and plain lists, and of JSON."""

import codecs
import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from hypotheses.errors import HypothesisError

CHUNK = 1 << 12
"""Rows of a chunk."""

Rows = Sequence[Sequence[Any]]

_SAMPLE_CHARS = 1 << 16
_SAMPLE_ROWS = 1_000
_DELIMITERS = {".csv": ",;\t", ".tsv": "\t", ".tab": "\t"}
_OTHER_KINDS = (
    (b"\x1f\x8b", "compressed by gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd"),
    (b"BZh91AY&SY", "compressed by bzip2"),
    (b"\xfd7zXZ\0", "compressed by xz"),
    (b"PK\x03\x04", "a zip archive, such as of Excel"),
    (b"PAR1", "a table in Parquet"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as a recording"),
    (b"%PDF-", "a PDF document"),
    (b"\x93NUMPY", "an array of numpy, which is given in Python instead"),
)
_ANY_DELIMITER = "\t,; "
_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class RowFile:
    """A file of rows that all have the same columns.

    Attributes:
        path: The file.
        keys: The names of the columns, if the file has them in every row (JSON); else None.
        sample: Its first rows, the header among them.
        rows: Reads it from the beginning.
        is_json: Whether its cells have types.
    """

    path: Path
    keys: tuple[str, ...] | None
    sample: Rows
    rows: Callable[[], Iterator[Rows]]
    is_json: bool

    def chunks(self) -> Iterator[Rows]:
        """Yield some rows at a time.

        Raises:
            HypothesisError: If a row has more or fewer cells than the first, or cannot be read.
        """
        yield from self.rows()


def open_rows(path: Path) -> RowFile:
    """Read a file, and find out how its rows are written.

    Raises:
        HypothesisError: If it cannot be read, is empty, or is no text.
    """
    text = _decoded(path)
    first = re.search(r"\S[^\n]*", text)
    if first is None:
        raise HypothesisError(f"{path} is empty; give it a label for each character, or spans")
    line = first[0].strip()
    if path.suffix.lower() in _JSON_SUFFIXES or line == "[" or (line[0] in "{[" and _is_json(line)):
        return _json_rows(path, text)
    return _delimited_rows(path, text)


def _decoded(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HypothesisError(f"{path} cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise HypothesisError(
            f"{path} needs more memory than there is; give the labels of a part of the text"
        ) from error
    kind = next((kind for start, kind in _OTHER_KINDS if content.startswith(start)), None)
    if kind is not None:
        raise HypothesisError(f"{path} is {kind}; labels are read from CSV, TSV or JSON Lines")
    wide = "utf-32" if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)) else "utf-16"
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
    if not is_wide and b"\0" in content:
        raise HypothesisError(f"{path} is no text: it has NUL bytes; labels are read from CSV, TSV or JSON Lines")
    try:
        return content.decode(wide if is_wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise HypothesisError(
            f"{path} is not in UTF-8 (line {line:,}); save it as UTF-8, such as with `iconv -f latin1 -t utf-8`"
        ) from error


def _delimited_rows(path: Path, text: str) -> RowFile:
    candidates = _DELIMITERS.get(path.suffix.lower(), _ANY_DELIMITER)
    delimiter = _delimiter(text[:_SAMPLE_CHARS], candidates)
    quoting: Any = csv.QUOTE_MINIMAL if _has_quoted_cells(text, delimiter) else csv.QUOTE_NONE

    def reader() -> Any:
        # without a delimiter, a control character that no text has stands for it
        lines = io.StringIO(text, newline="")
        return csv.reader(lines, delimiter=delimiter or "\x1f", quoting=quoting, strict=True)

    def rows() -> Iterator[Rows]:
        lines = reader()
        n_columns = n_before = 0
        while chunk := _next_rows(path, lines, CHUNK):
            n_columns = n_columns or len(next(filter(None, chunk), [""]))
            if set(map(len, chunk)) != {n_columns}:
                chunk = [row for row in chunk if row] if delimiter else [row or [""] for row in chunk]
                _check_widths(path, chunk, n_columns, n_before)
            n_before += len(chunk)
            if chunk:
                yield chunk

    sample = list(itertools.islice(itertools.chain.from_iterable(rows()), _SAMPLE_ROWS))
    return RowFile(path, None, sample, rows, is_json=False)


def _next_rows(path: Path, reader: Any, n_rows: int) -> list[list[str]]:
    try:
        return list(itertools.islice(reader, n_rows))
    except csv.Error as error:
        reason = str(error)
        if "field larger" in reason:
            reason = f"a cell has over {csv.field_size_limit():,} characters; is the end of a quotation missing?"
        elif "unexpected end" in reason:
            reason = "a quotation has no end"
        raise HypothesisError(f"{path} cannot be read at line {reader.line_num:,}: {reason}") from error


def _check_widths(path: Path, rows: Rows, n_columns: int, n_before: int) -> None:
    for n, row in enumerate(rows, start=n_before + 1):
        if len(row) != n_columns:
            raise HypothesisError(
                f"the rows of {path} differ in their cells: {n_columns} in row 1 and {len(row)} in row {n:,}, counted "
                "with the header; a cell with the sign between cells, a quotation mark or a line end in it has "
                "to be in double quotes"
            )


def _delimiter(sample: str, candidates: str) -> str:
    """Return the sign between cells: the first that gives all rows the same cells; empty if there is one column."""
    fallback = ""
    for delimiter in candidates:
        try:
            rows = [row for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row]
        except csv.Error:
            continue
        widths = {len(row) for row in rows[: len(rows) - (len(rows) > 2)]}  # the last may be cut
        if min(widths) > 1 and len(widths) == 1:
            return delimiter
        if len(rows[0]) > 1 and delimiter != " ":
            fallback = fallback or delimiter
    return fallback


def _has_quoted_cells(text: str, delimiter: str) -> bool:
    """Tell whether quotation marks enclose cells, rather than stand for themselves as tokens of a text do."""
    if '"' not in text:
        return False
    ends = (delimiter, "\n", "\r") if delimiter else ("\n", "\r")
    has_lone_mark = text.startswith(tuple(f'"{end}' for end in ends)) or any(
        f'{before}"{after}' in text for before in ends for after in ends
    )
    if not has_lone_mark:
        return True
    if not delimiter:
        return True
    lines = io.StringIO(text, newline="\n")
    n_delimiters = next(lines).count(delimiter)
    return any(line.count(delimiter) != n_delimiters and not line.isspace() for line in lines)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _json_rows(path: Path, text: str) -> RowFile:
    lines = [line for line in text.split("\n") if line.strip()]
    whole = _whole_json(path, text, lines)

    def values() -> Iterator[list[Any]]:
        for start in range(0, len(whole or lines), CHUNK):
            yield whole[start : start + CHUNK] if whole else _parsed(path, lines[start : start + CHUNK], start)

    sample = next(values())[:_SAMPLE_ROWS]
    keys, width = _keys(path, sample)

    def rows() -> Iterator[Rows]:
        n_before = 0
        for chunk in values():
            yield _all_keys(chunk, keys) or [
                _row(path, v, keys, width, n) for n, v in enumerate(chunk, start=n_before + 1)
            ]
            n_before += len(chunk)

    first = [_row(path, value, keys, width, n) for n, value in enumerate(sample, start=1)]
    return RowFile(path, keys, first, rows, is_json=True)


def _whole_json(path: Path, text: str, lines: list[str]) -> list[Any] | None:
    """Return the rows of a JSON document that is one array, or an object of arrays; None if each line is a row."""
    if len(lines) > 1 and path.suffix.lower() != ".json" and not re.fullmatch(r"\s*\[\s*", lines[0]):
        return None
    try:
        whole = json.loads(text)
    except RecursionError as error:
        raise HypothesisError(f"{path} is nested too deeply to be rows of labels") from error
    except ValueError as error:
        if len(lines) > 1 and _is_json(lines[0]) and _is_json(lines[-1]):
            return None
        raise HypothesisError(f"{path} is no JSON: {error}") from error
    if isinstance(whole, dict):
        return [whole]
    if not isinstance(whole, list) or not whole:
        raise HypothesisError(f"{path} has no rows; expected an array of labels or of objects")
    return whole


def _parsed(path: Path, lines: list[str], n_before: int) -> list[Any]:
    try:
        values: list[Any] = json.loads(f"[{','.join(lines)}]")
        if len(values) == len(lines):
            return values
    except RecursionError as error:
        raise HypothesisError(f"{path} is nested too deeply to be rows of labels") from error
    except ValueError:
        pass
    for n, line in enumerate(lines, start=n_before + 1):
        try:
            json.loads(line)
        except ValueError as error:
            raise HypothesisError(f"row {n:,} of {path} is no JSON: {error}") from error
    raise HypothesisError(f"{path} has rows that are no JSON")


def _keys(path: Path, sample: list[Any]) -> tuple[tuple[str, ...] | None, int]:
    """Return the keys of rows that are objects, or None; and the number of cells."""
    if isinstance(sample[0], dict):
        keys = tuple(dict.fromkeys(key for row in sample if isinstance(row, dict) for key in row))
        if not keys:
            raise HypothesisError(f"the objects in {path} have no keys")
        return keys, len(keys)
    return None, len(sample[0]) if isinstance(sample[0], list) else 1


def _all_keys(values: list[Any], keys: tuple[str, ...] | None) -> Rows:
    """Return the values of these keys if all rows are objects that have them; else nothing."""
    if not keys or set(map(type, values)) != {dict}:
        return []
    try:
        return list(map(itemgetter(*keys, keys[0]), values))  # of a single key, `itemgetter` would give no tuple
    except KeyError:
        return []


def _row(path: Path, value: Any, keys: tuple[str, ...] | None, width: int, n: int) -> list[Any]:
    """Return the cells of a row, which is an object, an array or a label."""
    if keys is not None and isinstance(value, dict):
        return [value.get(key) for key in keys]
    if keys is None and isinstance(value, list) and len(value) == width:
        return value
    if keys is None and width == 1 and not isinstance(value, list | dict):
        return [value]
    kind = "an object" if isinstance(value, dict) else "an array" if isinstance(value, list) else "a single value"
    raise HypothesisError(f"row {n:,} of {path} is {kind}, unlike the first row")
