"""Results as matplotlib Axes."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from activations.files import replacing
from analyses.curves import Curve
from analyses.errors import AnalysisError
from analyses.probes import BinaryProbeResult, NumericProbeResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")
_BLUE, _ORANGE, _GREY = "#2c6fad", "#c8641e", "#6e6e6e"
_CELL_WIDTH, _CELL_HEIGHT, _DPI = 10, 22, 144  # of one character, in pixels
_FULL_COLOUR = 0.9  # of the characters are paler, so that a few outliers do not bleach the rest
_ADVANCE = 1233 / 2048  # of DejaVu Sans Mono, the width of a character by the size of the font


def check_picture(path: Path) -> None:
    """Refuse a picture that could not be written, before any work is done for it.

    Raises:
        AnalysisError: If its ending is none of `PICTURES`.
    """
    if path.suffix.lower() not in PICTURES:
        raise AnalysisError(f"{path} is no picture that can be drawn; end its name in {', '.join(PICTURES)}")


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a figure, whole or not at all.

    Raises:
        AnalysisError: If the ending is none of `PICTURES`.
        ActivationError: If the file cannot be written.
    """
    check_picture(path)
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a character that the font lacks is a box
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=_DPI)


def new_axes(width: float = 5.0, height: float = 3.6) -> "Axes":
    """Axes of a new figure, in inches, that no window shows."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained").add_subplot()


def figure_of(axes: "Axes") -> "Figure":
    """The figure that axes stand in."""
    figure = axes.get_figure(root=True)
    if figure is None:
        raise AnalysisError("these axes stand in no figure; draw into axes of a figure")
    return figure


def plot_curve(curve: Curve, axes: "Axes | None" = None) -> "Axes":
    """Draw held-out scores against the number of units that a probe sees.

    Args:
        curve: What to draw: accuracy and AUC with the majority class, or R² and r of a numeric label.
        axes: Where to; None makes a new figure.
    """
    axes = axes or new_axes()
    points = curve.points
    binary = [point for point in points if isinstance(point, BinaryProbeResult)]
    numeric = [point for point in points if isinstance(point, NumericProbeResult)]
    if binary:
        axes.plot(curve.sizes, [p.accuracy for p in binary], "o-", color=_BLUE, label="accuracy")
        axes.plot(curve.sizes, [p.auc for p in binary], "s--", color=_ORANGE, label="AUC")
        axes.axhline(binary[0].majority, color=_GREY, linestyle=":", label="majority class")
    if numeric:
        axes.plot(curve.sizes, [p.r2 for p in numeric], "o-", color=_BLUE, label="R²")
        axes.plot(curve.sizes, [p.r for p in numeric], "s--", color=_ORANGE, label="r")
        axes.axhline(0, color=_GREY, linestyle=":", label="mean of the labels")
    axes.set_xscale("log", base=2)
    axes.set_xticks(curve.sizes, [str(size) for size in curve.sizes])
    axes.set_ylim(top=1.02)
    axes.set_xlabel(f"best units together (the first is {curve.units[0]})")
    axes.set_ylabel("held-out score")
    axes.set_title(curve.hypothesis)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, loc="best")
    return axes


def plot_text(
    text: str,
    values: NDArray[np.floating],
    labels: NDArray[np.bool_] | None = None,
    *,
    center: float = 0.0,
    title: str = "",
) -> "Axes":
    """Draw a text, each character on the colour of one unit's activation there.

    Args:
        text: Some lines; each line of it is a line of the picture.
        values: (n_chars,) activations: red above `center`, blue below, full colour for the tenth of them that are
            farthest from it.
        labels: (n_chars,) characters to underline, or None.
        center: The activation that is white.
        title: Above the picture.
    """
    from matplotlib.figure import Figure

    rows, columns = _place(text)
    n_rows, n_columns = int(rows.max()) + 1, max(int(columns.max()) + 1, 40)
    grid = np.full((n_rows, n_columns), np.nan)
    grid[rows, columns] = values
    reach = float(np.quantile(np.abs(values - center), _FULL_COLOUR)) or 1.0
    margin, head = 20, 50
    width, height = n_columns * _CELL_WIDTH + 2 * margin, n_rows * _CELL_HEIGHT + head + margin
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    axes = figure.add_axes((margin / width, margin / height, 1 - 2 * margin / width, 1 - (head + margin) / height))
    axes.imshow(
        grid,
        cmap="RdBu_r",
        vmin=center - reach,
        vmax=center + reach,
        aspect="auto",
        interpolation="nearest",
        alpha=0.75,
        extent=(0, n_columns, n_rows, 0),
    )
    axes.axis("off")
    for number, line in enumerate(_visible(text)):
        axes.text(
            0,
            number + 0.7,
            line,
            family="DejaVu Sans Mono",
            size=_CELL_WIDTH / _ADVANCE * 72 / _DPI,
            parse_math=False,
        )
    if labels is not None:
        axes.hlines(rows[labels] + 0.97, columns[labels], columns[labels] + 1, color="black", linewidth=1.2)
    underlined = "" if labels is None else "   underlined: the label is True"
    legend = f"white: {center:.2g}   red: up to {values.max():.2g}   blue: down to {values.min():.2g}{underlined}"
    figure.text(margin / width, 1 - 18 / height, title, size=8.5, weight="bold", va="center")
    figure.text(margin / width, 1 - 37 / height, legend, size=6.5, color=_GREY, va="center")
    return axes


def _place(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The row and column of each character; a newline stands at the end of its line."""
    newlines = np.array([char == "\n" for char in text])
    rows = np.concatenate([[0], np.cumsum(newlines)[:-1]])
    places = np.arange(len(text))
    starts = np.maximum.accumulate(np.where(np.concatenate([[True], newlines[:-1]]), places, 0))
    return rows, places - starts


def _visible(text: str) -> Sequence[str]:
    """The lines of a text, every character one column wide."""
    shown = {"\t": "→", "\r": "␍"}
    return ["".join(char if char.isprintable() else shown.get(char, "·") for char in line) for line in text.split("\n")]
