"""Results as pictures within HTML."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from html import escape
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from activations.results import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_IN_TABLES = ("Ranking", "ProbeResult")  # draw the same intervals that are in the rows


def picture_html(result: Result | Mapping[str, Result], says: str) -> str:
    """Return a picture of a result, or of several curves by their names; nothing if it has none.

    Args:
        result: What is drawn, by the function of `probe.plots` whose first argument is a result of its kind.
        says: The same in a few words, for those who do not see it.
    """
    kinds = {type(one).__name__ for one in (result.values() if isinstance(result, Mapping) else (result,))}
    if kinds & set(_IN_TABLES) or (isinstance(result, Mapping) and kinds != {"Curve"}):
        return ""
    draw = plots_by_kind().get(kinds.pop())
    return "" if draw is None else figure_html(_figure_of(draw(result)), says)


@cache
def plots_by_kind() -> dict[str, Callable[[Any], Any]]:
    """Return the functions of `probe.plots` that need one argument, by the name of its class."""
    from probe import plots

    found: dict[str, Callable[[Any], Any]] = {}
    for name, function in vars(plots).items():
        if name.startswith("plot_"):
            first, *others = signature(function).parameters.values()
            if all(other.default is not Parameter.empty for other in others):
                written = getattr(first.annotation, "__name__", str(first.annotation))
                found.setdefault(written.partition(" ")[0], function)
    return found


def _figure_of(drawn: Any) -> "Figure":
    """Return the figure of what a function of `probe.plots` returns: axes, or several of them."""
    from probe.plots import figure_of

    axes = list(drawn.values()) if isinstance(drawn, Mapping) else drawn
    return figure_of(axes[0] if isinstance(axes, Sequence) else axes)


def figure_html(figure: "Figure", says: str) -> str:
    """Return a figure as an image, on white paper also where the page is dark."""
    from probe.html.figures import figure_address, figure_width

    style = "background: white; border-radius: 4px; max-width: 100%; height: auto"
    size = f'width="{figure_width(figure)}" style="{style}"'
    return f'<div><img src="{figure_address(figure)}" alt="{escape(says)}" {size}></div>'
