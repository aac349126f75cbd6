"""The journal of an unfinished job: named arrays in a file that is always whole, from which the job can be resumed."""

import io
import json
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import xxhash
from numpy.typing import NDArray

from activations.files import check_is_file, is_stored

Arrays = dict[str, NDArray[Any]]


def write_journal(path: Path, job: str, arrays: Arrays) -> None:
    """Replace the journal at once: a reader finds either the old one or the new one.

    Args:
        path: The file.
        job: What identifies the job; only the same job can be resumed from it.
        arrays: What to keep.
    """
    buffer = io.BytesIO()
    np.savez(buffer, job=np.array(job), **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    temporary = path.with_name(f"{path.name}.new")
    with temporary.open("wb") as file:
        file.write(xxhash.xxh3_64_digest(content))
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_journal(path: Path, job: str) -> Arrays | None:
    """Return the arrays of a journal, or None if there is no whole journal of this job."""
    check_is_file(path, "journal")
    try:
        content = path.read_bytes()
        if xxhash.xxh3_64_digest(content[8:]) != content[:8]:
            return None
        with ZipFile(io.BytesIO(content[8:])) as archive:
            if not is_stored(archive):
                return None
        with np.load(io.BytesIO(content[8:]), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, MemoryError, BadZipFile):
        return None
    return arrays if str(arrays.pop("job", "")) == job else None


def remove_journal(path: Path) -> None:
    """Remove a journal, and what an interrupted writing of it left."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.new").unlink(missing_ok=True)


def job_name(**facts: Any) -> str:
    """Return a text that is the same for two jobs if all facts are."""
    return json.dumps(facts, sort_keys=True, default=str)
