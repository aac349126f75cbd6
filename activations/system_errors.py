"""Errors of the operating system, of the HDF5 library, and of Python's reader of JSON, in words of our own."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from activations.errors import ActivationError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota on the disk is used up",
    errno.EFBIG: "it would be larger than the file system or your limit on files (`ulimit -f`) allows",
    errno.EROFS: "the disk can only be read",
    errno.EIO: "the disk reports an error; it may be failing, or a network disk is not connected",
    errno.EMFILE: "too many files are open; `ulimit -n` raises the limit",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOMEM: "there is not enough memory",
    errno.EAGAIN: "another program is using it",
    errno.ESTALE: "the network disk has lost it; open it again",
    errno.ENAMETOOLONG: "its name is too long",
}
_OF_HDF5 = re.compile(r"\berrno = (\d+)")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_OF_THE_SYSTEM = frozenset({*_REASONS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ETIMEDOUT})
_SHOWN_CHARS = 200


def reason(error: BaseException) -> str:
    """Return why the system or HDF5 refused something, for the end of a sentence."""
    number = error_number(error)
    if number is not None:
        return _REASONS.get(number) or os.strerror(number)
    if isinstance(error, OSError) and error.strerror is None and not _is_of_hdf5(error):
        return " ".join(str(error).split())[:_SHOWN_CHARS] or "the system does not say why"
    return "the HDF5 library failed; the disk may be full, or the file damaged"


def json_reason(error: ValueError | RecursionError) -> str:
    """Return why a text is not read as JSON."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if "integer string conversion" in str(error):
        return "a number in it has thousands of digits"
    return str(error)[:120]


def reason_of_process(error: OSError) -> str:
    """Return why no process could be started, or what it was to look at could not be found."""
    if error.errno == errno.EAGAIN:
        return "no more processes may be started; `ulimit -u` raises the limit"
    return reason(error)


def error_number(error: BaseException) -> int | None:
    """Return the system's number of an error, which HDF5 may have hidden in its message; None if there is none."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if number := _OF_HDF5.search(str(error)):
        return int(number[1])
    return errno.ENOSPC if os.strerror(errno.ENOSPC) in str(error) else None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn errors of the system and of HDF5, while a file is read, into one sentence.

    Raises:
        ActivationError: With the reason.
    """
    try:
        yield
    except (OSError, RuntimeError, KeyError, MemoryError) as error:
        raise ActivationError(f"cannot read {path}: {reason(error)}") from error


def is_full(error: BaseException) -> bool:
    """Is there no room left on a disk?"""
    return error_number(error) in _FULL


def is_of_the_system(error: BaseException) -> bool:
    """Is it the system that refused, and not a file that is damaged?"""
    return error_number(error) in _OF_THE_SYSTEM


def _is_of_hdf5(error: BaseException) -> bool:
    """HDF5's messages name the step that failed, and then the reason in parentheses."""
    return re.match(r"(Unable to|Can't|Cannot|Driver) .*\(", str(error), re.DOTALL) is not None
