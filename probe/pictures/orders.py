"""A picture of orders: what the model loses as units are taken away in the order of each ranking."""

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from analyses.causes.removal.removal_results import RANDOM, OrderComparison
from analyses.passages.effects import CONTRAST
from probe.pictures.figures import CONTROL_LINE, GREY, STYLES, add_legend, literal, new_axes, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DODGE = 0.08  # of the steps between numbers of units, which double


def plot_orders(compared: OrderComparison, axes: "Axes | None" = None) -> "Axes":
    """Draw what the model loses as units are taken away in the order of each method, with 95 % intervals.

    The grey band is that of random orders, from the lowest to the highest, and the dotted line their mean.

    Args:
        compared: The orders.
        axes: Where to draw; None makes a new figure.
    """
    is_new = axes is None
    axes = axes or new_axes(6.4, 3.9)
    by_chance = compared.curve(RANDOM).of(CONTRAST)
    x = [point.n_units for point in by_chance]
    axes.fill_between(x, [p.low for p in by_chance], [p.high for p in by_chance], color=GREY, alpha=0.2, linewidth=0)
    axes.plot(
        x,
        [p.effect for p in by_chance],
        color=GREY,
        linestyle=CONTROL_LINE,
        label=f"{compared.n_random} random orders",
    )
    names = [area.intervention for area in compared.by_lead]
    for number, (name, (colour, marker, line)) in enumerate(zip(names, cycle(STYLES), strict=False)):
        points = compared.curve(name).of(CONTRAST)
        beside = np.array(x) * 2 ** (_DODGE * (number - (len(names) - 1) / 2))  # so that no interval hides another
        effects, low, high = np.array([(point.effect, point.low, point.high) for point in points]).T
        axes.vlines(beside, low, high, color=colour, linewidth=1)
        axes.plot(beside, effects, color=colour, marker=marker, linestyle=line, ms=4.5, label=name)
    axes.set_xscale("log", base=2)
    axes.set_xticks(x, [f"{n:,}" for n in x])
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.set_xlabel(f"units held at their means, of the {compared.n_units:,} of {compared.sites}")
    axes.set_ylabel("added to the loss, inside − outside,\nin nats per character")
    axes.set_title(wrapped(f"{literal(compared.hypothesis)}, with 95 % intervals", 5.5), fontsize="medium")
    add_legend([axes], is_new=is_new)
    return axes
