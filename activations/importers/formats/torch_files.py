"""PyTorch's files: zips of a pickle and its numbers, TorchScript archives, and the format before PyTorch 1.6."""

import io
import re
import zipfile
from collections.abc import Mapping
from typing import Any, BinaryIO

from activations.errors import ActivationError
from activations.importers.contents import Contents
from activations.importers.formats.flattening import flatten
from activations.importers.formats.pickled_values import PersistentId, UnbuiltObject, is_scripted
from activations.importers.formats.pickles import read_pickle
from activations.importers.formats.tensors import Storage, storage_of

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_MANGLED = re.compile(r"__torch__\.|___torch_mangle_\d+\.")
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # these unpack no more than is requested


def member_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a member of a zip file, and no more bytes than its header says."""
    if member.compress_type not in _COMPRESSIONS:
        raise ActivationError(f"{member.filename[:100]!r} is packed in a way that neither PyTorch nor numpy uses")
    with archive.open(member) as part:
        content = part.read(member.file_size)
        if len(content) != member.file_size:
            raise ActivationError(f"{member.filename[:100]!r} is truncated")
        return content


def read_torch_zip(
    archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], pickled: str, n_bytes: int
) -> Contents:
    """Read an archive of `torch.save` or `torch.jit.save`.

    Args:
        archive: The zip file.
        members: Its members by name.
        pickled: The name of the member that is the pickle.
        n_bytes: Size of all members.
    """
    folder = pickled.removesuffix("data.pkl")
    order = members.get(f"{folder}byteorder")
    if order is not None and member_bytes(archive, order) != b"little":
        raise ActivationError("its numbers are in big-endian order, which is not read")
    storage_bytes: dict[str, bytes] = {}

    def fetch(storage: Storage) -> bytes:
        member = members.get(f"{folder}data/{storage.key}")
        if member is None:
            raise ActivationError(f"the numbers of storage {storage.key} are missing")
        if storage.key not in storage_bytes:
            storage_bytes[storage.key] = member_bytes(archive, member)
        return _cut(storage_bytes[storage.key], storage)

    value = read_pickle(io.BytesIO(member_bytes(archive, members[pickled])))
    return flatten(f"PyTorch, {_description(value)}", value, n_bytes, fetch)


def read_legacy(file: BinaryIO, size: int) -> Contents:
    """Read a file of PyTorch before 1.6, positioned behind its magic number."""
    read_pickle(file)  # the version of the format
    machine = read_pickle(file)
    if isinstance(machine, dict) and machine.get("little_endian") is False:
        raise ActivationError("its numbers are in big-endian order, which is not read")
    persistent_ids: list[PersistentId] = []
    value = read_pickle(file, persistent_ids)
    keys = read_pickle(file)
    described = {storage.key: storage for id_ in persistent_ids if (storage := storage_of(id_.description))}
    storage_bytes: dict[str, bytes] = {}
    for key in keys if isinstance(keys, list) else []:
        storage = described.get(key) if isinstance(key, str) else None
        n_numbers = int.from_bytes(file.read(8), "little")
        if storage is None or n_numbers * storage.item_bytes > size:
            raise ActivationError("its storages are not those that it describes, or it is truncated")
        storage_bytes[storage.key] = file.read(n_numbers * storage.item_bytes)
    if file.tell() < size:
        raise ActivationError(f"{size - file.tell():,} bytes stand behind its numbers, which PyTorch did not write")

    def fetch(storage: Storage) -> bytes:
        if storage.key not in storage_bytes:
            raise ActivationError(f"the numbers of storage {storage.key} are missing")
        return _cut(storage_bytes[storage.key], storage)

    return flatten(f"PyTorch before 1.6, {_description(value)}", value, size, fetch)


def _cut(all_bytes: bytes, storage: Storage) -> bytes:
    start = storage.start * storage.item_bytes
    stop = start + storage.n_numbers * storage.item_bytes
    if stop > len(all_bytes):
        raise ActivationError(f"storage {storage.key} is truncated")
    return all_bytes[start:stop]


def _description(value: Any) -> str:
    if isinstance(value, UnbuiltObject):
        name = "".join(char for char in value.maker[:100] if char.isprintable())
        if is_scripted(value):
            return f"a TorchScript archive of class {_MANGLED.sub('', name)}"
        return f"a whole pickled module of class {name}"
    return "a state_dict or a dictionary that holds one"
