"""How well a probe does on held-out characters, and what each atom of the text adds to the error of its scores."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.estimates import Estimate, Scale
from analyses.long_run import N_GROUPS, n_cosines
from analyses.responses import Response

Array = NDArray[np.float64]
_STEP = 1e-4  # of an atom's weight, by which scores are differentiated
_SCALES: Mapping[str, Scale] = {"log_loss": "plain", "r2": "plain", "r": "fisher"}  # the others are shares: the logit
_MEANS_OF_CLASSES = ("balanced_accuracy", "precision", "recall", "f1", "auc")


class HeldOut(NamedTuple):
    """What a probe says of held-out characters.

    Attributes:
        z: (n_chars, n_scores) logits or values.
        y: (n_chars,) the labels: classes or numbers.
        atom: (n_chars,) the piece of the text that each character is in: an atom, or a stretch of atoms that depend on
            each other.
        group: (n_chars,) its position group.
        fold: (n_chars,) the fold whose probe says it.
        by_accident: How much of what it says is by the accident of its training, in [0, 1]; see `Agreement`.
    """

    z: NDArray[np.float32]
    y: NDArray[np.floating] | NDArray[np.integer]
    atom: NDArray[np.int64]
    group: NDArray[np.int64]
    fold: NDArray[np.int64]
    by_accident: float = 0.0


class Agreement:
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

    def add(self, z: NDArray[np.floating], present: NDArray[np.bool_]) -> None:
        """Add what the probes say of some characters, (n_chars, n_folds, n_scores), and which have a label."""
        if len(self._products) > 1:
            own = z[present].astype(np.float64)
            own -= own.mean(axis=2, keepdims=True) if own.shape[2] > 1 else 0.0  # what all classes share says nothing
            self._n_chars += len(own)
            self._sums = self._sums + own.sum(axis=0)
            self._products += np.einsum("tis,tjs->ij", own, own, optimize=True)

    @property
    def by_accident(self) -> float:
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


class Precision(NamedTuple):
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


class Scores(NamedTuple):
    """Scores of a probe.

    Attributes:
        values: By their names.
        estimates: Those that have intervals, with their influences.
        of_classes: Of several classes, (n_classes,) the AUC of each against the rest; NaN of one that is not held out.
    """

    values: dict[str, float]
    estimates: dict[str, Estimate]
    of_classes: Array


def score(held_out: HeldOut, response: Response, precision: Precision | None = None) -> Scores:
    """Score a probe.

    Of labels with classes: accuracy, balanced_accuracy (the mean over classes of the share that is found), precision,
    recall and f1 (of True; of several classes the means over them), auc (of several classes the mean of each one's
    probability against the rest; of several folds the mean), auc_within (the same among characters of one position
    group), average_precision (of True; of several classes the mean over them), log_loss in nats per character. Of
    numbers: r2, r, and r_within.

    Args:
        held_out: What it says.
        response: The labels it was fitted to.
        precision: What intervals can be had; None: all.
    """
    pieces, atom = np.unique(held_out.atom, return_inverse=True)
    n, own = len(pieces), precision or Precision()
    of_classes = np.empty(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        if response.kind == "numeric":
            values, influences = _differentiated(_of_numbers(held_out, atom, n), n)
            values["r_within"] = _r_within(held_out)
        else:
            values, influences = _differentiated(_of_classes(held_out, atom, n, response.n_classes), n)
            of_classes, influence, precisions = _aucs(held_out, atom, n)
            values["average_precision"] = float(np.nanmean(precisions)) if _any(precisions) else np.nan
            values["auc"], influences["auc"] = float(np.nanmean(of_classes)) if _any(of_classes) else np.nan, influence
            within = _aucs_within(held_out)
            values["auc_within"] = float(np.nanmean(within)) if _any(within) else np.nan
    is_one_fold = len(np.unique(held_out.fold)) == 1
    estimates = {
        name: Estimate(
            value=values[name],
            influence=influence * np.sqrt(1 + held_out.by_accident),
            n_atoms=n,
            n_cosines=None if is_one_fold else n_cosines(n),
            scale=_SCALES.get(name, "logit"),
            n_runs=own.n_runs,
            text=own.text,
            declined=own.declined or (own.declined_of_classes if name in _MEANS_OF_CLASSES else ""),
        )
        for name, influence in influences.items()
    }
    return Scores(values, estimates, of_classes)


Measure = Callable[[Array], Mapping[str, Array]]


def _any(values: Array) -> bool:
    return bool(np.isfinite(values).any())


def _differentiated(measure: Measure, n_atoms: int) -> tuple[dict[str, float], dict[str, Array]]:
    """Scores, and their derivatives by the weight of each atom: the infinitesimal jackknife.

    Source:
        Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, SIAM: chapter 6.
    """
    step = _STEP * np.eye(n_atoms)
    values = {name: float(found[0]) for name, found in measure(np.ones((1, n_atoms))).items()}
    above, below = measure(1 + step), measure(1 - step)
    return values, {name: (above[name] - below[name]) / (2 * _STEP) for name in values}


def _of_classes(held_out: HeldOut, atom: NDArray[np.int64], n_atoms: int, n_classes: int) -> Measure:
    z, y = held_out.z.astype(np.float64), held_out.y
    is_binary = z.shape[1] == 1
    if is_binary:
        said = (z[:, 0] > 0).astype(np.int64)
        losses = np.logaddexp(0, z[:, 0]) - y * z[:, 0]
    else:
        said = z.argmax(axis=1)
        losses = np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), y]
    code = (atom * n_classes + y) * n_classes + said
    counts = np.bincount(code, minlength=n_atoms * n_classes**2).reshape(n_atoms, -1).astype(np.float64)
    loss = np.bincount(atom, losses, n_atoms)

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


def _columns(held_out: HeldOut) -> list[tuple[int, NDArray[np.floating]]]:
    """What each class is told by: the logit of True, or the probability of each of several classes."""
    if held_out.z.shape[1] == 1:
        return [(1, held_out.z[:, 0])]
    from scipy.special import softmax

    return list(enumerate(softmax(held_out.z.astype(np.float64), axis=1).T))


def _aucs(held_out: HeldOut, atom: NDArray[np.int64], n_atoms: int) -> tuple[Array, Array, Array]:
    """AUCs of classes, the mean over folds; (n_atoms,) what each atom adds to the error of their mean; and precisions.

    The last are the average precisions of each class and fold.
    """
    columns, folds = _columns(held_out), np.unique(held_out.fold)
    found, precisions = np.full((2, len(columns), len(folds)), np.nan)
    influences = np.zeros((len(columns), len(folds), n_atoms))
    for number, fold in enumerate(folds):
        rows = np.flatnonzero(held_out.fold == fold)
        for place, (label, z) in enumerate(columns):
            is_it = held_out.y[rows] == label
            if is_it.any() and not is_it.all():
                found[place, number], placed, precisions[place, number] = _placed(z[rows], is_it)
                influences[place, number] = np.bincount(atom[rows], placed, n_atoms)
    known = np.isfinite(found)
    aucs = np.where(known.any(axis=1), np.nansum(found, axis=1) / known.sum(axis=1), np.nan)
    each = influences.sum(axis=1) / np.maximum(known.sum(axis=1), 1)[:, None]
    return aucs, each.sum(axis=0) / max(int(np.isfinite(aucs).sum()), 1), precisions


def _placed(z: NDArray[np.floating], is_it: NDArray[np.bool_]) -> tuple[float, Array, float]:
    """The AUC, (n_chars,) what each character adds to its error, and the average precision.

    A character adds its placement among the others, less the AUC.
    """
    order = np.argsort(z)
    values = _Values.of(z, is_it, order)
    n_positive, n_negative = int(values.positive.sum()), int(values.negative.sum())
    auc = values.n_ordered / (n_positive * n_negative)
    lower, higher = _halved_sums(values.negative), n_positive - _halved_sums(values.positive)
    placed, positive = np.empty(len(z)), is_it[order]
    placed[order] = np.repeat((higher / n_positive - auc) / n_negative, values.n_each)
    placed[order[positive]] = np.repeat((lower / n_negative - auc) / n_positive, values.positive)
    return auc, placed, values.average_precision


class _Values(NamedTuple):
    """For each value that there is, in their order, of how many characters that have the label it is, and of others."""

    positive: NDArray[np.int64]
    negative: NDArray[np.int64]

    @classmethod
    def of(cls, z: NDArray[np.floating], is_it: NDArray[np.bool_], order: NDArray[np.int64]) -> "_Values":
        """Of characters, and how to put them in order by what is said of them."""
        in_order = z[order]
        starts = np.flatnonzero(np.append(True, in_order[1:] != in_order[:-1]))
        positive = np.add.reduceat(is_it[order], starts, dtype=np.int64)
        return cls(positive, np.diff(starts, append=len(order)) - positive)

    @property
    def n_each(self) -> NDArray[np.int64]:
        """Of how many characters each is."""
        return self.positive + self.negative

    @property
    def average_precision(self) -> float:
        """Mean precision at the characters with the label, from the highest value on, equal values at once."""
        n_true, n_said = np.cumsum(self.positive[::-1]), np.cumsum(self.n_each[::-1])
        return float(self.positive[::-1] @ (n_true / n_said) / n_true[-1])

    @property
    def n_ordered(self) -> float:
        """Pairs of a character with the label and a lower one without, equal ones counted half."""
        return float(self.positive @ _halved_sums(self.negative))


def _halved_sums(numbers: NDArray[np.int64]) -> Array:
    """For each, the sum of those before it and of half of itself."""
    return np.cumsum(numbers) - 0.5 * numbers


def _aucs_within(held_out: HeldOut) -> Array:
    """(n_classes,) AUCs among characters of one fold and position group, weighted by n₁ n₀ / n."""
    _, cells = np.unique(held_out.fold * N_GROUPS + held_out.group, return_inverse=True)
    cells = cells.astype(np.uint16)  # which are sorted in linear time
    ends = np.cumsum(np.bincount(cells))
    found = []
    for label, z in _columns(held_out):
        total = weight = 0.0
        by_value = np.argsort(z)
        in_cells = by_value[np.argsort(cells[by_value], kind="stable")]
        is_label = held_out.y == label
        for order in np.split(in_cells, ends[:-1]):
            values = _Values.of(z, is_label, order)
            n_positive, n_negative = int(values.positive.sum()), int(values.negative.sum())
            if n_positive and n_negative:
                n = n_positive + n_negative
                total, weight = total + values.n_ordered / n, weight + n_positive * n_negative / n
        found.append(total / weight if weight else np.nan)
    return np.array(found)


def _of_numbers(held_out: HeldOut, atom: NDArray[np.int64], n_atoms: int) -> Measure:
    y, z = held_out.y.astype(np.float64), held_out.z[:, 0].astype(np.float64)
    middle = y.mean()
    y, z = y - middle, z - middle
    products = np.stack([np.bincount(atom, each, n_atoms) for each in (np.ones(len(y)), y, z, y * y, z * z, y * z)])

    def measure(weights: Array) -> Mapping[str, Array]:
        n, sum_y, sum_z, yy, zz, yz = products @ weights.T
        scatter = yy - sum_y**2 / n
        r = (yz - sum_y * sum_z / n) / np.sqrt(scatter * np.maximum(zz - sum_z**2 / n, 0.0))
        return {"r2": 1 - (yy - 2 * yz + zz) / scatter, "r": r}

    return measure


def _r_within(held_out: HeldOut) -> float:
    """Pearson's r of deviations from the means of each fold and position group."""
    _, cells = np.unique(held_out.fold * N_GROUPS + held_out.group, return_inverse=True)
    n = np.bincount(cells)
    y, z = (
        each - (np.bincount(cells, each) / n)[cells]
        for each in (held_out.y.astype(np.float64), held_out.z[:, 0].astype(np.float64))
    )
    return float((y @ z) / np.sqrt((y @ y) * (z @ z)))
