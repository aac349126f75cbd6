"""Untrained twins of a model: what a network of this shape gives without having learned anything."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Literal, get_args

import torch

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.models.initialising import initialise

Twin = Literal["fresh", "shuffled"]
TWINS: tuple[Twin, ...] = get_args(Twin)


def twin(model: CharRNN, how: str, seed: int = 0) -> CharRNN:
    """A model of the same shape and vocabulary that has learned nothing.

    Args:
        model: The trained one; it is not changed.
        how: `fresh`: the weights that training begins with; `shuffled`: its own weights, shuffled within each
            matrix, and so of the same size as the trained ones.
        seed: Of the weights.

    Raises:
        ActivationError: If there is no such twin.
    """
    if how not in TWINS:
        raise ActivationError(f"there is no untrained twin {how!r}; there are {', '.join(TWINS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if how == "fresh":
            fresh = CharRNN(model.config, model.vocabulary)
            fresh.reading_rule = model.reading_rule
            initialise(fresh, model.initialisation)
            return fresh.eval()
        made = deepcopy(model)
        made.load_state_dict(_shuffled(model.state_dict()))
    made.trained = False
    return made.eval()


def _shuffled(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: each.flatten()[torch.randperm(each.numel())].reshape(each.shape) for name, each in weights.items()}
