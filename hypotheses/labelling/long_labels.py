"""Labels of a long text that are not in memory: in a file, or made of others when they are asked for."""

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

_SHORTEST = 32  # numbers, on average, of runs that are each read by themselves
_STRIP = 1 << 16  # numbers, of which those that are asked for are read together, with what lies between them


class LongLabels(ABC):
    """One label for each character of a text, like `Labels`, of which some are read or made at a time.

    Attributes:
        kind: As of `Labels`.
        names: Of the classes of categorical labels.
        may_miss: Whether labels may be missing anywhere.
        cached_at: As of `Labels`.
        not_cached_because: As of `Labels`.
    """

    kind: Kind
    names: tuple[str, ...]
    may_miss: bool
    cached_at: datetime | None = None
    not_cached_because: str = ""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def values_at(self, places: CharIndex) -> NDArray[Any]:
        """(n_chars,) labels of some characters; see `Labels.values`."""

    @abstractmethod
    def missing_at(self, places: CharIndex) -> NDArray[np.bool_] | None:
        """(n_chars,) where labels of some characters are missing; None if none can be."""

    def __getitem__(self, place: slice) -> Labels:
        return Labels(self.values_at(place), self.kind, self.missing_at(place), self.names)

    @property
    def values(self) -> NDArray[Any]:
        """(n_chars,) all labels, in memory."""
        return self.values_at(slice(None))

    @property
    def missing(self) -> NDArray[np.bool_] | None:
        """(n_chars,) where labels are missing, in memory; None if none can be."""
        return self.missing_at(slice(None))

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n_chars,) where there is a label, in memory."""
        missing = self.missing
        return np.ones(len(self), bool) if missing is None else ~missing


AnyLabels = Labels | LongLabels


class LabelsOnDisk(LongLabels):
    """Labels in a temporary file, which is gone as soon as they are."""

    def __init__(self, labels: CorpusLabels) -> None:
        """Write labels to the disk.

        Raises:
            HypothesisError: If there is no room for them.
        """
        self.kind, self.names, self.may_miss = labels.kind, labels.names, labels.may_miss
        self.cached_at, self.not_cached_because = labels.cached_at, labels.not_cached_because
        try:
            # closed when these labels go; without a buffer, which a full disk would leave to be written then
            file = tempfile.TemporaryFile(prefix="char-probe-labels-", buffering=0)  # noqa: SIM115
            weakref.finalize(self, file.close)
            self._values = _ArrayOnDisk(file, labels.dtype, len(labels), _chunks(labels, missing=False))
            self._missing = None
            if self.may_miss:
                self._missing = _ArrayOnDisk(file, np.dtype(bool), len(labels), _chunks(labels, missing=True))
        except OSError as error:
            raise HypothesisError(
                f"cannot keep the labels of {len(labels):,} characters in {tempfile.tempdir or 'a temporary folder'}: "
                f"{error.strerror or error}; TMPDIR says where else there is room"
            ) from error

    def __len__(self) -> int:
        return self._values.n

    def values_at(self, places: CharIndex) -> NDArray[Any]:
        """See `LongLabels`."""
        return self._values[places].astype(DTYPES[self.kind], copy=False)

    def missing_at(self, places: CharIndex) -> NDArray[np.bool_] | None:
        """See `LongLabels`."""
        return None if self._missing is None else self._missing[places]


def _chunks(labels: CorpusLabels, *, missing: bool) -> Iterator[NDArray[Any]]:
    for start in range(0, len(labels), CHUNK):
        own = labels[start : start + CHUNK]
        yield own.values.astype(labels.dtype) if not missing else ~own.present


class _ArrayOnDisk:
    """A row of numbers at the end of a file; several threads may read it."""

    def __init__(self, file: IO[bytes], dtype: np.dtype[Any], n: int, chunks: Iterator[NDArray[Any]]) -> None:
        self.n = n
        self._file, self._dtype, self._start = file, dtype, file.seek(0, os.SEEK_END)
        for chunk in chunks:
            rest = memoryview(chunk.tobytes())
            while rest:
                rest = rest[file.write(rest) :]

    def __getitem__(self, places: CharIndex) -> NDArray[Any]:
        if isinstance(places, slice):
            start, stop, step = places.indices(self.n)
            if step == 1:
                return self._read(start, stop)
            places = np.arange(start, stop, step)
        found = np.empty(len(places), self._dtype)
        starts = np.flatnonzero(np.diff(places, prepend=-2) != 1)
        are_runs = len(starts) * _SHORTEST <= len(places)
        if not are_runs:
            starts = np.flatnonzero(np.diff(places // _STRIP, prepend=-1))
        for first, last in itertools.pairwise([*starts.tolist(), len(places)]):
            own = places[first:last]
            if are_runs:
                found[first:last] = self._read(int(own[0]), int(own[-1]) + 1)
            else:
                lowest = int(own.min())
                found[first:last] = self._read(lowest, int(own.max()) + 1)[own - lowest]
        return found

    def _read(self, start: int, stop: int) -> NDArray[Any]:
        found = np.empty(max(stop - start, 0), self._dtype)
        rest, place = found.view(np.uint8).data, self._start + start * self._dtype.itemsize
        while rest:  # the system gives 2 GiB at a time, or less
            n_bytes = os.preadv(self._file.fileno(), [rest], place)
            rest, place = rest[n_bytes:], place + n_bytes
        return found


class ClassLabels(LongLabels):
    """Whether each character is in a class of other labels."""

    kind: Kind = "binary"
    names = ()

    def __init__(self, labels: AnyLabels, place: int) -> None:
        """Of the class at a place among the names of categorical labels."""
        self._labels, self._place, self.may_miss = labels, place, labels.may_miss

    def __len__(self) -> int:
        return len(self._labels)

    def values_at(self, places: CharIndex) -> NDArray[np.bool_]:
        """See `LongLabels`."""
        return np.asarray(self._labels.values_at(places) == self._place)

    def missing_at(self, places: CharIndex) -> NDArray[np.bool_] | None:
        """See `LongLabels`."""
        return self._labels.missing_at(places)


class BinnedLabels(LongLabels):
    """The bins of other labels, which are numbers."""

    kind: Kind = "categorical"

    def __init__(self, labels: AnyLabels, starts: NDArray[np.float64], names: tuple[str, ...]) -> None:
        """Of (n_bins,) the smallest number of each bin, in ascending order; see `to_bins`."""
        self._labels, self._starts = labels, starts
        self.names, self.may_miss = names, labels.may_miss

    def __len__(self) -> int:
        return len(self._labels)

    def values_at(self, places: CharIndex) -> NDArray[np.int32]:
        """See `LongLabels`."""
        return to_bins(self._labels.values_at(places), self._starts).astype(np.int32)

    def missing_at(self, places: CharIndex) -> NDArray[np.bool_] | None:
        """See `LongLabels`."""
        return self._labels.missing_at(places)


def to_bins(numbers: NDArray[np.float64], starts: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) the bin of each of some numbers, of bins that begin at these; smaller ones are in the first."""
    return np.maximum(np.searchsorted(starts, numbers, side="right") - 1, 0)
