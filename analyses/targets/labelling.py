"""Making targets: label a text by a hypothesis, and check that the labels differ in both parts of the split."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from analyses.errors import AnalysisError, ConstantLabelsError
from analyses.targets.label_checks import check_labels
from analyses.targets.predictions import PREFIX, predicted
from analyses.targets.splits import TEST, TRAIN, Split
from analyses.targets.target import Target
from analyses.targets.text_kinds import doubts_about
from hypotheses.given_labels import GivenAsLabels, are_labels
from hypotheses.hypothesis import Hypothesis
from hypotheses.labelling import documents
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labelling.long_labels import AnyLabels, LabelsOnDisk
from hypotheses.labels import Labels
from hypotheses.registry import hypothesis_of
from hypotheses.user_files import as_hypothesis

AnyHypothesis = str | Callable[[str], Any] | GivenAsLabels
"""A name, a function, or labels: an array, a list, `Labels`, or a dict of those by the names of the documents."""
ManyHypotheses = AnyHypothesis | Target | Sequence[AnyHypothesis | Target]
"""One hypothesis or several: names, functions, labels, or targets made before. A list of strings has names."""
LABEL_BYTES = 1 << 28
"""Memory for all labels of one question; labels of longer texts, or of more hypotheses, are kept on disk."""


def target_for(source: Source, hypothesis: "AnyHypothesis | Target", memory_bytes: int = LABEL_BYTES) -> Target:
    """Return the target of a hypothesis on the characters that a source gives, or the target that was passed in.

    `predicts:a` stands for the model's own probability that the next character is an a; see `predictions.predicted`.

    Args:
        source: A recording or live activations.
        hypothesis: A name, a function, or a target made before.
        memory_bytes: Memory for its labels; see `target`.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels leave nothing to tell apart, or the target is of another text.
    """
    if isinstance(hypothesis, str) and hypothesis.startswith(PREFIX):
        labels = predicted(source, hypothesis)
        return target_of_labels(source.corpus, hypothesis, labels, selection=source.selection)
    if not isinstance(hypothesis, Target):
        return target(source.corpus, hypothesis, selection=source.selection, memory_bytes=memory_bytes)
    if hypothesis.corpus_sha256 != source.corpus.sha256 or hypothesis.selection != source.selection:
        raise AnalysisError(
            f"the labels of {hypothesis.hypothesis!r} are of another text, or of another part of it, than the "
            "activations; label this one"
        )
    return hypothesis


def listed(hypotheses: ManyHypotheses) -> Sequence[AnyHypothesis | Target]:
    """Return one hypothesis or several as a list, in which labels have different names."""
    if isinstance(hypotheses, str | Target) or callable(hypotheses) or are_labels(hypotheses):
        return [cast("AnyHypothesis | Target", hypotheses)]
    several = list(cast("Sequence[AnyHypothesis | Target]", hypotheses))
    numbers = [number for number, hypothesis in enumerate(several) if are_labels(hypothesis)]
    for count, number in enumerate(numbers, start=1):
        given = as_hypothesis(several[number])
        several[number] = given.with_name(f"{given.name}_{count}") if len(numbers) > 1 else given
    return several


def targets_for(source: Source, hypotheses: ManyHypotheses, memory_bytes: int = LABEL_BYTES) -> list[Target]:
    """Return the targets of one hypothesis or several, which share the memory for labels; see `target_for`."""
    several = listed(hypotheses)
    return [target_for(source, hypothesis, memory_bytes // len(several)) for hypothesis in several]


def labeller_of_new_texts(hypothesis: AnyHypothesis, described: str) -> Hypothesis:
    """Return the hypothesis of a name or a function, which has to label texts that have just been made.

    Args:
        hypothesis: A name, a function or labels.
        described: What the new texts are, such as "an edited text".

    Raises:
        HypothesisError: If there is no such hypothesis.
        AnalysisError: If it has the labels of one text alone, read from a file or given as an array.
    """
    labeller = hypothesis_of(hypothesis)
    if not labeller.labels_any_text:
        raise AnalysisError(
            f"{labeller.name!r} has labels of one text alone, and {described} has none; use a hypothesis that can "
            "label any text"
        )
    return labeller


def label(
    corpus: Corpus,
    hypothesis: Hypothesis,
    *,
    use_cache: bool = True,
    notice: Callable[[str], None] = warnings.warn,
    piece_chars: int = documents.MOST_CHARS,
) -> Labels:
    """Label a text, and return the labels of all its characters in one array; see `label_in_pieces`."""
    return label_in_pieces(corpus, hypothesis, use_cache=use_cache, notice=notice, piece_chars=piece_chars)[:]


def label_in_pieces(
    corpus: Corpus,
    hypothesis: Hypothesis,
    *,
    use_cache: bool = True,
    notice: Callable[[str], None] = warnings.warn,
    piece_chars: int = documents.MOST_CHARS,
) -> CorpusLabels:
    """Label all characters of a text, each document by itself.

    See `hypotheses.labelling.documents.label_corpus`.

    Args:
        corpus: The text.
        hypothesis: The hypothesis.
        use_cache: Whether labels from the cache may be used.
        notice: Called with a sentence if a document is so long that it is labelled in pieces.
        piece_chars: The most characters of a piece.

    Returns:
        The labels; `cached_at` says when labels from the cache were made.
    """
    long = [document for document in corpus.documents if document.n_chars > piece_chars]
    if long:
        others = f", and {len(long) - 1:,} more have over {piece_chars:,}; they are" if long[1:] else "; it is"
        notice(
            f"{long[0].name} has {long[0].n_chars:,} characters{others} labelled in pieces of at most {piece_chars:,}"
        )
    labels = documents.label_corpus(
        hypothesis,
        [document.name for document in corpus.documents],
        corpus.texts(),
        corpus.sha256,
        file_names=[document.file_name for document in corpus.documents],
        lengths=[document.n_chars for document in corpus.documents],
        use_cache=use_cache,
        piece_chars=piece_chars,
    )
    for warning in labels.warnings:
        notice(warning)
    if hypothesis.kind is None and labels.kind == "numeric" and labels.are_only(0, 1):
        notice(f"{hypothesis.name} gives 0 and 1, which are taken for numbers; give bools, or declare kind='binary'")
    return labels


def target(
    corpus: Corpus,
    hypothesis: AnyHypothesis,
    split: Split | None = None,
    *,
    selection: Selection | None = None,
    use_cache: bool = True,
    notice: Callable[[str], None] = warnings.warn,
    memory_bytes: int = LABEL_BYTES,
    checks: bool = True,
) -> Target:
    """Label a text by a hypothesis, each document by itself.

    Labels that took long are kept on disk, see `hypotheses.labelling.documents.label_corpus`.

    Args:
        corpus: The text.
        hypothesis: A name, see `hypotheses.registry.get`, or a function from text to labels.
        split: What to hold out; None is the default for the length of the selection.
        selection: The characters that are used; None is all of them.
        use_cache: Whether labels from the cache may be used.
        notice: Called with a sentence for the user if the text is not of the kind that the hypothesis is about, if a
            document is labelled in pieces, or if the labels look wrong.
        memory_bytes: The most memory that the labels may take; if they need more, they are kept in a temporary file as
            long as they are used.
        checks: Whether to check the kind of text, and that the labels do not look wrong.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If the labels are all one value in all rows or in the training or test part: there is nothing to
            tell apart.
    """
    labeller = hypothesis_of(hypothesis)
    pieces = label_in_pieces(corpus, labeller, use_cache=use_cache, notice=notice)
    labels = LabelsOnDisk(pieces) if pieces.n_bytes > memory_bytes else pieces[:]
    made = target_of_labels(corpus, labeller.name, labels, split, selection=selection)
    if checks:
        for sentence in doubts_about(labeller, corpus, selection):
            notice(sentence)
        for warning in check_labels(corpus, labeller.name, labels, selection):
            notice(str(warning))
    return made


def target_of_labels(
    corpus: Corpus, name: str, labels: AnyLabels, split: Split | None = None, *, selection: Selection | None = None
) -> Target:
    """Return a target made of labels that exist already; see `target`.

    Args:
        corpus: The text.
        name: What the labels are called.
        labels: One for each of its characters.
        split: What to hold out; None is the default for the length of the selection.
        selection: The characters that are used; None is all of them.

    Raises:
        AnalysisError: If there is nothing to tell apart.
    """
    used = selection or Selection.of(len(corpus))
    split = split or Split.of(used.stop - used.start, used.start)
    if (split.start, split.n_chars) != (used.start, used.stop - used.start):
        raise AnalysisError(
            f"the split is of {split.n_chars:,} characters from {split.start:,} on, and "
            f"{used.stop - used.start:,} from {used.start:,} on are used; split these"
        )
    made = Target(name, corpus.sha256, labels, split, used)
    _refuse_constant(made)
    return made


def _refuse_constant(target: Target) -> None:
    """Refuse labels that are missing, or all the same, in the whole text or in one part of it."""
    whole, training, test = _Constancy(), _Constancy(), _Constancy()
    for labels, parts in target.chunks():
        whole.add(labels, parts >= 0)
        training.add(labels, parts == TRAIN)
        test.add(labels, parts == TEST)
    name = target.hypothesis
    for where, constancy in (
        ("this text", whole),
        ("the training part of this text", training),
        ("the test part of this text", test),
    ):
        if constancy.first_value is None:
            raise ConstantLabelsError(f"{name!r} has no label anywhere in {where}; use a text in which it has")
        if constancy.is_constant:
            raise ConstantLabelsError(
                f"{name!r} is {_spell(constancy.first_value, target.labels)} at every character of {where}, so there "
                "is nothing to tell apart; use a text in which it changes"
            )


class _Constancy:
    """Finds out whether the chosen ones of some values, which come some at a time, are all the same.

    Attributes:
        first_value: The first chosen value; None if there was none.
        is_constant: Whether all others are the same.
    """

    def __init__(self) -> None:
        self.first_value: Any = None
        self.is_constant = True

    def add(self, values: NDArray[Any], is_chosen: NDArray[np.bool_]) -> None:
        if self.first_value is None and is_chosen.any():
            self.first_value = values[is_chosen.argmax()]
        if self.is_constant and self.first_value is not None:
            self.is_constant = bool(((values == self.first_value) | ~is_chosen).all())


def _spell(value: Any, labels: AnyLabels) -> str:
    if labels.kind == "categorical":
        return repr(labels.names[value])
    return str(bool(value)) if isinstance(value, np.bool_) else f"{value:g}"
