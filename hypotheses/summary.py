"""What labels are like: how many, how often, in how long runs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypotheses.labelling.corpus_labels import CHUNK, CorpusLabels
from hypotheses.labels import Kind, Labels

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCount:
    """How often a class occurs, or True or False, or a missing label.

    Attributes:
        label: `True`, `False`, the name of a class, or `missing`.
        n_chars: Characters that have it.
        share: Of all characters.
        n_runs: Unbroken stretches of characters that have it.
        longest_run: In characters; the mean run is `n_chars` / `n_runs`.
    """

    label: str
    n_chars: int
    share: float
    n_runs: int
    longest_run: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSummary:
    """What the labels of a text are like.

    Attributes:
        kind: Of the labels.
        n_chars: All characters.
        n_missing: Those without a label.
        counts: Of True and False, or of each class, and of missing labels if there are any; empty if numeric.
        lowest, mean, highest: Of numeric labels, else None.
    """

    kind: Kind
    n_chars: int
    n_missing: int
    counts: tuple[LabelCount, ...] = ()
    lowest: float | None = None
    mean: float | None = None
    highest: float | None = None

    def rows(self) -> list[dict[str, Cell]]:
        """The rows that `probe hypotheses --show` prints."""
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
                "label": each.label,
                "n_chars": each.n_chars,
                "share": each.share,
                "n_runs": each.n_runs,
                "mean_run": each.n_chars / each.n_runs if each.n_runs else None,
                "longest_run": each.longest_run,
            }
            for each in self.counts
        ]


def summarise(labels: Labels | CorpusLabels) -> LabelSummary:
    """Count labels and their runs, some labels at a time."""
    return _summarise_numbers(labels) if labels.kind == "numeric" else _summarise_classes(labels)


def _summarise_classes(labels: Labels | CorpusLabels) -> LabelSummary:
    names = (*(labels.names if labels.kind == "categorical" else ("False", "True")), "missing")
    n_chars, n_runs, longest = (np.zeros(len(names), np.int64) for _ in range(3))
    open_label, open_length = -1, 0  # of the run that the next characters may go on with
    for part in _chunks(labels):
        codes = np.where(part.present, part.values.astype(np.int64), len(names) - 1)
        borders = np.flatnonzero(np.diff(codes, prepend=-1))
        of_run, lengths = codes[borders], np.diff(borders, append=len(codes))
        np.add.at(n_chars, of_run, lengths)
        np.add.at(n_runs, of_run, 1)
        if of_run[0] == open_label:
            n_runs[open_label] -= 1
            lengths[0] += open_length
        np.maximum.at(longest, of_run, lengths)
        open_label, open_length = int(of_run[-1]), int(lengths[-1])
    counts = tuple(
        LabelCount(
            label=name,
            n_chars=int(n_chars[place]),
            share=float(n_chars[place]) / max(len(labels), 1),
            n_runs=int(n_runs[place]),
            longest_run=int(longest[place]),
        )
        for place, name in enumerate(names)
        if n_runs[place] or place < len(names) - 1
    )
    return LabelSummary(kind=labels.kind, n_chars=len(labels), n_missing=int(n_chars[-1]), counts=counts)


def _summarise_numbers(labels: Labels | CorpusLabels) -> LabelSummary:
    n_present: list[int] = []
    lowest, highest = np.inf, -np.inf
    for part in _chunks(labels):
        values = part.values[part.present]
        n_present.append(len(values))
        lowest, highest = min(lowest, values.min(initial=np.inf)), max(highest, values.max(initial=-np.inf))
    n_told = sum(n_present)
    numbers = _PresentNumbers(labels, np.cumsum([0, *n_present]))
    return LabelSummary(
        kind=labels.kind,
        n_chars=len(labels),
        n_missing=len(labels) - n_told,
        lowest=float(lowest) if n_told else None,
        mean=numbers.sum(0, n_told) / n_told if n_told else None,
        highest=float(highest) if n_told else None,
    )


class _PresentNumbers:
    """The numeric labels that are not missing.

    Attributes:
        labels: All of them.
        ends: (n_chunks + 1,) how many are present in the chunks before each.
    """

    def __init__(self, labels: Labels | CorpusLabels, ends: NDArray[np.int64]) -> None:
        self.labels = labels
        self.ends = ends

    def sum(self, first: int, last: int) -> float:
        """The sum of those from one up to another, rounded as numpy rounds it, which adds up two halves.

        Source:
            Higham 1993, SIAM Journal on Scientific Computing 14:783-799: pairwise summation.
        """
        n = last - first
        if n <= CHUNK:
            return float(self._between(first, last).sum())
        middle = first + n // 2 - n // 2 % 8
        return self.sum(first, middle) + self.sum(middle, last)

    def _between(self, first: int, last: int) -> NDArray[np.float64]:
        begin = int(np.searchsorted(self.ends, first, side="right")) - 1
        end = int(np.searchsorted(self.ends, last, side="left"))
        parts = (self.labels[n * CHUNK : (n + 1) * CHUNK] for n in range(begin, end))
        values = np.concatenate([part.values[part.present] for part in parts])
        return values[first - int(self.ends[begin]) : last - int(self.ends[begin])]


def _chunks(labels: Labels | CorpusLabels) -> Iterator[Labels]:
    return (labels[start : start + CHUNK] for start in range(0, len(labels), CHUNK))
