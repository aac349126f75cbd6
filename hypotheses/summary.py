"""What labels are like: how many, how often, in how long runs."""

from dataclasses import dataclass

import numpy as np

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


def summarise(labels: Labels) -> LabelSummary:
    """Count labels and their runs."""
    present = labels.present
    n_missing = len(labels) - int(present.sum())
    if labels.kind == "numeric":
        values = labels.values[present]
        lowest, mean, highest = (float(f(values)) if len(values) else None for f in (np.min, np.mean, np.max))
        return LabelSummary(
            kind=labels.kind, n_chars=len(labels), n_missing=n_missing, lowest=lowest, mean=mean, highest=highest
        )
    names = labels.names if labels.kind == "categorical" else ("False", "True")
    codes = np.where(present, labels.values.astype(np.int64), len(names))
    borders = np.flatnonzero(np.diff(codes, prepend=-1))
    lengths = np.diff(borders, append=len(codes))
    of_run = codes[borders]
    counts = []
    for place, name in enumerate((*names, "missing")):
        runs = lengths[of_run == place]
        if len(runs) or place < len(names):
            counts.append(
                LabelCount(
                    label=name,
                    n_chars=int(runs.sum()),
                    share=float(runs.sum()) / max(len(labels), 1),
                    n_runs=len(runs),
                    longest_run=int(runs.max(initial=0)),
                )
            )
    return LabelSummary(kind=labels.kind, n_chars=len(labels), n_missing=n_missing, counts=tuple(counts))
