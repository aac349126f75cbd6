"""Each row of the table of programs in docs/importing.md: a model that is saved like that comes out as it went in."""

import io
import json
import pickle
import re
import string
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from commands import Command
from foreign import (
    Arrays,
    _Foreign,
    char_rnn,
    ends,
    layers,
    nowhere,
    npz,
    renamed,
    reordered,
    safetensors,
    tensors,
    torch7_weights,
    torchscript,
)
from torch import nn
from torch7_programs import torch_rnn_checkpoint
from torch7_writer import save

from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import load_model
from activations.texts.vocab import Vocabulary

DOCUMENT = (Path(__file__).parents[1] / "docs" / "importing.md").read_text(encoding="utf-8")
TABLE = DOCUMENT[DOCUMENT.index("## The programs") : DOCUMENT.index("## The formats")]
ROWS = re.findall(r"^\| (?!program)([^|]+?) \|[^|]+\| `probe ([^`]+)` \|$", TABLE, re.MULTILINE)
CORPUS = "a corpus of characters\n"
SORTED = "".join(sorted(set(CORPUS)))


def model(cell: str = "lstm", characters: str = SORTED, n_embedding: int = 0, n_layers: int = 2) -> CharRNN:
    torch.manual_seed(0)
    config = ModelConfig(cell=cell, n_layers=n_layers, n_units=6, n_embedding=n_embedding)
    return CharRNN(config, Vocabulary(characters)).eval()


def char_rnn_pytorch() -> CharRNN:
    """`torch.save(decoder, filename)` of a module with `encoder`, `rnn` and `decoder`."""
    original = model("gru", string.printable, n_embedding=6)
    with nowhere():
        torch.save(_Foreign(original), "shakespeare.pt")
    return original


def visrnn() -> CharRNN:
    """A state_dict, and a pair of dictionaries from characters to ids and back."""
    original = model(characters=SORTED[::-1])
    torch.save(tensors(renamed(original, rnn="model", readout="fc")), "lstm.pth")
    char_to_id = {char: n for n, char in enumerate(SORTED[::-1])}
    with Path("vocab.pkl").open("wb") as file:
        pickle.dump((char_to_id, {n: char for char, n in char_to_id.items()}), file)
    return original


class Dictionary:
    """flair's class of this name, whose items are bytes."""

    def __init__(self, items: list[str]) -> None:
        self.item2idx = {item.encode(): n for n, item in enumerate(items)}
        self.idx2item = [item.encode() for item in items]
        self.add_unk = True


def flair() -> CharRNN:
    original = model(characters=f"\ufffd{SORTED}", n_embedding=4, n_layers=1)
    state = OrderedDict(tensors(renamed(original)))
    settings = {
        "is_forward_lm": True,
        "hidden_size": 6,
        "nlayers": 1,
        "embedding_size": 4,
        "nout": None,
        "dropout": 0.1,
    }
    more = {"document_delimiter": "\n", "optimizer_state_dict": {"state": {}, "param_groups": [{"lr": 20.0}]}}
    checkpoint = {"state_dict": state, "dictionary": Dictionary(["<unk>", *SORTED]), **settings, **more}
    torch.save(checkpoint, "best-lm.pt", pickle_protocol=4)
    return original


def fastai() -> CharRNN:
    """AWD-LSTM: embedding and read-out are one tensor; each layer is in a module that drops recurrent weights out."""
    n = len(SORTED)
    original = model(n_embedding=6)
    with torch.no_grad():
        assert original.embedding is not None
        original.embedding.weight.copy_(original.readout.weight)
    weights, state = renamed(original, rnn="rnn", readout="1.decoder", embedding="0.encoder"), OrderedDict[str, Any]()
    assert weights["0.encoder.weight"].shape == (n, 6)
    state["0.encoder.weight"] = state["0.encoder_dp.emb.weight"] = torch.from_numpy(weights["0.encoder.weight"])
    for layer in range(2):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            weight = torch.from_numpy(weights[f"rnn.{name}_l{layer}"])
            if name == "weight_hh":
                state[f"0.rnns.{layer}.weight_hh_l0_raw"] = weight
                weight = nn.functional.dropout(weight, 0.5)
            state[f"0.rnns.{layer}.module.{name}_l0"] = weight
    state["1.decoder.weight"], state["1.decoder.bias"] = state["0.encoder.weight"], original.readout.bias.detach()
    torch.save({"model": state, "opt": {"state": [{"mom": torch.zeros(3)}], "hypers": [{"lr": 0.1}]}}, "learner.pth")
    Path("itos.pkl").write_bytes(pickle.dumps(list(SORTED)))
    return original


def scripted() -> CharRNN:
    original = model("gru", n_embedding=5)
    torchscript(original, Path("script.pt"))
    Path("chars.json").write_text(json.dumps(list(SORTED)))
    return original


def safetensors_with_config() -> CharRNN:
    original = model()
    safetensors(original, Path("model.safetensors"))
    Path("config.json").write_text(json.dumps({"hidden_size": 6, "vocab": {char: n for n, char in enumerate(SORTED)}}))
    return original


def min_char_rnn() -> CharRNN:
    original = model("rnn", n_layers=1)
    npz(original, Path("rnn.npz"))
    return original


def onnx() -> str:
    """The first fields of ONNX's ModelProto, as PyTorch writes them."""
    Path("model.onnx").write_bytes(b"\x08\x08\x12\x07pytorch\x1a\x062.13.0:\x9c\x01\n\x20\n\x05input" + bytes(500))
    return "it is a graph of ONNX"


def lua_char_rnn() -> CharRNN:
    original = model()
    char_rnn(original, Path("lm_lstm_epoch50.00_1.36.t7"))
    return original


def lua_torch_rnn() -> CharRNN:
    original = model(n_embedding=4)
    checkpoint = torch_rnn_checkpoint(torch7_weights(original), original.vocabulary.characters)
    save(Path("checkpoint_10000.t7"), checkpoint)
    return original


def kernels(original: CharRNN, order: str) -> Arrays:
    """The arrays of one layer for row vectors, with its gates in an order."""
    [layer] = layers(original)
    bias = layer["bias_ih"] + layer["bias_hh"]
    return {
        "kernel": reordered(layer["weight_ih"], order, "ifgo").T.copy(),
        "recurrent_kernel": reordered(layer["weight_hh"], order, "ifgo").T.copy(),
        "bias": reordered(bias, order, "ifgo"),
    }


def keras_example() -> CharRNN:
    """A Sequential of LSTM and Dense as `model.save` of Keras 3 packs it: configuration, and weights in HDF5."""
    original = model(n_layers=1)
    inner = {"units": 6, "activation": "tanh", "recurrent_activation": "sigmoid", "return_sequences": False}
    stack = [
        {"class_name": "InputLayer", "config": {"name": "input", "batch_shape": [None, 40, len(SORTED)]}},
        {"class_name": "LSTM", "config": {"name": "lstm", **inner}},
        {"class_name": "Dense", "config": {"name": "dense", "units": len(SORTED), "activation": "softmax"}},
    ]
    config = {"class_name": "Sequential", "config": {"name": "sequential", "layers": stack}}
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for name, array in zip("012", kernels(original, "ifgo").values(), strict=True):
            file[f"layers/lstm/cell/vars/{name}"] = array
        readout, bias = ends(original)
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = readout.T.copy(), bias
    with zipfile.ZipFile("model.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.getvalue())
    return original


def keras_tokenizer() -> CharRNN:
    """Weights alone, and the JSON of a Tokenizer, whose ids count from 1; id 0 is for padding."""
    by_frequency = sorted(SORTED, key=lambda char: (-CORPUS.count(char), CORPUS.index(char)))
    original = model(characters="\ue000" + "".join(by_frequency), n_embedding=4, n_layers=1)
    with h5py.File("model.weights.h5", "w") as file:
        assert original.embedding is not None
        file["layers/embedding/vars/0"] = original.embedding.weight.detach().numpy()
        for name, array in zip("012", kernels(original, "ifgo").values(), strict=True):
            file[f"layers/lstm/cell/vars/{name}"] = array
        readout, bias = ends(original)
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = readout.T.copy(), bias
    index = {char: n + 1 for n, char in enumerate(by_frequency)}
    counts = {char: CORPUS.count(char) for char in by_frequency}
    config = {"char_level": True, "lower": False, "filters": "", "num_words": None, "oov_token": None}
    config |= {"word_index": json.dumps(index), "word_counts": json.dumps(counts)}
    config |= {"index_word": json.dumps({n: char for char, n in index.items()})}
    Path("tokenizer.json").write_text(json.dumps(json.dumps({"class_name": "Tokenizer", "config": config})))
    return original


def haste() -> CharRNN:
    original = model(n_layers=1)
    readout, bias = ends(original)
    arrays = {f"rnn.{name}": array for name, array in kernels(original, "igfo").items()}
    torch.save(tensors({**arrays, "out.weight": readout, "out.bias": bias}), "haste.pth")
    return original


def saved_model() -> str:
    Path("saved/variables").mkdir(parents=True)
    Path("saved/saved_model.pb").write_bytes(b"\x08\x01\x12\xf6")
    return "what TensorFlow saves for itself"


def exported() -> str:
    with zipfile.ZipFile("exported.pt2", "w") as archive:
        archive.writestr("exported/archive_format", "pt2")
        archive.writestr("exported/models/model.json", "{}")
    return "torch.export"


WRITERS: dict[str, Callable[[], CharRNN | str]] = {
    "char-rnn": lua_char_rnn,
    "torch-rnn": lua_torch_rnn,
    "lstm_text_generation.py": keras_example,
    "Tokenizer(char_level=True)": keras_tokenizer,
    "Haste": haste,
    "a SavedModel": saved_model,
    "torch.export.save": exported,
    "char-rnn.pytorch": char_rnn_pytorch,
    "VisRNN": visrnn,
    "flair": flair,
    "fastai": fastai,
    "torch.jit.save": scripted,
    "safetensors": safetensors_with_config,
    "min-char-rnn": min_char_rnn,
    "ONNX": onnx,
}


def writer_of(program: str) -> Callable[[], CharRNN | str]:
    [writer] = [
        writer for name, writer in WRITERS.items() if re.search(rf"(^|[\[` ]){re.escape(name)}([`\]]|$)", program)
    ]
    return writer


def test_every_program_has_a_row() -> None:
    assert len(ROWS) == len(WRITERS)
    assert {writer_of(program) for program, _ in ROWS} == set(WRITERS.values())


@pytest.mark.parametrize(("program", "command"), ROWS)
def test_a_program_s_model_is_read_by_the_command(program: str, command: str, run: Command) -> None:
    Path("corpus.txt").write_text(CORPUS)
    original = writer_of(program)()
    code, _, errors = run(*command.split())
    if isinstance(original, str):
        assert code == 1 and original in errors
        return
    assert code == 0, errors
    imported = load_model("model.pt")
    known = SORTED
    ids = [torch.from_numpy(each.vocabulary.look_up(np.array([*map(ord, known)]))) for each in (original, imported)]
    with torch.inference_mode():
        expected, values = (each(some[:, None])[0] for each, some in zip((original, imported), ids, strict=True))
    assert (expected - values).abs().max() < 1e-6
