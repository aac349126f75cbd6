"""Writers of our models in the formats of other programs, as these programs would have written them."""

import io
import json
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from activations.models.char_rnn import CharRNN

Arrays = dict[str, NDArray[np.float32]]


def weights(model: CharRNN) -> Arrays:
    return {name: weight.detach().numpy().copy() for name, weight in model.state_dict().items()}


def renamed(model: CharRNN, rnn: str = "rnn", readout: str = "decoder", embedding: str = "encoder") -> Arrays:
    """Return the weights under PyTorch's names with other prefixes."""
    prefixes = {"rnn": rnn, "readout": readout, "embedding": embedding}
    arrays = {}
    for full_name, weight in weights(model).items():
        prefix, _, name = full_name.partition(".")
        arrays[f"{prefixes[prefix]}.{name}"] = weight
    return arrays


def layers(model: CharRNN) -> list[Arrays]:
    """Return weight_ih, weight_hh, bias_ih and bias_hh of each layer."""
    arrays = weights(model)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [{name: arrays[f"rnn.{name}_l{n}"] for name in names} for n in range(model.config.n_layers)]


def ends(model: CharRNN) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    arrays = weights(model)
    return arrays["readout.weight"], arrays["readout.bias"]


def reordered(rows: NDArray[np.float32], order: str, current: str) -> NDArray[np.float32]:
    """Return rows with their gates in another order than the current one."""
    blocks = dict(zip(current, np.split(rows, len(current)), strict=True))
    return np.concatenate([blocks[letter] for letter in order])


def tensors(arrays: Mapping[str, NDArray[np.float32]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def state_dict(model: CharRNN, path: Path) -> None:
    torch.save(tensors(renamed(model, rnn="model.net", readout="fc")), path)


def checkpoint(model: CharRNN, path: Path) -> None:
    """Write a checkpoint with an optimiser, whose tensors look like the model's, and other things that people save."""
    arrays = tensors(renamed(model, rnn="lstm", readout="out"))
    optimizer = {
        "state": {0: {"exp_avg": torch.zeros(3, 3), "lstm.weight_ih_l0": torch.zeros(8, 2)}},
        "param_groups": [],
    }
    torch.save({"epoch": 3, "optimizer_state": optimizer, "model_state": arrays, "args": {"lr": 0.1}}, path)


def old_state_dict(model: CharRNN, path: Path) -> None:
    torch.save(tensors(renamed(model, rnn="rnn", readout="predictor")), path, _use_new_zipfile_serialization=False)


def transposed_state_dict(model: CharRNN, path: Path) -> None:
    """Write transposed matrices, for products with row vectors."""
    arrays = {n: np.ascontiguousarray(w.T) if ".weight_" in n else w for n, w in renamed(model).items()}
    torch.save(tensors(arrays), path)


def cells(model: CharRNN, path: Path) -> None:
    """Write one nn.LSTMCell for each layer, whose names end without a number."""
    arrays = {n: w for n, w in renamed(model).items() if not n.startswith("rnn.")}
    for n, layer in enumerate(layers(model)):
        arrays |= {f"cells.{n}.{name}": w for name, w in layer.items()}
    torch.save(tensors(arrays), path)


def torchscript_like_names(model: CharRNN, path: Path) -> None:
    torch.save(tensors({f"module.{name}": w for name, w in renamed(model).items()}), path)


class _Foreign(nn.Module):
    """A module whose class is not there when it is read."""

    def __init__(self, model: CharRNN) -> None:
        super().__init__()
        self.encoder = model.embedding
        self.rnn = model.rnn
        self.decoder = model.readout
        self.hidden_size = model.config.n_units


class _Scriptable(nn.Module):
    """A module as TorchScript takes it."""

    def __init__(self, model: CharRNN) -> None:
        super().__init__()
        self.encoder = model.embedding
        self.rnn = model.rnn
        self.decoder = model.readout

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        one_hot = nn.functional.one_hot(ids, self.decoder.out_features).float()
        inputs = one_hot if self.encoder is None else self.encoder(ids)
        logits: torch.Tensor = self.decoder(self.rnn(inputs)[0])
        return logits


def torchscript(model: CharRNN, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch advises torch.export, which people have not used so far
        traced: Any = torch.jit.trace(_Scriptable(model), torch.zeros(3, 1, dtype=torch.long))  # type: ignore[no-untyped-call]
    traced.save(str(path))


def safetensors(model: CharRNN, path: Path) -> None:
    """Write the length of the header, the header, and the numbers in the order of their names."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    numbers = b""
    for name, array in sorted(renamed(model).items()):
        content = array.astype("<f4").tobytes()
        offsets = [len(numbers), len(numbers) + len(content)]
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": offsets}
        numbers += content
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + numbers)


@contextmanager
def nowhere() -> Iterator[None]:
    """Pretend for a while that `_Foreign` is called `somewhere.Net`."""
    module = ModuleType("somewhere")
    module.__file__ = __file__
    vars(module)["Net"] = _Foreign
    true_names = _Foreign.__module__, _Foreign.__qualname__
    _Foreign.__module__, _Foreign.__qualname__ = "somewhere", "Net"
    sys.modules["somewhere"] = module
    try:
        yield
    finally:
        del sys.modules["somewhere"]
        _Foreign.__module__, _Foreign.__qualname__ = true_names


def whole_module(model: CharRNN, path: Path) -> None:
    with nowhere():
        torch.save(_Foreign(model), path)


def old_whole_module(model: CharRNN, path: Path) -> None:
    """Write a module whose parameters are views of one storage, which was on a GPU."""
    flat = torch.cat([torch.zeros(5), *(weight.detach().flatten() for weight in model.parameters())])
    net, start = _Foreign(model), 5
    for weight in net.parameters():
        n = weight.numel()
        weight.data = flat[start : start + n].view(weight.shape)
        start += n
    tag = torch.serialization.location_tag
    torch.serialization.location_tag = lambda storage: "cuda:0"
    try:
        with nowhere(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns that it does not find the source of the class
            torch.save(net, path, _use_new_zipfile_serialization=False)
    finally:
        torch.serialization.location_tag = tag


def linears(
    model: CharRNN, path: Path, of_x: str = "x2{}", of_h: str = "h2{}", tags: str | tuple[str, ...] = "ifco"
) -> None:
    """Write a linear layer for each gate, on x and on h, under names such as `layers.0.x2i`."""
    arrays = {n: w for n, w in renamed(model).items() if not n.startswith("rnn.")}
    letters = model_gates(model)
    for n, layer in enumerate(layers(model)):
        for half, frame in (("ih", of_x), ("hh", of_h)):
            for letter, tag in zip({"ifgo": "ifgo", "rzn": "rzn", "h": "h"}[letters], tags, strict=True):
                name = f"layers.{n}.{frame.format(tag)}"
                arrays[f"{name}.weight"] = reordered(layer[f"weight_{half}"], letter, letters)
                arrays[f"{name}.bias"] = reordered(layer[f"bias_{half}"], letter, letters)
    torch.save(tensors(arrays), path)


def model_gates(model: CharRNN) -> str:
    return {"lstm": "ifgo", "gru": "rzn", "rnn": "h", "rnn_relu": "h"}[model.config.cell]


def named_linears(model: CharRNN, path: Path) -> None:
    """Write linear layers named like the matrices in PyTorch's documentation: W_ii, W_hi and so on."""
    tags = {"lstm": "ifgo", "gru": "rzn"}.get(model.config.cell, "h")
    linears(model, path, "W_i{}", "W_h{}", tags)


def worded_linears(model: CharRNN, path: Path) -> None:
    tags = {
        "lstm": ("input_gate", "forget_gate", "cell_gate", "output_gate"),
        "gru": ("reset", "update", "new"),
    }.get(model.config.cell, ("h",))
    linears(model, path, "{}.from_input", "{}.from_hidden", tags)


def joined_linears(model: CharRNN, path: Path) -> None:
    """Write a linear layer for each gate, on [x; h]."""
    arrays = {n: w for n, w in renamed(model).items() if not n.startswith("rnn.")}
    for n, layer in enumerate(layers(model)):
        both = np.concatenate([layer["weight_ih"], layer["weight_hh"]], axis=1)
        for letter, name in zip("ifgo", ("W_i", "W_f", "W_c", "W_o"), strict=True):
            arrays[f"{n}.{name}.weight"] = reordered(both, letter, "ifgo")
            arrays[f"{n}.{name}.bias"] = reordered(layer["bias_ih"] + layer["bias_hh"], letter, "ifgo")
    torch.save(tensors(arrays), path)


def row_parameters(model: CharRNN, path: Path) -> None:
    """Write bare matrices for row vectors, with separate biases: W_xi, W_hi, b_i and so on."""
    readout, bias = ends(model)
    arrays: Arrays = {}
    for n, layer in enumerate(layers(model)):
        end = "" if n == 0 else f"_{n}"
        for letter, name in zip("ifgo", "ifco", strict=True):
            arrays[f"W_x{name}{end}"] = reordered(layer["weight_ih"], letter, "ifgo").T.copy()
            arrays[f"W_h{name}{end}"] = reordered(layer["weight_hh"], letter, "ifgo").T.copy()
            arrays[f"b_{name}{end}"] = reordered(layer["bias_ih"] + layer["bias_hh"], letter, "ifgo")
    torch.save(tensors({**arrays, "out.weight": readout, "out.bias": bias}), path)


def stacked_linears(model: CharRNN, path: Path) -> None:
    """Write two linear layers for each layer, each with all gates: `cells.0.i2h`, `cells.0.h2h`."""
    arrays = {n: w for n, w in renamed(model).items() if not n.startswith("rnn.")}
    for n, layer in enumerate(layers(model)):
        for name, end in (("i2h", "ih"), ("h2h", "hh")):
            arrays |= {f"cells.{n}.{name}.{kind}": layer[f"{kind}_{end}"] for kind in ("weight", "bias")}
    torch.save(tensors(arrays), path)


def stacked_joined_linears(model: CharRNN, path: Path) -> None:
    """Write one linear layer for each layer, with all gates, on [x; h]."""
    arrays = {n: w for n, w in renamed(model).items() if not n.startswith("rnn.")}
    for n, layer in enumerate(layers(model)):
        arrays[f"cell{n}.linear.weight"] = np.hstack([layer["weight_ih"], layer["weight_hh"]])
        arrays[f"cell{n}.linear.bias"] = layer["bias_ih"] + layer["bias_hh"]
    torch.save(tensors(arrays), path)


def stacked_row_parameters(model: CharRNN, path: Path) -> None:
    """Write bare matrices for row vectors, Wx, Wh and b, with the gates i, f, o, g as the columns of each."""
    readout, bias = ends(model)
    arrays: Arrays = {"W_vocab": readout.T.copy(), "b_vocab": bias}
    for n, layer in enumerate(layers(model)):
        end = str(n) if model.config.n_layers > 1 else ""
        arrays[f"Wx{end}"] = reordered(layer["weight_ih"], "ifog", "ifgo").T.copy()
        arrays[f"Wh{end}"] = reordered(layer["weight_hh"], "ifog", "ifgo").T.copy()
        arrays[f"b{end}"] = reordered(layer["bias_ih"] + layer["bias_hh"], "ifog", "ifgo")
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def json_lists(model: CharRNN, path: Path, order: str = "ifog") -> None:
    """Write [[W1, b1], [W2, b2], [[Wd, bd]]] of a numpy LSTM."""
    parts: list[Any] = []
    for layer in layers(model):
        both = np.concatenate([layer["weight_ih"], layer["weight_hh"]], axis=1)
        bias = layer["bias_ih"] + layer["bias_hh"]
        parts.append([reordered(both, order, "ifgo").tolist(), reordered(bias, order, "ifgo")[:, None].tolist()])
    readout, readout_bias = ends(model)
    path.write_text(json.dumps([*parts, [[readout.tolist(), readout_bias[:, None].tolist()]]]))


def numpy_arrays(model: CharRNN, *, rows: bool = True) -> Arrays:
    """Return Wxh, Whh, bh, Why and by of a numpy RNN."""
    readout, readout_bias = ends(model)
    arrays: Arrays = {}
    for n, layer in enumerate(layers(model)):
        end = "" if model.config.n_layers == 1 else str(n)
        arrays[f"Wxh{end}"], arrays[f"Whh{end}"] = layer["weight_ih"], layer["weight_hh"]
        arrays[f"bh{end}"] = (layer["bias_ih"] + layer["bias_hh"])[:, None]
    arrays |= {"Why": readout, "by": readout_bias[:, None]}
    return {name: np.ascontiguousarray(array.T) for name, array in arrays.items()} if rows else arrays


def npz(model: CharRNN, path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **numpy_arrays(model))


def column_npz(model: CharRNN, path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **numpy_arrays(model, rows=False))


def pickled_arrays(model: CharRNN, path: Path) -> None:
    path.write_bytes(pickle.dumps(numpy_arrays(model), protocol=2))


def npy_of_a_dict(model: CharRNN, path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.array(numpy_arrays(model), object), allow_pickle=True)
    path.write_bytes(content.getvalue())


Writer = Callable[[CharRNN, Path], None]
_ALL = ("lstm", "gru", "rnn", "rnn_relu")
_RNNS = ("rnn", "rnn_relu")

# for each format: its writer, its cells, and whether it may have an embedding
FORMATS: dict[str, tuple[Writer, tuple[str, ...], bool]] = {
    "a state_dict": (state_dict, _ALL, True),
    "a checkpoint": (checkpoint, _ALL, True),
    "an old state_dict": (old_state_dict, _ALL, True),
    "a transposed state_dict": (transposed_state_dict, ("lstm", "gru"), True),
    "cells": (cells, _ALL, True),
    "a state_dict of a parallel module": (torchscript_like_names, _ALL, True),
    "a whole module": (whole_module, _ALL, True),
    "an old whole module": (old_whole_module, _ALL, True),
    "TorchScript": (torchscript, _ALL, True),
    "safetensors": (safetensors, _ALL, True),
    "linears": (linears, ("lstm",), True),
    "named linears": (named_linears, _ALL, True),
    "worded linears": (worded_linears, _ALL, True),
    "joined linears": (joined_linears, ("lstm",), True),
    "row parameters": (row_parameters, ("lstm",), False),
    "stacked linears": (stacked_linears, ("lstm", "gru"), True),
    "stacked joined linears": (stacked_joined_linears, ("lstm",), True),
    "stacked row parameters": (stacked_row_parameters, ("lstm",), False),
    "JSON": (json_lists, ("lstm",), False),
    ".npz": (npz, _RNNS, False),
    ".npz of column vectors": (column_npz, _RNNS, False),
    "a pickle of arrays": (pickled_arrays, _RNNS, False),
    ".npy of a dictionary": (npy_of_a_dict, _RNNS, False),
}
