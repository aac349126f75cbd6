"""Assembling a model of ours from the parts of another program's model."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from activations.errors import ActivationError
from activations.importers.interpretation import TRANSPOSED, Interpretation
from activations.importers.layers.parts import GATES, ImportedLayer, Matrix, Parts, Stack, fitting_orders
from activations.models.cells.kinds import CELLS, Cell
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.texts.vocab import Vocabulary

_LSTM, _GRU = 4, 3
_GATE_OF_LETTER = {
    "i": "input_gate",
    "f": "forget_gate",
    "o": "output_gate",
    "g": "candidate",
    "r": "reset_gate",
    "z": "update_gate",
    "n": "candidate",
    "h": "hidden",
}


def assemble(parts: Parts, interpretation: Interpretation, vocabulary: Vocabulary) -> CharRNN:
    """Make a model from its parts under one interpretation.

    Args:
        parts: The parts of the model.
        interpretation: How they are meant.
        vocabulary: The vocabulary, whose replacement and names of tokens the model gets.

    Raises:
        ActivationError: If the interpretation does not fit the parts.
    """
    _check(parts, interpretation)
    config = ModelConfig(
        cell=interpretation.cell,
        n_layers=len(parts.stack.layers),
        n_units=parts.stack.n_units,
        n_embedding=0 if parts.embedding is None else parts.embedding.shape[1],
        gates=interpretation.gate_function,
        **_options(parts.stack),
    )
    with torch.random.fork_rng(devices=[]):  # a new model draws its weights, which should not change later draws
        model = CharRNN(config, replace(vocabulary, characters=interpretation.characters))
    model.reading_rule = interpretation.rule
    weights = _weights(parts, interpretation, model.cell)
    try:
        model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    except RuntimeError as error:
        raise ActivationError(f"the parts do not fit together: {str(error).splitlines()[-1].strip()}") from error
    model.trained = True
    return model.eval()


def _options(stack: Stack) -> dict[str, Any]:
    """Return the options of the cell that follow from the arrays that its layers have."""
    extras = stack.layers[0].extras
    return {
        "peepholes": "peepholes" in extras,
        "n_projected": stack.n_hidden if "projection" in extras else 0,
        "layer_norm": "norm_cell" in extras,
    }


def _check(parts: Parts, interpretation: Interpretation) -> None:
    if interpretation.cell not in CELLS:
        raise ActivationError(f"there is no cell named {interpretation.cell!r}; choose one of {', '.join(CELLS)}")
    n_cell_gates, n_gates = len(CELLS[interpretation.cell].gate_names), parts.stack.n_gates
    if len(interpretation.characters) != parts.n_characters:
        raise ActivationError(
            f"the model has {parts.n_characters} characters, and the vocabulary {len(interpretation.characters)}"
        )
    if n_cell_gates != n_gates:
        raise ActivationError(
            f"a cell of the kind {interpretation.cell} has {n_cell_gates} gates, and the layers have {n_gates}"
        )
    if sorted(interpretation.gates) != sorted(GATES[n_gates]):
        raise ActivationError(
            f"the gates are given as {','.join(interpretation.gates)}; expected an order of {','.join(GATES[n_gates])}"
        )
    if interpretation.layer_order and (
        tuple(number - 1 for number in interpretation.layer_order) not in fitting_orders(parts.stack.layers)
    ):
        numbers = ",".join(map(str, range(1, len(parts.stack.layers) + 1)))
        raise ActivationError(
            f"the order of the layers is given as {','.join(map(str, interpretation.layer_order))}; expected each of "
            f"{numbers} once, so that a layer takes as many inputs as the one before it gives"
        )
    if interpretation.transposed not in TRANSPOSED:
        raise ActivationError(f"transposed is {interpretation.transposed!r}; choose one of {', '.join(TRANSPOSED)}")
    if interpretation.transposed != "no" and parts.stack.n_hidden != parts.stack.n_units:
        raise ActivationError("no matrix of layers with projected hidden states is square, and so none is transposed")
    if not np.isfinite(interpretation.forget_bias):
        raise ActivationError(f"the forget bias is {interpretation.forget_bias}; give a number such as 1")
    if interpretation.forget_bias and n_gates != len(GATES[_LSTM]):
        raise ActivationError("a number can be added to the forget gate of an LSTM only; remove --forget-bias")
    if interpretation.update_swapped and n_gates != len(GATES[_GRU]):
        raise ActivationError("an update gate can be swapped in a GRU only; remove --update-swapped")


def _weights(parts: Parts, interpretation: Interpretation, cell: Cell) -> dict[str, Matrix]:
    """Return the weights of the model by the names in its state_dict."""
    transposes_all = interpretation.transposed == "all"
    weights: dict[str, Matrix] = {
        "readout.weight": _transposed_if_square(parts.readout) if transposes_all else parts.readout,
        "readout.bias": parts.readout_bias,
    }
    if parts.embedding is not None:
        weights["embedding.weight"] = parts.embedding
    gates_in_file = [_GATE_OF_LETTER[letter] for letter in interpretation.gates]
    blocks_in_order = [gates_in_file.index(gate) for gate in cell.gate_names]
    signs = [-1 if interpretation.update_swapped and gate == "update_gate" else 1 for gate in cell.gate_names]
    order = interpretation.layer_order or range(1, len(parts.stack.layers) + 1)
    for n, found_layer in enumerate(parts.stack.layers[number - 1] for number in order):
        layer = _arranged(found_layer, interpretation, joined=parts.stack.joined)
        by_gate = {
            "weight_ih": layer.input,
            "weight_hh": layer.recurrent,
            "bias_ih": layer.input_bias,
            "bias_hh": layer.recurrent_bias,
            "gain_ih": layer.input_gain,
            "gain_hh": layer.recurrent_gain,
        }
        for name, rows in by_gate.items():
            if rows is not None:
                blocks = np.split(rows, len(cell.gate_names))
                weights[f"rnn.{name}_l{n}"] = np.concatenate(
                    [sign * blocks[block] for sign, block in zip(signs, blocks_in_order, strict=True)]
                )
        if interpretation.forget_bias:
            row = cell.gate_names.index("forget_gate") * layer.n_units
            weights[f"rnn.bias_ih_l{n}"][row : row + layer.n_units] += interpretation.forget_bias
        whole = {"weight_hr": layer.projection, "peepholes": layer.peepholes, "norm_cell": layer.norm_cell}
        weights |= {f"rnn.{name}_l{n}": array for name, array in whole.items() if array is not None}
    return weights


def _arranged(layer: ImportedLayer, interpretation: Interpretation, *, joined: bool) -> ImportedLayer:
    """Return a layer whose matrices are split and transposed as the interpretation says."""
    n_units = layer.n_units
    if interpretation.hidden_first and (joined or layer.n_inputs == n_units):
        both = np.concatenate([layer.input, layer.recurrent], axis=1)
        layer = replace(
            layer,
            recurrent=both[:, :n_units],
            input=both[:, n_units:],
            input_bias=layer.recurrent_bias,
            recurrent_bias=layer.input_bias,
        )
    if interpretation.transposed != "no":
        layer = replace(layer, recurrent=_transposed_blocks(layer.recurrent))
    if interpretation.transposed == "all" and layer.n_inputs == n_units:
        layer = replace(layer, input=_transposed_blocks(layer.input))
    return layer


def _transposed_blocks(rows: Matrix) -> Matrix:
    n_units = rows.shape[1]
    return np.concatenate([block.T for block in np.split(rows, len(rows) // n_units)])


def _transposed_if_square(matrix: Matrix) -> Matrix:
    return matrix.T if matrix.shape[0] == matrix.shape[1] else matrix
