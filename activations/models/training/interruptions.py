"""Ctrl-C and the like, put off until what has been computed is kept."""

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class Interruptions:
    """Notes Ctrl-C, a request to end, or a terminal that closes, and answers it when it suits; the second one at once.

    A context manager. What would be done without a word, such as the end of the process where nobody handles the
    signal, still is; and outside the main thread, nothing is put off.
    """

    def __init__(self) -> None:
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}
        self._came: int | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if error is None:
            self.answer()

    @property
    def came(self) -> bool:
        """Whether there is one to answer."""
        return self._came is not None

    def answer(self) -> None:
        """Do what would have been done when it came, which as a rule raises."""
        if self._came is not None:
            number, self._came = self._came, None
            self._before[number](number, None)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._came is not None:
            self._before[number](number, frame)
        self._came = number
