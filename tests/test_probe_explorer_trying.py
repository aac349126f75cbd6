"""Typed text in the explorer: levels, predictions and labels; what a prediction depends on, and what a change does."""

import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from planting import random_model
from quote_cell import cell_of, log_prob_of_quote, losses_of, quote_model, quote_text

from activations.errors import ActivationError
from activations.interventions import clamp
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.intervening import intervene
from activations.reading.gradients import input_gradients
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.vocab import Vocabulary
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.session import Session
from hypotheses.registry import get
from probe.explorer.questions import changing
from probe.explorer.questions.changing import MOST_STEPS, changed, depends
from probe.explorer.questions.trying import try_text
from probe.explorer.sidecar.site_scales import SiteScales
from probe.viewer.making import text_view
from probe.viewer.scales import Scale

UNIT = Unit(Site.of(0, "cell"), 0)
TEXT = 'ab "aab" b"ba" a'


def wide_scale(reach: float = 2.0) -> Scale:
    """From −reach to reach."""
    return Scale(kind="diverging", offset=-reach, step=2 * reach / 254)


def wide_scales(model: CharRNN, reach: float = 2.0) -> dict[Site, SiteScales]:
    """The same for every unit."""
    scale = wide_scale(reach)
    return {
        site: SiteScales(
            offsets=np.full(n_units, scale.offset), steps=np.full(n_units, scale.step), gains=np.ones(n_units)
        )
        for site, n_units in model.sites.items()
    }


def as_plain_json(answer: Any) -> Any:
    """What a browser gets of an answer."""
    return json.loads(json.dumps(answer.as_json(), allow_nan=False))


def test_levels_are_those_of_the_cell_by_hand() -> None:
    model = quote_model()
    answer = try_text(model, TEXT, {UNIT: wide_scale(2.1)})
    expected = np.floor((cell_of(TEXT) + 2.1) / (4.2 / 254) + 0.5)
    np.testing.assert_array_equal(answer.levels[UNIT], expected)
    assert answer.n_chars == len(TEXT)
    assert as_plain_json(answer)["levels"]["0/cell/0"]


def test_predictions_are_those_of_the_cell_by_hand() -> None:
    model = quote_model()
    answer = try_text(model, TEXT, {})
    cells = cell_of(TEXT)
    assert np.isnan(answer.losses[0])
    np.testing.assert_allclose(answer.losses[1:], losses_of(TEXT, cells), atol=1e-5)
    quote = answer.guessed.index('"')
    probabilities = np.where(answer.guess_ids[:, :4] == quote, answer.guess_levels[:, :4], 0).sum(axis=1) / 255
    np.testing.assert_allclose(probabilities, np.exp(log_prob_of_quote(cells)), atol=0.003)


def test_a_typed_text_looks_as_the_view_shows_it() -> None:
    """The same text, shown by the view of a live model: guesses, losses, and units on the view's scales."""
    model = random_model("abcdef \n", n_layers=2, gain=2.0)
    rng = np.random.default_rng(1)
    text = "".join(rng.choice(list("abcdef \n"), 300))
    live = LiveActivations(model, Corpus.from_texts([text]), n_lanes=1)
    units = [Unit(Site.of(1, "cell"), 3), Unit(Site.of(0, "forget_gate"), 7)]
    view = text_view(Session(live), units=units, loss=True, guesses=True, n_chars=300)
    by_name = {track.name: track for track in view.tracks}
    answer = try_text(model, text, {unit: by_name[str(unit)].scale for unit in units})
    assert view.guesses is not None
    assert answer.guessed == view.guesses.characters
    np.testing.assert_array_equal(answer.guess_ids, view.guesses.ids)
    np.testing.assert_array_equal(answer.guess_levels, view.guesses.levels)
    for unit in units:
        difference = answer.levels[unit].astype(int) - by_name[str(unit)].levels
        assert np.abs(difference).max() <= 1  # the view's values are in float16
        assert (difference == 0).mean() > 0.9
    track = by_name["loss"]
    shown = np.where(np.isnan(answer.losses), np.nan, track.values)
    np.testing.assert_allclose(answer.losses, shown, atol=track.scale.step * 0.51)


def test_a_unit_that_the_model_lacks_is_named() -> None:
    with pytest.raises(AnalysisError, match="0/cell"):
        try_text(quote_model(), TEXT, {Unit(UNIT.site, 99): wide_scale()})


def test_of_a_long_text_only_what_is_shown_is_kept() -> None:
    """Of all units of its site, it would be 16 MB."""
    model = random_model("ab", n_units=200, n_layers=1)
    tracemalloc.start()
    answer = try_text(model, "ab" * 10_000, {Unit(UNIT.site, 5): wide_scale()})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.levels[Unit(UNIT.site, 5)].shape == (20_000,)
    assert peak < 12e6


def test_hypotheses_label_a_typed_text(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("start,end\n0,3\n")
    model = quote_model()
    names = ["in_quotes", "position_in_line", "char_class", "no_such_one", f"labels:{tmp_path / 'labels.csv'}"]
    answer = try_text(model, TEXT, {}, hypotheses=names)
    quotes, position, classes, missing, of_file = answer.labels
    assert (quotes.levels == get("in_quotes")(TEXT).values).all()
    assert quotes.scale is not None
    assert quotes.scale["kind"] == "binary"
    np.testing.assert_array_equal(position.levels, np.round((get("position_in_line")(TEXT).values - 1) * 254 / 15))
    assert classes.scale is not None
    assert set(classes.scale["classes"]) == {"lower case", "space", "punctuation"}
    assert "no hypothesis named 'no_such_one'" in missing.error
    assert "one text alone" in of_file.error
    assert as_plain_json(answer)["labels"][3]["scale"] is None


def test_unknown_characters_are_read_as_a_blank_and_counted() -> None:
    model = quote_model()
    answer = try_text(model, "a€b", {UNIT: wide_scale()})
    plain = try_text(model, "a b", {UNIT: wide_scale()})
    np.testing.assert_array_equal(answer.levels[UNIT], plain.levels[UNIT])
    assert answer.notes == ("1 character that the model does not know is read as ' '",)
    assert not plain.notes


@pytest.mark.parametrize(("text", "message"), [("", "type some"), ("a" * 20_001, "at most 20,000")])
def test_a_text_that_cannot_be_tried_is_refused(text: str, message: str) -> None:
    model = quote_model()
    with pytest.raises(AnalysisError, match=message):
        try_text(model, text, {})


def fading_model(keep: float = 0.5) -> CharRNN:
    """H = keep · h + 1 for each character, whichever; the logit of the first character is h."""
    model = CharRNN(ModelConfig(cell="rnn_relu", n_layers=1, n_units=1), Vocabulary("abc")).eval()
    weights = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    weights["rnn.weight_ih_l0"][:] = 1.0
    weights["rnn.weight_hh_l0"][:] = keep
    weights["readout.weight"][0, 0] = 1.0
    model.load_state_dict(weights)
    return model


def test_a_prediction_depends_less_and_less_on_earlier_characters() -> None:
    """∂ log p(a) / ∂ input = (1 − p) · keep^k · (1, 1, 1), k characters before."""
    text, position = "abcabcab", 5
    answer = depends(fading_model(), text, position, "a")
    h = sum(0.5**k for k in range(position + 1))
    p = math.exp(h) / (math.exp(h) + 2)
    expected = [(1 - p) * 0.5 ** (position - t) * math.sqrt(3) if t <= position else 0 for t in range(len(text))]
    np.testing.assert_allclose(answer.norms, expected, rtol=1e-5)
    assert answer.probability == pytest.approx(p)
    assert (answer.character, answer.position) == ("a", position)
    assert answer.levels[position] == 254
    assert answer.levels[-1] == 0
    as_plain_json(answer)


def test_the_most_probable_character_is_asked_about_by_default() -> None:
    assert depends(fading_model(), "abc", 2).character == "a"


@pytest.mark.parametrize("cell", ["lstm", "gru", "gru_reset_before", "rnn"])
def test_gradients_are_finite_differences(cell: str) -> None:
    """Of a model with learned input vectors: each number of the vectors is changed a little."""
    model = random_model("abcdef", cell=cell, n_layers=2, n_embedding=3, gain=2.0).double()
    text, position = "fabcdefab", 7
    answer = depends(model, text, position, "c")
    ids = torch.tensor([model.vocabulary.characters.index(char) for char in text[: position + 1]])[:, None]
    with torch.no_grad():
        vectors = model.input_vectors(ids)

        def log_prob(changed_vectors: torch.Tensor) -> float:
            outputs, _ = model.rnn(changed_vectors, None)
            log_probs = torch.log_softmax(model.readout(outputs[-1, 0]), -1)
            return float(log_probs[model.vocabulary.characters.index("c")])

        norms = []
        for t in range(position + 1):
            slopes = []
            for number in range(3):
                up, down = vectors.clone(), vectors.clone()
                up[t, 0, number] += 1e-5
                down[t, 0, number] -= 1e-5
                slopes.append((log_prob(up) - log_prob(down)) / 2e-5)
            norms.append(np.linalg.norm(slopes))
    np.testing.assert_allclose(answer.norms[: position + 1], norms, rtol=1e-3, atol=1e-7)
    assert answer.norms[position + 1] == 0


@pytest.mark.parametrize("cell", ["lstm", "gru_reset_before"])
def test_only_the_last_characters_of_a_long_text_are_differentiated(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state before is as it is, so that the others have the same gradients."""
    monkeypatch.setattr(changing, "MOST_BACK", 30)
    model = random_model("abcdef", cell=cell, n_layers=2)
    text = "".join(np.random.default_rng(0).choice(list("abcdef"), 60))
    answer = depends(model, text, 49)
    whole = input_gradients(LiveActivations(model, Corpus.from_texts([text])), 49)
    np.testing.assert_allclose(answer.norms[20:], whole.norms[20:], rtol=1e-4, atol=1e-12)
    assert (answer.norms[:20] == 0).all()
    assert (whole.norms[:50] > 0).all()
    assert answer.character == whole.token
    assert "only the last 30 characters" in answer.notes[1]


def test_backwards_a_prediction_depends_on_later_characters() -> None:
    model = fading_model()
    model.reading_rule = ReadingRule(backwards=True)
    norms = depends(model, "abcabc", 2, "a").norms
    assert (norms[:2] == 0).all()
    np.testing.assert_allclose(norms[3:] / norms[2:-1], 0.5, rtol=1e-5)


def test_characters_of_several_bytes_have_all_of_their_gradients() -> None:
    model = CharRNN(ModelConfig(cell="rnn_relu", n_layers=1, n_units=1), Vocabulary("".join(map(chr, range(256)))))
    model.reading_rule = ReadingRule(read_as="bytes")
    weights = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    weights["rnn.weight_ih_l0"][:] = weights["rnn.weight_hh_l0"][:] = 1.0
    weights["readout.weight"][97, 0] = 1.0
    model.load_state_dict(weights)
    norms = depends(model.eval(), "aéa", 2, "a").norms
    assert norms[1] == pytest.approx(norms[0] * math.sqrt(2))  # its two bytes add in squares


def test_what_gradients_cannot_be_made_of_is_refused() -> None:
    model = fading_model()
    with pytest.raises(ActivationError, match="no character 3"):
        depends(model, "abc", 3)
    with pytest.raises(ActivationError, match="does not know"):
        depends(model, "abc", 1, "€")
    with pytest.raises(ActivationError, match="does not know"):
        depends(model, "abc", 1, "ab")
    with intervene(model, "0/hidden", clamp(0.5)), pytest.raises(ActivationError, match="without interventions"):
        depends(model, "abc", 1)


def test_a_changed_character_changes_the_cell_as_by_hand() -> None:
    model, text = quote_model(), quote_text(np.random.default_rng(0), 200)
    position = text.index("a", 20)
    other = text[:position] + '"' + text[position + 1 :]
    answer = changed(model, text, position, '"', wide_scales(model))
    [unit] = [unit for unit in answer.units if unit.unit == "0/cell/0"]
    expected = (cell_of(other) - cell_of(text))[position:]
    np.testing.assert_allclose(unit.curve, expected, atol=1e-5)
    peak = int(np.abs(expected).argmax())
    assert unit.largest == pytest.approx(expected[peak], abs=1e-5)
    assert abs(expected[unit.after]) == pytest.approx(abs(expected[peak]), abs=1e-5)
    assert unit.share == pytest.approx(abs(expected[peak]) / 4, abs=1e-5)
    np.testing.assert_allclose(answer.losses_before[1:], losses_of(text, cell_of(text)), atol=1e-5)
    np.testing.assert_allclose(answer.losses_after[1:], losses_of(other, cell_of(other)), atol=1e-5)
    assert answer.n_steps == len(text) - position
    as_plain_json(answer)


def test_a_change_lasts_until_it_is_smaller_for_good() -> None:
    """H = h / 2 + the number of the character, so that a difference halves; it is under 1/e after two."""
    model = fading_model()
    weights = model.state_dict()
    weights["rnn.weight_ih_l0"][0] = torch.tensor([0.0, 1.0, 2.0])
    model.load_state_dict(weights)
    answer = changed(model, "aaaaaaaa", 3, "c", wide_scales(model, 10))
    [unit] = answer.units
    assert unit.curve.tolist() == [2, 1, 0.5, 0.25, 0.125]
    assert (unit.largest, unit.after, unit.lasts) == (2, 0, 2)
    late = changed(model, "aaaaaaaa", 7, "c", wide_scales(model, 10)).units[0]
    assert late.lasts is None  # it is still there at the end of the text
    model.reading_rule = ReadingRule(backwards=True)
    mirrored = changed(model, "aaaaaaaa", 4, "c", wide_scales(model, 10)).units[0]
    assert mirrored.curve.tolist() == unit.curve.tolist()


@pytest.mark.parametrize("is_backwards", [False, True])
def test_a_change_is_compared_for_some_hundred_characters(*, is_backwards: bool) -> None:
    """Of 20,000 characters, so that memory does not grow with the text; losses are of all of it."""
    model = fading_model(keep=1.0)  # which forgets nothing
    weights = model.state_dict()
    weights["rnn.weight_ih_l0"][0] = torch.tensor([0.0, 1e-3, 2e-3])
    model.load_state_dict(weights)
    model.reading_rule = ReadingRule(backwards=is_backwards)
    tracemalloc.start()
    answer = changed(model, "a" * 20_000, 9_000, "c", wide_scales(model, 10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    [unit] = answer.units
    assert answer.n_steps == len(unit.curve) == MOST_STEPS
    assert unit.lasts is None
    np.testing.assert_allclose(unit.curve, 2e-3, rtol=1e-5)
    assert len(answer.losses_before) == len(answer.losses_after) == 20_000
    differ = answer.losses_before != answer.losses_after
    read_later = np.arange(20_000) < 9_000 if is_backwards else np.arange(20_000) > 9_000
    assert differ[read_later].all()
    assert peak < 50e6


def test_a_change_that_nobody_waits_for_ends() -> None:
    class GoneError(Exception):
        pass

    def stop(done: int, total: int, /) -> None:
        assert 0 < done < total == 40_000
        raise GoneError

    with pytest.raises(GoneError):
        changed(fading_model(), "a" * 20_000, 3, "b", wide_scales(fading_model()), progress=stop)


def test_units_that_a_change_leaves_alone_are_not_told() -> None:
    answer = changed(quote_model(), "bbbb", 1, " ", wide_scales(quote_model()))
    assert not answer.units


@pytest.mark.parametrize(("position", "character"), [(3, "b"), (-1, "b"), (0, "a"), (0, "bb"), (0, "")])
def test_what_is_no_change_is_refused(position: int, character: str) -> None:
    with pytest.raises(AnalysisError):
        changed(quote_model(), "abb", position, character, wide_scales(quote_model()))
