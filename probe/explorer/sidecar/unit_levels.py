"""Levels of single units anywhere in a text, from the sidecar where it has them, and else from the source itself."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.session import Session
from probe.explorer.sidecar.level_loops import write_extremes, write_levels
from probe.explorer.sidecar.recent import Recent
from probe.explorer.sidecar.sidecar import Sidecar
from probe.explorer.sidecar.site_scales import SiteScales, UnitScales
from probe.explorer.sidecar.stored_levels import DamagedLevelsError
from probe.viewer.scales import MISSING, Scale

Levels = NDArray[np.uint8]

SPACING = 64
"""Rows between extremes, at least: nearer ones are of the same passage."""

_SAMPLED_BYTES = 1 << 27  # of values that are read for an overview at most
_CHECKED_ROWS = 128  # are read together from a recording, since they have one checksum
_COLUMN_BYTES = 1 << 25
_MOST_CANDIDATES = 512
_CANDIDATES_PER_EXTREME = 3  # a chosen one excludes those of the bins on either side


class UnitLevels:
    """The levels of single units of a session: of passages, overviews and extremes. Threads may share it.

    They are the same with and without a sidecar, only that an overview of a long text is a sample without one.
    Characters that are not part of the selection have the level `MISSING`, as have values that are no numbers.
    """

    def __init__(self, session: Session, sidecar: Sidecar | None = None) -> None:
        """Prepare to read levels of a session.

        Args:
            session: The session of a recording.
            sidecar: The sidecar of the recording.
        """
        self.session = session
        self.sidecar = sidecar
        self._scales = UnitScales(session) if sidecar is None else sidecar.scales
        self._columns: Recent[NDArray[np.float32]] = Recent(_COLUMN_BYTES)

    def scale(self, unit: Unit) -> Scale:
        """Return what the levels of a unit mean.

        Raises:
            AnalysisError: If there is no such unit; as of all methods here.
        """
        self._check(unit)
        return self.site_scales(unit.site).of(unit.index)

    def site_scales(self, site: Site) -> SiteScales:
        """Return what the levels of all units of a site mean."""
        return self._scales.of(site)

    def levels(self, unit: Unit, start: int = 0, stop: int | None = None) -> Levels:
        """Return (n_chars,) the levels of a unit at the characters from `start` up to `stop`; None is the end.

        Raises:
            AnalysisError: If they are not in the text.
        """
        self._check(unit)
        start, stop = self._passage(start, stop)
        selection = self.session.selection
        part = selection.part(start, stop)
        first = selection.row(start)
        levels = np.full(stop - start, MISSING, np.uint8)
        levels[part.start - start : part.stop - start : part.every] = self._rows(unit, first, first + part.n_chars)
        return levels

    def overview(self, unit: Unit, n_bins: int, start: int = 0, stop: int | None = None) -> Levels:
        """Return (2, n_bins) the lowest and the highest level in equal parts of a passage; `MISSING` where none is.

        Args:
            unit: The unit.
            n_bins: How many parts.
            start: Where the passage begins.
            stop: Where it ends; None is the end of the text.
        """
        self._check(unit)
        if n_bins < 1:
            raise AnalysisError(f"a passage cannot be shown in {n_bins} parts; ask for one or more")
        start, stop = self._passage(start, stop)
        borders = start + np.arange(n_bins + 1, dtype=np.int64) * (stop - start) // n_bins
        edges = self.session.selection.rows(borders)
        extremes = np.full((2, n_bins), MISSING, np.uint8)
        if self.is_overview_whole(unit.site, start, stop):
            levels = self._rows(unit, int(edges[0]), int(edges[-1]))
            write_extremes(levels, edges - edges[0], extremes[0], extremes[1])
            return extremes
        n_read = max(1, _SAMPLED_BYTES // (_CHECKED_ROWS * self._bytes_per_row(unit.site)))
        for number in np.unique(np.linspace(0, n_bins - 1, min(n_read, n_bins)).astype(np.int64)).tolist():
            levels = self._rows(unit, int(edges[number]), min(int(edges[number + 1]), int(edges[number]) + SPACING))
            ends = np.array([0, len(levels)])
            write_extremes(levels, ends, extremes[0, number : number + 1], extremes[1, number : number + 1])
        return extremes

    def is_overview_whole(self, site: Site, start: int = 0, stop: int | None = None) -> bool:
        """Is every character of a passage in its overview? It is a sample where too much would have to be read."""
        start, stop = self._passage(start, stop)
        if self.sidecar is not None and self.sidecar.site(site) is not None:
            return True
        return self.session.selection.part(start, stop).n_chars * self._bytes_per_row(site) <= _SAMPLED_BYTES

    def extremes(self, unit: Unit, n: int, *, lowest: bool = False) -> NDArray[np.int64]:
        """Return (≤ n,) where a unit has its highest values, the highest first; or its lowest.

        They are at least 64 rows apart, so that each is of another passage. Where the values of over 512 passages are
        as high, to the precision of a level, these are chosen from all over the text.

        Args:
            unit: The unit.
            n: How many.
            lowest: Whether the lowest values are wanted.
        """
        self._check(unit)
        levels = self._whole(unit)
        bins = _candidates(levels, n, lowest=lowest)
        selection = self.session.selection
        candidates: list[tuple[float, int]] = []
        values_of = self._exact_values(unit)
        for first in (bins * SPACING).tolist():
            values = values_of(first, min(first + SPACING, len(levels)))
            present = np.isfinite(values)
            keys = np.where(present, values if lowest else -values, np.inf)
            best = int(keys.argmin())
            candidates.append((float(keys[best]), first + best))
        rows: list[int] = []
        for _, row in sorted(candidates):
            if len(rows) < n and all(abs(row - chosen) >= SPACING for chosen in rows):
                rows.append(row)
        return selection.start + np.array(rows, np.int64) * selection.every

    def site_levels(self, site: Site) -> Levels | None:
        """Return (n_units, n_rows) levels of a site, mapped into memory; None if the sidecar does not have them.

        They are not checked against checksums.
        """
        stored = None if self.sidecar is None else self.sidecar.site(site)
        if self.sidecar is None or stored is None:
            return None
        try:
            return stored.mapped()
        except DamagedLevelsError:
            self.sidecar.drop(site, stored)
            return None

    def levels_at(self, site: Site, rows: Sequence[slice]) -> tuple[Levels, list[slice]]:
        """Return (n_units, n) levels of a site that have some stretches of rows, and where they have them.

        Nothing is copied where the sidecar has the site; else the stretches are read, and follow one another.
        """
        stored = self.site_levels(site)
        if stored is not None:
            return stored, list(rows)
        levels = self.sampled_levels(site, rows)
        return levels, [slice(0, levels.shape[1])]

    def sampled_levels(self, site: Site, rows: Sequence[slice]) -> Levels:
        """Return (n_units, n_sampled) levels of a site at some stretches of rows, one after another."""
        stored = self.site_levels(site)
        if stored is not None:
            return np.concatenate([stored[:, stretch] for stretch in rows], axis=1)
        return np.concatenate([self._read_site(site, stretch.start, stretch.stop) for stretch in rows], axis=1)

    def _rows(self, unit: Unit, first: int, last: int) -> Levels:
        """Return (n_rows,) levels of a unit at some rows."""
        stored = None if self.sidecar is None else self.sidecar.site(unit.site)
        if self.sidecar is not None and stored is not None:
            try:
                return stored.read(unit.index, first, last)
            except DamagedLevelsError:
                self.sidecar.drop(unit.site, stored)
        if (column := self._columns.get(unit)) is not None:
            return self.scale(unit).levels(column[first:last])
        if first >= last:
            return np.empty(0, np.uint8)
        return self.scale(unit).levels(self._read(unit.site, first, last)[:, unit.index])

    def _whole(self, unit: Unit) -> Levels:
        """Return (n_rows,) the levels of a unit at all rows."""
        if self.sidecar is None or self.sidecar.site(unit.site) is None:
            self._column(unit)
        return self._rows(unit, 0, self.session.selection.n_chars)

    def _column(self, unit: Unit) -> NDArray[np.float32]:
        """Return (n_rows,) the values of a unit at all rows; the source is read for it."""
        return self._columns.get_or_make(unit, lambda: self._read_column(unit))

    def _read_column(self, unit: Unit) -> NDArray[np.float32]:
        selection = self.session.selection
        column = np.empty(selection.n_chars, np.float32)
        for block in self.session.blocks([unit.site]):
            row = selection.row(block.start)
            column[row : row + block.n_chars] = block.values[unit.site][:, unit.index]
        return column

    def _exact_values(self, unit: Unit) -> Callable[[int, int], NDArray[np.floating]]:
        """Return what gives the values of a unit from a row up to another."""
        column = self._columns.get(unit)
        if column is not None:
            return lambda first, last: column[first:last]
        return lambda first, last: self._read(unit.site, first, last)[:, unit.index]

    def _read(self, site: Site, first: int, last: int) -> NDArray[Any]:
        """Return (n_rows, n_units) values of a site at some rows."""
        selection = self.session.selection
        start = selection.start + first * selection.every
        return self.session.read([site], start, selection.start + (last - 1) * selection.every + 1)[site]

    def _read_site(self, site: Site, first: int, last: int) -> Levels:
        """Return (n_units, n_rows) levels of a site at some rows, from the source."""
        scales = self.site_scales(site)
        values = self._read(site, first, last)
        levels = np.empty(values.shape[::-1], np.uint8)
        write_levels(values, scales.offsets, scales.steps, levels)
        return levels

    def _bytes_per_row(self, site: Site) -> int:
        return self.session.sites[site] * self.session.dtype(site).itemsize

    def _check(self, unit: Unit) -> None:
        n_units = self.session.sites.get(unit.site)
        if n_units is None:
            raise AnalysisError(f"there is no site {unit.site}; there are {', '.join(map(str, self.session.sites))}")
        if not 0 <= unit.index < n_units:
            raise AnalysisError(f"there is no unit {unit}; the units of {unit.site} are 0 to {n_units - 1}")

    def _passage(self, start: int, stop: int | None) -> tuple[int, int]:
        n_chars = len(self.session.corpus)
        stop = n_chars if stop is None else stop
        if not 0 <= start <= stop <= n_chars:
            raise AnalysisError(f"the passage {start}:{stop} is not in the text, whose passages are within 0:{n_chars}")
        return start, stop


def _candidates(levels: Levels, n: int, *, lowest: bool) -> NDArray[np.int64]:
    """Return the bins of 64 rows in which the n most extreme values that are far enough apart must be."""
    n_bins = -(-len(levels) // SPACING)
    edges = np.minimum(np.arange(n_bins + 1) * SPACING, len(levels))
    low, high = np.empty(n_bins, np.uint8), np.empty(n_bins, np.uint8)
    write_extremes(levels, edges, low, high)
    present = np.flatnonzero(low != MISSING)
    keys = low[present].astype(np.int64) if lowest else -high[present].astype(np.int64)
    n_wanted = min(_CANDIDATES_PER_EXTREME * n, len(present))
    if not n_wanted:
        return np.zeros(0, np.int64)
    threshold = np.partition(keys, n_wanted - 1)[n_wanted - 1]
    better, equal = present[keys < threshold], present[keys == threshold]
    n_room = max(_MOST_CANDIDATES, n_wanted) - len(better)
    if len(equal) > n_room:
        equal = equal[np.linspace(0, len(equal) - 1, n_room).astype(np.int64)]
    return np.concatenate([better, equal])
