"""The recurrent cells: one step, every gate, in the equations of the papers.

`gates` holds the input's share of each gate with the biases already added, (n_lanes, n_gates * n_units), and the gates
themselves afterwards. Rows are lanes, which do not see each other; `unbroken` has the same equations for a single one.

The gates stand in the order of `Cell.order`, those with a sigmoid first, so that one call serves them all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

State = dict[str, Tensor]
Signals = Mapping[str, Tensor]


class Recurrent(NamedTuple):
    """The recurrent half of a layer.

    Attributes:
        weight: (n_units, n_gates * n_units), float32 or bfloat16.
        candidate_bias: (n_units,) the recurrent bias of the last gate, which a GRU keeps inside its reset gate.
    """

    weight: Tensor
    candidate_bias: Tensor

    def to(self, device: torch.device, dtype: torch.dtype) -> "Recurrent":
        """The same elsewhere, for products in `dtype`."""
        return Recurrent(self.weight.detach().to(device, dtype), self.candidate_bias.detach().to(device))

    def add_to(self, gates: Tensor, hidden: Tensor) -> None:
        """Add the product of hidden states to their gates: (n, n_units) to (n, n_gates * n_units)."""
        if self.weight.dtype == gates.dtype:
            gates.addmm_(hidden, self.weight)
        else:
            gates.add_(torch.mm(hidden.to(self.weight.dtype), self.weight))

    def product(self, hidden: Tensor) -> Tensor:
        """(n, n_gates * n_units) product of hidden states, with the bias of the candidate."""
        product = torch.mm(hidden.to(self.weight.dtype), self.weight).to(hidden.dtype)
        product[:, -len(self.candidate_bias) :] += self.candidate_bias
        return product


Views = tuple[Tensor, ...]
Step = Callable[[Views, State, Recurrent], None]


def lstm_step(views: Views, state: State, recurrent: Recurrent) -> None:
    """Long short-term memory, Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.

    i, f, o = sigmoid(W x + U h + b); g = tanh(W x + U h + b); c = f c + i g; h = o tanh(c)
    """
    gates, sigmoids, i, f, o, g, hidden, cell = views
    recurrent.add_to(gates, state["hidden"])
    sigmoids.sigmoid_()
    g.tanh_()
    state["cell"] = torch.mul(i, g, out=cell).addcmul_(f, state["cell"])
    state["hidden"] = torch.tanh(cell, out=hidden).mul_(o)


def lstm_views(gates: Tensor, own: Signals) -> Views:
    """What a step works on: parts of tensors, cut once."""
    n = gates.shape[-1] // 4
    return (gates, gates[..., : 3 * n], *gates.chunk(4, -1), own["hidden"], own["cell"])


def gru_step(views: Views, state: State, recurrent: Recurrent) -> None:
    """Gated recurrent unit, Cho et al. 2014, with the reset gate behind the matrix, as cuDNN has it.

    r, z = sigmoid(W x + U h + b); n = tanh(W x + b + r (U h + b')); h = (1 - z) n + z h
    """
    sigmoids, r, z, candidate, hidden = views
    product = recurrent.product(state["hidden"])
    n = candidate.shape[-1]
    sigmoids.add_(product[:, : 2 * n]).sigmoid_()
    candidate.addcmul_(r, product[:, 2 * n :]).tanh_()
    state["hidden"] = torch.lerp(candidate, state["hidden"], z, out=hidden)


def gru_views(gates: Tensor, own: Signals) -> Views:
    """What a step works on: parts of tensors, cut once."""
    n = gates.shape[-1] // 3
    return (gates[..., : 2 * n], *gates.chunk(3, -1), own["hidden"])


def rnn_step(views: Views, state: State, recurrent: Recurrent) -> None:
    """Simple recurrent network, Elman 1990: h = tanh(W x + U h + b)."""
    gates, hidden = views
    recurrent.add_to(gates, state["hidden"])
    state["hidden"] = torch.tanh(gates, out=hidden)


def rnn_relu_step(views: Views, state: State, recurrent: Recurrent) -> None:
    """Simple recurrent network of rectified units, Le, Jaitly & Hinton 2015: h = max(0, W x + U h + b)."""
    gates, hidden = views
    recurrent.add_to(gates, state["hidden"])
    state["hidden"] = torch.clamp(gates, min=0, out=hidden)


def rnn_views(gates: Tensor, own: Signals) -> Views:
    """What a step works on."""
    return gates, own["hidden"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of recurrent cell.

    Attributes:
        name: As in a checkpoint's configuration.
        module: Makes PyTorch's fused layers of the same kind.
        step: Reads one character, in every lane.
        views: What a step works on, from the gates and the signals that are no gates.
        state: The signals that are carried from one character to the next.
        gates: The signals whose rows stack up in PyTorch's weight matrices, in their order.
        unbounded: The signals that may grow beyond [-1, 1], and so want float32.
    """

    name: str
    module: Callable[..., torch.nn.RNNBase]
    step: Step
    views: Callable[[Tensor, Signals], Views]
    state: tuple[str, ...]
    gates: tuple[str, ...]
    unbounded: tuple[str, ...] = ()

    @property
    def signals(self) -> tuple[str, ...]:
        """All that is recorded of a layer: the state, then the gates."""
        return self.state + tuple(gate for gate in self.gates if gate not in self.state)

    def named(self, gates: Tensor, own: Signals) -> dict[str, Tensor]:
        """Every signal by its name, (n_steps, n_lanes, n_units), once they are read."""
        return {**dict(zip(self.order, gates.chunk(len(self.gates), -1), strict=True)), **own}

    @property
    def order(self) -> tuple[str, ...]:
        """The gates in the order in which they are computed: those with a sigmoid first."""
        return tuple(sorted(self.gates, key=lambda gate: not gate.endswith("_gate")))

    def ordered(self, rows: Tensor) -> Tensor:
        """Rows of a weight matrix, or of a bias, in that order."""
        by_gate = dict(zip(self.gates, rows.chunk(len(self.gates)), strict=True))
        return torch.cat([by_gate[gate] for gate in self.order])


CELLS = {
    cell.name: cell
    for cell in (
        Cell(
            "lstm",
            torch.nn.LSTM,
            lstm_step,
            lstm_views,
            state=("hidden", "cell"),
            gates=("input_gate", "forget_gate", "candidate", "output_gate"),
            unbounded=("cell",),
        ),
        Cell(
            "gru",
            torch.nn.GRU,
            gru_step,
            gru_views,
            state=("hidden",),
            gates=("reset_gate", "update_gate", "candidate"),
        ),
        Cell("rnn", torch.nn.RNN, rnn_step, rnn_views, state=("hidden",), gates=("hidden",)),
        Cell(
            "rnn_relu",
            partial(torch.nn.RNN, nonlinearity="relu"),
            rnn_relu_step,
            rnn_views,
            state=("hidden",),
            gates=("hidden",),
            unbounded=("hidden",),
        ),
    )
}
