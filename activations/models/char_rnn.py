"""The character language model: characters in, one distribution over the next character out."""

import torch
from torch import Tensor, nn

from activations.models.cells.equations import HARD_SLOPES, Layer, normalised
from activations.models.cells.kinds import CELLS, Cell
from activations.models.cells.steps import InputWeights, RecurrentWeights
from activations.models.cells.stepwise import layer_of
from activations.models.model_config import ModelConfig
from activations.texts.reading_rule import PLAIN
from activations.texts.vocab import Vocabulary
from activations.units import Site

__all__ = ["CharRNN", "ModelConfig"]

_ONE_HOT_SCALE = 0.4


class CharRNN(nn.Module):
    """Stacked recurrent layers between characters and a linear read-out.

    Attributes:
        config: Its shape.
        vocabulary: The characters that it knows.
        trained: Whether its weights were learned, here or elsewhere; a fresh model knows nothing.
        reading_rule: What it reads in place of a text as it stands.
        initialisation: How its weights began, as far as that is known; see `initialising.INITIALISATIONS`.
    """

    def __init__(self, config: ModelConfig, vocabulary: Vocabulary, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        self.reading_rule = PLAIN
        self.trained = False
        self.initialisation = "default"
        n_inputs = config.n_embedding or len(vocabulary)
        self.embedding = nn.Embedding(len(vocabulary), n_inputs) if config.n_embedding else None
        self.rnn = config.layers(n_inputs, config.n_layers, dropout=dropout)
        if self.embedding is None:  # one input of all is on at a time: at torch's scale for all, learning starts slowly
            nn.init.normal_(self._weight("weight_ih", 0), std=_ONE_HOT_SCALE)
        if config.cell == "lstm":  # Jozefowicz et al. 2015: a cell that at first remembers learns sooner
            forget = slice(config.n_units, 2 * config.n_units)
            for layer in range(config.n_layers):
                self._weight("bias_ih", layer).data[forget] = 1.0
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(config.n_hidden, len(vocabulary))

    @property
    def cell(self) -> Cell:
        """The kind of its layers."""
        return CELLS[self.config.cell]

    @property
    def sites(self) -> dict[Site, int]:
        """Every signal of every layer, and how many units it has."""
        found = (Site.of(n, signal) for n in range(self.config.n_layers) for signal in self.cell.signals)
        return {site: self.config.n_units_of(str(site.signal)) for site in sorted(found)}

    @property
    def unbounded(self) -> frozenset[Site]:
        """The sites whose values may leave [-1, 1]."""
        return frozenset(site for site in self.sites if site.signal in self.config.unbounded)

    @property
    def carried(self) -> frozenset[Site]:
        """The sites that are carried from one character to the next."""
        return frozenset(site for site in self.sites if site.signal in self.cell.state)

    def forward(self, ids: Tensor, state: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read on from a state: by PyTorch's fused layers, or by the equations where it has none.

        Where nothing is learned, the fast steps take the place of the equations.

        Args:
            ids: (n_steps, n_lanes) characters.
            state: Each (n_layers, n_lanes, n_units) in the order of `cell.state`; None is the zero state.

        Returns:
            (n_steps, n_lanes, n_characters) logits of the next character, and the state after the last step.
        """
        if not (self.config.is_fused or self.training or torch.is_grad_enabled()):
            return self._forward_fast(ids, state)
        carried = state if state is None or len(state) > 1 else state[0]
        outputs, carried = self.rnn(self.input_vectors(ids), carried)
        after = carried if isinstance(carried, tuple) else (carried,)
        return self.readout(self.dropout(outputs)), after

    def _forward_fast(self, ids: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """`forward` by the steps that lanes are read by."""
        (n_steps, n_lanes), signals = ids.shape, self.cell.state
        gates, after = self.input_table()[ids], []
        for layer in range(self.config.n_layers):
            results = {s: gates.new_empty(n_steps, n_lanes, self.config.n_units_of(s)) for s in signals}
            carried = {
                signal: torch.zeros_like(results[signal][0]) if state is None else state[n][layer]
                for n, signal in enumerate(signals)
            }
            recurrent = self.recurrent_weights(layer)
            for t in range(n_steps):
                views = self.cell.views(gates[t], {signal: each[t] for signal, each in results.items()})
                self.cell.step(views, carried, recurrent, None)
            after.append([carried[signal] for signal in signals])
            if layer + 1 < self.config.n_layers:
                self.input_weights(layer + 1).project(results["hidden"].flatten(0, 1), gates.flatten(0, 1))
        return self.readout(results["hidden"]), tuple(torch.stack(own) for own in zip(*after, strict=True))

    def layer(self, layer: int) -> Layer:
        """The parameters of a layer, for the equations of its cell."""
        return layer_of(self.rnn, layer, self.config.gates)

    def input_table(self) -> Tensor:
        """(n_characters, n_gates * n_units) what each character gives to the gates of layer 0, with the biases.

        The gates are in the order of `Cell.gate_order`, here and below. It takes the place of a matrix product. The
        bias within a GRU's reset gate is not in it.
        """
        weight, bias, gain = self.input_weights(0)
        product = weight if self.embedding is None else self.embedding.weight @ weight
        return normalised(product, gain) + bias

    def input_weights(self, layer: int) -> InputWeights:
        """The input half of a layer."""
        own, ordered = self.layer(layer), self.cell.in_gate_order
        recurrent = own.bias_hh.clone()
        if self.config.cell == "gru":
            recurrent[-self.config.n_units :] = 0
        gain = None if own.gain_ih is None else ordered(own.gain_ih)
        return InputWeights(ordered(own.weight_ih).t(), ordered(own.bias_ih + recurrent), gain)

    def recurrent_weights(self, layer: int) -> RecurrentWeights:
        """The recurrent half of a layer."""
        own, n_units = self.layer(layer), self.config.n_units
        weight, candidate = self.cell.in_gate_order(own.weight_hh).t().contiguous(), None
        if self.config.cell == "gru_reset_before":
            weight, candidate = weight[:, :-n_units].contiguous(), weight[:, -n_units:].contiguous()
        return RecurrentWeights(
            weight=weight,
            candidate_weight=candidate,
            candidate_bias=own.bias_hh[-n_units:],
            projection=None if own.weight_hr is None else own.weight_hr.t().contiguous(),
            peepholes=own.peepholes,
            gain=None if own.gain_hh is None else self.cell.in_gate_order(own.gain_hh),
            norm_cell=own.norm_cell,
            slope=HARD_SLOPES.get(self.config.gates, 0.0),
        )

    def input_vectors(self, ids: Tensor) -> Tensor:
        """What layer 0 is given for characters: one-hot or embedded, with one more axis than `ids`."""
        if self.embedding is None:
            return nn.functional.one_hot(ids, len(self.vocabulary)).to(self.readout.weight.dtype)
        return torch.as_tensor(self.embedding(ids))

    def _weight(self, name: str, layer: int) -> Tensor:
        weight = getattr(self.rnn, f"{name}_l{layer}")
        return torch.as_tensor(weight)
