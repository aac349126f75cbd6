"""What the file `facts.json` of a sidecar says, and which files of its folder are the program's own.

    activations.h5.explorer/
        facts.json          the recording that it belongs to, the sites that are complete, and the scales of their units
        levels-0.npy        (n_units, n_rows) uint8, the levels of the first site of the recording
        checksums-0.npy     (n_units, n_chunks) uint64, XXH3 of each unit's chunks of rows
        lock                held by the process that writes

Files are written under a temporary name, and a site is in `facts.json` only when it is complete. The folder may be
deleted at any time.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from activations.files import open_file
from activations.units import Site
from probe.explorer.sidecar.site_scales import SiteScales

FACTS = "facts.json"
LOCK = "lock"
FORMAT = "levels of a recording, for the explorer"
VERSION = 1

_START = json.dumps({"format": FORMAT})[:-1].encode()
_ARRAYS = re.compile(r"(levels|checksums)-\d+\.npy")
_PART = re.compile(rf"({_ARRAYS.pattern}|{re.escape(FACTS)})\.\d+\.part")
_BYTES_PER_UNIT, _BYTES_PER_SITE = 3 * 28, 1 << 10  # at most: three numbers; a name
_OTHER_BYTES = 1 << 12


class ForeignFolderError(Exception):
    """A folder in the place of a sidecar that has files which this program did not write; the message says so."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SidecarFacts:
    """What a sidecar has.

    Attributes:
        key: Hash of the recording's checksums.
        n_rows: How many rows the recording has.
        scales: The scales of the units of each site that is complete.
    """

    key: str
    n_rows: int
    scales: Mapping[Site, SiteScales]


def levels_path(folder: Path, number: int) -> Path:
    """Return the path of the levels of the site with a number in the recording."""
    return folder / f"levels-{number}.npy"


def checksums_path(folder: Path, number: int) -> Path:
    """Return the path of the checksums of these levels."""
    return folder / f"checksums-{number}.npy"


def part_path(path: Path) -> Path:
    """Return the temporary name under which this process writes a file."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def read_facts(folder: Path, sites: Mapping[Site, int]) -> SidecarFacts | None:
    """Return what a sidecar has; None if there is none, or none that is whole and of this version.

    Args:
        folder: The sidecar.
        sites: The sites of the recording with their numbers of units, which say how much there can be to read.

    Raises:
        ForeignFolderError: If there is a folder, or something else, that this program did not make.
        OSError: If it cannot be read.
    """
    content = _content(folder, _BYTES_PER_UNIT * sum(sites.values()) + _BYTES_PER_SITE * len(sites) + _OTHER_BYTES)
    if content is None:
        return None
    try:
        data = json.loads(content)
        if data["version"] != VERSION:
            return None
        scales = {Site(name): _scales(arrays) for name, arrays in data["sites"].items()}
        return SidecarFacts(key=str(data["key"]), n_rows=int(data["n_rows"]), scales=scales)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return None


def write_facts(folder: Path, facts: SidecarFacts) -> None:
    """Replace what a sidecar says that it has.

    Raises:
        OSError: If it cannot be written.
    """
    sites = {site.name: _arrays(scales) for site, scales in facts.scales.items()}
    data = {"format": FORMAT, "version": VERSION, "key": facts.key, "n_rows": facts.n_rows, "sites": sites}
    part = part_path(folder / FACTS)
    try:
        part.write_text(json.dumps(data), encoding="utf-8")
        part.replace(folder / FACTS)
    finally:
        part.unlink(missing_ok=True)


def remove_levels(folder: Path) -> None:
    """Remove the arrays of a sidecar of this program, finished or not, and no other file.

    Raises:
        OSError: If one cannot be removed.
    """
    for path in folder.iterdir():
        if _ARRAYS.fullmatch(path.name):
            path.unlink(missing_ok=True)
    remove_parts(folder)


def remove_parts(folder: Path) -> None:
    """Remove what a process that was killed did not finish; no other may be writing.

    Raises:
        OSError: If a file cannot be removed.
    """
    for path in folder.iterdir():
        if _PART.fullmatch(path.name):
            path.unlink(missing_ok=True)


def n_bytes_in(folder: Path) -> int:
    """Return the size of the files of a sidecar, in bytes; 0 if there is none."""
    try:
        return sum(path.stat().st_size for path in folder.iterdir() if _ARRAYS.fullmatch(path.name))
    except OSError:
        return 0


def _content(folder: Path, most_bytes: int) -> bytes | None:
    """Return what the file of facts says, up to some bytes; None if there is none, and nothing else in its place."""
    if not folder.is_dir():
        if folder.exists() or folder.is_symlink():
            raise ForeignFolderError(f"{folder} is not a folder; move it away")
        return None
    path = folder / FACTS
    if path.is_file():
        with os.fdopen(open_file(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            content = file.read(most_bytes)
        if content and not content.startswith(_START):
            raise ForeignFolderError(f"{path} was not written by this program; move the folder away")
        return content
    strangers = [entry for entry in folder.iterdir() if entry.name == FACTS or _ARRAYS.fullmatch(entry.name)]
    if strangers:
        raise ForeignFolderError(f"{strangers[0]} was not written by this program; move the folder away")
    return None


def _arrays(scales: SiteScales) -> dict[str, list[float]]:
    return {name: getattr(scales, name).tolist() for name in ("offsets", "steps", "gains")}


def _scales(data: Mapping[str, Any]) -> SiteScales:
    """Return scales from what a file says of them.

    Raises:
        ValueError: If they are none.
    """
    offsets, steps, gains = (np.array(data[name], np.float64) for name in ("offsets", "steps", "gains"))
    arrays = np.stack([offsets, steps, gains])
    if arrays.ndim != 2 or not np.isfinite(arrays).all() or not (arrays[1:] > 0).all():
        raise ValueError("no scales")
    return SiteScales(offsets=offsets, steps=steps, gains=gains)
