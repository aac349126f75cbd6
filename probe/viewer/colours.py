"""Colours of tracks: tables for a light and a dark ground, which every output takes from here.

The ends of the diverging scale are blue and orange, which people who do not see red or green tell apart. Blue is the
darker of the two on a light ground, so that they differ in grey print as well.
"""

from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Theme = Literal["light", "dark"]
N_COLOURS = 255
PAPER = {"light": "#fdfcf9", "dark": "#15171c"}
INK = {"light": "#16181d", "dark": "#eceae4"}
FALSE_TRUE = {"light": (PAPER["light"], "#58b591"), "dark": (PAPER["dark"], "#1f7d5c")}
"""Colours of False and True, and of their probability: labels and what a probe says of them look alike."""
_STOPS: dict[tuple[str, str], tuple[str, ...]] = {
    ("diverging", "light"): ("#1f5c9e", "#84b3df", PAPER["light"], "#f8bd7f", "#e2802f"),
    ("diverging", "dark"): ("#58a6f5", "#2d5585", PAPER["dark"], "#8a541d", "#ffa449"),
    ("sequential", "light"): (PAPER["light"], "#c3b1e1", "#7a55b3"),
    ("sequential", "dark"): (PAPER["dark"], "#5c4291", "#c5a8ff"),
    ("probability", "light"): FALSE_TRUE["light"],
    ("probability", "dark"): FALSE_TRUE["dark"],
}
_TABLES: dict[tuple[str, str], tuple[str, ...]] = {
    ("binary", "light"): FALSE_TRUE["light"],
    ("binary", "dark"): FALSE_TRUE["dark"],
    ("classes", "light"): (
        "#f4c38c", "#9cc9ee", "#a9dba1", "#ecaac8", "#e9de80", "#c9b0ea",
        "#9ddcd6", "#d9c4a5", "#cfcfcf", "#f2a08f", "#b5c4ff", "#c6e07f",
    ),
    ("classes", "dark"): (
        "#8f5a1e", "#2a5f8f", "#35702f", "#8a3b63", "#7a6f16", "#5f429a",
        "#1f706a", "#6f5b3a", "#5a5a5a", "#8f3f2f", "#3f53a5", "#55701a",
    ),
}  # fmt: skip


@cache
def colours(kind: str, theme: Theme) -> NDArray[np.uint8]:
    """Return (n_colours, 3) uint8 the colours of a kind of scale: red, green and blue.

    Scales of numbers have 255, one for each level; binary ones 2, and classes 12, which are repeated.
    """
    if (kind, theme) in _TABLES:
        return np.array([_rgb(colour) for colour in _TABLES[kind, theme]], np.uint8)
    stops = np.array([_rgb(colour) for colour in _STOPS[kind, theme]], float)
    at = np.linspace(0, len(stops) - 1, N_COLOURS)
    channels = [np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return np.floor(np.stack(channels, axis=1) + 0.5).astype(np.uint8)


def ink_on(colour: NDArray[np.uint8]) -> str:
    """Return whether black or white has more contrast on a colour, as WCAG 2.2 defines it: always 4.5 or more."""
    luminance = _luminance(colour)
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#ffffff"


def _luminance(colour: NDArray[np.uint8]) -> float:
    shares = colour / 255.0
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
