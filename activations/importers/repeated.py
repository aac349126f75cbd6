"""Arrays that a file has more than once: tied weights, modules under two names, weights beside their dropped copy."""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.importers.contents import Arrays

_N_COMPARED = 64  # numbers that differ in nearly all arrays that differ; the rest is compared where these are equal
_RAW = re.compile(r"(?P<module>.*?)(?P<name>weight_\w+?)_raw")


class DistinctArrays(NamedTuple):
    """The arrays of a file, each once.

    Attributes:
        arrays: The arrays by the names that the layers of PyTorch would give them.
        names: All names in the file of every one of these arrays.
    """

    arrays: Arrays
    names: dict[str, tuple[str, ...]]

    def in_file(self, name: str) -> tuple[str, ...]:
        """Return all names that an array has in the file."""
        return self.names.get(name, (name,))

    def repeated(self, names: Collection[str]) -> str:
        """Say which of some arrays the file has under several names; empty if it has none of them twice."""
        return "; ".join(" = ".join(several) for name in names if len(several := self.in_file(name)) > 1)


def distinct(arrays: Mapping[str, NDArray[Any]]) -> DistinctArrays:
    """Keep one of several equal arrays, and the whole one of a weight and its copy in which dropout made zeros.

    Matrices are the same if their numbers are, and their names end alike (`encoder.weight`, `decoder.weight`) and
    differ in more than numbers: `cells.0.weight_ih` and `cells.1.weight_ih` may be equal, and are two. Vectors are the
    same if, besides, a matrix beside one is the same as that beside the other: biases may be equal by chance.
    """
    renamed = _without_dropped_copies(arrays)
    kept: Arrays = {}
    names, same_modules = dict(renamed.names), set[tuple[str, str]]()
    by_content: dict[tuple[Any, ...], list[str]] = {}
    for name, array in sorted(renamed.arrays.items(), key=lambda item: item[1].ndim < 2):  # matrices first
        key = (array.shape, array.dtype.str, array.reshape(-1)[:_N_COMPARED].tobytes())
        first = next(
            (
                earlier
                for earlier in by_content.get(key, [])
                if np.array_equal(kept[earlier], array) and _is_same(earlier, name, array, same_modules)
            ),
            None,
        )
        if first is None:
            kept[name] = array
            by_content.setdefault(key, []).append(name)
        else:
            names[first] = (*names.get(first, (first,)), *names.get(name, (name,)))
            same_modules.add(_different_parts(first, name))
    return DistinctArrays({name: kept[name] for name in renamed.arrays if name in kept}, names)


def _without_dropped_copies(arrays: Mapping[str, NDArray[Any]]) -> DistinctArrays:
    """Give the weights `..._raw` of weight dropping the names of the layer's own, of which dropout makes copies."""
    renamed, names = dict(arrays), dict[str, tuple[str, ...]]()
    for raw in arrays:
        match = _RAW.fullmatch(raw)
        if match is None:
            continue
        beside = match["name"].replace("weight_hh", "weight_ih")
        wrapped = f"{match['module']}module."  # of fastai and AWD-LSTM, whose layer is inside the dropping one
        is_wrapped = f"{wrapped}{beside}" in arrays or f"{wrapped}{match['name']}" in arrays
        name = f"{wrapped if is_wrapped else match['module']}{match['name']}"
        names[name] = (raw, name) if name in arrays else (raw,)
        renamed[name] = renamed.pop(raw)
    return DistinctArrays(renamed, names)


def _is_same(first: str, second: str, array: NDArray[Any], same_modules: set[tuple[str, str]]) -> bool:
    """Are two equal arrays one under two names?"""
    if re.sub(r"\d+", "", first) == re.sub(r"\d+", "", second) and not _are_wrappers(first, second):
        return False
    if array.ndim < 2:
        return _different_parts(first, second) in same_modules
    is_constant = array.size == 0 or bool((array == array.flat[0]).all())
    return not is_constant and first.rpartition(".")[2] == second.rpartition(".")[2]


def _are_wrappers(first: str, second: str) -> bool:
    return first.endswith(f".{second}") or second.endswith(f".{first}")


def _different_parts(first: str, second: str) -> tuple[str, str]:
    """Return the names of two modules without what they end in alike."""
    ends = [name.split(".") for name in (first, second)]
    while ends[0] and ends[1] and ends[0][-1] == ends[1][-1]:
        ends = [end[:-1] for end in ends]
    return ".".join(ends[0]), ".".join(ends[1])
