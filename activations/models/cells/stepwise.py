"""Recurrent layers computed step by step by the equations, for cells of which PyTorch has no fused layers."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from activations.models.cells.equations import Layer
from activations.models.cells.kinds import Cell

PARAMETERS = (
    "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr", "peepholes", "gain_ih", "gain_hh", "norm_cell",
)  # fmt: skip


def layer_of(rnn: nn.Module, layer: int, gate_function: str) -> Layer:
    """Return the parameters of one layer of PyTorch's stacked layers or of a `StepwiseRNN`."""
    parameters: dict[str, Any] = {name: getattr(rnn, f"{name}_l{layer}", None) for name in PARAMETERS}
    return Layer(**parameters, gate_function=gate_function)


class StepwiseRNN(nn.Module):
    """Stacked recurrent layers that compute the equations of their cell step by step, used like `nn.LSTM`.

    Names, shapes and initialisation of the parameters are PyTorch's, such as `weight_ih_l0`. Peepholes are initialised
    like weights, gains to 1.

    Attributes:
        dropout: Share of activations dropped between layers.
    """

    def __init__(
        self,
        cell: Cell,
        n_inputs: int,
        n_units: int,
        n_layers: int = 1,
        *,
        gate_function: str = "sigmoid",
        peepholes: bool = False,
        proj_size: int = 0,
        layer_norm: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self._cell, self._gate_function, self._n_layers = cell, gate_function, n_layers
        n_gates, n_hidden = len(cell.gate_names), proj_size or n_units
        self._widths = {signal: n_hidden if signal == "hidden" else n_units for signal in cell.state}
        for layer in range(n_layers):
            shapes = {
                "weight_ih": (n_gates * n_units, n_hidden if layer else n_inputs),
                "weight_hh": (n_gates * n_units, n_hidden),
                "bias_ih": (n_gates * n_units,),
                "bias_hh": (n_gates * n_units,),
            }
            if proj_size:
                shapes["weight_hr"] = (proj_size, n_units)
            if peepholes:
                shapes["peepholes"] = (3, n_units)
            if layer_norm:
                shapes |= {"gain_ih": (n_gates * n_units,), "gain_hh": (n_gates * n_units,), "norm_cell": (2, n_units)}
            for name, shape in shapes.items():
                weight = nn.Parameter(torch.empty(shape))
                self.register_parameter(f"{name}_l{layer}", weight)
                if name.startswith("gain"):
                    nn.init.ones_(weight)
                elif name == "norm_cell":
                    weight.data[:] = torch.tensor([[1.0], [0.0]])
                else:
                    nn.init.uniform_(weight, -1 / math.sqrt(n_units), 1 / math.sqrt(n_units))

    def forward(self, x: Tensor, state: Tensor | tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read the inputs of several steps, starting from a state.

        Args:
            x: (n_steps, n_lanes, n_inputs).
            state: (n_layers, n_lanes, n_units) for each signal of the state, hidden first; None is the zero state.

        Returns:
            (n_steps, n_lanes, n_hidden) hidden states of the last layer, and the state after the last step.
        """
        if state is None:
            state = tuple(x.new_zeros(self._n_layers, x.shape[1], n) for n in self._widths.values())
        parts = (state,) if isinstance(state, Tensor) else state
        state_by_layer = []
        for n in range(self._n_layers):
            if n:
                x = nn.functional.dropout(x, self.dropout, self.training)
            layer = layer_of(self, n, self._gate_function)
            signals = dict(zip(self._widths, (part[n] for part in parts), strict=True))
            hidden = []
            for inputs in layer.from_input(x):
                signals = self._cell.equations(layer, inputs, signals)
                hidden.append(signals["hidden"])
            x = torch.stack(hidden)
            state_by_layer.append([signals[signal] for signal in self._widths])
        return x, tuple(torch.stack(layers) for layers in zip(*state_by_layer, strict=True))
