"""Draw results as matplotlib Axes, and save figures."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from analyses.causes.editing.edit_effects import ALL, CHANGES, reported_steps
from analyses.causes.editing.edit_effects import LOSS as EDIT_LOSS
from analyses.causes.editing.perturbation import Perturbation
from analyses.causes.removal.removal_results import RANDOM, OrderComparison
from analyses.curves import N_LAST, Curve
from analyses.errors import AnalysisError
from analyses.passages.effects import CONTRAST
from analyses.probing.results import ProbeResult
from probe.pictures.figures import GREY, INTERVALS, STYLES, add_legend, wrapped
from probe.pictures.figures import PICTURES as PICTURES
from probe.pictures.figures import check_picture as check_picture
from probe.pictures.figures import figure_of as figure_of
from probe.pictures.figures import new_axes as new_axes
from probe.pictures.figures import save_figure as save_figure
from probe.pictures.impulse import plot_impulse as plot_impulse
from probe.pictures.steering import plot_steering as plot_steering
from probe.pictures.story import plot_story as plot_story
from probe.training.loss_curve import plot_losses as plot_losses
from probe.training.sweep_grid import plot_sweep as plot_sweep
from probe.viewer.picture import draw_view as draw_view
from probe.viewer.picture import figure_of_view as figure_of_view
from probe.viewer.picture import plot_text as plot_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_DRAWN = len(STYLES)
"""The largest number of quantities in one picture of edits."""
_CONTROL_LINE = (0, (1, 1.5))
_DODGE = 0.08  # of the steps between numbers of units, which double
_MOST_CURVES_WITH_LEGEND_INSIDE = 2
_CHANCE = {"auc": 0.5, "r2": 0.0}
_MEASURES = {"auc": "AUC", "r2": "R²"}
_X_LABELS = {
    "units": "best units together",
    "chars": "training characters",
    "lag": "lag of the label, in characters",
    "sites": "site",
    "penalty": "penalty on the weights",
    "steps": "updates of the training",
}


def plot_curves(curves: "Curve | Mapping[str, Curve]", axes: "Axes | None" = None) -> "Axes":
    """Draw held-out scores of probes with 95 % bands, and dashed those of probes that see the text alone.

    Lines differ in their markers and darkness, too, so that they can be told apart in grey.

    Args:
        curves: One curve, or several over the same thing, by the names for the legend.
        axes: Where to draw; None makes a new figure.

    Raises:
        AnalysisError: If they are over different things.
    """
    named = {curves.hypothesis: curves} if isinstance(curves, Curve) else dict(curves)
    first = next(iter(named.values()))
    if any(curve.over != first.over for curve in named.values()):
        raise AnalysisError("these curves are over different things and share no axis; draw each by itself")
    are_many = len(named) > _MOST_CURVES_WITH_LEGEND_INSIDE
    axes = axes or new_axes(8.0 if are_many else 5.0)
    values = list(dict.fromkeys(value for curve in named.values() for value in curve.values))
    drawn: list[tuple[ProbeResult, ...]] = []  # curves of one hypothesis share their control, which is drawn once
    for (name, curve), (colour, marker, line) in zip(named.items(), cycle(STYLES)):
        x = [float(values.index(value)) if first.over == "sites" else float(value) for value in curve.values]
        for probes, fill, style, label in (
            (curve.points, colour, line, name),
            (curve.controls, "white", _CONTROL_LINE, f"{name}: the last {N_LAST} characters alone"),
        ):
            if probes in drawn:
                continue
            drawn.append(probes)
            scores = np.array([probe.score for probe in probes])
            low, high = np.array([probe.interval for probe in probes]).T
            axes.plot(
                x, scores, color=colour, marker=marker, markerfacecolor=fill, linestyle=style, ms=4.5, label=label
            )
            axes.fill_between(x, low, high, color=colour, alpha=0.13 if fill == colour else 0.06, linewidth=0)
    _draw_chance(axes, {curve.points[0].measure for curve in named.values()})
    _scale_x(axes, first, values, is_only=len(named) == 1)
    axes.set_title(first.hypothesis if len(named) == 1 else "")
    axes.grid(alpha=0.25)
    position = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} if are_many else {"loc": "best"}
    axes.legend(frameon=False, fontsize="small", **position)
    return axes


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
        linestyle=_CONTROL_LINE,
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
    axes.set_title(wrapped(f"{compared.hypothesis}, with 95 % intervals", 5.5), fontsize="medium")
    add_legend([axes], is_new=is_new)
    return axes


def plot_perturbation(result: Perturbation, axes: "Axes | None" = None) -> "Axes":
    """Draw what changes where an edit of the text changes the label, by the number of characters after it.

    Units and a probe are drawn as shares of what separates inside from outside, so that 1 is following the text wholly,
    with 95 % bands; random edits are dotted. Without units and a probe, it is the loss, in nats per character.

    Args:
        result: The result; of more than `MOST_DRAWN` quantities, the first ones are drawn.
        axes: Where to draw; None makes a new figure.
    """
    axes = axes or new_axes(8.0)
    is_loss = result.quantities == [EDIT_LOSS]
    quantities = [EDIT_LOSS] if is_loss else [name for name in result.quantities if name != EDIT_LOSS]
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
        axes.plot(x, random, color=colour, linestyle=_CONTROL_LINE, label=f"{quantity}: random edits")
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
    axes.set_title(wrapped(f"{result.hypothesis}: {result.edit}, {where}; {INTERVALS}", 5.5), fontsize="medium")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))
    return axes


def _draw_chance(axes: "Axes", measures: set[str]) -> None:
    """Draw a line where each measure is at chance, and name the measures beside the axis."""
    for measure in measures:
        axes.axhline(_CHANCE[measure], color=GREY, linestyle=":", linewidth=0.8)
    axes.set_ylim(top=1.02)
    axes.set_ylabel("held-out " + " or ".join(sorted(_MEASURES[measure] for measure in measures)))


def _scale_x(axes: "Axes", curve: Curve, values: Sequence[float | str], *, is_only: bool) -> None:
    """Scale and label the x axis for what the curve is over."""
    first_unit = f" (the first is {curve.units[0]})" if is_only and curve.over == "units" else ""
    axes.set_xlabel(_X_LABELS[curve.over] + first_unit)
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
