"""Two results on the same text, compared atom by atom."""

from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows
from planting import PLANTED, Arrays, drifting, in_runs, random_model

from activations.models.checkpoints import save_model
from activations.recordings.recording import Recording
from activations.units import Site
from analyses.differences import compare_probes, compare_rankings, difference
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Difference, Estimate
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit
from analyses.ranking.ranking import rank, rank_all
from analyses.ranking.results import Ranking
from analyses.targets.labelling import target_of_labels
from analyses.targets.target import Target
from hypotheses.labels import Labels

HIDDEN = Site.of(0, "hidden")
N_CHARS = 50_000


def two_models(seed: int, *, shared: float, gain: float) -> tuple[Arrays, Arrays, Target]:
    """Two sources of one unit each, with partly shared noise, the second of which tells a label better."""
    rng = np.random.default_rng(seed)
    labels = in_runs(rng, N_CHARS, 60)
    noise = drifting(rng, N_CHARS, 3, 30) * np.sqrt(1 - np.exp(-2 / 30))
    own = [np.sqrt(shared) * noise[:, :1] + np.sqrt(1 - shared) * noise[:, n : n + 1] for n in (1, 2)]
    first, second = (Arrays({HIDDEN: x + g * labels[:, None]}) for x, g in zip(own, (0.7, 0.7 + gain), strict=True))
    return first, second, target_of_labels(first.corpus, "told", Labels(labels, "binary"))


def test_a_difference_is_of_paired_errors() -> None:
    """Noise that both models share drops out, so that the interval is narrower than for independent models."""
    widths = {}
    for shared in (0.0, 0.8):
        first, second, asked = two_models(0, shared=shared, gain=0.3)
        a, b = rank(first, asked).units[0], rank(second, asked).units[0]
        found = difference(a, b)
        assert found.value == pytest.approx(b.held_out - a.held_out)
        assert found.low < found.value < found.high
        widths[shared] = found.high - found.low
        back = difference(b, a)
        assert (back.value, back.low, back.high, back.p) == pytest.approx(
            (-found.value, -found.high, -found.low, found.p)
        )
    assert widths[0.8] < 0.6 * widths[0.0]


def test_a_true_difference_is_found_and_none_is_not() -> None:
    assert sum(p < 0.05 for p in p_values(gain=0.5)) >= 9
    assert sum(p < 0.05 for p in p_values(gain=0.0)) <= 3


def p_values(gain: float) -> list[float]:
    cases = [two_models(seed, shared=0.5, gain=gain) for seed in range(10)]
    return [difference(rank(first, asked), rank(second, asked)).p for first, second, asked in cases]


def test_results_on_different_texts_are_refused() -> None:
    first, _, asked = two_models(0, shared=0.5, gain=0)
    longer = Arrays({HIDDEN: drifting(np.random.default_rng(0), N_CHARS + 1, 1, 30)})
    labels = in_runs(np.random.default_rng(1), N_CHARS + 1, 60)
    other = target_of_labels(longer.corpus, "told", Labels(labels, "binary"))
    with pytest.raises(AnalysisError, match="the two scores are of different texts"):
        difference(rank(first, asked), rank(longer, other))
    few = rank(first, asked, n_intervals=0)
    with pytest.raises(AnalysisError, match="has no interval, so that it cannot be compared"):
        difference(few, rank(first, asked))
    [probe] = fit(first, asked)
    with pytest.raises(AnalysisError, match="has no r2 to compare"):
        difference(probe, probe, "r2")


def test_a_model_is_no_better_than_itself() -> None:
    first, _, asked = two_models(0, shared=0.5, gain=0)
    found = difference(rank(first, asked), rank(first, asked))
    assert found.value == 0 and np.isnan(found.p) and "same errors" in found.no_interval_reason


def test_old_names_of_attributes_warn() -> None:
    for old in ("declined", "freedom"):
        with pytest.warns(DeprecationWarning, match=f"Estimate.{old} is now called"):
            getattr(Estimate(value=0.5, n_cosines=7), old)
    with pytest.warns(DeprecationWarning, match=r"Difference.declined is now called no_interval_reason"):
        assert Difference(value=0, low=0, high=0, p=1, no_interval_reason="none").declined == "none"


def test_probes_and_best_units_are_compared_site_by_site() -> None:
    first, second, asked = two_models(1, shared=0.5, gain=0.5)
    options = FitOptions(penalty=1.0)
    [probe] = compare_probes(fit(first, asked, options=options), fit(second, asked, options=options))
    best, site = compare_rankings(rank(first, asked), rank(second, asked))
    assert (best.what, site.what, probe.what) == ("best", "0/hidden", "0/hidden")
    assert probe.difference.value == pytest.approx(site.difference.value, abs=0.01)  # a probe of one unit is that unit
    assert 0 < site.difference.low < site.difference.high
    for name in ("accuracy", "log_loss"):
        [one], [two] = fit(first, asked, options=options), fit(second, asked, options=options)
        own = difference(one, two, name)
        assert own.value == pytest.approx(getattr(two, name) - getattr(one, name))


@pytest.mark.parametrize("command", ["rank", "fit"])
def test_two_recordings_end_with_their_differences(run: Command, planted: Path, tmp_path: Path, command: str) -> None:
    other = tmp_path / "other.h5"
    other.write_bytes(planted.read_bytes())
    options = ["--shifts", "0"] if command == "rank" else ["--controls", "none", "--folds", "5"]
    status, out, _ = run(command, "-H", "in_quotes", planted, other, *options, "--json")
    last = rows(out)[-1]
    assert status == 0
    assert last["model"] == "other − activations" and last["difference"] == 0
    assert last["p"] is None and "same errors" in str(last["note"])
    status, out, _ = run(command, "-H", "in_quotes", planted, other, *options)
    assert status == 0 and "other − activations" in out
    assert str(PLANTED["in_quotes"].site) in out


def test_recordings_of_different_texts_stand_side_by_side_without_differences(
    run: Command, planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("longer.txt").write_text(Recording(planted).corpus.text() * 2, encoding="utf-8")
    save_model(random_model(Path("longer.txt").read_text(encoding="utf-8")), "model.pt")
    assert run("extract", "model.pt", "longer.txt", "-o", "other.h5", "--force")[0] == 0
    asked = ("-H", "in_quotes", planted, "other.h5", "--sites", "hidden")
    for command in (("rank", *asked, "--shifts", "0"), ("fit", *asked, "--controls", "none", "--keep", "said.npz")):
        status, out, err = run(*command)
        assert status == 0 and "no differences: the two scores are of different texts" in err
        assert "−" not in out.replace("-", "")
    assert Path("said.npz").exists()


def test_best_units_of_different_classes_say_so() -> None:
    rng = np.random.default_rng(5)
    codes = rng.integers(0, 3, N_CHARS // 20 + 1).repeat(20)[:N_CHARS].astype(np.int32)
    sources = [
        Arrays({HIDDEN: ((codes == place)[:, None] + rng.normal(size=(N_CHARS, 1))).astype(np.float32)})
        for place in (0, 1)
    ]
    asked = target_of_labels(sources[0].corpus, "kind", Labels(codes, "categorical", names=("a", "b", "c")))
    found = compare_rankings(*(rank(source, asked) for source in sources))
    assert [each.what for each in found] == ["best", "0/hidden"]
    assert all(
        "the first distinguishes a most reliably, the second b" in each.difference.no_interval_reason for each in found
    )


def test_a_label_whose_classes_have_too_few_runs_has_no_scores_among_others() -> None:
    rng = np.random.default_rng(6)
    source = Arrays({HIDDEN: drifting(rng, 20_000, 3, 20)})
    slow = target_of_labels(
        source.corpus, "slow", Labels(np.arange(20_000, dtype=np.int32) // 2000 % 2, "categorical", names=("x", "y"))
    )
    quick = target_of_labels(source.corpus, "quick", Labels(in_runs(rng, 20_000, 40), "binary"))
    first, second = rank_all(source, [slow, quick])
    assert (
        np.isnan([each.held_out for each in first.units]).all() and np.isfinite([each.p for each in second.units]).all()
    )
    assert any("no score for classes of slow" in note for note in first.notes)
    with pytest.raises(AnalysisError, match="no score for classes of slow"):
        rank(source, slow)


def test_a_class_is_chosen_by_evidence_and_rare_ones_have_no_score() -> None:
    """By AUC alone, nearly all units that know nothing would tell the class of four characters best."""
    rng = np.random.default_rng(3)
    codes = (rng.integers(0, 3, N_CHARS // 20 + 1).repeat(20)[:N_CHARS]).astype(np.int32)
    codes[[1000, 9000, 9100, 30_000]] = 3
    codes[rng.choice(N_CHARS, 120, replace=False)] = 4
    source = Arrays({HIDDEN: drifting(rng, N_CHARS, 300, 50)})
    names = ("a", "b", "c", "four", "rare")
    asked = target_of_labels(source.corpus, "kind", Labels(codes, "categorical", names=names))
    found = rank(source, asked)
    chosen = [each.label for each in found.units]
    assert "four" not in chosen
    assert chosen.count("rare") < 0.4 * len(chosen)
    assert any(
        "no score for classes of kind with fewer than 8 runs" in note and "four (" in note for note in found.notes
    )
    assert not any(each.q < 0.05 for each in found.units)
    assert covered(found) > 0.88


def covered(found: Ranking) -> float:
    return float(np.mean([each.low <= 0.5 <= each.high for each in found.units if np.isfinite(each.low)]))
