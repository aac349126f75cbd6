"""Intervals as small inline pictures, which are readable on light and on dark paper."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _MARGIN = 140, 16, 6  # in pixels
_COLOUR = "#3d8bd4"  # has a contrast of 3.4 with white and 5.3 with nearly black
_CHANCE_STYLE = 'stroke="currentColor" stroke-opacity="0.7" stroke-dasharray="2 2"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A number with its 95 % interval.

    Attributes:
        value: The number; NaN if it could not be measured.
        low: The lower end of its interval; NaN if there is none.
        high: The upper end.
        chance: What it would be by chance, or without any effect; None if nothing is known of that.
    """

    value: float
    low: float
    high: float
    chance: float | None = None

    @property
    def has_interval(self) -> bool:
        """Return whether there is an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))


@dataclass(frozen=True, slots=True)
class BarAxis:
    """The axis that the bars of a column share.

    Attributes:
        low: The number at its left end.
        high: The number at its right end.
    """

    low: float
    high: float

    @classmethod
    def of(cls, column: Sequence[Measured]) -> "BarAxis":
        """Return the shortest axis that holds all intervals, numbers and chance of a column."""
        shown = [number for one in column for number in (one.value, one.low, one.high, one.chance)]
        finite = [number for number in shown if number is not None and math.isfinite(number)] or [0.0]
        low, high = min(finite), max(finite)
        return cls(low, high) if low < high else cls(low - 0.5, high + 0.5)

    def x(self, number: float) -> float:
        """Return where a number is, in pixels from the left; those beyond the ends are at the ends."""
        share = (number - self.low) / (self.high - self.low)
        return _MARGIN + min(max(share, 0.0), 1.0) * (_WIDTH - 2 * _MARGIN)


def interval_bar(measured: Measured, axis: BarAxis, says: str) -> str:
    """Draw an interval as a line, its number as a dot, and chance as a dashed line.

    Args:
        measured: What is drawn; of a number without an interval only the dot.
        axis: Shared by all bars of a column.
        says: The same in words, for those who do not see the picture.

    Returns:
        An element `svg`.
    """
    middle = _HEIGHT / 2
    marks = []
    if measured.chance is not None:
        x = axis.x(measured.chance)
        marks.append(f'<line x1="{x:.1f}" y1="1" x2="{x:.1f}" y2="{_HEIGHT - 1}" {_CHANCE_STYLE}/>')
    if measured.has_interval:
        left, right = axis.x(measured.low), axis.x(measured.high)
        marks.append(
            f'<line x1="{left:.1f}" y1="{middle:g}" x2="{right:.1f}" y2="{middle:g}" stroke="{_COLOUR}" '
            'stroke-width="2.5" stroke-linecap="round"/>'
        )
    if math.isfinite(measured.value):
        marks.append(f'<circle cx="{axis.x(measured.value):.1f}" cy="{middle:g}" r="3.5" fill="{_COLOUR}"/>')
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{escape(says)}" style="vertical-align: middle">{"".join(marks)}</svg>'
