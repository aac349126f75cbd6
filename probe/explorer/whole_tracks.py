"""Tracks of a whole text, labels and the model's loss, quantised piece by piece into one byte for each character."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from analyses.errors import AnalysisError
from hypotheses.labelling.corpus_labels import CHUNK
from hypotheses.labelling.long_labels import AnyLabels
from hypotheses.labels import Labels
from probe.viewer.cells import TILE_CHARS
from probe.viewer.page.tiles import track_header
from probe.viewer.scales import MISSING, Scale, binary, classes, sequential
from probe.viewer.text_view import TrackKind
from probe.viewer.tracks import guesses_of_vocabulary, losses

Levels = NDArray[np.uint8]
_SAMPLED = 1 << 20  # numbers of which the scale is estimated, besides the lowest and the highest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WholeTrack:
    """A value for each character of a text.

    Attributes:
        name: What it is called, such as `in_quotes`.
        kind: What its values are.
        all_levels: (n_chars,) uint8, read-only; `scales.MISSING` where there is no value.
        scale: What the levels mean.
        quantity: What the values are measured in.
    """

    name: str
    kind: TrackKind
    all_levels: Levels
    scale: Scale
    quantity: str = ""

    def __post_init__(self) -> None:
        self.all_levels.flags.writeable = False

    def header(self) -> dict[str, Any]:
        """Return what a page has to know of the track; see `tiles.track_header`."""
        return track_header(
            name=self.name,
            kind=self.kind,
            quantity=self.quantity,
            has_missing=bool((self.all_levels == MISSING).any()),
            scale=self.scale,
        )

    def levels(self, start: int, stop: int) -> Levels:
        """(stop − start,) the levels of some characters."""
        return self.all_levels[start:stop]

    def overview(self, n_bins: int, start: int, stop: int) -> Levels:
        """(2, n_bins) the lowest and the highest level in equal parts of some characters; see `overview_of`."""
        return overview_of(self.all_levels[start:stop], n_bins)


def overview_of(levels: Levels, n_bins: int) -> Levels:
    """(2, n_bins) the lowest and the highest level in equal parts, both `MISSING` where no character has a value.

    Args:
        levels: (n_chars,) at least one; with fewer than bins, neighbouring bins have the same one.
        n_bins: The number of parts.
    """
    starts = np.arange(n_bins, dtype=np.int64) * len(levels) // n_bins
    lowest = np.minimum.reduceat(levels, starts)  # MISSING is above all levels
    highest = np.maximum.reduceat(np.where(levels == MISSING, 0, levels), starts)
    return np.stack([lowest, np.where(lowest == MISSING, MISSING, highest)])


def track_of_labels(name: str, labels: AnyLabels) -> WholeTrack:
    """Return labels as a track.

    Raises:
        AnalysisError: If there are more than 255 classes.
    """
    pieces = {"binary": _binary, "categorical": _categorical, "numeric": _numeric}[labels.kind]
    levels, scale = pieces(labels)
    return WholeTrack(name=name, kind="labels", all_levels=levels, scale=scale)


def track_of_losses(source: Source) -> WholeTrack:
    """Return −log p of each character, given those before it, in nats.

    Raises:
        AnalysisError: If the source has no predictions.
    """
    n_chars = len(source.corpus)

    def pieces() -> Iterator[NDArray[np.float64]]:
        for start in range(0, n_chars, CHUNK):
            piece = losses(source, slice(start, min(start + CHUNK, n_chars)))
            if piece is None:
                raise AnalysisError("there is no loss to show: the recording was made without predictions")
            yield piece.values

    levels, scale = _on_one_scale(pieces, n_chars, low=0.0)
    return WholeTrack(name="loss", kind="loss", all_levels=levels, scale=scale, quantity="nats")


def _pieces(labels: AnyLabels) -> Iterator[Labels]:
    for start in range(0, len(labels), CHUNK):
        yield labels[start : start + CHUNK]


def _binary(labels: AnyLabels) -> tuple[Levels, Scale]:
    levels = [binary(piece.values, piece.present)[0] for piece in _pieces(labels)]
    return np.concatenate(levels), binary(np.zeros(0, bool), np.zeros(0, bool))[1]


def _categorical(labels: AnyLabels) -> tuple[Levels, Scale]:
    """Number the classes that occur anywhere."""
    occurring: set[int] = set()
    for piece in _pieces(labels):
        occurring.update(np.unique(piece.values[piece.present]).tolist())
    numbers = np.array(sorted(occurring), np.int64)
    if len(numbers) > MISSING:
        raise AnalysisError(
            f"{len(numbers):,} classes occur in the text, and at most {MISSING} can be shown; ask for one of them, "
            "such as part_of_speech == noun"
        )
    _, scale = classes(numbers, np.ones(len(numbers), bool), labels.names)
    levels = [
        np.where(piece.present, np.searchsorted(numbers, piece.values), MISSING).astype(np.uint8)
        for piece in _pieces(labels)
    ]
    return np.concatenate(levels), scale


def _numeric(labels: AnyLabels) -> tuple[Levels, Scale]:
    return _on_one_scale(
        lambda: (np.where(piece.present, piece.values, np.nan) for piece in _pieces(labels)), len(labels)
    )


def _on_one_scale(
    pieces: Callable[[], Iterator[NDArray[np.float64]]], n_chars: int, low: float | None = None
) -> tuple[Levels, Scale]:
    """Quantise numbers that come piece by piece, twice, on the scale of `sequential`.

    Of many, the full colour is that of the upper tenth of a sample; the ends are exact.
    """
    every = -(-n_chars // _SAMPLED)
    sampled: list[NDArray[np.float64]] = []
    position = 0
    for piece in pieces():
        sampled.append(piece[-position % every :: every])
        position += len(piece)
        present = piece[np.isfinite(piece)]
        if len(present) and every > 1:
            broken = present[present != np.round(present)][:1]  # so that whole numbers are known as such
            sampled.append(np.array([present.min(), present.max(), *broken]))
    _, scale = sequential(np.concatenate(sampled), low)
    return np.concatenate([scale.levels(piece) for piece in pieces()]), scale


def guessable(source: Source) -> tuple[str, ...]:
    """Return the characters that the ids of `guesses_tile` count; empty if the source has no guesses."""
    guesses = guesses_of_vocabulary(source, slice(0, min(1, len(source.corpus))))
    return () if guesses is None else guesses.characters


def guesses_tile(source: Source, kind: Literal["guess_ids", "guess_levels"], number: int) -> bytes | None:
    """Return the guesses of a tile, or their probabilities; None if the source has none.

    They are the parts of a container (`tiles.container_of`), but that the ids count the whole vocabulary.
    """
    start = number * TILE_CHARS
    guesses = guesses_of_vocabulary(source, slice(start, min(start + TILE_CHARS, len(source.corpus))))
    if guesses is None:
        return None
    return (guesses.ids.astype("<u2") if kind == "guess_ids" else guesses.levels).tobytes()
