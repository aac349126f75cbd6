"""Matched units: units drawn at random from the same site, of about the same variance as a tested one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit

_POOL = 3  # times as many units of the nearest variance, among which the matched ones are drawn


@dataclass(frozen=True, slots=True, eq=False)
class UnitGroups:
    """Groups of units that are changed together, and which of them are matched to which.

    Attributes:
        groups: The units of each group. The first groups are the tested ones.
        matched: For each tested group, the numbers of the groups that are matched to it.
    """

    groups: list[tuple[Unit, ...]]
    matched: list[list[int]]


def with_matched(
    tested: Sequence[tuple[Unit, ...]],
    variances: Mapping[Site, NDArray[np.floating]],
    n_matched: int,
    rng: np.random.Generator,
) -> UnitGroups:
    """Add groups in which every tested unit is replaced by one that is matched to it.

    Args:
        tested: The units of each tested group.
        variances: (n_units,) variances of the units of each of their sites.
        n_matched: Number of groups wanted beside each tested one; there are fewer if a site has too few units.
        rng: Draws them.
    """
    all_tested = {unit for group in tested for unit in group}
    groups = list(tested)
    number_of = {group: n for n, group in enumerate(groups)}
    matched = []
    for group in tested:
        drawn = []
        for unit in group:
            of_site = variances[unit.site]
            others = {other.index for other in all_tested if other.site == unit.site}
            if len(of_site) - len(others) < n_matched:  # all units of a site may be tested against each other
                others = {other.index for other in group if other.site == unit.site}
            chosen = matched_units(of_site, unit.index, n_matched, others, rng)
            drawn.append([Unit(unit.site, index) for index in chosen])
        shuffled = [rng.permutation(len(units)) for units in drawn]
        numbers = []
        for k in range(min(map(len, drawn))):
            other = tuple(units[order[k]] for units, order in zip(drawn, shuffled, strict=True))
            if other not in number_of:
                number_of[other] = len(groups)
                groups.append(other)
            numbers.append(number_of[other])
        matched.append(numbers)
    return UnitGroups(groups, matched)


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
    tiny = np.finfo(np.float64).tiny
    distance = np.abs(np.log(np.maximum(variances, tiny)) - np.log(max(float(variances[unit]), tiny)))
    nearest = [other for other in np.argsort(distance, kind="stable").tolist() if other not in {unit, *excluded}]
    pool = nearest[: _POOL * n]
    return sorted(rng.choice(pool, size=min(n, len(pool)), replace=False).tolist()) if pool else []
