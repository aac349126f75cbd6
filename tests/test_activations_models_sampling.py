"""A model writes what it predicts."""

import math
from itertools import islice

import numpy as np
import pytest
import torch
from planting import random_model
from torch import Tensor

from activations.errors import ActivationError
from activations.interventions import Intervention, identity
from activations.models.cells.kinds import CELLS
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.evaluation import losses
from activations.models.sampling import Novelty, novelty, write, write_texts
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from activations.units import Site

SHARES = np.array([0.6, 0.3, 0.1])


def dicing_model() -> CharRNN:
    """Expects a, b and c by `SHARES`, whatever it has read."""
    model = CharRNN(ModelConfig(n_units=2), Vocabulary.of(["abc"])).eval()
    for weight in model.parameters():
        weight.data.zero_()
    model.readout.bias.data = torch.from_numpy(np.log(SHARES)).float()
    return model


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
    texts = write_texts(dicing_model(), 50, 400, prompt="a", temperature=temperature, seed=1)
    expected = SHARES ** (1 / temperature) / (SHARES ** (1 / temperature)).sum()
    written = "".join(text[1:] for text in texts)
    for character, share in zip("abc", expected.tolist(), strict=True):
        spread = math.sqrt(share * (1 - share) / len(written))
        assert written.count(character) / len(written) == pytest.approx(share, abs=4 * spread)


def test_the_seed_decides() -> None:
    model = random_model("abcdef")
    first, again, other_seed = (write_texts(model, 3, 30, prompt="a", seed=seed) for seed in (1, 1, 2))
    assert first == again != other_seed
    assert len(set(first)) == 3


@pytest.mark.parametrize("n_embedding", [0, 3])
@pytest.mark.parametrize("cell", list(CELLS))
def test_what_is_written_step_by_step_was_expected_as_in_one_reading(cell: str, n_embedding: int) -> None:
    model = random_model("abcdefgh\n", gain=2.0, cell=cell, n_layers=3, n_embedding=n_embedding)
    steps = list(islice(write(model, 4, prompt="\nab", seed=1), 30))
    ids = torch.stack([step.ids for step in steps])  # (n_chars, n_texts)
    prompt = torch.tensor([model.vocabulary.characters.index(char) for char in "\nab"])
    with torch.inference_mode():
        logits, _ = model(torch.cat([prompt[:, None].expand(-1, 4), ids]))
    torch.testing.assert_close(torch.stack([step.logits for step in steps]), logits[2:-1], rtol=1e-4, atol=1e-5)


def test_write_and_write_texts_write_the_same() -> None:
    model = random_model("abcdefgh")
    texts = write_texts(model, 3, 20, prompt="ab", seed=5)
    steps = islice(write(model, 3, prompt="ab", seed=5), 20)
    assert ["ab" + "".join(text) for text in zip(*(step.characters for step in steps), strict=True)] == texts


def test_top_k_limits_what_is_drawn() -> None:
    [written] = write_texts(dicing_model(), 1, 2000, prompt="c", top_k=2)
    assert set(written[1:]) == {"a", "b"}
    assert written.count("a") / 2000 == pytest.approx(2 / 3, abs=4 * math.sqrt(2 / 9 / 2000))
    model = random_model("abcdefgh")
    greedy, top_one, top_eight, top_many, unlimited = (
        write_texts(model, 2, 50, prompt="a", temperature=temperature, top_k=top_k)
        for temperature, top_k in ((0, None), (1, 1), (1, 8), (1, 1000), (1, None))
    )
    assert greedy == top_one
    assert top_eight == top_many == unlimited != greedy


def test_a_temperature_near_0_is_greedy() -> None:
    model = random_model("abcdefgh")
    assert write_texts(model, 1, 50, prompt="a", temperature=1e-310) == write_texts(
        model, 1, 50, prompt="a", temperature=0
    )


def test_guesses_are_the_models_own_most_probable_first() -> None:
    for step in islice(write(dicing_model(), 2, prompt="a", temperature=3), 5):
        for guesses in step.guesses():
            assert "".join(guess.character for guess in guesses) == "abc"
            assert [guess.probability for guess in guesses] == pytest.approx(SHARES.tolist())
    for step in islice(write(random_model("abcdefgh"), 3, prompt="a", temperature=0), 30):
        for character, guesses in zip(step.characters, step.guesses(4), strict=True):
            probabilities = [guess.probability for guess in guesses]
            assert character == guesses[0].character
            assert len(guesses) == 4
            assert probabilities == sorted(probabilities, reverse=True) and sum(probabilities) < 1


class Alphabet:
    """A model of another kind: after each character it expects the next of the alphabet."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary("abcdefgh")
        self.sites = {Site("last"): 1}

    def start(self, n_lanes: int) -> Tensor:
        return torch.zeros(n_lanes, 1)

    def read(self, ids: Tensor, state: Tensor) -> tuple[Tensor, dict[Site, Tensor], Tensor]:
        last = ids[..., None].float()
        return 2 * torch.nn.functional.one_hot((ids + 1) % 8, 8).float(), {Site("last"): last}, last[-1]


def test_models_of_other_kinds_write() -> None:
    assert write_texts(Alphabet(), 2, 9, prompt="f", temperature=0) == ["fghabcdefg"] * 2
    with pytest.raises(ActivationError, match="its own code chooses"):
        write(Alphabet(), prompt="a", interventions=[Intervention(Site("last"), identity())])


def test_models_of_other_kinds_are_judged() -> None:
    corpus = Corpus.from_texts(["abcdefgh", "abab", "ha"])
    result = losses(Alphabet(), corpus)
    right, wrong = (float(-torch.log_softmax(torch.tensor([2.0] + [0.0] * 7), 0)[k]) for k in (0, 1))
    np.testing.assert_allclose(result.nats, [right] * 8 + [wrong, right, right], rtol=1e-5)
    np.testing.assert_array_equal(result.right, [True] * 8 + [False, True, True])
    with pytest.raises(ActivationError, match="remove --device"):
        losses(Alphabet(), corpus, device="cuda")


@pytest.mark.parametrize(
    ("texts", "prompt", "expected"),
    [
        (["x\nAnna\nBob\n\nBob\ncut"], "x", (3, 0, 3, 0)),  # the line and the word of the prompt do not count
        (["\nAnna\nBob\ncut"], "\n", (2, 0, 2, 0)),
        (["x\nanna\nAnna Bob\n"], "x", (2, 2, 3, 1)),  # case counts; a line is new though its words are not
        (["x\nzoe\nyve\nan", "xx\nzoe\nBo"], "x", (3, 3, 3, 3)),  # of both texts; the same twice
        (["a b\nc Anna\nBob\nz"], "a b\nc ", (1, 0, 2, 0)),
        (["x"], "x", (0, 0, 0, 0)),
        (["xy"], "x", (0, 0, 0, 0)),
    ],
)
def test_what_is_not_in_known_texts_is_new(texts: list[str], prompt: str, expected: tuple[int, ...]) -> None:
    result = novelty(texts, ["Anna\n", "Carl\nBob"], prompt=prompt)
    assert (result.n_lines, result.n_new_lines, result.n_words, result.n_new_words) == expected


def test_novelty_is_a_sentence() -> None:
    assert str(Novelty(n_lines=1000, n_new_lines=900, n_words=3, n_new_words=1)) == (
        "lines: 90 % of 1,000 are new; words: 33 % of 3 are new"
    )
    assert str(Novelty(n_lines=0, n_new_lines=0, n_words=1, n_new_words=0)) == (
        "lines: none was sampled completely; words: 0 % of 1 are new"
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_texts": 0}, "0 texts cannot be sampled"),
        ({"n_chars": 0}, "0 characters cannot be sampled"),
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "ax"}, "does not know 'x'"),
        ({"temperature": -1.0}, "the temperature is -1"),
        ({"temperature": math.nan}, "the temperature is nan"),
        ({"temperature": math.inf}, "the temperature is inf"),
        ({"top_k": 0}, "top_k is 0"),
        ({"seed": -1}, "the seed is -1"),
        ({"seed": 1 << 63}, "the seed is 9223372036854775808"),
    ],
)
def test_wrong_numbers_are_refused(wrong: dict[str, object], message: str) -> None:
    arguments = {"n_texts": 1, "n_chars": 5, "prompt": "a"} | wrong
    with pytest.raises(ActivationError, match=message):
        write_texts(random_model("abc"), **arguments)  # type: ignore[arg-type]
