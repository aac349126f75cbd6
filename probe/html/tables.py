"""Tables as HTML: texts stay texts, numbers have few digits, and intervals are drawn."""

import math
from collections.abc import Mapping, Sequence
from html import escape

from markupsafe import Markup

from activations.results import TableCell
from probe.html.interval_bars import BarAxis, Measured, interval_bar

Cell = TableCell | Measured | Markup
"""What a table shows in a cell; `Markup` is HTML that was made safe before."""
_WIDE = '<div style="overflow-x: auto; max-width: 100%">'  # scrolls by itself
_TABLE = f'{_WIDE}<table style="border-collapse: collapse; font-size: 90%; margin: 0.4em 0">'
_TEXT = "text-align: left; padding: 1px 0.6em"
_NUMBER = "text-align: right; padding: 1px 0.6em; white-space: nowrap"
_MOST_CHARS = 400  # of a text in a cell
_MOST_SENTENCES = 12
_DIRECTIONS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C}


def table(columns: Mapping[str, Sequence[Cell]]) -> str:
    """Return a table, with a row of headings.

    Args:
        columns: The cells of each column by its heading; all have the same number. A column of `Measured` is drawn.
    """
    headings, cells = [], []
    for name, column in columns.items():
        heading = text_html(name.replace("_", " "))
        measured = [cell for cell in column if isinstance(cell, Measured)]
        if not measured:
            style = _NUMBER if all(_is_number(cell) for cell in column) else _TEXT
            headings.append(f'<th style="{style}">{heading}</th>')
            cells.append([f'<td style="{style}">{cell_html(cell)}</td>' for cell in column])
            continue
        axis = BarAxis.of(measured)
        headings.append(f'<th style="{_NUMBER}">{heading}</th><th style="{_TEXT}">{_axis_html(axis, measured)}</th>')
        cells.append([_measured_html(cell, axis) for cell in column])
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True))
    return f"{_TABLE}<thead><tr>{''.join(headings)}</tr></thead><tbody>{rows}</tbody></table></div>"


def pairs_table(pairs: Mapping[str, Cell]) -> str:
    """Return a table of two columns: names, and what they stand for."""
    names = [text_html(name.replace("_", " ")) for name in pairs]
    cells = [cell_html(cell) for cell in pairs.values()]
    rows = "".join(
        f'<tr><th style="{_TEXT}">{name}</th><td style="{_TEXT}">{cell}</td></tr>'
        for name, cell in zip(names, cells, strict=True)
    )
    return f"{_TABLE}<tbody>{rows}</tbody></table></div>"


def sentences_html(sentences: Sequence[str]) -> str:
    """Return sentences as a list; nothing if there are none."""
    if not sentences:
        return ""
    items = "".join(f"<li>{text_html(sentence)}</li>" for sentence in sentences[:_MOST_SENTENCES])
    n_more = len(sentences) - _MOST_SENTENCES
    return f"<ul>{items}{f'<li>… and {n_more:,} more</li>' if n_more > 0 else ''}</ul>"


def cell_html(cell: Cell) -> str:
    """Return what stands in a cell, without the picture of an interval."""
    if isinstance(cell, Measured):
        return measured_text(cell)
    if isinstance(cell, Markup):
        return str(cell)
    if cell is None:
        return "–"
    if isinstance(cell, bool | str):
        return text_html(str(cell))
    if isinstance(cell, int | float):
        return number_text(cell)
    return text_html(", ".join(map(str, cell)))


def number_text(number: float) -> str:
    """Return a number in few digits.

    >>> [number_text(number) for number in (12345, 0.91234, 0.0000123, 2345.6, float("nan"))]
    ['12,345', '0.912', '1.23e-05', '2,345.6', '–']
    """
    if isinstance(number, int):
        return f"{number:,}"
    if math.isnan(number):
        return "–"
    if number == 0 or 0.001 <= abs(number) < 1000:
        return f"{number:.3f}"
    return f"{number:,.1f}" if 1000 <= abs(number) < 1e9 else f"{number:.3g}"


def measured_text(measured: Measured) -> str:
    """Return a number with its interval.

    >>> measured_text(Measured(value=0.9, low=0.85, high=0.95))
    '0.900 (0.850 to 0.950)'
    >>> measured_text(Measured(value=0.02, low=-0.0004, high=0.05))
    '0.020 (-0.000 to 0.050)'
    """
    if not measured.has_interval:
        value = number_text(measured.value)
        return value if math.isnan(measured.value) else f"{value} (no interval)"
    numbers = (measured.value, measured.low, measured.high)
    is_usual = 0.01 <= max(map(abs, numbers)) < 1000
    value, low, high = (f"{number:.3f}" if is_usual else number_text(number) for number in numbers)
    return f"{value} ({low} to {high})"


def text_html(text: str) -> str:
    """Return a text as HTML that shows it and does nothing else.

    What is no visible character is spelled, in fainter letters, and the direction of a text does not reach what stands
    beside it. Long texts are cut.
    """
    shown = text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"
    return f"<bdi>{''.join(map(_character_html, shown))}</bdi>"


def _character_html(character: str) -> str:
    code = ord(character)
    is_spelled = code < 0x20 or 0x7F <= code < 0xA0 or code in _DIRECTIONS or 0xD800 <= code < 0xE000
    return f'<span style="opacity: 0.6">{ascii(character)[1:-1]}</span>' if is_spelled else escape(character)


def _measured_html(cell: Cell, axis: BarAxis) -> str:
    if not isinstance(cell, Measured):
        return f'<td style="{_NUMBER}">{cell_html(cell)}</td><td></td>'
    says = measured_text(cell)
    return f'<td style="{_NUMBER}">{says}</td><td style="{_TEXT}">{interval_bar(cell, axis, says)}</td>'


def _axis_html(axis: BarAxis, measured: Sequence[Measured]) -> str:
    """Say which numbers are at the ends of the bars, and at the dashed line."""
    ends = f"{axis.low:.2g} to {axis.high:.2g}"
    levels = {one.chance for one in measured if one.chance is not None}
    line = "".join(f", dashed: {level:g}" for level in sorted(levels))
    return f'<span style="font-weight: normal">{ends}{line}</span>'


def _is_number(cell: Cell) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))
