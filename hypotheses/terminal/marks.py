"""Marks below the characters of a text, one for the label of each, which line up whatever the characters are."""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hypotheses.terminal.signs import sign_of

_ORPHAN = "◌"  # what a combining character without one to combine with stands on
_JAMO = (range(0x1160, 0x1200), range(0xD7B0, 0xD800))  # vowels and finals, which join the consonant before
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))  # of variants, which change the width of some characters
_SKIN_TONES = range(0x1F3FB, 0x1F400)  # which join an emoji in some terminals, and stand beside it in others


@dataclass(frozen=True, slots=True)
class Column:
    """What stands in one column of a terminal, or in two.

    Attributes:
        last: Index of the last character that stands there.
        shown: What is printed.
        n_columns: 1, or 2 of a wide character.
    """

    last: int
    shown: str
    n_columns: int


def columns_of(text: str) -> list[Column]:
    r"""Return how a terminal shows the characters of a text, one after another, with a sign for each invisible one.

    Wide characters (Chinese, Japanese, Korean, fullwidth, emoji) take two columns. Characters that combine with the one
    before them, such as accents, share its columns. Those that cannot be seen, or would move the cursor or change the
    direction of the text, are never printed: a sign stands for each. That goes for joiners and skin tones of emoji too,
    on whose width terminals do not agree. Right-to-left text is in the order in which it was read.

    >>> [(column.shown, column.n_columns) for column in columns_of("a漢\t\u202e")]
    [('a', 1), ('漢', 2), ('→', 1), ('·', 1)]
    """
    columns: list[Column] = []
    can_combine = False
    for index, char in enumerate(text):
        if char < "\u0300":  # where nothing combines and nothing is wide
            can_combine = char.isprintable()
            columns.append(Column(index, char if can_combine else sign_of(char), 1))
        elif _combines(char):
            shown = "" if _is_in(char, _SELECTORS) else char
            if can_combine:
                before = columns[-1]
                columns[-1] = Column(index, before.shown + shown, before.n_columns)
            else:
                columns.append(Column(index, _ORPHAN + shown, 1))
                can_combine = True
        elif char.isprintable() and not _is_in(char, (_SKIN_TONES,)):
            can_combine = True
            columns.append(Column(index, char, 2 if _is_wide(char) else 1))
        else:
            can_combine = False
            columns.append(Column(index, sign_of(char), 1))
    return columns


def takes_one_column(char: str) -> bool:
    """Tell whether a terminal shows a character in exactly one column."""
    return char.isprintable() and not _combines(char) and not _is_wide(char)


def marked(text: str, marks: str) -> str:
    """Return a text in one line, and below it one mark for each character.

    Of characters that share a column, the mark of the last is shown.

    Args:
        text: The text; see `columns_of` for how it is shown.
        marks: (n_chars,) a mark for each character.
    """
    columns = columns_of(text)
    return f"{_line(columns)}\n{_mark_line(columns, marks)}"


def marked_lines(text: str, marks: str, width: int) -> Iterator[tuple[str, str]]:
    """Yield each line of a text and the marks below it; lines that are too long for the terminal are broken.

    Args:
        text: The text; see `columns_of` for how it is shown.
        marks: (n_chars,) a mark for each character.
        width: Columns of the terminal.
    """
    row: list[Column] = []
    n_columns = 0
    for column in columns_of(text):
        if row and n_columns + column.n_columns > width:
            yield _line(row), _mark_line(row, marks)
            row, n_columns = [], 0
        row.append(column)
        n_columns += column.n_columns
        if text[column.last] == "\n":
            yield _line(row), _mark_line(row, marks)
            row, n_columns = [], 0
    if row:
        yield _line(row), _mark_line(row, marks)


def _line(columns: Iterable[Column]) -> str:
    return "".join(column.shown for column in columns)


def _mark_line(columns: Iterable[Column], marks: str) -> str:
    return "".join(marks[column.last].ljust(column.n_columns) for column in columns)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def _combines(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me") or _is_in(char, _JAMO)


def _is_in(char: str, ranges: Iterable[range]) -> bool:
    return any(ord(char) in codes for codes in ranges)
