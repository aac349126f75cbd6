"""Impulses: what one change of a unit does from then on, and for how long."""

import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from planting import random_model
from quote_cell import N_UNITS, cell_of, losses_of, quote_model, quote_text
from references import KINDS, Kind, ids_of, name_of, read_by_equations, unusual_model
from torch import Tensor

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.vocab import Vocabulary
from activations.units import Site, Unit
from analyses.causes.impulses.impulse import impulse
from analyses.causes.impulses.impulse_averages import duration_of
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Estimate
from hypotheses.registry import get

ALL = 10**6
TEXT = 'The "quick" brown fox "jumps over" the lazy dog.\n"Well," it said, "so be it."\n' * 2


def live_on(text: str, model: CharRNN | None = None) -> LiveActivations:
    return LiveActivations(model or quote_model(), Corpus.from_texts([text]))


def starts_in(text: str, n_steps: int) -> list[int]:
    """The characters in quotes that have one before them and enough after them."""
    labels = get("in_quotes")(text).values
    return [t for t in range(1, len(text) - n_steps - 1) if labels[t]]


@pytest.mark.parametrize(("to", "amount"), [("0.25", None), ("zero", None), ("+0.5", 0.5), ("other", None)])
def test_what_is_left_in_the_model_made_by_hand(to: str, amount: float | None, rng: np.random.Generator) -> None:
    text, n_steps = quote_text(rng, 700), 24
    result = impulse(live_on(text), "in_quotes", "0/cell/0", to=to, n_starts=ALL, n_steps=n_steps, n_matched=0)
    plain = cell_of(text)
    labels = np.asarray(get("in_quotes")(text).values)
    values = {"0.25": 0.25, "zero": 0.0, "other": float(plain[:-1][~labels[:-1]].mean())}
    own, loss = [], []
    for start in starts_in(text, n_steps):

        def change(t: int, cell: float, start: int = start) -> float:
            return cell if t != start else cell + amount if amount is not None else values[to]

        cells = cell_of(text, change)
        own.append((cells - plain)[start : start + n_steps + 1])
        loss.append((losses_of(text, cells) - losses_of(text, plain))[start : start + n_steps + 1])
    expected = np.einsum("tk,t->k", own, np.array(own)[:, 0]) / np.sum(np.array(own)[:, 0] ** 2)
    (unit,) = result.units
    assert result.n_starts == len(own)
    np.testing.assert_allclose([step.remaining for step in unit.steps], expected, atol=1e-5)
    np.testing.assert_allclose([step.loss for step in unit.steps], np.mean(loss, axis=0), atol=1e-5)
    assert unit.loss == pytest.approx(np.mean(loss), abs=1e-5)
    for duration, level in zip(unit.durations, (0.5, np.exp(-1)), strict=True):
        is_there = np.flatnonzero(np.abs(expected) > level)
        assert duration.k == (None if is_there[-1] == n_steps else is_there[-1] + 1)


def test_a_change_that_decays_lasts_as_long_as_it_should() -> None:
    """Without quotes after it, what is left after k characters is sigmoid(3)^k: half after 15, 1/e after 21."""
    text = ("ab " * 9 + '"' + "ab " * 25) * 8
    (unit,) = impulse(
        live_on(text), "in_quotes", "0/cell/3", to="+0.01", n_starts=ALL, n_steps=30, n_matched=0, seed=1
    ).units
    decay = 1 / (1 + np.exp(-3.0))
    np.testing.assert_allclose([step.remaining for step in unit.steps], decay ** np.arange(31.0), atol=1e-4)
    assert [duration.k for duration in unit.durations] == [15, 21]
    assert [step.loss for step in unit.steps] == [0.0] * 31  # nothing reads this cell


def flipping_model(weight: float) -> CharRNN:
    """An RNN whose unit n, near 0, becomes `weight` times itself at every character, whatever that is."""
    model = CharRNN(ModelConfig(cell="rnn", n_layers=1, n_units=2), Vocabulary.of(['ab" '])).eval()
    weights = {name: torch.zeros_like(array) for name, array in model.state_dict().items()}
    weights["rnn.weight_hh_l0"] = weight * torch.eye(2)
    model.load_state_dict(weights)
    return model


def test_a_change_that_flips_its_sign_is_still_there(rng: np.random.Generator) -> None:
    """Half of (−.95)^k is left for 13 characters, and 1/e for 19: by its sign it would be gone after one."""
    live = live_on(quote_text(rng, 900), flipping_model(-0.95))
    result = impulse(live, "in_quotes", "0/hidden/0", to="+0.001", n_steps=30, n_matched=0)
    (unit,) = result.units
    np.testing.assert_allclose([step.remaining for step in unit.steps], (-0.95) ** np.arange(31), atol=1e-4)
    half, e_fold = unit.durations
    assert (half.k, half.low, half.high, half.reversed_after) == (14, 14, 14, 1)
    assert (e_fold.k, e_fold.reversed_after) == (20, 1)
    assert str(half) == "14 characters (14 to 14), with reversed sign after 1 character"
    assert "1/e after 20 characters (20 to 20), with reversed sign after 1 character;" in unit.finding
    assert {(row["half_after"], row["half_reversed_after"], row["e_fold_after"]) for row in result.rows()} == {
        (14, 1, 20)
    }


def test_a_change_that_stays_with_reversed_sign_lasts(rng: np.random.Generator) -> None:
    live = live_on(quote_text(rng, 900), flipping_model(-0.95))
    (unit,) = impulse(live, "in_quotes", "0/hidden/0", to="+0.001", n_steps=1, n_matched=0).units
    assert [duration.k for duration in unit.durations] == [None, None]
    assert str(unit.durations[0]).startswith("more than 1 characters: it is still there, with reversed sign")
    assert "0/hidden/0: more than half of a change is left after all 1 characters that were read, with" in unit.finding
    (unit,) = impulse(live, "in_quotes", "0/hidden/0", to="+0.001", n_steps=16, n_matched=0).units
    assert "left after 14 characters (14 to 14), and more than 1/e after all 16 characters that were re" in unit.finding


def test_the_interval_of_a_duration_is_that_of_its_size() -> None:
    """Half is left up to 3; the interval at 3 has it, and 0, in it, and the one at 4 has −.5."""
    values, errors = [1.0, 0.9, -0.8, 0.6, -0.1, 0.1], [0.0, 0.01, 0.01, 0.2, 0.2, 0.01]
    shares = [
        Estimate(value=value, influence=np.array([error, -error]), n_atoms=2, n_cosines=1)
        for value, error in zip(values, errors, strict=True)
    ]
    assert shares[3].interval[0] < 0 and shares[4].interval[0] < -0.5
    duration = duration_of("half", 0.5, shares)
    assert (duration.k, duration.low, duration.high, duration.reversed_after) == (4, 3, 5, 2)


def test_matched_units_that_nothing_reads_change_nothing(rng: np.random.Generator) -> None:
    result = impulse(live_on(quote_text(rng, 3000)), "in_quotes", ["0/cell/0", "0/cell/2"], n_steps=8, n_matched=5)
    quote, other = result.units
    assert (quote.n_matched, quote.loss_matched) == (5, 0.0)
    assert quote.loss < -0.1  # this model awaits the closing quote too soon
    assert quote.loss_p < 0.01
    assert other.loss == 0
    assert result.no_interval_reason == ""
    assert quote.loss_low < quote.loss < quote.loss_high
    assert len(result.rows()) == 2 * 9
    assert "0/cell/0" in str(result)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "gates" not in kind], ids=name_of)
def test_impulses_agree_with_the_equations(kind: Kind) -> None:
    model = unusual_model(TEXT, kind, seed=3)
    n_steps, site = 5, list(model.sites)[-1]
    result = impulse(
        live_on(TEXT, model), "in_quotes", Unit(site, 1), to=0.5, n_starts=ALL, n_steps=n_steps, n_matched=0
    )
    starts = starts_in(TEXT, n_steps)
    ids = ids_of(model, *[TEXT] * (len(starts) + 1))
    n_called: Counter[Site] = Counter()

    def change(here: Site, values: Tensor) -> Tensor:
        t, n_called[here] = n_called[here], n_called[here] + 1
        if here != site or t not in starts:
            return values
        changed = values.clone()
        changed[starts.index(t), 1] = 0.5
        return changed

    found, logits = read_by_equations(model, ids, change)
    losses = torch.nn.functional.cross_entropy(logits[:-1].flatten(0, 1), ids[1:].flatten(), reduction="none")
    losses = losses.reshape(len(TEXT) - 1, -1)
    difference = losses[:, :-1] - losses[:, -1:]
    lanes = np.arange(len(starts))
    expected = [difference[np.array(starts) + k, lanes].mean().item() for k in range(n_steps + 1)]
    (unit,) = result.units
    np.testing.assert_allclose([step.loss for step in unit.steps], expected, atol=1e-5)
    states = [found[s][:, :-1] - found[s][:, -1:] for s in model.carried]
    carried = torch.cat([found[s][:, -1] for s in sorted(model.carried)], dim=1)
    norms = sum((state**2).sum(dim=-1) for state in states)
    assert isinstance(norms, Tensor)
    expected = [norms[np.array(starts) + k, lanes].sqrt().mean().item() for k in range(n_steps + 1)]
    distance = float(torch.sqrt(2 * carried[: len(TEXT)].var(dim=0, correction=0).sum()))
    np.testing.assert_allclose([step.state for step in unit.steps], np.array(expected) / distance, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("seeds", "most"),
    [
        ([5], 6),  # of 40 units; the chance of more is .4 %
        pytest.param(range(5), 21, marks=pytest.mark.slow),  # of 200 units, which takes minutes
    ],
)
def test_units_of_an_untrained_model_seldom_stand_out(seeds: Sequence[int], most: int) -> None:
    """A unit is one like its matched units, so p < .05 about as often as that says."""
    n_shown = 0
    for seed in seeds:
        text = quote_text(np.random.default_rng(seed), 4000)
        live = live_on(text, random_model(text, seed, n_layers=1, n_units=40, cell="gru"))
        units = [f"0/hidden/{n}" for n in range(40)]
        result = impulse(live, "in_quotes", units, n_starts=60, n_steps=4, seed=seed)
        n_shown += sum(unit.loss_p < 0.05 for unit in result.units)
    assert n_shown <= most


@pytest.mark.parametrize("n_seeds", [4, pytest.param(100, marks=pytest.mark.slow)])  # a second each
def test_the_unit_that_carries_the_quotes_is_found(n_seeds: int) -> None:
    for seed in range(n_seeds):
        live = live_on(quote_text(np.random.default_rng(seed), 8000))
        (unit,) = impulse(live, "in_quotes", "0/cell/0", n_starts=400, n_steps=8, n_matched=5, seed=seed).units
        assert unit.loss_p < 0.05


def test_the_same_seed_gives_the_same_numbers(rng: np.random.Generator) -> None:
    live = live_on(quote_text(rng, 1500))
    one, other, third = (
        json.dumps(impulse(live, "in_quotes", "0/cell/0", n_starts=30, n_steps=3, n_matched=2, seed=seed).rows())
        for seed in (1, 1, 2)
    )
    assert one == other
    assert one != third


def test_what_cannot_be_asked_is_said(rng: np.random.Generator) -> None:
    live = live_on(quote_text(rng, 600))
    with pytest.raises(ActivationError, match=f"0/cell has {N_UNITS} units"):
        impulse(live, "in_quotes", "0/cell/99")
    with pytest.raises(AnalysisError, match="none of them has 2,001 characters after it"):
        impulse(live, "in_quotes", "0/cell/0", n_steps=2000)
    with pytest.raises(AnalysisError, match="cannot be set to 'often'; choose other, mean, zero, a number"):
        impulse(live, "in_quotes", "0/cell/0", to="often")
    with pytest.raises(AnalysisError, match="nan is no number"):
        impulse(live, "in_quotes", "0/cell/0", to=float("nan"))
    with pytest.raises(AnalysisError, match="1e39 is no number to set a unit to; models compute with float32"):
        impulse(live, "in_quotes", "0/cell/0", to="1e39", force=True)
    with pytest.raises(ActivationError, match=r"3 is outside the range of 0/hidden.*\[-1, 1\]"):
        impulse(live, "in_quotes", "0/hidden/0", to=3)
    assert impulse(live, "in_quotes", "0/hidden/0", to=3, force=True, n_steps=2, n_matched=0).units[0].loss > 0
    with pytest.raises(ActivationError, match=r"-2\.5 takes any unit of 0/hidden out of its range"):
        impulse(live, "in_quotes", "0/hidden/0", to="+-2.5")
    for to, force, unit in (("+2.5", True, "0/hidden/0"), ("+2", False, "0/hidden/0"), ("+-9", False, "0/cell/0")):
        [added] = impulse(live, "in_quotes", unit, to=to, force=force, n_steps=2, n_matched=0).units
        assert added.steps[0].remaining == 1
    with pytest.raises(AnalysisError, match="n_steps is 0"):
        impulse(live, "in_quotes", "0/cell/0", n_steps=0)
    with pytest.raises(AnalysisError, match="'in_comment' is False at every character"):
        impulse(live, "in_comment", "0/cell/0")


def test_where_nothing_is_changed_nothing_lasts(rng: np.random.Generator) -> None:
    [unit] = impulse(live_on(quote_text(rng, 600)), "in_quotes", "0/cell/0", to="+0", n_steps=4, n_matched=0).units
    assert "nothing is changed" in unit.finding
    assert [str(each) for each in unit.durations] == ["no number of characters: nothing was changed"] * 2


def test_a_model_that_reads_backwards_is_refused(rng: np.random.Generator) -> None:
    model = quote_model()
    model.reading_rule = ReadingRule(backwards=True)
    with pytest.raises(AnalysisError, match="this model reads backwards"):
        impulse(live_on(quote_text(rng, 600), model), "in_quotes", "0/cell/0")


def test_short_documents_have_no_places_at_their_ends() -> None:
    """Of documents of 8 characters, the quote and the next one have a character before, and four after them."""
    live = LiveActivations(quote_model(), Corpus.from_texts(['ab"ababa'] * 40))
    assert impulse(live, "in_quotes", "0/cell/0", n_starts=ALL, n_steps=3, n_matched=0).n_starts == 40 * 2
