"""Which class each unit distinguishes most reliably, and which units of a site are the best on training characters."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from activations.units import Site
from analyses.intervals.significance import surprise
from analyses.ranking.unit_scores import UnitScores, farthest_from_chance
from analyses.statistics.placements import LabelColumns


def surest_labels(scores: Sequence[UnitScores], training_atoms: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n_units,) which of several labels each unit predicts most reliably on the training atoms."""
    if len(scores) == 1:
        return np.zeros(len(scores[0].train), np.int64)
    surprises = [surprise(of_label.sums.of(training_atoms)) for of_label in scores]
    return np.asarray(np.nan_to_num(surprises, nan=-1.0).argmax(axis=0))


def best_units(
    scores: Mapping[LabelColumns, UnitScores],
    earlier: Sequence[Mapping[Site, UnitScores]],
    families: Sequence[Sequence[int]],
    training_atoms: NDArray[np.bool_],
    most: int | None,
) -> dict[LabelColumns, NDArray[np.int64]]:
    """Choose the units that are among the best of their site, of these units and of those scored earlier.

    Args:
        scores: Scores of the units that were read together, by label and columns.
        earlier: For each label, the scores of units of the same sites that were read before.
        families: Numbers of the labels that are judged together: one label, or the classes of one.
        training_atoms: (n_atoms,) the atoms that train.
        most: How many units of each site and family to choose; None is all.

    Returns:
        For each label and columns, the units for which the label is the most reliable of its family and that are among
        the best; units that were read before are left out.
    """
    best: dict[LabelColumns, NDArray[np.int64]] = {}
    for site in dict.fromkeys(columns.site for _, columns in scores):
        columns_of_site = list(dict.fromkeys(columns for _, columns in scores if columns.site == site))
        for family in families:
            pieces = [[earlier[label][site] for label in family]] if site in earlier[family[0]] else []
            pieces += [[scores[label, columns] for label in family] for columns in columns_of_site]
            labels = np.concatenate([surest_labels(piece, training_atoms) for piece in pieces])
            train = np.concatenate([[of_label.train for of_label in piece] for piece in pieces], axis=1)
            units = farthest_from_chance(train[labels, np.arange(len(labels))], 0.5, most)
            starts = len(labels) - np.cumsum([columns.n_units for columns in columns_of_site[::-1]])[::-1]
            for number, label in enumerate(family):
                of_label = np.sort(units[labels[units] == number])
                for columns, start in zip(columns_of_site, starts, strict=True):
                    chosen = of_label[(of_label >= start) & (of_label < start + columns.n_units)] - start
                    if len(chosen):
                        best[label, columns] = chosen
    return best
