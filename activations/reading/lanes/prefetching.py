"""Iterators that prefetch: each makes its next item in a thread of its own while the last one is in use."""

from collections.abc import Callable, Generator, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """The end of an iterator, which may be an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Prefetcher(Thread, Generic[T]):
    """Makes the next item of an iterator while the last one is in use, and no more than that."""

    def __init__(self, items: Iterator[T], prepare: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._items = items
        self._prepare = prepare
        self._made: SimpleQueue[T | _End] = SimpleQueue()
        self._room = Semaphore(1)
        self._stopped = Event()

    def run(self) -> None:
        try:
            self._prepare()
            for item in self._items:
                self._room.acquire()
                if self._stopped.is_set():
                    return
                self._made.put(item)
                del item  # so that its memory can be used again for the item after the next
            self._made.put(_End())
        except BaseException as error:  # noqa: BLE001 it is raised where the items are taken
            self._made.put(_End(error))

    def next(self) -> T | _End:
        return self._made.get()

    def release(self) -> None:
        self._room.release()

    def stop(self) -> None:
        self._stopped.set()
        self._room.release()
        self.join()


def prefetch(iterators: Sequence[Iterator[T]], prepare: Callable[[], None] = lambda: None) -> Generator[T, None, None]:
    """Alternate between the items of several iterators, each of which prefetches one item in a thread of its own.

    The order is always the same: one item of each iterator that has any left, in the order of `iterators`, and again.
    An item is in use until the next one is taken; delete it earlier if it is large.

    Args:
        iterators: The iterators.
        prepare: Called in each thread before it begins.

    Raises:
        BaseException: Whatever an iterator raises.
    """
    prefetchers = [_Prefetcher(iterator, prepare) for iterator in iterators]
    for prefetcher in prefetchers:
        prefetcher.start()
    running = list(prefetchers)
    try:
        while running:
            for prefetcher in list(running):
                item = prefetcher.next()
                if isinstance(item, _End):
                    if item.error is not None:
                        try:
                            raise item.error
                        finally:
                            del item  # it would keep the error, which keeps this frame, which keeps the other threads
                    running.remove(prefetcher)
                    continue
                yield item
                del item
                prefetcher.release()
    finally:
        for prefetcher in prefetchers:
            prefetcher.stop()
