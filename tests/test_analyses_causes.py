"""Ablation: known answers of models made by hand, chance where units are alike, and what the numbers allow."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from planting import in_runs, random_model
from quoting import QuoteModel, quoted_text
from references import ids_of, read_by_equations
from torch import Tensor

from activations.importers.importing import import_model
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Site, Unit
from analyses.causes.ablation import HELD_AT, ablate
from analyses.causes.effects import CONTRAST, WHERE, Effect
from analyses.targets.labelling import target_of_labels
from hypotheses.labels import Labels
from hypotheses.registry import get

CELL = Site("0/cell")
QUOTE, UNREAD = Unit(CELL, 0), Unit(CELL, 1)


def live_of(model: Any, text: str, **options: Any) -> LiveActivations:
    return LiveActivations(model, Corpus.from_texts([text]), **options)


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
    made.model.rnn.weight_ih_l0.data[2 * 12 + 4] = 0  # cell 4 is tanh(0) now
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


# Chance and power


def p_of_a_unit_that_matters_equally_everywhere(seed: int) -> float:
    rng = np.random.default_rng(seed)
    text = quoted_text(rng, 2000)
    made = QuoteModel(seed, n_units=16, strength=0.0)
    live = live_of(made.model, text)
    target = target_of_labels(live.corpus, "by chance", Labels(in_runs(rng, len(text), 20.0), "binary"))
    found = ablate(live, target, str(Unit(CELL, int(rng.integers(2, 16)))), n_matched=10, seed=seed)
    return of(list(found.effects), CONTRAST).p


def p_of_a_unit_of_an_untrained_model(seed: int) -> float:
    rng = np.random.default_rng(seed)
    text = quoted_text(rng, 2000)
    model = random_model(text, seed, n_units=16, n_layers=1, gain=2.0)
    found = ablate(live_of(model, text), "in_quotes", f"0/cell/{rng.integers(16)}", n_matched=10, seed=seed)
    return of(list(found.effects), CONTRAST).p


@pytest.mark.parametrize("draw", [p_of_a_unit_that_matters_equally_everywhere, p_of_a_unit_of_an_untrained_model])
@pytest.mark.parametrize(
    ("n_draws", "most"),
    [(20, 4), pytest.param(200, 21, marks=pytest.mark.slow)],  # two hundred models
)
def test_what_is_alike_is_called_different_at_most_as_often_as_by_chance(draw: Any, n_draws: int, most: int) -> None:
    p = np.array([draw(seed) for seed in range(n_draws)])
    assert np.isfinite(p).all()
    assert np.count_nonzero(p < 0.05) <= most


@pytest.mark.parametrize("n_seeds", [10, pytest.param(100, marks=pytest.mark.slow)])  # a hundred models
def test_the_unit_that_carries_the_quotes_is_always_found(n_seeds: int) -> None:
    for seed in range(n_seeds):
        live = live_of(QuoteModel(seed, n_units=16).model, quoted_text(np.random.default_rng(seed), 2000))
        found = ablate(live, "in_quotes", "0/cell", n_matched=10, seed=seed)
        shown = [effect.intervention for effect in found.effects if effect.where == CONTRAST and effect.is_shown]
        assert shown == [str(QUOTE)], seed
