"""The reading without any intervention, beside which effects are measured: losses, and the moments of units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, counting, no_progress
from activations.units import Site
from activations.variants import ModelSource
from analyses.passages.character_sets import INSIDE, OUTSIDE, CharacterSets
from analyses.passages.passages import Passages

Array = NDArray[np.float64]
BASE_WEIGHT = 4
"""About how much longer a reading takes alone than it takes for each of many variants that are read side by side."""


@dataclass(frozen=True, slots=True, eq=False)
class SiteMoments:
    """Means and variances of the units of a site over the counted characters of some passages.

    Attributes:
        mean: (n_units,) over all of them.
        variance: (n_units,) likewise.
        inside: (n_units,) mean where the hypothesis holds.
        outside: (n_units,) mean where it does not.
    """

    mean: Array
    variance: Array
    inside: Array
    outside: Array


@dataclass(frozen=True, slots=True, eq=False)
class BaseReading:
    """A reading of some passages without any intervention.

    Attributes:
        passages: The passages.
        sets: The sets of characters of a hypothesis in them.
        moments: The moments of each site that is wanted.
    """

    passages: Passages
    sets: CharacterSets
    moments: dict[Site, SiteMoments]


def read_base(
    live: ModelSource,
    passages: Passages,
    sets: CharacterSets,
    sites: Sequence[Site],
    progress: Progress = no_progress,
) -> BaseReading:
    """Read some passages without any intervention.

    Args:
        live: The model, and how it reads.
        passages: The passages.
        sets: The sets of characters in them.
        sites: The sites whose moments are wanted.
        progress: Called with the characters read and their number.
    """
    advance = counting(progress, len(passages.corpus))
    counted = np.flatnonzero(passages.is_counted)
    weights = np.zeros((3, len(passages.positions)))
    weights[:, counted] = np.stack([np.ones(len(counted)), sets.members[INSIDE], sets.members[OUTSIDE]])
    sums = {site: np.zeros((3, live.sites[site])) for site in sites}
    squares = {site: np.zeros(live.sites[site]) for site in sites}
    for block in live.with_corpus(passages.corpus).blocks(sites):
        for site, values in block.values.items():
            x, w = values.astype(np.float64), weights[:, block.positions]
            sums[site] += w @ x
            squares[site] += w[0] @ x**2
        advance(block.n_chars)
    totals = weights.sum(axis=1, keepdims=True)
    moments = {}
    for site in sites:
        mean, inside, outside = sums[site] / totals
        moments[site] = SiteMoments(mean, np.maximum(squares[site] / totals[0] - mean**2, 0), inside, outside)
    return BaseReading(passages, sets, moments)


def recorded_values(live: ModelSource, passages: Passages, site: Site) -> NDArray[np.float32]:
    """(n_chars, n_units) values of a site at all characters of some passages, warm-ups included."""
    values = np.empty((len(passages.positions), live.sites[site]), np.float32)
    for block in live.with_corpus(passages.corpus).blocks([site]):
        values[block.positions] = block.values[site]
    return values
