"""The parts of another program's model: the input, the layers and the read-out."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.contents import Arrays
from activations.importers.layers.unread_kinds import OWN_CODE

GATES = {4: "ifgo", 3: "rzn", 1: "h"}
_MAX_REORDERED = 5
_CELLS = {4: "lstm", 3: "gru", 1: "rnn"}

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ImportedLayer:
    """A recurrent layer with its rows in the order of the file.

    Attributes:
        input: (n_gates * n_units, n_inputs)
        recurrent: (n_gates * n_units, n_hidden)
        input_bias: (n_gates * n_units,)
        recurrent_bias: (n_gates * n_units,)
        projection: (n_hidden, n_units), of an LSTM whose hidden states are projected; otherwise n_hidden is n_units.
        peepholes: (3, n_units), from the cell of an LSTM to its input, forget and output gate.
        input_gain: (n_gates * n_units,), of the layer normalisation of what the inputs contribute.
        recurrent_gain: (n_gates * n_units,), of that of what the hidden states contribute.
        norm_cell: (2, n_units), gain and bias of the layer normalisation of the cell within the tanh.
    """

    input: Matrix
    recurrent: Matrix
    input_bias: Matrix
    recurrent_bias: Matrix
    projection: Matrix | None = None
    peepholes: Matrix | None = None
    input_gain: Matrix | None = None
    recurrent_gain: Matrix | None = None
    norm_cell: Matrix | None = None

    @property
    def n_units(self) -> int:
        """Number of units of the layer."""
        return self.n_hidden if self.projection is None else int(self.projection.shape[1])

    @property
    def n_hidden(self) -> int:
        """Size of the hidden states, which projection makes smaller than the number of units."""
        return int(self.recurrent.shape[1])

    @property
    def n_inputs(self) -> int:
        """Number of inputs of the layer."""
        return int(self.input.shape[1])

    @property
    def n_gates(self) -> int:
        """Number of gates, which determines the kind of cell."""
        return len(self.recurrent) // self.n_units

    @property
    def extras(self) -> tuple[str, ...]:
        """The names of the optional arrays that the layer has."""
        names = ("projection", "peepholes", "input_gain", "recurrent_gain", "norm_cell")
        return tuple(name for name in names if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Stack:
    """Stacked recurrent layers of the same size and kind.

    Attributes:
        form: How the file stores them, for people.
        layers: The layers from the input upwards.
        notes: Where each layer was found, for people.
        order: Order of the gates in the rows: i, f, g, o of an LSTM, r, z, n of a GRU; empty for this order.
        relu: True if simple layers have rectified units.
        reset_before: True if the reset gate of a GRU acts before its recurrent matrix.
        gate_function: Activation function of the gates, one of `equations.GATE_FUNCTIONS`.
        update_swapped: True if the update gate of a GRU is the share of the candidate in the new state.
        joined: True if one matrix acts on inputs and hidden states, [x; h].
        undecided: Fields of `Interpretation` that names and shapes leave open: `gates`, `cell`, `transposed`,
            `hidden_first`, `gate_function`, `update_swapped`, `forget_bias`, `layer_order`.
        doubts: Sentences about what may differ in the program that wrote the file, and cannot be seen in it.

    Raises:
        ActivationError: If the sizes of the layers do not fit together, or not all layers are of the same kind.
    """

    form: str
    layers: Sequence[ImportedLayer]
    notes: Sequence[str]
    order: str = ""
    relu: bool = False
    reset_before: bool = False
    gate_function: str = "sigmoid"
    update_swapped: bool = False
    joined: bool = False
    undecided: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        first = self.layers[0]
        for below, layer, note in zip(self.layers, self.layers[1:], self.notes[1:], strict=False):
            if layer.n_inputs != below.n_hidden:
                raise ActivationError(
                    f"{note} takes {layer.n_inputs} inputs, and the layer before it gives {below.n_hidden}; if the "
                    f"file has several models, choose one with --prefix; if it has one, {OWN_CODE}"
                )
            if (layer.n_units, layer.n_gates, layer.n_hidden, layer.extras) != (
                first.n_units, first.n_gates, first.n_hidden, first.extras,
            ):  # fmt: skip
                raise ActivationError(
                    f"{note} is a layer of another size or kind than the first one ({layer.n_units} and "
                    f"{first.n_units} units); only models whose layers are all alike are read, but {OWN_CODE}"
                )

    @property
    def n_units(self) -> int:
        """Number of units of each layer."""
        return self.layers[0].n_units

    @property
    def n_hidden(self) -> int:
        """Size of the hidden states of each layer."""
        return self.layers[0].n_hidden

    @property
    def n_gates(self) -> int:
        """Number of gates of each layer."""
        return self.layers[0].n_gates

    @property
    def n_inputs(self) -> int:
        """Number of inputs of the first layer."""
        return self.layers[0].n_inputs

    @property
    def cell(self) -> str:
        """The kind of cell, one of `CELL_NAMES`."""
        if self.reset_before:
            return "gru_reset_before"
        return "rnn_relu" if self.relu else _CELLS[self.n_gates]

    @property
    def gates(self) -> str:
        """The letters of the gates in the order of the rows."""
        return self.order or GATES[self.n_gates]

    @property
    def without_biases(self) -> list[str]:
        """The notes of the layers whose biases are all zero."""
        return [
            note
            for layer, note in zip(self.layers, self.notes, strict=True)
            if not layer.input_bias.any() and not layer.recurrent_bias.any()
        ]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Parts:
    """The parts of a model, and everything in the file that is not one of them.

    Attributes:
        stack: The recurrent layers.
        embedding: (n_characters, n_inputs), or None if characters are fed in as one-hot vectors.
        readout: (n_characters, n_units)
        readout_bias: (n_characters,)
        notes: Where each part was found, for people.
        unused: Names of arrays that may belong to the model and have no place in it.
        aside: Names of arrays that do not belong to the model, or are not learned.
        left_out: Sentences about modules that compute something and are left out.
    """

    stack: Stack
    embedding: Matrix | None
    readout: Matrix
    readout_bias: Matrix
    notes: Mapping[str, str]
    unused: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def n_characters(self) -> int:
        """Number of characters of the vocabulary."""
        return len(self.readout)

    @classmethod
    def of(
        cls,
        arrays: "UnusedArrays",
        stack: Stack,
        readout: Matrix,
        readout_bias: Matrix | None,
        readout_note: str,
        embedding: Matrix | None = None,
        input_note: str = "",
    ) -> "Parts":
        """Assemble the parts once all are found; arrays that are left over are unused."""
        n_characters = len(readout)
        return cls(
            stack=stack,
            embedding=embedding,
            readout=readout,
            readout_bias=np.zeros(n_characters, np.float32) if readout_bias is None else readout_bias,
            notes={
                "layers": "; ".join(stack.notes),
                "input": input_note or f"characters as one-hot vectors of {n_characters}",
                "read-out": f"{readout_note}{', without biases' if readout_bias is None else ''}",
            },
            unused=tuple(arrays.arrays),
            aside=tuple(arrays.aside),
        )


class UnusedArrays:
    """Arrays that have no place in the model yet.

    Attributes:
        arrays: The arrays by name.
        aside: Names of arrays that were found not to belong to the model.
        has_vocabulary: Is there a vocabulary of so many characters, in the file or beside it?
    """

    def __init__(
        self,
        arrays: Arrays,
        names_in_file: Mapping[str, tuple[str, ...]] | None = None,
        has_vocabulary: Callable[[int], bool] = lambda n_characters: False,
    ) -> None:
        self.arrays = dict(arrays)
        self.aside: list[str] = []
        self.has_vocabulary = has_vocabulary
        self._names_in_file = names_in_file or {}

    def copy(self) -> "UnusedArrays":
        """Return the same arrays for another attempt, in which none is set aside."""
        return UnusedArrays(self.arrays, self._names_in_file, self.has_vocabulary)

    def names_in_file(self, name: str) -> tuple[str, ...]:
        """Return all names that an array has in the file."""
        return self._names_in_file.get(name, (name,))

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def take(self, name: str, n_axes: int) -> Matrix:
        """Remove an array and return it as float32; (n, 1) and (1, n) count as vectors."""
        array = self.arrays.pop(name, None)
        if array is None:
            raise ActivationError(f"{name} would have to serve as two parts of the model; {OWN_CODE}")
        if n_axes == 1 and array.ndim == 2 and 1 in array.shape:
            array = array.reshape(-1)
        if array.ndim != n_axes:
            raise ActivationError(f"{name} has shape {array.shape}; it should have {n_axes} axes")
        return as_float32(array, name)

    def set_aside(self, name: str) -> None:
        """Remove an array that does not belong to the model."""
        del self.arrays[name]
        self.aside.append(name)

    def vectors(self, n_numbers: int) -> list[str]:
        """Return the names of vectors of a given length, also those of shape (n, 1) or (1, n)."""
        return [name for name, array in self.arrays.items() if array.size == n_numbers and n_numbers in array.shape]

    def matrices(self) -> dict[str, tuple[int, int]]:
        """Return the shapes of all arrays with two axes, by name."""
        return {name: (array.shape[0], array.shape[1]) for name, array in self.arrays.items() if array.ndim == 2}


def fitting_orders(layers: Sequence[ImportedLayer]) -> list[tuple[int, ...]]:
    """Return the orders in which each of some layers takes what the one before gives, as positions; at most 5 layers.

    The order as given comes first if it fits.
    """
    if len(layers) > _MAX_REORDERED:
        return []
    return [
        order
        for order in permutations(range(len(layers)))
        if all(layers[n].n_inputs == layers[below].n_hidden for below, n in pairwise(order))
    ]


def doubt_of_order(names: Sequence[str], *, is_undecided: bool) -> str:
    """Say that layers of different names are taken as a stack, and whether something tells their order."""
    order = "in an order that neither names nor sizes tell (--layer-order)" if is_undecided else "in this order"
    return f"{' and '.join(names)} are taken as layers on one another, {order}"


def bias_beside(name: str) -> str:
    """Return the name that the bias of a linear layer has if its matrix has this one, or the same if none follows.

    >>> bias_beside("fc.weight"), bias_beside("gates/kernel:0"), bias_beside("Wo")
    ('fc.bias', 'gates/bias:0', 'Wo')
    """
    return re.sub(r"(weight|kernel)(:0)?$", r"bias\2", name)


def as_float32(array: NDArray[Any], name: str) -> Matrix:
    """Convert an array to float32, checking that all numbers are finite."""
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
    *,
    projection: Matrix | None = None,
) -> ImportedLayer:
    """Make a layer from its matrices and biases; missing biases are 0.

    Raises:
        ActivationError: If the shapes are not those of a layer.
    """
    rows, n_hidden = recurrent.shape
    if projection is not None and len(projection) != n_hidden:
        raise ActivationError(
            f"{name} has a projection {projection.shape} beside it, and its recurrent matrix {recurrent.shape} takes "
            f"{n_hidden} hidden states; the file is not whole"
        )
    n_units = n_hidden if projection is None else projection.shape[1]
    if not n_units or rows % n_units or rows // n_units not in GATES or len(input) != rows:
        raise ActivationError(
            f"{name} {input.shape} and its recurrent matrix {recurrent.shape} do not make a layer: of n units, they "
            f"should have 4n rows (LSTM), 3n (GRU) or n (RNN); {OWN_CODE}"
        )
    for bias in (input_bias, recurrent_bias):
        if bias is not None and len(bias) != rows:
            raise ActivationError(f"the biases beside {name} are {len(bias)}, and should be {rows}")
    zeros = np.zeros(rows, np.float32)
    return ImportedLayer(
        input=np.ascontiguousarray(input),
        recurrent=np.ascontiguousarray(recurrent),
        input_bias=zeros if input_bias is None else input_bias,
        recurrent_bias=zeros if recurrent_bias is None else recurrent_bias,
        projection=projection,
    )


def joined_layer_of(name: str, matrix: Matrix, n_units: int, bias: Matrix | None) -> ImportedLayer:
    """Make a layer from one matrix on [x; h], the inputs followed by the hidden states."""
    rows, columns = matrix.shape
    if columns <= n_units or rows not in (n_units, 3 * n_units, 4 * n_units):
        raise ActivationError(
            f"{name} {matrix.shape} is no layer of {n_units} units on [x; h]: such an LSTM has {4 * n_units} rows, a "
            f"GRU {3 * n_units}, a simple RNN {n_units}; {OWN_CODE}"
        )
    return layer_of(name, matrix[:, : columns - n_units], matrix[:, columns - n_units :], bias)
