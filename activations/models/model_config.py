"""The cell and the sizes of a model: `ModelConfig`."""

import warnings
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from torch import nn

from activations.errors import ActivationError
from activations.models.cells.equations import GATE_FUNCTIONS
from activations.models.cells.kinds import CELLS
from activations.models.cells.stepwise import StepwiseRNN

_LSTM_OPTIONS = ("peepholes", "n_projected", "layer_norm")
_OPTIONS = ("gates", *_LSTM_OPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ModelConfig:
    """The cell and the sizes of a `CharRNN`.

    Attributes:
        cell: One of `CELLS`.
        n_layers: Number of stacked recurrent layers.
        n_units: Number of units of each layer.
        n_embedding: Size of the learned input vectors; 0 for one-hot vectors.
        gates: Activation function of the gates, one of `equations.GATE_FUNCTIONS`.
        peepholes: Whether an LSTM has peephole connections from its cells to its gates.
        n_projected: Size of the projected hidden states of an LSTM; 0 for no projection.
        layer_norm: Whether an LSTM has layer normalisation of its gates and cells.
    """

    cell: str = "lstm"
    n_layers: int = 2
    n_units: int = 128
    n_embedding: int = 0
    gates: str = "sigmoid"
    peepholes: bool = False
    n_projected: int = 0
    layer_norm: bool = False

    def __post_init__(self) -> None:
        if self.cell not in tuple(CELLS):
            raise ActivationError(f"there is no cell named {self.cell!r}; choose one of {', '.join(CELLS)}")
        self._check_types()
        self._check_options()

    def _check_types(self) -> None:
        for name, least in (("n_layers", 1), ("n_units", 1), ("n_embedding", 0), ("n_projected", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ActivationError(f"{name} is {value!r}; it must be a whole number from {least} up")
        for name in ("peepholes", "layer_norm"):
            if not isinstance(getattr(self, name), bool):
                raise ActivationError(f"{name} is {getattr(self, name)!r}; it must be True or False")

    def _check_options(self) -> None:
        if self.gates not in GATE_FUNCTIONS:
            raise ActivationError(
                f"there is no gate function {self.gates!r}; choose one of {', '.join(GATE_FUNCTIONS)}"
            )
        if self.gates != "sigmoid" and not CELLS[self.cell].has_gate_function:
            raise ActivationError(f"the cell {self.cell} has no gates, and therefore no gate function {self.gates}")
        for name in _LSTM_OPTIONS:
            if getattr(self, name) and self.cell != "lstm":
                raise ActivationError(f"{name} is for the cell lstm, and the cell is {self.cell}; remove it")
        if self.n_projected >= self.n_units:
            raise ActivationError(
                f"n_projected is {self.n_projected}; it must be smaller than the number of units, {self.n_units}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Return all fields, without options at their defaults, which older checkpoints do not have."""
        defaults = {field.name: field.default for field in fields(self) if field.name in _OPTIONS}
        return {name: value for name, value in asdict(self).items() if defaults.get(name, MISSING) != value}

    def __repr__(self) -> str:
        return f"ModelConfig({', '.join(f'{name}={value!r}' for name, value in self.as_dict().items())})"

    @property
    def n_hidden(self) -> int:
        """Number of units of the hidden states."""
        return self.n_projected or self.n_units

    def n_units_of(self, signal: str) -> int:
        """Return the number of units of a signal."""
        return self.n_hidden if signal == "hidden" else self.n_units

    @property
    def unbounded(self) -> tuple[str, ...]:
        """The signals whose values may leave [-1, 1]."""
        return CELLS[self.cell].unbounded + (("hidden",) if self.n_projected else ())

    @property
    def is_fused(self) -> bool:
        """True if PyTorch has fused layers of this kind."""
        has_no_options = self.gates == "sigmoid" and not self.peepholes and not self.layer_norm
        return has_no_options and CELLS[self.cell].fused is not None

    def layers(self, n_inputs: int, n_layers: int, *, dropout: float = 0.0) -> nn.RNNBase | StepwiseRNN:
        """Make new layers of this kind: PyTorch's fused ones if it has them, otherwise a `StepwiseRNN`.

        Args:
            n_inputs: Size of the input of the first layer.
            n_layers: Number of layers.
            dropout: Share of activations dropped between layers.
        """
        cell = CELLS[self.cell]
        dropout = dropout if n_layers > 1 else 0.0
        if cell.fused is not None and self.is_fused:
            if self.n_projected:
                return _ProjectedLSTM(n_inputs, self.n_units, n_layers, dropout=dropout, proj_size=self.n_projected)
            return cell.fused(n_inputs, self.n_units, n_layers, dropout=dropout)
        return StepwiseRNN(
            cell,
            n_inputs,
            self.n_units,
            n_layers,
            gate_function=self.gates,
            peepholes=self.peepholes,
            proj_size=self.n_projected,
            layer_norm=self.layer_norm,
            dropout=dropout,
        )


class _ProjectedLSTM(nn.LSTM):
    """PyTorch's LSTM without a warning about its choice of an implementation, which a user cannot change."""

    def forward(self, *arguments: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
            return super().forward(*arguments)
