"""Saving statistics as files: plain arrays, with a description of what they belong to, and never code."""

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
from activations.files import check_is_file, is_stored, replacing
from activations.system_errors import reason
from analyses.collecting.collect import AnyStatistic
from analyses.collecting.statistic import LevelStatistic, State
from analyses.errors import AnalysisError
from analyses.session import Session, question
from analyses.targets.target import Target
from hypotheses.labelling.corpus_labels import CHUNK

_PLURALS = {"statistic": "statistics", "model": "models", "text": "texts", "selection": "selections", "split": "splits"}
_FORMAT, _VERSION = "character statistics", 1
_HEADER = "header"
_DAMAGES = (  # errors that reading a damaged file may raise
    ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError, RuntimeError, struct.error,
    zlib.error, zipfile.BadZipFile,
)  # fmt: skip


@question
def belonging(source: Source, targets: Sequence[Target]) -> dict[str, str]:
    """Describe what a statistic belongs to: model, text, selection, dtypes, and the hypotheses with their labels.

    Levels of units in float32 depend on the bins of a source, so that these are part of it, too.
    """
    levels = Session.of(source).levels
    levels.find_bins(source, list(source.sites))
    labels = hashlib.sha256()
    for target in targets:
        for start in range(0, len(target.labels), CHUNK):
            places = slice(start, start + CHUNK)
            labels.update(np.ascontiguousarray(target.labels.values_at(places)).data)
            if (missing := target.labels.missing_at(places)) is not None:
                labels.update(np.ascontiguousarray(missing).data)
    used = source.selection
    return {
        "model": source.model_sha256,
        "text": source.corpus.sha256,
        "selection": f"characters {used.start:,} to {used.stop:,}, one in {used.every}",
        "sites": ", ".join(f"{site} {n} {source.dtype(site)}" for site, n in source.sites.items()),
        "bins": levels.bins_sha256,
        "hypotheses": ", ".join(target.hypothesis for target in targets),
        "labels": labels.hexdigest(),
        "split": "; ".join(dict.fromkeys(str(target.split) for target in targets)),
    }


def save(path: Path, statistic: AnyStatistic, belongs: Mapping[str, str]) -> None:
    """Write the state of a statistic to a file.

    Args:
        path: The file, which is complete or absent.
        statistic: The statistic, between any two blocks.
        belongs: What it belongs to, see `belonging`.

    Raises:
        ActivationError: If the file cannot be written.
    """
    arrays = {name: np.asarray(array) for name, array in statistic.arrays().items()}
    header = {
        "format": _FORMAT,
        "version": _VERSION,
        "belongs": {"statistic": _spelled(statistic), **belongs},
        "sha256": _hash(arrays),
    }
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **{_HEADER: np.frombuffer(json.dumps(header).encode(), np.uint8)}, **arrays)  # type: ignore[arg-type]


def load(path: Path, statistic: AnyStatistic, belongs: Mapping[str, str]) -> None:
    """Give a statistic, made with the same arguments, the state of one that was saved.

    Raises:
        AnalysisError: If the file is missing, damaged, not a statistic, of another version, or belongs to another
            model, text, selection, or to other hypotheses; the sentence says what differs.
    """
    arrays, header = _read(path)
    if header.get("version") != _VERSION:
        raise AnalysisError(
            f"{path} has version {header.get('version')} of this format, and version {_VERSION} is read here; "
            "collect it again"
        )
    expected = {"statistic": _spelled(statistic), **belongs}
    for name, value in expected.items():
        saved = header["belongs"].get(name)
        if saved != value:
            raise AnalysisError(f"{path} is of other {_PLURALS.get(name, name)}: {saved}, not {value}")
    if header["sha256"] != _hash(arrays):
        raise AnalysisError(f"{path} is damaged: its arrays do not match their hash; collect it again")
    statistic.restore(arrays)


def _spelled(statistic: AnyStatistic) -> str:
    """Describe a statistic by its class, and the units that it sees."""
    if isinstance(statistic, LevelStatistic):
        units = ", ".join(f"{columns.site} {columns.start} to {columns.stop}" for columns in statistic.columns)
    else:
        units = ", ".join(map(str, statistic.sites))
    return f"{type(statistic).__name__} of {units}"


def _read(path: Path) -> tuple[State, dict[str, Any]]:
    check_is_file(path, "saved statistic")
    try:
        with zipfile.ZipFile(path) as archive:
            if not is_stored(archive):
                raise AnalysisError(f"{path} is compressed, and so is not a saved statistic; collect it again")
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
    except AnalysisError:
        raise
    except OSError as error:
        raise AnalysisError(f"cannot read {path}: {reason(error)}") from error
    except (*_DAMAGES, MemoryError) as error:
        raise AnalysisError(f"{path} is damaged, or is not a saved statistic; collect it again") from error
    is_header = isinstance(header, dict) and isinstance(header.get("belongs"), dict) and "sha256" in header
    if not is_header or header.get("format") != _FORMAT:
        raise AnalysisError(f"{path} is not a saved statistic; collect it again")
    return arrays, header


def _hash(arrays: State) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
