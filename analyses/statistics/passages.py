"""The passages of a text in which each unit is most active, and least active."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import prange
from numpy.typing import NDArray

from activations.blocks import Block
from activations.results import Result, TableCell
from activations.site_names import AnySites
from activations.units import Site
from analyses.collecting.statistic import BlockLabels, State, refuse_other_arguments
from analyses.errors import AnalysisError
from analyses.kernels import in_parallel
from analyses.levels.columns import not_numbers
from analyses.named_parts import sites_among
from analyses.session import AnySource, Session
from hypotheses.kernels import compiled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Passages(Result):
    """The characters at which the units of a site are most and least active, no two in the same passage.

    Attributes:
        most_places: (n, n_units) places in the corpus, the most active first, of equal values the earlier first; -1
            where the text has fewer passages.
        most_values: (n, n_units) the values there; NaN where there is no passage.
        least_places: (n, n_units) the places where units are least active, the lowest value first.
        least_values: (n, n_units) the values there.
    """

    most_places: NDArray[np.int64]
    most_values: NDArray[Any]
    least_places: NDArray[np.int64]
    least_values: NDArray[Any]

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit and passage, the most active ones of a unit first."""
        ends = (("most", self.most_places, self.most_values), ("least", self.least_places, self.least_values))
        return [
            {"unit": unit, "active": extreme, "place": int(places[rank, unit]), "value": float(values[rank, unit])}
            for unit in range(self.most_places.shape[1])
            for extreme, places, values in ends
            for rank in np.flatnonzero(places[:, unit] >= 0)
        ]

    def __str__(self) -> str:
        n, n_units = self.most_places.shape
        return f"the {n} most and least active passages of {n_units} units"


class ActivePassages:
    """The passages in which each unit of some sites is most and least active, in one reading.

    A text is cut into passages of equal length by position, anew in each document; the last of a document may be
    shorter. Of each passage only the highest and the lowest value count, at the earliest place that has it, so that
    neighbours of a peak are not further peaks, unless a border between two passages lies between them.
    """

    n_readings = 1
    predictions = False

    def __init__(self, source: AnySource, sites: AnySites | None = None, *, n: int = 10, n_chars: int = 50) -> None:
        """Start with no characters counted yet.

        Args:
            source: What will be read.
            sites: The sites whose units are looked at; None is all.
            n: How many passages of each unit are kept at either end.
            n_chars: Length of a passage.

        Raises:
            AnalysisError: If there is no such site, or `n` or `n_chars` is below 1.
        """
        for name, value in (("n", n), ("n_chars", n_chars)):
            if value < 1:
                raise AnalysisError(f"{name} is {value}; it must be 1 or more")
        source = Session.of(source)
        self.sites = sites_among(source, sites)
        self._n, self._n_chars = n, n_chars
        self._starts = source.corpus.starts
        n_passages = -((source.corpus.starts - source.corpus.stops) // n_chars)
        self._first_passages = np.cumsum(n_passages) - n_passages
        self._most, self._least = (
            {site: _Peaks.none(n, source.sites[site], source.dtype(site)) for site in self.sites} for _ in range(2)
        )  # the least are the highest of the values times -1

    def update(self, block: Block, labels: BlockLabels) -> None:
        """Add the characters of a block.

        Raises:
            AnalysisError: If an activation is not a number.
        """
        places = np.arange(block.start, block.stop, block.every)
        documents = np.searchsorted(self._starts, places, side="right") - 1
        passage_of_row = self._first_passages[documents] + (places - self._starts[documents]) // self._n_chars
        starts = np.flatnonzero(np.diff(passage_of_row, prepend=-1))
        passages = passage_of_row[starts]
        for site in self.sites:
            values = block.values[site].astype(self._most[site].values.dtype, copy=False)
            if not np.isfinite(values).all():
                raise AnalysisError(not_numbers(site))
            for peaks, signed in ((self._most[site], values), (self._least[site], -values)):
                rows = _highest_rows(signed, starts)
                new = _Peaks(
                    np.take_along_axis(signed, rows, axis=0),
                    places[rows],
                    np.repeat(passages[:, None], signed.shape[1], axis=1),
                )
                _insert(*new, *peaks)

    def merge(self, other: "ActivePassages") -> None:
        """Add what another statistic has seen of other characters."""
        for site in self.sites:
            _insert(*other._most[site], *self._most[site])
            _insert(*other._least[site], *self._least[site])

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""

    def result(self) -> dict[Site, Passages]:
        """Return the passages of the units of each site."""
        passages = {}
        for site in self.sites:
            most, least = (
                (peaks.places, np.where(peaks.places >= 0, peaks.values, np.nan))
                for peaks in (self._most[site], self._least[site])
            )
            passages[site] = Passages(
                most_places=most[0], most_values=most[1], least_places=least[0], least_values=-least[1]
            )
        return passages

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        state: State = {"n": np.array(self._n), "n_chars": np.array(self._n_chars)}
        for end, by_site in (("most", self._most), ("least", self._least)):
            for site, peaks in by_site.items():
                state |= {f"{site}/{end}/{name}": array for name, array in peaks._asdict().items()}
        return state

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        refuse_other_arguments(arrays, n=self._n, n_chars=self._n_chars)
        for end, by_site in (("most", self._most), ("least", self._least)):
            for site in by_site:
                by_site[site] = _Peaks(*(arrays[f"{site}/{end}/{name}"].copy() for name in _Peaks._fields))


class _Peaks(NamedTuple):
    """The highest values of units in different passages, in descending order.

    Attributes:
        values: (n, n_units) the highest value of a passage; minus infinity where there are fewer passages.
        places: (n, n_units) the first place that has it; -1 where there is none.
        passages: (n, n_units) the passage of each.
    """

    values: NDArray[Any]
    places: NDArray[np.int64]
    passages: NDArray[np.int64]

    @classmethod
    def none(cls, n: int, n_units: int, dtype: np.dtype[Any]) -> "_Peaks":
        """Return no passages yet, for values of a dtype, or of float32 if that is wider."""
        shape = (n, n_units)
        values = np.full(shape, -np.inf, np.promote_types(dtype, np.float32))
        return cls(values, np.full(shape, -1), np.full(shape, -1))


@in_parallel
def _highest_rows(values: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_runs, n_units) the first row with the highest value of each run of rows that begins at one of `starts`.

    The same as `argmax(axis=0)` of each run.
    """
    n_rows, n_units = values.shape
    rows = np.empty((len(starts), n_units), np.int64)
    for run in prange(len(starts)):
        stop = starts[run + 1] if run + 1 < len(starts) else n_rows
        rows[run] = starts[run]
        for row in range(starts[run] + 1, stop):
            for unit in range(n_units):
                if values[row, unit] > values[rows[run, unit], unit]:
                    rows[run, unit] = row
    return rows


@compiled(nogil=True)
def _insert(
    values: NDArray[Any],
    places: NDArray[np.int64],
    passages: NDArray[np.int64],
    kept_values: NDArray[Any],
    kept_places: NDArray[np.int64],
    kept_passages: NDArray[np.int64],
) -> None:
    """Insert peaks among those that are kept, of which each passage has at most one.

    A passage of which only a part was seen may be displaced and forgotten: if it is among the highest in the end, its
    highest value puts it back whenever it comes.
    """
    n = len(kept_values)
    for row in range(len(values)):
        for unit in range(values.shape[1]):
            value, position, passage = values[row, unit], places[row, unit], passages[row, unit]
            if position < 0 or not _is_higher(value, position, kept_values[n - 1, unit], kept_places[n - 1, unit]):
                continue
            hole = n - 1  # the peak that is displaced: that of the same passage, or else the last
            for row_kept in range(n - 1):
                if kept_passages[row_kept, unit] == passage:
                    hole = row_kept
            if kept_passages[hole, unit] == passage and not _is_higher(
                value, position, kept_values[hole, unit], kept_places[hole, unit]
            ):
                continue
            while hole > 0 and _is_higher(value, position, kept_values[hole - 1, unit], kept_places[hole - 1, unit]):
                kept_values[hole, unit] = kept_values[hole - 1, unit]
                kept_places[hole, unit] = kept_places[hole - 1, unit]
                kept_passages[hole, unit] = kept_passages[hole - 1, unit]
                hole -= 1
            kept_values[hole, unit], kept_places[hole, unit], kept_passages[hole, unit] = value, position, passage


@compiled(inline="always")
def _is_higher(value: float, place: int, other_value: float, other_place: int) -> bool:
    """Return whether a peak is higher than another one, or as high and earlier."""
    return value > other_value or (value == other_value and place < other_place)
