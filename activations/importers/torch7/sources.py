"""The two formats of Torch7's files: where numbers and characters come from."""

import os
import re
import struct
import warnings
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError

ENTRY = np.dtype([("key_type", "<i4"), ("key", "<f8"), ("value_type", "<i4"), ("value", "<f8")])
_TYPE_OF_NUMBERS = 1
_LONGEST_NUMBER = 32  # bytes, with what is between two numbers
_WHOLE = re.compile(rb"-?\d{1,19}")


class Binary:
    """The little-endian binary format. No more is read than is there, and than is asked for.

    Attributes:
        bytes_left: Number of bytes behind the current position.
    """

    def __init__(self, file: BinaryIO, size: int, long_bytes: int = 8) -> None:
        self._file, self.bytes_left = file, size
        self._long = np.dtype(f"<i{long_bytes}")
        file.seek(0)

    def characters(self, n: int) -> bytes:
        """Read bytes as they are.

        Raises:
            ActivationError: If the file has no such number of them.
        """
        if not 0 <= n <= self.bytes_left:
            raise ActivationError("it is truncated or damaged: a length goes beyond its end")
        self.bytes_left -= n
        return self._file.read(n)

    def integer(self) -> int:
        """Read an integer of 32 bits."""
        return int.from_bytes(self.characters(4), "little", signed=True)

    def number(self) -> float:
        """Read a number of Lua, which is a double."""
        return float(struct.unpack("<d", self.characters(8))[0])

    def longs(self, n: int) -> list[int]:
        """Read integers of as many bits as the machine had that wrote the file."""
        return [int(long) for long in np.frombuffer(self.characters(n * self._long.itemsize), self._long)]

    def numbers(self, dtype: str, n: int) -> NDArray[Any]:
        """Read the numbers of a storage, (n,).

        Raises:
            ActivationError: If the file has fewer.
        """
        kind = self._long if dtype == "<i8" else np.dtype(dtype)
        if not 0 <= n * kind.itemsize <= self.bytes_left:
            raise ActivationError("it is truncated or damaged: a storage goes beyond its end")
        return np.frombuffer(self.characters(n * kind.itemsize), kind)

    def table_of_numbers(self, n: int) -> NDArray[Any] | None:
        """Read the entries of a table if all keys and values are numbers, (n,) of `ENTRY`; otherwise None."""
        n_bytes = n * ENTRY.itemsize
        if n_bytes > self.bytes_left:
            return None
        entries = np.frombuffer(self._file.read(n_bytes), ENTRY)
        if (entries["key_type"] == _TYPE_OF_NUMBERS).all() and (entries["value_type"] == _TYPE_OF_NUMBERS).all():
            self.bytes_left -= n_bytes
            return entries
        self._file.seek(-n_bytes, os.SEEK_CUR)
        return None


class Ascii(Binary):
    """The ASCII format: numbers in decimal notation, each group of them on a line; characters as they are."""

    def _line(self, max_bytes: int) -> bytes:
        line = self._file.readline(min(max_bytes, self.bytes_left))
        self.bytes_left -= len(line)
        return line

    def characters(self, n: int) -> bytes:
        """Read bytes, behind which there is the end of a line."""
        characters = super().characters(n)
        if n and self.bytes_left:
            super().characters(1)
        return characters

    def integer(self) -> int:
        """Read an integer, which has a line of its own."""
        return self.longs(1)[0]

    def number(self) -> float:
        """Read a number of Lua, which has a line of its own."""
        return float(self.numbers("<f8", 1)[0])

    def longs(self, n: int) -> list[int]:
        """Read a line of integers."""
        words = self._line(_LONGEST_NUMBER * n).split() if n else []
        if len(words) != n or not all(_WHOLE.fullmatch(word) for word in words):
            raise ActivationError(f"it is truncated or damaged: {n} whole numbers are missing")
        return [int(word) for word in words]

    def numbers(self, dtype: str, n: int) -> NDArray[Any]:
        """Read the numbers of a storage, (n,), which are a line."""
        if dtype in ("<i1", "<u1"):
            return np.frombuffer(self.characters(n), dtype)
        if not 0 <= n <= self.bytes_left:
            raise ActivationError("it is truncated or damaged: a storage goes beyond its end")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # numpy reads up to what is no number, and warns
                numbers = np.fromstring(self._line(_LONGEST_NUMBER * n), dtype, sep=" ") if n else np.zeros(0, dtype)
        except (DeprecationWarning, ValueError):
            numbers = np.zeros(0, dtype)
        if len(numbers) != n:
            raise ActivationError(f"it is truncated or damaged: {n:,} numbers are missing")
        return numbers

    def table_of_numbers(self, n: int) -> NDArray[Any] | None:
        """Leave a table to be read entry by entry."""
        return None
