"""The contents of another program's file: arrays by name, and everything else that says something about a model."""

from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
NamePath = tuple[str, ...]
Kind = Literal["learned", "list", "aside"]


@dataclass(frozen=True, slots=True)
class ArrayRole:
    """The role that an array may have in a model, and where in the file it is.

    Attributes:
        kind: `learned` if it may be a weight; `list` for a list of numbers, which is a weight if all weights are lists;
            `aside` for what is not learned: integers, strings, empty arrays, attributes of a module, the state of an
            optimiser.
        path: Names of all dictionaries, lists and outermost modules that hold it, from the outermost inwards.
    """

    kind: Kind
    path: NamePath = ("",)


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """The contents of a file, by name.

    Names are those of all containers and of the thing itself, such as `state_dict.rnn.weight_ih_l0`.

    Attributes:
        kind: What kind of file it is, for people.
        arrays: Arrays that a model may be made of, in the order of the file.
        roles: The role of every array, also of those that no model is made of.
        numbers: The path of everything else that may be numbers: Python's floats and fractions, bytes, and empty lists,
            which some formats make of small arrays; without the settings of modules and optimisers.
        facts: Numbers and strings, such as `rnn.mode`.
        plain_values: Lists, dictionaries and strings, one of which may be a vocabulary.
        beside: Names of plain values that are from another file beside this one.
        modules: The classes of the parts of a pickled module.
        unread: Names of tensors of an unknown kind.
    """

    kind: str
    arrays: Arrays = field(default_factory=dict)
    roles: dict[str, ArrayRole] = field(default_factory=dict)
    numbers: dict[str, NamePath] = field(default_factory=dict)
    facts: dict[str, str | int | float] = field(default_factory=dict)
    plain_values: dict[str, Any] = field(default_factory=dict)
    beside: set[str] = field(default_factory=set)
    modules: dict[str, str] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    @classmethod
    def of_arrays(cls, kind: str, arrays: Arrays, **more: Any) -> "Contents":
        """Make contents from arrays in memory, all of them in one container."""
        roles = {name: ArrayRole("learned" if may_be_learned(array) else "aside") for name, array in arrays.items()}
        return cls(kind, {name: array for name, array in arrays.items() if may_be_weights(array)}, roles, **more)


def may_be_weights(array: NDArray[Any]) -> bool:
    """Can a model be made of an array? It holds real numbers, at least one."""
    return array.dtype.kind in "fiu" and array.size > 0


def may_be_learned(array: NDArray[Any]) -> bool:
    """Can an array have been learned? Integers, truth values, dates, strings and empty arrays are not."""
    return array.dtype.kind in "fcV" and array.size > 0
