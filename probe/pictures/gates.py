"""A picture of gates: how often each unit's gate is closed, and how often it is open."""

from collections.abc import Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from analyses.errors import AnalysisError
from analyses.gate_saturation import GateSaturation
from analyses.statistics.saturations import Saturation
from probe.pictures.figures import GREY, STYLES, add_legend, new_panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PANEL_INCHES = 2.9
_MANY_UNITS = 150  # in a panel, from which on points are smaller


def plot_gates(saturation: GateSaturation, axes: "Sequence[Axes] | None" = None) -> "list[Axes]":
    """Draw a panel for each gate with a point for each unit, whose colour and shape say in which layer it is.

    Args:
        saturation: What `gate_saturation` returned.
        axes: Where to draw, a panel for each gate; None makes a new figure.

    Returns:
        The panels. x is the share of characters at which the gate is over .9, y that at which it is under .1.

    Raises:
        AnalysisError: If there are not as many axes as gates.
    """
    gates = saturation.gates
    panels = new_panels(len(gates), _PANEL_INCHES, _PANEL_INCHES + 0.6) if axes is None else list(axes)
    if len(panels) != len(gates):
        raise AnalysisError(f"{len(gates)} gates need as many axes, and {len(panels)} are given")
    layers = list(dict.fromkeys(of_site.site.layer for of_site in saturation.sites))
    style_of_layer = dict(zip(layers, cycle(STYLES), strict=False))
    for number, (gate, panel) in enumerate(zip(gates, panels, strict=True)):
        for of_site in saturation.of_gate(gate):
            _draw(panel, of_site, *style_of_layer[of_site.site.layer][:2])
        panel.plot([0, 1], [1, 0], color=GREY, linewidth=0.6, linestyle=":")
        panel.set(title=gate.replace("_", " "), xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
        panel.set_xlabel("over .9, share of characters")
        panel.set_ylabel("" if number else "under .1, share of characters")
        panel.grid(alpha=0.25)
    add_legend(panels, is_new=axes is None)
    return panels


def _draw(panel: "Axes", of_site: Saturation, colour: str, marker: str) -> None:
    size = 3.0 if len(of_site.left) > _MANY_UNITS else 4.5
    panel.plot(
        of_site.right,
        of_site.left,
        color=colour,
        marker=marker,
        ms=size,
        linestyle="none",
        alpha=0.6,
        markeredgewidth=0,
        label=f"layer {of_site.site.layer}",
        clip_on=False,
    )
