"""Unfinished files of recordings: locked while a run writes them, and laid out by HDF5 before values are written."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from activations.errors import ActivationError
from activations.recordings.disk import DiskFile
from activations.system_errors import error_number, reason


@contextmanager
def locked(path: Path) -> Iterator[DiskFile]:
    """Open a file `NAME.part` that no other run may write meanwhile.

    Raises:
        ActivationError: If another run is writing it.
    """
    while True:
        with DiskFile(path) as disk:
            try:
                fcntl.flock(disk.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                target = path.with_suffix("")
                raise ActivationError(
                    f"another run is writing {target}; wait until it is done, or write to another file with -o"
                ) from None
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):  # some network file systems
                    raise
            if is_same_file(disk, path):  # and not renamed by its run before it was locked here
                yield disk
                return


def is_same_file(disk: DiskFile, path: Path) -> bool:
    """Is an open file still the one at a path?"""
    return path.exists() and os.path.samestat(os.fstat(disk.descriptor), path.stat())


@contextmanager
def hdf5_errors_as_os_errors() -> Iterator[None]:
    """Give errors of HDF5 the system's number, and no words of its own: it reports a full disk in more than one way."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = error_number(error)
        raise (OSError(reason(error)) if number is None else OSError(number, reason(error))) from error


def contiguous_dataset(file: h5py.File, path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Create a dataset whose place in the file is fixed from now on, and return the byte at which it begins."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    group = file.require_group(path.rpartition("/")[0])
    dataset = h5py.h5d.create(
        group.id,
        path.rpartition("/")[2].encode(),
        h5py.h5t.py_create(dtype, logical=True),
        h5py.h5s.create_simple(shape),
        properties,
    )
    return int(dataset.get_offset())


def sync_folder(folder: Path) -> None:
    """Wait until the names of a folder's files would survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
