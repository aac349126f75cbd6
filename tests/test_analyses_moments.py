"""Moments equal a reference, however the rows are cut into blocks and merged."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from analyses.moments import Moments, Scatter

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


@given(seed=seeds, n_shards=st.integers(1, 3), offset=st.sampled_from([0.0, 1e5]))
def test_scatters_of_groups_equal_numpy_however_they_are_merged(seed: int, n_shards: int, offset: float) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(offset, 1, (300, 4)) @ rng.normal(size=(4, 4))
    group_of = rng.integers(0, 3, 300)
    shards = [Scatter.empty(3, 4) for _ in range(n_shards)]
    for piece in np.array_split(rng.permutation(300), rng.integers(1, 40)):
        for group in np.unique(group_of[piece]).tolist():
            shards[rng.integers(n_shards)].add(group, rows[piece[group_of[piece] == group]])
    for each in shards[1:]:
        shards[0].merge(each)
    for groups in ([0], [2], [0, 1], [0, 1, 2]):
        total, chosen = shards[0].together(np.array(groups)), rows[np.isin(group_of, groups)]
        assert total.n.tolist() == [len(chosen)]
        size = np.abs(chosen).mean()
        np.testing.assert_allclose(
            total.mean[0], chosen.mean(axis=0), rtol=0, atol=1e-13 * size
        )  # may itself be near 0
        expected = np.cov(chosen.T, bias=True) * len(chosen)
        np.testing.assert_allclose(total.products[0], expected, rtol=0, atol=1e-9 * np.abs(expected).max())
