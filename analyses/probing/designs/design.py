"""What probes see: a row of numbers for each character, a tile of rows at a time."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.progress import Progress, no_progress
from activations.units import Unit
from analyses.errors import AnalysisError
from analyses.moments import Moments
from analyses.targets.row_runs import pieces_of_rows
from analyses.threads import in_threads

MEMORY = 384 << 20
NOT_NUMBERS = "some activations are not numbers (NaN or infinite); the model's weights may be broken"
_TILE_ROWS = 2048
_ROUNDING = 1e-12  # of the mean, that a unit which never changes may scatter by
_SMALLEST = 1e-37  # deviation that has an inverse in float32
_FEWEST_PER_COLUMN = 40  # rows of the sample that a basis is made of


class Tile(Protocol):
    """Some rows of a design."""

    @property
    def rows(self) -> slice:
        """Which ones."""
        ...

    def times(self, weights: NDArray[Any]) -> NDArray[Any]:
        """(n_rows, n_weights) products of the rows with (n_columns, n_weights) weights."""
        ...

    def transposed_times(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """(n_columns, n_numbers) sums over the rows of their products with (n_rows, n_numbers) numbers."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Directions in which the rows of a design vary independently of each other, or nearly so.

    Attributes:
        vectors: (n_columns, n_columns) orthonormal directions, one a column; None: the columns themselves.
        variances: (n_columns,) of the rows along each.
        longest: The length of the longest row, if it is known.
    """

    vectors: NDArray[np.float64] | None
    variances: NDArray[np.float64]
    longest: float = np.inf


class Design(Protocol):
    """A row of numbers for each character that a source gives, whose columns have mean 0 or nearly so."""

    @property
    def n_rows(self) -> int:
        """How many rows there are."""
        ...

    @property
    def n_columns(self) -> int:
        """How many numbers are in each."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The number type of products: float32 or float64."""
        ...

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> Iterator[Tile]:
        """The rows that are True in (n_rows,) `wanted`, or one in so many; each tile is valid until the next."""
        ...

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """Of some of the rows."""
        ...


@runtime_checkable
class SparseDesign(Design, Protocol):
    """A design of few numbers in a row that are not 0, whose products of columns are cheap to add up over all rows."""

    def products(self, wanted: NDArray[np.bool_], weights: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """(n_columns + 1, n_columns + 1) sums of products of columns, and of 1, in rows that weigh (n_rows,) each.

        The weights are those of the rows of each tile of `tiles(wanted)`.
        """
        ...


class DenseTile:
    """Rows of which all numbers are at hand, or are made when they are first used.

    Attributes:
        rows: Which ones.
    """

    def __init__(self, rows: slice, x: NDArray[Any] | Callable[[], NDArray[Any]]) -> None:
        self.rows = rows
        self._x = x

    @property
    def x(self) -> NDArray[Any]:
        """(n_rows, n_columns) numbers."""
        if callable(self._x):
            self._x = self._x()
        return self._x

    def times(self, weights: NDArray[Any]) -> NDArray[Any]:
        """See `Tile`."""
        return np.asarray(self.x @ weights)

    def transposed_times(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """See `Tile`."""
        return np.asarray(self.x.T @ numbers)


class ArrayDesign:
    """The rows of an array, less the means of its columns.

    Attributes:
        mean: (n_columns,) of the columns.
    """

    def __init__(self, x: NDArray[np.floating], weights: NDArray[np.float64] | None = None) -> None:
        """Of (n_rows, n_columns) numbers in float32 or float64, whose mean is over rows that weigh so much."""
        self.mean = np.average(x.astype(np.float64, copy=False), axis=0, weights=weights)
        self._x = x - self.mean.astype(x.dtype)
        self.n_rows, self.n_columns = x.shape
        self.dtype: np.dtype[Any] = x.dtype

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> Iterator[DenseTile]:
        """See `Design`."""
        for rows in tiles_of(wanted, every):
            yield DenseTile(rows, self._x[rows])

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """See `Design`."""
        return principal(self, wanted)


class UnitDesign:
    """The activations of units, each less its mean and in standard deviations; of the rows that a source gives.

    They are kept in memory if there is room, and else read anew in every pass.

    Attributes:
        units: In the order of the columns.
        mean: (n_units,) of the rows that were chosen to find it, and their deviation in `scale`.
    """

    def __init__(
        self,
        source: Source,
        units: Sequence[Unit],
        standard: NDArray[np.bool_],
        *,
        given: Sequence[range] | None = None,
        memory: int = MEMORY,
        progress: Progress = no_progress,
    ) -> None:
        """Of units of a source that can be read many times.

        Args:
            source: One that gives the same blocks as often as it is read; see `budgets.within_budget`.
            units: What the columns are.
            standard: (n_rows,) the rows of which mean and deviation are found.
            given: The rows that the source gives, as runs; None is all.
            memory: Bytes to keep activations in.
            progress: Called with the rows read and their number.

        Raises:
            AnalysisError: If an activation is no number.
        """
        self.units = tuple(units)
        self.n_rows, self.n_columns = source.selection.n_chars, len(self.units)
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._source = source
        self._sites = list(dict.fromkeys(unit.site for unit in units))
        self._picks = []  # of each site the columns that it fills, and its units there
        for site in self._sites:
            places = [place for place, unit in enumerate(self.units) if unit.site == site]
            self._picks.append((site, _index(places), _index([self.units[place].index for place in places])))
        kinds = {source.dtype(site) for site in self._sites}
        self._raw_dtype = kinds.pop() if len(kinds) == 1 else self.dtype
        self._runs = [range(self.n_rows)] if given is None else given
        self._offsets = list(accumulate(map(len, self._runs), initial=0))  # where each run begins in what is kept
        n_given = self._offsets[-1]
        fits = n_given * self.n_columns * self._raw_dtype.itemsize <= memory
        self._kept = np.empty((n_given, self.n_columns), self._raw_dtype) if fits else None
        self._is_read = False
        self.mean, self.scale = np.zeros(self.n_columns), np.ones(self.n_columns)
        moments, done = Moments.empty(self.n_columns), 0
        for tile in self.tiles(standard):
            own = Moments.of(tile.x, np.zeros(len(tile.x)))
            if not np.isfinite(own.mean).all():
                raise AnalysisError(NOT_NUMBERS)
            moments.merge(own)
            done += len(tile.x)
            progress(done, n_given)
        self.mean, deviation = moments.mean, moments.deviation
        rounding = np.maximum(_ROUNDING * np.abs(self.mean), _SMALLEST)
        self.scale = np.where(deviation > rounding, deviation, 1.0)

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> Iterator[DenseTile]:
        """See `Design`."""
        mean, factor = self.mean.astype(np.float32), (1 / self.scale).astype(np.float32)
        for first, raw in self._chunks():
            for rows in tiles_of(wanted[first : first + len(raw)], every):
                of_text = slice(first + rows.start, first + rows.stop, rows.step)
                yield DenseTile(of_text, partial(_standardised, raw[rows], mean, factor))

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """See `Design`."""
        return principal(self, wanted)

    def _chunks(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """All rows, some at a time, with the number of the first."""
        if self._kept is not None and self._is_read:
            for run, offset in zip(self._runs, self._offsets, strict=False):
                yield run.start, self._kept[offset : offset + len(run)]
            return
        starts = [run.start for run in self._runs]
        for block in self._source.blocks(self._sites):
            first, raw = self._source.selection.row(block.start), self._gather(block)
            if self._kept is not None:
                number = bisect_right(starts, first) - 1
                offset = self._offsets[number] + first - starts[number]
                self._kept[offset : offset + len(raw)] = raw
            yield first, raw
        self._is_read = True

    def _gather(self, block: Block) -> NDArray[Any]:
        """(n_rows, n_units) activations of the units."""
        if len(self._picks) == 1:
            [(site, _, indices)] = self._picks
            return block.values[site][:, indices]
        gathered = np.empty((block.n_chars, self.n_columns), self._raw_dtype)
        for site, places, indices in self._picks:
            gathered[:, places] = block.values[site][:, indices]
        return gathered


def _index(places: list[int]) -> slice | NDArray[np.int64]:
    """An index of columns, which copies nothing where they stand side by side."""
    if places == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places)


def tiles_of(wanted: NDArray[np.bool_], every: int = 1, n_rows: int = _TILE_ROWS) -> Iterator[slice]:
    """Slices of at most so many rows that together are all, or one in so many of each run, of those that are True."""
    ends: list[int] = []
    before = False
    for rows in pieces_of_rows(len(wanted)):
        piece = wanted[rows]
        ends += (np.flatnonzero(np.diff(piece, prepend=before)) + rows.start).tolist()
        before = bool(piece[-1])
    for first, last in zip(ends[::2], [*ends[1::2], len(wanted)], strict=False):
        for start in range(first, last, n_rows * every):
            yield slice(start, min(start + n_rows * every, last), every)


def gram(design: Design, wanted: NDArray[np.bool_], every: int = 1) -> tuple[NDArray[np.float64], int]:
    """(n_columns + 1, n_columns + 1) sums of products of a dense design's columns, and of 1; and of how many rows."""
    total, n_rows = np.zeros((design.n_columns + 1, design.n_columns + 1)), 0

    def products(tile: Tile) -> tuple[NDArray[Any], int]:
        x = tile.x  # type: ignore[attr-defined]
        x = np.hstack([x, np.ones((len(x), 1), x.dtype)])
        return x.T @ x, len(x)

    for own, n in in_threads(products, design.tiles(wanted, every)):
        total += own
        n_rows += n
    return total, n_rows


def principal(design: Design, wanted: NDArray[np.bool_]) -> Basis:
    """The principal directions of a dense design, of a sample of the rows."""
    every = max(int(wanted.sum()) // max(_FEWEST_PER_COLUMN * design.n_columns, _TILE_ROWS), 1)
    total, n_rows = gram(design, wanted, every)
    if not np.isfinite(total).all():
        raise AnalysisError(NOT_NUMBERS)
    variances, vectors = np.linalg.eigh(total[:-1, :-1] / max(n_rows, 1))
    return Basis(vectors, np.maximum(variances, 0.0))


def _standardised(raw: NDArray[Any], mean: NDArray[np.float32], factor: NDArray[np.float32]) -> NDArray[np.float32]:
    own, x = np.ascontiguousarray(raw), np.empty(raw.shape, np.float32)
    _standardise(own.view(np.uint16) if own.dtype == np.float16 else own, mean, factor, x)
    return x


@njit(nogil=True, cache=True)
def _standardise(
    raw: NDArray[Any], mean: NDArray[np.float32], factor: NDArray[np.float32], x: NDArray[np.float32]
) -> None:
    """Subtract means and multiply; what comes as uint16 are the bits of float16."""
    n_rows, n_columns = raw.shape
    for row in range(n_rows):
        if raw.itemsize == 2:
            bits = x[row].view(np.int32)
            for column in range(n_columns):
                half = np.int32(raw[row, column])
                exponent = half & 0x7C00
                if exponent == 0:  # subnormal: its fraction, behind a half, so that no slow number is met
                    bits[column] = 0x3F000000 | (half & 0x3FF)
                elif exponent == 0x7C00:  # infinite, or no number
                    bits[column] = 0x7FC00000
                else:
                    bits[column] = ((half & 0x7FFF) << 13) + (112 << 23)
            for column in range(n_columns):
                half = np.int32(raw[row, column])
                size = x[row, column] - (np.float32(0.5) if half & 0x7C00 == 0 else np.float32(0))
                value = -size if half & 0x8000 else size
                x[row, column] = (value - mean[column]) * factor[column]
        else:
            for column in range(n_columns):
                x[row, column] = np.float32((raw[row, column] - mean[column]) * factor[column])
