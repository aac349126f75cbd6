"""How well a probe does on held-out characters, and what each atom of the text adds to the error of its scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.estimates import Estimate, Scale
from analyses.intervals.long_run import N_GROUPS, n_cosines
from analyses.probing.fitting.responses import Response
from analyses.probing.ranking_metrics import RankingMetrics

Array = NDArray[np.float64]
_STEP = 1e-4  # of an atom's weight, by which scores are differentiated
_SCALES: Mapping[str, Scale] = {"log_loss": "plain", "r2": "plain", "r": "fisher"}  # the others are shares: the logit
_MEANS_OF_CLASSES = ("balanced_accuracy", "precision", "recall", "f1", "auc")


class Cells(NamedTuple):
    """Kinds of held-out characters, of each of which sums are kept: atoms, as a rule.

    Attributes:
        piece: (n_cells,) the piece of the text that each is in: an atom, or a stretch of atoms that depend on each
            other.
        group: (n_cells,) its position group.
        fold: (n_cells,) the fold whose probe says something of it.
    """

    piece: NDArray[np.int64]
    group: NDArray[np.int64]
    fold: NDArray[np.int64]


class FoldAgreement:
    """How much of what the probes of several folds say is by the accident of what each was trained on.

    Where a label has nothing to do with the units, a probe is made of what two pieces of the text have in common by
    chance, and held-out scores of it, too: each pair of pieces of different folds counts in both folds, so that the
    variance of their mean is twice what it would be if folds did not depend on each other. Where a probe is what any
    text would have made of it, it is not. Between these it is 1 + a times as large, with a the share of its variance
    that what a probe says owes to accident. Two of k folds have all but one of k − 1 training pieces in common, and so
    correlate by 1 − a / (k − 1).

    Source:
        Of the variance of cross-validation: Bengio & Grandvalet 2004, Journal of Machine Learning Research
        5:1089-1105. The share is derived here, and held against simulations (`benchmarks/truth.py`).
    """

    def __init__(self, n_folds: int) -> None:
        self._n_chars = 0
        self._sums: Array | float = 0.0
        self._products = np.zeros((n_folds, n_folds))

    def add(self, z: NDArray[np.floating]) -> None:
        """Add what the probes say of some characters that have a label, (n_chars, n_folds, n_outputs)."""
        if len(self._products) > 1:
            own = z.astype(np.float64)
            own -= own.mean(axis=2, keepdims=True) if own.shape[2] > 1 else 0.0  # what all classes share says nothing
            self._n_chars += len(own)
            self._sums = self._sums + own.sum(axis=0)
            self._products += np.einsum("tis,tjs->ij", own, own, optimize=True)

    @property
    def training_noise(self) -> float:
        """The share, in [0, 1]; 0 of one fold, whose characters are in no other probe."""
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
    """How sure the scores of a label can be on a text.

    Attributes:
        n_runs: Held-out runs of the label's rarer value; None of a number.
        text: What the atoms are of; see `Estimate`.
        declined: Why there are no intervals; empty if there are.
        declined_of_classes: The same of what is a mean over classes.
    """

    n_runs: int | None = None
    text: str = ""
    declined: str = ""
    declined_of_classes: str = ""


class ProbeScores(NamedTuple):
    """Scores of a probe.

    Attributes:
        values: By their names.
        estimates: Those that have intervals, with their influences.
        of_classes: Of several classes, (n_classes,) the AUC of each against the rest; NaN of one that is not held out.
    """

    values: dict[str, float]
    estimates: dict[str, Estimate]
    of_classes: Array


class PredictionSums:
    """What is added up of what a probe says of held-out characters, some of them at a time.

    Attributes:
        n: (n_cells,) characters.
    """

    def __init__(self, response: Response, n_cells: int) -> None:
        self.response = response
        self.n = np.zeros(n_cells)
        self._loss = np.zeros(n_cells)
        self._counts = np.zeros((n_cells, response.n_classes, response.n_classes))  # label, said
        self._products = np.zeros((5, n_cells))

    def add(self, z: NDArray[np.floating], y: NDArray[Any], cell: NDArray[np.int64]) -> None:
        """Add some characters.

        Args:
            z: (n_chars, n_outputs) logits; or values, less the label's middle.
            y: (n_chars,) classes; or numbers, less the middle.
            cell: (n_chars,) of each.
        """
        z, n_cells = z.astype(np.float64), len(self.n)
        self.n += np.bincount(cell, minlength=n_cells)
        if self.response.kind == "numeric":
            y, own = y.astype(np.float64), z[:, 0]
            self._products += [np.bincount(cell, each, n_cells) for each in (y, own, y * y, own * own, y * own)]
            return
        y = y.astype(np.int64)
        if z.shape[1] == 1:
            said = (z[:, 0] > 0).astype(np.int64)
            losses = np.logaddexp(0, z[:, 0]) - y * z[:, 0]
        else:
            said = z.argmax(axis=1)
            losses = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), y]
        np.add.at(self._counts, (cell, y, said), 1)
        self._loss += np.bincount(cell, losses, n_cells)

    def share_of(self, fold: NDArray[np.int64], classes: NDArray[np.int64]) -> float:
        """The share of characters that are of a class, given (n_folds,) one for each fold."""
        return float(self._counts[np.arange(len(fold)), classes[fold]].sum() / self.n.sum())

    def measure(self, piece: NDArray[np.int64]) -> "Measure":
        """Scores as a function of how much each piece of the text weighs."""
        n_pieces = int(piece.max()) + 1
        if self.response.kind == "numeric":
            return _of_numbers(_by(piece, np.vstack([self.n, self._products]).T, n_pieces).T)
        return _of_classes(
            _by(piece, self._counts, n_pieces), _by(piece, self._loss, n_pieces), is_binary=self.response.n_outputs == 1
        )

    def r_within(self, cells: Cells) -> float:
        """Pearson's r of deviations from the means of each fold and position group."""
        _, within = np.unique(cells.fold * N_GROUPS + cells.group, return_inverse=True)
        n, y, z, yy, zz, yz = _by(within, np.vstack([self.n, self._products]).T, int(within.max()) + 1).T
        own = np.maximum(n, 1)
        return float((yz - y * z / own).sum() / np.sqrt((yy - y * y / own).sum() * (zz - z * z / own).sum()))


def _by(place: NDArray[np.int64], numbers: Array, n: int) -> Array:
    """(n, …) sums of those (n_cells, …) numbers that have the same place."""
    found = np.zeros((n, *numbers.shape[1:]))
    np.add.at(found, place, numbers)
    return found


def score(
    sums: PredictionSums,
    ranks: Sequence[Sequence[RankingMetrics]],
    cells: Cells,
    precision: IntervalContext,
    training_noise: float = 0.0,
) -> ProbeScores:
    """Score a probe.

    Of labels with classes: accuracy, balanced_accuracy (the mean over classes of the share that is found), precision,
    recall and f1 (of True; of several classes the means over them), auc (of several classes the mean of each one's
    probability against the rest; of several folds the mean), auc_within (the same among characters of one position
    group), average_precision (of True; of several classes the mean over them), log_loss in nats per character. Of
    numbers: r2, r, and r_within.

    Args:
        sums: Of what it says of all held-out characters.
        ranks: For each fold, of what it says of each class: of True alone if there are two. None for numbers.
        cells: Of which sums were made.
        precision: What intervals can be had.
        training_noise: How much of what it says is by the accident of its training, in [0, 1]; see `FoldAgreement`.
    """
    there = sums.n > 0
    pieces, piece = np.unique(cells.piece[there], return_inverse=True)
    n = len(pieces)
    place = np.zeros(len(there), np.int64)
    place[there] = piece
    of_classes = np.empty(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        values, influences = _differentiated(sums.measure(place), n)
        if sums.response.kind == "numeric":
            values["r_within"] = sums.r_within(cells)
        else:
            aucs, within, precisions = (
                np.array([[getattr(each, name) for each in of_fold] for of_fold in ranks])
                for name in ("auc", "within", "average_precision")
            )
            known = np.isfinite(aucs).sum(axis=0)
            of_classes = np.where(known > 0, np.nansum(aucs, axis=0) / known, np.nan)
            values["average_precision"] = _mean(precisions)
            values["auc"] = _mean(of_classes)
            influence = np.zeros(n)
            for of_fold in ranks:
                for each, n_known in zip(of_fold, np.maximum(known, 1), strict=True):
                    influence += _by(place, each.influence / n_known, n)
            influences["auc"] = influence / max(int((known > 0).sum()), 1)
            n_ordered, weights = within[..., 0].sum(axis=0), within[..., 1].sum(axis=0)
            values["auc_within"] = _mean(np.where(weights > 0, n_ordered / weights, np.nan))
    n_folds = len(np.unique(cells.fold[there]))
    estimates = {
        name: Estimate(
            value=values[name],
            influence=influence * np.sqrt(1 + training_noise),
            n_atoms=n,
            n_cosines=None if n_folds == 1 else n_cosines(n),
            scale=_SCALES.get(name, "logit"),
            n_runs=precision.n_runs,
            text=precision.text,
            declined=precision.declined or (precision.declined_of_classes if name in _MEANS_OF_CLASSES else ""),
        )
        for name, influence in influences.items()
    }
    return ProbeScores(values, estimates, of_classes)


Measure = Callable[[Array], Mapping[str, Array]]


def _mean(values: Array) -> float:
    """Of those that are known."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan


def _differentiated(measure: Measure, n_atoms: int) -> tuple[dict[str, float], dict[str, Array]]:
    """Scores, and their derivatives by the weight of each atom: the infinitesimal jackknife.

    Source:
        Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, SIAM: chapter 6.
    """
    step = _STEP * np.eye(n_atoms)
    values = {name: float(found[0]) for name, found in measure(np.ones((1, n_atoms))).items()}
    above, below = measure(1 + step), measure(1 - step)
    return values, {name: (above[name] - below[name]) / (2 * _STEP) for name in values}


def _of_classes(counts: Array, loss: Array, *, is_binary: bool) -> Measure:
    """Of (n_pieces, n_classes, n_classes) characters by label and by what is said, and (n_pieces,) losses."""
    n_classes = counts.shape[1]
    counts = counts.reshape(len(counts), -1)

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


def _of_numbers(products: Array) -> Measure:
    """Of (6, n_pieces) sums of 1, labels, values, and of the products of each two of these."""

    def measure(weights: Array) -> Mapping[str, Array]:
        n, sum_y, sum_z, yy, zz, yz = products @ weights.T
        scatter = yy - sum_y**2 / n
        r = (yz - sum_y * sum_z / n) / np.sqrt(scatter * np.maximum(zz - sum_z**2 / n, 0.0))
        return {"r2": 1 - (yy - 2 * yz + zz) / scatter, "r": r}

    return measure
