"""Cutting a text into lanes, so that a model reads many pieces of it side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from activations.corpus import Corpus

BLOCK_CHARS = 128
WARM_UP_CHARS = 512
_MOST_LANES = 128
_LEAST_PIECE_CHARS = 4 * WARM_UP_CHARS


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters of one document that one lane reads. Places are in the corpus.

    Attributes:
        document: Its place among the corpus's documents.
        warm_up: Where the lane begins to read, from a zero state, to be warm at `start`.
        start: The first character that is kept, a whole number of blocks from the document's start.
        stop: One past the last.
    """

    document: int
    warm_up: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Turn:
    """The block of at most `BLOCK_CHARS` characters that a lane reads at one time.

    Attributes:
        piece: What it is a part of.
        start: Place of its first character in the corpus.
        stop: One past its last.
    """

    piece: Piece
    start: int
    stop: int

    @property
    def is_first(self) -> bool:
        """Does the lane start afresh here, from a zero state?"""
        return self.start == self.piece.warm_up

    @property
    def is_kept(self) -> bool:
        """Is it part of the text that this lane answers for, and not warm-up?"""
        return self.start >= self.piece.start


def default_n_lanes(corpus: Corpus) -> int:
    """As many lanes as keep a processor busy while warming up stays a small part of the work."""
    return max(1, min(_MOST_LANES, len(corpus) // _LEAST_PIECE_CHARS))


def cut(corpus: Corpus, n_lanes: int, warm_up_chars: int) -> list[Piece]:
    """Cut a text into pieces for `n_lanes` lanes.

    Args:
        corpus: What to read. A piece never crosses from one document to the next.
        n_lanes: 1 reads every document without a break, which is exact.
        warm_up_chars: How far before a piece its lane begins to read, rounded up to whole blocks.
    """
    warm_up = -(-warm_up_chars // BLOCK_CHARS) * BLOCK_CHARS
    longest = len(corpus) if n_lanes == 1 else -(-len(corpus) // (n_lanes * BLOCK_CHARS)) * BLOCK_CHARS
    return [
        Piece(
            number,
            max(document.start, start - warm_up),
            start,
            min(start + longest, document.stop),
        )
        for number, document in enumerate(corpus.documents)
        for start in range(document.start, document.stop, longest)
    ]


def share_out(pieces: Sequence[Piece], n_lanes: int) -> list[list[Piece]]:
    """Share the pieces out among lanes, the longest first, always to the lane that is done soonest.

    Returns:
        Each lane's pieces, the longest lane first; no lane is empty.
    """
    lanes: list[list[Piece]] = [[] for _ in range(min(n_lanes, len(pieces)))]
    lengths = [0] * len(lanes)
    for piece in sorted(pieces, key=_n_turns, reverse=True):
        soonest = lengths.index(min(lengths))
        lanes[soonest].append(piece)
        lengths[soonest] += _n_turns(piece)
    return [lanes[n] for n in sorted(range(len(lanes)), key=lambda n: -lengths[n])]


def turns(pieces: Sequence[Piece]) -> Iterator[Turn]:
    """What a lane reads, one block after another."""
    for piece in pieces:
        for start in range(piece.warm_up, piece.stop, BLOCK_CHARS):
            yield Turn(piece, start, min(start + BLOCK_CHARS, piece.stop))


def rounds(lanes: Sequence[Sequence[Piece]]) -> Iterator[list[Turn]]:
    """The turns that all lanes take at one time; lanes that are done fall off the end of the list."""
    running = [turns(pieces) for pieces in lanes]
    while now := [turn for lane in running if (turn := next(lane, None)) is not None]:
        yield now


def _n_turns(piece: Piece) -> int:
    return -(-(piece.stop - piece.warm_up) // BLOCK_CHARS)
