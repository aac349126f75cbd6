"""Finding layers of which one matrix has all gates, as people write them by hand, by the shapes of the matrices.

`nn.Linear(n_inputs, 4 * n_units)` and `nn.Linear(n_units, 4 * n_units)`, one `nn.Linear(n_inputs + n_units, 4 *
n_units)`, or bare matrices for row vectors, `x @ Wx + h @ Wh + b`. Names say at most which matrix acts on what; the
order of the gates is for the text to tell.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from activations.importers.layers.halves import is_hidden_first
from activations.importers.layers.input_and_readout import best_of_attempts
from activations.importers.layers.parts import (
    ImportedLayer,
    Matrix,
    Parts,
    Stack,
    UnusedArrays,
    bias_beside,
    joined_layer_of,
    layer_of,
)

_RECURRENT = re.compile(r"i2h|x2h|xh|hx|ih|hh|rnn|cell|recur|hidden|lstm|gru", re.IGNORECASE)
_MAX_WIDE = 14
_SEVERAL = frozenset({"gates", "cell", "update_swapped"})


class _Attempt(NamedTuple):
    """Matrices that may be the layers of a model.

    Attributes:
        names: Their names in the order of the file.
        n_gates: Number of gates of each layer.
        n_units: Number of units of each layer.
        columns: True if the columns of the matrices are gates, for row vectors.
        joined: True if one matrix acts on inputs and hidden states.
    """

    names: tuple[str, ...]
    n_gates: int
    n_units: int
    columns: bool
    joined: bool


def find_stacked(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find layers of which one matrix has all gates; of all that shapes allow, what leaves the fewest arrays unused."""
    attempts = _attempts(arrays.matrices())
    return best_of_attempts(arrays, ((partial(_layers, attempt=attempt), attempt.columns) for attempt in attempts))


def _attempts(shapes: Mapping[str, tuple[int, int]]) -> Iterator[_Attempt]:
    for columns in (False, True):
        sizes = {name: shape[::-1] if columns else shape for name, shape in shapes.items()}
        for n_gates in (4, 3, 1):
            for n_rows in dict.fromkeys(rows for rows, _ in sizes.values()):
                wide = [name for name, (rows, _) in sizes.items() if rows == n_rows]
                if n_rows % n_gates or len(wide) > _MAX_WIDE:
                    continue
                n_units = n_rows // n_gates
                for names in _all_but_two(wide):
                    if n_gates > 1 and len(names) % 2 == 0 and any(sizes[name][1] == n_units for name in names):
                        yield _Attempt(names, n_gates, n_units, columns, joined=False)
                    is_recurrent = n_gates > 1 or all(_RECURRENT.search(name) for name in names)
                    if is_recurrent and all(sizes[name][1] > n_units for name in names):
                        yield _Attempt(names, n_gates, n_units, columns, joined=True)


def _all_but_two(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield all names, and all but one or two: an embedding and a read-out may have as many rows as there are gates."""
    for n_left_out in range(min(3, len(names))):
        for left_out in combinations(names, n_left_out):
            yield tuple(name for name in names if name not in left_out)


def _layers(arrays: UnusedArrays, attempt: _Attempt) -> Stack | None:
    """Make layers of the matrices; None if neither shapes nor names say which of two acts on the hidden states."""
    layers, notes = [], []
    for group in by_layer(attempt.names, 1 if attempt.joined else 2):
        matrices = [take_rows(arrays, name, attempt.columns) for name in group]
        biases = take_biases(arrays, group, attempt.n_gates * attempt.n_units)
        if attempt.joined:
            bias = biases[0] if biases else None
            layers.append(joined_layer_of(group[0], matrices[0], attempt.n_units, bias))
            notes.append(f"{group[0]} {matrices[0].shape} on inputs and hidden states")
            continue
        may_be_hidden = [matrix.shape[1] == attempt.n_units for matrix in matrices]
        if not any(may_be_hidden):
            return None
        if all(may_be_hidden) and not (is_hidden_first(group) or is_hidden_first(group[::-1])):
            return None  # as in a transformer, whose feed-forward layers have these shapes, too
        if may_be_hidden[0] and (not may_be_hidden[1] or is_hidden_first(group)):
            group, matrices, biases = group[::-1], matrices[::-1], biases[::-1]
        layers.append(layer_of(group[0], *matrices, *biases))
        notes.append(f"{group[0]} {matrices[0].shape} on x and {group[1]} on h")
    return _stack(layers, notes, attempt)


def _stack(layers: Sequence[ImportedLayer], notes: Sequence[str], attempt: _Attempt) -> Stack:
    undecided = {1: {"cell"}, 3: {"gates"}, 4: {"gates", "forget_bias"}}[attempt.n_gates]
    if attempt.n_gates == 3:
        undecided |= {"update_swapped"} if attempt.joined else _SEVERAL
    if attempt.joined:
        undecided |= {"hidden_first"}
    return Stack(
        form="one matrix of all gates" if attempt.n_gates > 1 else "one matrix on inputs and hidden states",
        layers=layers,
        notes=notes,
        order="ifog" if attempt.n_gates == 4 and attempt.columns else "",
        reset_before=attempt.n_gates == 3 and attempt.joined,
        joined=attempt.joined,
        undecided=frozenset(undecided),
    )


def by_layer(names: Sequence[str], n_each: int) -> list[tuple[str, ...]]:
    """Group names by layer: by a number in them if each has as many, else in the order of the file."""
    numbers = {
        name: [int(number) for number in re.findall(r"\d{1,9}", re.sub("[a-z]2[a-z]", "", name))] for name in names
    }
    for position in range(min(map(len, numbers.values()))):
        by_number: dict[int, list[str]] = {}
        for name in names:
            by_number.setdefault(numbers[name][position], []).append(name)
        if all(len(group) == n_each for group in by_number.values()):
            return [tuple(by_number[number]) for number in sorted(by_number)]
    return [tuple(names[start : start + n_each]) for start in range(0, len(names), n_each)]


def take_rows(arrays: UnusedArrays, name: str, columns: bool) -> Matrix:
    """Take a matrix and return it with gates as rows, whether it has them as rows or as columns."""
    matrix = arrays.take(name, 2)
    return np.ascontiguousarray(matrix.T) if columns else matrix


def take_biases(arrays: UnusedArrays, names: Sequence[str], n_rows: int) -> list[Matrix | None]:
    """Take the biases of linear layers, or vectors of the same layer with as many numbers as there are rows."""
    of_linears = [bias_beside(name) for name in names]
    if any(bias in arrays and bias != name for bias, name in zip(of_linears, names, strict=True)):
        return [arrays.take(bias, 1) if bias in arrays else None for bias in of_linears]
    numbers = re.findall(r"\d+", re.sub("[a-z]2[a-z]", "", names[0]))
    vectors = [
        name
        for name in arrays.vectors(n_rows)
        if re.findall(r"\d+", re.sub("[a-z]2[a-z]", "", name)) == numbers
        and re.search(r"(^|[._/:])b", name.lower())
        and not _is_bias_of_another(name, arrays)
    ]
    return [arrays.take(name, 1) for name in vectors[: len(names)]]


def _is_bias_of_another(name: str, arrays: UnusedArrays) -> bool:
    """Do names say that a bias belongs to a matrix that is not used yet: to `decoder.weight`, or `Wo` if it is `bo`?

    A read-out for as many characters as a layer has rows has a bias of the same length.
    """
    lower = name.lower()
    names_of_matrices = {re.sub(r"(^|[._/:])bias", r"\1weight", lower), re.sub(r"(^|[._/:])b", r"\1w", lower)}
    is_named = not re.fullmatch(r"(.*[._/:])?b", lower)
    return is_named and not names_of_matrices.isdisjoint(map(str.lower, arrays.matrices()))
