"""Chance and power of interventions: what is alike is seldom called different, and what is planted is always found."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import in_runs, random_model
from quoting import QuoteModel, quoted_text

from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Site, units_of
from analyses.causes.ablation import ablate
from analyses.causes.attribution import attribute
from analyses.causes.choosing_units import best_ranked_units
from analyses.causes.patching.patch_results import BOTH, LOG_PROB, LOSS
from analyses.causes.patching.patching import patch
from analyses.causes.removal.removal_orders import compare_orders
from analyses.intervals.estimates import Estimate
from analyses.passages.effects import CONTRAST, beside_matched
from analyses.targets.labelling import AnyHypothesis, target_of_labels
from analyses.targets.target import Target
from hypotheses.labels import Labels

N_UNITS = 16
QUOTE = "0/cell/0"
KEPT = 0.7  # what cells keep of their values where they have to remember, so that places of a pair differ


class Draw(NamedTuple):
    """A model and a text of which the units are alike.

    Attributes:
        live: The model and the text.
        hypothesis: The hypothesis.
        unit: The number of the unit that is tested.
        seed: The seed that all of it was drawn with.
    """

    live: LiveActivations
    hypothesis: AnyHypothesis | Target
    unit: int
    seed: int


def documents(rng: np.random.Generator, n_chars: int = 200) -> list[str]:
    """Short ones, which are read side by side."""
    return [quoted_text(rng, n_chars) for _ in range(10)]


def follows_a(text: str) -> NDArray[np.bool_]:
    """Is the character before this one an a?"""
    return np.append(False, np.array(list(text))[:-1] == "a")


def equal_everywhere(seed: int, hypothesis: AnyHypothesis | None = None, kept: float = 0.0) -> Draw:
    """One of the units that the hand-made model reads without regard to quotes; labels by chance if none is given."""
    rng = np.random.default_rng(seed)
    model = QuoteModel(seed, N_UNITS, strength=0.0, kept=kept).model
    live = LiveActivations(model, Corpus.from_texts(documents(rng)))
    by_chance = Labels(in_runs(rng, len(live.corpus), 20.0), "binary")
    target = hypothesis or target_of_labels(live.corpus, "by chance", by_chance)
    return Draw(live, target, int(rng.integers(2, N_UNITS)), seed)


def untrained(seed: int, hypothesis: AnyHypothesis = "in_quotes", gain: float = 2.0) -> Draw:
    """Any unit of a model that has learned nothing."""
    rng = np.random.default_rng(seed)
    texts = documents(rng)
    model = random_model(texts[0], seed, n_units=N_UNITS, n_layers=1, gain=gain)
    return Draw(LiveActivations(model, Corpus.from_texts(texts)), hypothesis, int(rng.integers(N_UNITS)), seed)


def remembered_by_chance(seed: int) -> Draw:
    return equal_everywhere(seed, kept=KEPT)


def remembered_alike(seed: int) -> Draw:
    return equal_everywhere(seed, follows_a, kept=KEPT)


def untrained_after_a(seed: int) -> Draw:
    return untrained(seed, follows_a, gain=1.0)


def p_of_ablation(draw: Draw) -> list[float]:
    unit = f"0/cell/{draw.unit}"
    effects = ablate(draw.live, draw.hypothesis, unit, n_matched=10, seed=draw.seed).effects
    return [effect.p for effect in effects if effect.where == CONTRAST]


def p_of_attribution(draw: Draw) -> list[float]:
    """Of the unit's cell, and of its hidden state."""
    contrasts = attribute(draw.live, draw.hypothesis, n_matched=10, sites=["0/cell", "0/hidden"]).contrasts
    p = {effect.intervention: effect.p for effect in contrasts}
    return [p[f"0/cell/{draw.unit}"], p[f"0/hidden/{draw.unit}"]]


def p_of_random_order(draw: Draw) -> list[float]:
    units = units_of(draw.live.sites, [Site("0/cell")])
    order = [units[index] for index in np.random.default_rng(draw.seed).permutation(N_UNITS)]
    found = compare_orders(
        draw.live, draw.hypothesis, [], sites="0/cell", orders={"random": order}, n_chars=1000, seed=draw.seed + 1
    )
    return [area.p for area in found.by_lead]


def p_of_patch(draw: Draw) -> list[float]:
    """Of the log probability, and of the loss; NaN where base and source hardly differ."""
    found = patch(
        draw.live,
        draw.hypothesis,
        f"0/cell/{draw.unit}",
        character="a",
        n_pairs=100,
        n_steps=4,
        n_matched=10,
        seed=draw.seed,
    )
    return [effect.p for effect in found.effects if effect.direction == BOTH]


every_null = pytest.mark.parametrize(
    ("draw", "p_of", "least_known"),  # the last is the share of draws that have a p
    [
        (equal_everywhere, p_of_ablation, 1.0),
        (untrained, p_of_ablation, 1.0),
        (equal_everywhere, p_of_attribution, 1.0),
        (untrained, p_of_attribution, 1.0),
        (equal_everywhere, p_of_random_order, 1.0),
        (untrained, p_of_random_order, 1.0),
        (remembered_by_chance, p_of_patch, 0.0),
        (remembered_alike, p_of_patch, 0.5),
        (untrained_after_a, p_of_patch, 0.5),
    ],
)


def check_null(
    draw: Callable[[int], Draw], p_of: Callable[[Draw], list[float]], least_known: float, n_draws: int, most: int
) -> None:
    p = np.array([p_of(draw(seed)) for seed in range(n_draws)])  # (n_draws, n_tests)
    assert np.isfinite(p).mean(axis=0).max() >= least_known
    assert np.count_nonzero(p < 0.05, axis=0).max() <= most
    if np.isfinite(p).all():
        assert (np.abs(p.mean(axis=0) - 0.5) < 1.15 / np.sqrt(n_draws)).all()  # four standard errors of uniform p


@every_null
def test_what_is_alike_is_seldom_called_different(
    draw: Callable[[int], Draw], p_of: Callable[[Draw], list[float]], least_known: float
) -> None:
    n_draws, most = (20, 4) if p_of is p_of_ablation else (4, 2) if p_of is p_of_random_order else (8, 3)
    check_null(draw, p_of, least_known / 2, n_draws, most)


@every_null
@pytest.mark.slow  # two hundred models
def test_what_is_alike_is_called_different_at_most_as_often_as_by_chance(
    draw: Callable[[int], Draw], p_of: Callable[[Draw], list[float]], least_known: float
) -> None:
    check_null(draw, p_of, least_known, 200, 21)


@pytest.mark.parametrize("n_seeds", [10, pytest.param(100, marks=pytest.mark.slow)])  # a hundred models
def test_ablation_always_finds_the_unit_that_carries_the_quotes(n_seeds: int) -> None:
    for seed in range(n_seeds):
        texts = documents(np.random.default_rng(seed))
        live = LiveActivations(QuoteModel(seed, N_UNITS).model, Corpus.from_texts(texts))
        found = ablate(live, "in_quotes", "0/cell", n_matched=10, seed=seed)
        of_units = [effect for effect in found.effects if effect.where == CONTRAST]
        best = max(of_units, key=lambda effect: effect.beyond_matched)
        assert best.intervention == QUOTE and best.is_shown, seed


@pytest.mark.parametrize("n_seeds", [10, pytest.param(100, marks=pytest.mark.slow)])  # a hundred models
def test_a_patch_always_finds_the_unit_that_carries_the_quotes(n_seeds: int) -> None:
    for seed in range(n_seeds):
        texts = documents(np.random.default_rng(seed))
        live = LiveActivations(QuoteModel(seed, N_UNITS, kept=KEPT).model, Corpus.from_texts(texts))
        found = patch(live, "in_quotes", QUOTE, n_pairs=100, n_steps=4, n_matched=10, seed=seed)
        assert found.character == '"'
        of_both = {effect.measure: effect for effect in found.effects if effect.direction == BOTH}
        for measure in (LOG_PROB, LOSS):
            assert of_both[measure].share == pytest.approx(1, abs=0.1), seed
            assert of_both[measure].q < 0.05 and of_both[measure].beyond_matched > 0.5, seed


@pytest.mark.parametrize(
    ("strength", "integrated_steps"),
    [(8.0, 0), (3.0, 16)],  # where a mark has its frequency, slopes are 0 on average, which integrated gradients see
)
@pytest.mark.parametrize("n_seeds", [3, pytest.param(100, marks=pytest.mark.slow)])  # a hundred models
def test_attribution_always_finds_the_unit_that_carries_the_quotes(
    strength: float, integrated_steps: int, n_seeds: int
) -> None:
    for seed in range(n_seeds):
        texts = documents(np.random.default_rng(seed))
        live = LiveActivations(QuoteModel(seed, N_UNITS, strength=strength).model, Corpus.from_texts(texts))
        found = attribute(live, "in_quotes", "0/hidden", integrated_steps=integrated_steps, n_matched=10, seed=seed)
        best = found.contrasts[0]
        assert best.intervention == "0/hidden/0" and best.is_shown, seed


@pytest.mark.parametrize("n_seeds", [1, pytest.param(100, marks=pytest.mark.slow)])  # seconds each
def test_the_order_that_begins_with_the_unit_that_carries_the_quotes_always_leads(n_seeds: int) -> None:
    """Of many units, so that few random orders begin with it, too; of 16, every other test would miss it."""
    for seed in range(n_seeds):
        texts = documents(np.random.default_rng(seed), 100)
        live = LiveActivations(QuoteModel(seed, 48, strength=8.0).model, Corpus.from_texts(texts))
        found = compare_orders(live, "in_quotes", ["auc"], sites="0/cell", n_random=40, seed=seed)
        [area] = found.by_lead
        assert area.is_shown and found.lead("auc") > 0.2, seed


# Statistics of effects that are known


def exact(value: float) -> Estimate:
    return Estimate(value=value, influence=np.zeros(20), n_atoms=20, n_cosines=5)


def test_effects_without_any_error_are_compared_by_the_sign_test() -> None:
    """A unit that goes all the way in all of 12 parts of a text, beside units that do nothing in any."""
    matched = [exact(0.0)] * 5
    assert beside_matched(exact(1.0), matched, 12).p == 2.0**-11
    assert beside_matched(exact(0.0), matched, 12).p == 1.0
    assert np.isnan(beside_matched(exact(1.0), matched).p)
    assert np.isnan(beside_matched(exact(1.0), matched[1:], 12).p)


def test_effects_of_like_units_are_taken_as_normal(rng: np.random.Generator) -> None:
    """Where their tails are heavier, more than 5 % have p below .05: docs/statistics.md says so."""

    def share_below(level: float, effects: NDArray[np.float64]) -> float:
        p = [beside_matched(exact(first), [exact(other) for other in others]).p for first, *others in effects.tolist()]
        return float((np.array(p) < level).mean())

    n_draws, n_units = 1000, 21
    normal, other = rng.normal(size=(2, n_draws, n_units))
    assert share_below(0.05, normal) == pytest.approx(0.05, abs=0.02)
    assert share_below(0.05, normal * other) == pytest.approx(0.075, abs=0.02)
    assert share_below(0.01, normal * other) == pytest.approx(0.037, abs=0.015)


def test_units_that_are_best_by_chance_are_not_significant_more_often() -> None:
    """They are chosen and tested on the same characters, by a label that is drawn at random."""
    n_found, n_draws = 0, 12
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        texts = documents(rng)
        model = random_model(texts[0], seed, n_units=N_UNITS, n_layers=1, gain=2.0)
        live = LiveActivations(model, Corpus.from_texts(texts))
        target = target_of_labels(live.corpus, "by chance", Labels(in_runs(rng, len(live.corpus), 20.0), "binary"))
        [best] = best_ranked_units(live, target, 1, sites="0/cell")
        found = ablate(live, target, best, n_matched=10, seed=seed)
        n_found += next(effect for effect in found.effects if effect.where == CONTRAST).p < 0.05
    assert n_found <= 3  # more would be 0.2 % of chances
