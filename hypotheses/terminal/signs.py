"""Signs that stand for characters that cannot be printed, or that would move the cursor."""

from collections.abc import Mapping

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
