"""Output files that are complete or absent."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from activations.errors import ActivationError
from activations.system_errors import is_full, reason


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
    if path.is_dir():
        raise ActivationError(f"cannot write {path}: it is a folder; name a file in it")
    for source in inputs:
        if path.exists() and source.exists() and path.samefile(source):
            raise ActivationError(f"{path} is what is read; name another file to write")
    if not path.parent.is_dir():
        raise ActivationError(f"cannot write {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise ActivationError(f"cannot write {path}: the folder {path.parent} is not writable")


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
    if not path.parent.is_dir():
        return f"cannot write {path}: there is no folder {path.parent}"
    if is_full(error):
        return f"{reason(error)}: cannot write {path}; make room and run it again, or write to another disk"
    return f"cannot write {path}: {reason(error)}"
