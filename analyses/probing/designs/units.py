"""The design of units: their activations, standardised."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.progress import Progress, no_progress
from activations.units import Unit
from analyses.errors import AnalysisError
from analyses.moments import Moments
from analyses.probing.designs.design import (
    MEMORY,
    NOT_NUMBERS,
    Basis,
    DenseTile,
    principal_directions,
    tiles_of,
)
from analyses.probing.designs.standardising import moments_of, standardised
from analyses.threads import in_threads

_ROUNDING = 1e-12  # relative to the mean: a constant unit may have a deviation of this size by rounding
_SMALLEST = 1e-37  # the smallest deviation whose inverse is finite in float32


class UnitDesign:
    """The activations of units, standardised, in the rows that a source gives.

    They are kept in memory if they fit, and otherwise read again in every pass.

    Attributes:
        units: The units in the order of the columns.
        mean: (n_units,) mean over the training rows.
        scale: (n_units,) standard deviation over the training rows; 1 of a unit that is constant there.
    """

    def __init__(
        self,
        source: Source,
        units: Sequence[Unit],
        train: NDArray[np.bool_],
        *,
        moments: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
        runs: Sequence[range] | None = None,
        memory: int = MEMORY,
        progress: Progress = no_progress,
    ) -> None:
        """Read the source once, for the means and standard deviations of the units, unless they are known.

        Args:
            source: A source that gives the same blocks as often as it is read; see `budgets.within_budget`.
            units: The units that become columns.
            train: (n_rows,) the rows over which means and standard deviations are computed.
            moments: (n_units,) means and standard deviations that are known; those of `train` are then not computed.
            runs: The rows that the source gives, as runs; None is all.
            memory: Bytes of memory that activations may take.
            progress: Called with the rows read and their number.

        Raises:
            AnalysisError: If an activation is not a number.
        """
        self.units = tuple(units)
        self.n_rows, self.n_columns = source.selection.n_chars, len(self.units)
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._source = source
        self._sites = list(dict.fromkeys(unit.site for unit in units))
        self._columns_of_sites = []  # for each site: its columns here, and the units of the site that fill them
        for site in self._sites:
            columns = [column for column, unit in enumerate(self.units) if unit.site == site]
            indices = [self.units[column].index for column in columns]
            self._columns_of_sites.append((site, _as_index(columns), _as_index(indices)))
        self._raw_dtype = raw_dtype(source, units)
        self._runs = [range(self.n_rows)] if runs is None else runs
        self._run_offsets = list(accumulate(map(len, self._runs), initial=0))  # where each run starts in the cache
        n_available = self._run_offsets[-1]
        fits = n_available * self.n_columns * self._raw_dtype.itemsize <= memory
        self._cache = np.empty((n_available, self.n_columns), self._raw_dtype) if fits else None
        self._is_cached = False
        self.mean, self.scale = np.zeros(self.n_columns), np.ones(self.n_columns)
        self._basis: Basis | None = None
        if moments is None:
            self._standardise(train, n_available, progress)
        else:
            self.mean, self.scale = moments

    def _standardise(self, train: NDArray[np.bool_], n_available: int, progress: Progress) -> None:
        """Compute the means and standard deviations over the training rows."""
        moments, n_read = Moments.empty(self.n_columns), 0
        raw_tiles = (raw[rows] for first, raw in self._chunks() for rows in tiles_of(train[first : first + len(raw)]))
        for of_tile in in_threads(moments_of, raw_tiles):
            if not np.isfinite(of_tile.mean).all():
                raise AnalysisError(NOT_NUMBERS)
            moments.merge(of_tile)
            n_read += of_tile.n
            progress(n_read, n_available)
        self.mean, deviation = moments.mean, moments.deviation
        rounding = np.maximum(_ROUNDING * np.abs(self.mean), _SMALLEST)
        self.scale = np.where(deviation > rounding, deviation, 1.0)

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> Iterator[DenseTile]:
        """Yield the tiles of the wanted rows; see `Design`."""
        mean, factor = self.mean.astype(np.float32), (1 / self.scale).astype(np.float32)
        for first, raw in self._chunks():
            for rows in tiles_of(wanted[first : first + len(raw)], every):
                rows_of_text = slice(first + rows.start, first + rows.stop, rows.step)
                yield DenseTile(rows_of_text, partial(standardised, raw[rows], mean, factor))

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """Return principal directions; see `Design`. Those of the first rows asked for serve any others, too."""
        if self._basis is None:
            self._basis = principal_directions(self, wanted)
        return self._basis

    def _chunks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield all rows as they are in the source, a few at a time, with the number of the first."""
        if self._cache is not None and self._is_cached:
            for run, offset in zip(self._runs, self._run_offsets, strict=False):
                yield run.start, self._cache[offset : offset + len(run)]
            return
        starts = [run.start for run in self._runs]
        for block in self._source.blocks(self._sites):
            first, raw = self._source.selection.row(block.start), self._gather(block)
            if self._cache is not None:
                number = bisect_right(starts, first) - 1
                offset = self._run_offsets[number] + first - starts[number]
                self._cache[offset : offset + len(raw)] = raw
            yield first, raw
        self._is_cached = True

    def _gather(self, block: Block) -> NDArray[Any]:
        """(n_rows, n_units) activations of the units in a block."""
        if len(self._columns_of_sites) == 1:
            [(site, _, indices)] = self._columns_of_sites
            return block.values[site][:, indices]
        gathered = np.empty((block.n_chars, self.n_columns), self._raw_dtype)
        for site, columns, indices in self._columns_of_sites:
            gathered[:, columns] = block.values[site][:, indices]
        return gathered


def raw_dtype(source: Source, units: Sequence[Unit]) -> np.dtype[Any]:
    """Return the dtype in which a `UnitDesign` keeps activations in memory: their own if all sites have the same."""
    dtypes = {source.dtype(site) for site in {unit.site for unit in units}}
    return dtypes.pop() if len(dtypes) == 1 else np.dtype(np.float32)


def _as_index(columns: list[int]) -> slice | NDArray[np.int64]:
    """Return an index of columns, a slice where they are neighbours, so that nothing is copied."""
    if columns == list(range(columns[0], columns[0] + len(columns))):
        return slice(columns[0], columns[0] + len(columns))
    return np.array(columns)
