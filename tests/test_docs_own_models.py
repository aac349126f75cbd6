"""docs/own_models.md is executed: its programs and commands, with values that plain numpy computes beside them.

CHAR_PROBE_FOREIGN may name a folder with the unpacked packages g2p_en and textgenrnn, whose files are then read, too.
"""

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from numpy.typing import NDArray

from activations.recordings.recording import Recording
from activations.units import Site

PAGE = (Path(__file__).parents[1] / "docs" / "own_models.md").read_text(encoding="utf-8")
FOREIGN = os.environ.get("CHAR_PROBE_FOREIGN", "")
Array = NDArray[np.float64]
needs_foreign = pytest.mark.skipif(not FOREIGN, reason="CHAR_PROBE_FOREIGN names no folder with unpacked packages")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def programs() -> None:
    for program in blocks("python"):
        Path(program.splitlines()[0].removeprefix("# ")).write_text(program, encoding="utf-8")


def shell(run: Command, block: int) -> list[str]:
    """Run the commands of a block of the page, and return what each printed."""
    outputs = []
    for command in blocks("sh")[block].splitlines():
        status, out, error = run(*shlex.split(command)[1:])
        assert status == 0, error
        outputs.append(out)
    return outputs


def said_on_the_page(sentence: str) -> bool:
    """Does the page have a sentence, however its lines are broken?"""
    return sentence in " ".join(PAGE.split())


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def neuron_in_numpy(arrays: Any, read: bytes) -> tuple[Array, Array, Array]:
    """Return hidden states, cells and log probabilities after each byte, by the equations of encoder.py."""
    w = {name: arrays[name].astype(np.float64) for name in arrays}
    for name in ("x", "h", "mx", "mh"):
        w[f"w{name}"] *= w[f"g{name}"] / np.sqrt((w[f"w{name}"] ** 2).sum(0))
    h = c = np.zeros(len(w["wh"]))
    rows: list[tuple[Array, Array, Array]] = []
    for byte in read:
        x = w["embedding"][byte]
        m = (x @ w["wmx"]) * (h @ w["wmh"])
        i, f, o, u = np.split(x @ w["wx"] + m @ w["wh"] + w["b"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(u)
        h = sigmoid(o) * np.tanh(c)
        logits = h @ w["w"] + w["b_out"]
        rows.append((h, c, logits - np.log(np.exp(logits).sum())))
    hidden, cells, log_probs = zip(*rows, strict=True)
    return np.array(hidden), np.array(cells), np.array(log_probs)


def test_the_sentiment_neuron_as_a_model_of_ones_own(run: Command, programs: None) -> None:
    """Values and losses are those of a loop in plain numpy, also for characters of several bytes."""
    text = 'She said "it was a trop joli café", and left — “quite happy”.\n' * 12
    Path("corpus.txt").write_text(text, encoding="utf-8")
    exec(Path("random_neuron.py").read_text(), {})
    status, _, error = run("import", "neuron.npz", "-o", "model.pt", "--vocab", "chars:abc")
    assert status == 1
    assert said_on_the_page(error.strip())
    _, ranked, evaluated = shell(run, 0)
    hidden, cells, log_probs = neuron_in_numpy(np.load("neuron.npz"), read := text.encode())
    last_bytes = np.cumsum([len(char.encode()) for char in text]) - 1  # after which a character has been read
    with Recording(Path("activations.h5")) as recording:
        assert recording.reading_rule.read_as == "bytes"
        values = recording.read([Site("0/hidden"), Site("0/cell")])
    np.testing.assert_allclose(values[Site("0/hidden")], hidden[last_bytes], rtol=0, atol=2e-4)
    np.testing.assert_allclose(values[Site("0/cell")], cells[last_bytes], rtol=0, atol=1e-3)
    assert "0/cell/" in ranked or "0/hidden/" in ranked
    nats = -log_probs[np.arange(len(read) - 1), list(read[1:])].sum() / (len(text) - 1)
    assert f"{nats:.3f}" in evaluated


def gru_of_g2p(arrays: Any, word: str) -> Array:
    """Return the hidden states of g2p's encoder after each letter, by the equations of its own program."""
    letters = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
    h, states = np.zeros(arrays["enc_w_hh"].shape[1]), []
    for letter in word:
        x = arrays["enc_emb"][letters.index(letter) if letter in letters else 1]
        of_x, of_h = (arrays[f"enc_w_{k}"] @ v + arrays[f"enc_b_{k}"] for k, v in (("ih", x), ("hh", h)))
        n = len(h)
        r, z = np.split(sigmoid(of_x[: 2 * n] + of_h[: 2 * n]), 2)
        h = (1 - z) * np.tanh(of_x[2 * n :] + r * of_h[2 * n :]) + z * h
        states.append(h)
    return np.array(states)


WORDS = ["Activation", "naïve", "speech", "rhythm", "o'clock"]


def write_encoder() -> None:
    rng, shapes = np.random.default_rng(0), {"fc_w": (74, 12), "fc_b": (74,)}
    for side, n in (("enc", 29), ("dec", 74)):
        shapes |= {f"{side}_emb": (n, 9), f"{side}_w_ih": (36, 9), f"{side}_w_hh": (36, 12)}
        shapes |= {f"{side}_b_ih": (36,), f"{side}_b_hh": (36,)}
    np.savez("checkpoint20.npz", **{name: rng.normal(size=shape).astype("f4") for name, shape in shapes.items()})  # type: ignore[arg-type]


def check_encoder(run: Command) -> None:
    Path("words.txt").write_text("\n".join(WORDS * 30) + "\n", encoding="utf-8")
    status, _, error = run("import", "checkpoint20.npz", "-o", "model.pt", "--vocab", "chars:abc")
    assert status == 1
    assert said_on_the_page(error.strip())
    extracted, _ = shell(run, 1)
    assert ", no predictions, " in extracted
    arrays = np.load("checkpoint20.npz")
    with Recording(Path("words.h5")) as recording:
        assert recording.predictions == []
        values = recording.read(["encoder/hidden"])[Site("encoder/hidden")]
        documents = recording.corpus.documents
    for word, document in zip(WORDS, documents, strict=False):
        found = values[document.start : document.start + len(word)]
        np.testing.assert_allclose(found, gru_of_g2p(arrays, word.lower()), rtol=0, atol=2e-3)


def test_an_encoder_is_recorded_without_predictions(run: Command, programs: None) -> None:
    write_encoder()
    check_encoder(run)


@needs_foreign
def test_the_encoder_of_g2p_en(run: Command, programs: None) -> None:
    Path("checkpoint20.npz").write_bytes((Path(FOREIGN) / "g2p_en" / "checkpoint20.npz").read_bytes())
    check_encoder(run)


def layer_of_textgenrnn(arrays: Any, number: int, inputs: Array) -> tuple[Array, Array]:
    """Return hidden states and cells of a layer that cuDNN computed, in plain numpy: gates i, f, c, o."""
    kernel, recurrent, bias = (
        arrays[f"rnn_{number}/rnn_{number}/{name}:0"] for name in ("kernel", "recurrent_kernel", "bias")
    )
    n_inputs, n_units = len(kernel), len(recurrent)
    on_x = [gate.reshape(n_units, n_inputs) for gate in np.split(kernel, 4, axis=1)]
    on_h = np.split(recurrent, 4, axis=1)
    biases = bias.reshape(2, 4, n_units).sum(0)
    h = c = np.zeros(n_units)
    rows: list[tuple[Array, Array]] = []
    for x in inputs:
        i, f, g, o = (w @ x + u @ h + b for w, u, b in zip(on_x, on_h, biases, strict=True))
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        rows.append((h, c))
    hidden, cells = zip(*rows, strict=True)
    return np.array(hidden), np.array(cells)


def loss_of_textgenrnn(arrays: Any, seen: Array, ids: list[int]) -> float:
    """Return the loss of textgenrnn's own read-out after 40 ids, with attention over the last 40."""
    weights = np.exp(seen @ arrays["attention/attention/attention_W:0"])
    windows = [slice(stop - 40, stop) for stop in range(40, len(ids))]
    averages = np.array([(weights[window] * seen[window]).sum(0) / weights[window].sum() for window in windows])
    logits = averages @ arrays["output/output/kernel:0"] + arrays["output/output/bias:0"]
    log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return float(-log_probs[np.arange(len(log_probs)), ids[40:]].mean())


@needs_foreign
def test_the_layers_of_textgenrnn(run: Command, programs: None) -> None:
    """They are refused as a plain LSTM; as sites, they have the values from which its own read-out guesses well."""
    h5py = pytest.importorskip("h5py")
    for name in ("textgenrnn_weights.hdf5", "textgenrnn_vocab.json"):
        Path(name).write_bytes((Path(FOREIGN) / "textgenrnn" / name).read_bytes())
    status, _, error = run("import", "textgenrnn_weights.hdf5", "-o", "m.pt", "--vocab", "json:textgenrnn_vocab.json")
    assert status == 1
    assert "attention (attention/attention/attention_W:0), which is not read" in error
    assert "100 + 128 + 128 numbers, the embedding and all layers side by side" in error
    text = "the people of the united states want"
    Path("corpus.txt").write_text(text * 20, encoding="utf-8")
    (command,) = re.findall(r"^    probe (extract textgenrnn.*)$", PAGE, re.MULTILINE)
    status, _, error = run(*shlex.split(command), "--dtype", "float32")
    assert status == 0, error
    with Recording(Path("activations.h5")) as recording:
        values = recording.read(list(recording.sites))
    arrays = {}
    with h5py.File("textgenrnn_weights.hdf5") as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if hasattr(item, "shape") else None)
    numbers = json.loads(Path("textgenrnn_vocab.json").read_text(encoding="utf-8"))
    ids = [*[0] * 39, numbers["<s>"], *(numbers[char] for char in text)]
    seen = arrays["embedding/embedding/embeddings:0"][ids]
    parts = [seen]
    for layer in (0, 1):
        hidden, cells = layer_of_textgenrnn(arrays, layer + 1, parts[-1])
        np.testing.assert_allclose(values[Site(f"{layer}/hidden")][: len(text)], hidden[40:], rtol=0, atol=1e-4)
        np.testing.assert_allclose(values[Site(f"{layer}/cell")][: len(text)], cells[40:], rtol=1e-4, atol=1e-3)
        parts.append(np.vstack([hidden[:40], values[Site(f"{layer}/hidden")][: len(text)]]))
    assert loss_of_textgenrnn(arrays, np.hstack(parts), ids) < 1.5  # nats; without knowing anything, 6.1
