"""A thread for each core, and results in the order of what they are made of."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import chain, islice
from typing import TypeVar

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
        with _libraries().limit(limits=1, user_api="blas"):
            yield from map(work, first)
        return
    n_threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    with _libraries().limit(limits=1, user_api="blas"), ThreadPoolExecutor(n_threads) as pool:
        for item in chain(first, rest):
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def beside_others() -> Iterator[None]:
    """Let matrix products take one thread each while other threads compute, for which they would wait."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Those that make matrix products, which takes milliseconds to find out."""
    import scipy.linalg  # noqa: F401 - has one of its own, which is only found once it is loaded

    return ThreadpoolController()
