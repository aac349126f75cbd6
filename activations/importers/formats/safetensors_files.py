"""The safetensors format: the length of a header, the header in JSON, and the numbers of all tensors.

Source:
    https://huggingface.co/docs/safetensors, section Format.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.contents import Contents
from activations.importers.formats.flattening import flatten
from activations.system_errors import json_reason

SAFETENSORS = "safetensors"
METADATA = "__metadata__"
_MAX_HEADER_BYTES = 20_000_000
_MAX_TENSORS = 10_000
_MAX_AXES = 8
_MAX_TEXT = 5_000_000
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "<u1", "C64": "<c8",
}  # fmt: skip


def is_safetensors(start: bytes, size: int) -> bool:
    """Does a file of some size begin like one in this format? One that is truncated does, too."""
    n_header = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and 2 <= n_header < max(size, 1 << 32)


def read_safetensors(file: BinaryIO, size: int) -> Contents:
    """Read a file in this format; what its metadata say counts as plain values.

    Raises:
        ActivationError: If it is damaged or truncated, or has tensors of a kind that numpy does not know.
    """
    n_header = int.from_bytes(file.read(8), "little")
    if n_header > min(_MAX_HEADER_BYTES, size - 8):
        raise ActivationError(f"its header would have {n_header:,} bytes, and the file has {size:,}; it is truncated")
    try:
        header = json.loads(file.read(n_header), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ActivationError(f"its header is damaged ({json_reason(error)})") from error
    if len(header) > _MAX_TENSORS:
        raise ActivationError(f"it claims to have {len(header):,} tensors; no character model has that many")
    metadata = header.pop(METADATA, {})
    content, end, tensors = file.read(), 0, dict[str, Any]()
    for name, description in sorted(header.items(), key=_start):
        tensors[name], start, stop = _tensor(name, description, content)
        if start != end:
            raise ActivationError(f"the numbers of {name[:100]} do not begin where those of the one before it end")
        end = stop
    if end != len(content):
        raise ActivationError(f"{len(content) - end:,} bytes stand behind its tensors, which belong to none")
    in_order = {name: tensors[name] for name in header}
    return flatten(SAFETENSORS, {**in_order, **_metadata(metadata)}, size)


def _tensor(name: str, description: Any, content: bytes) -> tuple[NDArray[Any], int, int]:
    """Return a tensor, and the bytes between which its numbers stand."""
    dtype, shape, offsets = (description.get(key) for key in ("dtype", "shape", "data_offsets"))
    if dtype not in _DTYPES:
        raise ActivationError(f"{name[:100]} has numbers of the kind {str(dtype)[:20]}, which are not read")
    are_counts = isinstance(shape, list) and len(shape) <= _MAX_AXES and all(map(_is_count, shape))
    if not (are_counts and isinstance(offsets, list) and len(offsets) == 2 and all(map(_is_count, offsets))):
        raise ActivationError(f"{name[:100]} has no shape, or no place in the file")
    start, stop = offsets
    n_bytes = math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize
    if stop > len(content) or stop - start != n_bytes:
        raise ActivationError(
            f"{name[:100]} of shape {tuple(shape)} needs {n_bytes:,} bytes, and the file has "
            f"{max(min(stop, len(content)) - start, 0):,} for it; it is truncated or damaged"
        )
    numbers = np.frombuffer(content[start:stop], _DTYPES[dtype]).reshape(shape)
    if dtype == "BF16":  # the upper half of a float32
        return (numbers.astype(np.uint32) << 16).view(np.float32), start, stop
    return numbers.astype(bool) if dtype == "BOOL" else numbers, start, stop


def _start(item: tuple[str, Any]) -> tuple[int, int]:
    """Return a sort key by which tensors come in the order of their numbers, and empty ones first."""
    offsets = item[1].get("data_offsets") if isinstance(item[1], Mapping) else None
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(map(_is_count, offsets))):
        raise ActivationError(f"{item[0][:100]} has no place in the file")
    return offsets[0], offsets[1]


def _metadata(metadata: Any) -> dict[str, Any]:
    """Return the metadata by name, with what is written in JSON read: some programs keep a vocabulary like that."""
    if not isinstance(metadata, Mapping) or not metadata:
        return {}
    if len(metadata) > _MAX_TENSORS:
        raise ActivationError(f"it has {len(metadata):,} entries of metadata; no model needs that many")
    return {METADATA: {name: _from_json(value) for name, value in metadata.items()}}


def _from_json(value: Any) -> Any:
    if not isinstance(value, str) or value[:1] not in ("[", "{") or len(value) > _MAX_TEXT:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("two tensors have the same name")
    return entries
