"""A pool of memory for blocks: on many machines, fresh memory is what is slow."""

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
    """Allocate memory aligned to pages, which can be written past the page cache; huge pages where possible."""
    memory = mmap.mmap(-1, n_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # not every kernel has them
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)


class MemoryPool:
    """Memory for arrays, which is used again once the last reference to an array is gone."""

    def __init__(self, allocate: Callable[[int], Bytes] = pages) -> None:
        self._allocate = allocate
        self._free: list[Bytes] = []
        self._lock = Lock()

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an uninitialised array; its memory is taken as long as the array or a view of it is referred to."""
        n_bytes = max(1, math.prod(shape) * dtype.itemsize)
        with self._lock:
            fitting = [(len(free), n) for n, free in enumerate(self._free) if n_bytes <= len(free) <= 2 * n_bytes]
            memory = self._free.pop(min(fitting)[1]) if fitting else None
        return np.asarray(_Lease(self, self._allocate(n_bytes) if memory is None else memory, shape, dtype))

    def give_back(self, memory: Bytes) -> None:
        """Let memory be used again."""
        self._free.append(memory)  # without the lock: the garbage collector may call this from within `empty`


class _Lease:
    """The owner of an array's memory, which the array and every view of it keep alive."""

    def __init__(self, pool: MemoryPool, memory: Bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._pool = pool
        self._memory = memory
        self.__array_interface__ = {**memory.__array_interface__, "shape": shape, "typestr": dtype.str, "strides": None}

    def __del__(self) -> None:
        self._pool.give_back(self._memory)
