"""Results as matplotlib Axes."""

import math
import warnings
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from activations.files import replacing
from analyses.curves import N_LAST, Curve
from analyses.errors import AnalysisError
from analyses.probing.results import ProbeResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from activations.models.training.results import TrainingRow
    from probe.training.sweeps import Sweep

PICTURES = (".png", ".svg", ".pdf")
_GREY = "#6e6e6e"
_AS_FAR_FROM_BLACK_AS_FROM_WHITE = 0.179  # in luminance, by contrast
_STYLES = (  # colours that are of different darkness, signs, and lines
    ("#16476f", "o", "-"),
    ("#d0781c", "s", "-"),
    ("#3f8f4f", "^", "-"),
    ("#8a2d5c", "D", "-"),
    ("#7fa8d1", "v", "-"),
    ("#222222", "P", "-"),
)
_FEW_CURVES = 2  # whose names have room within the axes
_CHANCE = {"auc": 0.5, "r2": 0.0}
_MEASURES = {"auc": "AUC", "r2": "R²"}
_AXES = {
    "units": "best units together",
    "chars": "training characters",
    "lag": "the label so many characters later",
    "sites": "site",
    "penalty": "penalty on the weights",
    "steps": "updates of the training",
}
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


def plot_curves(curves: "Curve | Mapping[str, Curve]", axes: "Axes | None" = None) -> "Axes":
    """Draw held-out scores against what probes see, with bands of 95 %, and dashed what the text alone gives away.

    Lines differ in their signs and darkness, too, so that they can be told apart in grey.

    Args:
        curves: One, or several by the names that they are to have, all over the same.
        axes: Where to; None makes a new figure.

    Raises:
        AnalysisError: If they are over different things.
    """
    named = {curves.hypothesis: curves} if isinstance(curves, Curve) else dict(curves)
    first = next(iter(named.values()))
    if any(each.over != first.over for each in named.values()):
        raise AnalysisError("these curves are over different things, and have no axis in common; draw them one by one")
    are_many = len(named) > _FEW_CURVES
    axes = axes or new_axes(8.0 if are_many else 5.0)
    values = dict.fromkeys(value for each in named.values() for value in each.values)
    places = {value: float(place) for place, value in enumerate(values)}
    drawn: list[tuple[ProbeResult, ...]] = []  # what several curves are beside is drawn once
    for (name, each), (colour, sign, line) in zip(named.items(), cycle(_STYLES)):
        x = [places[value] if first.over == "sites" else float(value) for value in each.values]
        for probes, fill, style, label in (
            (each.points, colour, line, name),
            (each.controls, "white", (0, (1, 1.5)), f"{name}: the last {N_LAST} characters alone"),
        ):
            if probes in drawn:
                continue
            drawn.append(probes)
            scores = np.array([probe.score for probe in probes])
            low, high = np.array([probe.interval for probe in probes]).T
            axes.plot(x, scores, color=colour, marker=sign, markerfacecolor=fill, linestyle=style, ms=4.5, label=label)
            axes.fill_between(x, low, high, color=colour, alpha=0.13 if fill == colour else 0.06, linewidth=0)
    kinds = {each.points[0].measure for each in named.values()}
    for kind in kinds:
        axes.axhline(_CHANCE[kind], color=_GREY, linestyle=":", linewidth=0.8)
    _scale(axes, first, list(values), alone=len(named) == 1)
    axes.set_ylim(top=1.02)
    axes.set_ylabel("held-out " + " or ".join(sorted(_MEASURES[kind] for kind in kinds)))
    axes.set_title(first.hypothesis if len(named) == 1 else "")
    axes.grid(alpha=0.25)
    beside = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} if are_many else {"loc": "best"}
    axes.legend(frameon=False, fontsize="small", **beside)
    return axes


def plot_losses(rows: "Sequence[TrainingRow]", axes: "Axes | None" = None) -> "Axes":
    """Draw how the loss of a training fell: on the text that it learns, and on the held-out text.

    Args:
        rows: How far it was at which time.
        axes: Where to; None makes a new figure.
    """
    axes = axes or new_axes()
    (training, _, line), (held_out, sign, _) = _STYLES[0], _STYLES[1]
    axes.plot([row.epoch for row in rows], [row.loss for row in rows], color=training, linestyle=line, label="training")
    judged = [(row.epoch, row.held_out) for row in rows if row.held_out is not None]
    if judged:
        best = min(judged, key=lambda each: each[1])
        axes.plot(*zip(*judged, strict=True), color=held_out, marker=sign, ms=4, linestyle="--", label="held out")
        axes.annotate(f"{best[1]:.3f}", best, textcoords="offset points", xytext=(0, 7), ha="right", color=held_out)
    axes.set_xlabel("epochs")
    axes.set_ylabel("nats per character")
    other = axes.secondary_yaxis(
        "right", functions=(lambda nats: np.divide(nats, math.log(2)), lambda bits: np.multiply(bits, math.log(2)))
    )
    other.set_ylabel("bits per character")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize="small")
    return axes


def plot_sweep(sweep: "Sweep", axes: "Axes | None" = None) -> "Axes":
    """Draw the test loss of each model of a grid: cells and layers down, hidden units across, the best one in bold.

    Args:
        sweep: The models.
        axes: Where to; None makes a new figure.
    """
    rows = list(dict.fromkeys((each.cell, each.layers) for each in sweep.models))
    columns = sorted({each.hidden for each in sweep.models})
    grid = np.full((len(rows), len(columns)), np.nan)
    for each in sweep.models:
        grid[rows.index((each.cell, each.layers)), columns.index(each.hidden)] = each.test
    axes = axes or new_axes(2.4 + 0.9 * len(columns), 1.4 + 0.4 * len(rows))
    image = axes.imshow(grid, cmap="Blues_r", aspect="auto")
    best = np.unravel_index(np.nanargmin(grid), grid.shape)
    for (row, column), loss in np.ndenumerate(grid):
        red, green, blue = (each**2.2 for each in image.cmap(image.norm(loss))[:3])
        dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < _AS_FAR_FROM_BLACK_AS_FROM_WHITE
        weight = "bold" if (row, column) == best else "normal"
        axes.text(
            column, row, f"{loss:.3f}", ha="center", va="center", color="white" if dark else "black", weight=weight
        )
    axes.set_xticks(range(len(columns)), [str(each) for each in columns])
    axes.set_yticks(range(len(rows)), [f"{cell}, {n} layer{'' if n == 1 else 's'}" for cell, n in rows])
    axes.set_xlabel("hidden units in each layer")
    axes.set_title("test loss, nats per character", fontsize="medium")
    return axes


def _scale(axes: "Axes", curve: Curve, values: Sequence[float | str], *, alone: bool) -> None:
    """The axis of what changes."""
    first = f" (the first is {curve.units[0]})" if alone and curve.over == "units" else ""
    axes.set_xlabel(_AXES[curve.over] + first)
    if curve.over == "sites":
        axes.set_xticks(range(len(values)), [str(value) for value in values], rotation=60, ha="right")
    elif curve.over == "units":
        axes.set_xscale("log", base=2)
        axes.set_xticks([float(value) for value in values], [str(value) for value in values])
    elif curve.over in ("chars", "penalty"):
        axes.set_xscale("log")
    elif curve.over == "steps":
        axes.set_xscale("symlog", linthresh=1)  # from 0
        axes.set_xlim(left=-0.2)


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
