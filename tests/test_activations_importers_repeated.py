"""Arrays that a file has more than once count once: tied weights, modules under two names, dropped-out weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from activations.errors import ActivationError
from activations.importers.imported_model import ImportedModel
from activations.importers.importing import import_model
from activations.importers.repeated import distinct
from activations.models.char_rnn import CharRNN
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary

N_CHARACTERS, N_UNITS = 7, 5
VOCABULARY = Vocabulary("abcdefg")


class Tied(nn.Module):
    """One matrix as embedding and read-out, and the embedding inside a module for dropout, as in fastai's AWD-LSTM."""

    def __init__(self, n_layers: int = 2) -> None:
        super().__init__()
        self.encoder = nn.Embedding(N_CHARACTERS, N_UNITS)
        self.encoder_dp = nn.ModuleDict({"emb": self.encoder})
        self.rnns = nn.ModuleList([nn.LSTM(N_UNITS, N_UNITS) for _ in range(n_layers)])
        self.decoder = nn.Linear(N_UNITS, N_CHARACTERS)
        self.decoder.weight = self.encoder.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.encoder(ids)
        for rnn in self.rnns:
            x, _ = rnn(x)
        logits: torch.Tensor = self.decoder(x)
        return logits


@pytest.fixture
def tied() -> Tied:
    torch.manual_seed(0)
    return Tied().eval()


def assert_reads_like(model: CharRNN, original: nn.Module) -> None:
    ids = torch.arange(N_CHARACTERS).repeat(4)[:, None]
    with torch.inference_mode():
        assert (model(ids)[0] - original(ids)).abs().max() < 1e-6


def imported(weights: dict[str, torch.Tensor], path: Path) -> ImportedModel:
    torch.save(weights, path)
    return import_model(path, VOCABULARY)


def test_tied_weights_under_three_names_are_one(tied: Tied, tmp_path: Path) -> None:
    result = imported(tied.state_dict(), tmp_path / "m.pt")
    assert_reads_like(result.model, tied)
    assert "encoder.weight = encoder_dp.emb.weight = decoder.weight" in str(result)
    assert result.parts.unused == () == result.parts.aside


def test_copies_with_storages_of_their_own_are_one_too(tied: Tied, tmp_path: Path) -> None:
    weights = {name: weight.clone() for name, weight in tied.state_dict().items()}
    assert_reads_like(imported(weights, tmp_path / "m.pt").model, tied)


@pytest.mark.parametrize("keeps_copy", [True, False])
@pytest.mark.parametrize("dropped", [0.0, 0.5])
@pytest.mark.parametrize("wrapper", ["module.", ""])
def test_the_weights_and_not_their_dropped_copies_are_read(
    tied: Tied, tmp_path: Path, keeps_copy: bool, dropped: float, wrapper: str
) -> None:
    weights = {}
    for name, weight in tied.state_dict().items():
        module, _, end = name.rpartition(".")
        name = f"{module}.{wrapper}{end}" if "rnns" in name else name
        if "weight_hh" in name:
            weights[f"{module}.{end}_raw"] = weight
            weight = nn.functional.dropout(weight, dropped)
        if keeps_copy or "weight_hh" not in name:
            weights[name] = weight
    result = imported(weights, tmp_path / "m.pt")
    assert_reads_like(result.model, tied)
    assert result.parts.unused == ()
    assert ("rnns.0.weight_hh_l0_raw = rnns.0" in str(result)) == keeps_copy


class TwoNames(nn.Module):
    """A network that is an attribute twice, as with `self.net = model; self.rnn = model.rnn`."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(N_CHARACTERS, N_UNITS, 2)
        self.fc = nn.Linear(N_UNITS, N_CHARACTERS)
        self.recurrent = self.lstm
        self.layers = nn.ModuleDict({"rnn": self.lstm, "head": self.fc})

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.fc(self.lstm(nn.functional.one_hot(ids, N_CHARACTERS).float())[0])
        return logits


def test_a_module_under_three_names_is_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = TwoNames().eval()
    result = imported(model.state_dict(), tmp_path / "m.pt")
    assert_reads_like(result.model, model)
    assert result.parts.unused == ()
    assert "lstm.bias_hh_l1 = recurrent.bias_hh_l1 = layers.rnn.bias_hh_l1" in str(result)


def test_biases_that_are_equal_by_chance_stay_two() -> None:
    """As they are in a new model: all zeros."""
    arrays = {
        "rnn.weight_ih_l0": np.arange(12, dtype=np.float32).reshape(4, 3),
        "rnn.bias_ih_l0": np.zeros(4, np.float32),
        "rnn.bias_hh_l0": np.zeros(4, np.float32),
        "a.weight": np.zeros((3, 4), np.float32),
        "b.weight": np.zeros((3, 4), np.float32),
    }
    result = distinct(arrays)
    assert list(result.arrays) == list(arrays)
    assert result.repeated(list(arrays)) == ""


def test_equal_layers_that_differ_in_their_number_stay_two() -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)
    arrays = {"rnns.0.weight_ih": matrix, "rnns.1.weight_ih": matrix.copy()}
    assert list(distinct(arrays).arrays) == list(arrays)


def test_the_same_numbers_under_names_of_other_ends_stay_two() -> None:
    """Two gates of a new model with the same seed."""
    matrix = np.arange(9, dtype=np.float32).reshape(3, 3)
    arrays = {"W_hi": matrix, "W_hf": matrix.copy()}
    assert list(distinct(arrays).arrays) == list(arrays)


def test_a_second_model_in_the_file_is_still_refused(tied: Tied, tmp_path: Path) -> None:
    torch.manual_seed(1)
    second = Tied().state_dict()
    weights = {f"first.{name}": weight for name, weight in tied.state_dict().items()}
    weights |= {f"second.{name}": weight for name, weight in second.items()}
    with pytest.raises(ActivationError, match=r"choose one with --prefix first\. or --prefix second\."):
        imported(weights, tmp_path / "m.pt")


@pytest.mark.parametrize("file", ["fastai.pth", "fastai_raw.pth"])
def test_a_model_with_fastais_names_has_its_loss(file: str, shared: Path) -> None:
    folder = shared.parent / "cases" / "11_fastai_twice"
    result = import_model(folder / file, f"pickle:{folder / 'itos.pkl'}", text=Corpus.read(folder / "corpus.txt"))
    assert result.evaluation is not None
    assert result.evaluation.nats_per_char == pytest.approx(1.641, abs=0.004)
