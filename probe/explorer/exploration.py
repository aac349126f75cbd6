"""What the explorer's server holds: recordings, their levels, labels by name, and the answers to short requests."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, no_progress
from activations.recordings.recording import Recording
from analyses.causes.directions import probe_direction
from analyses.levels.columns import ReadingLimits
from analyses.session import Session
from analyses.targets.labelling import target_of_labels
from hypotheses.registry import registered
from hypotheses.spelling import quoted
from hypotheses.user_files import NamedFiles
from probe.explorer.explored_recording import ExploredRecording, Track
from probe.explorer.held_model import HeldModel
from probe.explorer.label_sets import LabelSet, LabelSets, labelled_by
from probe.explorer.questions.rankings.ranking import rank_labels
from probe.explorer.requests import (
    LabelsRequest,
    LevelsRequest,
    OverviewRequest,
    RankRequest,
    RequestError,
    TileRequest,
    TrackName,
    ValueRequest,
)
from probe.explorer.sidecar.sidecar import Sidecar
from probe.explorer.sidecar.unit_levels import UnitLevels
from probe.explorer.waiting import held
from probe.viewer.cells import TILE_CHARS

Levels = NDArray[np.uint8]
_REMEMBERED_BYTES = 96 << 20  # by the sessions of all recordings together
_LIMITS = ReadingLimits(whole_bytes=1 << 27, statistic_bytes=1 << 27)  # of one question


class Exploration:
    """The recordings that are looked at, and what was asked of them; several threads may use it.

    Attributes:
        recordings: The recordings.
        files: The only files that hypotheses may be taken from.
        held: The model of the recordings: the one that was named, or the bundled one.
        probes: Kept probes whose directions can be added, by their names.
        labels: The labels that were asked for last.
    """

    def __init__(
        self,
        recordings: Sequence[ExploredRecording],
        *,
        files: NamedFiles | None = None,
        model: Path | None = None,
        probes: Sequence[Path] = (),
        version: str = "",
    ) -> None:
        self.recordings = list(recordings)
        self.files = files or NamedFiles()
        self.held = HeldModel(model)
        self.probes = {str(path): probe_direction(path) for path in probes}
        self.labels = LabelSets()
        self._version = version
        self._whole = Lock()

    def facts(self) -> dict[str, Any]:
        """Return what the page has to know before anything else."""
        return {
            "recordings": [recording.facts(self.held) for recording in self.recordings],
            "hypotheses": list(self._hypotheses()),
            "version": self._version,
        }

    def tile(self, wanted: TileRequest) -> bytes:
        """Return a part of a tile of a text."""
        return self.recording(wanted.recording).tile(wanted.kind, wanted.tile)

    def track(self, wanted: TrackName) -> dict[str, Any]:
        """Return what a page has to know of a track."""
        return self._track(wanted).header()

    def levels(self, wanted: LevelsRequest) -> bytes:
        """Return the levels of a tile, a byte for each character."""
        recording, track = self.recording(wanted.track.recording), self._track(wanted.track)
        recording.check_tile(wanted.tile)
        start = wanted.tile * TILE_CHARS
        return track.levels(start, min(start + TILE_CHARS, recording.n_chars)).tobytes()

    def overview(self, wanted: OverviewRequest) -> bytes:
        """Return the lowest levels of equal parts of a text, and then the highest, a byte each."""
        track, stop = self._track(wanted.track), self._stop(wanted)
        return track.overview(wanted.n_bins, wanted.start, stop).tobytes()

    def is_overview_whole(self, wanted: OverviewRequest) -> bool:
        """Tell whether an overview has every character, and is no sample."""
        return self._track(wanted.track).is_overview_whole(wanted.start, self._stop(wanted))

    def _stop(self, wanted: OverviewRequest) -> int:
        n_chars = self.recording(wanted.track.recording).n_chars
        stop = n_chars if wanted.stop is None else wanted.stop
        if not wanted.start < stop <= n_chars:
            raise RequestError(
                f"the characters {wanted.start:,} to {stop:,} are not in the text, which has {n_chars:,}; ask for some "
                "that are"
            )
        return stop

    def value(self, wanted: ValueRequest) -> dict[str, Any]:
        """Return the exact value of a unit at a character."""
        return {"value": self.recording(wanted.track.recording).value(wanted.track.name, wanted.position)}

    def label(self, wanted: LabelsRequest) -> LabelSet:
        """Label a text, and keep the labels.

        Raises:
            HypothesisError: If there is no such hypothesis, or it fails on this text.
            AnalysisError: If its labels cannot be shown.
        """
        labelled = labelled_by(self.recording(wanted.recording).session, wanted.hypothesis, self.files)
        self.labels.keep(labelled)
        return labelled

    def rank(
        self, wanted: RankRequest, part: Callable[[dict[str, Any]], object], progress: Progress = no_progress
    ) -> dict[str, Any]:
        """Rank units for labels that were asked for before; see `questions.ranking.rank_labels`.

        Args:
            wanted: Which.
            part: Called with what is known early.
            progress: Called with the amount done and the total.
        """
        recording = self.recording(wanted.recording)
        session, levels_at = recording.session, recording.levels.levels_at
        labelled = self.labelled(wanted.labels, session)
        target = target_of_labels(session.corpus, labelled.hypothesis, labelled.labels, selection=session.selection)
        return rank_labels(
            session, target, sites=wanted.sites, levels_at=levels_at, alone=self.alone, say=part, progress=progress
        )

    def alone(self, progress: Progress) -> AbstractContextManager[None]:
        """Let one question about the whole recording go on at a time: it takes all cores, and hundreds of megabytes.

        Args:
            progress: Called while another one goes on; what it raises ends the waiting.
        """
        return held(self._whole, lambda: progress(0, 1))

    def recording(self, number: int) -> ExploredRecording:
        """Return the recording of a number.

        Raises:
            RequestError: If there is none.
        """
        if number >= len(self.recordings):
            raise RequestError(f"there is no recording {number:,}; there are {len(self.recordings)}, from 0 on", 404)
        return self.recordings[number]

    def _track(self, wanted: TrackName) -> Track:
        recording = self.recording(wanted.recording)
        if wanted.kind == "loss":
            return recording.loss_track()
        if wanted.kind == "labels":
            return self.labelled(wanted.name, recording.session).track
        return recording.unit_track(wanted.name)

    def labelled(self, identity: str, session: Session) -> LabelSet:
        """Return labels that were made before.

        Raises:
            RequestError: If they are not kept any more, or are of another text.
        """
        labelled = self.labels.find(identity)
        if labelled is None or labelled.corpus_sha256 != session.corpus.sha256:
            raise RequestError("these labels are not kept here any more; ask for them once more by their name", 404)
        return labelled

    def _hypotheses(self) -> Iterator[dict[str, Any]]:
        for name, hypothesis in registered().items():
            if not hypothesis.parameters.file:
                yield {
                    "name": name,
                    "spelling": hypothesis.spelling,
                    "kind": hypothesis.kind,
                    "description": hypothesis.summary,
                    "in_file": False,
                }
        for spelled, hypothesis in self.files.hypotheses.items():
            yield {
                "name": quoted(spelled),
                "spelling": quoted(spelled),
                "kind": hypothesis.kind,
                "description": hypothesis.summary,
                "in_file": True,
            }
        for path in sorted(self.files.label_files):
            name = f"labels:{quoted(str(path))}"
            yield {"name": name, "spelling": name, "kind": None, "description": f"Labels from {path}.", "in_file": True}


@contextmanager
def opened(
    paths: Sequence[Path],
    *,
    sidecar_bytes: int | None = None,
    files: NamedFiles | None = None,
    model: Path | None = None,
    probes: Sequence[Path] = (),
    version: str = "",
) -> Iterator[Exploration]:
    """Open recordings, and look at them until the block ends.

    Args:
        paths: One recording or several.
        sidecar_bytes: The size that the sidecar of each may have; 0 is none, and None the default. It is made in the
            background.
        files: The only files that hypotheses may be taken from.
        model: The model of the recordings.
        probes: Kept probes whose directions can be added while the model writes.
        version: That of this program.

    Raises:
        ActivationError: If a recording cannot be opened.
        AnalysisError: If its rows are not characters.
    """
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    with ExitStack() as stack:
        recordings = []
        for path, name in zip(paths, names, strict=True):
            recording = stack.enter_context(Recording(path))
            session = stack.enter_context(
                Session(recording, memory_bytes=_REMEMBERED_BYTES // len(paths), limits=_LIMITS)
            )
            sidecar = None if sidecar_bytes == 0 else stack.enter_context(_started(session, sidecar_bytes))
            recordings.append(ExploredRecording(session, recording, UnitLevels(session, sidecar), name=name))
        yield Exploration(recordings, files=files, model=model, probes=probes, version=version)


@contextmanager
def _started(session: Session, budget: int | None) -> Iterator[Sidecar]:
    sidecar = Sidecar(session, budget=budget)
    sidecar.start()
    try:
        yield sidecar
    finally:
        sidecar.close()
