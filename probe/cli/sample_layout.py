"""Lay out texts that a model wrote: side by side, or with the most probable alternatives below each character."""

import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from probe.cli.showing import SIGNS, console, visible
from probe.consoles import PIPE_COLUMNS_OF_TEXTS

if TYPE_CHECKING:
    from activations.models.sampling import Guess

    Column = tuple[str, list[Guess]]  # a character, and the guesses shown below it

IN_TEXT = {**SIGNS, "\n": "\n", "\t": "\t"}
_AS_GUESS = {**SIGNS, " ": "␣"}
_STYLES = ((0.5, "bold green"), (0.2, "green"), (0.05, "yellow"), (0.0, "dim"))  # from this probability up
_WIDEST_SAMPLE = 38  # so that two fit side by side in 80 columns
_GAP = 3


def show_columns(texts: Sequence[str], heads: Sequence[str] | None = None) -> None:
    """Print texts side by side, as many as there is room for, and the others below.

    Args:
        texts: The texts.
        heads: What stands above each; None is the number of the sample.
    """
    out = console(pipe_columns=_pipe_columns())
    above = heads or [f"sample {n}" for n in range(1, len(texts) + 1)]
    shown = [[head, *visible(text, IN_TEXT).expandtabs(4).split("\n")] for head, text in zip(above, texts, strict=True)]
    longest = max(cell_len(line) for lines in shown for line in lines)
    n_columns = max(1, (out.width + _GAP) // (min(longest, _WIDEST_SAMPLE) + _GAP))
    width = min(longest, (out.width + _GAP) // min(n_columns, len(texts)) - _GAP)
    for start in range(0, len(texts), n_columns):
        if start > 0:
            out.print()
        folded = [
            [piece.plain for line in lines for piece in Text(line).wrap(out, width)]
            for lines in shown[start : start + n_columns]
        ]
        for row, pieces in enumerate(zip_longest(*folded, fillvalue="")):
            line = (" " * _GAP).join(set_cell_size(piece, width) for piece in pieces).rstrip()
            out.print(Text(line, style="" if row else "bold"))


def show_alternatives(texts: Sequence[Sequence["Column"]]) -> None:
    """Print texts line by line, with the guesses below each token."""
    out = console(pipe_columns=_pipe_columns())
    for n, columns in enumerate(texts, start=1):
        if len(texts) > 1:
            out.print(Text(f"sample {n}\n", style="bold"))
        ends = [number + 1 for number, (token, _) in enumerate(columns) if token == "\n"]
        for start, stop in pairwise(sorted({0, *ends, len(columns)})):
            line = ((visible(token, SIGNS), guesses) for token, guesses in columns[start:stop])
            for part in _folded(line, out.width):
                out.print(_with_guesses(part))
    out.print(Text("below each character the most probable ones, in their order; ␣ space, ↵ line's end, → tab"))


def _pipe_columns() -> int:
    """Return the width of texts in a pipe, for which a script may set COLUMNS."""
    return shutil.get_terminal_size((PIPE_COLUMNS_OF_TEXTS, 25)).columns


def _folded(columns: Iterator["Column"], width: int) -> Iterator[list["Column"]]:
    """Split columns into parts that are at most `width` wide, or of one column."""
    part: list[Column] = []
    used = 0
    for column in columns:
        if part and used + _width(column) > width:
            yield part
            part, used = [], 0
        part.append(column)
        used += _width(column)
    yield part


def _with_guesses(columns: Sequence["Column"]) -> Text:
    """Return a row of characters, with rows of guesses below it."""
    shown = Text()
    for column in columns:
        shown.append(set_cell_size(column[0], _width(column)), "bold")
    for row in range(max(len(guesses) for _, guesses in columns)):
        shown.append("\n")
        for column in columns:
            cell, style = "", ""
            if row < len(column[1]):
                guess = column[1][row]
                cell = visible(guess.character, _AS_GUESS)
                style = next(style for least, style in _STYLES if guess.probability >= least)
            shown.append(set_cell_size(cell, _width(column)), style)
    return shown.append("\n")


def _width(column: "Column") -> int:
    """Return the width of a column in terminal cells; wide characters take two."""
    character, guesses = column
    return max(1, cell_len(character), *(cell_len(guess.character) for guess in guesses))
