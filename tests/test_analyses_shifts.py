"""Shifted labels, and the ranks that they are multiplied with, are those of numpy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from analyses.intervals.long_run import N_GROUPS
from analyses.levels.bins import N_LEVELS
from analyses.ranking import shifts

seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, n_chars=st.integers(2, 300), class_number=st.sampled_from([np.nan, 0.0, 2.0]))
def test_labels_are_shifted_as_numpy_rolls_them(seed: int, n_chars: int, class_number: float) -> None:
    """The labels themselves, or whether each is of a class; some are missing."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(n_chars) < 0.2, np.nan, rng.integers(0, 4, n_chars)).astype(np.float32)
    steps, groups = rng.integers(0, n_chars, 3), np.sort(rng.integers(0, N_GROUPS, n_chars)).astype(np.int8)
    rows = rng.permutation(n_chars)[: n_chars // 2 + 1]
    means, per_norm = rng.random((3, N_GROUPS)).astype(np.float32), rng.random(3).astype(np.float32)
    labels = values if np.isnan(class_number) else np.where(np.isnan(values), np.nan, values == class_number)
    sums = shifts._group_sums(values, np.float32(class_number), steps, groups)
    found = np.empty((3, len(rows)), np.float32)
    shifts._shift(values, np.float32(class_number), steps, rows, groups[rows], means, per_norm, found)
    for line, step in enumerate(steps):
        y = np.roll(labels, -step)
        known = ~np.isnan(y)
        expected = [np.bincount(groups[known], y[known] ** power, N_GROUPS) for power in range(3)]
        np.testing.assert_allclose(sums[:, line], expected, rtol=1e-12)
        scaled = (y[rows] - means[line, groups[rows]]) * per_norm[line]
        np.testing.assert_allclose(found[line], np.nan_to_num(scaled), rtol=1e-6, atol=1e-6)


@given(seed=seeds, n_chars=st.integers(1, 400), n_levels=st.integers(1, 60))
def test_ranks_of_levels_are_those_of_scipy(seed: int, n_chars: int, n_levels: int) -> None:
    levels = np.random.default_rng(seed).integers(0, n_levels, n_chars)
    table = shifts._ranks_of_levels(np.bincount(levels, minlength=N_LEVELS)[None].astype(np.uint32))
    ranks = rankdata(levels) - (n_chars + 1) / 2
    norm = np.sqrt((ranks**2).sum())
    np.testing.assert_allclose(table[0, levels], ranks / norm if norm else ranks, rtol=1e-5, atol=1e-6)
    found = np.empty((1, n_chars), np.float32)
    shifts._look_up(levels[None].astype(np.uint16), table, found)
    assert (found[0] == table[0, levels]).all()
