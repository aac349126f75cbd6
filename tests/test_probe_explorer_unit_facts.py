"""The explorer's facts about a unit, whose numbers are those of the commands."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Command, rows
from planting import PLANTED, SITES, Arrays, drifting, random_model
from quote_cell import READOUT, quote_model

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.profiling.unit_profile import unit_profile
from analyses.ranking.explaining.explanation import explain
from analyses.session import Session
from probe.explorer.questions import unit_facts
from probe.explorer.questions.plain_values import plain
from probe.explorer.questions.unit_weights import unit_weights

UNIT = PLANTED["in_comment"]
SITE = Site.of(0, "hidden")
HYPOTHESES = ["in_comment", "in_quotes", "position_in_line", "char_class"]


def as_plain_json(answer: Any) -> Any:
    """What a browser gets of an answer."""
    return json.loads(json.dumps(answer.as_json(), allow_nan=False))


def test_the_distribution_is_that_of_all_recorded_values(planted: Path) -> None:
    with Session(planted) as session:
        answer = unit_facts.distribution(unit_facts.read_unit(session, UNIT))
        values = session.read([UNIT.site])[UNIT.site][:, UNIT.index].astype(float)
    counts, edges = np.histogram(values, 60)
    np.testing.assert_allclose(answer.edges, edges)
    assert np.abs(answer.n - counts).sum() <= 4  # values on an edge
    assert answer.n.sum() == len(values)
    assert (answer.mean, answer.sd, answer.median) == pytest.approx((values.mean(), values.std(), np.median(values)))
    assert as_plain_json(answer)["n"] == answer.n.tolist()


def test_a_unit_that_never_changes_has_a_distribution_and_no_memory() -> None:
    read = unit_facts.read_unit(Session(Arrays({SITE: np.full((2000, 2), 0.5, "f4")})), "0/hidden/1")
    assert unit_facts.distribution(read).n.tolist()[0] == 2000
    answer = unit_facts.memory(read)
    assert "never changes" in answer.sentence
    assert as_plain_json(answer)["time_constant"] is None


def test_a_unit_that_is_no_number_has_no_distribution_and_says_so() -> None:
    read = unit_facts.read_unit(Session(Arrays({SITE: np.full((2000, 2), np.nan, "f4")})), "0/hidden/1")
    with pytest.raises(AnalysisError, match="no value that is a number"):
        unit_facts.distribution(read)
    assert not unit_facts.extremes(read).most
    assert "numbers" in unit_facts.written_by(read).sentence


def test_a_memory_under_the_shortest_lag_is_not_said_to_be_measured(rng: np.random.Generator) -> None:
    """Noise has none: between lag 0 and the first nobody knows where the autocorrelation falls."""
    values = rng.normal(size=(6000, 1)).astype("f4")
    answers = [
        unit_facts.memory(unit_facts.read_unit(Session(Arrays({SITE: values}, selection=selection)), "0/hidden/0"))
        for selection in (None, Selection(0, 6000, 3))
    ]
    assert [answer.sentence for answer in answers] == [
        "its autocorrelation falls under 1/e within 1 character",
        "its autocorrelation falls under 1/e within 3 characters",
    ]


def test_extremes_are_those_of_explain(planted: Path) -> None:
    with Session(planted) as session:
        answer = unit_facts.extremes(unit_facts.read_unit(session, UNIT), n_passages=5)
        explanation = explain(session, UNIT, ["in_comment"])
    for shown, passages in ((answer.most, explanation.most), (answer.least, explanation.least)):
        assert [row["position"] for row in shown] == [passage.position for passage in passages]
        assert shown[0] == {key: getattr(passages[0], key) for key in shown[0]}
    assert answer.most[0]["value"] > 1 > answer.least[0]["value"]


def test_the_time_constant_is_that_of_the_profile(rng: np.random.Generator) -> None:
    values = drifting(rng, 60_000, 2, 30)
    session = Session(Arrays({SITE: values}, "ab" * 30_000))
    answer = unit_facts.memory(unit_facts.read_unit(session, "0/hidden/1"))
    assert answer.time_constant == pytest.approx(30, rel=0.15)
    profiled = unit_profile(session, "0/hidden/1", np.arange(60_000) // 100 % 2 == 0)
    assert answer.time_constant == profiled.time_constant
    assert f"{answer.time_constant:.3g} characters" in answer.sentence


def test_the_time_constant_is_that_of_the_command(planted: Path, run: Command) -> None:
    with Session(planted) as session:
        answer = unit_facts.memory(unit_facts.read_unit(session, UNIT))
    status, out, err = run("units", "in_comment", planted, "--sites", str(UNIT.site), "--json")
    assert status == 0, err
    [printed] = [row["time_constant"] for row in rows(out) if row.get("unit") == str(UNIT)]
    assert answer.time_constant == pytest.approx(printed, rel=1e-9)


def test_a_memory_beyond_the_longest_lag_is_said_so() -> None:
    values = np.sin(np.arange(20_000) / 5000)[:, None].astype("f4")
    answer = unit_facts.memory(unit_facts.read_unit(Session(Arrays({SITE: values})), "0/hidden/0"))
    assert np.isinf(answer.time_constant)
    assert answer.sentence == "its autocorrelation does not fall under 1/e within 256 characters"
    assert as_plain_json(answer)["time_constant"] is None


def test_the_gates_of_a_unit_have_its_layer_and_number() -> None:
    model = random_model("abc", cell="gru", n_layers=2)
    session = Session(LiveActivations(model, Corpus.from_texts(["abcabc"])))
    assert unit_facts.same_number(session, "1/hidden/5") == ("1/reset_gate/5", "1/update_gate/5")
    assert unit_facts.same_number(session, "1/update_gate/5") == ("1/reset_gate/5",)


def test_characters_that_write_to_a_unit_are_measured(copying_model: CharRNN, code_text: str) -> None:
    """Unit k is 1 exactly where character k has just been read."""
    text = code_text[:3000]
    session = Session(LiveActivations(copying_model, Corpus.from_texts([text[:1200], text[1200:]])))
    number = copying_model.vocabulary.characters.index("s")
    answer = unit_facts.written_by(unit_facts.read_unit(session, Unit(SITE, number)), top=3)
    first = answer.rows[0]
    before = [previous for previous, char in itertools.pairwise(text) if char == "s"]
    assert first["character"] == "s"
    assert first["mean"] == 1
    assert first["change"] == pytest.approx(1 - np.mean([previous == "s" for previous in before]))
    assert first["n"] == text.count("s")
    assert len(answer.rows) == 3


def test_first_characters_of_documents_and_rare_ones_write_nothing() -> None:
    values = np.array([0, 5, 0, 5, 0, 5, 0, 5, 0, 5, 0, 5, 9, 0], "f4")[:, None]
    session = Session(Arrays({SITE: values}, "abababababab" + "za", documents=[12, 2]))
    answer = unit_facts.written_by(unit_facts.read_unit(session, "0/hidden/0"))
    by_character = {row["character"]: row for row in answer.rows}
    assert set(by_character) == {"a", "b"}
    assert (by_character["b"]["change"], by_character["b"]["n"]) == (5, 6)
    assert by_character["a"]["change"] == pytest.approx((5 * -5 - 9) / 6)  # 'z' began a document


def test_backwards_the_character_that_was_read_before_is_the_next(rng: np.random.Generator) -> None:
    """The unit is 1 at an 'a', and 0 elsewhere; only at the end of a document is it not known what was before."""
    text = "".join(rng.choice(list("abc"), 600))
    values = np.array([char == "a" for char in text], "f4")[:, None]
    source = Arrays({SITE: values}, text, documents=[400, 200])
    source.reading_rule = ReadingRule(backwards=True)
    answer = unit_facts.written_by(unit_facts.read_unit(Session(source), "0/hidden/0"))
    changes = {char: [] for char in "abc"}  # type: dict[str, list[float]]
    for document in (text[:400], text[400:]):
        for char, read_before in itertools.pairwise(document):
            changes[char].append((char == "a") - (read_before == "a"))
    told = {row["character"]: (row["change"], row["n"]) for row in answer.rows}
    assert told == {char: (pytest.approx(np.mean(of_char)), len(of_char)) for char, of_char in changes.items()}


def test_what_a_character_changes_is_not_known_of_every_other_one() -> None:
    source = Arrays({SITE: np.ones((100, 1), "f4")}, selection=Selection(0, 100, 3))
    answer = unit_facts.written_by(unit_facts.read_unit(Session(source), "0/hidden/0"))
    assert not answer.rows
    assert "one character of 3 is recorded" in answer.sentence


def test_rare_characters_alone_write_nothing_and_that_is_said() -> None:
    answer = unit_facts.written_by(unit_facts.read_unit(Session(Arrays({SITE: np.ones((4, 1), "f4")})), "0/hidden/0"))
    assert answer.sentence == "no character occurs 5 times"


def test_answers_are_the_rows_of_the_command(planted: Path, run: Command) -> None:
    with Session(planted) as session:
        answer = unit_facts.answers(unit_facts.read_unit(session, UNIT), HYPOTHESES)
    status, out, err = run("explain", str(UNIT), *HYPOTHESES, planted, "--json")
    assert status == 0, err
    for row, printed in zip(as_plain_json(answer)["rows"], rows(out), strict=True):
        assert {key: printed[key] for key in row if row[key] is not None} == {
            key: cell if isinstance(cell, str) else pytest.approx(cell) for key, cell in row.items() if cell is not None
        }
    assert answer.rows[0]["hypothesis"] == "in_comment"
    assert answer.explained > 0.5
    tuning = answer.tunings[0]
    means = {row["label"]: row["mean"] for row in tuning["curve"]}
    assert means["True"] - means["False"] == pytest.approx(1, abs=0.05)


def test_answers_are_over_all_hypotheses_by_default(planted: Path) -> None:
    with Session(planted) as session:
        answer = unit_facts.answers(unit_facts.read_unit(session, UNIT))
    assert answer.rows[0]["hypothesis"] == "in_comment"
    assert len(answer.rows) > 15
    assert answer.left_out


def test_a_profile_is_that_of_the_analysis(planted: Path) -> None:
    with Session(planted) as session:
        answer = unit_facts.profile(session, UNIT, "in_comment")
        profiled = unit_profile(session, UNIT, "in_comment")
    assert as_plain_json(answer)["rows"] == as_plain_json_rows(profiled.rows())
    assert answer.label == "in_comment"
    assert answer.notes == tuple(profiled.notes)


def as_plain_json_rows(table: Any) -> Any:
    return [
        {key: None if isinstance(cell, float) and not np.isfinite(cell) else cell for key, cell in row.items()}
        for row in table
    ]


def test_the_nearest_units_are_correlated_most(rng: np.random.Generator) -> None:
    values = rng.normal(size=(6000, 8)).astype("f4")
    values[:, 5] = -values[:, 2] + 0.5 * values[:, 5]
    values[:, 7] = values[:, 2] + values[:, 7]
    cell = values[:, ::-1].copy()
    session = Session(Arrays({SITE: values, Site.of(0, "cell"): cell, Site.of(0, "forget_gate"): cell}))
    answer = unit_facts.nearest(unit_facts.read_unit(session, "0/hidden/2"), top=4)
    assert [row["unit"] for row in answer.rows[:1]] == ["0/cell/5"]  # the very same values
    assert {row["unit"] for row in answer.rows[1:3]} == {"0/hidden/5", "0/cell/2"}
    by_unit = {row["unit"]: row for row in answer.rows}
    r = np.corrcoef(values[:, 2], values[:, 5])[0, 1]
    assert by_unit["0/hidden/5"]["r"] == pytest.approx(r, abs=1e-6)
    assert by_unit["0/hidden/5"]["low"] < abs(r) < by_unit["0/hidden/5"]["high"]
    assert "0/hidden/2" not in by_unit
    gates = unit_facts.nearest(unit_facts.read_unit(session, "0/hidden/2"), sites=["0/forget_gate"], top=1)
    assert gates.rows[0]["unit"] == "0/forget_gate/5"


def test_the_nearest_units_are_those_where_the_unit_is_a_number(rng: np.random.Generator) -> None:
    values = rng.normal(size=(6000, 3)).astype("f4")
    gate = (values[:, 1] + rng.normal(size=6000) + 30).astype("f4")[:, None]
    gate[::4] = np.nan  # as 0, it would be correlated with nothing
    session = Session(Arrays({SITE: values, Site.of(0, "forget_gate"): gate}))
    [best] = unit_facts.nearest(unit_facts.read_unit(session, "0/forget_gate/0"), top=1).rows
    present = np.isfinite(gate[:, 0])
    assert best["unit"] == "0/hidden/1"
    assert best["r"] == pytest.approx(np.corrcoef(values[present, 1], gate[present, 0])[0, 1], abs=1e-5)


def test_a_progress_ends_the_work(planted: Path) -> None:
    class GoneError(Exception):
        pass

    def stop(done: int, total: int, /) -> None:
        raise GoneError

    with Session(planted) as session:
        with pytest.raises(GoneError):
            unit_facts.read_unit(session, UNIT, progress=stop)
        read = unit_facts.read_unit(session, UNIT)
        with pytest.raises(GoneError):
            unit_facts.answers(read, HYPOTHESES, progress=stop)
        with pytest.raises(GoneError):
            unit_facts.nearest(read, progress=stop)


def test_a_unit_that_is_not_there_is_named(planted: Path) -> None:
    with Session(planted) as session, pytest.raises(AnalysisError, match="1/hidden"):
        unit_facts.read_unit(session, Unit(UNIT.site, SITES[UNIT.site]))


def test_values_become_what_json_holds() -> None:
    activations = np.random.default_rng(0).normal(size=(1000, 2)).astype("f4")
    explanation = explain(Session(Arrays({SITE: activations}, "ab" * 500)), "0/hidden/0", ["vowel"])
    values = {"unit": UNIT, "none": None, "numbers": np.array([1.5, np.nan]), "levels": np.array([1, 2], np.uint8)}
    assert plain(values) == {"unit": str(UNIT), "none": None, "numbers": [1.5, None], "levels": "AQI="}
    assert plain((True, np.float32(np.inf), Path("a"), {1, 2})) == [True, None, "a", [1, 2]]
    assert plain(explanation)[0]["hypothesis"] == "vowel"
    with pytest.raises(TypeError, match="object"):
        plain(object())


def weights_by_name(weights: Any) -> dict[str, float]:
    return {weight.name: weight.weight for weight in weights}


def test_weights_of_a_cell_made_by_hand() -> None:
    """The input gate of cell 0 is raised by quotes alone and its forget gate lowered; it is read out as a quote."""
    answer = unit_weights(quote_model(), "0/cell/0")
    gates = {gate.gate: gate for gate in answer.gates}
    assert list(gates) == ["input_gate", "forget_gate", "candidate", "output_gate"]
    assert weights_by_name(gates["input_gate"].raising) == pytest.approx({'"': 60 * 3 / 4})
    assert weights_by_name(gates["forget_gate"].lowering) == pytest.approx({'"': -60 * 3 / 4})
    assert weights_by_name(gates["candidate"].from_before) == pytest.approx({"0/hidden/0": -100})
    assert answer.read_by == "0/hidden/0"
    assert weights_by_name(answer.pushing) == pytest.approx({'"': READOUT * 3 / 4})
    assert weights_by_name(answer.holding_back) == pytest.approx(dict.fromkeys("ab ", -READOUT / 4))
    assert as_plain_json(answer)["pushing"] == [{"name": '"', "weight": READOUT * 3 / 4}]


@pytest.mark.parametrize(("cell", "options"), [("lstm", {}), ("gru", {}), ("gru_reset_before", {}), ("rnn", {})])
def test_weights_are_those_of_the_model(cell: str, options: dict[str, Any]) -> None:
    model = random_model("abcdef", cell=cell, n_layers=2, **options)
    state = {name: weight.double().numpy() for name, weight in model.state_dict().items()}
    answer = unit_weights(model, "1/hidden/3", top=99)
    for number, gate in enumerate(model.cell.gate_names):
        [told] = [gate_weights for gate_weights in answer.gates if gate_weights.gate == gate]
        row = 8 * number + 3
        expected = {f"0/hidden/{unit}": weight for unit, weight in enumerate(state["rnn.weight_ih_l1"][row])}
        assert weights_by_name(told.from_below) == pytest.approx(expected)
        expected = {f"1/hidden/{unit}": weight for unit, weight in enumerate(state["rnn.weight_hh_l1"][row])}
        assert weights_by_name(told.from_before) == pytest.approx(expected)
        assert not told.raising
    readout = state["readout.weight"][:, 3] - state["readout.weight"][:, 3].mean()
    pushed = weights_by_name(answer.pushing) | weights_by_name(answer.holding_back)
    assert pushed == pytest.approx(dict(zip(model.vocabulary.characters, readout, strict=True)))
    below = unit_weights(model, "0/hidden/2", top=99)
    above = state["rnn.weight_ih_l1"].reshape(-1, 8, 8)[:, :, 2]
    signal = "cell" if cell == "lstm" else "hidden"
    norms = {f"1/{signal}/{unit}": norm for unit, norm in enumerate(np.linalg.norm(above, axis=0))}
    assert weights_by_name(below.to_above) == pytest.approx(norms)
    assert not below.pushing
    raised = weights_by_name(below.gates[0].raising) | weights_by_name(below.gates[0].lowering)
    column = state["rnn.weight_ih_l0"][2]
    assert raised == pytest.approx(dict(zip(model.vocabulary.characters, column - column.mean(), strict=True)))


def test_a_gate_has_its_own_weights_alone() -> None:
    answer = unit_weights(random_model("abc"), "0/forget_gate/4")
    assert [gate.gate for gate in answer.gates] == ["forget_gate"]
    assert answer.read_by is None
    assert not answer.pushing
    assert not answer.to_above


def test_a_projected_hidden_unit_has_no_gates() -> None:
    model = random_model("abc", n_projected=4, n_layers=1)
    hidden, cell = unit_weights(model, "0/hidden/3"), unit_weights(model, "0/cell/7")
    assert not hidden.gates
    assert hidden.pushing or hidden.holding_back
    assert "projection" in " ".join(hidden.notes)
    assert len(cell.gates) == 4
    assert cell.read_by is None


def test_weights_of_a_model_with_embeddings_are_those_of_its_characters() -> None:
    model = random_model("abcd", n_embedding=3, n_layers=1)
    answer = unit_weights(model, "0/candidate/1", top=99)
    with torch.no_grad():
        vectors = model.embedding.weight if model.embedding is not None else torch.empty(0)
        shares = (vectors @ model.state_dict()["rnn.weight_ih_l0"][2 * 8 + 1]).double().numpy()
    told = weights_by_name(answer.gates[0].raising) | weights_by_name(answer.gates[0].lowering)
    assert told == pytest.approx(dict(zip("abcd", shares - shares.mean(), strict=True)), abs=1e-6)


def test_a_model_of_ones_own_shows_no_weights() -> None:
    model: Any = object()
    with pytest.raises(ActivationError, match="of your own"):
        unit_weights(model, "0/hidden/0")
