"""The units that know a hypothesis best: those that an intervention is tried on if none is named."""

from activations.progress import Progress, no_progress
from activations.site_names import AnySites
from activations.units import Unit
from analyses.ranking.ranking import rank
from analyses.session import AnySource
from analyses.targets.labelling import AnyHypothesis
from analyses.targets.target import Target

N_BEST = 10


def best_ranked_units(
    source: AnySource,
    hypothesis: AnyHypothesis | Target,
    n_units: int = N_BEST,
    *,
    sites: AnySites | None = None,
    progress: Progress = no_progress,
) -> list[Unit]:
    """Return the units that `rank` puts first for a hypothesis.

    Args:
        source: A recording, which is the quicker one, or live activations.
        hypothesis: The hypothesis.
        n_units: Number of units.
        sites: The sites among whose units they are; None is all.
        progress: Called with the characters done and their number.

    Raises:
        AnalysisError: If the labels cannot be ranked for.
    """
    ranking = rank(source, hypothesis, sites=sites, n_intervals=0, progress=progress)
    return [ranked.unit for ranked in ranking.units[:n_units]]
