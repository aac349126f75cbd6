"""Matched units and directions: drawn at random from the same site, and of about the same variance as a tested one."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit

N_MATCHED = 20
_POOL = 3  # times as many units of the nearest variance, among which the matched ones are drawn
_DIRECTION_POOL = 10  # times as many random directions, of which those of the nearest variance are taken
_MOST_TILT = 8.0
_N_BISECTIONS = 40

Array = NDArray[np.float64]


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
            unavailable = {known.index for known in (*group, *excluded, *drawn) if known.site == unit.site}
            pool = _nearest(variances[unit.site], unit.index, _POOL * n, unavailable)
            if not pool:
                return []
            drawn.append(Unit(unit.site, int(rng.choice(pool))))
        groups.append(tuple(drawn))
    return list(dict.fromkeys(groups))


def matched_directions(
    values: NDArray[np.floating], direction: Array, n: int, rng: np.random.Generator, *, orthogonal: bool = False
) -> list[Array]:
    """Draw directions along which values vary about as much as along a given one.

    In the principal directions, whose variances are λ, a direction has independent normal coordinates of variance λ^a.
    The exponent a is such that its expected variance, about Σ λ^(1+a) / Σ λ^a, is that of the given direction; of ten
    times as many, those whose variances are nearest are taken.

    Args:
        values: (n_chars, n_units) values.
        direction: (n_units,) the given direction, of length 1.
        n: Number of directions wanted.
        rng: Draws them.
        orthogonal: Whether they are to be orthogonal to the given one. There are then no more than units less one, and
            they vary less if none does as much as the given one.

    Returns:
        (n_units,) each, of length 1.
    """
    n = min(n, len(direction) - 1) if orthogonal else n
    if n <= 0:
        return []
    covariance = np.cov(values.astype(np.float64), rowvar=False).reshape(len(direction), len(direction))
    variances, principal = np.linalg.eigh(covariance)
    variances = np.maximum(variances, variances.max() * 1e-12)
    wanted = float(direction @ covariance @ direction)
    scales = _tilted_scales(variances, wanted)
    drawn = rng.standard_normal((_DIRECTION_POOL * n, len(variances))) * scales  # in the principal directions
    if orthogonal:
        coordinates = direction @ principal
        drawn -= np.outer(drawn @ coordinates, coordinates)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    distance = np.abs(np.log((drawn**2 @ variances + 1e-300) / (wanted + 1e-300)))
    nearest = np.argsort(distance, kind="stable")[:n]
    return list(rng.permutation(drawn[nearest]) @ principal.T)


def _tilted_scales(variances: Array, wanted: float) -> Array:
    """(n,) standard deviations of coordinates in principal directions, so that the expected variance is the wanted."""
    logs = np.log(variances) if variances.max() > 0 else np.zeros_like(variances)
    low, high = -_MOST_TILT, _MOST_TILT
    for _ in range(_N_BISECTIONS):
        tilt = (low + high) / 2
        if np.average(variances, weights=np.exp(tilt * (logs - logs.max()))) < wanted:
            low = tilt
        else:
            high = tilt
    return np.asarray(np.exp(tilt / 2 * (logs - logs.max())))


def _nearest(variances: NDArray[np.floating], unit: int, n: int, excluded: Collection[int]) -> list[int]:
    """Return the units of a site whose variance is nearest to that of one of them, as a ratio, the nearest first."""
    tiny = np.finfo(np.float64).tiny
    distance = np.abs(np.log(np.maximum(variances, tiny)) - np.log(max(float(variances[unit]), tiny)))
    return [index for index in np.argsort(distance, kind="stable").tolist() if index not in excluded][:n]
