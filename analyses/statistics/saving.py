"""Statistics as files: plain arrays, with what they belong to, never code."""

import hashlib
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from activations.blocks import Source
from activations.files import replacing
from analyses.alignment import Target
from analyses.errors import AnalysisError
from analyses.statistics.collecting import AnyStatistic
from analyses.statistics.statistic import State

_FORMAT, _VERSION = "character statistics", 1
_HEADER = "header"
_DAMAGES = (  # what reading a damaged file may raise
    ValueError, KeyError, AttributeError, EOFError, NotImplementedError, RuntimeError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip


def belonging(source: Source, targets: Sequence[Target]) -> dict[str, str]:
    """What a statistic belongs to: the model, the text, the selection, and the hypotheses with their labels."""
    labels = hashlib.sha256()
    for each in targets:
        labels.update(np.ascontiguousarray(each.labels.values).tobytes())
        labels.update(b"" if each.labels.missing is None else each.labels.missing.tobytes())
    used = source.selection
    return {
        "model": source.model_sha256,
        "text": source.corpus.sha256,
        "selection": f"characters {used.start:,} to {used.stop:,}, one in {used.every}",
        "hypotheses": ", ".join(each.hypothesis for each in targets),
        "labels": labels.hexdigest(),
        "split": "; ".join(dict.fromkeys(str(each.split) for each in targets)),
    }


def save(path: Path, statistic: AnyStatistic, belongs: Mapping[str, str]) -> None:
    """Write what a statistic knows.

    Args:
        path: The file, which is complete or absent.
        statistic: What is written, at any moment between two blocks.
        belongs: See `belonging`.

    Raises:
        ActivationError: If the file cannot be written.
    """
    arrays = {name: np.asarray(array) for name, array in statistic.arrays().items()}
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "belongs": {"statistic": type(statistic).__name__, **belongs},
        "sha256": _hash(arrays),
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **{_HEADER: np.frombuffer(json.dumps(header).encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]


def load(path: Path, statistic: AnyStatistic, belongs: Mapping[str, str]) -> None:
    """Let a statistic, made with the same arguments, know what one that was saved knew.

    Raises:
        AnalysisError: If the file is missing, damaged, no statistic, of another version, or belongs to another model,
            text, selection, or to other hypotheses; the sentence says what differs.
    """
    arrays, header = _read(path)
    if header.get("version") != _VERSION:
        raise AnalysisError(
            f"{path} has version {header.get('version')} of this format, and version {_VERSION} is read here; "
            "collect it again"
        )
    wanted = {"statistic": type(statistic).__name__, **belongs}
    for name, own in wanted.items():
        there = header["belongs"].get(name)
        if there != own:
            raise AnalysisError(f"{path} belongs to another {name.removesuffix('es')}: {there}, not {own}")
    if header["sha256"] != _hash(arrays):
        raise AnalysisError(f"{path} is damaged: its arrays do not fit their hash; collect it again")
    statistic.restore(arrays)


def _read(path: Path) -> tuple[State, dict[str, Any]]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
    except OSError as error:
        raise AnalysisError(f"cannot read {path}: {error.strerror or error}") from error
    except _DAMAGES as error:
        raise AnalysisError(f"{path} is damaged, or is no saved statistic; collect it again") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT or "belongs" not in header:
        raise AnalysisError(f"{path} is no saved statistic; collect it again")
    return arrays, header


def _hash(arrays: State) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
