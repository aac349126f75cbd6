"""Steering in the explorer, whose texts and numbers are those of the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from planting import Arrays, random_model

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import save_model
from activations.models.sampling import write_texts
from activations.units import Site
from analyses.causes.directions import mean_difference
from analyses.errors import AnalysisError
from analyses.session import Session
from probe.explorer.questions.causes.steering import added_direction, continuations, hold_range
from probe.steering import WritingOptions
from probe.viewer.scales import Scale

SHORT = WritingOptions(n_texts=10, n_chars=40)
UNIT = "0/hidden/3"


@pytest.fixture
def model() -> CharRNN:
    return random_model("abcde \n", n_layers=1, gain=4.0)


def without_nan(row: Any) -> dict[str, Any]:
    return {key: cell for key, cell in row.items() if cell is not None and cell == cell}


def test_the_numbers_are_those_of_the_command(model: CharRNN, run: Command) -> None:
    save_model(model, Path("model.pt"))
    answer = continuations(model, hold={UNIT: 0.9}, hypotheses=["vowel"], n_matched=4, options=SHORT)
    status, out, err = run(
        "steer", "vowel", "--hold", f"{UNIT}=0.9", "--model", "model.pt", "--samples", "10", "--length", "40",
        "--matched", "4", "--json",
    )  # fmt: skip
    assert status == 0, err
    printed = rows(out)
    told = json.loads(json.dumps(answer.as_json(), allow_nan=False))["rows"]
    assert len(told) == len(printed) == 2
    for row, other in zip(told, printed, strict=True):
        assert without_nan(row) == {
            key: pytest.approx(other[key]) if not isinstance(other[key], str) else other[key]
            for key in without_nan(row)
        }
        assert np.isfinite(row["matched"])
    assert answer.n_matched == 4
    assert len(answer.findings) == 1


def test_both_texts_are_drawn_with_the_same_random_numbers(model: CharRNN) -> None:
    options = WritingOptions(n_texts=3, n_chars=60, prompt="ab", seed=5)
    answer = continuations(model, hold={UNIT: -1.0}, n_matched=0, options=options)
    assert answer.unsteered == tuple(write_texts(model, 3, 60, prompt="ab", seed=5))
    for first, before, after in zip(answer.first_differences, answer.unsteered, answer.steered, strict=True):
        assert first is not None
        assert before[:first] == after[:first]
        assert before[first] != after[first]
        assert before.startswith("ab")
        assert len(before) == len(after) == 62
    n_differing = sum(
        one != other
        for pair in zip(answer.unsteered, answer.steered, strict=True)
        for one, other in zip(*pair, strict=True)
    )
    assert answer.share_changed == pytest.approx(n_differing / 186)
    assert "3 texts are too few" in answer.notes[-1]
    assert "nothing stands beside" in answer.notes[1]


def test_the_texts_do_not_depend_on_what_stands_beside_them(model: CharRNN) -> None:
    quick, whole = (continuations(model, hold={UNIT: 0.5}, n_matched=n, options=SHORT) for n in (0, 3))
    assert quick.unsteered == whole.unsteered
    assert quick.steered == whole.steered
    assert [row["effect"] for row in quick.rows] == [row["effect"] for row in whole.rows]


def test_a_unit_that_is_held_where_it_is_not_read_changes_nothing(model: CharRNN) -> None:
    weights = model.state_dict()
    weights["readout.weight"][:, 3] = 0
    weights["rnn.weight_hh_l0"][:, 3] = 0
    model.load_state_dict(weights)
    answer = continuations(model, hold={UNIT: 1.0}, n_matched=0, options=SHORT)
    assert set(answer.first_differences) == {None}
    assert answer.share_changed == 0


def test_a_direction_is_that_of_the_hypothesis(model: CharRNN) -> None:
    values = np.random.default_rng(0).normal(size=(3000, 8)).astype("f4")
    session = Session(Arrays({Site.of(0, "hidden"): values, Site.of(0, "cell"): values}, "abc de\n" * 428 + "abcd"))
    direction = added_direction(session, "vowel")
    expected = mean_difference(session, "vowel", "0/hidden")
    np.testing.assert_array_equal(direction.vector, expected.vector)
    assert direction.site == "0/hidden"
    answer = continuations(model, add=direction, factor=2.0, n_matched=2, options=SHORT)
    assert answer.intervention == "vowel at 0/hidden × 2"
    assert answer.rows[0]["at"] == 2


def test_a_slider_goes_over_the_range_of_a_unit(model: CharRNN) -> None:
    scale = Scale(kind="diverging", offset=-3.0, step=6 / 254)
    ranges = {site: hold_range(model, f"0/{site}/1", scale) for site in ("hidden", "forget_gate", "cell")}
    assert (ranges["hidden"].low, ranges["hidden"].high, ranges["hidden"].is_limit) == (-1, 1, True)
    assert (ranges["forget_gate"].low, ranges["forget_gate"].high) == (0, 1)
    assert (ranges["cell"].low, ranges["cell"].high) == pytest.approx((-3, 3))
    assert not ranges["cell"].is_limit


def test_what_cannot_be_steered_is_refused(model: CharRNN) -> None:
    with pytest.raises(AnalysisError, match="one of the two"):
        continuations(model)
    with pytest.raises(AnalysisError, match="one of the two"):
        continuations(model, hold={})
    with pytest.raises(ActivationError, match="outside the range"):
        continuations(model, hold={UNIT: 3.0}, options=SHORT)


def test_a_progress_ends_the_work(model: CharRNN) -> None:
    class GoneError(Exception):
        pass

    def stop(done: int, total: int, /) -> None:
        raise GoneError

    with pytest.raises(GoneError):
        continuations(model, hold={UNIT: 0.5}, options=SHORT, progress=stop)
