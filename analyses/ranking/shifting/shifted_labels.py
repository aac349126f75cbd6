"""The labels that circular shifts bring to characters, and where these change."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.long_run import N_GROUPS, position_groups
from analyses.levels.pieces import ShiftedRuns
from analyses.levels.ranks import ShiftedRankSums
from analyses.levels.shares import for_shares
from analyses.targets.classes import Classes
from analyses.targets.splits import in_pieces
from analyses.targets.target import Target
from hypotheses.kernels import compiled

_CHARS_PER_CHANGE = 24  # of a label, for which sums at the changes take less time than a product with all characters
_SUMMED_CHARS = 1 << 20


class ShiftedLabels:
    """Labels of the characters that are used, and of the characters some steps on in a circle.

    Each label is less its mean over the characters of its position group, as they are after the shift, so that trends
    in the label drop out; and divided by its norm.

    Attributes:
        n_labels: 1, or the number of classes that are looked at, each of which is a label against the rest.
        n_steps: How many shifts there are, the one by 0 included.
    """

    def __init__(
        self, target: Target, classes: Classes | None, frequent_classes: Sequence[int], steps: list[int]
    ) -> None:
        split, used = target.split, target.selection
        self._steps = np.array(steps)
        groups = position_groups(split.n_atoms).astype(np.int8)
        pieces = in_pieces(used.start, used.stop, used.every)
        self._groups = np.concatenate([groups[split.atom(np.array(places))] for places in pieces])
        middle = target.sizes().mean if classes is None else 0.0
        self._target = target if classes is None else replace(target, labels=classes.labels)
        self._values = np.concatenate(
            [
                np.where(parts >= 0, labels - middle, np.nan).astype(np.float32)
                for labels, parts in self._target.chunks()
            ]
        )
        self._classes = [np.float32(np.nan)] if classes is None else [np.float32(c) for c in frequent_classes]
        self._scales = [self._scale_of(class_number) for class_number in self._classes]
        self.n_labels, self.n_steps = len(self._classes), len(steps)

    def _scale_of(self, class_number: np.float32) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n_steps, n_groups) means of a label in each position group, and (n_steps,) 1 over its norm without them."""
        n, y, yy = _group_sums(self._values, class_number, self._steps, self._groups)
        means = y / np.maximum(n, 1)
        squares = yy.sum(axis=1) - (n * means**2).sum(axis=1)
        return means, 1 / np.sqrt(np.maximum(squares, 1e-12))

    def runs(self) -> ShiftedRuns | None:
        """Return where the labels change; None if some are missing, or if they change too often for that to be quick.

        The labels are taken as they are: what is the same for all characters of a position group makes no difference.
        """
        if np.isnan(self._values).any():
            return None
        values = np.concatenate([labels for labels, _ in self._target.chunks()]).astype(np.float64)
        places: list[NDArray[np.int64]] = []
        changes: list[NDArray[np.float64]] = []
        for class_number in self._classes:
            label = values if np.isnan(class_number) else (values == class_number).astype(np.float64)
            falls = np.roll(label, 1) - label
            places.append(np.flatnonzero(falls))
            changes.append(falls[places[-1]])
        if sum(map(len, places)) * _CHARS_PER_CHANGE > len(values) * self.n_labels:
            return None
        return ShiftedRuns(
            self._steps,
            np.concatenate(places),
            np.concatenate(changes),
            np.cumsum([0, *map(len, places)]),
            _group_borders(self._groups),
        )

    def correlations(self, sums: ShiftedRankSums) -> NDArray[np.float64]:
        """(n_units, n_labels, n_steps) correlations of ranks with the labels, from sums for `runs`."""
        means, per_norm = map(np.stack, zip(*self._scales, strict=True))
        products = sums.products - np.einsum("ug,lsg->uls", sums.by_group, means)
        norms = np.sqrt(sums.squares)[:, None, None]
        correlations: NDArray[np.float64] = np.zeros_like(products)
        np.divide(products * per_norm, norms, out=correlations, where=norms > 0)
        return correlations

    def shifted(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        """Yield each label, (n_steps, n_rows), of the characters that the shifts bring to some rows."""
        groups = self._groups[rows]
        for class_number, scale in zip(self._classes, self._scales, strict=True):
            means, per_norm = (numbers.astype(np.float32) for numbers in scale)
            yield _shift(self._values, class_number, self._steps, rows, groups, means, per_norm)


@compiled(inline="always")
def _label(value: np.float32, class_number: np.float32) -> np.float32:
    """Return the value itself, or, if a class is given, whether it is that class; NaN if it is missing."""
    return value if np.isnan(class_number) or np.isnan(value) else np.float32(value == class_number)


@compiled(inline="always")
def _in_circle(place: int, n_chars: int) -> np.uint64:
    """Return the place in [0, n_chars) of one in [0, 2 n_chars)."""
    return np.uint64(place - n_chars if place >= n_chars else place)


def _group_borders(groups: NDArray[np.int8]) -> NDArray[np.int64]:
    """(n_groups + 1,) where each position group begins, and where the last ends."""
    return np.searchsorted(groups, np.arange(N_GROUPS + 1))


def _group_sums(
    values: NDArray[np.float32], class_number: np.float32, steps: NDArray[np.int64], groups: NDArray[np.int8]
) -> NDArray[np.float64]:
    """(3, n_steps, n_groups) counts, sums and sums of squares of the shifted label in each position group.

    For each step the same as `np.bincount(groups[known], weights, N_GROUPS)` of `y = np.roll(labels, -step)`, with
    `known = ~np.isnan(y)` and the weights 1, y and y². They are differences of the sums before the borders of groups.
    """
    rounds, borders = np.divmod(steps[:, None] + _group_borders(groups), len(values))
    before, total = np.zeros((3, *borders.shape)), np.zeros((3, 1, 1))
    for start in range(0, len(values), _SUMMED_CHARS):
        some = values[start : start + _SUMMED_CHARS]
        is_known = ~np.isnan(some)
        y = np.where(is_known, some if np.isnan(class_number) else some == class_number, 0).astype(np.float64)
        places = np.clip(borders - start, 0, len(some))
        for power, weights in enumerate((is_known, y, y * y)):
            sums = np.append(0, np.cumsum(weights, dtype=np.float64))
            before[power] += sums[places]
            total[power] += sums[-1]
    return np.diff(before + rounds * total, axis=2)


def _shift(
    values: NDArray[np.float32],
    class_number: np.float32,
    steps: NDArray[np.int64],
    rows: NDArray[np.int64],
    groups: NDArray[np.int8],
    means: NDArray[np.float32],
    per_norm: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(n_steps, n_rows) the shifted labels of some rows, less their group means and over their norms.

    For each step the same as `np.nan_to_num((np.roll(labels, -step)[rows] - means[groups]) * per_norm)`.
    """
    into = np.empty((len(steps), len(rows)), np.float32)
    fixed = values, class_number, steps, rows, groups, means, per_norm, into
    for_shares(len(steps), into.size, lambda start, stop: _write_shifted(start, stop, *fixed))
    return into


@compiled(nogil=True)
def _write_shifted(
    start: int,
    stop: int,
    values: NDArray[np.float32],
    class_number: np.float32,
    steps: NDArray[np.int64],
    rows: NDArray[np.int64],
    groups: NDArray[np.int8],
    means: NDArray[np.float32],
    per_norm: NDArray[np.float32],
    into: NDArray[np.float32],
) -> None:
    """Write the shifted labels of some rows, for the steps from `start` up to `stop`."""
    for line in range(start, stop):
        means_of_step, per_norm_of_step = means[line], per_norm[line]
        for n in range(len(rows)):
            label = _label(values[_in_circle(rows[n] + steps[line], len(values))], class_number)
            scaled = (label - means_of_step[np.uint64(groups[n])]) * per_norm_of_step
            into[line, n] = np.float32(0) if np.isnan(scaled) else scaled
