"""Finding PyTorch's own recurrent layers among named arrays."""

import re
from collections.abc import Mapping
from typing import Any

from activations.errors import ActivationError
from activations.importers.ends import with_ends
from activations.importers.parts import Parts, Remaining, Stack, layer_of

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
        matrices = arrays.take(name, 2), arrays.take(f"{stack}weight_hh{tail}", 2)
        turned = matrices[1].shape[1] > matrices[1].shape[0]  # gates as columns
        biases = [
            arrays.take(bias, 1) if (bias := f"{stack}bias_{half}{tail}") in arrays else None for half in ("ih", "hh")
        ]
        layer = layer_of(name, *(matrix.T if turned else matrix for matrix in matrices), *biases)
        layers.append(layer)
        bias_note = "" if any(each is not None for each in biases) else ", without biases"
        notes.append(f"{name} {layer.input.shape}{', turned' if turned else ''}{bias_note}")
    modes = {_mode(facts, stack) for stack in stacks}
    if len(modes) > 1:
        raise ActivationError(f"the layers are of different kinds: {', '.join(sorted(map(repr, modes)))}; not read")
    mode = modes.pop()
    several = len({re.sub(r"\d+", "", stack) for stack in stacks}) > 1
    is_simple = layers[0].n_gates == 1
    return with_ends(
        arrays,
        Stack(
            form="PyTorch's recurrent layers",
            layers=layers,
            notes=notes,
            relu=is_simple and "relu" in mode,
            open=frozenset({"cell"} if is_simple and not mode else ()),
            doubts=(f"{' and '.join(stacks)} are taken as layers on one another, in this order",) if several else (),
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
