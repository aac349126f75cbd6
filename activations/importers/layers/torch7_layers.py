"""Finding the layers of a network of Lua Torch, which its modules describe."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from activations.errors import ActivationError
from activations.importers.layers.input_and_readout import with_input_and_readout
from activations.importers.layers.parts import ImportedLayer, Matrix, Parts, Stack, UnusedArrays, layer_of
from activations.importers.torch7.networks import Gate, LayerPlan, Network, Rows, UnreadNetwork

_FORM = "recurrent layers of Lua Torch"


def find_torch7(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find the layers of a network of Lua Torch, such as char-rnn's and torch-rnn's."""
    networks = [fact for fact in facts.values() if isinstance(fact, Network) and _names(fact) <= set(arrays.arrays)]
    unread = [fact for fact in facts.values() if isinstance(fact, UnreadNetwork)]
    distinct = {(network.layers, network.readout): network for network in networks}
    if len(distinct) > 1:
        names = " and ".join(network.name for network in distinct.values())
        raise ActivationError(f"the file has several networks, {names}; choose one with --prefix")
    if not distinct:
        for fact in unread:
            if not arrays.arrays or any(name.startswith(fact.name) for name in arrays.arrays):
                raise ActivationError(
                    f"{fact.name or 'the network'} is not read: {fact.reason}; --model-factory runs your own code to "
                    "build such a model"
                )
        return None
    network = next(iter(distinct.values()))
    takes = _Takes(arrays)
    stack = _stack(takes, network)
    if network.readout is None:
        return with_input_and_readout(arrays, stack)
    readout, bias = takes.rows(network.readout), takes.biases(network.readout)
    name = network.readout.weight
    embedding = None if network.embedding is None else takes.matrix(network.embedding)
    if embedding is None and stack.n_inputs != len(readout):
        raise ActivationError(
            f"layer 0 takes {stack.n_inputs} inputs, and the read-out {name} gives {len(readout)}; such a network has "
            "another input than single characters, which is not read"
        )
    note = "" if embedding is None else f"{network.embedding} {embedding.shape}, an embedding"
    return Parts.of(arrays, stack, readout, bias, f"{name} {readout.shape}", embedding, note)


def _names(network: Network) -> set[str]:
    """Return the names of all arrays of a network."""
    rows = [part for layer in network.layers for gate in layer.gates for part in (gate.on_input, gate.on_hidden)]
    rows += [network.readout] if network.readout else []
    names = {row.weight for row in rows} | {row.bias for row in rows if row.bias}
    names |= {name for layer in network.layers for name in layer.peepholes}
    return names | ({network.embedding} if network.embedding else set())


class _Takes:
    """Takes arrays of which several gates use parts."""

    def __init__(self, arrays: UnusedArrays) -> None:
        self._arrays, self._taken = arrays, dict[str, Matrix]()
        self.places = {name: n for n, name in enumerate(arrays.arrays)}

    def matrix(self, name: str, n_axes: int = 2) -> Matrix:
        """Take an array, or return it again."""
        if name not in self._taken:
            self._taken[name] = self._arrays.take(name, n_axes)
        return self._taken[name]

    def rows(self, part: Rows) -> Matrix:
        """Return the rows of a matrix on column vectors."""
        matrix = self.matrix(part.weight)
        if part.transposed:
            matrix = matrix.T
        start, stop = part.columns or (0, matrix.shape[1])
        return np.float32(part.factor) * np.ascontiguousarray(matrix[slice(*part.rows), start:stop])

    def biases(self, part: Rows) -> Matrix | None:
        """Return the biases of the rows of a matrix; None if it has none."""
        return None if part.bias is None else self.matrix(part.bias, 1)[slice(*part.rows)]


def _stack(takes: _Takes, network: Network) -> Stack:
    first = network.layers[0]
    kinds = {
        (len(plan.gates), plan.relu, plan.reset_before, plan.update_swapped, bool(plan.peepholes))
        for plan in network.layers
    }
    if len(kinds) > 1:
        raise ActivationError(f"the layers of {network.name} are of different kinds, which is not read")
    order = "".join(gate.letter for gate in _in_order(takes, first))
    layers_and_notes = [_layer(takes, plan, order) for plan in network.layers]
    return Stack(
        form=_FORM,
        layers=[layer for layer, _ in layers_and_notes],
        notes=[note for _, note in layers_and_notes],
        order=order,
        relu=first.relu,
        reset_before=first.reset_before,
        update_swapped=first.update_swapped,
    )


def _in_order(takes: _Takes, plan: LayerPlan) -> list[Gate]:
    """Return the gates of a layer in the order of the file."""
    return sorted(plan.gates, key=lambda gate: (takes.places[gate.on_input.weight], gate.on_input.rows))


def _layer(takes: _Takes, plan: LayerPlan, order: str) -> tuple[ImportedLayer, str]:
    by_letter = {gate.letter: gate for gate in plan.gates}
    gates = [by_letter[letter] for letter in order]
    inputs, hidden = [gate.on_input for gate in gates], [gate.on_hidden for gate in gates]
    layer = layer_of(
        inputs[0].weight,
        np.concatenate([takes.rows(part) for part in inputs]),
        np.concatenate([takes.rows(part) for part in hidden]),
        _all_biases(takes, inputs),
        _all_biases(takes, hidden),
    )
    if plan.peepholes:
        layer = replace(layer, peepholes=np.stack([takes.matrix(name, 1) for name in plan.peepholes]))
    names = dict.fromkeys([*(part.weight for part in (*inputs, *hidden)), *plan.peepholes])
    note = ", ".join(f"{name} {takes.matrix(name).shape}" for name in names)
    return layer, f"{note} on [x; h]" if inputs[0].weight == hidden[0].weight else note


def _all_biases(takes: _Takes, parts: list[Rows]) -> Matrix | None:
    if all(part.bias is None for part in parts):
        return None
    biases = [takes.biases(part) for part in parts]
    rows = [part.rows[1] - part.rows[0] for part in parts]
    return np.concatenate([np.zeros(n, np.float32) if b is None else b for n, b in zip(rows, biases, strict=True)])
