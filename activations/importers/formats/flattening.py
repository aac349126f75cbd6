"""Flattening what a file holds, however it is nested, to its `Contents`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.contents import ArrayRole, Contents, Kind, NamePath, may_be_learned, may_be_weights
from activations.importers.formats.pickled_values import ObjectKey, SetItems, UnbuiltObject, is_scripted
from activations.importers.formats.tensors import (
    Fetch,
    as_bytes,
    attributes_of_tensor,
    is_array,
    is_parameter,
    numpy_scalar,
    numpy_value,
    torch_array,
)

_MAX_NODES = 200_000
_MAX_DEPTH = 60
_MANY_WORDS = 1_000
_MAX_NAME = 500
_MAX_KEY = 200
_MAX_EXPANSION = 8  # a number of two characters in JSON becomes eight bytes
_SPARE_BYTES = 1_000_000

_NUMBER_MAKERS = {"_codecs.encode", "decimal.Decimal", "fractions.Fraction"} | {
    f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("bytes", "bytearray")
}
_MANGLED = re.compile(r"__torch__\.|___torch_mangle_\d+\.")  # what TorchScript adds to the names of classes
_TYPED_VALUES = {
    f"torch.jit._pickle.{name}"
    for name in ("restore_type_tag", "build_intlist", "build_tensorlist", "build_doublelist", "build_boollist")
}
_MODULE_PARTS = ("_parameters", "_buffers", "_modules")


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A value in the nest that a file holds.

    Attributes:
        name: Its name, which includes those of all containers.
        value: The value as it was read.
        parent: The node that holds it; None for the root.
        depth: Number of nodes that hold it.
        in_module: True if one of these is a module.
        is_aside: True if it is an attribute of something or belongs to an optimiser, and therefore is no parameter.
        is_setting: True if it is an attribute of a module or belongs to an optimiser: usually a setting.
    """

    name: str
    value: Any
    parent: "_Node | None" = None
    depth: int = 0
    in_module: bool = False
    is_aside: bool = False
    is_setting: bool = False

    @property
    def path(self) -> NamePath:
        """Names of all nodes that hold it, except those inside the outermost module."""
        names, node = [], self
        while node.parent is not None:
            if not node.parent.in_module:
                names.append(node.parent.name)
            node = node.parent
        return tuple(reversed(names))


def flatten(kind: str, root: Any, n_bytes: int, fetch: Fetch | None = None) -> Contents:
    """Collect everything in a value by name.

    Args:
        kind: What kind of file it is, for people.
        root: The value that the file holds.
        n_bytes: Size of the file, which limits the memory of its arrays, however often it repeats itself.
        fetch: Returns the numbers that are stored outside the pickle.

    Raises:
        ActivationError: If the value has more parts than any model, or deeper ones, or if an array is not complete.
    """
    contents = Contents(kind)
    parameters: set[int] = set()  # ids of values, all of which stay alive meanwhile
    visited: set[int] = set()
    values = _Values(fetch, _MAX_EXPANSION * n_bytes + _SPARE_BYTES)
    # attributes come last, since a module's attributes may hold what is a parameter of another module
    waiting, waiting_attributes = [_Node("", root)], list[_Node]()
    n_nodes = 0
    while waiting or waiting_attributes:
        node, n_nodes = (waiting or waiting_attributes).pop(), n_nodes + 1
        value = values.of(node)
        if is_array(value):  # one that could not be converted
            name = _new_name(contents, node.name)
            contents.unread.append(name)
            contents.roles[name] = ArrayRole("aside" if node.is_aside else "learned", node.path)
            continue
        _add(contents, node, value, parameters)
        if id(node.value) in visited:
            continue
        visited.add(id(node.value))
        if n_nodes + len(waiting) + len(waiting_attributes) + _n_children(value) > _MAX_NODES:
            raise ActivationError("it has more parts than any model needs; save the weights alone")
        for child in reversed(list(_children(node, value))):
            (waiting_attributes if child.is_aside else waiting).append(child)
    return contents


class _Values:
    """The values of nodes as arrays, numbers and lists, each converted once and in bounded memory."""

    def __init__(self, fetch: Fetch | None, max_bytes: int) -> None:
        self._fetch, self._bytes_left = fetch, max_bytes
        self._converted: dict[int, Any] = {}

    def of(self, node: _Node) -> Any:
        key = id(node.value)
        if key not in self._converted:
            try:
                value = _converted(node.value, self._fetch)
            except ActivationError as error:
                raise ActivationError(f"{node.name or 'all of it'}: {error}") from error
            self._bytes_left -= value.nbytes if isinstance(value, np.ndarray) else 0
            self._converted[key] = value
        if self._bytes_left < 0:
            raise ActivationError("its arrays are much larger than itself; no model's are")
        return self._converted[key]


def _add(contents: Contents, node: _Node, value: Any, parameters: set[int]) -> None:
    """Add a node to the contents.

    Args:
        contents: What the node is added to.
        node: The node.
        value: Its converted value.
        parameters: Ids of the values of arrays that are not attributes, to which this one's is added.
    """
    if isinstance(value, np.ndarray) and not (node.is_aside and _looks_like_setting(node.value, value)):
        if not node.is_aside:
            parameters.add(id(node.value))
        if not (node.is_aside and id(node.value) in parameters):
            _add_array(contents, node, value)
    elif _is_array_of_objects(node.value, value) and node.parent is not None:
        contents.roles[_new_name(contents, node.name)] = ArrayRole("aside", node.path)
    elif node.parent is not None and not node.is_setting and _may_be_numbers(value):
        contents.numbers[node.name] = node.path
    if isinstance(value, str | int | float):
        contents.facts[node.name] = value
    if isinstance(value, str | bytes | bytearray | list | tuple | dict) or _may_be_list(value):
        contents.plain_values[node.name] = value
    elif isinstance(value, UnbuiltObject) and value.entries:  # of a class of its own that is a dictionary or list
        contents.plain_values[node.name] = value.entries
    elif isinstance(value, UnbuiltObject) and (raw := as_bytes(value)) is not None:
        contents.plain_values[node.name] = raw
    if _is_module(value):
        contents.modules[node.name] = _MANGLED.sub("", value.maker)


def _add_array(contents: Contents, node: _Node, array: NDArray[Any]) -> None:
    name = _new_name(contents, node.name)
    if may_be_weights(array) and not node.is_aside:
        contents.arrays[name] = array
    if not may_be_learned(array) or (node.is_aside and not is_parameter(node.value)):
        kind: Kind = "aside"
    else:
        kind = "list" if _is_plain_list(node.value) else "learned"
    contents.roles[name] = ArrayRole(kind, node.path)


def _new_name(contents: Contents, name: str) -> str:
    """Return a name that no array has yet, by appending a number if necessary."""
    new, n = name, len(contents.roles)
    while new in contents.roles:
        n += 1
        new = f"{name} ({n})"
    return new


def _children(node: _Node, value: Any) -> Iterator[_Node]:
    """Yield the nodes that a node holds."""
    in_module = node.in_module or _is_module(value)

    def child(key: Any, part: Any, *, is_aside: bool = False, is_setting: bool = False) -> _Node:
        own_name = "".join(char if char.isprintable() else "?" for char in str(key)[:_MAX_KEY])
        name = f"{node.name}.{own_name}" if node.name else own_name
        if len(name) > _MAX_NAME:
            raise ActivationError("its names are longer than any model's")
        if node.depth > _MAX_DEPTH:
            raise ActivationError("its parts are nested deeper than any model's")
        return _Node(
            name, part, node, node.depth + 1, in_module, is_aside or node.is_aside, is_setting or node.is_setting
        )

    if _is_word_list(value):
        return
    if isinstance(value, Mapping):
        is_optimizer = {"state", "param_groups"} <= value.keys()
        for key, part in value.items():
            yield child(key, part, is_aside=is_optimizer, is_setting=is_optimizer)
            for number in _numbers_in_key(key):
                yield child(key, number, is_aside=True, is_setting=is_optimizer)
    elif isinstance(value, list | tuple):
        yield from (child(n, part) for n, part in enumerate(value))
    elif is_scripted(value) and isinstance(value.state, Mapping):
        for key, part in value.state.items():
            is_part = is_array(part) or is_scripted(part)
            yield child(key, part, is_aside=not is_part, is_setting=not is_part)
    elif isinstance(value, UnbuiltObject):
        groups = [value.state.get(group) for group in _MODULE_PARTS] if isinstance(value.state, Mapping) else []
        for parts in (value.entries, *groups):
            if isinstance(parts, Mapping):
                yield from (child(key, part) for key, part in parts.items())
        yield from (child(n, part) for n, part in enumerate(value.arguments) if not isinstance(part, str))
        yield from (child(key, part, is_aside=True, is_setting=in_module) for key, part in _attributes(value))
    else:  # an array, or a plain value, which holds nothing
        yield from (child(key, part, is_aside=True) for key, part in attributes_of_tensor(node.value))


def _is_word_list(value: Any) -> bool:
    """Is a value a long list or dictionary of strings and whole numbers, such as a vocabulary, which holds no more?"""
    if not isinstance(value, Mapping | list | tuple) or len(value) < _MANY_WORDS:
        return False
    parts = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
    return set(map(type, parts)) <= {str, int}


def _numbers_in_key(key: Any) -> list[Any]:
    """Return the parts of a dictionary's key that may be numbers."""
    value = key.value if isinstance(key, ObjectKey) else key
    parts = value if isinstance(value, tuple | SetItems) else [value]
    return [part for part in parts if isinstance(part, float | UnbuiltObject)]


def _attributes(value: UnbuiltObject) -> Iterator[tuple[Any, Any]]:
    """Yield the attributes of an object, without a module's parameters, buffers and modules."""
    for state in value.state if isinstance(value.state, tuple) else (value.state,):
        if isinstance(state, Mapping):
            yield from ((key, part) for key, part in state.items() if key not in _MODULE_PARTS)
        elif state is not None:
            yield "state", state


def _n_children(value: Any) -> int:
    if _is_word_list(value):
        return 0
    if isinstance(value, UnbuiltObject):
        return len(value.arguments) + len(value.entries) + _n_children(value.state)
    return len(value) if isinstance(value, list | tuple | Mapping) else 0


def _is_module(value: Any) -> bool:
    has_parts = isinstance(value, UnbuiltObject) and isinstance(value.state, Mapping)
    return has_parts and ("_modules" in value.state or is_scripted(value))


def _converted(value: Any, fetch: Fetch | None) -> Any:
    """Return the array, number or list that a value stands for, or the value itself."""
    if isinstance(value, UnbuiltObject) and value.maker in _TYPED_VALUES and value.arguments:
        value = value.arguments[0]
    if isinstance(value, UnbuiltObject):
        for meaning in (numpy_value(value), numpy_scalar(value), None if fetch is None else torch_array(value, fetch)):
            if meaning is not None:
                value = meaning
                break
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return value.ravel().tolist()
    if isinstance(value, np.inexact):
        return np.asarray(value)
    if isinstance(value, list | tuple) and value:
        numbers = _array_of_numbers(value)
        return value if numbers is None else numbers
    return value


def _array_of_numbers(value: Sequence[Any]) -> NDArray[Any] | None:
    """Convert a list of numbers, or of equally long lists of numbers, to an array; None if it is something else."""
    rows: list[Sequence[Any]] = []
    for row in _rows(value):
        if not isinstance(row, list | tuple) or not row or len(row) != len(rows[0] if rows else row):
            return None
        numbers = [_number(item) for item in row] if UnbuiltObject in map(type, row) else row
        if not all(issubclass(kind, int | float | np.floating) for kind in set(map(type, numbers))):
            return None
        rows.append(numbers)
    array = np.array(rows if isinstance(value[0], list | tuple) else rows[0])
    return array.astype(np.float64) if array.dtype == object else array  # integers of any size make an object array


def _rows(value: Sequence[Any]) -> Sequence[Any]:
    return value if isinstance(value[0], list | tuple) else [value]


def _number(value: Any) -> Any:
    """Return numpy's numbers and strings as such, and anything else unchanged."""
    scalar = numpy_scalar(value) if isinstance(value, UnbuiltObject) else None
    return value if scalar is None else scalar


def _is_plain_list(value: Any) -> bool:
    """Is a value that became an array a list or tuple of Python's own numbers?"""
    return isinstance(value, list | tuple) and not any(UnbuiltObject in map(type, row) for row in _rows(value))


def _looks_like_setting(original: Any, array: NDArray[Any]) -> bool:
    """Was an array a tuple of Python's own numbers, or a list of integers, as settings are?"""
    return _is_plain_list(original) and (isinstance(original, tuple) or array.dtype.kind in "biu")


def _may_be_list(value: Any) -> bool:
    """Is a value a one-dimensional array of integers or bytes, as which lists of code points may be saved?"""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iuS"


def _is_array_of_objects(original: Any, value: Any) -> bool:
    """Is a value an array of strings or plain objects? Anything else in such an array is named by itself."""
    return (
        isinstance(value, list)
        and (isinstance(original, np.ndarray) or is_array(original))
        and not any(isinstance(_number(item), list | tuple | Mapping | UnbuiltObject) for item in value)
    )


def _may_be_numbers(value: Any) -> bool:
    """Could a value be numbers, although it is not one of the arrays?"""
    if isinstance(value, UnbuiltObject):
        return value.maker in _NUMBER_MAKERS
    return isinstance(value, float | bytes | bytearray | np.ndarray) or value == []
