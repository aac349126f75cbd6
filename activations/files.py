"""Files that are read, which have to be files, and output files, which are complete or absent."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from activations.errors import ActivationError
from activations.system_errors import is_full, reason

if TYPE_CHECKING:
    from zipfile import ZipFile

_FOLDERS_OF_SYSTEM = ("/dev/", "/proc/", "/sys/")
_MEMORY = "/dev/shm"  # which is a folder like others
_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_LONGEST_ENDING = len(".training.4194304.part")  # of what is written beside a file before it is complete
_KINDS_OF_PATHS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def kind_of_path(path: Path) -> str | None:
    """Return what a path is if it is no file: a folder, a FIFO, a socket or a device; None if it is one.

    Raises:
        OSError: If there is nothing there, or it cannot be looked at.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # a NUL in the path
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    return next((kind for is_of_kind, kind in _KINDS_OF_PATHS if is_of_kind(mode)), None)


def is_pipe(path: Path) -> bool:
    """Tell whether a path is a FIFO, such as the shell makes of `<(zcat corpus.gz)`."""
    try:
        return kind_of_path(path) == "a FIFO"
    except OSError:
        return False


def check_is_file(path: Path, wanted: str) -> None:
    """Refuse what is no file, since reading it may wait for ever or have no end.

    Args:
        path: What is to be read. Nothing is said if there is nothing there.
        wanted: What the file is to be, such as `model`.

    Raises:
        ActivationError: If it is a folder, a FIFO, a socket or a device.
    """
    try:
        kind = kind_of_path(path)
    except OSError:
        return  # which opening it says
    if kind is not None:
        raise ActivationError(f"{path} is {kind}, and a {wanted} is a file; check its path")


def open_file(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a file without ever waiting, and return its descriptor.

    Args:
        path: The file.
        flags: How to open it, as of `os.open`.

    Raises:
        OSError: If it cannot be opened, or is a folder, a FIFO, a socket or a device.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return descriptor


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path`, which takes its place when the block ends, and is removed if it fails.

    Raises:
        ActivationError: If the folder is missing or not writable, or the disk is full.
    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise ActivationError(write_error_message(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def check_output(path: Path, *inputs: Path) -> None:
    """Refuse an output file that could not be written, or that is one of the inputs, before any work is done for it.

    Raises:
        ActivationError: If it is a folder or an input, or its folder is missing or not writable.
    """
    try:
        kind = kind_of_path(path)
    except OSError as error:
        if error.errno not in _NOTHING_THERE:
            raise ActivationError(write_error_message(path, error)) from error
        kind = None
    if kind == "a folder":
        raise ActivationError(f"cannot write {path}: it is a folder; name a file in it")
    whole = Path(os.path.abspath(path))  # noqa: PTH100 a link at its end is what is replaced
    is_of_system = str(whole).startswith(_FOLDERS_OF_SYSTEM) and not whole.is_relative_to(_MEMORY)
    if kind := kind or ("in a folder of the system" if is_of_system else None):
        raise ActivationError(f"cannot write {path}: it is {kind}, which a file must not replace; name another one")
    for source in inputs:
        if path.exists() and os.path.exists(source) and path.samefile(source):  # noqa: PTH110 of any length
            raise ActivationError(f"{path} is what is read; name another file to write")
    if not path.parent.is_dir():
        raise ActivationError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise ActivationError(f"cannot write {path}: the folder {path.parent} is not writable")
    longest = os.pathconf(path.parent, "PC_NAME_MAX") - _LONGEST_ENDING
    if len(os.fsencode(path.name)) > longest:
        raise ActivationError(f"cannot write {path}: its name is too long; it may have {longest} bytes")


def is_stored(archive: "ZipFile") -> bool:
    """Tell whether nothing in an archive is compressed, as in ours, so that its members are as large as they seem."""
    from zipfile import ZIP_STORED

    return all(member.compress_type == ZIP_STORED for member in archive.infolist())


def check_new(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace a file that is there, unless that is wanted.

    Raises:
        ActivationError: If it exists, and `overwrite` is False.
    """
    if path.exists() and not overwrite:
        raise ActivationError(f"{path} exists; name another file with -o, or replace it with --overwrite")


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless it exists.

    Raises:
        ActivationError: If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ActivationError(f"cannot make the folder {path}: {reason(error)}") from error


def write_error_message(path: Path, error: OSError) -> str:
    """Return a message for the user about a file that could not be written."""
    if not os.path.isdir(path.parent):  # noqa: PTH112 of any length
        return f"cannot write {path}: there is no folder {path.parent}"
    if is_full(error):
        return f"{reason(error)}: cannot write {path}; make room and run it again, or write to another disk"
    return f"cannot write {path}: {reason(error)}"
