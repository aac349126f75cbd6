"""Labels after an edit: what a hypothesis says of the edited document, where it is the same text again."""

from typing import NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

from activations.texts.corpus import Corpus, Document
from analyses.causes.editing.edits import PlacedEdit
from analyses.targets.target import Target
from hypotheses.hypothesis import Hypothesis
from hypotheses.labels import Labels

_CONTEXT_CHARS = 10_000  # that are labelled before and after an edit in a long document, where these suffice
_COMPARED_CHARS = 2_000  # of these before the edit, in which labels have to be those of the whole document
_BLANK_LINE = regex.compile(r"(?r)\n[ \t\r]*\n")


class LabelChange(NamedTuple):
    """The labels at the characters after an edit, with and without it.

    Attributes:
        before: (n_steps + 1,) bool, without it.
        after: (n_steps + 1,) bool, with it.
        is_known: (n_steps + 1,) whether both have a label.
    """

    before: NDArray[np.bool_]
    after: NDArray[np.bool_]
    is_known: NDArray[np.bool_]

    @property
    def direction(self) -> NDArray[np.int64]:
        """(n_steps + 1,) 1 where the edit makes the label True, −1 where it makes it False, and else 0."""
        return np.where(self.is_known, self.after.astype(np.int64) - self.before, 0)


class EditedLabels:
    """Labels the documents of a text as edits leave them.

    The whole document is labelled again, up to the last character that is wanted, or to its end if the hypothesis looks
    ahead. In a long document, 10,000 characters on either side are labelled instead, from a blank line on, if those
    characters without the edit have the labels that they have in the whole document.
    """

    def __init__(self, hypothesis: Hypothesis, target: Target, corpus: Corpus, n_steps: int) -> None:
        """Prepare to label edited documents.

        Args:
            hypothesis: The hypothesis, True or False.
            target: Its labels of the whole text without edits.
            corpus: The text.
            n_steps: Characters after each edit whose labels are wanted.
        """
        self._hypothesis, self._target, self._corpus, self._n_steps = hypothesis, target, corpus, n_steps

    def change(self, edit: PlacedEdit) -> LabelChange:
        """Return the labels after an edit: of the last character of the edit itself, and of those that follow it.

        Raises:
            HypothesisError: If the hypothesis fails on the edited text.
        """
        window = slice(edit.stop - 1, edit.stop + self._n_steps)
        before, known_before = self._in_text(window)
        start, stop, document = self._context(edit)
        labels = self._labelled(start, edit, stop, document)
        first = edit.position - start + len(edit.inserted) - 1
        after, known_after = _values(labels, slice(first, first + self._n_steps + 1))
        return LabelChange(before, after, known_before & known_after)

    def _context(self, edit: PlacedEdit) -> tuple[int, int, Document]:
        """Return the part of the document that is labelled, and the document."""
        number = int(np.searchsorted(self._corpus.starts, edit.position, side="right")) - 1
        document = self._corpus.documents[number]
        stop = edit.stop + self._n_steps if self._hypothesis.causal else document.stop
        near = max(document.start, edit.position - 2 * _CONTEXT_CHARS)
        if near > document.start:
            blank = _BLANK_LINE.search(self._corpus.text(near, edit.position - _CONTEXT_CHARS))
            near = near + blank.end() if blank else document.start
        near_stop = min(stop, edit.stop + self._n_steps + _CONTEXT_CHARS)
        if near == document.start and near_stop == stop:
            return near, stop, document
        nothing = PlacedEdit(edit.position, "", "")
        compared = slice(max(near, edit.position - _COMPARED_CHARS), edit.stop + self._n_steps)
        labels = self._labelled(near, nothing, near_stop, document)
        here, known = _values(labels, slice(compared.start - near, compared.stop - near))
        there, known_there = self._in_text(compared)
        if np.array_equal(known, known_there) and np.array_equal(here[known], there[known]):
            return near, near_stop, document
        return document.start, stop, document

    def _labelled(self, start: int, edit: PlacedEdit, stop: int, document: Document) -> Labels:
        text = self._corpus.text(start, edit.position) + edit.inserted + self._corpus.text(edit.stop, stop)
        return self._hypothesis(text, file_name=document.file_name, document=document.name)

    def _in_text(self, window: slice) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the labels of characters of the text without edits, and where there are any."""
        values = np.asarray(self._target.labels.values_at(window), bool)
        missing = self._target.labels.missing_at(window)
        return values, np.ones(len(values), bool) if missing is None else ~missing


def _values(labels: Labels, window: slice) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    part = labels[window]
    values = np.asarray(part.values, bool)
    return values, np.ones(len(values), bool) if part.missing is None else ~part.missing
