"""Finding the layers of Keras, and of Haste, which has the same names: `kernel`, `recurrent_kernel`, `bias`.

The gates are in the order i, f, c, o in an LSTM (Haste: i, g, f, o), and z, r, h in a GRU. What Keras saves as a list
without names (`model.get_weights()`) is recognised by the shapes, which follow one another as the layers do.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from activations.errors import ActivationError
from activations.importers.keras.chain import Chain, chain_of, n_gates_of
from activations.importers.keras.configuration import KerasLayer
from activations.importers.keras.files import CONFIG, VERSION
from activations.importers.keras.weights import WeightGroup, take_layer, with_ends
from activations.importers.layers.input_and_readout import with_input_and_readout
from activations.importers.layers.parts import Parts, Stack, UnusedArrays, doubt_of_order, fitting_orders

_NUMBERED = re.compile(r"(?P<group>.*[./])?(?P<cell>cell/)?vars/(?P<number>[0-9]{1,3})")
_NAMED = re.compile(r"(?P<group>.*[./])?(?P<role>\w+?)(:0)?")
_OF_KERAS_1 = re.compile(r"(?P<group>.*/)[^/]+_(?P<letter>[WUb])(_(?P<gate>[ifcozrh]))?(:0)?")
_ROLES_OF_LETTERS = {"W": "kernel", "U": "recurrent_kernel", "b": "bias"}
_LETTERS = {4: "ifgo", 3: "zrn", 1: "h"}
_HASTE_LETTERS = {4: "igfo", 3: "zrn", 1: "h"}
_ROLES_OF_NUMBERS = {
    "recurrent": ("kernel", "recurrent_kernel", "bias"),
    "dense": ("kernel", "bias"),
    "embedding": ("embeddings",),
}
_OF_LAYERS = {"kernel", "recurrent_kernel", "bias", "recurrent_bias", "gamma", "gamma_h", "beta_h", "embeddings"}
_MAX_LISTED = 200


def find_keras(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find the layers of a Keras model, as its configuration says or, without one, as names and shapes do."""
    groups = _groups(arrays, facts)
    if not any(group.is_recurrent for group in groups):
        return None
    chain = chain_of(facts[CONFIG], facts.get(VERSION, "")) if CONFIG in facts else None
    return _by_names(arrays, groups, facts) if chain is None else _by_config(arrays, groups, chain)


def _groups(arrays: UnusedArrays, facts: Mapping[str, Any]) -> list[WeightGroup]:
    """Group arrays by layer, in the order of the file."""
    numbered: dict[str, list[str]] = {}
    named: dict[str, dict[str, tuple[str, ...]]] = {}
    for name in arrays.arrays:
        if match := _NUMBERED.fullmatch(name):
            numbered.setdefault(f"{match['group'] or ''}{match['cell'] or ''}", []).append(name)
        elif (match := _NAMED.fullmatch(name)) and match["role"] in _OF_LAYERS:
            named.setdefault(match["group"] or "", {})[match["role"]] = (name,)
        elif VERSION in facts and (match := _OF_KERAS_1.fullmatch(name)):
            by_role = named.setdefault(match["group"], {})
            role = _ROLES_OF_LETTERS[match["letter"]]
            by_role[role] = tuple(sorted((*by_role.get(role, ()), name), key=_place_of_gate))
    groups = [WeightGroup(group.rstrip("./"), by_role) for group, by_role in named.items()]
    for group, names in numbered.items():
        roles = _ROLES_OF_NUMBERS[_kind(group, [arrays.arrays[name].shape for name in names])]
        if len(names) <= len(roles):
            by_role = {role: (name,) for role, name in zip(roles, names, strict=False)}
            groups.append(WeightGroup(group.rstrip("./"), by_role))
    return groups


def _place_of_gate(name: str) -> int:
    """Return the place of the gate that the name of an array of Keras 1 ends in, in the order of later versions."""
    match = _OF_KERAS_1.fullmatch(name)
    return "ifcozrh".index(match["gate"]) if match and match["gate"] else 0


def _kind(group: str, shapes: Sequence[tuple[int, ...]]) -> str:
    """Tell a recurrent layer, an embedding and a dense layer of Keras 3 by the shapes of their arrays."""
    if len(shapes) in (2, 3) and len(shapes[0]) == len(shapes[1]) == 2 and shapes[0][1] == shapes[1][1]:
        return "recurrent"
    return "embedding" if len(shapes) == 1 and "embedding" in group else "dense"


def _by_config(arrays: UnusedArrays, groups: Sequence[WeightGroup], chain: Chain) -> Parts:
    """Take the arrays of the layers that the configuration names."""
    taken, resets_after = [], set[bool]()
    for described in chain.recurrent:
        is_of_cudnn = described.class_name.startswith("CuDNN")
        taken.append(take_layer(arrays, _group_of(described, groups), is_of_cudnn=is_of_cudnn))
        if taken[-1].layer.n_gates != n_gates_of(described):
            raise ActivationError(f"{described} has matrices of {taken[-1].layer.n_gates} gates; the file is damaged")
        resets_after.add(bool(described.setting("reset_after", is_of_cudnn or taken[-1].n_biases > 1)))
    if len(resets_after) > 1:
        raise ActivationError(
            "some layers have reset_after and others not; only models whose layers are alike are read"
        )
    n_gates = taken[0].layer.n_gates
    stack = Stack(
        form="Keras's recurrent layers, as its configuration describes them",
        layers=[layer.layer for layer in taken],
        notes=[layer.note for layer in taken],
        order=_LETTERS[n_gates],
        relu=chain.activation == "relu",
        reset_before=n_gates == 3 and resets_after == {False},
        gate_function=chain.gate_function,
        doubts=chain.doubts,
    )
    readout = _group_of(chain.readout, groups)
    embedding = None if chain.embedding is None else _group_of(chain.embedding, groups)
    return with_ends(arrays, stack, readout, embedding)


def _group_of(layer: KerasLayer, groups: Sequence[WeightGroup]) -> WeightGroup:
    """Return the arrays of a layer: Keras 3 numbers them by class, Keras 1 and 2 name them like the layer."""
    for group in groups:
        name = re.sub(r"(^|/)_layer_checkpoint_dependencies/", r"\1layers/", group.name.removeprefix("model_weights/"))
        parts = name.split("/")
        if name in (layer.path, f"{layer.path}/cell") or (
            parts[0] == layer.outer_name and (len(parts) == 1 or layer.name in parts)
        ):
            return group
    raise ActivationError(f"{layer} has no arrays in the file, which is not whole")


def _by_names(arrays: UnusedArrays, groups: Sequence[WeightGroup], facts: Mapping[str, Any]) -> Parts:
    """Take the arrays of a model without a configuration: layers in the order of the file or of their numbers."""
    recurrent = [group for group in groups if group.is_recurrent]
    others = [group for group in groups if not group.is_recurrent]
    names_without_numbers = {re.sub(r"_?\d+", "", group.name) for group in recurrent}
    if VERSION not in facts and len(names_without_numbers) == 1:  # Keras's own files are in order
        recurrent.sort(key=lambda group: [int(number) for number in re.findall(r"\d{1,9}", group.name)])
    if backward := next((group.name for group in recurrent if "backward" in group.name), None):
        raise ActivationError(f"{backward}: the model reads in both directions, and so knows what is to come; not read")
    is_of_keras = VERSION in facts or any("kernel" in group.arrays or "embeddings" in group.arrays for group in others)
    taken = [take_layer(arrays, group) for group in recurrent]
    n_gates = taken[0].layer.n_gates
    undecided = {"gate_function"} if n_gates > 1 else {"cell"}
    is_order_told = facts.get(VERSION) or len(names_without_numbers) == 1
    if not is_order_told and (orders := fitting_orders([layer.layer for layer in taken])):
        taken, recurrent = [taken[n] for n in orders[0]], [recurrent[n] for n in orders[0]]
        undecided |= {"layer_order"} if len(orders) > 1 else set()
    if n_gates == 3 and not taken[0].n_biases:
        undecided.add("cell")
    if VERSION not in facts and n_gates > 1:
        undecided.add("gates")
    doubts = [_zoneout(facts, group) for group in recurrent]
    if not is_order_told:
        group_names = [group.name for group in recurrent]
        doubts.append(doubt_of_order(group_names, is_undecided="layer_order" in undecided))
    stack = Stack(
        form="Keras's recurrent layers" if is_of_keras else "Haste's recurrent layers, or others of the same names",
        layers=[layer.layer for layer in taken],
        notes=[layer.note for layer in taken],
        order=(_LETTERS if is_of_keras else _HASTE_LETTERS)[n_gates],
        reset_before=n_gates == 3 and taken[0].n_biases == 1,
        undecided=frozenset(undecided),
        doubts=tuple(filter(None, doubts)),
    )
    if not is_of_keras:
        return with_input_and_readout(arrays, stack)
    readouts = [group for group in others if group.shape(arrays, "kernel")[0] == stack.n_units]
    if len(readouts) != 1:
        names = " or ".join(group.name for group in readouts) or "none of the layers"
        raise ActivationError(f"the read-out could be {names}; models with one dense layer behind the others are read")
    inputs = [group for group in others if group is not readouts[0] and _is_input(arrays, group, stack)]
    return with_ends(arrays, stack, readouts[0], inputs[0] if inputs else None)


def _zoneout(facts: Mapping[str, Any], group: WeightGroup) -> str:
    zoneout = facts.get(f"{group.name}.zoneout", 0)
    return f"{group.name} has a zoneout of {zoneout}, which is left out" if zoneout else ""


def _is_input(arrays: UnusedArrays, group: WeightGroup, stack: Stack) -> bool:
    return stack.n_inputs in (group.shape(arrays, "embeddings")[-1], group.shape(arrays, "kernel")[-1])


def find_weight_lists(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find the layers in a list of arrays without names, such as Keras's `model.get_weights()`, by their shapes."""
    if len(arrays.arrays) > _MAX_LISTED or not all(re.fullmatch(r"(.*[._/])?\d+", name) for name in arrays.arrays):
        return None
    shapes = {name: array.shape for name, array in arrays.arrays.items()}
    for n_gates in _LETTERS:
        for starts_with_embedding in (False, True):
            groups = list(_listed_groups(shapes, n_gates, starts_with_embedding=starts_with_embedding))
            recurrent = [group for group in groups if group.is_recurrent]
            if not recurrent or sum(len(group.arrays) for group in groups) < len(shapes):
                continue
            taken = [take_layer(arrays, group) for group in recurrent]
            undecided = {"gates", "gate_function"} if n_gates > 1 else {"cell"}
            if n_gates == 3 and not taken[0].n_biases:
                undecided.add("cell")
            stack = Stack(
                form="a list of weights in the order of Keras",
                layers=[layer.layer for layer in taken],
                notes=[layer.note for layer in taken],
                order=_LETTERS[n_gates],
                reset_before=n_gates == 3 and taken[0].n_biases == 1,
                undecided=frozenset(undecided),
            )
            return with_ends(arrays, stack, groups[-1], groups[0] if starts_with_embedding else None)
    return None


def _listed_groups(
    shapes: Mapping[str, tuple[int, ...]], n_gates: int, *, starts_with_embedding: bool
) -> Iterator[WeightGroup]:
    """Yield the arrays of each layer of a list, as far as the shapes are those of layers that follow one another."""
    names, start = list(shapes), 0

    def group_of(*roles: str, width: int) -> WeightGroup:
        """Take as many names as roles, and one more if it is a bias of some width."""
        nonlocal start
        stop = start + len(roles)
        biases = ((width,), (2 * width,), (2, width)) if len(roles) == 2 else ((width,),)
        has_bias = stop < len(names) and shapes[names[stop]] in biases
        taken = zip((*roles, "bias"), names[start : stop + has_bias], strict=False)
        group = WeightGroup(names[start], {role: (name,) for role, name in taken})
        start = stop + has_bias
        return group

    def matrix(position: int) -> tuple[int, int]:
        shape = shapes[names[position]] if position < len(names) else ()
        return (shape[0], shape[1]) if len(shape) == 2 else (0, 0)

    n_below = 0
    if starts_with_embedding and matrix(0) != (0, 0):
        n_below = matrix(0)[1]
        yield group_of("kernel", width=n_below)
    while (n_units := matrix(start + 1)[0]) and matrix(start)[1] == matrix(start + 1)[1] == n_gates * n_units:
        if n_below not in (0, matrix(start)[0]):
            return
        n_below = n_units
        yield group_of("kernel", "recurrent_kernel", width=n_gates * n_units)
    if start and matrix(start)[0] == n_below:
        yield group_of("kernel", width=matrix(start)[1])
