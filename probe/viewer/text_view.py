"""A text view: a passage of a text, and tracks of values beside its characters, as every output shows them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from probe.viewer.scales import Scale

MOST_TRACKS = 4
"""Tracks of a panel: more cannot be told apart below a line of text."""
N_GUESSES = 5

TrackKind = Literal["unit", "labels", "probe", "loss"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Track:
    """One value for each character of a passage, quantised.

    Attributes:
        name: What the legend calls it, such as `0/cell/226` or `in_quotes`.
        kind: What its values are: a unit's activations, labels, what a probe says, or the model's loss.
        levels: (n_chars,) uint8, read-only; `scales.MISSING` where there is no value.
        scale: What the levels mean, and how they are coloured.
        quantity: What its values are measured in, such as `activation` or `nats`.
    """

    name: str
    kind: TrackKind
    levels: NDArray[np.uint8]
    scale: Scale
    quantity: str = ""

    def __post_init__(self) -> None:
        self.levels.flags.writeable = False

    @property
    def values(self) -> NDArray[np.float64]:
        """(n_chars,) the values to half a step of the scale; NaN where there is none. Classes are their numbers."""
        return self.scale.values(self.levels)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """The passage once, coloured by up to four tracks.

    Attributes:
        tracks: The first colours the characters, the others strips below them.
        title: What stands above it; empty if there is nothing to say.
    """

    tracks: tuple[Track, ...]
    title: str = ""

    def __post_init__(self) -> None:
        if len(self.tracks) > MOST_TRACKS:
            raise AnalysisError(f"a panel shows at most {MOST_TRACKS} tracks, and got {len(self.tracks)}; use several")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guesses:
    """The model's five most probable next characters, after each character of a passage.

    Attributes:
        characters: The characters that are guessed anywhere, which the ids count.
        ids: (n_chars, 5) uint16 the guesses, the most probable first.
        levels: (n_chars, 5) uint8 their probabilities, in steps of 1 / 255; all 0 where there is no prediction.
    """

    characters: tuple[str, ...]
    ids: NDArray[np.uint16]
    levels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentStart:
    """Where a document begins, or is first seen, in a passage.

    Attributes:
        name: The document's name; empty if it has none.
        position: Index in the passage of its first character there.
        line: Number of the line, counted from 1, of that character in the document.
        column: Number of the character in its line, counted from 1.
    """

    name: str
    position: int
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextView:
    """A passage of a text, with everything that is shown of it.

    Attributes:
        text: The passage.
        cells: (n_chars,) uint8 how each character is laid out; see `cells.cells_of`.
        start: Position in the corpus of its first character.
        panels: What colours it: shown one below the other.
        guesses: The model's guesses; None if there are none or they are not asked for.
        documents: Where documents begin in the passage; the first is that of the first character.
        title: A heading.
        notes: Sentences about what is left out and why.
    """

    text: str
    cells: NDArray[np.uint8]
    start: int
    panels: tuple[Panel, ...]
    guesses: Guesses | None = None
    documents: tuple[DocumentStart, ...] = ()
    title: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for track in self.tracks:
            if len(track.levels) != len(self.text):
                raise AnalysisError(f"{track.name} has {len(track.levels)} values for {len(self.text)} characters")

    @property
    def tracks(self) -> Sequence[Track]:
        """The tracks of all panels, each once, in their order."""
        return list({id(track): track for panel in self.panels for track in panel.tracks}.values())

    def units_first(self) -> "TextView":
        """Return the same view with units before what else there is, so that a unit colours the characters."""
        panels = tuple(
            replace(panel, tracks=tuple(sorted(panel.tracks, key=lambda track: track.kind != "unit")))
            for panel in self.panels
        )
        return replace(self, panels=panels)
