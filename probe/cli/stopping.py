"""Ending a command when a signal asks for that, wherever in the command it comes."""

import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN_S = 0.05  # after which an exception is raised once more that something has swallowed
_THREAD_S = 0.5  # in which a thread may end by itself
_CLEANING_S = 3.0  # in which a second signal changes nothing


class Termination(KeyboardInterrupt):
    """Raised in the main thread by a signal that ends the command. It is handled as Ctrl-C is, by libraries too.

    Python calls `__del__` as soon as nothing holds an exception any more. If that comes before the command has ended,
    something has swallowed it: `except BaseException`, or a function that is called where no exception can be raised.
    """

    def __init__(self, stopping: "Stopping") -> None:
        super().__init__()
        self._stopping = stopping

    def __del__(self) -> None:
        self._stopping.stop_soon()


class Stopping:
    """Turns SIGINT, SIGTERM and SIGHUP into an exception, from `begin` to `end`; then the process ignores them.

    Signals that are ignored when the process starts, as SIGHUP is by `nohup`, stay ignored.

    Attributes:
        number: The signal that has come; 0 if none has.
    """

    def __init__(self) -> None:
        self.number = 0
        self._is_over = False
        self._raised_s = 0.0
        self._threads = set(threading.enumerate())
        self._hooks: tuple[Any, Any] = (sys.unraisablehook, threading.excepthook)

    @property
    def status(self) -> int:
        """The exit status of a command that has been stopped: 128 and the signal, as a shell has it."""
        return 128 + (self.number or signal.SIGINT)

    def begin(self) -> None:
        """Raise `Termination` when a signal comes."""
        sys.unraisablehook, threading.excepthook = self._ignore_unraisable, self._ignore_in_thread
        signal.signal(signal.SIGALRM, self._stop_again)
        for number in self._signals():
            signal.signal(number, self._stop)

    def end(self) -> None:
        """Ignore signals from now on: the command has ended, and only Python itself has still to."""
        self._is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in self._signals():
            signal.signal(number, signal.SIG_IGN)
        sys.unraisablehook, threading.excepthook = self._hooks

    def has_left_threads(self) -> bool:
        """Tell whether threads still run that Python would wait for, other than those of pools, which it ends."""
        from concurrent.futures import thread as pools

        new = set(threading.enumerate()) - self._threads - set(pools._threads_queues)
        lasting = [thread for thread in new if not thread.daemon]
        for thread in lasting:
            thread.join(_THREAD_S)
        return any(thread.is_alive() for thread in lasting)

    def stop_soon(self) -> None:
        """Raise the exception once more, unless the command has ended."""
        if not self._is_over:
            signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)

    def _signals(self) -> list[int]:
        return [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]

    def _stop(self, number: int, frame: FrameType | None) -> None:
        is_first = not self.number
        self.number = self.number or number
        if is_first or time.monotonic() - self._raised_s > _CLEANING_S:
            self._stop_again(number, frame)

    def _stop_again(self, number: int, frame: FrameType | None) -> None:
        if not self._is_over:
            self._raised_s = time.monotonic()
            raise Termination(self)

    def _ignore_unraisable(self, unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Termination):
            self._hooks[0](unraisable)

    def _ignore_in_thread(self, failure: Any) -> None:
        if not self.number:  # what a thread misses because the command has stopped
            self._hooks[1](failure)
