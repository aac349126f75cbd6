"""A picture of a matrix of hypotheses: heat maps of probes of each site, beside the text alone, and of single units."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyses.errors import AnalysisError
from analyses.matrix import HypothesisMatrix, MatrixCell
from probe.pictures.figures import figure_of, literal
from probe.pictures.heat_maps import draw_cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

PANELS = ("sites", "units")
_CELL_WIDTH, _CELL_HEIGHT, _FONT = 0.31, 0.165, 6.5  # in inches, and points
_LEAST_WIDTH = 5.0  # of a figure, in inches
_INCHES_OF_LETTER = 0.062  # of a label
_GAP = 0.35  # between the sites and the text alone, in cells
_MOST_COLUMNS_IN_ROW = 30  # of two panels; with more, they stand one below the other
_LONGEST_NAME = 34
_NEAR_ONE, _ALL_BUT_ONE = 0.995, 0.9995  # scores that 2, and 3, digits would round to 1
_TITLES = {"sites": "probes of each site, held out", "units": "single units, held out"}
_MEASURES = {"sites": "R²", "units": "r"}
SCALE = "2 AUC − 1; of numbers √R² of probes, r of units; 0 is chance"
KEY = "in brackets: the 95 % interval includes chance\nitalic: no interval; hatched: no score"


def plot_matrix(
    matrix: HypothesisMatrix, axes: "Sequence[Axes] | None" = None, *, panels: Sequence[str] = PANELS
) -> "list[Axes]":
    """Draw how well hypotheses can be read from sites, from the text alone, and from single units.

    The number in a cell is the held-out AUC; of numbers, R² of probes and r of units. Colours have one scale for all,
    `MatrixCell.strength`, which is white at chance. The last column of the sites is the text alone, without the model.

    Args:
        matrix: The matrix.
        axes: Where to draw, one Axes for each panel; None makes a new figure.
        panels: Which: `sites` and `units`; one that has no columns is left out of a new figure.

    Returns:
        The axes of the panels.

    Raises:
        AnalysisError: If there is nothing to draw.
    """
    shown = [panel for panel in panels if axes is not None or matrix.columns(panel)]
    if not shown or not matrix.hypotheses:
        raise AnalysisError("this matrix has no sites and no units to draw; give it probes or rankings")
    drawn = list(axes) if axes is not None else _new_axes(matrix, shown)
    images = [_draw(matrix, panel, of_panel) for panel, of_panel in zip(shown, drawn, strict=True)]
    if axes is None:
        figure = figure_of(drawn[0])
        bar = figure.colorbar(images[0], ax=drawn, location="bottom", shrink=0.5, aspect=40, pad=0.02, fraction=0.05)
        bar.set_label(f"{SCALE}\n{KEY}", fontsize=_FONT + 1)
        bar.ax.tick_params(labelsize=_FONT)
    return drawn


def _new_axes(matrix: HypothesisMatrix, panels: Sequence[str]) -> "list[Axes]":
    from matplotlib.figure import Figure

    columns = [_n_columns(matrix, panel) for panel in panels]
    labels = max(len(_row_name(cell, panels)) for cell in matrix.of_text) * _INCHES_OF_LETTER + 0.2
    below = max(len(name) for panel in panels for name in _column_names(matrix, panel)) * _INCHES_OF_LETTER
    height = len(matrix.hypotheses) * _CELL_HEIGHT + below + 0.35
    if sum(columns) <= _MOST_COLUMNS_IN_ROW:
        width = max(len(panels) * labels + sum(columns) * _CELL_WIDTH, _LEAST_WIDTH)
        figure = Figure(figsize=(width, height + 0.9), layout="constrained")
        return list(figure.subplots(1, len(panels), squeeze=False, width_ratios=columns)[0])
    width = max(labels + max(columns) * _CELL_WIDTH, _LEAST_WIDTH)
    figure = Figure(figsize=(width, height * len(panels) + 0.9), layout="constrained")
    return list(figure.subplots(len(panels), 1, squeeze=False)[:, 0])


def _n_columns(matrix: HypothesisMatrix, panel: str) -> float:
    """Return the width of a panel in cells."""
    return len(matrix.sites) + _GAP + 1 if panel == "sites" else len(matrix.units)


def _column_names(matrix: HypothesisMatrix, panel: str) -> list[str]:
    names = [literal(name, _LONGEST_NAME) for name in matrix.columns(panel)]
    return [*names, "text alone"] if panel == "sites" else names


def _row_name(text: MatrixCell, panels: Sequence[str]) -> str:
    """Return the name of a hypothesis, and of its scores where they are not AUCs."""
    name = literal(text.hypothesis, _LONGEST_NAME)
    is_number = text.measure != "auc"
    return f"{name} ({', '.join(_MEASURES[panel] for panel in panels)})" if is_number else name


def _draw(matrix: HypothesisMatrix, panel: str, axes: "Axes") -> "AxesImage":
    cells = matrix.of_sites if panel == "sites" else matrix.of_units
    image = _draw_block(axes, cells, 0.0)
    places = [float(place) for place in range(len(matrix.columns(panel)))]
    if panel == "sites":
        places.append(len(matrix.sites) + _GAP)
        _draw_block(axes, [[cell] for cell in matrix.of_text], places[-1])
    axes.set_xlim(-0.5, places[-1] + 0.5)
    axes.set_ylim(len(matrix.hypotheses) - 0.5, -0.5)
    axes.set_xticks(places, _column_names(matrix, panel), rotation=90, fontsize=_FONT)
    axes.set_yticks(
        range(len(matrix.hypotheses)), [_row_name(cell, [panel]) for cell in matrix.of_text], fontsize=_FONT
    )
    axes.tick_params(length=0)
    axes.set_title(_TITLES[panel], fontsize="small", loc="left")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def _draw_block(axes: "Axes", cells: Sequence[Sequence[MatrixCell]], first_column: float) -> "AxesImage":
    values = np.array([[cell.strength for cell in row] for row in cells], np.float64)
    return draw_cells(
        axes,
        values,
        [[_written(cell) for cell in row] for row in cells],
        first_column=first_column,
        font_size=_FONT,
        are_italic=np.array([[math.isnan(cell.low) for cell in row] for row in cells]),
    )


def _written(cell: MatrixCell) -> str:
    """Write a score without the 0 before its point, in brackets if its interval includes chance."""
    score = cell.score
    if abs(score) >= _NEAR_ONE:
        written = f"{score:.1f}" if abs(score) >= _ALL_BUT_ONE else f"{score:.3f}"
    else:
        written = f"{round(score, 2) + 0.0:.2f}"  # no −0
    short = written.replace("0.", ".", 1) if abs(score) < _ALL_BUT_ONE else written
    short = short.replace("-", "−", 1)
    return f"({short})" if cell.low <= cell.chance <= cell.high else short
