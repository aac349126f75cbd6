"""Making the levels of a site: one reading of its values, and a file that is complete or absent."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.progress import Advance
from activations.recordings.disk import DiskFile
from activations.units import Site
from analyses.session import Session
from analyses.threads import in_threads
from probe.explorer.sidecar.facts import checksums_path, levels_path, part_path
from probe.explorer.sidecar.level_loops import write_levels
from probe.explorer.sidecar.site_scales import SiteScales
from probe.explorer.sidecar.stored_levels import CHUNK_ROWS, chunk_checksum, header_of, n_chunks

_UNITS_AT_ONCE = 64  # by one thread: with a chunk of rows, what it writes fits in its cache


class StoppedError(Exception):
    """Making levels was stopped."""


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """What one thread turns into levels: some units at a chunk of rows.

    Attributes:
        number: The number of the chunk.
        parts: (n_rows, n_units) values of all units of the site, those of all parts one after another.
        units: The units.
    """

    number: int
    parts: list[NDArray[Any]]
    units: slice


def make_levels(
    session: Session,
    site: Site,
    scales: SiteScales,
    folder: Path,
    advance: Advance,
    is_stopped: Callable[[], bool],
) -> None:
    """Write the levels of a site of a recording, and their checksums, into the folder of its sidecar.

    Memory is bounded by a few chunks of rows, whatever the length of the text.

    Args:
        session: The session of the recording.
        site: The site.
        scales: The scales of its units.
        folder: The folder.
        advance: Called with the number of rows done, each time some were.
        is_stopped: Asked now and then whether to stop.

    Raises:
        StoppedError: If it is to stop; nothing is left behind then.
        ActivationError: If the recording is damaged.
        OSError: If the disk is full, or cannot be written.
    """
    number = list(session.sites).index(site)
    levels, checksums = levels_path(folder, number), checksums_path(folder, number)
    try:
        sums = _write(session, site, scales, part_path(levels), advance, is_stopped)
        with part_path(checksums).open("wb") as file:
            np.save(file, sums)
        part_path(checksums).replace(checksums)
        part_path(levels).replace(levels)
    finally:
        part_path(levels).unlink(missing_ok=True)
        part_path(checksums).unlink(missing_ok=True)


def _write(
    session: Session,
    site: Site,
    scales: SiteScales,
    path: Path,
    advance: Advance,
    is_stopped: Callable[[], bool],
) -> NDArray[np.uint64]:
    """Write the levels of a site, and return (n_units, n_chunks) their checksums."""
    n_units, n_rows = session.sites[site], session.selection.n_chars
    header = np.frombuffer(header_of((n_units, n_rows)), np.uint8)
    sums = np.zeros((n_units, n_chunks(n_rows)), np.uint64)

    with DiskFile(path) as disk:
        os.ftruncate(disk.descriptor, 0)
        disk.preallocate(len(header) + n_units * n_rows)
        disk.write(header, 0)

        def write_piece(piece: _Piece) -> int:
            levels = _levels(piece, scales)
            start = len(header) + piece.number * CHUNK_ROWS
            for unit, of_unit in enumerate(levels, piece.units.start):
                disk.write(of_unit, start + unit * n_rows)
                sums[unit, piece.number] = chunk_checksum(of_unit)
            return levels.size

        n_done = 0
        for n_levels in in_threads(write_piece, _pieces(session, site, is_stopped)):
            n_done += n_levels
            advance(n_done // n_units - (n_done - n_levels) // n_units)
    return sums


def _pieces(session: Session, site: Site, is_stopped: Callable[[], bool]) -> Iterator[_Piece]:
    """Read a site once, and yield its units at one chunk of rows after another."""
    n_units = session.sites[site]
    for number, parts in enumerate(_chunks(session, site)):
        for start in range(0, n_units, _UNITS_AT_ONCE):
            if is_stopped():
                raise StoppedError
            yield _Piece(number, parts, slice(start, min(start + _UNITS_AT_ONCE, n_units)))


def _chunks(session: Session, site: Site) -> Iterator[list[NDArray[Any]]]:
    """Yield the values of each chunk of rows, in one or several parts."""
    parts: list[NDArray[Any]] = []
    n_missing = CHUNK_ROWS
    for block in session.blocks([site]):
        values = block.values[site]
        while len(values):
            parts.append(values[:n_missing])
            values = values[len(parts[-1]) :]
            n_missing -= len(parts[-1])
            if not n_missing:
                yield parts
                parts, n_missing = [], CHUNK_ROWS
    if parts:
        yield parts


def _levels(piece: _Piece, scales: SiteScales) -> NDArray[np.uint8]:
    """Return (n_units, n_rows) levels of a piece."""
    levels = np.empty((piece.units.stop - piece.units.start, sum(map(len, piece.parts))), np.uint8)
    offsets, steps = scales.offsets[piece.units], scales.steps[piece.units]
    start = 0
    for values in piece.parts:
        write_levels(values[:, piece.units], offsets, steps, levels[:, start : start + len(values)])
        start += len(values)
    return levels
