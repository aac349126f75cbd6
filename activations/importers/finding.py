"""Finding a model among the arrays of a file."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from activations.errors import ActivationError
from activations.importers.contents import Contents, Place
from activations.importers.linear_layers import find_linears
from activations.importers.numpy_layers import find_lists, find_named
from activations.importers.parts import Parts, Remaining
from activations.importers.torch_layers import find_torch

_OF_TRAINING = re.compile(r"(lr_?)?(optim|optimi[sz]er|scheduler)s?(_?(states?|dict|step))*", re.IGNORECASE)
_MOST_ARRAYS = 2_000
_MOST_BESIDE = 10_000
_SHOWN = 8
_READ_MODULES = re.compile(
    r"(Embedding|Linear|(LSTM|GRU|RNN)(Cell|Base)?|\w*Dropout\w*|Identity|Module(List|Dict)?|Sequential|\w*Loss)"
)
_PAIRS = (("orig", "mask"), ("orig", "u"), ("g", "v"))
_REWRITTEN = re.compile(r"(.*weight\w*?|.*bias\w*?)_(orig|mask|g|v)|.*parametrizations\..*")


def find_parts(contents: Contents, prefix: str = "") -> Parts:
    """Take a model apart.

    Args:
        contents: What is in a file.
        prefix: Only arrays whose names begin with this are looked at.

    Raises:
        ActivationError: If no model is found, or one that is not of a kind that can be read.
    """
    candidates = {name for name in contents.standings if name.startswith(prefix) and not _is_of_training(name)}
    arrays = {name: array for name, array in contents.arrays.items() if name in candidates and array.ndim}
    for n_arrays, most in ((len(arrays), _MOST_ARRAYS), (len(contents.standings), _MOST_BESIDE)):
        if n_arrays > most:
            raise ActivationError(f"{contents.kind} holds {n_arrays:,} arrays; no character model has so many")
    if rewritten := next((name for name in arrays if _is_rewritten(name, arrays)), None):
        raise ActivationError(
            f"{rewritten} is what a weight is made from (pruning, weight or spectral normalisation), and not the "
            "weight itself; remove that in the program that has the model (torch.nn.utils.…remove), and save it again"
        )
    for find in (find_torch, find_named, find_lists, find_linears):
        parts = find(Remaining(arrays), contents.facts)
        if parts is not None:
            used = set(arrays) - {*parts.unused, *parts.aside}
            unused, aside = _left_over(contents, used, candidates - {*used, *parts.aside})
            return replace(parts, unused=unused, aside=aside, left_out=_left_out(contents, prefix))
    shapes = ", ".join(f"{name or 'an array'} {array.shape}" for name, array in list(arrays.items())[:_SHOWN])
    if len(arrays) > _SHOWN:
        shapes = f"{len(arrays):,} arrays, the first of which are {shapes}"
    way_out = "if the model's class is your own, --model-factory runs your code to build it"
    if contents.unread and not arrays:
        way_out = f"{contents.unread[0]} and others are tensors that pickle itself wrote; save the model by torch.save"
    elif prefix and contents.arrays:
        way_out = f"of its {len(contents.arrays)} arrays none has a name that begins with {prefix}"
    raise ActivationError(
        f"no recurrent layers are found in {contents.kind}, which holds {shapes or 'no arrays'}; {way_out}"
    )


def _is_of_training(name: str) -> bool:
    """Is an array in what is called as the state of an optimizer is, such as `optimizer_state_dict`?"""
    return any(_OF_TRAINING.fullmatch(part) for part in name.split("."))


def _left_over(contents: Contents, used: set[str], candidates: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All that the model is not made of: what it may have learned, and the rest.

    What stands where all the rest of the model stands may be of it.

    Args:
        contents: What is in the file.
        used: The arrays that the model is made of.
        candidates: Those of the others that may be of it.
    """
    standings = contents.standings
    model = _common_start([standings[name].place for name in used])
    kinds = {"learned"} | ({"list"} if any(standings[name].kind == "list" for name in used) else set())
    unused, aside = [], []
    for name, standing in standings.items():
        if name in candidates and standing.kind in kinds and standing.place[: len(model)] == model:
            unused.append(name)
        elif name not in used:
            aside.append(name)
    aside += [_part_beside(model, (*place, name)) for name, place in contents.numbers.items()]
    return tuple(unused), tuple(dict.fromkeys(aside))


def _part_beside(model: Place, path: Place) -> str:
    """The outermost thing on the way to something that holds no part of the model, by which a history is one name."""
    return path[len(_common_start([model, path[:-1]]))]


def _common_start(places: list[Place]) -> Place:
    first, last = min(places), max(places)
    n = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:n]


def _is_rewritten(name: str, arrays: Mapping[str, Any]) -> bool:
    """Is an array one of the parts that PyTorch makes a weight from before each use?"""
    match = _REWRITTEN.fullmatch(name)
    if match is None or "parametrizations." in name:
        return match is not None
    base = match[1]
    return any(f"{base}_{one}" in arrays and f"{base}_{other}" in arrays for one, other in _PAIRS)


def _left_out(contents: Contents, prefix: str) -> tuple[str, ...]:
    """What a pickled module has that computes something, and stands in no array."""
    found = []
    for name, kind in contents.modules.items():
        family, _, own = kind.rpartition(".")
        if family.startswith("torch.nn.modules") and not _READ_MODULES.fullmatch(own) and name.startswith(prefix):
            found.append(f"{name}, a {own}, is left out")
    return tuple(found)
