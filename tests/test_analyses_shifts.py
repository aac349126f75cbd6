"""Shifted labels, and the ranks that they are multiplied with, are those of numpy."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planting import Arrays, LimitedSession, in_runs
from scipy.stats import rankdata

from activations.blocks import Block
from activations.units import Site
from analyses.intervals.long_run import N_GROUPS
from analyses.levels.binning import to_levels
from analyses.levels.bins import N_LEVELS
from analyses.levels.columns import ReadingLimits
from analyses.levels.pieces import Pieces, Segmentations
from analyses.levels.ranks import ranks_and_shifts
from analyses.ranking.ranking import rank
from analyses.ranking.shifting import shift_sums, shifted_labels
from analyses.session import Session
from analyses.targets.classes import classes_of
from analyses.targets.labelling import target

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
    sums = shifted_labels._group_sums(values, np.float32(class_number), steps, groups)
    found = shifted_labels._shift(values, np.float32(class_number), steps, rows, groups[rows], means, per_norm)
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
    table = shift_sums._ranks_of_levels(np.bincount(levels, minlength=N_LEVELS)[None].astype(np.uint32))
    ranks = rankdata(levels) - (n_chars + 1) / 2
    norm = np.sqrt((ranks**2).sum())
    np.testing.assert_allclose(table[0, levels], ranks / norm if norm else ranks, rtol=1e-5, atol=1e-6)
    found = np.empty((1, n_chars), np.float32)
    shift_sums._look_up(levels[None].astype(np.uint16), table, found)
    assert (found[0] == table[0, levels]).all()


@given(seed=seeds, n_runs=st.integers(100, 200), kind=st.sampled_from(["binary", "categorical", "numeric"]))
def test_sums_at_the_ends_of_runs_are_products_with_all_characters(seed: int, n_runs: int, kind: str) -> None:
    """The slow twin rolls the labels, subtracts the means of the position groups, and multiplies with all ranks."""
    rng = np.random.default_rng(seed)
    n_values = 2 if kind == "binary" else 4
    values = np.repeat(np.cumsum(rng.integers(1, n_values, n_runs)) % n_values, 30)[: 30 * n_runs - 7]
    n = len(values)
    units = rng.integers(0, rng.integers(1, 200), (n, 3)).astype(np.float16)
    source = Arrays({Site.of(0, "hidden"): units})
    labels = values == 1 if kind == "binary" else values.astype(float) if kind == "numeric" else values.astype(str)
    wanted = target(source.corpus, lambda text: labels.tolist(), checks=False)
    classes = classes_of(wanted) if kind == "categorical" else None
    numbers = [] if classes is None else list(range(len(classes.names)))
    steps = [0, *rng.integers(1, n, 5).tolist()]
    shifted = shifted_labels.ShiftedLabels(wanted, classes, numbers, steps)
    runs = shifted.runs()
    assert runs is not None
    levels = np.empty((3, n), np.uint16)
    to_levels(units, levels)
    pieces = Pieces.cut(np.zeros(n, np.int8), np.zeros(n, np.int64), np.zeros(1, np.int64), n)
    [_], sums = ranks_and_shifts(levels, Segmentations([pieces]), None, runs)
    found = shifted.correlations(sums)
    y = np.stack(list(shifted.shifted(np.arange(n))))  # (n_labels, n_steps, n_chars)
    ranks = rankdata(units, axis=0) - (n + 1) / 2
    norms = np.sqrt((ranks**2).sum(axis=0))
    ranks = np.divide(ranks, norms, out=np.zeros_like(ranks), where=norms > 0)
    np.testing.assert_allclose(found, np.einsum("lst,tu->uls", y, ranks), atol=2e-5)


@pytest.mark.parametrize("length", [5, 60])
def test_shifts_are_added_up_when_units_are_ranked(length: int, rng: np.random.Generator) -> None:
    """No reading is made for them, though nothing is remembered, whether the label is in runs or not."""
    readings: list[object] = []

    class Counted(Arrays):
        def blocks(self, *arguments: Any, **options: Any) -> Iterator[Block]:
            readings.append(arguments)
            return reversed(list(super().blocks(*arguments, **options)))  # in the order of the text

    labels = in_runs(rng, 40_000, length)
    source = Counted({Site.of(0, "hidden"): (rng.normal(size=(40_000, 4)) + labels[:, None]).astype(np.float16)})
    wanted = target(source.corpus, lambda text: labels.tolist())
    alone = rank(Session(source, memory_bytes=0), wanted)
    n_readings = len(readings)
    found = rank(Session(source, memory_bytes=0), wanted, shifts=19)
    assert len(readings) == 2 * n_readings
    assert [of.unit for of in found.units] == [of.unit for of in alone.units]
    in_two_readings = rank(LimitedSession(source, ReadingLimits(whole_bytes=0)), wanted, shifts=19)
    p_values, others = ([(of.p_shift, of.p_max) for of in ranking.units] for ranking in (found, in_two_readings))
    assert p_values == others == [(1 / 20, 1 / 20)] * 4
