"""Legends: what the colours of a track mean, in its own numbers, set one beside the other in lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from probe.pictures.figures import DPI
from probe.viewer.colours import Theme, colours
from probe.viewer.drawing.glyphs import glyph_of, printable
from probe.viewer.drawing.sheet import COLUMN, NAME_SIZE, NUMBER_SIZE, Align, Boxes, Sheet
from probe.viewer.scales import MISSING, Scale
from probe.viewer.text_view import Track

LINE = 30 / 22
"""Height of a line of legends, in rows."""
_BAR, _SWATCH, _BAR_HEIGHT = 15.0, 1.6, 9 / 22
_BETWEEN_PARTS, _BETWEEN_TRACKS, _BETWEEN_WORDS = 1.0, 3.0, 0.6  # columns
_MOST_CLASSES = 24
_LEAST_FIXED_STEP = 10**-6.5  # of a scale whose numbers are not written with a power of ten
_ALIGNS: tuple[Align, Align, Align] = ("left", "center", "right")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LegendPart:
    """A piece of a legend that stays together: words, colours, and what these mean.

    Attributes:
        name: What is shown, before the colours.
        quantity: What it is measured in, in grey after the name.
        colours: (n_colours, 3) uint8, from left to right; None for the hatching of missing values.
        numbers: Below the left end, the middle and the right end of the colours; empty for none.
        meaning: After the colours.
    """

    name: str = ""
    quantity: str = ""
    colours: NDArray[np.uint8] | None
    numbers: tuple[str, ...] = ()
    meaning: str = ""

    @property
    def n_colours(self) -> int:
        """How many colours it has; the hatching counts as one."""
        return 1 if self.colours is None else len(self.colours)

    @property
    def bar(self) -> float:
        """Columns of its colours."""
        return _BAR if self.numbers else _SWATCH * bool(self.n_colours)

    @property
    def width(self) -> float:
        """Columns that it takes."""
        words = [self.name, self.quantity, self.meaning]
        widths = [columns_of(word, NAME_SIZE) for word in words if word] + [self.bar] * bool(self.n_colours)
        return sum(widths) + _BETWEEN_WORDS * (len(widths) - 1)

    def shortened(self, width: float) -> "LegendPart":
        """Return it with a name, or a meaning, that is cut so that it takes at most some columns, if that can be."""
        part = self
        while part.width > width and max(len(part.name), len(part.meaning)) > 1:
            if len(part.name) > len(part.meaning):
                part = replace(part, name=f"{part.name[:-2]}…")
            else:
                part = replace(part, meaning=f"{part.meaning[:-2]}…")
        return part


def columns_of(text: str, size: float) -> float:
    """Return the columns that a text in the font of the text takes, at a font size in points."""
    return sum(glyph_of(char).width for char in text) * size * DPI / 72 / COLUMN


def parts_of(track: Track, theme: Theme, *, is_numbered: bool = False) -> list[LegendPart]:
    """Return the parts of a track's legend, with numbers of its classes if asked for."""
    scale, table = track.scale, colours(track.scale.kind, theme)
    name, quantity = printable(track.name), printable(track.quantity)
    if scale.kind in ("binary", "classes"):
        no_colours = np.zeros((0, 3), np.uint8)
        parts = [LegendPart(name=name, quantity=quantity, colours=no_colours)]
        for number, meaning in enumerate(scale.classes[:_MOST_CLASSES]):
            colour = table[[number % len(table)]]
            prefix = f"{number + 1} " if scale.kind == "classes" and is_numbered else ""
            parts.append(LegendPart(colours=colour, meaning=prefix + (printable(meaning) or "(empty)")))
        if len(scale.classes) > _MOST_CLASSES:
            left_out = f"and {len(scale.classes) - _MOST_CLASSES} more"
            parts.append(LegendPart(colours=no_colours, meaning=left_out))
    else:
        parts = [LegendPart(name=name, quantity=quantity, colours=table, numbers=numbers_of(scale))]
    if (track.levels == MISSING).any():
        parts.append(LegendPart(colours=None, meaning="no label" if track.kind == "labels" else "no value"))
    return parts


def numbers_of(scale: Scale) -> tuple[str, str, str]:
    """Return the values at the left end, in the middle and at the right end of a colour bar.

    An end says ≤ or ≥ where values beyond it occur, which have the same colour.
    """
    if scale.kind == "probability":
        return "0", "0.5", "1"
    low = scale.middle - scale.full if scale.kind == "diverging" else scale.middle
    high = scale.middle + scale.full
    is_cut = scale.gain > 1.0 + 1e-9
    signs = ("≤ " if is_cut and scale.kind == "diverging" else "", "", "≥ " if is_cut else "")
    values = (low, (low + high) / 2, high)
    first, middle, last = (f"{sign}{_number(value, scale)}" for sign, value in zip(signs, values, strict=True))
    return first, middle, last


def draw_legends(sheet: Sheet, legends: Sequence[Sequence[LegendPart]], top: float) -> float:
    """Draw the legends of tracks in as few lines as possible, and return the row at which the next thing may begin."""
    lines = 0
    for part, x, line in _placed(legends, sheet.left, sheet.right):
        _draw_part(sheet, part, x, top + line * LINE)
        lines = line + 1
    return top + lines * LINE


def _placed(
    legends: Sequence[Sequence[LegendPart]], left: float, right: float
) -> Iterator[tuple[LegendPart, float, int]]:
    """Put parts beside each other: each with its column and its line. A track begins a line if it then fits in one."""
    x, line = left, 0
    for parts in ([part.shortened(right - left) for part in parts] for parts in legends):
        width = sum(part.width for part in parts) + _BETWEEN_PARTS * (len(parts) - 1)
        if x > left and x + width > right:
            x, line = left, line + 1
        for part in parts:
            if x > left and x + part.width > right:
                x, line = left, line + 1
            yield part, x, line
            x += part.width + _BETWEEN_PARTS
        x += _BETWEEN_TRACKS - _BETWEEN_PARTS


def _draw_part(sheet: Sheet, part: LegendPart, x: float, top: float) -> None:
    base = top + 9.5 / 22
    for word, colour in ((part.name, sheet.ink), (part.quantity, sheet.grey)):
        if word:
            sheet.write(x, base, word, NAME_SIZE, colour)
            x += columns_of(word, NAME_SIZE) + _BETWEEN_WORDS
    if part.n_colours:
        _draw_bar(sheet, part, x, top + 2 / 22)
        for number, share, align in zip(part.numbers, (0.0, 0.5, 1.0), _ALIGNS, strict=False):
            sheet.write(x + share * part.bar, top + 22 / 22, number, NUMBER_SIZE, sheet.grey, align=align)
        x += part.bar + _BETWEEN_WORDS
    if part.meaning:
        sheet.write(x, base, part.meaning, NAME_SIZE, sheet.grey)


def _draw_bar(sheet: Sheet, part: LegendPart, x: float, top: float) -> None:
    """Draw the colours, each a little below the next one so that no gap shows, and a frame around them."""
    n_colours = part.n_colours
    lefts = x + part.bar * np.arange(n_colours) / n_colours
    places = np.stack([lefts, np.full(n_colours, top), x + part.bar - lefts, np.full(n_colours, _BAR_HEIGHT)], axis=1)
    sheet.boxes.append(Boxes(places=places, colours=part.colours, label=f"legend of {part.name}".strip()))
    frame = np.array([[x, top, part.bar, _BAR_HEIGHT]])
    sheet.boxes.append(Boxes(places=frame, colours=np.zeros((0, 3), np.uint8), edge=sheet.grey))


def _number(value: float, scale: Scale) -> str:
    if scale.is_whole:  # between two of them is a half
        text = f"{value:.1f}".removesuffix(".0")
    elif abs(value) >= 1e6:
        text = f"{value:.3g}"
    else:
        text = f"{value:.2e}" if scale.step < _LEAST_FIXED_STEP else f"{value:.{scale.digits}f}"
    return text.replace("-", "−") if float(text) else "0"
