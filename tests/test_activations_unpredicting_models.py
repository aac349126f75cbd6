"""Models that predict no characters, such as encoders: recorded without predictions, and refused where these count."""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import Command
from numpy.typing import NDArray
from torch import Tensor, nn

from activations.errors import ActivationError
from activations.models.char_model import CharModel
from activations.models.evaluation import evaluate
from activations.models.identity import predicts
from activations.models.sampling import write_texts
from activations.predictions import LOG_PROB
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from activations.units import Site
from analyses.errors import AnalysisError
from probe.evaluation import evaluate_recorded

TEXT = 'the "quick" fox\n' * 40
HIDDEN = Site("encoder/hidden")
N_UNITS = 6
REFUSED = "the model predicts no characters: its `read` returns None in place of logits"


class Encoder:
    """The encoder of a program that reads words and writes something else."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.vocabulary = Vocabulary.of([TEXT])
        self.sites = {HIDDEN: N_UNITS}
        self.cell = nn.GRUCell(len(self.vocabulary), N_UNITS)

    def start(self, n_lanes: int) -> Tensor:
        return torch.zeros(n_lanes, N_UNITS)

    def read(self, ids: Tensor, state: Tensor) -> tuple[None, Mapping[Site, Tensor], Tensor]:
        values = []
        for step in ids:
            state = self.cell(nn.functional.one_hot(step, len(self.vocabulary)).float(), state)
            values.append(state)
        return None, {HIDDEN: torch.stack(values)}, state


class Lanewise(Encoder):
    """The same, with a number in its state, so that each lane is read by a call of its own."""

    def start(self, n_lanes: int) -> tuple[Tensor, int]:  # type: ignore[override]
        return super().start(n_lanes), 0

    def read(self, ids: Tensor, state: tuple[Tensor, int]) -> tuple[None, Mapping[Site, Tensor], tuple[Tensor, int]]:  # type: ignore[override]
        _, values, after = super().read(ids, state[0])
        return None, values, (after, state[1] + len(ids))


def in_numpy(model: Encoder, text: str) -> NDArray[np.float64]:
    """(n_chars, n_units) what the encoder computes."""
    weights = {name: weight.detach().double().numpy() for name, weight in model.cell.named_parameters()}
    h, values = np.zeros(N_UNITS), []
    for char in text:
        of_input = weights["weight_ih"][:, model.vocabulary.characters.index(char)] + weights["bias_ih"]
        of_state = weights["weight_hh"] @ h + weights["bias_hh"]
        r, z = 1 / (1 + np.exp(-(of_input + of_state)[: 2 * N_UNITS].reshape(2, N_UNITS)))
        h = (1 - z) * np.tanh(of_input[2 * N_UNITS :] + r * of_state[2 * N_UNITS :]) + z * h
        values.append(h)
    return np.array(values)


@pytest.mark.parametrize("kind", [Encoder, Lanewise])
@pytest.mark.parametrize("n_lanes", [1, 3])
def test_an_encoder_is_recorded_without_predictions(kind: type[Encoder], n_lanes: int, tmp_path: Path) -> None:
    model = kind()
    assert isinstance(model, CharModel)
    assert not predicts(model)
    live = LiveActivations(model, Corpus.from_texts([TEXT]), n_lanes=n_lanes)
    result = extract(live, tmp_path / "a.h5")  # which no loss judges
    assert math.isnan(result.nats_per_char)
    assert ", no predictions, " in str(result)
    assert "nan" not in str(result)
    with Recording(result.path) as recording:
        assert recording.predictions == []
        assert recording.description["model_config"]["predicts"] is False
        values = recording.read([HIDDEN])[HIDDEN]
    np.testing.assert_allclose(values[:500], in_numpy(model, TEXT)[:500], rtol=0, atol=2e-3 if n_lanes > 1 else 1e-5)


def test_encoders_with_other_weights_are_told_apart() -> None:
    corpus = Corpus.from_texts([TEXT])
    hashes = {LiveActivations(Encoder(seed), corpus).model_sha256 for seed in (0, 0, 1)}
    assert len(hashes) == 2


def test_what_needs_predictions_is_refused_of_an_encoder(tmp_path: Path) -> None:
    corpus = Corpus.from_texts([TEXT * 4])
    live = LiveActivations(Encoder(), corpus)
    assert all(block.predictions == {} for block in live.blocks(predictions=True))
    assert live.read_predictions() == {}
    for ask in (
        lambda: evaluate(Encoder(), corpus),
        lambda: write_texts(Encoder(), 1, 3, prompt="t"),
        lambda: list(live.blocks(predictions=(LOG_PROB,))),
    ):
        with pytest.raises(ActivationError, match=REFUSED):
            ask()
    extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        for source in (live, recording):
            with pytest.raises(AnalysisError, match="recorded without predictions, or is one that predicts no"):
                evaluate_recorded(source)


FACTORY = """
import torch
import probe

HIDDEN = probe.Site("encoder/hidden")


class Encoder:
    vocabulary = probe.texts.Vocabulary('\\n "abc')
    sites = {HIDDEN: 2}

    def __init__(self, weights):
        self.rates = weights["rates"]

    def start(self, n_lanes):
        return torch.zeros(n_lanes, 2)

    def read(self, ids, state):
        values = []
        for step in ids:
            state = self.rates * state + (step == 2)[:, None]
            values.append(state)
        return None, {HIDDEN: torch.stack(values)}, state
"""


def test_an_encoder_is_recorded_and_ranked_from_the_shell(run: Command) -> None:
    torch.save({"rates": torch.tensor([0.0, -1.0])}, "theirs.pth")
    Path("mine.py").write_text(FACTORY)
    Path("text.txt").write_text('a "b" "cc" ba "ab a" cab\n' * 40)
    theirs = ("theirs.pth", "text.txt", "--model-factory", "mine.py:Encoder")
    status, out, error = run("extract", *theirs, "--json")
    assert status == 0, error
    assert json.loads(out)["nats_per_char"] is None
    status, out, _ = run("rank", "in_quotes", "--top", "1", "--json")
    assert status == 0
    assert json.loads(out.splitlines()[0])["unit"] == "encoder/hidden/1"  # 1 inside quotes, 0 outside
    for ask in (
        ("evaluate", *theirs),
        ("sample", "theirs.pth", *theirs[2:]),
        ("extract", "theirs.pth", *theirs[2:], "--generate", "2x5", "-o", "b.h5"),
    ):
        status, _, error = run(*ask)
        assert (status, error.count("\n")) == (1, 1)
        assert REFUSED in error
    status, _, error = run("impulse", "in_quotes", "--model", theirs[0], "--text", *theirs[1:])
    assert (status, error.count("\n")) == (1, 1)
    assert "a model of your own computes its steps itself" in error
