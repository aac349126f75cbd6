"""Activations of a source as an array of which only the rows that are asked for are read."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from activations.blocks import Source
from activations.errors import ActivationError
from activations.results import data_frame_class
from activations.site_names import AnySites, select_sites, select_units
from activations.texts.codes import codes_to_text
from activations.units import Site, Unit, units_of

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray

_READ_ROWS = 8192  # at a time, so that a long slice needs little memory beside the result
_NEAR_ROWS = 64  # rows that are this near to each other are read together


class LazyActivations:
    """The activations of some sites, or of one unit, at every row of a source: an array whose rows are read when used.

    `array[rows]` is a float32 array, (n_rows, n_units), or (n_rows,) of one unit. `rows` is a slice, one row number, an
    array of row numbers in any order, or a mask; a second index chooses among the columns. `np.asarray(array)` reads
    everything.

    A recording is mapped into memory, so that any rows are read directly. A live model reads the text from the nearest
    state that it has kept before the rows that are asked for: take long slices of it, or record it first.

    Attributes:
        source: What is read.
        units: (n_units,) the unit of each column; of one unit, this alone.
        shape: (n_rows, n_units), or (n_rows,) of one unit.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, source: Source, sites: Sequence[Site], unit: Unit | None = None) -> None:
        """Prepare to read a source, without reading any of it.

        Args:
            source: A recording, live activations, or a session of either.
            sites: The sites of it whose units are the columns.
            unit: One unit of the only site, which is then the whole array, without columns.
        """
        self.source = source
        self.units: tuple[Unit, ...] = tuple(units_of(source.sites, sites)) if unit is None else (unit,)
        self._sites = list(sites)
        self._unit = unit
        n_rows = source.selection.n_chars
        self.shape: tuple[int, ...] = (n_rows, len(self.units)) if unit is None else (n_rows,)

    @property
    def ndim(self) -> int:
        """The number of axes: 2, or 1 of one unit."""
        return len(self.shape)

    @property
    def positions(self) -> range:
        """The position in the corpus of each row's character."""
        selection = self.source.selection
        return range(selection.start, selection.start + self.shape[0] * selection.every, selection.every)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        if self._unit is not None:
            return f"<{type(self).__name__}: {len(self):,} rows of {self._unit}>"
        names = ", ".join(map(str, self._sites))
        return f"<{type(self).__name__}: {len(self):,} rows × {len(self.units):,} units of {names}>"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return (row for start in range(0, len(self), _READ_ROWS) for row in self[start : start + _READ_ROWS])

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        rows, *columns = key if isinstance(key, tuple) else (key,)
        numbers = self._row_numbers(slice(None) if rows is Ellipsis else rows)
        if numbers.ndim == 0:
            return np.asarray(self._read(numbers[None])[(0, *columns)])
        return np.asarray(self._read(numbers)[(slice(None), *columns)])

    def to_frame(self, rows: Any = slice(None)) -> "DataFrame":
        """Return some rows as a pandas data frame: a column for each unit, and as its index positions in the corpus.

        Args:
            rows: As in `array[rows]`; all by default.

        Raises:
            ActivationError: If pandas is not installed.
        """
        make_frame = data_frame_class()
        from pandas import Index

        numbers = np.atleast_1d(self._row_numbers(rows))
        values = self._read(numbers).reshape(len(numbers), -1)
        positions = self.source.selection.start + numbers * self.source.selection.every
        return make_frame(values, index=Index(positions, name="char"), columns=[str(unit) for unit in self.units])

    def to_xarray(self) -> "DataArray":
        """Return an xarray array with the dimensions `char` and `unit`, of which xarray reads what is used.

        Its coordinates are the position of each character in the corpus, the `character` itself, and the name of each
        unit. `array.to_xarray().sel(char=slice(1000, 1999))` has the rows of these characters, and is read when its
        values are needed.

        Raises:
            ActivationError: If xarray is not installed.
        """
        from activations.labelled_arrays import labelled

        return labelled(self)

    def characters(self, rows: Any = slice(None)) -> str:
        """Return the characters of the text at some rows, as in `array[rows]`."""
        numbers = np.atleast_1d(self._row_numbers(rows))
        selection = self.source.selection
        return codes_to_text(self.source.corpus.codes[selection.start + numbers * selection.every])

    def _row_numbers(self, rows: Any) -> NDArray[np.int64]:
        """Return the numbers from 0 up to `n_rows` of the rows that an index stands for; of one row a single number."""
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)))
        numbers = np.asarray(rows)
        if numbers.dtype == np.bool_ and numbers.shape == (len(self),):
            return np.flatnonzero(numbers)
        if numbers.ndim > 1 or (numbers.size and numbers.dtype.kind not in "iu"):
            raise IndexError(
                f"{rows!r:.80} does not choose rows; give a slice, row numbers, or a mask of {len(self):,}"
            )
        numbers = numbers.astype(np.int64)
        if numbers.size and not -len(self) <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"{rows!r:.80} is not among the {len(self):,} rows, which are counted from 0")
        return np.where(numbers < 0, numbers + len(self), numbers)

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read (n_rows,) numbers of rows, in any order."""
        values = np.empty((len(numbers), *self.shape[1:]), np.float32)
        order = np.argsort(numbers, kind="stable")
        for piece in _pieces(numbers[order]):
            wanted = numbers[order[piece]]
            first, last = int(wanted[0]), int(wanted[-1])
            values[order[piece]] = self._read_run(first, last + 1)[wanted - first]
        return values

    def _read_run(self, first: int, last: int) -> NDArray[np.float32]:
        """Read the rows from `first` up to `last`."""
        selection = self.source.selection
        start, stop = (selection.start + row * selection.every for row in (first, last))
        by_site = self.source.read(self._sites, start, stop)
        if self._unit is not None:
            column = by_site[self._unit.site][:, self._unit.index]
            return np.asarray(column, np.float32)
        return np.hstack([by_site[site].astype(np.float32, copy=False) for site in self._sites])


def _pieces(numbers: NDArray[np.int64]) -> Iterator[slice]:
    """Cut (n_rows,) ascending row numbers into pieces of rows that are near to each other, none of them long."""
    cuts = np.flatnonzero((np.diff(numbers) > _NEAR_ROWS) | (np.diff(numbers // _READ_ROWS) > 0)) + 1
    borders = [0, *cuts.tolist(), len(numbers)]
    for start, stop in itertools.pairwise(borders):
        if start < stop:
            yield slice(start, stop)


class NamedActivations:
    """What all sources have: `source["1/cell"]`, and the text beside it."""

    def __getitem__(self: Source, name: AnySites | Unit) -> LazyActivations:
        """Return the activations of sites, or of one unit, as an array whose rows are read when they are used.

        Args:
            name: A site, such as `1/cell`, or several as in `select_sites`; or a unit, such as `1/cell/37`.

        Raises:
            ActivationError: If there is no such site or unit, or rows are tokens and not characters.
        """
        if getattr(self, "tokens", None) is not None:
            raise ActivationError("the rows of this recording are tokens, and not characters; `read` gives them")
        if isinstance(name, Unit):
            [chosen] = select_units(self.sites, name)
        else:
            try:
                return LazyActivations(self, select_sites(self.sites, name))
            except ActivationError:
                site, _, index = name.rpartition("/") if isinstance(name, str) else ("", "", "")
                if site not in self.sites or not index.isdecimal():
                    raise
                [chosen] = select_units(self.sites, f"{site}/{index}")
        return LazyActivations(self, [chosen.site], chosen)

    @property
    def text(self: Source) -> str:
        """The characters at which there are activations, one for each row; if rows are tokens, the whole text."""
        if getattr(self, "tokens", None) is not None:
            return self.corpus.text()
        selection = self.selection
        return codes_to_text(self.corpus.codes[selection.start : selection.stop : selection.every])
