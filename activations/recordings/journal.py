"""What is known of a job that may be broken off, in a file that is always whole: a named array for each thing."""

import io
import json
import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import xxhash
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def write_journal(path: Path, job: str, arrays: Arrays) -> None:
    """Replace the journal at once: whoever reads it finds either the old one or the new one.

    Args:
        path: Where it stands.
        job: What it is about; only the same job can go on from it.
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
    """What was kept, or None if there is no whole journal of this job."""
    try:
        content = path.read_bytes()
        if xxhash.xxh3_64_digest(content[8:]) != content[:8]:
            return None
        with np.load(io.BytesIO(content[8:]), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    return arrays if str(arrays.pop("job", "")) == job else None


def remove_journal(path: Path) -> None:
    """Take it away, and what an interrupted writing of it left."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.new").unlink(missing_ok=True)


def job_name(**facts: Any) -> str:
    """One text for all that makes two jobs the same."""
    return json.dumps(facts, sort_keys=True, default=str)
