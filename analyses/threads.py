"""A thread for each core, results in the order of what they are made of, and threads that take turns."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import chain, islice
from threading import Condition, RLock, Thread, current_thread
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What `work` makes of each item, in their order, while as many as there are cores are worked on.

    Matrix products within take one thread each: sharing a small product costs more than it saves. The items are
    taken, two for each core ahead, in the thread of the caller.
    """
    rest = iter(items)
    first = list(islice(rest, 2))
    if len(first) < 2:  # a thread would only be waited for
        with one_thread_each():
            yield from map(work, first)
        return
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with one_thread_each(), ThreadPoolExecutor(n_threads) as pool:
        for item in chain(first, rest):
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Turns:
    """What one thread has at a time, which may take it again while it has it; the others wait.

    Unlike a lock of Python's own it can be given back by another thread: a generator that was left half-way is closed
    by whichever thread collects the garbage.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._owner: Thread | None = None  # not its number, which the system gives to another one later
        self._taken: set[object] = set()  # one for each time that the owner has taken it

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have it, as soon as no other thread has it, until the block ends."""
        own, turn = current_thread(), object()
        with self._changed:
            self._changed.wait_for(lambda: self._owner in (None, own))
            self._owner = own
            self._taken.add(turn)
        try:
            yield
        finally:
            self._give_back({turn})

    @contextmanager
    def left_as_found(self) -> Iterator[None]:
        """When the block ends, give back what this thread has taken within and still has.

        A generator that was left half-way because of an error is kept by that error, and would be closed with it.
        """
        before = self._own()
        try:
            yield
        finally:
            self._give_back(self._own() - before)

    def _own(self) -> set[object]:
        with self._changed:
            return set(self._taken) if self._owner is current_thread() else set()

    def _give_back(self, turns: set[object]) -> None:
        with self._changed:
            self._taken -= turns
            if not self._taken:
                self._owner = None
                self._changed.notify_all()


class _OneThreadEach:
    """Matrix products take one thread each from when the first block of some begins until the last of them ends.

    The number of threads is one for the whole process. If each block put back what it found, one that ends while
    another goes on would change the number for that one, and with it the order of its sums.
    """

    def __init__(self) -> None:
        self._lock = RLock()  # the garbage collector may end a block while another begins
        self._n_blocks = 0
        self._before: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Within the block, and as long as others are in one, products take one thread each."""
        with self._lock:
            self._n_blocks += 1
            if self._n_blocks == 1:
                self._before = _libraries().limit(limits=1, user_api="blas")
        try:
            yield
        finally:
            with self._lock:
                self._n_blocks -= 1
                if not self._n_blocks:
                    self._before.restore_original_limits()


one_thread_each = _OneThreadEach()


@cache
def _libraries() -> ThreadpoolController:
    """Those that make matrix products, which takes milliseconds to find out."""
    import scipy.linalg  # noqa: F401 - has one of its own, which is only found once it is loaded

    return ThreadpoolController()
