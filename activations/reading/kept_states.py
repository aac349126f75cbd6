"""States of the lanes at places all over a text, from which a passage can be read without what precedes it."""

from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from activations.lane_differences import Values
from activations.texts.lanes import Piece, Turn, n_turns

MOST_BYTES = 1 << 26


class KeptStates:
    """The states with which lanes began every so many of their turns.

    All of them are kept if there is room, or those of every other turn of each piece, and so on. Which ones does not
    depend on what is read first. May be used by several threads.
    """

    def __init__(self, pieces: Sequence[Piece], turn: int, most_bytes: int = MOST_BYTES) -> None:
        """Keep nothing yet.

        Args:
            pieces: All pieces of the text, in its order.
            turn: Characters that a lane reads at one time.
            most_bytes: How much memory the states may take.
        """
        self._starts = np.array([piece.start for piece in pieces])
        self._n_begun = np.array([n_turns(piece, turn) - 1 for piece in pieces])  # turns that begin with a state
        self._most_bytes = most_bytes
        self._every = 0
        self._first_rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._rows: Values = {}
        self._is_kept: NDArray[np.bool_] = np.zeros(0, bool)
        self._lock = Lock()

    def keep(self, turns: Sequence[Turn], states: Values) -> None:
        """Keep the states with which lanes begin some turns, (n_lanes, n_units) for each site."""
        numbers = np.array([turn.number for turn in turns])
        if not numbers.any():
            return
        with self._lock:
            if not self._every:
                self._make_room(states)
            lanes = np.flatnonzero((numbers > 0) & (numbers % self._every == 0))
            if not len(lanes):
                return
            if any(values.shape[1:] != self._rows[site].shape[1:] for site, values in states.items()):
                return  # a state that grows as the model reads
            rows = self._rows_of(np.array([turns[lane].piece.start for lane in lanes.tolist()]), numbers[lanes])
            for site, values in states.items():
                self._rows[site][rows] = values[lanes]
            self._is_kept[rows] = True

    def nearest(self, piece: Piece, number: int) -> tuple[int, Values]:
        """The last turn of a piece, up to a number, whose state was kept, and that state, (n_units,) for each site.

        Returns:
            Turn 0, which begins with the zero state, and no state if none was kept.
        """
        with self._lock:
            if not self._every or number < self._every:
                return 0, {}
            first, last = self._rows_of(np.array([piece.start] * 2), np.array([self._every, number])).tolist()
            kept = np.flatnonzero(self._is_kept[first : last + 1])
            if not len(kept):
                return 0, {}
            n = int(kept[-1])
            return (n + 1) * self._every, {site: rows[first + n].copy() for site, rows in self._rows.items()}

    def _rows_of(self, starts: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the states of turns stand, or those of the last turn before each that is among those kept.

        Args:
            starts: (n,) where the pieces of the turns start.
            numbers: (n,) the numbers of the turns.
        """
        return self._first_rows[np.searchsorted(self._starts, starts)] + numbers // self._every - 1

    def _make_room(self, states: Values) -> None:
        """Decide of how many turns one is kept, and take the memory, which costs nothing until it is written to."""
        n_bytes = sum(values[0].nbytes for values in states.values())
        self._every = max(1, -(-int(self._n_begun.sum()) * n_bytes // self._most_bytes))
        n_kept = self._n_begun // self._every
        self._first_rows = np.cumsum(n_kept) - n_kept
        self._is_kept = np.zeros(n_kept.sum(), bool)
        self._rows = {
            site: np.empty((len(self._is_kept), *values.shape[1:]), values.dtype) for site, values in states.items()
        }
