"""Print what commands say: progress on standard error, tables or JSON Lines on standard output."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from types import MappingProxyType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from hypotheses.terminal.signs import SIGNS as SIGNS
from hypotheses.terminal.signs import UNKNOWN

TableCell = str | int | float | bool | Sequence[str] | None  # as in `activations.results`, which loads numpy
Report = Callable[..., None]
_WIDEST_NAME = 26  # that is never broken, however many columns there are


def say(sentence: str, *, quiet: bool = False) -> None:
    """Print a sentence for a person, unless `quiet`: when the output is for a script."""
    if not quiet:
        Console(highlight=False, soft_wrap=True).print(sentence, markup=False, emoji=False)


def warn(sentence: str) -> None:
    """Print a sentence on standard error, where it does not disturb a script."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(sentence, markup=False, emoji=False)


def to_standard_error() -> AbstractContextManager[object]:
    """Send what a user's function prints to standard error for a while, so that it does not get among the results."""
    return redirect_stdout(sys.stderr)


@contextmanager
def progress(step: str) -> Iterator[Report]:
    """Show a progress bar with the time left on standard error.

    Yields:
        A function to call with the amount done, the total, and optionally a note.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    console = Console(stderr=True)
    is_shown = console.is_terminal
    with Progress(
        *columns, console=console, disable=not is_shown, redirect_stdout=False, redirect_stderr=False
    ) as bars:  # what users' code prints is taken care of
        task = bars.add_task(step, total=None, note="")

        def report(done: int, total: int, note: str = "") -> None:
            bars.update(task, completed=done, total=total, note=note)

        yield report


def show_rows(
    rows: Sequence[Mapping[str, TableCell]], *, as_json: bool, title: str | None = None, digits: int = 3
) -> None:
    """Print rows as a table for people, or as one JSON object per row for scripts.

    Args:
        rows: For a table, all with the same keys, which head the columns.
        as_json: Whether to print JSON. NaN becomes null in JSON and a dash in a table.
        title: The title of the table.
        digits: Digits after the decimal point in the table; JSON has all.
    """
    if as_json:
        for row in rows:
            sys.stdout.write(json.dumps({key: _finite(value) for key, value in row.items()}) + "\n")
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for key, value in rows[0].items() if rows else ():
        if isinstance(value, str):
            longest = max(len(str(row[key])) for row in rows)
            is_whole = longest <= _WIDEST_NAME
            table.add_column(_heading(key), overflow="fold", min_width=min(longest, _WIDEST_NAME), no_wrap=is_whole)
        else:  # numbers are never cut off
            width = max(len(_format(row[key], digits)) for row in rows)
            table.add_column(_heading(key), justify="right", min_width=width)
    for row in rows:
        table.add_row(*(Text(_format(value, digits)) for value in row.values()))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    console.print(table)


def _heading(key: str) -> str:
    """Return the heading of a column: its key in words."""
    return key.replace("held_out", "held-out").replace("_", " ")


def visible(text: str, shown: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the text with a sign in place of each character that would move the cursor or do worse."""
    return "".join(shown.get(char, char if char.isprintable() else UNKNOWN) for char in text)


def _finite(value: TableCell) -> TableCell:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _format(value: TableCell, digits: int) -> str:
    value = _finite(value)
    if value is None:
        return "–"
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        is_tiny = 0 < abs(value) < 0.5 * 10**-digits
        return f"{value:.0e}" if is_tiny else f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
