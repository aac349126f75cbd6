"""The equations of the recurrent cells, as the papers have them: one step of one layer, for each kind of cell.

This is what a layer computes. All faster forms (`steps` for many lanes, `unbroken` for a single one, PyTorch's fused
layers) are held to it by tests; cells for which PyTorch has no fused layers are trained by it (`stepwise`).

Every function takes the layer, the input's share of the gates (`Layer.from_input`), and the state before, and gives
every signal after it by name. Wherever a value is made, `at` may put another in its place: what it returns is what the
rest of the step uses. Rows are lanes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

HARD_SLOPES = {"hard_sigmoid_keras": 0.2, "hard_sigmoid_torch": 1 / 6}
GATE_FUNCTIONS = ("sigmoid", *HARD_SLOPES)
NORM_EPSILON = 1e-5

Signals = Mapping[str, Tensor]
At = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """The parameters of a layer, with the rows of the gates in the order of PyTorch's layers: i, f, g, o or r, z, n.

    Attributes:
        weight_ih: (n_gates * n_units, n_inputs), W.
        weight_hh: (n_gates * n_units, n_hidden), U.
        bias_ih: (n_gates * n_units,), b.
        bias_hh: (n_gates * n_units,), b'.
        weight_hr: (n_hidden, n_units), the projection; without one, n_hidden is n_units.
        peepholes: (3, n_units), from the cell to the input, forget and output gate.
        gain_ih: (n_gates * n_units,), by which W x is multiplied once it is normalised.
        gain_hh: (n_gates * n_units,), the same for U h.
        norm_cell: (2, n_units), the gain and the bias of the normalised cell.
        gates: The function of the gates, one of `GATE_FUNCTIONS`.
    """

    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor
    bias_hh: Tensor
    weight_hr: Tensor | None = None
    peepholes: Tensor | None = None
    gain_ih: Tensor | None = None
    gain_hh: Tensor | None = None
    norm_cell: Tensor | None = None
    gates: str = "sigmoid"

    def from_input(self, x: Tensor) -> Tensor:
        """(..., n_gates * n_units) W x + b, with W x normalised if there is a gain."""
        return normalised(nn.functional.linear(x, self.weight_ih), self.gain_ih) + self.bias_ih

    def from_hidden(self, h: Tensor) -> Tensor:
        """(..., n_gates * n_units) U h + b', with U h normalised if there is a gain."""
        return normalised(nn.functional.linear(h, self.weight_hh), self.gain_hh) + self.bias_hh

    def gate(self, a: Tensor) -> Tensor:
        """The function of the gates: a sigmoid, or one of straight lines.

        `hard_sigmoid_keras` is clip(0.2 a + 0.5, 0, 1), as in Keras 1 and 2; `hard_sigmoid_torch` is
        clip(a / 6 + 0.5, 0, 1), as in PyTorch and Keras 3.
        """
        if self.gates == "sigmoid":
            return torch.sigmoid(a)
        return torch.clamp(HARD_SLOPES[self.gates] * a + 0.5, 0, 1)


class Equations(Protocol):
    """One step of a layer, for one kind of cell."""

    def __call__(self, layer: Layer, inputs: Tensor, before: Signals, at: At = ...) -> dict[str, Tensor]:
        """Read one character.

        Args:
            layer: Its parameters.
            inputs: (n_lanes, n_gates * n_units) `layer.from_input` of what the layer is given.
            before: The state, (n_lanes, n_units) or (n_lanes, n_hidden) by signal.
            at: Is given each value with its signal's name, and returns what takes its place.

        Returns:
            Every signal after the character, the new state among them.
        """


def normalised(a: Tensor, gain: Tensor | None, bias: Tensor | None = None) -> Tensor:
    """Layer normalisation over the last axis, Ba, Kiros & Hinton 2016, arXiv:1607.06450; without a gain, nothing."""
    return a if gain is None else nn.functional.layer_norm(a, gain.shape, gain, bias, NORM_EPSILON)


def unchanged(signal: str, value: Tensor) -> Tensor:
    """Leave every value as it is."""
    return value


def lstm(layer: Layer, inputs: Tensor, before: Signals, at: At = unchanged) -> dict[str, Tensor]:
    """Long short-term memory.

    i, f = σ(W x + U h + b + p c); g = tanh(W x + U h + b); c' = f c + i g; o = σ(W x + U h + b + p c');
    h' = R (o tanh(c')).

    Source:
        Hochreiter & Schmidhuber 1997, Neural Computation 9:1735; the forget gate of Gers, Schmidhuber & Cummins 2000,
        Neural Computation 12:2451. If the layer has them: the peepholes p of Gers & Schmidhuber 2000, IJCNN 3:189,
        which are diagonal; the projection R of Sak, Senior & Beaufays 2014, arXiv:1402.1128, as PyTorch has it;
        layer normalisation of W x, U h and of c' within tanh(c'), Ba, Kiros & Hinton 2016, arXiv:1607.06450,
        equations 20 to 22 (the cell that is carried is not normalised).
    """
    h, c = before["hidden"], before["cell"]
    a_i, a_f, a_g, a_o = (inputs + layer.from_hidden(h)).chunk(4, dim=-1)
    p_i, p_f, p_o = (0, 0, 0) if layer.peepholes is None else layer.peepholes
    i = at("input_gate", layer.gate(a_i + p_i * c))
    f = at("forget_gate", layer.gate(a_f + p_f * c))
    g = at("candidate", torch.tanh(a_g))
    c = at("cell", f * c + i * g)
    o = at("output_gate", layer.gate(a_o + p_o * c))
    made = o * torch.tanh(c if layer.norm_cell is None else normalised(c, *layer.norm_cell))
    h = at("hidden", made if layer.weight_hr is None else nn.functional.linear(made, layer.weight_hr))
    return {"hidden": h, "cell": c, "input_gate": i, "forget_gate": f, "candidate": g, "output_gate": o}


def gru(layer: Layer, inputs: Tensor, before: Signals, at: At = unchanged) -> dict[str, Tensor]:
    """Gated recurrent unit with the reset gate behind the matrix, as cuDNN, PyTorch and Keras (`reset_after`) have it.

    r, z = σ(W x + b + U h + b'); n = tanh(W x + b + r (U h + b')); h' = (1 - z) n + z h.

    Source:
        Cho et al. 2014, arXiv:1406.1078, in its first version; see also `gru_reset_before`.
    """
    h = before["hidden"]
    (x_r, x_z, x_n), (h_r, h_z, h_n) = inputs.chunk(3, dim=-1), layer.from_hidden(h).chunk(3, dim=-1)
    r = at("reset_gate", layer.gate(x_r + h_r))
    z = at("update_gate", layer.gate(x_z + h_z))
    n = at("candidate", torch.tanh(x_n + r * h_n))
    h = at("hidden", (1 - z) * n + z * h)
    return {"hidden": h, "reset_gate": r, "update_gate": z, "candidate": n}


def gru_reset_before(layer: Layer, inputs: Tensor, before: Signals, at: At = unchanged) -> dict[str, Tensor]:
    """Gated recurrent unit with the reset gate before the matrix, as char-rnn and Keras (`reset_after=False`) have it.

    r, z = σ(W x + b + U h + b'); n = tanh(W x + b + U (r h) + b'); h' = (1 - z) n + z h.

    In char-rnn, z and 1 - z change places, which is the same with the signs of z's rows turned.

    Source:
        Cho et al. 2014, arXiv:1406.1078v3; Chung et al. 2014, arXiv:1412.3555.
    """
    h = before["hidden"]
    x_r, x_z, x_n = inputs.chunk(3, dim=-1)
    h_r, h_z, _ = layer.from_hidden(h).chunk(3, dim=-1)
    r = at("reset_gate", layer.gate(x_r + h_r))
    z = at("update_gate", layer.gate(x_z + h_z))
    _, _, h_n = layer.from_hidden(r * h).chunk(3, dim=-1)
    n = at("candidate", torch.tanh(x_n + h_n))
    h = at("hidden", (1 - z) * n + z * h)
    return {"hidden": h, "reset_gate": r, "update_gate": z, "candidate": n}


def rnn(layer: Layer, inputs: Tensor, before: Signals, at: At = unchanged) -> dict[str, Tensor]:
    """Simple recurrent network, Elman 1990, Cognitive Science 14:179: h' = tanh(W x + U h + b)."""
    return {"hidden": at("hidden", torch.tanh(inputs + layer.from_hidden(before["hidden"])))}


def rnn_relu(layer: Layer, inputs: Tensor, before: Signals, at: At = unchanged) -> dict[str, Tensor]:
    """Simple network of rectified units, Le, Jaitly & Hinton 2015, arXiv:1504.00941: h' = max(0, W x + U h + b)."""
    return {"hidden": at("hidden", torch.relu(inputs + layer.from_hidden(before["hidden"])))}
