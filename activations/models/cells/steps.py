"""The fast forms of the cells' steps for lanes that are read side by side; `equations` has what they compute.

They write into tensors that are made once. `gates` holds the input's share of each gate with the biases already added,
(n_lanes, n_gates * n_units), and the gates themselves afterwards, in the order of `Cell.gate_order`: those with a
sigmoid first, so that one call serves them all. A step must not write where it reads, so that
the new state has memory of its own.

`at` is None, or is shown each value where it stands, as soon as it is made, and may overwrite it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from activations.models.cells.equations import NORM_EPSILON, Signals

State = dict[str, Tensor]
Views = tuple[Tensor, ...]
Overwrite = Callable[[str, Tensor], None]


class InputWeights(NamedTuple):
    """The input half of a layer, of what the layer below gives.

    Attributes:
        weight: (n_below, n_gates * n_units), float32 or bfloat16.
        bias: (n_gates * n_units,).
        gain: (n_gates * n_units,), if the product is normalised.
    """

    weight: Tensor
    bias: Tensor
    gain: Tensor | None

    def to(self, device: torch.device, dtype: torch.dtype) -> "InputWeights":
        """The same elsewhere, for products in `dtype`."""
        gain = None if self.gain is None else self.gain.detach().to(device)
        return InputWeights(self.weight.detach().to(device, dtype).contiguous(), self.bias.detach().to(device), gain)

    def project(self, below: Tensor, out: Tensor, product: Tensor | None = None) -> None:
        """Write the input's share of the gates.

        Args:
            below: (n, n_below) hidden states of the layer below.
            out: (n, n_gates * n_units) what is written.
            product: Room for as much in the number type of the weights, if it is another one: fresh memory for each
                product would cost as much as the product.
        """
        if self.gain is None and self.weight.dtype == out.dtype:
            torch.addmm(self.bias, below, self.weight, out=out)
            return
        if product is None:
            torch.mm(below, self.weight, out=out)
        else:
            out.copy_(torch.mm(below.to(self.weight.dtype), self.weight, out=product))
        if self.gain is None:
            out.add_(self.bias)
        else:
            out.copy_(nn.functional.layer_norm(out, self.gain.shape, self.gain, self.bias, NORM_EPSILON))


class RecurrentWeights(NamedTuple):
    """The recurrent half of a layer.

    Attributes:
        weight: (n_hidden, n_gates * n_units), float32 or bfloat16; without the candidate if that has its own.
        candidate_weight: (n_units, n_units) of the candidate, if the reset gate acts before it.
        candidate_bias: (n_units,) the recurrent bias of the candidate, which a GRU keeps inside its reset gate.
        projection: (n_units, n_hidden) from which the hidden states are made; None is none.
        peepholes: (3, n_units) from the cell to the input, forget and output gate.
        gain: (n_gates * n_units,), if the product is normalised.
        norm_cell: (2, n_units) gain and bias, if the cell is normalised.
        slope: Of the gates' function, if it is of straight lines; 0 is the sigmoid.
    """

    weight: Tensor
    candidate_weight: Tensor | None
    candidate_bias: Tensor
    projection: Tensor | None
    peepholes: Tensor | None
    gain: Tensor | None
    norm_cell: Tensor | None
    slope: float

    def to(self, device: torch.device, dtype: torch.dtype) -> "RecurrentWeights":
        """The same elsewhere, for products in `dtype`."""
        products = ("weight", "candidate_weight", "projection")
        moved: dict[str, Any] = {
            name: each.detach().to(device, dtype if name in products else each.dtype)
            for name, each in self._asdict().items()
            if isinstance(each, Tensor)
        }
        return self._replace(**moved)

    def add_to(self, gates: Tensor, hidden: Tensor) -> None:
        """Add the product of hidden states to their gates: (n, n_hidden) to (n, n_gates * n_units)."""
        weight, gain = self.weight, self.gain
        if gain is not None:
            product = torch.mm(hidden.to(weight.dtype), weight).to(gates.dtype)
            gates.add_(nn.functional.layer_norm(product, gain.shape, gain, None, NORM_EPSILON))
        elif weight.dtype == gates.dtype:
            gates.addmm_(hidden, weight)
        else:
            gates.add_(torch.mm(hidden.to(weight.dtype), weight))

    def product(self, hidden: Tensor) -> Tensor:
        """(n, n_gates * n_units) product of hidden states, with the bias of the candidate."""
        product = torch.mm(hidden.to(self.weight.dtype), self.weight).to(hidden.dtype)
        product[:, -len(self.candidate_bias) :] += self.candidate_bias
        return product

    def open(self, gates: Tensor) -> None:
        """Make gates of what is given to them, in place."""
        if self.slope:
            gates.mul_(self.slope).add_(0.5).clamp_(0, 1)
        else:
            gates.sigmoid_()


Step = Callable[[Views, State, RecurrentWeights, Overwrite | None], None]


def _add_product(gates: Tensor, hidden: Tensor, weight: Tensor) -> None:
    if weight.dtype == gates.dtype:
        gates.addmm_(hidden, weight)
    else:
        gates.add_(torch.mm(hidden.to(weight.dtype), weight))


def lstm_step(views: Views, state: State, recurrent: RecurrentWeights, at: Overwrite | None) -> None:
    """See `equations.lstm`."""
    gates, early, i, f, o, g, hidden, cell = views
    recurrent.add_to(gates, state["hidden"])
    if recurrent.peepholes is None:
        recurrent.open(early)
    else:  # the output gate waits for the cell
        p_i, p_f, p_o = recurrent.peepholes
        i.addcmul_(p_i, state["cell"])
        f.addcmul_(p_f, state["cell"])
        recurrent.open(early[..., : 2 * len(p_i)])
    g.tanh_()
    if at:
        at("input_gate", i)
        at("forget_gate", f)
        at("candidate", g)
    state["cell"] = torch.mul(i, g, out=cell).addcmul_(f, state["cell"])
    if at:
        at("cell", cell)
    if recurrent.peepholes is not None:
        recurrent.open(o.addcmul_(p_o, cell))
    if at:
        at("output_gate", o)
    if recurrent.norm_cell is not None:
        gain, bias = recurrent.norm_cell
        cell = nn.functional.layer_norm(cell, gain.shape, gain, bias, NORM_EPSILON)
    if recurrent.projection is None:
        torch.tanh(cell, out=hidden).mul_(o)
    else:
        hidden.zero_()
        _add_product(hidden, torch.tanh(cell).mul_(o), recurrent.projection)
    state["hidden"] = hidden
    if at:
        at("hidden", hidden)


def lstm_views(gates: Tensor, own: Signals) -> Views:
    """What a step works on: parts of tensors, cut once."""
    n = gates.shape[-1] // 4
    return (gates, gates[..., : 3 * n], *gates.chunk(4, -1), own["hidden"], own["cell"])


def gru_step(views: Views, state: State, recurrent: RecurrentWeights, at: Overwrite | None) -> None:
    """See `equations.gru`."""
    sigmoids, r, z, candidate, hidden = views
    product = recurrent.product(state["hidden"])
    n = candidate.shape[-1]
    recurrent.open(sigmoids.add_(product[:, : 2 * n]))
    if at:
        at("reset_gate", r)
        at("update_gate", z)
    candidate.addcmul_(r, product[:, 2 * n :]).tanh_()
    if at:
        at("candidate", candidate)
    state["hidden"] = torch.lerp(candidate, state["hidden"], z, out=hidden)
    if at:
        at("hidden", hidden)


def gru_reset_before_step(views: Views, state: State, recurrent: RecurrentWeights, at: Overwrite | None) -> None:
    """See `equations.gru_reset_before`."""
    sigmoids, r, z, candidate, hidden = views
    recurrent.add_to(sigmoids, state["hidden"])
    recurrent.open(sigmoids)
    if at:
        at("reset_gate", r)
        at("update_gate", z)
    if recurrent.candidate_weight is not None:
        _add_product(candidate, r * state["hidden"], recurrent.candidate_weight)
    candidate.tanh_()
    if at:
        at("candidate", candidate)
    state["hidden"] = torch.lerp(candidate, state["hidden"], z, out=hidden)
    if at:
        at("hidden", hidden)


def gru_views(gates: Tensor, own: Signals) -> Views:
    """What a step works on: parts of tensors, cut once."""
    n = gates.shape[-1] // 3
    return (gates[..., : 2 * n], *gates.chunk(3, -1), own["hidden"])


def rnn_step(views: Views, state: State, recurrent: RecurrentWeights, at: Overwrite | None) -> None:
    """See `equations.rnn`."""
    gates, hidden = views
    recurrent.add_to(gates, state["hidden"])
    state["hidden"] = torch.tanh(gates, out=hidden)
    if at:
        at("hidden", hidden)


def rnn_relu_step(views: Views, state: State, recurrent: RecurrentWeights, at: Overwrite | None) -> None:
    """See `equations.rnn_relu`."""
    gates, hidden = views
    recurrent.add_to(gates, state["hidden"])
    state["hidden"] = torch.clamp(gates, min=0, out=hidden)
    if at:
        at("hidden", hidden)


def rnn_views(gates: Tensor, own: Signals) -> Views:
    """What a step works on."""
    return gates, own["hidden"]
