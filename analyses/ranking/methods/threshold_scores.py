"""Scores of a unit as a detector of a binary label: the best threshold, and all thresholds in order."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.ranking.methods.method import Method, MethodScores
from analyses.ranking.methods.needs import LEVEL_TABLES
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from analyses.threads import in_threads

Counts = NDArray[np.int64]
ThresholdScore = Callable[[Counts, Counts, Counts, Counts], NDArray[np.float64]]
"""A score of true positives, false positives, and the numbers of positive and of negative characters."""
_AT_FLOOR = 0.001  # a score less than this above that of always predicting True is no better


def threshold_method(name: str, spelled: str, summary: str, score: ThresholdScore) -> Method:
    """Return the method that scores the best threshold of a unit; `spelled` is the score's name in sentences."""
    return Method(
        name, ("binary",), summary, needs=LEVEL_TABLES, score=_best_threshold(score), note=_floor_note(spelled, score)
    )


def matthews(
    true_positives: Counts, false_positives: Counts, n_positive: Counts, n_negative: Counts
) -> NDArray[np.float64]:
    """Matthews' correlation; NaN where all or none are predicted True.

    Source:
        Matthews 1975, Biochimica et Biophysica Acta 405:442-451.
    """
    predicted, n = (true_positives + false_positives).astype(np.float64), float(n_positive + n_negative)
    size = np.sqrt(predicted * (n - predicted) * float(n_positive) * float(n_negative))
    return np.asarray((true_positives * float(n_negative) - false_positives * float(n_positive)) / size)


def balanced_accuracy(
    true_positives: Counts, false_positives: Counts, n_positive: Counts, n_negative: Counts
) -> NDArray[np.float64]:
    """Return the mean share of True and of False characters that are predicted right."""
    return np.asarray((true_positives / n_positive + 1 - false_positives / n_negative) / 2)


def f1(true_positives: Counts, false_positives: Counts, n_positive: Counts, n_negative: Counts) -> NDArray[np.float64]:
    """Return the harmonic mean of precision and recall."""
    return np.asarray(2 * true_positives / (true_positives + false_positives + n_positive))


def iou(true_positives: Counts, false_positives: Counts, n_positive: Counts, n_negative: Counts) -> NDArray[np.float64]:
    """Return the intersection over union of the True characters and those predicted True."""
    return np.asarray(true_positives / (n_positive + false_positives))


def average_precision(tables: Sequence[NDArray[np.uint32]], target: Target) -> MethodScores:
    """Score units by their average precision, from the highest value on or from the lowest, as training says."""

    def best(table: NDArray[np.uint32]) -> tuple[float, float]:
        orders = (table[::-1], table)
        precisions = np.array([[_mean_precision(ordered[:, part]) for part in (TRAIN, TEST)] for ordered in orders])
        return tuple(precisions[np.nan_to_num(precisions[:, 0]).argmax()].tolist())

    return _unit_by_unit(best, tables)


def _mean_precision(counts: NDArray[np.uint32]) -> float:
    """Mean precision at the True characters, from (n_levels, 2) counts of False and True ones in order of prediction.

    Characters of one level are predicted True together, as in scikit-learn's `average_precision_score`.
    """
    has_true = counts[:, 1] > 0
    weights = counts[has_true, 1]
    n_true = np.cumsum(counts[:, 1], dtype=np.int64)
    n_predicted = n_true + np.cumsum(counts[:, 0], dtype=np.int64)
    if not len(weights):
        return np.nan
    return float((weights * (n_true[has_true] / n_predicted[has_true])).sum() / weights.sum())


def _best_threshold(score: ThresholdScore) -> Callable[[Sequence[NDArray[np.uint32]], Target], MethodScores]:
    """Return a function that scores units by the threshold, and the side of it, that are best in training."""

    def best(table: NDArray[np.uint32]) -> tuple[float, float]:
        """Score one unit from (n_levels, 2, 2) counts of characters by level, part and label."""
        n = table.sum(axis=0, dtype=np.int64)
        below = np.zeros((2, len(table) + 1), np.int64)  # (2 labels, n_thresholds) characters below each threshold
        for label in range(2):
            np.cumsum(table[:, TRAIN, label], out=below[label, 1:])
        sides = below, n[TRAIN, :, None] - below  # predicted True: those below each threshold, or those above
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = np.array([score(*predicted[::-1], *n[TRAIN, ::-1]) for predicted in sides])
            is_above, threshold = divmod(int(np.nan_to_num(scores, nan=-1.0).argmax()), scores.shape[1])
            held_out = (table[threshold:] if is_above else table[:threshold])[:, TEST].sum(axis=0, dtype=np.int64)
            return float(scores[is_above, threshold]), float(score(*held_out[::-1], *n[TEST, ::-1]))

    return lambda tables, target: _unit_by_unit(best, tables)


def _unit_by_unit(
    score: Callable[[NDArray[np.uint32]], tuple[float, float]], tables: Sequence[NDArray[np.uint32]]
) -> MethodScores:
    train, test = np.array(list(in_threads(score, tables))).T
    return MethodScores(train, test)


def _floor_note(name: str, score: ThresholdScore) -> Callable[[NDArray[np.float64], Target], str]:
    """Return a function that says how many units are no better than always predicting True."""

    def note(scores: NDArray[np.float64], target: Target) -> str:
        n_false, n_true = np.sum(
            [np.bincount(labels[parts == TRAIN], minlength=2) for labels, parts in target.chunks()], 0
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            floor = float(np.nan_to_num(score(n_true, n_false, n_true, n_false)))
        n_at_floor = int((scores < floor + _AT_FLOOR).sum())
        return (
            f"{n_at_floor:,} of {len(scores):,} units have the {name} of always predicting True, {floor:.4f}, or less "
            f"than {_AT_FLOOR} more; units with the same {name} are in the order of their AUC's distance from chance"
            if n_at_floor
            else ""
        )

    return note
