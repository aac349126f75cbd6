"""What a file of another program holds: arrays by name, and what stands beside them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.models.importers.pickles import Elsewhere, Made
from activations.models.importers.tensors import Fetch, is_tensor, numpy_scalar, numpy_value, torch_array

_MOST_PARTS = 1_000_000
_MOST_DEPTH = 60
_MOST_NAME = 500
_MOST_KEY = 200
_COPIES = 8  # a number of two characters in JSON becomes eight bytes
_SPARE_BYTES = 1_000_000

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """What was found in a file.

    Attributes:
        kind: What the file is, for people.
        arrays: By their names, with those of all that they are in, such as `state_dict.rnn.weight_ih_l0`; in the
            order of the file.
        containers: For each array that may be a weight, the dictionary or module that it stands in. Lists of numbers
            are none, unless they are all that there is.
        facts: Numbers and strings by name, such as `rnn.mode`.
        plain: Lists, dictionaries and strings in it, by name: what a vocabulary may be among.
        modules: The classes of a pickled module's parts, by name.
        unread: Tensors of a kind that is not known, by name.
    """

    kind: str
    arrays: Arrays = field(default_factory=dict)
    containers: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str | int | float] = field(default_factory=dict)
    plain: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Something in a file.

    Attributes:
        name: With those of all that it is in.
        value: What it is.
        depth: How many things it is in.
        container: The dictionary or the outermost module that it is in.
        is_attribute: Whether it is a module's attribute, and so no parameter.
    """

    name: str
    value: Any
    depth: int
    container: str
    is_attribute: bool = False


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
    seen: set[int] = set()
    made: dict[int, Any] = {}
    left = _COPIES * n_bytes + _SPARE_BYTES
    waiting = [_Part("", root, 0, "")]
    while waiting:
        part = waiting.pop()
        value = part.value
        if id(value) not in made:
            value = made[id(part.value)] = _plain(value, fetch)
            left -= value.nbytes if isinstance(value, np.ndarray) else 0
        value = made[id(part.value)]
        if left < 0:
            raise ActivationError("its arrays are much larger than itself; no model's are")
        if isinstance(value, np.ndarray):
            _add_array(found, part, value)
            continue
        if isinstance(value, str | int | float):
            found.facts[part.name] = value
        if isinstance(value, str | list | tuple | dict):
            found.plain[part.name] = value
        if isinstance(value, Made) and (is_tensor(value) or any(isinstance(a, Elsewhere) for a in value.arguments)):
            found.unread.append(part.name)
        if isinstance(value, Made) and isinstance(value.state, Mapping) and "_modules" in value.state:
            found.modules[part.name] = value.maker
        if id(part.value) in seen or part.depth > _MOST_DEPTH:
            continue
        seen.add(id(part.value))
        if len(seen) + len(waiting) + _n_parts(value) > _MOST_PARTS:
            raise ActivationError("it has more parts than any model needs")
        waiting.extend(reversed(list(_parts_of(part, value))))
    return found


def _add_array(found: Contents, part: _Part, array: NDArray[Any]) -> None:
    if array.dtype.kind not in "fiu" or part.is_attribute or not array.size:
        return
    found.arrays[part.name] = array
    is_weight = array.dtype.kind == "f" and array.size > 1 and not isinstance(part.value, list)
    if is_weight:
        found.containers[part.name] = part.container


def _plain(value: Any, fetch: Fetch | None) -> Any:
    """A value as an array, a number or a list, if that is what it means; else as it is."""
    if isinstance(value, list) and value:
        numbers = _list_of_numbers(value)
        return value if numbers is None else numbers
    if not isinstance(value, Made):
        return value
    for meaning in (numpy_value(value), numpy_scalar(value), None if fetch is None else torch_array(value, fetch)):
        if meaning is not None:
            return meaning
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


def _n_parts(value: Any) -> int:
    return len(value) if isinstance(value, list | tuple | Mapping) else 0


def _parts_of(whole: _Part, value: Any) -> Iterator[_Part]:
    """What a value holds."""

    def named(key: Any, part: Any, container: str, *, is_attribute: bool = False) -> _Part:
        own = "".join(char if char.isprintable() else "?" for char in str(key)[:_MOST_KEY])
        name = f"{whole.name}.{own}" if whole.name else own
        if len(name) > _MOST_NAME:
            raise ActivationError("its names are longer than any model's")
        return _Part(name, part, whole.depth + 1, container, is_attribute or whole.is_attribute)

    if isinstance(value, Mapping):
        yield from (named(key, part, whole.name) for key, part in value.items())
    elif isinstance(value, list | tuple):
        yield from (named(n, part, whole.container) for n, part in enumerate(value))
    elif isinstance(value, Made) and isinstance(value.state, Mapping):
        for group in ("_parameters", "_buffers", "_modules"):
            if isinstance(inner := value.state.get(group), Mapping):
                yield from (named(key, part, whole.container) for key, part in inner.items())
        for key, part in value.state.items():
            if str(key)[:1] != "_":
                yield named(key, part, whole.container, is_attribute=True)
