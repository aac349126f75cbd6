"""What a GPU computes is what the processor does; all of these need one: `make test-gpu`."""

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Command
from numpy.typing import NDArray
from planting import random_model
from references import KINDS, Kind, name_of, unusual_model

from activations.interventions import Intervention, add, clamp, identity
from activations.models.char_rnn import ModelConfig
from activations.models.checkpoints import save_model
from activations.models.evaluation import losses
from activations.models.sampling import write
from activations.models.training.config import TrainingConfig
from activations.models.training.training import train
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site
from analyses.ranking.ranking import rank

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)


def gathered(live: LiveActivations) -> dict[Site | str, NDArray[Any]]:
    blocks = sorted(live.blocks(predictions=True), key=lambda block: block.start)
    rows = [{**block.values, "log_prob": block.predictions["log_prob"]} for block in blocks]
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}


@every_kind
@pytest.mark.parametrize("n_lanes", [1, 8])
def test_what_is_recorded_on_a_gpu_is_what_the_processor_gives(kind: Kind, n_lanes: int, code_text: str) -> None:
    corpus, model = Corpus.from_texts([code_text[:5000]]), unusual_model(code_text, kind)
    for interventions in (
        [],
        [
            Intervention(Site.of(0, "hidden"), clamp({1: 0.5})),
            Intervention(Site.of(1, "hidden"), add([0.1] * model.config.n_hidden)),
        ],
    ):
        here, there = (
            LiveActivations(
                model,
                corpus,
                n_lanes=n_lanes,
                compute=ComputeOptions(device=device, dtype="float32"),
                interventions=interventions,
            )
            for device in ("cpu", "cuda")
        )
        expected, found = gathered(here), gathered(there)
        for key, values in expected.items():
            np.testing.assert_allclose(found[key], values, atol=1e-3, err_msg=str(key))


@every_kind
def test_identity_changes_nothing_on_a_gpu_bit_for_bit(kind: Kind, code_text: str) -> None:
    corpus, model = Corpus.from_texts([code_text[:3000]]), unusual_model(code_text, kind)
    plain, same = (
        gathered(
            LiveActivations(
                model, corpus, n_lanes=4, compute=ComputeOptions(device="cuda"), interventions=interventions
            )
        )
        for interventions in ([], [Intervention(site, identity()) for site in model.sites])
    )
    for key, values in plain.items():
        np.testing.assert_array_equal(same[key], values)


@every_kind
def test_a_text_is_judged_and_gone_on_with_on_a_gpu_as_on_the_processor(kind: Kind, code_text: str) -> None:
    model, corpus = unusual_model(code_text, kind), Corpus.from_texts([code_text[:1000]])
    here, there = (losses(model, corpus, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.nats, here.nats, atol=1e-3)
    assert model.readout.weight.device.type == "cpu"
    first, other = (next(write(model, 3, prompt=code_text[:50], device=device)) for device in ("cpu", "cuda"))
    torch.testing.assert_close(other.logits, first.logits, rtol=0, atol=1e-3)
    assert other.characters == first.characters
    assert len(list(islice(write(model.to("cuda"), 2, prompt="a", device="cuda"), 5))) == 5


@every_kind
def test_every_kind_is_trained_on_a_gpu(kind: Kind, code_text: str) -> None:
    text = Corpus.from_texts([code_text[:6000]])
    config = TrainingConfig(epochs=2, n_steps=32, device="cuda", norm_stabiliser=1e-3, dropout=0.1)
    training = train(text, Corpus.from_texts([code_text[6000:7000]]), ModelConfig(n_units=16, **kind), config)
    assert training.losses[-1] < training.losses[0]
    assert training.model.readout.weight.device.type == "cpu"


def test_a_live_ranking_on_a_gpu_is_that_of_a_recording_of_the_processor(code_text: str, tmp_path: Path) -> None:
    corpus, model = Corpus.from_texts([code_text]), random_model(code_text, gain=2.0)
    extract(LiveActivations(model, corpus, n_lanes=1), tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        expected = rank(recording, "in_quotes")
    found = rank(LiveActivations(model, corpus, compute=ComputeOptions(device="cuda")), "in_quotes")
    assert found.units[0].unit == expected.units[0].unit
    assert found.units[0].score == pytest.approx(expected.units[0].score, abs=2e-3)


def test_every_command_that_steps_runs_on_a_gpu(
    run: Command, code_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(code_text)
    save_model(random_model(code_text), "a.pt")
    for arguments in (
        ("train", "a.txt", "-o", "b.pt", "--epochs", "1", "--units", "16"),
        ("extract", "a.pt", "a.txt", "-o", "a.h5", "--force"),
        ("rank", "--model", "a.pt", "--text", "a.txt", "--hypothesis", "in_quotes"),
        ("evaluate", "a.pt", "a.txt"),
        ("sample", "a.pt", "--length", "20"),
    ):
        status, _, err = run(*arguments, "--device", "cuda")
        assert status == 0, err
