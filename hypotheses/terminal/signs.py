"""Signs that stand for characters that cannot be printed, or that would move the cursor."""

from collections.abc import Mapping
from types import MappingProxyType

SIGNS: Mapping[str, str] = {
    **{chr(code): chr(0x2400 + code) for code in range(32)},
    "\n": "↵",
    "\t": "→",
    "\x7f": "␡",
}
"""The signs of control characters."""
UNKNOWN = "·"
"""The sign of characters that cannot be printed, and have none of their own."""


def sign_of(char: str) -> str:
    r"""Return the sign that stands for a character that cannot be printed.

    >>> [sign_of(char) for char in "\n\t\x1b\u202e"]
    ['↵', '→', '␛', '·']
    """
    return SIGNS.get(char, UNKNOWN)


def visible(text: str, shown: Mapping[str, str] = MappingProxyType({})) -> str:
    r"""Return a text with a sign in place of each character that would move the cursor or do worse.

    Args:
        text: Any text, such as a name or a path; lone surrogates, which no terminal can show, are allowed.
        shown: What stands for some characters; other unprintable ones are shown as `UNKNOWN`.

    >>> visible("a\x1b[2Jb\n"), visible("a\nb", SIGNS)
    ('a·[2Jb·', 'a↵b')
    """
    if text.isprintable() and not shown.keys() - SIGNS.keys():
        return text
    return "".join(shown.get(char, char if char.isprintable() else UNKNOWN) for char in text)
