"""Saturated units keep the order that an AUC is made of, however they are read."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Command
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata
from test_real_models import text_of, vocabulary_of
from torch import Tensor

from activations.blocks import Source
from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import save_model
from activations.reading.excerpts import EXCERPT_CHARS, LEAD_CHARS, N_EXCERPTS, excerpts
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.reading.saturation import MOST_SHARED, largest_shared, loses_order
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site
from analyses.ranking.ranking import rank
from analyses.targets.labelling import target
from hypotheses.registry import get

SPREAD, SATURATED = Site.of(0, "hidden"), Site.of(1, "hidden")
LETTERS = "abcdefghijklmnopqrstuvwxyz "


@pytest.fixture(scope="module")
def text() -> str:
    return "".join(np.random.default_rng(0).choice(list(LETTERS), 12_000))


@pytest.fixture(scope="module")
def model() -> CharRNN:
    """A layer that is spread over [-1, 1], and above it one that is the same, but between .99990 and .99992."""
    n = 4
    model = CharRNN(ModelConfig(cell="rnn", n_layers=2, n_units=n), Vocabulary(LETTERS)).eval()
    weights = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    weights["rnn.weight_ih_l0"] = torch.linspace(-1.5, 1.5, n * len(LETTERS)).view(len(LETTERS), n).T
    weights["rnn.weight_hh_l0"] = 0.3 * torch.eye(n).roll(1, 0)
    weights["rnn.weight_ih_l1"] = 0.1 * torch.eye(n)
    weights["rnn.bias_ih_l1"] = torch.full((n,), 5.0)
    model.load_state_dict(weights)
    return model


class ProtocolModel:
    """The same model as a user might write it."""

    def __init__(self, model: CharRNN) -> None:
        self.model = model
        self.vocabulary = model.vocabulary
        self.sites = model.sites
        self.unbounded: set[Site] = set()

    def start(self, n_lanes: int) -> dict[Site, Tensor]:
        return {site: torch.zeros(n_lanes, n_units) for site, n_units in self.sites.items()}

    def read(self, ids: Tensor, state: Mapping[Site, Tensor]) -> tuple[Tensor, dict[Site, Tensor], dict[Site, Tensor]]:
        values: dict[Site, list[Tensor]] = {site: [] for site in self.sites}
        for step in ids:
            _, after = self.model(step[None], (torch.stack([state[SPREAD], state[SATURATED]]),))
            state = dict(zip((SPREAD, SATURATED), after[0], strict=True))
            for site, own in state.items():
                values[site].append(own)
        logits = self.model.readout(torch.stack(values[SATURATED]))
        return logits, {site: torch.stack(own) for site, own in values.items()}, dict(state)


def activations(source: Source, site: Site) -> NDArray[Any]:
    """(n_chars, n_units) activations of a site."""
    blocks = sorted(source.blocks([site]), key=lambda block: block.start)
    return np.concatenate([block.values[site] for block in blocks])


def aucs(values: NDArray[Any], labels: Sequence[NDArray[np.bool_]]) -> NDArray[np.float64]:
    """(n_hypotheses, n_units) AUCs by scipy."""
    ranks = rankdata(values.astype(np.float64), axis=0)
    return np.array([(ranks[own].mean(0) - (own.sum() + 1) / 2) / (~own).sum() for own in labels])


def reference(source: Source, name: str, site: Site) -> NDArray[np.float64]:
    """(n_units,) AUCs of float64 values."""
    asked = target(source.corpus, name, selection=source.selection)
    return np.asarray(aucs(activations(source, site), [asked.labels.values[asked.used]])[0])


def raw(source: Source, name: str, site: Site) -> NDArray[np.float64]:
    found = {each.unit.index: each.overall for each in rank(source, name, sites=[site]).units}
    return np.array([found[index] for index in range(len(found))])


PART = {"n_lanes": 20, "selection": Selection(3000, 8000, 2)}


@pytest.mark.parametrize(
    ("is_protocol_model", "options"), [(False, {}), (False, {"n_lanes": 1}), (False, PART), (True, PART)]
)
def test_saturated_units_have_the_aucs_of_float64(
    is_protocol_model: bool, options: dict[str, Any], model: CharRNN, text: str, tmp_path: Path
) -> None:
    """In float16, their AUCs are those of chance."""
    reader, corpus = ProtocolModel(model) if is_protocol_model else model, Corpus.from_texts([text])
    live = LiveActivations(reader, corpus, **options)
    exact = LiveActivations(reader, corpus, compute=ComputeOptions(dtype="float32"), **options)
    rounded = LiveActivations(reader, corpus, compute=ComputeOptions(dtype="float16"), **options)
    assert live.saturated == {SATURATED}
    assert exact.saturated == rounded.saturated == set()
    result = extract(live, tmp_path / "a.h5")
    assert result.saturated == (SATURATED,)
    with Recording(tmp_path / "a.h5") as recording:
        for source in (live, recording):
            assert [source.dtype(site) for site in (SPREAD, SATURATED)] == [np.float16, np.float32]
            for site in (SPREAD, SATURATED):
                expected = reference(exact, "vowel", site)
                assert np.abs(expected - 0.5).max() > 0.05
                np.testing.assert_allclose(raw(source, "vowel", site), expected, atol=1e-3)
    np.testing.assert_allclose(raw(rounded, "vowel", SATURATED), 0.5, atol=1e-3)


def test_a_resumed_run_keeps_the_choice_of_saturated_sites(model: CharRNN, text: str, tmp_path: Path) -> None:
    corpus = Corpus.from_texts([text])
    extract(LiveActivations(model, corpus, n_lanes=3), tmp_path / "whole.h5")

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(LiveActivations(model, corpus, n_lanes=3), tmp_path / "a.h5", progress=stop, checkpoint_s=0.0)
    seen: list[int] = []
    result = extract(
        LiveActivations(model, corpus, n_lanes=3), tmp_path / "a.h5", progress=lambda done, total: seen.append(done)
    )
    assert seen[0] > len(text) // 3  # what was done was not done again
    assert result.saturated == (SATURATED,)
    with Recording(tmp_path / "a.h5") as one, Recording(tmp_path / "whole.h5") as other:
        for site in (SPREAD, SATURATED):
            assert one.dtype(site) == other.dtype(site)
            np.testing.assert_array_equal(one.read([site])[site], other.read([site])[site])


def test_the_command_says_which_sites_saturate(model: CharRNN, text: str, tmp_path: Path, run: Command) -> None:
    save_model(model, Path("model.pt"))
    Path("corpus.txt").write_text(text, encoding="utf-8")
    line = "in float32, since float16 would lose the order of some of their units, as where a gate saturates: 1/hidden"
    status, out, err = run("extract", "model.pt", "corpus.txt")
    assert status == 0, err
    assert line in out
    status, out, err = run("extract", "model.pt", "--generate", "40x200", "--prompt", "a", "--json", "-o", "b.h5")
    assert status == 0, err
    assert json.loads(out)["saturated"] == ["1/hidden"]
    status, out, err = run("extract", "model.pt", "corpus.txt", "--dtype", "float16", "-o", "c.h5")
    assert status == 0, err
    assert "in float32" not in out


HYPOTHESES = ("in_quotes", "blank_line", "capitalised", "end_of_word", "in_word", "sentence_start", "vowel")
REAL = (
    *(f"warpeace_grid/{name}.pkl" for name in ("lstm-1-256", "gru-2-256", "lstm-3-128", "lstm-2-64", "rnn-3-256")),
    "visrnn/lstm_2x128.pth",
    "shakespeare/lstm_2x128_legacy.model",
)


@pytest.mark.slow  # reads 100,000 characters, and sorts them for each unit
@pytest.mark.parametrize("name", REAL)
def test_units_of_real_models_keep_their_aucs(name: str, shared: Path) -> None:
    """Units left in float16 keep their AUCs; those of a site in float32 would lose more than .01."""
    models = shared.parent / "models"
    if not models.is_dir():
        pytest.skip("needs the models of other people, in a folder `models` beside the large real texts")
    text = text_of(name, models, shared).text(0, 100_000)
    corpus = Corpus.from_texts([text])
    model = import_model(models / name, vocabulary_of(name, models, shared), text=corpus).model
    saturated = LiveActivations(model, corpus).saturated
    labels = [own for each in HYPOTHESES if 0 < (own := get(each)(text).values).mean() < 1]
    in_float16 = set(model.sites) - model.unbounded - saturated
    for site in {*in_float16, max(saturated)}:
        values = activations(LiveActivations(model, corpus, compute=ComputeOptions(dtype="float32")), site)
        moved = np.abs(aucs(values, labels) - aucs(values.astype(np.float16), labels)).max()
        assert moved > 0.01 if site in saturated else moved < 1e-3


@st.composite
def crowded_values(draw: st.DrawFn) -> NDArray[np.float32]:
    """(n_chars, n_units) values within [-1, 1], many of them near 1, 0 or another number, or repeated."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n_chars, n_units = draw(st.integers(1, 300)), draw(st.integers(1, 3))
    width = 10.0 ** -draw(st.integers(1, 9))
    values = draw(st.sampled_from([-1.0, 0.0, 0.3, 1.0])) + width * rng.normal(size=(n_chars, n_units))
    kept: NDArray[np.float32] = values.clip(-1, 1).astype(np.float32)
    return kept[rng.integers(0, n_chars, n_chars)] if draw(st.booleans()) else kept


@given(crowded_values())
def test_values_that_float16_would_merge_are_counted(values: NDArray[np.float32]) -> None:
    """The reference is a loop over the values: those of one float16 that are several in float32."""
    for unit, share in enumerate(largest_shared(values)):
        merged = defaultdict(list)
        for value in values[:, unit]:
            merged[float(np.float16(value))].append(value)
        largest = max((len(own) for own in merged.values() if len(set(own)) > 1), default=0)
        assert share == (largest / len(values) if largest >= 16 else 0)
    assert loses_order(values) == (largest_shared(values).max() > MOST_SHARED)


@given(crowded_values(), st.integers(0, 2**32), st.booleans())
def test_rounding_moves_an_auc_by_no_more_than_its_bound(
    values: NDArray[np.float32], seed: int, is_informed: bool
) -> None:
    rng = np.random.default_rng(seed)
    threshold = rng.choice(values[:, 0])
    labels = values[:, 0] > threshold if is_informed else rng.random(len(values)) < 0.3
    n_true, n_chars = int(labels.sum()), len(labels)
    if not 0 < n_true < n_chars:
        return
    exact, rounded = (rankdata(own, axis=0)[labels].mean(0) for own in (values, values.astype(np.float16)))
    moved = np.abs(exact - rounded) / (n_chars - n_true)
    share = np.maximum(largest_shared(values), 15 / n_chars)
    assert (moved <= share / 2 / (max(n_true, n_chars - n_true) / n_chars) + 1e-9).all()


@given(st.lists(st.integers(2, 3000), min_size=1, max_size=5), st.floats(0, 0.9), st.floats(0.05, 1), st.integers(0, 9))
def test_the_sample_is_of_the_selected_part(lengths: list[int], start: float, share: float, seed: int) -> None:
    n_chars = sum(lengths)
    codes = np.arange(n_chars, dtype=np.uint32) + 1000  # each character says where it stands
    whole = Corpus.from_texts(["a" * n for n in lengths])
    corpus = Corpus(codes, whole.documents)
    first = int(start * n_chars)
    selection = Selection(first, max(first + 1, int(first + share * (n_chars - first))))
    sample, is_sampled, places = excerpts(corpus, selection, seed)
    assert len(sample) == len(is_sampled) == sum(document.n_chars for document in sample.documents)
    np.testing.assert_array_equal(places, sample.codes.astype(np.int64) - 1000)
    own = places[is_sampled]
    n_selected = selection.stop - selection.start
    assert (np.diff(own) > 0).all()
    assert own[0] >= selection.start
    assert own[-1] < selection.stop
    assert len(own) == min(n_selected, N_EXCERPTS * EXCERPT_CHARS)
    for document in sample.documents:
        inside = places[document.start : document.stop]
        assert (np.diff(inside) == 1).all()
        [home] = [each for each in corpus.documents if each.start <= inside[0] < each.stop]
        assert inside[-1] < home.stop
        n_lead = int((~is_sampled[document.start : document.stop]).sum())
        assert n_lead == min(LEAD_CHARS, inside[n_lead] - home.start)
    again, *_ = excerpts(corpus, selection, seed)
    np.testing.assert_array_equal(again.codes, sample.codes)
