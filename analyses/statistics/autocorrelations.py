"""The memory of units: their autocorrelations at lags of 1, 2, 4, … characters, and their time constants."""

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

Array = NDArray[np.float64]
_ROUNDING = 1e-12  # of the mean, that a unit which never changes may deviate by


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnitMemory(Result):
    """Autocorrelations of the units of a site within documents, and their time constants.

    Attributes:
        lags: (n_lags,) the lags, in characters.
        n: (n_lags,) how many pairs of characters of the same document there are at each lag.
        autocorrelation: (n_lags, n_units) the mean product of both deviations from the unit's mean, divided by its
            variance; NaN where there is no pair, or the unit never changes.
        time_constant: (n_units,) the number of characters after which it falls under 1/e; see `time_constants`.
    """

    lags: NDArray[np.int64]
    n: NDArray[np.int64]
    autocorrelation: Array
    time_constant: Array

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit, with its time constant and its autocorrelation at each lag."""
        return [
            {
                "unit": unit,
                "time_constant": float(self.time_constant[unit]),
                **{f"autocorrelation_{lag}": float(r) for lag, r in zip(self.lags, by_lag, strict=True)},
            }
            for unit, by_lag in enumerate(self.autocorrelation.T)
        ]

    def __str__(self) -> str:
        changing = self.time_constant[~np.isnan(self.time_constant)]
        n_longer = int(np.isinf(changing).sum())
        median = f"median {np.median(changing):.3g} characters, " if len(changing) else ""
        return (
            f"time constants of {len(self.time_constant)} units: {median}{n_longer} above {self.lags[-1]}; "
            f"{len(self.time_constant) - len(changing)} units never change"
        )


def time_constants(lags: NDArray[np.int64], n: NDArray[np.int64], autocorrelation: Array) -> Array:
    """Return the number of characters after which autocorrelations fall under 1/e.

    It is interpolated between the first lag at which they are under 1/e and the one before (lag 0 with 1), linearly
    in the logarithm, which is exact for exponential decay. An autocorrelation below 1 / √n, its standard error for a
    unit without memory, cannot be distinguished from 0 and may be negative; it counts as 1 / √n.

    Args:
        lags: (n_lags,) in ascending order.
        n: (n_lags,) the number of pairs at each lag; lags without any are left out.
        autocorrelation: (n_lags, n_units) autocorrelations.

    Returns:
        (n_units,) time constants in characters; infinite where it does not fall under 1/e at any lag, so that
        memory is longer than these, and NaN where a unit never changes.
    """
    is_measured = n > 0
    times = np.append(0, lags[is_measured]).astype(np.float64)
    least = np.minimum(1 / np.sqrt(n[is_measured]), np.exp(-2))
    logs = np.zeros((len(times), autocorrelation.shape[1]))
    logs[1:] = np.log(np.maximum(autocorrelation[is_measured], least[:, None]))
    is_under = logs < -1
    first = np.maximum(is_under.argmax(axis=0), 1)
    if len(times) == 1:
        return np.full(autocorrelation.shape[1], np.nan)
    units = np.arange(autocorrelation.shape[1])
    before, after = logs[first - 1, units], logs[first, units]
    with np.errstate(invalid="ignore", divide="ignore"):
        crossing = times[first - 1] + (times[first] - times[first - 1]) * (before + 1) / (before - after)
    return np.where(np.isnan(logs).any(axis=0), np.nan, np.where(is_under.any(axis=0), crossing, np.inf))


class Autocorrelations:
    """Autocorrelations and time constants of all units of some sites, in one reading.

    Pairs of characters are of the same document, and each is counted once, however the text is cut into blocks and
    shards: where a run of rows that was read has no neighbour yet, its first or last `longest` rows are kept until that
    comes. There is one such border in a recording, which is read in order, and two for each piece that a lane of a live
    model reads.
    """

    n_readings = 1
    predictions = False

    def __init__(self, source: AnySource, sites: AnySites | None = None, *, longest: int = 256) -> None:
        """Start with no characters counted yet.

        Args:
            source: What will be read.
            sites: The sites whose units are looked at; None is all.
            longest: The largest lag, in characters. Lags are powers of 2 up to this, times n if the source gives one
                character in n.

        Raises:
            AnalysisError: If there is no such site, or `longest` is less than the distance of the characters that the
                source gives.
        """
        source = Session.of(source)
        used = source.selection
        if longest < used.every:
            raise AnalysisError(
                f"the longest lag is {longest}; it must be {used.every} or more, as far as rows are apart"
            )
        self.sites = sites_among(source, sites)
        self._sizes = [source.sites[site] for site in self.sites]
        self._every = used.every
        self._steps = 2 ** np.arange((longest // used.every).bit_length())
        first_rows = used.rows(np.append(source.corpus.starts, len(source.corpus)))
        self._borders = np.unique(used.start + first_rows * used.every)  # the first place of each document, and the end
        self._document_borders = set(self._borders.tolist())
        n_lags, n_units = len(self._steps), sum(self._sizes)
        self._n, self._n_chars = np.zeros(n_lags, np.int64), 0
        self._earlier, self._later, self._products = (np.zeros((n_lags, n_units)) for _ in range(3))
        self._x, self._xx = np.zeros(n_units), np.zeros(n_units)
        self._middle: Array | None = None  # near the means; sums are of deviations from it
        self._runs: dict[int, _Run] = {}  # by their starts
        self._starts: dict[int, int] = {}  # the start of each run, by its stop

    @np.errstate(invalid="ignore", over="ignore")  # NaNs are reported at the end of the reading
    def update(self, block: Block, labels: BlockLabels) -> None:
        """Add the characters of a block."""
        rows = np.hstack([block.values[site] for site in self.sites])
        if rows.dtype == np.float16:
            rows = rows.astype(np.float32)
        if self._middle is None:
            self._middle = rows.mean(axis=0, dtype=np.float64)
        x = rows - self._middle
        self._n_chars += len(x)
        self._x += x.sum(axis=0)
        self._xx += np.einsum("ij,ij->j", x, x)
        stop = block.start + len(rows) * self._every
        inside = self._borders[np.searchsorted(self._borders, block.start, side="right") :]
        inside = inside[: np.searchsorted(inside, stop)]
        begins = (inside - block.start) // self._every
        documents = np.zeros(len(x), np.int64)
        documents[begins] = 1
        self._count(x, np.cumsum(documents), np.zeros_like(self._steps), len(x) - self._steps)
        longest = self._steps[-1]
        first_end, last_begin = [*begins.tolist(), len(rows)][0], [0, *begins.tolist()][-1]
        for first, last in sorted({(0, first_end), (last_begin, len(rows))}):  # the documents between are whole
            run = rows[first:last]
            start = block.start + first * self._every
            self._insert(_Run(start, start + len(run) * self._every, run[:longest].copy(), run[-longest:].copy()))

    def merge(self, other: "Autocorrelations") -> None:
        """Add what another statistic has seen; sums of deviations from its middle are moved to this one's."""
        if other._middle is None:
            return
        if self._middle is None:
            self._middle = other._middle.copy()
        moved, n = other._middle - self._middle, other._n[:, None]
        self._n += other._n
        self._products += other._products + moved * (other._earlier + other._later) + n * moved**2
        self._earlier += other._earlier + n * moved
        self._later += other._later + n * moved
        self._n_chars += other._n_chars
        self._xx += other._xx + 2 * moved * other._x + other._n_chars * moved**2
        self._x += other._x + other._n_chars * moved
        for run in other._runs.values():
            self._insert(run)

    def _insert(self, run: "_Run") -> None:
        """Join a run with its neighbours, and keep the rows that later neighbours will need."""
        if run.start in self._starts and run.start not in self._document_borders:
            run = self._joined(self._runs.pop(self._starts.pop(run.start)), run)
        if run.stop in self._runs and run.stop not in self._document_borders:
            following = self._runs.pop(run.stop)
            del self._starts[following.stop]
            run = self._joined(run, following)
        has_begun, has_ended = run.start in self._document_borders, run.stop in self._document_borders
        if has_begun and has_ended:
            return
        head, tail = run.head[: 0 if has_begun else None], run.tail[: 0 if has_ended else None]
        self._runs[run.start] = _Run(run.start, run.stop, head, tail)
        self._starts[run.stop] = run.start

    def _joined(self, run: "_Run", following: "_Run") -> "_Run":
        """Join two runs, and count the pairs that have a character in each."""
        longest, n_before = self._steps[-1], len(run.tail)
        rows = np.vstack([run.tail, following.head])
        last = np.minimum(n_before, len(rows) - self._steps)
        same = np.zeros(len(rows), np.int64)
        self._count(rows - self._middle, same, np.maximum(n_before - self._steps, 0), last)
        head = np.vstack([run.head, following.head])[:longest]
        tail = np.vstack([run.tail, following.tail])[-longest:]
        return _Run(run.start, following.stop, head, tail)

    def _count(self, x: Array, documents: NDArray[np.int64], first: NDArray[np.int64], last: NDArray[np.int64]) -> None:
        """Count the pairs of rows from `first` up to `last`, at each lag, with later rows of the same document."""
        n, products, earlier, later = _pair_sums(x, documents, self._steps, first, last)
        self._n += n
        self._products += products
        self._earlier += earlier
        self._later += later

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result.

        Raises:
            AnalysisError: If an activation is not a number.
        """
        for site, xx in zip(self.sites, self._by_site(self._xx), strict=True):
            if not np.isfinite(xx).all():
                raise AnalysisError(not_numbers(site))

    def result(self) -> dict[Site, UnitMemory]:
        """Return the memory of the units of each site."""
        n, n_chars = self._n[:, None], max(self._n_chars, 1)
        mean = self._x / n_chars
        variance = self._xx / n_chars - mean**2
        around = 0.0 if self._middle is None else self._middle
        variance[variance <= (_ROUNDING * (around + mean)) ** 2] = np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            autocorrelation = (self._products - mean * (self._earlier + self._later) + n * mean**2) / n / variance
        lags = self._steps * self._every
        return {
            site: UnitMemory(
                lags=lags, n=self._n, autocorrelation=of_site, time_constant=time_constants(lags, self._n, of_site)
            )
            for site, of_site in zip(self.sites, self._by_site(autocorrelation), strict=True)
        }

    def _by_site(self, numbers: Array) -> list[Array]:
        return np.split(numbers, np.cumsum(self._sizes)[:-1], axis=-1)

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        runs = sorted(self._runs.values(), key=lambda run: run.start)
        state: State = {
            "lags": self._steps * self._every,
            "n": self._n,
            "earlier": self._earlier,
            "later": self._later,
            "products": self._products,
            "n_chars": np.array(self._n_chars),
            "x": self._x,
            "xx": self._xx,
            "runs": np.array([(run.start, run.stop) for run in runs], np.int64).reshape(-1, 2),
        }
        if self._middle is not None:
            state["middle"] = self._middle
        for number, run in enumerate(runs):
            state |= {f"{number}/head": run.head, f"{number}/tail": run.tail}
        return state

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        refuse_other_arguments(arrays, lags=self._steps * self._every)
        self._n, self._earlier, self._later, self._products, self._x, self._xx = (
            arrays[name].copy() for name in ("n", "earlier", "later", "products", "x", "xx")
        )
        self._n_chars = int(arrays["n_chars"])
        self._middle = arrays["middle"].copy() if "middle" in arrays else None
        self._runs = {
            start: _Run(start, stop, arrays[f"{number}/head"].copy(), arrays[f"{number}/tail"].copy())
            for number, (start, stop) in enumerate(arrays["runs"].tolist())
        }
        self._starts = {run.stop: run.start for run in self._runs.values()}


class _Run(NamedTuple):
    """A run of neighbouring rows of one document that were read; only its ends are kept, for its neighbours.

    Attributes:
        start: The place of its first character.
        stop: The place of the first character behind it that the source gives.
        head: (n_rows, n_units) its first rows, as many as the longest lag; none where the document begins.
        tail: (n_rows, n_units) its last rows; none where the document ends.
    """

    start: int
    stop: int
    head: NDArray[Any]
    tail: NDArray[Any]


@in_parallel
def _pair_sums(
    x: Array,
    documents: NDArray[np.int64],
    steps: NDArray[np.int64],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
) -> tuple[NDArray[np.int64], Array, Array, Array]:
    """Count the pairs of rows at each lag, and add up (n_lags, n_units) sums over them.

    The sums are of products, of the earlier rows, and of the later ones. For each lag, the same as

        rows = np.arange(first, last)
        rows = rows[documents[rows] == documents[rows + step]]
        earlier, later = x[rows], x[rows + step]
        len(rows), (earlier * later).sum(axis=0), earlier.sum(axis=0), later.sum(axis=0)
    """
    n_units = x.shape[1]
    n = np.zeros(len(steps), np.int64)
    products, earlier, later = (
        np.zeros((len(steps), n_units)),
        np.zeros((len(steps), n_units)),
        np.zeros((len(steps), n_units)),
    )
    for lag in prange(len(steps)):
        for row in range(first[lag], last[lag]):
            if documents[row] != documents[row + steps[lag]]:
                continue
            n[lag] += 1
            for unit in range(n_units):
                before, after = x[row, unit], x[row + steps[lag], unit]
                products[lag, unit] += before * after
                earlier[lag, unit] += before
                later[lag, unit] += after
    return n, products, earlier, later
