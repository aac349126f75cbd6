"""What probes are asked: labels, what of them trains and tests in each fold, and whether there can be a score."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.alignment import ENOUGH_RUNS, Target, fewest_runs, n_runs
from analyses.classes import classes_of
from analyses.long_run import label_memory, position_groups
from analyses.probe_results import Fitting
from analyses.probe_scores import Precision
from analyses.responses import Response
from analyses.significance import FEWEST_RUNS, too_few
from analyses.splits import TEST, TRAIN
from hypotheses.parameters import few

FEWEST_HELD_OUT = 8  # pieces of the text, below which there is no interval
ATOMS_APART = 10  # memories of the label are as long as an atom, or atoms are not independent


class Folds(NamedTuple):
    """What trains and what tests.

    Attributes:
        places: (n_rows,) of the characters in the text.
        parts: (n_folds, n_rows) the part of each of them in each fold.
        inner: (n_folds, n_rows) the same where something is to be chosen within the fold's training stretches.
        atom: (n_rows,) that each is in.
        group: (n_rows,) its position group.
    """

    places: NDArray[np.int64]
    parts: NDArray[np.int8]
    inner: NDArray[np.int8]
    atom: NDArray[np.int64]
    group: NDArray[np.int64]

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
        atom = asked.split.atom(places)
        return cls(places, parts, inner, atom, position_groups(asked.split.n_atoms)[atom])


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
        precision: What intervals there can be.
        piece: (n_rows,) what is taken as independent of each other: the atom of each character; or its stretch, of
            held-out stretches in which the label's memory reaches from one atom to the next.
    """

    def __init__(
        self, target: Target, folds: Folds, place: int, *, control: str | None = None, of: "Asked | None" = None
    ) -> None:
        """Of a target; or of a control task that was made of another one, whose pieces it shares."""
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
        self.piece: NDArray[np.int64] = folds.atom if of is None else of.piece
        self.precision: Precision = Precision() if of is None else of.precision
        if reason is None and of is None:
            self._judge()

    def _judge(self) -> None:
        """Say what makes scores uncertain."""
        target, split = self.target, self.target.split
        tests = self.rows(TEST)
        memory, n_runs, few_classes = self._memory_and_runs(tests)
        n_pieces = float(tests.sum()) / (2 * memory) if memory > 0 else np.nan
        if len(tests) == 1 and memory * ATOMS_APART > len(self.folds.places) / split.n_atoms:
            self.piece = self.folds.atom // (split.n_atoms // split.n_stretches)
        n_held_out = len(np.unique(self.piece[tests.any(axis=0)]))
        declined = too_few(target.hypothesis, "the held-out characters hold", n_pieces, n_runs, "interval")
        if not declined and n_held_out < FEWEST_HELD_OUT:
            declined = (
                f"no interval for {target.hypothesis}: only {n_held_out} pieces of the text are held out, and "
                f"{FEWEST_HELD_OUT} are needed; use a longer text, or --folds 5"
            )
        of_classes = ""
        if few_classes:
            of_classes = (
                f"no interval for the mean over the classes of {target.hypothesis}: fewer than {FEWEST_RUNS} runs are "
                f"held out of {few(few_classes)}"
            )
        text = f"{target.corpus_sha256} {target.selection} {split} {len(tests)} {target.hypothesis}"
        self.precision = Precision(n_runs, text, declined, of_classes)
        notes = [each for each in (declined, of_classes) if each]
        if n_runs is not None and FEWEST_RUNS <= n_runs < ENOUGH_RUNS and not few_classes:
            what = "True in" if target.kind == "binary" else "a class is in"
            notes.append(f"{what} only {n_runs} runs of held-out characters")
        self.note = "; ".join(notes)

    def _memory_and_runs(self, tests: NDArray[np.bool_]) -> tuple[float, int | None, list[str]]:
        """The label's memory, its runs held out, and the names of classes that have too few of them.

        Of several classes the memory is the longest of one against the rest, and the runs are those of the classes
        that have enough.
        """
        atoms, n_atoms, values = self.folds.atom[self.present], self.target.split.n_atoms, self.response.values
        if self.response.kind != "categorical":
            own = values[self.present].astype(np.float64)
            return label_memory(own, atoms, n_atoms), fewest_runs(self.target, tests), []
        memories, runs, few_classes = [], [], []
        for label in np.unique(values[tests.any(axis=0)]).tolist():
            n = sum(n_runs(own & (values == label)) for own in tests)
            if n < FEWEST_RUNS:
                few_classes.append(f"{self.target.labels.names[label]} ({n})")
                continue
            runs.append(n)
            memories.append(label_memory((values[self.present] == label).astype(np.float64), atoms, n_atoms))
        longest = max((memory for memory in memories if np.isfinite(memory)), default=np.nan)
        return longest, min(runs, default=0), few_classes

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


def with_folds(targets: Sequence[Target], how: Fitting) -> list[Asked]:
    """The targets with their folds, which those of one split share."""
    folds = {each.split: each for each in targets}
    found = {split: Folds.of(each, how) for split, each in folds.items()}
    return [Asked(each, found[each.split], place) for place, each in enumerate(targets)]


def as_control(name: str, made_up: Target, of: Asked) -> Asked:
    """The target of a control task, with the folds and pieces of the label that it was made of."""
    return Asked(made_up, of.folds, of.place, control=name, of=of)


def in_any(asked: Sequence[Asked], part: int) -> NDArray[np.bool_]:
    """(n_rows,) the characters that are in a part in any fold, with a label or without."""
    of_each = {id(each.folds): each.folds for each in asked}
    return np.asarray(np.any([(folds.parts == part).any(axis=0) for folds in of_each.values()], axis=0))
