"""A writer of Torch7's serialisation, from its Lua and C sources and independently of the reader."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TYPES = {"Double": "<f8", "Float": "<f4", "Cuda": "<f4", "Cl": "<f4", "Long": "<i8", "Int": "<i4", "Byte": "<u1"}


@dataclass(eq=False)
class Lua:
    """A Lua table; any value may be a key."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)

    def set(self, key: Any, value: Any) -> "Lua":
        self.pairs.append((key, value))
        return self


@dataclass(eq=False)
class Object:
    """An object of a Torch class."""

    name: str
    fields: Lua


@dataclass(eq=False)
class LuaStorage:
    """Consecutive numbers."""

    kind: str
    numbers: NDArray[Any]


@dataclass(eq=False)
class LuaTensor:
    """A view of a storage, contiguous if no strides are given."""

    storage: LuaStorage | None
    shape: tuple[int, ...] = ()
    start: int = 0
    strides: tuple[int, ...] | None = None
    kind: str = "Double"

    def array(self) -> Array:
        assert self.storage is not None
        n = int(np.prod(self.shape))
        return self.storage.numbers[self.start : self.start + n].reshape(self.shape)


@dataclass(eq=False)
class LuaFunction:
    """A function, as bytecode and the variables that it has brought with it."""

    code: bytes
    upvalues: Any
    kind: int = 8


def table(**entries: Any) -> Lua:
    return Lua(list(entries.items()))


def both_ways(values: Sequence[Any]) -> Lua:
    """Return a table of values by number and of their numbers by value."""
    return Lua([*enumerate(values, 1), *((value, n) for n, value in enumerate(values, 1))])


def array_of(values: Sequence[Any]) -> Lua:
    return Lua([(n + 1, value) for n, value in enumerate(values)])


class Writer:
    """Writes values one after another, each object once."""

    def __init__(self, ascii: bool = False, long_bytes: int = 8, versions: bool = True) -> None:
        self.ascii, self.long_bytes, self.versions = ascii, long_bytes, versions
        self.out: list[bytes] = []
        self.indices: dict[int, int] = {}

    def numbers(self, form: str, *values: Any) -> None:
        if not values:
            return
        if self.ascii:
            spec = {"d": "%.17g", "f": "%.9g"}.get(form, "%d")
            self.out.append((" ".join(spec % value for value in values) + "\n").encode())
        else:
            form = {"l": {8: "q", 4: "i"}[self.long_bytes]}.get(form, form)
            self.out.append(struct.pack(f"<{len(values)}{form}", *values))

    def string(self, value: bytes) -> None:
        self.numbers("i", len(value))
        self.out.append(value + b"\n" if self.ascii and value else value)

    def write(self, root: Any) -> None:
        """Write a value and its parts, each before the next one; not recursive, so that it may be deep."""
        waiting = [root]
        while waiting:
            waiting += reversed(self.begin(waiting.pop()))

    def begin(self, value: Any) -> list[Any]:
        """Write the beginning of a value, and return its parts, which follow."""
        if value is None:
            self.numbers("i", 0)
        elif isinstance(value, bool):
            self.numbers("i", 5)
            self.numbers("i", int(value))
        elif isinstance(value, int | float):
            self.numbers("i", 1)
            self.numbers("d", float(value))
        elif isinstance(value, str | bytes):
            self.numbers("i", 2)
            self.string(value.encode() if isinstance(value, str) else value)
        else:
            kind = 3 if isinstance(value, Lua) else value.kind if isinstance(value, LuaFunction) else 4
            self.numbers("i", kind)
            is_known = id(value) in self.indices
            self.numbers("i", self.indices.setdefault(id(value), len(self.indices) + 1))
            return [] if is_known else self.content(value)
        return []

    def content(self, value: Any) -> list[Any]:
        if isinstance(value, Lua):
            self.numbers("i", len(value.pairs))
            return [part for pair in value.pairs for part in pair]
        if isinstance(value, LuaFunction):
            self.string(value.code)
            return [value.upvalues]
        if isinstance(value, Object):
            self.header(value.name)
            return [value.fields]
        if isinstance(value, LuaTensor):
            self.header(f"torch.{value.kind}Tensor")
            strides = value.strides or tuple(int(np.prod(value.shape[n + 1 :])) for n in range(len(value.shape)))
            self.numbers("i", len(value.shape))
            self.numbers("l", *value.shape)
            self.numbers("l", *strides)
            self.numbers("l", value.start + 1)
            return [value.storage]
        self.storage(value)
        return []

    def storage(self, value: LuaStorage) -> None:
        self.header(f"torch.{value.kind}Storage")
        numbers = np.asarray(value.numbers, TYPES[value.kind])
        self.numbers("l", len(numbers))
        if value.kind == "Long":
            self.numbers("l", *numbers.tolist())
        elif self.ascii and value.kind != "Byte":
            self.numbers("f" if numbers.itemsize == 4 else "d", *numbers.tolist())
        else:
            self.out.append(numbers.tobytes())

    def header(self, name: str) -> None:
        if self.versions:
            self.string(b"V 1")
        self.string(name.encode())


def dumps(*values: Any, **options: Any) -> bytes:
    """Return a file that holds values."""
    writer = Writer(**options)
    for value in values:
        writer.write(value)
    return b"".join(writer.out)


def save(path: Path, *values: Any, **options: Any) -> Path:
    """Write values to a file."""
    path.write_bytes(dumps(*values, **options))
    return path
