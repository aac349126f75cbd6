"""Groups of units that are read together."""

import pytest

from activations.units import Site
from analyses.columns import groups


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
def test_groups_are_few_and_as_large_as_each_other(
    sizes: list[int], most: int, n_units_of_groups: list[list[int]]
) -> None:
    sites = [Site(layer, "cell") for layer in range(len(sizes))]
    found = groups(list(zip(sites, sizes, strict=True)), most)
    assert [[each.n_units for each in group] for group in found if group] == n_units_of_groups
    units = [(each.site, unit) for group in found for each in group for unit in range(each.start, each.stop)]
    assert units == [(site, unit) for site, size in zip(sites, sizes, strict=True) for unit in range(size)]
