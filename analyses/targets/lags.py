"""Labels of the character some steps later or earlier in the same document."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.texts.corpus import Corpus
from analyses.targets.row_runs import RowRuns
from analyses.targets.target import Target
from hypotheses.labelling.long_labels import AnyLabels, LongLabels
from hypotheses.labels import CharIndex


def lagged(target: Target, corpus: Corpus, lag: int) -> Target:
    """Return the target whose label at each character is that of the character `lag` later.

    A negative lag is earlier. The label is missing where the document has no such character.
    """
    if lag == 0:
        return target
    return replace(target, hypothesis=f"{target.hypothesis} @ {lag}", labels=_LaggedLabels(target.labels, corpus, lag))


class _LaggedLabels(LongLabels):
    """Labels of the characters `lag` later, computed when they are asked for."""

    def __init__(self, labels: AnyLabels, corpus: Corpus, lag: int) -> None:
        self._labels, self._lag = labels, lag
        self.kind, self.names, self.may_miss = labels.kind, labels.names, True
        self._is_missing = _rows_without_lagged(corpus, lag)

    def __len__(self) -> int:
        return len(self._labels)

    def values_at(self, places: CharIndex) -> NDArray[Any]:
        return self._labels.values_at(self._shifted(places))

    def missing_at(self, places: CharIndex) -> NDArray[np.bool_]:
        is_missing = self._is_missing[places] if isinstance(places, slice) else self._is_missing.at(places)
        of_labels = self._labels.missing_at(self._shifted(places))
        return is_missing if of_labels is None else is_missing | of_labels

    def _shifted(self, places: CharIndex) -> CharIndex:
        """Move places by the lag; those that leave the text stay at its ends, where the label is missing anyway."""
        if isinstance(places, slice):
            start, stop, step = places.indices(len(self))
            first, last = start + self._lag, max(start, stop) + self._lag
            if first >= 0 and last <= len(self):
                return slice(first, last, step)
            places = np.arange(start, stop, step)
        return np.clip(places + self._lag, 0, len(self) - 1)


def _rows_without_lagged(corpus: Corpus, lag: int) -> RowRuns:
    """Find the characters whose document has no character `lag` later."""
    starts, stops = corpus.starts, corpus.stops
    firsts = starts if lag < 0 else np.maximum(stops - lag, starts)  # in each document
    lasts = np.minimum(starts - lag, stops) if lag < 0 else stops
    borders = np.unique(np.concatenate([[0], firsts, lasts]))
    borders = borders[borders < len(corpus)]
    n_begun, n_ended = (ends.searchsorted(borders, side="right") for ends in (firsts, lasts))
    return RowRuns(borders, n_begun > n_ended, len(corpus))
