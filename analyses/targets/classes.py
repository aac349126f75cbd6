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
from hypotheses.labels import Places
from hypotheses.parameters import few, spell_number

MOST_CLASSES = 64
_MOST_SORTED = 1 << 22  # numbers, of which bins are made


class Classes(NamedTuple):
    """What class each character of a text is in.

    Attributes:
        labels: Whose values are places in `names`; what stands where the label is missing means nothing.
        names: Of the classes.
        middles: (n_classes,) the mean label of each bin of a numeric label; the places of classes that have no order.
    """

    labels: AnyLabels
    names: tuple[str, ...]
    middles: NDArray[np.float64]

    def of(self, places: Places) -> NDArray[np.int64]:
        """(n_chars,) the class of each of some characters of the text."""
        return self.labels.values_at(places).astype(np.int64)


def classes_of(asked: Target) -> Classes:
    """The classes of a label.

    A number that takes up to 64 values has a class for each, another one up to 64 bins of as many characters each; of a
    long text, as many of those among some of its characters.

    Raises:
        AnalysisError: If a categorical label has more than 64 classes.
    """
    labels = asked.labels
    if asked.kind == "binary":
        return Classes(labels, ("False", "True"), np.arange(2.0))
    if asked.kind == "categorical":
        refuse_many(asked)
        return Classes(labels, labels.names, np.arange(float(len(labels.names))))
    starts = _starts_of_bins(asked)
    n, sums, largest = np.zeros(len(starts)), np.zeros(len(starts)), np.full(len(starts), -np.inf)
    for values, parts in asked.chunks():
        told = values[parts >= 0]
        of = to_bins(told, starts)
        n += np.bincount(of, minlength=len(starts))
        sums += np.bincount(of, told, len(starts))
        np.maximum.at(largest, of, told)
    names = tuple(
        spell_number(start) if last == start else f"{start:.4g} to {last:.4g}"
        for start, last in zip(starts.tolist(), largest.tolist(), strict=True)
    )
    return Classes(BinnedLabels(labels, starts, names), names, sums / np.maximum(n, 1))


def _starts_of_bins(asked: Target) -> NDArray[np.float64]:
    """(n_bins,) the smallest number of each bin of a numeric label."""
    every = -(-asked.selection.n_chars // _MOST_SORTED)
    few_values: NDArray[np.float64] = np.empty(0)
    sample = []
    for values, parts in asked.chunks():
        told = values[parts >= 0]
        if len(few_values) <= MOST_CLASSES:
            few_values = np.unique(np.concatenate([few_values, told]))
        sample.append(told[::every].copy())  # and not a view, which would keep all of them
    if len(few_values) <= MOST_CLASSES:
        return few_values
    places = np.arange(MOST_CLASSES) / MOST_CLASSES
    return np.unique(np.quantile(np.concatenate(sample), places, method="lower"))


def refuse_many(asked: Target) -> None:
    """Refuse a label of more classes than are told apart.

    Raises:
        AnalysisError: If a categorical label has more than 64 classes.
    """
    names = asked.labels.names
    if asked.kind == "categorical" and len(names) > MOST_CLASSES:
        raise AnalysisError(
            f"{asked.hypothesis!r} has {len(names):,} classes ({few(names)}), and at most {MOST_CLASSES} are told "
            "apart; ask for one of them"
        )


def one_against_rest(asked: Target, classes: Classes) -> list[Target]:
    """A target for each class, whose label is whether a character is in it."""
    return [
        replace(asked, hypothesis=f"{asked.hypothesis} == {name}", labels=ClassLabels(classes.labels, place))
        for place, name in enumerate(classes.names)
    ]


def runs_of_classes(asked: Target, classes: Classes) -> list[int]:
    """How many runs each class has in the training or in the held-out part, where it has fewer."""
    counts = RunCounts(len(classes.names)), RunCounts(len(classes.names))
    of_classes = replace(asked, labels=classes.labels)
    for places, parts in of_classes.chunks():
        for own, part in zip(counts, (TRAIN, TEST), strict=True):
            own.add(places.astype(np.int64), parts == part)
    return [min(each) for each in zip(*(own.n.tolist() for own in counts), strict=True)]
