"""What a file of another program holds: arrays by name, and what stands beside them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.models.importers.pickles import Made
from activations.models.importers.tensors import (
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

_MODULE_PARTS = ("_parameters", "_buffers", "_modules")

Arrays = dict[str, NDArray[Any]]
Place = tuple[str, ...]
Kind = Literal["learned", "list", "aside"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an array stands in a file, and as what.

    Attributes:
        kind: `learned` if it may be a weight; `list` for a list of numbers, which is one if all weights are lists;
            `aside` for what is not learned: integers, nothing at all, a module's attributes, an optimizer's state.
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
        numbers: Floats and empty lists, which some formats make of small arrays: the name of what each stands in, by
            their own.
        facts: Numbers and strings by name, such as `rnn.mode`.
        plain: Lists, dictionaries and strings in it, by name: what a vocabulary may be among.
        modules: The classes of a pickled module's parts, by name.
        unread: Tensors of a kind that is not known, by name.
    """

    kind: str
    arrays: Arrays = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)
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
        is_aside: Whether it is a module's attribute or an optimizer's, and so no parameter.
    """

    name: str
    value: Any
    whole: "_Part | None" = None
    depth: int = 0
    in_module: bool = False
    is_aside: bool = False

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
        if isinstance(value, np.ndarray):
            if not part.is_aside:
                parameters.add(id(part.value))
            if not (part.is_aside and (id(part.value) in parameters or _is_list_of_integers(part.value))):
                _add_array(found, part, value)
        elif is_array(value):
            name = _new_name(found, part.name)
            found.unread.append(name)
            found.standings[name] = Standing("aside" if part.is_aside else "learned", part.place)
            continue
        elif (isinstance(value, float) or value == []) and part.whole is not None and not part.is_aside:
            found.numbers[part.name] = part.whole.name
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
    learned = _may_be_learned(array) and (not part.is_aside or is_parameter(part.value))
    if not learned or _is_list_of_integers(part.value):
        kind: Kind = "aside"
    else:
        kind = "list" if isinstance(part.value, list) else "learned"
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


def _plain(value: Any, fetch: Fetch | None) -> Any:
    """A value as an array, a number or a list, if that is what it means; else as it is."""
    if isinstance(value, Made):
        for meaning in (numpy_value(value), numpy_scalar(value), None if fetch is None else torch_array(value, fetch)):
            if meaning is not None:
                value = meaning
                break
    if isinstance(value, list) and value:
        numbers = _list_of_numbers(value)
        return value if numbers is None else numbers
    return value


def _list_of_numbers(values: list[Any]) -> NDArray[np.float64] | None:
    """Numbers, or equally long lists of numbers."""
    rows = values if isinstance(values[0], list) else [values]
    n_numbers = len(rows[0])
    for row in rows:
        if not isinstance(row, list) or len(row) != n_numbers or not row:
            return None
        if not all(type(number) is float or type(number) is int for number in row):
            return None
    return np.array(values, np.float64)


def _is_list_of_integers(value: Any) -> bool:
    """Of numbers in a list, or of anything else."""
    if not isinstance(value, list):
        return False
    rows = value if isinstance(value[0], list) else [value]
    return all(type(number) is int for row in rows for number in row)


def _is_module(value: Any) -> bool:
    return isinstance(value, Made) and isinstance(value.state, Mapping) and "_modules" in value.state


def _n_parts(value: Any) -> int:
    if isinstance(value, Made):
        return len(value.arguments) + len(value.entries) + _n_parts(value.state)
    return len(value) if isinstance(value, list | tuple | Mapping) else 0


def _parts_of(whole: _Part, value: Any) -> Iterator[_Part]:
    """What a value holds."""
    in_module = whole.in_module or _is_module(value)

    def named(key: Any, part: Any, *, is_aside: bool = False) -> _Part:
        own = "".join(char if char.isprintable() else "?" for char in str(key)[:_MOST_KEY])
        name = f"{whole.name}.{own}" if whole.name else own
        if len(name) > _MOST_NAME:
            raise ActivationError("its names are longer than any model's")
        if whole.depth > _MOST_DEPTH:
            raise ActivationError("its parts are nested deeper than any model's")
        return _Part(name, part, whole, whole.depth + 1, in_module, is_aside or whole.is_aside)

    if isinstance(value, Mapping):
        is_optimizer = {"state", "param_groups"} <= value.keys()
        yield from (named(key, part, is_aside=is_optimizer) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from (named(n, part) for n, part in enumerate(value))
    elif isinstance(value, Made):
        groups = [value.state.get(group) for group in _MODULE_PARTS] if isinstance(value.state, Mapping) else []
        for inner in (value.entries, *groups):
            if isinstance(inner, Mapping):
                yield from (named(key, part) for key, part in inner.items())
        yield from (named(key, part, is_aside=True) for key, part in _attributes(value))
    else:  # an array
        yield from (named(key, part, is_aside=True) for key, part in attributes_of_tensor(whole.value))


def _attributes(value: Made) -> Iterator[tuple[Any, Any]]:
    """All that something holds besides its entries, and a module's parameters, buffers and modules."""
    for state in value.state if isinstance(value.state, tuple) else (value.state,):
        if isinstance(state, Mapping):
            yield from ((key, part) for key, part in state.items() if key not in _MODULE_PARTS)
        elif state is not None:
            yield "state", state
    yield from ((n, part) for n, part in enumerate(value.arguments) if not isinstance(part, str))
