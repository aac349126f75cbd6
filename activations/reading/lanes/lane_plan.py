"""The plan by which lanes share a text: its pieces, and what has to be read of them for a passage."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from typing import NamedTuple

import numpy as np

from activations.lane_differences import States
from activations.reading.lanes.kept_states import KeptStates
from activations.texts.lanes import Piece, Turn, assign_to_lanes, cut_pieces, turn_of, turns
from activations.texts.selection import Selection
from activations.texts.tokenising import TokenisedText


class Run(NamedTuple):
    """The turns that a lane reads for a passage.

    Attributes:
        turns: The turns from where the lane's state is known to the end of the passage.
        state: (n_units,) the state with which it begins, for each site that carries one; empty is the zero state.
    """

    turns: list[Turn]
    state: States


@dataclass(frozen=True, eq=False)
class LanePlan:
    """The plan by which lanes share a text.

    Attributes:
        text: The text, as it is read.
        selection: The characters whose activations are wanted, in the order of reading.
        n_lanes: Number of lanes.
        warm_up_chars: Characters that a lane reads before those it answers for.
        turn_chars: Characters that a lane reads at one time.
    """

    text: TokenisedText
    selection: Selection
    n_lanes: int
    warm_up_chars: int
    turn_chars: int

    @cached_property
    def pieces(self) -> list[Piece]:
        """All pieces that lanes read, in the order of reading."""
        return self._cut(self.selection)

    def lanes(self) -> list[list[Piece]]:
        """Return the pieces of each lane, the longest lane first."""
        return assign_to_lanes(self.pieces, self.n_lanes, self.turn_chars)

    def runs(self, passage: Selection, kept_states: KeptStates) -> list[Run]:
        """Return what has to be read for a part of the selection, the longest run first."""
        runs = [self._run(piece, part, kept_states) for piece, part in self._pieces_within(passage)]
        return sorted(runs, key=lambda run: -len(run.turns))

    def _run(self, piece: Piece, wanted: Selection, kept_states: KeptStates) -> Run:
        """Find what has to be read of a piece for some of its characters."""
        last = turn_of(piece, wanted.stop - 1, self.turn_chars)
        first, state = kept_states.nearest(piece, turn_of(piece, wanted.start, self.turn_chars))
        return Run(list(islice(turns(piece, self.turn_chars, first), last - first + 1)), state)

    def _pieces_within(self, passage: Selection) -> Iterator[tuple[Piece, Selection]]:
        """Find the pieces that have characters of a passage, and these characters."""
        first = bisect_right(self.pieces, passage.start, key=lambda piece: piece.start) - 1
        last = bisect_left(self.pieces, passage.stop, key=lambda piece: piece.start)
        for are_shared, pieces in groupby(self.pieces[first:last], self._is_shared):
            for piece in self._whole_documents(list(pieces), passage) if are_shared else pieces:
                part = passage.part(piece.start, piece.stop)
                if part.n_chars:
                    yield piece, part

    def _is_shared(self, piece: Piece) -> bool:
        """Do several documents share a piece?"""
        return len(self.text.corpus.starts_within(piece.start + 1, piece.stop)) > 0

    def _whole_documents(self, pieces: Sequence[Piece], passage: Selection) -> list[Piece]:
        """Cut the documents of a passage into pieces anew, so that its neighbours in shared pieces are not read."""
        corpus = self.text.corpus
        start, stop = max(passage.start, pieces[0].start), min(passage.stop, pieces[-1].stop)
        first = int(np.searchsorted(corpus.starts, start, side="right")) - 1
        last = int(np.searchsorted(corpus.stops, stop))
        return self._cut(Selection(int(corpus.starts[first]), int(corpus.stops[last])))

    def _cut(self, selection: Selection) -> list[Piece]:
        """Cut a part of the text, in the order of reading, into pieces for the lanes."""
        return cut_pieces(
            self.text.corpus,
            selection,
            self.n_lanes,
            self.warm_up_chars,
            self.turn_chars,
            from_the_end=self.text.is_backwards,
        )


def initial_states(runs: Sequence[Run]) -> States:
    """Stack the states with which runs begin, (n_runs, n_units) for each site that carries one; zero where unknown."""
    like = next((run.state for run in runs if run.state), {})
    return {site: np.stack([run.state.get(site, np.zeros_like(state)) for run in runs]) for site, state in like.items()}
