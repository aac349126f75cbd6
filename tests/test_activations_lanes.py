"""However a text is cut, every character is read once, and every lane is warm when it begins."""

from hypothesis import given
from hypothesis import strategies as st

from activations.corpus import Corpus
from activations.lanes import BLOCK_CHARS, cut, rounds, share_out

corpora = st.lists(st.integers(2, 3000), min_size=1, max_size=6).map(
    lambda sizes: Corpus.from_texts("x" * n for n in sizes)
)


@given(corpora, st.integers(1, 40), st.integers(0, 700))
def test_every_character_is_kept_once_after_a_warm_up(corpus: Corpus, n_lanes: int, warm_up_chars: int) -> None:
    kept: list[int] = []
    lanes = share_out(cut(corpus, n_lanes, warm_up_chars), n_lanes)
    assert len(lanes) <= n_lanes
    before: list[int] = []
    for turns in rounds(lanes):
        assert not before or len(turns) <= len(before)
        for lane, turn in enumerate(turns):
            document = corpus.documents[turn.piece.document]
            assert document.start <= turn.start < turn.stop <= document.stop
            assert (turn.start - document.start) % BLOCK_CHARS == 0
            assert turn.is_first or turn.start == before[lane]
            if turn.is_kept:
                kept += range(turn.start, turn.stop)
            if turn.is_first and turn.start > document.start:
                assert turn.piece.start - turn.start >= warm_up_chars
        before = [turn.stop for turn in turns]
    assert sorted(kept) == list(range(len(corpus)))


@given(corpora)
def test_one_lane_reads_every_document_without_a_break(corpus: Corpus) -> None:
    pieces = cut(corpus, 1, 512)
    assert [(p.warm_up, p.start, p.stop) for p in pieces] == [(d.start, d.start, d.stop) for d in corpus.documents]
