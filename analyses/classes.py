"""Classes of characters: those of a label that is True or False, of a categorical one, or bins of a numeric one."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.alignment import Target
from analyses.errors import AnalysisError
from analyses.splits import TEST, TRAIN
from hypotheses.labels import Labels
from hypotheses.parameters import few, spell_number

MOST_CLASSES = 64


class Classes(NamedTuple):
    """What class each character of a text is in.

    Attributes:
        of: (n_chars,) place in `names`; what stands where the label is missing means nothing.
        names: Of the classes.
        middles: (n_classes,) the mean label of each bin of a numeric label; the places of classes that have no order.
    """

    of: NDArray[np.int64]
    names: tuple[str, ...]
    middles: NDArray[np.float64]


def classes_of(asked: Target) -> Classes:
    """The classes of a label.

    A number that takes up to 64 values has a class for each, another one up to 64 bins of as many characters each.

    Raises:
        AnalysisError: If a categorical label has more than 64 classes.
    """
    labels = asked.labels
    if asked.kind == "binary":
        return Classes(labels.values.astype(np.int64), ("False", "True"), np.arange(2.0))
    if asked.kind == "categorical":
        if len(labels.names) > MOST_CLASSES:
            raise AnalysisError(
                f"{asked.hypothesis!r} has {len(labels.names):,} classes ({few(labels.names)}), and at most "
                f"{MOST_CLASSES} are told apart; ask for one of them"
            )
        return Classes(labels.values.astype(np.int64), labels.names, np.arange(float(len(labels.names))))
    parts = asked.parts_of_text
    told = labels.values[parts >= 0]
    starts = np.unique(told)
    if len(starts) > MOST_CLASSES:
        starts = np.unique(np.quantile(told, np.arange(MOST_CLASSES) / MOST_CLASSES, method="lower"))
    of = np.clip(np.searchsorted(starts, labels.values, side="right") - 1, 0, len(starts) - 1)
    n = np.bincount(of[parts >= 0], minlength=len(starts))
    middles = np.bincount(of[parts >= 0], told, len(starts)) / np.maximum(n, 1)
    ends = [*starts[1:].tolist(), np.inf]
    names = []
    for place, start in enumerate(starts.tolist()):
        largest = told[(told >= start) & (told < ends[place])].max()
        names.append(spell_number(start) if largest == start else f"{start:.4g} to {largest:.4g}")
    return Classes(of, tuple(names), middles)


def one_against_rest(asked: Target, classes: Classes) -> list[Target]:
    """A target for each class, whose label is whether a character is in it."""
    kept = asked.labels.missing
    return [
        replace(asked, hypothesis=f"{asked.hypothesis} == {name}", labels=Labels(classes.of == place, "binary", kept))
        for place, name in enumerate(classes.names)
    ]


def runs_of_classes(asked: Target, classes: Classes) -> list[int]:
    """How many runs each class has in the training or in the held-out part, where it has fewer."""
    parts, of = asked.all_rows.parts, classes.of[asked.used]
    n_classes = len(classes.names)

    def runs(part: int) -> NDArray[np.int64]:
        own = np.where(parts == part, of, n_classes)
        begins = np.diff(own, prepend=n_classes) != 0
        return np.bincount(own[begins], minlength=n_classes + 1)[:n_classes]

    return [min(each) for each in zip(runs(TRAIN).tolist(), runs(TEST).tolist(), strict=True)]
