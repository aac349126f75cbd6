"""States of lanes from all over a text, from which a passage can be read without what precedes it."""

from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from activations.lane_differences import States
from activations.texts.lanes import Piece, Turn, n_turns

MOST_BYTES = 1 << 26


class KeptStates:
    """The states with which lanes began their turns.

    If there is room, the states of all turns are kept; otherwise those of every other turn of each piece, or every
    third, and so on. Which ones does not depend on what is read first. Several threads may use it at once.
    """

    def __init__(self, pieces: Sequence[Piece], turn_chars: int, most_bytes: int = MOST_BYTES) -> None:
        """Prepare to keep states; none is kept yet.

        Args:
            pieces: All pieces of the text, in its order.
            turn_chars: Number of characters that a lane reads at one time.
            most_bytes: Memory that the states may take.
        """
        self._starts = np.array([piece.start for piece in pieces])
        self._n_resumable = np.array([n_turns(piece, turn_chars) - 1 for piece in pieces])  # turns but the first
        self._most_bytes = most_bytes
        self._every = 0
        self._first_rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._rows: States = {}
        self._is_kept: NDArray[np.bool_] = np.zeros(0, bool)
        self._lock = Lock()

    def keep(self, turns: Sequence[Turn], states: States) -> None:
        """Keep the states with which lanes begin their turns, (n_lanes, n_units) for each site."""
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

    def nearest(self, piece: Piece, number: int) -> tuple[int, States]:
        """Return the last turn of a piece, up to a number, whose state was kept, and that state.

        Returns:
            The number of the turn, and (n_units,) the state for each site. If none was kept, turn 0, which begins with
            the zero state, and no state.
        """
        with self._lock:
            if not self._every or number < self._every:
                return 0, {}
            first, last = self._rows_of(np.array([piece.start] * 2), np.array([self._every, number])).tolist()
            are_kept = np.flatnonzero(self._is_kept[first : last + 1])
            if not len(are_kept):
                return 0, {}
            n = int(are_kept[-1])
            return (n + 1) * self._every, {site: rows[first + n].copy() for site, rows in self._rows.items()}

    def _rows_of(self, starts: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find the row of the last state at or before each turn.

        Args:
            starts: (n,) where the pieces of the turns start.
            numbers: (n,) the numbers of the turns.
        """
        return self._first_rows[np.searchsorted(self._starts, starts)] + numbers // self._every - 1

    def _make_room(self, states: States) -> None:
        """Choose of how many turns one is kept, and reserve the memory, which costs nothing until it is written to."""
        n_bytes = sum(values[0].nbytes for values in states.values())
        self._every = max(1, -(-int(self._n_resumable.sum()) * n_bytes // self._most_bytes))
        n_kept = self._n_resumable // self._every
        self._first_rows = np.cumsum(n_kept) - n_kept
        self._is_kept = np.zeros(n_kept.sum(), bool)
        self._rows = {
            site: np.empty((len(self._is_kept), *values.shape[1:]), values.dtype) for site, values in states.items()
        }
