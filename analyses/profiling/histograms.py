"""Histograms of a unit by class of a label, and the threshold that tells a binary label best in training."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from activations.results import Result, TableCell
from analyses.intervals.estimates import Estimate
from analyses.intervals.long_run import n_cosines
from analyses.ranking.methods.binary_counts import CountsBelow
from analyses.ranking.methods.threshold_scores import balanced_accuracy, choose_threshold
from analyses.rounding import rounded
from analyses.targets.classes import Classes
from analyses.targets.splits import TEST, TRAIN, Split
from analyses.targets.target import Target

Array = NDArray[np.float64]
N_BINS = 60
_THIRDS = ("lowest third", "middle third", "highest third")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Histogram(Result):
    """How the values of a unit lie in each of some groups of characters.

    Attributes:
        groups: The names of the groups: False and True, the class and others, or thirds of a number.
        edges: (n_bins + 1,) the borders of the bins, which are equally wide.
        n: (n_groups, n_bins) how many characters of each group have a value in each bin.
    """

    groups: tuple[str, ...]
    edges: Array = field(repr=False)
    n: NDArray[np.int64] = field(repr=False)

    @property
    def shares(self) -> Array:
        """(n_groups, n_bins) which share of the characters of a group is in each bin; NaN for a group without any."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.n / self.n.sum(axis=1, keepdims=True))

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each group and bin."""
        return [
            {
                "group": group,
                "from": float(self.edges[place]),
                "to": float(self.edges[place + 1]),
                "share": float(shares[place]),
                "n": int(n[place]),
            }
            for group, n, shares in zip(self.groups, self.n, self.shares, strict=True)
            for place in range(len(n))
        ]

    def __str__(self) -> str:
        numbers = (f"{int(n.sum()):,} characters of {group}" for group, n in zip(self.groups, self.n, strict=True))
        return f"{self.n.shape[1]} bins from {self.edges[0]:.3g} to {self.edges[-1]:.3g}: {', '.join(numbers)}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Threshold(Result):
    """The threshold of a unit that tells a binary label best in training, judged on held-out characters.

    Attributes:
        value: The threshold, between two values that occur in training.
        is_above: Whether characters above it are taken for True; otherwise those below it.
        balanced_accuracy: The mean of the shares of True and of False held-out characters that are told right.
        low: The lower end of its 95 % interval; NaN if there is none.
        high: The upper end.
        no_interval_reason: Why there is none, as a sentence; empty if there is one.
    """

    value: float
    is_above: bool
    balanced_accuracy: float
    low: float
    high: float
    no_interval_reason: str = ""

    def __str__(self) -> str:
        interval = "" if self.no_interval_reason else f" ({rounded(self.low, '.3f')} to {rounded(self.high, '.3f')})"
        return (
            f"True {'above' if self.is_above else 'below'} {self.value:.3g}: balanced accuracy "
            f"{rounded(self.balanced_accuracy, '.3f')}{interval} on held-out characters"
        )


def histogram(
    values: NDArray[np.floating], groups: NDArray[np.int64], names: tuple[str, ...], n_bins: int = N_BINS
) -> Histogram:
    """Count the values of a unit in equally wide bins, from its lowest value to its highest.

    Args:
        values: (n_chars,) values.
        groups: (n_chars,) the number of the group of each character.
        names: The names of the groups.
        n_bins: How many bins there are.
    """
    lowest, highest = float(values.min()), float(values.max())
    reach = (highest - lowest) or 1.0
    places = ((values.astype(np.float64) - lowest) / reach * n_bins).astype(np.int64).clip(0, n_bins - 1)
    n = np.bincount(groups * n_bins + places, minlength=len(names) * n_bins).reshape(len(names), n_bins)
    return Histogram(groups=names, edges=np.linspace(lowest, lowest + reach, n_bins + 1), n=n)


def groups_of(target: Target, classes: Classes, chosen: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the group of each character with a label, and the names: False and True, a class and others, or thirds.

    Args:
        target: The label.
        classes: Its classes.
        chosen: The number of the class, for a label of several.
    """
    rows = target.all_rows
    labels = rows.labels[rows.parts >= 0]
    if target.kind == "binary":
        return labels.astype(np.int64), ("False", "True")
    if target.kind == "categorical":
        return (labels == chosen).astype(np.int64), ("others", classes.names[chosen])
    borders = np.quantile(labels, [1 / 3, 2 / 3])
    return np.searchsorted(borders, labels, side="left"), _THIRDS


def find_threshold(
    values: NDArray[np.floating],
    is_true: NDArray[np.bool_],
    target: Target,
    *,
    n_runs: int | None = None,
    no_interval_reason: str = "",
) -> Threshold:
    """Find the threshold with the best balanced accuracy in training, and judge it on held-out characters.

    Args:
        values: (n_labelled,) values of the unit at the characters with a label.
        is_true: (n_labelled,) whether the label is True, or the class the chosen one.
        target: The label, for the parts of the text.
        n_runs: Held-out runs of the rarer value, for the interval of a threshold without errors.
        no_interval_reason: Why there is no interval, as a sentence; empty if there is one.

    Returns:
        The threshold. As for the AUC of a unit, the variance is that of the whole text, scaled to what is held out.
    """
    parts = target.parts_of_used
    is_labelled = parts >= 0
    parts = parts[is_labelled]
    levels, below = _counts_below(values, is_true, parts)
    is_above, place = choose_threshold(balanced_accuracy, below[TRAIN].astype(np.int64))
    value = _between(levels, place)
    is_right = ((values >= value) == is_above) == is_true
    accuracies = [is_right[(parts == TEST) & (is_true == label)].mean() for label in (False, True)]
    used, split = target.selection, target.split
    atoms = split.atom(np.arange(used.start, used.stop, used.every)[is_labelled])
    estimate = Estimate(
        value=float(np.mean(accuracies)),
        influence=_influence(is_right, is_true, atoms, split),
        n_atoms=int(split.held_out_atoms.sum()),
        n_cosines=n_cosines(split.n_atoms),
        scale="logit",
        n_runs=n_runs,
        no_interval_reason=no_interval_reason,
    )
    low, high = estimate.interval
    return Threshold(
        value=float(value),
        is_above=is_above,
        balanced_accuracy=estimate.value,
        low=low,
        high=high,
        no_interval_reason=no_interval_reason,
    )


def _counts_below(
    values: NDArray[np.floating], is_true: NDArray[np.bool_], parts: NDArray[np.int8]
) -> tuple[Array, CountsBelow]:
    """Return the distinct values, and (2 parts, 2 labels, n_levels + 1) numbers of characters below each."""
    levels, place = np.unique(values, return_inverse=True)
    below = np.zeros((2, 2, len(levels) + 1), np.uint32)
    for part in (TRAIN, TEST):
        for label in (0, 1):
            chosen = (parts == part) & (is_true == label)
            below[part, label, 1:] = np.cumsum(np.bincount(place[chosen], minlength=len(levels)))
    return levels.astype(np.float64), below


def _influence(
    is_right: NDArray[np.bool_], is_true: NDArray[np.bool_], atoms: NDArray[np.int64], split: Split
) -> Array:
    """(n_atoms,) what each atom would add to the error of the balanced accuracy if it were held out."""
    influence = np.zeros(split.n_atoms)
    for label in (False, True):
        of_label = is_true == label
        deviations = is_right[of_label] - is_right[of_label].mean()
        n_held_out = split.held_out_atoms.mean() * of_label.sum()
        influence += np.bincount(atoms[of_label], deviations, split.n_atoms) / (2 * n_held_out)
    return influence


def _between(levels: Array, place: int) -> np.float64:
    """Return a threshold below which `place` of the distinct values lie; in float64, in which nothing is rounded."""
    if place == 0:
        return np.float64(levels[0])
    if place == len(levels):
        return np.float64(np.nextafter(levels[-1], np.inf))
    return np.float64((levels[place - 1] + levels[place]) / 2)
