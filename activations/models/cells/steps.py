"""The steps of the cells for many lanes at once: `equations`, written into memory that exists already.

`preactivations` holds the input's share of each gate's pre-activation with all biases added, (n_lanes, n_gates *
n_units), in the order of `Cell.gate_order` (those with a sigmoid first, so that one call serves them all), and is
overwritten with the gates, their values after the activation function. A step must not write where it still reads: the
new state has memory of its own.

`overwrite` is None, or is called with each signal's name and value as soon as it is computed, and may change the value
in place.
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
    """The weights of a layer on its input, prepared for the fast steps.

    Attributes:
        weight: (n_below, n_gates * n_units), float32 or bfloat16.
        bias: (n_gates * n_units,).
        gain: (n_gates * n_units,) gain of the layer normalisation of the product, if there is one.
    """

    weight: Tensor
    bias: Tensor
    gain: Tensor | None

    def to(self, device: torch.device, dtype: torch.dtype) -> "InputWeights":
        """Copy the weights to a device, those of matrix products in `dtype`."""
        gain = None if self.gain is None else self.gain.detach().to(device)
        return InputWeights(self.weight.detach().to(device, dtype).contiguous(), self.bias.detach().to(device), gain)

    def project(self, below: Tensor, out: Tensor, product: Tensor | None = None) -> None:
        """Compute the input's share of the pre-activations.

        Args:
            below: (n_rows, n_below) hidden states of the layer below.
            out: (n_rows, n_gates * n_units), overwritten with the result.
            product: Memory of the shape of `out` in the dtype of the weights, needed if the dtypes differ: allocating
                it for each product would cost as much as the product itself.
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
    """The weights of a layer on its previous state, prepared for the fast steps.

    Attributes:
        weight: (n_hidden, n_gates * n_units), float32 or bfloat16; without the candidate if `candidate_weight` has it.
        candidate_weight: (n_units, n_units) of the candidate, if the reset gate acts before the matrix.
        candidate_bias: (n_units,) recurrent bias of the candidate; a reset gate after the matrix multiplies it, too.
        projection: (n_units, n_hidden) projection to the hidden states, if there is one.
        peepholes: (3, n_units) from the cell to the input, forget and output gate, if there are any.
        gain: (n_gates * n_units,) gain of the layer normalisation of the product, if there is one.
        norm_cell: (2, n_units) gain and bias of the layer normalisation of the cell, if there is one.
        slope: Slope of the gates' activation function if it is piecewise linear; 0 is the sigmoid.
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
        """Copy the weights to a device, those of matrix products in `dtype`."""
        products = ("weight", "candidate_weight", "projection")
        moved: dict[str, Any] = {
            name: part.detach().to(device, dtype if name in products else part.dtype)
            for name, part in self._asdict().items()
            if isinstance(part, Tensor)
        }
        return self._replace(**moved)

    def add_to(self, preactivations: Tensor, hidden: Tensor) -> None:
        """Add the product of (n_lanes, n_hidden) hidden states to (n_lanes, n_gates * n_units) pre-activations."""
        weight, gain = self.weight, self.gain
        if gain is not None:
            product = torch.mm(hidden.to(weight.dtype), weight).to(preactivations.dtype)
            preactivations.add_(nn.functional.layer_norm(product, gain.shape, gain, None, NORM_EPSILON))
        elif weight.dtype == preactivations.dtype:
            preactivations.addmm_(hidden, weight)
        else:
            preactivations.add_(torch.mm(hidden.to(weight.dtype), weight))

    def product(self, hidden: Tensor) -> Tensor:
        """Return the product of hidden states, (n_lanes, n_gates * n_units), with the bias of the candidate added."""
        product = torch.mm(hidden.to(self.weight.dtype), self.weight).to(hidden.dtype)
        product[:, -len(self.candidate_bias) :] += self.candidate_bias
        return product

    def activate(self, preactivations: Tensor) -> None:
        """Apply the activation function of the gates in place, so that pre-activations become gates."""
        if self.slope:
            preactivations.mul_(self.slope).add_(0.5).clamp_(0, 1)
        else:
            preactivations.sigmoid_()


Step = Callable[[Views, State, RecurrentWeights, Overwrite | None], None]


def _add_product(sums: Tensor, hidden: Tensor, weight: Tensor) -> None:
    if weight.dtype == sums.dtype:
        sums.addmm_(hidden, weight)
    else:
        sums.add_(torch.mm(hidden.to(weight.dtype), weight))


def lstm_step(views: Views, state: State, recurrent: RecurrentWeights, overwrite: Overwrite | None) -> None:
    """Compute one step of `equations.lstm` in place."""
    preactivations, sigmoids, i, f, o, g, hidden, cell = views
    recurrent.add_to(preactivations, state["hidden"])
    if recurrent.peepholes is None:
        recurrent.activate(sigmoids)
    else:  # the output gate sees the new cell
        p_i, p_f, p_o = recurrent.peepholes
        i.addcmul_(p_i, state["cell"])
        f.addcmul_(p_f, state["cell"])
        recurrent.activate(sigmoids[..., : 2 * len(p_i)])
    g.tanh_()
    if overwrite:
        overwrite("input_gate", i)
        overwrite("forget_gate", f)
        overwrite("candidate", g)
    state["cell"] = torch.mul(i, g, out=cell).addcmul_(f, state["cell"])
    if overwrite:
        overwrite("cell", cell)
    if recurrent.peepholes is not None:
        recurrent.activate(o.addcmul_(p_o, cell))
    if overwrite:
        overwrite("output_gate", o)
    if recurrent.norm_cell is not None:
        gain, bias = recurrent.norm_cell
        cell = nn.functional.layer_norm(cell, gain.shape, gain, bias, NORM_EPSILON)
    if recurrent.projection is None:
        torch.tanh(cell, out=hidden).mul_(o)
    else:
        hidden.zero_()
        _add_product(hidden, torch.tanh(cell).mul_(o), recurrent.projection)
    state["hidden"] = hidden
    if overwrite:
        overwrite("hidden", hidden)


def lstm_views(preactivations: Tensor, state: Signals) -> Views:
    """Cut the views that `lstm_step` works on, once for all steps in the same memory."""
    n = preactivations.shape[-1] // 4
    return (preactivations, preactivations[..., : 3 * n], *preactivations.chunk(4, -1), state["hidden"], state["cell"])


def gru_step(views: Views, state: State, recurrent: RecurrentWeights, overwrite: Overwrite | None) -> None:
    """Compute one step of `equations.gru` in place."""
    sigmoids, r, z, candidate, hidden = views
    product = recurrent.product(state["hidden"])
    n = candidate.shape[-1]
    recurrent.activate(sigmoids.add_(product[:, : 2 * n]))
    if overwrite:
        overwrite("reset_gate", r)
        overwrite("update_gate", z)
    candidate.addcmul_(r, product[:, 2 * n :]).tanh_()
    if overwrite:
        overwrite("candidate", candidate)
    state["hidden"] = torch.lerp(candidate, state["hidden"], z, out=hidden)
    if overwrite:
        overwrite("hidden", hidden)


def gru_reset_before_step(views: Views, state: State, recurrent: RecurrentWeights, overwrite: Overwrite | None) -> None:
    """Compute one step of `equations.gru_reset_before` in place."""
    sigmoids, r, z, candidate, hidden = views
    recurrent.add_to(sigmoids, state["hidden"])
    recurrent.activate(sigmoids)
    if overwrite:
        overwrite("reset_gate", r)
        overwrite("update_gate", z)
    if recurrent.candidate_weight is not None:
        _add_product(candidate, r * state["hidden"], recurrent.candidate_weight)
    candidate.tanh_()
    if overwrite:
        overwrite("candidate", candidate)
    state["hidden"] = torch.lerp(candidate, state["hidden"], z, out=hidden)
    if overwrite:
        overwrite("hidden", hidden)


def gru_views(preactivations: Tensor, state: Signals) -> Views:
    """Cut the views that both steps of a GRU work on, once for all steps in the same memory."""
    n = preactivations.shape[-1] // 3
    return (preactivations[..., : 2 * n], *preactivations.chunk(3, -1), state["hidden"])


def rnn_step(views: Views, state: State, recurrent: RecurrentWeights, overwrite: Overwrite | None) -> None:
    """Compute one step of `equations.rnn` in place."""
    preactivations, hidden = views
    recurrent.add_to(preactivations, state["hidden"])
    state["hidden"] = torch.tanh(preactivations, out=hidden)
    if overwrite:
        overwrite("hidden", hidden)


def rnn_relu_step(views: Views, state: State, recurrent: RecurrentWeights, overwrite: Overwrite | None) -> None:
    """Compute one step of `equations.rnn_relu` in place."""
    preactivations, hidden = views
    recurrent.add_to(preactivations, state["hidden"])
    state["hidden"] = torch.clamp(preactivations, min=0, out=hidden)
    if overwrite:
        overwrite("hidden", hidden)


def rnn_views(preactivations: Tensor, state: Signals) -> Views:
    """Cut the views that the steps of simple networks work on."""
    return preactivations, state["hidden"]
