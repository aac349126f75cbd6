"""Probing tasks: labels with the characters that train and test in each fold, and whether there can be a score."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.texts.selection import Selection
from analyses.intervals.long_run import position_groups
from analyses.intervals.significance import FEWEST_RUNS, too_few
from analyses.probing.designs.budgets import available_rows
from analyses.probing.fitting.responses import Response
from analyses.probing.folds import Folds, LabelCounts
from analyses.probing.options import FitOptions
from analyses.probing.scoring.scores import Cells, IntervalContext
from analyses.targets.classes import refuse_many
from analyses.targets.labelling import LABEL_BYTES
from analyses.targets.row_runs import RowView
from analyses.targets.run_counts import ENOUGH_RUNS
from analyses.targets.splits import TEST
from analyses.targets.target import Target
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labelling.long_labels import LabelsOnDisk
from hypotheses.labels import Labels
from hypotheses.spelling import short_list

MIN_HELD_OUT = 8  # pieces of the text, below which there is no interval
MEMORIES_PER_ATOM = 10  # length of an atom, in memories of the label, below which neighbouring atoms are dependent
_MAX_COPIED = 1 << 20  # labels that are copied into memory if they are on the disk or computed anew in every pass


class ProbeTask:
    """One label that probes are fitted to, with its folds.

    Attributes:
        target: The label; of a control task, the one that it was made of.
        response: The label of each row, that probes are fitted to.
        folds: The training and test rows of each fold.
        index: Number of the hypothesis among those asked for.
        trains: Whether probes are fitted; False if kept ones are only judged.
        control: The control task that made the response, if one did.
        note: Why there can be no score, or what makes it uncertain.
        can_be_fitted: Whether there can be a score.
        context: What intervals of the scores need to know.
        pieces: (n_atoms,) the independent piece of the text that each atom is in: the atom itself; or its stretch, if
            a single part is held out and the label's memory reaches from one atom to the next.
        n_train: Training characters with a label, mean over the folds.
        n_tests: (n_folds,) held-out characters with a label.
        majority_classes: (n_folds,) the most frequent class in training; empty of numbers.
    """

    def __init__(self, target: Target, folds: Folds, index: int, *, trains: bool = True) -> None:
        """Probe for the labels of a target."""
        refuse_many(target)
        self.trains = trains
        self._set(target, _response(target), folds, index)
        self.control: str | None = None
        self.pieces = np.arange(folds.n_atoms)
        self.context = IntervalContext()
        if self.can_be_fitted:
            self._prepare_intervals()

    @classmethod
    def as_control(
        cls, name: str, labels: NDArray[Any], task: "ProbeTask", memory_bytes: int = LABEL_BYTES
    ) -> "ProbeTask":
        """Probe for the labels of a control task, with the folds and pieces of the task that it was made of.

        Args:
            name: The control task.
            labels: Its labels, from the first used character to the last; see `control_labels`.
            task: The task that it was made of.
            memory_bytes: The most memory that the labels may take; if they need more, they are kept in a temporary
                file.
        """
        self = cls.__new__(cls)
        self.trains = task.trains
        values = _rows_of_control(labels, task.target, memory_bytes)
        response = Response(task.response.kind, values, task.response.n_classes, task.response.missing)
        self._set(task.target, response, task.folds, task.index)
        self.control, self.pieces, self.context = name, task.pieces, task.context
        return self

    def _set(self, target: Target, response: Response, folds: Folds, index: int) -> None:
        self.target, self.response, self.folds, self.index = target, response, folds, index
        self._counts = counts = LabelCounts(response, folds)
        self.n_train, self.n_tests = float(counts.n[:, 0].mean()), counts.n[:, 1]
        self.majority_classes = counts.n_train_of_classes.argmax(axis=1)
        reason = self._reason_for_no_score()
        self.can_be_fitted = reason is None
        self.note = reason or ""

    def _reason_for_no_score(self) -> str | None:
        for column, name in enumerate(("training", "test")):
            if name == "training" and not self.trains:
                continue
            for number, has_two in enumerate(self._counts.have_two[:, column].tolist()):
                if not has_two:
                    of_fold = "" if self.folds.n_folds == 1 else f" of fold {number + 1}"
                    return f"no two labels in the {name} part{of_fold}"
        return None

    def _prepare_intervals(self) -> None:
        """Find independent pieces of the text, and note what makes the scores uncertain."""
        target, split, counts = self.target, self.target.split, self._counts
        memory, n_runs, rare_classes = self._memory_and_runs()
        n_memories = float(self.n_tests.sum()) / (2 * memory) if memory > 0 else np.nan
        if self.folds.n_folds == 1 and memory * MEMORIES_PER_ATOM > self.folds.n_used / split.n_atoms:
            self.pieces = self.pieces // (split.n_atoms // split.n_stretches)
        n_held_out = len(np.unique(self.pieces[counts.n_test_of_atoms > 0]))
        no_interval_reason = too_few(target.hypothesis, "the held-out characters hold", n_memories, n_runs, "interval")
        if not no_interval_reason and n_held_out < MIN_HELD_OUT:
            no_interval_reason = (
                f"no interval for {target.hypothesis}: only {n_held_out} pieces of the text are held out, and "
                f"{MIN_HELD_OUT} are needed; use a longer text, or --folds 5"
            )
        no_interval_reason_of_classes = ""
        if rare_classes:
            no_interval_reason_of_classes = (
                f"no interval for the mean over the classes of {target.hypothesis}: fewer than {FEWEST_RUNS} runs are "
                f"held out of {short_list(rare_classes)}"
            )
        text = f"{target.corpus_sha256} {target.selection} {split} {self.folds.n_folds} {target.hypothesis}"
        self.context = IntervalContext(n_runs, text, no_interval_reason, no_interval_reason_of_classes)
        notes = [note for note in (no_interval_reason, no_interval_reason_of_classes) if note]
        if n_runs is not None and FEWEST_RUNS <= n_runs < ENOUGH_RUNS and not rare_classes:
            subject = "True in" if target.kind == "binary" else "a class is in"
            notes.append(f"{subject} only {n_runs} runs of held-out characters")
        self.note = "; ".join(notes)

    def _memory_and_runs(self) -> tuple[float, int | None, list[str]]:
        """Return the label's memory, its held-out runs, and the names of classes that have too few of them.

        Of several classes the memory is the longest of one against the rest, and the runs are those of the rarest
        class that has enough.
        """
        counts = self._counts
        if self.response.kind == "numeric":
            return counts.memory(), None, []
        if self.response.kind == "binary":
            return counts.memory(), int(counts.n_runs[1]), []
        memories, runs, rare_classes = [], [], []
        for label in np.flatnonzero(counts.n_runs).tolist():
            n = int(counts.n_runs[label])
            if n < FEWEST_RUNS:
                rare_classes.append(f"{self.target.labels.names[label]} ({n})")
                continue
            runs.append(n)
            memories.append(counts.memory(label))
        longest = max((memory for memory in memories if np.isfinite(memory)), default=np.nan)
        return longest, min(runs, default=0), rare_classes

    @property
    def n_train_of_classes(self) -> NDArray[np.int64]:
        """(n_folds, n_classes) training characters of each class; 0 of numbers."""
        return self._counts.n_train_of_classes

    @property
    def held_out_runs(self) -> NDArray[np.int64]:
        """(n_runs, 2) positions of the text's runs of held-out characters, first and stop; none if all is trained on.

        With several folds, every character trains some of their probes.
        """
        if self.folds.n_folds > 1:
            return np.empty((0, 2), np.int64)
        selection, parts = self.folds.selection, self.folds.parts
        rows = np.append(parts.starts, parts.n_rows)
        positions = selection.start + rows * selection.every
        return np.asarray(np.column_stack([positions[:-1], positions[1:]])[parts.values[0] == TEST], np.int64)

    @property
    def cells(self) -> Cells:
        """The cells that scores are made of: for each atom its piece, position group and fold."""
        return Cells(self.pieces, position_groups(self.folds.n_atoms), self.folds.fold_of_atoms)


def _response(target: Target) -> Response:
    """Return the labels of the characters that are used."""
    n_classes = {"binary": 2, "categorical": len(target.labels.names), "numeric": 1}[target.kind]
    labels, selection = target.labels, target.selection
    if selection.n_chars <= _MAX_COPIED and not isinstance(labels, Labels):
        return Response(target.kind, labels.values_at(target.used), n_classes, labels.missing_at(target.used))
    missing = RowView(selection, labels.missing_at) if labels.may_miss else None
    return Response(target.kind, RowView(selection, labels.values_at), n_classes, missing)


def _rows_of_control(labels: NDArray[Any], target: Target, memory_bytes: int) -> NDArray[Any] | RowView:
    """(n_rows,) labels of a control task, given those from the first used character to the last."""
    every = target.selection.every
    if labels.nbytes <= memory_bytes:
        return labels[::every]
    on_disk = LabelsOnDisk(CorpusLabels((labels,), (None,), target.kind, target.labels.names))
    return RowView(Selection(0, len(labels), every), on_disk.values_at)


def probe_tasks(source: Source, targets: Sequence[Target], options: FitOptions) -> list[ProbeTask]:
    """Return a task for each target, of the rows that a source gives; tasks of one split share their folds."""
    target_of_split, available = {target.split: target for target in targets}, available_rows(source)
    folds = {split: Folds.of(target, options, available) for split, target in target_of_split.items()}
    return [ProbeTask(target, folds[target.split], index) for index, target in enumerate(targets)]


def rows_in_any_fold(tasks: Sequence[ProbeTask], part: int) -> NDArray[np.bool_]:
    """(n_rows,) True for characters that are in a part of any fold, with a label or without."""
    rows = np.zeros(len(tasks[0].folds.atom), np.bool_)
    for folds in {id(task.folds): task.folds for task in tasks}.values():
        rows |= folds.parts.are(part).any()[:]
    return rows
