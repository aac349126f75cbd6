"""What a fit reads many times: all of a source, or as many of its characters as fit a budget."""

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
_FEWEST_ROWS = 1000


@contextmanager
def within_budget(
    source: Source,
    sites: Collection[Site],
    split: Split,
    budget: int | None = None,
    progress: Progress = no_progress,
) -> Iterator[Source]:
    """A source that can be read many times, in as many bytes as are allowed.

    A recording is read where it is if all of it is allowed. Otherwise, and always from a live source, the rows that are
    read are kept in temporary files while the block lasts; see `chosen_runs` for which.

    Args:
        source: A recording or live activations. One that comes from here is given as it is, and
            so is one of which nothing will be read.
        sites: What will be read.
        split: Of the text, by which rows are chosen.
        budget: Bytes of activations; None is 4 GB from a live source, and no limit otherwise.
        progress: Called with the characters done and their number, if they have to be computed first.

    Raises:
        ActivationError: If the disk is full.
        AnalysisError: If the budget is too small.
    """
    if _spool(source) is not None or not sites:
        yield source
        return
    n_rows = source.selection.n_chars
    row_bytes = sum(source.dtype(site).itemsize * source.sites[site] for site in sites)
    allowed = budget if budget is not None else LIVE_BUDGET if source.is_live else n_rows * row_bytes
    if not source.is_live and n_rows * row_bytes <= allowed:
        yield source
        return
    runs = chosen_runs(split, source.selection, allowed // row_bytes)
    with spooled(source, sites, runs, progress) as spool:
        yield spool


def chosen_runs(split: Split, selection: Selection, n_wanted: int) -> list[range]:
    """So many rows at most: of each atom the same share, a run in its middle.

    They are a function of position alone. Every stretch, fold and position group keeps its share of the rows, and there
    are as many atoms, which are what is taken for independent, as in the whole text.

    Raises:
        AnalysisError: If they are fewer than 1,000, and not all.
    """
    n_rows = selection.n_chars
    if n_wanted >= n_rows:
        return [range(n_rows)]
    if n_wanted < _FEWEST_ROWS:
        raise AnalysisError(
            f"the budget holds the activations of {n_wanted:,} of {n_rows:,} characters, and {_FEWEST_ROWS:,} are "
            "needed; allow more (--budget), or choose fewer sites"
        )
    starts = atoms_of_rows(split, selection).starts
    sizes = np.diff(starts, append=n_rows)
    kept = sizes * n_wanted // n_rows
    firsts = starts + (sizes - kept) // 2
    return [range(first, first + n) for first, n in zip(firsts.tolist(), kept.tolist(), strict=True) if n]


def rows_given(source: Source) -> Sequence[range]:
    """The rows that a source gives, as runs: those of a spool, and all of another source."""
    own = _spool(source)
    return [range(source.selection.n_chars)] if own is None else own.runs


def _spool(source: Source) -> Spool | None:
    own = source.source if isinstance(source, Session) else source
    return own if isinstance(own, Spool) else None


def rows_used(source: Source) -> RowRuns:
    """(n_rows,) whether a source gives the activations of each row."""
    runs, n_rows = rows_given(source), source.selection.n_chars
    borders = np.array([[run.start, run.stop] for run in runs]).ravel()
    starts = np.unique([0, *borders])
    inside = np.searchsorted(borders, starts, side="right") % 2 == 1
    return RowRuns(starts[starts < n_rows], inside[starts < n_rows], n_rows)
