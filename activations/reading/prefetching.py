"""Iterators that run ahead of who takes from them, each in a thread of its own."""

from collections.abc import Callable, Generator, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """What comes after the last item: nothing, or the error that ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Runner(Thread, Generic[T]):
    """Makes the next item while the last one is in use, and no more than that."""

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
                del item  # its memory is wanted for the next but one
            self._made.put(_End())
        except BaseException as error:  # noqa: BLE001 it is raised where the items are taken
            self._made.put(_End(error))

    def take(self) -> T | _End:
        return self._made.get()

    def go_on(self) -> None:
        self._room.release()

    def stop(self) -> None:
        self._stopped.set()
        self._room.release()
        self.join()


def side_by_side(
    iterators: Sequence[Iterator[T]], prepare: Callable[[], None] = lambda: None
) -> Generator[T, None, None]:
    """The items of several iterators in turn, each iterator running in a thread of its own, at most one item ahead.

    The order is always the same: one item of each that has any left, in the order of `iterators`, and again. An item
    is in use until the next one is asked for; let go of it before, if it is large.

    Args:
        iterators: What to run.
        prepare: Called in each thread before it begins.

    Raises:
        BaseException: Whatever an iterator raises.
    """
    runners = [_Runner(iterator, prepare) for iterator in iterators]
    for runner in runners:
        runner.start()
    running = list(runners)
    try:
        while running:
            for runner in list(running):
                item = runner.take()
                if isinstance(item, _End):
                    if item.error is not None:
                        try:
                            raise item.error
                        finally:
                            del item  # which would keep the error, and that this frame, and with it other threads
                    running.remove(runner)
                    continue
                yield item
                del item
                runner.go_on()
    finally:
        for runner in runners:
            runner.stop()
