"""Heat maps: cells coloured by a number, with it written inside, and hatched where it is missing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from probe.pictures.figures import GREY, STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap
    from matplotlib.image import AxesImage

_MIDDLE_LUMINANCE = 0.179  # has the same contrast with black as with white
_HATCH = "//////"


def paper_to_blue() -> "Colormap":
    """Return a colour map from the colour of paper at 0 to dark blue at 1, ever darker also in grey."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("paper to blue", ["#ffffff", STYLES[4][0], STYLES[0][0]])


def draw_cells(
    axes: "Axes",
    values: NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    *,
    first_column: float = 0.0,
    font_size: float = 6.5,
    are_italic: NDArray[np.bool_] | None = None,
) -> "AxesImage":
    """Draw rows of cells, the first at the top, from the colour of paper at 0 to dark blue at 1.

    Args:
        axes: Where to draw.
        values: (n_rows, n_columns) numbers that are coloured, at most 1; below 0 like 0, hatched where NaN.
        texts: (n_rows, n_columns) what is written in the cells.
        first_column: Where the middle of the first column is.
        font_size: Of the texts, in points.
        are_italic: (n_rows, n_columns) True where the text is in italics; None is nowhere.
    """
    from matplotlib.patches import Rectangle

    n_rows, n_columns = values.shape
    left = first_column - 0.5
    image = axes.imshow(
        np.ma.masked_invalid(values),
        cmap=paper_to_blue(),
        vmin=0.0,
        vmax=1.0,
        aspect="auto",
        interpolation="nearest",
        extent=(left, left + n_columns, n_rows - 0.5, -0.5),
    )
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            place = (left + column, row - 0.5)
            axes.add_patch(Rectangle(place, 1, 1, fill=False, edgecolor=GREY, hatch=_HATCH, linewidth=0))
            continue
        axes.text(
            first_column + column,
            row,
            texts[row][column],
            ha="center",
            va="center_baseline",
            fontsize=font_size,
            color=text_colour(image, value),
            style="italic" if are_italic is not None and are_italic[row, column] else "normal",
            clip_on=True,
        )
    return image


def text_colour(coloured: "ScalarMappable", value: float) -> str:
    """Return black or white, whichever is easier to read on the colour of a value."""
    red, green, blue = (channel**2.2 for channel in coloured.to_rgba(np.array([value]))[0][:3])
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < _MIDDLE_LUMINANCE else "black"
