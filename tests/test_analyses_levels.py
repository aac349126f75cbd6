"""Levels are in order, and AUCs of their counts equal a reference, however the rows are cut."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from analyses.levels.binning import to_levels
from analyses.levels.bins import N_CELLS, N_END_CELLS, Bins
from analyses.levels.choosing_bins import bins_around

seeds = st.integers(0, 2**32 - 1)


def levels_of(values: NDArray[np.floating], bins: Bins | None = None) -> NDArray[np.uint16]:
    """(n_units, n_chars) levels of (n_chars, n_units) numbers."""
    levels = np.empty(values.T.shape, np.uint16)
    to_levels(values, levels, bins)
    return levels


def assert_same_aucs(
    values: NDArray[np.floating], labels: NDArray[np.bool_], bins: Bins | None = None, atol: float = 1e-12
) -> None:
    """Assert that AUCs of levels equal AUCs of the values themselves."""
    for column, own in zip(values.T, levels_of(values, bins), strict=True):
        np.testing.assert_allclose(roc_auc_score(labels, own), roc_auc_score(labels, column), atol=atol)


@given(seed=seeds, decimals=st.integers(0, 3))
def test_aucs_of_float16_stay_as_they_are_also_on_ties(seed: int, decimals: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.random(300) < 0.3
    labels[:2] = [True, False]
    values = rng.normal(0, 1, (300, 5)) + labels[:, None] * rng.normal(0, 1, 5)
    assert_same_aucs(values.round(decimals).astype(np.float16), labels)


def test_aucs_of_float32_hardly_change_in_bins(rng: np.random.Generator) -> None:
    labels = rng.random(5000) < 0.1
    values = (rng.normal(0, 3, (5000, 4)) + labels[:, None]).astype(np.float32)
    assert_same_aucs(values, labels, bins_around(values[::5]), atol=1e-4)


def test_values_beyond_float16_do_not_overflow() -> None:
    values = np.array([[1e9], [2e5], [-1e9], [3.0]], np.float32)
    assert_same_aucs(values, np.array([True, True, False, False]), bins_around(values))


def test_both_zeros_are_one_value() -> None:
    values = np.array([[0.0], [-0.0], [0.0], [-0.0]], np.float16)
    assert levels_of(values).tolist() == [[0x8000] * 4]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("odd", [np.nan, -np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_noticed(dtype: type, odd: float, rng: np.random.Generator) -> None:
    values: NDArray[np.floating] = rng.normal(size=(1000, 70)).astype(dtype)
    largest = np.finfo(dtype).max
    values[10, 3], values[500, 69] = largest, -largest
    bins = bins_around(rng.normal(size=(1000, 70)).astype(np.float32)) if dtype is np.float32 else None
    into = np.empty((70, 1000), np.uint16)
    assert to_levels(values, into, bins)
    values[999, 64] = odd
    assert not to_levels(values, into, bins)


@given(seed=seeds, scale=st.sampled_from([1e-9, 1.0, 1e9]), dtype=st.sampled_from([np.float16, np.float32]))
def test_levels_are_in_the_order_of_the_values(seed: int, scale: float, dtype: type) -> None:
    rng = np.random.default_rng(seed)
    values: NDArray[np.floating] = np.sort(rng.standard_cauchy((500, 2)).clip(-1e4, 1e4).astype(dtype), axis=0)
    sample = scale * rng.normal(size=(100, 2)).astype(np.float32)  # most values are far beyond it, or near its middle
    levels = levels_of(values, bins_around(sample) if dtype is np.float32 else None)
    assert (np.diff(levels.astype(int), axis=1) >= 0).all()


@given(seed=seeds, low=st.sampled_from([0, -1]), n_chars=st.integers(2_000, 4_000))
def test_units_that_saturate_at_both_ends_keep_their_order(seed: int, low: int, n_chars: int) -> None:
    """Near 0 float32 has far more numbers than near 1, and a level has few of those that a sample has."""
    rng = np.random.default_rng(seed)
    logits = np.float32(12) * rng.normal(size=(n_chars, 1)).astype(np.float32)
    values = np.tanh(logits) if low else (1 / (1 + np.exp(-logits))).astype(np.float32)
    bins = bins_around(values)
    levels = levels_of(values, bins)[0].astype(int)
    order = np.argsort(values[:, 0], kind="stable")
    in_order = values[order, 0]
    assert (np.diff(levels[order]) >= 0).all()
    assert len(np.unique(levels)) > 0.97 * len(np.unique(in_order))
    if bins.saturates[0]:
        assert len(np.unique(values[levels == bins.middle_levels[0], 0])) <= 1


def test_small_values_keep_their_order_whatever_the_others_are(rng: np.random.Generator) -> None:
    """A hidden unit whose gate is closed has a median far larger than most differences."""
    values = (-np.exp(rng.normal(-16, 8, size=(3_000, 1)))).clip(-0.9).astype(np.float32)
    levels = levels_of(values, bins_around(values))[0].astype(int)
    assert len(np.unique(levels)) > 0.9 * len(np.unique(values))


def test_a_value_that_is_frequent_between_the_ends_keeps_its_own_level(rng: np.random.Generator) -> None:
    values = rng.uniform(-1, 1, size=(3_000, 1)).astype(np.float32)
    values[:1_500], values[1_500:1_560] = 0, 1
    bins = bins_around(values)
    levels = levels_of(values, bins)[0]
    assert (levels[values[:, 0] == 0] == bins.middle_levels[0]).all()
    assert (values[levels == bins.middle_levels[0], 0] == 0).all()


def test_values_beyond_the_ends_of_the_sample_are_not_taken_for_them(rng: np.random.Generator) -> None:
    values = (1 / (1 + np.exp(-8 * rng.normal(size=(3_000, 1))))).astype(np.float32)
    values[:40] = 1
    bins = bins_around(values)
    assert bins.saturates[0]
    beyond = np.concatenate([values, np.array([[1.5], [7.0], [-0.1]], np.float32)])
    levels = levels_of(beyond, bins)[0].astype(int)
    assert (values[levels[:-3] == bins.middle_levels[0], 0] == 1).all()
    assert levels[-3] == levels[-2] > levels[:-3].max()
    assert levels[-1] < levels[:-3].min()


def test_small_values_and_saturated_ones_of_the_same_unit_keep_their_order(rng: np.random.Generator) -> None:
    """A hidden unit is the product of a gate near 0 or 1 and of a tanh near −1 or 1."""
    gate = 1 / (1 + np.exp(-rng.normal(0, 12, size=(4_000, 1))))
    values = (gate * np.tanh(rng.normal(0, 8, size=(4_000, 1)))).astype(np.float32)
    bins = bins_around(values)
    levels = levels_of(values, bins)[0].astype(int)
    order = np.argsort(values[:, 0], kind="stable")
    assert bins.saturates[0]
    assert (np.diff(levels[order]) >= 0).all()
    assert len(np.unique(levels)) > 0.97 * len(np.unique(values))
    assert len(np.unique(values[levels == bins.middle_levels[0]])) <= 1


@given(seed=seeds, spread=st.sampled_from([1e-3, 1e-5, 0.0]), n_wholes=st.integers(1, 40))
def test_a_unit_that_counts_keeps_its_order(seed: int, spread: float, n_wholes: int) -> None:
    """Its values gather near whole numbers; the sample is every third of them."""
    rng = np.random.default_rng(seed)
    wholes = rng.integers(-n_wholes, n_wholes + 1, size=(6_000, 1))
    values = (wholes + spread * rng.laplace(size=wholes.shape) * (rng.random(wholes.shape) < 0.7)).astype(np.float32)
    bins = bins_around(values[::3])
    levels = levels_of(values, bins)[0].astype(int)
    order = np.argsort(values[:, 0], kind="stable")
    assert (np.diff(levels[order]) >= 0).all()
    n_values = np.array([len(np.unique(values[levels == level])) for level in np.unique(levels)])
    assert n_values.max() <= 60  # of 6,000, where a third have an edge of their own
    assert n_values[np.unique(levels) == bins.middle_levels[0]] <= 1


def test_units_with_edges_are_searched_as_numpy_does(rng: np.random.Generator) -> None:
    """The units are among others, and cut, joined and chosen in several ways."""
    n_chars, n_units = 3_000, 150  # of which a thread finds bins for 64
    values = rng.normal(size=(n_chars, n_units)).astype(np.float32)
    counting = np.arange(0, n_units, 7)
    wholes = rng.integers(-3, 4, size=(n_chars, len(counting)))
    values[:, counting] = wholes + np.float32(1e-6) * rng.normal(size=wholes.shape)
    bins = bins_around(values[::2])
    assert (np.flatnonzero(bins.first_edge >= 0) == counting).all()
    values[:3] = np.array([[-1e30], [1e30], [0]])
    levels = levels_of(values, bins)
    firsts = [*bins.first_edge[counting].tolist(), len(bins.edges)]
    for unit, first, stop in zip(counting.tolist(), firsts, firsts[1:], strict=False):
        edges = bins.edges[first:stop]
        assert (np.diff(edges) > 0).all()
        assert (levels[unit] == np.searchsorted(edges, values[:, unit], "right")).all()
    assert (levels_of(values[:, 20:90], bins.of(slice(20, 90))) == levels[20:90]).all()
    assert (np.concatenate([levels_of(values[:513], bins), levels_of(values[513:], bins)], axis=1) == levels).all()


def levels_by_numpy(values: NDArray[np.float32], bins: Bins) -> NDArray[np.int64]:
    """(n_units, n_chars) levels as `Bins` describes them, of units without edges."""
    size, distance = np.abs(values), np.abs(values - bins.middle)
    distance = np.where(bins.saturates & (size > 0.5), np.abs(1 - size), distance)
    all_steps = (1 + distance * bins.per_scale).view(np.int32).astype(np.int64) - np.float32(1).view(np.int32)
    n_cells, last_step = np.where(bins.saturates, N_END_CELLS, N_CELLS), (1 << bins.shift) - 1
    cell = np.minimum(all_steps >> bins.shift, n_cells - 1)
    step = np.where(all_steps >> bins.shift < n_cells, all_steps & last_step, last_step)
    is_outer = bins.saturates & (size > 0.5)
    place, step = np.where(is_outer, N_CELLS - 2 - cell, cell + 1), np.where(is_outer, last_step - step, step)
    place = np.where(values == bins.middle, 0, place)
    place = np.where(bins.saturates & (size >= 1), N_CELLS - (size == 1), place)
    step = np.where(values < bins.middle, last_step - step, step)  # from the lower end of the cell
    cells = N_CELLS + place * np.sign(values - bins.middle).astype(np.int64)
    entry = bins.levels[np.arange(values.shape[1]), cells].astype(np.int64)
    levels: NDArray[np.int64] = (entry >> 16) + (step * (entry & 0xFFFF) >> bins.shift)
    return levels.T


SHAPES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "as drawn": lambda x: x,
    "heavy-tailed": lambda x: np.sinh(4 * x),
    "of a gate": lambda x: 1 / (1 + np.exp(-9 * x)),
    "of a hidden unit": lambda x: np.tanh(5 * x),
    "often 0": lambda x: np.maximum(x, 0),
}


@given(
    seed=seeds, shape=st.sampled_from(sorted(SHAPES)), offset=st.sampled_from([0.0, 0.3, 1e4]), n=st.integers(1, 1100)
)
def test_levels_in_bins_are_those_of_numpy(seed: int, shape: str, offset: float, n: int) -> None:
    """Some values are beyond the sample, at the ends of a unit that saturates, or at its middle."""
    rng = np.random.default_rng(seed)
    sample = (SHAPES[shape](rng.normal(size=(500, 5))) + offset * rng.integers(0, 2, 5)).astype(np.float32)
    bins = bins_around(sample)
    values = np.concatenate([1.1 * sample, sample, np.repeat([[-1], [1], [0], [1.5], [-2]], 5, axis=1)])
    values = np.concatenate([values, bins.middle[None]])[rng.permutation(len(values) + 1)[:n]].astype(np.float32)
    has_no_edges = bins.first_edge < 0
    levels, expected = levels_of(values, bins), levels_by_numpy(values, bins)
    assert (levels[has_no_edges] == expected[has_no_edges]).all()


@given(seed=seeds, n_chars=st.integers(1, 200), n_units=st.integers(1, 70))
def test_levels_of_float16_are_its_bits_in_order(seed: int, n_chars: int, n_units: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 1 << 16, (n_chars, n_units)).astype(np.uint16)
    values = bits.view(np.float16)
    levels = np.empty((n_units, n_chars), np.uint16)
    assert to_levels(values, levels) == np.isfinite(values).all()
    expected = np.where(bits < 0x8000, 0x8000 + bits.astype(int), 0x10000 - bits.astype(int))
    assert (expected == levels.T).all()


def test_levels_at_borders_of_cells_are_those_of_numpy(rng: np.random.Generator) -> None:
    """Characters and units are taken several at a time; some values are at borders of cells, or beyond all cells."""
    sample: NDArray[np.float32] = rng.standard_t(2, (1100, 19)).astype(np.float32)
    bins = bins_around(sample[::11])
    values = sample.copy()
    values[5] = bins.middle
    values[6], values[7] = 1e30, -1e30
    for row, step in enumerate((0, -1, 1), 8):  # steps from one float32 to the next, off where a cell begins
        bits = np.float32(1).view(np.int32) + (np.int32(3) << bins.shift.astype(np.int32)) + step
        values[row] = bins.middle + (bits.astype(np.int32).view(np.float32) - 1) / bins.per_scale
    levels = levels_of(values, bins)
    assert (levels == levels_by_numpy(values, bins)).all()
    assert (np.concatenate([levels_of(values[:513], bins), levels_of(values[513:], bins)], axis=1) == levels).all()
    assert (levels_of(values[:, 3:5], bins.of(slice(3, 5))) == levels[3:5]).all()
