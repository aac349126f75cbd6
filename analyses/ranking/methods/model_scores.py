"""Scores that need the model itself, and not only its activations."""

from collections.abc import Collection

from activations.blocks import Source
from activations.progress import Advance
from activations.units import Site, in_order
from analyses.passages.attributions import attribute_windows
from analyses.passages.models import model_source
from analyses.ranking.methods.method import MethodScores, sign_aligned
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target


def attribution(source: Source, target: Target, sites: Collection[Site], forward: Advance) -> dict[Site, MethodScores]:
    """Score units by the size of the attribution of the loss to them inside less that outside."""
    chosen = in_order(source.sites, sites)
    found = attribute_windows(model_source(source), target, chosen)
    n_chars, horizon = found.sets.members.shape[1], found.windows.horizon
    note = (
        f"attribution is that of the losses of {n_chars:,} characters, to what each unit does up to {horizon} "
        "characters before, in nats per character"
    )
    return {
        site: sign_aligned(found.contrasts(site, TRAIN), found.contrasts(site, TEST))._replace(note=note)
        for site in chosen
    }
