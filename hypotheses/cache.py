"""Labels that were slow to find, kept on disk."""

import contextlib
import functools
import hashlib
import os
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from hypotheses.corpus_labels import CHUNK, CorpusLabels
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
        return replace(labels, unkept=why)
    _write(path, labels)
    return labels


def label_anew(label: Callable[[], CorpusLabels], unknown: str) -> CorpusLabels:
    """New labels, which are not kept: they depend on what is not known."""
    labels, is_slow = _timed(label)
    return replace(labels, unkept=unknown) if is_slow else labels


def _timed(label: Callable[[], CorpusLabels]) -> tuple[CorpusLabels, bool]:
    """Labels, and whether making them took long."""
    began = time.perf_counter()
    labels = label()
    return labels, time.perf_counter() - began > SLOW_S


@functools.cache
def _software() -> str:
    """A hash of this package, and the versions of the libraries that label."""
    digest = hashlib.sha256(f"{_FORMAT} {sys.version_info[:2]}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
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
            Labels.of(labels[start : start + CHUNK], min(CHUNK, n_chars - start))  # or else they are no labels
        os.utime(path)
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile):
        return None  # absent, or not whole
    return labels


def _write(path: Path, labels: CorpusLabels) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    values = labels.joined_values
    missing = np.packbits(labels.joined_missing) if labels.may_miss else np.zeros(0, np.uint8)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(
                file,
                n_chars=len(labels),
                kind=KINDS.index(labels.kind),
                values=np.packbits(values) if labels.kind == "binary" else values,
                missing=missing,
                names=np.array(labels.names, np.str_),
                made=time.time(),
            )
        partial.replace(path)
        _drop_old(path.parent)
    except OSError:  # a disk that is full, or a folder that cannot be written, costs the next run some time
        with contextlib.suppress(OSError):
            partial.unlink()


def _drop_old(kept: Path) -> None:
    files = sorted(kept.glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if total > MOST_BYTES:
            file.unlink(missing_ok=True)
