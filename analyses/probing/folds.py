"""Folds of the rows of a source, and counts of a label in them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.texts.selection import Selection
from analyses.intervals.long_run import label_memory
from analyses.probing.fitting.responses import Response
from analyses.probing.options import FitOptions
from analyses.targets.row_runs import RowRuns, atoms_of_rows, parts_of_rows, pieces_of_rows
from analyses.targets.splits import GAP, TEST, TRAIN
from analyses.targets.target import Target


class Folds(NamedTuple):
    """The training and test rows of each fold.

    Attributes:
        selection: The characters whose activations are the rows.
        parts: (n_folds, n_rows) the part of each row: training, test or gap.
        inner: (n_folds, n_rows) the part of each row where a penalty is chosen within the fold's training stretches.
        atom: (n_rows,) the atom of each row.
        n_atoms: Atoms of the text.
        used: (n_rows,) True where the activations of a row are available; other rows neither train nor test.
    """

    selection: Selection
    parts: RowRuns
    inner: RowRuns
    atom: RowRuns
    n_atoms: int
    used: RowRuns

    @classmethod
    def of(cls, target: Target, options: FitOptions, used: RowRuns) -> "Folds":
        """Cut the rows that are used into the folds of a target's split."""
        selection, split = target.selection, target.split
        folds = split.folds(options.folds)
        if options.n_stretches is not None:
            folds = [fold.with_training(options.n_stretches, options.seed) for fold in folds]
        inner_folds = [fold.within_training() for fold in folds]
        parts, inner = (parts_of_rows(cut, selection).where(used, GAP) for cut in (folds, inner_folds))
        return cls(selection, parts, inner, atoms_of_rows(split, selection), split.n_atoms, used)

    @property
    def n_folds(self) -> int:
        """The number of folds; 1 if a single part is held out."""
        return len(self.parts.values)

    @property
    def n_used(self) -> int:
        """The number of rows that are used."""
        return int(np.diff(self.used.starts, append=len(self.used))[self.used.values].sum())

    @property
    def fold_of_atoms(self) -> NDArray[np.int64]:
        """(n_atoms,) the fold in which each atom is held out; 0 of atoms that never are."""
        starts = np.union1d(self.parts.starts, self.atom.starts)
        is_test = self.parts.at(starts) == TEST
        is_held_out = is_test.any(axis=0)
        fold = np.zeros(self.n_atoms, np.int64)
        fold[self.atom.at(starts[is_held_out])] = is_test.argmax(axis=0)[is_held_out]
        return fold


class LabelCounts:
    """Counts of a label in the training and test part of each fold, and in each atom.

    Attributes:
        n: (n_folds, 2) training and test characters with a label.
        have_two: (n_folds, 2) whether there are two different labels among them.
        n_train_of_classes: (n_folds, n_classes) training characters of each class; 0 of numbers.
        n_test_of_atoms: (n_atoms,) characters with a label that are test characters in any fold.
        n_runs: (n_classes,) held-out runs of each class.
    """

    def __init__(self, response: Response, folds: Folds) -> None:
        """Count the labels, a piece of the text at a time."""
        self._is_numeric, self._centre = response.kind == "numeric", response.centre
        self._n_classes = n_classes = response.n_classes
        self.n = np.zeros((folds.n_folds, 2), np.int64)
        self._lowest, self._highest = np.full((folds.n_folds, 2), np.inf), np.full((folds.n_folds, 2), -np.inf)
        self.n_train_of_classes = np.zeros((folds.n_folds, n_classes), np.int64)
        self.n_test_of_atoms = np.zeros(folds.n_atoms, np.int64)
        self.n_runs = np.zeros(n_classes, np.int64)
        self._sums_of_atoms = np.zeros((3 if self._is_numeric else n_classes, folds.n_atoms))
        last_code = -1
        for rows in pieces_of_rows(len(folds.atom)):
            y, parts, atom = response.at(rows), folds.parts[rows], folds.atom[rows]
            present = response.are_present(y) & folds.used[rows]
            self._add_to_atoms(y[present], atom[present])
            codes = np.full(len(y), -1, np.int64)  # fold and class of held-out characters, -1 of all others
            for fold, parts_of_fold in enumerate(parts):
                self._add_training(fold, y[present & (parts_of_fold == TRAIN)])
                is_test = present & (parts_of_fold == TEST)
                self._add_test(fold, y[is_test], atom[is_test])
                if not self._is_numeric:
                    codes[is_test] = fold * n_classes + y[is_test].astype(np.int64)
            run_starts = codes[np.diff(codes, prepend=last_code) != 0]
            self.n_runs += np.bincount(run_starts[run_starts >= 0] % n_classes, minlength=n_classes)
            last_code = codes[-1]
        self.have_two = self._highest > self._lowest

    def _add_training(self, fold: int, labels: NDArray[Any]) -> None:
        """Add labels of a fold's training characters."""
        self._add(fold, 0, labels)
        if not self._is_numeric and len(labels):
            self.n_train_of_classes[fold] += np.bincount(labels, minlength=self._n_classes)

    def _add_test(self, fold: int, labels: NDArray[Any], atom: NDArray[np.int64]) -> None:
        """Add labels of a fold's test characters, and the atoms that these are in."""
        self._add(fold, 1, labels)
        self.n_test_of_atoms += np.bincount(atom, minlength=len(self.n_test_of_atoms))

    def _add(self, fold: int, column: int, labels: NDArray[Any]) -> None:
        """Add labels to a column of `n` and `have_two`."""
        if len(labels):
            self.n[fold, column] += len(labels)
            self._lowest[fold, column] = min(self._lowest[fold, column], float(labels.min()))
            self._highest[fold, column] = max(self._highest[fold, column], float(labels.max()))

    def _add_to_atoms(self, y: NDArray[Any], atom: NDArray[np.int64]) -> None:
        """Add labels to the sums of their atoms: counts of each class; or of numbers 1, y and y²."""
        n_atoms = self._sums_of_atoms.shape[1]
        if self._is_numeric:
            y = y - self._centre  # without this, large numbers would cancel
            self._sums_of_atoms += [np.bincount(atom, power, n_atoms) for power in (np.ones(len(y)), y, y * y)]
        else:
            code = y.astype(np.int64) * n_atoms + atom
            counts = np.bincount(code, minlength=self._sums_of_atoms.size)
            self._sums_of_atoms += counts.reshape(self._sums_of_atoms.shape)

    def memory(self, label: int = 1) -> float:
        """Return the memory, in characters, of a number, or of one class against the rest."""
        if self._is_numeric:
            return label_memory(*self._sums_of_atoms)
        n_of_class = self._sums_of_atoms[label]
        return label_memory(self._sums_of_atoms.sum(axis=0), n_of_class, n_of_class)
