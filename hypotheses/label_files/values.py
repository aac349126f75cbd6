"""The values of a column of labels: numbers, classes, or True and False."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.labels import MOST_NAME_CHARS, Labels

MISSING = ("", "?", "na", "n/a", "nan", "null")
"""What a missing label is written as, in upper or lower case."""

_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_BOOLS = {"true": True, "false": False, "yes": True, "no": False}
_DIGITS = {"1": True, "0": False}
_MOST_CLASSES = 1 << 16
_TYPES = {str: "text", bool: "bools", int: "numbers", float: "numbers"}


def is_missing(cell: Any) -> bool:
    """Tell whether a cell has no label."""
    return cell is None or str(cell).strip().lower() in MISSING


def is_number_or_bool(cell: Any) -> bool:
    """Tell whether a cell has a number, or True or False."""
    return str(cell).strip().lower() in _BOOLS or _number(str(cell)) is not None


def _number(spelled: str) -> float | None:
    if "_" in spelled:
        return None
    try:
        return float(spelled)
    except ValueError:
        return None


class _Codes(dict[str, int]):
    """Numbers of strings, in the order in which they are asked for."""

    def __missing__(self, key: str) -> int:
        code = self[key] = len(self)
        return code


@dataclass(frozen=True)
class Column:
    """The labels of rows, as they are written.

    Attributes:
        codes: (n_rows,) int32, which of the spellings each row has; empty if there are too many.
        spellings: The different spellings.
        numbers: (n_rows,) the numbers, NaN where there is none, if there are too many different ones for codes.
        are_text: Whether they are strings in JSON, and so never numbers.
    """

    codes: NDArray[np.int32]
    spellings: list[str]
    numbers: NDArray[np.float64] | None = None
    are_text: bool = False

    def __len__(self) -> int:
        return len(self.codes) if self.numbers is None else len(self.numbers)

    def without_first(self) -> "Column":
        """Return the labels of all rows but the first, which is a header."""
        numbers = None if self.numbers is None else self.numbers[1:]
        return Column(self.codes[1:], self.spellings, numbers, self.are_text)


class ColumnReader:
    """Collects the cells of a column of labels, which come some rows at a time."""

    def __init__(self, name: str, *, are_json: bool) -> None:
        self._name, self._are_json = name, are_json
        self._codes = _Codes()
        self._chunks: list[NDArray[np.int32]] = []
        self._numbers: list[NDArray[np.float64]] = []
        self._first_of_type: dict[str, Any] = {}
        self._n_rows = 0

    def add(self, cells: Sequence[Any]) -> None:
        """Add the cells of some rows: strings, or the values of JSON.

        Raises:
            HypothesisError: If they are no labels.
        """
        if self._are_json:
            cells = self._spelled(cells)
        self._check_lengths(cells)
        self._n_rows += len(cells)
        if not self._numbers and len(self._codes) <= _MOST_CLASSES:
            self._chunks.append(np.fromiter(map(self._codes.__getitem__, cells), np.int32, len(cells)))
            return
        if not self._numbers:
            table = self._to_numbers(list(self._codes))
            self._numbers = [table[codes] for codes in self._chunks]
        self._numbers.append(self._to_numbers(cells))

    def _check_lengths(self, cells: Sequence[str]) -> None:
        if max(map(len, cells), default=0) <= MOST_NAME_CHARS:
            return
        n, cell = next((n, cell) for n, cell in enumerate(cells, self._n_rows + 1) if len(cell) > MOST_NAME_CHARS)
        raise HypothesisError(
            f"row {n:,} of {self._name} has a label of {len(cell):,} characters, {cell[:40]!r} …; a class's name has "
            f"at most {MOST_NAME_CHARS:,}: name another column"
        )

    def column(self) -> Column:
        """Return the whole column."""
        are_text = "text" in self._first_of_type
        if self._numbers:
            return Column(np.zeros(0, np.int32), [], np.concatenate(self._numbers), are_text)
        codes = np.concatenate(self._chunks) if self._chunks else np.zeros(0, np.int32)
        return Column(codes, list(self._codes), None, are_text)

    def _spelled(self, cells: Sequence[Any]) -> Sequence[str]:
        """Return values of JSON as strings."""
        kinds = dict.fromkeys(map(type, cells))  # in the order of their first rows, which is the order of the error
        for kind in kinds:
            if kind is type(None):
                continue
            n, cell = next((n, cell) for n, cell in enumerate(cells, start=self._n_rows + 1) if type(cell) is kind)
            if kind not in _TYPES:
                raise HypothesisError(
                    f"row {n:,} of {self._name} has the label {str(cell)[:40]}; give a number, a bool or a "
                    "string, and each span a row of its own with start, end and label"
                )
            self._first_of_type.setdefault(_TYPES[kind], (n, cell))
        if len(self._first_of_type) > 1:
            (_, (first, value)), (_, (second, different)) = list(self._first_of_type.items())[:2]
            raise HypothesisError(
                f"the labels of {self._name} are of several kinds: {value!r} in row {first:,} and {different!r} in row "
                f"{second:,}; give one kind, and null where there is no label"
            )
        if list(kinds) == [str]:
            return cells
        return ["" if cell is None else cell if type(cell) is str else str(cell) for cell in cells]

    def _to_numbers(self, cells: Sequence[str]) -> NDArray[np.float64]:
        try:
            return np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            pass
        numbers = np.full(len(cells), np.nan)
        for n, cell in enumerate(cells):
            if not is_missing(cell):
                number = _number(cell)
                if number is None:
                    raise HypothesisError(
                        f"{self._name} has over {_MOST_CLASSES:,} different labels, such as {cell[:40]!r}, and they "
                        "are no numbers; name another column"
                    )
                numbers[n] = number
        return numbers


def interpreted(column: Column, name: str, *, as_numbers: bool = False) -> Labels:
    """Return the labels of rows, as True and False, numbers or classes.

    Only 0 and 1, or only true, false, yes and no, are True and False; only numbers are numbers; all else is classes.

    Args:
        column: The labels as they are written.
        name: The file, for errors.
        as_numbers: Whether 0 and 1 are numbers here.

    Raises:
        HypothesisError: If numbers are mixed with something else, or infinite.
    """
    if column.numbers is not None:
        is_missing_number = np.isnan(column.numbers)
        if np.isinf(column.numbers).any():
            raise _infinite(name)
        missing = is_missing_number if is_missing_number.any() else None
        return Labels(np.where(is_missing_number, 0, column.numbers), "numeric", missing)
    used = np.unique(column.codes).tolist()
    spelled = {code: column.spellings[code].strip() for code in used if not is_missing(column.spellings[code])}
    is_present = np.zeros(len(column.spellings) + 1, bool)
    is_present[list(spelled)] = True
    missing = None if len(spelled) == len(used) else ~is_present[column.codes]
    lowered = {code: spelling.lower() for code, spelling in spelled.items()}
    truths = next((truths for truths in (_BOOLS, _DIGITS) if set(lowered.values()) <= set(truths)), None)
    if column.are_text or not (truths or all(_number(spelling) is not None for spelling in spelled.values())):
        return _classes(column, name, spelled, missing)
    if truths and not (truths is _DIGITS and as_numbers):
        table: NDArray[Any] = np.zeros(len(column.spellings) + 1, bool)
        table[list(lowered)] = [truths[spelling] for spelling in lowered.values()]
        return Labels(table[column.codes], "binary" if spelled else "numeric", missing)
    table = np.zeros(len(column.spellings) + 1)
    table[list(spelled)] = [float(spelling) for spelling in spelled.values()]
    if not np.isfinite(table).all():
        raise _infinite(name)
    return Labels(table[column.codes], "numeric", missing)


def _classes(column: Column, name: str, spelled: dict[int, str], missing: NDArray[np.bool_] | None) -> Labels:
    numbers = [spelling for spelling in spelled.values() if _number(spelling) is not None]
    if numbers and not column.are_text:
        words = next(spelling for spelling in spelled.values() if _number(spelling) is None)
        hint = "; write decimals with a point" if "," in words and words.replace(",", "", 1).isdecimal() else ""
        raise HypothesisError(
            f"the labels of {name} are numbers and names, such as {numbers[0]!r} and {words[:40]!r}{hint}; give "
            "either, and an empty cell where there is no label"
        )
    if not column.are_text and all(map(_DECIMAL_COMMA.fullmatch, spelled.values())):
        raise HypothesisError(
            f"the labels of {name} have commas, such as {next(iter(spelled.values()))!r}; write numbers with a point, "
            "and without commas between thousands"
        )
    names = tuple(sorted(set(spelled.values())))
    index = {name: number for number, name in enumerate(names)}
    table = np.zeros(len(column.spellings) + 1, np.int32)
    table[list(spelled)] = [index[spelling] for spelling in spelled.values()]
    return Labels(table[column.codes], "categorical", missing, names)


def _infinite(name: str) -> HypothesisError:
    return HypothesisError(f"a label of {name} is infinite; give finite numbers, and an empty cell for a missing label")


def described(parts: Sequence[Labels]) -> str:
    """Return what labels are, in a few words.

    >>> described([Labels(np.array([1.0, 2.5]), "numeric")])
    'numbers from 1 to 2.5'
    """
    present = np.concatenate([part.values[part.present] for part in parts])
    n_missing = sum(map(len, parts)) - len(present)
    if not len(present):
        return "all missing"
    if parts[0].kind == "binary":
        words = f"True for {int(present.sum()):,}"
    elif parts[0].kind == "numeric":
        words = f"numbers from {present.min():g} to {present.max():g}"
    else:
        names = [parts[0].names[number] for number in np.unique(present).tolist()]
        shown, rest = (names[:5], len(names) - 5) if len(names) > 6 else (names[:-1], 0)
        last = f"{rest:,} others" if rest else names[-1]
        words = f"classes {', '.join(shown)} and {last}" if len(names) > 1 else f"only the class {last}"
    return words + (f", {n_missing:,} missing" if n_missing else "")
