"""Rankings find what was planted, agree with scikit-learn, and do not depend on the source."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import PLANTED, Arrays, LimitedSession, random_model
from sklearn.metrics import roc_auc_score

from activations.blocks import Block, thin_out
from activations.reading import scratch
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.levels.columns import ReadingLimits
from analyses.levels.counts import LevelCounts
from analyses.levels.rank_kernels import N_COUNT_COLUMNS
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit
from analyses.ranking.explaining.explanation import explain
from analyses.ranking.ranking import compare, rank, rank_all
from analyses.targets import target as target_module
from analyses.targets.labelling import LABEL_BYTES, target, target_for, targets_for
from analyses.targets.splits import TEST, TRAIN, Split
from hypotheses.errors import HypothesisError
from hypotheses.labelling.long_labels import LabelsOnDisk


@pytest.mark.parametrize("name", list(PLANTED))
def test_rank_puts_the_planted_unit_first(planted: Path, name: str) -> None:
    with Recording(planted) as recording:
        found = rank(recording, name)
    first = found.units[0]
    ignorant = max(each.score for each in found.units if each.unit not in PLANTED.values())
    assert first.unit == PLANTED[name]
    assert first.direction == (-1 if name == "in_quotes" else 1)
    assert first.score > 0.5
    assert first.held_out > (0.75 if found.method == "auc" else 0.5)
    assert ignorant < 0.1
    assert (first.overall < 0.5) == (name == "in_quotes")
    assert str(first.unit) in str(found)


def test_scores_are_those_of_the_training_and_test_parts(planted: Path) -> None:
    with Recording(planted) as recording:
        asked = target(recording.corpus, "in_comment")
        found = {each.unit: each for each in rank(recording, asked).units}
        parts = asked.split.parts(0, len(recording.corpus))
        for site in recording.sites:
            values = recording.read([site])[site]
            for index in range(values.shape[1]):
                each = found[Unit(site, index)]
                expected = [
                    roc_auc_score(asked.labels.values[rows], values[rows, index])
                    for rows in (parts == TRAIN, parts == TEST, parts >= 0)
                ]
                assert each.score == pytest.approx(abs(2 * expected[0] - 1), abs=1e-4)
                assert each.held_out == pytest.approx(expected[1] if expected[0] >= 0.5 else 1 - expected[1], abs=1e-4)
                assert each.overall == pytest.approx(expected[2], abs=1e-4 if site.signal == "cell" else 1e-9)


def test_exact_aucs_are_those_of_scikit_learn_in_float32_too(planted: Path) -> None:
    with Recording(planted) as recording:
        asked = target(recording.corpus, "in_comment")
        site = Site.of(1, "cell")
        ranking = rank(recording, asked, sites=[site], exact=True)
        assert ranking.auc_error == 0 and recording.dtype(site) == np.float32
        for each in ranking.units:
            expected = roc_auc_score(asked.labels.values, recording.read([site])[site][:, each.unit.index])
            assert each.overall == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("live", [False, True])
def test_units_are_ranked_for_the_models_own_predictions(code_text: str, tmp_path: Path, live: bool) -> None:
    model = random_model(code_text[:8000], gain=3)
    reading = LiveActivations(model, Corpus.from_texts([code_text[:4000], code_text[4000:8000]]))
    extract(reading, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        source = reading if live else recording
        place = model.vocabulary.characters.index("\n")
        blocks = list(recording.blocks([], predictions=True))
        expected = np.concatenate([np.exp(each.predictions["log_distribution"][:, place]) for each in blocks])
        for name in ("predicts:'\\n'", "predicts:\\n", "predicts:\n"):
            ranking = rank(source, name)
            assert (ranking.hypothesis, ranking.method) == (name, "r")
        first = ranking.units[0]
        values = recording.read([first.unit.site])[first.unit.site][:, first.unit.index].astype(float)
        assert first.overall == pytest.approx(np.corrcoef(values, expected)[0, 1], abs=1e-3)
        assert first.held_out > 0.3
        for name in ("predicts:'ab'", "predicts:ab", "predicts:''"):
            with pytest.raises(AnalysisError, match="does not name one character"):
                rank(source, name)
        with pytest.raises(AnalysisError, match="the model does not know 'é'"):
            rank(source, "predicts:é")


def test_a_recording_without_predictions_says_so(planted: Path) -> None:
    with Recording(planted) as recording, pytest.raises(AnalysisError, match="the model's distribution over all"):
        rank(recording, "predicts:a")


def test_correlations_are_those_of_numpy(planted: Path) -> None:
    with Recording(planted) as recording:
        asked = target(recording.corpus, "position_in_line")
        first = rank(recording, asked).units[0]
        values = recording.read([first.unit.site])[first.unit.site][:, first.unit.index].astype(np.float64)
        train = asked.split.parts(0, len(recording.corpus)) == TRAIN
    assert first.score == pytest.approx(np.corrcoef(values[train], asked.labels.values[train])[0, 1])
    assert first.overall == pytest.approx(np.corrcoef(values, asked.labels.values)[0, 1])


@pytest.mark.parametrize("name", list(PLANTED))
def test_a_recording_and_the_live_source_rank_alike(code_text: str, tmp_path: Path, name: str) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text[:4000], code_text[4000:]]))
    extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        one, other = rank(live, name), rank(recording, name)
    assert [each.unit for each in one.units] == [each.unit for each in other.units]
    for left, right in zip(one.units, other.units, strict=True):
        assert left.score == pytest.approx(right.score, abs=1e-12)


@pytest.mark.parametrize("name", ["in_quotes", "position_in_line", "char_class"])
def test_a_long_live_text_is_read_twice_and_nothing_is_written(
    code_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Two readings serve scores, intervals, p-values and shifts, which equal those of a recording."""
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    extract(live, tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        recorded = rank(recording, name, shifts=19, n_intervals=3)
    monkeypatch.setattr(scratch, "TemporaryDirectory", None)  # nothing to write to
    readings: list[LiveActivations] = []
    blocks = LiveActivations.blocks

    def counted(source: LiveActivations, sites: Collection[Site], *, predictions: bool = False) -> Iterator[Block]:
        readings.append(source)
        return blocks(source, sites, predictions=predictions)

    monkeypatch.setattr(LiveActivations, "blocks", counted)
    monkeypatch.setattr(LiveActivations, "sample", lambda self, sites, n_chars, forward: sampled(self, sites))

    def sampled(source: LiveActivations, sites: Collection[Site]) -> dict[Site, NDArray[np.float32]]:
        found = thin_out(source, sites, 16_000)
        readings.pop()  # of a long text it is a short one
        return found

    limits = ReadingLimits(whole_bytes=0, live_tile_chars=2_000)
    found = rank(LimitedSession(live, limits), name, shifts=19, n_intervals=3)
    assert len(readings) == 2
    for one, other in zip(found.units, recorded.units, strict=True):
        for field in ("unit", "score", "overall", "held_out", "p", "q", "p_shift", "p_max"):
            expected = getattr(other, field)
            assert getattr(one, field) == (
                expected if field == "unit" else pytest.approx(expected, rel=1e-9, nan_ok=True)
            ), field
        assert one.low == pytest.approx(other.low, abs=1e-12, nan_ok=True)


def test_exact_aucs_need_a_recording(code_text: str) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    with pytest.raises(AnalysisError, match="needs a recording; make one with `probe extract`"):
        rank(live, "in_quotes", exact=True)


def test_little_memory_means_more_passes_and_the_same_ranking(planted: Path) -> None:
    limits = ReadingLimits(whole_bytes=0, statistic_bytes=8 * LevelCounts.n_bytes(N_COUNT_COLUMNS, 1))
    with Recording(planted) as recording:
        whole = rank(recording, "in_quotes")
    with Recording(planted) as recording:
        done: list[tuple[int, int]] = []
        few = rank(LimitedSession(recording, limits), "in_quotes", progress=lambda *step: done.append(step))
        assert repr(few.units) == repr(whole.units)  # to the last bit; where there is no interval, NaN is not NaN
    assert done[-1] == (13 * len(recording.corpus), 13 * len(recording.corpus))  # one pass for the bins
    assert done == sorted(done)


def test_missing_labels_are_left_out(planted: Path) -> None:
    def quotes_on_even_characters(text: str) -> list[bool | None]:
        inside = False
        labels: list[bool | None] = []
        for t, char in enumerate(text):
            inside ^= char == '"'
            labels.append(inside if t % 2 == 0 else None)
        return labels

    with Recording(planted) as recording:
        found = rank(recording, quotes_on_even_characters)
        whole = rank(recording, "in_quotes")
    assert found.units[0].unit == PLANTED["in_quotes"]
    assert found.n_train == pytest.approx(whole.n_train / 2, rel=0.01)


def test_only_the_chosen_sites_are_ranked(planted: Path) -> None:
    with Recording(planted) as recording:
        assert {each.unit.site for each in rank(recording, "in_quotes", sites=[Site.of(1, "cell")]).units} == {
            Site.of(1, "cell")
        }


def test_constant_labels_are_refused(planted: Path) -> None:
    with Recording(planted) as recording:
        with pytest.raises(AnalysisError, match="is False at every character of this text"):
            rank(recording, lambda text: [False] * len(text))
        with pytest.raises(AnalysisError, match="is 3 at every character"):
            rank(recording, lambda text: [3] * len(text))
        with pytest.raises(AnalysisError, match="every character of the (test|training) part"):
            rank(recording, lambda text: [t > 0 for t in range(len(text))])
        with pytest.raises(AnalysisError, match="has no label anywhere"):
            rank(recording, lambda text: [None] * len(text))
        with pytest.raises(HypothesisError, match="gave 1 labels"):
            rank(recording, lambda text: [True])


def test_a_unit_that_never_changes_comes_last(code_text: str) -> None:
    model = random_model(code_text, cell="rnn_relu", n_layers=1)
    for weight in model.rnn.parameters():
        weight.data[3] = 0
    live = LiveActivations(model, Corpus.from_texts([code_text]))
    for name in ("position_in_line", "in_quotes"):
        last = rank(live, name).units[-1]
        assert last.unit == Unit(Site.of(0, "hidden"), 3)
        assert np.isnan(last.score) or last.score == 0


def test_a_unit_that_never_changes_has_no_p(rng: np.random.Generator) -> None:
    """This holds however its value is rounded."""
    values = np.full((30_000, 2), 0.1, np.float32)
    values[:, 1] = rng.normal(size=30_000)
    last = rank(Arrays({Site.of(0, "cell"): values}), lambda text: np.arange(30_000) % 70).units[-1]
    assert last.unit.index == 0
    assert np.isnan([last.overall, last.p, last.q]).all()


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("exact", [False, True])
def test_one_activation_that_is_not_a_number_is_refused(
    rng: np.random.Generator, dtype: type, odd: float, exact: bool
) -> None:
    values: NDArray[np.floating] = rng.normal(size=(30_000, 3)).astype(dtype)
    values[12_345, 1] = odd
    for labels in (np.arange(30_000) % 70, np.arange(30_000) % 70 > 30):
        source = Arrays({Site.of(0, "cell"): values})
        with pytest.raises(AnalysisError, match="some activations of 0/cell are not numbers"):
            rank(source, lambda text, labels=labels: labels, exact=exact)


def test_activations_that_are_not_numbers_are_refused(code_text: str) -> None:
    model = random_model(code_text)
    model.rnn.get_parameter("weight_hh_l1").data[:] = np.nan
    live = LiveActivations(model, Corpus.from_texts([code_text]))
    for name in ("in_quotes", "position_in_line"):
        with pytest.raises(AnalysisError, match="not numbers"):
            rank(live, name)


def test_labels_of_another_text_are_refused(planted: Path, code_text: str) -> None:
    other = target(Corpus.from_texts([code_text[::-1]]), "in_quotes")
    with Recording(planted) as recording:
        with pytest.raises(AnalysisError, match="are of another text"):
            rank(recording, other)
        with pytest.raises(AnalysisError, match="the split is of 5,000 characters"):
            target(recording.corpus, "in_quotes", Split.of(5000))


def test_the_error_of_counting_in_bins_is_reported(planted: Path) -> None:
    with Recording(planted) as recording:
        assert 0 < rank(recording, "in_quotes").auc_error < 1e-4
        assert rank(recording, "in_quotes", sites=[Site.of(0, "hidden")]).auc_error == 0


def test_numbers_are_the_same_with_labels_on_the_disk(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for all kinds of labels, with lags, shifts, classes, methods and controls."""

    def third(text: str) -> list[str | None]:
        return [None if each == "(" else "abc"[n * n // 999 % 3] for n, each in enumerate(text)]

    names: list[Any] = ["in_quotes", "position_in_line", "in_comment @ 3", third]

    def numbers(memory_bytes: int) -> list[object]:
        options = FitOptions(label_memory=memory_bytes)
        with Recording(planted) as recording:
            asked = [target_for(recording, name, memory_bytes) for name in names]
            found: list[object] = [list(map(repr, rank_all(recording, targets_for(recording, names, memory_bytes))))]
            found += [repr(rank(recording, each, shifts=19)) for each in asked]
            found += [repr(compare(recording, asked[0], ["f1", "spearman", "mean_difference", "average_precision"]))]
            found += [repr(compare(recording, asked[1], ["eta2", "mutual_information", "r2"]))]
            found += [repr(explain(recording, Unit(Site.of(0, "hidden"), 1), asked))]
            found += [repr(fit(recording, [names[0], names[3]], controls=["context", "runs"], options=options))]
            return found

    expected = numbers(LABEL_BYTES)
    monkeypatch.setattr(target_module, "CHUNK", 1_000)
    for n_bytes in (0, 30_000):  # with the second, some of several hypotheses are in memory
        with Recording(planted) as recording:
            assert isinstance(target_for(recording, "position_in_line", n_bytes).labels, LabelsOnDisk)
        assert numbers(n_bytes) == expected


def test_old_names_of_a_ranked_units_scores_work_and_warn(planted: Path) -> None:
    best = rank(planted, "in_quotes").units[0]
    for old, new in (("test", best.held_out), ("raw", best.overall)):
        with pytest.warns(DeprecationWarning, match=f"RankedUnit.{old} is now called"):
            assert getattr(best, old) == new
