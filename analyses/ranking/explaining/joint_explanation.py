"""Which labels explain a unit together, chosen one by one by least squares on their classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.levels.shares import for_shares
from analyses.targets.classes import Classes
from analyses.targets.row_runs import pieces_of_rows
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from hypotheses.kernels import compiled

_LEAST_ADDED = 0.005
_CHARS_AT_ONCE = 1 << 15
_RIDGE = 1e-3  # which makes the least-squares solution unique: each label's classes add up to the constant column


def choose_labels(values: NDArray[np.floating], targets: Sequence[tuple[Target, Classes]]) -> list[tuple[int, float]]:
    """Choose the labels that explain a unit together, one by one, each the one that adds most to those before.

    They are chosen on training characters, among those that add something to held-out ones, where what they add is
    measured. Each label stands for the unit's mean in each of its classes, and these are added up: no label gets the
    credit for what another one explains.

    Args:
        values: (n_chars,) values of the unit at all characters of the text; NaN where they are not known.
        targets: The labels and their classes.

    Returns:
        The numbers of the chosen labels, in their order, and the share of the unit's held-out variance that each adds.
    """
    if not targets:
        return []
    fits = _LeastSquares(values, targets)
    chosen: list[tuple[int, float]] = []
    columns, explained = [fits.constant], (0.0, 0.0)  # in training, and held out
    candidates = set(range(len(targets)))
    while candidates:
        gains = {number: fits.explained([*columns, *fits.columns_of(number)]) for number in sorted(candidates)}
        candidates = {number for number in candidates if gains[number][1] - explained[1] >= _LEAST_ADDED}
        if candidates:
            best = max(sorted(candidates), key=lambda number: gains[number][0])
            chosen.append((best, gains[best][1] - explained[1]))
            columns, explained = [*columns, *fits.columns_of(best)], gains[best]
            candidates.remove(best)
    return chosen


class _LeastSquares:
    """Least-squares fits of a unit's values by indicator columns: one for each class of each label, and a constant.

    Attributes:
        constant: The number of the constant column.
    """

    def __init__(self, values: NDArray[np.floating], targets: Sequence[tuple[Target, Classes]]) -> None:
        """Add up products of all columns with each other and with the values, in training and held out."""
        self._starts = np.cumsum([0, *(len(classes.names) for _, classes in targets), 1])
        self.constant = self._starts[-2]
        n_columns = self._starts[-1]
        self._gram = {part: np.zeros((n_columns, n_columns)) for part in (TRAIN, TEST)}
        self._product = {part: np.zeros(n_columns) for part in (TRAIN, TEST)}
        self._squares, self._n = {TRAIN: 0.0, TEST: 0.0}, {TRAIN: 0, TEST: 0}
        middle = _mean(values)
        for piece in pieces_of_rows(len(values), _CHARS_AT_ONCE):
            parts = targets[0][0].parts_of_places(np.arange(piece.start, piece.stop))
            codes = np.stack([*(_codes(*target, piece) for target in targets), np.zeros(len(parts), np.int8)])
            y = values[piece].astype(np.float64) - middle
            for part in (TRAIN, TEST):
                rows = (parts == part) & ~np.isnan(y)
                self._add(part, codes[:, rows], y[rows])
        for part in (TRAIN, TEST):
            self._gram[part] += np.triu(self._gram[part], 1).T

    def _add(self, part: int, codes: NDArray[np.int8], y: NDArray[np.float64]) -> None:
        """Add rows of a part, given the class of each label and a constant: the upper half of the products."""
        sums = self._starts, codes, y, self._gram[part], self._product[part]
        for_shares(len(codes), len(codes) * codes.size // 2, lambda start, stop: _add_classes(start, stop, *sums))
        self._squares[part] += float(y @ y)
        self._n[part] += len(y)

    def columns_of(self, number: int) -> range:
        """Return the columns of the classes of a label."""
        return range(self._starts[number], self._starts[number + 1])

    def explained(self, columns: list[int]) -> tuple[float, float]:
        """Return the shares of the training and of the held-out variance that the fit in training explains."""
        chosen = np.ix_(columns, columns)
        weights = np.linalg.solve(
            self._gram[TRAIN][chosen] + _RIDGE * np.eye(len(columns)), self._product[TRAIN][columns]
        )
        train, test = (
            1
            - (
                self._squares[part]
                - 2 * weights @ self._product[part][columns]
                + weights @ self._gram[part][chosen] @ weights
            )
            / (self._squares[part] - self._product[part][-1] ** 2 / self._n[part])
            for part in (TRAIN, TEST)
        )
        return train, test


@compiled(nogil=True)
def _add_classes(
    start: int,
    stop: int,
    starts: NDArray[np.int64],
    codes: NDArray[np.int8],
    y: NDArray[np.float64],
    gram: NDArray[np.float64],
    product: NDArray[np.float64],
) -> None:
    """Add products of the indicator columns of the labels from `start` up to `stop` with later ones, and with y.

    The same as `x.T @ x` and `y @ x` of (n_chars, n_columns) indicators x, which are 0 where a label is missing.
    """
    for label in range(start, stop):
        for t in range(len(y)):
            if codes[label, t] >= 0:
                product[starts[label] + codes[label, t]] += y[t]
        for later in range(label, len(codes)):
            of_labels = gram[starts[label] : starts[label + 1], starts[later] : starts[later + 1]]
            for t in range(len(y)):
                if codes[label, t] >= 0 and codes[later, t] >= 0:
                    of_labels[codes[label, t], codes[later, t]] += 1


def _mean(values: NDArray[np.floating]) -> float:
    """Return the mean of the values that are known."""
    pieces = [values[piece] for piece in pieces_of_rows(len(values), _CHARS_AT_ONCE)]
    total = sum(float(np.nansum(piece, dtype=np.float64)) for piece in pieces)
    return total / sum(int((~np.isnan(piece)).sum()) for piece in pieces)


def _codes(target: Target, classes: Classes, piece: slice) -> NDArray[np.int8]:
    """(n_chars,) the class of each character of a piece of the text, -1 where the label is missing."""
    missing = target.labels.missing_at(piece)
    codes = classes.of(piece)
    return (codes if missing is None else np.where(missing, -1, codes)).astype(np.int8)
