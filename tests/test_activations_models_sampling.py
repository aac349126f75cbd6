"""A model writes what it predicts."""

import math

import numpy as np
import pytest
import torch
from planting import random_model

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.sampling import write_texts
from activations.vocab import Vocabulary


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_at_temperature_0_each_character_is_the_most_probable_one(cell: str) -> None:
    model = random_model("abcdefgh\n", gain=3.0, cell=cell)
    [text, same] = write_texts(model, 2, 40, prompt="\nab", temperature=0)
    assert text == same
    assert text.startswith("\nab") and len(text) == 43
    ids = torch.tensor([model.vocabulary.characters.index(char) for char in text])
    with torch.inference_mode():
        logits, _ = model(ids[:, None])
    assert logits[2:-1, 0].argmax(dim=1).tolist() == ids[3:].tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_characters_are_drawn_by_their_probability(temperature: float) -> None:
    model = CharRNN(ModelConfig(n_units=2), Vocabulary.of(["abc"])).eval()
    shares = np.array([0.6, 0.3, 0.1])
    for weight in model.parameters():
        weight.data.zero_()
    model.readout.bias.data = torch.from_numpy(np.log(shares)).float()
    texts = write_texts(model, 50, 400, prompt="a", temperature=temperature, seed=1)
    expected = shares ** (1 / temperature) / (shares ** (1 / temperature)).sum()
    written = "".join(text[1:] for text in texts)
    for character, share in zip("abc", expected.tolist(), strict=True):
        spread = math.sqrt(share * (1 - share) / len(written))
        assert written.count(character) / len(written) == pytest.approx(share, abs=4 * spread)


def test_the_seed_decides() -> None:
    model = random_model("abcdef")
    one, again, other = (write_texts(model, 3, 30, prompt="a", seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    assert len(set(one)) == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_texts": 0}, "0 texts cannot be written"),
        ({"n_chars": 0}, "0 characters cannot be written"),
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "ax"}, "does not know 'x'"),
        ({"temperature": -1.0}, "the temperature is -1"),
        ({"temperature": math.nan}, "the temperature is nan"),
    ],
)
def test_wrong_numbers_are_refused(wrong: dict[str, object], message: str) -> None:
    asked = {"n_texts": 1, "n_chars": 5, "prompt": "a"} | wrong
    with pytest.raises(ActivationError, match=message):
        write_texts(random_model("abc"), **asked)  # type: ignore[arg-type]
