"""Scores of a unit as one of many that predict a label together: weights of probes, and a sparse choice."""

from collections.abc import Collection

import numpy as np

from activations.blocks import Source
from activations.progress import Advance
from activations.units import Site, in_order
from analyses.errors import AnalysisError
from analyses.probing.options import FitOptions
from analyses.ranking.methods.method import Compute, MethodScores
from analyses.targets.target import Target

MOST_SELECTED = 64  # units of a sparse choice


def weight_in_probe(*, standardised: bool, options: FitOptions) -> Compute:
    """Return a function that scores units by the size of their weight in a linear probe of their site."""

    def compute(
        source: Source, target: Target, sites: Collection[Site], seed: int, forward: Advance
    ) -> dict[Site, MethodScores]:
        from analyses.probing.probes import fit

        chosen = in_order(source.sites, sites)
        scores = {}
        for site, probe in zip(chosen, fit(source, target, sites=chosen, options=options), strict=True):
            if not len(probe.weights):
                raise AnalysisError(f"no probe can be fitted for {target.hypothesis!r}: {probe.note}")
            weights = np.abs(probe.weights if standardised else probe.raw_weights)[:, 0]
            scores[site] = MethodScores(weights, np.full(len(weights), np.nan))
        return scores

    return compute


def sparse_choice(
    source: Source, target: Target, sites: Collection[Site], seed: int, forward: Advance
) -> dict[Site, MethodScores]:
    """Score units by the share of the label's variance that they and those chosen after them add to those before."""
    from analyses.probing.forward_selection import select_units

    with source.rereadable(sites) as recording:
        selected = select_units(recording, target, sites, MOST_SELECTED)
    r2_before = np.concatenate([[0.0], selected.r2[:-1]])
    note = ""
    if selected.every > 1:
        note = f"the units were chosen on one training character in {selected.every}, {selected.n_chars:,} of them"
    scores = {
        site: MethodScores(np.zeros(source.sites[site]), np.full(source.sites[site], np.nan), note) for site in sites
    }
    for unit, share in zip(selected.units, selected.r2[-1:] - r2_before, strict=True):
        scores[unit.site].train[unit.index] = share
    return scores
