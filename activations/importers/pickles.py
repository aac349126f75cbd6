"""Reading pickles without running what is in them.

A pickle is a program for a small machine with a stack. This is such a machine on which nothing can be called: a class
or function that is named stays a name, and what it would have been called with is kept beside it.
"""

import os
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pickletools import OpcodeInfo, genops
from typing import IO, Any, BinaryIO, cast

from activations.errors import ActivationError

MOST_OPERATIONS = 2_000_000
MOST_BYTES = 2_000_000_000
_DICTS = {
    f"{module}.{name}"
    for module, names in {
        "collections": ("OrderedDict", "defaultdict", "Counter"),
        "builtins": ("dict",),
        "__builtin__": ("dict",),
    }.items()
    for name in names
}
_LISTS = {f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("list", "set", "frozenset")}
_MOST_INT = 1 << 48  # larger ones can be made to have the same hash
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError, UnicodeError)


@dataclass(frozen=True, slots=True)
class GlobalName:
    """A class or function that a pickle names. It is never looked up.

    Attributes:
        name: With its module, such as `torch.nn.modules.rnn.LSTM`.
    """

    name: str


@dataclass(slots=True, eq=False, repr=False)
class UnbuiltObject:
    """What would have been an object.

    Attributes:
        maker: The name of what would have made it.
        arguments: What it would have been given.
        state: What it would have been set to afterwards: its attributes, as a rule.
        entries: What it would have been given by key, as dictionaries of all kinds are, or one after another, by
            number, as lists are.
    """

    maker: str
    arguments: tuple[Any, ...]
    state: Any = None
    entries: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PersistentId:
    """Something that is not in the pickle, but beside it.

    Attributes:
        place: What the pickle says of it.
    """

    place: Any


@dataclass(frozen=True, slots=True, eq=False)
class ObjectKey:
    """What would have been the key of a dictionary, and is no plain value.

    Attributes:
        value: What it would have been.
    """

    value: Any

    def __str__(self) -> str:
        return f"a key of kind {type(self.value).__name__}"


class SetItems(list[Any]):
    """What would have been a set."""


class _Mark:
    """A place on the stack."""


@dataclass(slots=True)
class _Machine:
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    elsewhere: list[PersistentId] = field(default_factory=list)
    n_copied: int = 0  # a pickle can ask for the same copy again and again

    def count(self, n_copied: int) -> None:
        self.n_copied += n_copied
        if self.n_copied > MOST_OPERATIONS:
            raise ValueError("it copies the same again and again")

    def pop(self) -> Any:
        value = self.stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("a mark stands where a value should be")
        return value

    def top(self) -> Any:
        if isinstance(self.stack[-1], _Mark):
            raise ValueError("a mark stands where a value should be")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while not isinstance(self.stack[place], _Mark):
            place -= 1
            if place < 0:
                raise ValueError("there is no mark")
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values


def read_pickle(file: BinaryIO, elsewhere: list[PersistentId] | None = None) -> Any:
    """What a pickle says, from where a file stands to the end of the pickle.

    Numbers, strings, lists, tuples and dictionaries come as they are (sets as lists, and keys that are no plain values
    as `ObjectKey`); all else as `GlobalName`, `UnbuiltObject` and `PersistentId`.

    Args:
        file: Open for reading; afterwards it stands behind the pickle.
        elsewhere: All that is said to be elsewhere is put here, too.

    Raises:
        ActivationError: If it is damaged, too large, or uses what only a program would.
    """
    machine = _Machine(elsewhere=[] if elsewhere is None else elsewhere)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in old strings
            for opcode, argument in _operations(file):
                _OPERATIONS[opcode.name](machine, argument)
        return machine.pop()
    except ActivationError:
        raise
    except _MALFORMED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ActivationError(f"the pickle is damaged ({reason[:120]})") from error


def _operations(file: BinaryIO) -> Iterator[tuple[OpcodeInfo, Any]]:
    for n, (opcode, argument, _) in enumerate(genops(cast(IO[bytes], _Limited(file)))):
        if opcode.name == "STOP":
            return
        if n >= MOST_OPERATIONS:
            raise ActivationError(f"the pickle has more than {MOST_OPERATIONS:,} steps; no model needs so many")
        if opcode.name not in _OPERATIONS:
            raise ActivationError(f"the pickle uses {opcode.name}, which no model needs")
        yield opcode, argument


class _Limited:
    """A file of which no more than so much is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        place = file.tell()
        self._left = min(MOST_BYTES, file.seek(0, os.SEEK_END) - place)  # a buffer is as large as what is asked for
        file.seek(place)

    def read(self, n_bytes: int) -> bytes:
        return self._count(self._file.read(min(n_bytes, self._left)))

    def readline(self) -> bytes:
        return self._count(self._file.readline(self._left))

    def tell(self) -> int:
        return self._file.tell()

    def _count(self, content: bytes) -> bytes:
        self._left -= len(content)
        return content


Operation = Callable[[_Machine, Any], None]


def _push(machine: _Machine, argument: Any) -> None:
    machine.stack.append(argument)


def _constant(make: Callable[[], Any]) -> Operation:
    return lambda machine, argument: machine.stack.append(make())


def _from_mark(make: Callable[[list[Any]], Any]) -> Operation:
    return lambda machine, argument: machine.stack.append(make(machine.pop_to_mark()))


def _tuple_of(n: int) -> Operation:
    def take(machine: _Machine, argument: Any) -> None:
        values = [machine.pop() for _ in range(n)]
        machine.stack.append(tuple(reversed(values)))

    return take


def _dict(values: list[Any]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    _put(found, values)
    return found


def _put(into: Any, values: list[Any]) -> None:
    entries = into.entries if isinstance(into, UnbuiltObject) else into
    if isinstance(entries, dict):
        for key, value in zip(values[::2], values[1::2], strict=True):
            entries[key if _is_plain(key) else ObjectKey(key)] = value


def _is_plain(key: Hashable) -> bool:
    return key is None or isinstance(key, str | bytes | float) or (isinstance(key, int) and abs(key) < _MOST_INT)


def _extend(into: Any, values: list[Any]) -> None:
    if isinstance(into, list):
        into.extend(values)
    elif isinstance(into, UnbuiltObject):
        n = len(into.entries)
        into.entries.update(enumerate(values, n))


def _append(machine: _Machine, argument: Any) -> None:
    value = machine.pop()
    _extend(machine.top(), [value])


def _appends(machine: _Machine, argument: Any) -> None:
    values = machine.pop_to_mark()
    _extend(machine.top(), values)


def _set_item(machine: _Machine, argument: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _put(machine.top(), [key, value])


def _set_items(machine: _Machine, argument: Any) -> None:
    values = machine.pop_to_mark()
    _put(machine.top(), values)


def _remember(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo) if argument is None else argument] = machine.top()


def _recall(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.memo[argument])


def _name(machine: _Machine, argument: str) -> None:
    machine.stack.append(GlobalName(argument.replace(" ", ".")))


def _name_from_stack(machine: _Machine, argument: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.stack.append(GlobalName(f"{str(module)[:200]}.{str(name)[:200]}" if isinstance(module, str) else "?"))


def _make(machine: _Machine, maker: Any, arguments: Any) -> None:
    """Keep what would have been called. Dictionaries and lists of other names are what they are."""
    if isinstance(maker, PersistentId) and isinstance(maker.place, tuple) and maker.place[:1] == ("module",):
        maker = maker.place[1]  # as PyTorch before 1.6 wrote a class, with its source
    name = maker.name if isinstance(maker, GlobalName) else ""
    given = arguments if isinstance(arguments, tuple) else ()
    made: Any = UnbuiltObject(name, given)
    if name in _DICTS:
        made = _dict_of(machine, given)
    elif name in _LISTS:
        made = given[0] if given and isinstance(given[0], list | tuple) else []
        if "set" in name:
            machine.count(len(made))
            made = SetItems(made)
    machine.stack.append(made)


def _dict_of(machine: _Machine, given: Sequence[Any]) -> dict[Any, Any]:
    """A dictionary from what its class was called with: nothing, pairs, or another dictionary."""
    content = given[0] if given else ()
    if isinstance(content, dict):
        return content
    pairs = content if isinstance(content, list | tuple) else ()
    machine.count(len(pairs))
    return _dict([part for pair in pairs if isinstance(pair, list | tuple) and len(pair) == 2 for part in pair])


def _reduce(machine: _Machine, argument: Any) -> None:
    arguments, maker = machine.pop(), machine.pop()
    _make(machine, maker, arguments)


def _reduce_with_names(machine: _Machine, argument: Any) -> None:
    by_name, arguments, maker = machine.pop(), machine.pop(), machine.pop()
    _make(machine, maker, (*arguments, by_name) if isinstance(arguments, tuple) and by_name else arguments)


def _object(machine: _Machine, argument: Any) -> None:
    maker, *arguments = machine.pop_to_mark()
    _make(machine, maker, tuple(arguments))


def _instance(machine: _Machine, argument: str) -> None:
    _make(machine, GlobalName(argument.replace(" ", ".")), tuple(machine.pop_to_mark()))


def _build(machine: _Machine, argument: Any) -> None:
    state = machine.pop()
    if isinstance(made := machine.top(), UnbuiltObject):
        made.state = state


def _drop(machine: _Machine, argument: Any) -> None:
    machine.stack.pop()


def _drop_to_mark(machine: _Machine, argument: Any) -> None:
    machine.pop_to_mark()


def _double(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.top())


def _persistent(machine: _Machine, argument: Any) -> None:
    machine.elsewhere.append(PersistentId(machine.pop()))
    machine.stack.append(machine.elsewhere[-1])


def _persistent_line(machine: _Machine, argument: str) -> None:
    machine.elsewhere.append(PersistentId(argument))
    machine.stack.append(machine.elsewhere[-1])


def _nothing(machine: _Machine, argument: Any) -> None:
    pass


_OPERATIONS: dict[str, Operation] = {
    **dict.fromkeys(("PROTO", "FRAME"), _nothing),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"), _push),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"), _push),
    **dict.fromkeys(("BYTEARRAY8", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"), _push),
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    "EMPTY_LIST": _constant(list),
    "EMPTY_TUPLE": _constant(tuple),
    "EMPTY_DICT": _constant(dict),
    "EMPTY_SET": _constant(SetItems),
    "MARK": _constant(_Mark),
    "LIST": _from_mark(list),
    "TUPLE": _from_mark(tuple),
    "DICT": _from_mark(_dict),
    "FROZENSET": _from_mark(SetItems),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "POP": _drop,
    "POP_MARK": _drop_to_mark,
    "DUP": _double,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _recall),
    "GLOBAL": _name,
    "STACK_GLOBAL": _name_from_stack,
    "INST": _instance,
    "OBJ": _object,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _reduce_with_names,
    "BUILD": _build,
    "PERSID": _persistent_line,
    "BINPERSID": _persistent,
}
