"""Ablation: known answers of models made by hand, and what the numbers allow."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from quoting import QuoteModel, quoted_text
from references import ids_of, read_by_equations
from scipy.stats import false_discovery_control
from torch import Tensor

from activations.errors import ActivationError
from activations.importers.importing import import_model
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Site, Unit
from analyses.causes.ablation import HELD_AT, ablate
from analyses.causes.choosing_units import best_ranked_units
from analyses.errors import AnalysisError
from analyses.passages.character_sets import END, PREDICTED, character_sets
from analyses.passages.effects import CONTRAST, WHERE, Effect, EffectSums, effects, findings_of
from analyses.passages.matching import matched_groups, matched_units
from analyses.passages.passages import spread_passages
from analyses.ranking.ranking import rank
from analyses.targets.labelling import target_for, target_of_labels
from hypotheses.labels import Labels
from hypotheses.registry import get

CELL = Site("0/cell")
QUOTE, UNREAD = Unit(CELL, 0), Unit(CELL, 1)


def live_of(model: Any, *texts: str, **options: Any) -> LiveActivations:
    return LiveActivations(model, Corpus.from_texts(texts), **options)


def of(found: list[Effect], where: str) -> Effect:
    [effect] = [effect for effect in found if effect.where == where]
    return effect


@pytest.fixture(scope="module")
def text() -> str:
    return quoted_text(np.random.default_rng(7), 3000)


def expected_effects(text: str, change: NDArray[np.float64]) -> dict[str, float]:
    """The mean change of the loss on each set, by what the sets are said to be."""
    inside = np.asarray(get("in_quotes")(text).values, bool)[:-1]
    following = np.array(list(text[1:]))
    ends = inside & (following == '"')
    change = change[:-1]
    means = {"all": change.mean(), "inside": change[inside].mean(), "outside": change[~inside].mean()}
    marks = {"end": change[ends].mean(), "predicted": change[following == '"'].mean()}
    return {**means, **marks, CONTRAST: means["inside"] - means["outside"]}


# Known answers


def test_the_model_made_by_hand_does_what_it_says(text: str) -> None:
    made = QuoteModel()
    live = live_of(made.model, text, n_lanes=1, compute=ComputeOptions(dtype="float32"))
    np.testing.assert_allclose(live.read([CELL])[CELL], made.cells(text), atol=1e-6)
    np.testing.assert_array_equal(made.cells(text)[:, 0], get("in_quotes")(text).values)
    log_probs = np.concatenate([block.predictions["log_prob"] for block in live.blocks([], predictions=True)])
    np.testing.assert_allclose(-log_probs[:-1], made.losses(text, made.cells(text))[:-1], atol=1e-5)


@pytest.mark.parametrize("held_at", ["zero", "mean", "other", 1.0, 0.25])
@pytest.mark.parametrize("unit", [0, 5])
def test_an_effect_is_the_one_that_can_be_calculated(text: str, held_at: str | float, unit: int) -> None:
    made = QuoteModel()
    cells = made.cells(text)
    inside = cells[:, 0] == 1
    own = cells[:-1, unit]  # the last character has no next one, but is counted in a mean over all characters
    mean, mean_inside, mean_outside = cells[:, unit].mean(), own[inside[:-1]].mean(), own[~inside[:-1]].mean()
    values = {"zero": 0.0, "mean": mean, "other": np.where(inside, mean_outside, mean_inside)}
    held = cells.copy()
    held[:, unit] = values[held_at] if isinstance(held_at, str) else held_at
    expected = expected_effects(text, made.losses(text, held) - made.losses(text, cells))
    found = ablate(live_of(made.model, text), "in_quotes", f"0/cell/{unit}", held_at=held_at, n_matched=0).effects
    for where, effect in expected.items():
        assert of(list(found), where).effect == pytest.approx(effect, abs=1e-5), where


@pytest.mark.parametrize("held_at", [*HELD_AT, 0.7])
def test_a_unit_that_nothing_reads_has_no_effect_at_all(text: str, held_at: str | float) -> None:
    found = ablate(live_of(QuoteModel().model, text), "in_quotes", [str(UNREAD)], held_at=held_at, n_matched=9)
    assert [effect.effect for effect in found.effects] == [0.0] * len(WHERE)
    assert not any(effect.is_shown for effect in found.effects)


def test_units_held_together_have_the_effect_of_both(text: str) -> None:
    made = QuoteModel()
    cells = made.cells(text)
    held = cells.copy()
    held[:, [0, 3, 5]] = 0
    expected = expected_effects(text, made.losses(text, held) - made.losses(text, cells))
    names = ["0/cell/0", "0/cell/3", "0/cell/5"]
    found = ablate(live_of(made.model, text), "in_quotes", names, held_at="zero", together=True, n_matched=6)
    assert {effect.intervention for effect in found.effects} == {"0/cell/0 + 0/cell/3 + 0/cell/5"}
    assert of(list(found.effects), CONTRAST).effect == pytest.approx(expected[CONTRAST], abs=1e-5)


def test_matched_effects_are_those_of_the_other_units(text: str) -> None:
    """With as many matched units as there are others, nothing is drawn."""
    made = QuoteModel()
    live = live_of(made.model, text)
    found = ablate(live, "in_quotes", "0/cell", n_matched=11)
    single = [of(list(found.effects[n : n + len(WHERE)]), CONTRAST) for n in range(0, len(found.effects), len(WHERE))]
    own = np.array([effect.effect for effect in single])
    assert len(own) == 12
    for n, effect in enumerate(single):
        others = np.delete(own, n)
        assert effect.matched == pytest.approx(others.mean(), abs=1e-12)
        assert effect.matched_sd == pytest.approx(others.std(ddof=1), abs=1e-12)
        assert effect.beyond_matched == pytest.approx(effect.effect - others.mean(), abs=1e-12)


def test_resampled_values_are_those_of_another_place(text: str) -> None:
    """A unit that is the same everywhere has its own value at every other place."""
    made = QuoteModel()
    made.model.layer(0).weight_ih.data[2 * 12 + 4] = 0  # cell 4 is tanh(0) now
    found = ablate(live_of(made.model, text), "in_quotes", ["0/cell/4", "0/cell/0"], held_at="resampled", n_matched=0)
    assert all(effect.effect == 0 for effect in found.effects[: len(WHERE)])
    assert of(list(found.effects[len(WHERE) :]), "end").effect > 0.1


def test_the_same_seed_gives_the_same_numbers(text: str) -> None:
    live = live_of(QuoteModel().model, text)
    measure = partial(ablate, live, "in_quotes", "0/cell/0", held_at="resampled", n_matched=5)
    one, again, other = (measure(seed=seed).rows() for seed in (1, 1, 2))
    assert one == again != other


# Compared with a plain loop


def plain_losses(model: Any, text: str, unit: Unit | None, value: float) -> NDArray[np.float64]:
    """(n_chars − 1,) the loss of each next character by the cells' equations in float64, a unit set in every step."""

    def change(site: Site, values: Tensor) -> Tensor:
        if unit is not None and site == unit.site:
            values = values.clone()
            values[:, unit.index] = value
        return values

    ids = ids_of(model, text)
    _, logits = read_by_equations(model, ids, change)
    log_probs = torch.log_softmax(logits[:-1, 0], dim=-1)
    return -log_probs.gather(1, ids[1:]).flatten().numpy()


@pytest.mark.parametrize(
    ("name", "units"), [("lstm-1-256", ["0/cell/163", "0/hidden/7"]), ("gru-2-256", ["1/hidden/48", "0/hidden/3"])]
)
def test_a_real_model_loses_what_it_loses_in_a_plain_loop(shared: Path, name: str, units: list[str]) -> None:
    folder = shared.parent / "models"
    if not folder.is_dir():
        pytest.skip("needs the models of other people, in a folder `models` beside the large real texts")
    text = (shared / "war_and_peace.txt").read_text(encoding="utf-8")[-200_000:-198_000]
    model = import_model(folder / "warpeace_grid" / f"{name}.pkl", f"sorted:{shared / 'war_and_peace.txt'}").model
    found = ablate(live_of(model, text), "in_quotes", units, held_at=0.5, n_matched=0).effects
    before = plain_losses(model, text, None, 0.0)
    for unit, effect in zip(units, (effect for effect in found if effect.where == "all"), strict=True):
        change = plain_losses(model, text, Unit.parse(unit), 0.5) - before
        assert abs(change.mean()) > 1e-5
        assert effect.effect == pytest.approx(change.mean(), abs=1e-5)


# What the numbers allow


def test_a_set_of_few_characters_has_no_interval_and_no_p(text: str) -> None:
    live = live_of(QuoteModel().model, text)
    label = np.zeros(len(text), bool)
    for start in range(100, 3000, 420):  # seven times
        label[start : start + 200] = True
    target = target_of_labels(live.corpus, "long", Labels(label, "binary"))
    effect = of(list(ablate(live, target, "0/cell/0", n_matched=6).effects), "end")
    assert effect.n_chars == 7 and np.isfinite(effect.effect)
    assert np.isnan([effect.low, effect.high, effect.p, effect.q]).all()
    assert "8 are needed" in effect.no_interval_reason


def test_few_characters_of_one_set_have_no_interval_but_the_others_have(text: str) -> None:
    """The marks that open a quotation, but for a few: the others are where the label ends."""
    live = live_of(QuoteModel().model, text[:900])
    label = np.array(get("in_quotes")(text[:900]).values, bool)
    target = target_of_labels(live.corpus, "in_quotes", Labels(label, "binary"))
    sets = character_sets(target, live, spread_passages(live, 1000))
    sets.members[END, np.flatnonzero(sets.members[END])[7:]] = False
    sums = EffectSums(sets, 7)
    sums.add(0, np.random.default_rng(0).normal(0, 1, (7, 900)))
    found = effects(sums, ["one"], [0], [[1, 2, 3, 4, 5, 6]])
    assert of(found, "end").no_interval_reason.startswith("7 characters are 'end', and 8 are needed")
    assert np.isnan(of(found, "end").p) and np.isnan(of(found, "end").low)
    assert np.isfinite(of(found, CONTRAST).p) and np.isfinite(of(found, CONTRAST).low)


def test_effects_that_are_not_shown_share_a_sentence() -> None:
    every: dict[str, Any] = {"n_chars": 9, "effect": 0.3, "low": 0.1, "high": 0.5, "matched": 0.05, "matched_sd": 0.1}
    every |= {"n_matched": 9, "where": CONTRAST, "beyond_matched": 0.25}
    few, small, shown, large = (
        Effect(**{"intervention": f"0/cell/{n}", "p": p, "q": 2 * p, **every})
        for n, p in enumerate((np.nan, 0.06, 0.001, 0.4))
    )
    together = (
        "0/cell/1 and 0/cell/3: not shown: the effects inside − outside may be those of matched ones (p 0.06 to 0.4, q "
        "0.12 to 0.8)"
    )
    assert findings_of([few, small, shown, large]) == [few.finding, shown.finding, together]
    assert findings_of([few, small, shown]) == [few.finding, small.finding, shown.finding]


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ({"p": 0.001, "q": 0.01, "beyond_matched": 0.25}, "shown: the loss rises by 0.2500 nats"),
        ({"p": 0.001, "q": 0.01, "beyond_matched": -0.25}, "less inside than outside"),
        ({"p": 0.04, "q": 0.08, "beyond_matched": 0.25}, "not shown: the effect inside − outside may be"),
        ({"p": np.nan, "q": np.nan, "no_interval_reason": "too short a text"}, "not shown: too short a text"),
        ({"p": np.nan, "q": np.nan, "n_matched": 4}, "not shown: 4 matched ones to compare it with, and 5 are"),
    ],
)
def test_a_finding_says_what_the_numbers_allow(numbers: dict[str, Any], expected: str) -> None:
    every: dict[str, Any] = {
        "n_chars": 9,
        "effect": 0.3,
        "low": 0.1,
        "high": 0.5,
        "matched": 0.05,
        "matched_sd": 0.1,
        "n_matched": 9,
    }
    effect = Effect(**{"intervention": "0/cell/3", "where": CONTRAST, "beyond_matched": 0.25, **every, **numbers})
    assert effect.finding.startswith("0/cell/3: ") and expected in effect.finding
    assert effect.is_shown == (", q 0.01)" in effect.finding)


def test_q_values_are_over_all_units_of_a_set(text: str) -> None:
    found = ablate(live_of(QuoteModel().model, text), "in_quotes", "0/cell", n_matched=8).effects
    for where in WHERE:
        of_set = [effect for effect in found if effect.where == where]
        expected = false_discovery_control([effect.p for effect in of_set])
        np.testing.assert_allclose([effect.q for effect in of_set], expected)


def test_without_units_the_best_of_rank_are_held(text: str) -> None:
    live = live_of(QuoteModel(n_units=6).model, text)
    found = ablate(live, "in_quotes", n_matched=0)
    ranked = [str(each.unit) for each in rank(live, "in_quotes").units[:10]]
    assert list(found.by_intervention) == ranked and len(ranked) == 10
    assert {"0/cell/0", "0/hidden/0"} <= set(ranked)


# Matched units


def test_matched_units_are_of_about_the_same_variance() -> None:
    variances = np.geomspace(1e-6, 1, 100)
    drawn = matched_units(variances, 50, 5, {49}, np.random.default_rng(0))
    assert len(drawn) == len(set(drawn)) == 5
    assert set(drawn) <= set(range(42, 59)) - {49, 50}
    assert matched_units(variances[:3], 1, 5, {}, np.random.default_rng(0)) == [0, 2]
    assert matched_units(variances[:2], 1, 5, {0}, np.random.default_rng(0)) == []


def test_matched_groups_have_as_many_different_units_of_the_same_sites() -> None:
    variances = {CELL: np.ones(12), Site("1/cell"): np.ones(4)}
    group = [Unit(CELL, 0), Unit(CELL, 1), Unit(CELL, 2), Unit(Site("1/cell"), 0)]
    groups = matched_groups(variances, group, 20, [Unit(CELL, 3)], np.random.default_rng(0))
    assert len(groups) == len(set(groups)) > 5
    for drawn in groups:
        assert [unit.site for unit in drawn] == [unit.site for unit in group]
        assert len(set(drawn)) == 4 and not set(drawn) & {*group, Unit(CELL, 3)}
    whole_site = [Unit(CELL, n) for n in range(12)]
    assert matched_groups(variances, whole_site, 20, [], np.random.default_rng(0)) == []


def test_characters_that_the_model_replaces_are_not_predicted_ones(text: str) -> None:
    """Every opening mark is followed by a character that the model does not know, and reads as a space."""
    marked = "".join(part + ('"ß' if n % 2 == 0 else '"') for n, part in enumerate(text.split('"')))
    live = live_of(QuoteModel().model, marked, stand_in=" ")
    found = ablate(live, "in_quotes", "0/cell/0", n_matched=0)
    assert (found.predicted_characters, found.replaced_characters) == ('"', "ß")
    sets = character_sets(target_for(live, "in_quotes"), live, spread_passages(live, 4000))
    following = np.array(list(marked[1:]))
    np.testing.assert_array_equal(sets.members[PREDICTED][:-1], following == '"')
    known = live_of(QuoteModel().model, text)
    assert ablate(known, "in_quotes", "0/cell/0", n_matched=0).replaced_characters == ""


def test_few_units_have_as_many_matched_ones_as_there_are(text: str) -> None:
    live = live_of(QuoteModel().model, text)
    assert ablate(live, "in_quotes", "0/cell/0", n_matched=5).n_matched == 5
    assert ablate(live, "in_quotes", "0/cell/0", n_matched=50).n_matched == live.sites[Site.of(0, "cell")] - 1


def test_passages_go_on_in_the_next_document(rng: np.random.Generator) -> None:
    """Of many short documents as many characters are read as of one, each document from its own start."""
    texts = [quoted_text(rng, int(length)) for length in rng.integers(2, 60, 300)]
    live = live_of(QuoteModel().model, *texts)
    passages = spread_passages(live, 2000)
    counted = passages.positions[passages.is_counted]
    assert 1900 <= len(counted) <= 2000  # but for the pieces of a single character
    assert (np.diff(counted) > 0).all()
    for document in passages.corpus.documents:
        rows = passages.positions[document.start : document.stop]
        assert (np.diff(rows) == 1).all()
        numbers = np.searchsorted(live.corpus.starts, rows, side="right") - 1
        assert numbers.min() == numbers.max()
        assert rows[0] == live.corpus.starts[numbers[0]]


# Wrong input


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"units": "0/cell/99"}, ActivationError, "0/cell has 12 units, 0 to 11, and so no 99"),
        ({"units": "7/cell"}, ActivationError, "not a unit|no site"),
        ({"held_at": "median"}, AnalysisError, "choose zero, mean, other, resampled, or a number"),
        ({"held_at": np.nan}, AnalysisError, "nan is no number"),
        ({"held_at": 1e39, "force": True}, AnalysisError, r"1e\+39 is no number to hold a unit at; .* float32"),
        ({"units": "0/hidden/3", "held_at": 1.5}, ActivationError, r"always within \[-1, 1\]"),
        ({"units": "0/forget_gate/3", "held_at": -0.5}, ActivationError, r"always within \[0, 1\]"),
        ({"n_chars": 10}, AnalysisError, "use 200 or more"),
        ({"hypothesis": "in_comment"}, AnalysisError, "same|everywhere|nowhere|False at every"),
        ({"hypothesis": "position_in_line"}, AnalysisError, "not True or False"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    text: str, options: dict[str, Any], error: type[Exception], complaint: str
) -> None:
    live = live_of(QuoteModel().model, text)
    arguments = {"hypothesis": "in_quotes", "units": "0/cell/0", "n_matched": 0, **options}
    with pytest.raises(error, match=complaint):
        ablate(live, arguments.pop("hypothesis"), arguments.pop("units"), **arguments)


def test_a_value_out_of_range_can_be_forced_and_cells_have_no_range(text: str) -> None:
    live = live_of(QuoteModel().model, text)
    for unit, force in (("0/hidden/3", True), ("0/cell/3", False)):
        found = ablate(live, "in_quotes", unit, held_at=1.5, force=force, n_matched=0)
        assert of(list(found.effects), "all").effect > 0


def test_a_recording_alone_is_refused(planted: Path) -> None:
    with pytest.raises(AnalysisError, match="needs the model itself.*--model"):
        ablate(planted, "in_quotes", "1/cell/3")


# Units that are chosen


def totals_of_ranking(live: LiveActivations, hypothesis: Any, **options: Any) -> tuple[list[Unit], set[int]]:
    totals = set()

    def note(_: int, total: int) -> None:
        totals.add(total)

    return best_ranked_units(live, hypothesis, progress=note, **options), totals


def test_units_of_a_long_text_are_ranked_on_passages_of_it() -> None:
    rng = np.random.default_rng(7)
    texts = [quoted_text(rng, 240) for _ in range(200)]
    live = live_of(QuoteModel().model, *texts)
    units, totals = totals_of_ranking(live, "in_quotes", n_units=3, n_chars=2000)
    assert {str(unit) for unit in units[:2]} == {"0/cell/0", "0/hidden/0"} and len(units) == 3
    assert max(totals) <= 20 * (2000 // 20 + 256) < len(live.corpus) / 3
    units, _ = totals_of_ranking(live, "in_quotes", sites="0/cell", n_chars=2000)
    assert units[0] == QUOTE and {unit.site for unit in units} == {CELL}


def test_units_of_a_short_text_are_ranked_on_all_of_it(text: str) -> None:
    live = live_of(QuoteModel().model, text)
    units, _ = totals_of_ranking(live, "in_quotes")
    assert units == [ranked.unit for ranked in rank(live, "in_quotes").units[:10]]


def test_units_are_ranked_on_all_characters_if_a_label_is_too_rare_in_some() -> None:
    rng = np.random.default_rng(7)
    live = live_of(QuoteModel().model, *(quoted_text(rng, 240) for _ in range(100)))
    label = np.zeros(len(live.corpus), bool)
    label[[130, 140, 23_900, 23_910]] = True  # between the passages
    target = target_of_labels(live.corpus, "rare", Labels(label, "binary"))
    units, totals = totals_of_ranking(live, target, n_units=4, n_chars=2000)
    assert units == [ranked.unit for ranked in rank(live, target).units[:4]]
    assert max(totals) >= len(live.corpus)
