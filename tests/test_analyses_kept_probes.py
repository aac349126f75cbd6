"""Kept probes: files give them back to the last bit, and elsewhere they say what they would have said at home."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planting import PLANTED, Arrays, in_runs, random_model

from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.probing.applying import apply_probes
from analyses.probing.kept_probes import Probe, load_probe, load_probes, save_probes
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit, fit_units
from analyses.probing.results import score_names
from analyses.targets.labelling import target_of_labels
from analyses.targets.target import Target
from hypotheses.labels import Labels

SITE = PLANTED["in_quotes"].site
A = Site("a")
FAST = FitOptions(penalty=10.0, keep=True)


def hand_made(**changes: object) -> Probe:
    """A probe of two of three units of a site, whose output is 2 · (first − 1) − 3 · (third − 2) / 2 + 0.5."""
    facts = {
        "hypothesis": "mine",
        "kind": "binary",
        "site": "2 units",
        "sites": {A: 3},
        "units": (Unit(A, 0), Unit(A, 2)),
        "weights": np.array([[2.0], [-3.0]]),
        "intercept": np.array([0.5]),
        "mean": np.array([1.0, 2.0]),
        "scale": np.array([1.0, 2.0]),
        **changes,
    }
    return Probe(**facts)  # type: ignore[arg-type]


def labelled(source: Arrays, values: np.ndarray) -> Target:
    return target_of_labels(source.corpus, "mine", Labels(values, "binary"))


@pytest.mark.parametrize("hypothesis", ["in_quotes", "position_in_line", "char_class"])
def test_a_file_gives_probes_back_to_the_last_bit(planted: Path, hypothesis: str) -> None:
    with Recording(planted) as recording:
        kept = [result.probe for result in fit(recording, hypothesis, options=FAST) if result.probe is not None]
    assert len(kept) == 3
    save_probes("kept.npz", kept, made_by="char-probe 0: probe fit")
    for probe, again in zip(kept, load_probes("kept.npz"), strict=True):
        for name in ("weights", "intercept", "mean", "scale", "held_out"):
            before, after = getattr(probe, name), getattr(again, name)
            assert before.dtype == after.dtype
            assert before.tobytes() == after.tobytes()
        arrays = {"weights", "intercept", "mean", "scale", "held_out"}
        for name in set(Probe.__dataclass_fields__) - arrays - {"made_by"}:
            assert getattr(probe, name) == getattr(again, name), name
        assert again.made_by == "char-probe 0: probe fit"


@pytest.mark.parametrize("hypothesis", ["in_quotes", "position_in_line", "char_class"])
def test_on_its_own_text_a_probe_gets_the_scores_of_its_fit(planted: Path, hypothesis: str) -> None:
    with Recording(planted) as recording:
        [fitted] = fit(recording, hypothesis, sites=[SITE], options=FAST)
        fitted.save("kept.npz")
        [applied] = apply_probes(recording, load_probes("kept.npz"), controls=(), options=FAST)
    assert (applied.site, applied.units, applied.control) == (fitted.site, fitted.units, None)
    assert (applied.n_train, applied.n_test, applied.penalties) == (fitted.n_train, fitted.n_test, fitted.penalties)
    for name in score_names(fitted.kind):
        assert getattr(applied, name) == pytest.approx(getattr(fitted, name), abs=1e-6), name
    for name, (low, high) in fitted.intervals.items():
        assert applied.intervals[name] == pytest.approx((low, high), abs=1e-6, nan_ok=True)
    assert fitted.predictions is not None
    assert applied.predictions is not None
    np.testing.assert_allclose(applied.predictions, fitted.predictions, atol=1e-5)


def test_what_a_probe_says_is_calculated_from_its_weights(planted: Path) -> None:
    with Recording(planted) as recording:
        [fitted] = fit(recording, "in_quotes", sites=[SITE], options=FAST)
        values = recording.read([SITE])[SITE]
    assert fitted.probe is not None
    assert fitted.logits is not None
    is_held_out = np.isfinite(fitted.logits[:, 0])
    np.testing.assert_allclose(fitted.probe.outputs(values)[is_held_out], fitted.logits[is_held_out], atol=1e-4)


def test_a_probe_finds_its_hypothesis_in_another_text(rng: np.random.Generator) -> None:
    """The output of the probe is the label with the sign of noise that is too small to matter: all is right."""
    labels = in_runs(rng, 30_000, 20.0)
    values = rng.normal(0, 1, (30_000, 3))
    values[:, 0], values[:, 2] = 2.0 * labels, 2.0  # the output is 2.5 inside and −1.5 outside
    source = Arrays({A: values.astype(np.float32)})
    probe = hand_made(text_sha256="another", majority_class=1)
    result, control = apply_probes(source, probe, labelled(source, labels))
    assert (result.accuracy, result.auc, result.n_test) == (1.0, 1.0, 30_000)
    assert result.majority_accuracy == pytest.approx(labels.mean())
    n_inside = int(labels.sum())
    loss = (n_inside * np.log1p(np.exp(-2.5)) + (30_000 - n_inside) * np.log1p(np.exp(-1.5))) / 30_000
    assert result.log_loss == pytest.approx(loss, abs=1e-6)
    assert control.control == "runs"
    low, high = control.interval
    assert low < 0.5 < high
    assert 0.4 < control.auc < 0.6


def test_the_interval_on_another_text_covers_dependent_characters(rng: np.random.Generator) -> None:
    """A noisy unit that is constant over 500 characters: characters would give an interval ten times as narrow."""
    n_chars, length = 60_000, 500
    labels = in_runs(rng, n_chars, 20.0)
    noise = np.repeat(rng.normal(0, 2, n_chars // length), length)
    values = np.zeros((n_chars, 3), np.float32)
    values[:, 0], values[:, 2] = 2.0 * labels + noise, 2.0
    source = Arrays({A: values})
    [result] = apply_probes(source, hand_made(), labelled(source, labels), controls=())
    low, high = result.intervals["accuracy"]
    assert high - low > 4 * 2 * np.sqrt(result.accuracy * (1 - result.accuracy) / n_chars)
    assert result.estimates["accuracy"].n_cosines is not None


def test_a_direction_is_that_of_the_weights_per_unit_of_activation() -> None:
    site, direction = hand_made().direction
    assert site == A
    np.testing.assert_allclose(direction, np.array([2.0, 0.0, -1.5]) / 2.5)
    x = np.array([[3.0, 1.0]])
    step = hand_made().outputs(x + 0.1 * direction[[0, 2]]) - hand_made().outputs(x)
    assert step.item() == pytest.approx(0.1 * 2.5)
    assert hand_made().outputs(x).item() == pytest.approx(2 * 2 + 3 / 2 + 0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": np.zeros((2, 1))}, "all weights"),
        ({"kind": "categorical", "classes": tuple("abc"), "weights": np.ones((2, 3))}, "class against the rest"),
        ({"sites": {A: 3, Site("b"): 2}, "units": (Unit(A, 0), Unit(Site("b"), 1))}, "single site"),
    ],
)
def test_a_probe_without_a_direction_says_why(changes: dict[str, object], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        _ = hand_made(**changes).direction


def test_a_probe_that_has_seen_all_of_a_text_is_not_judged_on_it(planted: Path) -> None:
    with Recording(planted) as recording:
        [fitted] = fit(recording, "in_quotes", sites=[SITE], options=replace(FAST, folds=5))
        assert fitted.probe is not None
        assert len(fitted.probe.held_out) == 0
        with pytest.raises(AnalysisError, match="seen all of this text"):
            apply_probes(recording, fitted.probe)


def test_a_probe_of_another_model_is_refused(code_text: str) -> None:
    corpus = Corpus.from_texts([code_text[:12_000]])
    first, second = (LiveActivations(random_model(code_text, seed), corpus) for seed in (0, 1))
    [fitted] = fit_units(first, "in_quotes", [["0/hidden/1", "0/hidden/4"]], options=FAST)
    assert fitted.probe is not None
    with pytest.raises(AnalysisError, match="--any-model"):
        apply_probes(second, fitted.probe)
    [there] = apply_probes(second, fitted.probe, any_model=True, controls=())
    [here] = apply_probes(first, fitted.probe, controls=())
    assert there.auc != here.auc == pytest.approx(fitted.auc, abs=1e-6)
    smaller = LiveActivations(random_model(code_text, n_units=4), corpus)
    with pytest.raises(AnalysisError, match="sees 0/hidden of 8 units, and these activations have 4 units"):
        apply_probes(smaller, fitted.probe, any_model=True)


def test_labels_of_another_kind_or_of_unknown_classes_are_refused() -> None:
    source = Arrays({A: np.zeros((2000, 3), np.float32)})
    numbers = target_of_labels(source.corpus, "mine", Labels(np.arange(2000.0), "numeric"))
    with pytest.raises(AnalysisError, match="is numeric"):
        apply_probes(source, hand_made(), numbers)
    of_classes = hand_made(kind="categorical", classes=("a", "b", "c"), weights=np.ones((2, 3)), intercept=np.ones(3))
    codes = Labels(np.arange(2000, dtype=np.int32) % 3, "categorical", names=("b", "c", "d"))
    with pytest.raises(AnalysisError, match="does not know: d"):
        apply_probes(source, of_classes, target_of_labels(source.corpus, "mine", codes))


def test_classes_are_matched_by_their_names(rng: np.random.Generator) -> None:
    labels = rng.integers(0, 3, 20_000).astype(np.int32)
    probe = hand_made(
        kind="categorical",
        classes=("a", "b", "c"),
        sites={A: 3},
        units=tuple(Unit(A, n) for n in range(3)),
        weights=np.eye(3),
        intercept=np.zeros(3),
        mean=np.zeros(3),
        scale=np.ones(3),
    )
    values = np.eye(3, dtype=np.float32)[np.array([2, 0, 1])[labels]]  # c, a, b, as the text's labels are named
    source = Arrays({A: values})
    named = target_of_labels(source.corpus, "mine", Labels(labels, "categorical", names=("c", "a", "b")))
    [result] = apply_probes(source, probe, named, controls=())
    assert result.accuracy == 1.0


def test_a_control_that_needs_training_is_refused() -> None:
    source = Arrays({A: np.zeros((2000, 3), np.float32)})
    with pytest.raises(AnalysisError, match="'chars' does not apply to a kept probe; there is runs"):
        apply_probes(source, hand_made(), "in_quotes", controls="chars")


def test_a_file_of_several_probes_gives_the_one_that_is_named(planted: Path) -> None:
    with Recording(planted) as recording:
        results = fit(recording, ["in_quotes", "in_comment"], options=FAST)
    save_probes("kept.npz", [result.probe for result in results if result.probe is not None])
    one = load_probe("kept.npz", site="1/cell", hypothesis="in_comment")
    assert (one.site, one.hypothesis) == ("1/cell", "in_comment")
    with pytest.raises(AnalysisError, match="several such probes: there are in_quotes from 0/hidden"):
        load_probe("kept.npz", site="1/cell")
    with pytest.raises(AnalysisError, match="no such probe"):
        load_probe("kept.npz", hypothesis="in_word")


def test_a_control_is_not_saved(planted: Path) -> None:
    with Recording(planted) as recording:
        results = fit(recording, "in_quotes", sites=[SITE], controls="runs", options=FAST)
    assert [result.probe is None for result in results] == [False, True]
    with pytest.raises(AnalysisError, match="control 'runs'"):
        results[1].save("kept.npz")
    assert not Path("kept.npz").exists()


def damaged(path: str, what: str) -> None:
    """Write a file of a probe that something is wrong with."""
    hand_made().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    description = json.loads(str(arrays["description"]))
    if what == "other arrays":
        arrays = {"x": np.zeros(3)}
    elif what == "version":
        description["version"] = 99
    elif what == "format":
        description["format"] = "character statistics"
    elif what == "shape":
        arrays["0/mean"] = np.zeros(3)
    elif what == "not finite":
        arrays["0/weights"] = np.full((2, 1), np.nan)
    elif what == "unit":
        description["probes"][0]["units"] = ["a/0", "a/7"]
    elif what == "no unit":
        description["probes"][0]["units"] = ["a/0", "nothing"]
    elif what == "absent array":
        del arrays["0/scale"]
    elif what == "pickle":
        arrays["0/scale"] = np.array([{}, {}], object)
    if what != "other arrays":
        arrays["description"] = np.array("[1" if what == "json" else json.dumps(description))
    np.savez(path, **arrays, allow_pickle=True)
    if what == "cut":
        Path(path).write_bytes(Path(path).read_bytes()[:-200])
    elif what == "text":
        Path(path).write_text("no archive")
    elif what == "empty":
        Path(path).write_bytes(b"")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("other arrays", "damaged, or holds no probes"),
        ("version", "version 99"),
        ("format", "holds no probes"),
        ("shape", "not whole"),
        ("not finite", "not whole"),
        ("unit", "not whole"),
        ("no unit", "not whole"),
        ("absent array", "not whole"),
        ("pickle", "damaged, or holds no probes"),
        ("json", "damaged, or holds no probes"),
        ("cut", "damaged, or holds no probes"),
        ("text", "damaged, or holds no probes"),
        ("empty", "damaged, or holds no probes"),
    ],
)
def test_a_file_that_holds_no_whole_probes_is_refused(what: str, message: str) -> None:
    damaged("kept.npz", what)
    with pytest.raises(AnalysisError, match=message):
        load_probes("kept.npz")


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(AnalysisError, match=r"cannot read absent\.npz: No such file"):
        load_probes("absent.npz")


@pytest.mark.parametrize("change", [{"weights": np.zeros(0)}, {"weights": np.array(1.0)}, {"held_out": np.zeros(3)}])
def test_arrays_with_fewer_axes_are_called_damaged(change: dict[str, np.ndarray]) -> None:
    save_probes("kept.npz", [hand_made()])
    with np.load("kept.npz") as file:
        arrays = {name: file[name] for name in file.files}
    np.savez("kept.npz", **(arrays | {f"0/{name}": values for name, values in change.items()}))
    with pytest.raises(AnalysisError, match="a probe in it is not whole"):
        load_probes("kept.npz")


@pytest.mark.parametrize("value", [1, -1, 1e400])
def test_a_majority_class_that_there_is_not_is_called_damaged(value: float) -> None:
    save_probes("kept.npz", [replace(hand_made(), majority_class=value)])  # type: ignore[arg-type]
    with pytest.raises(AnalysisError, match="a probe in it is not whole"):
        load_probes("kept.npz")
