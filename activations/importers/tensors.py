"""Arrays as they lie in files: a run of numbers, and which of them an array takes."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.pickles import GlobalName, PersistentId, UnbuiltObject

_MOST_AXES = 8
_MOST_KEY = 100
_UNKNOWN = "it describes a tensor in a way that is not known"
_DTYPES = {
    "Float": "<f4",
    "Double": "<f8",
    "Half": "<f2",
    "BFloat16": "bfloat16",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "<i1",
    "Byte": "<u1",
    "Bool": "<u1",
    "Untyped": "<u1",
    "ComplexFloat": "<c8",
    "ComplexDouble": "<c16",
}
_STORAGE = re.compile(r"torch\.(?:cuda\.|storage\.)?(\w+?)Storage")
_NUMPY_DTYPE = re.compile(r"[<>|=]?(f[248]|[iu][1248]|b1|c8|c16|[SU][1-9]\d{0,3})")
_TENSORS = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
_WRAPPERS = {
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer",
}
_OF_A_TYPE = "torch._tensor._rebuild_from_type_v2"
_WITH_ATTRIBUTES = (_OF_A_TYPE, "torch._utils._rebuild_parameter_with_state")
_PARAMETERS = re.compile(r"torch\._utils\._rebuild_parameter\w*|torch\.nn\.parameter\.Parameter")
_ARRAYS = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_\w+|torch\.storage\.\w+|torch\.(cuda\.)?\w+(Storage|Tensor)"
    r"|torch\.nn\.parameter\.\w+|numpy\..*\.(_reconstruct|_mareconstruct|_frombuffer|scalar)|array\.(array|_array_reconstructor)"
)
_MOST_WRAPPERS = 4

Fetch = Callable[["Storage"], bytes]


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers beside a pickle.

    Attributes:
        key: What it is called there.
        dtype: Of its numbers: numpy's name, or `bfloat16`.
        n_numbers: How many there are.
        start: Where it begins, in numbers, if it is a part of a longer run.
    """

    key: str
    dtype: str
    n_numbers: int
    start: int = 0

    @property
    def item_bytes(self) -> int:
        """Bytes of a number."""
        return 2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize


def storage_of(place: Any) -> Storage | None:
    """The run of numbers that a torch pickle means by what it says of something elsewhere, or None."""
    if not (
        isinstance(place, tuple) and len(place) >= 5 and place[0] == "storage" and isinstance(place[1], GlobalName)
    ):
        return None
    found = _STORAGE.fullmatch(place[1].name)
    kind = found[1] if found else ""
    if kind not in _DTYPES:
        raise ActivationError(f"the file has numbers of the kind {place[1].name}, which are not read")
    key, start, n_numbers = place[2], 0, place[4]
    if not isinstance(key, str | int) or len(str(key)[:_MOST_KEY]) == _MOST_KEY:
        raise ActivationError(_UNKNOWN)
    if len(place) > 5 and isinstance(view := place[5], tuple) and len(view) == 3:  # PyTorch before 0.4
        _, start, n_numbers = view
    if not (_is_count(n_numbers) and _is_count(start)):
        raise ActivationError(_UNKNOWN)
    return Storage(str(key), _DTYPES[kind], n_numbers, start)


def is_array(value: Any) -> bool:
    """Is a value a tensor, an array or a run of numbers, whether its numbers are to be had or not?"""
    if isinstance(value, PersistentId):
        return isinstance(value.place, tuple) and value.place[:1] == ("storage",)
    return isinstance(value, UnbuiltObject) and (
        _ARRAYS.fullmatch(value.maker) is not None or any(isinstance(each, PersistentId) for each in value.arguments)
    )


def is_parameter(value: Any) -> bool:
    """Is a value a tensor that a module would learn?"""
    return isinstance(value, UnbuiltObject) and _PARAMETERS.fullmatch(value.maker) is not None


def attributes_of_tensor(value: Any) -> list[tuple[Any, Any]]:
    """What a program hung on to a tensor."""
    if not isinstance(value, UnbuiltObject) or value.maker not in _WITH_ATTRIBUTES:
        return []
    return [(n, part) for n, part in enumerate(value.arguments[3:], 3) if not isinstance(part, str)]


def torch_array(value: Any, fetch: Fetch) -> NDArray[Any] | None:
    """The array that a torch pickle would have made of a value, or None if it is no tensor.

    Raises:
        ActivationError: If it takes numbers that are not there.
    """
    for _ in range(_MOST_WRAPPERS):
        if not (isinstance(value, UnbuiltObject) and value.arguments):
            return None
        if value.maker in _TENSORS:
            break
        if value.maker in _WRAPPERS:
            value = value.arguments[0]
        elif value.maker == _OF_A_TYPE and len(value.arguments) > 2 and isinstance(value.arguments[0], GlobalName):
            inner = value.arguments[2]
            value = UnbuiltObject(value.arguments[0].name, inner if isinstance(inner, tuple) else ())
        else:
            return None
    else:
        return None
    arguments = value.arguments
    if len(arguments) < 4 or not isinstance(arguments[0], PersistentId):
        raise ActivationError(_UNKNOWN)
    place, start, shape, strides = arguments[0].place, *arguments[1:4]
    storage = storage_of(place)
    if storage is None or not _is_count(start) or not _are_counts(shape) or not _are_counts(strides):
        raise ActivationError(_UNKNOWN)
    return _cut(storage, int(start), tuple(shape), tuple(strides), fetch)


def numpy_value(value: UnbuiltObject) -> NDArray[Any] | list[Any] | None:
    """What a numpy pickle would have made of a value: an array, or a list of objects; None if it is none.

    Raises:
        ActivationError: If it takes numbers that are not there.
    """
    if value.maker.endswith("multiarray._reconstruct"):
        if not (isinstance(value.state, tuple) and len(value.state) == 5):
            return None
        _, shape, kind, by_columns, content = value.state
    elif value.maker.endswith("numeric._frombuffer") and len(value.arguments) == 4:  # protocol 5
        content, kind, shape, order = value.arguments
        by_columns = order == "F"
    else:
        return None
    if isinstance(content, list):
        return content
    dtype, numbers = _numpy_dtype(kind), as_bytes(content)
    if dtype is None or numbers is None or not _are_counts(shape):
        return None
    if math.prod(shape) * dtype.itemsize != len(numbers):
        raise ActivationError(f"it has an array of shape {tuple(shape)}, but not so many numbers")
    return np.frombuffer(numbers, dtype).reshape(tuple(shape), order="F" if by_columns else "C")


def numpy_scalar(value: UnbuiltObject) -> np.generic | int | str | None:
    """What a numpy pickle would have made of a value, integers and strings as Python's; None if it is no scalar."""
    if not value.maker.endswith("multiarray.scalar") or len(value.arguments) != 2:
        return None
    dtype, numbers = _numpy_dtype(value.arguments[0]), as_bytes(value.arguments[1])
    if dtype is None or numbers is None or len(numbers) != dtype.itemsize:
        return None
    found: np.generic = np.frombuffer(numbers, dtype)[0]
    return found if isinstance(found, np.inexact) else found.item()


def _numpy_dtype(kind: Any) -> np.dtype[Any] | None:
    if not (isinstance(kind, UnbuiltObject) and kind.maker == "numpy.dtype" and kind.arguments):
        return None
    code = kind.arguments[0]
    order = kind.state[1] if isinstance(kind.state, tuple) and len(kind.state) > 1 else "="
    if not (isinstance(code, str) and isinstance(order, str) and _NUMPY_DTYPE.fullmatch(order + code)):
        return None
    return np.dtype(order + code)


def as_bytes(content: Any) -> bytes | None:
    """Python 2 and old protocols write bytes as a string of the same codes."""
    if isinstance(content, UnbuiltObject) and content.maker == "_codecs.encode" and content.arguments:
        content = content.arguments[0]
    if isinstance(content, str):
        return content.encode("latin-1") if max(content, default="") <= "\xff" else None
    return bytes(content) if isinstance(content, bytes | bytearray) else None


def _cut(storage: Storage, start: int, shape: Sequence[int], strides: Sequence[int], fetch: Fetch) -> NDArray[Any]:
    """The numbers of a storage that a tensor takes, if they are all there."""
    if len(shape) != len(strides) or len(shape) > _MOST_AXES:
        raise ActivationError(_UNKNOWN)
    n_numbers = math.prod(shape)
    last = start + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if n_numbers > storage.n_numbers or (n_numbers and last >= storage.n_numbers):
        raise ActivationError(
            f"a tensor of shape {tuple(shape)} from place {start:,} on takes more than the {storage.n_numbers:,} "
            "numbers that the file has there"
        )
    content = fetch(storage)
    numbers = np.frombuffer(content, "<u2" if storage.dtype == "bfloat16" else storage.dtype)
    if not n_numbers:
        return np.zeros(shape, np.float32)
    taken = np.lib.stride_tricks.as_strided(
        numbers[start:], tuple(shape), tuple(stride * numbers.itemsize for stride in strides), writeable=False
    )
    if storage.dtype == "bfloat16":  # the upper half of a float32
        return (taken.astype(np.uint32) << 16).view(np.float32)
    return np.ascontiguousarray(taken)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48


def _are_counts(values: Any) -> bool:
    return isinstance(values, tuple | list) and len(values) <= _MOST_AXES and all(map(_is_count, values))
