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
from analyses.collecting.collect import AnyStatistic
from analyses.collecting.statistic import LevelStatistic, State
from analyses.errors import AnalysisError
from analyses.session import Session, question
from analyses.targets.target import Target
from hypotheses.labelling.corpus_labels import CHUNK

_PLURALS = {"statistic": "statistics", "model": "models", "text": "texts", "selection": "selections", "split": "splits"}
_FORMAT, _VERSION = "character statistics", 1
_HEADER = "header"
_DAMAGES = (  # what reading a damaged file may raise
    ValueError, KeyError, AttributeError, EOFError, NotImplementedError, RuntimeError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip


@question
def belonging(source: Source, targets: Sequence[Target]) -> dict[str, str]:
    """What a statistic belongs to: the model, text, selection and number types, and the hypotheses with their labels.

    Levels of units in float32 are of the bins of a source, so that these are also part of it.
    """
    levels = Session.of(source).levels
    levels.find_bins(source, list(source.sites))
    labels = hashlib.sha256()
    for each in targets:
        for start in range(0, len(each.labels), CHUNK):
            place = slice(start, start + CHUNK)
            labels.update(np.ascontiguousarray(each.labels.values_at(place)).data)
            if (missing := each.labels.missing_at(place)) is not None:
                labels.update(np.ascontiguousarray(missing).data)
    used = source.selection
    return {
        "model": source.model_sha256,
        "text": source.corpus.sha256,
        "selection": f"characters {used.start:,} to {used.stop:,}, one in {used.every}",
        "sites": ", ".join(f"{site} {n} {source.dtype(site)}" for site, n in source.sites.items()),
        "bins": levels.bins_sha256,
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
        "belongs": {"statistic": _spelled(statistic), **belongs},
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
    wanted = {"statistic": _spelled(statistic), **belongs}
    for name, own in wanted.items():
        there = header["belongs"].get(name)
        if there != own:
            raise AnalysisError(f"{path} is of other {_PLURALS.get(name, name)}: {there}, not {own}")
    if header["sha256"] != _hash(arrays):
        raise AnalysisError(f"{path} is damaged: its arrays do not fit their hash; collect it again")
    statistic.restore(arrays)


def _spelled(statistic: AnyStatistic) -> str:
    """Its class, and the units that it sees."""
    if isinstance(statistic, LevelStatistic):
        units = ", ".join(f"{each.site} {each.start} to {each.stop}" for each in statistic.columns)
    else:
        units = ", ".join(map(str, statistic.sites))
    return f"{type(statistic).__name__} of {units}"


def _read(path: Path) -> tuple[State, dict[str, Any]]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        header = json.loads(arrays.pop(_HEADER).tobytes())
    except OSError as error:
        raise AnalysisError(f"cannot read {path}: {error.strerror or error}") from error
    except _DAMAGES as error:
        raise AnalysisError(f"{path} is damaged, or is no saved statistic; collect it again") from error
    is_header = isinstance(header, dict) and isinstance(header.get("belongs"), dict) and "sha256" in header
    if not is_header or header.get("format") != _FORMAT:
        raise AnalysisError(f"{path} is no saved statistic; collect it again")
    return arrays, header


def _hash(arrays: State) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
