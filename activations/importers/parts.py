"""A model of another program, taken apart: the input, the layers, the read-out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.contents import Arrays

GATES = {4: "ifgo", 3: "rzn", 1: "h"}
_CELLS = {4: "lstm", 3: "gru", 1: "rnn"}

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
    def n_inputs(self) -> int:
        """How many inputs."""
        return int(self.input.shape[1])

    @property
    def n_gates(self) -> int:
        """How many gates, which tells the kind of cell."""
        return len(self.recurrent) // self.n_units


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stack:
    """Recurrent layers on one another, all alike.

    Attributes:
        form: How they are kept, for people.
        layers: From the input up.
        notes: Where each was found, for people.
        order: The gates in the rows, i, f, g, o of an LSTM, r, z, n of a GRU; empty is this order.
        relu: Whether simple layers are rectified.
        joined: Whether inputs and hidden states share a matrix.
        open: What names and shapes leave open, in the words of `Interpretation`: `gates`, `cell`, `transposed`,
            `hidden_first`.
        doubts: What may be otherwise in the program that wrote it, and cannot be seen in its file.

    Raises:
        ActivationError: If they do not fit on one another, or are not all alike.
    """

    form: str
    layers: Sequence[Layer]
    notes: Sequence[str]
    order: str = ""
    relu: bool = False
    joined: bool = False
    open: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        first = self.layers[0]
        for below, layer, note in zip(self.layers, self.layers[1:], self.notes[1:], strict=False):
            if layer.n_inputs != below.n_units:
                raise ActivationError(
                    f"{note} takes {layer.n_inputs} inputs, and the layer before it gives {below.n_units}; if the file "
                    "has several models, choose one with --prefix"
                )
            if (layer.n_units, layer.n_gates) != (first.n_units, first.n_gates):
                raise ActivationError(
                    f"{note} is a layer of another size or kind than the first one; only models whose layers are all "
                    "alike are read"
                )

    @property
    def n_units(self) -> int:
        """Of each layer."""
        return self.layers[0].n_units

    @property
    def n_gates(self) -> int:
        """Of each layer."""
        return self.layers[0].n_gates

    @property
    def n_inputs(self) -> int:
        """Of the first layer."""
        return self.layers[0].n_inputs

    @property
    def cell(self) -> str:
        """`lstm`, `gru`, `rnn` or `rnn_relu`."""
        return "rnn_relu" if self.relu else _CELLS[self.n_gates]

    @property
    def gates(self) -> str:
        """In the order of the rows."""
        return self.order or GATES[self.n_gates]

    @property
    def has_biases(self) -> bool:
        """Whether any bias of a layer is not zero."""
        return any(layer.input_bias.any() or layer.recurrent_bias.any() for layer in self.layers)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Parts:
    """A model, taken apart.

    Attributes:
        stack: Its layers.
        embedding: (n_characters, n_inputs), or None where characters are fed in as one-hot vectors.
        readout: (n_characters, n_units)
        readout_bias: (n_characters,)
        found: What was found where, by part, for people.
        unused: Arrays of the model that have no place in it.
        aside: Arrays that are not of the model, or that it does not learn.
        left_out: What else it has that computes something.
    """

    stack: Stack
    embedding: Matrix | None
    readout: Matrix
    readout_bias: Matrix
    found: Mapping[str, str]
    unused: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def n_characters(self) -> int:
        """Of the vocabulary."""
        return len(self.readout)

    @classmethod
    def of(
        cls,
        left: "Remaining",
        stack: Stack,
        readout: Matrix,
        readout_bias: Matrix | None,
        readout_note: str,
        embedding: Matrix | None = None,
        input_note: str = "",
    ) -> "Parts":
        """The parts once all are found, and what is left of the arrays."""
        n_characters = len(readout)
        return cls(
            stack=stack,
            embedding=embedding,
            readout=readout,
            readout_bias=np.zeros(n_characters, np.float32) if readout_bias is None else readout_bias,
            found={
                "layers": "; ".join(stack.notes),
                "input": input_note or f"characters as one-hot vectors of {n_characters}",
                "read-out": f"{readout_note}{', without biases' if readout_bias is None else ''}",
            },
            unused=tuple(left.arrays),
            aside=tuple(left.aside),
        )


class Remaining:
    """Arrays that have no place in the model yet.

    Attributes:
        arrays: By name.
        aside: The names of those that were found to be none of the model's.
    """

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = dict(arrays)
        self.aside: list[str] = []

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

    def set_aside(self, name: str) -> None:
        """Take one of them for none of the model's."""
        del self.arrays[name]
        self.aside.append(name)

    def vectors(self, n_numbers: int) -> list[str]:
        """The names of those that have so many numbers along one axis."""
        return [name for name, array in self.arrays.items() if array.size == n_numbers and n_numbers in array.shape]

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


def layer_of(
    name: str,
    input: Matrix,
    recurrent: Matrix,
    input_bias: Matrix | None = None,
    recurrent_bias: Matrix | None = None,
) -> Layer:
    """A layer, its biases zero where they are missing.

    Raises:
        ActivationError: If the shapes do not make one.
    """
    rows, columns = recurrent.shape
    if not columns or rows % columns or rows // columns not in GATES or len(input) != rows:
        raise ActivationError(
            f"{name} {input.shape} and its recurrent matrix {recurrent.shape} do not make a layer: of n units, they "
            "should have 4n rows (LSTM), 3n (GRU) or n (RNN)"
        )
    for bias in (input_bias, recurrent_bias):
        if bias is not None and len(bias) != rows:
            raise ActivationError(f"the biases beside {name} are {len(bias)}, and should be {rows}")
    nothing = np.zeros(rows, np.float32)
    return Layer(
        input=np.ascontiguousarray(input),
        recurrent=np.ascontiguousarray(recurrent),
        input_bias=nothing if input_bias is None else input_bias,
        recurrent_bias=nothing if recurrent_bias is None else recurrent_bias,
    )


def joined_layer_of(name: str, matrix: Matrix, n_units: int, bias: Matrix | None) -> Layer:
    """A layer of one matrix on [x; h], the inputs and then the hidden states."""
    rows, columns = matrix.shape
    if columns <= n_units or rows not in (n_units, 4 * n_units):
        raise ActivationError(
            f"{name} {matrix.shape} is no layer of {n_units} units on [x; h]: such an LSTM has {4 * n_units} rows, a "
            f"simple RNN {n_units} (a GRU whose candidate shares a matrix with its hidden states is not read)"
        )
    return layer_of(name, matrix[:, : columns - n_units], matrix[:, columns - n_units :], bias)
