"""Training learns, repeats itself, and refuses what cannot be learned from."""

from itertools import pairwise

import pytest
import torch
from planting import random_model

from activations.corpus import Corpus
from activations.errors import ActivationError
from activations.models.cells import CELLS
from activations.models.char_rnn import ModelConfig
from activations.models.evaluation import evaluate
from activations.models.training import TrainingConfig, hold_out, train

TEXT = Corpus.from_texts(["abcd" * 800])
QUICK = TrainingConfig(epochs=3, n_lanes=4, n_steps=16, learning_rate=2e-2)


@pytest.mark.parametrize("cell", list(CELLS))
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_every_cell_learns_what_follows_what(cell: str, precision: str) -> None:
    config = TrainingConfig(epochs=12, n_lanes=4, n_steps=16, learning_rate=4e-3, precision=precision)
    result = train(*hold_out(TEXT, 0.1), ModelConfig(cell=cell, n_layers=1, n_units=16), config)
    assert result.best.nats_per_char < 0.1  # log(4) = 1.39 without any learning
    assert result.best.accuracy == 1


def test_the_same_seed_gives_the_same_model() -> None:
    shape = ModelConfig(n_units=8, n_embedding=3)
    first, second = (train(*hold_out(TEXT, 0.1), shape, QUICK).model.state_dict() for _ in range(2))
    for name, weight in first.items():
        torch.testing.assert_close(weight, second[name], rtol=0, atol=0)


def test_the_model_kept_is_that_of_the_best_epoch() -> None:
    training, held_out = hold_out(TEXT, 0.1)
    result = train(training, held_out, ModelConfig(n_units=8), QUICK)
    assert evaluate(result.model, held_out) == result.best
    assert result.record()["held_out_nats_per_char"] == result.best.nats_per_char


def test_characters_of_the_held_out_text_are_known() -> None:
    result = train(TEXT, Corpus.from_texts(["abcdz" * 9]), ModelConfig(n_units=4), QUICK)
    assert result.model.vocabulary.characters == "abcdz"


def test_evaluation_equals_a_loop_over_single_characters() -> None:
    corpus = Corpus.from_texts(["hello world\n" * 3, "old hero\n"])
    model = random_model(corpus.text())
    loss, right, n = 0.0, 0, 0
    for document in corpus.documents:
        ids = torch.from_numpy(model.vocabulary.encode(corpus))[document.start : document.stop]
        state = None
        for now, following in pairwise(ids):
            with torch.no_grad():
                logits, state = model(now.reshape(1, 1), state)
            loss -= torch.log_softmax(logits[0, 0], -1)[following].item()
            right += int(logits.argmax()) == following
            n += 1
    result = evaluate(model, corpus)
    assert result.n_chars == n == len(corpus) - 2
    assert result.nats_per_char == pytest.approx(loss / n, abs=1e-5)
    assert result.accuracy == pytest.approx(right / n)


def test_holding_out_cuts_the_end_off() -> None:
    training, held_out = hold_out(Corpus.from_texts(["abcdef", "ghij"]), 0.3)
    assert [training.text(d.start, d.stop) for d in training.documents] == ["abcdef"]
    assert held_out.text() == "hij"
    for share in (0.0, 1.0, -1.0):
        with pytest.raises(ActivationError, match="between 0 and 1"):
            hold_out(TEXT, share)
    with pytest.raises(ActivationError, match="too few to hold out"):
        hold_out(Corpus.from_texts(["abc"]), 0.1)


def test_a_text_too_short_for_its_lanes_is_refused() -> None:
    short = Corpus.from_texts(["abcdefgh"])
    with pytest.raises(ActivationError, match="too few for 32 lanes"):
        train(short, short)


def test_a_loss_that_explodes_is_told() -> None:
    config = TrainingConfig(epochs=1, n_lanes=4, n_steps=16, learning_rate=1e30)
    with pytest.raises(ActivationError, match="learning rate below"):
        train(TEXT, TEXT, ModelConfig(cell="rnn_relu", n_units=8), config)


@pytest.mark.parametrize(
    "wrong", [{"precision": "int8"}, {"epochs": 0}, {"learning_rate": 0.0}, {"dropout": 1.0}, {"n_lanes": 0}]
)
def test_a_wrong_setting_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ActivationError, match=next(iter(wrong)).replace("_", "[_ ]")):
        TrainingConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ActivationError, match="n_units is 0"):
        ModelConfig(n_units=0)
