"""Lanes: a text is cut into pieces, so that a model reads many of them side by side."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from itertools import chain

import numpy as np

from activations.texts.corpus import MANY_DOCUMENTS, Corpus
from activations.texts.selection import Selection

BLOCK_CHARS = 128
WARM_UP_CHARS = 512
_TURN_CHARS = (512, 256, 128)
_TURN_BYTES_PER_CORE = 500_000_000
_SINGLE_LANE_TURN_CHARS = (2048, 1024, *_TURN_CHARS)
_LANES_PER_CORE = 64
_FEWEST_PIECE_CHARS = 4 * WARM_UP_CHARS


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters that one lane reads, of one document or of several short ones, by positions in the corpus.

    Attributes:
        warm_up: Where the lane begins to read, from a zero state, to be warm at `start`.
        start: The first character that the lane keeps.
        stop: One past the last.
        follows: Does another lane end where this one becomes warm?
        goes_on: Does another lane go on where this one ends?
        n_missing: Characters by which the first turn after the warm-up is shorter than the others.
    """

    warm_up: int
    start: int
    stop: int
    follows: bool
    goes_on: bool
    n_missing: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """The characters that a lane reads at one time.

    Attributes:
        piece: The piece that it is a part of.
        number: Its number among the turns of the piece, those of the warm-up first.
        start: Position of its first character in the corpus.
        stop: One past the position of its last.
    """

    piece: Piece
    number: int
    start: int
    stop: int

    @property
    def is_first(self) -> bool:
        """Does the lane begin a piece here, from a zero state?"""
        return self.number == 0

    @property
    def is_kept(self) -> bool:
        """Is it part of the text that this lane keeps, and not warm-up?"""
        return self.start >= self.piece.start

    @property
    def n_chars(self) -> int:
        """Number of characters that are read."""
        return self.stop - self.start


def default_n_lanes(n_chars: int, n_cores: int) -> int:
    """Return as many lanes as keep the cores busy while warming up stays a small part of the work."""
    return max(1, min(_LANES_PER_CORE * n_cores, n_chars // _FEWEST_PIECE_CHARS))


def choose_turn_chars(n_lanes: int, bytes_per_char: int, n_cores: int) -> int:
    """Choose how many characters a lane reads at one time: more are written faster, and take more memory.

    Args:
        n_lanes: Number of lanes.
        bytes_per_char: Size of what is kept of each character. Two turns of all lanes are in memory at a time.
        n_cores: Number of cores; a machine with more of them has more memory.
    """
    lengths = _SINGLE_LANE_TURN_CHARS if n_lanes == 1 else _TURN_CHARS
    fitting = (n for n in lengths if 2 * n * n_lanes * bytes_per_char <= n_cores * _TURN_BYTES_PER_CORE)
    return next(fitting, _TURN_CHARS[-1])


def cut_pieces(
    corpus: Corpus,
    selection: Selection,
    n_lanes: int,
    warm_up_chars: int,
    turn_chars: int,
    *,
    from_the_end: bool = False,
) -> list[Piece]:
    """Cut the selected part of a text into pieces for `n_lanes` lanes.

    Where there are many documents for each lane, short ones share a piece, which is read in one turn. Otherwise, every
    document has pieces of its own.

    Args:
        corpus: The text.
        selection: The part whose activations are kept.
        n_lanes: Number of lanes; a single lane reads every document from its start without a break, which is exact.
        warm_up_chars: How far before a piece its lane begins to read, rounded up to whole turns.
        turn_chars: Characters that a lane reads at one time.
        from_the_end: Whether the turns of a document are counted from its end, so that the first turn may be shorter
            than the others, and not the last.
    """
    warm_up = -(-warm_up_chars // turn_chars) * turn_chars
    n_chars = selection.stop - selection.start
    longest = n_chars if n_lanes == 1 else -(-n_chars // (n_lanes * turn_chars)) * turn_chars
    pieces = []
    for document, first, last in _spans(corpus, selection, n_lanes, turn_chars):
        n_missing = (first - last) % turn_chars if from_the_end else 0
        origin = last + (first - last) // longest * longest if from_the_end else first
        for begin in range(origin, last, longest):
            start, stop = max(begin, first), min(begin + longest, last)
            n_before = start - document
            back = n_before if n_lanes == 1 else min(warm_up, n_before)
            pieces.append(
                Piece(start - back, start, stop, start > first, stop < last, n_missing if start == first else 0)
            )
    return pieces


def _spans(corpus: Corpus, selection: Selection, n_lanes: int, turn_chars: int) -> list[tuple[int, int, int]]:
    """Find where each document with selected characters begins, and from where to where these are.

    Short documents in a row may share a span: then it has as many characters as make all lanes take about as long.
    """
    number = int(np.searchsorted(corpus.stops, selection.start, side="right"))
    end = int(np.searchsorted(corpus.starts, selection.stop))
    may_share = end - number > MANY_DOCUMENTS * n_lanes
    n_chars = selection.stop - selection.start
    n_rounds = n_chars // (n_lanes * turn_chars) + 1
    enough = -(-n_chars // (n_lanes * n_rounds))
    spans: list[tuple[int, int, int]] = []
    has_room = False
    for start, stop in zip(corpus.starts[number:end].tolist(), corpus.stops[number:end].tolist(), strict=True):
        is_whole = selection.start <= start and stop <= selection.stop
        if has_room and is_whole and stop - spans[-1][0] <= turn_chars:
            spans[-1] = (*spans[-1][:2], stop)
        else:
            spans.append((start, max(start, selection.start), min(stop, selection.stop)))
        has_room = may_share and is_whole and stop - spans[-1][0] < enough
    return spans


def assign_to_lanes(pieces: Sequence[Piece], n_lanes: int, turn_chars: int) -> list[list[Piece]]:
    """Assign pieces to lanes, the longest piece first, and always to the lane that is done soonest.

    Returns:
        Each lane's pieces, the longest lane first; no lane is empty.
    """
    lanes: list[list[Piece]] = [[] for _ in range(min(n_lanes, len(pieces)))]
    lengths = [(0, n) for n in range(len(lanes))]  # a heap: the lane that is done soonest, of several the first
    for piece in sorted(pieces, key=lambda piece: n_turns(piece, turn_chars), reverse=True):
        length, soonest = lengths[0]
        lanes[soonest].append(piece)
        heapreplace(lengths, (length + n_turns(piece, turn_chars), soonest))
    return [lanes[n] for length, n in sorted(lengths, key=lambda each: (-each[0], each[1]))]


def turns(piece: Piece, turn_chars: int, first: int = 0) -> Iterator[Turn]:
    """Give the turns in which a lane reads a piece: its warm-up, then what is kept of it.

    Args:
        piece: The piece.
        turn_chars: Characters that a lane reads at one time.
        first: The number of the turn to begin with.
    """
    n_warm_up = _n_warm_up_turns(piece, turn_chars)
    for number in range(first, n_turns(piece, turn_chars)):
        if number < n_warm_up:
            start, stop = piece.warm_up + number * turn_chars, piece.start
            yield Turn(piece, number, start, min(start + turn_chars, stop))
        else:
            start = piece.start - piece.n_missing + (number - n_warm_up) * turn_chars
            yield Turn(piece, number, max(start, piece.start), min(start + turn_chars, piece.stop))


def n_turns(piece: Piece, turn_chars: int) -> int:
    """Return the number of turns in which a lane reads a piece."""
    return _n_warm_up_turns(piece, turn_chars) - (piece.start - piece.n_missing - piece.stop) // turn_chars


def turn_of(piece: Piece, position: int, turn_chars: int) -> int:
    """Return the number of the turn in which a lane reads a character that it keeps."""
    return _n_warm_up_turns(piece, turn_chars) + (position - piece.start + piece.n_missing) // turn_chars


def _n_warm_up_turns(piece: Piece, turn_chars: int) -> int:
    return -((piece.warm_up - piece.start) // turn_chars)


def rounds(lanes: Iterable[Iterable[Piece]], turn_chars: int) -> Iterator[list[Turn]]:
    """Give the turns that all lanes read at one time; see `in_step`."""
    return in_step(chain.from_iterable(turns(piece, turn_chars) for piece in lane) for lane in lanes)


def in_step(lanes: Iterable[Iterator[Turn]]) -> Iterator[list[Turn]]:
    """Give one turn of each lane at a time; the longest lane comes first, and finished lanes fall off the end."""
    running = list(lanes)
    while of_round := [turn for lane in running if (turn := next(lane, None)) is not None]:
        yield of_round
