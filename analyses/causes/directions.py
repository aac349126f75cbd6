"""Directions: vectors of a site's values, such as from where a hypothesis does not hold to where it does."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Progress, no_progress
from activations.results import Result
from activations.site_names import AnySites, select_sites
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.probing.kept_probes import load_probe
from analyses.session import question
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.target import Target


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Direction(Result):
    """A direction of the values of a site.

    Attributes:
        name: What it is called, such as the hypothesis that it is of.
        site: The site.
        vector: (n_units,) the direction, as long as it is to be for a factor of 1.
    """

    name: str
    site: Site
    vector: NDArray[np.float64]

    def __str__(self) -> str:
        return f"{self.name} at {self.site}, of length {np.linalg.norm(self.vector):.3g}"


def probe_direction(path: Path | str) -> Direction:
    """Return the direction of a kept probe: that in which its output rises fastest, with length 1.

    Args:
        path: A file of `probe fit --save`.

    Raises:
        AnalysisError: If it cannot be read, or has no single probe with a single output and site.
    """
    probe = load_probe(path)
    site, vector = probe.direction
    return Direction(f"probe of {probe.hypothesis}", site, vector)


@question
def mean_difference(
    source: Source, hypothesis: AnyHypothesis | Target, site: AnySites, *, progress: Progress = no_progress
) -> Direction:
    """Return the mean of a site's values where a hypothesis holds, less the mean where it does not.

    Args:
        source: A recording or live activations, all of which is read.
        hypothesis: A hypothesis that is True or False.
        site: The site.
        progress: Called with the characters read and their number.

    Raises:
        ActivationError: If there is no such site.
        AnalysisError: If several sites are meant, or the hypothesis is not True or False, or never changes.

    Source:
        Marks & Tegmark 2024, arXiv:2310.06824, who call it the mass-mean direction.
    """
    target = target_for(source, hypothesis)
    if target.kind != "binary":
        raise AnalysisError(
            f"{target.hypothesis!r} is not True or False, and has no inside and outside; compare it with a number or a "
            "class, such as 'indentation >= 4'"
        )
    sites = select_sites(source.sites, site)
    if len(sites) > 1:
        raise AnalysisError(f"a direction is of one site, and {', '.join(map(str, sites))} are named; name one")
    [chosen] = sites
    n_done, counts, sums = 0, np.zeros(2), np.zeros((2, source.sites[chosen]))
    for block in source.blocks([chosen]):
        rows = target.rows(block)
        is_labelled, holds = rows.parts >= 0, rows.labels.astype(bool)
        weights = np.stack([is_labelled & ~holds, is_labelled & holds]).astype(np.float64)
        counts += weights.sum(axis=1)
        sums += weights @ block.values[chosen].astype(np.float64)
        n_done += len(holds)
        progress(n_done, source.selection.n_chars)
    outside, inside = sums / counts[:, None]
    return Direction(target.hypothesis, chosen, inside - outside)
