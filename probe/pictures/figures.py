"""Figures: made without a window, checked before any work is done for them, and saved whole or not at all."""

import warnings
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from activations.files import replacing
from analyses.errors import AnalysisError
from hypotheses.terminal.signs import SIGNS, UNKNOWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")
DPI = 144
LEGEND: "dict[str, Any]" = {"fontsize": "small", "framealpha": 0.8, "edgecolor": "none"}
"""Options of a legend within axes, which can be read where it covers a band."""
_INCHES_OF_CHARACTER, _INCHES_OF_HANDLE = 0.075, 0.7  # of a legend: widths of a character, and of line and gaps
_INCHES_OF_TITLE = 0.085  # width of a character
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "char-probe",
    "font.monospace": ["DejaVu Sans Mono"],
}
_SIGNS = {char: SIGNS[char] for char in "\n\t"}  # those that the font has
_WITHOUT_DATES = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
GREY = "#6e6e6e"
CONTROL_LINE = (0, (1, 1.5))
"""The dashes of lines of controls."""
INTERVALS = "bands: 95\N{NO-BREAK SPACE}% intervals"
"""What a title says of the bands of a picture."""
STYLES = (  # colour, marker and line; colours differ in darkness, too: curves can be told apart in grey, and by the
    # colour-blind
    ("#16476f", "o", "-"),
    ("#d0781c", "s", "-"),
    ("#3f8f4f", "^", "-"),
    ("#a755d9", "D", "-"),
    ("#7fa8d1", "v", "-"),
    ("#222222", "P", "-"),
)


def check_picture(path: Path) -> None:
    """Refuse a picture that could not be written, before any work is done for it.

    Raises:
        AnalysisError: If its ending is none of `PICTURES`.
    """
    if path.suffix.lower() not in PICTURES:
        raise AnalysisError(f"{path} is not a picture that can be drawn; end its name in {', '.join(PICTURES)}")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure, whole or not at all: the same bytes every time, and texts of SVG and PDF as texts.

    Raises:
        AnalysisError: If the ending is none of `PICTURES`.
        ActivationError: If the file cannot be written.
    """
    from matplotlib import rc_context

    check_picture(path)
    ending = path.suffix[1:].lower()
    with replacing(path) as temporary, warnings.catch_warnings(), rc_context(_SETTINGS):
        warnings.filterwarnings("ignore", message="Glyph")  # a character that the font lacks is a box
        figure.savefig(temporary, format=ending, dpi=DPI, metadata=_WITHOUT_DATES.get(ending))


def new_axes(width: float = 5.0, height: float = 3.6) -> "Axes":
    """Return axes of a new figure that no window shows; sizes are in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def new_panels(n: int, width: float = 3.6, height: float = 3.4) -> "list[Axes]":
    """Return the axes of panels side by side in a new figure; sizes are those of each, in inches."""
    from matplotlib.figure import Figure

    return list(Figure(figsize=(n * width, height), layout="constrained").subplots(1, n, squeeze=False)[0])


def add_legend(panels: "Sequence[Axes]", *, is_new: bool) -> None:
    """Name what the first panel has: below a new figure, where nothing is covered, or else in the last panel.

    Args:
        panels: The panels, which share the names.
        is_new: Whether the figure was made for these panels, with a constrained layout.
    """
    handles, labels = panels[0].get_legend_handles_labels()
    if not is_new:
        panels[-1].legend(handles, labels, **LEGEND)
        return
    figure = figure_of(panels[0])
    inches = max(map(len, labels)) * _INCHES_OF_CHARACTER + _INCHES_OF_HANDLE
    n_rows = ceil(len(labels) / max(1, int(figure.get_figwidth() / inches)))
    options = {"ncols": ceil(len(labels) / n_rows), "frameon": False, "fontsize": "small"}
    figure.legend(handles, labels, loc="outside lower center", **options)


def wrapped(title: str, width: float) -> str:
    """Return a title in lines that fit into a width in inches."""
    return "\n".join(wrap(title, max(1, int(width / _INCHES_OF_TITLE))))


def literal(text: str, most: int | None = None) -> str:
    """Return what makes matplotlib draw a text as it stands: no formula between dollars, and a sign for controls.

    Args:
        text: Any text, such as the name of a hypothesis.
        most: The number of characters above which it is cut, with an ellipsis at its end; None is no bound.
    """
    cut = text if most is None or len(text) <= most else f"{text[: most - 1]}…"
    return "".join(char if char.isprintable() else _SIGNS.get(char, UNKNOWN) for char in cut).replace("$", r"\$")


def figure_of(axes: "Axes") -> "Figure":
    """Return the figure that axes belong to."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise AnalysisError("these axes belong to no figure; draw into axes of a figure")
    return figure
