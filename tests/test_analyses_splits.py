"""Stretches, test parts and gaps are functions of position alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses.errors import AnalysisError
from analyses.targets.splits import GAP, TEST, TRAIN, Split, in_pieces


@given(st.integers(100, 200_000), st.integers(0, 4))
def test_no_training_character_lies_near_a_test_character(n_chars: int, fold: int) -> None:
    default = Split.of(n_chars)
    split = Split(n_chars=n_chars, n_stretches=default.n_stretches, gap=default.gap, fold=fold)
    parts = split.parts(0, n_chars)
    test = np.flatnonzero(parts == TEST)
    train = np.flatnonzero(parts == TRAIN)
    assert 0.1 < len(test) / n_chars < 0.3
    assert len(train) / n_chars > 0.5
    after = np.searchsorted(test, train)
    nearest = np.minimum(
        np.abs(test[np.minimum(after, len(test) - 1)] - train), np.abs(test[np.maximum(after - 1, 0)] - train)
    )
    assert nearest.min() > split.gap
    assert ((parts == GAP) | (parts == TRAIN) | (parts == TEST)).all()


@given(st.integers(0, 9000), st.integers(1, 999))
def test_a_part_does_not_depend_on_where_one_looks_from(start: int, length: int) -> None:
    split = Split.of(10_000)
    whole = split.parts(0, 10_000)
    np.testing.assert_array_equal(split.parts(start, start + length), whole[start : start + length])
    for every in (1, 2, 7, 1_001):
        own = split.parts(start, min(start + length, 10_000), every)
        np.testing.assert_array_equal(own, whole[start : start + length : every])
    stretches = split.stretch(np.arange(10_000))
    assert sorted(set(stretches)) == list(range(split.n_stretches))
    assert (np.diff(stretches) >= 0).all()


def test_the_folds_share_out_the_text() -> None:
    parts = [Split(n_chars=50_000, fold=fold).parts(0, 50_000) == TEST for fold in range(5)]
    np.testing.assert_array_equal(np.sum(parts, axis=0), 1)


def test_texts_too_short_and_folds_that_do_not_fit_are_refused() -> None:
    with pytest.raises(AnalysisError, match="at least 100 are needed"):
        Split.of(99)
    with pytest.raises(AnalysisError, match="too short for 50 stretches"):
        Split(n_chars=5000)
    with pytest.raises(AnalysisError, match="do not fit together"):
        Split(n_chars=50_000, fold=5)


def test_parts_do_not_depend_on_how_many_places_are_looked_at_at_once() -> None:
    split = Split.of(5_000, 37)
    whole, places = split.parts(40, 5_000), np.random.default_rng(0).permutation(np.arange(40, 5_000))
    np.testing.assert_array_equal(split.parts_of(places), whole[places - 40])
    np.testing.assert_array_equal(split.only_fold.parts_of(places, piece_chars=7), whole[places - 40])
    pieces = list(in_pieces(3, 50, 4, piece_chars=7))
    assert max(map(len, pieces)) == 7
    assert [place for piece in pieces for place in piece] == list(range(3, 50, 4))
