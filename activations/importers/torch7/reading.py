"""Reading Torch7's serialisation (`.t7`), without running anything in it.

A file is a value in prefix notation: a number for its type, then what belongs to the type. Tables, objects and
functions have an index, by which they are referred to when they occur again; so a file may hold cycles. Functions are
Lua bytecode, which is skipped.

Source:
    github.com/torch/torch7: `File.lua`, `generic/Tensor.c`, `generic/Storage.c`, `lib/TH/THDiskFile.c`.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.formats.pickled_values import ObjectKey
from activations.importers.torch7.sources import ENTRY, Ascii, Binary
from activations.importers.torch7.values import File, Function, Storage, Table, Tensor, TorchObject

_NIL, _NUMBER, _STRING, _TABLE, _TORCH, _BOOLEAN, _OLD_FUNCTION = range(7)
_FUNCTIONS = (7, 8)
_TYPES = range(9)
_MAX_VALUES = 500_000
_MAX_OPEN = 20_000  # values inside one another; graphs are written as deep as they are long
_MAX_ROOTS = 8
_MAX_NUMBERS_IN_TABLES = 2_000_000
_MIN_BULK = 8  # entries of a table of numbers from which it is read as a whole
_MAX_AXES = 8
_MAX_NAME = 200
_MAX_INTEGER = 1 << 48
_DTYPES = {
    "Double": "<f8",
    "Float": "<f4",
    "Half": "<f2",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "<i1",
    "Byte": "<u1",
}
_ARRAY_CLASS = re.compile(r"torch\.(?P<device>Cuda|Cl)?(?P<kind>\w*?)(?P<form>Tensor|Storage)")
_START = re.compile(rb"[\x03\x04]\0\0\0\x01\0\0\0|[34]\r?\n1\r?\n")


def is_torch7(start: bytes) -> bool:
    """Do the first bytes of a file look like Torch7's, in the binary or the ASCII format?"""
    return _START.match(start) is not None


def read_torch7(file: BinaryIO, size: int) -> File:
    """Read what a file holds.

    Raises:
        ActivationError: If the file is damaged, or holds more than any model needs.
    """
    if b"\0" not in file.read(8):
        return _Reader(Ascii(file, size)).read_all()
    reader = _Reader(Binary(file, size))
    try:
        return reader.read_all()
    except ActivationError:
        if not reader.has_longs:
            raise
        try:
            return _Reader(Binary(file, size, long_bytes=4)).read_all()  # from a machine of 32 bits
        except ActivationError:
            pass
        raise


@dataclass(slots=True, eq=False)
class _Open:
    """Something that has been begun and still takes values from the file.

    Attributes:
        value: A table, object, tensor or function.
        n_left: Number of values that it still takes.
        key: The key of the next value of a table.
        view: Shape, strides and start of a tensor, which takes its storage.
    """

    value: Any
    n_left: int = 1
    key: Any = None
    view: tuple[Sequence[int], Sequence[int], int] | None = None

    def take(self, value: Any) -> None:
        self.n_left -= 1
        if isinstance(self.value, Table):
            self._take_entry(value)
        elif isinstance(self.value, TorchObject):
            if not isinstance(value, Table):
                raise ActivationError(f"objects of the class {self.value.class_name} are written in an unknown way")
            self.value.attributes = value.entries
        elif isinstance(self.value, Function):
            self.value.upvalues = value
        elif self.view is not None:
            self.value.array, self.value.storage = _view(value, *self.view), value

    def _take_entry(self, value: Any) -> None:
        if self.n_left % 2:  # each key comes before its value
            self.key = _key(value)
            if self.key in self.value.entries:
                raise ActivationError("a table has two entries of the same key")
        else:
            self.value.entries[self.key] = value


class _Reader:
    """Reads values one after another; nothing in it is recursive.

    Attributes:
        has_longs: True once something was read whose size depends on the machine that wrote it.
    """

    def __init__(self, source: Binary) -> None:
        self._source = source
        self._by_index: dict[int, Any] = {}
        self._open: list[_Open] = []
        self._tensors: list[Tensor] = []
        self._n_values = 0
        self._n_numbers = 0
        self._bulk_left = source.bytes_left // ENTRY.itemsize + _MIN_BULK
        self.has_longs = False

    def read_all(self) -> File:
        values: list[Any] = []
        while not values or self._source.bytes_left:
            if len(values) == _MAX_ROOTS:
                raise ActivationError(f"it was written to more than {_MAX_ROOTS} times; save all of it in one table")
            values.append(self._read())
        n_tensors = sum(tensor.array.size > 0 for tensor in self._tensors)
        return File(values if len(values) > 1 else values[0], n_tensors)

    def _read(self) -> Any:
        root = self._next()
        while self._open:
            last = self._open[-1]
            if len(self._open) > _MAX_OPEN:
                raise ActivationError("its parts are nested deeper than any model's")
            if last.n_left:
                last.take(self._next())
            else:
                self._open.pop()
        return root

    def _next(self) -> Any:
        """Read the beginning of a value; what has parts is opened, and gets them later."""
        self._n_values += 1
        if self._n_values > _MAX_VALUES:
            raise ActivationError(f"it has more than {_MAX_VALUES:,} parts; no model needs that many")
        kind = self._source.integer()
        if kind == _NUMBER:
            number = self._source.number()
            return int(number) if number.is_integer() and abs(number) < _MAX_INTEGER else number
        if kind == _STRING:
            return _decoded(self._source.characters(self._source.integer()))
        if kind == _NIL:
            return None
        if kind == _BOOLEAN:
            return self._source.integer() == 1
        if kind == _OLD_FUNCTION:
            return self._function()
        if kind not in _TYPES:
            raise ActivationError(f"it is damaged: there is no type {kind}")
        index = self._source.integer()
        if index not in self._by_index:
            value = self._function() if kind in _FUNCTIONS else self._table() if kind == _TABLE else self._object()
            self._by_index[index] = value
        return self._by_index[index]

    def _function(self) -> Function:
        self._source.characters(self._source.integer())  # the bytecode
        function = Function()
        self._open.append(_Open(function))
        return function

    def _table(self) -> Table:
        n = self._source.integer()
        if not 0 <= n <= self._source.bytes_left // 4:
            raise ActivationError("it is truncated or damaged: a table has more entries than there are")
        if n >= _MIN_BULK and (entries := self._numbers(n)) is not None:
            return Table(entries)
        table = Table()
        self._open.append(_Open(table, 2 * n))
        return table

    def _numbers(self, n: int) -> dict[Any, Any] | None:
        """Read the entries of a table if all of them are numbers, such as the losses of a training."""
        if n > self._bulk_left:
            return None
        numbers = self._source.table_of_numbers(n)
        if numbers is None:
            self._bulk_left -= n  # which limits how often the same bytes are looked at
            return None
        self._n_numbers += n
        if self._n_numbers > _MAX_NUMBERS_IN_TABLES:
            raise ActivationError(f"its tables have more than {_MAX_NUMBERS_IN_TABLES:,} numbers; no model needs that")
        keys = [int(key) if key.is_integer() and abs(key) < _MAX_INTEGER else key for key in numbers["key"].tolist()]
        entries = dict(zip(keys, numbers["value"].tolist(), strict=True))
        if len(entries) < n:
            raise ActivationError("a table has two entries of the same key")
        return entries

    def _object(self) -> Any:
        name = self._source.characters(self._source.integer())
        if name.startswith(b"V "):  # the version of the class
            name = self._source.characters(self._source.integer())
        class_name = "".join(char for char in name[:_MAX_NAME].decode("latin-1") if char.isprintable())
        match = _ARRAY_CLASS.fullmatch(class_name)
        if match is None:
            self._open.append(_Open(unknown := TorchObject(class_name)))
            return unknown
        kind = match["kind"] or ("Float" if match["device"] else "")
        if kind not in _DTYPES:
            raise ActivationError(f"it has numbers of the kind {class_name}, which are not read")
        self.has_longs = True
        if match["form"] == "Storage":
            return Storage(self._source.numbers(_DTYPES[kind], self._source.longs(1)[0]))
        n_axes = self._source.integer()
        if not 0 <= n_axes <= _MAX_AXES:
            raise ActivationError(f"it is damaged: a tensor has {n_axes} axes")
        shape, strides = self._source.longs(n_axes), self._source.longs(n_axes)
        tensor = Tensor(np.zeros(0, np.float32))
        self._tensors.append(tensor)
        self._open.append(_Open(tensor, view=(shape, strides, self._source.longs(1)[0] - 1)))
        return tensor


def _view(storage: Any, shape: Sequence[int], strides: Sequence[int], start: int) -> NDArray[Any]:
    """Return the numbers of a storage that a tensor takes, once it is checked that the storage has all of them."""
    if storage is None or not shape:
        return np.zeros(0, np.float32)
    if not isinstance(storage, Storage):
        raise ActivationError("it is damaged: a tensor has no storage")
    numbers = storage.numbers
    if min(start, *shape, *strides) < 0 or max(start, *shape) > len(numbers) or max(strides) >= _MAX_INTEGER:
        raise ActivationError(f"a tensor of shape {tuple(shape)} takes numbers that its storage does not have")
    n_numbers = math.prod(shape)
    last = start + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if n_numbers > len(numbers) or (n_numbers and last >= len(numbers)):
        raise ActivationError(
            f"a tensor of shape {tuple(shape)} from number {start + 1:,} takes more than the {len(numbers):,} numbers "
            "of its storage"
        )
    if not n_numbers:
        return np.zeros(shape, np.float32)
    return np.lib.stride_tricks.as_strided(
        numbers[start:], tuple(shape), tuple(stride * numbers.itemsize for stride in strides), writeable=False
    )


def _decoded(characters: bytes) -> str | bytes:
    """Return a string of Lua, which is bytes, as text if it is UTF-8."""
    try:
        return characters.decode()
    except UnicodeDecodeError:
        return characters


def _key(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        raise ActivationError("it is damaged: a table has an entry without a key")
    is_plain = isinstance(value, str | bytes | int | float) and not isinstance(value, bool)  # True would be 1
    return value if is_plain else ObjectKey(value)
