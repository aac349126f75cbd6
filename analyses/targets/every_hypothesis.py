"""The labels of every registered hypothesis that can be asked of a text."""

from activations.blocks import Source
from analyses.errors import AnalysisError
from analyses.targets.classes import refuse_many
from analyses.targets.labelling import target_for
from analyses.targets.target import Target
from hypotheses.errors import HypothesisError
from hypotheses.registry import registered


def every_target(source: Source) -> list[Target]:
    """Label the text of a source by every registered hypothesis that needs no parameter and can be asked of it.

    Raises:
        AnalysisError: If no hypothesis has different labels in this text.
    """
    names = [name for name, hypothesis in registered().items() if not hypothesis.parameters.required]
    targets = []
    for name in names:
        try:
            target = target_for(source, name, len(names))
            if target.kind == "categorical":
                refuse_many(target)
        except (AnalysisError, HypothesisError):
            continue
        targets.append(target)
    if not targets:
        raise AnalysisError("no hypothesis has different labels in this text, so nothing can explain a unit")
    return targets
