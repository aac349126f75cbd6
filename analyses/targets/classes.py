"""Classes of characters: those of a label that is True or False, of a categorical one, or bins of a numeric one."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from analyses.targets.run_counts import RunCounts
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from hypotheses.labelling.long_labels import AnyLabels, BinnedLabels, ClassLabels, to_bins
from hypotheses.labels import CharIndex
from hypotheses.spelling import short_list, spell_number

MOST_CLASSES = 64
_MOST_SORTED = 1 << 22  # numbers, from which bins are made


class Classes(NamedTuple):
    """The class of each character of a text.

    Attributes:
        labels: Labels whose values are places in `names`; where the label is missing, the value means nothing.
        names: The names of the classes.
        middles: (n_classes,) the mean label of each bin of a numeric label; the numbers of classes that have no order.
    """

    labels: AnyLabels
    names: tuple[str, ...]
    middles: NDArray[np.float64]

    def of(self, places: CharIndex) -> NDArray[np.int64]:
        """(n_chars,) the class of the character at each place of the text."""
        return self.labels.values_at(places).astype(np.int64)


def classes_of(target: Target, most_sorted: int = _MOST_SORTED) -> Classes:
    """Return the classes of a label.

    A number that takes up to 64 values has a class for each, another one up to 64 bins with the same number of
    characters each; in a text of more than `most_sorted` characters, with the same number of a sample of about as many.

    Raises:
        AnalysisError: If a categorical label has more than 64 classes.
    """
    labels = target.labels
    if target.kind == "binary":
        return Classes(labels, ("False", "True"), np.arange(2.0))
    if target.kind == "categorical":
        refuse_many(target)
        return Classes(labels, labels.names, np.arange(float(len(labels.names))))
    starts = _starts_of_bins(target, most_sorted)
    n, sums, largest = np.zeros(len(starts)), np.zeros(len(starts)), np.full(len(starts), -np.inf)
    for values, parts in target.chunks():
        labelled = values[parts >= 0]
        bins = to_bins(labelled, starts)
        n += np.bincount(bins, minlength=len(starts))
        sums += np.bincount(bins, labelled, len(starts))
        np.maximum.at(largest, bins, labelled)
    names = tuple(
        spell_number(start) if last == start else f"{start:.4g} to {last:.4g}"
        for start, last in zip(starts.tolist(), largest.tolist(), strict=True)
    )
    return Classes(BinnedLabels(labels, starts, names), names, sums / np.maximum(n, 1))


def _starts_of_bins(target: Target, most_sorted: int) -> NDArray[np.float64]:
    """(n_bins,) the smallest number of each bin of a numeric label."""
    every = -(-target.selection.n_chars // most_sorted)
    few_values: NDArray[np.float64] = np.empty(0)
    sample = []
    for values, parts in target.chunks():
        labelled = values[parts >= 0]
        if len(few_values) <= MOST_CLASSES:
            few_values = np.unique(np.concatenate([few_values, labelled]))
        sample.append(labelled[::every].copy())  # and not a view, which would keep all of them
    if len(few_values) <= MOST_CLASSES:
        return few_values
    quantiles = np.arange(MOST_CLASSES) / MOST_CLASSES
    return np.unique(np.quantile(np.concatenate(sample), quantiles, method="lower"))


def refuse_many(target: Target) -> None:
    """Refuse a label of too many classes.

    Raises:
        AnalysisError: If a categorical label has more than 64 classes.
    """
    names = target.labels.names
    if target.kind == "categorical" and len(names) > MOST_CLASSES:
        raise AnalysisError(
            f"{target.hypothesis!r} has {len(names):,} classes ({short_list(names)}), and at most "
            f"{MOST_CLASSES} can be distinguished; name one of them"
        )


def one_against_rest(target: Target, classes: Classes) -> list[Target]:
    """Return a target for each class, whose label is whether a character is in it."""
    return [
        replace(target, hypothesis=f"{target.hypothesis} == {name}", labels=ClassLabels(classes.labels, number))
        for number, name in enumerate(classes.names)
    ]


def runs_of_classes(target: Target, classes: Classes) -> list[int]:
    """Count the runs of each class in the training or in the held-out part, where it has fewer."""
    training, held_out = RunCounts(len(classes.names)), RunCounts(len(classes.names))
    for values, parts in replace(target, labels=classes.labels).chunks():
        numbers = values.astype(np.int64)
        training.add(numbers, parts == TRAIN)
        held_out.add(numbers, parts == TEST)
    return [min(pair) for pair in zip(training.n.tolist(), held_out.n.tolist(), strict=True)]
