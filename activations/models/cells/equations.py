"""The equations of the recurrent cells, as their papers define them: one step of one layer, in plain tensors.

This is the definition of what a layer computes. All faster forms (`steps` for many lanes, `single_lane` for one lane,
PyTorch's fused layers) are compared with it by tests, and cells without fused layers are trained by it (`stepwise`).

Every function takes the layer, the input's share of the pre-activations (`Layer.from_input`) and the previous state,
and returns every signal by name. Each signal passes through `intervene` as soon as it is computed, and the rest of the
step uses what that returns. Rows are lanes.

*Pre-activations* are what the activation functions are applied to; the *gates* are what these return, the candidate
among them.
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
Intervene = Callable[[str, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """The parameters of one recurrent layer, their rows in PyTorch's order of the gates: i, f, g, o or r, z, n.

    Attributes:
        weight_ih: (n_gates * n_units, n_inputs), W.
        weight_hh: (n_gates * n_units, n_hidden), U.
        bias_ih: (n_gates * n_units,), b.
        bias_hh: (n_gates * n_units,), b'.
        weight_hr: (n_hidden, n_units), the projection; None if hidden states are not projected (n_hidden is n_units).
        peepholes: (3, n_units), diagonal weights from the cell to the input, forget and output gate.
        gain_ih: (n_gates * n_units,), the gain of the layer normalisation of W x.
        gain_hh: (n_gates * n_units,), the gain of the layer normalisation of U h.
        norm_cell: (2, n_units), the gain and the bias of the layer normalisation of the cell.
        gate_function: The activation function of the gates, one of `GATE_FUNCTIONS`.
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
    gate_function: str = "sigmoid"

    def from_input(self, x: Tensor) -> Tensor:
        """Return W x + b, (..., n_gates * n_units), with W x normalised if it has a gain."""
        return normalised(nn.functional.linear(x, self.weight_ih), self.gain_ih) + self.bias_ih

    def from_hidden(self, h: Tensor) -> Tensor:
        """Return U h + b', (..., n_gates * n_units), with U h normalised if it has a gain."""
        return normalised(nn.functional.linear(h, self.weight_hh), self.gain_hh) + self.bias_hh

    def gate(self, a: Tensor) -> Tensor:
        """Apply the activation function of the gates: the sigmoid, or a piecewise linear approximation of it.

        `hard_sigmoid_keras` is clip(0.2 a + 0.5, 0, 1), as in Keras 1 and 2; `hard_sigmoid_torch` is
        clip(a / 6 + 0.5, 0, 1), as in PyTorch and Keras 3.
        """
        if self.gate_function == "sigmoid":
            return torch.sigmoid(a)
        return torch.clamp(HARD_SLOPES[self.gate_function] * a + 0.5, 0, 1)


class Equations(Protocol):
    """The signature of a cell's equations: one step of one layer."""

    def __call__(self, layer: Layer, inputs: Tensor, state: Signals, intervene: Intervene = ...) -> dict[str, Tensor]:
        """Compute all signals of a layer for one character.

        Args:
            layer: The parameters of the layer.
            inputs: (n_lanes, n_gates * n_units) `layer.from_input` of the layer's input.
            state: The previous state, (n_lanes, n_units) or (n_lanes, n_hidden) by signal.
            intervene: Called with the name and the value of each signal; the step continues with what it returns.

        Returns:
            Every signal by name, the new state among them.
        """


def normalised(a: Tensor, gain: Tensor | None, bias: Tensor | None = None) -> Tensor:
    """Normalise the last axis, Ba, Kiros & Hinton 2016, arXiv:1607.06450; without a gain, return it unchanged."""
    return a if gain is None else nn.functional.layer_norm(a, gain.shape, gain, bias, NORM_EPSILON)


def unchanged(signal: str, value: Tensor) -> Tensor:
    """Leave every value as it is."""
    return value


def lstm(layer: Layer, inputs: Tensor, state: Signals, intervene: Intervene = unchanged) -> dict[str, Tensor]:
    """Compute one step of a long short-term memory (LSTM).

    i, f = σ(W x + U h + b + p c); g = tanh(W x + U h + b); c' = f c + i g; o = σ(W x + U h + b + p c');
    h' = R (o tanh(c')).

    Source:
        Hochreiter & Schmidhuber 1997, Neural Computation 9:1735; the forget gate of Gers, Schmidhuber & Cummins 2000,
        Neural Computation 12:2451. If the layer has them: the diagonal peepholes p of Gers & Schmidhuber 2000,
        IJCNN 3:189; the projection R of Sak, Senior & Beaufays 2014, arXiv:1402.1128, as in PyTorch; layer
        normalisation of W x, U h and of c' within tanh(c'), Ba, Kiros & Hinton 2016, arXiv:1607.06450, equations 20
        to 22 (the cell that is carried to the next step is not normalised).
    """
    h, c = state["hidden"], state["cell"]
    a_i, a_f, a_g, a_o = (inputs + layer.from_hidden(h)).chunk(4, dim=-1)
    p_i, p_f, p_o = (0, 0, 0) if layer.peepholes is None else layer.peepholes
    i = intervene("input_gate", layer.gate(a_i + p_i * c))
    f = intervene("forget_gate", layer.gate(a_f + p_f * c))
    g = intervene("candidate", torch.tanh(a_g))
    c = intervene("cell", f * c + i * g)
    o = intervene("output_gate", layer.gate(a_o + p_o * c))
    output = o * torch.tanh(c if layer.norm_cell is None else normalised(c, *layer.norm_cell))
    h = intervene("hidden", output if layer.weight_hr is None else nn.functional.linear(output, layer.weight_hr))
    return {"hidden": h, "cell": c, "input_gate": i, "forget_gate": f, "candidate": g, "output_gate": o}


def gru(layer: Layer, inputs: Tensor, state: Signals, intervene: Intervene = unchanged) -> dict[str, Tensor]:
    """Compute one step of a gated recurrent unit whose reset gate acts after the recurrent matrix.

    This is the form of cuDNN, PyTorch and Keras (`reset_after=True`).

    r, z = σ(W x + b + U h + b'); n = tanh(W x + b + r (U h + b')); h' = (1 - z) n + z h.

    Source:
        Cho et al. 2014, arXiv:1406.1078v1. See also `gru_reset_before`.
    """
    h = state["hidden"]
    (x_r, x_z, x_n), (h_r, h_z, h_n) = inputs.chunk(3, dim=-1), layer.from_hidden(h).chunk(3, dim=-1)
    r = intervene("reset_gate", layer.gate(x_r + h_r))
    z = intervene("update_gate", layer.gate(x_z + h_z))
    n = intervene("candidate", torch.tanh(x_n + r * h_n))
    h = intervene("hidden", (1 - z) * n + z * h)
    return {"hidden": h, "reset_gate": r, "update_gate": z, "candidate": n}


def gru_reset_before(
    layer: Layer, inputs: Tensor, state: Signals, intervene: Intervene = unchanged
) -> dict[str, Tensor]:
    """Compute one step of a gated recurrent unit whose reset gate acts before the recurrent matrix.

    This is the form of char-rnn and of Keras with `reset_after=False`.

    r, z = σ(W x + b + U h + b'); n = tanh(W x + b + U (r h) + b'); h' = (1 - z) n + z h.

    In char-rnn, z and 1 - z are swapped, which amounts to the opposite signs in the rows of z.

    Source:
        Cho et al. 2014, arXiv:1406.1078v3; Chung et al. 2014, arXiv:1412.3555.
    """
    h = state["hidden"]
    x_r, x_z, x_n = inputs.chunk(3, dim=-1)
    h_r, h_z, _ = layer.from_hidden(h).chunk(3, dim=-1)
    r = intervene("reset_gate", layer.gate(x_r + h_r))
    z = intervene("update_gate", layer.gate(x_z + h_z))
    _, _, h_n = layer.from_hidden(r * h).chunk(3, dim=-1)
    n = intervene("candidate", torch.tanh(x_n + h_n))
    h = intervene("hidden", (1 - z) * n + z * h)
    return {"hidden": h, "reset_gate": r, "update_gate": z, "candidate": n}


def rnn(layer: Layer, inputs: Tensor, state: Signals, intervene: Intervene = unchanged) -> dict[str, Tensor]:
    """Compute one step of a simple recurrent network: h' = tanh(W x + U h + b).

    Source:
        Elman 1990, Cognitive Science 14:179.
    """
    return {"hidden": intervene("hidden", torch.tanh(inputs + layer.from_hidden(state["hidden"])))}


def rnn_relu(layer: Layer, inputs: Tensor, state: Signals, intervene: Intervene = unchanged) -> dict[str, Tensor]:
    """Compute one step of a simple network of rectified units: h' = max(0, W x + U h + b).

    Source:
        Le, Jaitly & Hinton 2015, arXiv:1504.00941.
    """
    return {"hidden": intervene("hidden", torch.relu(inputs + layer.from_hidden(state["hidden"])))}
