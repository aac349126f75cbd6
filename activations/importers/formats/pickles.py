"""Reading pickles without running what is in them.

A pickle is a program for a small stack machine. This is such a machine, on which nothing can be called: a class or
function that a pickle names remains a name, and the arguments of a call are kept beside it.
"""

import itertools
import os
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from pickletools import OpcodeInfo, opcodes
from typing import IO, Any, BinaryIO, cast

from activations.errors import ActivationError
from activations.importers.formats.pickled_values import GlobalName, ObjectKey, PersistentId, SetItems, UnbuiltObject

MAX_OPERATIONS = 2_000_000
MAX_STRINGS = 300_000
"""More than any vocabulary has; numbers may be as many as there are operations."""

MAX_BYTES = 2_000_000_000
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
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in opcodes}
_MAX_INT_KEY = 1 << 48  # larger ones could be chosen to have equal hashes, which makes dictionaries slow
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError, UnicodeError)


class _Mark:
    """A mark on the stack."""


@dataclass(slots=True)
class _Machine:
    stack: list[Any] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    persistent: list[PersistentId] = field(default_factory=list)
    n_copied: int = 0  # a pickle can repeat the same copy any number of times

    def count(self, n_copied: int) -> None:
        self.n_copied += n_copied
        if self.n_copied > MAX_OPERATIONS:
            raise ValueError("it copies the same objects too often")

    def pop(self) -> Any:
        value = self.stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("there is a mark where a value is expected")
        return value

    def top(self) -> Any:
        if isinstance(self.stack[-1], _Mark):
            raise ValueError("there is a mark where a value is expected")
        return self.stack[-1]

    def pop_to_mark(self) -> list[Any]:
        mark = len(self.stack) - 1
        while not isinstance(self.stack[mark], _Mark):
            mark -= 1
            if mark < 0:
                raise ValueError("there is no mark")
        values = self.stack[mark + 1 :]
        del self.stack[mark:]
        return values


def read_pickle(
    file: BinaryIO, persistent_ids: list[PersistentId] | None = None, *, max_operations: int = MAX_OPERATIONS
) -> Any:
    """Read the pickle that starts at the current position of a file.

    Numbers, strings, lists, tuples and dictionaries are returned as themselves (sets as lists, and keys that are not
    plain values as `ObjectKey`), everything else as `GlobalName`, `UnbuiltObject` and `PersistentId`.

    Args:
        file: Open for reading; afterwards positioned behind the pickle.
        persistent_ids: A list to which everything that is stored outside the pickle is appended.
        max_operations: Number of operations above which a pickle is refused.

    Raises:
        ActivationError: If the pickle is damaged, too large, or uses operations that no model needs.
    """
    machine = _Machine(persistent=[] if persistent_ids is None else persistent_ids)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in old strings
            for opcode, argument in _operations(file, max_operations):
                _OPERATIONS[opcode.name](machine, argument)
        return machine.pop()
    except ActivationError:
        raise
    except _MALFORMED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ActivationError(f"the pickle is damaged ({reason[:120]})") from error


def _operations(file: BinaryIO, max_operations: int) -> Iterator[tuple[OpcodeInfo, Any]]:
    """Yield the operations of a pickle with their arguments, as `pickletools.genops` does, in half the time."""
    limited, n_strings = _Limited(file), 0
    for n_done in itertools.count():
        code = limited.read(1)
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise ValueError("an operation is unknown" if code else "it ends too early")
        if opcode.name == "STOP":
            return
        if n_done >= max_operations:
            raise ActivationError(f"the pickle has more than {max_operations:,} steps; no model needs that many")
        if opcode.name not in _OPERATIONS:
            raise ActivationError(f"the pickle uses {opcode.name}, which no model needs")
        n_strings += opcode.name in _STRINGS
        if n_strings > MAX_STRINGS:
            raise ActivationError(f"the pickle has more than {MAX_STRINGS:,} strings; no model needs that many")
        yield opcode, opcode.arg and opcode.arg.reader(cast(IO[bytes], limited))


class _Limited:
    """A file of which at most `MAX_BYTES` are read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.tell()
        # the rest of the file limits what is read, since reading allocates as many bytes as are requested
        self._left = min(MAX_BYTES, file.seek(0, os.SEEK_END) - start)
        file.seek(start)

    def read(self, n_bytes: int) -> bytes:
        content = self._file.read(n_bytes if n_bytes <= self._left else self._left)
        self._left -= len(content)
        return content

    def readline(self) -> bytes:
        content = self._file.readline(self._left)
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
    def pop_tuple(machine: _Machine, argument: Any) -> None:
        values = [machine.pop() for _ in range(n)]
        machine.stack.append(tuple(reversed(values)))

    return pop_tuple


def _dict(values: list[Any]) -> dict[Any, Any]:
    items: dict[Any, Any] = {}
    _put(items, values)
    return items


def _put(into: Any, values: list[Any]) -> None:
    entries = into.entries if isinstance(into, UnbuiltObject) else into
    if isinstance(entries, dict):
        for key, value in zip(values[::2], values[1::2], strict=True):
            entries[key if _is_plain(key) else ObjectKey(key)] = value


def _is_plain(key: Hashable) -> bool:
    return key is None or isinstance(key, str | bytes | float) or (isinstance(key, int) and abs(key) < _MAX_INT_KEY)


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
    """Push the result of a call: a dictionary, list or set if that is what it makes, otherwise an `UnbuiltObject`."""
    if (
        isinstance(maker, PersistentId)
        and isinstance(maker.description, tuple)
        and maker.description[:1] == ("module",)
    ):
        maker = maker.description[1]  # PyTorch before 1.6 wrote a class with its source
    name = maker.name if isinstance(maker, GlobalName) else ""
    positional = arguments if isinstance(arguments, tuple) else ()
    result: Any = UnbuiltObject(name, positional)
    if name in _DICTS:
        result = _dict_of(machine, positional)
    elif name in _LISTS:
        result = positional[0] if positional and isinstance(positional[0], list | tuple) else []
        if "set" in name:
            machine.count(len(result))
            result = SetItems(result)
    machine.stack.append(result)


def _dict_of(machine: _Machine, arguments: Sequence[Any]) -> dict[Any, Any]:
    """Make a dictionary from the arguments of its class: none, pairs, or another dictionary."""
    content = arguments[0] if arguments else ()
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
    if isinstance(target := machine.top(), UnbuiltObject):
        target.state = state


def _drop(machine: _Machine, argument: Any) -> None:
    machine.stack.pop()


def _drop_to_mark(machine: _Machine, argument: Any) -> None:
    machine.pop_to_mark()


def _double(machine: _Machine, argument: Any) -> None:
    machine.stack.append(machine.top())


def _persistent(machine: _Machine, argument: Any) -> None:
    machine.persistent.append(PersistentId(machine.pop()))
    machine.stack.append(machine.persistent[-1])


def _persistent_line(machine: _Machine, argument: str) -> None:
    machine.persistent.append(PersistentId(argument))
    machine.stack.append(machine.persistent[-1])


def _nothing(machine: _Machine, argument: Any) -> None:
    pass


_STRINGS = frozenset(
    [
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "BYTEARRAY8",
        "UNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
    ]
)
_OPERATIONS: dict[str, Operation] = {
    **dict.fromkeys(("PROTO", "FRAME"), _nothing),
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"), _push),
    **dict.fromkeys(_STRINGS, _push),
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
