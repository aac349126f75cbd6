"""The labels of a whole corpus, held in few bytes per character."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.labels import Kind, Labels

CHUNK = 1 << 18
"""Characters of a chunk, where a loop goes through all labels."""

DTYPES: dict[Kind, type[np.generic]] = {"binary": np.bool_, "categorical": np.int32, "numeric": np.float64}
"""The dtypes of the values of `Labels`."""

_GATHERED_CHARS = 1 << 16  # of short documents, whose labels share a piece
_INTEGER_DTYPES = (np.uint8, np.int16, np.int32)


@dataclass(frozen=True, eq=False)
class CorpusLabels:
    """One label for each character of a corpus; `[start:stop]` gives those of some characters.

    They are held in pieces, each in the narrowest dtype that holds its labels exactly: whole numbers take one, two or
    four bytes, where `Labels` take eight. A long document has one piece or more; short ones share theirs.

    Attributes:
        values: (n_chars_of_piece,) the values of each piece, see `Labels`, but in any numeric dtype.
        missing: (n_chars_of_piece,) bool, where labels of each piece are missing; None if none is.
        kind: See `Labels`, as for all that follows.
        names: Names of the classes.
        cached_at: When they were made, if they were read from the cache.
        not_cached_because: Why slow labels were not cached.
        notes: Sentences about where they come from, if they were read from a file.
        warnings: Sentences about what may be wrong with them.
    """

    values: tuple[NDArray[Any], ...]
    missing: tuple[NDArray[np.bool_] | None, ...]
    kind: Kind
    names: tuple[str, ...] = ()
    cached_at: datetime | None = None
    not_cached_because: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def join(cls, parts: Iterable[Labels]) -> "CorpusLabels":
        """Join the labels of several documents, like `Labels.join`, but with one document at a time in memory.

        Raises:
            HypothesisError: If they are not all of one kind.
        """
        values: list[NDArray[Any]] = []
        missing: list[NDArray[np.bool_] | None] = []
        kinds_and_names: list[tuple[Kind, tuple[str, ...]]] = []
        for part in _gathered(parts):
            values.append(narrowest(part.values))
            missing.append(part.missing)
            kinds_and_names.append((part.kind, part.names))
        nonempty = [
            kind_and_names
            for kind_and_names, is_missing in zip(kinds_and_names, missing, strict=True)
            if is_missing is None or not is_missing.all()
        ]
        nonempty = nonempty or kinds_and_names[:1]
        if len(kinds := {kind for kind, _ in nonempty}) > 1:
            raise HypothesisError(
                f"it gave {' and '.join(sorted(kinds))} labels for different documents; "
                "declare one with @hypothesis(kind=...)"
            )
        kind, names = nonempty[0]
        if any(piece_names != names for _, piece_names in nonempty):
            names = tuple(sorted({name for _, piece_names in nonempty for name in piece_names}))
        for n, (_, piece_names) in enumerate(kinds_and_names):
            if piece_names and piece_names != names:
                indices = [names.index(name) if name in names else 0 for name in piece_names]  # absent: only missing
                values[n] = narrowest(np.array(indices, np.int32)[values[n]])
        return cls(tuple(values), tuple(missing), kind, names)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, index: slice) -> Labels:
        start, stop, _ = index.indices(len(self))
        values = np.empty(max(stop - start, 0), DTYPES[self.kind])
        missing = np.zeros(len(values), bool) if self.may_miss else None
        for n, within_piece, within_result in self._overlaps(start, stop):
            values[within_result] = self.values[n][within_piece]
            if missing is not None and (piece_missing := self.missing[n]) is not None:
                missing[within_result] = piece_missing[within_piece]
        return Labels(values, self.kind, missing, self.names, self.cached_at, self.not_cached_because, self.notes)

    @property
    def may_miss(self) -> bool:
        """True if any label may be missing."""
        return any(is_missing is not None for is_missing in self.missing)

    @property
    def n_bytes(self) -> int:
        """Memory that all of them would take as `Labels`, in bytes."""
        return len(self) * (np.dtype(DTYPES[self.kind]).itemsize + self.may_miss)

    def are_only(self, *numbers: float) -> bool:
        """Tell whether there are labels, and each of them is one of these numbers."""
        n_present = 0
        for values, missing in zip(self.values, self.missing, strict=True):
            present = values if missing is None else values[~missing]
            if not np.isin(present, numbers).all():
                return False
            n_present += len(present)
        return n_present > 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest dtype that holds the values of every piece."""
        return np.result_type(*{values.dtype for values in self.values})

    def _overlaps(self, start: int, stop: int) -> Iterator[tuple[int, slice, slice]]:
        """Yield each piece that has some of these characters: its number, and where they are in it and among these."""
        first = start
        n = int(np.searchsorted(self._starts, start, side="right")) - 1
        while start < stop:
            begin, end = int(self._starts[n]), min(int(self._starts[n + 1]), stop)
            if start < end:
                yield n, slice(start - begin, end - begin), slice(start - first, end - first)
            start, n = max(start, end), n + 1

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """(n_pieces + 1,) the first character of each piece, and the number of all characters."""
        return np.cumsum([0, *map(len, self.values)])


def _gathered(parts: Iterable[Labels]) -> Iterator[Labels]:
    """Yield the same labels in order, with those of short documents joined if their kinds and classes are the same."""
    waiting: list[Labels] = []
    n_chars = 0
    for part in parts:
        if waiting:
            is_alike = (part.kind, part.names) == (waiting[0].kind, waiting[0].names)
            if not is_alike or n_chars + len(part) > _GATHERED_CHARS:
                yield Labels.join(waiting)
                waiting, n_chars = [], 0
        waiting.append(part)
        n_chars += len(part)
    if waiting:
        yield Labels.join(waiting)


def narrowest(values: NDArray[Any]) -> NDArray[Any]:
    """Return the same numbers, to the last bit, in the narrowest dtype that holds them.

    >>> [narrowest(np.array(values)).dtype.name for values in ([0.0, 255.0], [-1.0], [0.5], [0.1], [-0.0])]
    ['uint8', 'int16', 'float32', 'float64', 'float32']
    """
    if values.dtype == bool or not len(values):
        return values
    lowest, highest = values.min(), values.max()
    candidates: list[type[np.generic]] = []
    for dtype in _INTEGER_DTYPES:
        if np.iinfo(dtype).min <= lowest and highest <= np.iinfo(dtype).max:  # never true of NaN
            candidates.append(dtype)
            break
    if values.dtype == np.float64 and np.abs([lowest, highest]).max() <= np.finfo(np.float32).max:
        candidates.append(np.float32)
    for candidate in candidates:
        narrow = values.astype(candidate)
        if narrow.astype(values.dtype).tobytes() == values.tobytes():  # -0.0 and 0.0 differ in their bits
            return narrow
    return values
