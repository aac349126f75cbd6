"""Several labels of the same characters, which have few combinations."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.alignment import Target
from analyses.splits import PARTS

_LABELS_AT_ONCE = 32


class Run(NamedTuple):
    """The characters of one part of one stretch, and their codes."""

    part: int
    stretch: int
    codes: slice


class JointRows(NamedTuple):
    """Characters, and what they have in common.

    Characters with the same code lie in the same part of the same stretch, and have the same labels.

    Attributes:
        parts: (n_chars,) `TRAIN`, `TEST`, `GAP`, or -1 where the labels are missing.
        codes: (n_chars,) in [0, n_codes).
        y: (n_codes, n_labels + 1) the labels, and a 1.
        n: (n_codes,) how many characters have a code and labels.
        runs: In the order of their codes.
    """

    parts: NDArray[np.int8]
    codes: NDArray[np.int64]
    y: NDArray[np.float64]
    n: NDArray[np.int64]
    runs: list[Run]


class JointLabels:
    """Binary labels that are missing at the same characters, and share a split.

    Attributes:
        split: What is held out.
        n_labels: How many there are.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.split = targets[0].split
        self.n_labels = len(targets)
        self._missing = targets[0].labels.missing
        self._labels = [each.labels.values for each in targets]
        self._last: tuple[NDArray[np.int64], JointRows] | None = None

    def parts(self, places: NDArray[np.int64]) -> NDArray[np.int8]:
        """(n_chars,) the part of each of some characters, -1 where the labels are missing."""
        parts = self.split.parts_of(places)
        if self._missing is not None:
            parts[self._missing[places]] = -1
        return parts

    def rows(self, places: NDArray[np.int64]) -> JointRows:
        """What is known of some characters."""
        if self._last is None or not np.array_equal(places, self._last[0]):
            self._last = places.copy(), self._rows(places)
        return self._last[1]

    def _rows(self, places: NDArray[np.int64]) -> JointRows:
        parts, stretches = self.parts(places), self.split.stretch(places)
        n_stretches = self.split.n_stretches
        runs = np.where(parts >= 0, parts * n_stretches + stretches, len(PARTS) * n_stretches)
        labels = [each[places] for each in self._labels]
        codes = runs
        for first in range(0, len(labels), _LABELS_AT_ONCE):
            for label in labels[first : first + _LABELS_AT_ONCE]:
                codes = (codes << 1) | label
            _, firsts, codes, n = np.unique(codes, return_index=True, return_inverse=True, return_counts=True)
        y = np.ones((len(firsts), self.n_labels + 1))
        for column, label in enumerate(labels):
            y[:, column] = label[firsts]
        starts = [*np.flatnonzero(np.diff(runs[firsts], prepend=-1)).tolist(), len(firsts)]
        found = [(*divmod(int(runs[firsts[a]]), n_stretches), slice(a, b)) for a, b in itertools.pairwise(starts)]
        return JointRows(parts, codes, y, n, [Run(*each) for each in found if each[0] < len(PARTS)])
