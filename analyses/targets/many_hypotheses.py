"""Labels of many hypotheses at once, and why some of them have none."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from activations.blocks import Source
from activations.progress import NotedProgress, no_progress
from analyses.errors import AnalysisError, ConstantLabelsError
from analyses.targets.classes import refuse_many
from analyses.targets.label_checks import check_labels, summary_of_warnings
from analyses.targets.labelling import LABEL_BYTES, AnyHypothesis, target, target_for
from analyses.targets.predictions import PREFIX
from analyses.targets.target import Target
from analyses.targets.text_kinds import reasons_against, sentence_of_reasons
from hypotheses.errors import HypothesisError
from hypotheses.registry import get, hypothesis_of, registered

Notice = Callable[[str], None]


class Targets(NamedTuple):
    """The labels of several hypotheses on one text.

    Attributes:
        made: The targets, in the order of their hypotheses.
        reasons: Why others have none, a sentence by the name of each.
        shared_reasons: Shorter clauses by the same names; hypotheses that are left out for one reason share one.
    """

    made: list[Target]
    reasons: dict[str, str]
    shared_reasons: Mapping[str, str] = MappingProxyType({})

    @property
    def left_out(self) -> str:
        """One sentence that says which hypotheses are left out, and why; empty if none is."""
        return sentence_of_reasons({**self.reasons, **self.shared_reasons})


def targets_of(
    source: Source,
    hypotheses: Sequence[AnyHypothesis],
    *,
    lag: int = 0,
    language: str | None = None,
    use_cache: bool = True,
    notice: Notice = warnings.warn,
    memory_bytes: int = LABEL_BYTES,
    progress: NotedProgress = no_progress,
) -> Targets:
    """Label the text of a source by several hypotheses; those that do not apply to it do not stop the others.

    Args:
        source: A recording or live activations.
        hypotheses: Names, see `hypotheses.registry.get`, or functions from text to labels.
        lag: Ask for the label this many characters later, or earlier, below 0.
        language: Of the text, for hypotheses that depend on it and were given none.
        use_cache: Whether labels that were kept on disk may be used again.
        notice: Called with sentences for the user.
        memory_bytes: Memory for all labels. Labels that need more than an equal share of it are kept in temporary files
            as long as they are used.
        progress: Called with the number of hypotheses whose labels are made, their number, and a note on the next.

    Raises:
        HypothesisError: If the only hypothesis does not exist, or fails on this text.
        AnalysisError: If none of them applies.
    """
    made, reasons = [], {}
    for number, hypothesis in enumerate(several := list(dict.fromkeys(hypotheses))):
        progress(number, len(several), f"labels of {hypothesis}")
        try:
            share = memory_bytes // len(hypotheses)
            made.append(_target(source, hypothesis, lag, language, use_cache, notice, share))
        except (AnalysisError, HypothesisError) as error:
            if len(hypotheses) == 1:
                raise
            reasons[str(hypothesis)] = str(error)
    if not made:
        raise AnalysisError(next(iter(reasons.values()), "name at least one hypothesis"))
    progress(len(several), len(several), "")
    return Targets(made, reasons)


def all_targets(
    source: Source,
    *,
    lag: int = 0,
    language: str | None = None,
    use_cache: bool = True,
    notice: Notice = warnings.warn,
    memory_bytes: int = LABEL_BYTES,
    progress: NotedProgress = no_progress,
) -> Targets:
    """Label the text of a source by every registered hypothesis that needs no parameter, and that applies to the text.

    A hypothesis about programs, LaTeX, wikis and so on is left out if the text is not of that kind; see
    `hypotheses.text_kinds.kinds`. Those left out, and why, are in `reasons`; `left_out` is one sentence.

    For the arguments see `targets_of`.

    Raises:
        AnalysisError: If no hypothesis has different labels in this text.
    """
    names = [name for name, hypothesis in registered().items() if not hypothesis.parameters.required]
    made, reasons, shared, label_warnings = [], {}, {}, []
    for number, name in enumerate(names):
        progress(number, len(names), f"labels of {name}")
        hypothesis = get(name, language=language)
        against = reasons_against(hypothesis, source.corpus, source.selection)
        if against:
            reasons[name] = shared[name] = next(iter(against.values()))
            continue
        try:
            share = memory_bytes // len(names)
            labelled = _target(source, hypothesis, lag, language, use_cache, notice, share, checks=False)
            refuse_many(labelled)
            made.append(labelled)
            label_warnings += check_labels(source.corpus, labelled.hypothesis, labelled.labels, source.selection)
        except (AnalysisError, HypothesisError) as error:
            reasons[name] = str(error)
            if isinstance(error, ConstantLabelsError):
                shared[name] = "one label everywhere, or in one part of the split"
    if not made:
        raise AnalysisError("no hypothesis has different labels in this text, so there is nothing to rank units for")
    progress(len(names), len(names), "")
    if label_warnings:
        notice(summary_of_warnings(label_warnings))
    return Targets(made, reasons, shared)


def _target(
    source: Source,
    hypothesis: AnyHypothesis,
    lag: int,
    language: str | None,
    use_cache: bool,
    notice: Notice,
    memory_bytes: int,
    *,
    checks: bool = True,
) -> Target:
    if isinstance(hypothesis, str) and hypothesis.startswith(PREFIX):
        if lag:
            raise AnalysisError(f"a lag does not go with {hypothesis}, which is about the next character as it is")
        return target_for(source, hypothesis)
    made = hypothesis_of(hypothesis, language=language)
    return target(
        source.corpus,
        made.lagged(lag) if lag else made,
        selection=source.selection,
        use_cache=use_cache,
        notice=notice,
        memory_bytes=memory_bytes,
        checks=checks,
    )
