"""The norm stabiliser: a penalty on hidden states whose norm changes from one character to the next."""

import torch
from torch import Tensor, nn

from activations.models.char_rnn import CharRNN


def norm_penalty(hidden: Tensor, before: Tensor) -> Tensor:
    """Compute the mean over steps and lanes of (‖h_t‖ − ‖h_{t−1}‖)².

    Args:
        hidden: (n_steps, n_lanes, n_units) hidden states.
        before: (n_lanes, n_units) hidden states before the first step.

    Source:
        Krueger & Memisevic 2016, Regularizing RNNs by stabilizing activations, arXiv:1511.08400.
    """
    norms = torch.cat([before[None], hidden]).float().norm(dim=-1)
    return torch.as_tensor(norms.diff(dim=0).square().mean())


def read_with_penalty(
    model: CharRNN, ids: Tensor, state: tuple[Tensor, ...] | None
) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """Return what `CharRNN.forward` does, and the sum of the norm penalties of all layers.

    The layers are computed one by one, since PyTorch's stacked layers only show the hidden states of the last one.
    """
    config, parameters = model.config, model.rnn.state_dict(keep_vars=True)
    x = model.input_vectors(ids)
    penalty = x.new_zeros(())
    state_by_layer: list[tuple[Tensor, ...]] = []
    for layer in range(config.n_layers):
        if layer:
            x = nn.functional.dropout(x, model.rnn.dropout, model.training)
        with torch.device("meta"):
            single_layer = config.layers(x.shape[-1], 1)
        weights: dict[str, Tensor] = {
            name: parameters[f"{name.removesuffix('_l0')}_l{layer}"] for name in single_layer.state_dict()
        }
        layer_state = None if state is None else tuple(part[layer : layer + 1] for part in state)
        rnn_state = layer_state if layer_state is None or len(layer_state) > 1 else layer_state[0]
        x, carried = torch.func.functional_call(single_layer, weights, (x, rnn_state))
        state_by_layer.append(carried if isinstance(carried, tuple) else (carried,))
        before = x.new_zeros(x.shape[1:]) if state is None else state[0][layer]
        penalty = penalty + norm_penalty(x, before)
    logits = model.readout(model.dropout(x))
    return logits, tuple(torch.cat(parts) for parts in zip(*state_by_layer, strict=True)), penalty
