"""Statistics equal a reference, however the rows are cut into blocks and merged."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from analyses.statistics import Bins, Moments, ValueCounts, auc_from_counts

seeds = st.integers(0, 2**32 - 1)


def aucs(values: NDArray[np.floating], labels: NDArray[np.bool_], cuts: list[int]) -> NDArray[np.float64]:
    """By two counts that are updated in blocks and then merged."""
    counts = ValueCounts(2, values.shape[1]), ValueCounts(2, values.shape[1])
    for number, (x, y) in enumerate(zip(np.split(values, cuts), np.split(labels, cuts), strict=True)):
        counts[number % 2].update(x.T, y.astype(np.int8))
    counts[0].merge(counts[1])
    return auc_from_counts(counts[0].counts[..., 1], counts[0].counts[..., 0])


@given(seed=seeds, decimals=st.integers(0, 3), cuts=st.lists(st.integers(0, 300), max_size=4).map(sorted))
def test_auc_agrees_with_scikit_learn_also_on_ties(seed: int, decimals: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.random(300) < 0.3
    labels[:2] = [True, False]
    values = (rng.normal(0, 1, (300, 5)) + labels[:, None] * rng.normal(0, 1, 5)).round(decimals).astype(np.float16)
    expected = [roc_auc_score(labels, column) for column in values.T]
    np.testing.assert_allclose(aucs(values, labels, cuts), expected, atol=1e-12)


def test_auc_of_float32_is_that_of_11_significant_bits(rng: np.random.Generator) -> None:
    labels = rng.random(5000) < 0.1
    values = (rng.normal(0, 3, (5000, 4)) + labels[:, None]).astype(np.float32)
    expected = [roc_auc_score(labels, column) for column in values.T]
    np.testing.assert_allclose(aucs(values, labels, [1000]), expected, atol=1e-4)


def test_values_beyond_float16_do_not_overflow() -> None:
    values = np.array([[1e9], [2e5], [-1e9], [3.0]], np.float32)
    assert aucs(values, np.array([True, True, False, False]), []) == [1.0]


def test_both_zeros_are_one_value() -> None:
    values = np.array([[0.0], [-0.0], [0.0], [-0.0]], np.float16)
    assert aucs(values, np.array([True, False, False, True]), []) == [0.5]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("bins", [None, Bins(np.zeros(2), np.ones(2))])
def test_what_is_not_a_number_is_noticed(dtype: type, bins: Bins | None) -> None:
    values: NDArray[np.floating] = np.array([[1.0, np.nan]], dtype)
    assert not ValueCounts(1, 2, bins).update(values, np.zeros(1, np.int8))
    assert ValueCounts(1, 2, bins).update(np.nan_to_num(values), np.zeros(1, np.int8))


def test_auc_without_one_class_is_missing() -> None:
    counts = np.ones((1, 4), np.uint32)
    assert np.isnan(auc_from_counts(counts, np.zeros((1, 4), np.uint32)))


@given(seed=seeds, cuts=st.lists(st.integers(0, 200), max_size=4).map(sorted), offset=st.sampled_from([0.0, 1e4]))
def test_moments_equal_numpy_however_they_are_merged(seed: int, cuts: list[int], offset: float) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.normal(5, 2, 200)
    values = (rng.normal(0, 1, (200, 3)) + labels[:, None] * [0, 0.5, -2] + offset).astype(np.float32)
    merged = Moments.empty(3)
    for x, y in zip(np.split(values, cuts), np.split(labels, cuts), strict=True):
        merged.merge(Moments.of(x, y))
    exact = values.astype(np.float64)
    np.testing.assert_allclose(merged.mean, exact.mean(0), rtol=1e-10)
    np.testing.assert_allclose(merged.deviation, exact.std(0), rtol=1e-8)
    expected = [np.corrcoef(column, labels)[0, 1] for column in exact.T]
    np.testing.assert_allclose(merged.correlation, expected, atol=1e-9)


def test_a_unit_that_never_changes_has_no_correlation() -> None:
    values: NDArray[np.float32] = np.full((1000, 1), 0.1, np.float32)
    merged = Moments.empty(1)
    for x, y in zip(np.split(values, 10), np.split(np.arange(1000.0), 10), strict=True):
        merged.merge(Moments.of(x, y))
    assert np.isnan(merged.correlation[0])
