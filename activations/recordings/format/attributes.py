"""Attributes of an HDF5 file as Python's own texts and numbers, and JSON in them, within limits of size and depth."""

import json
from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from activations.errors import ActivationError

Attribute = str | int | float | bool

_MOST_ATTRIBUTES = 1_000
_MOST_BYTES = 32_000_000  # of all attributes
_MOST_BRACKETS = 1_000_000  # in one text of JSON
_MOST_DEPTH = 20
_MOST_NAME_CHARS = 200


def read_attributes(file: h5py.File) -> dict[str, Attribute]:
    """Read all attributes of a file's root, each of which is a single text, number or truth value.

    Raises:
        ActivationError: If one is something else, or they are more or larger than those of any recording.
    """
    n_attributes = h5py.h5a.get_num_attrs(file.id)
    if n_attributes > _MOST_ATTRIBUTES:
        raise ActivationError(f"it has {n_attributes:,} attributes; no recording has more than {_MOST_ATTRIBUTES:,}")
    attributes: dict[str, Attribute] = {}
    n_bytes = 0
    for number in range(n_attributes):
        name, value = _read(file, number)
        n_bytes += len(value) if isinstance(value, str) else 8
        if n_bytes > _MOST_BYTES:
            raise ActivationError(f"its attributes are larger than the {_MOST_BYTES / 1e6:.0f} MB that are read")
        attributes[name] = value
    return attributes


def _read(file: h5py.File, number: int) -> tuple[str, Attribute]:
    attribute = h5py.h5a.open(file.id, index=number)
    name = attribute.name.decode("utf-8", "replace")
    if not name.isprintable() or len(name) > _MOST_NAME_CHARS:
        raise ActivationError(f"an attribute is named {name[:40]!r}, which cannot be printed or is too long")
    kind, space = attribute.get_type(), attribute.get_space()
    if space.get_simple_extent_type() != h5py.h5s.SCALAR or not isinstance(
        kind, h5py.h5t.TypeStringID | h5py.h5t.TypeIntegerID | h5py.h5t.TypeFloatID | h5py.h5t.TypeEnumID
    ):
        raise ActivationError(f"the attribute {name!r} is not a single text, number or truth value")
    if attribute.get_storage_size() > _MOST_BYTES or kind.get_size() > _MOST_BYTES:
        raise ActivationError(f"the attribute {name!r} is larger than the {_MOST_BYTES / 1e6:.0f} MB that are read")
    value: object = file.attrs[attribute.name]
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bytes):
        raise ActivationError(f"the attribute {name!r} is a text of fixed length; write one of variable length")
    if not isinstance(value, str | int | float):
        raise ActivationError(f"the attribute {name!r} is not a single text, number or truth value")
    return name, value


def json_attribute(attributes: Mapping[str, Attribute], name: str, kind: type[Any], expected: str) -> Any:
    """Return what an attribute says as JSON; a missing one is empty.

    Args:
        attributes: The attributes of a file.
        name: The name of the attribute.
        kind: What it must be: `dict` or `list`.
        expected: What it should be, for the message.

    Raises:
        ActivationError: If it is not JSON of that kind, or more or more deeply nested than any recording's.
    """
    text = attributes.get(name)
    if text is None:
        return kind()
    if isinstance(text, str):
        if text.count("[") + text.count("{") > _MOST_BRACKETS:
            raise ActivationError(f"the attribute {name!r} has more than {_MOST_BRACKETS:,} lists and objects")
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            data = None
        if isinstance(data, kind):
            if _is_deeper(data, _MOST_DEPTH):
                raise ActivationError(f"the attribute {name!r} is nested more than {_MOST_DEPTH} levels deep")
            return data
    raise ActivationError(f"the attribute {name!r} is no {expected}")


def _is_deeper(data: object, n_levels: int) -> bool:
    """Are lists and objects nested more deeply than so many levels?"""
    level = [data]
    for _ in range(n_levels + 1):
        level = [
            part
            for whole in level
            if isinstance(whole, dict | list)
            for part in (whole.values() if isinstance(whole, dict) else whole)
        ]
    return bool(level)
