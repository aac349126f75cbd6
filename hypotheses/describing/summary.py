"""Summary statistics of labels: how many there are of each, in which runs, and where these are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypotheses.labelling.corpus_labels import CHUNK, CorpusLabels
from hypotheses.labelling.long_labels import LongLabels
from hypotheses.labels import Kind, Labels

Cell = str | int | float | None
_AnyLabels = Labels | CorpusLabels | LongLabels
_Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCount:
    """The frequency of one label, True, False, a class, or a missing label, and its runs.

    A run is as long as it can be, and ends with its document. Of several runs that are equally long, the first is the
    longest.

    Attributes:
        label: `True`, `False`, the name of a class, or `missing`.
        n_chars: Number of characters with the label.
        share: Fraction of all characters with the label.
        n_runs: Number of unbroken runs of characters with the label.
        longest_run: Length of the longest run, in characters; 0 if there is none.
        longest_run_start: Where it begins: the position of a character in the text. None if there is none.
        second_longest_run: Length of the longest of the other runs.
        longest_ended_run: Length of the longest run that ends before its document does.
        is_unended: Whether the longest run begins within its document and goes to its end.
        first: Position of the first character with the label; None if there is none.
        last: Position of the last one, or None.
    """

    label: str
    n_chars: int
    share: float
    n_runs: int
    longest_run: int
    longest_run_start: int | None
    second_longest_run: int
    longest_ended_run: int
    is_unended: bool
    first: int | None
    last: int | None

    @property
    def mean_run(self) -> float | None:
        """Mean length of a run, in characters; None if there is none."""
        return self.n_chars / self.n_runs if self.n_runs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSummary:
    """Summary statistics of the labels of a text.

    Attributes:
        kind: Kind of the labels.
        n_chars: Number of characters.
        n_missing: Number of characters without a label.
        counts: One for True and one for False, or one for each class, and one for missing labels if there are any;
            empty if the labels are numeric.
        lowest: Lowest number, if the labels are numeric; else None.
        lowest_at: Position of the first character with the lowest number, or None.
        mean: Mean of the numbers, or None.
        highest: Highest number, or None.
        highest_at: Position of the first character with the highest number, or None.
    """

    kind: Kind
    n_chars: int
    n_missing: int
    counts: tuple[LabelCount, ...] = ()
    lowest: float | None = None
    lowest_at: int | None = None
    mean: float | None = None
    highest: float | None = None
    highest_at: int | None = None

    def count_of(self, label: str) -> LabelCount | None:
        """Return the count of one label; None if there is no such label."""
        return next((count for count in self.counts if count.label == label), None)

    def rows(self) -> list[dict[str, Cell]]:
        """Return the rows that `probe hypotheses --show` prints."""
        if self.kind == "numeric":
            return [
                {
                    "n_chars": self.n_chars,
                    "n_missing": self.n_missing,
                    "lowest": self.lowest,
                    "lowest_at": self.lowest_at,
                    "mean": self.mean,
                    "highest": self.highest,
                    "highest_at": self.highest_at,
                }
            ]
        return [
            {
                "label": count.label,
                "n_chars": count.n_chars,
                "share": count.share,
                "n_runs": count.n_runs,
                "mean_run": count.mean_run,
                "longest_run": count.longest_run,
                "longest_run_at": count.longest_run_start,
                "first": count.first,
                "last": count.last,
            }
            for count in self.counts
        ]


def summarise(
    labels: _AnyLabels,
    chunk_chars: int = CHUNK,
    *,
    document_starts: Sequence[int] | _Ints = (),
    part: slice | None = None,
) -> LabelSummary:
    """Count labels and their runs.

    Args:
        labels: The labels of a text.
        chunk_chars: How many of them are in memory at a time.
        document_starts: (n_documents,) where documents begin, in ascending order; a text without any is one document.
        part: The characters that are counted, without a step; None is all. Positions remain those in the text.
    """
    start, stop, _ = (part or slice(None)).indices(len(labels))
    if labels.kind == "numeric":
        return _summarise_numbers(labels, chunk_chars, start, stop)
    names = (*(labels.names if labels.kind == "categorical" else ("False", "True")), "missing")
    borders = np.unique(np.append(np.asarray(document_starts, np.int64), [0, len(labels)]))
    runs = _RunStatistics(len(names))
    for run_codes, starts, stops in _runs(labels, chunk_chars, start, stop, borders):
        runs.add(run_codes, starts, stops, borders)
    counts = tuple(
        runs.count(code, name, stop - start, borders)
        for code, name in enumerate(names)
        if runs.n_runs[code] or code < len(names) - 1
    )
    return LabelSummary(kind=labels.kind, n_chars=stop - start, n_missing=int(runs.n_chars[-1]), counts=counts)


class _RunStatistics:
    """Statistics of the runs of each label, updated piece by piece.

    Attributes:
        n_chars: (n_labels,) number of characters, as for all that follows.
        n_runs: Number of runs.
        longest: Length of the longest run.
        longest_start: Where it begins.
        second: Length of the longest of the others.
        longest_ended: Length of the longest run that ends before its document does.
        first: Position of the first character.
        last: Position of the last character.
    """

    def __init__(self, n_labels: int) -> None:
        self.n_chars, self.n_runs, self.longest, self.longest_start = np.zeros((4, n_labels), np.int64)
        self.second, self.longest_ended, self.first, self.last = np.zeros((4, n_labels), np.int64)

    def add(self, codes: NDArray[np.integer[Any]], starts: _Ints, stops: _Ints, borders: _Ints) -> None:
        """Add runs, in the order of the text; they have (n_runs,) labels, starts and stops."""
        n_labels = len(self.n_chars)
        n_runs = np.bincount(codes, minlength=n_labels)
        lengths = stops - starts
        is_new = (self.n_runs == 0) & (n_runs > 0)
        self.n_runs += n_runs
        self.n_chars += np.bincount(codes, lengths, minlength=n_labels).astype(np.int64)
        self.last[codes] = stops - 1  # of equal indices, the last counts
        firsts = np.zeros(n_labels, np.int64)
        firsts[codes[::-1]] = np.arange(len(codes))[::-1]
        self.first[is_new] = starts[firsts[is_new]]

        unended = _indices_of(borders, stops)
        ended = lengths.copy() if len(unended) else lengths
        ended[unended] = 0
        np.maximum.at(self.longest_ended, codes, ended)

        longest, second = np.zeros((2, n_labels), np.int64)
        np.maximum.at(longest, codes, lengths)
        are_longest = np.flatnonzero(lengths == longest[codes])
        firsts[codes[are_longest[::-1]]] = are_longest[::-1]
        is_longer = longest > self.longest
        self.longest_start[is_longer] = starts[firsts[is_longer]]
        lengths[firsts[longest > 0]] = 0
        np.maximum.at(second, codes, lengths)
        self.second = np.where(is_longer, np.maximum(self.longest, second), np.maximum(self.second, longest))
        self.longest = np.maximum(self.longest, longest)

    def count(self, code: int, name: str, n_chars: int, borders: _Ints) -> LabelCount:
        """Return the count of one label in a text, or a part of it, of so many characters."""
        exists = bool(self.n_runs[code])
        start, length = int(self.longest_start[code]), int(self.longest[code])
        return LabelCount(
            label=name,
            n_chars=int(self.n_chars[code]),
            share=float(self.n_chars[code]) / max(n_chars, 1),
            n_runs=int(self.n_runs[code]),
            longest_run=length,
            longest_run_start=start if exists else None,
            second_longest_run=int(self.second[code]),
            longest_ended_run=int(self.longest_ended[code]),
            is_unended=exists and start + length in borders and start not in borders,
            first=int(self.first[code]) if exists else None,
            last=int(self.last[code]) if exists else None,
        )


def _runs(
    labels: _AnyLabels, chunk_chars: int, start: int, stop: int, borders: _Ints
) -> Iterator[tuple[NDArray[np.integer[Any]], _Ints, _Ints]]:
    """Yield the runs in a part of a text, some at a time: the label of each, where it begins and where it stops."""
    open_code, open_start = np.empty(0, np.int64), np.empty(0, np.int64)  # of the last run so far, if there is one
    n_names = len(labels.names) if labels.kind == "categorical" else 2
    for offset in range(start, stop, chunk_chars):
        codes = _codes(labels[offset : min(offset + chunk_chars, stop)], n_names)
        begins = np.ones(len(codes), bool)
        begins[1:] = codes[1:] != codes[:-1]
        begins[:1] = len(open_code) == 0 or codes[0] != open_code[0]
        first, last = np.searchsorted(borders, [offset, offset + len(codes)])
        begins[borders[first:last] - offset] = True
        at = np.flatnonzero(begins)
        if not len(at):
            continue
        starts = np.concatenate([open_start, at + offset])
        run_codes = np.concatenate([open_code, codes[at]])
        yield run_codes[:-1], starts[:-1], starts[1:]
        open_code, open_start = run_codes[-1:], starts[-1:]
    yield open_code, open_start, np.array([stop])[: len(open_start)]


def _indices_of(values: _Ints, among: _Ints) -> _Ints:
    """Return where values are among others; both are in ascending order, and differ."""
    near = np.searchsorted(among, values)
    near = near[near < len(among)]
    return near[np.isin(among[near], values)]


def _codes(labels: Labels, missing_code: int) -> NDArray[np.integer[Any]]:
    """Return (n_chars,) the number of each label, with one more for those that are missing."""
    values: NDArray[np.integer[Any]] = labels.values.view(np.uint8) if labels.kind == "binary" else labels.values
    return values if labels.missing is None else np.where(labels.missing, missing_code, values)


def _summarise_numbers(labels: _AnyLabels, chunk_chars: int, start: int, stop: int) -> LabelSummary:
    n_present: list[int] = []
    lowest, lowest_at, highest, highest_at = np.inf, -1, -np.inf, -1
    for offset, chunk in zip(range(start, stop, chunk_chars), _chunks(labels, chunk_chars, start, stop), strict=True):
        values = chunk.values[chunk.present]
        n_present.append(len(values))
        if len(values) and values.min() < lowest:
            lowest, lowest_at = values.min(), offset + int(np.argmax((chunk.values == values.min()) & chunk.present))
        if len(values) and values.max() > highest:
            highest, highest_at = values.max(), offset + int(np.argmax((chunk.values == values.max()) & chunk.present))
    n_total = sum(n_present)
    numbers = _PresentNumbers(labels, chunk_chars, start, stop, np.cumsum([0, *n_present]))
    return LabelSummary(
        kind=labels.kind,
        n_chars=stop - start,
        n_missing=stop - start - n_total,
        lowest=float(lowest) if n_total else None,
        lowest_at=lowest_at if n_total else None,
        mean=numbers.sum(0, n_total) / n_total if n_total else None,
        highest=float(highest) if n_total else None,
        highest_at=highest_at if n_total else None,
    )


class _PresentNumbers:
    """The numeric labels that are not missing, of which a chunk at a time is in memory.

    Attributes:
        labels: All labels.
        chunk_chars: The number of labels of a chunk.
        start: The first character that is counted.
        stop: The character behind the last one.
        ends: (n_chunks + 1,) number of labels that are present in all chunks before each.
    """

    def __init__(self, labels: _AnyLabels, chunk_chars: int, start: int, stop: int, ends: _Ints) -> None:
        self.labels, self.chunk_chars, self.start, self.stop = labels, chunk_chars, start, stop
        self.ends = ends

    def sum(self, first: int, last: int) -> float:
        """Sum the numbers from `first` up to `last`, rounded like `numpy.sum`, which adds the sums of two halves.

        Source:
            Higham 1993, SIAM Journal on Scientific Computing 14:783-799: pairwise summation.
        """
        n = last - first
        if n <= self.chunk_chars:
            return float(self._between(first, last).sum())
        middle = first + n // 2 - n // 2 % 8
        return self.sum(first, middle) + self.sum(middle, last)

    def _between(self, first: int, last: int) -> NDArray[np.float64]:
        begin = int(np.searchsorted(self.ends, first, side="right")) - 1
        end = int(np.searchsorted(self.ends, last, side="left"))
        chunks = _chunks(
            self.labels,
            self.chunk_chars,
            self.start + begin * self.chunk_chars,
            min(self.start + end * self.chunk_chars, self.stop),
        )
        values = np.concatenate([chunk.values[chunk.present] for chunk in chunks])
        return values[first - int(self.ends[begin]) : last - int(self.ends[begin])]


def _chunks(labels: _AnyLabels, chunk_chars: int, start: int, stop: int) -> Iterator[Labels]:
    return (labels[at : min(at + chunk_chars, stop)] for at in range(start, stop, chunk_chars))
