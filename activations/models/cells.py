"""The recurrent cells: a stretch of time, every gate, in the equations of the papers.

A cell reads `projected`, the input's share of each gate with the biases already added, and carries its state
from step to step. Rows are lanes, which do not see each other. Every function fills the tensors of `out`, one
for each signal, (n_steps, n_lanes, n_units), and changes `state` to what it is after the last step.

The rows of PyTorch's weight matrices come in the order of `Cell.gates`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

State = dict[str, Tensor]
Scan = Callable[[Tensor, State, Tensor, Tensor, Mapping[str, Tensor]], None]


def scan_lstm(
    projected: Tensor, state: State, weight: Tensor, candidate_bias: Tensor, out: Mapping[str, Tensor]
) -> None:
    """Long short-term memory, Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.

    i, f, o = sigmoid(W x + U h + b); g = tanh(W x + U h + b); c = f c + i g; h = o tanh(c)
    """
    hidden, cell = state["hidden"], state["cell"]  # (n_lanes, n_units)
    n = hidden.shape[1]
    transposed = weight.t().contiguous()  # (n_units, 4 * n_units)
    for t in range(len(projected)):
        gates = torch.addmm(projected[t], hidden, transposed)  # (n_lanes, 4 * n_units)
        i = torch.sigmoid(gates[:, :n], out=out["input_gate"][t])
        f = torch.sigmoid(gates[:, n : 2 * n], out=out["forget_gate"][t])
        g = torch.tanh(gates[:, 2 * n : 3 * n], out=out["candidate"][t])
        o = torch.sigmoid(gates[:, 3 * n :], out=out["output_gate"][t])
        cell = torch.addcmul(torch.mul(i, g), f, cell, out=out["cell"][t])
        hidden = torch.mul(o, torch.tanh(cell), out=out["hidden"][t])
    state["hidden"].copy_(hidden)
    state["cell"].copy_(cell)


def scan_gru(
    projected: Tensor, state: State, weight: Tensor, candidate_bias: Tensor, out: Mapping[str, Tensor]
) -> None:
    """Gated recurrent unit, Cho et al. 2014, with the reset gate behind the matrix, as cuDNN has it.

    r, z = sigmoid(W x + U h + b); n = tanh(W x + b + r (U h + b')); h = (1 - z) n + z h
    """
    hidden = state["hidden"]  # (n_lanes, n_units)
    n = hidden.shape[1]
    recurrent_bias = torch.cat([torch.zeros(2 * n, dtype=weight.dtype, device=weight.device), candidate_bias])
    transposed = weight.t().contiguous()  # (n_units, 3 * n_units)
    for t in range(len(projected)):
        recurrent = torch.addmm(recurrent_bias, hidden, transposed)  # (n_lanes, 3 * n_units)
        r = torch.sigmoid(projected[t][:, :n] + recurrent[:, :n], out=out["reset_gate"][t])
        z = torch.sigmoid(projected[t][:, n : 2 * n] + recurrent[:, n : 2 * n], out=out["update_gate"][t])
        g = torch.tanh(torch.addcmul(projected[t][:, 2 * n :], r, recurrent[:, 2 * n :]), out=out["candidate"][t])
        hidden = torch.lerp(g, hidden, z, out=out["hidden"][t])
    state["hidden"].copy_(hidden)


def scan_rnn(
    projected: Tensor, state: State, weight: Tensor, candidate_bias: Tensor, out: Mapping[str, Tensor]
) -> None:
    """Simple recurrent network, Elman 1990: h = tanh(W x + U h + b)."""
    _scan_simple(torch.tanh, projected, state, weight, out["hidden"])


def scan_rnn_relu(
    projected: Tensor, state: State, weight: Tensor, candidate_bias: Tensor, out: Mapping[str, Tensor]
) -> None:
    """Simple recurrent network of rectified units, Le, Jaitly & Hinton 2015: h = max(0, W x + U h + b)."""
    _scan_simple(torch.relu, projected, state, weight, out["hidden"])


def _scan_simple(
    activate: Callable[[Tensor], Tensor], projected: Tensor, state: State, weight: Tensor, out: Tensor
) -> None:
    hidden = state["hidden"]
    transposed = weight.t().contiguous()
    for t in range(len(projected)):
        out[t] = activate(torch.addmm(projected[t], hidden, transposed))
        hidden = out[t]
    state["hidden"].copy_(hidden)


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of recurrent cell.

    Attributes:
        name: As in a checkpoint's configuration.
        module: Makes PyTorch's fused layers of the same kind.
        scan: Runs one layer over a stretch of time, keeping every signal.
        state: The signals that are carried from one character to the next.
        gates: The signals whose rows stack up in PyTorch's weight matrices, in their order.
        unbounded: The signals that may grow beyond [-1, 1], and so want float32.
    """

    name: str
    module: Callable[..., torch.nn.RNNBase]
    scan: Scan
    state: tuple[str, ...]
    gates: tuple[str, ...]
    unbounded: tuple[str, ...] = ()

    @property
    def signals(self) -> tuple[str, ...]:
        """All that is recorded of a layer: the state, then the gates."""
        return self.state + tuple(gate for gate in self.gates if gate not in self.state)


CELLS = {
    cell.name: cell
    for cell in (
        Cell(
            "lstm",
            torch.nn.LSTM,
            scan_lstm,
            state=("hidden", "cell"),
            gates=("input_gate", "forget_gate", "candidate", "output_gate"),
            unbounded=("cell",),
        ),
        Cell(
            "gru",
            torch.nn.GRU,
            scan_gru,
            state=("hidden",),
            gates=("reset_gate", "update_gate", "candidate"),
        ),
        Cell("rnn", torch.nn.RNN, scan_rnn, state=("hidden",), gates=("hidden",)),
        Cell(
            "rnn_relu",
            partial(torch.nn.RNN, nonlinearity="relu"),
            scan_rnn_relu,
            state=("hidden",),
            gates=("hidden",),
            unbounded=("hidden",),
        ),
    )
}
