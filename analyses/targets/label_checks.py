"""Checks of labels before they are used: do they look as if the text had misled the hypothesis?"""

from collections.abc import Iterable

from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from hypotheses.describing.label_warnings import LabelWarning, find_warnings
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labelling.long_labels import AnyLabels


def check_labels(
    corpus: Corpus, name: str, labels: AnyLabels | CorpusLabels, selection: Selection | None = None
) -> list[LabelWarning]:
    """Return the warnings about the labels of the characters that are used; see `label_warnings.warnings_of`.

    Args:
        corpus: The text.
        name: What the labels are called.
        labels: One for each of its characters.
        selection: The characters that are used; None is all of them.
    """
    part = slice(0, len(corpus)) if selection is None else slice(selection.start, selection.stop)
    return find_warnings(labels, name, corpus.place, document_starts=corpus.starts, part=part)


def summary_of_warnings(warnings: Iterable[LabelWarning]) -> str:
    """Return one sentence that names the hypotheses of several warnings."""
    names = ", ".join(warning.hypothesis for warning in warnings)
    return f"labels that look wrong, or are rare (`probe hypotheses TEXT` says why): {names}"
