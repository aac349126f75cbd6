"""Each method's score is that of a reference, and tells what it is for."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from numpy.typing import NDArray
from planting import Arrays, LimitedSession, Live, drifting, in_runs, random_model
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    jaccard_score,
    matthews_corrcoef,
    mutual_info_score,
    r2_score,
)

from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.units import Site, Unit
from analyses.collecting.collect import collect
from analyses.errors import AnalysisError
from analyses.levels.columns import Columns, ReadingLimits
from analyses.ranking.methods.method import Method, MethodScores, Need
from analyses.ranking.methods.plan import Plan
from analyses.ranking.methods.registry import METHODS
from analyses.ranking.ranking import compare, rank
from analyses.ranking.results import Ranking
from analyses.session import Session
from analyses.statistics.level_tables import LevelTables
from analyses.statistics.products import Products, ProductSums
from analyses.statistics.quantile_counts import N_BINS, QuantileCounts
from analyses.statistics.rank_sums import RankSums
from analyses.targets.classes import classes_of
from analyses.targets.labelling import target
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target

N_CHARS = 20_000
HIDDEN, CELL = Site.of(0, "hidden"), Site.of(0, "cell")
Score = Callable[[NDArray[np.generic], NDArray[np.generic]], float]


class Planted:
    """Units that depend on labels of each kind, one of which is missing at some characters."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.binary = in_runs(rng, N_CHARS, 40)
        self.numeric = np.arange(N_CHARS) % 53.0
        self.classes = np.array(["one", "two", "three"], object)[
            rng.integers(0, 3, N_CHARS // 20 + 1).repeat(20)[:N_CHARS]
        ]
        self.missing = in_runs(rng, N_CHARS, 30) & (rng.random(N_CHARS) < 0.2)
        hidden = drifting(rng, N_CHARS, 4, 10)
        hidden[:, 0] += 2 * self.binary
        hidden[:, 1] -= 0.1 * self.numeric
        hidden[:, 2] += 3 * (self.classes == "two")
        self.values: dict[Site, NDArray[Any]] = {HIDDEN: np.tanh(hidden / 4).astype(np.float16), CELL: hidden}
        self.source = Arrays(self.values)

    def labels(self, kind: str) -> NDArray[np.generic]:
        return {"binary": self.binary, "numeric": self.numeric, "categorical": self.classes}[kind]

    def ranking(self, method: str, kind: str, limits: ReadingLimits | None = None) -> Ranking:
        labels: NDArray[np.generic] = np.where(self.missing, None, self.labels(kind))  # type: ignore[call-overload]
        source = self.source if limits is None else LimitedSession(self.source, limits)
        return rank(source, lambda text: labels.tolist(), method=method)

    def parts(self) -> NDArray[np.int8]:
        split = target(self.source.corpus, lambda text: self.binary).split
        return np.where(self.missing, -1, split.parts(0, N_CHARS))


@pytest.fixture(scope="module", params=[0, 1])
def planted(request: pytest.FixtureRequest) -> Planted:
    return Planted(request.param)


def check(planted: Planted, method: str, kind: str, reference: Callable[..., tuple[float, float]], atol: float) -> None:
    """Compare with a reference that is given the training and the test part of each unit and the labels."""
    parts, labels = planted.parts(), planted.labels(kind)
    found = {each.unit: each for each in planted.ranking(method, kind).units}
    assert len(found) == 8
    for unit, each in found.items():
        x = planted.values[unit.site][:, unit.index].astype(np.float64)
        train, test = reference(*((x[parts == part], labels[parts == part]) for part in (TRAIN, TEST)))
        assert each.score == pytest.approx(abs(train), abs=atol), unit
        assert each.held_out_score == pytest.approx(test if train >= 0 else -test, abs=atol), unit


Half = tuple[NDArray[np.float64], NDArray[np.generic]]


def on_both(score: Callable[[NDArray[np.float64], NDArray[np.generic]], float]) -> Callable[..., tuple[float, float]]:
    return lambda train, test: (score(*train), score(*test))


@pytest.mark.parametrize("kind", ["binary", "numeric"])
def test_r_and_spearman_are_those_of_scipy(planted: Planted, kind: str) -> None:
    check(planted, "r", kind, on_both(lambda x, y: np.corrcoef(x, y.astype(float))[0, 1]), 1e-9)
    check(planted, "spearman", kind, on_both(lambda x, y: spearmanr(x, y.astype(float))[0]), 1e-4)


def test_mean_differences_are_those_of_numpy(planted: Planted) -> None:
    difference = on_both(lambda x, y: float(x[y.astype(bool)].mean() - x[~y.astype(bool)].mean()))
    check(planted, "mean_difference", "binary", difference, 1e-9)


def test_mean_differences_of_classes_are_of_the_class_farthest_from_the_others(planted: Planted) -> None:
    def reference(train: Half, test: Half) -> tuple[float, float]:
        found = [
            [float(x[y == label].mean() - x[y != label].mean()) for x, y in (train, test)]
            for label in sorted(set(planted.classes.tolist()))
        ]
        of_train, of_test = max(found, key=lambda pair: abs(pair[0]))
        return of_train, of_test

    check(planted, "mean_difference", "categorical", reference, 1e-9)


def test_average_precision_is_that_of_scikit_learn(planted: Planted) -> None:
    """The reference uses the values, or their negatives where that is better in training."""

    def reference(train: Half, test: Half) -> tuple[float, float]:
        found = [[average_precision_score(y.astype(bool), sign * x) for x, y in (train, test)] for sign in (1, -1)]
        of_train, of_test = max(found, key=lambda pair: pair[0])
        return of_train, of_test

    check(planted, "average_precision", "binary", reference, 2e-4)  # float32 is counted in bins
    first = planted.ranking("average_precision", "binary").units[0]
    assert first.unit.index == 0 and first.held_out_score > planted.binary.mean() + 0.1


def test_a_users_own_score_is_ranked_by_like_any_other(
    planted: Planted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Command, code_text: str
) -> None:
    """It is computed from a recording and from a live model, in Python and by the command."""
    needs = Need(
        lambda asked, columns, reader: ProductSums([asked], {each.site: each.n_units for each in columns}),
        lambda result, columns: result[0][columns.site],
    )

    def variance(own: Products, asked: Target) -> MethodScores:
        return MethodScores(*(own.scatter(part) / own.of(part).n[0] for part in (TRAIN, TEST)))

    monkeypatch.setitem(METHODS, "power", Method("power", ("binary",), "variance", needs=needs, score=variance))
    found = planted.ranking("power", "binary")
    assert found.method == "power"
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        rankings = [rank(source, "in_quotes", method="power") for source in (recording, live)]
    for one, other in zip(*(each.units for each in rankings), strict=True):
        assert (one.unit, one.score) == (other.unit, pytest.approx(other.score, rel=1e-9))
    _, told, _ = run("rank", tmp_path / "a.h5", "--hypothesis", "in_quotes", "--method", "power", "--json")
    assert [json.loads(line)["unit"] for line in told.splitlines()] == [
        str(each.unit) for each in rankings[0].units[:10]
    ]


def test_r2_is_that_of_a_line_fitted_in_training(planted: Planted) -> None:
    def reference(train: Half, test: Half) -> tuple[float, float]:
        line = LinearRegression().fit(train[0][:, None], train[1])
        return tuple(r2_score(y, line.predict(x[:, None])) for x, y in (train, test))

    check(planted, "r2", "numeric", reference, 1e-9)


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_eta2_is_what_the_means_of_classes_explain(planted: Planted, kind: str) -> None:
    def reference(train: Half, test: Half) -> tuple[float, float]:
        means = {label: train[0][train[1] == label].mean() for label in set(train[1].tolist())}
        return tuple(r2_score(x, [means[label] for label in y.tolist()]) for x, y in (train, test))

    check(planted, "eta2", kind, reference, 1e-9)


def bins_of(x: NDArray[np.float64], training: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bins of as many training characters each, from mid-ranks."""
    ordered = np.sort(training)
    below, up_to = np.searchsorted(ordered, x, "left"), np.searchsorted(ordered, x, "right")
    return np.asarray(np.minimum((below + up_to) * N_BINS // (2 * len(training)), N_BINS - 1))


@pytest.mark.parametrize(
    ("method", "score"),
    [
        ("balanced_accuracy", balanced_accuracy_score),
        ("f1", f1_score),
        ("iou", jaccard_score),
        ("mcc", matthews_corrcoef),
    ],
)
def test_thresholds_are_the_best_of_training(planted: Planted, method: str, score: Score) -> None:
    """Thresholds are all values that a unit has there."""

    def of_counts(true: NDArray[Any], false: NDArray[Any], n_true: int, n_false: int) -> NDArray[Any]:
        if method == "balanced_accuracy":
            return np.asarray((true / n_true + (n_false - false) / n_false) / 2)
        if method == "mcc":
            said, n = (true + false).astype(float), float(n_true + n_false)
            size = np.sqrt(said * (n - said) * float(n_true) * float(n_false))
            product = true * float(n_false) - false * float(n_true)
            return np.asarray(np.divide(product, size, out=np.full(len(said), -1.0), where=size > 0))
        return np.asarray(true / (n_true + false) if method == "iou" else true / (true + (n_true - true + false) / 2))

    def reference(train: Half, test: Half) -> tuple[float, float]:
        labels, held_out = (half[1].astype(bool) for half in (train, test))
        thresholds = np.concatenate([[-np.inf], np.unique(train[0])])
        true, false = (np.searchsorted(np.sort(train[0][own]), thresholds, "right") for own in (labels, ~labels))
        n_true, n_false = labels.sum(), (~labels).sum()
        below, above = (
            of_counts(true, false, n_true, n_false),
            of_counts(n_true - true, n_false - false, n_true, n_false),
        )
        is_above = above.max() > below.max()
        threshold = thresholds[(above if is_above else below).argmax()]
        of_train, of_test = ((half[0] > threshold) == is_above for half in (train, test))
        return float(score(labels, of_train)), float(score(held_out, of_test))

    parts = planted.parts()
    found = {each.unit: each for each in planted.ranking(method, "binary").units}
    for index in range(2):
        x = planted.values[HIDDEN][:, index].astype(np.float64)
        train, test = reference(*((x[parts == part], planted.binary[parts == part]) for part in (TRAIN, TEST)))
        unit = next(each for each in found if each.site == HIDDEN and each.index == index)
        assert found[unit].score == pytest.approx(train, abs=1e-12)
        assert found[unit].held_out_score == pytest.approx(test, abs=1e-12)


def rare(rng: np.random.Generator, n_units: int = 40) -> tuple[Arrays, NDArray[np.bool_]]:
    """A label that is True at .1 % of characters; the last unit is highest there, another one knows a bit of it."""
    n_chars = 60_000
    labels = np.zeros(n_chars, bool)
    labels[rng.choice(n_chars, n_chars // 1000, replace=False)] = True
    values = rng.normal(size=(n_chars, n_units))
    values[:, 0] += 3.5 * labels
    values[labels, -1] = 6 + rng.random(labels.sum())
    return Arrays({HIDDEN: values.astype(np.float16), CELL: values[:, ::-1].astype(np.float32)}), labels


@pytest.mark.parametrize("method", ["f1", "iou", "balanced_accuracy"])
def test_a_precise_unit_of_a_rare_label_is_found(rng: np.random.Generator, method: str) -> None:
    source, labels = rare(rng)
    found = rank(source, lambda text: labels, method=method)
    assert {each.unit for each in found.units[:2]} == {Unit(CELL, 0), Unit(HIDDEN, 39)}
    assert [each.score for each in found.units[:2]] == [1.0, 1.0]
    assert min(each.held_out_score for each in found.units[:2]) > 0.99
    assert found.units[3].score < 0.99


@pytest.mark.parametrize("method", ["f1", "iou"])
def test_units_no_better_than_predicting_true_are_counted_and_ordered_by_auc(
    rng: np.random.Generator, method: str
) -> None:
    """The units have two values, at neither of which the label is True more often than not."""
    labels = in_runs(rng, N_CHARS, 40)
    shares = rng.permutation(np.linspace(0.05, 0.2, 12))
    values = (rng.random((N_CHARS, 12)) < np.where(labels[:, None], 0.5 + shares, 0.5)).astype(np.float16)
    found = rank(Arrays({HIDDEN: values}), lambda text: labels, method=method)
    by_auc = rank(Arrays({HIDDEN: values}), lambda text: labels)
    prevalence = labels[
        target(Arrays({HIDDEN: values}).corpus, lambda text: labels).split.parts(0, N_CHARS) == TRAIN
    ].mean()
    floor = 2 * prevalence / (1 + prevalence) if method == "f1" else prevalence
    tied = [each for each in found.units if each.score == pytest.approx(floor, abs=1e-12)]
    assert len(tied) > 5
    assert [each.unit for each in tied] == [
        each.unit for each in by_auc.units if each.unit in {own.unit for own in tied}
    ]
    name = "F1" if method == "f1" else "IoU"
    assert (
        f"{len(tied)} of 12 units have the {name} of always predicting True, {floor:.4f}, or less than 0.001 more"
        in " ".join(found.notes)
    )


@pytest.mark.parametrize("method", ["sparse", "elastic_net"])
def test_units_that_are_left_out_are_in_the_order_of_their_auc(rng: np.random.Generator, method: str) -> None:
    """They repeat the unit that is chosen, with more and more noise, or never change."""
    labels = in_runs(rng, N_CHARS, 40)
    values = labels[:, None] + rng.permutation([1e-6, 2, 3, 4]) * rng.normal(size=(N_CHARS, 1))
    source = Arrays({HIDDEN: np.hstack([np.zeros((N_CHARS, 1)), values, values]).astype(np.float32)})
    found, by_auc = rank(source, lambda text: labels, method=method), rank(source, lambda text: labels)
    left_out = [each.unit for each in found.units if each.score == 0]
    assert len(left_out) >= 4 and left_out[-1] == Unit(HIDDEN, 0)
    assert left_out == [each.unit for each in by_auc.units if each.unit in left_out]


@pytest.mark.parametrize("n_chars", [20_000, 200_000])
def test_a_sparse_ranking_says_how_many_characters_it_uses(rng: np.random.Generator, n_chars: int) -> None:
    labels = in_runs(rng, n_chars, 40)
    values = (labels[:, None] + rng.normal(size=(n_chars, 3))).astype(np.float16)
    found = rank(Arrays({HIDDEN: values}), lambda text: labels, method="sparse")
    train = target(Arrays({HIDDEN: values}).corpus, lambda text: labels).split.parts(0, n_chars) == TRAIN
    if n_chars == 20_000:
        assert not any("characters in" in note for note in found.notes)
        return
    assert train.sum() // 50_000 == 3
    n_used = sum(
        len(range(0, int(run), 3)) for run in np.diff(np.flatnonzero(np.diff(train, prepend=0, append=0)))[::2]
    )
    assert f"the units were chosen on one training character in 3, {n_used:,} of them" in found.notes


@pytest.mark.parametrize("kind", ["binary", "categorical"])
def test_mutual_information_is_that_of_scikit_learn_less_what_chance_adds(planted: Planted, kind: str) -> None:
    parts, labels = planted.parts(), planted.labels(kind)
    for each in planted.ranking("mutual_information", kind).units:
        if each.unit.site != HIDDEN:
            continue
        x = planted.values[HIDDEN][:, each.unit.index].astype(np.float64)
        train = parts == TRAIN
        bins = bins_of(x[train], x[train])
        bits = mutual_info_score(labels[train].astype(str), bins) / np.log(2)
        free = (len(np.unique(bins)) - 1) * (len(set(labels[train].tolist())) - 1)
        assert each.score == pytest.approx(max(bits - free / (2 * train.sum() * np.log(2)), 0), abs=1e-9)


def test_the_class_that_a_unit_tells_best_is_named(planted: Planted) -> None:
    first = planted.ranking("auc", "categorical").units[0]
    assert (first.unit.index, first.label) == (2, "two")
    assert first.overall == pytest.approx(first.held_out, abs=0.1)
    assert first.p < 1e-6


def test_a_wave_is_seen_by_eta2_and_not_by_r(rng: np.random.Generator) -> None:
    place = np.arange(N_CHARS) % 70.0
    values = np.concatenate([drifting(rng, N_CHARS, 6, 10), np.sin(2 * np.pi * place[:, None] / 7)], axis=1)
    source = Arrays({HIDDEN: values.astype(np.float16)})
    found = rank(source, lambda text: place, method="eta2")
    assert found.units[0].unit.index == 6 and found.units[0].held_out_score > 0.9
    assert abs(found.units[0].overall) < 0.1 and found.units[0].q < 1e-6
    assert rank(source, lambda text: place, method="mutual_information").units[0].unit.index == 6


def test_large_weights_are_exposed_by_the_auc_beside_them(rng: np.random.Generator) -> None:
    """One of two units that cancel each other's noise tells nothing by itself."""
    labels = in_runs(rng, N_CHARS, 40)
    noise = drifting(rng, N_CHARS, 1, 10)[:, 0]
    values = np.stack([labels + 3 * noise, noise / 10, labels + rng.normal(size=N_CHARS)], axis=1).astype(np.float32)
    of_methods = compare(Arrays({HIDDEN: values}), lambda text: labels, ["auc", "weight", "standardised_weight"])
    auc, weight, standardised = (ranking.units[0] for ranking in of_methods)
    assert auc.unit.index == 2 and auc.held_out > 0.7
    assert weight.unit.index == 1 and weight.held_out < 0.6
    assert standardised.unit.index in (0, 1) and np.isnan(standardised.held_out_score)


@pytest.mark.parametrize("kind", ["binary", "numeric", "categorical"])
def test_every_method_has_its_order_and_scores_in_all_units(planted: Planted, kind: str) -> None:
    for name, method in METHODS.items():
        if kind not in method.kinds:
            with pytest.raises(AnalysisError, match=f"{name} is not for {kind} labels; for these there are"):
                planted.ranking(name, kind)
            continue
        if method.needs_model:
            with pytest.raises(AnalysisError, match="needs the model itself"):
                planted.ranking(name, kind)
            continue
        found = planted.ranking(name, kind)
        scores = [each.score for each in found.units]
        assert (found.method, scores) == (name, sorted(scores, reverse=True))
        assert np.isfinite(
            [(each.score, each.overall, each.held_out, each.low, each.p, each.q) for each in found.units]
        ).all()


@pytest.mark.parametrize("is_often", [True, False], ids=["often", "seldom"])
@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.needs and method.needs.derivation])
def test_what_is_derived_from_other_counts_is_what_would_be_counted(
    planted: Planted, name: str, is_often: bool
) -> None:
    """It is the same to the last bit, also for units that hardly ever change, and labels that are seldom True."""
    needs = METHODS[name].needs
    assert needs and needs.derivation
    steps = np.arange(N_CHARS)[:, None] >= [0, 3, N_CHARS // 2]  # one of them constant
    source = Arrays({HIDDEN: np.hstack([planted.values[HIDDEN], steps]).astype(np.float16), CELL: planted.values[CELL]})
    labels: NDArray[np.generic] = planted.binary & (is_often | (np.arange(N_CHARS) % 97 == 0))
    known: NDArray[np.generic] = np.where(planted.missing, None, labels)  # type: ignore[call-overload]
    asked = target(source.corpus, lambda text: known.tolist())
    units = [Columns(CELL, 0, 4), Columns(HIDDEN, 1, 7)]
    reader = Session.of(source).levels
    reader.find_bins(source, [CELL])
    counted, others = collect(source, [each.make(asked, units, reader) for each in (needs, needs.derivation.source)])
    for each in units:
        derived = needs.derivation.derive(needs.derivation.source.of(others, each))
        np.testing.assert_array_equal(derived, needs.of(counted, each))


@pytest.mark.parametrize("source_class", [Arrays, Live])
def test_a_method_scores_alone_as_in_a_comparison(planted: Planted, source_class: type[Arrays]) -> None:
    source = source_class(planted.values)
    labels: NDArray[np.generic] = np.where(planted.missing, None, planted.binary)  # type: ignore[call-overload]
    names = [name for name, method in METHODS.items() if "binary" in method.kinds and method.needs]
    for name, ranking in zip(names, compare(source, lambda text: labels.tolist(), names), strict=True):
        assert repr(ranking.units) == repr(rank(source, lambda text: labels.tolist(), method=name).units), name


def test_levels_are_counted_once_for_all_methods_of_a_binary_label(planted: Planted) -> None:
    source = Live(planted.values)
    names = [["spearman", "mutual_information"], ["spearman", "mutual_information", "f1", "mcc", "average_precision"]]
    asked = target(source.corpus, lambda text: planted.binary)
    apart, together = (
        [type(each) for each in Plan(source, asked, [METHODS[name] for name in own], [HIDDEN]).statistics]
        for own in names
    )
    assert apart == [RankSums, QuantileCounts]
    assert together == [LevelTables]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (name, kind)
        for name, method in METHODS.items()
        for kind in method.kinds
        if "weight" not in name and not method.needs_model
    ],
)
def test_a_part_of_a_text_is_ranked_as_a_text_of_that_part(planted: Planted, name: str, kind: str) -> None:
    """The selection is in the middle of the text; stretches, missing labels and shifts are those of the part."""
    start, stop = 4000, 16_000
    labels: NDArray[np.generic] = np.where(planted.missing, None, planted.labels(kind))  # type: ignore[call-overload]
    selected = Arrays(planted.values, selection=Selection(start, stop, 1))
    alone = Arrays({site: values[start:stop] for site, values in planted.values.items()})
    one = rank(selected, lambda text: labels.tolist(), method=name, shifts=19)
    other = rank(alone, lambda text: labels[start:stop].tolist(), method=name, shifts=19)
    for left, right in zip(one.units, other.units, strict=True):
        assert left.unit == right.unit
        for field in ("score", "held_out_score", "overall", "held_out", "low", "high", "p", "q", "p_shift", "p_max"):
            assert getattr(left, field) == pytest.approx(getattr(right, field), abs=1e-9, nan_ok=True), field


@pytest.mark.parametrize(
    ("method", "kind"), [("spearman", "numeric"), ("f1", "binary"), ("mutual_information", "categorical")]
)
def test_little_memory_changes_nothing(planted: Planted, method: str, kind: str) -> None:
    whole = planted.ranking(method, kind)
    limits = ReadingLimits(whole_bytes=0, tile_chars=777)
    assert repr(planted.ranking(method, kind, limits).units) == repr(whole.units)


def test_numbers_have_bins_of_their_own_up_to_64(rng: np.random.Generator) -> None:
    numbers = rng.normal(size=N_CHARS).round(3)
    classes = classes_of(target(Arrays({HIDDEN: np.zeros((N_CHARS, 1))}).corpus, lambda text: numbers))
    n = np.bincount(classes.of(slice(None)))
    assert len(n) == len(classes.names) == 64 and n.min() > N_CHARS / 64 * 0.9
    assert (np.diff(classes.middles) > 0).all()
    few = classes_of(target(Arrays({HIDDEN: np.zeros((N_CHARS, 1))}).corpus, lambda text: numbers.round()))
    assert few.names == tuple(str(int(each)) for each in np.unique(numbers.round()))


def test_too_many_classes_are_refused() -> None:
    source = Arrays({HIDDEN: np.zeros((N_CHARS, 1), np.float16)})
    with pytest.raises(
        AnalysisError, match="has 100 classes .*, and at most 64 can be distinguished; name one of them"
    ):
        rank(source, lambda text: [f"class {t % 100}" for t in range(N_CHARS)])


def test_an_unknown_method_is_refused_and_the_known_ones_are_listed() -> None:
    source = Arrays({HIDDEN: np.zeros((N_CHARS, 1), np.float16)})
    with pytest.raises(AnalysisError, match="there is no method 'best'; for these there are auc, r, spearman"):
        rank(source, lambda text: np.arange(N_CHARS) % 2 == 0, method="best")


@pytest.mark.parametrize("kept", [0, 1 << 28])
def test_a_live_source_is_scored_as_a_recording_however_many_characters_are_taken_at_once(
    planted: Planted, kept: int
) -> None:
    """Characters are in one tile or several, units in one group or several; progress goes to the end."""
    names = ["auc", "f1", "spearman", "mutual_information", "mean_difference", "f1"]
    expected = compare(planted.source, lambda text: planted.binary, names)
    for n_bytes in (1 << 31, 5 << 20):
        limits = ReadingLimits(whole_bytes=kept, live_statistic_bytes=n_bytes, tile_chars=700, live_tile_chars=3_000)
        shares: list[float] = []
        found = compare(
            LimitedSession(Live(planted.values), limits),
            lambda text: planted.binary,
            names,
            progress=partial(lambda kept_shares, done, total: kept_shares.append(done / total), shares),
        )
        assert shares[-1] == 1
        for one, other in zip(found, expected, strict=True):
            for left, right in zip(one.units, other.units, strict=True):
                assert left.unit == right.unit
                for field in ("score", "held_out_score", "overall", "held_out", "p", "q"):
                    assert getattr(left, field) == pytest.approx(getattr(right, field), rel=1e-9, nan_ok=True), field


def test_a_class_of_few_characters_does_not_win_by_its_mean(rng: np.random.Generator) -> None:
    classes = np.where(in_runs(rng, N_CHARS, 40), "one", "two").astype(object)
    classes[[100, 9_000]] = "seldom"
    values = rng.normal(size=(N_CHARS, 20)).astype(np.float32)
    found = rank(Arrays({HIDDEN: values}), lambda text: classes.tolist(), method="mean_difference")
    assert max(each.score for each in found.units) < 0.1
    assert np.isfinite([each.held_out_score for each in found.units]).all()
