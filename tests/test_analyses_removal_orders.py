"""Removal of units in the orders of rankings: known answers of a model made by hand."""

from typing import Any

import numpy as np
import pytest
from quoting import QuoteModel, quoted_text

from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Unit, units_of
from analyses.causes.ablation import ablate
from analyses.causes.removal.removal_orders import compare_orders
from analyses.causes.removal.removal_results import KEPT, RANDOM, REMOVED, OrderComparison
from analyses.errors import AnalysisError
from analyses.passages.effects import CONTRAST

N_UNITS = 12


@pytest.fixture(scope="module")
def live() -> LiveActivations:
    return LiveActivations(QuoteModel().model, Corpus.from_texts([quoted_text(np.random.default_rng(7), 2000)]))


@pytest.fixture(scope="module")
def units(live: LiveActivations) -> list[Unit]:
    return units_of(live.sites, [site for site in live.sites if site.name == "0/cell"])


@pytest.fixture(scope="module")
def found(live: LiveActivations, units: list[Unit]) -> OrderComparison:
    orders = {"right": units, "wrong": units[::-1]}
    return compare_orders(live, "in_quotes", ["auc"], sites="0/cell", orders=orders, n_random=6, n_chars=2000)


def test_the_right_order_leads_and_the_wrong_one_falls_behind(found: OrderComparison) -> None:
    """Only unit 0 carries the quotes: an order that begins with it harms at once, one that ends with it at the end."""
    areas = {area.intervention: area for area in found.by_lead}
    assert [*areas][-1] == "wrong"
    assert areas["right"].effect > areas["wrong"].effect + 0.1
    assert found.lead("right") > 0.1 > 0 > found.lead("wrong")
    assert found.lead("auc") == pytest.approx(found.lead("right"), abs=0.05)  # it begins with unit 0, too
    assert areas["right"].p < 0.05


def test_points_are_the_effects_of_ablation(live: LiveActivations, units: list[Unit], found: OrderComparison) -> None:
    first = found.curve("right").of(CONTRAST)
    assert [point.n_units for point in first] == [1, 2, 4, 8, N_UNITS]
    for place, n in ((0, 1), (2, 4)):
        alone = ablate(live, "in_quotes", units[:n], together=True, n_matched=0, n_chars=2000)
        expected = next(effect for effect in alone.effects if effect.where == CONTRAST)
        assert (first[place].effect, first[place].low) == pytest.approx((expected.effect, expected.low), abs=1e-9)


def test_all_units_removed_is_the_same_in_every_order_and_all_kept_changes_nothing(found: OrderComparison) -> None:
    ends = {curve.points[4].effect for curve in found.curves if curve.kind == REMOVED and curve.order != RANDOM}
    assert len(ends) == 1
    assert found.curve(RANDOM).points[4].effect == pytest.approx(ends.pop(), abs=1e-12)
    assert all(point.effect == 0 for c in found.curves if c.kind == KEPT for point in c.points if point.n_units == 12)


def test_an_area_is_the_mean_height_of_its_curve(found: OrderComparison) -> None:
    """Steps of one power of two each, but for the last from 8 to 12."""
    heights = np.array([point.effect for point in found.curve("wrong").of(CONTRAST)])
    x = np.log2([1, 2, 4, 8, 12])
    expected = np.sum(np.diff(x) * (heights[1:] + heights[:-1]) / 2) / x[-1]
    [area] = [area for area in found.areas if area.intervention == "wrong" and area.where == CONTRAST]
    assert area.effect == pytest.approx(expected, abs=1e-12)


def test_the_fewest_units_that_suffice() -> None:
    """Where nothing but the quotes is read, its unit alone keeps everything."""
    made = QuoteModel(strength=1.9)
    made.model.readout.weight.data[:, 1:] = 0
    made.model.readout.bias.data[:] = 0
    made.model.readout.bias.data[made.model.vocabulary.characters.index('"')] = -1.2  # about as often as there is one
    live = LiveActivations(made.model, Corpus.from_texts([quoted_text(np.random.default_rng(3), 2000)]))
    units = units_of(live.sites, [site for site in live.sites if site.name == "0/cell"])
    orders = {"right": units, "wrong": units[::-1]}
    found = compare_orders(live, "in_quotes", [], sites="0/cell", orders=orders, n_random=2, n_chars=2000)
    assert (found.n_enough("right"), found.n_enough("wrong")) == (1, N_UNITS)
    assert found.n_enough("wrong", 0.0) == 1


def test_the_same_seed_draws_the_same_orders(live: LiveActivations, units: list[Unit]) -> None:
    def rows(seed: int) -> str:
        options: dict[str, Any] = {"orders": {"right": units}, "n_random": 2, "n_chars": 500, "seed": seed}
        return str(compare_orders(live, "in_quotes", [], sites="0/cell", **options).rows())

    assert rows(1) == rows(1) != rows(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": "aucc"}, "no method 'aucc'"),
        ({"methods": "r2"}, "not for binary"),
        ({"n_random": 1}, "random orders"),
        ({"methods": []}, "no order"),
        ({"methods": [], "orders": {"mine": []}}, "'mine' is not one of all 12"),
        ({"sites": "2/cell"}, "no site"),
    ],
)
def test_bad_input_is_a_sentence(live: LiveActivations, options: dict[str, Any], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        compare_orders(live, "in_quotes", **{"sites": "0/cell", "methods": "auc", "n_chars": 500, **options})
