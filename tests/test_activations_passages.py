"""A passage that is read by itself has the activations of the whole reading, at a cost of its length."""

import gc
import threading
import weakref
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import random_model
from profiles import n_examples
from torch import Tensor

from activations.blocks import Source
from activations.errors import ActivationError
from activations.models.cells.kinds import CELLS
from activations.reading.extraction import extract
from activations.reading.lanes.kept_states import KeptStates
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.lanes import cut_pieces, turns
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site

LETTERS = "abcd \n"
STATE = Site.of(0, "hidden")


class ProtocolModel:
    """A protocol model whose state is wider than its site, and which counts the characters that it reads."""

    def __init__(self, seed: int = 0) -> None:
        rng = torch.Generator().manual_seed(seed)
        self.vocabulary = Vocabulary.of([LETTERS])
        self.sites = {STATE: 3}
        self.n_read = 0
        self._given, self._kept, self._shown = (
            torch.randn(n, m, generator=rng) / 2 for n, m in ((6, 5), (5, 5), (5, 3))
        )
        self._lock = threading.Lock()

    def start(self, n_lanes: int) -> dict[Site, Tensor]:
        return {STATE: torch.zeros(n_lanes, 5)}

    def read(self, ids: Tensor, state: Mapping[Site, Tensor]) -> tuple[Tensor, dict[Site, Tensor], dict[Site, Tensor]]:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("two threads read at the same time")
        try:
            now, shown = state[STATE], []
            for step in ids:
                now = torch.tanh(self._given[step] + now @ self._kept)
                shown.append(now @ self._shown)
            self.n_read += ids.numel()
            return torch.zeros(*ids.shape, len(self.vocabulary)), {STATE: torch.stack(shown)}, {STATE: now}
        finally:
            self._lock.release()


def letters(n_chars: int, seed: int = 0) -> str:
    return "".join(np.random.default_rng(seed).choice(list(LETTERS), n_chars))


def whole(source: Source) -> dict[Site, NDArray[Any]]:
    """Everything that `blocks` gives, in the order of the text."""
    blocks = sorted(source.blocks(), key=lambda block: block.start)
    return {site: np.concatenate([block.values[site] for block in blocks]) for site in source.sites}


def assert_equal(found: NDArray[Any], expected: NDArray[Any], *, exactly: bool) -> None:
    """Compare exactly, or else up to 1e-5 in float32 and a unit in the last place in float16."""
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    assert not found.flags.writeable
    if exactly:
        np.testing.assert_array_equal(found, expected)
        return
    one, other = found.astype(np.float64), expected.astype(np.float64)
    last_place = np.spacing(np.maximum(np.abs(found), np.abs(expected))) if found.dtype == np.float16 else 0
    assert (np.abs(one - other) <= np.maximum(1e-5 * np.maximum(1, np.abs(other)), last_place)).all()


def assert_reads_passages(
    live: LiveActivations, expected: Mapping[Site, NDArray[Any]], passages: Collection[tuple[int, int | None]]
) -> None:
    places = range(live.selection.start, live.selection.stop, live.selection.every)
    for start, stop in passages:
        inside = [start <= place < (len(live.corpus) if stop is None else stop) for place in places]
        found = live.read(list(live.sites), start, stop)
        assert found.keys() == live.sites.keys()
        for site, values in found.items():
            assert_equal(values, expected[site][inside], exactly=live.n_lanes == 1)


def set_turn_chars(live: LiveActivations, n_chars: int) -> None:
    """Let lanes read another number of characters at one time than they would choose."""
    vars(live._readings)["turn_chars"] = n_chars


@st.composite
def readings(draw: st.DrawFn) -> LiveActivations:
    """A model of any cell, or a protocol model, that reads a part of some documents."""
    kind = draw(st.sampled_from([*CELLS, "protocol_model"]))
    seed = draw(st.integers(0, 99))
    sizes = draw(st.lists(st.integers(2, 1500), min_size=1, max_size=6))
    corpus = Corpus.from_texts(letters(n, seed + number) for number, n in enumerate(sizes))
    start = draw(st.integers(0, len(corpus) - 1))
    stop, every = draw(st.integers(start + 1, len(corpus))), draw(st.sampled_from([1, 1, 3, 40, 500]))
    model = ProtocolModel(seed) if kind == "protocol_model" else random_model(LETTERS, seed, cell=kind, n_units=5)
    live = LiveActivations(
        model,
        corpus,
        n_lanes=draw(st.integers(1, 5)),
        warm_up_chars=draw(st.sampled_from([0, 100, 512])),
        selection=Selection.of(len(corpus), start, stop, every),
    )
    set_turn_chars(live, draw(st.sampled_from([128, 256, live.turn_chars])))
    return live


@settings(max_examples=n_examples(50))
@given(readings(), st.data())
def test_a_passage_has_the_activations_of_the_whole_reading(live: LiveActivations, data: st.DataObject) -> None:
    place = st.integers(0, len(live.corpus) + 5)
    passages = data.draw(st.lists(st.tuples(place, place | st.none()), min_size=1, max_size=4))
    passages += [(0, 0), (len(live.corpus) - 1, None)]
    again = LiveActivations(
        live.model, live.corpus, n_lanes=live.n_lanes, warm_up_chars=live.warm_up_chars, selection=live.selection
    )
    set_turn_chars(again, live.turn_chars)
    expected = whole(again)
    assert_reads_passages(live, expected, passages)
    assert_reads_passages(again, expected, passages)
    for site, values in whole(live).items():  # passages that were read change nothing
        np.testing.assert_array_equal(values, expected[site])
    assert_reads_passages(live, expected, [*passages, (0, None)])


def test_a_single_lane_is_read_to_the_last_bit_in_products_of_any_size() -> None:
    """A product of few rows may be rounded differently from one of many."""
    live = LiveActivations(random_model(LETTERS, n_units=200), Corpus.from_texts([letters(9000)]), n_lanes=1)
    passages = [(start, start + n) for start in (0, 2047, 4099, 7777) for n in (1, 2, 3, 5, 129, 300)]
    assert_reads_passages(live, whole(live), passages)


@pytest.mark.parametrize("every", [1, 3])
def test_a_recording_and_a_live_source_read_the_same_passages(every: int, tmp_path: Path) -> None:
    corpus = Corpus.from_texts([letters(5000), letters(90), letters(3000)])
    selection = Selection.of(len(corpus), 60, 7000, every)
    live = LiveActivations(random_model(LETTERS), corpus, n_lanes=3, selection=selection)
    extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        assert_reads_passages(
            live, recording.read(list(live.sites)), [(0, 100), (4900, 5200), (6990, None), (7000, None), (300, 200)]
        )
        for start, stop in ((0, 100), (4900, 5200), (6990, None), (7000, None), (300, 200)):
            for site, values in recording.read(list(live.sites), start, stop).items():
                assert_equal(values, live.read([site], start, stop)[site], exactly=False)


@settings(max_examples=n_examples(40))
@given(readings(), st.data())
def test_a_passage_has_the_predictions_of_the_whole_reading(live: LiveActivations, data: st.DataObject) -> None:
    place = st.integers(0, len(live.corpus) + 5)
    blocks = sorted(live.blocks([], predictions=True), key=lambda block: block.start)
    expected = {kind: np.concatenate([b.predictions[kind] for b in blocks]) for kind in blocks[0].predictions}
    places = range(live.selection.start, live.selection.stop, live.selection.every)
    for start, stop in [*data.draw(st.lists(st.tuples(place, place | st.none()), max_size=4)), (0, 0), (0, None)]:
        inside = [start <= place < (len(live.corpus) if stop is None else stop) for place in places]
        found = live.read_predictions(None, start, stop)
        assert found.keys() == expected.keys() == {"log_prob", "log_distribution"}
        for kind, values in found.items():
            assert (values.shape, values.dtype) == (expected[kind][inside].shape, expected[kind].dtype)
            assert not values.flags.writeable or not len(values)
            np.testing.assert_allclose(values, expected[kind][inside], rtol=2e-3, atol=1e-4)
        for kind in expected:
            alone = live.read_predictions([kind, "of no kind"], start, stop)
            assert alone.keys() == {kind}
            np.testing.assert_array_equal(alone[kind], found[kind])


@pytest.mark.parametrize("read_as", ["", "bytes"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_recording_and_a_live_source_have_the_same_predictions(read_as: str, backwards: bool, tmp_path: Path) -> None:
    """Of a character of several bytes, too, whose log probability is that of all of them."""
    text = "ein Maß – zwei Maße\n" * 60
    rule = ReadingRule(read_as=read_as, backwards=backwards)
    alphabet = "".join(map(chr, range(256))) if read_as else text
    corpus = Corpus.from_texts([text, text[:333]])
    live = LiveActivations(random_model(alphabet), corpus, n_lanes=3, rule=rule)
    extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        whole = np.concatenate([b.predictions["log_prob"] for b in recording.blocks([], predictions=True)])
        for start, stop in ((0, None), (7, 8), (100, 300), (len(text) - 2, len(text) + 2)):
            for source in (live, recording):
                found = source.read_predictions(["log_prob"], start, stop)["log_prob"]
                np.testing.assert_allclose(found, whole[start:stop], rtol=1e-4, atol=1e-5)


def test_a_recording_without_predictions_gives_none(planted: Path) -> None:
    with Recording(planted) as recording:
        assert recording.read_predictions() == {} == recording.read_predictions(["log_prob"], 5, 9)


def test_a_missing_site_is_reported_even_for_an_empty_passage(tmp_path: Path) -> None:
    live = LiveActivations(random_model(LETTERS), Corpus.from_texts([letters(300)]))
    extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        for source in (live, recording):
            assert source.read([], 10, 20) == {}
            for stop in (5, 10):
                with pytest.raises(ActivationError, match=r"has no site 7/cell; it has 0/hidden, "):
                    source.read([Site.of(0, "cell"), Site.of(7, "cell")], 5, stop)


@pytest.mark.parametrize("n_lanes", [1, 4])
def test_the_cost_of_a_passage_depends_on_its_length_only(n_lanes: int) -> None:
    """After a pass, at most one turn before it is read; without one, nothing is read twice."""
    corpus = Corpus.from_texts([letters(40_000)])
    protocol_model = ProtocolModel()
    live = LiveActivations(protocol_model, corpus, n_lanes=n_lanes)

    def n_read(place: int) -> int:
        before = protocol_model.n_read
        live.read([STATE], place, place + 50)
        return protocol_model.n_read - before

    assert n_read(38_000) <= 40_000 // n_lanes + live.warm_up_chars + live.turn_chars  # a piece
    at_most = live.turn_chars + 50 + 128  # which are read in parts of 128 steps
    assert n_read(38_000) <= at_most
    for _ in live.blocks():
        pass
    assert all(n_read(place) <= 2 * at_most for place in range(0, 39_900, 777))  # within two pieces at most


def test_many_short_documents_are_read_side_by_side_and_no_others() -> None:
    corpus = Corpus.from_texts([letters(30, seed) for seed in range(200)])
    protocol_model = ProtocolModel()
    live = LiveActivations(protocol_model, corpus, n_lanes=16)
    before = protocol_model.n_read
    live.read([STATE], 1000, 1010)
    assert protocol_model.n_read - before <= 30
    before = protocol_model.n_read
    assert live.read([STATE], 615, 2985)[STATE].shape == (2370, 3)
    assert protocol_model.n_read - before <= 80 * 30


@given(st.lists(st.integers(2, 3000), min_size=1, max_size=6), st.integers(1, 5), st.integers(40, 4000), st.randoms())
def test_kept_states_are_spread_over_the_text_within_their_limit(
    sizes: list[int], n_lanes: int, most_bytes: int, random: Any
) -> None:
    """States of every k-th turn of each piece are kept, whichever lanes come first."""
    corpus = Corpus.from_texts("x" * n for n in sizes)
    pieces = cut_pieces(corpus, Selection.of(len(corpus)), n_lanes, 512, 128)
    kept = KeptStates(pieces, 128, most_bytes)
    begun = [turn for piece in pieces for turn in turns(piece, 128)]
    random.shuffle(begun)
    for one, other in zip(begun[::2], begun[1::2], strict=False):
        now = [one, other]
        kept.keep(now, {STATE: np.array([[turn.start, turn.piece.start, 1] for turn in now], np.float32)})
    seen = set(begun[: len(begun) // 2 * 2])
    n_states = sum(turn.number > 0 for turn in begun)
    every = max(1, -(-n_states * 12 // most_bytes))
    assert 12 * sum(turn.number > 0 and turn.number % every == 0 for turn in begun) <= most_bytes
    assert sum(rows.nbytes for rows in kept._rows.values()) <= most_bytes
    for piece in pieces:
        there = {turn.number: turn.start for turn in turns(piece, 128)}
        known = [turn.number for turn in seen if turn.piece == piece and turn.number and turn.number % every == 0]
        for number in there:
            nearest = max((each for each in known if each <= number), default=0)
            found, state = kept.nearest(piece, number)
            assert found == nearest
            if found:
                assert state[STATE].tolist() == [there[found], piece.start, 1]
            else:
                assert state == {}


def test_threads_may_read_passages_while_another_reads_the_text() -> None:
    corpus = Corpus.from_texts([letters(20_000), letters(5000)])
    for model, n_lanes in ((ProtocolModel(), 4), (random_model(LETTERS), 1), (random_model(LETTERS), 40)):
        live = LiveActivations(model, corpus, n_lanes=n_lanes)
        expected = whole(LiveActivations(model, corpus, n_lanes=n_lanes))
        passages = [(place, place + 300) for place in range(0, 24_000, 1300)]
        with ThreadPoolExecutor(4) as pool:
            reads = [pool.submit(live.read, list(live.sites), *passage) for passage in passages]
            for site, values in whole(live).items():
                np.testing.assert_array_equal(values, expected[site])
            for (start, stop), read in zip(passages, reads, strict=True):
                for site, values in read.result().items():
                    assert_equal(values, expected[site][start:stop], exactly=n_lanes == 1)


def test_reading_a_passage_leaves_the_number_of_threads_as_it_was() -> None:
    before = torch.get_num_threads()
    for n_lanes in (1, 40):
        LiveActivations(random_model(LETTERS), Corpus.from_texts([letters(3000)]), n_lanes=n_lanes).read([STATE], 9, 99)
        assert torch.get_num_threads() == before


def test_kept_states_go_with_their_source() -> None:
    live = LiveActivations(random_model(LETTERS), Corpus.from_texts([letters(9000)]), n_lanes=1)
    live.read([STATE], 8000, 8100)
    kept = weakref.ref(live._readings.kept_states)
    del live
    gc.collect()
    assert kept() is None
