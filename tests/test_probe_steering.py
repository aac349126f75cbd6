"""Steering: texts that are written with units held or a direction added, beside unsteered ones of the same seed."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Command, rows
from planting import Arrays, random_model
from scipy import stats

import probe
from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import save_model
from activations.models.evaluation import losses
from activations.models.intervening import intervene
from activations.models.sampling import write_texts
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.vocab import Vocabulary
from activations.units import Site
from analyses.causes.directions import Direction, mean_difference
from analyses.causes.text_effects import LOSS, Measured, text_effects, text_means
from analyses.errors import AnalysisError
from analyses.intervals.matched_p_values import matched_p_value
from probe.plots import figure_of, plot_steering, save_figure
from probe.steering import Steering, WritingOptions, steer

SITE = Site.of(0, "hidden")
SHARES = {"a": 0.6, "b": 0.3, "\n": 0.1}
VOWEL_WEIGHT = -3.0
SHORT = WritingOptions(n_texts=10, n_chars=50)
any_steer: Any = steer


def writer_of_shares(seed: int | None = None, n_units: int = 12) -> CharRNN:
    """Writes a, b and line ends by `SHARES`; unit 3 multiplies the odds of the only vowel by e^(-3 h).

    With a seed, all units move a little with the text, and all are read a little.
    """
    model = CharRNN(ModelConfig(cell="rnn", n_layers=1, n_units=n_units), Vocabulary("".join(SHARES))).eval()
    generator = torch.Generator().manual_seed(seed or 0)
    for weight in model.parameters():
        noise = torch.randn(weight.shape, generator=generator)
        weight.data = 0.1 * noise if seed is not None and weight.ndim == 2 else torch.zeros_like(weight)
    model.readout.bias.data = torch.tensor(list(SHARES.values())).log()
    model.readout.weight.data[:, 3] = torch.tensor([VOWEL_WEIGHT, 0.0, 0.0])
    return model


def shares_if_held_at(value: float) -> dict[str, float]:
    """The probability of each character if unit 3 is held."""
    odds = {char: share * math.exp(VOWEL_WEIGHT * value * (char == "a")) for char, share in SHARES.items()}
    return {char: each / sum(odds.values()) for char, each in odds.items()}


def effect_on(steering: Steering, measure: str, at: float) -> Any:
    [effect] = [effect for effect in steering.effects if effect.measure == measure and effect.at == at]
    return effect


@pytest.mark.parametrize("by", ["holding", "adding"])
def test_a_unit_that_decides_what_is_written_has_the_effect_that_can_be_calculated(by: str) -> None:
    """Its value is 0 without steering, so that holding it and adding to it are the same."""
    values, options = [-0.5, 0.0, 1.0], WritingOptions(n_texts=40, n_chars=200, seed=4)
    model = writer_of_shares()
    if by == "holding":
        steering = steer(model, {"0/hidden/3": values}, "vowel", options=options)
    else:
        vector = np.eye(12)[3]
        steering = steer(model, (SITE, vector), "vowel", factors=values, n_matched=0, options=options)
    for value in values:
        share = shares_if_held_at(value)
        n = 40 * 200
        effect = effect_on(steering, "vowel", value)
        assert effect.steered == pytest.approx(share["a"], abs=4 * math.sqrt(share["a"] * (1 - share["a"]) / n))
        assert effect.unsteered == pytest.approx(0.6, abs=4 * math.sqrt(0.24 / n))
        nats = {char: -math.log(each) for char, each in SHARES.items()}
        mean = sum(share[char] * nats[char] for char in SHARES)
        variance = sum(share[char] * (nats[char] - mean) ** 2 for char in SHARES)
        loss = effect_on(steering, LOSS, value)
        assert loss.steered == pytest.approx(mean, abs=4 * math.sqrt(variance / n))
    if by == "holding":  # the other units are not read
        assert {(effect.matched, effect.matched_sd) for effect in steering.effects} == {(0.0, 0.0)}
        assert effect_on(steering, "vowel", 1.0).q < 1e-9
        assert steering.n_matched == 10


def test_what_changes_nothing_leaves_every_text_as_it_is() -> None:
    model = random_model("abc\n", gain=2.0)
    vector = np.arange(8.0)
    steering = steer(model, (Site.of(1, "cell"), vector), "vowel", factors=[0.0, 1.0], options=SHORT)
    assert steering.samples[0].texts == steering.unsteered != steering.samples[1].texts
    for measure in ("vowel", LOSS):
        effect = effect_on(steering, measure, 0.0)
        assert effect.effect == effect.low == effect.high == effect.matched == 0 and math.isnan(effect.p)
    assert "the same in every text" in steering.findings[0]


def test_texts_are_those_of_the_seed_with_the_intervention() -> None:
    model = random_model("abc\n", gain=2.0)
    options = WritingOptions(n_texts=3, n_chars=20, prompt="ab", temperature=0.7, top_k=3, seed=5)
    arguments: dict[str, Any] = {"prompt": "ab", "temperature": 0.7, "top_k": 3, "seed": 5}
    held = {"1/hidden/2": 0.9, "0/cell/1": -2.0}
    steering = steer(model, held, "vowel", options=options, n_matched=0)
    assert list(steering.unsteered) == write_texts(model, 3, 20, **arguments)
    with intervene(model, list(held), probe.clamp(list(held.values()))):
        assert list(steering.samples[0].texts) == write_texts(model, 3, 20, **arguments)
    assert steering.samples[0].intervention == "1/hidden/2 = 0.9 + 0/cell/1 = -2"


def test_the_unsteered_model_may_be_intervened_in_itself() -> None:
    model = random_model("abc\n", gain=2.0)
    with intervene(model, "1/cell/1", probe.clamp(3.0)):
        expected = write_texts(model, 10, 50, prompt="\n")
        steering = steer(model, {"0/cell/1": 0.5}, "vowel", options=SHORT, n_matched=0)
        nats = losses(model, Corpus.from_texts(expected)).nats
    assert list(steering.unsteered) == expected
    assert effect_on(steering, LOSS, 0.5).unsteered == pytest.approx(nats.mean(), rel=1e-5)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("prompt", ["a", "abba"])
def test_only_what_is_written_is_measured(prompt: str, backwards: bool) -> None:
    model = random_model("abc\n", gain=2.0)
    model.reading_rule = ReadingRule(backwards=backwards)
    options = WritingOptions(n_texts=4, n_chars=30, prompt=prompt)
    steering = steer(model, {"0/cell/1": 0.5}, "vowel", options=options, n_matched=0)
    texts = steering.unsteered
    written = [text[:30] if backwards else text[-30:] for text in texts]
    assert all(text == (own + prompt if backwards else prompt + own) for text, own in zip(texts, written, strict=True))
    effect = effect_on(steering, "vowel", 0.5)
    assert effect.unsteered == pytest.approx(np.mean([text.count("a") / 30 for text in written]))
    nats = losses(model, Corpus.from_texts(texts)).nats.reshape(4, -1)
    own = nats[:, :30] if backwards else nats[:, -30:]
    assert effect_on(steering, LOSS, 0.5).unsteered == pytest.approx(own.mean(), rel=1e-5)


def test_the_interval_is_students_over_the_texts(rng: np.random.Generator) -> None:
    unsteered, steered = rng.normal(size=(2, 20))
    unsteered[3] = np.nan  # where it cannot be measured
    matched = rng.normal(size=(6, 20))
    [effect] = text_effects([Measured("a unit", 1.0, "a measure", unsteered, steered, matched)])
    differences = np.delete(steered - unsteered, 3)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert (effect.low, effect.high) == pytest.approx((expected.low, expected.high))
    assert effect.effect == pytest.approx(differences.mean()) and effect.n_texts == 19
    of_matched = np.nanmean(matched - unsteered, axis=1)
    assert (effect.matched, effect.matched_sd) == pytest.approx((of_matched.mean(), of_matched.std(ddof=1)))
    by_text = np.delete(steered - matched.mean(axis=0), 3)
    deviations = np.delete(matched - unsteered, 3, axis=1) - np.delete(matched - unsteered, 3, axis=1).mean(axis=0)
    expected_p = matched_p_value(
        effect.beyond_matched,
        by_text.var(ddof=1) / 19,
        18,
        matched_variance=of_matched.var(ddof=1),
        matched_error_variance=deviations.var(axis=1, ddof=1).sum() / 19 / 5,
        n_matched=6,
    )
    assert effect.p == pytest.approx(expected_p) and effect.q == effect.p


def test_few_texts_or_few_matched_changes_have_no_p_value(rng: np.random.Generator) -> None:
    few = Measured("a unit", 1.0, "a measure", rng.normal(size=7), rng.normal(size=7), rng.normal(size=(9, 7)))
    alone = Measured("a unit", 1.0, "a measure", rng.normal(size=30), rng.normal(size=30), np.empty((0, 30)))
    [of_few, of_alone] = text_effects([few, alone])
    assert math.isnan(of_few.p) and math.isnan(of_few.low) and math.isfinite(of_few.matched)
    assert math.isnan(of_alone.p) and math.isfinite(of_alone.low) and math.isnan(of_alone.matched)


def test_changes_like_the_matched_ones_seldom_stand_out(rng: np.random.Generator) -> None:
    """Each has an effect of its own on all texts, drawn from the same distribution, and so have the matched ones."""
    n_found = 0
    for _ in range(200):
        unsteered = rng.normal(size=30)
        texts = unsteered + rng.normal(1, 0.5, size=(11, 1)) + rng.normal(size=(11, 30))
        [effect] = text_effects([Measured("a unit", 1.0, "a measure", unsteered, texts[0], texts[1:])])
        n_found += effect.p < 0.05
    assert n_found <= 21


def n_found_among(seeds: range) -> int:
    """In how many models the unit that decides what is written is found, where all units are read a little."""
    found = 0
    for seed in seeds:
        options = WritingOptions(n_texts=20, n_chars=60, seed=seed)
        steering = steer(writer_of_shares(seed, n_units=24), {"0/hidden/3": 0.9}, "vowel", options=options)
        effect = effect_on(steering, "vowel", 0.9)
        found += effect.q < 0.05 and effect.effect < 0
    return found


def test_the_unit_that_decides_what_is_written_is_found() -> None:
    assert n_found_among(range(5)) == 5


@pytest.mark.slow  # 100 models write 11 sets of texts each; a few of them are above
def test_the_unit_that_decides_what_is_written_is_found_in_every_model() -> None:
    assert n_found_among(range(100)) == 100


@pytest.mark.slow  # 200 models write 11 sets of texts each; the test of synthetic numbers above is quick
def test_units_of_untrained_models_seldom_stand_out() -> None:
    n_found = 0
    for seed in range(200):
        model = random_model("abcde\n", seed, gain=2.0, n_units=30, n_layers=1)
        options = WritingOptions(n_texts=12, n_chars=30, seed=seed)
        steering = steer(model, {f"0/hidden/{seed % 30}": 0.5}, "vowel", options=options)
        n_found += effect_on(steering, "vowel", 0.5).p < 0.05
    assert n_found <= 21


def test_a_direction_is_the_difference_of_the_means(rng: np.random.Generator) -> None:
    text = 'say "one" or "two"\n' * 40
    values = rng.normal(size=(len(text), 5))
    source = Arrays({SITE: values, Site.of(0, "cell"): values[:, :2]}, text)
    holds = np.array(probe.get("in_quotes")(text).values)
    direction = mean_difference(source, "in_quotes", "0/hidden")
    np.testing.assert_allclose(direction.vector, values[holds].mean(axis=0) - values[~holds].mean(axis=0))
    assert (direction.name, direction.site) == ("in_quotes", SITE)
    since = np.array(probe.get("position_in_quotes >= 2")(text).values)  # which has no label outside quotes
    present = probe.get("position_in_quotes >= 2")(text).present
    some = mean_difference(source, "position_in_quotes >= 2", "hidden").vector
    expected = values[present & since].mean(axis=0) - values[present & ~since].mean(axis=0)
    np.testing.assert_allclose(some, expected)
    with pytest.raises(AnalysisError, match="'position_in_line' is not True or False"):
        mean_difference(source, "position_in_line", "hidden")
    with pytest.raises(AnalysisError, match="a direction is of one site, and 0/hidden, 0/cell are named"):
        mean_difference(source, "in_quotes", "0")


def test_what_a_hypothesis_measures_in_a_text() -> None:
    texts = ['""ab"cd"', '""abcdef']
    assert text_means(texts, "in_quotes", slice(2, None)).tolist() == [0.5, 0.0]
    assert text_means(texts, "position_in_line", slice(2, None)).tolist() == [5.5, 5.5]
    positions = text_means(texts, "position_in_quotes", slice(2, None))
    assert positions[0] > 0 and math.isnan(positions[1])
    with pytest.raises(AnalysisError, match="'char_class' has several classes, .* such as 'char_class == "):
        text_means(texts, "char_class", slice(None))


@pytest.mark.parametrize(
    ("steered", "complaint"),
    [
        ({"0/hidden/12": 0.0}, "0/hidden has 12 units, 0 to 11, and so no 12"),
        ({"0/cell/3": 0.0}, "there is no site 0/cell here; there are 0/hidden"),
        ({"0/hidden/3": 1.5}, r"1\.5 is outside the range of 0/hidden"),
        ({"0/hidden/3": math.nan}, "no numbers"),
        ({"0/hidden/3": [0, 1], "0/hidden/4": [0]}, "0/hidden/3 has 2, 0/hidden/4 has 1"),
        ({"0/hidden/3": []}, "one or more; 0/hidden/3 has 0"),
        ({}, "none is held"),
        ((Site.of(1, "hidden"), np.ones(12)), "there is no site 1/hidden here"),
        ((SITE, np.ones(11)), "it has 12 units"),
        ((SITE, np.zeros(12)), "is 0 everywhere"),
        ((SITE, np.full(12, np.inf)), "no numbers"),
        (Direction("mine", SITE, np.ones(12)), "the site's values never change"),
    ],
)
def test_what_cannot_steer_is_refused(steered: Any, complaint: str) -> None:
    with pytest.raises(ActivationError, match=complaint):
        any_steer(writer_of_shares(), steered, "vowel", options=SHORT)


def test_wrong_requests_are_refused_with_a_sentence() -> None:
    model = writer_of_shares()
    with pytest.raises(ActivationError, match="the factors of the direction are"):
        steer(model, (SITE, np.ones(12)), "vowel", factors=[], options=SHORT)
    with pytest.raises(ActivationError, match="the number of matched changes is -1"):
        steer(model, {"0/hidden/3": 0.0}, "vowel", n_matched=-1)
    with pytest.raises(ActivationError, match="a model of your own computes its steps itself"):
        any_steer("model.pt", {"0/hidden/3": 0.0}, "vowel")
    with pytest.raises(probe.HypothesisError, match="did you mean 'vowel'"):
        steer(model, {"0/hidden/3": 0.0}, "vowels", options=SHORT)
    held = steer(model, {"0/hidden/3": 1.5}, "vowel", options=SHORT, n_matched=0, force=True)
    assert held.samples[0].at == 1.5


def test_predictions_that_are_no_numbers_are_a_sentence() -> None:
    model = writer_of_shares()
    model.readout.weight.data[:, 3] = torch.tensor([1e30, -1e30, 1e30])
    with pytest.raises(ActivationError, match="too large for float32"):
        steer(model, {"0/hidden/3": 1e39}, "vowel", options=SHORT, n_matched=0, force=True)
    with pytest.raises(ActivationError, match="no character can be drawn"):
        steer(model, {"0/hidden/3": 1e20}, "vowel", options=SHORT, n_matched=0, force=True)


def test_the_picture_has_a_panel_for_each_measure(tmp_path: Path) -> None:
    steering = steer(writer_of_shares(1), {"0/hidden/3": [1.0, -1.0, 0.0]}, ["vowel", "line_length"], options=SHORT)
    panels = plot_steering(steering)
    assert [panel.get_title() for panel in panels] == ["vowel", "line_length", "loss of the unsteered model"]
    for panel, measure in zip(panels, ("vowel", "line_length", LOSS), strict=True):
        drawn = next(line for line in panel.get_lines() if line.get_label() == "steered, with 95 % interval")
        assert drawn.get_xydata().tolist() == [  # type: ignore[union-attr]
            [at, effect_on(steering, measure, at).effect] for at in (-1.0, 0.0, 1.0)
        ]
    save_figure(figure_of(panels[0]), tmp_path / "a.png")


# The command


def test_the_command_prints_what_the_function_returns(run: Command) -> None:
    model = writer_of_shares(2)
    save_model(model, "model.pt")
    arguments = ["vowel", "--model", "model.pt", "--hold", "0/hidden/3=-1,1", "--samples", "10", "--length", "50"]
    status, out, err = run("steer", *arguments, "--json", "--seed", "3")
    assert status == 0, err
    options = WritingOptions(n_texts=10, n_chars=50, seed=3)
    expected = steer(model, {"0/hidden/3": [-1, 1]}, "vowel", options=options)
    for row, own in zip(rows(out), expected.rows(), strict=True):
        assert row == {
            key: None if isinstance(value, float) and math.isnan(value) else value for key, value in own.items()
        }
    status, out, err = run("steer", *arguments, "--seed", "3", "--show", "2", "-o", "a.svg", "--csv", "a.csv")
    assert status == 0, err
    assert out.count("\n0/hidden/3 = ") >= 2 and Path("a.svg").exists() and Path("a.csv").exists()
    assert "beside 10 units of the same site and variance" in out


def test_the_command_adds_a_direction(run: Command, code_text: str) -> None:
    model = random_model(code_text)
    save_model(model, "model.pt")
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    assert run("extract", "model.pt", "corpus.txt")[0] == 0
    brief = [
        "--samples",
        "8",
        "--length",
        "20",
        "--matched",
        "5",
        "--add",
        "in_quotes",
        "--model",
        "model.pt",
        "--json",
    ]
    results = []
    for source in (["activations.h5"], [], ["--text", "corpus.txt"]):
        status, out, err = run("steer", "in_quotes", *source, *brief, "--alpha", "0,2")
        assert status == 0, err
        results.append(rows(out))
    assert results[0] == results[1]
    for row, other in zip(results[1], results[2], strict=True):
        assert row["intervention"] == other["intervention"] and row["intervention"].startswith(
            "in_quotes at 1/hidden ×"
        )
    status, out, _ = run("steer", "in_quotes", *brief, "--site", "0/cell")
    assert status == 0 and rows(out)[0]["intervention"] == "in_quotes at 0/cell × 1"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "say what to steer by: --hold 0/cell/163=1, or --add in_quotes"),
        (["--hold", "0/cell/1=0", "--add", "in_quotes"], "say what to steer by"),
        (["--hold", "0/cell/1"], "is no unit with a value; write --hold 0/cell/163=1"),
        (["--hold", "0/cell/1=x"], "has a value that is no number"),
        (["--hold", "0/cell/1=0", "--hold", "0/cell/1=1"], "0/cell/1 is named twice"),
        (["--hold", "0/cell/1=0", "--site", "0/cell"], "--site and --alpha are of a direction"),
        (["--hold", "0/cell/99=0"], "0/cell has 8 units, 0 to 7, and so no 99"),
        (["--hold", "0/hidden/1=2"], "2 is outside the range of 0/hidden, whose units are always within [-1, 1]"),
        (["--hold", "0/cell/1=0", "--text", "corpus.txt"], "a recording or --text is for --add"),
        (["--hold", "0/cell/1=0", "-o", "a.jpg"], "a.jpg is not a picture that can be drawn"),
        (["--add", "in_quotes"], "--model needs a recording or --text, too"),
        (["--add", "in_wiki_link", "--text", "corpus.txt"], "False at every character"),
        (["--add", "in_quotes", "--text", "corpus.txt", "--alpha", "a"], "has a value that is no number"),
    ],
)
def test_wrong_arguments_are_refused(run: Command, code_text: str, arguments: list[str], complaint: str) -> None:
    save_model(random_model(code_text), "model.pt")
    Path("corpus.txt").write_text(code_text[:5000], encoding="utf-8")
    status, out, err = run("steer", "in_quotes", "--model", "model.pt", *arguments)
    assert status in (1, 2) and out == ""
    assert complaint in " ".join(err.replace("│", " ").split())


def test_the_model_has_to_be_named(run: Command) -> None:
    assert "name the model that is to write" in run("steer", "in_quotes", "--hold", "0/cell/1=0")[2]


def test_without_a_hypothesis_the_texts_are_shown_and_their_loss_is_measured(run: Command) -> None:
    model = writer_of_shares(2)
    save_model(model, "model.pt")
    brief = ("--hold", "0/hidden/3=1", "--samples", "8", "--length", "30", "--model", "model.pt")
    status, out, err = run("steer", *brief, "--json")
    assert status == 0, err
    [row] = rows(out)
    expected = steer(model, {"0/hidden/3": 1.0}, options=WritingOptions(n_texts=8, n_chars=30))
    assert (row["measure"], row["effect"]) == (LOSS, effect_on(expected, LOSS, 1.0).effect)
    status, out, err = run("steer", *brief, "--show", "1", "-o", "a.png")
    assert status == 0, err
    assert "unsteered" in out and "0/hidden/3 = 1" in out
    assert expected.samples[0].texts[0].split()[0] in out
