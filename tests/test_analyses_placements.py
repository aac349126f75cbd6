"""Placements, and bins of quantiles, are those that numpy counts one by one."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from activations.units import Site
from analyses.intervals.long_run import N_GROUPS, position_groups
from analyses.levels.bins import N_LEVELS
from analyses.levels.columns import Columns
from analyses.levels.joint_labels import JointLabels
from analyses.statistics.placements import PlacementSums
from analyses.statistics.quantile_counts import N_BINS, bins_of_levels
from analyses.targets.splits import Split
from hypotheses.labels import Labels

seeds = st.integers(0, 2**32 - 1)
UNITS = Columns(Site.of(0, "cell"), 0, 11)


def places_among(levels: NDArray[np.int64], positives: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_chars,) twice the positives with lower levels, and those with the same one."""
    in_order = np.sort(positives)
    return np.searchsorted(in_order, levels, "left") + np.searchsorted(in_order, levels, "right")


@given(seed=seeds, n_levels=st.sampled_from([2, 40, 5000]), share=st.sampled_from([0.02, 0.5]))
def test_placements_are_those_of_numpy(seed: int, n_levels: int, share: float) -> None:
    rng, n_chars = np.random.default_rng(seed), 2_000
    split = Split(n_chars=n_chars, n_stretches=20, gap=5)
    is_true, missing = rng.random(n_chars) < share, rng.random(n_chars) < 0.1
    levels = rng.integers(0, n_levels, (UNITS.n_units, n_chars)).astype(np.uint16)
    units = rng.permutation(UNITS.n_units)[:9]  # more than a thread works on at a time
    statistic = PlacementSums(JointLabels(split, [Labels(is_true, "binary", missing)]), {(0, UNITS): units})
    places = np.arange(n_chars)
    for _ in range(2):
        for tile in np.array_split(places, 3):
            statistic.update_levels(tile, {UNITS: levels[:, tile]})
        statistic.end_reading()
    placed = statistic.result()[0, UNITS]
    parts = np.where(missing, -1, split.parts_of(places))
    atoms, is_labelled = split.atom(places), parts >= 0
    for n, unit in enumerate(units):
        for sums, rows in ((placed.positive, is_labelled & is_true), (placed.negative, is_labelled & ~is_true)):
            own = places_among(levels[unit, rows].astype(int), levels[unit, is_labelled & is_true].astype(int))
            assert (sums[:, n] == np.bincount(atoms[rows], own, split.n_atoms)).all()
    groups, held_out = position_groups(split.n_atoms)[atoms], is_labelled & split.held_out_atoms[atoms]
    for group in range(N_GROUPS):
        for label in range(2):
            n_held_out = (held_out & (groups == group) & (is_true == label)).sum()
            assert (placed.held_out[group, label].sum(axis=0) == n_held_out).all()


@given(seed=seeds, n_chars=st.integers(1, 3_000), n_levels=st.integers(1, 600))
def test_quantiles_of_levels_are_those_of_numpy(seed: int, n_chars: int, n_levels: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.stack([np.bincount(rng.integers(0, n_levels, n_chars), minlength=N_LEVELS) for _ in range(2)])
    bins = bins_of_levels(counts.astype(np.uint32))
    middles = 2 * np.cumsum(counts, axis=1) - counts
    assert (bins == np.minimum(middles * N_BINS // (2 * n_chars), N_BINS - 1)).all()
