"""Units and probes beside matched ones: does one follow an edit of the text more than units, or directions, like it?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit
from activations.variants import ModelSource
from analyses.causes.editing.edit_effects import CONTRAST, LOSS, PROBE, EditEffect, EditSample, beyond_random
from analyses.causes.editing.edited_passages import NO_DIRECTIONS, Directions
from analyses.intervals.estimates import Estimate
from analyses.intervals.matched_p_values import FEWEST_MATCHED
from analyses.intervals.significance import q_values
from analyses.passages.effects import beside_matched
from analyses.passages.matching import matched_directions, matched_units
from analyses.probing.kept_probes import Probe

_SAMPLED_CHARS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Quantities:
    """What is measured after edits. By number: the loss, units, and the outputs of directions, that of a probe first.

    Attributes:
        tested: The units that are tested.
        matched: For each of them, the units that are matched to it.
        directions: The direction of the probe that is tested, and those that are matched to it; none without a probe.
    """

    tested: Sequence[Unit]
    matched: Sequence[Sequence[Unit]]
    directions: Directions

    @property
    def units(self) -> list[Unit]:
        """The units that are tested, and after them those matched to them, each once."""
        return list(dict.fromkeys([*self.tested, *(unit for beside in self.matched for unit in beside)]))

    @property
    def numbers(self) -> dict[str, int]:
        """The number of the loss, of the probe, and of each unit that is tested, by their names."""
        of_probe = {PROBE: 1 + len(self.units)} if self.directions.units else {}
        return {LOSS: 0, **of_probe, **{str(unit): number for number, unit in enumerate(self.tested, 1)}}

    @property
    def matched_numbers(self) -> dict[str, list[int]]:
        """The numbers of those matched to each unit that is tested, and to the probe, by its name."""
        number_of = {unit: number for number, unit in enumerate(self.units, 1)}
        numbers = {
            str(unit): [number_of[partner] for partner in partners]
            for unit, partners in zip(self.tested, self.matched, strict=True)
        }
        if self.directions.units:
            first = 1 + len(number_of)
            numbers[PROBE] = list(range(first + 1, first + self.directions.weights.shape[1]))
        return numbers


def draw_quantities(
    live: ModelSource, units: Sequence[Unit], probe: Probe | None, n_matched: int, rng: np.random.Generator
) -> Quantities:
    """Draw what is measured beside some units and a probe.

    Args:
        live: The model, and how it reads.
        units: The units.
        probe: The probe, with one output; None is none.
        n_matched: Number of units, or directions, wanted beside each.
        rng: Draws them.
    """
    matched = draw_matched(live, units, n_matched, rng)
    directions = NO_DIRECTIONS if probe is None else draw_directions(live, probe, n_matched, rng)
    return Quantities(units, matched, directions)


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
        tested = {tested_unit.index for tested_unit in units if tested_unit.site == unit.site}
        excluded = tested if len(variances[unit.site]) - len(tested) >= n else {unit.index}
        indices = matched_units(variances[unit.site], unit.index, n, excluded, rng)
        drawn.append([Unit(unit.site, index) for index in indices])
    return drawn or [[] for _ in units]


def draw_directions(live: ModelSource, probe: Probe, n: int, rng: np.random.Generator) -> Directions:
    """Return the direction of a probe, and random ones of the same units along which they vary about as much.

    They are orthogonal to the probe's, since it is other ones that it is compared with, and as long as makes their
    outputs vary exactly as much as that of the probe. There are fewer than `n` if the probe sees few units.

    Args:
        live: The model, and how it reads.
        probe: The probe, with one output.
        n: Number of random directions wanted.
        rng: Draws them.
    """
    of_probe = probe.weights[:, 0] / probe.scale
    length = float(np.linalg.norm(of_probe))
    drawn: list[NDArray[np.float64]] = []
    if n and length > 0:
        sites = list(dict.fromkeys(unit.site for unit in probe.units))
        sample = live.sample(sites, _SAMPLED_CHARS)
        values = np.column_stack([sample[unit.site][:, unit.index] for unit in probe.units]).astype(np.float64)
        wanted = float((values @ of_probe).std())
        for direction in matched_directions(values, of_probe / length, n, rng, orthogonal=True):
            spread = float((values @ direction).std())
            drawn += [direction * wanted / spread] if spread > 0 else []
    return Directions(probe.units, np.column_stack([of_probe, *drawn]))


def tested_beside_matched(
    effects: Sequence[EditEffect],
    edits: EditSample,
    random: EditSample,
    references: NDArray[np.float64],
    quantities: Quantities,
) -> list[EditEffect]:
    """Test how much more units or a probe change where the label changes than where it stays, beside matched ones.

    All contrasts are less those of the random edits, and count as positive if they have the sign of inside less outside
    of their unit or direction. The spread of the matched ones and the text's sampling error both count; see
    `matched_p_value`.

    Args:
        effects: The effects.
        edits: The edits.
        random: The random ones.
        references: (n_quantities,) mean inside less outside.
        quantities: What is measured.

    Returns:
        The effects, with p-values of the contrasts that are these, and with q-values over the units.
    """
    tested, numbers, matched = list(effects), quantities.numbers, quantities.matched_numbers
    rows = [n for n, e in enumerate(tested) if e.quantity in matched and e.where == CONTRAST and e.n_after is None]
    for row in rows:
        name = tested[row].quantity
        tested[row] = _beside(
            tested[row],
            _aligned(numbers[name], edits, random, references),
            [_aligned(number, edits, random, references) for number in matched[name]],
        )
    rows_of_units = [row for row in rows if tested[row].quantity != PROBE]
    q = q_values(np.array([tested[row].p for row in rows_of_units]))
    for row, value in zip(rows_of_units, q, strict=True):
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
