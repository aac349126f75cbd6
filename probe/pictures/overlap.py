"""A picture of an overlap: circles of true areas for two models, and bars of all combinations for more."""

import math
from typing import TYPE_CHECKING

import numpy as np

from analyses.overlap import CorrectSet, Overlap
from probe.pictures.figures import GREY, STYLES, literal, new_axes, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

_WIDTH, _HEIGHT = 6.4, 3.9  # in inches
_LONGEST_NAME = 22
_NARROW = 0.8  # of the larger radius: a common part into which no text fits
_INCHES_OF_BAR, _INCHES_OF_MODEL = 0.55, 0.38
_MARGIN = 0.06  # between circles and texts, as a share of the larger circle's radius
_EMPTY = "#d8d8d8"
_BESIDE = 0.42  # of the distance between bars: where no number of a bar stands


def plot_overlap(result: Overlap, axes: "Sequence[Axes] | None" = None) -> "list[Axes]":
    """Draw which characters several models get right.

    Of two models, circles have areas in proportion to the characters that each gets right, and their common part to
    those that both get right. Of more, it is an UpSet plot (Lex et al. 2014): a bar for each combination of models, the
    most frequent first, with 95 % intervals; below it, points name the models that are right. A hollow mark is the
    share that there would be if models were right independently of each other.

    Args:
        result: The overlap.
        axes: Where to draw: one Axes for two models, two (bars, points) for more; None makes a new figure.

    Returns:
        The axes.
    """
    if len(result.models) == 2:
        return [_draw_circles(result, axes[0] if axes else new_axes(_WIDTH, _HEIGHT))]
    bars, points = axes or _bars_and_points(result)
    _draw_bars(result, bars, points)
    return [bars, points]


def circle_distance(first: float, second: float, common: float) -> float:
    """Return how far apart the centres of two circles are whose areas, and that of their common part, are given.

    Args:
        first: The area of the first circle.
        second: That of the second.
        common: That of their common part, at most the smaller of the two.
    """
    from scipy.optimize import brentq

    radii = math.sqrt(first / math.pi), math.sqrt(second / math.pi)
    nearest, farthest = abs(radii[0] - radii[1]), radii[0] + radii[1]
    if common >= min(first, second) * (1 - 1e-12):
        return nearest
    if common <= 0:
        return farthest
    return float(brentq(lambda distance: common_area(*radii, distance) - common, nearest, farthest, xtol=1e-14))


def common_area(first: float, second: float, distance: float) -> float:
    """Return the area that two circles of these radii have in common, whose centres are so far apart."""
    if distance >= first + second:
        return 0.0
    if distance <= abs(first - second):
        return math.pi * min(first, second) ** 2
    # where the line through both points of intersection crosses the line between the centres
    from_first = (distance**2 + first**2 - second**2) / (2 * distance)
    area = 0.0
    for radius, reach in ((first, from_first), (second, distance - from_first)):
        cosine = min(max(reach / radius, -1.0), 1.0)
        area += radius**2 * math.acos(cosine) - reach * math.sqrt(max(radius**2 - reach**2, 0.0))
    return area


def _draw_circles(result: Overlap, axes: "Axes") -> "Axes":
    from matplotlib.patches import Circle

    a, b = result.models
    both, only_a, only_b, neither = result.of(a, b), result.of(a), result.of(b), result.of()
    areas = both.share + only_a.share, both.share + only_b.share
    radii = [math.sqrt(area / math.pi) for area in areas]
    distance = circle_distance(*areas, both.share) if min(areas) > 0 else sum(radii)
    centres = (0.0, distance)
    for name, centre, radius, accuracy, ends, (colour, _, _), line, side in zip(
        result.models, centres, radii, result.accuracies, result.accuracy_intervals, STYLES, ("-", "--"), (-1, 1),
        strict=False,
    ):  # fmt: skip
        axes.add_patch(Circle((centre, 0), radius, facecolor=colour, alpha=0.35, edgecolor="none"))
        axes.add_patch(Circle((centre, 0), radius, fill=False, edgecolor=colour, linestyle=line, linewidth=1.6))
        label = f"{literal(name, _LONGEST_NAME)}\n{_share(accuracy, *ends)} right"
        place = (distance / 2 + side * 0.25 * max(radii), max(radii) * 1.08)
        axes.text(*place, label, ha="right" if side < 0 else "left", va="bottom", fontsize="small", color=colour)
    left, right = -radii[0], distance + radii[1]
    top = max(radii)
    for correct, inside, outside, side in (
        (only_a, (left + distance - radii[1]) / 2, left - 4 * _MARGIN * top, -1),
        (only_b, (right + radii[0]) / 2, right + 4 * _MARGIN * top, 1),
    ):
        axes.annotate(
            f"only {literal(correct.name, _LONGEST_NAME)}:\n{correct.n_chars:,} characters\n"
            f"{_share(correct.share, correct.low, correct.high)}",
            (inside, 0),
            (outside, 0),
            ha="right" if side < 0 else "left",
            va="center",
            fontsize="small",
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.8},
        )
    middle = (distance - radii[1] + radii[0]) / 2
    _name_common_part(axes, both, middle, is_narrow=radii[0] + radii[1] - distance < _NARROW * top)
    rest = (
        f"neither: {neither.n_chars:,} characters, {_share(neither.share, neither.low, neither.high)}\n"
        f"if the models were right independently, both would be {both.if_independent:.1%}"
    )
    axes.text(0.5, 0.0, rest, ha="center", va="bottom", fontsize="small", transform=axes.transAxes)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_xlim(left - 1.6 * top, right + 1.6 * top)
    axes.set_ylim(-1.75 * top, 1.45 * top)
    axes.set_title(_title(result, _WIDTH), fontsize="medium")
    return axes


def _name_common_part(axes: "Axes", both: CorrectSet, middle: float, *, is_narrow: bool) -> None:
    """Write what both get right into the common part, or below the circles if that is narrow."""
    share = _share(both.share, both.low, both.high, are_split=not is_narrow)
    text = f"both: {both.n_chars:,} characters, {share}" if is_narrow else f"both:\n{both.n_chars:,}\n{share}"
    if is_narrow:
        line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.8}
        axes.annotate(
            text, (middle, 0), (0.5, 0.13), textcoords="axes fraction", ha="center", fontsize="small", arrowprops=line
        )
    else:
        axes.text(middle, 0, text, ha="center", va="center", fontsize="small")


def _share(share: float, low: float, high: float, *, are_split: bool = False) -> str:
    """Write a share with its interval."""
    if math.isnan(low):
        return f"{share:.1%}"
    return f"{share:.1%}{chr(10) if are_split else ' '}({100 * low:.1f} to {100 * high:.1f})"


def _title(result: Overlap, width: float) -> str:
    of_two = "95 % intervals in brackets" if len(result.models) == 2 else "lines: 95 % intervals"
    return wrapped(f"predicted right, of {result.n_chars:,} characters; {result.note or of_two}", width)


def _bars_and_points(result: Overlap) -> "list[Axes]":
    from matplotlib.figure import Figure

    n_models, n_sets = len(result.models), len(result.sets)
    width, below = 2.2 + _INCHES_OF_BAR * n_sets, _INCHES_OF_MODEL * n_models
    figure = Figure(figsize=(max(_WIDTH, width), 3.0 + below), layout="constrained")
    ratios = [2.6, below + 0.1]
    return list(figure.subplots(2, 1, sharex=True, height_ratios=ratios))


def _draw_bars(result: Overlap, bars: "Axes", points: "Axes") -> None:
    sets = sorted(result.sets, key=lambda correct: -correct.n_chars)
    x = np.arange(len(sets))
    shares, low, high, expected = np.array(
        [(correct.share, correct.low, correct.high, correct.if_independent) for correct in sets]
    ).T
    colour = STYLES[0][0]
    bars.bar(x, shares, color=colour, alpha=0.75, width=0.6)
    bars.vlines(x, low, high, color="black", linewidth=1.2)
    bars.plot(
        x + _BESIDE,
        expected,
        marker="D",
        linestyle="",
        color=GREY,
        markerfacecolor="white",
        ms=5,
        label="beside each bar: if right independently",
    )
    for place, correct in zip(x.tolist(), sets, strict=True):
        top = correct.share if math.isnan(correct.high) else correct.high
        bars.annotate(
            f"{correct.share:.1%}\n{correct.n_chars:,}",
            (place, top),
            (0, 5),
            textcoords="offset points",
            ha="center",
            fontsize="x-small",
        )
    bars.margins(y=0.18)
    bars.set_ylim(bottom=0)
    bars.set_ylabel("share of characters")
    bars.set_title(_title(result, _INCHES_OF_BAR * len(sets)), fontsize="medium")
    bars.legend(frameon=False, fontsize="small", loc="upper right")
    bars.grid(axis="y", alpha=0.25)
    bars.tick_params(bottom=False, labelbottom=False)
    rows = {name: row for row, name in enumerate(result.models)}
    for place, correct in zip(x.tolist(), sets, strict=True):
        points.plot([place] * len(rows), list(rows.values()), "o", color=_EMPTY, ms=8)
        right = [rows[name] for name in correct.models]
        points.plot([place] * len(right), right, "o-", color=colour, ms=8, linewidth=2)
    names = [
        f"{literal(name, _LONGEST_NAME)}\n{_share(accuracy, *ends)}"
        for name, accuracy, ends in zip(result.models, result.accuracies, result.accuracy_intervals, strict=True)
    ]
    points.set_yticks(list(rows.values()), names, fontsize="small")
    points.set_ylim(len(rows) - 0.5, -0.5)
    points.tick_params(length=0, labelbottom=False)
    for spine in points.spines.values():
        spine.set_visible(False)
