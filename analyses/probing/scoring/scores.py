"""Scores of a probe on held-out characters, and what each atom of the text adds to their error."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.estimates import Estimate, Scale
from analyses.intervals.long_run import N_GROUPS, n_cosines
from analyses.probing.fitting.responses import Response
from analyses.probing.scoring.ranking_metrics import RankingMetrics

Array = NDArray[np.float64]
WeightedScores = Callable[[Array], Mapping[str, Array]]
_STEP = 1e-4  # by which the weight of a piece is changed to differentiate the scores
_SCALES: Mapping[str, Scale] = {"log_loss": "plain", "r2": "plain", "r": "fisher"}  # others are shares: the logit
_MEANS_OF_CLASSES = ("balanced_accuracy", "precision", "recall", "f1", "auc")


class Cells(NamedTuple):
    """Cells of held-out characters, as a rule the atoms of the text, over each of which sums are kept.

    Attributes:
        piece: (n_cells,) the piece of the text that each is in: pieces are atoms, or stretches of dependent atoms.
        group: (n_cells,) the position group of each.
        fold: (n_cells,) the fold that each is held out in.
    """

    piece: NDArray[np.int64]
    group: NDArray[np.int64]
    fold: NDArray[np.int64]


class FoldAgreement:
    """The share of the predictions that is owed to the sample that each fold's probe was trained on.

    Where a label has nothing to do with the units, a probe learns what two pieces of the text have in common by
    chance, and held-out scores measure the same: each pair of pieces in different folds counts in both folds, so that
    the variance of the scores' mean is twice that of independent folds. Where a probe is what any training text would
    have made of it, folds are independent. In between the variance is 1 + a times as large, a being the share of the
    predictions' variance owed to the training sample. Two of k folds have all but one of k − 1 training pieces
    in common, so that their predictions have the correlation 1 − a / (k − 1).

    Source:
        On the variance of cross-validation: Bengio & Grandvalet 2004, Journal of Machine Learning Research
        5:1089-1105. The share is derived here, and checked against simulations (`benchmarks/truth.py`).
    """

    def __init__(self, n_folds: int) -> None:
        self._n_chars = 0
        self._sums: Array | float = 0.0
        self._products = np.zeros((n_folds, n_folds))

    def add(self, z: NDArray[np.floating]) -> None:
        """Add the outputs of all folds' probes for some characters with a label, (n_chars, n_folds, n_outputs)."""
        if len(self._products) > 1:
            centred = z.astype(np.float64)
            centred -= centred.mean(axis=2, keepdims=True) if centred.shape[2] > 1 else 0.0  # softmax ignores the mean
            self._n_chars += len(centred)
            self._sums = self._sums + centred.sum(axis=0)
            self._products += np.einsum("tis,tjs->ij", centred, centred, optimize=True)

    @property
    def training_noise(self) -> float:
        """The share of the predictions' variance due to the training sample, in [0, 1]; 0 of a single fold."""
        n_folds = len(self._products)
        if n_folds == 1 or not self._n_chars:
            return 0.0
        scatter = self._products - self._sums @ np.transpose(self._sums) / self._n_chars
        size = np.sqrt(np.diag(scatter))
        with np.errstate(invalid="ignore", divide="ignore"):
            correlations = (scatter / np.outer(size, size))[~np.eye(n_folds, dtype=bool)]
        share = (n_folds - 1) * (1 - correlations.mean())
        return float(np.clip(share, 0.0, 1.0)) if np.isfinite(share) else 1.0


class IntervalContext(NamedTuple):
    """Facts about a label and its text that the intervals of its scores depend on.

    Attributes:
        n_runs: Held-out runs of the label's rarer value; None of a number.
        text: Identifies the text that the pieces are of; see `Estimate`.
        no_interval_reason: Why there are no intervals; empty if there are.
        no_interval_reason_of_classes: Why there are none for means over classes; empty if there are.
    """

    n_runs: int | None = None
    text: str = ""
    no_interval_reason: str = ""
    no_interval_reason_of_classes: str = ""


class ProbeScores(NamedTuple):
    """All scores of a probe.

    Attributes:
        values: The scores by their names.
        estimates: Those that have intervals, with their influences.
        auc_of_classes: (n_classes,) AUC of each class against the rest, NaN of one that is not held out; of a binary
            label, that of True alone; empty of a number.
    """

    values: dict[str, float]
    estimates: dict[str, Estimate]
    auc_of_classes: Array


class PredictionSums:
    """Sums over held-out characters of what scores are made of, a few characters at a time.

    Attributes:
        response: The labels.
        n: (n_cells,) characters in each cell.
    """

    def __init__(self, response: Response, n_cells: int) -> None:
        self.response = response
        self.n = np.zeros(n_cells)
        self._loss = np.zeros(n_cells)
        self._counts = np.zeros((n_cells, response.n_classes, response.n_classes))  # by label and predicted class
        self._products = np.zeros((5, n_cells))  # of labels y and predictions z: y, z, yy, zz, yz

    def add(self, z: NDArray[np.floating], y: NDArray[Any], cell: NDArray[np.int64]) -> None:
        """Add the predictions for some characters.

        Args:
            z: (n_chars, n_outputs) logits; or predicted numbers, less the centre of the labels.
            y: (n_chars,) classes; or numbers, less their centre.
            cell: (n_chars,) cell of each character.
        """
        z, n_cells = z.astype(np.float64), len(self.n)
        self.n += np.bincount(cell, minlength=n_cells)
        if self.response.kind == "numeric":
            y, z = y.astype(np.float64), z[:, 0]
            self._products += [np.bincount(cell, product, n_cells) for product in (y, z, y * y, z * z, y * z)]
            return
        y = y.astype(np.int64)
        if z.shape[1] == 1:
            predicted = (z[:, 0] > 0).astype(np.int64)
            losses = np.logaddexp(0, z[:, 0]) - y * z[:, 0]
        else:
            predicted = z.argmax(axis=1)
            losses = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), y]
        np.add.at(self._counts, (cell, y, predicted), 1)
        self._loss += np.bincount(cell, losses, n_cells)

    def share_of(self, fold: NDArray[np.int64], classes: NDArray[np.int64]) -> float:
        """Return the accuracy of always predicting one class.

        Args:
            fold: (n_cells,) the fold that each cell is held out in.
            classes: (n_folds,) the class that is predicted in each fold.
        """
        return float(self._counts[np.arange(len(fold)), classes[fold]].sum() / self.n.sum())

    def weighted_scores(self, piece: NDArray[np.int64]) -> WeightedScores:
        """Return the scores as a function of the weight of each piece of the text."""
        n_pieces = int(piece.max()) + 1
        if self.response.kind == "numeric":
            return _scores_of_numbers(_sum_by(piece, np.vstack([self.n, self._products]).T, n_pieces).T)
        counts, loss = _sum_by(piece, self._counts, n_pieces), _sum_by(piece, self._loss, n_pieces)
        return _scores_of_classes(counts, loss, is_binary=self.response.n_outputs == 1)

    def r_within_position_groups(self, cells: Cells) -> float:
        """Return Pearson's r of deviations from the means of each fold and position group."""
        _, within = np.unique(cells.fold * N_GROUPS + cells.group, return_inverse=True)
        sums = _sum_by(within, np.vstack([self.n, self._products]).T, int(within.max()) + 1)
        n, y, z, yy, zz, yz = sums.T
        n = np.maximum(n, 1)
        return float((yz - y * z / n).sum() / np.sqrt((yy - y * y / n).sum() * (zz - z * z / n).sum()))


def _sum_by(group: NDArray[np.int64], numbers: Array, n_groups: int) -> Array:
    """(n_groups, …) sums of the (n_cells, …) numbers of each group of cells."""
    sums = np.zeros((n_groups, *numbers.shape[1:]))
    np.add.at(sums, group, numbers)
    return sums


def score(
    sums: PredictionSums,
    rankings: Sequence[Sequence[RankingMetrics]],
    cells: Cells,
    context: IntervalContext,
    training_noise: float = 0.0,
) -> ProbeScores:
    """Score a probe on its held-out characters.

    For classes: accuracy, balanced_accuracy (mean recall over the classes), precision, recall and f1 (of True; of
    several classes their means), auc (of several classes the mean AUC of each one's probability against the rest; of
    several folds the mean), auc_within_position_groups (among characters of one position group), average_precision
    (of True; of several classes the mean), log_loss in nats per character. For numbers: r2, r, and
    r_within_position_groups.

    Args:
        sums: Sums over all held-out characters.
        rankings: For each fold, the metrics of each class; of a binary label, of True alone. Unused for numbers.
        cells: The cells that sums were made of.
        context: What intervals need to know.
        training_noise: Share of the predictions' variance due to the training sample, in [0, 1]; see
            `FoldAgreement`.
    """
    is_held_out = sums.n > 0
    pieces, piece_of_held_out = np.unique(cells.piece[is_held_out], return_inverse=True)
    piece = np.zeros(len(is_held_out), np.int64)
    piece[is_held_out] = piece_of_held_out
    auc_of_classes = np.empty(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        values, influences = _differentiate(sums.weighted_scores(piece), len(pieces))
        if sums.response.kind == "numeric":
            values["r_within_position_groups"] = sums.r_within_position_groups(cells)
        else:
            ranking_values, auc_of_classes, influences["auc"] = _ranking_scores(rankings, piece, len(pieces))
            values |= ranking_values
    n_folds = len(np.unique(cells.fold[is_held_out]))
    estimates = {
        name: Estimate(
            value=values[name],
            influence=influence * np.sqrt(1 + training_noise),
            n_atoms=len(pieces),
            n_cosines=None if n_folds == 1 else n_cosines(len(pieces)),
            scale=_SCALES.get(name, "logit"),
            n_runs=context.n_runs,
            text=context.text,
            no_interval_reason=context.no_interval_reason
            or (context.no_interval_reason_of_classes if name in _MEANS_OF_CLASSES else ""),
        )
        for name, influence in influences.items()
    }
    return ProbeScores(values, estimates, auc_of_classes)


def _ranking_scores(
    rankings: Sequence[Sequence[RankingMetrics]], piece: NDArray[np.int64], n_pieces: int
) -> tuple[dict[str, float], Array, Array]:
    """Average ranking metrics over folds and classes.

    Returns:
        The scores by their names, (n_classes,) AUCs of the classes, and (n_pieces,) the influence of each piece on the
        mean AUC.
    """
    aucs, within, precisions = (
        np.array([[getattr(metrics, name) for metrics in of_fold] for of_fold in rankings])
        for name in ("auc", "within", "average_precision")
    )
    n_known = np.isfinite(aucs).sum(axis=0)  # folds, for each class
    auc_of_classes = np.where(n_known > 0, np.nansum(aucs, axis=0) / n_known, np.nan)
    influence = np.zeros(n_pieces)
    for of_fold in rankings:
        for metrics, n_folds in zip(of_fold, np.maximum(n_known, 1), strict=True):
            influence += _sum_by(piece, metrics.influence / n_folds, n_pieces)
    weighted_aucs, weights = within[..., 0].sum(axis=0), within[..., 1].sum(axis=0)
    values = {
        "average_precision": _mean_of_known(precisions),
        "auc": _mean_of_known(auc_of_classes),
        "auc_within_position_groups": _mean_of_known(np.where(weights > 0, weighted_aucs / weights, np.nan)),
    }
    return values, auc_of_classes, influence / max(int((n_known > 0).sum()), 1)


def _mean_of_known(values: Array) -> float:
    """Return the mean of the values that are not NaN; NaN if all are."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan


def _differentiate(scores: WeightedScores, n_pieces: int) -> tuple[dict[str, float], dict[str, Array]]:
    """Return the scores, and their derivatives by the weight of each piece: the infinitesimal jackknife.

    Source:
        Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, SIAM: chapter 6.
    """
    step = _STEP * np.eye(n_pieces)
    values = {name: float(value[0]) for name, value in scores(np.ones((1, n_pieces))).items()}
    above, below = scores(1 + step), scores(1 - step)
    return values, {name: (above[name] - below[name]) / (2 * _STEP) for name in values}


def _scores_of_classes(counts: Array, loss: Array, *, is_binary: bool) -> WeightedScores:
    """Return the scores of classes as a function of weights.

    Args:
        counts: (n_pieces, n_classes, n_classes) characters by their label and the predicted class.
        loss: (n_pieces,) summed losses.
        is_binary: Whether precision, recall and f1 are those of True, or means over the classes that are held out.
    """
    n_classes = counts.shape[1]
    counts = counts.reshape(len(counts), -1)

    def scores(weights: Array) -> Mapping[str, Array]:
        table = (weights @ counts).reshape(-1, n_classes, n_classes)  # (n_weights, label, predicted class)
        n_right = np.diagonal(table, axis1=1, axis2=2)
        n_labelled, n_predicted = table.sum(axis=2), table.sum(axis=1)
        recall = n_right / n_labelled
        precision = np.where(n_predicted > 0, n_right / n_predicted, 0.0)
        f1 = 2 * n_right / (n_labelled + n_predicted)
        if is_binary:
            of_classes: dict[str, Array] = {
                "precision": np.where(n_predicted[:, 1] > 0, precision[:, 1], np.nan),
                "recall": recall[:, 1],
                "f1": f1[:, 1],
            }
        else:
            of_classes = {
                name: np.nanmean(np.where(n_labelled > 0, values, np.nan), axis=1)
                for name, values in (("precision", precision), ("recall", recall), ("f1", f1))
            }
        n = n_labelled.sum(axis=1)
        return {
            "accuracy": n_right.sum(axis=1) / n,
            "balanced_accuracy": np.nanmean(recall, axis=1),
            **of_classes,
            "log_loss": (weights @ loss) / n,
        }

    return scores


def _scores_of_numbers(sums: Array) -> WeightedScores:
    """Return the scores of numbers as a function of weights.

    Args:
        sums: (6, n_pieces) sums over labels y and predictions z: of 1, y, z, yy, zz and yz.
    """

    def scores(weights: Array) -> Mapping[str, Array]:
        n, y, z, yy, zz, yz = sums @ weights.T
        scatter = yy - y**2 / n
        r = (yz - y * z / n) / np.sqrt(scatter * np.maximum(zz - z**2 / n, 0.0))
        return {"r2": 1 - (yy - 2 * yz + zz) / scatter, "r": r}

    return scores
