"""Columns are read in few groups, and tiles have the same levels from any source."""

import numpy as np
import pytest
from planting import Live

from activations.units import Site
from analyses.levels.columns import Columns, LevelReader, column_groups

CELL = Site.of(0, "cell")


@pytest.mark.parametrize(
    ("sizes", "most", "n_units_of_groups"),
    [
        ([256] * 4, 134, [[128]] * 8),  # no group has units of two sites, which both would have to be read
        ([256, 256], 600, [[256, 256]]),
        ([256, 256], 300, [[256], [256]]),
        ([10, 10, 10, 5], 25, [[10, 8], [2, 10, 5]]),
        ([7], 3, [[3], [3], [1]]),
        ([3, 0, 1], 1, [[1]] * 4),
        ([], 5, []),
    ],
)
def test_groups_are_few_and_of_about_the_same_size(
    sizes: list[int], most: int, n_units_of_groups: list[list[int]]
) -> None:
    sites = [Site.of(layer, "cell") for layer in range(len(sizes))]
    found = column_groups(list(zip(sites, sizes, strict=True)), most)
    assert [[each.n_units for each in group] for group in found if group] == n_units_of_groups
    units = [(each.site, unit) for group in found for each in group for unit in range(each.start, each.stop)]
    assert units == [(site, unit) for site, size in zip(sites, sizes, strict=True) for unit in range(size)]


@pytest.mark.parametrize("n_at_once", [700, 16_384, 40_000])
def test_tiles_of_a_live_source_have_the_levels_of_a_recording(n_at_once: int, rng: np.random.Generator) -> None:
    """The result does not depend on what is gathered before levels are found, or left over at the end."""
    n_chars = 40_000
    source = Live({CELL: rng.normal(size=(n_chars, 3)).astype(np.float32)})
    chosen = Columns(CELL, 1, 3)
    reader = LevelReader(source)
    seen = np.zeros((2, n_chars), np.uint16)
    for places, levels in reader.tiles(source, [chosen], lambda n: None, n_at_once):
        seen[:, places] = levels[chosen]
    expected = np.empty_like(seen)
    [block] = source.blocks(n_chars=n_chars)
    reader.write_levels(chosen, block.values[CELL][:, 1:], expected)
    assert len(np.unique(expected)) > 10_000
    np.testing.assert_array_equal(seen, expected)
