"""Ranks, and the AUCs that are made of them, equal scikit-learn's and scipy's, however the rows are cut into blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from analyses.ranks import ALL, RankCounts, Ranks
from analyses.splits import TEST, TRAIN
from analyses.statistics import Bins, Moments

seeds = st.integers(0, 2**32 - 1)


def ranks_of(values: NDArray[np.floating], parts: NDArray[np.int8], cuts: list[int], bins: Bins | None = None) -> Ranks:
    """Counted block by block."""
    counts = RankCounts(values.shape[1], bins)
    for x, own_parts in zip(np.split(values, cuts), np.split(parts, cuts), strict=True):
        assert counts.update(np.ascontiguousarray(x.T), own_parts)
    return Ranks(counts)


def aucs(ranks: NDArray[np.float32], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of (n_units, n_chars) ranks."""
    exact = ranks.astype(np.float64)
    return np.asarray(0.5 + exact[:, labels].mean(axis=1) - exact[:, ~labels].mean(axis=1))


@given(seed=seeds, decimals=st.integers(0, 3), cuts=st.lists(st.integers(0, 300), max_size=4).map(sorted))
def test_auc_agrees_with_scikit_learn_also_on_ties(seed: int, decimals: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    labels, parts = rng.random(300) < 0.3, rng.integers(0, 3, 300).astype(np.int8)
    labels[:6], parts[:6] = [True, False] * 3, [0, 0, 1, 1, 2, 2]
    values = (rng.normal(0, 1, (300, 5)) + labels[:, None] * rng.normal(0, 1, 5)).round(decimals).astype(np.float16)
    within, everywhere = ranks_of(values, parts, cuts).of(np.ascontiguousarray(values.T), parts)
    expected = [roc_auc_score(labels, column) for column in values.T]
    np.testing.assert_allclose(aucs(everywhere, labels), expected, atol=1e-7)
    for part in (TRAIN, TEST):
        rows = parts == part
        expected = [roc_auc_score(labels[rows], column[rows]) for column in values.T]
        np.testing.assert_allclose(aucs(within[:, rows], labels[rows]), expected, atol=1e-7)


def test_ranks_are_those_of_scipy(rng: np.random.Generator) -> None:
    values = rng.normal(size=(400, 3)).round(1).astype(np.float16)
    parts = rng.integers(-1, 3, 400).astype(np.int8)
    ranks = ranks_of(values, parts, [100])
    within, everywhere = ranks.of(np.ascontiguousarray(values.T), parts)
    for found, rows in ((everywhere, parts >= 0), (within, parts == TRAIN), (within, parts == TEST)):
        n = rows.sum()
        np.testing.assert_allclose(found[:, rows].T, (rankdata(values[rows], axis=0) - (n + 1) / 2) / n, atol=1e-7)
    assert not everywhere[:, parts < 0].any() and not within[:, (parts < 0) | (parts == ALL)].any()
    np.testing.assert_allclose(ranks.squares, (everywhere.astype(np.float64) ** 2).sum(axis=1), rtol=1e-5)


def test_values_beyond_float16_and_both_zeros_have_their_ranks() -> None:
    values: NDArray[np.float32] = np.array([[1e9], [2e5], [-1e9], [3.0]], np.float32)
    bins = Bins(np.zeros(1), np.ones(1))
    everywhere = ranks_of(values, np.zeros(4, np.int8), [], bins).of(values.T.copy(), np.zeros(4, np.int8))[1]
    assert (8 * everywhere[0]).tolist() == [3, 1, -3, -1]
    zeros = np.array([[0.0], [-0.0], [1.0], [-1.0]], np.float16)
    everywhere = ranks_of(zeros, np.zeros(4, np.int8), []).of(zeros.T.copy(), np.zeros(4, np.int8))[1]
    assert (8 * everywhere[0]).tolist() == [0, 0, 3, -3]


@pytest.mark.parametrize(("dtype", "bins"), [(np.float16, None), (np.float32, Bins(np.zeros(2), np.ones(2)))])
def test_what_is_not_a_number_is_noticed(dtype: type, bins: Bins | None) -> None:
    values: NDArray[np.floating] = np.array([[1, 2], [np.nan, 3]], dtype)
    assert not RankCounts(2, bins).update(values, np.zeros(2, np.int8))
    assert RankCounts(2, bins).update(values[:1], np.zeros(1, np.int8))


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e5])
@pytest.mark.parametrize("spike", [0.0, 1e4])
def test_auc_in_bins_keeps_its_bound_however_far_from_0(rng: np.random.Generator, offset: float, spike: float) -> None:
    labels, parts = rng.random(5000) < 0.2, np.zeros(5000, np.int8)
    values: NDArray[np.float32] = (rng.normal(offset, 1, (5000, 4)) + labels[:, None]).astype(np.float32)
    values[0] += spike
    ranks = ranks_of(values, parts, [], Bins.around(Moments.of(values, np.zeros(5000))))
    bound = ranks.auc_error(labels.sum(), (~labels).sum())
    expected = [roc_auc_score(labels, column) for column in values.T]
    assert (np.abs(aucs(ranks.of(np.ascontiguousarray(values.T), parts)[1], labels) - expected) <= bound + 1e-7).all()
    assert bound.max() < (4e-4 if spike == 0 and offset > -1e5 else 1e-1)  # float32 itself is coarse at 1e5
