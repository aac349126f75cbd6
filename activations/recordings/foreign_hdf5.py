"""Reading HDF5 files of other programs: every array and attribute in them, in a process of its own.

A malicious file can crash the HDF5 library, or fill the memory with a few bytes. So a child process with limits on
memory and time opens the file, and sends what it holds as one line of JSON (names, types, shapes, attributes) and the
numbers of all arrays behind it. Whatever points outside the file is refused.
"""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import activations
from activations.errors import ActivationError
from activations.system_errors import is_of_the_system, reason

if TYPE_CHECKING:
    import h5py

_CPU_SECONDS = 3
_WALL_SECONDS = 30
_BYTES_PER_SECOND = 50_000_000
_DATA_BYTES = 200_000_000
_ADDRESS_BYTES = 1_500_000_000
_MAX_OBJECTS = 10_000
_MAX_DEPTH = 60
_MAX_NAME = 500
_MAX_ATTRIBUTES = 2_000
_MAX_ATTRIBUTE_BYTES = 20_000_000
_MAX_COMPRESSION = 20  # weights are close to noise, which cannot be compressed that much
_SPARE_BYTES = 1_000_000
_MAX_SENTENCE = 1_000
_NUMBERS = {*(f"{kind}{n}" for kind in ("int", "uint", "float") for n in (8, 16, 32, 64)), "bool"}
_FILTERS = {1, 2, 3, 32_000}  # deflate, shuffle, checksum and LZF, which every h5py has
_STRINGS = "strings"
_CRASHED = "opening it crashes the HDF5 library, or takes too much memory or time"

Attribute = str | int | float | list[str]


@dataclass(frozen=True, slots=True, eq=False)
class ForeignHDF5:
    """Everything in another program's HDF5 file.

    Attributes:
        arrays: The arrays of numbers by their paths, such as `model_weights/lstm/kernel:0`, in the order of the file.
        attributes: The attributes of every group and array by its path; the path of the file itself is empty. Only
            strings, lists of strings and single numbers are read.
        strings: Every array of strings with at most one axis, by its path, as a list; a string by itself as it is.
        unread: The type of every array of anything else, by its path.
    """

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    attributes: dict[str, dict[str, Attribute]] = field(default_factory=dict)
    strings: dict[str, list[str] | str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


def read_foreign_hdf5(path: Path) -> ForeignHDF5:
    """Read all arrays and attributes of a file that another program wrote.

    Raises:
        ActivationError: If it is damaged or hostile, points outside itself, or is much larger than it seems.
    """
    home = str(Path(activations.__file__).parents[1])
    first = f"import sys; sys.path.insert(0, {home!r}); import activations; sys.path.append(sys.path.pop(0))"
    program = f"{first}; from activations.recordings.foreign_hdf5 import send; send({str(path.absolute())!r})"
    threads = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    own = {"HDF5_USE_FILE_LOCKING": "FALSE", "HDF5_PLUGIN_PRELOAD": "::"}  # no plug-ins are loaded
    with subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **threads, **own},
        process_group=0,  # Ctrl-C at a terminal goes to this process alone, which ends the other
    ) as process:
        try:
            if process.stdout is None:
                raise ActivationError(_CRASHED)
            return _receive(process.stdout)
        finally:
            process.kill()


def _receive(pipe: IO[bytes]) -> ForeignHDF5:
    line = pipe.readline()
    if not line.endswith(b"\n"):
        raise ActivationError(_CRASHED)
    answer = json.loads(line)
    if "error" in answer:
        raise ActivationError(answer["error"])
    arrays = {}
    for name, kind, shape in answer["arrays"]:
        n_bytes = np.dtype(kind).itemsize * math.prod(shape)
        content = pipe.read(n_bytes)
        if len(content) < n_bytes:
            raise ActivationError(_CRASHED)
        arrays[name] = np.frombuffer(content, kind).reshape(shape)
    return ForeignHDF5(arrays, answer["attributes"], answer["strings"], answer["unread"])


def send(path: str) -> None:
    """Read a file, and write what it holds to standard output: this is what the child process does."""
    size = Path(path).stat().st_size
    out = os.fdopen(os.dup(1), "wb")
    import h5py

    _set_limits(size)
    try:
        with h5py.File(path, "r") as file:
            reader = _Reader(size)
            header = reader.header(file)
            out.write(json.dumps(header).encode() + b"\n")
            for name, _, _ in header["arrays"]:
                out.write(np.ascontiguousarray(file[name][()]).data)
    except ActivationError as error:
        sentence = str(error)
    except Exception as error:  # noqa: BLE001 the library may fail in any way
        sentence = reason(error) if is_of_the_system(error) else "it is truncated or damaged"
    else:
        out.flush()
        os._exit(0)
    sentence = "".join(char if char.isprintable() else "?" for char in sentence[:_MAX_SENTENCE])
    with suppress(OSError):
        out.write(json.dumps({"error": sentence}).encode() + b"\n")
        out.flush()
    os._exit(1)


def _set_limits(size: int) -> None:
    import resource
    import signal

    seconds = size // _BYTES_PER_SECOND
    with suppress(OSError, ValueError):
        limits = {
            resource.RLIMIT_DATA: 3 * size + _DATA_BYTES,
            resource.RLIMIT_AS: 3 * size + _ADDRESS_BYTES,
            resource.RLIMIT_CPU: _CPU_SECONDS + seconds,
            resource.RLIMIT_CORE: 0,
        }
        for kind, most in limits.items():
            hard = resource.getrlimit(kind)[1]
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (limit, limit))
    signal.alarm(_WALL_SECONDS + seconds)


class _Reader:
    """Lists what a file holds, within the limits of what a model may hold."""

    def __init__(self, size: int) -> None:
        self._bytes_left = _MAX_COMPRESSION * size + _SPARE_BYTES
        self._attributes_left, self._attribute_bytes_left = _MAX_ATTRIBUTES, _MAX_ATTRIBUTE_BYTES

    def header(self, file: "h5py.File") -> dict[str, Any]:
        """Return names, types and shapes of all arrays, and the attributes of everything."""
        import h5py

        header: dict[str, Any] = {"arrays": [], "attributes": {}, "strings": {}, "unread": {}}
        for name, thing in _things(file):
            if attributes := dict(self._attributes(thing)):
                header["attributes"][name] = attributes
            if not isinstance(thing, h5py.Dataset):
                continue
            type_name = _type_name(thing)
            if type_name not in _NUMBERS:
                strings = self._strings(name, thing) if type_name == _STRINGS else None
                if strings is None:
                    header["unread"][name] = type_name
                else:
                    header["strings"][name] = strings
                continue
            self._check(name, thing)
            header["arrays"].append((name, thing.dtype.str, thing.shape))
        return header

    def _strings(self, name: str, array: "h5py.Dataset") -> list[str] | str | None:
        """Return an array of strings, such as a vocabulary; None if it has several axes, or no place in memory."""
        if array.shape is None or len(array.shape) > 1 or array.dtype.kind not in "SO":
            return None
        self._check(name, array)
        self._attribute_bytes_left -= array.dtype.itemsize * math.prod(array.shape)
        if self._attribute_bytes_left < 0:
            raise ActivationError(f"{name} has more strings than any model's vocabulary")
        value = _plain(array[()])
        if not isinstance(value, str | list):
            return None
        self._attribute_bytes_left -= len(value) if isinstance(value, str) else sum(map(len, value))
        return value

    def _check(self, name: str, array: "h5py.Dataset") -> None:
        properties = array.id.get_create_plist()
        filters = {properties.get_filter(n)[0] for n in range(properties.get_nfilters())}
        if array.is_virtual or array.external:
            raise ActivationError(f"{name} has its numbers in another file, which is not read")
        if filters - _FILTERS:
            raise ActivationError(f"{name} is packed in a way that is not read; save it without compression")
        n_chunk = math.prod(array.chunks) if array.chunks else 0
        n_bytes = array.dtype.itemsize * max(math.prod(array.shape), n_chunk)
        self._bytes_left -= n_bytes
        if self._bytes_left < 0:
            raise ActivationError(f"{name} has shape {array.shape}, which cannot be in a file of this size")

    def _attributes(self, thing: "h5py.HLObject") -> Iterator[tuple[str, Attribute]]:
        import h5py

        n_attributes = h5py.h5a.get_num_attrs(thing.id)
        self._attributes_left -= n_attributes
        if self._attributes_left < 0:
            raise ActivationError("it has more attributes than any model needs")
        for n in range(n_attributes):
            attribute = h5py.h5a.open(thing.id, index=n)
            name = attribute.name.decode(errors="replace")
            self._attribute_bytes_left -= attribute.dtype.itemsize * math.prod(attribute.shape)
            if self._attribute_bytes_left < 0:
                raise ActivationError("its attributes are larger than any model's")
            if attribute.dtype.kind in "SO" or (attribute.dtype.kind in "fiub" and not attribute.shape):
                value = _plain(thing.attrs[name])
                if value is not None:
                    self._attribute_bytes_left -= len(value) if isinstance(value, str) else sum(map(len, _texts(value)))
                    yield name, value


def _type_name(array: "h5py.Dataset") -> str:
    """Return numpy's name of the type of an array, `strings`, or `unknown`."""
    try:
        kind, name = array.dtype.kind, array.dtype.name
    except TypeError:  # numpy has no such type
        return "unknown"
    return _STRINGS if kind in "SOU" or array.shape is None else str(name)[:100]


def _texts(value: Attribute) -> list[str]:
    return value if isinstance(value, list) else []


def _things(file: "h5py.File") -> Iterator[tuple[str, Any]]:
    """Yield everything in a file with its path: groups before what they hold."""
    import h5py

    waiting: list[tuple[str, Any]] = [("", file)]
    groups, n_objects = set[int](), 0
    while waiting:
        name, thing = waiting.pop()
        yield name, thing
        if not isinstance(thing, h5py.Group):
            continue
        address = h5py.h5o.get_info(thing.id).addr
        if address in groups:
            raise ActivationError(f"its group {name} is also a part of another, which no program writes")
        groups.add(address)
        n_objects += len(thing)
        if n_objects > _MAX_OBJECTS:
            raise ActivationError("it has more parts than any model needs")
        children = [(f"{name}/{key}" if name else key, _child(thing, key)) for key in thing]
        for path, _ in children:
            if len(path) > _MAX_NAME or path.count("/") > _MAX_DEPTH or not path.isprintable():
                raise ActivationError("it has names that are longer or deeper than any model's, or cannot be printed")
        waiting += reversed(children)


def _child(group: "h5py.Group", key: str) -> Any:
    import h5py

    if not isinstance(group.get(key, getlink=True), h5py.HardLink):
        raise ActivationError(f"{key!r} is a link to something elsewhere, which is not followed")
    return group[key]


def _plain(value: Any) -> Attribute | None:
    """Return an attribute as Python's own string, list of strings or number; None if it is something else."""
    if isinstance(value, bytes | str | np.bytes_):
        return _text(value)
    if isinstance(value, np.generic | int | float):
        number = value.item() if isinstance(value, np.generic) else value
        return number if isinstance(number, int | float) else None
    if isinstance(value, np.ndarray) and value.ndim <= 1:
        items = value.ravel().tolist()
        if all(isinstance(item, bytes | str) for item in items):
            return [_text(item) for item in items]
    return None


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
