"""Characters as people can read them: signs as they are, and what cannot be seen by its name."""

import unicodedata
from collections.abc import Iterable

_CONTROLS = {
    0: "null",
    7: "bell",
    8: "backspace",
    9: "tab",
    10: "line feed",
    11: "vertical tab",
    12: "form feed",
    13: "carriage return",
    27: "escape",
    127: "delete",
    133: "next line",
}
_INVISIBLE = ("Z", "C", "M")  # the first letters of the categories of spaces, controls, and marks on other signs


def is_visible(char: str) -> bool:
    """Can a character be seen where it stands alone?"""
    return not unicodedata.category(char).startswith(_INVISIBLE)


def name_of(char: str) -> str:
    r"""Return the name of a character, in lower case; its code point if it has none.

    >>> name_of("\n"), name_of("\xa0"), name_of("\x01"), name_of("\ud800")
    ('line feed', 'no-break space', 'U+0001', 'U+D800')
    """
    return _CONTROLS.get(ord(char)) or unicodedata.name(char, "").lower() or f"U+{ord(char):04X}"


def readable(characters: Iterable[str], *, most: int = 200) -> str:
    r"""List characters in the order of their code points: those that cannot be seen by name, and then the others.

    Args:
        characters: Each once.
        most: The number of characters of either kind that are listed at most.

    >>> readable("ba \n")
    'line feed, space, ab'
    """
    ordered = sorted(characters)
    hidden, visible = ([char for char in ordered if is_visible(char) is wanted] for wanted in (False, True))
    parts = [*map(name_of, hidden[:most]), *(["".join(visible[:most])] if visible else [])]
    n_more = max(len(hidden) - most, 0) + max(len(visible) - most, 0)
    return ", ".join(parts) + (f" and {n_more:,} more" if n_more else "")


def printable(text: str) -> str:
    """Return a text with U+FFFD in place of everything that would move the cursor or do worse."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
