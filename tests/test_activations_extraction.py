"""The live source is aligned with the text, exact where it says so, and the same as its recording."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from planting import random_model

from activations.blocks import Source
from activations.errors import ActivationError
from activations.models.cells.kinds import CELLS
from activations.models.char_rnn import CharRNN
from activations.models.evaluation import evaluate
from activations.predictions import DISTRIBUTION, LOG_PROB, TOP_IDS, TOP_LOG_PROBS
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.site_names import select_sites
from activations.texts.corpus import Corpus
from activations.texts.lanes import cut_pieces
from activations.texts.vocab import Vocabulary
from activations.units import Site

every_cell = pytest.mark.parametrize("cell", list(CELLS))


def gathered(source: Source, site: Site) -> NDArray[Any]:
    """(n_chars, n_units) activations of a site, assembled from blocks in any order."""
    blocks = sorted(source.blocks([site]), key=lambda block: block.start)
    assert blocks[0].start == 0
    assert all(one.stop == two.start for one, two in pairwise(blocks))
    assert all(set(block.values) == {site} for block in blocks)
    return np.concatenate([block.values[site] for block in blocks])


def test_row_t_has_read_character_t(copying_model: CharRNN, code_text: str, tmp_path: Path) -> None:
    corpus = Corpus.from_texts([code_text[:5000], code_text[5000:]])
    site = Site.of(0, "hidden")
    expected = np.eye(len(copying_model.vocabulary))[copying_model.vocabulary.encode(corpus)]
    live = LiveActivations(copying_model, corpus, n_lanes=5, warm_up_chars=1)
    np.testing.assert_array_equal(gathered(live, site), expected)
    extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        np.testing.assert_array_equal(gathered(recording, site), expected)
        np.testing.assert_array_equal(recording.read([site], 777, 4321)[site], expected[777:4321])
        assert recording.corpus.text() == corpus.text()


@every_cell
def test_a_recording_and_the_live_source_are_equal(cell: str, code_text: str, tmp_path: Path) -> None:
    corpus = Corpus.from_texts([code_text[:3000], code_text[3000:3100], code_text[3100:9000]], list("abc"))
    live = LiveActivations(random_model(code_text, cell=cell), corpus, n_lanes=7)
    result = extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        assert recording.sites == dict(sorted(live.sites.items()))
        assert [document.name for document in recording.corpus.documents] == list("abc")
        for site in live.sites:
            one, other = gathered(live, site), gathered(recording, site)
            assert one.dtype == other.dtype == live.dtype(site)
            np.testing.assert_array_equal(one, other)
        assert recording.description["nats_per_char"] == result.nats_per_char
        assert recording.description["model_config"]["cell"] == cell
        assert recording.vocabulary == live.model.vocabulary


@every_cell
def test_bounded_signals_are_float16_and_unbounded_ones_float32(cell: str) -> None:
    live = LiveActivations(random_model("abc", cell=cell), Corpus.from_texts(["abc"]))
    for site in live.sites:
        unbounded = site.signal == "cell" or (cell, site.signal) == ("rnn_relu", "hidden")
        assert live.dtype(site) == (np.float32 if unbounded else np.float16)


@every_cell
def test_one_lane_is_exact_and_the_first_lane_of_many_is_too(cell: str, code_text: str) -> None:
    model = random_model(code_text, cell=cell, gain=1.5)
    corpus = Corpus.from_texts([code_text])
    with torch.inference_mode():
        ids = torch.from_numpy(model.vocabulary.encode(corpus))
        x = torch.nn.functional.one_hot(ids, len(model.vocabulary)).float()
        expected = model.rnn(x[:, None])[0][:, 0]
    site = Site.of(1, "hidden")
    exact = gathered(LiveActivations(model, corpus, n_lanes=1), site)
    np.testing.assert_allclose(exact, expected, atol=6e-4, rtol=1e-3)  # float16
    lanes = gathered(LiveActivations(model, corpus, n_lanes=8, warm_up_chars=0), site)
    first = len(corpus) // 8 // 512 * 512
    np.testing.assert_allclose(lanes[:first], exact[:first], atol=6e-4, rtol=1e-3)


def test_lane_differences_are_measured_where_lanes_meet(code_text: str) -> None:
    """The state at each border is known from both lanes; here, it is taken from two whole readings."""
    model = random_model(code_text, gain=2.5)
    corpus = Corpus.from_texts([code_text])
    live = LiveActivations(model, corpus, n_lanes=3, warm_up_chars=0)
    cold = gathered(live, Site.of(1, "cell"))
    exact = gathered(LiveActivations(model, corpus, n_lanes=1), Site.of(1, "cell"))
    pieces = cut_pieces(corpus, live.selection, 3, 0, live.turn_chars)
    arriving = cold[[piece.start - 1 for piece in pieces[1:]]]  # the next lane starts cold, from zero
    found = live.lane_differences[Site.of(1, "cell")]
    np.testing.assert_allclose(found.by_unit, np.abs(arriving).max(0), rtol=1e-5)
    assert found.largest == pytest.approx(np.abs(arriving).max(), rel=1e-5)
    assert found.typical == pytest.approx(np.abs(arriving).mean(), rel=1e-5)
    assert not np.allclose(cold, exact, atol=0.01)
    warm = LiveActivations(model, corpus, n_lanes=3, warm_up_chars=1024)
    list(warm.blocks())
    assert warm.lane_differences[Site.of(1, "cell")].largest < found.largest
    exact_source = LiveActivations(model, corpus, n_lanes=1)
    list(exact_source.blocks())
    assert exact_source.lane_differences == {}


def test_predictions_are_those_of_the_model(code_text: str, tmp_path: Path) -> None:
    corpus = Corpus.from_texts([code_text[:700], code_text[700:2000]])
    model = random_model(code_text)
    result = extract(LiveActivations(model, corpus, n_lanes=1), tmp_path / "a.h5")
    assert result.nats_per_char == pytest.approx(evaluate(model, corpus).nats_per_char, abs=1e-6)
    ids = model.vocabulary.encode(corpus)
    with Recording(tmp_path / "a.h5") as recording:
        blocks = list(recording.blocks([], predictions=True))
    true = np.concatenate([block.predictions[LOG_PROB] for block in blocks])
    whole = np.concatenate([block.predictions[DISTRIBUTION] for block in blocks]).astype(np.float64)
    ends = [document.stop - 1 for document in corpus.documents]
    assert np.flatnonzero(np.isnan(true)).tolist() == ends
    np.testing.assert_allclose(np.exp(whole).sum(1), 1, atol=2e-2)
    inside = np.setdiff1d(np.arange(len(corpus) - 1), ends)
    np.testing.assert_allclose(true[inside], whole[inside, ids[inside + 1]], atol=2e-2)


def test_large_vocabularies_keep_the_five_most_probable(tmp_path: Path) -> None:
    characters = "".join(chr(0x4E00 + n) for n in range(600))
    corpus = Corpus.from_texts([characters])
    model = random_model(characters)
    extract(LiveActivations(model, corpus, n_lanes=1), tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording, torch.inference_mode():
        block = next(recording.blocks([], predictions=True))
        logits, _ = model(torch.arange(600)[:, None])
    best = torch.log_softmax(logits[: block.n_chars, 0], -1).topk(5)
    assert set(block.predictions) == {LOG_PROB, TOP_IDS, TOP_LOG_PROBS}
    np.testing.assert_allclose(block.predictions[TOP_LOG_PROBS], best.values, rtol=2e-3)
    top = logits[: block.n_chars, 0].gather(1, torch.from_numpy(block.predictions[TOP_IDS].astype(np.int64)))
    np.testing.assert_allclose(top, logits[: block.n_chars, 0].topk(5).values, atol=1e-5)


def test_the_same_model_and_text_give_the_same_numbers(code_text: str) -> None:
    corpus = Corpus.from_texts([code_text[:9000]])
    live = LiveActivations(random_model(code_text), corpus)
    for site in live.sites:
        np.testing.assert_array_equal(gathered(live, site), gathered(live, site))


def test_unknown_characters_are_refused_or_replaced(tmp_path: Path) -> None:
    corpus = Corpus.from_texts(["abcab"])
    with pytest.raises(ActivationError, match="'c' \\(text 0, line 1, column 3\\)"):
        LiveActivations(random_model("ab"), corpus)
    model = CharRNN(random_model("ab").config, Vocabulary("ab?", "?"))
    live = LiveActivations(model, corpus, replace_unknown=True)
    assert live.n_replaced == 1
    extract(live, tmp_path / "a.h5")


def test_wrong_lanes_sites_and_paths_are_refused(code_text: str, tmp_path: Path) -> None:
    model, corpus = random_model(code_text), Corpus.from_texts([code_text])
    with pytest.raises(ActivationError, match="number of lanes is 0"):
        LiveActivations(model, corpus, n_lanes=0)
    with pytest.raises(ActivationError, match="warm-up is -1"):
        LiveActivations(model, corpus, warm_up_chars=-1)
    live = LiveActivations(model, corpus)
    with pytest.raises(ActivationError, match="no site 7/cell; it has 0/hidden"):
        list(live.blocks([Site.of(7, "cell")]))
    with pytest.raises(ActivationError, match="no site 'cel' here; there are 0/hidden"):
        select_sites(live.sites, "hidden,cel")
    with pytest.raises(ActivationError, match="no folder"):
        extract(live, tmp_path / "nowhere" / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_live_source_becomes_rereadable_within_its_budget(code_text: str) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    site = Site.of(1, "cell")
    with live.rereadable([site]) as recording:
        assert list(recording.sites) == [site]
        np.testing.assert_array_equal(gathered(recording, site), gathered(live, site))
    small = LiveActivations(live.model, live.corpus, scratch_bytes=1000)
    with pytest.raises(ActivationError, match="scratch space"), small.rereadable([site]):
        pass


def test_predictions_that_are_no_numbers_are_reported(code_text: str, tmp_path: Path) -> None:
    model = random_model(code_text)
    model.readout.weight.data[:] = np.nan
    with pytest.raises(ActivationError, match="predictions are not numbers"):
        extract(LiveActivations(model, Corpus.from_texts([code_text])), tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
