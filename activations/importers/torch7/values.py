"""The values that files of Lua Torch hold."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray


@dataclass(slots=True, eq=False, repr=False)
class Table:
    """A Lua table; keys that are neither strings, numbers nor truth values are `ObjectKey`.

    Attributes:
        entries: Values by key; strings that are not UTF-8 are bytes, and whole numbers are integers.
    """

    entries: dict[Any, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False, repr=False)
class TorchObject:
    """An object of a Torch class, such as `nn.Linear`.

    Attributes:
        class_name: Name of its class.
        attributes: Its attributes by name.
    """

    class_name: str
    attributes: dict[Any, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False, repr=False)
class Storage:
    """Consecutive numbers, of which tensors are views.

    Attributes:
        numbers: (n_numbers,)
    """

    numbers: NDArray[Any]


@dataclass(slots=True, eq=False, repr=False)
class Tensor:
    """A view of some of the numbers of a storage.

    Attributes:
        array: Its numbers, a read-only view of those of its storage.
        storage: Its storage; None if it has no numbers.
    """

    array: NDArray[Any]
    storage: Storage | None = None


@dataclass(slots=True, eq=False, repr=False)
class Function:
    """A Lua function, whose bytecode is not kept.

    Attributes:
        upvalues: The variables that it has brought from where it was made.
    """

    upvalues: Any = None


class File(NamedTuple):
    """The value that a file holds, and what is counted in it.

    Attributes:
        root: Its value, or a list of all values if it was written to several times.
        n_tensors: Number of tensors that have numbers.
    """

    root: Any
    n_tensors: int


def items_of_list(table: Table) -> list[Any] | None:
    """Return the values of a table whose keys are 1 to n, in that order; None for any other table."""
    n = len(table.entries)
    if not n or not all(type(key) is int and 1 <= key <= n for key in table.entries):
        return None
    return [table.entries[key] for key in range(1, n + 1)]


def ordered_values(value: Any) -> Iterator[Any]:
    """Yield the values of the keys 1, 2, … of a table, as Lua's `ipairs`; nothing if it is no table."""
    entries = value.entries if isinstance(value, Table) else {}
    n = 1
    while n in entries and entries[n] is not None:
        yield entries[n]
        n += 1
