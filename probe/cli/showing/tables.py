"""Rows of results: as a table that fits the terminal, or as JSON Lines."""

import json
import math
import sys
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from analyses.rounding import rounded
from hypotheses.terminal.signs import visible
from probe.cli.showing.layout import Column, lay_out
from probe.cli.showing.sentences import broken
from probe.consoles import console

TableCell = str | int | float | bool | Sequence[str] | None  # as in `activations.results`, which loads numpy
PIPE_COLUMNS_OF_TABLES = 160
"""Columns of a table where the output is no terminal."""
_FEWEST_COLUMNS = 20
_FEW_ROWS = 24
_HUGE = 1e12  # from which numbers have an exponent


def show_rows(
    rows: Sequence[Mapping[str, TableCell]],
    *,
    as_json: bool,
    title: str | None = None,
    digits: int = 3,
    in_parts: bool = False,
) -> None:
    """Print rows as a table for people, or as one JSON object per row for scripts.

    A table is never wider than the terminal, and no number in it is cut: headings are broken into several lines, and
    names and notes folded; then notes go below their rows. What there is still no room for goes into further parts of a
    short table, below the first; of a long one, it is left out from the right, which a line says.

    Args:
        rows: For a table, all with the same keys, which head the columns; what matters most comes first.
        as_json: Whether to print JSON. NaN becomes null in JSON and a dash in a table.
        title: The title of the table.
        digits: Digits after the decimal point in the table; JSON has all. Numbers that would be 0 have an exponent.
        in_parts: Whether a long table, too, has further parts: where all columns are of equal rank, or the user has
            asked for them.
    """
    if as_json:
        for row in rows:
            sys.stdout.write(json.dumps({key: _finite(value) for key, value in row.items()}) + "\n")
        return
    if not rows:
        return
    out = console(pipe_columns=PIPE_COLUMNS_OF_TABLES)
    if title:
        for line in broken(visible(title), _width(out)):
            out.print(Text(line, "italic"))
    is_short = len(rows) <= _FEW_ROWS
    parts, left_out = lay_out(
        [_column(key, rows, digits) for key in rows[0]], _width(out), in_parts=in_parts or is_short
    )
    for number, part in enumerate(parts):
        if number:
            out.print()
        for line in part.heading:
            out.print(Text(line, "bold"))
        for line in part.lines:
            out.print(Text(line))
    if left_out:
        out.print(Text(f"no room for {', '.join(left_out)}: a wider terminal, --json and --csv have them", "dim"))


def main_first(row: Mapping[str, TableCell], names: Sequence[str], main: Sequence[str]) -> dict[str, TableCell]:
    """Return a row with the columns that name it first, then those that matter most, then the others as they are.

    Args:
        row: A row.
        names: Keys of what names it.
        main: Keys of its main numbers, of which it may lack some.
    """
    keys = dict.fromkeys([*names, *main, *row])
    return {key: row[key] for key in keys if key in row}


def share(value: float) -> str:
    """Return a share in percent, that never reads 0 % or 100 % where it is only near.

    >>> [share(value) for value in (0.0, 0.25, 0.99996, 0.00004)]
    ['0.0%', '25.0%', '99.996%', '0.004%']
    """
    return rounded(value, ".1%")


def heading(key: str) -> str:
    """Return the heading of a column: its key in words."""
    is_name = "/" in key  # of a site or a unit
    return key if is_name else key.replace("held_out", "held-out").replace("_", " ")


def _width(out: Console) -> int:
    return max(out.width, _FEWEST_COLUMNS)


def _column(key: str, rows: Sequence[Mapping[str, TableCell]], digits: int) -> Column:
    values = [row[key] for row in rows]
    is_text = any(isinstance(value, str) and value for value in values) and not any(
        isinstance(value, int | float) for value in values
    )
    return Column(visible(heading(key)), [_format(value, digits) for value in values], is_text)


def _finite(value: TableCell) -> TableCell:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _format(value: TableCell, digits: int) -> str:
    value = _finite(value)
    if value is None:
        return "–"
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        return rounded(value, f",.{digits}f") if abs(value) < _HUGE else f"{value:.{digits}e}"
    if isinstance(value, bool):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else visible(", ".join(map(str, value)))
