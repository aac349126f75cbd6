"""P-values, q-values and intervals hold what they promise where nothing, or something known, is planted."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import SITES, Arrays, LimitedSession, drifting, in_runs, random_model, sums_of_rows
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Estimate, intervals, mean_interval
from analyses.intervals.long_run import WithinGroups, cosines, long_run_variance, n_cosines, position_groups
from analyses.intervals.significance import evidence, q_values
from analyses.levels.columns import DEFAULT_LIMITS, ReadingLimits
from analyses.ranking.influences import r_influence
from analyses.ranking.ranking import rank, rank_all
from analyses.ranking.results import Ranking
from analyses.targets.labelling import target, target_of_labels
from analyses.targets.splits import TEST
from probe.demo import bundled_text

HIDDEN = Site.of(0, "hidden")


def ranking(values: NDArray[np.floating], labels: NDArray[np.generic], shifts: int = 0) -> Ranking:
    return rank(Arrays({HIDDEN: values}), lambda text: labels, shifts=shifts)


def null_experiment(seed: int, n_chars: int = 20_000, n_units: int = 256, shifts: int = 0) -> Ranking:
    """Slowly drifting units, and labels in runs that are independent of them."""
    rng = np.random.default_rng(seed)
    values = drifting(rng, n_chars, n_units, 100)
    return ranking(values.astype(np.float16), in_runs(rng, n_chars, 60), shifts)


@pytest.mark.parametrize("n_seeds", [8, pytest.param(40, marks=pytest.mark.slow)])  # each ranks 256 units
def test_where_nothing_is_planted_p_values_are_honest(n_seeds: int) -> None:
    found = [np.array([each.p for each in null_experiment(seed).units]) for seed in range(n_seeds)]
    shares = [float((p < 0.05).mean()) for p in found]
    assert 0.03 < np.mean(shares[:20]) < 0.07
    assert sum(bool(p.min() * len(p) < 0.05) for p in found) <= 4  # Bonferroni


def test_a_test_that_takes_characters_as_the_sample_would_call_most_units_significant() -> None:
    found = null_experiment(0)
    n_labelled = found.n_train / 0.75
    naive = [abs(each.overall - 0.5) * np.sqrt(3 * n_labelled) for each in found.units]  # z of the AUC of equal classes
    assert np.mean(np.array(naive) > 1.96) > 0.5


def test_cosines_are_orthonormal_and_have_mean_zero() -> None:
    for n_atoms in (20, 50, 200):
        own = cosines(n_atoms, n_atoms - 1)
        np.testing.assert_allclose(own @ own.T, np.eye(n_atoms - 1), atol=1e-12)
        np.testing.assert_allclose(own.sum(axis=1), 0, atol=1e-12)
    assert [n_cosines(n) for n in (20, 50, 200)] == [6, 11, 27]


def test_the_variance_of_all_cosines_is_the_plain_one(rng: np.random.Generator) -> None:
    parts = rng.normal(size=(50, 7))
    np.testing.assert_allclose(long_run_variance(parts, 49), parts.var(axis=0, ddof=1))


def test_memories_are_those_that_were_planted(rng: np.random.Generator) -> None:
    """Integrated autocorrelation times: .5 of noise, the time constant of what forgets, L / 2 of runs of mean L."""
    n, n_units, n_atoms = 400_000, 40, 200
    x = np.concatenate([drifting(rng, n, n_units, tau) for tau in (30, 300)], axis=1)
    labels = in_runs(rng, n, 200)
    within = WithinGroups(sums_of_rows(x, labels, np.arange(n) * n_atoms // n, n_atoms), position_groups(n_atoms))
    memories = within.unit_memories.reshape(2, n_units)
    np.testing.assert_allclose(memories.mean(axis=1), [30, 300], rtol=0.2)
    assert within.label_memory == pytest.approx(100, rel=1)
    noise = rng.normal(size=(n, n_units))
    own = WithinGroups(sums_of_rows(noise, labels, np.arange(n) * n_atoms // n, n_atoms), position_groups(n_atoms))
    assert own.unit_memories.mean() == pytest.approx(0.5, rel=0.2)


@pytest.mark.parametrize("size", [1.0, 3.0])
@pytest.mark.parametrize(
    ("exact", "limits"), [(False, DEFAULT_LIMITS), (True, DEFAULT_LIMITS), (False, ReadingLimits(whole_bytes=0))]
)
def test_what_an_atom_adds_to_an_auc_is_what_its_weight_changes(
    size: float, exact: bool, limits: ReadingLimits
) -> None:
    """The characters of an atom get a little more weight in scikit-learn's AUC of all characters."""
    rng = np.random.default_rng(int(size))
    labels = in_runs(rng, 40_000, 40)
    values = (size * labels * np.repeat(rng.uniform(0.3, 1.7, 400), 100) + rng.normal(size=40_000))[:, None]
    values = np.round(values, 2)
    source = Arrays({HIDDEN: values.astype(np.float32 if exact else np.float16)})
    asked = target(source.corpus, lambda text: labels)
    [found] = rank(LimitedSession(source, limits), asked, exact=exact).units
    assert found.estimate is not None
    atoms, expected = asked.split.atom(np.arange(40_000)), []
    for each in range(asked.split.n_atoms):
        ends = [roc_auc_score(labels, values[:, 0], sample_weight=1 + h * (atoms == each)) for h in (1e-3, -1e-3)]
        expected.append((ends[0] - ends[1]) / 2e-3)
    held_out = asked.parts_of_text == TEST
    shares = [(held_out & labels).sum() / labels.sum(), (held_out & ~labels).sum() / (~labels).sum()]
    assert np.ptp(shares) < 0.05  # so that what is held out has its share of both, all but
    np.testing.assert_allclose(found.estimate.influence * np.mean(shares), expected, rtol=0.1, atol=3e-5)
    assert found.estimate.n_atoms == 8 and found.estimate.interval == (found.low, found.high)


def test_what_an_atom_adds_to_r_is_what_its_weight_changes(rng: np.random.Generator) -> None:
    x, atoms = rng.normal(size=(5000, 3)) + 7, np.arange(5000) // 250
    y = x @ [1, 0.3, 0] + rng.normal(size=5000)
    sums = sums_of_rows(x, y, atoms, 20)
    found = r_influence(sums, np.ones(20, np.bool_))
    for atom in range(20):
        ends = []
        for h in (1e-3, -1e-3):
            covariance = np.cov(np.column_stack([x, y]), rowvar=False, aweights=1 + h * (atoms == atom))
            ends.append(covariance[:3, 3] / np.sqrt(np.diag(covariance)[:3] * covariance[3, 3]))
        np.testing.assert_allclose(found[atom], (ends[0] - ends[1]) / 2e-3, rtol=1e-3, atol=1e-6)


def test_the_score_within_position_groups_is_the_mean_of_their_aucs(rng: np.random.Generator) -> None:
    n = 40_000
    labels = in_runs(rng, n, 40)
    values = (labels + np.linspace(0, 4, n) + rng.normal(size=n))[:, None]
    source = Arrays({HIDDEN: values.astype(np.float32)})
    asked = target(source.corpus, lambda text: labels)
    [found] = rank(source, asked).units
    rows = asked.parts_of_text == TEST
    groups = position_groups(asked.split.n_atoms)[asked.split.atom(np.arange(n))]
    aucs, weights = [], []
    for group in range(8):
        own = rows & (groups == group)
        if own.any():
            aucs.append(roc_auc_score(labels[own], values[own, 0]))
            weights.append(labels[own].sum() * (~labels[own]).sum() / own.sum())
    assert found.within_position_groups == pytest.approx(np.average(aucs, weights=weights), abs=2e-3)
    assert (
        found.within_position_groups > found.held_out + 0.05
    )  # a trend that the label does not share hides what the unit knows


def test_a_score_without_an_error_has_a_bound_by_its_runs() -> None:
    for value, expected in ((1.0, (0.9, 1.0)), (0.0, (0.0, 0.1))):
        own = Estimate(value=value, influence=np.zeros(20), n_atoms=4, n_cosines=6, scale="logit", n_runs=30)
        assert own.interval == pytest.approx(expected)
    low, high = intervals(np.array([0.8]), np.array([0.05]), 10_000, "logit", None)
    assert (low[0], high[0]) == pytest.approx((0.684, 0.881), abs=1e-3)  # by hand
    low, high = intervals(np.array([0.5]), np.array([0.1]), 10_000, "fisher", None)
    assert (low[0], high[0]) == pytest.approx((0.2754, 0.6700), abs=6e-3)


@pytest.mark.parametrize(("value", "scale"), [(0.5, "logit"), (1 / 3, "logit"), (0.0, "fisher"), (1.0, "fisher")])
def test_a_score_whose_error_vanishes_elsewhere_has_no_interval(
    value: float, scale: Literal["logit", "fisher"]
) -> None:
    """A unit that never changes has an AUC of .5 without any error, and nothing is known of it."""
    own = Estimate(value=value, influence=np.zeros(20), n_atoms=4, n_cosines=6, scale=scale, n_runs=40)
    assert np.isnan(own.interval).all()


def test_a_unit_that_never_changes_has_no_interval(rng: np.random.Generator) -> None:
    values = drifting(rng, 20_000, 2, 10)
    values[:, 1] = 0.25
    last = ranking(values, in_runs(rng, 20_000, 40)).units[-1]
    assert last.unit.index == 1 and last.held_out == 0.5
    assert np.isnan([last.low, last.high, last.p]).all()


def test_labels_in_one_atom_of_training_are_ranked_without_a_warning(rng: np.random.Generator) -> None:
    labels = np.full(20_000, None, object)
    for start in (1000, 4000):  # one atom in training, one held out
        labels[start : start + 1000] = np.tile(np.repeat(["a", "b", "c"], 10), 34)[:1000]
    assert len(ranking(drifting(rng, 20_000, 3, 10), labels).units) == 3


def test_p_values_of_a_method_that_sees_waves_are_not_those_of_r(rng: np.random.Generator) -> None:
    """The text is so short that no bin of the number has enough runs."""
    source = Arrays({HIDDEN: drifting(rng, 2000, 3, 10)})
    saw = np.arange(2000.0) % 500
    found = rank(source, lambda text: saw, method="eta2", shifts=19)
    assert np.isnan([[each.p, each.p_shift or 0.0] for each in found.units]).all()
    assert any("no bin of it has 8 runs" in note for note in found.notes)


def test_the_interval_of_a_mean_holds_it_where_neighbours_are_alike() -> None:
    values = drifting(np.random.default_rng(0), 30_000, 400, 100).T + 5
    covered = [low < 5 < high for low, high in map(mean_interval, values)]
    assert 0.90 < np.mean(covered) < 0.99
    assert np.isnan(mean_interval(np.zeros(50))).all()


@pytest.mark.parametrize("trend", ["walk", "line"])
def test_units_and_labels_that_share_nothing_but_a_trend_are_not_significant(trend: str) -> None:
    """At .05, of 320 units; if position were not removed, every one of them would be."""
    p, naive = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        n = 50_000
        labels = np.repeat(rng.random(n // 20) < np.linspace(0.1, 0.9, n // 20), 20)
        own = np.linspace(0, 3, n)[:, None] if trend == "line" else np.cumsum(rng.normal(size=(n, 32)) / 100, axis=0)
        found = ranking((own + drifting(rng, n, 32, 20) / 5).astype(np.float32), labels)
        p += [each.p for each in found.units]
        naive += [abs(each.overall - 0.5) for each in found.units]
    assert np.mean(naive) > 0.1
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_where_a_text_holds_too_few_pieces_of_a_label_there_is_a_sentence_and_no_number() -> None:
    rng = np.random.default_rng(1)
    found = ranking(drifting(rng, 30_000, 4, 100), in_runs(rng, 30_000, 3000), shifts=19)
    for each in found.units:
        assert np.isnan([each.low, each.high, each.p, each.q, each.p_shift or 0.0, each.p_max or 0.0]).all()
        assert np.isfinite(each.held_out)
    assert any("no p-value for <lambda>: the text holds only" in note for note in found.notes)
    assert any("no interval for <lambda>: the held-out characters hold only" in note for note in found.notes)


def test_numbers_and_a_text_that_has_nothing_to_do_with_the_units_are_not_significant() -> None:
    text = bundled_text().text()
    read, other = text[:30_000], text[30_000:60_000]
    live = LiveActivations(random_model(text, n_units=64), Corpus.from_texts([read]))
    names = ("in_comment", "position_in_line", "in_parentheses")
    of_the_other = [target(Corpus.from_texts([other]), name).labels for name in names]
    targets = [target_of_labels(live.corpus, *pair) for pair in zip(names, of_the_other, strict=True)]
    for found in rank_all(live, targets):
        p = np.array([each.p for each in found.units])
        assert (p < 0.05).mean() < 0.2
        assert (q_values(p) < 0.05).mean() < 0.05


def test_what_is_planted_is_significant_and_its_interval_holds_it() -> None:
    covered = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        labels = in_runs(rng, 30_000, 40)
        values = drifting(rng, 30_000, 6, 10)
        values /= values.std(axis=0)
        values[:, 2] -= labels
        found = ranking(values.astype(np.float16), labels)
        first = found.units[0]
        assert (first.unit.index, first.direction) == (2, -1)
        assert first.q < 1e-6 and first.p <= first.q
        assert first.low < first.held_out < first.high <= 1
        covered.append(first.low < 0.760 < first.high)  # of two normal distributions, one deviation apart
    assert sum(covered) >= 25


@pytest.mark.parametrize("seeds", [range(10), pytest.param(range(10, 100), marks=pytest.mark.slow)], ids=len)
def test_the_units_that_hold_a_label_beat_those_that_mark_its_ends(seeds: range) -> None:
    """Silent inside, active inside, a counter; and one that reacts to the delimiter alone. In 100 of 100 seeds."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        labels = in_runs(rng, 20_000, 50)
        values = drifting(rng, 20_000, 8, 20)
        values /= values.std(axis=0)
        places = np.arange(len(labels))
        began = np.maximum.accumulate(np.where(np.diff(labels, prepend=labels[0]) != 0, places, 0))
        values[:, 1] += 3 * labels
        values[:, 2] -= 3 * labels
        values[:, 3] += np.where(labels, (places - began + 10) / 20, 0)
        values[:, 4] += 8 * (places == began)
        found = ranking(values, labels)
        assert {each.unit.index for each in found.units[:3]} == {1, 2, 3}
        assert [each.direction for each in sorted(found.units[:3], key=lambda each: each.unit.index)] == [1, -1, 1]


@pytest.mark.parametrize("seeds", [range(10), pytest.param(range(10, 100), marks=pytest.mark.slow)], ids=len)
def test_counters_and_waves_of_a_position_are_found_first(seeds: range) -> None:
    """The counter is found by r, and the wave, which r does not see, by eta squared, in 100 of 100 seeds."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        lengths = rng.integers(20, 80, 800)
        position = (np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths))[:20_000]
        values = drifting(rng, 20_000, 8, 20)
        values /= values.std(axis=0)
        values[:, 3] += position / 20
        values[:, 5] += 2 * np.sin(2 * np.pi * position / 9 + seed)
        source, labels = Arrays({HIDDEN: values}), position.astype(np.float64)
        assert rank(source, lambda text, labels=labels: labels).units[0].unit.index == 3
        by_eta = rank(source, lambda text, labels=labels: labels, method="eta2").units
        assert {each.unit.index for each in by_eta[:2]} == {3, 5}
        assert by_eta[0].unit.index == 5 and by_eta[0].q < 1e-6 and abs(by_eta[0].overall) < 0.1


@pytest.mark.parametrize("n_seeds", [8, pytest.param(40, marks=pytest.mark.slow)])  # each ranks 256 units 100 times
def test_where_nothing_is_planted_shifted_labels_do_as_well(n_seeds: int) -> None:
    found = [null_experiment(seed, shifts=99).units for seed in range(n_seeds)]
    shares = [np.mean([(each.p_shift or 0) < 0.05 for each in units]) for units in found]
    assert 0.03 < np.mean(shares) < 0.07
    assert sum(min(each.p_max or 0 for each in units) < 0.05 for units in found) <= 4


def test_shifted_labels_are_shifted_in_a_circle(rng: np.random.Generator) -> None:
    """p-values from all possible shifts by brute force: labels are rolled, and then the group means subtracted."""
    n_chars = 1000
    labels = in_runs(rng, n_chars, 20)
    values = drifting(rng, n_chars, 3, 5)
    values[:, 1] += 0.3 * labels
    found = {each.unit.index: each for each in ranking(values, labels, shifts=900).units}
    ranks = rankdata(values, axis=0)
    groups = position_groups(20)[np.arange(n_chars) // 50]
    shifted = np.stack([np.roll(labels, -step).astype(float) for step in range(n_chars)])
    for group in range(8):
        shifted[:, groups == group] -= shifted[:, groups == group].mean(axis=1, keepdims=True)
    r = np.abs(ranks.T @ (shifted / np.linalg.norm(shifted, axis=1, keepdims=True)).T)
    chance = r[:, 50:950]
    for index, each in found.items():
        assert each.p_shift == pytest.approx((1 + (chance[index] >= r[index, 0]).sum()) / 901)
        assert each.p_max == pytest.approx((1 + (chance.max(axis=0) >= r[index, 0]).sum()) / 901)


def test_more_shifts_than_there_are_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(AnalysisError, match="1,000 characters cannot be shifted in 901 ways; ask for fewer shifts"):
        ranking(drifting(rng, 1000, 1, 5), in_runs(rng, 1000, 20), shifts=901)


def test_many_labels_at_once_score_as_one_by_one(planted: Path) -> None:
    """Labels are binary and numeric, some are missing, and each AUC is that of scikit-learn."""
    names = (
        "in_quotes", "position_in_line", "rare_char:0.03", "in_comment", "position_in_quotes", "vowel",
        "chars_until_newline", "position_in_word",
    )  # fmt: skip
    with Recording(planted) as recording:
        targets = [target(recording.corpus, name) for name in names]
        together = rank_all(recording, targets)
        alone = [rank(recording, each) for each in targets]
        values = {site: recording.read([site])[site].astype(np.float64) for site in recording.sites}
    for asked, joint, single in zip(targets, together, alone, strict=True):
        assert [each.unit for each in joint.units] == [each.unit for each in single.units]
        labels, parts = asked.all_rows
        for one, other in zip(joint.units, single.units, strict=True):
            column = values[one.unit.site][:, one.unit.index]
            if asked.kind == "binary":
                expected = [roc_auc_score(labels[rows], column[rows]) for rows in (parts >= 0, parts == TEST)]
            else:
                expected = [np.corrcoef(labels[rows], column[rows])[0, 1] for rows in (parts >= 0, parts == TEST)]
            turned = expected[1] if one.direction > 0 else (asked.kind == "binary") - expected[1]
            assert one.overall == pytest.approx(expected[0], abs=joint.auc_error + 1e-6)
            assert one.held_out == pytest.approx(turned, abs=joint.auc_error + 1e-6)
            assert (one.overall, one.held_out, one.p) == pytest.approx(
                (other.overall, other.held_out, other.p), rel=1e-9
            )
        best = joint.best_of_sites()
        assert set(best) == set(SITES)
        assert best[joint.units[0].unit.site] is joint.units[0]


def test_of_independent_characters_p_is_that_of_a_t_test(rng: np.random.Generator) -> None:
    x = rng.normal(size=(50_000, 40))
    y = rng.normal(size=50_000) + 0.02 * x[:, 0]
    found = evidence(sums_of_rows(x, y, np.arange(50_000) // 1000, 50))
    r = np.array([np.corrcoef(column, y)[0, 1] for column in x.T])
    assert np.corrcoef(np.log(found.p), np.log(2) - r**2 * 25_000)[0, 1] > 0.9
    assert found.label_memory == pytest.approx(0.5, rel=1)


def test_a_label_that_is_missing_in_the_first_stretches_has_p_values(rng: np.random.Generator) -> None:
    labels = in_runs(rng, 50_000, 40).astype(object)
    labels[:3000] = None
    assert np.isfinite([each.p for each in ranking(drifting(rng, 50_000, 8, 10), labels).units]).all()


def test_units_that_never_change_and_too_few_stretches_have_no_p() -> None:
    x = np.column_stack([np.zeros(1000), np.arange(1000.0)])
    y = np.arange(1000) % 7.0
    found = evidence(sums_of_rows(x, y, np.arange(1000) // 50, 20))
    assert np.isnan(found.p).tolist() == [True, False]
    few = sums_of_rows(x, y, np.arange(1000) // 400, 3)
    assert np.isnan(evidence(few).p).all()
    labels = np.arange(1000) // 90 % 2 == 1
    assert np.isnan([each.low for each in ranking(x.astype(np.float16), labels).units]).all()
    assert np.isnan(q_values(found.p)).tolist() == [True, False]


def test_a_ranking_is_the_same_for_the_same_seed(rng: np.random.Generator) -> None:
    labels = in_runs(rng, 30_000, 40)
    source = Arrays({HIDDEN: drifting(rng, 30_000, 3, 10)})
    one, same, other = (rank(source, lambda text: labels, shifts=50, seed=seed).units for seed in (0, 0, 1))
    assert one == same
    assert [each.p_shift for each in one] != [each.p_shift for each in other]
    assert [each.p for each in one] == [each.p for each in other]
