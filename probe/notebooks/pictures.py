"""Results as pictures within HTML."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from activations.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PLOTS = {
    "Curve": "plot_curves",
    "Impulse": "plot_impulse",
    "OrderComparison": "plot_orders",
    "Perturbation": "plot_perturbation",
    "Steering": "plot_steering",
    "Story": "plot_story",
    "Sweep": "plot_sweep",
}
"""For the name of each class of results that has a picture, the function of `probe.plots` that draws it."""


def picture_html(result: Result | Mapping[str, Result], says: str) -> str:
    """Return a picture of a result, or of several by their names; nothing if it has none.

    Args:
        result: What is drawn.
        says: The same in a few words, for those who do not see it.
    """
    kinds = {type(one).__name__ for one in result.values()} if isinstance(result, Mapping) else {type(result).__name__}
    name = _PLOTS.get(kinds.pop()) if len(kinds) == 1 else None
    if name is None or (isinstance(result, Mapping) and name != "plot_curves"):
        return ""
    from probe import plots

    draw: Callable[[Any], Any] = getattr(plots, name)
    axes = draw(result)
    first = axes[0] if isinstance(axes, tuple | list) else axes
    return figure_html(plots.figure_of(first), says)


def figure_html(figure: "Figure", says: str) -> str:
    """Return a figure as an image, on white paper also where the page is dark."""
    from probe.plots import save_figure

    with TemporaryDirectory() as folder:
        path = Path(folder) / "figure.svg"
        save_figure(figure, path)
        data = b64encode(path.read_bytes()).decode("ascii")
    width = round(figure.get_figwidth() * 96)
    style = "background: white; border-radius: 4px; max-width: 100%; height: auto"
    return (
        f'<div><img src="data:image/svg+xml;base64,{data}" alt="{escape(says)}" width="{width}" style="{style}"></div>'
    )
