"""Every step on the bundled model and text, from a recording to pictures."""

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from activations.blocks import Source
from activations.files import make_folder
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import load_model
from activations.progress import NotedProgress, no_progress
from activations.reading.extraction import Extraction, extract
from activations.reading.live import LiveActivations
from activations.site_names import select_sites
from activations.texts.corpus import Corpus
from analyses.causes.ablation import Ablation, ablate
from analyses.curves import Curve, curve
from analyses.probing.probes import fit
from analyses.probing.results import ProbeResult
from analyses.ranking.ranking import rank
from analyses.ranking.results import RankedUnit, Ranking
from analyses.session import Session
from analyses.targets.labelling import target
from analyses.targets.splits import TEST
from analyses.targets.target import Target
from probe.plots import figure_of_view, plot_curves, save_figure
from probe.viewer.making import text_view

HYPOTHESES = ("in_quotes", "in_comment", "position_in_line")
SITES = "hidden,cell"
_PASSAGE_LINES = 22
_N_CHARS, _N_MATCHED = 4000, 8  # of the ablation


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The results of the demo for one hypothesis.

    Attributes:
        ranking: The units, ordered by how well each predicts the label.
        probes: A probe for each site; for the first of `HYPOTHESES` also probes of the last characters, without the
            model.
        curve: Probes of the best 1, 2, 4, … units.
        picture: The file with the text, coloured by the best unit.
    """

    ranking: Ranking
    probes: tuple[ProbeResult, ...]
    curve: Curve
    picture: Path

    @property
    def best(self) -> RankedUnit:
        """The unit that predicts the label best."""
        return self.ranking.units[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """The results of `probe demo`, and the files in its folder.

    Attributes:
        extraction: How the text was recorded.
        findings: The results for each of `HYPOTHESES`.
        curves: The file with the picture of the accuracy curves.
        ablation: The best unit for the first of `HYPOTHESES` held at its mean, beside matched units.
    """

    extraction: Extraction
    findings: tuple[Finding, ...]
    curves: Path
    ablation: Ablation


def bundled_model() -> CharRNN:
    """Load the bundled model: an LSTM that was trained on Python source. See `probe/data/README.md`."""
    with as_file(files("probe.data") / "python_lstm.pt") as path:
        return load_model(path)


def bundled_text() -> Corpus:
    """Read the bundled text: modules of Python's standard library that the bundled model was not trained on."""
    with as_file(files("probe.data") / "python.py.txt") as path:
        return Corpus.from_texts([path.read_text(encoding="utf-8")], ["python.py.txt"])


def bundled_activations() -> LiveActivations:
    """Let the bundled model read the bundled text."""
    return LiveActivations(bundled_model(), bundled_text(), replace_unknown=True)


def run_demo(folder: Path, progress: NotedProgress = no_progress) -> Demo:
    """Record the bundled model reading the bundled text, and ask what it knows.

    Args:
        folder: Where the recording and the pictures go; it is made if it does not exist.
        progress: Called with the number of steps done, their total, and the name of the next.

    Raises:
        ActivationError: If the folder cannot be written to.
    """
    make_folder(folder)
    n_steps = 1 + 3 * len(HYPOTHESES) + 2
    progress(0, n_steps, "reading the text")
    live = bundled_activations()
    extraction = extract(live, folder / "activations.h5", sites=select_sites(live.sites, SITES))
    with Session(extraction.path) as session:
        findings = []
        for number, name in enumerate(HYPOTHESES):
            labelled = target(session.corpus, name)
            progress(1 + 3 * number, n_steps, f"ranking units for {name}")
            ranking = rank(session, labelled)
            progress(2 + 3 * number, n_steps, f"fitting probes for {name}")
            probes = fit(session, labelled, controls="chars" if number == 0 else ())
            progress(3 + 3 * number, n_steps, f"a curve for {name}")
            units_curve = curve(session, labelled)
            picture = folder / f"text_{name}.png"
            _draw_passage(session, labelled, ranking.units[0], picture)
            findings.append(Finding(ranking=ranking, probes=tuple(probes), curve=units_curve, picture=picture))
        best = findings[0].best.unit
        progress(n_steps - 2, n_steps, f"holding unit {best} at its mean")
        ablation = ablate(live, HYPOTHESES[0], best, n_chars=_N_CHARS, n_matched=_N_MATCHED)
        progress(n_steps - 1, n_steps, "drawing")
        curves = folder / "curves.png"
        _draw_curves([finding.curve for finding in findings], curves)
    progress(n_steps, n_steps, "")
    return Demo(extraction=extraction, findings=tuple(findings), curves=curves, ablation=ablation)


def _draw_curves(curves: list[Curve], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(curves), 3.8), layout="constrained")
    for number, units_curve in enumerate(curves):
        plot_curves(units_curve, figure.add_subplot(1, len(curves), number + 1))
    save_figure(figure, path)


def _draw_passage(source: Source, labelled: Target, best: RankedUnit, path: Path) -> None:
    """Colour the held-out lines in which the label changes most often by the activation of the best unit."""
    start, stop = _passage(source.corpus, labelled)
    measure = f"held-out {'AUC' if labelled.kind == 'binary' else '|r|'} {best.held_out:.3f}"
    view = text_view(
        source,
        units=best.unit,
        hypotheses=labelled,
        span=(start, stop),
        title=f"{labelled.hypothesis}: unit {best.unit}, {measure}",
    )
    save_figure(figure_of_view(view.units_first()), path)


def _passage(corpus: Corpus, labelled: Target) -> tuple[int, int]:
    """Find the held-out run of whole lines in which the label changes most often: its start and stop."""
    lines = np.flatnonzero(np.concatenate([[True], corpus.codes[:-1] == ord("\n")]))
    starts, stops = lines[:-_PASSAGE_LINES], lines[_PASSAGE_LINES:] - 1
    split = labelled.split
    held_out = split.parts(0, len(corpus)) == TEST
    within = held_out[starts] & (split.stretch(starts) == split.stretch(stops))
    changes = np.concatenate([[0], np.cumsum(np.diff(labelled.labels.values.astype(np.float64)) != 0)])
    n_changes = np.where(within, changes[stops] - changes[starts], -1)
    best = int(np.argmax(n_changes))
    return int(starts[best]), int(stops[best])
