"""Cells of a text, the smallest pieces that sums are kept of: parts of folds, and atoms, are unions of them."""

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from analyses.errors import AnalysisError
from analyses.targets.splits import TEST, TRAIN, Fold, Split
from analyses.targets.target import Target

Part = Literal["all", "train", "test"]
_NUMBERS = {"train": TRAIN, "test": TEST}


class TextCells:
    """A text cut at the borders of its atoms, and `gap` characters before and after the borders of its stretches.

    Which part a character belongs to depends on its stretch, and on whether that has a neighbour within the gap. So all
    characters of a cell belong to the same part, whichever stretches train and test.

    Attributes:
        split: The stretches.
        starts: (n_cells,) the place of the first character of each cell, in ascending order; at most 300
            cells in a default split.
        atoms: (n_cells,) the atom that each lies in.
    """

    def __init__(self, split: Split) -> None:
        atoms = split.start - (-np.arange(split.n_atoms) * split.n_chars // split.n_atoms)
        borders = np.unique(np.concatenate([atoms, split.changes]))
        self.split = split
        self.starts = borders[borders < split.start + split.n_chars]
        self.atoms = split.atom(self.starts)

    def __len__(self) -> int:
        return len(self.starts)

    def of(self, block: Block) -> NDArray[np.int64]:
        """(n_chars,) the cell of each character of a block."""
        places = np.arange(block.start, block.stop, block.every)
        return np.asarray(np.searchsorted(self.starts, places, side="right") - 1)

    def runs(self, block: Block) -> list[tuple[int, slice]]:
        """Return the cells that a block touches, in ascending order, with the rows that lie in each."""
        first = int(np.searchsorted(self.starts, block.start, side="right")) - 1
        last = int(np.searchsorted(self.starts, block.stop))
        rows = [-((block.start - start) // block.every) for start in self.starts[first + 1 : last].tolist()]
        borders = itertools.pairwise([0, *rows, block.n_chars])
        return [(cell, slice(a, b)) for cell, (a, b) in enumerate(borders, first) if a < b]

    def parts(self, fold: Fold) -> NDArray[np.int8]:
        """(n_cells,) the part of each cell in a fold: `TRAIN`, `TEST` or `GAP`."""
        return fold.parts_of(self.starts)

    @property
    def folds(self) -> list[Fold]:
        """The folds in which every stretch is held out once; what the split itself holds out is one of them."""
        return self.split.folds(self.split.n_folds) if self.split.n_folds > 1 else [self.split.only_fold]

    def chosen(self, part: Part, fold: int | None = None) -> NDArray[np.bool_]:
        """(n_cells,) whether each cell belongs to a part of a fold; None is the fold that the split holds out.

        Raises:
            AnalysisError: If there is no such part or fold.
        """
        if part == "all":
            return np.ones(len(self), np.bool_)
        if part not in _NUMBERS:
            raise AnalysisError(f"there is no part {part!r}; the parts are all, {' and '.join(_NUMBERS)}")
        folds = self.folds
        if fold is not None and not 0 <= fold < len(folds):
            raise AnalysisError(f"there is no fold {fold}; folds count from 0 to {len(folds) - 1}")
        chosen_fold = folds[self.split.fold if fold is None else fold]
        return np.asarray(self.parts(chosen_fold) == _NUMBERS[part])


def cells_of(targets: Sequence[Target]) -> TextCells:
    """Return the cells of the split that targets share.

    Raises:
        AnalysisError: If there are no targets, or two have different splits.
    """
    splits = list(dict.fromkeys(target.split for target in targets))
    if len(splits) != 1:
        raise AnalysisError(
            f"one split is needed, and these {len(targets)} hypotheses have {len(splits)}; make a statistic for each "
            "split, and collect them together"
        )
    return TextCells(splits[0])
