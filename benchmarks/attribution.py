"""How fast attribution ranks units, beside holding them one by one, and how far the two agree.

python benchmarks/attribution.py model.pt corpus.txt --sites hidden --units 512
"""

import argparse
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from activations.models.checkpoints import load_model
from activations.reading.live import LiveActivations
from activations.site_names import select_sites
from activations.texts.corpus import Corpus
from activations.units import Site, Unit, units_of
from activations.variants import ModelSource
from analyses.causes.ablation import loss_changes
from analyses.passages.attributions import attribute_windows
from analyses.passages.base_reading import read_base
from analyses.passages.character_sets import character_sets
from analyses.passages.effects import CONTRAST, EffectSums
from analyses.passages.passages import spread_passages
from analyses.targets.labelling import target_for
from analyses.targets.target import Target

_TOP = 10


def exact_contrasts(live: ModelSource, target: Target, units: list[Unit], n_chars: int) -> NDArray[np.float64]:
    """(n_units,) what holding each unit at its mean adds to the loss inside less outside."""
    passages = spread_passages(live, n_chars)
    sets = character_sets(target, live, passages)
    base = read_base(live, passages, sets, sorted({unit.site for unit in units}))
    sums = EffectSums(sets, len(units))
    for first, changes in loss_changes(live, base, [(unit,) for unit in units], "mean", np.random.default_rng(0)):
        sums.add(first, changes)
    return np.array([estimate.value for estimate in sums.estimates(CONTRAST)])


def attributed_contrasts(
    live: ModelSource, target: Target, sites: list[Site], n_chars: int, steps: int
) -> NDArray[np.float64]:
    """(n_units,) the same by attribution."""
    found = attribute_windows(live, target, sites, integrated_steps=steps, n_chars=n_chars)
    changes = np.concatenate([found.changes[site] for site in sites], axis=2)
    inside, outside = changes.sum(axis=0) / found.windows.n.sum(axis=0)[:, None]
    return np.asarray(inside - outside)


def main() -> None:
    """Print what each takes, and how the orders of units correlate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--sites", default="hidden")
    parser.add_argument("--hypothesis", default="in_quotes")
    parser.add_argument("--units", type=int, default=512, help="at most so many, one by one")
    parser.add_argument("--chars", type=int, default=5000)
    given = parser.parse_args()
    live = LiveActivations(load_model(given.model), Corpus.read(given.text), replace_unknown=True)
    target = target_for(live, given.hypothesis)
    sites = select_sites(live.sites, given.sites)
    units = units_of(live.sites, sites)[: given.units]
    attributed_contrasts(live, target, sites, 500, 0)  # what is loaded and compiled at first
    began = time.perf_counter()
    exact = exact_contrasts(live, target, units, given.chars)
    one_by_one = time.perf_counter() - began
    print(f"{len(units)} units of {given.sites}, {given.chars:,} characters, one by one: {one_by_one:.1f} s")
    for steps in (0, 1, 8):
        began = time.perf_counter()
        estimated = attributed_contrasts(live, target, sites, given.chars, steps)[: len(units)]
        taken = time.perf_counter() - began
        shared = len(set(np.argsort(-abs(estimated))[:_TOP].tolist()) & set(np.argsort(-abs(exact))[:_TOP].tolist()))
        print(
            f"  {f'integrated gradients, {steps} steps' if steps else 'gradients'}: {taken:.2f} s, "
            f"{one_by_one / taken:.0f} x faster; Spearman's correlation {spearmanr(estimated, exact)[0]:.2f}, of sizes "
            f"{spearmanr(abs(estimated), abs(exact))[0]:.2f}; {shared} of the {_TOP} largest in common"
        )


if __name__ == "__main__":
    main()
