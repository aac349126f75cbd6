"""Effects of units by attribution, with intervals, beside units of the same site and of about the same variance."""

from collections.abc import Sequence

import numpy as np

from activations.units import Site, Unit
from analyses.passages.attributions import WindowAttributions
from analyses.passages.character_sets import ALL, INSIDE, OUTSIDE, SET_NAMES
from analyses.passages.effects import CONTRAST, Effect, EffectSums, effects
from analyses.passages.matching import N_MATCHED, matched_units

WHERE = (CONTRAST, SET_NAMES[ALL], SET_NAMES[INSIDE], SET_NAMES[OUTSIDE])


def attribution_effects(
    attributions: WindowAttributions,
    sites: Sequence[Site],
    n_matched: int = N_MATCHED,
    seed: int = 0,
    where: tuple[str, ...] = WHERE,
) -> list[Effect]:
    """Return the effects of all units of some sites, each beside matched units.

    Args:
        attributions: The attributions of these sites.
        sites: The sites.
        n_matched: Number of matched units wanted beside each; small sites have fewer.
        seed: Seed of the draws of matched units.
        where: The sets of characters, of `WHERE`.

    Returns:
        For each unit in the order of the sites, one effect for each of these sets.
    """
    rng = np.random.default_rng(seed)
    units: list[Unit] = []
    matched: list[list[int]] = []
    for site in sites:
        variances, first = attributions.moments[site].variance, len(units)
        for index in range(len(variances)):
            units.append(Unit(site, index))
            matched.append([first + number for number in matched_units(variances, index, n_matched, (), rng)])
    sums = _sums_of_atoms(attributions, sites)
    return effects(sums, list(map(str, units)), list(range(len(units))), matched, where)


def _sums_of_atoms(attributions: WindowAttributions, sites: Sequence[Site]) -> EffectSums:
    """Add up the changes of the windows of each atom."""
    changes = np.concatenate([attributions.changes[site] for site in sites], axis=2)
    sums = EffectSums(attributions.sets, changes.shape[2])
    for number, set_ in enumerate((INSIDE, OUTSIDE)):
        by_atom = np.zeros((sums.sums.shape[1], changes.shape[2]))
        np.add.at(by_atom, attributions.windows.atoms, changes[:, number])
        sums.sums[:, :, set_] = by_atom.T
        sums.sums[:, :, ALL] += by_atom.T
    return sums
