"""Scores made of sums of products of units and labels, or of ranks: correlations, explained variance, differences."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.significance import FEWEST_RUNS
from analyses.ranking.methods.method import MethodScores, sign_aligned
from analyses.statistics.products import Products
from analyses.targets.classes import classes_of, runs_of_classes
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target


def pearson(products: Products, target: Target) -> MethodScores:
    """Score units by Pearson's correlation with the label."""
    return sign_aligned(products.r(TRAIN), products.r(TEST))


def spearman(by_part: Sequence[NDArray[np.float64]], target: Target) -> MethodScores:
    """Score units by Spearman's rank correlation with the label, given that of each unit in each part."""
    return sign_aligned(by_part[TRAIN], by_part[TEST])


def r2(products: Products, target: Target) -> MethodScores:
    """Score units by the share of the label's variance that a line through the unit explains.

    The held-out score is what the line that was fitted in training explains of the test labels; it can be below 0.
    """
    train, test, r = products.of(TRAIN), products.of(TEST), products.r(TRAIN)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y = train.x[0] / train.n[0], train.y[0] / train.n[0]
        slope = (train.xy[0] - train.n[0] * mean_x * mean_y) / products.scatter(TRAIN)
        intercept = mean_y - slope * mean_x
        n, x, xx, y, yy, xy = (sums[0] for sums in (test.n, test.x, test.xx, test.y, test.yy, test.xy))
        squared_error = (
            yy + slope**2 * xx + n * intercept**2 - 2 * slope * xy - 2 * intercept * y + 2 * slope * intercept * x
        )
        explained = 1 - squared_error / (yy - y * y / n)
    return MethodScores(r**2, np.where(np.isnan(r), np.nan, explained))


def eta2(products_of_classes: Sequence[Products], target: Target) -> MethodScores:
    """Score units by the share of their variance that lies between the classes.

    The held-out score is what the means of the classes in training explain of the unit in the test part.
    """
    between, unexplained = 0.0, 0.0
    for products in products_of_classes:
        train, test = products.of(TRAIN), products.of(TEST)
        n, sums = train.y[0], train.xy[0]
        mean = sums / n if n else train.x[0] / train.n[0]
        between = between + (n * (mean - train.x[0] / train.n[0]) ** 2)
        unexplained = unexplained + test.y[0] * mean**2 - 2 * mean * test.xy[0]
    products = products_of_classes[0]  # sums of the unit alone are the same for every class
    scatter, test_scatter = products.scatter(TRAIN), products.scatter(TEST)
    with np.errstate(invalid="ignore", divide="ignore"):
        explained = np.where(scatter > 0, between / scatter, np.nan)
        error = np.where(test_scatter > 0, (unexplained + products.of(TEST).xx[0]) / test_scatter, np.nan)
    return MethodScores(explained, 1 - error)


def mean_difference(products_of_classes: Sequence[Products], target: Target) -> MethodScores:
    """Score units by the difference of their means where the label is True and where it is False.

    For several classes, that is the class whose mean is farthest from that of the others in training.
    """
    counted = [1] if target.kind == "binary" else _frequent_classes(target)
    if not counted:
        missing = np.full(products_of_classes[0].cells.x.shape[1], np.nan)
        return MethodScores(missing, missing)
    train, test = (
        np.array([_difference(products_of_classes[number], part) for number in counted]) for part in (TRAIN, TEST)
    )
    best = np.nan_to_num(np.abs(train)).argmax(axis=0)
    units = np.arange(len(best))
    return sign_aligned(train[best, units], test[best, units])


def _frequent_classes(target: Target) -> list[int]:
    """Return the numbers of the classes that have enough runs, in training and held out."""
    return [number for number, n in enumerate(runs_of_classes(target, classes_of(target))) if n >= FEWEST_RUNS]


def _difference(products: Products, part: int) -> NDArray[np.float64]:
    total = products.of(part)
    n, n_positive = total.n[0], total.y[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total.xy[0] / n_positive - (total.x[0] - total.xy[0]) / (n - n_positive))
