"""Matched units: units drawn at random from the same site, of about the same variance as a tested one."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

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
    tiny = np.finfo(np.float64).tiny
    distance = np.abs(np.log(np.maximum(variances, tiny)) - np.log(max(float(variances[unit]), tiny)))
    nearest = [other for other in np.argsort(distance, kind="stable").tolist() if other not in {unit, *excluded}]
    pool = nearest[: _POOL * n]
    return sorted(rng.choice(pool, size=min(n, len(pool)), replace=False).tolist()) if pool else []
