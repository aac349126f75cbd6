"""Untrained twins have a model's shape, and nothing of what it learned."""

import pytest
import torch
from planting import random_model

from activations.errors import ActivationError
from activations.models.twins import TWINS, twin


@pytest.mark.parametrize("kind", TWINS)
@pytest.mark.parametrize("embedding", [0, 3])
def test_a_twin_has_the_shape_and_other_weights(kind: str, embedding: int) -> None:
    model = random_model("abcdef", seed=5, n_embedding=embedding)
    model.trained = True
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    first, again, other_seed = twin(model, kind), twin(model, kind), twin(model, kind, seed=1)
    assert (first.config, first.vocabulary, first.trained) == (model.config, model.vocabulary, False)
    assert model.trained
    for name, weight in first.state_dict().items():
        assert torch.equal(model.state_dict()[name], before[name])
        assert torch.equal(weight, again.state_dict()[name])
        if weight.numel() > 10 and weight.std() > 0:
            assert not torch.equal(weight, before[name])
            assert not torch.equal(weight, other_seed.state_dict()[name])
        if kind == "shuffled":
            assert torch.equal(weight.flatten().sort().values, before[name].flatten().sort().values)


def test_an_unknown_twin_is_refused() -> None:
    with pytest.raises(ActivationError, match="there is no untrained twin 'evil'; there are fresh, shuffled"):
        twin(random_model("ab"), "evil")
