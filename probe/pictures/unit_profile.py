"""Pictures of a unit: its histogram, its averages around events, its memory and its means; each, or all together."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from activations.units import Unit
from analyses.errors import AnalysisError
from analyses.profiling.class_means import ClassMeans
from analyses.profiling.events import CHANGES, EventAverage
from analyses.profiling.histograms import Histogram, Threshold
from analyses.profiling.unit_profile import UnitProfile
from analyses.statistics.autocorrelations import UnitMemory
from probe.pictures.figures import CONTROL_LINE, GREY, LEGEND, STYLES, literal, new_axes, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_INCHES = (3.3, 2.7)
_MOST_NAMED = 24  # classes, above which not every one has a label
_MOST_CHARS, _MOST_IN_LEGEND = 26, 18  # of a name in a panel


def plot_histogram(
    histogram: Histogram,
    threshold: Threshold | None = None,
    axes: "Axes | None" = None,
    *,
    names: Sequence[str] | None = None,
) -> "Axes":
    """Draw which share of each group of characters has each value of a unit, and the threshold.

    Args:
        histogram: The histogram.
        threshold: Drawn as a line; None draws none.
        axes: Where to draw; None makes a new figure.
        names: What the legend calls the groups; None is their own names.
    """
    axes = axes or new_axes(4.2, 3.2)
    for number, (name, shares) in enumerate(zip(names or histogram.groups, histogram.shares, strict=True)):
        colour = STYLES[number][0]
        n_chars = int(histogram.n[number].sum())
        if not n_chars:
            continue
        axes.stairs(shares, histogram.edges, color=colour, alpha=0.18, fill=True)
        axes.stairs(
            shares,
            histogram.edges,
            color=colour,
            linewidth=1.2,
            linestyle=("-", "--", ":")[number],
            label=f"{literal(name, _MOST_IN_LEGEND)} ({n_chars:,})",
        )
    if threshold is not None:
        axes.axvline(threshold.value, color=GREY, linewidth=1)
        axes.set_title(_told(threshold), fontsize="small", loc="left")
    axes.set_xlabel("value of the unit")
    axes.set_ylabel("share of the characters")
    axes.set_ylim(0, 1.4 * float(np.nanmax(histogram.shares)))
    axes.legend(loc="upper right", **LEGEND)
    axes.grid(alpha=0.25)
    return axes


def _told(threshold: Threshold) -> str:
    interval = "" if threshold.no_interval_reason else f" ({threshold.low:.2f} to {threshold.high:.2f})"
    side = "above" if threshold.is_above else "below"
    accuracy = f"balanced accuracy {threshold.balanced_accuracy:.2f}{interval}"
    return f"told by values {side} {threshold.value:.3g}:\n{accuracy}".replace("-", "−")


def plot_events(averages: Sequence[EventAverage], axes: "Axes | None" = None, *, mean: float | None = None) -> "Axes":
    """Draw means of one unit, or of several, at some characters before and after a label begins or ends.

    Bands are 95 % intervals at each distance by itself; there are none where there are too few events.

    Args:
        averages: The averages, all of one change.
        axes: Where to draw; None makes a new figure.
        mean: The unit's mean over the text, drawn as a dotted line; None draws none.

    Raises:
        AnalysisError: If there are no averages, or of both changes.
    """
    if len({average.change for average in averages}) != 1:
        raise AnalysisError("averages where a label begins, and where it ends, have a picture each; give those of one")
    axes = axes or new_axes(4.2, 3.2)
    for average, (colour, marker, _) in zip(averages, cycle(STYLES)):
        axes.fill_between(average.offsets, average.low, average.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(
            average.offsets,
            average.means,
            color=colour,
            marker=marker,
            ms=3.5,
            markevery=10,
            label=literal(str(average.unit)),
        )
    first = averages[0]
    if mean is not None:
        axes.axhline(mean, color=GREY, linestyle=CONTROL_LINE, linewidth=0.9, label="mean of the text")
    axes.axvline(0, color=GREY, linewidth=0.7)
    axes.set_xlabel(f"characters since it {first.change}")
    band = "no band, too few" if first.no_interval_reason else "band: 95 %"
    axes.set_title(f"{literal(first.label, _MOST_CHARS)} {first.change},\n{first.n_events:,} times; {band}",
                   fontsize="small", loc="left")  # fmt: skip
    axes.grid(alpha=0.25)
    return axes


def plot_autocorrelation(memory: UnitMemory, unit: int = 0, axes: "Axes | None" = None) -> "Axes":
    """Draw the autocorrelation of a unit over the distance, and its time constant; there are no intervals.

    Args:
        memory: The memory of the units of a site.
        unit: The number of the unit in it.
        axes: Where to draw; None makes a new figure.
    """
    axes = axes or new_axes(4.2, 3.2)
    colour, marker, _ = STYLES[0]
    time_constant = float(memory.time_constant[unit])
    axes.plot(memory.lags, memory.autocorrelation[:, unit], color=colour, marker=marker, ms=4)
    axes.axhline(np.exp(-1), color=GREY, linestyle=CONTROL_LINE, linewidth=0.9)
    if np.isfinite(time_constant):
        axes.axvline(time_constant, color=GREY, linewidth=0.9)
        told = f"{time_constant:.3g} characters"
    else:
        told = f"more than {int(memory.lags[-1])} characters"
    axes.set_xscale("log", base=2)
    shown = memory.lags[::2]
    axes.set_xticks(shown, [str(lag) for lag in shown.tolist()])
    axes.set_xlabel("distance, in characters")
    axes.set_ylabel("autocorrelation")
    axes.set_ylim(min(-0.05, 1.1 * float(np.nanmin(memory.autocorrelation[:, unit]))), 1.05)
    axes.set_title(f"time constant (to 1/e, dotted):\n{told}", fontsize="small", loc="left")
    axes.grid(alpha=0.25)
    return axes


def plot_class_means(means: ClassMeans, axes: "Axes | None" = None) -> "Axes":
    """Draw the means of a unit by class, or its tuning curve to a number, with 95 % intervals.

    A white point has no interval: its class occurs in too few pieces of the text.

    Args:
        means: The means.
        axes: Where to draw; None makes a new figure.
    """
    tuning = means.tuning
    axes = axes or new_axes(4.2, 3.2)
    colour, marker, _ = STYLES[0]
    if means.kind == "numeric":
        axes.fill_between(tuning.places, means.low, means.high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(tuning.places, tuning.means, color=colour, marker=marker, ms=3)
        axes.set_xlabel(literal(tuning.hypothesis, 2 * _MOST_CHARS))
        axes.set_ylabel("mean of the unit")
    else:
        _draw_classes(means, axes)
    wave = "" if tuning.period is None else f", a wave of period {tuning.period:.3g}"
    axes.set_title(
        f"its means, with 95 % intervals:\n{_signed(tuning.eta2)} of it explained, held out{wave}",
        fontsize="small",
        loc="left",
    )
    axes.grid(alpha=0.25)
    return axes


def _draw_classes(means: ClassMeans, axes: "Axes") -> None:
    """Draw a point for each class that occurs, those of several classes in the order of their means."""
    tuning, (colour, marker, _) = means.tuning, STYLES[0]
    order = np.flatnonzero(tuning.n)
    if means.kind == "categorical":
        order = order[np.argsort(tuning.means[order])]
    y = np.arange(len(order))
    axes.hlines(y, means.low[order], means.high[order], color=colour, linewidth=1.2)
    has_interval = np.isfinite(means.low[order])
    for chosen, fill in ((has_interval, colour), (~has_interval, "white")):
        x = tuning.means[order][chosen]
        axes.plot(x, y[chosen], color=colour, marker=marker, markerfacecolor=fill, ms=4, linestyle="none")
    is_binary = means.kind == "binary"
    labels = [f"not {tuning.hypothesis}", tuning.hypothesis] if is_binary else list(tuning.labels)
    every = -(-len(order) // _MOST_NAMED)
    named = [literal(labels[number], _MOST_IN_LEGEND) for number in order[::every]]
    axes.set_yticks(y[::every], named, fontsize="small")
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlabel("mean of the unit")


def plot_unit_profile(profile: UnitProfile, axes: "Mapping[str, Axes] | None" = None) -> "dict[str, Axes]":
    """Draw all panels of a unit's profile.

    Args:
        profile: The profile.
        axes: Where to draw: a panel for each of the names that this returns, or for some of them; None makes a new
            figure with all that the profile has.

    Returns:
        The panels, by name: `histogram`, `memory`, `means`, and unless the label is a number `begins` and `ends`, and
        `gates begin` and `gates end` if there are gates.
    """
    panels = dict(axes) if axes is not None else _new_panels(profile)
    groups = profile.histogram.groups
    names = (f"not {profile.hypothesis}", profile.hypothesis) if profile.kind == "binary" else groups
    for name, panel in panels.items():
        if name == "histogram":
            plot_histogram(profile.histogram, profile.threshold, panel, names=names)
        elif name == "memory":
            plot_autocorrelation(profile.memory, 0, panel)
        elif name == "means":
            plot_class_means(profile.means, panel)
        elif name in CHANGES:
            _draw_events(profile, name, panel)
        else:
            _draw_gates(profile, {"gates begin": "begins", "gates end": "ends"}[name], panel)
    _share_y(panels, "begins", "ends")
    return panels


def panels_of(profile: UnitProfile) -> list[list[str]]:
    """Return the names of the panels that a profile has, in rows; an empty name is no panel."""
    if not profile.events:
        return [["histogram", "means", "memory"]]
    if not profile.gates:
        return [["histogram", "begins", "ends"], ["means", "memory", ""]]
    return [["histogram", "begins", "ends", "means"], ["memory", "gates begin", "gates end", ""]]


def _new_panels(profile: UnitProfile) -> "dict[str, Axes]":
    from matplotlib.figure import Figure

    rows = panels_of(profile)
    width, height = _PANEL_INCHES
    size = (width * len(rows[0]), height * len(rows) + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    places = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    panels = {}
    for names, row in zip(rows, places, strict=True):
        for name, panel in zip(names, row, strict=True):
            if name:
                panels[name] = panel
            else:
                panel.remove()
    ranked = profile.ranked
    interval = "no interval" if np.isnan(ranked.low) else f"{ranked.low:.3f} to {ranked.high:.3f}"
    measure = {"auc": "AUC", "r": "r"}[profile.measure]
    title = f"{profile.unit} and {profile.label}: {measure} {ranked.held_out:.3f} ({interval}), held out"
    figure.suptitle(literal_lines(title, 0.9 * size[0]), x=0.01, ha="left", fontsize="medium")
    return panels


def literal_lines(title: str, width: float) -> str:
    """Return a title in lines that fit into a width in inches, drawn as it stands."""
    return wrapped(literal(title), width)


def _draw_events(profile: UnitProfile, change: str, panel: "Axes") -> None:
    averages = [average for average in profile.events if average.change == change]
    plot_events(averages, panel, mean=profile.mean)
    if change == CHANGES[0]:
        panel.set_ylabel("mean of the unit")
        panel.legend(loc="best", **LEGEND)


def _draw_gates(profile: UnitProfile, change: str, panel: "Axes") -> None:
    averages = [average for average in profile.gates if average.change == change]
    plot_events(averages, panel)
    panel.set_title(f"its gates, where it {change}", fontsize="small", loc="left")
    panel.set_ylim(-0.03, 1.03)
    if change == CHANGES[0]:
        panel.set_ylabel("mean of the gate")
    else:
        for line, average in zip(panel.get_lines(), averages, strict=False):
            line.set_label(_gate_name(average.unit))
        beside = panel.legend(loc="upper left", bbox_to_anchor=(1.03, 1.0), frameon=False, fontsize="small")
        beside.set_in_layout(False)  # the place for it is empty


def _gate_name(unit: Unit) -> str:
    return (unit.site.signal or str(unit)).replace("_", " ")


def _signed(share: float) -> str:
    return f"{100 * share:.1f} %".replace("-", "−")


def _share_y(panels: "Mapping[str, Axes]", *names: str) -> None:
    """Give panels the same range of y, so that they compare at a glance."""
    shared = [panels[name] for name in names if name in panels]
    limits = [limit for panel in shared for limit in panel.get_ylim()]
    for panel in shared:
        panel.set_ylim(min(limits), max(limits))
