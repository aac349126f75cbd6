"""Rows of results as tables: those columns that say most, and all of them where one looks closer."""

import math
from collections.abc import Mapping, Sequence

from activations.results import TableCell
from probe.html.interval_bars import Measured
from probe.html.tables import Cell, pairs_table, sentences_html, table, text_html

MOST_ROWS = 12
_MOST_COLUMNS = 8  # of numbers, if none has an interval
_ALWAYS = ("p", "q", "direction")  # are shown beside numbers with intervals, if there are any
_SENTENCES = ("note", "no_interval_reason")  # stand below the table
_INTERVAL_OF = {"log_loss": "auc", "r_within_position_groups": "r2"}
"""The score whose interval `low` and `high` are, if it does not stand right before them, by what does."""
_AT_ZERO = {"r", "r2", "held_out_r", "difference", "effect", "change", "selectivity", "beyond_matched", "value"}
"""Numbers that are 0 by chance, or without an effect."""


def rows_html(rows: Sequence[Mapping[str, TableCell]], n_rows: int | None = None) -> str:
    """Return rows as HTML: a table of what says most, and all columns to be opened.

    Args:
        rows: The rows, with the same keys or not; those beyond `MOST_ROWS` are counted.
        n_rows: How many rows there are, if these are the first ones.
    """
    n_more = (len(rows) if n_rows is None else n_rows) - min(len(rows), MOST_ROWS)
    columns = _columns([measured_row(row) for row in rows[:MOST_ROWS]])
    if not columns:
        return ""
    main = _main_columns(columns)
    html = _constants_html(columns, main) + (table(main) if main else "")
    html += f"<div>… and {n_more:,} more</div>" if n_more else ""
    told = [cell for name in _SENTENCES for cell in columns.get(name, ()) if isinstance(cell, str) and cell]
    html += sentences_html(list(dict.fromkeys(told)))
    columns = {name: column for name, column in columns.items() if name not in _SENTENCES}
    if set(main) == set(columns):
        return html
    if len(rows) == 1:
        everything = pairs_table({name: cells[0] for name, cells in columns.items()})
        return f"{html}<details><summary>all numbers</summary>{everything}</details>"
    return f"{html}<details><summary>all columns</summary>{table(columns)}</details>"


def measured_row(row: Mapping[str, TableCell]) -> dict[str, Cell]:
    """Return a row in which a number and its interval are one cell.

    >>> measured_row({"effect": 0.2, "low": 0.1, "high": 0.3, "q": 0.01})
    {'effect': Measured(value=0.2, low=0.1, high=0.3, chance=0.0), 'q': 0.01}
    """
    cells: dict[str, Cell] = {}
    joined = {name: ends for name in row if (ends := _ends_of(name, row))}
    ends_used = {end for ends in joined.values() for end in ends}
    for name, cell in row.items():
        if name in joined:
            low, high = (_number(row[end]) for end in joined[name])
            cells[name] = Measured(value=_number(cell), low=low, high=high, chance=_chance(name, row))
        elif name not in ends_used:
            cells[name] = cell
    return cells


def _ends_of(name: str, row: Mapping[str, TableCell]) -> tuple[str, str] | None:
    """Return the columns with the ends of the interval of a number; None if it has none."""
    if name == _owner(row):
        return "low", "high"
    stem = name if f"{name}_low" in row else name.removesuffix("_score")
    ends = f"{stem}_low", f"{stem}_high"
    return ends if set(ends) <= row.keys() and name not in ends else None


def _owner(row: Mapping[str, TableCell]) -> str | None:
    """Return the column whose interval `low` and `high` are; None if there is none."""
    names = list(row)
    if not {"low", "high"} <= row.keys():
        return None
    if "kind" not in row and {"auc", "r2"} & row.keys() and "average_precision" in row:
        return "auc"
    before = names[names.index("low") - 1] if names.index("low") else None
    return _INTERVAL_OF.get(before, before) if before else None


def _chance(name: str, row: Mapping[str, TableCell]) -> float | None:
    if name in ("held_out", "control_score", "score"):
        measures = {row.get("measure"), *row}  # of a curve, or of a unit by itself, no column says it
        return 0.5 if "auc" in measures else 0.0 if measures & {"r", "r2"} else None
    if "auc" in name:
        return 0.5
    return 0.0 if name in _AT_ZERO else None


def _number(cell: TableCell) -> float:
    return float(cell) if isinstance(cell, int | float) else math.nan


def _columns(rows: Sequence[Mapping[str, Cell]]) -> dict[str, list[Cell]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _main_columns(columns: Mapping[str, Sequence[Cell]]) -> dict[str, Sequence[Cell]]:
    """Choose what says most: texts that differ, numbers with intervals and their q; or the first numbers."""
    if len(columns) <= _MOST_COLUMNS:
        return {name: column for name, column in columns.items() if name not in _SENTENCES}
    texts = _telling_texts(columns)
    measured = [name for name, column in columns.items() if any(isinstance(cell, Measured) for cell in column)]
    main = [name for name in measured if name.startswith("held_out") or name in ("auc", "r2")] or measured[:2]
    numbers = [name for name, column in columns.items() if not _is_text(column) and name not in measured]
    chosen = {*texts, *main}
    if main:
        chosen |= {name for name in _ALWAYS if name in columns}
        is_numbered = not texts and len(columns[main[0]]) > 1
        chosen |= {name for name in numbers[:1] if is_numbered and list(columns).index(name) < 2}
    else:
        chosen |= set(numbers[: max(0, _MOST_COLUMNS - len(texts))])
    in_order = [name for name in columns if name in chosen and name not in (*measured, *_ALWAYS)]
    in_order += [name for name in measured if name in chosen] + [name for name in _ALWAYS if name in chosen]
    return {name: columns[name] for name in in_order}


def _telling_texts(columns: Mapping[str, Sequence[Cell]]) -> list[str]:
    """Return the columns of texts that tell rows from each other; of equal columns the first."""
    different: list[str] = []
    for name, column in columns.items():
        is_told = name in _SENTENCES or any(list(column) == list(columns[told]) for told in different)
        if _is_text(column) and not _is_constant(column) and not is_told:
            different.append(name)
    return different


def _constants_html(columns: Mapping[str, Sequence[Cell]], shown: Mapping[str, Sequence[Cell]]) -> str:
    """Name what is the same in all rows."""
    same = {
        name: column[0]
        for name, column in columns.items()
        if name not in shown and name not in _SENTENCES and _is_text(column) and _is_constant(column)
    }
    parts = [f"{text_html(name.replace('_', ' '))}: {text_html(str(text))}" for name, text in same.items() if text]
    return f"<div>{', '.join(parts)}</div>" if parts else ""


def _is_text(column: Sequence[Cell]) -> bool:
    return any(isinstance(cell, str) for cell in column)


def _is_constant(column: Sequence[Cell]) -> bool:
    return len(column) > 1 and all(cell == column[0] for cell in column)
