"""How the columns of a table share the width of a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from hypotheses.terminal.marks import columns_of

_GAP, _NARROWEST_GAP = 2, 1  # columns of the terminal between two columns of a table
_WIDEST_NAME = 26  # that is never broken where the terminal has room for it
_NARROWEST_NAME = 12  # of the first column, where it has not
_NARROWEST_SENTENCE = 30
_INDENT = 4  # of what is below a row


@dataclass(slots=True)
class Column:
    """A column of a table.

    Attributes:
        heading: In words, which may stand one below another.
        cells: One for each row, without control characters.
        is_text: Whether they are texts, which may be folded, and not numbers, which may not.
        width: Columns of the terminal that the column has.
        least: The fewest that it can have.
    """

    heading: str
    cells: Sequence[str]
    is_text: bool
    width: int = field(init=False)
    least: int = field(init=False)
    _widest_cell: int = field(init=False)

    def __post_init__(self) -> None:
        """Measure the column."""
        self._widest_cell = max(map(columns_taken, self.cells), default=0)
        self.width = max(self._widest_cell, columns_taken(self.heading))
        of_cells = self._widest_cell
        if self.is_text:
            of_cells = min(of_cells, _NARROWEST_SENTENCE if self.has_sentences else _WIDEST_NAME)
        self.least = max(of_cells, *map(columns_taken, self.heading.split()), 1)

    @property
    def has_sentences(self) -> bool:
        """Whether it has sentences, which can stand below their rows."""
        return self.is_text and self._widest_cell > _WIDEST_NAME and any(" " in cell for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a table that fits the terminal.

    Attributes:
        heading: Its lines.
        lines: Those of the rows.
    """

    heading: list[str]
    lines: list[str]


def lay_out(columns: Sequence[Column], width: int, *, in_parts: bool = False) -> tuple[list[Part], list[str]]:
    """Lay out a table in the columns of a terminal.

    Args:
        columns: The columns of the table, with as many rows each. Their widths are set.
        width: Columns of the terminal.
        in_parts: Whether columns that do not fit come in further parts, each with the names of the rows once more.

    Returns:
        The parts, and the headings of the columns that are left out.
    """
    n_names = _n_names(columns)
    if _least(columns[: n_names + 1]) > width:
        n_names = 1
    names, rest = list(columns[:n_names]), list(columns[n_names:])
    below: list[Column] = []
    while _least([*names, *rest]) > width and any(column.has_sentences for column in rest):
        last = max(number for number, column in enumerate(rest) if column.has_sentences)
        below.insert(0, rest.pop(last))
    if names[0].is_text and _least(names) + _NARROWEST_GAP + max((column.least for column in rest), default=0) > width:
        names[0].least = min(names[0].least, max(_NARROWEST_NAME, *map(columns_taken, names[0].heading.split())))
    room = width - _least(names) - _NARROWEST_GAP
    for column in rest:
        if column.is_text and column.least > room:
            column.least = max(room, 1)
    parts: list[Part] = []
    while rest or not parts:
        if parts and not in_parts:
            return parts, [column.heading for column in rest]
        beside: list[Column] = []
        while rest and (not beside or _least([*names, *beside, rest[0]]) <= width):
            beside.append(rest.pop(0))
        parts.append(_part([*names, *beside], [] if parts else below, width))
    return parts, []


def _n_names(columns: Sequence[Column]) -> int:
    """Return how many of the first columns tell all rows apart; 1 if more than three would be needed."""
    for number in range(1, min(3, len(columns)) + 1):
        rows = list(zip(*(column.cells for column in columns[:number]), strict=True))
        if len(set(rows)) == len(rows):
            return number
    return 1


def columns_taken(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(column.n_columns for column in columns_of(text))


def first_columns(text: str, width: int) -> str:
    """Return as much of the beginning of a text as fits a number of columns."""
    shown, used = [], 0
    for column in columns_of(text):
        used += column.n_columns
        if used > width:
            break
        shown.append(column.shown)
    return "".join(shown)


def last_columns(text: str, width: int) -> str:
    """Return as much of the end of a text as fits a number of columns, behind spaces that fill them.

    >>> last_columns("before", 4), last_columns("漢字", 3), last_columns("a", 3)
    ('fore', ' 字', '  a')
    """
    shown, used = [], 0
    for column in reversed(columns_of(text)):
        if used + column.n_columns > width:
            break
        used += column.n_columns
        shown.append(column.shown)
    return " " * (width - used) + "".join(reversed(shown))


def fold(text: str, width: int) -> list[str]:
    """Break a text into lines of at most a number of columns, between words where that is possible.

    >>> fold("too few independent pieces", 12)
    ['too few', 'independent', 'pieces']
    >>> fold("a_very_long_name", 6)
    ['a_very', '_long_', 'name']
    """
    if columns_taken(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if columns_taken(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = _pieces(word, width)
        lines += whole
    return [*lines, line]


def _pieces(word: str, width: int) -> list[str]:
    """Break a word into pieces of at most a number of columns; wide characters and accents stay whole."""
    pieces = [""]
    used = 0
    for column in columns_of(word):
        if used and used + column.n_columns > width:
            pieces.append("")
            used = 0
        pieces[-1] += column.shown
        used += column.n_columns
    return pieces


def _least(columns: Sequence[Column]) -> int:
    return sum(column.least + _NARROWEST_GAP for column in columns) - _NARROWEST_GAP


def _part(columns: Sequence[Column], below: Sequence[Column], width: int) -> Part:
    """Lay out columns that fit side by side, and others below each row."""
    gap = " " * (_GAP if sum(column.least + _GAP for column in columns) - _GAP <= width else _NARROWEST_GAP)
    _share_out(columns, width, len(gap))
    headings = [fold(column.heading, column.width) for column in columns]
    n_lines = max(map(len, headings))
    heading = list(_beside([[""] * (n_lines - len(lines)) + lines for lines in headings], columns, gap))
    lines: list[str] = []
    for row in range(len(columns[0].cells)):
        lines += _beside([fold(column.cells[row], column.width) for column in columns], columns, gap)
        for column in below:
            if column.cells[row] not in ("", "–"):
                sentence = f"{column.heading}: {column.cells[row]}"
                lines += [" " * _INDENT + line for line in fold(sentence, max(width - _INDENT, 1))]
    return Part(heading, lines)


def _share_out(columns: Sequence[Column], width: int, gap: int) -> None:
    """Make the widest columns narrower, headings before sentences and names, until all fit."""
    for is_text in (False, True):
        while sum(column.width + gap for column in columns) - gap > width:
            narrowable = [column for column in columns if column.is_text == is_text and column.width > column.least]
            if not narrowable:
                break
            max(narrowable, key=lambda column: column.width).width -= 1


def _beside(cells: Sequence[Sequence[str]], columns: Sequence[Column], gap: str) -> Iterator[str]:
    """Yield the lines of cells that stand side by side."""
    for pieces in zip_longest(*cells, fillvalue=""):
        padded = [
            piece + " " * (column.width - columns_taken(piece))
            if column.is_text
            else " " * (column.width - columns_taken(piece)) + piece
            for piece, column in zip(pieces, columns, strict=True)
        ]
        yield gap.join(padded).rstrip()
