"""Probes agree with scikit-learn, find planted combinations, and are judged on held-out characters."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import PLANTED, SITES, random_model
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, r2_score, roc_auc_score

from activations.blocks import Source
from activations.cores import THREADS
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site
from analyses.curves import curve
from analyses.errors import AnalysisError
from analyses.probing import probes
from analyses.probing.control_names import CONTROLS
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit, fit_units
from analyses.probing.tasks import ProbeTask, probe_tasks
from analyses.targets.labelling import target
from analyses.targets.many_hypotheses import targets_of
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from hypotheses.labelling.long_labels import LabelsOnDisk
from hypotheses.labels import Labels


@pytest.mark.parametrize("penalty", [1.0, 100.0])
def test_a_logistic_probe_equals_that_of_scikit_learn(planted: Path, penalty: float) -> None:
    site = PLANTED["in_quotes"].site
    with Recording(planted) as recording:
        labelled = target(recording.corpus, "in_quotes")
        [result] = fit(recording, labelled, sites=[site], options=FitOptions(penalty=penalty))
        x, y = recording.read([site])[site].astype(np.float64), labelled.labels.values
        parts = labelled.split.parts(0, len(recording.corpus))
    train, test = parts == TRAIN, parts == TEST
    mean, deviation = x[train].mean(0), x[train].std(0)
    x = (x - mean) / deviation
    reference = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=1000).fit(x[train], y[train])
    np.testing.assert_allclose(result.weights[:, 0], reference.coef_[0], atol=2e-3)
    assert result.intercept[0] == pytest.approx(reference.intercept_[0], abs=2e-3)
    predicted = reference.predict(x[test])
    assert result.accuracy == pytest.approx(accuracy_score(y[test], predicted), abs=1e-3)
    assert result.f1 == pytest.approx(f1_score(y[test], predicted), abs=2e-3)
    assert result.auc == pytest.approx(roc_auc_score(y[test], reference.decision_function(x[test])), abs=1e-4)
    assert result.majority_accuracy == pytest.approx(1 - y[test].mean())
    assert (result.n_train, result.n_test) == (train.sum(), test.sum())


def test_a_ridge_probe_equals_that_of_scikit_learn(planted: Path) -> None:
    site = PLANTED["position_in_line"].site
    with Recording(planted) as recording:
        labelled = target(recording.corpus, "position_in_line")
        [result] = fit(recording, labelled, sites=[site], options=FitOptions(penalty=1.0))
        x, y = recording.read([site])[site].astype(np.float64), labelled.labels.values
        parts = labelled.split.parts(0, len(recording.corpus))
    train, test = parts == TRAIN, parts == TEST
    x = (x - x[train].mean(0)) / x[train].std(0)
    reference = Ridge(alpha=1.0).fit(x[train], y[train])
    np.testing.assert_allclose(result.weights[:, 0], reference.coef_, rtol=1e-4, atol=1e-4)
    predicted = reference.predict(x[test])
    assert result.r2 == pytest.approx(r2_score(y[test], predicted), abs=1e-5)
    assert result.r == pytest.approx(np.corrcoef(predicted, y[test])[0, 1], abs=1e-5)


@pytest.mark.parametrize("name", list(PLANTED))
def test_fit_reaches_the_planted_unit(planted: Path, name: str) -> None:
    with Recording(planted) as recording:
        results = fit(recording, name)
    assert [result.site for result in results] == [str(site) for site in sorted(SITES)]
    for result in results:
        knows = result.site == str(PLANTED[name].site)
        if result.kind == "binary":
            assert (result.auc > 0.8) == knows
            assert result.accuracy >= result.majority_accuracy - 0.01
        else:
            assert (result.r2 > 0.3) == knows
        strongest = int(np.argmax(np.abs(result.weights)))
        assert (result.units[strongest] == PLANTED[name]) or not knows


def test_designs_fitted_together_are_those_fitted_alone(planted: Path) -> None:
    first, second = PLANTED["in_quotes"], PLANTED["in_comment"]
    designs = [[first], [second, first], [second]]
    with Recording(planted) as recording:
        together = fit_units(recording, "in_comment", designs, options=FitOptions(penalty=1.0))
        alone = [fit_units(recording, "in_comment", [design], options=FitOptions(penalty=1.0))[0] for design in designs]
    for jointly, separately in zip(together, alone, strict=True):
        np.testing.assert_allclose(jointly.weights, separately.weights, rtol=1e-5)
        assert jointly.units == separately.units
    assert together[1].weights[0, 0] == pytest.approx(together[2].weights[0, 0], rel=0.05)
    assert together[1].site == "2 units"


def test_a_live_source_is_fitted_like_its_recording(code_text: str, tmp_path: Path) -> None:
    text = code_text[:12_000]
    live = LiveActivations(random_model(text), Corpus.from_texts([text]))
    extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        for name in PLANTED:
            for of_live, of_recording in zip(fit(live, name), fit(recording, name), strict=True):
                np.testing.assert_array_equal(of_live.weights, of_recording.weights)
                np.testing.assert_equal(of_live.row(), of_recording.row())  # also where both are NaN


@pytest.mark.parametrize("name", list(PLANTED))
def test_the_curve_begins_with_the_planted_unit_and_stays_there(planted: Path, name: str) -> None:
    with Recording(planted) as recording:
        curve_over_units = curve(recording, name, most=10)
    assert curve_over_units.values == (1, 2, 4, 8, 10)
    assert curve_over_units.units[0] == PLANTED[name]
    scores = [point.score for point in curve_over_units.points]
    assert scores[0] > 0.75 * max(scores)
    assert [row["units"] for row in curve_over_units.rows()] == list(curve_over_units.values)


def test_a_wrong_penalty_is_refused(planted: Path) -> None:
    with Recording(planted) as recording, pytest.raises(AnalysisError, match="penalty is 0"):
        fit(recording, "in_quotes", sites=[Site.of(1, "cell")], options=FitOptions(penalty=0))


@pytest.mark.parametrize("name", list(PLANTED))
@pytest.mark.parametrize("where", [slice(300, 301), slice(-900, None)])
def test_activations_that_are_no_numbers_are_refused(
    planted: Path, monkeypatch: pytest.MonkeyPatch, name: str, where: slice
) -> None:
    """Also where only held-out characters have them."""
    read = Recording.read

    def broken(
        self: Recording, sites: Collection[Site], start: int = 0, stop: int | None = None
    ) -> dict[Site, NDArray[Any]]:
        values = {site: np.array(array) for site, array in read(self, sites).items()}
        for array in values.values():
            array[where] = np.nan
        return {site: array[start:stop] for site, array in values.items()}

    monkeypatch.setattr(Recording, "read", broken)
    with Recording(planted) as recording, pytest.raises(AnalysisError, match="are not numbers"):
        fit(recording, name, sites=[PLANTED[name].site])


def test_labels_that_are_asked_for_together_go_to_the_disk_together(
    planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two hypotheses, of which one alone would stay in memory."""
    with Recording(planted) as recording:
        memory = len(recording.corpus) * 3 // 2
        assert isinstance(target(recording.corpus, "in_quotes", memory_bytes=memory).labels, Labels)
        seen: list[Target] = []

        def watch(source: Source, targets: Sequence[Target], options: FitOptions) -> list[ProbeTask]:
            seen.extend(targets)
            return probe_tasks(source, targets, options)

        monkeypatch.setattr(probes, "probe_tasks", watch)
        names = ["in_quotes", "in_comment"]
        fit(recording, names, sites=[PLANTED["in_quotes"].site], options=FitOptions(penalty=1.0, label_memory=memory))
        of_command = targets_of(recording, names, memory_bytes=memory).made
    assert [type(target.labels) for target in [*seen, *of_command]] == [LabelsOnDisk] * 4


def test_fits_side_by_side_give_the_same_as_one_after_another(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in the same order, whatever the threads, and where memory holds only one site, or none."""
    names, results = ["in_quotes", "position_in_line"], []
    for n_threads, memory in (("1", 384 << 20), ("2", 384 << 20), ("3", 384 << 20), ("2", 1 << 10)):
        monkeypatch.setenv(THREADS, n_threads)
        with Recording(planted) as recording:
            options = FitOptions(penalty=10.0, memory=memory)
            results.append(fit(recording, names, controls=CONTROLS, options=options))
    first, *others = results
    assert len(first) == 2 * (3 * len(SITES) + 4)
    for other in others:
        assert [(result.hypothesis, result.site, result.control) for result in other] == [
            (result.hypothesis, result.site, result.control) for result in first
        ]
    for other in others[:2]:
        for result, expected in zip(other, first, strict=True):
            np.testing.assert_array_equal(result.weights, expected.weights)
            assert result.estimates.keys() == expected.estimates.keys()
            assert result.selectivity == pytest.approx(expected.selectivity, abs=0, nan_ok=True)
