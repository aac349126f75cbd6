"""Scores of probes, their intervals, folds and controls, against known answers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import PLANTED, Arrays, drifting, in_runs
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    precision_score,
    r2_score,
    recall_score,
    roc_auc_score,
)

from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.probing.control_names import CONTROLS
from analyses.probing.controls import TASKS, control_task
from analyses.probing.fitting.responses import Response
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit, fit_characters
from analyses.probing.scoring.ranking_metrics import RankingAccumulator
from analyses.probing.scoring.scores import Cells, IntervalContext, PredictionSums, ProbeScores
from analyses.probing.scoring.scores import score as score_sums
from analyses.targets.labelling import target, target_of_labels
from analyses.targets.lags import lagged
from analyses.targets.splits import GAP, TEST, TRAIN, Split
from analyses.targets.target import Target
from hypotheses.labels import Labels
from hypotheses.registry import get

SITE = Site.of(0, "hidden")


def null_experiment(seed: int, n_chars: int = 20_000) -> tuple[Arrays, Target]:
    """Units that drift slowly, and labels in runs, which have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    source = Arrays({SITE: drifting(rng, n_chars, 256, 100)})
    labels = Labels(in_runs(rng, n_chars, 60), "binary")
    return source, target_of_labels(source.corpus, "nothing", labels)


@pytest.mark.slow
def test_shuffled_rows_would_have_found_what_is_not_there() -> None:
    """A probe that is tested on neighbours of what it was fitted to knows their labels; ours is at chance.

    Of eight intervals of 95 %, fewer than six hold the truth in 6 of 1,000 cases.
    """
    n_covered = 0
    for seed in range(8):
        source, labelled = null_experiment(seed)
        [result] = fit(source, labelled, options=FitOptions(folds=5))
        low, high = result.interval
        n_covered += low <= 0.5 <= high
        x, y = next(source.blocks(n_chars=20_000)).values[SITE], labelled.labels.values
        order = np.random.default_rng(seed).permutation(len(y))
        train, test = order[:16_000], order[16_000:]
        shuffled = LogisticRegression(max_iter=1000).fit(x[train], y[train]).decision_function(x[test])
        assert roc_auc_score(y[test], shuffled) > max(0.8, high)
    assert n_covered >= 6


class HeldOut(NamedTuple):
    """Predictions of a probe for held-out characters, their labels, and where each character is."""

    z: NDArray[np.float32]
    y: NDArray[Any]
    atom: NDArray[np.int64]
    group: NDArray[np.int64]
    fold: NDArray[np.int64]


def score(predicted: HeldOut, response: Response) -> ProbeScores:
    """Score predictions whose characters are added in three parts."""
    distinct, cell = np.unique(np.stack([predicted.atom, predicted.group, predicted.fold]), axis=1, return_inverse=True)
    cells = Cells(*distinct)
    n_chars, n_outputs = predicted.z.shape
    sums = PredictionSums(response, len(cells.piece))
    values = softmax(predicted.z.astype(np.float64), axis=1) if n_outputs > 1 else predicted.z
    accumulators = [
        [RankingAccumulator(n_chars, len(cells.piece)) for _ in range(n_outputs)] for _ in np.unique(predicted.fold)
    ]
    centre = predicted.y.mean() if response.kind == "numeric" else 0
    for part in np.array_split(np.random.default_rng(0).permutation(n_chars), 3):
        sums.add(predicted.z[part].astype(np.float64) - centre, predicted.y[part] - centre, cell[part])
        for fold, of_fold in enumerate(accumulators):
            rows = part[predicted.fold[part] == fold]
            for output, accumulator in enumerate(of_fold):
                is_positive = predicted.y[rows] == (output if n_outputs > 1 else 1)
                accumulator.add(values[rows, output], is_positive, cell[rows])
    rankings = [[accumulator.metrics(cells.group) for accumulator in of_fold] for of_fold in accumulators]
    return score_sums(sums, [] if response.kind == "numeric" else rankings, cells, IntervalContext())


def held_out(rng: np.random.Generator, y: NDArray[np.generic], z: NDArray[np.floating]) -> HeldOut:
    atom = np.sort(rng.integers(0, 12, len(y)))
    return HeldOut(z.astype(np.float32), y, atom, atom // 2, atom % 3)


def mean_within(
    predicted: HeldOut, score: Callable[[NDArray[np.bool_]], float], weight: Callable[[int, int], float]
) -> float:
    """A score of the characters of each fold and position group, weighted by how many there are of both kinds."""
    cells = [(predicted.fold == fold) & (predicted.group == group) for fold in range(3) for group in range(6)]
    occupied = [rows for rows in cells if rows.any()]
    weights = [weight(int(predicted.y[rows].sum()), int(rows.sum())) for rows in occupied]
    return float(np.average([score(rows) for rows in occupied], weights=weights))


def smaller_share(n_positive: int, n: int) -> float:
    return n_positive * (n - n_positive) / n


def test_scores_of_two_classes_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    y = (rng.random(3000) < 0.2).astype(np.int16)
    z = np.round(rng.normal(size=(3000, 1)) * 2 + y[:, None] - 1, 1)
    predicted = held_out(rng, y, z)
    scores = score(predicted, Response("binary", y, 2))
    z = predicted.z[:, 0].astype(np.float64)
    folds = [predicted.fold == fold for fold in range(3)]
    expected = {
        "accuracy": accuracy_score(y, z > 0),
        "balanced_accuracy": balanced_accuracy_score(y, z > 0),
        "precision": precision_score(y, z > 0),
        "recall": recall_score(y, z > 0),
        "f1": f1_score(y, z > 0),
        "log_loss": log_loss(y, expit(z)),
        "auc": np.mean([roc_auc_score(y[fold], z[fold]) for fold in folds]),
        "auc_within_position_groups": mean_within(
            predicted, lambda rows: roc_auc_score(y[rows], z[rows]), smaller_share
        ),
        "average_precision": np.mean([average_precision_score(y[fold], z[fold]) for fold in folds]),
    }
    assert scores.values == pytest.approx(expected)
    np.testing.assert_allclose(scores.auc_of_classes, [expected["auc"]])


def test_scores_of_several_classes_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    y = rng.integers(0, 4, 3000).astype(np.int16)
    predicted = held_out(rng, y, rng.normal(size=(3000, 4)) + 2 * np.eye(4)[y])
    scores = score(predicted, Response("categorical", y, 4))
    z, classes = softmax(predicted.z.astype(np.float64), axis=1), predicted.z.argmax(axis=1)
    folds = [predicted.fold == fold for fold in range(3)]
    expected = {
        "accuracy": accuracy_score(y, classes),
        "balanced_accuracy": balanced_accuracy_score(y, classes),
        "precision": precision_score(y, classes, average="macro"),
        "recall": recall_score(y, classes, average="macro"),
        "f1": f1_score(y, classes, average="macro"),
        "log_loss": log_loss(y, z),
        "auc": np.mean([roc_auc_score(y[fold], z[fold], multi_class="ovr") for fold in folds]),
        "average_precision": np.mean([average_precision_score(np.eye(4)[y[fold]], z[fold]) for fold in folds]),
    }
    assert 0.5 < scores.values.pop("auc_within_position_groups") < 1
    assert scores.values == pytest.approx(expected)
    assert scores.auc_of_classes.mean() == pytest.approx(expected["auc"])


def test_scores_of_numbers_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    y = 1e4 + rng.normal(size=2000)
    predicted = held_out(rng, y, (y + rng.normal(size=2000))[:, None])
    scores = score(predicted, Response("numeric", y, 1))
    z = predicted.z[:, 0].astype(np.float64)
    cells = predicted.fold * 6 + predicted.group
    deviations = [numbers - np.array([numbers[cells == cell].mean() for cell in cells.tolist()]) for numbers in (y, z)]
    expected = {
        "r2": r2_score(y, z),
        "r": np.corrcoef(y, z)[0, 1],
        "r_within_position_groups": np.corrcoef(*deviations)[0, 1],
    }
    assert scores.values == pytest.approx(expected)


MEASURES: dict[str, Callable[..., float]] = {
    "auc": roc_auc_score,
    "f1": lambda y, z, sample_weight: f1_score(y, z > 0, sample_weight=sample_weight),
    "accuracy": lambda y, z, sample_weight: accuracy_score(y, z > 0, sample_weight=sample_weight),
    "log_loss": lambda y, z, sample_weight: log_loss(y, expit(z), sample_weight=sample_weight),
}


@pytest.mark.parametrize("name", list(MEASURES))
def test_what_an_atom_adds_is_what_its_weight_changes(rng: np.random.Generator, name: str) -> None:
    """By giving the characters of an atom a little more weight in scikit-learn's scores."""
    y = (rng.random(1200) < 0.3).astype(np.int16)
    z = np.round(rng.normal(size=1200) + y, 1).astype(np.float32)
    atom = np.sort(rng.integers(0, 9, 1200))
    predicted = HeldOut(z[:, None], y, atom, atom // 2, np.zeros(1200, np.int64))
    estimate = score(predicted, Response("binary", y, 2)).estimates[name]
    expected = []
    for changed in range(9):
        ends = [MEASURES[name](y, z.astype("f8"), sample_weight=1 + h * (atom == changed)) for h in (1e-4, -1e-4)]
        expected.append((ends[0] - ends[1]) / 2e-4)
    np.testing.assert_allclose(estimate.influence, expected, rtol=1e-3, atol=1e-6)
    assert estimate.value == pytest.approx(MEASURES[name](y, z.astype("f8"), sample_weight=np.ones(1200)))
    assert estimate.interval[0] < estimate.value < estimate.interval[1]


def test_fewer_than_eight_pieces_that_are_held_out_have_no_interval(rng: np.random.Generator) -> None:
    source = Arrays({SITE: drifting(rng, 20_000, 3, 20)})
    labels = Labels(in_runs(rng, 20_000, 40), "binary")
    labelled = target_of_labels(source.corpus, "nothing", labels)
    [single_part], [five_folds] = fit(source, labelled), fit(source, labelled, options=FitOptions(folds=5))
    assert np.isnan(single_part.interval).all() and "or --folds 5" in single_part.note
    assert five_folds.interval[0] < five_folds.auc < five_folds.interval[1] and not five_folds.note


def test_selectivity_is_paired_by_the_pieces_of_the_label(rng: np.random.Generator) -> None:
    """A label so slow that stretches take the place of atoms, beside a control whose labels change all the time."""
    n = 100_000
    labels = in_runs(rng, n, 600)
    text = "".join(rng.choice(list("abcdefgh"), n))
    source = Arrays({SITE: (labels[:, None] + rng.normal(size=(n, 2))).astype(np.float32)}, text)
    labelled = target_of_labels(source.corpus, "slow", Labels(labels, "binary"))
    probe, control = fit(source, labelled, controls=["context"], options=FitOptions(penalty=1.0))
    assert len(probe.estimates["accuracy"].influence) == 10  # stretches; there are 20 atoms held out
    assert probe.selectivity == pytest.approx(probe.accuracy - control.accuracy)
    assert probe.selectivity_interval[0] < probe.selectivity < probe.selectivity_interval[1]


def test_intervals_do_not_depend_on_where_numbers_lie(rng: np.random.Generator) -> None:
    """Whose squares have more digits than float64 has."""
    n = 100_000
    values = np.repeat(rng.integers(0, 50, n // 50), 50).astype(np.float64)
    source = Arrays({SITE: (values[:, None] + 20 * rng.normal(size=(n, 2))).astype(np.float32)})
    near, far = (
        fit(
            source,
            target_of_labels(source.corpus, "number", Labels(values + more, "numeric")),
            options=FitOptions(penalty=1.0),
        )[0]
        for more in (0.0, 2.0**40)
    )
    assert far.note == near.note == ""
    assert far.estimates["r2"].n_atoms == near.estimates["r2"].n_atoms == 20
    assert far.interval == pytest.approx(near.interval, abs=1e-3)


def test_pieces_are_the_same_of_some_characters_as_of_all(rng: np.random.Generator) -> None:
    """A label of which an atom holds few independent pieces, whether every character is read or one in ten."""
    n = 200_000
    labels = Labels(in_runs(rng, n, 400), "binary")
    values = {SITE: (labels.values[:, None] + rng.normal(size=(n, 2))).astype(np.float32)}
    for selection in (Selection.of(n), Selection.of(n, every=10)):
        source = Arrays(values, selection=selection)
        [result] = fit(
            source,
            target_of_labels(source.corpus, "slow", labels, selection=selection),
            options=FitOptions(penalty=1.0),
        )
        assert len(result.estimates["auc"].influence) == 10  # stretches, not atoms


def test_the_position_control_sees_a_trend_that_units_and_labels_share(rng: np.random.Generator) -> None:
    """A unit that only grows, and a label that is ever more often True: alike by accident, also held out."""
    n = 60_000
    values = np.linspace(0, 3, n)[:, None] + rng.normal(size=(n, 3)) * 0.3
    labels = Labels(np.repeat(rng.random(n // 20) < np.linspace(0.05, 0.95, n // 20), 20), "binary")
    source = Arrays({SITE: values.astype(np.float32)})
    labelled = target_of_labels(source.corpus, "trend", labels)
    results = fit(source, labelled, controls=["context", "position"])
    by_control = {result.control: result for result in results}
    assert by_control[None].auc > 0.7 and by_control["position"].auc > 0.7
    assert by_control[None].auc_within_position_groups == pytest.approx(0.5, abs=0.06)
    assert by_control["position"].site == "position"


def test_every_stretch_is_held_out_once() -> None:
    split = Split(n_chars=10_000, n_stretches=20, gap=50)
    folds = split.folds(4)
    parts = np.stack([fold.parts_of(np.arange(10_000)) for fold in folds])
    assert ((parts == TEST).sum(axis=0) == 1).all()
    for parts_of_fold in parts:
        for position in np.flatnonzero(parts_of_fold == TEST)[::97].tolist():
            near = parts_of_fold[max(position - 50, 0) : position + 51]
            assert (near != TRAIN).all()
    inner = np.stack([fold.within_training().parts_of(np.arange(10_000)) for fold in folds])
    for outer, within in zip(parts, inner, strict=True):
        assert (within[outer == TEST] == GAP).all()
        assert ((within == TEST) <= (outer != TEST)).all()
        assert (within == TEST).any()
        assert ((within == TRAIN) <= (outer == TRAIN)).all()


@pytest.mark.parametrize("n", [1, 0, 51])
def test_folds_that_cannot_be_made_are_refused(n: int) -> None:
    with pytest.raises(AnalysisError, match=f"{n} folds of 50 stretches cannot be made"):
        Split.of(300_000).folds(n)


def test_fewer_training_stretches_are_among_more() -> None:
    split = Split.of(100_000)
    few, more = (split.only_fold.with_training(n).train for n in (5, 20))
    assert (few.sum(), more.sum()) == (5, 20)
    assert (few <= more).all()
    assert not (more & split.held_out).any()


def target_and_corpus(text: str, name: str) -> tuple[Target, Corpus]:
    corpus = Corpus.from_texts([text[:9000], text[9000:]])
    return target(corpus, name), corpus


@pytest.mark.parametrize("name", ["in_quotes", "char_class", "position_in_line"])
def test_labels_by_context_are_a_function_of_three_characters(code_text: str, name: str) -> None:
    labelled, corpus = target_and_corpus(code_text, name)
    made = control_task("context", labelled, corpus, seed=1).labels.values
    text = corpus.text(0, len(corpus))
    seen: dict[str, object] = {}
    for document in corpus.documents:
        for position in range(document.start, document.stop):
            context = text[max(position - 2, document.start) : position + 1]
            assert seen.setdefault(context, made[position]) == made[position]
    assert len(set(seen.values())) > 1
    if labelled.kind == "binary":
        assert made.mean() == pytest.approx(labelled.labels.values.mean(), abs=0.05)
    redrawn = control_task("context", labelled, corpus, seed=2).labels.values
    assert (redrawn != made).any()


@pytest.mark.parametrize("name", ["in_quotes", "char_class"])
def test_random_runs_are_as_long_as_the_labels_own(code_text: str, name: str) -> None:
    labelled, corpus = target_and_corpus(code_text, name)
    made = control_task("runs", labelled, corpus).labels.values
    assert sorted(made.tolist()) == sorted(labelled.labels.values.tolist())
    assert (made != labelled.labels.values).any()

    def runs(labels: NDArray[np.generic], value: object) -> list[int]:
        ends = np.flatnonzero(np.diff(labels == value, prepend=False, append=False))
        return sorted((ends[1::2] - ends[::2]).tolist())

    if labelled.kind == "binary":
        assert runs(made, True) == runs(labelled.labels.values, True)


@pytest.mark.parametrize("name", list(TASKS))
def test_control_tasks_keep_what_is_missing(code_text: str, name: str) -> None:
    labelled, corpus = target_and_corpus(code_text, "in_quotes @ 3")
    made = control_task(name, labelled, corpus)
    np.testing.assert_array_equal(made.labels.present, labelled.labels.present)


def test_an_unknown_control_is_refused(planted: Path) -> None:
    with Recording(planted) as recording:
        with pytest.raises(
            AnalysisError, match="there is no control 'magic'; there are chars, position, context, runs"
        ):
            fit(recording, "in_quotes", controls=["magic"])
        with pytest.raises(AnalysisError, match="there is no control task 'magic'"):
            control_task("magic", target(recording.corpus, "in_quotes"), recording.corpus)


def test_controls_stand_behind_the_probes_and_are_at_chance_where_they_ought_to_be(planted: Path) -> None:
    site = PLANTED["in_quotes"].site
    with Recording(planted) as recording:
        results = fit(recording, ["in_quotes", "position_in_line"], sites=[site], controls=CONTROLS)
    assert [(result.hypothesis, result.control, result.site) for result in results] == [
        (name, control, where)
        for name in ("in_quotes", "position_in_line")
        for control, where in (
            (None, str(site)),
            ("context", str(site)),
            ("runs", str(site)),
            ("chars", "last character"),
            ("chars", "last 5 characters"),
            ("chars", "last 20 characters"),
            ("position", "position"),
        )
    ]
    probe, context, runs, last, last_five, last_twenty = results[:6]
    assert probe.auc > 0.95
    assert probe.selectivity == pytest.approx(probe.accuracy - context.accuracy)
    for control in (context, runs):
        assert control.auc == pytest.approx(0.5, abs=0.1)
    assert last.auc < last_five.auc < last_twenty.auc


def test_the_last_character_tells_what_it_is(planted: Path) -> None:
    """A probe without a model knows a hypothesis of the current character, and with a lag of one does not."""
    with Recording(planted) as recording:
        vowel = target(recording.corpus, "vowel")
        [now] = fit_characters(recording, [vowel], 1)
        [before] = fit_characters(recording, [lagged(vowel, recording.corpus, -3)], 1)
        [seen] = fit_characters(recording, [lagged(vowel, recording.corpus, -3)], 5)
    assert now.accuracy == 1
    assert before.accuracy < 0.95
    assert seen.accuracy == 1


@pytest.mark.parametrize("lag", [-4, 0, 7])
@pytest.mark.parametrize("name", ["in_quotes", "position_in_line"])
def test_a_lag_is_that_of_the_hypothesis(code_text: str, name: str, lag: int) -> None:
    labelled, corpus = target_and_corpus(code_text, name)
    expected = target(corpus, get(name).lagged(lag))
    after_lag = lagged(labelled, corpus, lag)
    np.testing.assert_array_equal(after_lag.labels.present, expected.labels.present)
    present = after_lag.labels.present
    np.testing.assert_array_equal(after_lag.labels.values[present], expected.labels.values[present])


@given(
    st.lists(st.integers(2, 30), min_size=1, max_size=6),
    st.integers(-40, 40),
    st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(1, 5)),
    st.booleans(),
)
def test_lagged_labels_of_any_characters_are_those_of_all(
    sizes: list[int], lag: int, used: tuple[int, int, int], may_miss: bool
) -> None:
    corpus, n = Corpus.from_texts(["a" * size for size in sizes]), sum(sizes)
    of_document = np.repeat(np.arange(len(sizes)), sizes)
    values, missing = np.arange(n, dtype=np.float64), np.arange(n) % 3 == 0 if may_miss else None
    whole = Target(
        "place",
        corpus.sha256,
        Labels(values, "numeric", missing),
        Split(n_chars=n, n_stretches=1, n_folds=1, fold=0, gap=0),
        Selection(0, n),
    )
    lagged_positions = np.arange(n) + lag
    inside = (lagged_positions >= 0) & (lagged_positions < n)
    inside[inside] = of_document[lagged_positions[inside]] == of_document[inside]
    expected = np.where(inside, lagged_positions, -1)
    labels = lagged(whole, corpus, lag).labels
    for positions in (slice(*used), np.arange(n)[slice(*used)]):
        present = expected[positions] >= 0
        if may_miss:
            present &= expected[positions] % 3 != 0
        missing_there = labels.missing_at(positions)
        np.testing.assert_array_equal(
            np.zeros(len(present), bool) if missing_there is None else missing_there, ~present
        )
        np.testing.assert_array_equal(labels.values_at(positions)[present], expected[positions][present])


def test_predictions_are_kept_where_they_are_held_out(planted: Path) -> None:
    site = PLANTED["in_quotes"].site
    with Recording(planted) as recording:
        [part] = fit(recording, "in_quotes", sites=[site], options=FitOptions(keep=True, penalty=1.0))
        [whole] = fit(recording, "in_quotes", sites=[site], options=FitOptions(keep=True, penalty=1.0, folds=5))
        labelled = target(recording.corpus, "in_quotes")
    assert part.predictions is not None and whole.predictions is not None
    held_out = labelled.split.parts(0, len(labelled.labels)) == TEST
    np.testing.assert_array_equal(np.isfinite(part.predictions[:, 0]), held_out)
    assert np.isfinite(whole.predictions).all()
    assert whole.n_test == len(labelled.labels)
    predicted = part.predictions[held_out, 0] > 0.5
    assert part.accuracy == pytest.approx((predicted == labelled.labels.values[held_out]).mean())


def test_a_text_that_does_not_fit_in_memory_gives_the_same(planted: Path) -> None:
    with Recording(planted) as recording:
        for name in PLANTED:
            in_memory, read_again = (fit(recording, name, options=FitOptions(memory=memory)) for memory in (1 << 30, 0))
            for first, second in zip(in_memory, read_again, strict=True):
                np.testing.assert_allclose(first.weights, second.weights, atol=5e-3)
                assert first.score == pytest.approx(second.score, abs=1e-4)


@pytest.mark.parametrize("folds", [None, 3])
def test_what_is_ranked_in_many_passes_has_the_same_scores(folds: int | None, rng: np.random.Generator) -> None:
    classes = rng.integers(0, 3, 20_000)
    source = Arrays({SITE: (rng.normal(size=(20_000, 3)) + np.eye(3)[classes]).astype(np.float32)})
    missing = rng.random(20_000) < 0.1
    labelled = [
        target_of_labels(
            source.corpus, "classes", Labels(classes.astype(np.int32), "categorical", missing, ("x", "y", "z"))
        ),
        target_of_labels(source.corpus, "one", Labels(classes == 1, "binary")),
        target_of_labels(source.corpus, "number", Labels(classes.astype(np.float64), "numeric", missing)),
    ]
    options = FitOptions(penalty=10.0, folds=folds, keep=True)
    at_once = fit(source, labelled, options=options)
    in_many_passes = fit(source, labelled, options=replace(options, ranking_memory=1))
    for first, second in zip(at_once, in_many_passes, strict=True):
        numbers, others = (
            {name: value for name, value in result.row().items() if isinstance(value, float)}
            for result in (first, second)
        )
        assert numbers == pytest.approx(others, rel=1e-5, abs=1e-6, nan_ok=True)
        assert first.predictions is not None and second.predictions is not None
        # both are within 1e-6 of the least sum of squares, so their predictions are within about 1e-3; on processors
        # that round differently, 4e-5 apart was seen
        np.testing.assert_allclose(first.predictions, second.predictions, atol=1e-4)
        assert first.aucs == pytest.approx(second.aucs, abs=1e-6)
        for name, estimate in first.estimates.items():
            np.testing.assert_allclose(estimate.influence, second.estimates[name].influence, rtol=1e-3, atol=1e-6)


def test_too_little_data_is_said(planted: Path) -> None:
    with Recording(planted) as recording:
        corpus = recording.corpus
        labels = np.zeros(len(corpus), np.bool_)
        stretch = Split.of(len(corpus)).stretch(np.arange(len(corpus)))
        labels[(stretch == 4) & (np.arange(len(corpus)) % 2 == 0)] = True
        labels[stretch == 0] = True
        rare = target_of_labels(corpus, "rare", Labels(labels, "binary"))
        [single_part] = fit(recording, rare, sites=[Site.of(0, "hidden")])
        [folds] = fit(recording, rare, sites=[Site.of(0, "hidden")], options=FitOptions(folds=10))
    assert np.isfinite(single_part.auc)
    assert np.isnan(folds.auc)
    assert "no two labels in the test part of fold" in folds.note


def test_few_runs_are_said(planted: Path) -> None:
    with Recording(planted) as recording:
        places = np.arange(len(recording.corpus))
        labelled = target_of_labels(recording.corpus, "now and then", Labels(places % 500 == 0, "binary"))
        [few] = fit(recording, labelled, sites=[Site.of(0, "hidden")])
    assert "True in only" in few.note and "runs of held-out characters" in few.note
