"""Memory for blocks, used again as soon as nothing refers to it: on many machines fresh memory is what is slow."""

import math
import mmap
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]


def pages(n_bytes: int) -> Bytes:
    """Fresh memory that begins at a page, so that it can be written past the page cache; of large pages if possible."""
    memory = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # not every kernel has them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


class Slabs:
    """Arrays in memory that comes back here when the last reference to it is gone."""

    def __init__(self, allocate: Callable[[int], Bytes] = pages) -> None:
        self._allocate = allocate
        self._free: list[Bytes] = []
        self._lock = Lock()

    def take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array with anything in it, as long as somebody keeps it or a view of it."""
        n_bytes = max(1, math.prod(shape) * dtype.itemsize)
        with self._lock:
            fitting = [(len(each), n) for n, each in enumerate(self._free) if n_bytes <= len(each) <= 2 * n_bytes]
            memory = self._free.pop(min(fitting)[1]) if fitting else None
        return np.asarray(_Lease(self, self._allocate(n_bytes) if memory is None else memory, shape, dtype))

    def give_back(self, memory: Bytes) -> None:
        """Let it be taken again."""
        self._free.append(memory)  # without the lock: this may be called from within `take`, by the garbage collector


class _Lease:
    """What an array that was taken, and every view of it, keeps alive."""

    def __init__(self, home: Slabs, memory: Bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._home = home
        self._memory = memory
        self.__array_interface__ = {**memory.__array_interface__, "shape": shape, "typestr": dtype.str, "strides": None}

    def __del__(self) -> None:
        self._home.give_back(self._memory)
