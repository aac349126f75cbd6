"""The explorer's quiz: units that follow what people know, passages without names, scores that `rank` has."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from explorer_clients import Answer, Client, explored
from planting import PLANTED

from activations.recordings.recording import Recording
from activations.units import Unit
from hypotheses.registry import get
from probe.explorer.label_sets import LabelSets
from probe.explorer.notes import ListChange, NotesFile
from probe.explorer.questions.quizzing import drawn_unit, well_known_units
from probe.explorer.routes.quizzing import QuizRequest, _Quiz


@pytest.fixture(scope="module")
def recording(planted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = Path(shutil.copy(planted, tmp_path_factory.mktemp("quiz") / "activations.h5"))
    NotesFile(path).change(ListChange("columns", PLANTED["position_in_line"], True))
    return path


@pytest.fixture(scope="module")
def client(recording: Path) -> Iterator[Client]:
    with explored(recording) as client:
        yield client


def ask(client: Client, path: str, **fields: Any) -> Answer:
    return client.post(f"/api/{path}", {"recording": 0, "list": "", "seed": 0, **fields})


def result(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200
    last = answer.lines[-1]
    assert "error" not in last, last
    found: dict[str, Any] = last["result"]
    return found


def test_the_units_that_follow_what_people_know_are_the_planted_ones(client: Client) -> None:
    recording = client.exploration.recordings[0]
    units = well_known_units(recording.session, recording.levels)
    assert PLANTED["in_quotes"] in units and PLANTED["in_comment"] in units
    assert PLANTED["position_in_line"] not in units, "no binary label is as it is"


def test_the_same_seed_draws_the_same_unit_and_all_are_drawn() -> None:
    units = [Unit.parse(f"0/cell/{number}") for number in range(5)]
    drawn = [drawn_unit(units, seed) for seed in range(100)]
    assert drawn == [drawn_unit(units[::-1], seed) for seed in range(100)]
    assert set(drawn) == set(units)


def test_passages_are_those_where_the_unit_is_most_and_least_active_and_nothing_names_it(client: Client) -> None:
    answer = ask(client, "quiz", list="columns")
    question = result(answer)
    for name in ("1/cell", "cell/7", "position_in_line"):
        assert name.encode() not in answer.body
    assert question["n_units"] == 1 and len(question["passages"]) == 8
    recording = client.exploration.recordings[0]
    text = recording.session.corpus.text()
    with Recording(recording.path) as opened:
        values = next(iter(opened.read("1/cell", 0, len(text)).values()))[:, 7]
    scale = question["scale"]
    for passage in question["passages"]:
        start = text.index(passage["text"])
        levels = np.frombuffer(base64.b64decode(passage["levels"]), np.uint8)
        assert len(levels) == len(passage["text"]) and text.count(passage["text"]) == 1
        shown = scale["offset"] + levels * scale["step"]
        inside = (levels > 0) & (levels < 254)
        assert np.abs(shown - values[start : start + len(levels)])[inside].max() <= scale["step"] / 2 + 1e-5
        peak = values[start + passage["peak"]]
        assert (values > peak).mean() < 0.02 if passage["is_most"] else (values < peak).mean() < 0.02
    assert [passage["is_most"] for passage in question["passages"]] == [True] * 4 + [False] * 4


@pytest.mark.parametrize(("guess", "least"), [("position_in_line", 0.5), ("in_quotes", 0), ("regex:[a-f]", 0)])
def test_a_guess_has_the_score_of_rank(client: Client, recording: Path, run: Command, guess: str, least: float) -> None:
    score = result(ask(client, "quiz/guess", list="columns", guess=guess))
    status, out, err = run("rank", "-H", guess, str(recording), "--units", "all", "--intervals", "all", "--json")
    assert status == 0, err
    [row] = [row for row in rows(out) if row["unit"] == "1/cell/7"]
    names = [f"held_out_{score['measure']}", "low", "high", "direction"]
    assert [score["held_out"], score["low"], score["high"], score["direction"]] == [row[name] for name in names]
    assert score["hypothesis"] == get(guess).name and score["held_out"] >= least
    assert b"1/cell" not in ask(client, "quiz/guess", list="columns", guess=guess).body


def test_the_name_is_revealed_on_demand(client: Client) -> None:
    assert ask(client, "quiz/reveal", list="columns").json == {"unit": "1/cell/7"}
    known = {str(PLANTED["in_quotes"]), str(PLANTED["in_comment"])}
    revealed = {ask(client, "quiz/reveal", seed=seed).json["unit"] for seed in range(12)}
    assert revealed & known


@pytest.mark.parametrize(
    ("path", "fields", "sentence"),
    [
        ("quiz", {"list": "nothing"}, "there is no list 'nothing' with units of this recording"),
        ("quiz/guess", {"guess": "in_quote", "list": "columns"}, "no hypothesis named 'in_quote'; did you mean"),
        ("quiz/guess", {"guess": "my_file.py:x", "list": "columns"}, "may be used here"),
        ("quiz/guess", {"guess": " "}, "the guess is empty"),
        ("quiz", {"seed": -1}, "seed is -1"),
        ("quiz", {"seed": "x"}, "seed is 'x'"),
        ("quiz", {"recording": 3}, "there is no recording 3"),
    ],
)
def test_what_cannot_be_asked_is_said(client: Client, path: str, fields: Any, sentence: str) -> None:
    answer = ask(client, path, **fields)
    said = answer.lines[-1] if answer.status == 200 else answer.json
    assert sentence in said["error"]


class GivenUpError(Exception):
    """Nobody waits any more."""


def give_up(done: int, total: int, note: str = "", /) -> None:
    raise GivenUpError


def test_reading_a_unit_and_waiting_for_it_can_be_given_up(client: Client) -> None:
    quiz, recording = _Quiz(client.exploration), client.exploration.recordings[0]
    unit, said = PLANTED["position_in_line"], list[int]()
    with pytest.raises(GivenUpError):
        quiz._one_unit(0, recording, unit, give_up)
    with quiz._reading, pytest.raises(GivenUpError):
        quiz._one_unit(0, recording, unit, give_up)
    one = quiz._one_unit(0, recording, unit, lambda done, total, note="", /: said.append(done))
    assert said[-1] == recording.n_chars and quiz._one_unit(0, recording, unit, give_up) is one
    with quiz._reading:
        quiz._units(QuizRequest(0, "", 0), lambda *said: None)  # another unit is not waited for


def test_a_guess_is_scored_although_its_labels_are_not_kept(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LabelSets, "find", lambda labels, identity: None)
    assert result(ask(client, "quiz/guess", list="columns", guess="in_quotes"))["hypothesis"]
