"""A model of another program, taken apart: the input, the layers, the read-out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.models.importers.contents import Arrays

GATES = {4: "ifgo", 3: "rzn", 1: "h"}
CELLS_BY_GATES = {4: "lstm", 3: "gru", 1: "rnn"}

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Layer:
    """A recurrent layer, with its rows still in the order of the file.

    Attributes:
        input: (n_gates * n_units, n_inputs)
        recurrent: (n_gates * n_units, n_units)
        input_bias: (n_gates * n_units,)
        recurrent_bias: (n_gates * n_units,)
    """

    input: Matrix
    recurrent: Matrix
    input_bias: Matrix
    recurrent_bias: Matrix

    @property
    def n_units(self) -> int:
        """How many units."""
        return int(self.recurrent.shape[1])

    @property
    def n_gates(self) -> int:
        """How many gates, which tells the kind of cell."""
        return len(self.recurrent) // max(1, self.n_units)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Parts:
    """A model, taken apart.

    Attributes:
        form: How it is kept, for people.
        cell: `lstm`, `gru`, `rnn` or `rnn_relu`.
        gates: The order of the gates in the rows: i, f, g, o of an LSTM, r, z, n of a GRU.
        layers: From the input up.
        embedding: (n_characters, n_inputs), or None where characters are fed in as one-hot vectors.
        readout: (n_characters, n_units)
        readout_bias: (n_characters,)
        found: What was found where, by part, for people.
        unused: Arrays of the model that have no place in it.
        doubts: What may be otherwise in the program that wrote it, and cannot be seen in its file.
        open: What names and shapes leave open, in the words of `Reading`: `gates`, `cell`, `transposed`,
            `hidden_first`.
        joined: Whether inputs and hidden states share a matrix.
    """

    form: str
    cell: str
    gates: str
    layers: tuple[Layer, ...]
    embedding: Matrix | None
    readout: Matrix
    readout_bias: Matrix
    found: Mapping[str, str]
    unused: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    open: frozenset[str] = frozenset()
    joined: bool = False

    @property
    def n_units(self) -> int:
        """Of each layer."""
        return self.layers[0].n_units

    @property
    def has_biases(self) -> bool:
        """Whether any bias of a layer is not zero."""
        return any(layer.input_bias.any() or layer.recurrent_bias.any() for layer in self.layers)

    @property
    def n_characters(self) -> int:
        """Of the vocabulary."""
        return len(self.readout)


class Remaining:
    """Arrays that have no place in the model yet."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = dict(arrays)

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def take(self, name: str, n_axes: int) -> Matrix:
        """One of them, as float32; (n, 1) and (1, n) do for a vector."""
        array = self.arrays.pop(name, None)
        if array is None:
            raise ActivationError(f"{name} would have to serve as two parts of the model")
        if n_axes == 1 and array.ndim == 2 and 1 in array.shape:
            array = array.reshape(-1)
        if array.ndim != n_axes:
            raise ActivationError(f"{name} has shape {array.shape}; it should have {n_axes} axes")
        return as_float32(array, name)

    def matrices(self) -> dict[str, tuple[int, int]]:
        """The shapes of those with two axes."""
        return {name: (array.shape[0], array.shape[1]) for name, array in self.arrays.items() if array.ndim == 2}


def as_float32(array: NDArray[Any], name: str) -> Matrix:
    """The same numbers, all of them finite."""
    with np.errstate(over="ignore"):
        numbers = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(numbers).all():
        raise ActivationError(f"{name} has numbers that are infinite or none at all; the file is damaged")
    return numbers


def oriented(weight_ih: Matrix, weight_hh: Matrix, name: str) -> tuple[Layer, bool]:
    """A layer whose rows are the gates' units, turned if the file has them as columns."""
    rows, columns = weight_hh.shape
    turned = columns > rows
    if turned:
        weight_ih, weight_hh = np.ascontiguousarray(weight_ih.T), np.ascontiguousarray(weight_hh.T)
        rows, columns = columns, rows
    if rows % columns or rows // columns not in GATES or len(weight_ih) != rows:
        raise ActivationError(
            f"{name} {weight_ih.shape} and its recurrent matrix {weight_hh.shape} do not make a layer: of n units, they"
            " should have 4n rows (LSTM), 3n (GRU) or n (RNN)"
        )
    nothing = np.zeros(rows, np.float32)
    return Layer(input=weight_ih, recurrent=weight_hh, input_bias=nothing, recurrent_bias=nothing), turned


def with_biases(layer: Layer, of_input: Matrix | None, of_recurrent: Matrix | None, name: str) -> Layer:
    """The layer with its biases, those that are missing being zero."""
    nothing = np.zeros(len(layer.input), np.float32)
    for bias in (of_input, of_recurrent):
        if bias is not None and len(bias) != len(nothing):
            raise ActivationError(f"the biases beside {name} are {len(bias)}, and should be {len(nothing)}")
    return replace(
        layer,
        input_bias=nothing if of_input is None else of_input,
        recurrent_bias=nothing if of_recurrent is None else of_recurrent,
    )


def check_chain(layers: Sequence[Layer], names: Sequence[str]) -> None:
    """Refuse layers that do not fit on one another, or are not all alike."""
    first = layers[0]
    for below, layer, name in zip(layers, layers[1:], names[1:], strict=False):
        if layer.input.shape[1] != below.n_units:
            raise ActivationError(
                f"{name} takes {layer.input.shape[1]} inputs, and the layer before it gives {below.n_units}; if the "
                "file has several models, choose one with --prefix"
            )
        if (layer.n_units, layer.n_gates) != (first.n_units, first.n_gates):
            raise ActivationError(
                f"{name} is a layer of another size or kind than the first one; only models whose layers are all alike "
                "are read"
            )


def one_hot(
    arrays: Remaining,
    layers: Sequence[Layer],
    readout: Matrix,
    readout_bias: Matrix | None,
    *,
    form: str,
    where: tuple[Sequence[str], str],
    open: frozenset[str],
    gates: str = "",
    joined: bool = False,
) -> Parts:
    """A model whose characters go in as one-hot vectors."""
    n_gates = layers[0].n_gates
    return Parts(
        form=form,
        cell=CELLS_BY_GATES[n_gates],
        gates=gates or GATES[n_gates],
        layers=tuple(layers),
        embedding=None,
        readout=readout,
        readout_bias=np.zeros(len(readout), np.float32) if readout_bias is None else readout_bias,
        found={
            "layers": "; ".join(where[0]),
            "input": f"characters as one-hot vectors of {len(readout)}",
            "read-out": f"{where[1]} {readout.shape}{', without biases' if readout_bias is None else ''}",
        },
        unused=tuple(arrays.arrays),
        open=open,
        joined=joined,
    )


def split_joined(matrix: Matrix, n_units: int, name: str) -> Layer:
    """A layer of one matrix on [x; h], the inputs and then the hidden states."""
    rows, columns = matrix.shape
    if columns <= n_units or rows not in (n_units, 4 * n_units):
        raise ActivationError(
            f"{name} {matrix.shape} is no layer of {n_units} units on [x; h]: such an LSTM has {4 * n_units} rows, a "
            f"simple RNN {n_units} (a GRU whose candidate shares a matrix with its hidden states is not read)"
        )
    nothing = np.zeros(rows, np.float32)
    return Layer(
        input=np.ascontiguousarray(matrix[:, : columns - n_units]),
        recurrent=np.ascontiguousarray(matrix[:, columns - n_units :]),
        input_bias=nothing,
        recurrent_bias=nothing,
    )
