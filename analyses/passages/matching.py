"""Matched units: units drawn at random from the same site, of about the same variance as a tested one."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit

N_MATCHED = 20
_POOL = 3  # times as many units of the nearest variance, among which the matched ones are drawn


def matched_units(
    variances: NDArray[np.floating], unit: int, n: int, excluded: Collection[int], rng: np.random.Generator
) -> list[int]:
    """Draw units of one site that are matched in variance to one of them.

    Args:
        variances: (n_units,) variance of each unit.
        unit: The unit.
        n: Number of units wanted; there are fewer if the site has fewer.
        excluded: Units that may not be drawn, such as the others that are tested.
        rng: Draws them.

    Returns:
        Their indices, in ascending order: drawn among the three times as many whose variance is nearest, as a ratio.
    """
    pool = _nearest(variances, unit, _POOL * n, {unit, *excluded})
    return sorted(rng.choice(pool, size=min(n, len(pool)), replace=False).tolist()) if pool else []


def matched_groups(
    variances: Mapping[Site, NDArray[np.floating]],
    group: Sequence[Unit],
    n: int,
    excluded: Collection[Unit],
    rng: np.random.Generator,
) -> list[tuple[Unit, ...]]:
    """Draw groups of units, in each of which every unit of a group is replaced by one that is matched to it.

    Args:
        variances: (n_units,) variance of each unit, for each site.
        group: The units.
        n: Number of groups wanted; there are fewer if the sites have too few units.
        excluded: Units that may not be drawn, such as others that are tested.
        rng: Draws them.

    Returns:
        Groups of different units; of one unit, the groups are those that `matched_units` draws.
    """
    if len(group) == 1:
        site = group[0].site
        others = [unit.index for unit in excluded if unit.site == site]
        return [(Unit(site, index),) for index in matched_units(variances[site], group[0].index, n, others, rng)]
    groups = []
    for _ in range(n):
        drawn: list[Unit] = []
        for unit in group:
            taken = {other.index for other in (*group, *excluded, *drawn) if other.site == unit.site}
            pool = _nearest(variances[unit.site], unit.index, _POOL * n, taken)
            if not pool:
                return []
            drawn.append(Unit(unit.site, int(rng.choice(pool))))
        groups.append(tuple(drawn))
    return list(dict.fromkeys(groups))


def _nearest(variances: NDArray[np.floating], unit: int, n: int, excluded: Collection[int]) -> list[int]:
    """Return the units of a site whose variance is nearest to that of one of them, as a ratio, the nearest first."""
    tiny = np.finfo(np.float64).tiny
    distance = np.abs(np.log(np.maximum(variances, tiny)) - np.log(max(float(variances[unit]), tiny)))
    return [other for other in np.argsort(distance, kind="stable").tolist() if other not in excluded][:n]
