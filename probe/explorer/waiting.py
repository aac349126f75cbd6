"""Locks that are waited for only as long as somebody waits for the answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

_PATIENCE_S = 0.1  # between two looks whether somebody still waits


@contextmanager
def held(lock: Lock, wait: Callable[[], object]) -> Iterator[None]:
    """Hold a lock.

    Args:
        lock: The lock.
        wait: Called again and again while another thread holds it; what it raises ends the waiting.
    """
    while not lock.acquire(timeout=_PATIENCE_S):
        wait()
    try:
        yield
    finally:
        lock.release()
