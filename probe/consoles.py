"""The consoles that print to the terminal, all made here: plain text, of a known width, that reads no markup."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleDimensions

PIPE_COLUMNS_OF_TEXTS = 120
"""Columns of a row of text where the output is no terminal."""
_PIPE_LINES = 25  # which nothing depends on
_WITH_BARS: list[Console] = []  # the last one shows a bar on standard error now


def console(*, stderr: bool = False, pipe_columns: int = PIPE_COLUMNS_OF_TEXTS) -> Console:
    """Make a console on standard output or standard error.

    It prints names as they are: rich's markup (`[red]`) and emoji codes (`:b:`) mean nothing in them. `NO_COLOR` leaves
    the colours out, and `TERM=dumb` all escapes. In a pipe, its width is fixed; `FORCE_COLOR` makes a pipe count as a
    terminal.

    Args:
        stderr: Whether it prints on standard error.
        pipe_columns: Its width where it prints to no terminal.
    """
    made = Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)
    if not made.is_terminal:
        made.size = ConsoleDimensions(pipe_columns, _PIPE_LINES)
    elif made.is_dumb_terminal:  # of which rich takes the width to be 80
        made.size = ConsoleDimensions(*shutil.get_terminal_size())
    return made


def standard_error() -> Console:
    """Return the console of standard error: the one that shows a bar, if there is one, which prints above its bar."""
    return _WITH_BARS[-1] if _WITH_BARS else console(stderr=True)


@contextmanager
def with_bar(shown: Console) -> Iterator[None]:
    """Let `standard_error` be a console that shows a bar for a while."""
    _WITH_BARS.append(shown)
    try:
        yield
    finally:
        _WITH_BARS.remove(shown)


def reads_escapes(console: Console) -> bool:
    """Tell whether a console prints to a terminal on which lines can be written over."""
    return console.is_terminal and not console.is_dumb_terminal


def make_encodable() -> None:
    """Let standard output and standard error replace characters that their encoding lacks, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")
