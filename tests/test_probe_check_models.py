"""`probe check` of models: what is in a checkpoint, what is wrong with it, and what another program's file is."""

import json
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from commands import Command, rows

import probe
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checking import check_model
from activations.models.checkpoints import model_sha256, save_model
from activations.models.training.state import save_state
from activations.texts.character_names import name_of, readable
from activations.texts.reading_rule import ReadingRule
from activations.texts.tokenising import vocabulary_to_learn
from activations.texts.vocab import Vocabulary

SHAPE = ModelConfig(cell="lstm", n_layers=2, n_units=5, n_embedding=3, gates="hard_sigmoid_keras", n_projected=4)
RECORD: dict[str, Any] = {
    "epochs": 3,
    "n_lanes": 8,
    "n_steps": 32,
    "optimizer": "adagrad",
    "learning_rate": 0.08,
    "schedule": "constant",
    "seed": 7,
    "dropout": 0.25,
    "nats_per_char": 1.25,
    "held_out_nats_per_char": 1.5,
    "text": "66f9",
    "from_model_sha256": "77aa",
    "before": [{"imported_from": "theirs.pth", "kind": "a state_dict"}, {}],
}


def test_a_model_of_keras_is_named_and_not_taken_for_a_recording(run: Command) -> None:
    with h5py.File("keras.h5", "w") as file:
        for name, shape in (("kernel", (5, 16)), ("recurrent_kernel", (4, 16)), ("bias", (16,))):
            file[f"lstm/lstm/{name}:0"] = np.zeros(shape, "f4")
    code, output, _ = run("check", "keras.h5")
    assert code == 1
    assert "Keras" in output or "HDF5" in output
    assert "`probe import keras.h5` makes a checkpoint from it" in output and "recording" not in output


def test_a_damaged_checkpoint_is_told_from_what_is_no_checkpoint(tmp_path: Path) -> None:
    """By what was raised, whatever the sentence says: a name may read like one of ours."""
    path = tmp_path / "model.pt is not a checkpoint of `probe train`"
    save_model(model_of("ab"), path)
    content = torch.load(path, weights_only=True)
    torch.save({**content, "weights": {}}, path)
    damaged = check_model(path)
    assert not damaged.sound and damaged.is_checkpoint
    torch.save([1, 2], path)
    assert not check_model(path).is_checkpoint
    path.write_bytes(pickle.dumps({"weights": [1, 2]}))
    assert not check_model(path).is_checkpoint
    assert check_model(tmp_path / "none").is_checkpoint  # of which nothing is known


def model_of(
    characters: str, shape: ModelConfig = SHAPE, replacement: str | None = None, names: tuple[str, ...] = ()
) -> CharRNN:
    torch.manual_seed(0)
    model = CharRNN(shape, Vocabulary(characters, replacement).with_tokens(names))
    model.trained = True
    return model


def lines_of(run: Command, path: str, status: int = 0) -> dict[str, str]:
    """What is shown of a model, by the names at the beginning of the lines; the first line has none."""
    found, out, err = run("check", path)
    assert (found, err) == (status, "")
    first, *others = out.splitlines()
    return {"": first} | {line[2:15].strip(): line[15:] for line in others if line[2:15].strip()}


def test_a_model_is_described(run: Command) -> None:
    model = model_of("\n \tba\x01é\xa0", replacement=" ", names=("<eos>",))
    model.reading_rule = ReadingRule(ends="documents", backwards=True)
    save_model(model, "model.pt", training=RECORD)
    n_parameters = 9 * 3 + (4 * 5 * (3 + 4 + 2) + 5 * 4) + (4 * 5 * (4 + 4 + 2) + 5 * 4) + 4 * 9 + 9
    shown = lines_of(run, "model.pt")
    assert shown[""] == f"model.pt is sound: 2 layers of 5 LSTM units, {n_parameters} parameters"
    assert shown["cell"] == "hard_sigmoid_keras gates, hidden states projected to 4 units"
    assert shown["input"] == "learned vectors of 3"
    assert shown["vocabulary"] == (
        "8 characters: U+0001, tab, line feed, space, no-break space, abé; their ids are in another order; and <eos>; "
        "others can be read as space"
    )
    assert shown["text"] == "read backwards, with <eos> at the end of documents"
    assert shown["training"] == "3 epochs by adagrad, learning rate 0.08 (constant), 8 lanes of 32 characters, seed 7"
    assert shown["settings"] == "dropout 0.25"
    assert shown["losses"] == "1.250 on the training text in its last round, 1.500 held out, in nats per character"
    assert shown["hash"].split()[0] == model_sha256(model)
    printed = run("check", "model.pt")[1]
    assert "66f9 is the hash of the training text\n" in printed
    assert "77aa is the hash of the model that it began with\n" in printed
    before = [line[15:] for line in printed.splitlines() if line.startswith("  before that")]
    assert before == ["the file does not say how", "imported from theirs.pth (a state_dict)"]


def test_a_script_gets_the_same_as_json(run: Command) -> None:
    model = model_of("ab\n", replacement="b")
    save_model(model, "model.pt", training=RECORD)
    status, out, err = run("check", "model.pt", "--json", "--csv", "rows.csv")
    [row] = map(json.loads, out.splitlines())
    assert (status, err) == (0, "")
    assert {key: row[key] for key in ("path", "sound", "complaints", "cell", "n_layers", "n_units", "n_embedding")} == {
        "path": "model.pt", "sound": True, "complaints": [], "cell": "lstm", "n_layers": 2, "n_units": 5,
        "n_embedding": 3,
    }  # fmt: skip
    assert (row["gates"], row["n_projected"], row["peepholes"], row["layer_norm"]) == (
        "hard_sigmoid_keras",
        4,
        False,
        False,
    )
    assert (row["vocabulary"], row["vocabulary_size"], row["replacement"]) == (["a", "b", "\n"], 3, "b")
    assert (row["reading_rule"], row["trained"]) == ("as it stands", True)
    assert (row["nats_per_char"], row["held_out_nats_per_char"]) == (1.25, 1.5)
    assert (row["training_optimizer"], row["training_learning_rate"]) == ("adagrad", 0.08)
    assert row["trained_before"] == ["imported from theirs.pth (a state_dict)", "the file does not say how"]
    assert row["model_sha256"] == model_sha256(model)
    assert rows(out)[0].keys() | {"model_sha256"} == check_model("model.pt").row().keys()
    assert probe.models.check_model("model.pt").sound


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("gru", "GRU"),
        ("gru_reset_before", "GRU (with the reset before the matrix)"),
        ("rnn", "RNN (tanh)"),
        ("rnn_relu", "RNN (relu)"),
    ],
)
def test_every_cell_has_a_name(run: Command, cell: str, kind: str) -> None:
    model = model_of("ab", ModelConfig(cell=cell, n_layers=1, n_units=4))
    model.trained = False
    save_model(model, "model.pt")
    shown = lines_of(run, "model.pt")
    assert f"1 layer of 4 {kind} units" in shown[""]
    assert shown["training"] == "none: its weights are those of a new model"
    assert shown["input"] == "one-hot characters"
    assert not {"losses", "settings", "cell"} & set(shown)


def test_the_vocabulary_of_a_model_of_bytes_is_not_listed(run: Command) -> None:
    rule = ReadingRule(read_as="bytes", begins=True)
    model = CharRNN(ModelConfig(n_layers=1, n_units=4), vocabulary_to_learn([], rule))
    model.reading_rule = rule
    save_model(model, "model.pt")
    assert lines_of(run, "model.pt")["vocabulary"] == "all 256 bytes; and <sos>"
    assert lines_of(run, "model.pt")["text"] == "read as bytes, with <sos> before each document"


def test_names_of_characters() -> None:
    assert list(map(name_of, "\0\t\r\x7f\x85\u2028\u0301\ufeff\U000f0000")) == [
        "null", "tab", "carriage return", "delete", "next line", "line separator", "combining acute accent",
        "zero width no-break space", "U+F0000",
    ]  # fmt: skip
    assert readable("cb\u0301a", most=2) == "combining acute accent, ab and 1 more"
    assert readable("") == ""


# What is wrong


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_a_fault(run: Command, wrong: float) -> None:
    model = model_of("ab")
    with torch.no_grad():
        model.readout.bias[1] = wrong
    save_model(model, "model.pt", training=RECORD)
    status, out, _ = run("check", "model.pt")
    assert (status, out.count("not sound")) == (1, 1)
    assert "readout.bias has 1 of 2 values that are not numbers (NaN or infinite)" in out
    assert "3 epochs by adagrad" in out


def test_damaged_absent_and_other_files(run: Command, planted: Path) -> None:
    save_model(model_of("ab"), "model.pt", training=RECORD)
    content = Path("model.pt").read_bytes()
    Path("short.pt").write_bytes(content[: len(content) // 2])
    flipped = bytearray(content)
    flipped[content.index(b"readout.weight") + 3] ^= 1
    Path("flipped.pt").write_bytes(bytes(flipped))
    Path("graph.onnx").write_bytes(b"\x08\x07\x12\x07pytorch" + bytes(100))
    Path("text.pt").write_text("To be, or not to be", encoding="utf-8")
    for name, complaint in (
        ("short.pt", "short.pt is not a checkpoint of `probe train`"),
        ("flipped.pt", "flipped.pt is not a checkpoint of `probe train`"),
        ("text.pt", "`probe import` cannot read it: it is neither a PyTorch file"),
        ("graph.onnx", "`probe import` cannot read it: it is a graph of ONNX"),
        ("absent.pt", "there is no model absent.pt"),
        ("absent.h5", "absent.h5"),
        (".", ". is a folder, and a model is a file"),
    ):
        status, out, err = run("check", name)
        assert (status, err) == (1, ""), name
        assert complaint in out and f"probe import {name}" not in out, out
        [row] = rows(run("check", name, "--json")[1])
        assert row["sound"] is False and len(row["complaints"]) == 1


def test_recordings_and_models_are_told_apart_by_their_content(run: Command, planted: Path) -> None:
    save_model(model_of("ab"), "model.h5", training=RECORD)
    Path("recording.pt").write_bytes(planted.read_bytes())
    status, out, _ = run("check", "model.h5", "recording.pt", "--csv", "rows.csv")
    assert status == 0
    assert "model.h5 is sound: 2 layers of 5 LSTM units" in out
    assert "recording.pt is sound: 18,531 characters, 3 sites" in out
    Path("model.h5").write_bytes(b"nothing of either kind")
    assert "model.h5 is not a recording" in run("check", "model.h5")[1]


def test_the_state_of_an_interrupted_training_is_no_model(run: Command) -> None:
    save_state(Path("state.pt"), {"cell": "lstm"}, {"weights": {"rnn.weight_ih_l0": torch.ones(4, 4)}, "done": 7})
    assert (
        "state.pt is not a model: it is what the same `probe train` command with --resume"
        in run("check", "state.pt")[1]
    )


class Bomb:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("exploded"),))


def test_a_model_of_another_program_is_said_to_be_one(run: Command) -> None:
    module = torch.nn.LSTM(4, 5)
    torch.save(module.state_dict(), "theirs.pth")
    np.savez("theirs.npz", Wxh=np.ones((5, 4)), Whh=np.ones((5, 5)), Why=np.ones((4, 5)))
    Path("theirs.json").write_text(json.dumps({"weight": [[0.5, 1.5]] * 3}), encoding="utf-8")
    for name, part in (("theirs.pth", "weight_ih_l0, weight_hh_l0"), ("theirs.npz", "Wxh"), ("theirs.json", "weight")):
        status, out, err = run("check", name)
        assert (status, err) == (1, "")
        assert f"{name} is not a checkpoint of `probe train`, but a file of another kind (" in out and part in out
        assert f"`probe import {name}` makes a checkpoint from it" in out
    Path("vocabulary.json").write_text(json.dumps(["a", "b"]), encoding="utf-8")
    assert "of another kind (JSON) without arrays that may be weights" in run("check", "vocabulary.json")[1]
    Path("bomb.pkl").write_bytes(pickle.dumps({"weight": np.ones((3, 3), np.float32), "bomb": Bomb()}))
    status, out, _ = run("check", "bomb.pkl")
    assert status == 1 and not Path("exploded").exists()


@pytest.mark.parametrize(
    "record",
    [
        {"before": 5, "epochs": [1, [2]], "nats_per_char": "low", "\x1b[2J": "\x1b[31m"},
        {"before": [5, {"before": [{}]}, {"epochs": "\x07"}], "held_out_nats_per_char": True},
        {"imported_from": ["\r" * 5000], "kind": {}},
        {**RECORD, "learning_rate": None, "text": {"\n": 1}},
        {5: 6, None: "x" * 100_000},
    ],
    ids=["numbers and lists", "trainings before", "an import", "no rate", "no names"],
)
def test_whatever_a_record_says_is_shown_in_lines(run: Command, record: dict[Any, Any]) -> None:
    save_model(model_of("ab"), "model.pt", training=record)
    for options in ([], ["--json"], ["--csv", "rows.csv"]):
        status, out, err = run("check", "model.pt", *options)
        assert (status, err) == (0, "")
        assert "\x1b" not in out and "\x07" not in out and "\r" not in out
        assert max(map(len, out.splitlines())) < 5000


def test_a_record_that_is_no_table_is_damage(run: Command) -> None:
    save_model(model_of("ab"), "model.pt")
    content = torch.load("model.pt", weights_only=True)
    for wrong in (5, "epochs", [1, 2]):
        torch.save({**content, "training": wrong}, "wrong.pt")
        status, out, err = run("check", "wrong.pt")
        assert (status, err) == (1, "")
        assert "wrong.pt is a damaged checkpoint" in out
