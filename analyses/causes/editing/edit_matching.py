"""Units beside matched ones: does a unit follow an edit of the text more than units like it?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit
from activations.variants import ModelSource
from analyses.causes.editing.edit_effects import CONTRAST, EditEffect, EditSample, beyond_random
from analyses.causes.effects import beside_matched
from analyses.causes.matched_p_values import FEWEST_MATCHED
from analyses.causes.matching import matched_units
from analyses.intervals.estimates import Estimate
from analyses.intervals.significance import q_values

_SAMPLED_CHARS = 2000


def draw_matched(live: ModelSource, units: Sequence[Unit], n: int, rng: np.random.Generator) -> list[list[Unit]]:
    """Draw for each unit others of its site and of about the same variance; see `matched_units`.

    The other units are left out, unless too few remain.
    """
    sites = list(dict.fromkeys(unit.site for unit in units))
    sample = live.sample(sites, _SAMPLED_CHARS) if n and sites else {}
    variances: dict[Site, NDArray[np.float64]] = {
        site: values.astype(np.float64).var(axis=0) for site, values in sample.items()
    }
    drawn = []
    for unit in units if n else ():
        others = {other.index for other in units if other.site == unit.site}
        excluded = others if len(variances[unit.site]) - len(others) >= n else {unit.index}
        indices = matched_units(variances[unit.site], unit.index, n, excluded, rng)
        drawn.append([Unit(unit.site, index) for index in indices])
    return drawn or [[] for _ in units]


def tested_beside_matched(
    effects: Sequence[EditEffect],
    edits: EditSample,
    random: EditSample,
    references: NDArray[np.float64],
    matched: Mapping[str, tuple[int, Sequence[int]]],
) -> list[EditEffect]:
    """Test how much more units change where the label changes than where it stays, beside matched units.

    All contrasts are less those of the random edits, and count as positive if they have the sign of inside less outside
    of their unit. The spread of the matched units and the text's sampling error both count; see `matched_p_value`.

    Args:
        effects: The effects.
        edits: The edits.
        random: The random ones.
        references: (n_quantities,) mean inside less outside.
        matched: For each unit by its name, its number among the quantities, and those of its matched units.

    Returns:
        The effects, with p-values and q-values of the units' contrasts that are these.
    """
    tested = list(effects)
    rows = [n for n, e in enumerate(tested) if e.quantity in matched and e.where == CONTRAST and e.n_after is None]
    for row in rows:
        number, others = matched[tested[row].quantity]
        tested[row] = _beside(
            tested[row],
            _aligned(number, edits, random, references),
            [_aligned(other, edits, random, references) for other in others],
        )
    q = q_values(np.array([tested[row].p for row in rows]))
    for row, value in zip(rows, q, strict=True):
        tested[row] = replace(tested[row], q=float(value))
    return tested


def _aligned(number: int, edits: EditSample, random: EditSample, references: NDArray[np.float64]) -> Estimate:
    """Return the contrast of a unit, positive if it has the sign of inside less outside."""
    contrast, sign = beyond_random(number, CONTRAST, edits, random), np.sign(references[number])
    return replace(contrast, value=contrast.value * sign, influence=contrast.influence * sign)


def _beside(effect: EditEffect, contrast: Estimate, matched: Sequence[Estimate]) -> EditEffect:
    """Compare a unit with its matched ones; with fewer than five of these, it is left as it is."""
    if len(matched) < FEWEST_MATCHED or not np.isfinite([contrast.value, *(m.value for m in matched)]).all():
        return effect
    comparison = beside_matched(contrast, matched)
    sign = 1 if effect.reference >= 0 else -1
    p = comparison.p if np.isfinite(effect.p) else np.nan
    return replace(effect, p=p, matched=sign * comparison.matched, matched_sd=comparison.matched_sd)
