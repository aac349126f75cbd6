"""Labels beside activations: which label and which part each row of a block has."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.corpus import Corpus
from activations.selection import Selection
from analyses.errors import AnalysisError
from analyses.predictions import PREFIX, predicted
from analyses.splits import TEST, TRAIN, Split
from hypotheses import labelling, registry
from hypotheses.corpus_labels import CorpusLabels
from hypotheses.files import as_hypothesis
from hypotheses.hypothesis import Hypothesis
from hypotheses.labels import Kind, Labels
from hypotheses.parameters import few, quoted

AnyHypothesis = str | Callable[[str], Any]


class Rows(NamedTuple):
    """What is asked of the rows of a block.

    Attributes:
        labels: (n_chars,) labels, bool or float64.
        parts: (n_chars,) `TRAIN`, `TEST`, `GAP`, or -1 where the label is missing.
    """

    labels: NDArray[Any]
    parts: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """The labels of a whole text, and which of its characters train and test.

    Attributes:
        hypothesis: The name of the hypothesis that gave the labels.
        corpus_sha256: Hash of the text that was labelled.
        labels: One for each character.
        split: What is held out.
        selection: The characters that are used.
    """

    hypothesis: str
    corpus_sha256: str
    labels: Labels
    split: Split
    selection: Selection

    @property
    def kind(self) -> Kind:
        """Binary, categorical or numeric."""
        return self.labels.kind

    def rows(self, block: Block) -> Rows:
        """The labels and parts of a block's rows: row *t* has read character *t*, and so has label *t*."""
        return self._rows(block.places)

    @property
    def used(self) -> slice:
        """The places in the text of the characters that are used."""
        return slice(self.selection.start, self.selection.stop, self.selection.every)

    @property
    def all_rows(self) -> Rows:
        """The labels and parts of all characters that are used."""
        return self._rows(self.used)

    def parts_of_places(self, places: NDArray[np.int64]) -> NDArray[np.int8]:
        """(n_chars,) the part of each of some characters of the text, with a label or not; -1 beyond what is used."""
        parts = np.full(len(places), -1, np.int8)
        used = (places >= self.selection.start) & (places < self.selection.stop)
        parts[used] = self.split.parts_of(places[used])
        return parts

    @property
    def parts_of_text(self) -> NDArray[np.int8]:
        """(n_chars,) the part of each character of the text; -1 where the label is missing, or it is not used."""
        parts = np.full(len(self.labels), -1, np.int8)
        parts[self.used] = self._rows(self.used).parts
        return parts

    def _rows(self, place: slice) -> Rows:
        parts = self.split.parts(place.start, place.stop)[:: place.step]
        if self.labels.missing is not None:
            parts[self.labels.missing[place]] = -1
        return Rows(self.labels.values[place], parts)


def ask(source: Source, hypothesis: "AnyHypothesis | Target") -> Target:
    """The target of a hypothesis on what a source gives, or the one that was made of it before.

    `predicts:a` asks for the model's own probability that an a is next; see `predictions.predicted`.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels leave nothing to tell apart, or the target is of another text.
    """
    if isinstance(hypothesis, str) and hypothesis.startswith(PREFIX):
        return of_labels(source.corpus, hypothesis, predicted(source, hypothesis), selection=source.selection)
    if not isinstance(hypothesis, Target):
        return target(source.corpus, hypothesis, selection=source.selection)
    if hypothesis.corpus_sha256 != source.corpus.sha256 or hypothesis.selection != source.selection:
        raise AnalysisError(
            f"the labels of {hypothesis.hypothesis!r} are of another text, or of another part of it, than the "
            "activations; label this one"
        )
    return hypothesis


def refuse_classes(asked: Target) -> None:
    """Refuse a label of several classes where one that is True or False, or a number, is asked for.

    Raises:
        AnalysisError: If it has classes.
    """
    if asked.kind == "categorical":
        one = next(iter(asked.labels.names), "…")
        raise AnalysisError(
            f"{asked.hypothesis!r} has classes ({few(asked.labels.names)}), and what is asked for is one label: ask "
            f"for one of them, such as {f'{asked.hypothesis} == {quoted(one)}'!r}"
        )


def lagged(asked: Target, corpus: Corpus, lag: int) -> Target:
    """The label of the character so many later (or earlier, below 0); missing where its document has none."""
    places = np.arange(len(corpus)) + lag
    missing = np.ones(len(corpus), np.bool_)
    for document in corpus.documents:
        own = slice(document.start, document.stop)
        missing[own] = (places[own] < document.start) | (places[own] >= document.stop)
    places[missing] = 0
    labels = asked.labels
    if labels.missing is not None:
        missing |= labels.missing[places]
    own_labels = Labels(labels.values[places], labels.kind, missing, labels.names)
    return replace(asked, hypothesis=f"{asked.hypothesis} @ {lag}" if lag else asked.hypothesis, labels=own_labels)


ENOUGH_RUNS = 50  # held out, below which a score is uncertain


def fewest_runs(asked: Target, held_out: NDArray[np.bool_]) -> int | None:
    """How many runs of held-out characters the label is True in, or the class that has the fewest of them.

    Args:
        asked: The label.
        held_out: (n_rows,), or (n_folds, n_rows): which characters that are used are held out.

    Returns:
        None for a numeric label.
    """
    if asked.kind == "numeric":
        return None
    labels, present = asked.labels.values[asked.used], asked.labels.present[asked.used]
    wanted = [1] if asked.kind == "binary" else np.unique(labels[present]).tolist()
    chosen = np.atleast_2d(held_out)
    return min(sum(n_runs(own & (labels == label)) for own in chosen) for label in wanted)


def n_runs(chosen: NDArray[np.bool_]) -> int:
    """How many unbroken runs of True there are."""
    return int((np.diff(chosen, prepend=False) & chosen).sum())


def label(
    corpus: Corpus, asked: Hypothesis, *, use_cache: bool = True, notice: Callable[[str], None] = warnings.warn
) -> Labels:
    """The labels of all characters of a text as one; see `label_in_pieces`."""
    return label_in_pieces(corpus, asked, use_cache=use_cache, notice=notice)[:]


def label_in_pieces(
    corpus: Corpus, asked: Hypothesis, *, use_cache: bool = True, notice: Callable[[str], None] = warnings.warn
) -> CorpusLabels:
    """The labels of all characters of a text, each document by itself; see `hypotheses.labelling.label_corpus`.

    Args:
        corpus: The text.
        asked: The hypothesis.
        use_cache: Whether labels that were kept before will do.
        notice: Called with a sentence if a document is so long that it is labelled in pieces.

    Returns:
        The labels; `kept_since` says of those that were kept when they were made.
    """
    for each in corpus.documents:
        most = labelling.MOST_CHARS
        if each.n_chars > most:
            notice(f"{each.name} has {each.n_chars:,} characters; it is labelled in pieces of at most {most:,}")
    names = [each.name for each in corpus.documents]
    texts = (corpus.text(each.start, each.stop) for each in corpus.documents)
    labels = labelling.label_corpus(asked, names, texts, corpus.sha256, use_cache=use_cache)
    if asked.kind is None and labels.kind == "numeric" and labels.are_only(0, 1):
        notice(f"{asked.name} gives 0 and 1, which are taken for numbers; give bools, or declare kind='binary'")
    return labels


def target(
    corpus: Corpus,
    hypothesis: AnyHypothesis,
    split: Split | None = None,
    *,
    selection: Selection | None = None,
    use_cache: bool = True,
    notice: Callable[[str], None] = warnings.warn,
) -> Target:
    """Label a text, each document by itself.

    Labels that took long are kept on disk, see `hypotheses.labelling.label_corpus`.

    Args:
        corpus: The text.
        hypothesis: A name, see `hypotheses.registry.get`, or a function from text to labels.
        split: What to hold out; None is the default for the length of what is used.
        selection: The characters that are used; None is all of them.
        use_cache: Whether labels that were kept before will do.
        notice: Called with a sentence for the user: that a document is labelled in pieces.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If the labels are all one value in all rows or in the training or test part: there is nothing to
            tell apart.
    """
    found = registry.get(hypothesis) if isinstance(hypothesis, str) else as_hypothesis(hypothesis)
    labels = label(corpus, found, use_cache=use_cache, notice=notice)
    return of_labels(corpus, found.name, labels, split, selection=selection)


def of_labels(
    corpus: Corpus, name: str, labels: Labels, split: Split | None = None, *, selection: Selection | None = None
) -> Target:
    """A target of labels that are at hand; see `target`.

    Args:
        corpus: The text.
        name: What the labels are called.
        labels: One for each of its characters.
        split: What to hold out; None is the default for the length of what is used.
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
    asked = Target(name, corpus.sha256, labels, split, used)
    used_labels, parts = asked.all_rows
    for where, rows in (
        ("this text", parts >= 0),
        ("the training part of this text", parts == TRAIN),
        ("the test part of this text", parts == TEST),
    ):
        if not rows.any():
            raise AnalysisError(f"{name!r} has no label anywhere in {where}; use a text in which it has")
        first = used_labels[rows.argmax()]
        if ((used_labels == first) | ~rows).all():
            raise AnalysisError(
                f"{name!r} is {_spell(first, labels)} at every character of {where}, so there is nothing to tell "
                "apart; use a text in which it changes"
            )
    return asked


def _spell(value: Any, labels: Labels) -> str:
    if labels.kind == "categorical":
        return repr(labels.names[value])
    return str(bool(value)) if isinstance(value, np.bool_) else f"{value:g}"
