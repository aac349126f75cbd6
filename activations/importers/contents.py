"""What a file of another program holds: arrays by name, and what stands beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.pickles import ObjectKey, SetItems, UnbuiltObject
from activations.importers.tensors import (
    Fetch,
    attributes_of_tensor,
    is_array,
    is_parameter,
    numpy_scalar,
    numpy_value,
    torch_array,
)

_MOST_PARTS = 1_000_000
_MOST_DEPTH = 60
_MOST_NAME = 500
_MOST_KEY = 200
_COPIES = 8  # a number of two characters in JSON becomes eight bytes
_SPARE_BYTES = 1_000_000

_NUMBERS = {"_codecs.encode", "decimal.Decimal", "fractions.Fraction"} | {
    f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("bytes", "bytearray")
}
_MODULE_PARTS = ("_parameters", "_buffers", "_modules")

Arrays = dict[str, NDArray[Any]]
Place = tuple[str, ...]
Kind = Literal["learned", "list", "aside"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an array stands in a file, and as what.

    Attributes:
        kind: `learned` if it may be a weight; `list` for a list of numbers, which is one if all weights are lists;
            `aside` for what is not learned: integers, strings, nothing at all, a module's attributes, an optimizer's
            state.
        place: The names of all dictionaries, lists and outermost modules that it stands in, from the outside in.
    """

    kind: Kind
    place: Place = ("",)


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What was found in a file.

    Attributes:
        kind: What the file is, for people.
        arrays: Those that a model may be made of, by their names, with those of all that they are in, such as
            `state_dict.rnn.weight_ih_l0`; in the order of the file.
        standings: Of every array, also of those that no model is made of.
        numbers: Python's floats and fractions, bytes, which may be numbers, and empty lists, which some formats make of
            small arrays; none of a module's or an optimizer's settings. By name: the names of all that each stands in.
        facts: Numbers and strings by name, such as `rnn.mode`.
        plain: Lists, dictionaries and strings in it, by name: what a vocabulary may be among.
        modules: The classes of a pickled module's parts, by name.
        unread: Tensors of a kind that is not known, by name.
    """

    kind: str
    arrays: Arrays = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    numbers: dict[str, Place] = field(default_factory=dict)
    facts: dict[str, str | int | float] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    @classmethod
    def of_arrays(cls, kind: str, arrays: Arrays, **more: Any) -> "Contents":
        """Arrays that stand beside one another."""
        standings = {name: Standing("learned" if _may_be_learned(array) else "aside") for name, array in arrays.items()}
        return cls(kind, {name: array for name, array in arrays.items() if _may_serve(array)}, standings, **more)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Something in a file.

    Attributes:
        name: With those of all that it is in.
        value: What it is.
        whole: What it is in; None for all that there is.
        depth: How many things it is in.
        in_module: Whether one of them is a module.
        is_aside: Whether it is an attribute of something or an optimizer's, and so no parameter.
        is_setting: Whether it is an attribute of a module or an optimizer's, which are settings for the most part.
    """

    name: str
    value: Any
    whole: "_Part | None" = None
    depth: int = 0
    in_module: bool = False
    is_aside: bool = False
    is_setting: bool = False

    @property
    def place(self) -> Place:
        """The names of all that it is in, but for all that is in the outermost module."""
        names, part = [], self
        while part.whole is not None:
            if not part.whole.in_module:
                names.append(part.whole.name)
            part = part.whole
        return tuple(reversed(names))


def flatten(kind: str, root: Any, n_bytes: int, fetch: Fetch | None = None) -> Contents:
    """All that is in a value, by name.

    Args:
        kind: What the file is, for people.
        root: What it holds.
        n_bytes: How large the file is; much more is not made of it, however often it repeats itself.
        fetch: Gives the numbers that are elsewhere.

    Raises:
        ActivationError: If it has more, or deeper, parts than any model, or arrays that are not whole.
    """
    found = Contents(kind)
    parameters: set[int] = set()
    seen: set[int] = set()
    made: dict[int, Any] = {}
    left = _COPIES * n_bytes + _SPARE_BYTES
    waiting, later = [_Part("", root)], list[_Part]()  # a module's attributes may hold what is a part of another one
    while waiting or later:
        part = (waiting or later).pop()
        value = part.value
        if id(value) not in made:
            try:
                value = made[id(part.value)] = _plain(value, fetch)
            except ActivationError as error:
                raise ActivationError(f"{part.name or 'all of it'}: {error}") from error
            left -= value.nbytes if isinstance(value, np.ndarray) else 0
        value = made[id(part.value)]
        if left < 0:
            raise ActivationError("its arrays are much larger than itself; no model's are")
        if isinstance(value, np.ndarray) and not (part.is_aside and _is_as_settings_are(part.value, value)):
            if not part.is_aside:
                parameters.add(id(part.value))
            if not (part.is_aside and id(part.value) in parameters):
                _add_array(found, part, value)
        elif is_array(value):
            name = _new_name(found, part.name)
            found.unread.append(name)
            found.standings[name] = Standing("aside" if part.is_aside else "learned", part.place)
            continue
        elif _is_array_of_no_numbers(part.value, value) and part.whole is not None:
            found.standings[_new_name(found, part.name)] = Standing("aside", part.place)
        elif part.whole is not None and not part.is_setting and _may_be_numbers(value):
            found.numbers[part.name] = part.place
        if isinstance(value, str | int | float):
            found.facts[part.name] = value
        if isinstance(value, str | list | tuple | dict):
            found.plain[part.name] = value
        if _is_module(value):
            found.modules[part.name] = value.maker
        if id(part.value) in seen:
            continue
        seen.add(id(part.value))
        if len(seen) + len(waiting) + len(later) + _n_parts(value) > _MOST_PARTS:
            raise ActivationError("it has more parts than any model needs")
        for each in reversed(list(_parts_of(part, value))):
            (later if each.is_aside else waiting).append(each)
    return found


def _add_array(found: Contents, part: _Part, array: NDArray[Any]) -> None:
    name = _new_name(found, part.name)
    if _may_serve(array) and not part.is_aside:
        found.arrays[name] = array
    if not _may_be_learned(array) or (part.is_aside and not is_parameter(part.value)):
        kind: Kind = "aside"
    else:
        kind = "list" if _is_plain_list(part.value) else "learned"
    found.standings[name] = Standing(kind, part.place)


def _may_serve(array: NDArray[Any]) -> bool:
    return array.dtype.kind in "fiu" and array.size > 0


def _may_be_learned(array: NDArray[Any]) -> bool:
    """Integers, truth values, dates and strings are not learned, nor is an array of no numbers."""
    return array.dtype.kind in "fcV" and array.size > 0


def _new_name(found: Contents, name: str) -> str:
    """The name; with a number if another array has it."""
    new, n = name, len(found.standings)
    while new in found.standings:
        n += 1
        new = f"{name} ({n})"
    return new


def _is_array_of_no_numbers(written: Any, value: Any) -> bool:
    """Is a value what an array of strings or of plain objects means? What else one holds has names of its own."""
    return (
        isinstance(value, list)
        and (isinstance(written, np.ndarray) or is_array(written))
        and not any(isinstance(_number(each), list | tuple | Mapping | UnbuiltObject) for each in value)
    )


def _may_be_numbers(value: Any) -> bool:
    """May it be numbers, though it is none of the arrays that are named one by one?"""
    if isinstance(value, UnbuiltObject):
        return value.maker in _NUMBERS
    return isinstance(value, float | bytes | bytearray | np.ndarray) or value == []


def _plain(value: Any, fetch: Fetch | None) -> Any:
    """A value as an array, a number or a list, if that is what it means; else as it is."""
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
    """Numbers, or equally long lists of numbers, Python's or numpy's."""
    rows: list[Sequence[Any]] = []
    for row in _rows(value):
        if not isinstance(row, list | tuple) or not row or len(row) != len(rows[0] if rows else row):
            return None
        numbers = [_number(each) for each in row] if UnbuiltObject in map(type, row) else row
        if not all(issubclass(kind, int | float | np.floating) for kind in set(map(type, numbers))):
            return None
        rows.append(numbers)
    array = np.array(rows if isinstance(value[0], list | tuple) else rows[0])
    return array.astype(np.float64) if array.dtype == object else array  # of integers of any size


def _rows(value: Sequence[Any]) -> Sequence[Any]:
    return value if isinstance(value[0], list | tuple) else [value]


def _number(value: Any) -> Any:
    """Numpy's numbers and strings as such, and all else as it is."""
    scalar = numpy_scalar(value) if isinstance(value, UnbuiltObject) else None
    return value if scalar is None else scalar


def _is_plain_list(value: Any) -> bool:
    """Of numbers in a list or tuple, or in several, or of anything else: is it a list of Python's own?"""
    return isinstance(value, list | tuple) and not any(UnbuiltObject in map(type, row) for row in _rows(value))


def _is_as_settings_are(written: Any, array: NDArray[Any]) -> bool:
    """Is an array a tuple of Python's own numbers, or a list of integers?"""
    return _is_plain_list(written) and (isinstance(written, tuple) or array.dtype.kind in "biu")


def _is_module(value: Any) -> bool:
    return isinstance(value, UnbuiltObject) and isinstance(value.state, Mapping) and "_modules" in value.state


def _n_parts(value: Any) -> int:
    if isinstance(value, UnbuiltObject):
        return len(value.arguments) + len(value.entries) + _n_parts(value.state)
    return len(value) if isinstance(value, list | tuple | Mapping) else 0


def _parts_of(whole: _Part, value: Any) -> Iterator[_Part]:
    """What a value holds."""
    in_module = whole.in_module or _is_module(value)

    def named(key: Any, part: Any, *, is_aside: bool = False, is_setting: bool = False) -> _Part:
        own = "".join(char if char.isprintable() else "?" for char in str(key)[:_MOST_KEY])
        name = f"{whole.name}.{own}" if whole.name else own
        if len(name) > _MOST_NAME:
            raise ActivationError("its names are longer than any model's")
        if whole.depth > _MOST_DEPTH:
            raise ActivationError("its parts are nested deeper than any model's")
        aside, setting = is_aside or whole.is_aside, is_setting or whole.is_setting
        return _Part(name, part, whole, whole.depth + 1, in_module, aside, setting)

    if isinstance(value, Mapping):
        is_optimizer = {"state", "param_groups"} <= value.keys()
        for key, part in value.items():
            yield named(key, part, is_aside=is_optimizer, is_setting=is_optimizer)
            for own in _parts_of_key(key):
                yield named(key, own, is_aside=True, is_setting=is_optimizer)
    elif isinstance(value, list | tuple):
        yield from (named(n, part) for n, part in enumerate(value))
    elif isinstance(value, UnbuiltObject):
        groups = [value.state.get(group) for group in _MODULE_PARTS] if isinstance(value.state, Mapping) else []
        for inner in (value.entries, *groups):
            if isinstance(inner, Mapping):
                yield from (named(key, part) for key, part in inner.items())
        yield from (named(n, part) for n, part in enumerate(value.arguments) if not isinstance(part, str))
        yield from (named(key, part, is_aside=True, is_setting=in_module) for key, part in _attributes(value))
    else:  # an array
        yield from (named(key, part, is_aside=True) for key, part in attributes_of_tensor(whole.value))


def _parts_of_key(key: Any) -> list[Any]:
    """What of a dictionary's key may be numbers."""
    value = key.value if isinstance(key, ObjectKey) else key
    return [
        each
        for each in (value if isinstance(value, tuple | SetItems) else [value])
        if isinstance(each, float | UnbuiltObject)
    ]


def _attributes(value: UnbuiltObject) -> Iterator[tuple[Any, Any]]:
    """What something is set to once it is made, but for a module's parameters, buffers and modules."""
    for state in value.state if isinstance(value.state, tuple) else (value.state,):
        if isinstance(state, Mapping):
            yield from ((key, part) for key, part in state.items() if key not in _MODULE_PARTS)
        elif state is not None:
            yield "state", state
