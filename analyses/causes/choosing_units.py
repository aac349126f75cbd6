"""The units that know a hypothesis best: those that an intervention is tried on if none is named."""

from contextlib import suppress

import numpy as np

from activations.blocks import Source
from activations.progress import Progress, no_progress
from activations.site_names import AnySites, select_sites
from activations.units import Unit
from analyses.errors import AnalysisError
from analyses.passages.models import reading_source
from analyses.passages.passages import Passages, spread_passages
from analyses.ranking.ranking import rank
from analyses.session import AnySource, Session, question
from analyses.targets.labelling import AnyHypothesis, target_for, target_of_labels
from analyses.targets.target import Target
from hypotheses.labels import Labels

N_BEST = 10
N_RANKED_CHARS = 30_000
"""The characters on which units are ranked, in passages spread over the text; a shorter text is used whole."""


@question
def best_ranked_units(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    n_units: int = N_BEST,
    *,
    sites: AnySites | None = None,
    n_chars: int = N_RANKED_CHARS,
    model: AnySource | None = None,
    progress: Progress = no_progress,
) -> list[Unit]:
    """Return the units that `rank` puts first for a hypothesis, on some of the characters of a long text.

    Units are chosen by their values, and tested by the loss. The characters may be the same: units that are the best
    ones by chance there are not called significant more often than others (docs/interventions.md has the numbers).

    Args:
        source: A recording or live activations.
        hypothesis: The hypothesis.
        n_units: Number of units.
        sites: The sites among whose units they are; None is all.
        n_chars: Characters to rank on, in passages spread over the text. If the hypothesis is too rare there to be
            ranked for, it is all characters.
        model: The live activations that read the passages; None is the source. A recording alone is ranked whole.
        progress: Called with the characters done and their number.

    Raises:
        AnalysisError: If the labels cannot be ranked for.
    """
    target = target_for(source, hypothesis)
    chosen = list(source.sites) if sites is None else sites
    live = Session.of(source if model is None else model)
    ranking = None
    if source.selection.n_chars > n_chars and hasattr(live.source, "read_variants"):
        passages = spread_passages(live, n_chars)
        with suppress(AnalysisError):  # such as that of a label that occurs nowhere in them
            of_passages = _target_of_passages(target, passages)
            reader = reading_source(live).with_corpus(passages.corpus, dtype="float16")
            with reader.rereadable(select_sites(reader.sites, chosen), progress) as recording:
                ranking = rank(recording, of_passages, sites=chosen, n_intervals=0)
    if ranking is None:
        ranking = rank(source, target, sites=chosen, n_intervals=0, progress=progress)
    return [ranked.unit for ranked in ranking.units[:n_units]]


def _target_of_passages(target: Target, passages: Passages) -> Target:
    """Return the labels of the counted characters of some passages; those of warm-ups are missing."""
    values, missing = target.labels.values_at(passages.positions), target.labels.missing_at(passages.positions)
    is_missing = ~passages.is_counted if missing is None else ~passages.is_counted | missing
    labels = Labels(np.array(values), target.labels.kind, is_missing, target.labels.names)
    return target_of_labels(passages.corpus, target.hypothesis, labels)
