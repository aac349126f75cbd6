"""Scores that need the model itself, and not only its activations."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from activations.blocks import Source
from activations.progress import Advance
from activations.units import Site, in_order
from analyses.passages.models import model_source
from analyses.ranking.methods.method import MethodScores, ScoreEvidence, sign_aligned
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target

if TYPE_CHECKING:
    from analyses.passages.effects import Effect


def attribution(
    source: Source, target: Target, sites: Collection[Site], seed: int, forward: Advance
) -> dict[Site, MethodScores]:
    """Score units by the size of the attribution of the loss to them inside less that outside.

    The scores on all characters, with their intervals and p-values, are those of `attribute` with its defaults.
    """
    from analyses.passages.attribution_effects import attribution_effects
    from analyses.passages.attributions import attribute_windows
    from analyses.passages.effects import CONTRAST

    chosen = in_order(source.sites, sites)
    attributions = attribute_windows(model_source(source), target, chosen)
    contrasts = attribution_effects(attributions, chosen, seed=seed, where=(CONTRAST,))
    n_chars, horizon = attributions.sets.members.shape[1], attributions.windows.horizon
    note = (
        f"attribution is that of the losses of {n_chars:,} characters, to what each unit does up to {horizon} "
        "characters before, in nats per character; its p is under the null that a unit is one like those of its site "
        "that vary as much"
    )
    scores = {}
    first = 0
    for site in chosen:
        aligned = sign_aligned(attributions.contrasts(site, TRAIN), attributions.contrasts(site, TEST))
        of_site = contrasts[first : first + len(aligned.train)]
        scores[site] = aligned._replace(note=note, evidence=_evidence(of_site))
        first += len(of_site)
    return scores


def _evidence(effects: "Sequence[Effect]") -> ScoreEvidence:
    overall, low, high, p = np.array([(effect.effect, effect.low, effect.high, effect.p) for effect in effects]).T
    return ScoreEvidence(overall, low, high, p, effects[0].no_interval_reason)
