"""A picture of a ranking: the best units with the intervals of their scores."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyses.errors import AnalysisError
from analyses.ranking.results import RankedUnit, Ranking
from probe.pictures.figures import GREY, STYLES, add_legend, literal, new_axes, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_UNITS = 20
_WIDTH, _INCHES_OF_ROW = 5.6, 0.22
_CHANCE = {"auc": 0.5, "r": 0.0}
_NAMES = {"auc": "AUC", "r": "r"}
_DIRECTIONS = {1: ("^", "higher where the label is higher"), -1: ("v", "lower where the label is higher")}


def plot_ranking(ranking: Ranking, axes: "Axes | None" = None, *, top: int = MOST_UNITS) -> "Axes":
    """Draw the held-out scores of the best units with 95 % intervals, the best at the top.

    A triangle points up for a unit that is higher where the label is, and down for one that is lower. It is open if
    there is no interval. A grey line is the score among characters of the same eighth of the text.

    Args:
        ranking: The ranking. Units are in its order, whatever its method is; the score is the AUC, or r for numbers.
        axes: Where to draw; None makes a new figure.
        top: How many units to draw, at most.

    Raises:
        AnalysisError: If no unit has a score.
    """
    units = [ranked for ranked in ranking.units[:top] if not math.isnan(ranked.held_out)]
    if not units:
        raise AnalysisError(f"no unit has a score for {ranking.hypothesis}: {' '.join(ranking.notes)}")
    is_new = axes is None
    axes = axes or new_axes(_WIDTH, 1.5 + _INCHES_OF_ROW * len(units))
    _draw_scores(axes, units)
    within = np.array([ranked.within_position_groups for ranked in units])
    if np.isfinite(within).any():
        axes.plot(within, np.arange(len(units)), "|", color=GREY, ms=9, label="within eighths of the text")
    axes.axvline(_CHANCE[ranking.measure], color=GREY, linestyle=":", linewidth=0.9, label="chance")
    axes.set_yticks(range(len(units)), [_name(ranked) for ranked in units], fontsize="small")
    axes.set_ylim(len(units) - 0.4, -0.6)
    is_open = any(math.isnan(ranked.low) for ranked in units)
    axes.set_xlabel(f"held-out {_NAMES[ranking.measure]}, 95 % intervals" + ("; open: no interval" if is_open else ""))
    order = "" if ranking.method == ranking.measure else f", in the order of {ranking.method}"
    title = f"{literal(ranking.hypothesis)}: the best {len(units)} units{order}"
    axes.set_title(wrapped(title, _WIDTH), fontsize="medium")
    axes.grid(axis="x", alpha=0.25)
    add_legend([axes], is_new=is_new)
    return axes


def _draw_scores(axes: "Axes", units: Sequence[RankedUnit]) -> None:
    """Draw the score of each unit, with its interval, as a triangle that shows its direction."""
    for direction, (marker, label) in _DIRECTIONS.items():
        colour = STYLES[0 if direction > 0 else 1][0]
        rows = [row for row, ranked in enumerate(units) if (ranked.direction > 0) == (direction > 0)]
        for place, row in enumerate(rows):
            low, high = units[row].low, units[row].high
            if not math.isnan(low):
                axes.plot([low, high], [row, row], color=colour, linewidth=1.6)
            fill = "white" if math.isnan(low) else colour
            named = label if place == 0 else None
            axes.plot(
                [units[row].held_out],
                [row],
                marker,
                ms=7,
                color=colour,
                markerfacecolor=fill,
                linestyle="",
                label=named,
            )


def _name(ranked: RankedUnit) -> str:
    """Return the name of a unit, and of the class that it distinguishes, if there are several."""
    return str(ranked.unit) if ranked.label is None else f"{ranked.unit} ({literal(ranked.label, 20)})"
