"""A picture of steering: what changes in the texts of a model, by the value or the factor."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyses.causes.text_effects import LOSS, TextEffect
from hypotheses import registry
from hypotheses.errors import HypothesisError
from probe.pictures.figures import GREY, STYLES, add_legend, figure_of, literal, new_panels, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from probe.steering import Steering

_WIDTH, _HEIGHT = 3.6, 3.7  # of a panel, in inches
_DOTTED = (0, (1, 1.5))


def plot_steering(steering: "Steering", axes: "Sequence[Axes] | None" = None) -> "list[Axes]":
    """Draw the effect of steering on each measure, with 95 % intervals, beside the effect of matched changes.

    Args:
        steering: What was steered.
        axes: Where to draw, one Axes for each measure; None makes a new figure.

    Returns:
        The Axes of each measure, in the order of `steering.measures`.
    """
    measures = steering.measures
    panels = list(axes or new_panels(len(measures), _WIDTH, _HEIGHT))
    for panel, measure in zip(panels, measures, strict=True):
        _draw(panel, sorted((e for e in steering.effects if e.measure == measure), key=lambda effect: effect.at))
        title = "loss of the unsteered model" if measure == LOSS else literal(measure)
        panel.set_title(wrapped(title, 0.85 * _WIDTH), fontsize="medium")
        panel.set_xlabel("held at" if steering.is_held else "factor of the direction")
        panel.set_ylabel(_scale(measure))
    add_legend(panels, is_new=axes is None)
    n_texts, n_chars = len(steering.unsteered), steering.options.n_chars
    title = f"{literal(steering.steered)}: {n_texts} texts of {n_chars:,} characters"
    figure_of(panels[0]).suptitle(wrapped(title, _WIDTH * len(panels)), fontsize="medium")
    return panels


def _draw(panel: "Axes", effects: Sequence[TextEffect]) -> None:
    """Draw the effects on one measure, and those of matched changes, by the value or factor."""
    (colour, marker, line), (_, other_marker, _) = STYLES[0], STYLES[1]
    x = [effect.at for effect in effects]
    values, low, high, matched, spread = np.array(
        [(effect.effect, effect.low, effect.high, effect.matched, effect.matched_sd) for effect in effects]
    ).T
    panel.axhline(0, color=GREY, linewidth=0.8)
    panel.grid(alpha=0.25)
    panel.fill_between(x, low, high, color=colour, alpha=0.13, linewidth=0)
    panel.vlines(x, low, high, color=colour, linewidth=1)  # a single value has no band
    if len(x) == 1:
        panel.set_xticks(x)
    name = "steered, with 95 % interval" if np.isfinite(low).any() else "steered"
    panel.plot(x, values, color=colour, marker=marker, linestyle=line, ms=4.5, label=name)
    if np.isfinite(matched).any():
        panel.errorbar(
            x,
            matched,
            spread,
            color=GREY,
            marker=other_marker,
            markerfacecolor="white",
            linestyle=_DOTTED,
            ms=4.5,
            capsize=2,
            label="matched, ± 1 standard deviation",
        )


def _scale(measure: str) -> str:
    """Say what the axis of a measure counts."""
    if measure == LOSS:
        return "change, in nats per character"
    try:
        hypothesis = registry.get(measure)
    except HypothesisError:  # a function of the user's, of which only the name is left
        return "change of the mean over texts"
    if hypothesis.kind == "binary":
        return "change of the share of characters"
    return f"change of the mean, in {hypothesis.unit}" if hypothesis.unit else "change of the mean over texts"
