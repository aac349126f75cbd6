"""A picture of edits of a text: what changes in units, a probe and the loss after them."""

from typing import TYPE_CHECKING

import numpy as np

from analyses.causes.editing.edit_effects import ALL, CHANGES, LOSS, reported_steps
from analyses.causes.editing.perturbation import Perturbation
from probe.pictures.figures import CONTROL_LINE, GREY, INTERVALS, STYLES, literal, new_axes, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DRAWN = len(STYLES)
"""The largest number of quantities in one picture of edits."""


def plot_perturbation(result: Perturbation, axes: "Axes | None" = None) -> "Axes":
    """Draw what changes where an edit of the text changes the label, by the number of characters after it.

    Units and a probe are drawn as shares of what separates inside from outside, so that 1 is following the text wholly,
    with 95 % bands; random edits are dotted. Without units and a probe, it is the loss, in nats per character.

    Args:
        result: The result; of more than `MOST_DRAWN` quantities, the first ones are drawn.
        axes: Where to draw; None makes a new figure.
    """
    axes = axes or new_axes(8.0)
    is_loss = result.quantities == [LOSS]
    quantities = [LOSS] if is_loss else [name for name in result.quantities if name != LOSS]
    for quantity, (colour, marker, line) in zip(quantities, STYLES, strict=False):
        effects = [
            effect
            for effect in result.effects
            if effect.quantity == quantity
            and effect.where == (ALL if is_loss else CHANGES)
            and effect.n_after is not None
            and effect.n_places
        ]
        x = [effect.n_after or 0 for effect in effects]
        unit = np.array([1.0 if is_loss else effect.reference for effect in effects])
        change, low, high, random = (
            np.array([getattr(effect, name) for effect in effects]) / unit
            for name in ("change", "low", "high", "random")
        )
        axes.plot(x, change, color=colour, marker=marker, linestyle=line, ms=4.5, label=quantity)
        axes.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
        axes.plot(x, random, color=colour, linestyle=CONTROL_LINE, label=f"{quantity}: random edits")
    axes.axhline(0.0, color=GREY, linestyle=":", linewidth=0.8)
    axes.set_xscale("symlog", base=2, linthresh=1)
    steps = reported_steps(result.n_steps)
    axes.set_xticks(steps, [str(step) for step in steps])
    axes.set_xlim(-0.2, 1.1 * result.n_steps)
    axes.set_xlabel("characters after the edit")
    axes.set_ylabel(
        "change of the loss, in nats per character" if is_loss else "change, as a share of inside − outside"
    )
    where = "after the edit" if is_loss else "where it changes the label"
    named = literal(f"{result.hypothesis}: {result.edit}")
    axes.set_title(wrapped(f"{named}, {where}; {INTERVALS}", 5.5), fontsize="medium")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return axes
