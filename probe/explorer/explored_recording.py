"""A recording that the explorer shows: its facts, and its units and losses as tracks."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.predictions import LOG_PROB
from activations.recordings.recording import Recording
from activations.site_names import select_units
from activations.units import Unit
from analyses.session import Session
from probe.explorer.held_model import HeldModel
from probe.explorer.requests import (
    RequestError,
    TileKind,
)
from probe.explorer.sidecar.sidecar import SidecarStatus
from probe.explorer.sidecar.unit_levels import UnitLevels
from probe.explorer.whole_tracks import WholeTrack, guessable, guesses_tile, track_of_losses
from probe.viewer.page.tiles import cells_tile, header_of_corpus, n_tiles, text_tile, track_header

Levels = NDArray[np.uint8]


class Track(Protocol):
    """A value for each character of a text."""

    def header(self) -> dict[str, Any]:
        """Return what a page has to know of the track; see `tiles.track_header`."""
        ...

    def levels(self, start: int, stop: int) -> Levels:
        """(stop − start,) the levels at some characters."""
        ...

    def overview(self, n_bins: int, start: int, stop: int) -> Levels:
        """(2, n_bins) the lowest and the highest level in equal parts of some characters."""
        ...

    def is_overview_whole(self, start: int, stop: int) -> bool:
        """Tell whether every character is in an overview of some, and not a sample of them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _UnitTrack:
    """A unit of a recording as a track."""

    unit: Unit
    of_units: UnitLevels
    has_missing: bool

    def header(self) -> dict[str, Any]:
        return track_header(
            name=str(self.unit),
            kind="unit",
            quantity="activation",
            has_missing=self.has_missing,
            scale=self.of_units.scale(self.unit),
        )

    def levels(self, start: int, stop: int) -> Levels:
        return self.of_units.levels(self.unit, start, stop)

    def overview(self, n_bins: int, start: int, stop: int) -> Levels:
        return self.of_units.overview(self.unit, n_bins, start, stop)

    def is_overview_whole(self, start: int, stop: int) -> bool:
        return self.of_units.is_overview_whole(self.unit.site, start, stop)


class ExploredRecording:
    """A recording that is looked at.

    Attributes:
        name: What tells it from the other one.
        title: A heading.
        recording: The recording, which says what its model reads.
        path: Its file.
        folder: The folder that it is in.
        model_sha256: Hash of the model that was recorded; empty if the recording does not say.
        session: A session of it, for questions.
        levels: The levels of its units.
    """

    def __init__(self, session: Session, recording: Recording, levels: UnitLevels, *, name: str) -> None:
        """Look at a recording, which stays open.

        Args:
            session: A session of the recording.
            recording: The recording.
            levels: The levels of its units.
            name: What tells it from the other one.
        """
        self.name = name
        self.title = recording.path.name
        self.recording = recording
        self.path = recording.path
        self.folder = recording.path.parent
        self.model_sha256 = recording.model_sha256
        self.session = session
        self._has_predictions = LOG_PROB in recording.predictions
        self.levels = levels
        self._lock = Lock()

    @property
    def n_chars(self) -> int:
        """The number of characters of the text."""
        return len(self.session.corpus)

    def facts(self, held: HeldModel) -> dict[str, Any]:
        """Return what the page has to know before anything else."""
        return {
            "name": self.name,
            "title": self.title,
            "n_chars": self.n_chars,
            "header": self._header,
            "sites": [
                {"name": str(site), "n_units": n_units, "signal": site.signal}
                for site, n_units in self.session.sites.items()
            ],
            "text_sha256": self.session.corpus.sha256,
            "model": held.is_there(self.model_sha256),
            "predictions": self._has_predictions,
            "sidecar": asdict(self._sidecar_status()),
        }

    def tile(self, kind: TileKind, number: int) -> bytes:
        """Return a part of a tile of the text; see `tiles.container_of`.

        Raises:
            RequestError: If there is no such tile.
        """
        self.check_tile(number)
        if kind == "text":
            return text_tile(self.session.corpus, number)
        if kind == "cells":
            return cells_tile(self.session.corpus, number)
        part = guesses_tile(self.session, kind, number)
        if part is None:
            raise RequestError("this recording has no guesses of the next character", 404)
        return part

    def check_tile(self, number: int) -> None:
        """Refuse a tile that the text does not have.

        Raises:
            RequestError: If it has no such tile.
        """
        if number >= (n := n_tiles(self.n_chars)):
            raise RequestError(f"there is no tile {number:,}: the text has {n:,}, from 0 on", 404)

    def unit(self, name: str) -> Unit:
        """Return the unit of a name.

        Raises:
            RequestError: If there is none.
        """
        try:
            [unit] = select_units(self.session.sites, name)
        except ActivationError as error:
            raise RequestError(str(error), 404) from error
        return unit

    def unit_track(self, name: str) -> Track:
        """Return a unit as a track."""
        return _UnitTrack(self.unit(name), self.levels, self.session.selection.n_chars < self.n_chars)

    def loss_track(self) -> Track:
        """Return the model's loss as a track, which is made once.

        Raises:
            AnalysisError: If the recording has no predictions.
        """
        with self._lock:
            return self._loss

    def value(self, name: str, position: int) -> float | None:
        """Return the recorded value of a unit at a character; None if there is none.

        Raises:
            RequestError: If there is no such unit or character.
        """
        unit = self.unit(name)
        if position >= self.n_chars:
            raise RequestError(f"there is no character {position:,}: the text has {self.n_chars:,}, from 0 on", 404)
        values = self.session.read([unit.site], position, position + 1)[unit.site][:, unit.index]
        value = float(values[0]) if len(values) else math.nan
        return value if math.isfinite(value) else None

    def _sidecar_status(self) -> SidecarStatus:
        return SidecarStatus(state="none") if self.levels.sidecar is None else self.levels.sidecar.status

    @cached_property
    def _header(self) -> dict[str, Any]:
        return header_of_corpus(self.session.corpus, self.title, guessable(self.session))

    @cached_property
    def _loss(self) -> WholeTrack:
        return track_of_losses(self.session)
