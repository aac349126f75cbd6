"""Show results as rows, as pandas data frames, and as one short line."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from activations.errors import ActivationError
from activations.units import Site, Unit

if TYPE_CHECKING:
    from pandas import DataFrame

TableCell = str | int | float | bool | Sequence[str] | None
Row = dict[str, TableCell]
"""One row of a table, by the names of its columns."""


class Result:
    """Base of the frozen dataclasses that analyses return; they say `repr=False`, so that theirs is the short one."""

    __slots__ = ()

    def row(self) -> Mapping[str, TableCell]:
        """Return this result as one row, with the keys that the command prints with `--json`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {name: _cell(value) for name, value in values.items() if _is_cell(value)}

    def rows(self) -> Sequence[Mapping[str, TableCell]]:
        """Return this result as rows, with the keys that the command prints with `--json`."""
        return [self.row()]

    def to_frame(self) -> "DataFrame":
        """Return the rows as a pandas data frame; see `to_frame`."""
        return to_frame(self)

    def __repr__(self) -> str:
        name = type(self).__name__
        if type(self).__str__ is not object.__str__:
            return f"<{name}: {str(self).partition(chr(10))[0]}>"
        values = {field.name: _short(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]
        return f"{name}({', '.join(f'{name}={value}' for name, value in values.items() if value)})"


def to_frame(results: Result | Iterable[Result]) -> "DataFrame":
    """Return the rows of one result, or of several below each other, as a pandas data frame.

    Args:
        results: What an analysis returned, such as a `Ranking`, or a list of these.

    Raises:
        ActivationError: If pandas is not installed.
    """
    make_frame = data_frame_class()
    several = [results] if isinstance(results, Result) else results
    return make_frame([row for result in several for row in result.rows()])


def data_frame_class() -> "type[DataFrame]":
    """Return pandas' class of data frames.

    Raises:
        ActivationError: If pandas is not installed.
    """
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise ActivationError(
            "a data frame needs the library pandas, which is an extra; pip install 'char-probe[pandas]' has it"
        ) from error
    frame_class: type[DataFrame] = DataFrame
    return frame_class


def _is_cell(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | np.generic | Path | Site | Unit)


def _cell(value: Any) -> TableCell:
    """Return a number, a text or None as what JSON can hold."""
    if isinstance(value, Path | Site | Unit):
        return str(value)
    cell: TableCell = value.item() if isinstance(value, np.generic) else value
    return cell


def _short(value: Any) -> str:
    """Describe a value in a few characters; nothing if it is missing or empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if _is_cell(value):
        return f"{_cell(value)!r:.60}"
    if isinstance(value, np.ndarray):
        return f"<{value.dtype} {' × '.join(f'{n:,}' for n in value.shape)}>"
    if isinstance(value, Collection):
        kind = type(next(iter(value))).__name__ if value else ""
        return f"<{len(value):,} {kind}>" if kind else ""
    return f"<{type(value).__name__}>"
