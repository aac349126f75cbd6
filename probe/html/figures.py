"""Figures within HTML: the address of an image that needs no file."""

from base64 import b64encode
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from probe.plots import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PIXELS_OF_INCH = 96  # of a page


def figure_address(figure: "Figure") -> str:
    """Return a figure as an SVG image within its own address, which `src` of an element `img` takes."""
    with TemporaryDirectory(prefix="char-probe-") as folder:
        path = Path(folder) / "figure.svg"
        save_figure(figure, path)
        data = b64encode(path.read_bytes()).decode("ascii")
    return f"data:image/svg+xml;base64,{data}"


def figure_width(figure: "Figure") -> int:
    """Return the width of a figure in pixels of a page."""
    return round(figure.get_figwidth() * _PIXELS_OF_INCH)
