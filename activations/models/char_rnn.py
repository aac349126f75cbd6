"""The character language model: it reads characters and predicts a distribution over the next one."""

import torch
from torch import Tensor, nn

from activations.errors import ActivationError
from activations.interventions import ActiveInterventions, Intervention, LanePositions, LayerInterventions
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
    """A character language model: input vectors, stacked recurrent layers, and a linear read-out.

    Attributes:
        config: Its cell and sizes.
        vocabulary: The characters that it knows.
        trained: True if its weights were learned, here or in another program; False for a new model.
        reading_rule: What it reads in place of the text as it stands.
        initialisation: How its weights were initialised, one of `initialising.INITIALISATIONS`, if that is known.
        active: The interventions that act on it at present, all of them by `intervene`.
    """

    def __init__(self, config: ModelConfig, vocabulary: Vocabulary, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = vocabulary
        self.reading_rule = PLAIN
        self.trained = False
        self.initialisation = "default"
        self.active = ActiveInterventions()
        n_inputs = config.n_embedding or len(vocabulary)
        self.embedding = nn.Embedding(len(vocabulary), n_inputs) if config.n_embedding else None
        self.rnn = config.layers(n_inputs, config.n_layers, dropout=dropout)
        if self.embedding is None:  # one input is 1, the others 0: with torch's scale, learning starts slowly
            nn.init.normal_(self._weight("weight_ih", 0), std=_ONE_HOT_SCALE)
        if (
            "forget_gate" in self.cell.gate_names
        ):  # Jozefowicz et al. 2015: a cell that remembers at first learns sooner
            row = self.cell.gate_names.index("forget_gate") * config.n_units
            for layer in range(config.n_layers):
                self._weight("bias_ih", layer).data[row : row + config.n_units] = 1.0
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(config.n_hidden, len(vocabulary))

    @property
    def cell(self) -> Cell:
        """The kind of cell of its layers."""
        return CELLS[self.config.cell]

    @property
    def interventions(self) -> tuple[Intervention, ...]:
        """The interventions that act on it at present, in the order in which they act; see `intervene`."""
        return self.active.listed

    @property
    def sites(self) -> dict[Site, int]:
        """Number of units of every site: every signal of every layer."""
        sites = (Site.of(n, signal) for n in range(self.config.n_layers) for signal in self.cell.signals)
        return {site: self.config.n_units_of(str(site.signal)) for site in sorted(sites)}

    @property
    def unbounded(self) -> frozenset[Site]:
        """The sites whose values may leave [-1, 1]."""
        return frozenset(site for site in self.sites if site.signal in self.config.unbounded)

    @property
    def carried(self) -> frozenset[Site]:
        """The sites that are carried from one character to the next."""
        return frozenset(site for site in self.sites if site.signal in self.cell.state)

    def forward(
        self, ids: Tensor, state: tuple[Tensor, ...] | None = None, where: LanePositions | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read characters, starting from a state.

        PyTorch's fused layers compute it; for cells without fused layers, the equations while the model is trained, and
        the fast steps otherwise. With interventions the fast steps do, which have no gradients.

        Args:
            ids: (n_steps, n_lanes) characters.
            state: (n_layers, n_lanes, n_units) for each signal of `cell.state`; None is the zero state.
            where: (n_steps, n_lanes) what is read, for interventions; None counts lanes as documents, and positions
                from the first of these characters.

        Returns:
            (n_steps, n_lanes, n_characters) logits of the next character, and the state after the last step.

        Raises:
            ActivationError: If there are interventions, and the model is being trained.
        """
        if self.interventions:
            if self.training:
                raise ActivationError("interventions do not act on a model that is being trained; call eval() first")
            with torch.no_grad():
                return self._forward_fast(ids, state, _counted(ids) if where is None else where)
        if not (self.config.is_fused or self.training or torch.is_grad_enabled()):
            return self._forward_fast(ids, state, None)
        carried = state if state is None or len(state) > 1 else state[0]
        outputs, carried = self.rnn(self.input_vectors(ids), carried)
        after = carried if isinstance(carried, tuple) else (carried,)
        return self.readout(self.dropout(outputs)), after

    def _forward_fast(
        self, ids: Tensor, state: tuple[Tensor, ...] | None, where: LanePositions | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Compute `forward` by the fast steps, with the interventions if it is said what is read."""
        (n_steps, n_lanes), signals = ids.shape, self.cell.state
        preactivations, state_by_layer = self.input_table()[ids], []
        for layer in range(self.config.n_layers):
            results = {s: preactivations.new_empty(n_steps, n_lanes, self.config.n_units_of(s)) for s in signals}
            carried = {
                signal: torch.zeros_like(results[signal][0]) if state is None else state[n][layer]
                for n, signal in enumerate(signals)
            }
            recurrent = self.recurrent_weights(layer)
            changes = LayerInterventions(self.interventions, layer)
            for t in range(n_steps):
                now = changes.at(LanePositions(*(each[t] for each in where))) if changes and where else None
                views = self.cell.views(preactivations[t], {signal: rows[t] for signal, rows in results.items()})
                self.cell.step(views, carried, recurrent, now)
            state_by_layer.append([carried[signal] for signal in signals])
            if layer + 1 < self.config.n_layers:
                self.input_weights(layer + 1).project(results["hidden"].flatten(0, 1), preactivations.flatten(0, 1))
        return self.readout(results["hidden"]), tuple(
            torch.stack(layers) for layers in zip(*state_by_layer, strict=True)
        )

    def layer(self, layer: int) -> Layer:
        """Return the parameters of a layer, as the equations of its cell take them."""
        return layer_of(self.rnn, layer, self.config.gates)

    def input_table(self) -> Tensor:
        """Return the input's share of layer 0's pre-activations for every character, (n_characters, n_gates * n_units).

        Looking a character up here replaces a matrix product. Gates are in the order of `Cell.gate_order`, as in all
        that follows, and biases are added, except the one that a reset gate after the matrix multiplies.
        """
        weight, bias, gain = self.input_weights(0)
        product = weight if self.embedding is None else self.embedding.weight @ weight
        return normalised(product, gain) + bias

    def input_weights(self, layer: int) -> InputWeights:
        """Return the weights of a layer on its input, as the fast steps take them."""
        parameters, in_order = self.layer(layer), self.cell.in_gate_order
        recurrent_bias = parameters.bias_hh.clone()
        if self.cell.reset == "after":  # its reset gate multiplies the bias of the candidate, too
            recurrent_bias[-self.config.n_units :] = 0
        gain = None if parameters.gain_ih is None else in_order(parameters.gain_ih)
        return InputWeights(in_order(parameters.weight_ih).t(), in_order(parameters.bias_ih + recurrent_bias), gain)

    def recurrent_weights(self, layer: int) -> RecurrentWeights:
        """Return the weights of a layer on its previous state, as the fast steps take them."""
        parameters, n_units = self.layer(layer), self.config.n_units
        weight, candidate = self.cell.in_gate_order(parameters.weight_hh).t().contiguous(), None
        if self.cell.reset == "before":
            weight, candidate = weight[:, :-n_units].contiguous(), weight[:, -n_units:].contiguous()
        return RecurrentWeights(
            weight=weight,
            candidate_weight=candidate,
            candidate_bias=parameters.bias_hh[-n_units:],
            projection=None if parameters.weight_hr is None else parameters.weight_hr.t().contiguous(),
            peepholes=parameters.peepholes,
            gain=None if parameters.gain_hh is None else self.cell.in_gate_order(parameters.gain_hh),
            norm_cell=parameters.norm_cell,
            slope=HARD_SLOPES.get(self.config.gates, 0.0),
        )

    def input_vectors(self, ids: Tensor) -> Tensor:
        """Return the one-hot or embedded vectors that layer 0 takes for characters, (*ids.shape, n_inputs)."""
        if self.embedding is None:
            return nn.functional.one_hot(ids, len(self.vocabulary)).to(self.readout.weight.dtype)
        return torch.as_tensor(self.embedding(ids))

    def _weight(self, name: str, layer: int) -> Tensor:
        weight = getattr(self.rnn, f"{name}_l{layer}")
        return torch.as_tensor(weight)


def _counted(ids: Tensor) -> LanePositions:
    """(n_steps, n_lanes) what is read if each lane is a document of its own, read from its beginning."""
    n_steps, n_lanes = ids.shape
    steps, lanes = torch.arange(n_steps, device=ids.device), torch.arange(n_lanes, device=ids.device)
    return LanePositions(lanes.expand(n_steps, -1), steps[:, None].expand(-1, n_lanes))
