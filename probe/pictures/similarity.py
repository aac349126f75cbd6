"""A picture of two models: how alike each site of one is to each site of the other."""

from typing import TYPE_CHECKING

import numpy as np

from analyses.similarity.results import Similarity
from probe.pictures.figures import GREY, figure_of, new_axes
from probe.pictures.heat_maps import paper_to_blue, text_colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INCHES_OF_CELL, _INCHES_OF_NAME = 0.72, 0.075
_MOST_WITH_INTERVALS = 8  # sites of a model, from which on cells are too small for intervals


def plot_similarity(
    similarity: Similarity, axes: "Axes | None" = None, *, names: tuple[str, str] = ("first model", "second model")
) -> "Axes":
    """Draw linear CKA of every pair of sites as a heat map, with the numbers and their 95 % intervals.

    White is 0, the darkest blue 1; cells without a value are hatched.

    Args:
        similarity: What `similarity` returned.
        axes: Where to draw; None makes a new figure.
        names: What to call the two models.
    """
    rows, columns = similarity.first_sites, similarity.second_sites
    longest = max(len(str(site)) for site in (*rows, *columns)) * _INCHES_OF_NAME
    if axes is None:
        width, height = (len(sites) * _INCHES_OF_CELL + longest + 1.0 for sites in (columns, rows))
        axes = new_axes(max(width + 0.8, 3.4), max(height, 2.6))
    cka = np.array([pair.cka for pair in similarity.pairs]).reshape(len(rows), len(columns))
    image = axes.imshow(cka, cmap=paper_to_blue(), vmin=0.0, vmax=1.0, aspect="auto")
    axes.set_xticks(range(len(columns)), [_plain(site) for site in columns], rotation=60, ha="right")
    axes.set_yticks(range(len(rows)), [_plain(site) for site in rows])
    axes.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="#d8d8d8", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.set(xlabel=_plain(names[1]), ylabel=_plain(names[0]))
    has_intervals = max(len(rows), len(columns)) <= _MOST_WITH_INTERVALS
    for number, pair in enumerate(similarity.pairs):
        row, column = divmod(number, len(columns))
        if np.isnan(pair.cka):
            axes.fill_between([column - 0.5, column + 0.5], row - 0.5, row + 0.5, color="white", ec=GREY, hatch="///")
            continue
        interval = f"\n{pair.low:z.2f}–{pair.high:z.2f}" if has_intervals and np.isfinite(pair.low) else ""
        colour = text_colour(image, pair.cka)
        axes.text(column, row, f"{pair.cka:z.2f}", color=colour, ha="center", va="bottom" if interval else "center")
        axes.text(column, row, interval.strip(), color=colour, ha="center", va="top", fontsize=6.5)
    label = "linear CKA; small: 95 % intervals" if has_intervals else "linear CKA"
    figure_of(axes).colorbar(image, ax=axes, label=label, fraction=0.05)
    return axes


def _plain(name: object) -> str:
    """Return a name in which matplotlib finds no formula."""
    return str(name).replace("$", r"\$")
