"""The levels of one site in a file, and a checksum for each unit and chunk of rows in another."""

import mmap
import os
import weakref
from io import BytesIO
from pathlib import Path

import numpy as np
import xxhash
from numpy.lib import format as npy
from numpy.typing import NDArray

from activations.files import open_file

CHUNK_ROWS = 8192
"""Rows of a unit that have a checksum; the last chunk may have fewer."""


class DamagedLevelsError(Exception):
    """A file of levels that cannot be read, or does not fit its checksums or what the facts say of it."""


def n_chunks(n_rows: int) -> int:
    """Return how many chunks some rows are."""
    return -(-n_rows // CHUNK_ROWS)


def n_bytes_of(n_units: int, n_rows: int) -> int:
    """Return how many bytes the files of a site take, but for their headers."""
    return n_units * (n_rows + 8 * n_chunks(n_rows))


def chunk_checksum(levels: NDArray[np.uint8]) -> int:
    """Return the checksum of the levels of a chunk, which are next to each other in memory."""
    return xxhash.xxh3_64_intdigest(levels.data)


class StoredLevels:
    """The levels of the units of a site, in a file. Threads may share it.

    Each chunk is checked against its checksum when it is first read. The file stays open, so that nothing changes for
    a reader if it is replaced.

    Attributes:
        shape: The number of units, and that of rows.
    """

    def __init__(self, levels: Path, checksums: Path, shape: tuple[int, int]) -> None:
        """Open the files of a site.

        Args:
            levels: (n_units, n_rows) uint8, in the format of numpy.
            checksums: (n_units, n_chunks) uint64, in the format of numpy.
            shape: The number of units, and that of rows, as it must be.

        Raises:
            DamagedLevelsError: If one is missing, cannot be read, or has another shape.
        """
        self.shape = shape
        self._path = levels
        self._checksums = _read_checksums(checksums, (shape[0], n_chunks(shape[1])))
        self._is_verified = np.zeros(self._checksums.shape, np.bool_)
        try:
            self._file = open_file(levels, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise DamagedLevelsError(f"{levels} cannot be read") from error
        weakref.finalize(self, os.close, self._file)  # and not before: a thread may be reading
        self._offset = _begin_of_data(self._file, levels, shape, np.uint8)

    def read(self, unit: int, first: int = 0, last: int | None = None) -> NDArray[np.uint8]:
        """Return (last - first,) levels of a unit.

        Args:
            unit: Its number in the site.
            first: The first row.
            last: One past the last row; None is the end.

        Raises:
            DamagedLevelsError: If a chunk does not fit its checksum, or cannot be read.
        """
        last = self.shape[1] if last is None else last
        numbers = range(first // CHUNK_ROWS, n_chunks(last))
        if first >= last or self._is_verified[unit, numbers.start : numbers.stop].all():
            return self._read(unit, first, last)
        start = numbers.start * CHUNK_ROWS
        levels = self._read(unit, start, min(numbers.stop * CHUNK_ROWS, self.shape[1]))
        for number in numbers:
            chunk = levels[number * CHUNK_ROWS - start :][:CHUNK_ROWS]
            if chunk_checksum(chunk) != self._checksums[unit, number]:
                raise DamagedLevelsError(f"{self._path} does not fit its checksums")
        self._is_verified[unit, numbers.start : numbers.stop] = True
        return levels[first - start : last - start]

    def mapped(self) -> NDArray[np.uint8]:
        """Return (n_units, n_rows) levels mapped into memory, read-only, which are not checked against checksums.

        They are those of the file that is open, as `read` gives them, also when another one has taken its place.

        Raises:
            DamagedLevelsError: If the file has been truncated.
        """
        n_units, n_rows = self.shape
        try:
            content = mmap.mmap(self._file, self._offset + n_units * n_rows, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DamagedLevelsError(f"{self._path} cannot be read") from error
        return np.frombuffer(content, np.uint8, offset=self._offset).reshape(self.shape)

    def _read(self, unit: int, first: int, last: int) -> NDArray[np.uint8]:
        levels = np.empty(last - first, np.uint8)
        try:
            n_read = os.preadv(self._file, [levels.data], self._offset + unit * self.shape[1] + first)
        except OSError as error:
            raise DamagedLevelsError(f"{self._path} cannot be read") from error
        if n_read != len(levels):
            raise DamagedLevelsError(f"{self._path} has been truncated")
        return levels


def _read_checksums(path: Path, shape: tuple[int, int]) -> NDArray[np.uint64]:
    try:
        with os.fdopen(open_file(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            start = _begin_of_data(file.fileno(), path, shape, np.uint64)
            file.seek(start)
            content = file.read(8 * shape[0] * shape[1])
    except OSError as error:
        raise DamagedLevelsError(f"{path} cannot be read") from error
    return np.frombuffer(content, np.uint64).reshape(shape)


def _begin_of_data(descriptor: int, path: Path, shape: tuple[int, int], dtype: type[np.unsignedinteger]) -> int:
    """Return where the numbers begin in a file, whose header and size must be right."""
    expected = header_of(shape, dtype)
    if os.pread(descriptor, len(expected), 0) != expected:
        raise DamagedLevelsError(f"{path} does not fit the recording")
    if os.fstat(descriptor).st_size != len(expected) + shape[0] * shape[1] * np.dtype(dtype).itemsize:
        raise DamagedLevelsError(f"{path} has been truncated")
    return len(expected)


def header_of(shape: tuple[int, int], dtype: type[np.unsignedinteger] = np.uint8) -> bytes:
    """Return how a file of levels begins, or one of checksums, in the format of numpy."""
    header = BytesIO()
    npy.write_array_header_1_0(header, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape})
    return header.getvalue()
