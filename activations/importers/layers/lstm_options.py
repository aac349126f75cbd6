"""Finding what an LSTM may have besides its matrices: layer normalisation, and peepholes from its cells."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from activations.importers.layers.halves import is_hidden_first
from activations.importers.layers.parts import ImportedLayer, Matrix, Stack, UnusedArrays

_NORM = re.compile(r"(?P<module>.*?(?:ln|norm)[^.]*?)[._](?P<part>weight|gamma|gain|bias|beta)", re.IGNORECASE)
_PEEPHOLE = re.compile(
    r"(.*[._])?(w_?c_?|w_?p_?|p_?|peep(hole)?s?_?(weight_?)?)(?P<gate>[ifo])(_?l?\d+)?", re.IGNORECASE
)
_N_GATES = 4
_DOUBT = (
    "the layer normalisation is read as that of Ba, Kiros & Hinton 2016: of what inputs and hidden states contribute, "
    "and of the cell within the tanh; of programs that carry the normalised cell on, the loss is too high, and they "
    "cannot be read"
)


def with_lstm_options(arrays: UnusedArrays, stack: Stack) -> Stack:
    """Give the layers of an LSTM their peepholes and their layer normalisation, if there are arrays for all of them."""
    if stack.n_gates != _N_GATES:
        return stack
    stack = replace(stack, layers=_with_peepholes(arrays, stack.layers))
    if stack.joined:
        return stack
    layers = _with_norms(arrays, stack.layers)
    return stack if layers is None else replace(stack, layers=layers, doubts=(*stack.doubts, _DOUBT))


def _with_peepholes(arrays: UnusedArrays, layers: Sequence[ImportedLayer]) -> Sequence[ImportedLayer]:
    by_gate: dict[str, list[str]] = {"i": [], "f": [], "o": []}
    for name in arrays.vectors(layers[0].n_units):
        if match := _PEEPHOLE.fullmatch(name):
            by_gate[match["gate"].lower()].append(name)
    if not all(len(names) == len(layers) for names in by_gate.values()):
        return layers
    return [
        replace(layer, peepholes=np.stack([arrays.take(by_gate[gate][n], 1) for gate in "ifo"]))
        for n, layer in enumerate(layers)
    ]


def _with_norms(arrays: UnusedArrays, layers: Sequence[ImportedLayer]) -> list[ImportedLayer] | None:
    """Return the layers with the gains and biases of their normalisation; None if there are not those of each layer.

    None, too, if what is normalised has a bias of its own, as `nn.Linear` has it: ours add biases afterwards.
    """
    parts: dict[str, dict[str, str]] = {}
    for name in arrays.arrays:
        if match := _NORM.fullmatch(name):
            kind = "bias" if match["part"].lower() in ("bias", "beta") else "gain"
            parts.setdefault(match["module"], {})[kind] = name
    sizes = {module: arrays.arrays[names["gain"]].size for module, names in parts.items() if "gain" in names}
    n_units = layers[0].n_units
    of_gates = [module for module, size in sizes.items() if size == _N_GATES * n_units]
    of_cells = [module for module, size in sizes.items() if size == n_units]
    if len(of_gates) != 2 * len(layers) or len(of_cells) != len(layers):
        return None
    has_biases = any(layer.input_bias.any() or layer.recurrent_bias.any() for layer in layers)
    if has_biases and any("bias" in parts[module] for module in of_gates):
        return None
    result = []
    for n, layer in enumerate(layers):
        on_x, on_h = of_gates[2 * n : 2 * n + 2]
        if is_hidden_first([on_x, on_h]):
            on_x, on_h = on_h, on_x
        gain_x, bias_x = _take(arrays, parts[on_x])
        gain_h, bias_h = _take(arrays, parts[on_h])
        result.append(
            replace(
                layer,
                input_gain=gain_x,
                recurrent_gain=gain_h,
                input_bias=layer.input_bias + bias_x,
                recurrent_bias=layer.recurrent_bias + bias_h,
                norm_cell=np.stack(_take(arrays, parts[of_cells[n]])),
            )
        )
    return result


def _take(arrays: UnusedArrays, names: dict[str, str]) -> tuple[Matrix, Matrix]:
    """Return the gain and the bias of a normalisation, (n,) each."""
    gain = arrays.take(names["gain"], 1)
    return gain, arrays.take(names["bias"], 1) if "bias" in names else np.zeros_like(gain)
