"""Moments equal a reference, however the rows are cut into blocks and merged."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analyses.moments import Moments

seeds = st.integers(0, 2**32 - 1)


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
