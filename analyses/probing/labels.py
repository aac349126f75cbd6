"""What probes are asked: labels, what of them trains and tests in each fold, and whether there can be a score."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.texts.selection import Selection
from analyses.intervals.long_run import label_memory, position_groups
from analyses.intervals.significance import FEWEST_RUNS, too_few
from analyses.probing.designs.budgets import rows_used
from analyses.probing.fitting.responses import Response
from analyses.probing.results import Fitting
from analyses.probing.scores import Cells, Precision
from analyses.targets.classes import refuse_many
from analyses.targets.labelling import belong_on_disk
from analyses.targets.row_runs import RowRuns, RowView, atoms_of_rows, parts_of_rows, pieces_of_rows
from analyses.targets.run_counts import ENOUGH_RUNS
from analyses.targets.splits import GAP, TEST, TRAIN
from analyses.targets.target import Target
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labelling.long_labels import LabelsOnDisk
from hypotheses.labels import Labels
from hypotheses.spelling import short_list

FEWEST_HELD_OUT = 8  # pieces of the text, below which there is no interval
_MADE_ONCE = 1 << 20  # labels that are made of others, or on the disk, which are read in every pass
ATOMS_APART = 10  # memories of the label are as long as an atom, or atoms are not independent


class Folds(NamedTuple):
    """What trains and what tests.

    Attributes:
        selection: The characters whose activations are the rows.
        parts: (n_folds, n_rows) the part of each of them in each fold.
        inner: (n_folds, n_rows) the same where something is to be chosen within the fold's training stretches.
        atom: (n_rows,) that each is in.
        n_atoms: Of the text.
        used: (n_rows,) whether the activations of each are known; those of others neither train nor test.
    """

    selection: Selection
    parts: RowRuns
    inner: RowRuns
    atom: RowRuns
    n_atoms: int
    used: RowRuns

    @classmethod
    def of(cls, asked: Target, how: Fitting, used: RowRuns) -> "Folds":
        """Of the split of a target, and the rows that are used."""
        selection, split = asked.selection, asked.split
        folds = split.folds(how.folds)
        if how.n_stretches is not None:
            folds = [fold.with_training(how.n_stretches, how.seed) for fold in folds]
        inner = [fold.within_training() for fold in folds]
        parts, of_inner = (parts_of_rows(each, selection).where(used, GAP) for each in (folds, inner))
        return cls(selection, parts, of_inner, atoms_of_rows(split, selection), split.n_atoms, used)

    @property
    def n_folds(self) -> int:
        """How many there are."""
        return len(self.parts.values)

    @property
    def n_used(self) -> int:
        """How many rows are used."""
        return int(np.diff(self.used.starts, append=len(self.used))[self.used.values].sum())

    @property
    def fold_of_atoms(self) -> NDArray[np.int64]:
        """(n_atoms,) the fold in which each is held out; 0 of those that never are."""
        starts = np.union1d(self.parts.starts, self.atom.starts)
        tests = self.parts.at(starts) == TEST
        found = np.zeros(self.n_atoms, np.int64)
        found[self.atom.at(starts[tests.any(axis=0)])] = tests.argmax(axis=0)[tests.any(axis=0)]
        return found


class _Tally:
    """What the labels of a response are in the parts of each fold, and in each atom.

    Attributes:
        n: (n_folds, 2) characters with a label that train, and that test.
        have_two: (n_folds, 2) whether two different labels are among them.
        of_training: (n_folds, n_classes) characters of each class that train; none of numbers.
        tests_of_atoms: (n_atoms,) characters with a label that test in any fold.
        n_runs: (n_classes,) held-out runs of each class.
    """

    def __init__(self, response: Response, folds: Folds) -> None:
        self._is_numeric, self._middle = response.kind == "numeric", response.middle
        n_classes = response.n_classes
        self.n = np.zeros((folds.n_folds, 2), np.int64)
        lowest, highest = np.full((folds.n_folds, 2), np.inf), np.full((folds.n_folds, 2), -np.inf)
        self.of_training = np.zeros((folds.n_folds, n_classes), np.int64)
        self.tests_of_atoms = np.zeros(folds.n_atoms, np.int64)
        self.n_runs = np.zeros(n_classes, np.int64)
        self._of_atoms = np.zeros((3 if self._is_numeric else n_classes, folds.n_atoms))
        before = -1  # the fold and class of the row before, if that is held out
        for rows in pieces_of_rows(len(folds.atom)):
            y, parts, atom = response.at(rows), folds.parts[rows], folds.atom[rows]
            present = response.is_there(y) & folds.used[rows]
            self._add_atoms(y[present], atom[present])
            codes = np.full(len(y), -1, np.int64)
            for fold, own in enumerate(parts):
                for place, part in enumerate((TRAIN, TEST)):
                    there = present & (own == part)
                    labels = y[there]
                    if not len(labels):
                        continue
                    self.n[fold, place] += len(labels)
                    lowest[fold, place] = min(lowest[fold, place], float(labels.min()))
                    highest[fold, place] = max(highest[fold, place], float(labels.max()))
                    if part == TEST:
                        self.tests_of_atoms += np.bincount(atom[there], minlength=folds.n_atoms)
                        if not self._is_numeric:
                            codes[there] = fold * n_classes + labels.astype(np.int64)
                    elif not self._is_numeric:
                        self.of_training[fold] += np.bincount(labels, minlength=n_classes)
            begins = codes[np.diff(codes, prepend=before) != 0]
            self.n_runs += np.bincount(begins[begins >= 0] % n_classes, minlength=n_classes)
            before = codes[-1]
        self.have_two = highest > lowest

    def _add_atoms(self, y: NDArray[Any], atom: NDArray[np.int64]) -> None:
        n_atoms = self._of_atoms.shape[1]
        if self._is_numeric:
            y = y - self._middle  # so that nothing cancels
            self._of_atoms += [np.bincount(atom, each, n_atoms) for each in (np.ones(len(y)), y, y * y)]
        else:
            code = y.astype(np.int64) * n_atoms + atom
            self._of_atoms += np.bincount(code, minlength=self._of_atoms.size).reshape(self._of_atoms.shape)

    def memory(self, label: int = 1) -> float:
        """That of a number, or of one class against the rest, in characters."""
        if self._is_numeric:
            return label_memory(*self._of_atoms)
        own = self._of_atoms[label]
        return label_memory(self._of_atoms.sum(axis=0), own, own)


class Asked:
    """A label, what of it trains and tests in each fold, and whether a probe can be fitted to it.

    Attributes:
        target: The label; of a control task, the one that it was made of.
        response: What probes are fitted to.
        folds: What is held out.
        place: Of the hypothesis among those that were asked.
        control: The control task that made the response, if one did.
        note: Why there can be no score, or what makes it uncertain.
        can_be_fitted: Whether there can be one.
        precision: What intervals there can be.
        pieces: (n_atoms,) what is taken as independent of each other: each atom; or its stretch, of held-out stretches
            in which the label's memory reaches from one atom to the next.
        n_train: Training characters with a label, the mean over the folds.
        n_tests: (n_folds,) held-out ones.
        usual: (n_folds,) the most frequent class in training; none of numbers.
    """

    def __init__(self, target: Target, folds: Folds, place: int) -> None:
        """Of a target."""
        refuse_many(target)
        self._take(target, _response(target), folds, place)
        self.control: str | None = None
        self.pieces = np.arange(folds.n_atoms)
        self.precision = Precision()
        if self.can_be_fitted:
            self._judge()

    @classmethod
    def as_control(cls, name: str, labels: NDArray[Any], of: "Asked", n_asked: int = 1) -> "Asked":
        """Of the labels that a control task made of another label, whose folds and pieces it shares.

        Args:
            name: The task.
            labels: From the first used character to the last; see `control_labels`.
            of: The other label.
            n_asked: How many are asked for together: those that take more than a share of 256 MiB are kept in a
                temporary file.
        """
        self = cls.__new__(cls)
        own = _of_control(labels, of.target, n_asked)
        response = Response(of.response.kind, own, of.response.n_classes, of.response.missing)
        self._take(of.target, response, of.folds, of.place)
        self.control, self.pieces, self.precision = name, of.pieces, of.precision
        return self

    def _take(self, target: Target, response: Response, folds: Folds, place: int) -> None:
        self.target, self.response, self.folds, self.place = target, response, folds, place
        self._tally = tally = _Tally(response, folds)
        self.n_train, self.n_tests = float(tally.n[:, 0].mean()), tally.n[:, 1]
        self.usual = tally.of_training.argmax(axis=1)
        reason = self._why_not()
        self.can_be_fitted = reason is None
        self.note = reason or ""

    def _judge(self) -> None:
        """Say what makes scores uncertain."""
        target, split, tally = self.target, self.target.split, self._tally
        memory, n_runs, few_classes = self._memory_and_runs()
        n_pieces = float(self.n_tests.sum()) / (2 * memory) if memory > 0 else np.nan
        if self.folds.n_folds == 1 and memory * ATOMS_APART > self.folds.n_used / split.n_atoms:
            self.pieces = self.pieces // (split.n_atoms // split.n_stretches)
        n_held_out = len(np.unique(self.pieces[tally.tests_of_atoms > 0]))
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
                f"held out of {short_list(few_classes)}"
            )
        text = f"{target.corpus_sha256} {target.selection} {split} {self.folds.n_folds} {target.hypothesis}"
        self.precision = Precision(n_runs, text, declined, of_classes)
        notes = [each for each in (declined, of_classes) if each]
        if n_runs is not None and FEWEST_RUNS <= n_runs < ENOUGH_RUNS and not few_classes:
            what = "True in" if target.kind == "binary" else "a class is in"
            notes.append(f"{what} only {n_runs} runs of held-out characters")
        self.note = "; ".join(notes)

    def _memory_and_runs(self) -> tuple[float, int | None, list[str]]:
        """The label's memory, its runs held out, and the names of classes that have too few of them.

        Of several classes the memory is the longest of one against the rest, and the runs are those of the classes
        that have enough.
        """
        tally = self._tally
        if self.response.kind == "numeric":
            return tally.memory(), None, []
        if self.response.kind == "binary":
            return tally.memory(), int(tally.n_runs[1]), []
        memories, runs, few_classes = [], [], []
        for label in np.flatnonzero(tally.n_runs).tolist():
            n = int(tally.n_runs[label])
            if n < FEWEST_RUNS:
                few_classes.append(f"{self.target.labels.names[label]} ({n})")
                continue
            runs.append(n)
            memories.append(tally.memory(label))
        longest = max((memory for memory in memories if np.isfinite(memory)), default=np.nan)
        return longest, min(runs, default=0), few_classes

    def _why_not(self) -> str | None:
        for name, place in (("training", 0), ("test", 1)):
            for number, has_two in enumerate(self._tally.have_two[:, place].tolist()):
                if not has_two:
                    where = "" if self.folds.n_folds == 1 else f" of fold {number + 1}"
                    return f"no two labels in the {name} part{where}"
        return None

    @property
    def cells(self) -> Cells:
        """What scores are made of: for each atom its piece, position group and fold."""
        return Cells(self.pieces, position_groups(self.folds.n_atoms), self.folds.fold_of_atoms)


def _response(target: Target) -> Response:
    """The labels of the characters that are used."""
    n_classes = {"binary": 2, "categorical": len(target.labels.names), "numeric": 1}[target.kind]
    labels, selection = target.labels, target.selection
    if selection.n_chars <= _MADE_ONCE and not isinstance(labels, Labels):
        return Response(target.kind, labels.values_at(target.used), n_classes, labels.missing_at(target.used))
    missing = RowView(selection, labels.missing_at) if labels.may_miss else None
    return Response(target.kind, RowView(selection, labels.values_at), n_classes, missing)


def _of_control(labels: NDArray[Any], target: Target, n_asked: int) -> NDArray[Any] | RowView:
    """(n_rows,) labels of a control task, given those from the first used character to the last."""
    every = target.selection.every
    if not belong_on_disk(labels.nbytes, n_asked):
        return labels[::every]
    on_disk = LabelsOnDisk(CorpusLabels((labels,), (None,), target.kind, target.labels.names))
    return RowView(Selection(0, len(labels), every), on_disk.values_at)


def with_folds(source: Source, targets: Sequence[Target], how: Fitting) -> list[Asked]:
    """The targets with their folds, which those of one split share, of the rows that a source gives."""
    folds, used = {each.split: each for each in targets}, rows_used(source)
    found = {split: Folds.of(each, how, used) for split, each in folds.items()}
    return [Asked(each, found[each.split], place) for place, each in enumerate(targets)]


def in_any(asked: Sequence[Asked], part: int) -> NDArray[np.bool_]:
    """(n_rows,) the characters that are in a part in any fold, with a label or without."""
    found = np.zeros(len(asked[0].folds.atom), np.bool_)
    for folds in {id(each.folds): each.folds for each in asked}.values():
        found |= folds.parts.are(part).any()[:]
    return found
