"""The kinds of recurrent cells: what each has, and in which forms its step is there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from activations.models.cells import equations, steps
from activations.models.cells.equations import Equations, Signals
from activations.models.cells.steps import Step, Views


@dataclass(frozen=True, slots=True)
class Cell:
    """One kind of recurrent cell.

    Attributes:
        name: As in a checkpoint's configuration.
        equations: What a step computes, in plain tensors.
        fused: Makes PyTorch's fused layers of the same kind, if it has them.
        step: Reads one character in every lane, fast.
        views: What a fast step works on, from the gates and the signals that are no gates.
        state: The signals that are carried from one character to the next.
        gates: The signals whose rows stack up in the weight matrices, in PyTorch's order.
        stages: The signals in the order in which a step makes them, those together that do not need each other.
        unbounded: The signals that may grow beyond [-1, 1], and so want float32.
    """

    name: str
    equations: Equations
    fused: Callable[..., torch.nn.RNNBase] | None
    step: Step
    views: Callable[[Tensor, Signals], Views]
    state: tuple[str, ...]
    gates: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]
    unbounded: tuple[str, ...] = ()

    @property
    def signals(self) -> tuple[str, ...]:
        """All that is recorded of a layer: the state, then the gates."""
        return self.state + tuple(gate for gate in self.gates if gate not in self.state)

    def named_signals(self, gates: Tensor, own: Signals) -> dict[str, Tensor]:
        """Every signal by its name, (n_steps, n_lanes, n_units), once they are read."""
        return {**dict(zip(self.gate_order, gates.chunk(len(self.gates), -1), strict=True)), **own}

    @property
    def gate_order(self) -> tuple[str, ...]:
        """The gates in the order in which they are computed: those with a sigmoid first."""
        return tuple(sorted(self.gates, key=lambda gate: not gate.endswith("_gate")))

    @property
    def has_gate_function(self) -> bool:
        """Whether there are gates between 0 and 1."""
        return self.gate_order[0].endswith("_gate")

    def in_gate_order(self, rows: Tensor) -> Tensor:
        """Rows of a weight matrix, or of a bias, in that order."""
        by_gate = dict(zip(self.gates, rows.chunk(len(self.gates)), strict=True))
        return torch.cat([by_gate[gate] for gate in self.gate_order])


_GRU_GATES = ("reset_gate", "update_gate", "candidate")
_GRU_STAGES = (("reset_gate", "update_gate"), ("candidate",), ("hidden",))

CELLS = {
    cell.name: cell
    for cell in (
        Cell(
            "lstm",
            equations.lstm,
            torch.nn.LSTM,
            steps.lstm_step,
            steps.lstm_views,
            state=("hidden", "cell"),
            gates=("input_gate", "forget_gate", "candidate", "output_gate"),
            stages=(("input_gate", "forget_gate", "candidate"), ("cell",), ("output_gate",), ("hidden",)),
            unbounded=("cell",),
        ),
        Cell(
            "gru",
            equations.gru,
            torch.nn.GRU,
            steps.gru_step,
            steps.gru_views,
            state=("hidden",),
            gates=_GRU_GATES,
            stages=_GRU_STAGES,
        ),
        Cell(
            "gru_reset_before",
            equations.gru_reset_before,
            None,
            steps.gru_reset_before_step,
            steps.gru_views,
            state=("hidden",),
            gates=_GRU_GATES,
            stages=_GRU_STAGES,
        ),
        Cell(
            "rnn",
            equations.rnn,
            torch.nn.RNN,
            steps.rnn_step,
            steps.rnn_views,
            state=("hidden",),
            gates=("hidden",),
            stages=(("hidden",),),
        ),
        Cell(
            "rnn_relu",
            equations.rnn_relu,
            partial(torch.nn.RNN, nonlinearity="relu"),
            steps.rnn_relu_step,
            steps.rnn_views,
            state=("hidden",),
            gates=("hidden",),
            stages=(("hidden",),),
            unbounded=("hidden",),
        ),
    )
}
