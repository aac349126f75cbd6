"""A picture of impulses: what is left of a change, and what it does to the loss, by the characters since then."""

from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from probe.pictures.figures import GREY, INTERVALS, STYLES, add_legend, literal, new_axes, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyses.causes.impulses.impulse_results import Impulse, UnitImpulse

SHARE_LEFT = ("remaining", "share of the unit's change that is left")
"""The number that says how long a unit keeps a change, and its label."""
_PANELS = (SHARE_LEFT, ("loss", "change of the loss,\nin nats per character"))
_WIDTH, _HEIGHT = 8.0, 3.9  # in inches


def plot_impulse(impulse: "Impulse", axes: "tuple[Axes, Axes] | None" = None) -> "tuple[Axes, Axes]":
    """Draw what is left of each unit's change, and the change of the loss, with 95 % bands; matched units are grey.

    Args:
        impulse: The impulses of one unit or several.
        axes: Where to draw the two panels; None makes a new figure.

    Returns:
        The axes of the two panels.
    """
    left, right = axes or _new_panels()
    for panel, (field, label) in zip((left, right), _PANELS, strict=True):
        draw_impulse(impulse, panel, field, label)
    title = f"{literal(impulse.hypothesis)}: {impulse.change}"
    left.set_title(wrapped(title, 0.55 * _WIDTH), loc="left", fontsize="medium")
    right.set_title(INTERVALS, loc="right", fontsize="medium")
    add_legend((left, right), is_new=axes is None)
    return left, right


def draw_impulse(impulse: "Impulse", axes: "Axes", field: str, label: str) -> None:
    """Draw one number of each unit by the characters since its change, with 95 % bands; matched units are grey.

    Args:
        impulse: The impulses of one unit or several.
        axes: Where to draw.
        field: The number, an attribute of `ImpulseStep`: `remaining`, `state` or `loss`.
        label: What the axis of the numbers says.
    """
    for unit, (colour, marker, line) in zip(impulse.units, cycle(STYLES)):
        _draw(axes, unit, field, colour, marker, line)
    axes.axhline(0, color=GREY, linestyle=":", linewidth=0.8)
    axes.set_xlabel("characters since the change")
    axes.set_ylabel(label)
    axes.set_xscale("symlog", linthresh=1, base=2)
    ticks = _ticks(impulse.n_steps)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.set_xlim(-0.12, 1.1 * impulse.n_steps)
    axes.grid(alpha=0.25)


def _draw(axes: "Axes", unit: "UnitImpulse", field: str, colour: str, marker: str, line: str) -> None:
    x = [step.k for step in unit.steps]
    values, low, high, matched = (
        np.array([getattr(step, f"{field}{end}") for step in unit.steps]) for end in ("", "_low", "_high", "_matched")
    )
    marked: dict[str, Any] = {"marker": marker, "markevery": _ticks(x[-1]), "ms": 4, "linestyle": line}
    axes.plot(x, values, color=colour, label=unit.unit, **marked)
    if np.isfinite(low).any():  # at k = 0, all of each change is left, and there is no interval
        low, high = np.where(np.isnan(low), values, low), np.where(np.isnan(high), values, high)
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    if np.isfinite(matched).any():
        label = f"matched to {unit.unit}"
        axes.plot(x, matched, color=GREY, markerfacecolor="white", linewidth=1, label=label, **marked)


def _ticks(n_steps: int) -> list[int]:
    """Return 0, 1, 2, 4, …, as far as there are steps."""
    return [0, *(2**n for n in range(n_steps.bit_length()))]


def _new_panels() -> "tuple[Axes, Axes]":
    figure = new_axes(_WIDTH, _HEIGHT).figure
    figure.clear()
    left, right = figure.subplots(1, 2)
    return left, right
