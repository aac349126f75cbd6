"""Each part of each fold, and each atom, is a union of the cells of a text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planting import Arrays

from activations.blocks import Block
from activations.units import Site
from analyses.collecting.text_cells import TextCells, cells_of
from analyses.errors import AnalysisError
from analyses.targets.labelling import target
from analyses.targets.splits import TEST, TRAIN, Split

CELL = Site.of(0, "cell")


def block_of(split: Split, every: int = 1) -> Block:
    n_rows = len(range(0, split.n_chars, every))
    return Block(split.start, {CELL: np.zeros((n_rows, 1), np.float32)}, every=every)


@st.composite
def splits(draw: st.DrawFn) -> Split:
    n_stretches = draw(st.integers(2, 60))
    n_folds = draw(st.integers(1, n_stretches))
    gap = draw(st.integers(0, 40))
    return Split(
        n_chars=n_stretches * (2 * gap + 1) + draw(st.integers(0, 9_000)),
        n_stretches=n_stretches,
        n_folds=n_folds,
        fold=draw(st.integers(0, n_folds - 1)),
        gap=gap,
        start=draw(st.integers(0, 1_000)),
    )


@given(split=splits(), n_folds=st.integers(2, 60), every=st.integers(1, 7))
def test_parts_and_atoms_are_unions_of_cells(split: Split, n_folds: int, every: int) -> None:
    cells, block = TextCells(split), block_of(split, every)
    places = np.arange(split.start, split.start + split.n_chars, every)
    of = cells.of(block)
    np.testing.assert_array_equal(cells.atoms[of], split.atom(places))
    folds = [split.only_fold, *split.folds(min(n_folds, split.n_stretches))]
    for fold in [*folds, *(each.within_training() for each in folds if each.train.any())]:
        np.testing.assert_array_equal(cells.parts(fold)[of], fold.parts_of(places))
    for part, number in (("train", TRAIN), ("test", TEST)):
        np.testing.assert_array_equal(cells.chosen(part)[of], split.parts_of(places) == number)  # type: ignore[arg-type]
        for n, fold in enumerate(cells.folds):
            chosen = cells.chosen(part, n)[of]  # type: ignore[arg-type]
            np.testing.assert_array_equal(chosen, fold.parts_of(places) == number)
    assert cells.chosen("all").all()
    assert len(cells) <= split.n_atoms + 2 * split.n_stretches
    runs = cells.runs(block)
    assert [run.start for _, run in runs] == [0, *(run.stop for _, run in runs[:-1])] and runs[-1][1].stop == len(of)
    np.testing.assert_array_equal(np.repeat([cell for cell, _ in runs], [run.stop - run.start for _, run in runs]), of)


def test_there_is_no_other_fold() -> None:
    with pytest.raises(AnalysisError, match="there is no fold 5; folds count from 0 to 4"):
        TextCells(Split.of(20_000)).chosen("train", 5)


def test_targets_share_a_split() -> None:
    corpus = Arrays({CELL: np.zeros((2_000, 1), np.float32)}, "ab " * 666 + "ab").corpus
    asked = [
        target(corpus, lambda text: [char == "a" for char in text], Split(n_chars=2_000, n_stretches=10, gap=gap))
        for gap in (10, 20)
    ]
    assert cells_of([asked[0], asked[0]]).split == asked[0].split
    with pytest.raises(AnalysisError, match="one split is needed, and these 2 hypotheses have 2"):
        cells_of(asked)
    with pytest.raises(AnalysisError, match="these 0 hypotheses have 0"):
        cells_of([])


def test_there_is_no_other_part() -> None:
    with pytest.raises(AnalysisError, match="there is no part 'tests'; the parts are all, train and test"):
        TextCells(Split.of(20_000)).chosen("tests")  # type: ignore[arg-type]
