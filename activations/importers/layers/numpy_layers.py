"""Finding the layers of networks written in numpy: by their names, or by their position in a list."""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from activations.errors import ActivationError
from activations.importers.layers.parts import ImportedLayer, Parts, Stack, UnusedArrays, joined_layer_of, layer_of
from activations.importers.layers.unread_kinds import OWN_CODE

_NAMES = (
    {"input": "wxh", "recurrent": "whh", "bias": "bh", "readout": "why", "readout_bias": "by"},
    {"input": "wax", "recurrent": "waa", "bias": "ba", "readout": "wya", "readout_bias": "by"},
    {"input": "wxh", "recurrent": "whh", "bias": "bh", "readout": "whq", "readout_bias": "bq"},
    {"input": "u", "recurrent": "w", "bias": "b", "readout": "v", "readout_bias": "c"},
)
_OF_TRAINING = re.compile(r"hprev|sh|m(wxh|whh|why|bh|by)|d(wxh|whh|why|bh|by)")  # in the loop of min-char-rnn


def find_named(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find the network of min-char-rnn: Wxh, Whh, bh, Why, by; x @ Wxh + h @ Whh + bh, or the same with columns."""
    for by_key, names in product(_by_key(arrays), _NAMES):
        numbers = sorted(
            (key.removeprefix(names["input"]) for key in by_key if re.fullmatch(names["input"] + r"\d{0,4}", key)),
            key=lambda number: int(number or 0),
        )
        if numbers and names["readout"] in by_key:
            break
    else:
        return None
    if _has_other_gates(arrays, names, by_key.get(names["recurrent"] + numbers[0], "")):
        return None
    for key, name in by_key.items():
        if _OF_TRAINING.fullmatch(key):
            arrays.set_aside(name)
    readout = arrays.take(by_key[names["readout"]], 2)
    layers, notes, has_row_vectors = [], [], False
    for number in numbers:
        array_names = {part: by_key.get(names[part] + number) for part in ("input", "recurrent", "bias")}
        if array_names["recurrent"] is None or array_names["input"] is None:
            raise ActivationError(
                f"{by_key[names['input'] + number]} has no {names['recurrent']}{number} beside it; {OWN_CODE}"
            )
        weight, recurrent = arrays.take(array_names["input"], 2), arrays.take(array_names["recurrent"], 2)
        if number == numbers[0]:  # the first layer's inputs are characters, of which there are as many as outputs
            has_row_vectors = weight.shape[1] == len(recurrent)
        bias = arrays.take(array_names["bias"], 1) if array_names["bias"] else None
        matrices = (weight.T, recurrent.T) if has_row_vectors else (weight, recurrent)
        layers.append(layer_of(array_names["input"], *matrices, bias))
        notes.append(f"{array_names['input']} {weight.shape}{'' if bias is not None else ', without a bias'}")
    bias_name = by_key.get(names["readout_bias"])
    is_square = layers[0].n_inputs == layers[0].n_units
    return Parts.of(
        arrays,
        Stack(
            form=f"numpy's {'row' if has_row_vectors else 'column'} vectors",
            layers=layers,
            notes=notes,
            undecided=frozenset({"cell", "transposed"} if is_square else {"cell"}),
        ),
        np.ascontiguousarray(readout.T) if has_row_vectors else readout,
        arrays.take(bias_name, 1) if bias_name else None,
        f"{by_key[names['readout']]} {readout.shape}",
    )


def _has_other_gates(arrays: UnusedArrays, names: Mapping[str, str], recurrent: str) -> bool:
    """Are there several more matrices of the recurrent one's shape, which is then one gate of several?"""
    family = re.compile(rf"[md]?({names['input']}|{names['recurrent']}|{names['readout']})\d*")
    shapes = arrays.matrices()
    shape = shapes.get(recurrent)
    return sum(candidate == shape and not family.fullmatch(_key(name)) for name, candidate in shapes.items()) > 1


def _by_key(arrays: UnusedArrays) -> Iterator[dict[str, str]]:
    """Yield the names by what they end in, and by what they end in without words that all begin with (`rnn_Wxh`)."""
    yield {_key(name): name for name in arrays.arrays}
    first, last = min(arrays.arrays, default=""), max(arrays.arrays, default="")
    n_alike = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    n_alike = first[:n_alike].rfind("_") + 1
    yield {_key(name[n_alike:]): name for name in arrays.arrays}


def _key(name: str) -> str:
    """Return the last part of a name, in lower case and without signs: `wxh` of `params/W_xh` and `net.Wxh:0`."""
    last = re.split(r"[./:|\\]", re.sub(r":\d+$", "", name))[-1]
    return re.sub(r"[\W_]", "", last).lower()


def find_lists(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find [[W1, b1], [W2, b2], [[Wd, bd]]], each W of a layer on [x; h] with the gates' rows stacked: i, f, o, g."""
    ends = [match for name in arrays.arrays if (match := re.fullmatch(r"((?:.*\.)?)(\d{1,4})\.0\.0", name))]
    if len(ends) != 1 or f"{ends[0][0][:-1]}1" not in arrays:
        return None
    readout_name, prefix, n_layers = ends[0][0], ends[0][1], int(ends[0][2])
    readout = arrays.take(readout_name, 2)
    readout_bias = arrays.take(f"{readout_name[:-1]}1", 1)
    layers: list[ImportedLayer] = []
    notes = []
    for n in range(n_layers):
        name = f"{prefix}{n}.0"
        if name not in arrays:
            raise ActivationError(f"there is no layer {name}, but one after it; the file is not whole")
        matrix = arrays.take(name, 2)
        bias = arrays.take(f"{prefix}{n}.1", 1) if f"{prefix}{n}.1" in arrays else None
        layers.append(joined_layer_of(name, matrix, readout.shape[1], bias))
        notes.append(f"{name} {matrix.shape} on [x; h]")
    if not layers:
        return None
    is_simple = layers[0].n_gates == 1
    return Parts.of(
        arrays,
        Stack(
            form="a list of layers",
            layers=layers,
            notes=notes,
            order="" if is_simple else "ifog",
            joined=True,
            undecided=frozenset({"hidden_first"} | ({"cell"} if is_simple else {"gates", "forget_bias"})),
        ),
        readout,
        readout_bias,
        f"{readout_name} {readout.shape}",
    )
