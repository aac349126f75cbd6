"""What probes are asked: labels, what of them trains and tests in each fold, and whether there can be a score."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.alignment import ENOUGH_RUNS, Target, fewest_runs
from analyses.classes import classes_of
from analyses.probe_results import Fitting
from analyses.responses import Response
from analyses.splits import TEST, TRAIN


class Folds(NamedTuple):
    """What trains and what tests.

    Attributes:
        places: (n_rows,) of the characters in the text.
        parts: (n_folds, n_rows) the part of each of them in each fold.
        inner: (n_folds, n_rows) the same where something is to be chosen within the fold's training stretches.
        stretch: (n_rows,) that each is in.
    """

    places: NDArray[np.int64]
    parts: NDArray[np.int8]
    inner: NDArray[np.int8]
    stretch: NDArray[np.int64]

    @classmethod
    def of(cls, asked: Target, how: Fitting) -> "Folds":
        """Of the split of a target."""
        used = asked.selection
        places = np.arange(used.start, used.stop, used.every)
        folds = asked.split.folds(how.folds)
        if how.n_stretches is not None:
            folds = [fold.with_training(how.n_stretches, how.seed) for fold in folds]
        parts = np.stack([fold.parts_of(places) for fold in folds])
        inner = np.stack([fold.within_training().parts_of(places) for fold in folds])
        return cls(places, parts, inner, asked.split.stretch(places))


class Asked:
    """A label, what of it trains and tests in each fold, and whether a probe can be fitted to it.

    Attributes:
        target: The label.
        place: Of the hypothesis among those that were asked.
        control: The control task that made it, if one did.
        response: What probes are fitted to.
        folds: What is held out.
        present: (n_rows,) where there is a label.
        note: Why there can be no score, or what makes it uncertain.
        can_be_fitted: Whether there can be one.
    """

    def __init__(self, target: Target, folds: Folds, place: int, *, control: str | None = None) -> None:
        self.target, self.folds, self.place, self.control = target, folds, place, control
        labels, parts = target.all_rows
        self.present = present = parts >= 0
        if target.kind == "numeric":
            self.response = Response("numeric", np.where(present, labels, np.nan), 1)
        else:
            n_classes = 2 if target.kind == "binary" else len(target.labels.names)
            if target.kind == "categorical":
                classes_of(target)  # or there are too many
            self.response = Response(target.kind, np.where(present, labels, -1).astype(np.int16), n_classes)
        reason = self._why_not()
        self.can_be_fitted = reason is None
        self.note = reason or ""
        if reason is None and control is None:
            runs = fewest_runs(target, self.rows(TEST))
            if runs is not None and runs < ENOUGH_RUNS:
                what = "True in" if target.kind == "binary" else "a class is in"
                self.note = f"{what} only {runs} run{'' if runs == 1 else 's'} of held-out characters"

    def _why_not(self) -> str | None:
        for name, part in (("training", TRAIN), ("test", TEST)):
            for number, rows in enumerate(self.rows(part)):
                if not has_two(self.response, rows):
                    where = "" if len(self.folds.parts) == 1 else f" of fold {number + 1}"
                    return f"no two labels in the {name} part{where}"
        return None

    def rows(self, part: int) -> NDArray[np.bool_]:
        """(n_folds, n_rows) which characters with a label are in a part."""
        return np.asarray((self.folds.parts == part) & self.present)


def has_two(response: Response, rows: NDArray[np.bool_]) -> bool:
    """Whether a label has two values or more in some rows."""
    values = response.values[rows]
    return len(values) > 0 and bool((values != values[0]).any())


def with_folds(targets: Sequence[Target], how: Fitting, *, control: str | None = None) -> list[Asked]:
    """The targets with their folds, which those of one split share; `control` is the control task that made them."""
    folds = {each.split: each for each in targets}
    found = {split: Folds.of(each, how) for split, each in folds.items()}
    return [Asked(each, found[each.split], place, control=control) for place, each in enumerate(targets)]


def in_any(asked: Sequence[Asked], part: int) -> NDArray[np.bool_]:
    """(n_rows,) the characters that are in a part in any fold, with a label or without."""
    of_each = {id(each.folds): each.folds for each in asked}
    return np.asarray(np.any([(folds.parts == part).any(axis=0) for folds in of_each.values()], axis=0))
