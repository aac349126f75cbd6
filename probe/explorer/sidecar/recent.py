"""A small cache of arrays, which threads may share."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

Array = TypeVar("Array", bound=NDArray[Any])


class Recent(Generic[Array]):
    """The arrays that were used last, as many as fit in the memory set aside; the last one is always kept."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = Lock()
        self._arrays: OrderedDict[Hashable, Array] = OrderedDict()
        self._being_made: dict[Hashable, Lock] = {}

    @property
    def n_bytes(self) -> int:
        """The memory that the arrays take."""
        with self._lock:
            return sum(array.nbytes for array in self._arrays.values())

    def get(self, key: Hashable) -> Array | None:
        """Return the array of a key; None if it is not kept."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
            return self._arrays.get(key)

    def get_or_make(self, key: Hashable, make: Callable[[], Array]) -> Array:
        """Return the array of a key, which one thread makes if it is not kept, while others that want it wait."""
        with self._lock:
            making = self._being_made.setdefault(key, Lock())
        try:
            with making:
                array = self.get(key)
                if array is None:
                    array = make()
                    self._keep(key, array)
        finally:
            with self._lock:
                self._being_made.pop(key, None)
        return array

    def _keep(self, key: Hashable, array: Array) -> None:
        with self._lock:
            self._arrays[key] = array
            n_bytes = sum(kept.nbytes for kept in self._arrays.values())
            while n_bytes > self._most_bytes and len(self._arrays) > 1:
                n_bytes -= self._arrays.popitem(last=False)[1].nbytes
