"""Labels beside activations: which label and which part each row of a block has."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from analyses.errors import AnalysisError
from analyses.targets.predictions import PREFIX, predicted
from analyses.targets.row_runs import RowRuns
from analyses.targets.splits import TEST, TRAIN, Split
from hypotheses import registry
from hypotheses.hypothesis import Hypothesis
from hypotheses.labelling import documents
from hypotheses.labelling.corpus_labels import CHUNK, CorpusLabels
from hypotheses.labelling.long_labels import AnyLabels, LabelsOnDisk, LongLabels
from hypotheses.labels import CharIndex, Kind, Labels
from hypotheses.user_files import as_hypothesis

AnyHypothesis = str | Callable[[str], Any]
_LABEL_BYTES = 1 << 28
"""Of the labels that are in memory together; those of longer texts, or of more hypotheses, are on the disk."""


class Rows(NamedTuple):
    """What is asked of the rows of a block.

    Attributes:
        labels: (n_chars,) labels, bool or float64.
        parts: (n_chars,) `TRAIN`, `TEST`, `GAP`, or -1 where the label is missing.
    """

    labels: NDArray[Any]
    parts: NDArray[np.int8]


class Sizes(NamedTuple):
    """How many characters have a label.

    Attributes:
        n_train: Of the training part.
        n_test: Held out.
        n: In all, those between the parts among them.
        mean: Of the label: the share of those that are True, or of the numbers.
    """

    n_train: int
    n_test: int
    n: int
    mean: float


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
    labels: AnyLabels
    split: Split
    selection: Selection

    @property
    def kind(self) -> Kind:
        """Binary, categorical or numeric."""
        return self.labels.kind

    def rows(self, block: Block) -> Rows:
        """The labels and parts of a block's rows: row *t* has read character *t*, and so has label *t*."""
        return self.rows_at(block.positions)

    def rows_at(self, place: slice) -> Rows:
        """The labels and parts of characters at some places in the text."""
        parts = self.split.parts(place.start, place.stop, place.step)
        missing = self.labels.missing_at(place)
        if missing is not None:
            parts[missing] = -1
        return Rows(self.labels.values_at(place), parts)

    def chunks(self) -> Iterator[Rows]:
        """The labels and parts of all characters that are used, in their order, some at a time."""
        used = self.selection
        for start in range(used.start, used.stop, CHUNK * used.every):
            yield self.rows_at(slice(start, min(start + CHUNK * used.every, used.stop), used.every))

    @property
    def used(self) -> slice:
        """The places in the text of the characters that are used."""
        return slice(self.selection.start, self.selection.stop, self.selection.every)

    @property
    def all_rows(self) -> Rows:
        """The labels and parts of all characters that are used."""
        return Rows(np.concatenate([rows.labels for rows in self.chunks()]), self.parts_of_used)

    @property
    def parts_of_used(self) -> NDArray[np.int8]:
        """(n_rows,) the part of each character that is used."""
        return np.concatenate([rows.parts for rows in self.chunks()])

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
        parts[self.used] = self.parts_of_used
        return parts

    def sizes(self) -> Sizes:
        """How many characters with a label there are, and its mean."""
        n_train = n_test = n = 0
        total = 0.0
        for labels, parts in self.chunks():
            there = parts >= 0
            n_train, n_test = n_train + int((parts == TRAIN).sum()), n_test + int((parts == TEST).sum())
            n, total = n + int(there.sum()), total + float(labels[there].sum())
        return Sizes(n_train, n_test, n, total / n)

    def count_runs(self) -> tuple[int | None, int | None]:
        """How many runs the label is True in, or the class that has the fewest of them: in the text, and held out.

        Both are None for a number.
        """
        if self.kind == "numeric":
            return None, None
        n_values = 2 if self.kind == "binary" else len(self.labels.names)
        counts = RunCounts(n_values), RunCounts(n_values)
        for labels, parts in self.chunks():
            for own, is_chosen in zip(counts, (parts >= 0, parts == TEST), strict=True):
                own.add(labels, is_chosen)
        there = np.flatnonzero(counts[0].n > 0) if self.kind == "categorical" else np.array([1])
        of_text, held_out = (int(own.n[there].min()) for own in counts)
        return of_text, held_out


class RunCounts:
    """How many unbroken runs of each value there are among some rows, which come some at a time.

    Attributes:
        n: (n_values,) runs.
    """

    def __init__(self, n_values: int) -> None:
        """Of values from 0 up to `n_values`."""
        self.n = np.zeros(n_values, np.int64)
        self._last = n_values

    def add(self, values: NDArray[Any], chosen: NDArray[np.bool_]) -> None:
        """Add the next (n_rows,) values, of which only some count."""
        nothing = len(self.n)
        own = np.where(chosen, values, nothing)
        begins = np.diff(own, prepend=self._last) != 0
        self.n += np.bincount(own[begins], minlength=nothing + 1)[:nothing]
        self._last = int(own[-1]) if len(own) else self._last


def ask(source: Source, hypothesis: "AnyHypothesis | Target", n_asked: int = 1) -> Target:
    """The target of a hypothesis on what a source gives, or the one that was made of it before.

    `n_asked` is how many are asked for together; see `target`.

    `predicts:a` asks for the model's own probability that an a is next; see `predictions.predicted`.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels leave nothing to tell apart, or the target is of another text.
    """
    if isinstance(hypothesis, str) and hypothesis.startswith(PREFIX):
        return of_labels(source.corpus, hypothesis, predicted(source, hypothesis), selection=source.selection)
    if not isinstance(hypothesis, Target):
        return target(source.corpus, hypothesis, selection=source.selection, n_asked=n_asked)
    if hypothesis.corpus_sha256 != source.corpus.sha256 or hypothesis.selection != source.selection:
        raise AnalysisError(
            f"the labels of {hypothesis.hypothesis!r} are of another text, or of another part of it, than the "
            "activations; label this one"
        )
    return hypothesis


def ask_all(source: Source, hypotheses: "Sequence[AnyHypothesis | Target]") -> list[Target]:
    """The targets of several hypotheses; see `ask`."""
    return [ask(source, each, len(hypotheses)) for each in hypotheses]


def lagged(asked: Target, corpus: Corpus, lag: int) -> Target:
    """The label of the character so many later (or earlier, below 0); missing where its document has none."""
    if lag == 0:
        return asked
    return replace(asked, hypothesis=f"{asked.hypothesis} @ {lag}", labels=_Lagged(asked.labels, corpus, lag))


class _Lagged(LongLabels):
    """The labels of characters so many later."""

    def __init__(self, labels: AnyLabels, corpus: Corpus, lag: int) -> None:
        self._labels, self._lag = labels, lag
        self.kind, self.names, self.may_miss = labels.kind, labels.names, True
        starts, stops = corpus.starts, corpus.stops
        firsts = starts if lag < 0 else np.maximum(stops - lag, starts)  # of those without a label in each document
        lasts = np.minimum(starts - lag, stops) if lag < 0 else stops
        borders = np.unique(np.concatenate([[0], firsts, lasts]))
        borders = borders[borders < len(corpus)]
        n_begun, n_ended = (each.searchsorted(borders, side="right") for each in (firsts, lasts))
        self._without = RowRuns(borders, n_begun > n_ended, len(corpus))

    def __len__(self) -> int:
        return len(self._labels)

    def values_at(self, places: CharIndex) -> NDArray[Any]:
        return self._labels.values_at(self._there(places))

    def missing_at(self, places: CharIndex) -> NDArray[np.bool_]:
        without = self._without[places] if isinstance(places, slice) else self._without.at(places)
        of_labels = self._labels.missing_at(self._there(places))
        return without if of_labels is None else without | of_labels

    def _there(self, places: CharIndex) -> CharIndex:
        """Of the characters that are so many later; where the text has none, of any."""
        if isinstance(places, slice):
            start, stop, step = places.indices(len(self))
            first, last = start + self._lag, max(start, stop) + self._lag
            if first >= 0 and last <= len(self):
                return slice(first, last, step)
            places = np.arange(start, stop, step)
        return np.clip(places + self._lag, 0, len(self) - 1)


ENOUGH_RUNS = 50  # held out, below which a score is uncertain


def label(
    corpus: Corpus, asked: Hypothesis, *, use_cache: bool = True, notice: Callable[[str], None] = warnings.warn
) -> Labels:
    """The labels of all characters of a text as one; see `label_in_pieces`."""
    return label_in_pieces(corpus, asked, use_cache=use_cache, notice=notice)[:]


def label_in_pieces(
    corpus: Corpus, asked: Hypothesis, *, use_cache: bool = True, notice: Callable[[str], None] = warnings.warn
) -> CorpusLabels:
    """The labels of all characters of a text, each document by itself.

    See `hypotheses.labelling.documents.label_corpus`.

    Args:
        corpus: The text.
        asked: The hypothesis.
        use_cache: Whether labels that were kept before will do.
        notice: Called with a sentence if a document is so long that it is labelled in pieces.

    Returns:
        The labels; `cached_at` says of those that were kept when they were made.
    """
    for each in corpus.documents:
        most = documents.MOST_CHARS
        if each.n_chars > most:
            notice(f"{each.name} has {each.n_chars:,} characters; it is labelled in pieces of at most {most:,}")
    names = [each.file_name for each in corpus.documents]
    texts = corpus.texts()
    labels = documents.label_corpus(asked, names, texts, corpus.sha256, use_cache=use_cache)
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
    n_asked: int = 1,
) -> Target:
    """Label a text, each document by itself.

    Labels that took long are kept on disk, see `hypotheses.labelling.documents.label_corpus`.

    Args:
        corpus: The text.
        hypothesis: A name, see `hypotheses.registry.get`, or a function from text to labels.
        split: What to hold out; None is the default for the length of what is used.
        selection: The characters that are used; None is all of them.
        use_cache: Whether labels that were kept before will do.
        notice: Called with a sentence for the user: that a document is labelled in pieces.
        n_asked: How many hypotheses are asked for together: labels that take more than a share of 256 MiB are kept in a
            temporary file until nobody has them any more.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If the labels are all one value in all rows or in the training or test part: there is nothing to
            tell apart.
    """
    found = registry.get(hypothesis) if isinstance(hypothesis, str) else as_hypothesis(hypothesis)
    pieces = label_in_pieces(corpus, found, use_cache=use_cache, notice=notice)
    labels = LabelsOnDisk(pieces) if too_large(pieces.n_bytes, n_asked) else pieces[:]
    return of_labels(corpus, found.name, labels, split, selection=selection)


def too_large(n_bytes: int, n_asked: int) -> bool:
    """Whether labels of so many bytes are to be on the disk, where so many are asked for together."""
    return n_asked * n_bytes > _LABEL_BYTES


def of_labels(
    corpus: Corpus, name: str, labels: AnyLabels, split: Split | None = None, *, selection: Selection | None = None
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
    found = {
        where: _OneValue() for where in ("this text", "the training part of this text", "the test part of this text")
    }
    for rows in asked.chunks():
        chosen = rows.parts >= 0, rows.parts == TRAIN, rows.parts == TEST
        for own, is_chosen in zip(found.values(), chosen, strict=True):
            own.add(rows.labels, is_chosen)
    for where, own in found.items():
        if own.value is None:
            raise AnalysisError(f"{name!r} has no label anywhere in {where}; use a text in which it has")
        if own.is_only:
            raise AnalysisError(
                f"{name!r} is {_spell(own.value, labels)} at every character of {where}, so there is nothing to tell "
                "apart; use a text in which it changes"
            )
    return asked


class _OneValue:
    """Whether some values, which come some at a time, are all the same.

    Attributes:
        value: The first; None if there was none.
        is_only: Whether all others are the same.
    """

    def __init__(self) -> None:
        self.value: Any = None
        self.is_only = True

    def add(self, values: NDArray[Any], chosen: NDArray[np.bool_]) -> None:
        if self.value is None and chosen.any():
            self.value = values[chosen.argmax()]
        if self.is_only and self.value is not None:
            self.is_only = bool(((values == self.value) | ~chosen).all())


def _spell(value: Any, labels: AnyLabels) -> str:
    if labels.kind == "categorical":
        return repr(labels.names[value])
    return str(bool(value)) if isinstance(value, np.bool_) else f"{value:g}"
