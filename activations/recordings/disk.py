"""Writing arrays into a file that is laid out already, past the operating system's page cache where possible.

A recording is usually larger than the cache, and is written once: going through the cache takes more processor time
than many a model needs to compute what is written.
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
_FEWEST_DIRECT_BYTES = 16 * PAGE_BYTES


class DiskFile:
    """A file opened for reading and writing, and created if it does not exist. Also a context manager.

    Attributes:
        descriptor: Its file descriptor.
    """

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, mode=0o666)
        self._direct = _open_direct(path)
        self._stage = np.zeros(0, np.uint8)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close_direct()
        os.close(self.descriptor)

    def write(self, array: NDArray[Any], offset: int) -> None:
        """Write the bytes of an array at an offset in the file."""
        content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        head = -offset % PAGE_BYTES
        body = (len(content) - head) // PAGE_BYTES * PAGE_BYTES
        if self._direct is None or body < _FEWEST_DIRECT_BYTES:
            _write_all(self.descriptor, content, offset)
            return
        try:
            _write_all(self._direct, self._aligned(content[head : head + body]), offset + head)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self._close_direct()  # this file system opens files for direct writing, and then refuses it
            _write_all(self.descriptor, content, offset)
            return
        _write_all(self.descriptor, content[:head], offset)
        _write_all(self.descriptor, content[head + body :], offset + head + body)

    def preallocate(self, n_bytes: int) -> None:
        """Reserve the room for the whole file, where the file system can, so that a full disk is noticed now.

        Raises:
            OSError: If there is not enough room.
        """
        try:
            os.posix_fallocate(self.descriptor, 0, n_bytes)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):  # file systems that cannot
                raise

    def sync(self) -> None:
        """Wait until everything written would survive a power failure."""
        os.fsync(self.descriptor)

    def _aligned(self, content: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the same bytes at an address that the disk can read from."""
        if content.ctypes.data % PAGE_BYTES == 0:
            return content
        if len(self._stage) < len(content):
            self._stage = np.frombuffer(mmap.mmap(-1, len(content)), np.uint8)
        self._stage[: len(content)] = content
        return self._stage[: len(content)]

    def _close_direct(self) -> None:
        if self._direct is not None:
            os.close(self._direct)
            self._direct = None


def _open_direct(path: Path) -> int | None:
    try:
        return os.open(path, os.O_WRONLY | os.O_DIRECT)
    except (OSError, AttributeError):  # not every file system can, and not every operating system
        return None


def _write_all(descriptor: int, content: NDArray[np.uint8], offset: int) -> None:
    rest = content.data
    while rest:
        n = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[n:], offset + n
