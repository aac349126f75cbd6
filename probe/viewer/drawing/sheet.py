"""A sheet: boxes and texts of a picture, measured in cells, and their drawing on matplotlib Axes."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from probe.pictures.figures import DPI, figure_of
from probe.viewer.colours import INK, PAPER, Theme
from probe.viewer.drawing.glyphs import ADVANCE, MONO, families_of, glyph_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMN, ROW = 10, 22
"""Width and height of a cell, in pixels at `DPI`: the units of a sheet."""
TEXT_SIZE = COLUMN / ADVANCE * 72 / DPI
"""Font size at which characters fill their cells, in points."""
NAME_SIZE, NUMBER_SIZE, SMALL_SIZE = 0.8 * TEXT_SIZE, 0.7 * TEXT_SIZE, 0.6 * TEXT_SIZE
"""Font sizes of names, of the numbers of legends, and of names beside rows, in points.

They are whole pixels for each character, so that hinting does not widen them.
"""
MARGIN = 20
"""Around a picture, in pixels."""
GREY: dict[Theme, str] = {"light": "#63666d", "dark": "#a3a6ad"}
"""Colour of what is said about a text, readable on paper and beside its ink."""
_HATCH: dict[Theme, tuple[str, str]] = {"light": ("#eeece6", "#b9b6ac"), "dark": ("#24272e", "#4d515b")}

Align = Literal["left", "center", "right"]
Weight = Literal["normal", "bold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A piece of text on a sheet.

    Attributes:
        x: Column at which it begins, ends, or has its middle.
        y: Row of its base line.
        text: What is written.
        size: Font size in points, where a cell has its usual size.
        colour: Of its letters.
        align: Which of its ends is at `x`.
        families: Fonts that have all of it.
        weight: Of its letters.
    """

    x: float
    y: float
    text: str
    size: float
    colour: str
    align: Align = "left"
    families: tuple[str, ...] = (MONO,)
    weight: Weight = "normal"

    @property
    def generic(self) -> str:
        """What kind of font stands for these where they are not installed: text of an SVG picture stays text."""
        return "monospace" if MONO in self.families else "sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """Rectangles on a sheet.

    Attributes:
        places: (n_boxes, 4) the column and row at which each begins, its width and its height.
        colours: (n_boxes, 3) uint8; None hatches them.
        edge: Colour of their edges; empty for none.
        label: What they show.
    """

    places: NDArray[np.float64]
    colours: NDArray[np.uint8] | None
    edge: str = ""
    label: str = ""


@dataclass(slots=True, kw_only=True)
class Sheet:
    """What a picture consists of, in columns to the right and rows downwards.

    Attributes:
        theme: Whether the ground is light or dark.
        left: Column at which the sheet begins; negative where something stands beside the text.
        right: Column at which it ends.
        height: Rows.
        boxes: Rectangles, drawn in their order.
        words: Texts, drawn above them.
    """

    theme: Theme
    left: float = 0.0
    right: float = 0.0
    height: float = 0.0
    boxes: list[Boxes] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)

    @property
    def ink(self) -> str:
        """Colour of letters on paper."""
        return INK[self.theme]

    @property
    def grey(self) -> str:
        """Colour of what is said about the text."""
        return GREY[self.theme]

    @property
    def pixels(self) -> tuple[float, float]:
        """Width and height with margins, in pixels at `DPI`."""
        return (self.right - self.left) * COLUMN + 2 * MARGIN, self.height * ROW + 2 * MARGIN

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: str = "",
        *,
        align: Align = "left",
        font: str = MONO,
        weight: Weight = "normal",
    ) -> None:
        """Write a printable text; its colour is that of ink unless another is given."""
        families = families_of(text, font)
        colour = colour or self.ink
        self.words.append(
            Words(x=x, y=y, text=text, size=size, colour=colour, align=align, families=families, weight=weight)
        )

    def write_cell(
        self,
        column: float,
        y: float,
        cluster: str,
        n_columns: float,
        colour: str,
        size: float,
    ) -> None:
        """Write the characters of a cell in its middle, smaller where they are too wide for it."""
        glyph = glyph_of(cluster)
        width = glyph.width * size * DPI / 72 / COLUMN
        fit = min(1.0, n_columns / width) if width else 1.0
        x = column + (n_columns - width * fit) / 2
        self.words.append(Words(x=x, y=y, text=glyph.text, size=size * fit, colour=colour, families=glyph.families))

    def draw(self, axes: "Axes | None") -> "Axes":
        """Draw the sheet on axes, as large as they are now; None makes a figure of its size."""
        axes = axes if axes is not None else self._new_axes()
        axes.set_xlim(self.left, self.right)
        axes.set_ylim(self.height, 0)
        axes.set_aspect(ROW / COLUMN, anchor="NW")
        axes.axis("off")
        scale = self._scale(axes)
        for boxes in self.boxes:
            self._draw_boxes(axes, boxes, scale)
        for words in self.words:
            axes.text(
                words.x,
                words.y,
                words.text,
                fontsize=words.size * scale,
                color=words.colour,
                ha=words.align,
                va="baseline",
                family=[*words.families, words.generic],
                weight=words.weight,
                parse_math=False,
                usetex=False,
                clip_on=False,
            )
        return axes

    def _draw_boxes(self, axes: "Axes", boxes: Boxes, scale: float) -> None:
        from matplotlib.collections import PolyCollection

        x, y, width, height = boxes.places.T
        corners = np.stack([x, y, x + width, y, x + width, y + height, x, y + height], axis=1).reshape(-1, 4, 2)
        face, lines = _HATCH[self.theme]
        axes.add_collection(
            PolyCollection(
                list(corners),
                facecolors=face if boxes.colours is None else boxes.colours / 255,
                edgecolors=boxes.edge or (lines if boxes.colours is None else "none"),
                linewidths=0.6 * scale if boxes.edge else 0.0,
                hatch="//////" if boxes.colours is None else None,
                antialiaseds=bool(boxes.edge),
                label=boxes.label or None,
            ),
            autolim=False,
        )

    def _new_axes(self) -> "Axes":
        from matplotlib.figure import Figure

        width, height = self.pixels
        figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER[self.theme])
        x, y = MARGIN / width, MARGIN / height
        return figure.add_axes((x, y, 1 - 2 * x, 1 - 2 * y))

    def _scale(self, axes: "Axes") -> float:
        """Return how large cells are on axes, as a multiple of their usual size."""
        place = axes.get_position()
        width, height = (float(inches) * DPI for inches in figure_of(axes).get_size_inches())
        return min(
            place.width * width / ((self.right - self.left) * COLUMN), place.height * height / (self.height * ROW)
        )
