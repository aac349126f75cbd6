"""Spools: rows of a source that are written to the disk once, and read from there many times."""

import os
import tempfile
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source, thin_out
from activations.errors import ActivationError
from activations.progress import Advance, Progress, no_advance, no_progress
from activations.recordings.disk import DiskFile
from activations.system_errors import reason
from activations.texts.corpus import end_of_run
from activations.units import Site, in_order

_READ_ROWS = 4096


class Spool:
    """The activations of some runs of rows of another source, in temporary files: a source of blocks.

    Its text and selection are those of the source that was read; it gives the rows of the runs only.

    Attributes:
        runs: The rows that it gives, in order.
    """

    is_live = False

    def __init__(self, source: Source, sites: Collection[Site], runs: Sequence[range]) -> None:
        """Prepare a spool of some sites and rows of a source; nothing is read yet."""
        self.corpus, self.vocabulary, self.selection = source.corpus, source.vocabulary, source.selection
        self.model_sha256, self.reading_rule = source.model_sha256, source.reading_rule
        self.sites: Mapping[Site, int] = {site: source.sites[site] for site in in_order(source.sites, sites)}
        self.runs = tuple(runs)
        self._dtypes = {site: source.dtype(site) for site in self.sites}
        self._starts = [run.start for run in self.runs]
        self._offsets = list(accumulate(map(len, self.runs), initial=0))
        self._ends = self.selection.rows(self.corpus.stops)
        self._files: dict[Site, DiskFile] = {}

    @property
    def n_rows(self) -> int:
        """Number of rows that it gives."""
        return self._offsets[-1]

    def dtype(self, site: Site) -> np.dtype[Any]:
        """Return the dtype of a site's activations."""
        return self._dtypes[site]

    def fill(self, source: Source, files: Mapping[Site, DiskFile], progress: Progress) -> None:
        """Write the rows into files, in one reading of the source."""
        self._files.update(files)
        n_done = 0
        for block in source.blocks(list(self.sites)):
            first = self.selection.row(block.start)
            last = first + block.n_chars
            for number in range(max(bisect_right(self._starts, first) - 1, 0), bisect_right(self._starts, last - 1)):
                run = self.runs[number]
                start, stop = max(run.start, first), min(run.stop, last)
                if start < stop:
                    for site, values in block.values.items():
                        offset = (self._offsets[number] + start - run.start) * self.row_bytes(site)
                        with _one_sentence():
                            self._files[site].write(values[start - first : stop - first], offset)
                    n_done += stop - start
                    progress(n_done, self.n_rows)

    def blocks(self, sites: Collection[Site] | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Give every row once, in blocks, in the order of the text, without predictions."""
        chosen = list(self.sites if sites is None else sites)
        for number, run in enumerate(self.runs):
            row = run.start
            while row < run.stop:
                last = end_of_run(self._ends, row, min(run.stop, row + _READ_ROWS))
                offset = self._offsets[number] + row - run.start
                values = {site: self._read(site, offset, last - row) for site in chosen}
                yield Block(self.selection.start + row * self.selection.every, values, every=self.selection.every)
                row = last

    def _read(self, site: Site, first: int, n: int) -> NDArray[Any]:
        """Read (n, n_units) rows of a file."""
        size = self.row_bytes(site)
        content = os.pread(self._files[site].descriptor, n * size, first * size)
        return np.frombuffer(content, self.dtype(site)).reshape(n, self.sites[site])

    def row_bytes(self, site: Site) -> int:
        """Return the size of a site's activations at one character."""
        return self.dtype(site).itemsize * self.sites[site]

    def read(self, sites: Collection[Site], start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """Return (n_chars, n_units) activations of sites at the selected characters of a passage; see `Source.read`.

        Raises:
            ActivationError: If the spool does not have the whole passage.
        """
        part = self.selection.part(start, stop)
        first = self.selection.row(part.start)
        number = bisect_right(self._starts, first) - 1
        if number < 0 or first + part.n_chars > self.runs[number].stop:
            raise ActivationError(f"not all characters from {part.start:,} to {part.stop:,} are in this spool")
        offset = self._offsets[number] + first - self.runs[number].start
        return {site: self._read(site, offset, part.n_chars) for site in sites}

    def read_predictions(
        self, kinds: Collection[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Give none: only activations are spooled."""
        return {}

    def sample(
        self, sites: Collection[Site], n_chars: int, advance: Advance = no_advance
    ) -> dict[Site, NDArray[np.float32]]:
        """Return (n_sampled, n_units) activations of sites at every k-th row; see `Source.sample`."""
        return thin_out(self, sites, n_chars, advance)

    @contextmanager
    def rereadable(self, sites: Collection[Site], progress: Progress = no_progress) -> Iterator[Self]:
        """Give this spool itself, which can be read many times."""
        yield self


@contextmanager
def spooled(
    source: Source, sites: Collection[Site], runs: Sequence[range], progress: Progress = no_progress
) -> Iterator[Spool]:
    """Spool rows of a source in temporary files, which have no names, and so are gone however the process ends.

    Args:
        source: The source, which is read once.
        sites: The sites to spool.
        runs: The rows to spool, in order, none twice.
        progress: Called with the rows done and their number.

    Raises:
        ActivationError: If the disk has no room for them, which is noticed before the source is read.
    """
    spool = Spool(source, sites, runs)
    with ExitStack() as stack:
        with _one_sentence():
            files = _open_files(spool, stack)
        spool.fill(source, files, progress)
        yield spool


def _open_files(spool: Spool, stack: ExitStack) -> dict[Site, DiskFile]:
    """Open a file for each site, with room for its rows, that is gone when a stack of contexts closes it."""
    with tempfile.TemporaryDirectory(prefix="char-probe-") as folder:  # the files have names only while they are opened
        files = {
            site: stack.enter_context(DiskFile(Path(folder) / str(number))) for number, site in enumerate(spool.sites)
        }
    for site, file in files.items():
        file.preallocate(spool.n_rows * spool.row_bytes(site))
    return files


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Turn an error of the file system into one sentence; errors of the source stay as they are."""
    try:
        yield
    except OSError as error:
        where = f" in {tempfile.tempdir}" if tempfile.tempdir else ""
        raise ActivationError(
            f"cannot write temporary files{where}: {reason(error)}; TMPDIR says where else there is room; "
            "a smaller --budget takes less"
        ) from error
