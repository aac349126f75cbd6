"""A text view in the terminal: coloured, or with marks below the characters where there are too few colours."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text

from hypotheses.labels import Labels
from hypotheses.terminal.signs import UNKNOWN, sign_of
from probe.consoles import PIPE_COLUMNS_OF_TEXTS
from probe.consoles import console as make_console
from probe.viewer.cells import UNPRINTABLE, WIDTH, lay_out
from probe.viewer.colours import INK, N_COLOURS, PAPER, Theme, colours, ink_on
from probe.viewer.scales import MISSING, Scale
from probe.viewer.text_view import N_GUESSES, Guesses, Panel, TextView, Track

_BLOCKS = "▁▂▃▄▅▆▇█"
_MISSING_MARK, _MISSING_SIGN = "?", "░"
_BAR_COLUMNS = 16
_FEWEST_COLUMNS = 8
_MOST_CLASSES = 24  # in a legend
_MARKED_GUESS = 13  # of 255: the least probability of a guess that is shown without colours, 5 %
_ORPHAN = "◌"  # what a combining character without one to combine with stands on
_GREY = "#8a8a8a"


_Rgb = tuple[int, int, int]
Colours = Sequence[_Rgb | None]
"""(n_chars,) the colour of each character; None where there is no value."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """A place in the grid.

    Attributes:
        last: Index in the passage of the last character that is there, whose values are shown.
        shown: What is printed.
        columns: Its width.
        is_sign: Whether a sign stands for the character.
    """

    last: int
    shown: str
    columns: int
    is_sign: bool


def show_view(view: TextView, console: Console | None = None, theme: Theme | None = None) -> None:
    """Print a view: coloured characters, with strips of colour below for further tracks.

    Where there are fewer than 256 colours, none are wanted (`NO_COLOR`), or in a pipe, there are marks below the
    characters instead. A cell with several code points, such as a letter and an accent, has the values of the last.

    Args:
        view: The view.
        console: Where to print; None is standard output.
        theme: Colours for a dark or a light ground; None asks the variable `COLORFGBG`, and is dark if it says nothing.
    """
    console = console or make_console()
    width = console.width if console.is_terminal else PIPE_COLUMNS_OF_TEXTS
    lines = _Coloured(view, theme or theme_of_terminal()) if has_colours(console) else _Plain(view)
    width = max(width, _FEWEST_COLUMNS)
    for line, is_laid_out in _all_lines(view, lines, width):
        is_too_long = console.is_terminal and not is_laid_out and line.cell_len > width
        for part in line.wrap(console, width) if is_too_long else [line]:
            console.print(part, soft_wrap=True)


def has_colours(console: Console) -> bool:
    """Return whether a console shows 256 colours or more, and is to show them."""
    return console.is_terminal and not console.no_color and console.color_system in ("256", "truecolor")


def theme_of_terminal() -> Theme:
    """Return which ground the terminal says it has, in the variable `COLORFGBG`; dark if it does not say."""
    ground = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return "light" if ground in ("7", "15") else "dark"


def _all_lines(view: TextView, lines: "_Plain | _Coloured", width: int) -> Iterator[tuple[Text, bool]]:
    """Give the lines of a view, one after another, and whether each is laid out for the width already."""
    if view.title:
        yield Text(_printable(view.title), "bold"), False
    for number, panel in enumerate(view.panels):
        if view.title or number:
            yield Text(""), True
        if panel.title:
            yield Text(_printable(panel.title), "bold"), False
        yield from ((line, False) for line in lines.legend(panel))
        for row in _rows(view, width - lines.margin(panel)):
            yield from ((line, True) for line in lines.row(panel, row))
    if view.notes:
        yield Text(""), True
    yield from ((Text(_printable(note), "dim"), False) for note in view.notes)


def _rows(view: TextView, columns: int) -> Iterator[list[_Cell]]:
    """Give the cells of each row."""
    rows = lay_out(view.text, view.cells, columns).rows
    starts = np.flatnonzero((view.cells & WIDTH > 0) | (np.diff(rows, prepend=-1) > 0)).tolist()
    cells = []
    for start, stop in pairwise([*starts, len(view.text)]):
        is_sign = bool(view.cells[start] & UNPRINTABLE)
        columns = max(int(view.cells[start] & WIDTH), 1)
        shown = sign_of(view.text[start]).ljust(columns) if is_sign else _with_base(view.text[start:stop])
        cells.append(_Cell(stop - 1, shown, columns, is_sign))
    for _, row in groupby(cells, lambda cell: int(rows[cell.last])):
        yield list(row)


def _with_base(cluster: str) -> str:
    """Return a cluster with something to stand on, if it only combines with a character before it."""
    return _ORPHAN + cluster if unicodedata.category(cluster[0]).startswith("M") else cluster


class _Plain:
    """Lines without colours: marks below the characters, a line for each track."""

    def __init__(self, view: TextView) -> None:
        self._guesses = view.guesses
        self._marks: dict[int, str] = {id(track): _marks(track) for track in view.tracks}

    def margin(self, panel: Panel) -> int:
        """Return the columns before the characters: those of the numbers of tracks, if there are several."""
        return 2 * (len(panel.tracks) > 1)

    def legend(self, panel: Panel) -> Iterator[Text]:
        """Give a line for each track that says what its marks mean."""
        for number, track in enumerate(panel.tracks, start=1):
            head = f"{number} " if self.margin(panel) else ""
            yield Text(f"{head}{_printable(track.name)}: {_meaning_of_marks(track)}")
        if self._guesses is not None:
            yield Text("below: guesses of the next character of at least 5 %, the most probable first")
        yield Text("")

    def row(self, panel: Panel, row: Sequence[_Cell]) -> Iterator[Text]:
        """Give the characters of a row, and the marks of each track below them."""
        margin = self.margin(panel)
        yield Text(" " * margin + "".join(cell.shown for cell in row))
        for number, track in enumerate(panel.tracks, start=1):
            marks = self._marks[id(track)]
            line = "".join(marks[cell.last].ljust(cell.columns) for cell in row)
            yield Text((f"{number} " if margin else "") + line)
        if self._guesses is not None:
            yield from self._guess_lines(self._guesses, row, margin)
            yield Text("")

    def _guess_lines(self, guesses: Guesses, row: Sequence[_Cell], margin: int) -> Iterator[Text]:
        for rank in range(N_GUESSES):
            line = "".join(_guess(guesses, cell, rank, least=_MARKED_GUESS) for cell in row).rstrip()
            if line:
                yield Text(" " * margin + line)


class _Coloured:
    """Lines in colours: the first track behind the characters, two of the others in each line below."""

    def __init__(self, view: TextView, theme: Theme) -> None:
        self._theme: Theme = theme
        self._guesses = view.guesses
        self._colours = {id(track): self._colours_of(track) for track in view.tracks}
        self._guess_colours = colours("sequential", theme)
        self._style, self._half = cache(_style), cache(_half)  # a style remembers the codes of its first console

    def margin(self, panel: Panel) -> int:
        """Return the columns before the characters."""
        return 0

    def legend(self, panel: Panel) -> Iterator[Text]:
        """Give a line for each track: its colours, and the values that they stand for."""
        for number, track in enumerate(panel.tracks):
            where = "characters" if number == 0 else "below" if len(panel.tracks) == 2 else f"strip {number}"
            line = Text(f"{where:<11}{_printable(track.name)}  ")
            if track.scale.kind in ("binary", "classes"):
                self._add_classes(line, track.scale)
            else:
                self._add_bar(line, track.scale)
                line.append(f"{_comma(track)} {track.quantity}".rstrip())
            if (track.levels == MISSING).any():
                line.append(f"  {_MISSING_SIGN} no value", Style(color=_colour(_GREY)))
            yield line
        yield Text("")

    def row(self, panel: Panel, row: Sequence[_Cell]) -> Iterator[Text]:
        """Give the characters of a row on their colours, and the strips below them."""
        tracks = [self._colours[id(track)] for track in panel.tracks]
        yield self._characters(tracks[0] if tracks else None, row)
        for first in range(1, len(tracks), 2):
            yield self._strips(tracks[first], tracks[first + 1] if first + 1 < len(tracks) else None, row)
        if self._guesses is not None:
            yield from (self._guess_line(self._guesses, row, rank) for rank in range(N_GUESSES))
            yield Text("")

    def _characters(self, track: Colours | None, row: Sequence[_Cell]) -> Text:
        paper = _rgb_of(PAPER[self._theme])
        line = Text()
        for cell in row:
            value = paper if track is None else track[cell.last]
            ground = paper if value is None else value
            ink = INK[self._theme] if ground == paper else ink_on(np.array(ground, np.uint8))
            is_faint = cell.is_sign or value is None
            line.append(cell.shown, self._style(_GREY if value is None else ink, ground, is_faint))
        return line

    def _strips(self, upper: Colours, lower: Colours | None, row: Sequence[_Cell]) -> Text:
        """Return a line in which each character has one track above another, as halves of a cell."""
        line = Text()
        for cell in row:
            above, below = upper[cell.last], None if lower is None else lower[cell.last]
            if above is None and (lower is None or below is None):
                line.append(_MISSING_SIGN * cell.columns, Style(color=_colour(_GREY)))
            elif above is None:
                line.append("▄" * cell.columns, self._half(below, None))
            else:
                line.append("▀" * cell.columns, self._half(above, below))
        return line

    def _guess_line(self, guesses: Guesses, row: Sequence[_Cell], rank: int) -> Text:
        line = Text()
        for cell in row:
            level = int(guesses.levels[cell.last, rank])
            ground = _as_rgb(self._guess_colours[min(level, N_COLOURS - 1)])
            style = self._style(ink_on(np.array(ground, np.uint8)), ground, False) if level else None
            line.append(_guess(guesses, cell, rank, least=1), style)
        return line

    def _colours_of(self, track: Track) -> Colours:
        """(n_chars,) the colour of each character; None where there is no value."""
        table = colours(track.scale.kind, self._theme)
        indices = track.scale.colours(track.levels) % len(table)
        rgb = [_as_rgb(colour) for colour in table]
        is_missing = track.levels == MISSING
        return [None if no else rgb[index] for index, no in zip(indices.tolist(), is_missing.tolist(), strict=True)]

    def _add_bar(self, line: Text, scale: Scale) -> None:
        table = colours(scale.kind, self._theme)
        at = np.linspace(0, len(table) - 1, _BAR_COLUMNS).round().astype(int)
        parts = np.array_split(at, 2) if scale.kind == "diverging" else [at]
        for low, part in zip([scale.middle - scale.full, scale.middle][-len(parts) :], parts, strict=True):
            line.append(f"{number_of(scale, low)} ")
            for colour in table[part]:
                line.append(" ", Style(bgcolor=Color.from_rgb(*_as_rgb(colour))))
            line.append(" ")
        line.append(number_of(scale, scale.middle + scale.full) + " and beyond" * (scale.gain > 1))

    def _add_classes(self, line: Text, scale: Scale) -> None:
        table = colours(scale.kind, self._theme)
        for number, name in list(enumerate(scale.classes))[:_MOST_CLASSES]:
            ground = _as_rgb(table[number % len(table)])
            line.append(f" {_printable(name)} ", _style(ink_on(np.array(ground, np.uint8)), ground, False)).append(" ")
        if len(scale.classes) > _MOST_CLASSES:
            line.append(f"and {len(scale.classes) - _MOST_CLASSES} others")


def _half(ink: _Rgb | None, ground: _Rgb | None) -> Style:
    return Style(
        color=None if ink is None else Color.from_rgb(*ink), bgcolor=None if ground is None else Color.from_rgb(*ground)
    )


def _style(ink: str, ground: _Rgb, is_faint: bool) -> Style:
    return Style(color=_colour(ink), bgcolor=Color.from_rgb(*ground), dim=is_faint or None)


def _colour(name: str) -> Color:
    return Color.from_rgb(*_rgb_of(name))


def _rgb_of(name: str) -> _Rgb:
    return int(name[1:3], 16), int(name[3:5], 16), int(name[5:7], 16)


def _as_rgb(colour: NDArray[np.uint8]) -> _Rgb:
    red, green, blue = colour.tolist()
    return red, green, blue


def number_of(scale: Scale, value: float) -> str:
    """Return a value of a scale with the digits that its steps allow.

    >>> number_of(Scale(kind="diverging", offset=-1.0, step=2 / 254), 0.123456)
    '0.12'
    """
    if scale.step < 1e-6:
        return f"{value:.3g}"
    text = f"{value:,.{scale.digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def _marks(track: Track) -> str:
    """Return a mark for each character: x or ., the letter of a class, or a block that is as high as the value."""
    scale = track.scale
    if scale.kind == "binary":
        alphabet = ".x"
    elif scale.kind == "classes":
        alphabet = Labels.class_marks(scale.classes)
    else:
        alphabet = _BLOCKS
    indices = scale.colours(track.levels)
    if alphabet is _BLOCKS:
        indices = indices * len(_BLOCKS) // N_COLOURS
    is_missing = track.levels == MISSING
    return "".join(
        _MISSING_MARK if no else alphabet[index]
        for index, no in zip(indices.tolist(), is_missing.tolist(), strict=True)
    )


def _meaning_of_marks(track: Track) -> str:
    scale = track.scale
    if scale.kind == "binary":
        meaning = "x True, . False"
    elif scale.kind == "classes":
        marks = Labels.class_marks(scale.classes)
        named = [f"{mark} {_printable(name)}" for mark, name in zip(marks, scale.classes, strict=True) if mark != "+"]
        meaning = ", ".join(named)
    else:
        low, high = (number_of(scale, scale.middle + side * scale.full) for side in (-1, 1))
        middle = number_of(scale, scale.middle)
        diverging = f"{_BLOCKS[0]} {low}, {_BLOCKS[3]}{_BLOCKS[4]} {middle}, {_BLOCKS[-1]} {high}"
        meaning = diverging if scale.kind == "diverging" else f"{_BLOCKS[0]} {middle}, {_BLOCKS[-1]} {high}"
        meaning += f"{' and beyond' * (scale.gain > 1)}{_comma(track)} {track.quantity}".rstrip()
    return meaning + (f", {_MISSING_MARK} no value" if (track.levels == MISSING).any() else "")


def _comma(track: Track) -> str:
    """Return what stands between "and beyond" and a quantity: "1.44 and beyond, activation"."""
    return "," * (track.scale.gain > 1 and bool(track.quantity))


def _guess(guesses: Guesses, cell: _Cell, rank: int, *, least: int) -> str:
    """Return a guess in the columns of a cell; spaces if it is less probable than that."""
    if guesses.levels[cell.last, rank] < least:
        return " " * cell.columns
    character = guesses.characters[guesses.ids[cell.last, rank]]
    if len(character) > 1:  # the name of a token
        return UNKNOWN.ljust(cell.columns)
    shown = _with_base(character) if character.isprintable() else sign_of(character)
    is_wide = unicodedata.east_asian_width(character) in "WF"
    return UNKNOWN if is_wide and cell.columns < 2 else shown + " " * (cell.columns - 1 - is_wide)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else sign_of(char) for char in text)
