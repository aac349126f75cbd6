"""Tensors and arrays as pickles describe them: a storage of numbers, and which of these a tensor takes."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.formats.pickled_values import GlobalName, PersistentId, UnbuiltObject

_MAX_AXES = 8
_MAX_KEY = 100
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
_SUBCLASS = "torch._tensor._rebuild_from_type_v2"
_WITH_ATTRIBUTES = (_SUBCLASS, "torch._utils._rebuild_parameter_with_state")
_PARAMETERS = re.compile(r"torch\._utils\._rebuild_parameter\w*|torch\.nn\.parameter\.Parameter")
_ARRAYS = re.compile(
    r"torch\._utils\._rebuild_\w+|torch\._tensor\._rebuild_\w+|torch\.storage\.\w+|torch\.(cuda\.)?\w+(Storage|Tensor)"
    r"|torch\.nn\.parameter\.\w+|numpy\..*\.(_reconstruct|_mareconstruct|_frombuffer|scalar)|array\.(array|_array_reconstructor)"
)
_MAX_WRAPPERS = 4

Fetch = Callable[["Storage"], bytes]


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage: consecutive numbers that are saved beside a pickle.

    Attributes:
        key: Its name in the file.
        dtype: Dtype of its numbers: numpy's name, or `bfloat16`.
        n_numbers: Number of numbers.
        start: Index of its first number, if it is part of a larger storage.
    """

    key: str
    dtype: str
    n_numbers: int
    start: int = 0

    @property
    def item_bytes(self) -> int:
        """Number of bytes per number."""
        return 2 if self.dtype == "bfloat16" else np.dtype(self.dtype).itemsize


def storage_of(persistent_id: Any) -> Storage | None:
    """Return the storage that the persistent ID of a torch pickle describes, or None if it describes something else."""
    if not (isinstance(persistent_id, tuple) and len(persistent_id) >= 5 and persistent_id[0] == "storage"):
        return None
    storage_class, key, start, n_numbers = persistent_id[1], persistent_id[2], 0, persistent_id[4]
    if not isinstance(storage_class, GlobalName):
        return None
    match = _STORAGE.fullmatch(storage_class.name)
    kind = match[1] if match else ""
    if kind not in _DTYPES:
        raise ActivationError(f"the file has numbers of the kind {storage_class.name}, which are not read")
    if not isinstance(key, str | int) or len(str(key)[:_MAX_KEY]) == _MAX_KEY:
        raise ActivationError(_UNKNOWN)
    if len(persistent_id) > 5 and isinstance(view := persistent_id[5], tuple) and len(view) == 3:  # PyTorch before 0.4
        _, start, n_numbers = view
    if not (_is_count(n_numbers) and _is_count(start)):
        raise ActivationError(_UNKNOWN)
    return Storage(str(key), _DTYPES[kind], n_numbers, start)


def is_array(value: Any) -> bool:
    """Is a value a tensor, an array or a storage, even if its numbers cannot be read?"""
    if isinstance(value, PersistentId):
        return isinstance(value.description, tuple) and value.description[:1] == ("storage",)
    return isinstance(value, UnbuiltObject) and (
        _ARRAYS.fullmatch(value.maker) is not None
        or any(isinstance(argument, PersistentId) for argument in value.arguments)
    )


def is_parameter(value: Any) -> bool:
    """Is a value a parameter of a module, that is, a tensor that is learned?"""
    return isinstance(value, UnbuiltObject) and _PARAMETERS.fullmatch(value.maker) is not None


def attributes_of_tensor(value: Any) -> list[tuple[Any, Any]]:
    """Return the attributes that a program has set on a tensor, with their numbers."""
    if not isinstance(value, UnbuiltObject) or value.maker not in _WITH_ATTRIBUTES:
        return []
    return [(n, part) for n, part in enumerate(value.arguments[3:], 3) if not isinstance(part, str)]


def torch_array(value: Any, fetch: Fetch) -> NDArray[Any] | None:
    """Return the array that a value in a torch pickle stands for, or None if it is no tensor.

    Raises:
        ActivationError: If it takes numbers that its storage does not have, or is described in an unknown way.
    """
    for _ in range(_MAX_WRAPPERS):
        if not (isinstance(value, UnbuiltObject) and value.arguments):
            return None
        if value.maker in _TENSORS:
            break
        if value.maker in _WRAPPERS:
            value = value.arguments[0]
        elif value.maker == _SUBCLASS and len(value.arguments) > 2 and isinstance(value.arguments[0], GlobalName):
            inner = value.arguments[2]
            value = UnbuiltObject(value.arguments[0].name, inner if isinstance(inner, tuple) else ())
        else:
            return None
    else:
        return None
    arguments = value.arguments
    if len(arguments) < 4 or not isinstance(arguments[0], PersistentId):
        raise ActivationError(_UNKNOWN)
    start, shape, strides = arguments[1:4]
    storage = storage_of(arguments[0].description)
    if storage is None or not _is_count(start) or not _are_counts(shape) or not _are_counts(strides):
        raise ActivationError(_UNKNOWN)
    return _cut(storage, int(start), tuple(shape), tuple(strides), fetch)


def numpy_value(value: UnbuiltObject) -> NDArray[Any] | list[Any] | None:
    """Return what a value in a numpy pickle stands for: an array, or a list of objects; None if it is neither.

    Raises:
        ActivationError: If the array has fewer numbers than its shape needs.
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
        raise ActivationError(f"it has an array of shape {tuple(shape)} with another number of numbers")
    return np.frombuffer(numbers, dtype).reshape(tuple(shape), order="F" if by_columns else "C")


def numpy_scalar(value: UnbuiltObject) -> np.generic | int | str | None:
    """Return the scalar that a value in a numpy pickle stands for, integers and strings as Python's, or None."""
    if not value.maker.endswith("multiarray.scalar") or len(value.arguments) != 2:
        return None
    dtype, numbers = _numpy_dtype(value.arguments[0]), as_bytes(value.arguments[1])
    if dtype is None or numbers is None or len(numbers) != dtype.itemsize:
        return None
    scalar: np.generic = np.frombuffer(numbers, dtype)[0]
    return scalar if isinstance(scalar, np.inexact) else scalar.item()


def _numpy_dtype(kind: Any) -> np.dtype[Any] | None:
    if not (isinstance(kind, UnbuiltObject) and kind.maker == "numpy.dtype" and kind.arguments):
        return None
    code = kind.arguments[0]
    order = kind.state[1] if isinstance(kind.state, tuple) and len(kind.state) > 1 else "="
    if not (isinstance(code, str) and isinstance(order, str) and _NUMPY_DTYPE.fullmatch(order + code)):
        return None
    return np.dtype(order + code)


def as_bytes(content: Any) -> bytes | None:
    """Return bytes, which Python 2 and old protocols wrote as a string of the same codes; None if it is neither."""
    if isinstance(content, UnbuiltObject) and content.maker == "_codecs.encode" and content.arguments:
        content = content.arguments[0]
    if isinstance(content, str):
        return content.encode("latin-1") if max(content, default="") <= "\xff" else None
    return bytes(content) if isinstance(content, bytes | bytearray) else None


def _cut(storage: Storage, start: int, shape: Sequence[int], strides: Sequence[int], fetch: Fetch) -> NDArray[Any]:
    """Return the numbers of a storage that a tensor takes, once it is checked that the storage has all of them."""
    if len(shape) != len(strides) or len(shape) > _MAX_AXES:
        raise ActivationError(_UNKNOWN)
    n_numbers = math.prod(shape)
    last = start + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if n_numbers > storage.n_numbers or (n_numbers and last >= storage.n_numbers):
        raise ActivationError(
            f"a tensor of shape {tuple(shape)} from index {start:,} takes more than the {storage.n_numbers:,} "
            "numbers that the file has there"
        )
    content = fetch(storage)
    numbers = np.frombuffer(content, "<u2" if storage.dtype == "bfloat16" else storage.dtype)
    if not n_numbers:
        return np.zeros(shape, np.float32)
    view = np.lib.stride_tricks.as_strided(
        numbers[start:], tuple(shape), tuple(stride * numbers.itemsize for stride in strides), writeable=False
    )
    if storage.dtype == "bfloat16":  # the upper half of a float32
        return (view.astype(np.uint32) << 16).view(np.float32)
    return np.ascontiguousarray(view)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48


def _are_counts(values: Any) -> bool:
    return isinstance(values, tuple | list) and len(values) <= _MAX_AXES and all(map(_is_count, values))
