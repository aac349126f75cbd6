"""The labels of a whole corpus, held in few bytes a character."""

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
"""Characters to ask for at a time, where all are gone through."""

DTYPES: dict[Kind, type[np.generic]] = {"binary": np.bool_, "categorical": np.int32, "numeric": np.float64}
"""Number types of the values of `Labels`."""

_GATHERED_CHARS = 1 << 16  # of short documents, whose labels are held together
_WHOLE_NUMBERS = (np.uint8, np.int16, np.int32)


@dataclass(frozen=True, eq=False)
class CorpusLabels:
    """One label for each character of a corpus; `[start:stop]` gives those of some characters.

    They are held in pieces, each in the narrowest numbers that hold its labels: whole numbers take one, two or four
    bytes, where `Labels` take eight. A long document has one piece or more, short ones share theirs.

    Attributes:
        values: (n_own,) the values of each piece, see `Labels`, but in any number type.
        missing: (n_own,) bool, where the labels of each piece are missing; None for a piece without missing labels.
        kind: See `Labels`, as for all that follows.
        names: Of the classes.
        cached_at: When they were made, if they are from the disk.
        not_cached_because: Why they are not kept on the disk.
    """

    values: tuple[NDArray[Any], ...]
    missing: tuple[NDArray[np.bool_] | None, ...]
    kind: Kind
    names: tuple[str, ...] = ()
    cached_at: datetime | None = None
    not_cached_because: str = ""

    @classmethod
    def join(cls, parts: Iterable[Labels]) -> "CorpusLabels":
        """The labels of several documents; like `Labels.join`, but with one part at a time in memory as it is.

        Raises:
            HypothesisError: If they are not all of one kind.
        """
        values: list[NDArray[Any]] = []
        missing: list[NDArray[np.bool_] | None] = []
        classes: list[tuple[Kind, tuple[str, ...]]] = []
        for part in _gathered(parts):
            values.append(narrowest(part.values))
            missing.append(part.missing)
            classes.append(_classes(part))
        told = [own for own, gaps in zip(classes, missing, strict=True) if gaps is None or not gaps.all()]
        told = told or classes[:1]
        if len(kinds := {kind for kind, _ in told}) > 1:
            raise HypothesisError(
                f"it gave {' and '.join(sorted(kinds))} labels for different documents; "
                "declare one with @hypothesis(kind=...)"
            )
        kind, names = told[0]
        if any(own != names for _, own in told):
            names = tuple(sorted({name for _, own in told for name in own}))
        for n, (_, own) in enumerate(classes):
            if own and own != names:
                places = [names.index(name) if name in names else 0 for name in own]  # a missing label may have any
                values[n] = narrowest(np.array(places, np.int32)[values[n]])
        return cls(tuple(values), tuple(missing), kind, names)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, place: slice) -> Labels:
        start, stop, _ = place.indices(len(self))
        values = np.empty(max(stop - start, 0), DTYPES[self.kind])
        missing = np.zeros(len(values), bool) if self.may_miss else None
        for n, own, at in self._overlaps(start, stop):
            values[at] = self.values[n][own]
            if missing is not None and (gaps := self.missing[n]) is not None:
                missing[at] = gaps[own]
        return Labels(values, self.kind, missing, self.names, self.cached_at, self.not_cached_because)

    @property
    def may_miss(self) -> bool:
        """Whether any piece says where labels are missing."""
        return any(each is not None for each in self.missing)

    @property
    def n_bytes(self) -> int:
        """How much memory all of them take as `Labels`."""
        return len(self) * (np.dtype(DTYPES[self.kind]).itemsize + self.may_miss)

    def are_only(self, *numbers: float) -> bool:
        """Whether there are labels, and all of them are among some numbers."""
        n_told = 0
        for values, missing in zip(self.values, self.missing, strict=True):
            told = values if missing is None else values[~missing]
            if not np.isin(told, numbers).all():
                return False
            n_told += len(told)
        return n_told > 0

    @property
    def dtype(self) -> np.dtype[Any]:
        """The narrowest number type that holds the values of every piece."""
        return np.result_type(*{own.dtype for own in self.values})

    def _overlaps(self, start: int, stop: int) -> Iterator[tuple[int, slice, slice]]:
        """The pieces that have some of these characters: which of their own these are, and which of these."""
        first = start
        n = int(np.searchsorted(self._starts, start, side="right")) - 1
        while start < stop:
            begin, end = int(self._starts[n]), min(int(self._starts[n + 1]), stop)
            if start < end:
                yield n, slice(start - begin, end - begin), slice(start - first, end - first)
            start, n = max(start, end), n + 1

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """(n_pieces + 1,) where each begins, and where the last ends."""
        return np.cumsum([0, *map(len, self.values)])


def _gathered(parts: Iterable[Labels]) -> Iterator[Labels]:
    """The same labels in order, those of short documents joined as far as their kinds and classes are the same."""
    waiting: list[Labels] = []
    n_chars = 0
    for part in parts:
        if waiting and (n_chars + len(part) > _GATHERED_CHARS or _classes(part) != _classes(waiting[0])):
            yield Labels.join(waiting)
            waiting, n_chars = [], 0
        waiting.append(part)
        n_chars += len(part)
    if waiting:
        yield Labels.join(waiting)


def _classes(labels: Labels) -> tuple[Kind, tuple[str, ...]]:
    return labels.kind, labels.names


def narrowest(values: NDArray[Any]) -> NDArray[Any]:
    """The same numbers, to the last bit, in as few bytes as hold them: whole numbers in one, two or four.

    >>> [narrowest(np.array(values)).dtype.name for values in ([0.0, 255.0], [-1.0], [0.5], [0.1], [-0.0])]
    ['uint8', 'int16', 'float32', 'float64', 'float32']
    """
    if values.dtype == bool or not len(values):
        return values
    lowest, highest = values.min(), values.max()
    candidates: list[type[np.generic]] = []
    for dtype in _WHOLE_NUMBERS:
        if np.iinfo(dtype).min <= lowest and highest <= np.iinfo(dtype).max:  # not so of NaN
            candidates.append(dtype)
            break
    if values.dtype == np.float64 and np.abs([lowest, highest]).max() <= np.finfo(np.float32).max:
        candidates.append(np.float32)
    for candidate in candidates:
        narrow = values.astype(candidate)
        if narrow.astype(values.dtype).tobytes() == values.tobytes():  # -0.0 is another number than 0.0
            return narrow
    return values
