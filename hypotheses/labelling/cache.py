"""The cache on disk of labels that were slow to make."""

import contextlib
import functools
import hashlib
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray

import hypotheses
from hypotheses.labelling.corpus_labels import CHUNK, CorpusLabels
from hypotheses.labels import KINDS, Labels

SLOW_S = 1.0
"""Labels that took longer, in seconds, are cached."""

MOST_BYTES = 2 << 30
"""When the cache is larger, the labels that were not used for the longest time are deleted."""

_LIBRARIES = ("numpy", "pygments", "regex", "textblob")
_FORMAT = 4


def folder() -> Path:
    """Return the folder of cached labels: `char-probe/labels` in the user's folder of caches."""
    return platformdirs.user_cache_path("char-probe", appauthor=False) / "labels"


def load_or_make(
    key: str,
    make: Callable[[], CorpusLabels],
    *,
    make_anew: bool = False,
    find_unhashed: Callable[[], str] = lambda: "",
) -> CorpusLabels:
    """Return the labels that are cached under a key, or else make them, and cache them if that was slow.

    Args:
        key: A hash of all that the labels depend on, except this package and the libraries that it uses.
        make: Makes the labels.
        make_anew: Whether to make the labels even if they are cached.
        find_unhashed: Called once the labels are made. Returns what they depend on that is not in the key, to end a
            sentence with; the labels are not cached then. Empty if the key covers everything.
    """
    path = (
        folder() / f"{hashlib.sha256((key + software_hash(Path(hypotheses.__file__).parent)).encode()).hexdigest()}.npz"
    )
    cached = None if make_anew else _read(path)
    if cached is not None:
        return cached
    labels, is_slow = _timed(make)
    if not is_slow:
        return labels
    if unhashed := find_unhashed():
        return replace(labels, not_cached_because=unhashed)
    _write(path, labels)
    return labels


def make_uncached(make: Callable[[], CorpusLabels], reason: str) -> CorpusLabels:
    """Make labels that cannot be cached; they carry the reason if they were slow."""
    labels, is_slow = _timed(make)
    return replace(labels, not_cached_because=reason) if is_slow else labels


def _timed(make: Callable[[], CorpusLabels]) -> tuple[CorpusLabels, bool]:
    """Return labels, and whether making them was slow."""
    began = time.perf_counter()
    labels = make()
    return labels, time.perf_counter() - began > SLOW_S


@functools.cache
def software_hash(package: Path) -> str:
    """Return a hash of the source files in a folder, and of the versions of Python and of the libraries that label."""
    digest = hashlib.sha256(f"{_FORMAT} {sys.version_info[:2]}".encode())
    digest.update(hash_of_sources(package).encode())
    for library in _LIBRARIES:
        try:
            digest.update(f"{library} {version(library)}".encode())
        except PackageNotFoundError:
            continue
    return digest.hexdigest()


def hash_of_sources(package: Path) -> str:
    """Return a hash of the names and the content of all Python files in a folder and the folders within it."""
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        digest.update(f"{source.relative_to(package).as_posix()}\n".encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> CorpusLabels | None:
    """Return the labels in a file; None if the file is absent or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            n_chars = int(arrays["n_chars"])
            kind = KINDS[int(arrays["kind"])]
            values, missing_bits = arrays["values"], arrays["missing"]
            if kind == "binary":
                values = np.unpackbits(values, count=n_chars).view(bool)
            missing = np.unpackbits(missing_bits, count=n_chars).view(bool) if len(missing_bits) else None
            made = datetime.fromtimestamp(float(arrays["made"]))
            names, notes, warnings = (tuple(arrays[key].tolist()) for key in ("names", "notes", "warnings"))
            labels = CorpusLabels((values,), (missing,), kind, names, made, "", notes, warnings)
        if len(labels) != n_chars:
            return None
        for start in range(0, n_chars, CHUNK):
            Labels.from_answer(labels[start : start + CHUNK], min(CHUNK, n_chars - start))  # raises if they are none
        os.utime(path)
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
        return None
    return labels


def _write(path: Path, labels: CorpusLabels) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    chunks = [slice(start, start + CHUNK) for start in range(0, len(labels), CHUNK)]
    is_binary = labels.kind == "binary"
    values = (labels[chunk].values.astype(labels.dtype) for chunk in chunks)
    scalars = {
        "n_chars": np.array(len(labels)),
        "kind": np.array(KINDS.index(labels.kind)),
        "names": np.array(labels.names, np.str_),
        "notes": np.array(labels.notes, np.str_),
        "warnings": np.array(labels.warnings, np.str_),
        "made": np.array(time.time()),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w") as file:
            for name, array in scalars.items():
                _write_array(file, name, [array], array.dtype, array.shape)
            if is_binary:
                _write_bits(file, "values", values, len(labels))
            else:
                _write_array(file, "values", values, labels.dtype, (len(labels),))
            missing = (~labels[chunk].present for chunk in chunks if labels.may_miss)
            _write_bits(file, "missing", missing, len(labels) if labels.may_miss else 0)
        partial.replace(path)
        _delete_oldest(path.parent)
    except OSError:  # a full disk, or a folder that cannot be written, only costs the next run some time
        with contextlib.suppress(OSError):
            partial.unlink()


def _write_bits(file: zipfile.ZipFile, name: str, chunks: Iterable[NDArray[np.bool_]], n_chars: int) -> None:
    """Write bools as bits; each chunk but the last fills whole bytes."""
    _write_array(file, name, map(np.packbits, chunks), np.dtype(np.uint8), (-(-n_chars // 8),))


def _write_array(
    file: zipfile.ZipFile, name: str, chunks: Iterable[NDArray[Any]], dtype: np.dtype[Any], shape: tuple[int, ...]
) -> None:
    """Write an array in the format of `numpy.savez`, with one chunk of it at a time in memory."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with file.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for chunk in chunks:
            member.write(chunk.tobytes())


def _delete_oldest(cache: Path) -> None:
    files = sorted(cache.glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > MOST_BYTES:
            file.unlink(missing_ok=True)
