"""The arrays of one layer of Keras or Haste, and how they become a layer of ours.

Matrices are for row vectors, x W + h U + b, with the gates in columns. A GRU whose reset gate acts after its recurrent
matrix has a bias for each of its two matrices, (2, 3H). Layers that cuDNN computed (`CuDNNLSTM`) have two biases behind
each other, and the numbers of each gate's matrix in the order in which cuDNN has them, which is the transposed one.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from activations.errors import ActivationError
from activations.importers.layers.parts import ImportedLayer, Matrix, Parts, Stack, UnusedArrays, layer_of


@dataclass(frozen=True, slots=True)
class WeightGroup:
    """The arrays of one layer.

    Attributes:
        name: What their names have in common.
        arrays: The name of every array by its role, such as `kernel`; several names if each gate has an array.
    """

    name: str
    arrays: dict[str, tuple[str, ...]]

    def take(self, arrays: UnusedArrays, role: str, n_axes: int) -> Matrix:
        """Take the array of a role; those of the gates are put side by side.

        Raises:
            ActivationError: If there is none.
        """
        if role not in self.arrays:
            raise ActivationError(f"{self.name or 'a layer'} has no {role}; the file is not whole")
        taken = [arrays.take(name, n_axes) for name in self.arrays[role]]
        if len({array.shape[:-1] for array in taken}) > 1:
            raise ActivationError(f"{', '.join(self.arrays[role])} should have the same shape")
        return taken[0] if len(taken) == 1 else np.concatenate(taken, axis=-1)

    def shape(self, arrays: UnusedArrays, role: str) -> tuple[int, ...]:
        """Return the shape of the array of a role, (0, 0) if there is none."""
        shapes = [arrays.arrays[name].shape for name in self.arrays.get(role, ())]
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes)) if shapes else (0, 0)

    def note(self, role: str) -> str:
        """Return the names of the arrays of a role, for people."""
        return ", ".join(self.arrays[role])

    @property
    def is_recurrent(self) -> bool:
        """True if it has a recurrent matrix."""
        return "recurrent_kernel" in self.arrays


class TakenLayer(NamedTuple):
    """A recurrent layer with where it was found, and the number of its biases."""

    layer: ImportedLayer
    note: str
    n_biases: int


def take_layer(arrays: UnusedArrays, group: WeightGroup, *, is_of_cudnn: bool = False) -> TakenLayer:
    """Take the arrays of one recurrent layer, and say where they were found."""
    kernel, recurrent = (group.take(arrays, role, 2) for role in ("kernel", "recurrent_kernel"))
    n_units, n_columns = recurrent.shape
    note = f"{group.name or 'the layer'}: kernel {kernel.shape}, recurrent kernel {recurrent.shape}"
    biases = _take_biases(arrays, group, n_columns)
    if is_of_cudnn or (len(biases) == 2 and n_columns == 4 * n_units and "recurrent_bias" not in group.arrays):
        kernel, recurrent = (_from_cudnn(matrix, n_units) for matrix in (kernel, recurrent))
        note += ", as cuDNN has them"
    layer = layer_of(group.note("kernel"), kernel.T, recurrent.T, *biases)
    note += "" if biases else ", without biases"
    return TakenLayer(_with_norm(arrays, group, layer), note, len(biases))


def _take_biases(arrays: UnusedArrays, group: WeightGroup, n_columns: int) -> list[Matrix]:
    """Take the bias of the inputs, and that of the hidden states if there is one."""
    if "bias" not in group.arrays:
        return []
    if "recurrent_bias" in group.arrays:
        return [group.take(arrays, role, 1) for role in ("bias", "recurrent_bias")]
    if group.shape(arrays, "bias") == (2, n_columns):
        return list(group.take(arrays, "bias", 2))
    bias = group.take(arrays, "bias", 1)
    return np.split(bias, 2) if len(bias) == 2 * n_columns else [bias]


def _from_cudnn(matrix: Matrix, n_units: int) -> Matrix:
    """Return a matrix (n, n_gates * n_units) whose gates each have the numbers of the transposed matrix."""
    if not n_units or matrix.shape[1] % n_units:
        raise ActivationError(f"a matrix of shape {matrix.shape} is not one of cuDNN's layers of {n_units} units")
    gates = np.split(matrix, matrix.shape[1] // n_units, axis=1)
    return np.concatenate([np.ascontiguousarray(gate).reshape(gate.shape[::-1]).T for gate in gates], axis=1)


def _with_norm(arrays: UnusedArrays, group: WeightGroup, layer: ImportedLayer) -> ImportedLayer:
    """Add the layer normalisation that Haste's `LayerNormLSTM` has, which needs all of its arrays."""
    if not {"gamma", "gamma_h", "beta_h"} <= group.arrays.keys() or layer.n_gates != 4:
        return layer
    gains = group.take(arrays, "gamma", 2)
    norm_cell = np.stack([group.take(arrays, role, 1) for role in ("gamma_h", "beta_h")])
    if gains.shape != (2, 4 * layer.n_units) or norm_cell.shape != (2, layer.n_units):
        raise ActivationError(f"{group.name} has gains of shape {gains.shape} for {layer.n_units} units")
    return replace(layer, input_gain=gains[0], recurrent_gain=gains[1], norm_cell=norm_cell)


def with_ends(arrays: UnusedArrays, stack: Stack, readout: WeightGroup, embedding: WeightGroup | None) -> Parts:
    """Take the read-out, a dense layer, and what stands before the recurrent layers, if anything does."""
    kernel = readout.take(arrays, "kernel", 2)
    n_units, n_characters = kernel.shape
    bias = _take_bias_of_dense(arrays, readout, n_characters)
    if n_units != stack.n_units:
        raise ActivationError(f"{readout.name} takes {n_units} inputs, and the layer before it gives {stack.n_units}")
    table, note = None, ""
    if embedding is not None:
        table, note = _take_embedding(arrays, embedding)
    if table is not None and len(table) != n_characters:
        raise ActivationError(
            f"{embedding.name if embedding else ''} is for {len(table)} characters, and {readout.name} gives "
            f"{n_characters}; only models that read and predict the same characters are read"
        )
    n_inputs = n_characters if table is None else table.shape[1]
    if n_inputs != stack.n_inputs:
        raise ActivationError(
            f"layer 0 takes {stack.n_inputs} inputs, and gets {n_inputs} from {note or 'characters as one-hot vectors'}"
        )
    return Parts.of(
        arrays,
        stack,
        np.ascontiguousarray(kernel.T),
        bias,
        f"{readout.note('kernel')} {kernel.shape}",
        table,
        note,
    )


def _take_embedding(arrays: UnusedArrays, group: WeightGroup) -> tuple[Matrix, str]:
    """Take an embedding, or a dense layer on one-hot vectors, which serves as one."""
    if "embeddings" in group.arrays:
        table = group.take(arrays, "embeddings", 2)
        return table, f"{group.note('embeddings')} {table.shape}, an embedding"
    table = group.take(arrays, "kernel", 2)
    note = f"{group.note('kernel')} {table.shape}, a linear layer, which serves as an embedding"
    bias = _take_bias_of_dense(arrays, group, table.shape[1])
    return (table if bias is None else table + bias), note


def _take_bias_of_dense(arrays: UnusedArrays, group: WeightGroup, n_outputs: int) -> Matrix | None:
    if "bias" not in group.arrays:
        return None
    bias = group.take(arrays, "bias", 1)
    if len(bias) != n_outputs:
        raise ActivationError(f"{group.note('bias')} has {len(bias)} numbers, and {group.name} gives {n_outputs}")
    return bias
