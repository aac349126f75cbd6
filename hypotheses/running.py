"""Calling what a user has written: whatever it does, the process stays as it was, and an error is a sentence."""

import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from fcntl import F_DUPFD_CLOEXEC, fcntl
from threading import RLock, current_thread, local, main_thread
from typing import Any, NoReturn

from hypotheses.errors import described

_LONGEST_MESSAGE = 500
_STANDARD = (1, 2)
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
_FIRST_KEPT = 10  # number of files that are kept open: not one of those that a shell may have closed
_kept_files: dict[int, tuple[int, tuple[int, int]]] = {}  # another number of the file, and which file it is
_real_exit = os._exit
_lock = RLock()
_asked = local()  # `is_wanted`, in threads whose result may not be wanted any more
_n_blocks = 0
_restore: Callable[[], None]


@contextmanager
def process_kept() -> Iterator[None]:
    """Undo what a user's code does to standard output and error, to `sys.stdin`, and to the working directory.

    The same for how signals end the process, and for how deep functions may call each other. Folders that it takes
    from `sys.path` are put back, since this program still has modules to load. `os._exit` raises `SystemExit`, which
    has a line in the code, in place of ending the process without a word. A process that the code forks ends where
    the code does: it would print what this one prints again. Of blocks within others, or in several threads, the last
    one that ends undoes it all.
    """
    global _n_blocks, _restore
    process = os.getpid()
    with _lock:
        if not _n_blocks:
            _restore = _prepare_to_restore()
        _n_blocks += 1
    try:
        yield
    finally:
        if os.getpid() != process:
            _real_exit(int(sys.exc_info()[0] is not None))
        with _lock:
            _n_blocks -= 1
            if not _n_blocks:
                _restore()


@contextmanager
def while_wanted(is_wanted: Callable[[], bool]) -> Iterator[None]:
    """Let long work of this thread end early, within the block, as soon as its result is not wanted any more.

    Args:
        is_wanted: Called every now and then.
    """
    before = getattr(_asked, "is_wanted", None)
    _asked.is_wanted = is_wanted
    try:
        yield
    finally:
        _asked.is_wanted = before


def is_wanted() -> bool:
    """Tell whether the result of what this thread does is still wanted."""
    asked: Callable[[], bool] | None = getattr(_asked, "is_wanted", None)
    return asked is None or asked()


def _prepare_to_restore() -> Callable[[], None]:
    """Take note of how the process is, and return a function that makes it so again."""
    streams, folder, paths = (sys.stdin, sys.stdout, sys.stderr), _working_directory(), list(sys.path)
    depth = sys.getrecursionlimit()
    handlers: dict[int, Any] = {number: signal.getsignal(number) for number in _ENDING}
    before = {number: _identity(number) for number in _STANDARD}
    for number, identity in before.items():
        if identity is not None:
            _keep(number, identity)
    process = os.getpid()
    os._exit = lambda status: _end(process, status)

    def restore() -> None:
        os._exit = _real_exit
        sys.stdin, sys.stdout, sys.stderr = streams
        sys.setrecursionlimit(depth)
        _handle_again(handlers)
        sys.path += [path for path in paths if path not in sys.path]
        for number, identity in before.items():
            if identity is not None and _identity(number) != identity and _is_kept(number, identity):
                os.dup2(_kept_files[number][0], number)
        if folder is not None and _working_directory() != folder:
            with suppress(OSError):
                os.chdir(folder)

    return restore


def _handle_again(handlers: Mapping[int, Any]) -> None:
    """Handle signals as before, where the code has changed that, and as far as Python lets a thread do so."""
    if current_thread() is main_thread():
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _keep(number: int, identity: tuple[int, int]) -> None:
    """Keep a standard file open under another number, once for as long as it is the same file."""
    if not _is_kept(number, identity):
        _kept_files[number] = fcntl(number, F_DUPFD_CLOEXEC, _FIRST_KEPT), identity


def _is_kept(number: int, identity: tuple[int, int]) -> bool:
    """Tell whether a file is kept open, and a user's code has not closed it."""
    kept, kept_identity = _kept_files.get(number, (-1, None))
    return kept_identity == identity == _identity(kept)


def interruption(error: BaseException | None) -> KeyboardInterrupt | None:
    """Return the Ctrl-C, or another signal's exception, that an error is or was raised in place of; else None."""
    return next((cause for cause in causes(error) if isinstance(cause, KeyboardInterrupt)), None)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and then each that the one before was raised because of, or in place of."""
    seen: set[int] = set()  # not the errors: a user's class may say what is equal to them
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def failure(error: BaseException, files: Collection[str | None]) -> str:
    """Return what an error of a user's code says, in one line of bounded length, with its line in these files."""
    try:
        sentence = described(error, files)
    except BaseException as second:  # noqa: BLE001 the error is the user's, and so is what makes text of it
        sentence = f"{type(error).__name__}, whose message fails with {type(second).__name__}"
    shown = "".join(char if char.isprintable() else " " for char in sentence)
    return shown if len(shown) <= _LONGEST_MESSAGE else f"{shown[:_LONGEST_MESSAGE]}…"


def _end(process: int, status: int) -> NoReturn:
    if os.getpid() != process:  # a child that the user's code has started, which ends in this way
        _real_exit(status)
    raise SystemExit(f"os._exit({status})")


def _identity(number: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _working_directory() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 it is called for each text, and a path takes as long again
    except OSError:
        return None
