"""Labels that were slow to find, kept on disk."""

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
from numpy.typing import NDArray

import hypotheses
from hypotheses.labelling.corpus_labels import CHUNK, CorpusLabels
from hypotheses.labels import KINDS, Labels

SLOW_S = 1.0
"""What took longer, in seconds, is kept."""

MOST_BYTES = 2 << 30
"""What was not used for the longest is dropped when all of it takes more room."""

_LIBRARIES = ("numpy", "pygments", "regex", "textblob")
_FORMAT = 3


def folder() -> Path:
    """Where labels are kept: `char-probe/labels` in the user's folder for caches."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "char-probe" / "labels"


def remember(
    key: str, label: Callable[[], CorpusLabels], *, anew: bool = False, unknown: Callable[[], str] = lambda: ""
) -> CorpusLabels:
    """The labels kept under a key, or else new ones, which are kept if they took long.

    Args:
        key: A hash of all that the labels depend on, but for this package and the libraries that it uses.
        label: Makes them.
        anew: Whether to make them also if they were kept.
        unknown: Asked once they are made: what the key did not tell, if anything. Then they are not kept.
    """
    path = folder() / f"{hashlib.sha256((key + _software()).encode()).hexdigest()}.npz"
    kept = None if anew else _read(path)
    if kept is not None:
        return kept
    labels, is_slow = _timed(label)
    if not is_slow:
        return labels
    if why := unknown():
        return replace(labels, not_cached_because=why)
    _write(path, labels)
    return labels


def label_anew(label: Callable[[], CorpusLabels], unknown: str) -> CorpusLabels:
    """New labels, which are not kept: they depend on what is not known."""
    labels, is_slow = _timed(label)
    return replace(labels, not_cached_because=unknown) if is_slow else labels


def _timed(label: Callable[[], CorpusLabels]) -> tuple[CorpusLabels, bool]:
    """Labels, and whether making them took long."""
    began = time.perf_counter()
    labels = label()
    return labels, time.perf_counter() - began > SLOW_S


@functools.cache
def _software() -> str:
    """A hash of this package, and the versions of the libraries that label."""
    digest = hashlib.sha256(f"{_FORMAT} {sys.version_info[:2]}".encode())
    for source in sorted(Path(hypotheses.__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    for library in _LIBRARIES:
        try:
            digest.update(f"{library} {version(library)}".encode())
        except PackageNotFoundError:
            continue
    return digest.hexdigest()


def _read(path: Path) -> CorpusLabels | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            n_chars = int(kept["n_chars"])
            kind = KINDS[int(kept["kind"])]
            values, missing = kept["values"], kept["missing"]
            if kind == "binary":
                values = np.unpackbits(values, count=n_chars).view(bool)
            there = np.unpackbits(missing, count=n_chars).view(bool) if len(missing) else None
            made = datetime.fromtimestamp(float(kept["made"]))
            labels = CorpusLabels((values,), (there,), kind, tuple(kept["names"].tolist()), made)
        if len(labels) != n_chars:
            return None
        for start in range(0, n_chars, CHUNK):
            Labels.from_answer(labels[start : start + CHUNK], min(CHUNK, n_chars - start))  # or else they are no labels
        os.utime(path)
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
        return None  # absent, or not whole
    return labels


def _write(path: Path, labels: CorpusLabels) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    parts = [slice(start, start + CHUNK) for start in range(0, len(labels), CHUNK)]
    is_binary = labels.kind == "binary"
    values = (labels[part].values.astype(labels.dtype) for part in parts)
    facts = {
        "n_chars": np.array(len(labels)),
        "kind": np.array(KINDS.index(labels.kind)),
        "names": np.array(labels.names, np.str_),
        "made": np.array(time.time()),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w") as file:
            for name, fact in facts.items():
                _write_array(file, name, [fact], fact.dtype, fact.shape)
            if is_binary:
                _write_bits(file, "values", values, len(labels))
            else:
                _write_array(file, "values", values, labels.dtype, (len(labels),))
            missing = (~labels[part].present for part in parts if labels.may_miss)
            _write_bits(file, "missing", missing, len(labels) if labels.may_miss else 0)
        partial.replace(path)
        _drop_old(path.parent)
    except OSError:  # a disk that is full, or a folder that cannot be written, costs the next run some time
        with contextlib.suppress(OSError):
            partial.unlink()


def _write_bits(file: zipfile.ZipFile, name: str, parts: Iterable[NDArray[np.bool_]], n_chars: int) -> None:
    """Eight to a byte; each part but the last has whole bytes of them."""
    _write_array(file, name, map(np.packbits, parts), np.dtype(np.uint8), (-(-n_chars // 8),))


def _write_array(
    file: zipfile.ZipFile, name: str, parts: Iterable[NDArray[Any]], dtype: np.dtype[Any], shape: tuple[int, ...]
) -> None:
    """An array as `numpy.savez` writes it, of which only a part need be in memory."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with file.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array_header_1_0(member, header)
        for part in parts:
            member.write(part.tobytes())


def _drop_old(kept: Path) -> None:
    files = sorted(kept.glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > MOST_BYTES:
            file.unlink(missing_ok=True)
