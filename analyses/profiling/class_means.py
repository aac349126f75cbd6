"""Means of a unit by class of a label, or over a number, with intervals by atoms."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from activations.results import Result, TableCell
from analyses.intervals.estimates import intervals, standard_errors
from analyses.intervals.long_run import n_cosines
from analyses.ranking.explaining.tuning import Tuning
from analyses.rounding import rounded
from analyses.targets.classes import Classes
from analyses.targets.row_runs import pieces_of_rows
from analyses.targets.target import Target

Array = NDArray[np.float64]
_FEWEST_ATOMS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ClassMeans(Result):
    """The means of a unit where a label has each of its values, with 95 % intervals for other text like this.

    Attributes:
        tuning: The means, with what they explain of the unit.
        kind: The kind of label.
        low: (n_classes,) the lower ends of the intervals; NaN where a class occurs in fewer than 8 atoms.
        high: (n_classes,) the upper ends.
    """

    tuning: Tuning = field(repr=False)
    kind: str
    low: Array = field(repr=False)
    high: Array = field(repr=False)

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each class."""
        return [
            {**row, "low": float(low), "high": float(high)}
            for row, low, high in zip(self.tuning.rows(), self.low, self.high, strict=True)
        ]

    def __str__(self) -> str:
        tuning = self.tuning
        wave = "" if tuning.period is None else f", in a wave with a period of {tuning.period:.3g}"
        return f"{tuning.hypothesis} explains {rounded(tuning.eta2, '.1%')} of the unit, on held-out characters{wave}"


def class_means(values: NDArray[np.floating], target: Target, classes: Classes, tuning: Tuning) -> ClassMeans:
    """Add intervals to the means of a unit in each class.

    Args:
        values: (n_chars,) values of the unit at all characters of the text.
        target: The label.
        classes: Its classes.
        tuning: The means.
    """
    split, n_classes = target.split, len(classes.names)
    sums, n = np.zeros((2, split.n_atoms, n_classes))
    used = target.selection
    for rows in pieces_of_rows(used.n_chars):
        stop = min(used.start + rows.stop * used.every, used.stop)
        places = np.arange(used.start + rows.start * used.every, stop, used.every)
        missing = target.labels.missing_at(slice(int(places[0]), int(places[-1]) + 1, used.every))
        if missing is not None:
            places = places[~missing]
        cells = split.atom(places) * n_classes + classes.of(places)
        sums += np.bincount(cells, values[places].astype(np.float64), sums.size).reshape(sums.shape)
        n += np.bincount(cells, minlength=n.size).reshape(n.shape)
    total = n.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums.sum(axis=0) / total
        influence = (sums - means * n) / total
    freedom = n_cosines(split.n_atoms)
    errors = standard_errors(influence, split.n_atoms, freedom)
    errors[(n > 0).sum(axis=0) < _FEWEST_ATOMS] = np.nan
    low, high = intervals(means, errors, freedom, "plain", None)
    return ClassMeans(tuning=tuning, kind=target.kind, low=low, high=high)
