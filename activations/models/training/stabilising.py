"""The norm stabiliser: a penalty on hidden states whose norm changes from one character to the next."""

import torch
from torch import Tensor, nn

from activations.models.char_rnn import CharRNN


def norm_penalty(hidden: Tensor, before: Tensor) -> Tensor:
    """The mean over steps and lanes of (‖h_t‖ − ‖h_{t−1}‖)².

    Args:
        hidden: (n_steps, n_lanes, n_units).
        before: (n_lanes, n_units) the state before the first of them.

    Source:
        Krueger & Memisevic 2016, Regularizing RNNs by stabilizing activations, arXiv:1511.08400.
    """
    norms = torch.cat([before[None], hidden]).float().norm(dim=-1)
    return torch.as_tensor(norms.diff(dim=0).square().mean())


def read_with_penalty(
    model: CharRNN, ids: Tensor, state: tuple[Tensor, ...] | None
) -> tuple[Tensor, tuple[Tensor, ...], Tensor]:
    """What `CharRNN.forward` gives, and the sum over layers of the penalties of their hidden states.

    The layers are run one by one, since PyTorch's stack of them does not tell what is inside.
    """
    config, own = model.config, model.rnn.state_dict(keep_vars=True)
    x = model.input_vectors(ids)
    penalty = x.new_zeros(())
    after: list[tuple[Tensor, ...]] = []
    for layer in range(config.n_layers):
        if layer:
            x = nn.functional.dropout(x, model.rnn.dropout, model.training)
        with torch.device("meta"):
            alone = config.layers(x.shape[-1], 1)
        weights: dict[str, Tensor] = {name: own[f"{name.removesuffix('_l0')}_l{layer}"] for name in alone.state_dict()}
        carried = None if state is None else tuple(part[layer : layer + 1] for part in state)
        given = carried if carried is None or len(carried) > 1 else carried[0]
        x, left = torch.func.functional_call(alone, weights, (x, given))
        after.append(left if isinstance(left, tuple) else (left,))
        before = x.new_zeros(x.shape[1:]) if state is None else state[0][layer]
        penalty = penalty + norm_penalty(x, before)
    logits = model.readout(model.dropout(x))
    return logits, tuple(torch.cat(parts) for parts in zip(*after, strict=True)), penalty
