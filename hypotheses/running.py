"""Calling what a user has written: whatever it does, the process stays as it was, and an error is a sentence."""

import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from hypotheses.errors import described

_LONGEST_MESSAGE = 500
_STANDARD = (1, 2)
_kept_files: dict[int, tuple[int, tuple[int, int]]] = {}  # another number of the file, and which file it is
_real_exit: Callable[[int], NoReturn] = os._exit


@contextmanager
def process_kept() -> Iterator[None]:
    """Undo what a user's code does to standard output and error, to `sys.stdin`, and to the working directory.

    `os._exit` raises `SystemExit`, which has a line in the code, in place of ending the process without a word.
    """
    if os._exit is not _real_exit:  # within another such block
        yield
        return
    streams, folder = (sys.stdin, sys.stdout, sys.stderr), _working_directory()
    before = {number: _identity(number) for number in _STANDARD}
    for number, identity in before.items():
        _keep(number, identity)
    process = os.getpid()
    os._exit = lambda status: _end(process, status)
    try:
        yield
    finally:
        os._exit = _real_exit
        sys.stdin, sys.stdout, sys.stderr = streams
        for number, identity in before.items():
            if identity is not None and _identity(number) != identity:
                os.dup2(_kept_files[number][0], number)
        if folder is not None and _working_directory() != folder:
            with suppress(OSError):
                os.chdir(folder)


def _keep(number: int, identity: tuple[int, int] | None) -> None:
    """Keep a standard file open under another number, once for as long as it is the same file."""
    kept, kept_identity = _kept_files.get(number, (None, None))
    if identity is None or kept_identity == identity:
        return
    if kept is not None:
        os.close(kept)
    _kept_files[number] = os.dup(number), identity


def interruption(error: BaseException | None) -> KeyboardInterrupt | None:
    """Return the Ctrl-C, or another signal's exception, that an error is or was raised in place of; else None."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if isinstance(error, KeyboardInterrupt):
            return error
        seen.append(error)
        error = error.__cause__ or error.__context__
    return None


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
