"""Recognising that a file has the same model several times, such as its weights and their moving average."""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from activations.errors import ActivationError
from activations.importers.contents import Contents
from activations.importers.finding import MAX_ARRAYS, find_parts, is_of_training
from activations.importers.torch7.networks import Network, UnreadNetwork

_N_SHOWN = 6
_MAX_DEPTH = 12  # of containers that may hold a whole model
_MAX_KINDS = 12  # of containers that are tried, the largest first


def refuse_copies(contents: Contents, prefix: str = "") -> None:
    """Refuse a file in which arrays of the same names and shapes, with other numbers, are a whole model each.

    Args:
        contents: The contents of the file.
        prefix: Only arrays whose names begin with this are considered.

    Raises:
        ActivationError: If the file has several models of the same names; the message says how to choose one.
    """
    if any(isinstance(fact, Network | UnreadNetwork) for fact in contents.facts.values()):
        return  # which say which of their arrays are the same
    if len(contents.arrays) > MAX_ARRAYS:  # which is refused anyway
        return
    names = [name for name in contents.arrays if name.startswith(prefix) and not is_of_training(name)]
    suffixes_by_prefix: dict[str, list[str]] = {}
    for name in names:
        for inner in accumulate(f"{part}." for part in name.split(".")[:-1][:_MAX_DEPTH]):
            suffixes_by_prefix.setdefault(inner, []).append(name.removeprefix(inner))
    prefixes_by_copy: dict[frozenset[tuple[str, tuple[int, ...]]], list[str]] = {}
    for inner, suffixes in suffixes_by_prefix.items():
        copy = frozenset((suffix, contents.arrays[inner + suffix].shape) for suffix in suffixes)
        prefixes_by_copy.setdefault(copy, []).append(inner)
    several = [(copy, prefixes) for copy, prefixes in prefixes_by_copy.items() if len(prefixes) > 1 and len(copy) > 1]
    largest_first = sorted(several, key=lambda item: (-len(item[0]), len(item[1][0])))
    for copy, prefixes in largest_first[:_MAX_KINDS]:
        suffixes = sorted(suffix for suffix, _ in copy)
        if _are_models(contents, prefixes, suffixes):
            raise ActivationError(
                f"the file has a model of the same names {len(prefixes)} times with other numbers, such as weights and "
                f"their moving average; choose one with {_or([f'--prefix {inner}' for inner in prefixes])}"
            )


def _are_models(contents: Contents, prefixes: Sequence[str], suffixes: Sequence[str]) -> bool:
    """Is what stands under each of some prefixes a whole model, and not the same one again?"""
    first, *others = prefixes
    if all(_have_same_numbers(contents, first, inner, suffixes) for inner in others):
        return False
    try:
        return not find_parts(contents, first).unused
    except ActivationError:
        return False


def _have_same_numbers(contents: Contents, first: str, second: str, suffixes: Sequence[str]) -> bool:
    arrays = contents.arrays
    return all(np.array_equal(arrays[first + suffix], arrays[second + suffix]) for suffix in suffixes)


def _or(options: Sequence[str]) -> str:
    shown = options[:_N_SHOWN]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"
