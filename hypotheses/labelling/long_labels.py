"""Labels of a long text that are not in memory: they are in a file, or computed from others when they are read."""

import itertools
import os
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.labelling.corpus_labels import CHUNK, DTYPES, CorpusLabels
from hypotheses.labels import CharIndex, Kind, Labels

_MIN_RUN = 32  # mean length of runs of neighbouring characters from which on each run is read separately
_STRIP = 1 << 16  # characters; those selected in a strip are read at once, with all that lies between them


class LongLabels(ABC):
    """One label for each character of a text, like `Labels`, but only the selected ones are in memory.

    Attributes:
        kind: See `Labels`.
        names: Names of the classes of categorical labels.
        may_miss: Whether any label may be missing.
        cached_at: See `Labels`.
        not_cached_because: See `Labels`.
        notes: See `Labels`.
    """

    kind: Kind
    names: tuple[str, ...]
    may_miss: bool
    cached_at: datetime | None = None
    not_cached_because: str = ""
    notes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def values_at(self, index: CharIndex) -> NDArray[Any]:
        """Return the (n_selected,) values of some characters; see `Labels.values`."""

    @abstractmethod
    def missing_at(self, index: CharIndex) -> NDArray[np.bool_] | None:
        """Return (n_selected,) which labels of some characters are missing; None if no label can be missing."""

    def __getitem__(self, index: slice) -> Labels:
        return Labels(self.values_at(index), self.kind, self.missing_at(index), self.names)

    @property
    def values(self) -> NDArray[Any]:
        """(n_chars,) the values of all labels, read into memory."""
        return self.values_at(slice(None))

    @property
    def missing(self) -> NDArray[np.bool_] | None:
        """(n_chars,) where labels are missing, read into memory; None if no label can be missing."""
        return self.missing_at(slice(None))

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n_chars,) where there is a label, read into memory."""
        missing = self.missing
        return np.ones(len(self), bool) if missing is None else ~missing


AnyLabels = Labels | LongLabels


class LabelsOnDisk(LongLabels):
    """Labels in a temporary file, which is deleted together with them."""

    def __init__(self, labels: CorpusLabels) -> None:
        """Write labels to a temporary file.

        Raises:
            HypothesisError: If they cannot be written, for example to a full disk.
        """
        self.kind, self.names, self.may_miss = labels.kind, labels.names, labels.may_miss
        self.cached_at, self.not_cached_because = labels.cached_at, labels.not_cached_because
        self.notes = labels.notes
        try:
            # unbuffered, so that a full disk is an error here rather than when the file is closed
            file = tempfile.TemporaryFile(prefix="char-probe-labels-", buffering=0)  # noqa: SIM115
            weakref.finalize(self, file.close)
            self._values = _ArrayOnDisk(file, labels.dtype, len(labels), _chunks(labels, missing=False))
            self._missing = None
            if self.may_miss:
                self._missing = _ArrayOnDisk(file, np.dtype(bool), len(labels), _chunks(labels, missing=True))
        except OSError as error:
            raise HypothesisError(
                f"cannot write the labels of {len(labels):,} characters to {tempfile.tempdir or 'a temporary folder'}: "
                f"{error.strerror or error}; set TMPDIR to a folder on a disk with more room"
            ) from error

    def __len__(self) -> int:
        return self._values.n

    def values_at(self, index: CharIndex) -> NDArray[Any]:
        """Return the (n_selected,) values of some characters."""
        return self._values[index].astype(DTYPES[self.kind], copy=False)

    def missing_at(self, index: CharIndex) -> NDArray[np.bool_] | None:
        """Return (n_selected,) which of some labels are missing; None if no label can be missing."""
        return None if self._missing is None else self._missing[index]


def _chunks(labels: CorpusLabels, *, missing: bool) -> Iterator[NDArray[Any]]:
    for start in range(0, len(labels), CHUNK):
        chunk = labels[start : start + CHUNK]
        yield chunk.values.astype(labels.dtype) if not missing else ~chunk.present


class _ArrayOnDisk:
    """A 1-D array that is appended to a file; several threads may read it."""

    def __init__(self, file: IO[bytes], dtype: np.dtype[Any], n: int, chunks: Iterator[NDArray[Any]]) -> None:
        self.n = n
        self._file, self._dtype, self._start = file, dtype, file.seek(0, os.SEEK_END)
        for chunk in chunks:
            rest = memoryview(chunk.tobytes())
            while rest:
                rest = rest[file.write(rest) :]

    def __getitem__(self, index: CharIndex) -> NDArray[Any]:
        if isinstance(index, slice):
            start, stop, step = index.indices(self.n)
            if step == 1:
                return self._read(start, stop)
            index = np.arange(start, stop, step)
        selected = np.empty(len(index), self._dtype)
        starts = np.flatnonzero(np.diff(index, prepend=-2) != 1)
        by_run = len(starts) * _MIN_RUN <= len(index)
        if not by_run:
            starts = np.flatnonzero(np.diff(index // _STRIP, prepend=-1))
        for first, last in itertools.pairwise([*starts.tolist(), len(index)]):
            part = index[first:last]
            if by_run:
                selected[first:last] = self._read(int(part[0]), int(part[-1]) + 1)
            else:
                lowest = int(part.min())
                selected[first:last] = self._read(lowest, int(part.max()) + 1)[part - lowest]
        return selected

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        array = np.empty(max(stop - start, 0), self._dtype)
        rest, offset = array.view(np.uint8).data, self._start + start * self._dtype.itemsize
        while rest:  # the system returns 2 GiB at a time, or less
            n_bytes = os.preadv(self._file.fileno(), [rest], offset)
            rest, offset = rest[n_bytes:], offset + n_bytes
        return array


class ClassLabels(LongLabels):
    """Binary labels: whether the label of a character is one class of categorical labels."""

    kind: Kind = "binary"
    names = ()

    def __init__(self, labels: AnyLabels, class_index: int) -> None:
        """Select a class by its index into the names of categorical labels."""
        self._labels, self._class_index, self.may_miss = labels, class_index, labels.may_miss

    def __len__(self) -> int:
        return len(self._labels)

    def values_at(self, index: CharIndex) -> NDArray[np.bool_]:
        """Return the (n_selected,) values of some characters."""
        return np.asarray(self._labels.values_at(index) == self._class_index)

    def missing_at(self, index: CharIndex) -> NDArray[np.bool_] | None:
        """Return (n_selected,) which of some labels are missing; None if no label can be missing."""
        return self._labels.missing_at(index)


class BinnedLabels(LongLabels):
    """Categorical labels: the bin of each of a text's numeric labels."""

    kind: Kind = "categorical"

    def __init__(self, labels: AnyLabels, starts: NDArray[np.float64], names: tuple[str, ...]) -> None:
        """Bin numeric labels; `starts` are (n_bins,) the smallest numbers of the bins, in ascending order."""
        self._labels, self._starts = labels, starts
        self.names, self.may_miss = names, labels.may_miss

    def __len__(self) -> int:
        return len(self._labels)

    def values_at(self, index: CharIndex) -> NDArray[np.int32]:
        """Return the (n_selected,) values of some characters."""
        return to_bins(self._labels.values_at(index), self._starts).astype(np.int32)

    def missing_at(self, index: CharIndex) -> NDArray[np.bool_] | None:
        """Return (n_selected,) which of some labels are missing; None if no label can be missing."""
        return self._labels.missing_at(index)


def to_bins(numbers: NDArray[np.float64], starts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the (n,) bins of numbers; a bin begins at its start, and the first holds all smaller numbers too."""
    return np.maximum(np.searchsorted(starts, numbers, side="right") - 1, 0)
