"""Untrained twins of a model as controls: what probes read from networks that have learned nothing."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from activations.blocks import Source
from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import load_model, model_sha256
from activations.models.twins import TWINS, twin
from activations.progress import NotedProgress, Progress, no_progress
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.units import Site, Unit, in_order, units_of
from analyses.probing.options import DEFAULT_OPTIONS, FitOptions
from analyses.probing.probes import fit_units
from analyses.probing.results import ProbeResult
from analyses.session import Session
from analyses.targets.labelling import AnyHypothesis
from analyses.targets.target import Target


def fit_untrained_twins(
    source: Source,
    model: CharRNN | Path | str,
    hypotheses: Sequence[AnyHypothesis | Target],
    designs: Sequence[Sequence[Unit]] | None = None,
    *,
    options: FitOptions = DEFAULT_OPTIONS,
    progress: NotedProgress = no_progress,
) -> list[ProbeResult]:
    """Fit the same probes to untrained twins of a model that read the same text, as controls.

    There are two twins: one with fresh weights, and one with the model's own weights, shuffled within each matrix. If
    the source is a recording, those of the twins are made beside it, and used again the next time.

    Args:
        source: A recording or live activations of the trained model.
        model: The trained model, or its checkpoint.
        hypotheses: Names, functions, or targets made before.
        designs: The units that each probe sees; None is a probe for each site.
        options: How to fit and judge the probes; its seed also draws the twins' weights.
        progress: Called with what is done, how much there is to do, and which twin is at work.

    Returns:
        A result for each twin, hypothesis and design; its `control` is the kind of twin.

    Raises:
        ActivationError: If the model is not that of the source, or a recording cannot be written.
    """
    if designs is None:
        designs = [units_of(source.sites, [site]) for site in source.sites]
    sites = in_order(source.sites, (unit.site for units in designs for unit in units))
    trained = model if isinstance(model, CharRNN) else trained_model(source, Path(model), sites)
    results = []
    for kind in TWINS:

        def report(done: int, total: int, note: str = f"{kind} weights") -> None:
            progress(done, total, note)

        with untrained_twin(source, trained, kind, sites, seed=options.seed, progress=report) as twin_source:
            probes = fit_units(twin_source, hypotheses, designs, options=options, progress=report)
        results += [replace(probe, control=kind) for probe in probes]
    return results


@contextmanager
def untrained_twin(
    source: Source,
    trained: CharRNN,
    kind: str,
    sites: Collection[Site],
    *,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Iterator[Source]:
    """Yield an untrained twin of a source's model that reads the same text in the same way.

    If the source is a recording, the twin is recorded beside it, and that recording is used again the next time.

    Args:
        source: A recording or live activations of the trained model.
        trained: The trained model; see `trained_model`.
        kind: One of `activations.models.twins.TWINS`.
        sites: What is recorded of the twin.
        seed: Seed of the twin's weights.
        progress: Called with the characters recorded and their number.

    Raises:
        ActivationError: If the recording cannot be written.
    """
    activations = source.source if isinstance(source, Session) else source
    live = live_twin(source, trained, kind, seed)
    if not isinstance(activations, Recording):
        yield live
        return
    path = record_twin(live, activations.path.with_suffix(f".{kind}.h5"), sites, progress)
    with Recording(path) as recording:
        yield recording


def trained_model(source: Source, path: Path, sites: Collection[Site]) -> CharRNN:
    """Load the model that made a source's activations, so that twins of it can be made.

    Raises:
        ActivationError: If the file is not that model's, or no model's.
    """
    trained = load_model(path)
    if not set(sites) <= set(trained.sites):
        raise ActivationError(f"{path} lacks sites that are asked for, so it is not the model that was recorded")
    recording = source.source if isinstance(source, Session) else source
    trained.reading_rule = source.reading_rule
    if isinstance(recording, Recording) and recording.description.get("model_sha256") != model_sha256(trained):
        raise ActivationError(f"{path} is not the model that {recording.path} is a recording of; name that one")
    return trained


def live_twin(source: Source, trained: CharRNN, kind: str, seed: int = 0) -> LiveActivations:
    """Let an untrained twin read the text of a source, in the same way as the source if that is live.

    Args:
        source: Whose text, and which of its characters, to read.
        trained: The trained model; see `trained_model`.
        kind: One of `activations.models.twins.TWINS`.
        seed: Seed of the twin's weights.
    """
    activations = source.source if isinstance(source, Session) else source
    twin_model = twin(trained, kind, seed)
    if isinstance(activations, LiveActivations):
        return activations.with_model(twin_model)
    return LiveActivations(
        twin_model,
        source.corpus,
        rule=source.reading_rule,
        stand_in=source.vocabulary.replacement,
        selection=source.selection,
    )


def record_twin(
    live: LiveActivations,
    path: Path,
    sites: Collection[Site],
    progress: Progress = no_progress,
) -> Path:
    """Record an untrained twin reading a text, unless the same recording is there already.

    Args:
        live: The twin and the text; see `live_twin`.
        path: Where the recording goes, or is.
        sites: What to record.
        progress: Called with the characters done and their number.

    Raises:
        ActivationError: If the recording cannot be written.
    """
    if not (path.exists() and _is_recording_of(path, live, sites)):
        extract(live, path, sites=sites, predictions=False, progress=progress)
    return path


def _is_recording_of(path: Path, live: LiveActivations, sites: Collection[Site]) -> bool:
    try:
        with Recording(path) as recording:
            return (
                recording.description.get("model_sha256") == live.model_sha256
                and recording.corpus.sha256 == live.corpus.sha256
                and recording.selection == live.selection
                and recording.vocabulary == live.vocabulary
                and set(sites) <= set(recording.sites)
            )
    except ActivationError:
        return False
