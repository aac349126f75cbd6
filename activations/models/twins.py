"""Untrained twins: models of the same shape as a trained one that have learned nothing."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Literal, get_args

import torch

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.models.initialising import initialise

Twin = Literal["fresh", "shuffled"]
TWINS: tuple[Twin, ...] = get_args(Twin)


def twin(model: CharRNN, kind: str, seed: int = 0) -> CharRNN:
    """Make a model of the same shape and vocabulary that has learned nothing.

    Args:
        model: The trained model. Not modified.
        kind: `fresh` for newly initialised weights; `shuffled` for the trained weights, permuted within each matrix, so
            that their distribution is that of the trained ones.
        seed: Seed of the weights or of the permutations.

    Raises:
        ActivationError: If there is no such kind of twin.
    """
    if kind not in TWINS:
        raise ActivationError(f"there is no untrained twin {kind!r}; there are {', '.join(TWINS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "fresh":
            fresh = CharRNN(model.config, model.vocabulary)
            fresh.reading_rule = model.reading_rule
            initialise(fresh, model.initialisation)
            return fresh.eval()
        shuffled = deepcopy(model)
        shuffled.load_state_dict(_shuffled(model.state_dict()))
    shuffled.trained = False
    return shuffled.eval()


def _shuffled(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name: weight.flatten()[torch.randperm(weight.numel())].reshape(weight.shape) for name, weight in weights.items()
    }
