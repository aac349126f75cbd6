"""Figures: made without a window, checked before any work is done for them, and saved whole or not at all."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activations.files import replacing
from analyses.errors import AnalysisError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")
DPI = 144
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "char-probe",
    "font.monospace": ["DejaVu Sans Mono"],
}
_WITHOUT_DATES = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
GREY = "#6e6e6e"
STYLES = (  # colour, marker and line; colours differ in darkness, too, so that curves can be told apart in grey
    ("#16476f", "o", "-"),
    ("#d0781c", "s", "-"),
    ("#3f8f4f", "^", "-"),
    ("#8a2d5c", "D", "-"),
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


def figure_of(axes: "Axes") -> "Figure":
    """Return the figure that axes belong to."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise AnalysisError("these axes belong to no figure; draw into axes of a figure")
    return figure
