"""Patches: a part of the state is interchanged between two places, and the model goes some of the way."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planting import random_model
from profiles import n_examples
from quote_cell import N_UNITS, cell_of, log_prob_of_quote, losses_of, quote_model, quote_text
from references import KINDS, Kind, ids_of, name_of, read_by_equations, unusual_model

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.units import Site, Unit
from analyses.causes.directions import mean_difference
from analyses.causes.known_states import Places, read_from_places, values_at
from analyses.causes.patching.pairs import MOST_COMMON, matched_pairs
from analyses.causes.patching.patch_results import BOTH, LOG_PROB, LOSS, TO_INSIDE, TO_OUTSIDE, Patch, PatchEffect
from analyses.causes.patching.patched_parts import Part, Subspace, find_part, matched_parts, part_changes
from analyses.causes.patching.patching import patch, patch_texts
from analyses.causes.place_estimates import PlaceAtoms
from analyses.errors import AnalysisError
from analyses.passages.matching import matched_directions

CELL = Site("0/cell")
TEXT = 'The "quick" brown fox "jumps over" the lazy dog.\n"Well," it said, "so be it."\n' * 2


def live_on(text: str, model: CharRNN | None = None) -> LiveActivations:
    return LiveActivations(model or quote_model(), Corpus.from_texts([text]))


def effect_of(result: Patch, measure: str, direction: str) -> PatchEffect:
    (effect,) = (e for e in result.effects if (e.measure, e.direction) == (measure, direction))
    return effect


@pytest.fixture
def text(rng: np.random.Generator) -> str:
    return quote_text(rng, 3000)


def test_the_cell_that_carries_the_state_goes_all_the_way(text: str) -> None:
    result = patch(live_on(text), "in_quotes", "0/cell/0", n_pairs=60, n_steps=6, n_matched=5)
    assert (result.character, result.n_pairs, result.what, result.n_matched) == ('"', 60, "0/cell/0", 5)
    for effect in result.effects:
        assert effect.share == pytest.approx(1, abs=1e-5)
        assert (effect.matched, effect.matched_sd) == (0, 0)
    of_both = effect_of(result, LOG_PROB, BOTH)  # all pairs agree exactly, and are shown to do so by their signs
    assert of_both.low == of_both.share == of_both.high
    assert 0 < of_both.p < 1e-4 and "shown to differ from these" in of_both.finding
    inside, outside = effect_of(result, LOG_PROB, TO_OUTSIDE), effect_of(result, LOG_PROB, TO_INSIDE)
    assert inside.base > inside.source
    assert (outside.base, outside.source) == (inside.source, inside.base)
    assert (outside.patched, inside.patched) == pytest.approx((inside.base, inside.source), abs=1e-5)
    assert len(result.rows()) == 6
    assert "0/cell/0" in str(result)


def test_cells_that_nothing_reads_go_nowhere(text: str) -> None:
    (*units,) = (f"0/cell/{n}" for n in range(1, N_UNITS))
    result = patch(live_on(text), "in_quotes", units, n_pairs=20, n_steps=3)
    assert {effect.share for effect in result.effects} == {0.0}


def test_a_hidden_unit_carries_it_only_to_the_next_character(text: str) -> None:
    """The cell makes the hidden state of each step: what is put into hidden unit 0 is gone a character later."""
    model = quote_model()
    one = patch(live_on(text, model), "in_quotes", "0/hidden/0", n_pairs=60, n_steps=1, n_matched=0)
    assert effect_of(one, LOG_PROB, BOTH).share == pytest.approx(1, abs=1e-5)
    assert effect_of(one, LOSS, BOTH).share == pytest.approx(1, abs=1e-5)
    many = patch(live_on(text, model), "in_quotes", "0/hidden/0", n_pairs=60, n_steps=12, n_matched=0)
    assert abs(effect_of(many, LOSS, BOTH).share) < 0.9


def test_halfway_directions_go_where_they_should(text: str) -> None:
    """Half of cell 0 and half of a cell that nothing reads: cell 0 gets the mean of itself and what they differ by."""
    live, direction = live_on(text), np.zeros(N_UNITS)
    direction[:2] = 3.0
    model = quote_model()
    base, other = 'ab "aba', "ab aba"
    values = {
        t: values_at(live_on(t, model), Corpus.from_texts([t]), np.array([len(t) - 1]), [CELL])[CELL][0]
        for t in (base, other)
    }
    difference = values[other][:2] - values[base][:2]
    expected = cell_of(base)[-1:] + difference.mean()
    result = patch_texts(live, Subspace(CELL, direction), base, other, '"')
    assert result.base == pytest.approx(log_prob_of_quote(cell_of(base))[-1], abs=1e-5)
    assert result.source == pytest.approx(log_prob_of_quote(cell_of(other))[-1], abs=1e-5)
    assert result.patched == pytest.approx(log_prob_of_quote(expected)[0], abs=1e-5)
    assert result.share == pytest.approx((result.patched - result.base) / (result.source - result.base))
    assert "of the way" in str(result)


def test_two_texts_by_hand() -> None:
    base, other = 'ab "aba', "ab aba"
    live = live_on(quote_text(np.random.default_rng(0), 600))
    for what, share in (("state", 1.0), ("0/cell/0", 1.0), ("0/cell", 1.0), ("0/cell/3", 0.0)):
        assert patch_texts(live, what, base, other, '"').share == pytest.approx(share, abs=1e-6)
    assert np.isnan(patch_texts(live, "0/cell", base, base, '"').share)


def places_of(live: LiveActivations, positions: list[int]) -> Places:
    rows = np.array(positions)
    sites = list(live.sites)
    both = values_at(live, live.corpus, np.concatenate([rows - 1, rows]), sites)
    n = len(rows)
    return Places(
        live.corpus, rows, {s: both[s][:n] for s in live.carried}, {site: values[n:] for site, values in both.items()}
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "gates" not in kind], ids=name_of)
def test_all_of_the_state_is_that_of_the_source_and_none_that_of_the_base(kind: Kind) -> None:
    model = unusual_model(TEXT, kind, seed=4)
    live = live_on(TEXT, model)
    positions, sources = [10, 30, 61, 20], [40, 90, 100, 120]
    places, others = places_of(live, positions), places_of(live, sources).values
    parts = [
        Part("I", bases={site: np.eye(live.sites[site]) for site in live.carried}),
        Part("0", bases={site: np.zeros((live.sites[site], 0)) for site in live.carried}),
        find_part(live, "state"),
    ]
    n_steps, ids = 6, ids_of(model, TEXT)
    for batch in read_from_places(
        live,
        places,
        lambda chosen: part_changes(parts, {site: values[chosen] for site, values in others.items()}),
        len(parts),
        n_steps,
        sites=list(live.sites),
    ):
        np.testing.assert_array_equal(batch.losses[1], batch.unchanged)
        for site in live.sites:
            np.testing.assert_array_equal(batch.values[site][2], batch.values[site][0])
            np.testing.assert_allclose(batch.values[site][0][:, 0], places.values[site][batch.places], atol=1e-5)
        for site in live.carried:
            source = others[site][batch.places]
            np.testing.assert_allclose(batch.values[site][1][:, 0], source, rtol=1e-6, atol=1e-6)
            np.testing.assert_array_equal(batch.values[site][3][:, 0], source)
        _, logits = read_by_equations(model, ids)
        for number, position in zip(range(*batch.places.indices(4)), positions[batch.places], strict=True):
            expected = torch.log_softmax(logits[sources[number], 0], dim=0)[ids[position + 1, 0]]
            assert batch.losses[0][number - batch.places.start, 0] == pytest.approx(-float(expected), abs=1e-5)


def test_losses_of_what_follows_are_those_of_the_text(text: str) -> None:
    live = live_on(text)
    places, expected = places_of(live, [50, 700]), losses_of(text, cell_of(text))
    (batch,) = read_from_places(
        live, places, lambda _: part_changes([find_part(live, "0/cell/1")], places.values), 1, 9
    )
    for number, position in enumerate((50, 700)):
        np.testing.assert_allclose(batch.unchanged[number], expected[position : position + 9], atol=1e-5)
    np.testing.assert_array_equal(batch.losses[0], batch.unchanged)


@given(data=st.data())
@settings(max_examples=n_examples(60))
def test_pairs_end_the_same_text(data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.text("abc", min_size=2, max_size=40), min_size=1, max_size=4))
    corpus = Corpus.from_texts(texts)
    is_inside = np.array(data.draw(st.lists(st.booleans(), min_size=len(corpus), max_size=len(corpus))))
    is_used = np.array(data.draw(st.lists(st.booleans(), min_size=len(corpus), max_size=len(corpus))))
    positions = np.flatnonzero(is_used)
    pairs = matched_pairs(
        corpus, positions, is_inside[is_used], data.draw(st.integers(1, 20)), np.random.default_rng(0)
    )
    inside, outside = positions[pairs.inside], positions[pairs.outside]
    assert is_inside[inside].all()
    assert not is_inside[outside].any()
    assert len(set(outside.tolist())) == len(outside)
    assert (np.diff(inside) > 0).all()

    def common(one: int, other: int) -> int:
        pasts = []
        for place in (one, other):
            start = corpus.starts[np.searchsorted(corpus.starts, place, side="right") - 1]
            pasts.append(corpus.text(int(start), place + 1)[::-1])
        n = 0
        while n < min(MOST_COMMON, *map(len, pasts)) and pasts[0][n] == pasts[1][n]:
            n += 1
        return n

    for one, other, n_common in zip(inside.tolist(), outside.tolist(), pairs.n_common.tolist(), strict=True):
        assert n_common == common(one, other) > 0
    if len(pairs):  # the first one could choose among all that are outside
        others = positions[~is_inside[positions]].tolist()
        assert pairs.n_common[0] == max(common(int(inside[0]), other) for other in others)


def test_a_ratio_has_the_error_that_leaving_atoms_in_and_out_makes(rng: np.random.Generator) -> None:
    atoms = rng.integers(0, 12, 80)
    above, below = rng.normal(1, 1, 80), rng.normal(3, 1, 80)
    estimate = PlaceAtoms(atoms, 12, "").ratio(above, below)
    assert estimate.value == pytest.approx(above.sum() / below.sum())
    for atom in range(12):
        weights = 1 + 1e-6 * (atoms == atom)
        moved = (above @ weights) / (below @ weights)
        assert (moved - estimate.value) / 1e-6 == pytest.approx(estimate.influence[atom], rel=1e-3, abs=1e-6)


def test_random_directions_vary_as_the_given_one(rng: np.random.Generator) -> None:
    site = Site("0/hidden")
    values = {site: (rng.normal(size=(2000, 30)) * np.geomspace(0.01, 3, 30)).astype(np.float32)}
    for weights in (rng.normal(size=30), np.eye(30)[-2], np.eye(30)[2]):
        direction = weights / np.linalg.norm(weights)
        part = Part("d", bases={site: direction[:, None]})
        drawn = matched_parts(part, values, {site: 30}, 20, rng)
        wanted = (values[site] @ direction).var()
        variances = np.array([(values[site] @ other.bases[site][:, 0]).var() for other in drawn])
        assert len(drawn) == 20
        assert (np.abs(np.log(variances / wanted)) < 0.5).all()
        assert max(abs(float(other.bases[site][:, 0] @ direction)) for other in drawn) < 0.999


def test_orthogonal_directions_are_other_ones(rng: np.random.Generator) -> None:
    """Along the first axis nothing else varies as much, and the others as much as they can."""
    values = rng.normal(size=(2000, 30)) * np.geomspace(0.01, 3, 30)
    for n_wanted, axis, least in ((20, 5, 0.6), (60, 29, 0.3)):
        direction = np.eye(30)[axis]
        drawn = matched_directions(values, direction, n_wanted, rng, orthogonal=True)
        assert len(drawn) == min(n_wanted, 29)
        np.testing.assert_allclose([other @ direction for other in drawn], 0, atol=1e-12)
        np.testing.assert_allclose([np.linalg.norm(other) for other in drawn], 1)
        ratios = np.array([(values @ other).var() for other in drawn]) / values[:, axis].var()
        assert (ratios > least).all() and (ratios < 1 / least).all()
    assert matched_directions(values[:, :1], np.ones(1), 5, rng, orthogonal=True) == []


def test_subspaces_are_orthonormal(rng: np.random.Generator) -> None:
    vectors = rng.normal(size=(3, 7)) * [[1], [100], [0.01]]
    basis = Subspace("0/cell", vectors).basis
    np.testing.assert_allclose(basis.T @ basis, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(basis @ basis.T @ vectors.T, vectors.T, atol=1e-9)
    for wrong in ([0.0] * 7, [vectors[0], 2 * vectors[0]], rng.normal(size=(8, 7))):
        with pytest.raises(AnalysisError, match="span fewer than"):
            Subspace("0/cell", wrong)
    with pytest.raises(AnalysisError, match="finite numbers"):
        Subspace("0/cell", [np.nan, 1])
    with pytest.raises(AnalysisError, match="vector of numbers"):
        Subspace("0/cell", ["much"])


def test_a_direction_of_the_mean_difference_goes_most_of_the_way(text: str) -> None:
    live = live_on(text)
    direction = mean_difference(live, "in_quotes", "0/cell")
    result = patch(live, "in_quotes", direction, n_pairs=30, n_steps=4, n_matched=6)
    assert result.what == "in_quotes direction of 0/cell"
    assert effect_of(result, LOG_PROB, BOTH).share > 0.9
    same = patch(live, "in_quotes", Subspace("0/cell", -2 * direction.vector), n_pairs=30, n_steps=4, n_matched=6)
    assert [e.share for e in same.effects] == pytest.approx([e.share for e in result.effects], abs=1e-5)


def test_parts_of_an_untrained_model_seldom_stand_out() -> None:
    text = quote_text(np.random.default_rng(5), 4000)
    live = live_on(text, random_model(text, 5, n_layers=1, n_units=30, cell="gru"))
    results = [patch(live, "in_quotes", f"0/hidden/{n}", n_pairs=40, n_steps=2, n_chars=4000) for n in range(20)]
    assert sum(effect_of(result, LOSS, BOTH).p < 0.05 for result in results) <= 4  # of 20; the chance of more is .3 %


def test_what_cannot_be_asked_is_said(text: str) -> None:
    live = live_on(text)
    with pytest.raises(ActivationError, match=f"0/cell has {N_UNITS} units"):
        patch(live, "in_quotes", Unit(CELL, 99))
    with pytest.raises(AnalysisError, match="there is no site 4/cell here"):
        patch(live, "in_quotes", Site("4/cell"))
    with pytest.raises(AnalysisError, match="a direction of 3 units does not fit 0/cell: it has 6 units"):
        patch(live, "in_quotes", Subspace(CELL, [1, 0, 0]))
    with pytest.raises(AnalysisError, match="does not know the character 'z'"):
        patch(live, "in_quotes", "0/cell/0", character="z")
    with pytest.raises(AnalysisError, match="'ab' is not one character"):
        patch(live, "in_quotes", "0/cell/0", character="ab")
    with pytest.raises(AnalysisError, match="n_pairs is 0"):
        patch(live, "in_quotes", "0/cell/0", n_pairs=0)
    with pytest.raises(
        AnalysisError, match=r"holds at 0 of the 0 characters that have 5000 characters after them, and 0"
    ):
        patch(live, "in_quotes", "0/cell/0", n_steps=5000)
    with pytest.raises(AnalysisError, match="texts of two characters or more"):
        patch_texts(live, "0/cell", "a", "ab", '"')
    backwards = quote_model()
    backwards.reading_rule = ReadingRule(backwards=True)
    with pytest.raises(AnalysisError, match="this model reads backwards"):
        patch(live_on(text, backwards), "in_quotes", "0/cell/0")


def test_the_character_is_one_that_the_model_knows() -> None:
    """Every second a is inside, and followed by an unknown character as often as by b."""
    text = "a-a-abba" * 100

    def second_a(text: str) -> np.ndarray:
        is_a = np.array(list(text)) == "a"
        return np.asarray(is_a & (np.cumsum(is_a) % 2 == 1))

    live = LiveActivations(random_model("ab"), Corpus.from_texts([text]), stand_in="b")
    found = patch(live, second_a, "0/cell", n_pairs=10, n_steps=2, n_matched=0)
    assert found.character == "b"


def test_few_pairs_have_no_interval() -> None:
    text = ("ab " * 60 + '"ab ab" ') * 4
    result = patch(live_on(text), "in_quotes", "0/cell/0", n_pairs=50, n_steps=3, n_matched=5)
    effect = effect_of(result, LOG_PROB, BOTH)
    assert "8 are needed" in effect.no_interval_reason
    assert np.isnan([effect.low, effect.high, effect.p]).all()
    assert effect.share == pytest.approx(1, abs=1e-5)
