"""Models that other people trained: they give the losses that were measured independently, and the units."""

import json
from pathlib import Path

import numpy as np
import pytest
from foreign import json_lists
from mutants import mutant

from activations.errors import ActivationError
from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from activations.units import Unit
from analyses.ranking.ranking import rank

LOSSES = {
    "warpeace_grid/lstm-1-256.pkl": 1.285,
    "warpeace_grid/gru-2-256.pkl": 1.236,
    "visrnn/lstm_2x128.pth": 1.491,
    "shakespeare/lstm_2x128_legacy.model": 1.333,
}


UNITS = {
    "warpeace_grid/lstm-1-256.pkl": {
        "in_quotes": {
            "0/cell/163": 0.9219, "0/hidden/163": 0.9071, "0/candidate/163": 0.6805, "0/forget_gate/84": 0.3206,
            "0/input_gate/172": 0.3543,
        },
        "position_in_line": {"0/cell/87": -0.147},
    },
    "warpeace_grid/gru-2-256.pkl": {
        "in_quotes": {
            "1/hidden/48": 0.0732, "1/reset_gate/93": 0.2083, "1/candidate/51": 0.7888, "1/update_gate/165": 0.3461,
        },
        "position_in_line": {"1/hidden/82": -0.908, "1/candidate/235": -0.445},
    },
}  # fmt: skip


@pytest.fixture
def models(shared: Path) -> Path:
    folder = shared.parent / "models"
    if not folder.is_dir():
        pytest.skip("needs the models of other people, in a folder `models` beside the large real texts")
    return folder


def text_of(name: str, models: Path, shared: Path) -> Corpus:
    """The part of a text that the loss was measured on."""
    if name.startswith("visrnn"):
        whole = Corpus.read(models / "visrnn" / "input.txt", newlines="lf")
        return Corpus.from_texts([whole.text(len(whole) - 200_000)])
    if name.startswith("shakespeare"):
        return Corpus.from_texts([Corpus.read(shared / "tinyshakespeare.txt").text(0, 200_000)])
    whole = Corpus.read(shared / "war_and_peace.txt")
    return Corpus.from_texts([whole.text(int(0.9 * len(whole)))])


def vocabulary_of(name: str, models: Path, shared: Path) -> str:
    if name.startswith("visrnn"):
        return f"pickle:{models / 'visrnn' / 'vocab.pkl'}"
    return "printable" if name.startswith("shakespeare") else f"sorted:{shared / 'war_and_peace.txt'}"


@pytest.mark.slow  # reads up to 320,000 characters without a break
@pytest.mark.parametrize("name", LOSSES)
def test_a_real_model_has_the_loss_that_was_measured(name: str, models: Path, shared: Path) -> None:
    found = import_model(models / name, vocabulary_of(name, models, shared), text=text_of(name, models, shared))
    assert found.evaluation is not None
    assert found.evaluation.nats_per_char == pytest.approx(LOSSES[name], abs=0.004)
    assert found.warning is None


@pytest.mark.slow  # ranks every unit over 320,000 characters
@pytest.mark.parametrize("name", UNITS)
def test_a_real_model_has_the_units_that_were_found(name: str, models: Path, shared: Path) -> None:
    """By signal, to the digits that were told."""
    model = import_model(models / name, vocabulary_of(name, models, shared)).model
    live = LiveActivations(model, text_of(name, models, shared), compute=ComputeOptions(dtype="float32"))
    with live.rereadable(list(live.sites)) as recording:
        for hypothesis, units in UNITS[name].items():
            ranking = rank(recording, hypothesis)
            for spelled, expected in units.items():
                unit = Unit.parse(spelled)
                best = next(each for each in ranking.units if each.unit.site.signal == unit.site.signal)
                digits = 4 if hypothesis == "in_quotes" else 3
                assert best.unit == unit
                assert best.overall == pytest.approx(expected, abs=0.6 * 10**-digits)


def test_a_wrong_vocabulary_of_a_real_model_is_noticed(models: Path, shared: Path) -> None:
    """The one for which 13.6 nats were measured."""
    name = "visrnn/lstm_2x128.pth"
    text = Corpus.from_texts([text_of(name, models, shared).text(0, 20_000)])
    given = import_model(models / name, vocabulary_of(name, models, shared)).model.vocabulary
    with pytest.raises(ActivationError, match="worse .* than the frequencies of its characters"):
        import_model(models / name, Vocabulary("".join(sorted(given.characters))), text=text)


def test_a_real_vocabulary_of_a_numpy_lstm(models: Path, tmp_path: Path) -> None:
    """Its weights are not to be had: 2 x 512 units on 65 characters."""
    lookup = models / "shakespeare" / "numpy_lstm_lookup.json"
    characters = "".join(json.loads(lookup.read_text(encoding="utf-8")))
    model = CharRNN(ModelConfig(n_layers=2, n_units=512), Vocabulary(characters)).eval()
    json_lists(model, tmp_path / "model.json")
    found = import_model(tmp_path / "model.json", f"json:{lookup}")
    assert found.model.config == model.config
    assert found.model.vocabulary == model.vocabulary
    assert found.interpretation.gates == "ifog"


@pytest.mark.slow  # a thousand files
def test_mutants_of_real_models_are_refused_or_read(models: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    files = ["warpeace_grid/lstm-2-64.pkl", "visrnn/lstm_2x128.pth", "shakespeare/lstm_2x128_legacy.model"]
    n_refused = 0
    for n in range(1000):
        name = files[n % len(files)]
        content = (models / name).read_bytes()
        head = 20_000 if n % 2 else len(content)  # where the descriptions are
        (tmp_path / "m").write_bytes(mutant(content[:head], rng) + content[head:])
        n_characters = {"w": 78, "v": 88, "s": 100}[name[0]]
        try:
            import_model(tmp_path / "m", Vocabulary("".join(map(chr, range(256, 256 + n_characters)))), force=True)
        except ActivationError as error:
            assert len(str(error)) < 600
            n_refused += 1
    assert n_refused > 300
