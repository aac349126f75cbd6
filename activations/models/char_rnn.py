"""The character language model: characters in, one distribution over the next character out."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from activations.errors import ActivationError
from activations.models.cells import CELLS, Cell, Recurrent
from activations.units import Site
from activations.vocab import Vocabulary

_ONE_HOT_SCALE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The shape of a `CharRNN`.

    Attributes:
        cell: One of `CELLS`.
        n_layers: Stacked recurrent layers.
        n_units: In each layer.
        n_embedding: Size of the learned input vectors; 0 feeds characters in as one-hot vectors.
    """

    cell: str = "lstm"
    n_layers: int = 2
    n_units: int = 128
    n_embedding: int = 0

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ActivationError(f"there is no cell named {self.cell!r}; choose one of {', '.join(CELLS)}")
        for name, least in (("n_layers", 1), ("n_units", 1), ("n_embedding", 0)):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < least:
                raise ActivationError(f"{name} is {getattr(self, name)!r}; it must be a whole number from {least} up")


class CharRNN(nn.Module):
    """Stacked recurrent layers between characters and a linear read-out.

    Attributes:
        config: Its shape.
        vocabulary: The characters that it knows.
        trained: Whether its weights were learned, here or elsewhere; a fresh model knows nothing.
        initialisation: How its weights began, as far as that is known; see `initialising.INITIALISATIONS`.
    """

    def __init__(self, config: ModelConfig, vocabulary: Vocabulary, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        self.trained = False
        self.initialisation = "default"
        n_inputs = config.n_embedding or len(vocabulary)
        self.embedding = nn.Embedding(len(vocabulary), n_inputs) if config.n_embedding else None
        self.rnn = self.cell.module(
            n_inputs, config.n_units, config.n_layers, dropout=dropout if config.n_layers > 1 else 0.0
        )
        if self.embedding is None:  # one input of all is on at a time: at torch's scale for all, learning starts slowly
            nn.init.normal_(self._weight("weight_ih", 0), std=_ONE_HOT_SCALE)
        if config.cell == "lstm":  # Jozefowicz et al. 2015: a cell that at first remembers learns sooner
            forget = slice(config.n_units, 2 * config.n_units)
            for layer in range(config.n_layers):
                self._weight("bias_ih", layer).data[forget] = 1.0
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(config.n_units, len(vocabulary))

    @property
    def cell(self) -> Cell:
        """The kind of its layers."""
        return CELLS[self.config.cell]

    @property
    def sites(self) -> dict[Site, int]:
        """Every signal of every layer, and how many units it has."""
        signals = self.cell.signals
        found = (Site.of(layer, signal) for layer in range(self.config.n_layers) for signal in signals)
        return dict.fromkeys(sorted(found), self.config.n_units)

    @property
    def unbounded(self) -> frozenset[Site]:
        """The sites whose values may leave [-1, 1]."""
        return frozenset(site for site in self.sites if site.signal in self.cell.unbounded)

    @property
    def carried(self) -> frozenset[Site]:
        """The sites that are carried from one character to the next."""
        return frozenset(site for site in self.sites if site.signal in self.cell.state)

    def forward(self, ids: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read on from a state, by PyTorch's fused layers.

        Args:
            ids: (n_steps, n_lanes) characters.
            state: Each (n_layers, n_lanes, n_units), in the order of `cell.state`; None is the zero state.

        Returns:
            (n_steps, n_lanes, n_characters) logits of the next character, and the state after the last step.
        """
        carried = state if state is None or len(state) > 1 else state[0]
        outputs, carried = self.rnn(self.input_vectors(ids), carried)
        after = carried if isinstance(carried, tuple) else (carried,)
        return self.readout(self.dropout(outputs)), after

    def input_table(self) -> Tensor:
        """(n_characters, n_gates * n_units) what each character gives to the gates of layer 0, with the biases.

        The gates are in the order of `Cell.order`, here and below. It takes the place of a matrix product. The bias
        within a GRU's reset gate is not in it.
        """
        weight = self.cell.ordered(self._weight("weight_ih", 0))
        product = weight.t() if self.embedding is None else self.embedding.weight @ weight.t()
        return product + self._input_bias(0)

    def input_weights(self, layer: int) -> tuple[Tensor, Tensor]:
        """What the layer below gives to the gates: weights (n_units, n_gates * n_units) and biases."""
        return self.cell.ordered(self._weight("weight_ih", layer)).t(), self._input_bias(layer)

    def recurrent(self, layer: int) -> Recurrent:
        """The recurrent half of a layer."""
        return Recurrent(
            self.cell.ordered(self._weight("weight_hh", layer)).t().contiguous(),
            self._weight("bias_hh", layer)[-self.config.n_units :],
        )

    def input_vectors(self, ids: Tensor) -> Tensor:
        """What layer 0 is given for characters: one-hot or embedded, with one more axis than `ids`."""
        if self.embedding is None:
            return nn.functional.one_hot(ids, len(self.vocabulary)).to(self.readout.weight.dtype)
        return torch.as_tensor(self.embedding(ids))

    def _input_bias(self, layer: int) -> Tensor:
        recurrent = self._weight("bias_hh", layer).clone()
        if self.config.cell == "gru":
            recurrent[-self.config.n_units :] = 0
        return self.cell.ordered(self._weight("bias_ih", layer) + recurrent)

    def _weight(self, name: str, layer: int) -> Tensor:
        weight = getattr(self.rnn, f"{name}_l{layer}")
        return torch.as_tensor(weight)
