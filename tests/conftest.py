"""What several test files need: planted recordings, hand-made models, and texts that may be elsewhere."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import profiles  # noqa: F401
import pytest
import torch
from chromium import CHROMIUM
from commands import Command
from planting import PLANTED, SITES

from activations.blocks import Block
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.recordings.format.codings import CODINGS
from activations.recordings.format.grid import Grid
from activations.recordings.format.layout import SiteFacts
from activations.recordings.recorder import new_recording
from activations.texts.corpus import Corpus
from activations.texts.lanes import BLOCK_CHARS
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from hypotheses.registry import get
from probe.cli import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `probe` with some arguments: its exit status, standard output and standard error."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["probe", *map(str, arguments)])
        status = 0
        handlers = {number: signal.getsignal(number) for number in numbers}
        try:
            main()
        except SystemExit as error:
            status = int(error.code or 0)
        finally:
            for number, handler in handlers.items():  # `probe` has its own, and ignores signals once it has ended
                signal.signal(number, handler)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium for all tests of a file."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install char-probe[dev])")
    if CHROMIUM is None:
        pytest.skip("needs Chromium (apt-get install chromium)")
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of large real texts, which are not part of the project."""
    folder = Path(os.environ.get("CHAR_PROBE_TEXTS", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("needs the large real texts; name their folder in CHAR_PROBE_TEXTS")
    return folder


@pytest.fixture(scope="session")
def code_text() -> str:
    """Generated Python with quotations, comments and lines of all lengths."""
    rng = np.random.default_rng(1)
    words = ["spam", "eggs", "ham", "x", "y2", "lorem", "ipsum"]
    lines = []
    for _ in range(1500):
        chosen = rng.choice(words, 4)
        kinds = (
            f"{chosen[0]} = {chosen[1]}",
            f'{chosen[0]} = "{chosen[1]} {chosen[2]}"',
            f"{chosen[0]}  # {chosen[1]} {chosen[2]} {chosen[3]}",
            "",
        )
        lines.append(str(rng.choice(kinds)))
    return "\n".join(lines)


@pytest.fixture(scope="session")
def planted(code_text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of noise in which one unit for each of `PLANTED` knows its hypothesis, with noise on top.

    The one for quotes is silent inside.
    """
    rng = np.random.default_rng(2)
    corpus = Corpus.from_texts([code_text[:9000], code_text[9000:]], ["first.py", "second.py"])
    values = {site: rng.normal(0, 0.3, (len(corpus), n_units)) for site, n_units in SITES.items()}
    for name, unit in PLANTED.items():
        labels = np.concatenate([get(name)(corpus.text(d.start, d.stop)).values for d in corpus.documents])
        sign = -1 if name == "in_quotes" else 1
        values[unit.site][:, unit.index] += sign * labels * (1.0 if labels.dtype == bool else 0.05)
    stored = {site: array.astype("f4" if site.signal == "cell" else "f2") for site, array in values.items()}
    path = tmp_path_factory.mktemp("planted") / "activations.h5"
    grid = Grid(corpus.documents, Selection.of(len(corpus)), BLOCK_CHARS)
    layout = {site: SiteFacts(SITES[site], CODINGS[array.dtype.name]) for site, array in stored.items()}
    with new_recording(path, corpus, Vocabulary.of([code_text]), layout, predictions=False) as recorder:
        for start, stop in zip(grid.starts, grid.stops, strict=True):
            recorder.write(Block(int(start), {s: a[start:stop].copy() for s, a in stored.items()}))
    return path


@pytest.fixture
def copying_model(code_text: str) -> CharRNN:
    """Unit k of layer 0 is 1 exactly where character k has just been read."""
    vocabulary = Vocabulary.of([code_text])
    n = len(vocabulary)
    model = CharRNN(ModelConfig(cell="rnn_relu", n_layers=1, n_units=n), vocabulary).eval()
    weights = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    weights["rnn.weight_ih_l0"] = torch.eye(n)
    model.load_state_dict(weights)
    return model


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test leaves files in the checkout, or finds labels that another kept."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield
