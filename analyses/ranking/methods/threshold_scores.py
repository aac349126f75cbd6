"""Scores of a unit as a detector of a binary label: the best threshold, and all thresholds in order."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.ranking.methods.binary_counts import CountsBelow
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


def average_precision(counts: Sequence[CountsBelow], target: Target) -> MethodScores:
    """Score units by their average precision, from the highest value on or from the lowest, as training says."""

    def best(below: CountsBelow) -> tuple[float, float]:
        from_lowest = below.astype(np.int64)
        from_highest = (from_lowest[..., -1:] - from_lowest)[..., ::-1]
        precisions = np.array(
            [[_mean_precision(ordered[part]) for part in (TRAIN, TEST)] for ordered in (from_highest, from_lowest)]
        )
        return tuple(precisions[np.nan_to_num(precisions[:, 0]).argmax()].tolist())

    return _unit_by_unit(best, counts)


def _mean_precision(predicted: Counts) -> float:
    """Mean precision at the True characters.

    Characters of one level are predicted True together, as in scikit-learn's `average_precision_score`.

    Args:
        predicted: (2, n_levels + 1) how many False and True characters are predicted True, from none of them to all.
    """
    n_false, n_true = predicted
    weights = np.diff(n_true)
    has_true = weights > 0
    weights, n_true, n_false = weights[has_true], n_true[1:][has_true], n_false[1:][has_true]
    if not len(weights):
        return np.nan
    return float((weights * (n_true / (n_true + n_false))).sum() / weights.sum())


def _best_threshold(score: ThresholdScore) -> Callable[[Sequence[CountsBelow], Target], MethodScores]:
    """Return a function that scores units by the threshold, and the side of it, that are best in training."""

    def best(counts: CountsBelow) -> tuple[float, float]:
        """Score one unit."""
        below, test_below = counts.astype(np.int64)
        is_above, threshold = choose_threshold(score, below)
        with np.errstate(invalid="ignore", divide="ignore"):
            train, held_out = (
                score(*predicted[::-1], *by_level[::-1, -1])
                for by_level in (below, test_below)
                for predicted in [by_level[:, -1] - by_level[:, threshold] if is_above else by_level[:, threshold]]
            )
            return float(train), float(held_out)

    return lambda counts, target: _unit_by_unit(best, counts)


def choose_threshold(score: ThresholdScore, below: Counts) -> tuple[bool, int]:
    """Choose the threshold, and the side of it, that score best.

    Args:
        score: The score.
        below: (2 labels, n_levels + 1) how many characters that are False, and True, lie below each level of the unit
            that occurs; the last numbers are of all characters.

    Returns:
        Whether those above the threshold are predicted True (otherwise those below it), and how many levels are below.
    """
    n = below[:, -1]
    sides = below, n[:, None] - below  # predicted True: those below each threshold, or those above
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.array([score(*predicted[::-1], *n[::-1]) for predicted in sides])
    is_above, threshold = divmod(int(np.nan_to_num(scores, nan=-1.0).argmax()), scores.shape[1])
    return bool(is_above), threshold


def _unit_by_unit(score: Callable[[CountsBelow], tuple[float, float]], counts: Sequence[CountsBelow]) -> MethodScores:
    train, test = np.array(list(in_threads(score, counts))).T
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
