"""Glyphs: what is drawn for a character, in which of the installed fonts, so that every text can be drawn."""

import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from hypotheses.terminal.signs import sign_of

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

MONO, SANS = "DejaVu Sans Mono", "DejaVu Sans"
"""The fonts of the text and of what is said about it. Both come with matplotlib."""
ADVANCE = 1233 / 2048
"""Width of a character of `MONO`, as a share of the font size."""
_NO_GLYPH = "□"
_JOINER = "\u200d"
_REGULAR = (400, "normal", "regular")  # weights
_SIZE = 100.0  # at which widths are measured, in points
_NEVER = ("Last Resort", "STIX", "cmb", "cmex", "cmmi", "cmr", "cmss", "cmsy", "cmtt")  # boxes, and codes of TeX


@dataclass(frozen=True, slots=True)
class Glyph:
    """What is drawn for a character, or for characters that share a cell.

    Attributes:
        text: What is drawn; empty if nothing is.
        families: Installed fonts that have all of it.
        width: Its width, as a share of the font size.
    """

    text: str
    families: tuple[str, ...]
    width: float


@cache
def glyph_of(cluster: str) -> Glyph:
    """Return what is drawn for the characters of a cell: a sign if they have none, a box if no font has them.

    Of emoji that are joined, only the first is drawn: matplotlib does not join them.
    """
    if not any(char.isprintable() for char in cluster):
        cluster = _drawn_sign_of(cluster[0])
    whole = unicodedata.normalize("NFC", cluster.partition(_JOINER)[0])
    text = "".join(char for char in whole if char.isprintable() and not _is_selector(char))
    families: dict[str, None] = {}
    for char in text:
        family = next((family for family in _families() if ord(char) in _codes_of(family)), None)
        if family is None:
            return Glyph(_NO_GLYPH, (MONO,), ADVANCE)
        families[family] = None
    together = next((family for family in families if all(ord(char) in _codes_of(family) for char in text)), None)
    chosen = (together,) if together else tuple(families) or (MONO,)
    return Glyph(text, chosen, sum(_width_of(char, chosen) for char in text))


def _drawn_sign_of(char: str) -> str:
    """Return the sign of a character that cannot be printed; where no font has that of a control code, such as ^[."""
    sign = sign_of(char)
    if any(ord(sign) in _codes_of(family) for family in _families()):
        return sign
    return f"^{chr(ord(char) ^ 0x40)}" if char.isascii() else _NO_GLYPH


def printable(text: str) -> str:
    """Return a name or a sentence with a sign for each character that cannot be printed, and a box for each unknown."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(glyph_of(char).text or _NO_GLYPH for char in text)


def families_of(text: str, first: str) -> tuple[str, ...]:
    """Return fonts that together have all characters of a printable text; those that `first` lacks are in others."""
    if text.isascii():
        return (first,)
    return tuple(dict.fromkeys([first, *(family for char in text for family in glyph_of(char).families)]))


def _is_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"


@cache
def _families() -> tuple[str, ...]:
    """Return the names of the installed fonts, in the order in which they are tried: monospaced ones first."""
    from matplotlib.font_manager import fontManager

    upright = {entry.name for entry in fontManager.ttflist if entry.style == "normal" and entry.weight in _REGULAR}
    names = {name for name in upright if not name.startswith(_NEVER) and "Color" not in name}
    ordered = sorted(names - {MONO, SANS}, key=lambda name: ("Mono" not in name, "Serif" in name, name))
    return (MONO, SANS, *ordered)


@cache
def _codes_of(family: str) -> frozenset[int]:
    """Return the code points that a font can draw; none if matplotlib cannot, as with pictures in colour."""
    try:
        font = _font(family)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def _width_of(char: str, families: tuple[str, ...]) -> float:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0.0
    font = _font(next(family for family in families if ord(char) in _codes_of(family)))
    font.set_size(_SIZE, 72)
    return float(font.load_char(ord(char)).linearHoriAdvance) / 65536 / _SIZE


def _font(family: str) -> "FT2Font":
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return get_font(findfont(FontProperties(family=[family]), fallback_to_default=False))
