"""A target: the labels of a whole text, and which of its characters train and test."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.texts.selection import Selection
from analyses.targets.run_counts import RunCounts
from analyses.targets.splits import TEST, TRAIN, Split
from hypotheses.labelling.corpus_labels import CHUNK
from hypotheses.labelling.long_labels import AnyLabels
from hypotheses.labels import Kind


class Rows(NamedTuple):
    """Labels and parts of some characters, as the rows of a block need them.

    Attributes:
        labels: (n_chars,) labels, bool or float64.
        parts: (n_chars,) `TRAIN`, `TEST`, `GAP`, or -1 where the label is missing.
    """

    labels: NDArray[Any]
    parts: NDArray[np.int8]


class Sizes(NamedTuple):
    """Counts of the characters that have a label, and the label's mean.

    Attributes:
        n_train: Labelled characters of the training part.
        n_test: Labelled characters that are held out.
        n: All labelled characters, those in gaps between the parts included.
        mean: Mean of the label: the share of True characters, or the mean of the numbers.
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
        labels: One label for each character.
        split: Which stretches of the text are held out.
        selection: The characters that are used.
    """

    hypothesis: str
    corpus_sha256: str
    labels: AnyLabels
    split: Split
    selection: Selection

    @property
    def kind(self) -> Kind:
        """The kind of the label: binary, categorical or numeric."""
        return self.labels.kind

    def rows(self, block: Block) -> Rows:
        """Return labels and parts of a block's rows: row *t* has read character *t*, and so has label *t*."""
        return self.rows_at(block.positions)

    def rows_at(self, places: slice) -> Rows:
        """Return labels and parts of the characters at some places in the text."""
        parts = self.split.parts(places.start, places.stop, places.step)
        missing = self.labels.missing_at(places)
        if missing is not None:
            parts[missing] = -1
        return Rows(self.labels.values_at(places), parts)

    def chunks(self) -> Iterator[Rows]:
        """Yield labels and parts of all characters that are used, in their order, some at a time."""
        used = self.selection
        for start in range(used.start, used.stop, CHUNK * used.every):
            yield self.rows_at(slice(start, min(start + CHUNK * used.every, used.stop), used.every))

    @property
    def used(self) -> slice:
        """The places in the text of the characters that are used."""
        return slice(self.selection.start, self.selection.stop, self.selection.every)

    @property
    def all_rows(self) -> Rows:
        """Labels and parts of all characters that are used."""
        return Rows(np.concatenate([rows.labels for rows in self.chunks()]), self.parts_of_used)

    @property
    def parts_of_used(self) -> NDArray[np.int8]:
        """(n_rows,) the part of each character that is used."""
        return np.concatenate([rows.parts for rows in self.chunks()])

    def parts_of_places(self, places: NDArray[np.int64]) -> NDArray[np.int8]:
        """(n_chars,) the part of the character at each place, labelled or not; -1 outside the selected range."""
        parts = np.full(len(places), -1, np.int8)
        is_used = (places >= self.selection.start) & (places < self.selection.stop)
        parts[is_used] = self.split.parts_of(places[is_used])
        return parts

    @property
    def parts_of_text(self) -> NDArray[np.int8]:
        """(n_chars,) the part of each character of the text; -1 where the label is missing or it is not used."""
        parts = np.full(len(self.labels), -1, np.int8)
        parts[self.used] = self.parts_of_used
        return parts

    def sizes(self) -> Sizes:
        """Count the characters with a label, and average it."""
        n_train = n_test = n = 0
        total = 0.0
        for labels, parts in self.chunks():
            is_labelled = parts >= 0
            n_train, n_test = n_train + int((parts == TRAIN).sum()), n_test + int((parts == TEST).sum())
            n, total = n + int(is_labelled.sum()), total + float(labels[is_labelled].sum())
        return Sizes(n_train, n_test, n, total / n)

    def count_runs(self) -> tuple[int | None, int | None]:
        """Count the runs in which the label is True, in the text and held out.

        For a label of several classes, these are the runs of the class that has the fewest. Both are None for a number.
        """
        if self.kind == "numeric":
            return None, None
        n_values = 2 if self.kind == "binary" else len(self.labels.names)
        in_text, held_out = RunCounts(n_values), RunCounts(n_values)
        for labels, parts in self.chunks():
            in_text.add(labels, parts >= 0)
            held_out.add(labels, parts == TEST)
        values = np.flatnonzero(in_text.n > 0) if self.kind == "categorical" else np.array([1])
        return int(in_text.n[values].min()), int(held_out.n[values].min())
