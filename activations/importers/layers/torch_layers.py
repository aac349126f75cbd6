"""Finding PyTorch's own recurrent layers and cells among named arrays."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from activations.errors import ActivationError
from activations.importers.layers.input_and_readout import with_input_and_readout
from activations.importers.layers.parts import (
    ImportedLayer,
    Parts,
    Stack,
    UnusedArrays,
    doubt_of_order,
    fitting_orders,
    layer_of,
)
from activations.importers.layers.unread_kinds import OWN_CODE, RECORDED_WITHOUT_PREDICTIONS

_NOT_WHOLE = f"the file is not whole, or has layers of different kinds: {OWN_CODE}"
_TORCH_RNN = re.compile(r"(?P<stack>.*?)weight_ih(?:_l(?P<layer>\d{1,4}))?(?P<back>_reverse)?")


def find_torch(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find PyTorch's recurrent layers and cells: `weight_ih_l0` and so on, under any prefix."""
    matches = {name: match for name in arrays.arrays if (match := _TORCH_RNN.fullmatch(name))}
    if not matches:
        return None
    if backward := next((name for name, match in matches.items() if match["back"]), None):
        raise ActivationError(
            f"{backward}: the model reads in both directions, and so knows what is to come; of its forward direction, "
            f"{RECORDED_WITHOUT_PREDICTIONS}"
        )
    stacks = _in_order(list(dict.fromkeys(match["stack"] for match in matches.values())))
    names = sorted(matches, key=lambda name: (stacks.index(matches[name]["stack"]), int(matches[name]["layer"] or 0)))
    _check_whole(arrays, names, matches)
    layers_and_notes = [_take_layer(arrays, name, matches[name]["stack"]) for name in names]
    has_several_names = len({re.sub(r"\d+", "", stack) for stack in stacks}) > 1
    orders = fitting_orders([layer for layer, _ in layers_and_notes]) if has_several_names else []
    orders = orders if len(stacks) == len(names) else []
    if orders:  # safetensors and others sort arrays by name
        layers_and_notes = [layers_and_notes[n] for n in orders[0]]
        stacks = [stacks[n] for n in orders[0]]
    layers = [layer for layer, _ in layers_and_notes]
    modes = {_mode(facts, stack) for stack in stacks}
    if len(modes) > 1:
        raise ActivationError(f"the layers are of different kinds: {', '.join(sorted(map(repr, modes)))}; {OWN_CODE}")
    mode = modes.pop()
    is_undecided = len(orders) > 1
    is_simple = layers[0].n_gates == 1
    return with_input_and_readout(
        arrays,
        Stack(
            form="PyTorch's recurrent layers",
            layers=layers,
            notes=[note for _, note in layers_and_notes],
            relu=is_simple and "relu" in mode,
            undecided=frozenset(
                ({"cell"} if is_simple and not mode else set()) | ({"layer_order"} if is_undecided else set())
            ),
            doubts=(doubt_of_order(stacks, is_undecided=is_undecided),) if has_several_names else (),
        ),
    )


def _check_whole(arrays: UnusedArrays, names: Sequence[str], matches: Mapping[str, re.Match[str]]) -> None:
    """Refuse stacks of which a layer or a bias is missing, as in a file that was cut or put together from several.

    Raises:
        ActivationError: If the numbers of a stack's layers are not 0, 1, …, or not all layers have the same biases.
    """
    names_by_stack: dict[str, dict[int, str]] = {}
    for name in names:
        if matches[name]["layer"] is not None:
            names_by_stack.setdefault(matches[name]["stack"], {})[int(matches[name]["layer"])] = name
    for stack, by_number in names_by_stack.items():
        if missing := sorted(set(range(max(by_number))) - by_number.keys()):
            raise ActivationError(f"there is no {stack}weight_ih_l{missing[0]}, but layers after it; {_NOT_WHOLE}")
        first, *others = by_number.values()
        if different := next((name for name in others if _biases(arrays, name) != _biases(arrays, first)), None):
            raise ActivationError(f"{different} and {first} do not have the same biases beside them; {_NOT_WHOLE}")


def _biases(arrays: UnusedArrays, name: str) -> list[bool]:
    """Return whether each bias is there of the layer whose input weights have a name."""
    return [name.replace("weight_ih", half) in arrays for half in ("bias_ih", "bias_hh")]


def _take_layer(arrays: UnusedArrays, name: str, stack: str) -> tuple[ImportedLayer, str]:
    """Take the arrays of one layer, whose input weights have the given name, and say where it was found."""
    suffix = name.removeprefix(f"{stack}weight_ih")
    if f"{stack}weight_hh{suffix}" not in arrays:
        raise ActivationError(
            f"{name} has no {stack}weight_hh{suffix} beside it; the file is not whole, or has a layer of another "
            f"kind: {OWN_CODE}"
        )
    matrices = arrays.take(name, 2), arrays.take(f"{stack}weight_hh{suffix}", 2)
    projection_name = f"{stack}weight_hr{suffix}"
    projection = arrays.take(projection_name, 2) if projection_name in arrays else None
    has_gates_as_columns = matrices[1].shape[1] > matrices[1].shape[0]
    bias_names = [f"{stack}bias_{half}{suffix}" for half in ("ih", "hh")]
    biases = [arrays.take(bias, 1) if bias in arrays else None for bias in bias_names]
    weight, recurrent = (matrix.T if has_gates_as_columns else matrix for matrix in matrices)
    layer = layer_of(name, weight, recurrent, *biases, projection=projection)
    transposed_note = ", transposed" if has_gates_as_columns else ""
    bias_note = "" if any(bias is not None for bias in biases) else ", without biases"
    projected_note = "" if projection is None else f", projected to {layer.n_hidden}"
    return layer, f"{name} {layer.input.shape}{transposed_note}{bias_note}{projected_note}"


def _in_order(stacks: list[str]) -> list[str]:
    """Sort prefixes by the numbers in them if they differ in nothing else; otherwise keep the order of the file."""
    if len({re.sub(r"\d+", "", stack) for stack in stacks}) > 1:
        return stacks
    return sorted(stacks, key=lambda stack: [int(number) for number in re.findall(r"\d{1,9}", stack)])


def _mode(facts: Mapping[str, Any], stack: str) -> str:
    """Return the nonlinearity of a pickled module in lower case; empty if the file does not say."""
    modes = (facts.get(f"{stack}{name}") for name in ("mode", "nonlinearity"))
    return next((mode.lower() for mode in modes if isinstance(mode, str) and mode.lower() != "rnn"), "")
