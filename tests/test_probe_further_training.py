"""Trainings that begin with a trained model, and the optimiser and the clipping of the programs of 2015."""

import csv
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Command, rows
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import load_model, model_sha256, save_model, training_record
from activations.models.evaluation import evaluate
from activations.models.initialising import initialise
from activations.models.training.config import TrainingConfig
from activations.models.training.results import TrainingSnapshot
from activations.models.training.training import hold_out, train
from activations.models.training.training_text import TrainingText
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.tokenising import vocabulary_to_learn
from activations.texts.vocab import Vocabulary
from probe.cli.option_groups import spelled
from probe.cli.training_options import ShapeOptions
from probe.training import runs
from probe.training.loss_files import read_losses
from probe.training.recipes import settings_of

Weights = dict[str, NDArray[np.float32]]
QUICK = ("--epochs", "2", "--lanes", "4", "--steps", "16")
SHORT = TrainingConfig(epochs=1, n_lanes=4, n_steps=16, schedule="constant", learning_rate=0.01)
STILL = ("--learning-rate", "1e-30")
TEXT = "".join(f"{word}\n" for word in np.random.default_rng(3).choice(["spam", "eggs", "ham", "lorem ipsum"], 400))
SHAPES = [
    ModelConfig(cell="lstm", n_layers=2, n_units=6),
    ModelConfig(cell="gru", n_layers=1, n_units=6, n_embedding=3),
    ModelConfig(cell="gru_reset_before", n_layers=2, n_units=6),
    ModelConfig(cell="gru_reset_before", n_layers=1, n_units=6, gates="hard_sigmoid_keras"),
    ModelConfig(cell="lstm", n_layers=1, n_units=6, gates="hard_sigmoid_torch"),
    ModelConfig(cell="lstm", n_layers=2, n_units=6, n_projected=4),
    ModelConfig(cell="lstm", n_layers=1, n_units=6, peepholes=True, layer_norm=True),
    ModelConfig(cell="rnn", n_layers=1, n_units=6),
    ModelConfig(cell="rnn_relu", n_layers=1, n_units=6),
]


@pytest.fixture(autouse=True)
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, which take longer than the trainings here."""
    monkeypatch.setattr(runs, "plot_losses", lambda rows: None)
    monkeypatch.setattr(runs, "figure_of", lambda axes: None)
    monkeypatch.setattr(runs, "save_figure", lambda figure, path: None)


def model_of(shape: ModelConfig, vocabulary: Vocabulary | None = None, rule: ReadingRule = PLAIN) -> CharRNN:
    """A model with weights that no training would draw, and that a training must therefore take over."""
    torch.manual_seed(17)
    model = CharRNN(shape, vocabulary or Vocabulary.of([TEXT]))
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.4)
    model.trained, model.reading_rule = True, rule
    return model.eval()


@pytest.fixture
def start() -> CharRNN:
    """A model in `start.pt`, a text in `more.txt`."""
    Path("more.txt").write_text(TEXT, encoding="utf-8")
    model = model_of(SHAPES[0])
    save_model(model, "start.pt", training={"imported_from": "theirs.pth", "kind": "a state_dict"})
    return model


def sentence_of(run: Command, *arguments: str, status: int = 1) -> str:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    found, out, err = run(*arguments)
    assert (found, out) == (status, ""), err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
    return " ".join(err.replace("│", " ").split())


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def assert_same_weights(a: CharRNN, b: CharRNN) -> None:
    assert a.state_dict().keys() == b.state_dict().keys()
    for name, weight in a.state_dict().items():
        torch.testing.assert_close(weight, b.state_dict()[name], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["checkpoints/00000001.pt", "samples.txt"])
def test_what_the_training_would_delete_is_not_read(run: Command, start: CharRNN, name: str) -> None:
    inside = Path("new.training") / name
    inside.parent.mkdir(parents=True)
    Path("start.pt" if name.endswith(".pt") else "more.txt").rename(inside)
    text, model = (inside, "start.pt") if name.endswith(".txt") else ("more.txt", inside)
    sentence = sentence_of(run, "train", str(text), "--from", str(model), "-o", "new.pt", "--overwrite", *QUICK)
    assert f"{inside} is in the folder of this training" in sentence


# What a training begins with


def test_without_learning_the_weights_stay(run: Command, start: CharRNN) -> None:
    status, out, err = run("train", "more.txt", "--from", "start.pt", "-o", "new.pt", *QUICK, *STILL)
    assert (status, err) == (0, "")
    new, held_out = load_model("new.pt"), Corpus.from_texts([TEXT]).cut([0.95, 0.05])[1]
    assert_same_weights(new, start)
    assert (new.config, new.vocabulary) == (start.config, start.vocabulary)
    assert model_sha256(new) == model_sha256(start)
    assert "new.pt: no round of the training predicts the held-out text better than start.pt does" in out
    first, *others = table("new.training/losses.csv")
    assert (first["update"], first["epoch"], first["nats_per_char"]) == ("0", "0.0", "")
    before = evaluate(start, held_out).nats_per_char
    assert float(first["held_out_nats_per_char"]) == before
    assert {float(row["held_out_nats_per_char"]) for row in others if row["held_out_nats_per_char"]} == {before}
    assert training_record("new.pt")["held_out_nats_per_char"] == before
    point = read_losses(Path("new.pt")).losses[0]
    assert (point.update, math.isnan(point.loss), point.held_out) == (0, True, before)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_models_of_every_kind_learn_further(shape: ModelConfig) -> None:
    start = model_of(shape)
    weights = {name: weight.clone() for name, weight in start.state_dict().items()}
    training, held_out = hold_out(Corpus.from_texts([TEXT]), 0.1)
    result = train(training, held_out, start, replace(SHORT, epochs=3))
    assert result.held_out[0] == evaluate(start, held_out)
    assert result.best.nats_per_char < result.held_out[0].nats_per_char - 0.3
    assert result.model.config == shape
    assert evaluate(result.model, held_out).nats_per_char == pytest.approx(result.best.nats_per_char)
    for name, weight in start.state_dict().items():
        torch.testing.assert_close(weight, weights[name], rtol=0, atol=0)


def test_a_second_training_begins_where_the_first_ended(run: Command) -> None:
    Path("a.txt").write_text(TEXT, encoding="utf-8")
    first = ("train", "a.txt", "--layers", "1", "--units", "6", *QUICK, "-o", "a.pt", "--seed", "2")
    assert run(*first)[0] == 0
    status, out, _ = run("train", "a.txt", "--from", "a.pt", "-o", "b.pt", *QUICK, "--json")
    assert status == 0
    zeroth, *others = rows(out)
    assert (zeroth["epoch"], zeroth["nats_per_char"]) == (0, None)
    assert zeroth["held_out_nats_per_char"] == training_record("a.pt")["held_out_nats_per_char"]
    assert min(row["held_out_nats_per_char"] for row in others) < zeroth["held_out_nats_per_char"]
    assert [row["epoch"] for row in others] == [1, 2]


def test_a_checkpoint_says_what_its_training_began_with(run: Command, start: CharRNN) -> None:
    assert run("train", "more.txt", "--from", "start.pt", "-o", "b.pt", *QUICK, "--learning-rate", "0.02")[0] == 0
    assert run("train", "more.txt", "--from", "b.pt", "-o", "c.pt", *QUICK, "--optimizer", "rmsprop")[0] == 0
    of_b, of_c = training_record("b.pt"), training_record("c.pt")
    imported = {"imported_from": "theirs.pth", "kind": "a state_dict"}
    assert of_b["from_model_sha256"] == model_sha256(start)
    assert of_b["before"] == [imported]
    assert of_c["from_model_sha256"] == model_sha256(load_model("b.pt"))
    assert of_c["before"] == [imported, {name: value for name, value in of_b.items() if name != "before"}]
    assert (of_b["learning_rate"], of_c["optimizer"]) == (0.02, "rmsprop")
    assert load_model("c.pt").trained


@pytest.mark.parametrize("before", [5, "no list", [5, {"imported_from": "theirs.pth"}]])
def test_a_record_that_says_something_else_does_no_harm(run: Command, start: CharRNN, before: object) -> None:
    save_model(start, "start.pt", training={"before": before, "epochs": [1]})
    assert run("train", "more.txt", "--from", "start.pt", "-o", "new.pt", *QUICK)[0] == 0
    expected = [{"imported_from": "theirs.pth"}] if isinstance(before, list) else []
    assert training_record("new.pt")["before"] == [*expected, {"epochs": [1]}]


def test_the_reading_rule_and_the_initialisation_are_the_models(run: Command) -> None:
    rule = ReadingRule(read_as="bytes", backwards=True)
    text = "été à Nîmes, où\n" * 60
    Path("more.txt").write_text(text, encoding="utf-8")
    corpus = Corpus.from_texts([text])
    start = model_of(ModelConfig(cell="rnn_relu", n_layers=1, n_units=6), vocabulary_to_learn([corpus], rule), rule)
    initialise(start, "identity")
    save_model(start, "start.pt", training={"initialisation": "identity"})
    assert run("train", "more.txt", "--from", "start.pt", "-o", "new.pt", *QUICK)[0] == 0
    new, record = load_model("new.pt"), training_record("new.pt")
    assert new.reading_rule == rule
    assert (new.initialisation, record["learning_rate"]) == ("identity", 3e-4)  # as for irnn
    expected = evaluate(start, corpus.cut([0.95, 0.05])[1]).nats_per_char
    assert float(table("new.training/losses.csv")[0]["held_out_nats_per_char"]) == expected
    assert_same_weights(load_model("start.pt"), start)


def test_an_imported_model_learns_further(run: Command, start: CharRNN) -> None:
    tensors = {f"net.{name}": weight for name, weight in start.rnn.state_dict().items()}
    tensors |= {f"fc.{name}": weight for name, weight in start.readout.state_dict().items()}
    torch.save(tensors, "theirs.pth")
    characters = f"chars:{start.vocabulary.characters}"
    assert run("import", "theirs.pth", "--vocab", characters, "-o", "imported.pt")[0] == 0
    assert run("train", "more.txt", "--from", "imported.pt", "-o", "new.pt", *QUICK, "--epochs", "6")[0] == 0
    first, *_, last = table("new.training/losses.csv")
    assert float(last["held_out_nats_per_char"]) < float(first["held_out_nats_per_char"]) - 0.3
    assert training_record("new.pt")["before"][0]["imported_from"] == "theirs.pth"


# Characters that it does not know


def test_unknown_characters_are_an_error_or_are_replaced(run: Command, start: CharRNN) -> None:
    """Training with a stand-in gives what training on the text with the stand-in in it gives."""
    Path("odd.txt").write_text(TEXT.replace("l", "§"), encoding="utf-8")
    Path("even.txt").write_text(TEXT.replace("l", "e"), encoding="utf-8")
    asked = ("train", "odd.txt", "--from", "start.pt", "-o", "odd.pt", *QUICK)
    refused = sentence_of(run, *asked)
    assert "not in the model's vocabulary of" in refused and "'§' (" in refused
    assert not Path("odd.training").exists()
    assert "such as --replace-unknown-with" in refused
    assert "--replace-unknown replaces none of them" in sentence_of(run, *asked, "--replace-unknown")
    assert "cannot be read as '§'" in sentence_of(run, *asked, "--replace-unknown-with", "§")
    status, _, err = run(*asked, "--replace-unknown-with", "e")
    assert (status, f"{TEXT.count('l')} characters are read as 'e'" in err) == (0, True)
    assert run("train", "even.txt", "--from", "start.pt", "-o", "even.pt", *QUICK)[0] == 0
    assert_same_weights(load_model("odd.pt"), load_model("even.pt"))
    assert load_model("odd.pt").vocabulary.replacement == "e"


def test_unknown_characters_are_read_as_a_models_replacement(run: Command) -> None:
    vocabulary = Vocabulary.of([TEXT + "\ufffd"]).replacing_by("\ufffd")
    save_model(model_of(SHAPES[0], vocabulary), "start.pt", training={})
    Path("other.txt").write_text("spam § ham\n" * 9, encoding="utf-8")
    Path("more.txt").write_text(TEXT, encoding="utf-8")
    asked = ("train", "more.txt", "--from", "start.pt", "-o", "new.pt", "--held-out", "other.txt", *QUICK)
    assert "pass --replace-unknown" in sentence_of(run, *asked)
    status, _, err = run(*asked, "--replace-unknown")
    assert (status, "9 characters are read as '\ufffd'" in err) == (0, True)
    assert load_model("new.pt").vocabulary == vocabulary


def test_the_library_refuses_unknown_characters_too() -> None:
    start, odd = model_of(SHAPES[0]), Corpus.from_texts([TEXT + "§"])
    even = Corpus.from_texts([TEXT])
    for texts in ((odd, even), (even, odd)):
        with pytest.raises(ActivationError, match="not in the model's vocabulary"):
            train(*texts, start, SHORT)
    with pytest.raises(ActivationError, match="the vocabulary that was given has others"):
        train(even, even, start, SHORT, vocabulary=Vocabulary.of([TEXT + "§"]))
    result = train(odd, even, start, SHORT, vocabulary=start.vocabulary.replacing_by("e"), replace_unknown=True)
    assert result.model.vocabulary.replacement == "e"


# What does not go together


@pytest.mark.parametrize("name", [field.name for field in fields(ShapeOptions)])
def test_a_shape_does_not_go_with_a_model(run: Command, start: CharRNN, name: str) -> None:
    option = spelled(ShapeOptions, name)
    values: dict[str, list[str]] = {"cell": ["lstm"], "preset": ["tiny"], "gates": ["sigmoid"]}
    value = values.get(name, [] if name in ("peepholes", "layer_norm") else ["6"])
    said = sentence_of(run, "train", "more.txt", "--from", "start.pt", "-o", "new.pt", option, *value, status=2)
    assert f"{option} is for a new model, and with --from its shape and vocabulary are those of start.pt" in said


def test_other_options_that_contradict_each_other_are_refused(run: Command, start: CharRNN) -> None:
    begin = ("train", "more.txt", "-o", "new.pt")
    assert "--min-count is for a new model" in sentence_of(
        run, *begin, "--from", "start.pt", "--min-count", "2", status=2
    )
    for options in (["--replace-unknown"], ["--replace-unknown-with", "e"]):
        assert f"{options[0]} is for a model that was trained before" in sentence_of(run, *begin, *options, status=2)
    assert "start.pt is what is read" in sentence_of(
        run, "train", "more.txt", "--from", "start.pt", "-o", "start.pt", "--overwrite"
    )
    assert "there is no model absent.pt" in sentence_of(run, *begin, "--from", "absent.pt")
    assert "more.txt is not a checkpoint" in sentence_of(run, *begin, "--from", "more.txt")


@pytest.mark.parametrize("stop_at", [0, 45])
def test_an_interrupted_training_from_a_model_is_resumed(
    run: Command, start: CharRNN, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    asked = ("train", "more.txt", "--from", "start.pt", *QUICK, "--dropout", "0.2")
    assert run(*asked, "-o", "whole.pt")[0] == 0

    class StoppedError(Exception):
        pass

    def stop(done: int, total: int = 0, note: str = "") -> bool:
        if done == stop_at:
            raise StoppedError
        return False

    def train_until(*arguments: Any, **named: Any) -> object:
        watching = {"watch": lambda snapshot: stop(snapshot.update)} if stop_at == 0 else {"progress": stop}
        return train(*arguments, **named | watching | {"save_every_s": 0.0})

    with monkeypatch.context() as patch:
        patch.setattr(runs, "train", train_until)
        with pytest.raises(StoppedError):
            run(*asked, "-o", "b.pt")
    save_model(model_of(SHAPES[0], Vocabulary("".join(sorted(start.vocabulary.characters, reverse=True)))), "other.pt")
    other = ("train", "more.txt", "--from", "other.pt", *QUICK, "--dropout", "0.2", "-o", "b.pt", "--resume")
    assert "of another training (other: started from, characters)" in sentence_of(run, *other)
    assert run(*asked, "-o", "b.pt", "--resume")[0] == 0
    assert_same_weights(load_model("b.pt"), load_model("whole.pt"))
    assert Path("b.training/losses.csv").read_bytes() == Path("whole.training/losses.csv").read_bytes()
    assert training_record("b.pt")["from_model_sha256"] == model_sha256(start)


# Adagrad and element-wise clipping


def arrays_of(model: CharRNN) -> Weights:
    return {name: weight.detach().numpy().copy() for name, weight in model.named_parameters()}


def reference(start: CharRNN, corpus: Corpus, config: TrainingConfig, n_updates: int) -> Weights:
    """Updates as min-char-rnn makes them: gradients by PyTorch, the rest in numpy.

    `for param, dparam, mem in …: mem += dparam * dparam; param += -rate * dparam / np.sqrt(mem + 1e-8)`, after
    `np.clip(dparam, -5, 5, out=dparam)`. https://gist.github.com/karpathy/d4dee566867f8291f086
    """
    text = TrainingText(corpus, PLAIN, start.vocabulary, config)
    weights = arrays_of(start)
    memory = {name: np.zeros(weight.shape) for name, weight in weights.items()}
    model, carried = CharRNN(start.config, start.vocabulary), None
    for update in range(n_updates):
        model.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
        model.zero_grad()
        ids = text.batch(0, update)
        logits, after = model(ids[:-1], carried)
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[1:].flatten()).backward()  # type: ignore[no-untyped-call]
        carried = tuple(part.detach() for part in after)
        rate = config.learning_rate * (update + 1) / text.n_batches  # the warm-up of a short training
        for name, weight in model.named_parameters():
            assert weight.grad is not None
            gradient = weight.grad.numpy().astype(np.float64)
            if config.clip_values:
                gradient = np.clip(gradient, -config.clip_values, config.clip_values)
            if config.optimizer == "adagrad":
                memory[name] += gradient * gradient
                change = gradient / np.sqrt(memory[name] + 1e-8)
            else:  # Torch7's rmsprop, as char-rnn has it, with PyTorch's epsilon
                memory[name] = 0.95 * memory[name] + 0.05 * gradient * gradient
                change = gradient / (np.sqrt(memory[name]) + 1e-8)
            weights[name] = (weights[name] - rate * change).astype(np.float32)
    return weights


@pytest.mark.parametrize("optimizer", ["adagrad", "rmsprop"])
@pytest.mark.parametrize("clip_values", [0.0, 0.002])
def test_updates_are_those_of_min_char_rnn_and_char_rnn(optimizer: str, clip_values: float) -> None:
    corpus = Corpus.from_texts([TEXT])
    config = replace(SHORT, optimizer=optimizer, clip_values=clip_values, clip=math.inf)
    start = model_of(SHAPES[0])
    expected = reference(start, corpus, config, 5)
    seen: list[Weights] = []

    def look(snapshot: TrainingSnapshot) -> None:
        if snapshot.update == 5:
            seen.append(arrays_of(snapshot.model))

    train(corpus, corpus, start, config, at=lambda update: update == 5, watch=look)
    assert len(seen) == 1
    for name, weight in expected.items():
        np.testing.assert_allclose(seen[0][name], weight, rtol=0, atol=3e-6, err_msg=name)
        assert np.abs(weight - arrays_of(start)[name]).max() > 1e-3


def test_elements_are_clipped_before_the_norm() -> None:
    """The elements are so small once they are clipped that a limit of 1 on the norm has no effect."""
    corpus, start = Corpus.from_texts([TEXT]), model_of(SHAPES[0])
    config = replace(SHORT, optimizer="adagrad", clip_values=1e-7, clip=math.inf)
    both = replace(config, clip=1.0)
    of_one, of_both = (train(corpus, corpus, start, settings).rows for settings in (config, both))
    assert of_one == of_both
    halved = train(corpus, corpus, start, replace(config, clip=1e-8)).rows
    assert halved != of_one


def test_the_command_limits_the_norm_unless_it_limits_the_elements(run: Command, start: CharRNN) -> None:
    for options, expected in (
        ((), (1.0, 0.0)),
        (("--clip-values", "5"), (math.inf, 5.0)),
        (("--clip-values", "5", "--clip", "2"), (2.0, 5.0)),
        (("--clip", "inf"), (math.inf, 0.0)),
    ):
        asked = ("train", "more.txt", "--from", "start.pt", "-o", "new.pt", "--epochs", "1", "--lanes", "4", *options)
        assert run(*asked, "--overwrite")[0] == 0
        record = training_record("new.pt")
        assert (record["clip"], record["clip_values"]) == expected
    for options, complaint in ((("--clip-values", "-1"), "clip values is -1"), (("--clip", "nan"), "the clip is nan")):
        begin = ("train", "more.txt", "--from", "start.pt", "-o", "other.pt")
        assert complaint in sentence_of(run, *begin, *options)


@pytest.mark.parametrize(("cell", "rate"), [("lstm", 0.008), ("rnn_relu", 0.001), ("irnn", 0.0003)])
def test_adagrad_learns_ten_times_as_fast_by_default(cell: str, rate: float) -> None:
    settings: dict[str, Any] = {"epochs": 1, "lanes": 1, "learning_rate": None}
    assert settings_of(cell, 1000, **settings).learning_rate == rate
    assert settings_of(cell, 1000, **settings, optimizer="adagrad").learning_rate == pytest.approx(10 * rate)
    assert settings_of(cell, 1000, **settings | {"learning_rate": 0.1}, optimizer="adagrad").learning_rate == 0.1
