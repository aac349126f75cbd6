"""Sums of products equal those of numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses.intervals.atom_sums import JointSums


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@given(n_chars=st.integers(0, 200), n_units=st.integers(1, 300), n_labels=st.integers(0, 9), seed=st.integers(0, 99))
def test_rows_are_added_as_products_of_matrices(
    dtype: type[np.floating], n_chars: int, n_units: int, n_labels: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values, middle = rng.normal(size=(n_chars, n_units)).astype(dtype), rng.normal(size=n_units)
    y = np.vstack([rng.normal(size=(n_labels, n_chars)), rng.random((2, n_chars)) < 0.7])
    sums, expected = (JointSums(3, n_units, n_labels, 2) for _ in range(2))
    for _ in range(2):
        sums.add_rows(1, values, middle, y)
        expected.add(1, (values - middle).T, y.T)
    for name, array in sums.arrays().items():
        np.testing.assert_allclose(array, expected.arrays()[name], rtol=1e-12, atol=1e-12 * n_chars)


def test_many_rows_are_shared_among_cores(rng: np.random.Generator) -> None:
    values, middle = rng.normal(size=(5_000, 260)).astype(np.float32), np.zeros(260)
    y = np.vstack([rng.normal(size=(3, 5_000)), np.ones((1, 5_000))])
    sums, expected = (JointSums(1, 260, 3) for _ in range(2))
    sums.add_rows(0, values, middle, y)
    expected.add(0, values.T.astype(np.float64), y.T)
    for name, array in sums.arrays().items():
        np.testing.assert_allclose(array, expected.arrays()[name], rtol=1e-12, atol=1e-9)


def test_nan_is_noticed_where_labels_are_missing() -> None:
    values = np.zeros((6, 2), np.float32)
    values[4, 1] = np.nan
    sums = JointSums(1, 2, 1)
    sums.add_rows(0, values, np.zeros(2), np.zeros((2, 6)))
    assert np.isnan(sums.xx[0, 0, 1])
