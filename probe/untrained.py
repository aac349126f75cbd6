"""What an untrained twin of a model makes of the same text."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from activations.blocks import Source
from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import load_model, model_sha256
from activations.models.twins import twin
from activations.progress import Progress, no_progress
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.units import Site
from analyses.session import Session


def trained_model(source: Source, path: Path, sites: Collection[Site]) -> CharRNN:
    """The model that a source is of, to make twins of it.

    Raises:
        ActivationError: If the file is not that model's, or no model's.
    """
    trained = load_model(path)
    if not set(sites) <= set(trained.sites):
        raise ActivationError(f"{path} has not the sites that are asked for, so that it is not the model recorded here")
    recording = source.source if isinstance(source, Session) else source
    trained.reading_rule = source.reading_rule
    if isinstance(recording, Recording) and recording.description.get("model_sha256") != model_sha256(trained):
        raise ActivationError(f"{path} is not the model that {recording.path} is a recording of; name that one")
    return trained


def live_twin(source: Source, trained: CharRNN, how: str) -> LiveActivations:
    """An untrained twin that reads the text of a source, and in the same way, if that is live.

    Args:
        source: Whose text, and which characters of it, to read.
        trained: The trained model; see `trained_model`.
        how: See `activations.models.twins.twin`.
    """
    made = twin(trained, how)
    read = source.source if isinstance(source, Session) else source
    as_before: dict[str, Any] = {}
    if isinstance(read, LiveActivations):
        names = ("n_lanes", "warm_up_chars", "compute", "interventions")
        as_before = {name: getattr(read, name) for name in names}
    return LiveActivations(
        made,
        source.corpus,
        rule=source.reading_rule,
        stand_in=source.vocabulary.replacement,
        selection=source.selection,
        **as_before,
    )


def record_twin(
    live: LiveActivations,
    path: Path,
    sites: Collection[Site],
    progress: Progress = no_progress,
) -> Path:
    """Record an untrained twin reading a text, unless that has been done before.

    Args:
        live: See `live_twin`.
        path: Where the recording goes, or is.
        sites: What to record.
        progress: Called with the characters done and their number.

    Raises:
        ActivationError: If the recording cannot be written.
    """
    if not (path.exists() and _is_of(path, live, sites)):
        extract(live, path, sites=sites, predictions=False, progress=progress)
    return path


def _is_of(path: Path, live: LiveActivations, sites: Collection[Site]) -> bool:
    try:
        with Recording(path) as found:
            return (
                found.description.get("model_sha256") == live.model_sha256
                and found.corpus.sha256 == live.corpus.sha256
                and found.selection == live.selection
                and found.vocabulary == live.vocabulary
                and set(sites) <= set(found.sites)
            )
    except ActivationError:
        return False
