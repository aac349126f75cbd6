"""The pictures of a report, as images within its page."""

from typing import TYPE_CHECKING

from markupsafe import Markup

from analyses.curves import Curve
from analyses.gate_saturation import GateSaturation
from analyses.matrix import HypothesisMatrix
from analyses.profiling.unit_profile import UnitProfile
from probe.html.figures import figure_address, figure_width
from probe.pictures.figures import new_panels
from probe.plots import figure_of, plot_curves, plot_gates, plot_matrix, plot_unit_profile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANEL_WIDTH, _PANEL_HEIGHT = 3.5, 2.9  # in inches


def matrix_chart(matrix: HypothesisMatrix) -> Markup:
    """Draw the matrix of hypotheses."""
    names = ", ".join(matrix.hypotheses)
    return image(figure_of(plot_matrix(matrix)[0]), f"Scores of {names}, for each site and for single units")


def curve_chart(curve: Curve) -> Markup:
    """Draw a curve over units."""
    return image(figure_of(plot_curves(curve)), str(curve))


def gates_chart(gates: GateSaturation) -> Markup:
    """Draw how often gates are saturated."""
    return image(figure_of(plot_gates(gates)[0]), str(gates))


def profile_chart(profile: UnitProfile) -> Markup:
    """Draw the values of a unit inside and outside, and around the changes of the label."""
    names = ("histogram", "begins", "ends") if profile.events else ("histogram", "means", "memory")
    panels = dict(zip(names, new_panels(len(names), _PANEL_WIDTH, _PANEL_HEIGHT), strict=True))
    plot_unit_profile(profile, panels)
    return image(figure_of(panels["histogram"]), f"Values of {profile.unit}, by {profile.label}")


def image(figure: "Figure", says: str) -> Markup:
    """Return a figure as an image, whose colours follow those of the page.

    Args:
        figure: The figure.
        says: The same in words, for those who do not see it.
    """
    figure.patch.set_alpha(0.0)
    return Markup('<img class="picture" src="{}" alt="{}" width="{}">').format(
        figure_address(figure), says, figure_width(figure)
    )
