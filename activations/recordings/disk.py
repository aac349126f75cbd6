"""Writing arrays into a file that is laid out already, past the system's page cache where that is possible.

A recording is larger than the cache as a rule, and is written once: going through the cache costs more time on the
processor than many a model needs to compute what is written.
"""

import errno
import mmap
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

PAGE_BYTES = 4096
_LEAST_DIRECT_BYTES = 16 * PAGE_BYTES


class DiskFile:
    """A file, opened for reading and writing, and made if it is not there. Also a context manager.

    Attributes:
        number: Its file descriptor.
    """

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDWR | os.O_CREAT, mode=0o666)
        self._direct = _open_direct(path)
        self._stage = np.zeros(0, np.uint8)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave_direct()
        os.close(self.number)

    def write(self, array: NDArray[Any], offset: int) -> None:
        """Put the bytes of an array at a place in the file."""
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        head = -offset % PAGE_BYTES
        body = (len(content) - head) // PAGE_BYTES * PAGE_BYTES
        if self._direct is None or body < _LEAST_DIRECT_BYTES:
            _write_all(self.number, content, offset)
            return
        try:
            _write_all(self._direct, self._aligned(content[head : head + body]), offset + head)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._leave_direct()  # this file system promises what it does not keep
            _write_all(self.number, content, offset)
            return
        _write_all(self.number, content[:head], offset)
        _write_all(self.number, content[head + body :], offset + head + body)

    def claim(self, size: int) -> None:
        """Take the room for so many bytes at once, where the file system can, so that a full disk is noticed.

        Raises:
            OSError: If there is no such room.
        """
        try:
            os.posix_fallocate(self.number, 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # file systems that cannot
                raise

    def sync(self) -> None:
        """Wait until all that was written would outlast a power failure."""
        os.fsync(self.number)

    def _aligned(self, content: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The same bytes at a place in memory that the disk can read from."""
        if content.ctypes.data % PAGE_BYTES == 0:
            return content
        if len(self._stage) < len(content):
            self._stage = np.frombuffer(mmap.mmap(-1, len(content)), np.uint8)
        self._stage[: len(content)] = content
        return self._stage[: len(content)]

    def _leave_direct(self) -> None:
        if self._direct is not None:
            os.close(self._direct)
            self._direct = None


def _open_direct(path: Path) -> int | None:
    try:
        return os.open(path, os.O_WRONLY | os.O_DIRECT)
    except (OSError, AttributeError):  # not every file system can, and not every operating system
        return None


def _write_all(file: int, content: NDArray[np.uint8], offset: int) -> None:
    rest = content.data
    while rest:
        n = os.pwrite(file, rest, offset)
        rest, offset = rest[n:], offset + n
