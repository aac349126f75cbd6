"""Weights of a unit: what writes to it, and what it writes to."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.site_names import select_units
from activations.units import Site, Unit
from probe.explorer.questions.plain_values import Answer

TOP = 12
"""Number of weights of each sign, and of units, that are told."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight(Answer):
    """A weight between a unit and something else.

    Attributes:
        name: The character, or the unit.
        weight: The weight; of characters, less the mean over all characters.
    """

    name: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateWeights(Answer):
    """What writes to one gate of a unit, by its share of the gate's pre-activation.

    Attributes:
        gate: The gate, such as `input_gate`; `hidden` for the only one of a cell without gates.
        raising: In layer 0, the characters that raise it most, the first most of all; else empty.
        lowering: Those that lower it most.
        from_below: In other layers, the hidden units of the layer below with the largest weights; else empty.
        from_before: The hidden units of its own layer, one character before, with the largest weights.
    """

    gate: str
    raising: tuple[Weight, ...]
    lowering: tuple[Weight, ...]
    from_below: tuple[Weight, ...]
    from_before: tuple[Weight, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitWeights(Answer):
    """What writes to a unit, and what it writes to.

    Attributes:
        unit: The unit.
        gates: What writes to each gate of it, or to the gate that it is.
        read_by: The unit that is read: of a cell, the hidden unit of the same number; None for a gate.
        pushing: The characters whose logit, as the next one, rises most with it, in nats per 1 of the hidden unit and
            less the mean over all characters; empty below the last layer.
        holding_back: Those whose logit falls most.
        to_above: The units of the layer above that its hidden unit writes to, by the norm of the weights to all gates
            of each; empty in the last layer.
        notes: Sentences on what these weights leave out.
    """

    unit: str
    gates: tuple[GateWeights, ...]
    read_by: str | None
    pushing: tuple[Weight, ...]
    holding_back: tuple[Weight, ...]
    to_above: tuple[Weight, ...]
    notes: tuple[str, ...] = ()


def unit_weights(model: CharRNN, unit: Unit | str, *, top: int = TOP) -> UnitWeights:
    """Return the weights of a unit, in and out.

    Args:
        model: The model.
        unit: The unit, or its name.
        top: Number of characters of each sign, and of units.

    Raises:
        ActivationError: If there is no such unit, or the model is of another kind.
    """
    if not isinstance(model, CharRNN):
        raise ActivationError(
            "a model of your own keeps its weights to itself; those of models that `probe train` or `probe import` "
            "made are shown"
        )
    [unit] = select_units(model.sites, unit)
    layer, signal = unit.site.layer or 0, str(unit.site.signal)
    is_projected = bool(model.config.n_projected)
    gates = [signal] if signal in model.cell.gate_names else list(model.cell.gate_names)
    if signal == "hidden" and is_projected:
        gates = []
    hidden = None
    if signal == "hidden" or (signal == "cell" and not is_projected):
        hidden = Unit(Site.of(layer, "hidden"), unit.index)
    is_last = layer == model.config.n_layers - 1
    pushing, holding_back = _of_readout(model, hidden.index, top) if hidden and is_last else ((), ())
    return UnitWeights(
        unit=str(unit),
        gates=tuple(_of_gate(model, layer, gate, unit.index, top) for gate in gates),
        read_by=None if hidden is None else str(hidden),
        pushing=pushing,
        holding_back=holding_back,
        to_above=() if hidden is None or is_last else _to_above(model, layer, hidden.index, top),
        notes=tuple(_notes(model, unit)),
    )


def _of_gate(model: CharRNN, layer: int, gate: str, index: int, top: int) -> GateWeights:
    """Return what writes to one gate of the unit of a number."""
    n_units = model.config.n_units
    column = model.cell.gate_order.index(gate) * n_units + index
    raising: tuple[Weight, ...] = ()
    lowering: tuple[Weight, ...] = ()
    from_below: tuple[Weight, ...] = ()
    if layer == 0:
        shares = _array(model.input_table())[:, column]
        raising, lowering = _characters(model, shares - shares.mean(), top)
    else:
        from_below = _units(Site.of(layer - 1, "hidden"), _array(model.input_weights(layer).weight)[:, column], top)
    recurrent = model.recurrent_weights(layer)
    if gate == "candidate" and recurrent.candidate_weight is not None:
        of_before = _array(recurrent.candidate_weight)[:, index]
    else:
        of_before = _array(recurrent.weight)[:, column]
    return GateWeights(
        gate=gate,
        raising=raising,
        lowering=lowering,
        from_below=from_below,
        from_before=_units(Site.of(layer, "hidden"), of_before, top),
    )


def _of_readout(model: CharRNN, index: int, top: int) -> tuple[tuple[Weight, ...], tuple[Weight, ...]]:
    """Return the characters that a hidden unit of the last layer pushes, and those that it holds back."""
    weights = _array(model.readout.weight)[:, index]
    return _characters(model, weights - weights.mean(), top)


def _to_above(model: CharRNN, layer: int, index: int, top: int) -> tuple[Weight, ...]:
    """Return the units of the layer above to which a hidden unit has the largest weights."""
    weights = _array(model.input_weights(layer + 1).weight)[index]
    norms = np.linalg.norm(weights.reshape(len(model.cell.gate_order), -1), axis=0)
    signal = "cell" if "cell" in model.cell.state else "hidden"
    return _units(Site.of(layer + 1, signal), norms, top)


def _characters(model: CharRNN, weights: Array, top: int) -> tuple[tuple[Weight, ...], tuple[Weight, ...]]:
    """Return the characters with the highest weights, and those with the lowest."""
    order = np.argsort(-weights, kind="stable")
    shown = [model.vocabulary.shown(character) for character in model.vocabulary.characters]
    highest, lowest = (
        tuple(Weight(name=shown[n], weight=float(weights[n])) for n in numbers.tolist() if sign * weights[n] > 0)
        for numbers, sign in ((order[:top], 1), (order[::-1][:top], -1))
    )
    return highest, lowest


def _units(site: Site, weights: Array, top: int) -> tuple[Weight, ...]:
    """Return the units of a site with the largest weights."""
    order = np.argsort(-np.abs(weights), kind="stable")[:top]
    return tuple(
        Weight(name=str(Unit(site, number)), weight=float(weights[number]))
        for number in order.tolist()
        if weights[number]
    )


def _notes(model: CharRNN, unit: Unit) -> list[str]:
    """Say what the weights of a unit leave out."""
    notes = ["a weight says what reaches a unit directly; what comes by way of other units is not in it"]
    if model.config.n_projected and unit.site.signal == "hidden":
        notes.append("this hidden unit is a projection of all cells of its layer, and has no gates of its own")
    if model.config.layer_norm:
        notes.append("layer normalisation divides these shares by a number that depends on all units")
    if unit.site.layer:
        notes.append("characters reach this layer by way of those below; what follows which character is measured")
    return notes


def _array(tensor: Any) -> Array:
    """Return the numbers of a tensor."""
    return np.asarray(tensor.detach().cpu().numpy(), np.float64)
