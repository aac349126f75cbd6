"""Finding the layers of networks that were written in numpy: by name, or by their place in a list."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from activations.errors import ActivationError
from activations.importers.parts import Parts, Remaining, Stack, joined_layer_of, layer_of

_NAMES = (
    {"input": "wxh", "recurrent": "whh", "bias": "bh", "readout": "why", "readout_bias": "by"},
    {"input": "wax", "recurrent": "waa", "bias": "ba", "readout": "wya", "readout_bias": "by"},
    {"input": "wxh", "recurrent": "whh", "bias": "bh", "readout": "whq", "readout_bias": "bq"},
    {"input": "u", "recurrent": "w", "bias": "b", "readout": "v", "readout_bias": "c"},
)
_ASIDE = re.compile(r"hprev|sh|m(wxh|whh|why|bh|by)|d(wxh|whh|why|bh|by)")  # of the training loop that fits on a page


def find_named(arrays: Remaining, facts: Mapping[str, Any]) -> Parts | None:
    """The RNN that fits on a page: Wxh, Whh, bh, Why, by; x @ Wxh + h @ Whh + bh, or the same with columns."""
    by_key = {_key(name): name for name in arrays.arrays}
    for names in _NAMES:
        numbers = sorted(
            (key.removeprefix(names["input"]) for key in by_key if re.fullmatch(names["input"] + r"\d{0,4}", key)),
            key=lambda number: int(number or 0),
        )
        if numbers and names["readout"] in by_key:
            break
    else:
        return None
    family = re.compile(rf"[md]?({names['input']}|{names['recurrent']}|{names['readout']})\d*")
    inner = arrays.matrices().get(by_key.get(names["recurrent"] + numbers[0], ""))
    if sum(shape == inner and not family.fullmatch(_key(name)) for name, shape in arrays.matrices().items()) > 1:
        return None  # the other gates of a layer, of which Whh is one
    for key, name in by_key.items():
        if _ASIDE.fullmatch(key):
            arrays.set_aside(name)
    readout = arrays.take(by_key[names["readout"]], 2)
    layers, notes, turned = [], [], False
    for number in numbers:
        found = {part: by_key.get(names[part] + number) for part in ("input", "recurrent", "bias")}
        if found["recurrent"] is None or found["input"] is None:
            raise ActivationError(f"{by_key[names['input'] + number]} has no {names['recurrent']}{number} beside it")
        weight, recurrent = arrays.take(found["input"], 2), arrays.take(found["recurrent"], 2)
        if number == numbers[0]:  # the first layer's inputs are characters, of which there are as many as outputs
            turned = weight.shape[1] == len(recurrent)
        bias = arrays.take(found["bias"], 1) if found["bias"] else None
        layers.append(layer_of(found["input"], *((weight.T, recurrent.T) if turned else (weight, recurrent)), bias))
        notes.append(f"{found['input']} {weight.shape}{'' if bias is not None else ', without a bias'}")
    bias_name = by_key.get(names["readout_bias"])
    is_square = layers[0].n_inputs == layers[0].n_units
    return Parts.of(
        arrays,
        Stack(
            form=f"numpy's {'row' if turned else 'column'} vectors",
            layers=layers,
            notes=notes,
            open=frozenset({"cell", "transposed"} if is_square else {"cell"}),
        ),
        np.ascontiguousarray(readout.T) if turned else readout,
        arrays.take(bias_name, 1) if bias_name else None,
        f"{by_key[names['readout']]} {readout.shape}",
    )


def _key(name: str) -> str:
    return re.sub(r"[\W_]", "", name.rpartition(".")[2]).lower()


def find_lists(arrays: Remaining, facts: Mapping[str, Any]) -> Parts | None:
    """[[W1, b1], [W2, b2], [[Wd, bd]]], each W of a layer on [x; h] with the gates' rows stacked up: i, f, o, g."""
    ends = [match for name in arrays.arrays if (match := re.fullmatch(r"((?:.*\.)?)(\d{1,4})\.0\.0", name))]
    if len(ends) != 1 or f"{ends[0][0][:-1]}1" not in arrays:
        return None
    whole, prefix, number = ends[0][0], ends[0][1], ends[0][2]
    readout = arrays.take(whole, 2)
    readout_bias = arrays.take(f"{whole[:-1]}1", 1)
    layers, notes = [], []
    for n in range(int(number)):
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
            open=frozenset({"hidden_first", "cell" if is_simple else "gates"}),
        ),
        readout,
        readout_bias,
        f"{whole} {readout.shape}",
    )
