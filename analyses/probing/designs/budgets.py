"""Sources that can be read many times, whole or as many of their characters as fit a budget of bytes."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from activations.blocks import Source
from activations.progress import Progress, no_progress
from activations.recordings.spool import Spool, spooled
from activations.texts.selection import Selection
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.session import Session
from analyses.targets.row_runs import RowRuns, atoms_of_rows
from analyses.targets.splits import Split

LIVE_BUDGET = 4_000_000_000
_MIN_ROWS = 1000


@contextmanager
def within_budget(
    source: Source,
    sites: Collection[Site],
    split: Split,
    budget: int | None = None,
    progress: Progress = no_progress,
    *,
    live_budget: int = LIVE_BUDGET,
) -> Iterator[Source]:
    """Yield a source that can be read many times and takes no more bytes than the budget.

    A recording that fits the budget is read where it is. From a larger recording, and always from a live source, the
    chosen rows are kept in temporary files while the block lasts; see `chosen_runs`.

    Args:
        source: A recording or live activations. A source that this function gave before is returned as it is; so is
            any source if there are no sites to read.
        sites: The sites that will be read.
        split: The split of the text, by which rows are chosen.
        budget: Bytes of activations. None is `live_budget` for a live source, and no limit otherwise.
        progress: Called with the characters done and their number, if activations have to be computed first.
        live_budget: The budget for a live source where `budget` is None.

    Raises:
        ActivationError: If the disk is full.
        AnalysisError: If the budget is too small.
    """
    if _spool(source) is not None or not sites:
        yield source
        return
    n_rows = source.selection.n_chars
    row_bytes = sum(source.dtype(site).itemsize * source.sites[site] for site in sites)
    allowed = budget if budget is not None else live_budget if source.is_live else n_rows * row_bytes
    if not source.is_live and n_rows * row_bytes <= allowed:
        yield source
        return
    runs = chosen_runs(split, source.selection, allowed // row_bytes)
    with spooled(source, sites, runs, progress) as spool:
        yield spool


def chosen_runs(split: Split, selection: Selection, max_rows: int) -> list[range]:
    """Choose at most `max_rows` rows: the same share of every atom, as a run in its middle.

    The choice depends on positions alone. Every stretch, fold and position group keeps its share of the rows. There
    are as many atoms, which intervals treat as independent, as in the whole text.

    Raises:
        AnalysisError: If fewer than 1,000 rows are allowed, and that is not all.
    """
    n_rows = selection.n_chars
    if max_rows >= n_rows:
        return [range(n_rows)]
    if max_rows < _MIN_ROWS:
        raise AnalysisError(
            f"the budget holds the activations of {max_rows:,} of {n_rows:,} characters, and {_MIN_ROWS:,} are "
            "needed; allow more (--budget), or choose fewer sites"
        )
    starts = atoms_of_rows(split, selection).starts
    atom_sizes = np.diff(starts, append=n_rows)
    run_sizes = atom_sizes * max_rows // n_rows
    run_starts = starts + (atom_sizes - run_sizes) // 2
    return [range(start, start + n) for start, n in zip(run_starts.tolist(), run_sizes.tolist(), strict=True) if n]


def available_runs(source: Source) -> Sequence[range]:
    """Return the rows that a source gives, as runs: the chosen ones of a spool, and all rows of any other source."""
    spool = _spool(source)
    return [range(source.selection.n_chars)] if spool is None else spool.runs


def _spool(source: Source) -> Spool | None:
    """Return the spool that a source is, or that a session is of; None of any other source."""
    of_session = source.source if isinstance(source, Session) else source
    return of_session if isinstance(of_session, Spool) else None


def available_rows(source: Source) -> RowRuns:
    """(n_rows,) True for every row whose activations a source gives."""
    runs, n_rows = available_runs(source), source.selection.n_chars
    borders = np.array([[run.start, run.stop] for run in runs]).ravel()
    starts = np.unique([0, *borders])
    is_inside = np.searchsorted(borders, starts, side="right") % 2 == 1
    return RowRuns(starts[starts < n_rows], is_inside[starts < n_rows], n_rows)
