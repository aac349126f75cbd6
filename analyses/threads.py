"""Work shared among threads: a thread for each core, locks, and one thread for each matrix product."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from threading import Condition, RLock, Thread, current_thread, local
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController

from activations.cores import n_cores

Item = TypeVar("Item")
Result = TypeVar("Result")
_local = local()  # `share_of_cores`, in threads that share the cores with others of ours


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield what `work` makes of each item, in their order, while as many items as there are cores are worked on.

    Matrix products within take one thread each: sharing a small product costs more than it saves. The items are
    taken in the thread of the caller, at most two for each core ahead. Where the caller has a core to itself, as in
    what `work` does or in `long_jobs` beside others, they are also worked on there, one after another.
    """
    rest = iter(items)
    first = list(islice(rest, 2))
    n_threads = n_threads_here()
    if len(first) < 2 or n_threads < 2:  # another thread would not be faster
        with one_thread_each():
            yield from map(work, chain(first, rest))
        return
    waiting: deque[Future[Result]] = deque()
    with one_thread_each(), ThreadPoolExecutor(n_threads, initializer=share_cores, initargs=(lambda: 1,)) as pool:
        for item in chain(first, rest):
            waiting.append(pool.submit(work, item))
            if len(waiting) > 2 * n_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def do_in_threads(work: Callable[[Item], object], items: Iterable[Item], *, is_worth_it: bool = True) -> None:
    """Do `work` with each item for what it changes; see `in_threads`.

    Args:
        work: What to do; its results are dropped.
        items: What it is done with.
        is_worth_it: Whether there is enough to do for several threads.
    """
    deque(in_threads(work, items) if is_worth_it else map(work, items), maxlen=0)


def n_threads_here() -> int:
    """Return how many threads compute at the same time for the thread that asks: as many as there are cores for it."""
    share: Callable[[], int] | None = getattr(_local, "share_of_cores", None)
    return n_cores() if share is None else share()


def share_cores(share: Callable[[], int]) -> None:
    """Let this thread compute from now on with as many threads as `share` returns when it is called."""
    _local.share_of_cores = share


class ReentrantLock:
    """A lock that one thread holds at a time, and may acquire again while it does; the others wait.

    Unlike a lock of Python's own it can be released by another thread: a generator that was left half-way is closed by
    whichever thread collects the garbage.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._owner: Thread | None = None  # and not its number, which the system gives to another thread later
        self._holds: set[object] = set()  # one for each time that the owner has acquired it

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock, as soon as no other thread holds it, until the block ends."""
        thread, hold = current_thread(), object()
        with self._changed:
            self._changed.wait_for(lambda: self._owner in (None, thread))
            self._owner = thread
            self._holds.add(hold)
        try:
            yield
        finally:
            self._release({hold})

    @contextmanager
    def released_on_exit(self) -> Iterator[None]:
        """When the block ends, release what this thread has acquired within it and still holds.

        A generator that was left half-way because of an error is kept by that error, and would be closed with it.
        """
        before = self._holds_of_this_thread()
        try:
            yield
        finally:
            self._release(self._holds_of_this_thread() - before)

    def _holds_of_this_thread(self) -> set[object]:
        with self._changed:
            return set(self._holds) if self._owner is current_thread() else set()

    def _release(self, holds: set[object]) -> None:
        with self._changed:
            self._holds -= holds
            if not self._holds:
                self._owner = None
                self._changed.notify_all()


class _OneThreadEach:
    """Matrix products take one thread each from when the first of several blocks begins until the last of them ends.

    The number of threads is one for the whole process. If each block restored the number that it found, one that ends
    while another goes on would change the number for that one, and with it the order of its sums.
    """

    def __init__(self) -> None:
        self._lock = RLock()  # the garbage collector may end a block while another begins
        self._n_blocks = 0
        self._controller: ThreadpoolController | None = None
        self._before: Any = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Within the block, and as long as others are in one, products take one thread each."""
        with self._lock:
            self._n_blocks += 1
            if self._n_blocks == 1:
                self._before = self._libraries().limit(limits=1, user_api="blas")
        try:
            yield
        finally:
            with self._lock:
                self._n_blocks -= 1
                if not self._n_blocks:
                    self._before.restore_original_limits()

    def _libraries(self) -> ThreadpoolController:
        """Find the libraries that make matrix products, which takes milliseconds, once."""
        if self._controller is None:
            import scipy.linalg  # noqa: F401 - has one of its own, which is only found once it is loaded

            self._controller = ThreadpoolController()
        return self._controller


one_thread_each = _OneThreadEach()
