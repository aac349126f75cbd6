"""`probe evaluate`: losses that are known, baselines beside them, and what wrong input gets."""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import rows
from planting import random_model
from typer.testing import CliRunner

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import save_model
from activations.models.evaluation import evaluate as evaluate_model
from activations.models.evaluation import losses
from activations.models.ngrams import fit_ngrams
from activations.texts.corpus import Corpus
from probe.cli.commands import app

KEYS = [
    "model", "part", "nats_per_char", "bits_per_char", "perplexity", "accuracy", "low", "high", "n_chars"
]  # fmt: skip


@pytest.fixture
def model(code_text: str) -> CharRNN:
    """`corpus.txt`, `more.txt` and an untrained `model.pt` in this folder."""
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    Path("more.txt").write_text(code_text[:5000][::-1], encoding="utf-8")
    model = random_model(code_text, gain=3.0)
    save_model(model, "model.pt")
    return model


def ask(*arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(app, ["evaluate", "model.pt", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return rows(result.stdout)


def refusal(*arguments: str) -> str:
    """Of a wrong option, in one line."""
    result = CliRunner().invoke(app, ["evaluate", "model.pt", "corpus.txt", *arguments], catch_exceptions=False)
    assert result.exit_code == 2
    return " ".join(result.output.replace("│", " ").split())


def test_losses_are_those_of_a_loop_over_single_characters() -> None:
    corpus = Corpus.from_texts(["hello world\n" * 3, "old hero\n"])
    model = random_model(corpus.text(), gain=3.0)
    nats, right = [], []
    for document in corpus.documents:
        ids = torch.from_numpy(model.vocabulary.encode(corpus))[document.start : document.stop]
        state = None
        for now, following in pairwise(ids):
            with torch.no_grad():
                logits, state = model(now.reshape(1, 1), state)
            nats.append(-torch.log_softmax(logits[0, 0], -1)[following].item())
            right.append(int(logits.argmax()) == following)
    found = losses(model, corpus)
    assert found.nats.dtype == np.float32
    np.testing.assert_allclose(found.nats, nats, atol=1e-5)
    assert found.right.tolist() == right
    whole = evaluate_model(model, corpus)
    assert whole.n_chars == len(nats) == len(corpus) - 2
    assert whole.nats_per_char == pytest.approx(np.mean(nats), abs=1e-5)
    assert whole.accuracy == pytest.approx(np.mean(right))


def test_a_long_document_is_read_without_a_break(code_text: str) -> None:
    model = random_model(code_text, gain=3.0)
    corpus = Corpus.from_texts([code_text[:9000]])
    ids = torch.from_numpy(model.vocabulary.encode(corpus))
    with torch.no_grad():
        logits, _ = model(ids[:-1, None])
    expected = torch.nn.functional.cross_entropy(logits[:, 0], ids[1:], reduction="none")
    np.testing.assert_allclose(losses(model, corpus).nats, expected.numpy(), atol=1e-5)


def test_the_row_of_the_model_and_of_chance(model: CharRNN) -> None:
    ours, uniform = ask("corpus.txt", "more.txt")
    assert list(ours) == list(uniform) == KEYS
    expected = evaluate_model(model, Corpus.read("corpus.txt", "more.txt"))
    assert (ours["model"], ours["part"]) == ("model.pt", "whole")
    assert ours["n_chars"] == uniform["n_chars"] == expected.n_chars
    assert ours["nats_per_char"] == pytest.approx(expected.nats_per_char, abs=1e-6)
    assert ours["accuracy"] == pytest.approx(expected.accuracy)
    assert ours["bits_per_char"] == pytest.approx(expected.nats_per_char / math.log(2), abs=1e-6)
    assert ours["perplexity"] == pytest.approx(math.exp(expected.nats_per_char), abs=1e-4)
    assert ours["low"] < ours["nats_per_char"] < ours["high"]
    n = len(model.vocabulary)
    assert uniform["model"] == "uniform"
    assert uniform["perplexity"] == pytest.approx(n)
    assert uniform["accuracy"] == pytest.approx(1 / n)
    assert uniform["low"] == pytest.approx(uniform["high"])


def test_a_split_gives_a_row_for_each_part(model: CharRNN, code_text: str) -> None:
    found = ask("corpus.txt", "--split", "80,10,10", "--orders", "4,1,2")
    of_part = {part: [row for row in found if row["part"] == part] for part in ("training", "validation", "test")}
    assert [row["model"] for row in of_part["training"]] == ["model.pt", "uniform"]
    for part in ("validation", "test"):
        names = [row["model"] for row in of_part[part]]
        assert names == ["model.pt", "uniform", "unigram", "2-gram", "4-gram"]
        nats = [row["nats_per_char"] for row in of_part[part][1:]]
        assert nats == sorted(nats, reverse=True)
    training, _, test = Corpus.from_texts([code_text]).cut([0.8, 0.1, 0.1])
    assert of_part["test"][0]["nats_per_char"] == pytest.approx(evaluate_model(model, test).nats_per_char, abs=1e-6)
    ids = [model.vocabulary.encode(part) for part in (training, test)]
    expected = fit_ngrams([ids[0]], 4, n_characters=len(model.vocabulary)).losses(ids[1])
    assert of_part["test"][4]["nats_per_char"] == pytest.approx(float(expected.nats[1:, 3].mean()), abs=1e-5)
    assert of_part["test"][4]["accuracy"] == pytest.approx(float(expected.right[1:, 3].mean()))
    assert of_part["test"][4]["n_chars"] == len(test) - 1


def test_two_parts_need_no_test(model: CharRNN) -> None:
    found = ask("corpus.txt", "--split", "95,5", "--orders", "1")
    assert [row["part"] for row in found] == ["training"] * 2 + ["validation"] * 3


def test_ngrams_learn_from_a_text_of_their_own(model: CharRNN) -> None:
    found = ask("corpus.txt", "--training-text", "corpus.txt", "--training-text", "more.txt")
    assert [row["model"] for row in found][2:] == ["unigram", "2-gram", "3-gram", "5-gram", "10-gram"]
    assert found[-1]["nats_per_char"] < 0.7  # which it has learned by heart


def test_a_table_is_shown(model: CharRNN) -> None:
    result = CliRunner().invoke(
        app, ["evaluate", "model.pt", "corpus.txt", "--split", "90,5,5"], catch_exceptions=False
    )
    assert [word in result.stdout for word in ("nats per char", "unigram", "validation")] == [True] * 3


def test_the_interval_is_that_of_independent_characters_where_they_are() -> None:
    text = "".join(np.random.default_rng(0).choice(list("abcd"), 400_000))
    Path("text.txt").write_text(text, encoding="utf-8")
    model = random_model(text, gain=3.0)
    save_model(model, "model.pt")
    row = ask("text.txt")[0]
    nats = losses(model, Corpus.from_texts([text])).nats
    assert row["high"] - row["low"] == pytest.approx(2 * 1.96 * nats.std() / math.sqrt(len(nats)), rel=0.25)
    assert row["low"] < row["nats_per_char"] < row["high"]


def test_a_text_too_short_for_stretches_has_no_interval(model: CharRNN) -> None:
    Path("short.txt").write_text("spa", encoding="utf-8")
    row = ask("short.txt")[0]
    assert (row["n_chars"], row["low"], row["high"]) == (2, None, None)


def test_unknown_characters(model: CharRNN) -> None:
    Path("corpus.txt").write_text("spam é", encoding="utf-8")
    with pytest.raises(ActivationError, match="'é'"):
        ask("corpus.txt")
    with pytest.raises(ActivationError, match="'é'"):
        ask("more.txt", "--training-text", "corpus.txt")
    text = "spam eggs spam eggs é"
    rare = CharRNN(model.config, type(model.vocabulary).of([text], min_count=2)).eval()
    save_model(rare, "model.pt")
    assert ask("corpus.txt", "--replace-unknown")[0]["n_chars"] == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--orders", "0", "--split", "90,5,5"], "'0' are no orders"),
        (["--orders", "2-5", "--split", "90,5,5"], "numbers from 1 to 30"),
        (["--orders", "2"], "need a text to learn from"),
        (["--split", "90,5,5", "--training-text", "more.txt"], "leave out --training-text"),
    ],
)
def test_wrong_options_are_told(model: CharRNN, arguments: list[str], message: str) -> None:
    assert message in refusal(*arguments)


@pytest.mark.parametrize("split", ["90", "90,5", "90,5,6", "much", "100,0,0", "50,20,20,10"])
def test_a_wrong_split_is_told(model: CharRNN, split: str) -> None:
    with pytest.raises(ActivationError, match=f"'{split}' is no split; .* such as 90,5,5"):
        ask("corpus.txt", "--split", split)


def test_wrong_files_are_told(model: CharRNN) -> None:
    with pytest.raises(ActivationError, match=r"cannot read the text nothing\.txt"):
        ask("nothing.txt")
    Path("short.txt").write_text("spam", encoding="utf-8")
    with pytest.raises(ActivationError, match="too few to hold out"):
        ask("short.txt", "--split", "90,5,5")
    Path("model.pt").write_text("spam", encoding="utf-8")
    with pytest.raises(ActivationError, match=r"model\.pt"):
        ask("corpus.txt")
