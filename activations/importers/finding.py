"""Finding a model among the arrays of a file, and saying what is left over."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, NoReturn

from activations.errors import ActivationError
from activations.importers.contents import Arrays, Contents, NamePath
from activations.importers.keras.layers import find_keras, find_weight_lists
from activations.importers.layers.input_and_readout import best_of
from activations.importers.layers.linear_layers import find_linears
from activations.importers.layers.numpy_layers import find_lists, find_named
from activations.importers.layers.paired_gates import find_paired
from activations.importers.layers.parts import Parts, UnusedArrays
from activations.importers.layers.stacked_layers import find_stacked
from activations.importers.layers.torch7_layers import find_torch7
from activations.importers.layers.torch_layers import find_torch
from activations.importers.layers.unread_kinds import named_kind, with_obstacles
from activations.importers.repeated import distinct

_Finder = Callable[[UnusedArrays, Mapping[str, Any]], Parts | None]
_OF_TRAINING = re.compile(r"(lr_?)?(optim|optimi[sz]er|scheduler)s?(_?(states?|dict|step))*", re.IGNORECASE)
_MANY_ASIDE = 3  # arrays of one container that is left aside; of more, the container is named
MAX_ARRAYS = 2_000
_MAX_ROLES = 10_000
_N_SHOWN = 8
_READ_MODULES = re.compile(
    r"(Embedding|Linear|(LSTM|GRU|RNN)(Cell|Base)?|\w*Dropout\w*|Identity|Module(List|Dict)?|Sequential|\w*Loss)"
)
_REPARAMETRISED_PAIRS = (("orig", "mask"), ("orig", "u"), ("g", "v"))
_REPARAMETRISED = re.compile(r"(.*weight\w*?|.*bias\w*?)_(orig|mask|g|v)|.*parametrizations\..*")


def find_parts(
    contents: Contents, prefix: str = "", has_vocabulary: Callable[[int], bool] = lambda n_characters: False
) -> Parts:
    """Find the input, the layers and the read-out of a model in the contents of a file.

    Args:
        contents: The contents of the file.
        prefix: Only arrays whose names begin with this are considered.
        has_vocabulary: Is there a vocabulary of so many characters? It tells which of two matrices is the read-out.

    Raises:
        ActivationError: If no model is found, or one of a kind that cannot be read.
    """
    candidates = {name for name in contents.roles if name.startswith(prefix) and not is_of_training(name)}
    arrays = {name: array for name, array in contents.arrays.items() if name in candidates and array.ndim}
    for n_arrays, limit in ((len(arrays), MAX_ARRAYS), (len(contents.roles), _MAX_ROLES)):
        if n_arrays > limit:
            raise ActivationError(f"{contents.kind} holds {n_arrays:,} arrays; no character model has that many")
    if kind := named_kind(arrays):
        raise ActivationError(kind)
    if reparametrised := next((name for name in arrays if _is_reparametrised(name, arrays)), None):
        raise ActivationError(
            f"{reparametrised} is what a weight is made from (pruning, weight or spectral normalisation), and not the "
            "weight itself; remove that in the program that has the model (torch.nn.utils.…remove), and save it again"
        )
    distinct_arrays = distinct(arrays)
    finders = (find_torch, find_keras, find_named, find_lists, find_weight_lists, _find_by_shapes)
    all_once = UnusedArrays(distinct_arrays.arrays, distinct_arrays.names, cache(has_vocabulary))
    finders_and_arrays = [(find, all_once) for find in finders]
    as_in_file = UnusedArrays(arrays)  # Torch7's networks say which arrays are the same
    for find, given in [(find_torch7, as_in_file), *finders_and_arrays]:
        parts = _found_by(find, given, contents.facts)
        if parts is not None:
            used_once = set(given.arrays) - {*parts.unused, *parts.aside}
            used = {name for one in used_once for name in distinct_arrays.in_file(one)}
            unused, aside = _left_over(contents, used, candidates - {*used, *parts.aside})
            notes = {**parts.notes, "repeated": distinct_arrays.repeated(sorted(used_once))}
            left_out = (*_left_out(contents, prefix), *_whole_numbers(contents, used))
            return replace(parts, notes=notes, unused=unused, aside=aside, left_out=left_out)
    _raise_nothing_found(contents, arrays, prefix)


def _found_by(find: _Finder, arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Look for a model in one way; if that fails, say which layers of other kinds the file has."""
    try:
        return find(arrays.copy(), facts)
    except ActivationError as error:
        shapes = {name: array.shape for name, array in arrays.arrays.items()}
        raise ActivationError(with_obstacles(str(error), shapes)) from error


def _find_by_shapes(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find layers of matrices under any names: of one matrix for each gate, for all, or for two of a GRU's three."""
    solutions, errors = [], []
    for find in (find_linears, find_stacked, find_paired):
        try:
            solutions.append(find(arrays.copy(), facts))
        except ActivationError as error:
            errors.append(error)
    best = best_of(parts for parts in solutions if parts is not None)
    if errors and best is None:
        raise errors[0]
    return best


def _raise_nothing_found(contents: Contents, arrays: Arrays, prefix: str) -> NoReturn:
    shapes = ", ".join(f"{name or 'an array'} {array.shape}" for name, array in list(arrays.items())[:_N_SHOWN])
    if len(arrays) > _N_SHOWN:
        shapes = f"{len(arrays):,} arrays, the first of which are {shapes}"
    way_out = "if the model's class is your own, --model-factory runs your code to build it"
    if contents.unread and not arrays:
        way_out = f"{contents.unread[0]} and others are tensors that pickle itself wrote; save the model by torch.save"
    elif prefix and contents.arrays and not arrays:
        way_out = f"of its {len(contents.arrays)} arrays none has a name that begins with {prefix}"
    elif not arrays:
        way_out = "give a file that has the weights of a model, or write this one again if it should have them"
    message = f"no recurrent layers are found in {contents.kind}, which holds {shapes or 'no arrays'}"
    in_the_way = with_obstacles("", {name: array.shape for name, array in arrays.items()})
    raise ActivationError(f"{message}{in_the_way}" if in_the_way else f"{message}; {way_out}")


def says_that_there_are_no_biases(facts: Mapping[str, Any]) -> bool:
    """Do the recurrent modules of PyTorch in a file, those that have a hidden size, all have the setting bias=False?"""
    holders = [name.rpartition(".")[0] for name in facts if name.rpartition(".")[2] == "hidden_size"]
    settings = [facts.get(f"{holder}.bias" if holder else "bias") for holder in holders]
    settings = [setting for setting in settings if isinstance(setting, bool)]
    return bool(settings) and not any(settings)


def is_of_training(name: str) -> bool:
    """Does the name say that an array belongs to an optimiser, such as one in `optimizer_state_dict`?"""
    return any(_OF_TRAINING.fullmatch(part) for part in name.split("."))


def _left_over(contents: Contents, used: set[str], candidates: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of unused arrays that may belong to the model, and of everything else that is not used.

    An unused array may belong to the model if it may be learned, and is in the innermost container that holds all
    arrays of the model.

    Args:
        contents: The contents of the file.
        used: Arrays that the model is made of.
        candidates: Other arrays that may belong to it.
    """
    roles = contents.roles
    model_path = _common_start([roles[name].path for name in used])
    kinds = {"learned"} | ({"list"} if any(roles[name].kind == "list" for name in used) else set())
    unused, aside = [], []
    for name, role in roles.items():
        if name in candidates and role.kind in kinds and role.path[: len(model_path)] == model_path:
            unused.append(name)
        elif name not in used:
            aside.append(name)
    aside += [_outermost_outside(model_path, (*path, name)) for name, path in contents.numbers.items()]
    return tuple(unused), tuple(dict.fromkeys(aside))


def shortened_aside(contents: Contents, parts: Parts) -> tuple[str, ...]:
    """Return what is left aside, with one name for many arrays of a container that does not hold the model.

    Args:
        contents: The contents of a file.
        parts: The parts of the model in it.
    """
    used = set(contents.roles) - {*parts.unused, *parts.aside}
    model_path = _common_start([contents.roles[name].path for name in used]) if used else ("",)
    names_by_container: dict[str, list[str]] = {}
    for name in parts.aside:
        path = contents.roles[name].path if name in contents.roles else model_path
        container = _outermost_outside(model_path, (*path, name))
        names_by_container.setdefault(_training_part(name) if container == name else container, []).append(name)
    shown: list[str] = []
    for container, names in names_by_container.items():
        shown += [f"{container} ({len(names)} arrays)"] if len(names) > _MANY_ASIDE else names
    return tuple(shown)


def _training_part(name: str) -> str:
    """Return a name up to the part that says that it belongs to an optimiser; the whole name if none does."""
    names = name.split(".")
    n = next((n for n, part in enumerate(names, 1) if _OF_TRAINING.fullmatch(part)), len(names))
    return ".".join(names[:n])


def _outermost_outside(model_path: NamePath, path: NamePath) -> str:
    """Return the outermost name on a path that does not hold the model, so that a list of losses is named once."""
    return path[len(_common_start([model_path, path[:-1]]))]


def _common_start(paths: list[NamePath]) -> NamePath:
    first, last = min(paths), max(paths)
    n = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:n]


def _is_reparametrised(name: str, arrays: Mapping[str, Any]) -> bool:
    """Is an array one of those from which PyTorch computes a weight before each use?"""
    match = _REPARAMETRISED.fullmatch(name)
    if match is None or "parametrizations." in name:
        return match is not None
    return any(f"{match[1]}_{a}" in arrays and f"{match[1]}_{b}" in arrays for a, b in _REPARAMETRISED_PAIRS)


def _whole_numbers(contents: Contents, names: Collection[str]) -> tuple[str, ...]:
    """Warn of matrices of whole numbers, which are quantised weights if the file has lost what to multiply them by."""
    matrices = [name for name in sorted(names) if (array := contents.arrays[name]).ndim > 1 and array.any()]
    whole = [name for name in matrices if contents.arrays[name].dtype.kind in "iu"]
    if not whole:
        return ()
    return (f"{whole[0]} has whole numbers; if they are quantised weights, their scales are missing",)


def _left_out(contents: Contents, prefix: str) -> tuple[str, ...]:
    """Name the modules of a pickled model that compute something without arrays of their own."""
    sentences = []
    for name, kind in contents.modules.items():
        family, _, class_name = kind.rpartition(".")
        computes = family.startswith("torch.nn.modules") and not _READ_MODULES.fullmatch(class_name)
        if computes and name.startswith(prefix):
            sentences.append(f"{name}, a {class_name}, is left out")
    return tuple(sentences)
