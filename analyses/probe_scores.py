"""How well a probe does on held-out characters, with intervals from drawing stretches of the text anew."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.responses import Response
from analyses.significance import FEWEST, draws, interval

Array = NDArray[np.float64]


class HeldOut(NamedTuple):
    """What a probe says of held-out characters.

    Attributes:
        z: (n_chars, n_scores) logits or values.
        y: (n_chars,) the labels: classes or numbers.
        stretch: (n_chars,) that each character is in.
        fold: (n_chars,) the fold whose probe says it.
    """

    z: NDArray[np.float32]
    y: NDArray[np.floating] | NDArray[np.integer]
    stretch: NDArray[np.int64]
    fold: NDArray[np.int64]


class Scores(NamedTuple):
    """Scores by their names, and the 95 % interval of each."""

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def score(held_out: HeldOut, response: Response, seed: int = 0) -> Scores:
    """Score a probe.

    Of labels with classes: accuracy, balanced_accuracy (the mean over classes of the share that is found), precision,
    recall and f1 (of True; of several classes the means over them), auc (of several classes the mean of each against
    the rest; of several folds the mean), log_loss in nats per character. Of numbers: r2 and r.

    Args:
        held_out: What it says.
        response: The labels it was fitted to.
        seed: Of the draws.
    """
    stretches, own = np.unique(held_out.stretch, return_inverse=True)
    n = len(stretches)
    if response.kind == "numeric":
        measures = [_of_numbers(held_out, own, n)]
    else:
        measures = [_of_classes(held_out, own, n, response.n_classes), _aucs(held_out, own, n)]
    values: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    drawn = draws(n, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        for measure in measures:
            values |= {name: float(found[0]) for name, found in measure(np.ones((1, n))).items()}
            if n >= FEWEST:
                intervals |= {name: interval(found) for name, found in measure(drawn).items()}
    return Scores(values, {name: intervals.get(name, (np.nan, np.nan)) for name in values})


Measure = Callable[[Array], Mapping[str, Array]]


def _of_classes(held_out: HeldOut, stretch: NDArray[np.int64], n_stretches: int, n_classes: int) -> Measure:
    z, y = held_out.z.astype(np.float64), held_out.y
    is_binary = z.shape[1] == 1
    if is_binary:
        said = (z[:, 0] > 0).astype(np.int64)
        losses = np.logaddexp(0, z[:, 0]) - y * z[:, 0]
    else:
        said = z.argmax(axis=1)
        losses = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), y]
    code = (stretch * n_classes + y) * n_classes + said
    counts = np.bincount(code, minlength=n_stretches * n_classes**2).reshape(n_stretches, -1).astype(np.float64)
    loss = np.bincount(stretch, losses, n_stretches)

    def measure(weights: Array) -> Mapping[str, Array]:
        table = (weights @ counts).reshape(-1, n_classes, n_classes)  # label, said
        right = np.diagonal(table, axis1=1, axis2=2)
        of_label, of_said = table.sum(axis=2), table.sum(axis=1)
        recall = right / of_label
        precision = np.where(of_said > 0, right / of_said, 0.0)
        f1 = 2 * right / (of_label + of_said)
        if is_binary:
            own: dict[str, Array] = {
                "precision": np.where(of_said[:, 1] > 0, precision[:, 1], np.nan),
                "recall": recall[:, 1],
                "f1": f1[:, 1],
            }
        else:  # of the classes that there are
            own = {
                name: np.nanmean(np.where(of_label > 0, found, np.nan), axis=1)
                for name, found in (("precision", precision), ("recall", recall), ("f1", f1))
            }
        n = of_label.sum(axis=1)
        return {
            "accuracy": right.sum(axis=1) / n,
            "balanced_accuracy": np.nanmean(recall, axis=1),
            **own,
            "log_loss": (weights @ loss) / n,
        }

    return measure


def _aucs(held_out: HeldOut, stretch: NDArray[np.int64], n_stretches: int) -> Measure:
    """AUCs of drawn stretches, from how often those that are it in one are above the others in another."""
    columns = [(1, held_out.z[:, 0])] if held_out.z.shape[1] == 1 else list(enumerate(held_out.z.T))
    tables = []  # for each fold and class: pairs that are in order, and how many are and are not of the class
    for fold in np.unique(held_out.fold):
        rows = np.flatnonzero(held_out.fold == fold)
        for label, z in columns:
            is_it = held_out.y[rows] == label
            if is_it.any() and not is_it.all():
                tables.append(_pairs(z[rows], is_it, stretch[rows], n_stretches))

    def measure(weights: Array) -> Mapping[str, Array]:
        found = [
            ((weights @ pairs) * weights).sum(axis=1) / ((weights @ positive) * (weights @ negative))
            for pairs, positive, negative in tables
        ]
        return {"auc": np.nanmean(found, axis=0) if found else np.full(len(weights), np.nan)}

    return measure


def _pairs(
    z: NDArray[np.float32], is_it: NDArray[np.bool_], stretch: NDArray[np.int64], n_stretches: int
) -> tuple[Array, Array, Array]:
    """(n_stretches, n_stretches) pairs of a positive in one and a lower negative in the other, ties counted half."""
    _, level = np.unique(z, return_inverse=True)
    positive, negative = (np.bincount(stretch[which], minlength=n_stretches) for which in (is_it, ~is_it))
    pairs = np.zeros((n_stretches, n_stretches))
    order = np.argsort(level, kind="stable")
    of_positive = level[order][is_it[order]]  # rising
    from_positive = stretch[order][is_it[order]]
    for other in np.flatnonzero(negative).tolist():
        levels = np.sort(level[~is_it & (stretch == other)])
        below = np.searchsorted(levels, of_positive, "left") + np.searchsorted(levels, of_positive, "right")
        pairs[:, other] = 0.5 * np.bincount(from_positive, below, n_stretches)
    return pairs, positive.astype(np.float64), negative.astype(np.float64)


def _of_numbers(held_out: HeldOut, stretch: NDArray[np.int64], n_stretches: int) -> Measure:
    y, z = held_out.y.astype(np.float64), held_out.z[:, 0].astype(np.float64)
    middle = y.mean()
    y, z = y - middle, z - middle
    products = np.stack(
        [np.bincount(stretch, each, n_stretches) for each in (np.ones(len(y)), y, z, y * y, z * z, y * z)]
    )

    def measure(weights: Array) -> Mapping[str, Array]:
        n, sum_y, sum_z, yy, zz, yz = products @ weights.T
        scatter = yy - sum_y**2 / n
        r = (yz - sum_y * sum_z / n) / np.sqrt(scatter * np.maximum(zz - sum_z**2 / n, 0.0))
        return {"r2": 1 - (yy - 2 * yz + zz) / scatter, "r": r}

    return measure
