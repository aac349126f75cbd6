"""A picture of curves: held-out scores of probes over what they see, beside probes that see the text alone."""

from collections.abc import Collection, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from analyses.curves import N_LAST, Curve
from analyses.errors import AnalysisError
from analyses.fewest_units import FewestUnits
from analyses.probing.results import ProbeResult
from probe.pictures.figures import CONTROL_LINE, GREY, STYLES, literal, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_CURVES_WITH_LEGEND_INSIDE = 2
_MARKS_OF_SHARES = ("v", "^")  # of the fewest units that reach each share
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

    A curve over units also has the probe of all units, and two bars: the fewest units that reach 95 and 99 % of what it
    knows above chance, with their 95 % intervals, at the height of these shares.

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
            (curve.controls, "white", CONTROL_LINE, f"{name}: the last {N_LAST} characters alone"),
        ):
            if probes in drawn:
                continue
            drawn.append(probes)
            scores = np.array([probe.score for probe in probes])
            low, high = np.array([probe.interval for probe in probes]).T
            axes.plot(
                x,
                scores,
                color=colour,
                marker=marker,
                markerfacecolor=fill,
                linestyle=style,
                ms=4.5,
                label=literal(label),
            )
            axes.fill_between(x, low, high, color=colour, alpha=0.13 if fill == colour else 0.06, linewidth=0)
        if curve.all_units is not None:
            _draw_fewest(axes, curve, curve.all_units, colour, marker, is_only=len(named) == 1)
    _draw_chance(axes, {curve.points[0].measure for curve in named.values()})
    numbers_of_all = {len(curve.all_units.units) for curve in named.values() if curve.all_units is not None}
    _scale_x(axes, first, values, numbers_of_all, is_only=len(named) == 1)
    axes.set_title(literal(first.hypothesis) if len(named) == 1 else "")
    axes.grid(alpha=0.25)
    position = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} if are_many else {"loc": "best"}
    axes.legend(frameon=False, fontsize="small", **position)
    return axes


def _draw_fewest(axes: "Axes", curve: Curve, of_all: ProbeResult, colour: str, marker: str, *, is_only: bool) -> None:
    """Draw the probe of all units, and, at each share of what it knows, the fewest units with their interval."""
    n_all, chance = len(of_all.units), _CHANCE[of_all.measure]
    axes.plot([n_all, n_all], of_all.interval, color=colour, linewidth=1)
    label = f"all {n_all:,} units" if is_only else None
    axes.plot([n_all], [of_all.score], color=colour, marker=marker, linestyle="", ms=6.5, label=label)
    for fewest, mark in zip(curve.fewest, cycle(_MARKS_OF_SHARES)):
        if not fewest.is_known:
            continue
        level = chance + fewest.share * (of_all.score - chance)
        line_colour = GREY if is_only else colour
        if fewest.low is not None and fewest.high is not None:
            axes.plot([fewest.low, fewest.high], [level, level], color=line_colour, marker="|", ms=7, linewidth=1.2)
        if fewest.n_units is not None:
            label = _in_words(fewest) if is_only else None
            axes.plot(
                [fewest.n_units],
                [level],
                color=line_colour,
                marker=mark,
                markerfacecolor="white",
                linestyle="",
                ms=6.5,
                zorder=3,
                label=label,
            )


def _key_of_shares(curve: Curve) -> str:
    """Say what marks of the probe of all units, and of the fewest that reach shares of it, are."""
    if curve.all_units is None:
        return ""
    signs = zip(curve.fewest, cycle("▽△"))
    shares = ", ".join(f"{sign}: {100 * fewest.share:.0f} %" for fewest, sign in signs)
    return f"\nat the right: all; the fewest that reach a share of all\n({shares}), with 95 % intervals"


def _in_words(fewest: FewestUnits) -> str:
    interval = "" if fewest.low is None else f" ({fewest.low:,} to {fewest.high:,})"
    return f"{100 * fewest.share:.0f} % of all: {fewest.n_units:,}{interval}"


def _draw_chance(axes: "Axes", measures: set[str]) -> None:
    """Draw a line where each measure is at chance, and name the measures beside the axis."""
    for measure in measures:
        axes.axhline(_CHANCE[measure], color=GREY, linestyle=":", linewidth=0.8)
    axes.set_ylim(top=1.02)
    axes.set_ylabel("held-out " + " or ".join(sorted(_MEASURES[measure] for measure in measures)))


def _scale_x(
    axes: "Axes", curve: Curve, values: Sequence[float | str], numbers_of_all: Collection[int], *, is_only: bool
) -> None:
    """Scale and label the x axis for what the curve is over."""
    first_unit = f" (the first is {curve.units[0]})" if is_only and curve.over == "units" else ""
    axes.set_xlabel(_X_LABELS[curve.over] + first_unit + _key_of_shares(curve))
    if curve.over == "sites":
        axes.set_xticks(range(len(values)), [str(value) for value in values], rotation=60, ha="right")
    elif curve.over == "units":
        axes.set_xscale("log", base=2)
        ticks = {float(value): str(value) for value in values}
        ticks |= {float(n_all): f"{n_all:,}" for n_all in numbers_of_all if n_all not in ticks}
        axes.set_xticks(list(ticks), list(ticks.values()))
    elif curve.over in ("chars", "penalty"):
        axes.set_xscale("log")
    elif curve.over == "steps":
        axes.set_xscale("symlog", linthresh=1)  # from 0
        axes.set_xlim(-0.2, 1.2 * max(1.0, axes.dataLim.xmax))  # so that the last mark is not cut
        axes.xaxis.set_major_formatter(lambda step, _: f"{step:,.0f}")
