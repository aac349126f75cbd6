"""However a text is cut, every character is read once, and every lane is warm when it begins."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from activations.texts.corpus import Corpus
from activations.texts.lanes import (
    BLOCK_CHARS,
    assign_to_lanes,
    choose_turn_chars,
    cut_pieces,
    n_turns,
    rounds,
    turn_of,
    turns,
)
from activations.texts.selection import Selection

few_long = st.lists(st.integers(2, 3000), min_size=1, max_size=6)
many_short = st.lists(st.integers(2, 40) | st.integers(2, 600), min_size=1, max_size=300)
corpora = (few_long | many_short).map(lambda sizes: Corpus.from_texts("x" * n for n in sizes))


@st.composite
def parts(draw: st.DrawFn) -> tuple[Corpus, Selection]:
    corpus = draw(corpora)
    start = draw(st.integers(0, len(corpus) - 1))
    return corpus, Selection.of(len(corpus), start, draw(st.integers(start + 1, len(corpus))))


@given(parts(), st.integers(2, 40), st.integers(0, 700), st.sampled_from([128, 256, 512]))
def test_every_character_is_kept_once_after_a_warm_up(
    part: tuple[Corpus, Selection], n_lanes: int, warm_up_chars: int, turn_chars: int
) -> None:
    corpus, selection = part
    kept: list[int] = []
    lanes = assign_to_lanes(cut_pieces(corpus, selection, n_lanes, warm_up_chars, turn_chars), n_lanes, turn_chars)
    assert len(lanes) <= n_lanes
    before: list[int] = []
    for now in rounds(lanes, turn_chars):
        assert not before or len(now) <= len(before)
        for lane, turn in enumerate(now):
            number = int(np.searchsorted(corpus.starts, turn.start, side="right")) - 1
            document = corpus.documents[number]
            first = max(document.start, selection.start)
            assert document.start <= turn.start < turn.stop
            if turn.stop > document.stop:  # several, and these as a whole
                assert turn.is_first and turn.start == document.start and turn.stop in corpus.stops
                assert turn.stop <= selection.stop and not (turn.piece.follows or turn.piece.goes_on)
            assert turn.is_first or turn.start == before[lane]
            if turn.n_chars != turn_chars and turn.stop != turn.piece.stop:  # a warm-up from the document's start
                assert turn.stop == turn.piece.start and turn.piece.warm_up == document.start
            if turn.is_kept:
                kept += range(turn.start, turn.stop)
                assert (turn.start - first) % BLOCK_CHARS == 0
            if turn.is_first and turn.start > document.start:
                assert turn.piece.start - turn.start >= warm_up_chars
        before = [turn.stop for turn in now]
    assert sorted(kept) == list(range(selection.start, selection.stop))


@given(parts())
def test_one_lane_reads_every_document_without_a_break(part: tuple[Corpus, Selection]) -> None:
    corpus, selection = part
    pieces = cut_pieces(corpus, selection, 1, 512, choose_turn_chars(1, 10_000, 2))
    inside = [d for d in corpus.documents if d.start < selection.stop and d.stop > selection.start]
    assert {piece.warm_up for piece in pieces} <= {d.start for d in inside}
    assert len(inside) > 4 or len(pieces) == len(inside)
    assert not any(piece.follows or piece.goes_on for piece in pieces)
    kept = [place for piece in pieces for place in range(piece.start, piece.stop)]
    assert kept == list(range(selection.start, selection.stop))


@given(parts(), st.integers(1, 40), st.integers(0, 700), st.sampled_from([128, 256, 512]))
def test_turns_that_are_counted_from_the_end_end_where_the_grid_of_the_mirrored_text_has_its_borders(
    part: tuple[Corpus, Selection], n_lanes: int, warm_up_chars: int, turn_chars: int
) -> None:
    corpus, selection = part
    kept: list[int] = []
    pieces = cut_pieces(corpus, selection, n_lanes, warm_up_chars, turn_chars, from_the_end=True)
    for lane in assign_to_lanes(pieces, n_lanes, turn_chars):
        for piece in lane:
            own = list(turns(piece, turn_chars))
            assert len(own) == n_turns(piece, turn_chars)
            assert own[0].start == piece.warm_up
            assert all(a.stop == b.start for a, b in pairwise(own))
            for turn in own:
                assert turn.n_chars <= turn_chars
                document = corpus.documents[int(np.searchsorted(corpus.stops, turn.stop))]
                if turn.is_kept:
                    kept += range(turn.start, turn.stop)
                    assert (min(document.stop, selection.stop) - turn.stop) % BLOCK_CHARS == 0
                    assert {turn_of(piece, place, turn_chars) for place in range(turn.start, turn.stop)} == {
                        turn.number
                    }
            if piece.warm_up > document.start + turn_chars and own[0].stop <= document.stop:
                assert piece.start - piece.warm_up >= warm_up_chars
    assert sorted(kept) == list(range(selection.start, selection.stop))
