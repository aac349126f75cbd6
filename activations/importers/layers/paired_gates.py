"""Finding GRUs of one matrix for the reset and the update gate, and another for the candidate.

`nn.Linear(n_inputs + n_units, 2 * n_units)` beside `nn.Linear(n_inputs + n_units, n_units)`, the same with a matrix on
x and one on h, or bare for row vectors; TensorFlow's `GRUCell` names them `gates/kernel` and `candidate/kernel`.

Sources:
    Cho et al. 2014, arXiv:1406.1078: the reset gate acts before the matrix of the candidate. TensorFlow 1,
    tf.nn.rnn_cell.GRUCell: the gates in the order r, u, on [x; h].
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
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
    joined_layer_of,
    layer_of,
)
from activations.importers.layers.stacked_layers import by_layer, take_biases, take_rows

_OF_GATES = re.compile(r"gate|(?<![a-z])[wub]?_?[xhiu]?_?(rz|zr|ru|ur|g)(?![a-z])|reset|update", re.IGNORECASE)
_OF_CANDIDATE = re.compile(r"cand|prop|new|tilde|hat(?![a-z])|bar(?![a-z])|memory", re.IGNORECASE)
_UPDATE_FIRST = re.compile(r"(?<![a-z])[wub]?_?[xhi]?_?(zr|ur)(?![a-z])|update.*reset", re.IGNORECASE)
_MAX_PAIRS = 8


class _Attempt(NamedTuple):
    """Matrices that may be the layers of a model.

    Attributes:
        gates: Names of the matrices of two gates, in the order of the file.
        candidates: Names of those of the candidate.
        n_units: Number of units of each layer.
        columns: True if the columns of the matrices are gates, for row vectors.
        joined: True if one matrix acts on inputs and hidden states.
    """

    gates: list[str]
    candidates: list[str]
    n_units: int
    columns: bool
    joined: bool


def find_paired(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find GRUs of a matrix for two gates and one for the candidate; of all, what leaves the fewest arrays unused."""
    attempts = _attempts(arrays.matrices())
    return best_of_attempts(arrays, ((partial(_layers, attempt=attempt), attempt.columns) for attempt in attempts))


def _attempts(shapes: Mapping[str, tuple[int, int]]) -> Iterator[_Attempt]:
    """Yield matrices of 2n and of n rows or columns whose names say that they are of gates and of a candidate."""
    for columns in (False, True):
        sizes = {name: shape[::-1] if columns else shape for name, shape in shapes.items()}
        for n_units in dict.fromkeys(rows for rows, _ in sizes.values()):
            gates = [name for name, size in sizes.items() if size[0] == 2 * n_units and size[1] >= n_units]
            gates = [name for name in gates if _OF_GATES.search(name)] or gates
            single = [name for name, size in sizes.items() if size[0] == n_units and name not in gates]
            named = [name for name in single if _OF_CANDIDATE.search(name)]
            if not 0 < len(gates) <= _MAX_PAIRS or not (named or all(map(_OF_GATES.search, gates))):
                continue
            for candidates in (named, single):
                wide = [name for name in candidates if sizes[name][1] > n_units]
                if len(wide) == len(gates) and all(sizes[name][1] > n_units for name in gates):
                    yield _Attempt(gates, wide, n_units, columns, joined=True)
            n_rows = 2 * n_units  # on x and on h, where x may have any size
            gates = [name for name, size in sizes.items() if size[0] == n_rows]
            gates = [name for name in gates if _OF_GATES.search(name)] or gates
            for candidates in (named, single):
                if len(gates) == len(candidates) and len(gates) % 2 == 0 and len(gates) <= 2 * _MAX_PAIRS:
                    yield _Attempt(gates, candidates, n_units, columns, joined=False)


def _layers(arrays: UnusedArrays, attempt: _Attempt) -> Stack | None:
    """Make layers of the matrices; None if nothing says which of two acts on the hidden states."""
    n_each = 1 if attempt.joined else 2
    layers, notes = [], []
    groups = zip(by_layer(attempt.gates, n_each), by_layer(attempt.candidates, n_each), strict=True)
    for names in groups:
        halves = [_input_first(arrays, group, attempt) for group in names]
        if any(half is None for half in halves):
            return None
        gates, candidates = (half or () for half in halves)
        axis, shapes = 0 if attempt.columns else 1, arrays.matrices()
        if any(shapes[gate][axis] != shapes[name][axis] for gate, name in zip(gates, candidates, strict=True)):
            return None
        layers.append(_take_layer(arrays, gates, candidates, attempt))
        notes.append(
            f"{gates[0]} and {candidates[0]} on [x; h]"
            if attempt.joined
            else f"{gates[0]} and {candidates[0]} on x, {gates[1]} and {candidates[1]} on h"
        )
    has_biases_on_h = any(layer.recurrent_bias.any() for layer in layers)
    undecided = {"update_swapped", "hidden_first" if attempt.joined else "cell"}
    is_update_first = all(map(_UPDATE_FIRST.search, attempt.gates))
    return Stack(
        form="a matrix for two gates and one for the candidate",
        layers=layers,
        notes=notes,
        order="zrn" if is_update_first else "rzn",
        reset_before=attempt.joined or not has_biases_on_h,
        joined=attempt.joined,
        undecided=frozenset(undecided | {"gates"}),
    )


def _input_first(arrays: UnusedArrays, names: Sequence[str], attempt: _Attempt) -> tuple[str, ...] | None:
    """Return the matrix on x, then that on h, as sizes or names say; None if neither does."""
    if attempt.joined:
        return tuple(names)
    n_columns = [arrays.matrices()[name][0 if attempt.columns else 1] for name in names]
    may_be_hidden = [n == attempt.n_units for n in n_columns]
    if may_be_hidden == [False, True] or (all(may_be_hidden) and is_hidden_first(names[::-1])):
        return tuple(names)
    if may_be_hidden == [True, False] or (all(may_be_hidden) and is_hidden_first(names)):
        return tuple(names[::-1])
    return None


def _take_layer(
    arrays: UnusedArrays, gates: Sequence[str], candidates: Sequence[str], attempt: _Attempt
) -> ImportedLayer:
    """Take the matrices and biases of one layer: rows of the gates, then those of the candidate."""
    pairs = list(zip(gates, candidates, strict=True))
    matrices = [np.concatenate([take_rows(arrays, name, attempt.columns) for name in pair]) for pair in pairs]
    n_units = attempt.n_units
    of_gates = take_biases(arrays, gates, 2 * n_units)
    of_candidates = take_biases(arrays, candidates, n_units)
    biases = [
        _together(of_gates, of_candidates, half, n_units) for half in range(max(len(of_gates), len(of_candidates)))
    ]
    if attempt.joined:
        return joined_layer_of(gates[0], matrices[0], n_units, biases[0] if biases else None)
    return layer_of(gates[0], *matrices, *biases)


def _together(
    of_gates: Sequence[Matrix | None], of_candidates: Sequence[Matrix | None], half: int, n_units: int
) -> Matrix:
    """Stack the biases of the gates and of the candidate, with zeros where there are none."""
    first, second = (biases[half] if half < len(biases) else None for biases in (of_gates, of_candidates))
    return np.concatenate(
        [
            np.zeros(2 * n_units, np.float32) if first is None else first,
            np.zeros(n_units, np.float32) if second is None else second,
        ]
    )
