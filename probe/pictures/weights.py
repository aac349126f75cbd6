"""A picture of the weights of probes over the units that they see."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from analyses.probing.kept_probes import Probe
from analyses.probing.results import ProbeResult
from probe.pictures.figures import GREY, STYLES, literal, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

N_NAMED = 6
_LEAST_DISTANCE = 0.04  # between names on the same side, as a share of the units
_WIDTH, _HEIGHT = 7.2, 2.5  # of a panel, in inches
_NO_INTERVALS = "no intervals: units that vary together share a weight"


def plot_weights(
    probes: "ProbeResult | Probe | Sequence[ProbeResult | Probe]", axes: "Sequence[Axes] | None" = None
) -> "list[Axes]":
    """Draw the weights of probes, per standard deviation of each unit, over the units; the largest are named.

    A unit with a large weight is not one that knows the label by itself, and one that knows it may have none, if others
    know it, too. Of several classes it is the norm of a unit's weights.

    Args:
        probes: Fitted probes, or kept ones; a panel for each.
        axes: Where to draw, one Axes for each probe; None makes a new figure.

    Raises:
        AnalysisError: If a probe sees no units, or could not be fitted.
    """
    several = [probes] if isinstance(probes, ProbeResult | Probe) else list(probes)
    for probe in several:
        if not len(probe.units) or not len(probe.weights):
            raise AnalysisError(f"the probe of {probe.hypothesis!r} from {probe.site} has no weights of units to draw")
    panels = list(axes) if axes is not None else _new_panels(len(several))
    for panel, probe in zip(panels, several, strict=True):
        _draw(panel, probe)
    return panels


def weights_of_units(probe: ProbeResult | Probe) -> NDArray[np.float64]:
    """(n_units,) the weights of a probe, or of several classes their norms, per standard deviation of each unit."""
    weights = probe.weights
    return np.asarray(weights[:, 0] if weights.shape[1] == 1 else np.linalg.norm(weights, axis=1))


def _new_panels(n: int) -> "list[Axes]":
    from matplotlib.figure import Figure

    return list(Figure(figsize=(_WIDTH, n * _HEIGHT + 0.3), layout="constrained").subplots(n, 1, squeeze=False)[:, 0])


def _draw(axes: "Axes", probe: ProbeResult | Probe) -> None:
    weights = weights_of_units(probe)
    x = np.arange(len(weights))
    axes.vlines(x, 0, weights, color=STYLES[0][0], linewidth=max(0.5, min(2.0, 250 / len(weights))))
    axes.axhline(0, color=GREY, linewidth=0.8)
    for place in _named(weights):
        is_up = weights[place] >= 0
        axes.annotate(
            str(probe.units[place]),
            (place, weights[place]),
            (0, 3 if is_up else -3),
            textcoords="offset points",
            ha="center",
            va="bottom" if is_up else "top",
            fontsize="x-small",
            rotation=30,
            rotation_mode="anchor",
        )
    first, middles, names = 0, [], []
    for site, units in groupby(probe.units, lambda unit: unit.site):
        n_units = len(list(units))
        if first:
            axes.axvline(first - 0.5, color=GREY, linewidth=0.6, linestyle=":")
        middles.append(first + (n_units - 1) / 2)
        names.append(f"{site} ({n_units:,})" if n_units > 1 else str(site))
        first += n_units
    axes.set_xticks(middles, names, fontsize="small")
    axes.set_xlim(-0.02 * len(weights) - 0.5, 1.02 * len(weights) - 0.5)
    axes.margins(y=0.25)
    if (weights >= 0).all():
        axes.set_ylim(bottom=0)
    axes.set_ylabel(_unit_of_weights(probe), fontsize="small")
    axes.set_title(wrapped(f"{literal(probe.hypothesis)}: weights; {_NO_INTERVALS}", _WIDTH), fontsize="medium")
    axes.grid(axis="y", alpha=0.25)


def _named(weights: NDArray[np.float64]) -> list[int]:
    """List the units with the largest weights, without those whose names would cover that of a larger neighbour."""
    named: list[int] = []
    for place in np.argsort(-abs(weights), kind="stable").tolist():
        neighbours = [other for other in named if abs(other - place) < _LEAST_DISTANCE * len(weights)]
        if not any((weights[other] >= 0) == (weights[place] >= 0) for other in neighbours):
            named.append(place)
        if len(named) == N_NAMED:
            break
    return named


def _unit_of_weights(probe: ProbeResult | Probe) -> str:
    if probe.kind == "numeric":
        return "of the label,\nper standard deviation"
    what = "nats" if probe.weights.shape[1] == 1 else "norm over classes, nats"
    return f"{what}\nper standard deviation"
