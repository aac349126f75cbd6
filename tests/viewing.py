"""Text views with known content, for the tests of what shows them."""

import numpy as np

from probe.viewer.cells import TILE_CHARS, cells_of
from probe.viewer.scales import classes, diverging
from probe.viewer.text_view import DocumentStart, Guesses, Panel, TextView, Track

PIECES = [
    "a",
    "b",
    " ",
    "\n",
    "\t",
    "漢",
    "e\u0301",
    "👩\u200d👩\u200d👧",
    "🇫🇷",
    "שלום",
    "\x1b",
    "\u202e",
    "❤\ufe0f",
    "\r\n",
    "ب",
    "\u200b",
]
"""Characters of all widths, in clusters and alone, that stand, move, combine or cannot be seen."""


def random_texts(n_texts: int = 30) -> list[str]:
    """Return texts of such characters, always the same."""
    rng = np.random.default_rng(11)
    return ["", "\n", *("".join(rng.choice(PIECES, rng.integers(1, 60))) for _ in range(n_texts))]


def two_tiles() -> TextView:
    """Two tiles, two panels that share a track, two documents, and characters that no text file can have."""
    rng = np.random.default_rng(3)
    n_chars = TILE_CHARS + 5
    text = "".join(rng.choice(list("ab漢\n\t\x1b"), n_chars - 1)) + "\udc80"
    levels, scale = diverging(rng.normal(size=n_chars), 0.25)
    unit = Track(name="0/cell/3", kind="unit", levels=levels, scale=scale, quantity="activation")
    numbers, names = classes(rng.integers(0, 3, n_chars), rng.random(n_chars) < 0.9, ("x", "y", "z"))
    labels = Track(name="word", kind="labels", levels=numbers, scale=names)
    guesses = Guesses(
        characters=("a", "</script>", "漢"),
        ids=rng.integers(0, 3, (n_chars, 5)).astype(np.uint16),
        levels=rng.integers(0, 256, (n_chars, 5)).astype(np.uint8),
    )
    return TextView(
        text=text,
        cells=cells_of(text),
        start=1000,
        panels=(Panel(tracks=(unit, labels), title="first"), Panel(tracks=(labels,))),
        guesses=guesses,
        documents=(
            DocumentStart(name="one.py", position=0, line=7, column=3),
            DocumentStart(name="two.py", position=100),
        ),
        title="A title",
        notes=("A note.",),
    )
