"""Finding PyTorch's own recurrent layers among named arrays."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from activations.errors import ActivationError
from activations.models.importers.ends import with_ends
from activations.models.importers.parts import (
    CELLS_BY_GATES,
    GATES,
    Parts,
    Remaining,
    check_chain,
    oriented,
    with_biases,
)

_TORCH_RNN = re.compile(r"(?P<stack>.*?)weight_ih(?:_l(?P<layer>\d{1,4}))?(?P<back>_reverse)?")


def find_torch(arrays: Remaining, facts: Mapping[str, Any]) -> Parts | None:
    """PyTorch's recurrent layers and cells: weight_ih_l0 and so on, under any prefix."""
    names = [(name, match) for name in arrays.arrays if (match := _TORCH_RNN.fullmatch(name))]
    if not names:
        return None
    if backward := next((name for name, match in names if match["back"]), None):
        raise ActivationError(f"{backward}: the model reads in both directions, and so knows what is to come; not read")
    stacks = _in_order(list(dict.fromkeys(match["stack"] for _, match in names)))
    order = sorted(names, key=lambda each: (stacks.index(each[1]["stack"]), int(each[1]["layer"] or 0)))
    layers, notes = [], []
    for name, match in order:
        stack, tail = match["stack"], name.removeprefix(f"{match['stack']}weight_ih")
        if f"{stack}weight_hr{tail}" in arrays:
            raise ActivationError(f"{stack}weight_hr{tail}: LSTMs with projected hidden states are not read")
        if f"{stack}weight_hh{tail}" not in arrays:
            raise ActivationError(f"{name} has no {stack}weight_hh{tail} beside it; the file is not whole")
        layer, turned = oriented(arrays.take(name, 2), arrays.take(f"{stack}weight_hh{tail}", 2), name)
        biases = [
            arrays.take(bias, 1) if (bias := f"{stack}bias_{half}{tail}") in arrays else None for half in ("ih", "hh")
        ]
        layers.append(with_biases(layer, biases[0], biases[1], name))
        bias_note = "" if any(each is not None for each in biases) else ", without biases"
        notes.append(f"{name} {layer.input.shape}{', turned' if turned else ''}{bias_note}")
    check_chain(layers, [name for name, _ in order])
    modes = {_mode(facts, stack) for stack in stacks}
    if len(modes) > 1:
        raise ActivationError(f"the layers are of different kinds: {', '.join(sorted(map(repr, modes)))}; not read")
    mode = modes.pop()
    several = len({re.sub(r"\d+", "", stack) for stack in stacks}) > 1
    cell = CELLS_BY_GATES[layers[0].n_gates]
    relu_or_tanh = cell == "rnn" and not mode
    return with_ends(
        arrays,
        Parts(
            form="PyTorch's recurrent layers",
            cell="rnn_relu" if cell == "rnn" and "relu" in mode else cell,
            gates=GATES[layers[0].n_gates],
            layers=tuple(layers),
            embedding=None,
            readout=np.zeros((0, 0), np.float32),
            readout_bias=np.zeros(0, np.float32),
            found={"layers": "; ".join(notes)},
            doubts=(f"{' and '.join(stacks)} are taken as layers on one another, in this order",) if several else (),
            open=frozenset({"cell"} if relu_or_tanh else ()),
        ),
    )


def _in_order(stacks: list[str]) -> list[str]:
    """By the numbers in their names, if they differ in nothing else; as in the file otherwise."""
    if len({re.sub(r"\d+", "", stack) for stack in stacks}) > 1:
        return stacks
    return sorted(stacks, key=lambda stack: [int(number) for number in re.findall(r"\d{1,9}", stack)])


def _mode(facts: Mapping[str, Any], stack: str) -> str:
    """What a pickled module says of its nonlinearity, in small letters; empty if it says nothing."""
    said = (facts.get(f"{stack}{name}") for name in ("mode", "nonlinearity"))
    return next((mode.lower() for mode in said if isinstance(mode, str) and mode.lower() not in ("rnn",)), "")
