"""Opening another program's file in any known format, without running anything in it."""

import io
import json
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from activations.errors import ActivationError
from activations.file_kinds import START_BYTES, is_hdf5, kind_of
from activations.files import kind_of_path
from activations.importers.contents import Contents
from activations.importers.formats.flattening import flatten
from activations.importers.formats.foreign_formats import refuse_known_format, refuse_known_path, refuse_known_zip
from activations.importers.formats.pickles import MAX_BYTES, read_pickle
from activations.importers.formats.safetensors_files import SAFETENSORS, is_safetensors, read_safetensors
from activations.importers.formats.torch_files import LEGACY_MAGIC, member_bytes, read_legacy, read_torch_zip
from activations.importers.keras.files import is_keras_zip, read_hdf5, read_keras_zip
from activations.importers.torch7.contents import torch7_contents
from activations.importers.torch7.reading import is_torch7
from activations.system_errors import json_reason, reason

_MAX_JSON_BYTES = 400_000_000
_MAX_JSON_LISTS = 1_000_000
_MAX_JSON_STRINGS = 1_000_000
_MAX_COMPRESSION = 20  # weights are close to noise, which cannot be compressed that much
_BLOCK_BYTES = 512
_MAX_JSON_NUMBERS = 10_000_000  # of numbers that are as short as no weights are
_MIN_NUMBER_BYTES = 6
_MAX_VALUES = 8
_FILES_BESIDE = ("config.json", "vocab.json", "metadata.json")
_MAX_BYTES_BESIDE = 20_000_000
_BOM = b"\xef\xbb\xbf"


def read_contents(path: Path) -> Contents:
    """Read another program's file in any known format, without running anything in it.

    Raises:
        ActivationError: If it is missing, damaged, too large, or in an unknown format.
    """
    try:
        refuse_known_path(path)
        if kind := kind_of_path(path):
            raise ActivationError(f"it is {kind}, and a model is a file")
        status = path.stat()
        size = status.st_size
        if _is_mostly_unwritten(path, status):
            raise ActivationError("most of it was never written; if it was to be downloaded, do that again")
        if size > MAX_BYTES:
            raise ActivationError(f"it has {size / 1e9:.1f} GB; models up to {MAX_BYTES / 1e9:.0f} GB are read")
        with path.open("rb") as file:
            if is_hdf5(file.read(START_BYTES)):
                return read_hdf5(path)
            file.seek(0)
            contents = _read(file, size)
        if contents.kind == SAFETENSORS:
            _add_files_beside(contents, path)
        return contents
    except FileNotFoundError as error:
        raise ActivationError(f"there is no file {path}") from error
    except ActivationError as error:
        raise ActivationError(f"cannot read {path}: {error}") from error
    except OSError as error:
        raise ActivationError(f"cannot read {path}: {reason(error)}") from error
    except Exception as error:  # a hostile file may make the parsers of five formats fail in any way
        detail = "".join(char for char in f"{type(error).__name__}: {error}"[:120] if char.isprintable())
        raise ActivationError(f"cannot read {path}: it is damaged ({detail})") from error


def _is_mostly_unwritten(path: Path, status: os.stat_result) -> bool:
    """Does a file have far fewer bytes on the disk than its size, and a hole in it, where the system tells?"""
    n_blocks = getattr(status, "st_blocks", None)
    if n_blocks is None or n_blocks * _BLOCK_BYTES * _MAX_COMPRESSION >= status.st_size:
        return False
    with path.open("rb") as file:  # a file that was just written may have no blocks yet
        return hasattr(os, "SEEK_HOLE") and os.lseek(file.fileno(), 0, os.SEEK_HOLE) < status.st_size


def _add_files_beside(contents: Contents, path: Path) -> None:
    """Add what stands in JSON files beside a file of tensors alone: programs keep the vocabulary of a model there."""
    for name in (f"{path.stem}.json", *_FILES_BESIDE):
        beside = path.with_name(name)
        if not beside.is_file() or beside.stat().st_size > _MAX_BYTES_BESIDE:
            continue
        try:
            values = read_contents(beside).plain_values
        except ActivationError:
            continue  # a file of another kind, which nobody has named
        for key, value in values.items():
            full_name = f"{key} in {name}" if key else name
            contents.plain_values[full_name] = value
            contents.beside.add(full_name)


def _read(file: BinaryIO, size: int) -> Contents:
    start = file.read(64)
    file.seek(0)
    if start.startswith(b"PK"):
        return _read_zip(file, size)
    if start.startswith(b"\x93NUMPY"):
        return flatten("a numpy file", _read_all(file, size, lambda: _read_npy(file, size)), size)
    if is_safetensors(start, size):
        return read_safetensors(file, size)
    if is_torch7(start):
        return torch7_contents(file, size)
    if start.removeprefix(_BOM).lstrip()[:1] in (b"[", b"{", b'"'):
        return flatten("JSON", _read_json(file, size), size)
    try:
        return _read_pickles(file, size)
    except ActivationError as error:
        if start.startswith(b"\x80"):
            raise
        refuse_known_format(start)
        file.seek(0)
        if kind := kind_of(file.read(START_BYTES)):
            raise ActivationError(f"it is {kind.name}, not a model") from error
        raise ActivationError(
            "it is neither a PyTorch file, nor a pickle, nor safetensors, nor numpy's .npz or .npy, nor of Keras, nor "
            "JSON, nor Lua Torch's .t7"
        ) from error


def _read_all(file: BinaryIO, size: int, read: Callable[[], Any], first: list[Any] | None = None) -> Any:
    """Read the value that a file holds, or a list of all values if several were written to it one after another.

    Args:
        file: Positioned at the next value.
        size: Size of the file.
        read: Reads one value.
        first: Values that have been read already.
    """
    values = first or [read()]
    while file.tell() < size:
        if len(values) == _MAX_VALUES:
            raise ActivationError(f"it was written to more than {_MAX_VALUES} times; save all of it in one dictionary")
        values.append(read())
    return values if len(values) > 1 else values[0]


def _read_zip(file: BinaryIO, size: int) -> Contents:
    with zipfile.ZipFile(file) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if len(members) < len(archive.infolist()):
            raise ActivationError("it has several members of the same name")
        total = sum(member.file_size for member in members.values())
        if total > min(MAX_BYTES, _MAX_COMPRESSION * size):
            raise ActivationError(
                f"it would unpack to {total / 1e6:,.0f} MB, {total / size:,.0f} times its size; no model does"
            )
        pickled = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
        if len(pickled) == 1:
            return read_torch_zip(archive, members, pickled[0], total)
        if members and all(name.endswith(".npy") for name in members):
            parts = {
                name.removesuffix(".npy"): _read_npy(io.BytesIO(member_bytes(archive, member)), member.file_size)
                for name, member in members.items()
            }
            return flatten("numpy's .npz", parts, total)
        if is_keras_zip(set(members)):
            return read_keras_zip(archive, lambda member: member_bytes(archive, member))
        refuse_known_zip(members)
    raise ActivationError("it is a zip file that neither PyTorch nor numpy nor Keras wrote")


def _read_pickles(file: BinaryIO, size: int) -> Contents:
    value = read_pickle(file)
    if value == LEGACY_MAGIC:
        return read_legacy(file, size)
    return flatten("a pickle", _read_all(file, size, lambda: read_pickle(file), [value]), size)


def _read_npy(file: BinaryIO, size: int) -> Any:
    """Read an array, or the pickle that a file holds in place of an array of objects."""
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, dtype = read_header(file)
    if dtype.hasobject:
        return read_pickle(file)
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or n_bytes > size - file.tell():
        raise ActivationError(f"an array claims to have shape {shape} of {dtype}, which is not there")
    return np.frombuffer(file.read(n_bytes), dtype).reshape(shape, order="F" if by_columns else "C")


def _read_json(file: BinaryIO, size: int) -> Any:
    if size > _MAX_JSON_BYTES:
        raise ActivationError(f"JSON of up to {_MAX_JSON_BYTES / 1e6:.0f} MB is read; save the weights as .npz")
    content = file.read().removeprefix(_BOM)
    n_strings = content.count(b'"') // 2
    if content.count(b"[") + content.count(b"{") > _MAX_JSON_LISTS or n_strings > _MAX_JSON_STRINGS:
        raise ActivationError("it has more lists or strings than any model needs")
    n_numbers = content.count(b",")
    if n_numbers > max(_MAX_JSON_NUMBERS, len(content) // _MIN_NUMBER_BYTES):
        raise ActivationError(f"it has {n_numbers:,} numbers of a digit or two, which are no weights")
    try:
        return json.loads(content, object_pairs_hook=_as_dict)
    except (ValueError, RecursionError) as error:
        raise ActivationError(f"it is no JSON ({json_reason(error)})") from error


def _as_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("two entries of a dictionary have the same name")
    return entries
