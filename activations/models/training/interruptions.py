"""Delaying Ctrl-C and similar signals until what has been computed is saved."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class Interruptions:
    """Delays SIGINT, SIGTERM and SIGHUP until they are handled; a second signal takes effect at once.

    A context manager. Signals that no Python function handles keep their effect, such as ending the process, and
    outside the main thread nothing is delayed.
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._pending: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers[number] = handler
                    signal.signal(number, self._delay)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if error is None:
            self.handle()

    @property
    def is_pending(self) -> bool:
        """True if a signal has come that is not handled yet."""
        return self._pending is not None

    def handle(self) -> None:
        """Call the handler of the pending signal, which usually raises an exception; without one, do nothing."""
        if self._pending is not None:
            number, self._pending = self._pending, None
            self._handlers[number](number, None)

    def _delay(self, number: int, frame: FrameType | None) -> None:
        if self._pending is not None:
            self._handlers[number](number, frame)
        self._pending = number
