"""The registry of recurrent cells: the signals of each kind, and the forms in which its step is written."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from activations.models.cells import equations, steps
from activations.models.cells.equations import Equations, Signals
from activations.models.cells.steps import Step, Views


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One kind of recurrent cell.

    Attributes:
        name: Name in `ModelConfig.cell` and for `--cell`.
        equations: One step in plain tensors.
        step: The same step for many lanes, in place.
        views: Cuts what `step` works on out of the pre-activations and the new state.
        fused: Makes PyTorch's fused layers of this kind; None if PyTorch has none.
        state: Signals that are carried from one character to the next.
        gate_names: Signals whose rows are stacked in the weight matrices, in PyTorch's order.
        stages: Signals in the order in which a step computes them; those of one stage do not depend on each other.
        unbounded: Signals that may leave [-1, 1], and are therefore recorded in float32.
        reset: Whether the reset gate acts `before` or `after` the recurrent matrix; None for cells without one.
    """

    name: str
    equations: Equations
    step: Step
    views: Callable[[Tensor, Signals], Views]
    fused: Callable[..., torch.nn.RNNBase] | None = None
    state: tuple[str, ...]
    gate_names: tuple[str, ...]
    stages: tuple[tuple[str, ...], ...]
    unbounded: tuple[str, ...] = ()
    reset: Literal["before", "after"] | None = None

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of all recorded signals of a layer: the state, then the gates."""
        return self.state + tuple(gate for gate in self.gate_names if gate not in self.state)

    @property
    def gate_order(self) -> tuple[str, ...]:
        """The names of the gates in the order of the fast forms: sigmoids first, so that one call serves them all."""
        return tuple(sorted(self.gate_names, key=lambda gate: not gate.endswith("_gate")))

    @property
    def has_gate_function(self) -> bool:
        """True if the cell has gates between 0 and 1, whose activation function `ModelConfig.gates` names."""
        return self.gate_order[0].endswith("_gate")

    def in_gate_order(self, rows: Tensor) -> Tensor:
        """Bring the rows of a weight matrix, or the numbers of a bias, from PyTorch's order to `gate_order`."""
        rows_by_gate = dict(zip(self.gate_names, rows.chunk(len(self.gate_names)), strict=True))
        return torch.cat([rows_by_gate[gate] for gate in self.gate_order])

    def named_signals(self, gates: Tensor, state: Signals) -> dict[str, Tensor]:
        """Name the signals of steps that have been computed.

        Args:
            gates: (..., n_gates * n_units) in the order of `gate_order`.
            state: (..., n_units) for each signal of the state.
        """
        return {**dict(zip(self.gate_order, gates.chunk(len(self.gate_names), -1), strict=True)), **state}


_GRU_GATE_NAMES = ("reset_gate", "update_gate", "candidate")
_GRU_STAGES = (("reset_gate", "update_gate"), ("candidate",), ("hidden",))

CELLS = {
    cell.name: cell
    for cell in (
        Cell(
            name="lstm",
            equations=equations.lstm,
            step=steps.lstm_step,
            views=steps.lstm_views,
            fused=torch.nn.LSTM,
            state=("hidden", "cell"),
            gate_names=("input_gate", "forget_gate", "candidate", "output_gate"),
            stages=(("input_gate", "forget_gate", "candidate"), ("cell",), ("output_gate",), ("hidden",)),
            unbounded=("cell",),
        ),
        Cell(
            name="gru",
            equations=equations.gru,
            step=steps.gru_step,
            views=steps.gru_views,
            fused=torch.nn.GRU,
            state=("hidden",),
            gate_names=_GRU_GATE_NAMES,
            stages=_GRU_STAGES,
            reset="after",
        ),
        Cell(
            name="gru_reset_before",
            equations=equations.gru_reset_before,
            step=steps.gru_reset_before_step,
            views=steps.gru_views,
            state=("hidden",),
            gate_names=_GRU_GATE_NAMES,
            stages=_GRU_STAGES,
            reset="before",
        ),
        Cell(
            name="rnn",
            equations=equations.rnn,
            step=steps.rnn_step,
            views=steps.rnn_views,
            fused=torch.nn.RNN,
            state=("hidden",),
            gate_names=("hidden",),
            stages=(("hidden",),),
        ),
        Cell(
            name="rnn_relu",
            equations=equations.rnn_relu,
            step=steps.rnn_relu_step,
            views=steps.rnn_views,
            fused=partial(torch.nn.RNN, nonlinearity="relu"),
            state=("hidden",),
            gate_names=("hidden",),
            stages=(("hidden",),),
            unbounded=("hidden",),
        ),
    )
}
