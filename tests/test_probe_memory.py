"""Memory that commands take for long texts: by the operating system where a process is started, else by tracemalloc."""

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from planting import Arrays

from activations.blocks import Block
from activations.models.evaluation import losses
from activations.recordings.format.codings import CODINGS
from activations.recordings.format.layout import SiteFacts
from activations.recordings.recorder import new_recording
from activations.texts.corpus import Corpus
from activations.texts.lanes import BLOCK_CHARS
from activations.texts.vocab import Vocabulary
from activations.units import Site, Unit
from analyses.intervals.estimates import mean_interval
from analyses.ranking.explaining.explanation import explain
from analyses.ranking.explaining.tuning import tune
from analyses.targets.classes import classes_of
from analyses.targets.labelling import label_in_pieces, target_of_labels
from hypotheses.describing.summary import summarise
from hypotheses.labels import Labels
from hypotheses.registry import get

MB = 1_000_000
N_CHARS = 8 * MB
MEASURE = """
import os, subprocess, sys
process = subprocess.Popen([sys.executable, "-m", "probe", *sys.argv[1:]])
_, status, used = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def peak_bytes(*arguments: str | Path) -> int:
    """Of `probe`, started from a small process: what one is started from counts for its own peak."""
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    status, n_bytes = found.stdout.split()[-2:]
    assert status == "0", found.stderr
    return int(n_bytes)


@contextmanager
def peak_of_python() -> Iterator[SimpleNamespace]:
    """The most bytes that Python and numpy had at one time, beyond those before: `n_bytes`, afterwards."""
    found = SimpleNamespace(n_bytes=0)
    tracemalloc.start()
    try:
        yield found
        found.n_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture
def texts(code_text: str) -> list[Path]:
    """Eight documents of a million characters each."""
    document = (code_text * (MB // len(code_text) + 1))[:MB]
    paths = [Path(f"{n}.py") for n in range(8)]
    for path in paths:
        path.write_text(document, encoding="utf-8")
    return paths


def test_a_text_takes_a_byte_for_each_of_its_characters(texts: list[Path]) -> None:
    with peak_of_python() as peak:
        corpus = Corpus.read(*texts)
    assert corpus.codes.nbytes == len(corpus) == N_CHARS
    assert peak.n_bytes < 3 * N_CHARS  # the pieces, the whole, and one document


def test_labels_are_counted_in_few_bytes_a_character(texts: list[Path]) -> None:
    corpus = Corpus.read(*texts)
    asked = get("position_in_line")
    asked("compiled")
    with peak_of_python() as peak:
        found = summarise(label_in_pieces(corpus, asked))
    assert found.n_chars == N_CHARS
    assert peak.n_bytes < 6 * N_CHARS  # as numbers of eight bytes they would be 64 MB, and were held three times


class ConstantModel:
    """Finds every character alike probable."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.sites: dict[Site, int] = {}

    def start(self, n_lanes: int) -> torch.Tensor:
        return torch.zeros(n_lanes, 1)

    def read(
        self, ids: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, dict[Site, torch.Tensor], torch.Tensor]:
        return torch.zeros(*ids.shape, len(self.vocabulary)), {}, state


def test_losses_take_few_bytes_a_character(texts: list[Path]) -> None:
    corpus = Corpus.read(*texts)
    model = ConstantModel(Vocabulary.of([corpus.text(0, 10_000)]))
    with peak_of_python() as peak:
        found = losses(model, corpus)
        low, high = mean_interval(found.nats)
    assert len(found.nats) == len(found.right) == N_CHARS - len(texts)
    assert np.isnan([low, high]).all()  # the loss never changes
    assert found.nats.nbytes + found.right.nbytes <= 5 * N_CHARS
    assert peak.n_bytes < 11 * N_CHARS


def test_unknown_characters_are_counted_in_little_memory() -> None:
    corpus = Corpus.from_texts(["ab" * (N_CHARS // 2)])
    with peak_of_python() as peak:
        n_replaced = Vocabulary("\N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER}").check(
            corpus, replace_unknown=True
        )
    assert n_replaced == N_CHARS
    assert peak.n_bytes < 6 * N_CHARS


def test_a_recording_is_checked_in_less_memory_than_it_takes_on_the_disk() -> None:
    """A file of 512 MB; a process that holds nothing of it has a tenth of a GB."""
    site, n_units = Site.of(0, "hidden"), 256
    corpus = Corpus.from_texts(["ab" * (MB // 2)])
    with new_recording(
        Path("large.h5"), corpus, Vocabulary("ab"), {site: SiteFacts(n_units, CODINGS["float16"])}, predictions=False
    ) as recorder:
        for start in range(0, len(corpus), 64 * BLOCK_CHARS):
            n_chars = min(64 * BLOCK_CHARS, len(corpus) - start)
            recorder.write(Block(start, {site: np.zeros((n_chars, n_units), np.float16)}))
    assert Path("large.h5").stat().st_size > 512 * MB
    assert peak_bytes("check", "large.h5") < 300 * MB


def test_hypotheses_are_shown_in_little_memory(texts: list[Path]) -> None:
    """Loading the program takes 0.15 GB."""
    assert peak_bytes("hypotheses", "--show", "position_in_line", *texts) < 300 * MB


def test_a_unit_is_explained_in_twice_the_memory_that_it_takes(rng: np.random.Generator) -> None:
    """Beside what the source gives, in float32."""
    n_chars = 4 * MB
    values = rng.normal(size=n_chars).astype(np.float32)
    source = Arrays({Site.of(0, "hidden"): values[:, None]})
    asked = target_of_labels(source.corpus, "high", Labels(values > 1, "binary"))
    with peak_of_python() as peak:
        tune(values, asked, classes_of(asked))
    assert peak.n_bytes < 1.5 * values.nbytes
    with peak_of_python() as peak:
        explain(source, Unit(Site.of(0, "hidden"), 0), [])
    assert peak.n_bytes < 2.5 * values.nbytes
