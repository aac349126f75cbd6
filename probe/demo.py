"""Every step on the bundled model and text, from a recording to a report."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from activations.blocks import Source
from activations.errors import ActivationError
from activations.files import make_folder, replacing
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import load_model
from activations.progress import NotedProgress, no_progress
from activations.reading.extraction import Extraction, extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.site_names import select_sites
from activations.texts.corpus import Corpus
from analyses.curves import Curve
from analyses.ranking.results import RankedUnit
from analyses.session import Session
from analyses.targets.many_hypotheses import targets_of
from analyses.targets.target import Target
from probe.plots import figure_of_view, plot_curves, save_figure
from probe.reporting.content import Report
from probe.reporting.inputs import Inputs
from probe.reporting.measuring import ReportOptions, make_report
from probe.reporting.page.page import write_report
from probe.reporting.passages import held_out_lines
from probe.viewer.making import text_view

HYPOTHESES = ("in_quotes", "in_comment", "position_in_line")
SITES = "hidden,cell"
_BUNDLED_MODEL, _MODEL, _RECORDING = "python_lstm.pt", "model.pt", "activations.h5"
_PASSAGE_LINES, _PASSAGE_CHARS = 22, 2_000
_OPTIONS = ReportOptions(n_curves=len(HYPOTHESES), n_chars=4_000, n_matched=8, has_units=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The results of `probe demo`, and the files in its folder.

    Attributes:
        extraction: How the text was recorded.
        report: What is known of each of `HYPOTHESES`.
        model: The file with the bundled model.
        page: The file with the report.
        pictures: For each hypothesis, the file with the text, coloured by the best unit.
        curves: The file with the picture of the accuracy curves.
    """

    extraction: Extraction
    report: Report
    model: Path
    page: Path
    pictures: Mapping[str, Path]
    curves: Path


def bundled_model() -> CharRNN:
    """Load the bundled model: an LSTM that was trained on Python source. See `probe/data/README.md`."""
    with as_file(files("probe.data") / _BUNDLED_MODEL) as path:
        return load_model(path)


def bundled_text() -> Corpus:
    """Read the bundled text: modules of Python's standard library that the bundled model was not trained on."""
    with as_file(files("probe.data") / "python.py.txt") as path:
        return Corpus.from_texts([path.read_text(encoding="utf-8")], ["python.py.txt"])


def bundled_activations() -> LiveActivations:
    """Let the bundled model read the bundled text."""
    return LiveActivations(bundled_model(), bundled_text(), replace_unknown=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledRecording:
    """The recording of the bundled model reading the bundled text.

    Attributes:
        path: The file with the recording.
        model: The file with the bundled model.
    """

    path: Path
    model: Path


def bundled_recording(folder: Path, progress: NotedProgress = no_progress) -> BundledRecording:
    """Record the bundled model reading the bundled text, unless that recording is in the folder already.

    Args:
        folder: Where the recording and the model go; it is made if it does not exist.
        progress: Called with the amount done, the total, and the name of what is done now.

    Raises:
        ActivationError: If the folder cannot be written to.
    """
    path, model = folder / _RECORDING, folder / _MODEL
    live = bundled_activations()
    if not (_is_bundled(path, live) and model.exists()):
        make_folder(folder)
        _write_model(model)
        progress(0, 1, "reading the text")
        extract(
            live, path, sites=select_sites(live.sites, SITES), progress=lambda done, total: progress(done, total, "")
        )
    return BundledRecording(path=path, model=model)


def _is_bundled(path: Path, live: LiveActivations) -> bool:
    """Tell whether a file is a recording of the bundled model and text."""
    try:
        with Recording(path) as recording:
            return (recording.model_sha256, recording.corpus.sha256) == (live.model_sha256, live.corpus.sha256)
    except ActivationError:
        return False


def _write_model(path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes((files("probe.data") / _BUNDLED_MODEL).read_bytes())


def run_demo(folder: Path, progress: NotedProgress = no_progress) -> Demo:
    """Record the bundled model reading the bundled text, and report what it knows.

    Args:
        folder: Where the recording, the model, the report and the pictures go; it is made if it does not exist.
        progress: Called with the amount done, the total, and the name of what is done now.

    Raises:
        ActivationError: If the folder cannot be written to.
    """
    make_folder(folder)
    progress(0, 1, "reading the text")
    model = folder / _MODEL
    _write_model(model)
    live = bundled_activations()
    extraction = extract(live, folder / _RECORDING, sites=select_sites(live.sites, SITES))
    page, curves = folder / "report.html", folder / "curves.png"
    pictures = {name: folder / f"text_{name}.png" for name in HYPOTHESES}
    with Session(extraction.path) as session:
        targets = targets_of(session, HYPOTHESES)
        report = make_report(session, targets, model=live, model_name=model.name, options=_OPTIONS, progress=progress)
        for finding, target in zip(report.findings, targets.made, strict=True):
            _draw_passage(session, target, finding.best[0], pictures[finding.hypothesis])
    _draw_curves([finding.curve for finding in report.findings if finding.curve is not None], curves)
    inputs = Inputs(source=[str(extraction.path)], model=["--model", str(model)])
    write_report(report, page, inputs)
    return Demo(extraction=extraction, report=report, model=model, page=page, pictures=pictures, curves=curves)


def _draw_curves(curves: list[Curve], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(curves), 3.8), layout="constrained")
    for number, units_curve in enumerate(curves):
        plot_curves(units_curve, figure.add_subplot(1, len(curves), number + 1))
    save_figure(figure, path)


def _draw_passage(source: Source, labelled: Target, best: RankedUnit, path: Path) -> None:
    """Colour the held-out lines in which the label changes most often by the activation of the best unit."""
    measure = f"held-out {'AUC' if labelled.kind == 'binary' else '|r|'} {best.held_out:.3f}"
    view = text_view(
        source,
        units=best.unit,
        hypotheses=labelled,
        span=held_out_lines(source, labelled, _PASSAGE_LINES, _PASSAGE_CHARS),
        title=f"{labelled.hypothesis}: unit {best.unit}, {measure}",
    )
    save_figure(figure_of_view(view.units_first()), path)
