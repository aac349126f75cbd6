"""Attribution: known answers of a model made by hand, and the ranking that it orders."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quoting import QuoteModel, quoted_text
from scipy.special import softmax

from activations.errors import ActivationError
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Site
from analyses.causes.attribution import attribute
from analyses.errors import AnalysisError
from analyses.passages.attribution_effects import WHERE
from analyses.passages.effects import CONTRAST
from analyses.ranking.ranking import compare, rank
from analyses.ranking.results import SCORE_COLUMNS
from analyses.targets.labelling import target_of_labels
from hypotheses.labels import Labels
from hypotheses.registry import get

HIDDEN, QUOTE = Site("0/hidden"), "0/hidden/0"


@pytest.fixture(scope="module")
def text() -> str:
    return quoted_text(np.random.default_rng(7), 3000)


def live_of(text: str, **options: Any) -> LiveActivations:
    return LiveActivations(QuoteModel(**options).model, Corpus.from_texts([text]))


@pytest.mark.parametrize("held_at", ["mean", "zero", "other", 0.3])
def test_attributions_are_those_that_can_be_calculated(text: str, held_at: str | float) -> None:
    """Nothing that a hidden state does lasts longer than its own step, so that its only effect is on the next loss."""
    made = QuoteModel()
    hidden = np.tanh(made.cells(text))
    inside = np.asarray(get("in_quotes")(text).values, bool)
    following = [made.model.vocabulary.characters.index(char) for char in text[1:]]
    expected_readout = softmax(hidden @ made.readout.T + made.bias, axis=1) @ made.readout
    slopes = expected_readout[:-1] - made.readout[following]
    own = hidden[:-1]
    means = {where: own[mask].mean(axis=0) for where, mask in (("in", inside[:-1]), ("out", ~inside[:-1]))}
    by_name = {
        "mean": hidden.mean(axis=0),
        "zero": np.zeros(12),
        "other": np.where(inside[:-1, None], means["out"], means["in"]),
    }
    value = by_name[held_at] if isinstance(held_at, str) else np.full(12, held_at)
    changes = (value - own) * slopes
    changes[0] = 0  # the state after the first character is given
    expected = {
        "all": changes.mean(axis=0),
        "inside": changes[inside[:-1]].mean(axis=0),
        "outside": changes[~inside[:-1]].mean(axis=0),
    }
    expected[CONTRAST] = expected["inside"] - expected["outside"]
    found = attribute(live_of(text), "in_quotes", "0/hidden", held_at=held_at, n_matched=0)
    assert len(found.effects) == 12 * len(WHERE)
    for effect in found.effects:
        unit = int(effect.intervention.rpartition("/")[2])
        assert effect.effect == pytest.approx(expected[effect.where][unit], abs=1e-5), effect.intervention


def test_the_unit_that_carries_the_quotes_comes_first_and_is_shown(text: str) -> None:
    """The model is too sure of a mark: where its probabilities are right, slopes are 0 on average, whatever it uses."""
    found = attribute(live_of(text, n_units=16, strength=8.0), "in_quotes", "0/hidden", n_matched=10)
    assert [effect.intervention for effect in found.contrasts if effect.is_shown] == [QUOTE]
    assert found.contrasts[0].intervention == QUOTE
    assert not found.contrasts[0].low < 0 < found.contrasts[0].high
    assert QUOTE in str(found)


def test_integrated_gradients_see_what_derivatives_at_one_point_do_not(text: str) -> None:
    """The attributions of all units add up to what holding all of them adds to the loss, within 1 %."""
    made, text = QuoteModel(strength=8.0), text[:600]
    live = LiveActivations(made.model, Corpus.from_texts([text]))
    cells = made.cells(text)
    held = np.tile(np.arctanh(np.tanh(cells).mean(axis=0)), (len(cells), 1))
    change = (made.losses(text, held) - made.losses(text, cells))[1:-1]
    found = attribute(live, "in_quotes", "0/hidden", integrated_steps=64, n_matched=0)
    total = sum(effect.effect for effect in found.effects if effect.where == "all")
    assert total == pytest.approx(change.sum() / (len(text) - 1), rel=0.01)
    plain = attribute(live, "in_quotes", "0/hidden", n_matched=0)
    assert abs(sum(e.effect for e in plain.effects if e.where == "all") / total - 1) > 0.05


def test_rank_by_attribution_puts_the_unit_that_the_model_uses_first(text: str) -> None:
    """The unit's copy, which nothing reads, predicts the label as well; only attribution tells the two apart."""
    made = QuoteModel(strength=8.0)
    rnn: Any = made.model.rnn
    for weights in (rnn.weight_ih_l0.data, rnn.bias_ih_l0.data, rnn.weight_hh_l0.data):
        weights[1::12] = weights[::12]
    live = LiveActivations(made.model, Corpus.from_texts([text]))
    by_auc, by_attribution = compare(live, "in_quotes", ["auc", "attribution"], sites="0/hidden")
    assert {str(ranked.unit) for ranked in by_auc.units[:2]} == {QUOTE, "0/hidden/1"}
    best, *others = by_attribution.units
    assert str(best.unit) == QUOTE
    assert best.held_out == 1
    assert best.held_out_score == pytest.approx(best.score, rel=0.5)
    assert next(ranked for ranked in others if str(ranked.unit) == "0/hidden/1").score == 0
    assert "what each unit does" in " ".join(by_attribution.notes)


def test_rank_by_attribution_draws_matched_units_with_its_seed(text: str) -> None:
    live = live_of(text, n_units=40)
    one, again, two = (
        [unit.score_p for unit in rank(live, "in_quotes", sites="0/hidden", method="attribution", seed=seed).units]
        for seed in (1, 1, 2)
    )
    assert one == again
    assert one != two
    [compared] = compare(live, "in_quotes", ["attribution"], sites="0/hidden", seed=2)
    assert [unit.score_p for unit in compared.units] == two


def test_rank_by_attribution_has_the_intervals_and_p_values_of_attribute(text: str) -> None:
    live = live_of(text, n_units=16, strength=8.0)
    sites = ["0/cell", "0/hidden"]
    ranking = rank(live, "in_quotes", sites=sites, method="attribution")
    effects = {effect.intervention: effect for effect in attribute(live, "in_quotes", sites).contrasts}
    assert len(ranking.units) == len(effects) == 32
    for ranked in ranking.units:
        effect = effects[str(ranked.unit)]
        found = ranked.overall_score, ranked.score_low, ranked.score_high, ranked.score_p, ranked.score_q
        np.testing.assert_array_equal(found, [effect.effect, effect.low, effect.high, effect.p, effect.q])
    first, row = ranking.units[0], ranking.rows(1)[0]
    assert str(first.unit) == QUOTE and first.score_q is not None and first.score_q < 0.05
    of_table = next(ranking.table_rows())
    assert [row[name] for name in SCORE_COLUMNS] == [of_table[name] for name in SCORE_COLUMNS]
    assert [row[name] for name in SCORE_COLUMNS] == [getattr(first, name) for name in SCORE_COLUMNS]
    by_auc = rank(live, "in_quotes", sites=sites)
    assert not {*by_auc.rows(1)[0]} & {*SCORE_COLUMNS}
    assert {value for name, value in next(by_auc.table_rows()).items() if name in SCORE_COLUMNS} == {None}


def test_too_few_pieces_have_no_interval_and_the_reason_is_a_note(text: str) -> None:
    live = live_of(text)
    label = np.zeros(len(text), bool)
    for start in range(100, 3000, 500):  # six times
        label[start : start + 250] = True
    target = target_of_labels(live.corpus, "long", Labels(label, "binary"))
    ranking = rank(live, target, sites="0/hidden", method="attribution")
    effects = {effect.intervention: effect for effect in attribute(live, target, "0/hidden").contrasts}
    first = ranking.units[0]
    effect = effects[str(first.unit)]
    assert "only 6 runs" in effect.no_interval_reason
    assert f"attribution has {effect.no_interval_reason}" in ranking.notes
    assert first.overall_score == pytest.approx(effect.effect) and first.score > 0
    assert np.isnan(np.array([first.score_low, first.score_high, first.score_p, first.score_q], float)).all()


def test_the_number_of_matched_units_is_the_one_that_there_are(text: str) -> None:
    live = live_of(text)
    assert attribute(live, "in_quotes", "0/hidden").n_matched == 11  # of 20 that are wanted, in a site of 12
    assert attribute(live, "in_quotes", "0/hidden", n_matched=5).n_matched == 5


def test_rank_by_attribution_needs_the_model(text: str, tmp_path: Path) -> None:
    path = tmp_path / "activations.h5"
    extract(live_of(text), path)
    with pytest.raises(AnalysisError, match="needs the model itself"):
        rank(path, "in_quotes", method="attribution")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"held_at": "resampled"}, "by a fixed one"),
        ({"held_at": float("nan")}, "no number"),
        ({"integrated_steps": -1}, "integrated_steps"),
        ({"horizon": -1}, "horizon"),
        ({"sites": "1/cell"}, "no site"),
        ({"n_chars": 10}, "too few"),
    ],
)
def test_bad_input_is_a_sentence(text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises((AnalysisError, ActivationError), match=message):
        attribute(live_of(text), "in_quotes", **options)
