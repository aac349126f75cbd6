"""LSTMs with layer normalisation and peepholes, written as people write them, give the same numbers when imported."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from activations.errors import ActivationError
from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN
from activations.texts.vocab import Vocabulary

CHARACTERS = "abcdefg"
N, H = len(CHARACTERS), 5


class Cell(nn.Module):
    """One LSTM cell of two linear layers, with layer normalisation as in Ba, Kiros & Hinton 2016."""

    def __init__(self, n_inputs: int, *, hidden_first: bool) -> None:
        super().__init__()
        for name, n in (("h2h", H), ("i2h", n_inputs))[:: 1 if hidden_first else -1]:
            self.add_module(name, nn.Linear(n, 4 * H, bias=False))
            self.add_module(f"ln_{name}", nn.LayerNorm(4 * H))
        self.ln_cell = nn.LayerNorm(H)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        parts = dict(self.named_children())
        gates = parts["ln_i2h"](parts["i2h"](x)) + parts["ln_h2h"](parts["h2h"](h))
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(self.ln_cell(c)), c


class Normalised(nn.Module):
    """A character model of such cells."""

    def __init__(self, n_layers: int, *, hidden_first: bool) -> None:
        super().__init__()
        self.encoder = nn.Embedding(N, 4)
        self.cells = nn.ModuleList([Cell(H if n else 4, hidden_first=hidden_first) for n in range(n_layers)])
        self.decoder = nn.Linear(H, N)

    def forward(self, ids: Tensor) -> Tensor:
        state = [(torch.zeros(1, H), torch.zeros(1, H)) for _ in self.cells]
        logits = []
        for x in self.encoder(ids):
            for n, cell in enumerate(self.cells):
                state[n] = cell(x, *state[n])
                x = state[n][0]
            logits.append(self.decoder(x))
        return torch.stack(logits)


def randomised(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-1, 1)
    return module.eval()


def assert_reads_like(model: CharRNN, module: nn.Module) -> None:
    ids = torch.arange(N).repeat(4)[:, None]
    with torch.inference_mode():
        assert (model(ids)[0] - module(ids)).abs().max() < 2e-6


@pytest.mark.parametrize("hidden_first", [False, True])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_layer_normalisation_comes_out_as_it_went_in(n_layers: int, hidden_first: bool, tmp_path: Path) -> None:
    module = randomised(Normalised(n_layers, hidden_first=hidden_first))
    torch.save(module.state_dict(), tmp_path / "m.pt")
    result = import_model(tmp_path / "m.pt", Vocabulary(CHARACTERS))
    assert result.model.config.layer_norm
    assert "carry the normalised cell on" in str(result.warning)
    assert_reads_like(result.model, module)


def test_normalisation_of_some_layers_only_is_refused(tmp_path: Path) -> None:
    weights = randomised(Normalised(2, hidden_first=False)).state_dict()
    torch.save({name: weight for name, weight in weights.items() if "1.ln" not in name}, tmp_path / "m.pt")
    with pytest.raises(ActivationError, match="have no place in the model"):
        import_model(tmp_path / "m.pt", Vocabulary(CHARACTERS))


def test_biases_of_what_is_normalised_are_not_read_as_biases_behind_it(tmp_path: Path) -> None:
    weights = randomised(Normalised(1, hidden_first=False)).state_dict()
    torch.save(weights | {"cells.0.i2h.bias": torch.arange(4.0 * H)}, tmp_path / "m.pt")
    with pytest.raises(ActivationError, match=r"the file has layer normalisation \(cells.0.ln_i2h.weight\)"):
        import_model(tmp_path / "m.pt", Vocabulary(CHARACTERS))


class Peepholes(nn.Module):
    """An LSTM of one matrix for each gate, whose gates see the cell, as in Gers & Schmidhuber 2000."""

    def __init__(self) -> None:
        super().__init__()
        for gate in "ifco":
            self.register_parameter(f"W_x{gate}", nn.Parameter(torch.empty(H, N)))
            self.register_parameter(f"W_h{gate}", nn.Parameter(torch.empty(H, H)))
            self.register_parameter(f"b_{gate}", nn.Parameter(torch.empty(H)))
        for gate in "ifo":
            self.register_parameter(f"W_c{gate}", nn.Parameter(torch.empty(H)))
        self.decoder = nn.Linear(H, N)

    def forward(self, ids: Tensor) -> Tensor:
        p = dict(self.named_parameters())
        h, c, logits = torch.zeros(1, H), torch.zeros(1, H), []
        for x in nn.functional.one_hot(ids, N).float():
            a = {gate: x @ p[f"W_x{gate}"].T + h @ p[f"W_h{gate}"].T + p[f"b_{gate}"] for gate in "ifco"}
            i, f = (torch.sigmoid(a[gate] + p[f"W_c{gate}"] * c) for gate in "if")
            c = f * c + i * torch.tanh(a["c"])
            h = torch.sigmoid(a["o"] + p["W_co"] * c) * torch.tanh(c)
            logits.append(self.decoder(h))
        return torch.stack(logits)


def test_peepholes_come_out_as_they_went_in(tmp_path: Path) -> None:
    module = randomised(Peepholes())
    torch.save(module.state_dict(), tmp_path / "m.pt")
    result = import_model(tmp_path / "m.pt", Vocabulary(CHARACTERS))
    assert result.model.config.peepholes
    assert result.parts.unused == ()
    assert_reads_like(result.model, module)
