"""Summary statistics of labels: how many there are of each, and in how long runs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypotheses.labelling.corpus_labels import CHUNK, CorpusLabels
from hypotheses.labels import Kind, Labels

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCount:
    """The frequency of one label: True, False, a class, or a missing label.

    Attributes:
        label: `True`, `False`, the name of a class, or `missing`.
        n_chars: Number of characters with the label.
        share: Fraction of all characters with the label.
        n_runs: Number of unbroken runs of characters with the label.
        longest_run: Length of the longest run, in characters; the mean length is `n_chars` / `n_runs`.
    """

    label: str
    n_chars: int
    share: float
    n_runs: int
    longest_run: int


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
        mean: Mean of the numbers, or None.
        highest: Highest number, or None.
    """

    kind: Kind
    n_chars: int
    n_missing: int
    counts: tuple[LabelCount, ...] = ()
    lowest: float | None = None
    mean: float | None = None
    highest: float | None = None

    def rows(self) -> list[dict[str, Cell]]:
        """Return the rows that `probe hypotheses --show` prints."""
        if self.kind == "numeric":
            return [
                {
                    "n_chars": self.n_chars,
                    "n_missing": self.n_missing,
                    "lowest": self.lowest,
                    "mean": self.mean,
                    "highest": self.highest,
                }
            ]
        return [
            {
                "label": count.label,
                "n_chars": count.n_chars,
                "share": count.share,
                "n_runs": count.n_runs,
                "mean_run": count.n_chars / count.n_runs if count.n_runs else None,
                "longest_run": count.longest_run,
            }
            for count in self.counts
        ]


def summarise(labels: Labels | CorpusLabels, chunk_chars: int = CHUNK) -> LabelSummary:
    """Count labels and their runs, with `chunk_chars` labels in memory at a time."""
    if labels.kind == "numeric":
        return _summarise_numbers(labels, chunk_chars)
    return _summarise_classes(labels, chunk_chars)


def _summarise_classes(labels: Labels | CorpusLabels, chunk_chars: int) -> LabelSummary:
    names = (*(labels.names if labels.kind == "categorical" else ("False", "True")), "missing")
    n_chars, n_runs, longest = (np.zeros(len(names), np.int64) for _ in range(3))
    last_code, last_length = -1, 0  # of the last run so far, which the next chunk may continue
    for chunk in _chunks(labels, chunk_chars):
        codes = np.where(chunk.present, chunk.values.astype(np.int64), len(names) - 1)
        starts = np.flatnonzero(np.diff(codes, prepend=-1))
        run_codes, lengths = codes[starts], np.diff(starts, append=len(codes))
        np.add.at(n_chars, run_codes, lengths)
        np.add.at(n_runs, run_codes, 1)
        if run_codes[0] == last_code:
            n_runs[last_code] -= 1
            lengths[0] += last_length
        np.maximum.at(longest, run_codes, lengths)
        last_code, last_length = int(run_codes[-1]), int(lengths[-1])
    counts = tuple(
        LabelCount(
            label=name,
            n_chars=int(n_chars[code]),
            share=float(n_chars[code]) / max(len(labels), 1),
            n_runs=int(n_runs[code]),
            longest_run=int(longest[code]),
        )
        for code, name in enumerate(names)
        if n_runs[code] or code < len(names) - 1
    )
    return LabelSummary(kind=labels.kind, n_chars=len(labels), n_missing=int(n_chars[-1]), counts=counts)


def _summarise_numbers(labels: Labels | CorpusLabels, chunk_chars: int) -> LabelSummary:
    n_present: list[int] = []
    lowest, highest = np.inf, -np.inf
    for chunk in _chunks(labels, chunk_chars):
        values = chunk.values[chunk.present]
        n_present.append(len(values))
        lowest, highest = min(lowest, values.min(initial=np.inf)), max(highest, values.max(initial=-np.inf))
    n_total = sum(n_present)
    numbers = _PresentNumbers(labels, chunk_chars, np.cumsum([0, *n_present]))
    return LabelSummary(
        kind=labels.kind,
        n_chars=len(labels),
        n_missing=len(labels) - n_total,
        lowest=float(lowest) if n_total else None,
        mean=numbers.sum(0, n_total) / n_total if n_total else None,
        highest=float(highest) if n_total else None,
    )


class _PresentNumbers:
    """The numeric labels that are not missing, of which a chunk at a time is in memory.

    Attributes:
        labels: All labels.
        chunk_chars: The number of labels of a chunk.
        ends: (n_chunks + 1,) number of labels that are present in all chunks before each.
    """

    def __init__(self, labels: Labels | CorpusLabels, chunk_chars: int, ends: NDArray[np.int64]) -> None:
        self.labels, self.chunk_chars = labels, chunk_chars
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
        chunks = (self.labels[n * self.chunk_chars : (n + 1) * self.chunk_chars] for n in range(begin, end))
        values = np.concatenate([chunk.values[chunk.present] for chunk in chunks])
        return values[first - int(self.ends[begin]) : last - int(self.ends[begin])]


def _chunks(labels: Labels | CorpusLabels, chunk_chars: int) -> Iterator[Labels]:
    return (labels[start : start + chunk_chars] for start in range(0, len(labels), chunk_chars))
