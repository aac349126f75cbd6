"""Cutting a text into lanes, so that a model reads many pieces of it side by side."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from itertools import chain

import numpy as np

from activations.texts.corpus import MANY_DOCUMENTS, Corpus
from activations.texts.selection import Selection

BLOCK_CHARS = 128
WARM_UP_CHARS = 512
_TURNS_CHARS = (512, 256, 128)
_TURNS_BYTES_PER_CORE = 500_000_000
_LONE_TURNS_CHARS = (2048, 1024, *_TURNS_CHARS)
_LANES_PER_CORE = 64
_LEAST_PIECE_CHARS = 4 * WARM_UP_CHARS


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters that one lane reads: of one document, or several short ones. Places are in the corpus.

    Attributes:
        warm_up: Where the lane begins to read, from a zero state, to be warm at `start`.
        start: The first character that the lane answers for.
        stop: One past the last.
        follows: Does another lane end where this one becomes warm?
        goes_on: Does another lane go on where this one ends?
        n_missing: Characters by which the first turn behind the warm-up is shorter than the others.
    """

    warm_up: int
    start: int
    stop: int
    follows: bool
    goes_on: bool
    n_missing: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """What a lane reads at one time.

    Attributes:
        piece: What it is a part of.
        number: Among the turns of the piece, those of the warm-up first.
        start: Place of its first character in the corpus.
        stop: One past its last.
    """

    piece: Piece
    number: int
    start: int
    stop: int

    @property
    def is_first(self) -> bool:
        """Does the lane start afresh here, from a zero state?"""
        return self.number == 0

    @property
    def is_kept(self) -> bool:
        """Is it part of the text that this lane answers for, and not warm-up?"""
        return self.start >= self.piece.start

    @property
    def n_chars(self) -> int:
        """How many characters are read."""
        return self.stop - self.start


def default_n_lanes(n_chars: int, n_cores: int) -> int:
    """As many lanes as keep the cores busy while warming up stays a small part of the work."""
    return max(1, min(_LANES_PER_CORE * n_cores, n_chars // _LEAST_PIECE_CHARS))


def turn_chars(n_lanes: int, bytes_per_char: int, n_cores: int) -> int:
    """How many characters a lane reads at one time: many at a time are written faster, and take more memory.

    Args:
        n_lanes: How many lanes there are.
        bytes_per_char: What is kept of each character. Two turns of all lanes are in memory at a time.
        n_cores: What is there to compute with; where there is more of it, there is more memory.
    """
    lengths = _LONE_TURNS_CHARS if n_lanes == 1 else _TURNS_CHARS
    fitting = (n for n in lengths if 2 * n * n_lanes * bytes_per_char <= n_cores * _TURNS_BYTES_PER_CORE)
    return next(fitting, _TURNS_CHARS[-1])


def cut_pieces(
    corpus: Corpus,
    selection: Selection,
    n_lanes: int,
    warm_up_chars: int,
    turn: int,
    *,
    from_the_end: bool = False,
) -> list[Piece]:
    """Cut the selected part of a text into pieces for `n_lanes` lanes.

    Where there are many documents for each lane, short ones share a piece, which is read in one turn. Else every
    document has pieces of its own.

    Args:
        corpus: What to read.
        selection: The part that is kept.
        n_lanes: 1 reads every document without a break from its start, which is exact.
        warm_up_chars: How far before a piece its lane begins to read, rounded up to whole turns.
        turn: What a lane reads at one time.
        from_the_end: Whether the turns of a document are counted from its end, so that the first one may be shorter,
            and not the last.
    """
    warm_up = -(-warm_up_chars // turn) * turn
    n_chars = selection.stop - selection.start
    longest = n_chars if n_lanes == 1 else -(-n_chars // (n_lanes * turn)) * turn
    pieces = []
    for document, first, last in _spans(corpus, selection, n_lanes, turn):
        missing = (first - last) % turn if from_the_end else 0
        origin = last + (first - last) // longest * longest if from_the_end else first
        for begin in range(origin, last, longest):
            start, stop = max(begin, first), min(begin + longest, last)
            there = start - document
            back = there if n_lanes == 1 else min(warm_up, there)
            n_missing = missing if start == first else 0
            pieces.append(Piece(start - back, start, stop, start > first, stop < last, n_missing))
    return pieces


def _spans(corpus: Corpus, selection: Selection, n_lanes: int, turn: int) -> list[tuple[int, int, int]]:
    """Where each document begins in which characters are selected, and from where to where they are.

    Short documents in a row may share a span: then it has so many characters that all lanes take about as long.
    """
    number = int(np.searchsorted(corpus.stops, selection.start, side="right"))
    end = int(np.searchsorted(corpus.starts, selection.stop))
    may_share = end - number > MANY_DOCUMENTS * n_lanes
    n_chars = selection.stop - selection.start
    n_rounds = n_chars // (n_lanes * turn) + 1
    enough = -(-n_chars // (n_lanes * n_rounds))
    spans: list[tuple[int, int, int]] = []
    has_room = False
    for start, stop in zip(corpus.starts[number:end].tolist(), corpus.stops[number:end].tolist(), strict=True):
        is_whole = selection.start <= start and stop <= selection.stop
        if has_room and is_whole and stop - spans[-1][0] <= turn:
            spans[-1] = (*spans[-1][:2], stop)
        else:
            spans.append((start, max(start, selection.start), min(stop, selection.stop)))
        has_room = may_share and is_whole and stop - spans[-1][0] < enough
    return spans


def assign_to_lanes(pieces: Sequence[Piece], n_lanes: int, turn: int) -> list[list[Piece]]:
    """Share the pieces out among lanes, the longest first, always to the lane that is done soonest.

    Returns:
        Each lane's pieces, the longest lane first; no lane is empty.
    """
    lanes: list[list[Piece]] = [[] for _ in range(min(n_lanes, len(pieces)))]
    lengths = [(0, n) for n in range(len(lanes))]  # a heap: the lane that is done soonest, of several the first
    for piece in sorted(pieces, key=lambda piece: n_turns(piece, turn), reverse=True):
        length, soonest = lengths[0]
        lanes[soonest].append(piece)
        heapreplace(lengths, (length + n_turns(piece, turn), soonest))
    return [lanes[n] for length, n in sorted(lengths, key=lambda each: (-each[0], each[1]))]


def turns(piece: Piece, turn: int, first: int = 0) -> Iterator[Turn]:
    """What a lane reads of a piece, one turn after another: its warm-up, then what is kept of it.

    Args:
        piece: What is read.
        turn: Characters read at one time.
        first: The number of the turn to begin with.
    """
    n_warm = _n_warm(piece, turn)
    for number in range(first, n_turns(piece, turn)):
        if number < n_warm:
            start, stop = piece.warm_up + number * turn, piece.start
            yield Turn(piece, number, start, min(start + turn, stop))
        else:
            start = piece.start - piece.n_missing + (number - n_warm) * turn
            yield Turn(piece, number, max(start, piece.start), min(start + turn, piece.stop))


def n_turns(piece: Piece, turn: int) -> int:
    """How many turns a lane takes to read a piece."""
    return _n_warm(piece, turn) - (piece.start - piece.n_missing - piece.stop) // turn


def turn_of(piece: Piece, place: int, turn: int) -> int:
    """The number of the turn in which a lane reads a character that it answers for."""
    return _n_warm(piece, turn) + (place - piece.start + piece.n_missing) // turn


def _n_warm(piece: Piece, turn: int) -> int:
    """How many turns the warm-up of a piece takes."""
    return -((piece.warm_up - piece.start) // turn)


def rounds(lanes: Iterable[Iterable[Piece]], turn: int) -> Iterator[list[Turn]]:
    """The turns that all lanes take at one time, see `in_step`."""
    return in_step(chain.from_iterable(turns(piece, turn) for piece in lane) for lane in lanes)


def in_step(lanes: Iterable[Iterator[Turn]]) -> Iterator[list[Turn]]:
    """One turn of each lane at a time; the longest lane comes first, and those that are done fall off the end."""
    running = list(lanes)
    while now := [each for lane in running if (each := next(lane, None)) is not None]:
        yield now
