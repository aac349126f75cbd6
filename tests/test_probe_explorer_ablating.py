"""What a model loses without a unit, in the explorer: the numbers of `probe ablate`."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Command, rows
from explorer_clients import Client, explored
from explorer_models import CHARACTERS, recorded_model
from planting import random_model

from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from analyses.targets.labelling import target
from probe.explorer.questions.causes.ablating import Loss, loss_without
from probe.explorer.questions.commands import ablation_command

UNIT = "1/hidden/3"
RARE = "regex:dbd"  # twice in the text


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    _, model, recording = recorded_model(tmp_path_factory.mktemp("ablating"))
    with explored(recording, model=model) as client:
        yield client


def asked(client: Client, hypothesis: str, **more: Any) -> list[dict[str, Any]]:
    labels = client.post("/api/labels", {"hypothesis": hypothesis}).json["id"]
    return client.post("/api/ablate", {"unit": UNIT, "labels": labels, "hypothesis": hypothesis, **more}).lines


def loss_of(client: Client, name: str, **more: Any) -> Loss:
    """The loss without a unit, by the question alone."""
    recording = client.exploration.recordings[0].session.source
    assert isinstance(recording, Recording)
    model = client.exploration.held.check(recording)
    return loss_without(recording, model, UNIT, target(recording.corpus, name), **more)  # type: ignore[arg-type]


def check_rows(told: list[dict[str, Any]], printed: list[dict[str, Any]]) -> None:
    assert [row["where"] for row in told] == [row["where"] for row in printed]
    assert [row["where"] for row in told[:4]] == ["inside − outside", "all", "inside", "outside"]
    for row, other in zip(told, printed, strict=True):
        for name, value in row.items():
            is_number = isinstance(value, int | float)
            assert other[name] == (pytest.approx(value, rel=1e-4, abs=1e-7) if is_number else value), name


def test_the_numbers_are_those_of_the_command(client: Client, run: Command) -> None:
    """Of the command that stands beside them, as it stands there."""
    result = asked(client, "in_quotes")[-1]["result"]
    program, *words = shlex.split(result["command"])
    assert program == "probe"
    status, out, err = run(*words, "--json")
    assert status == 0, err
    check_rows(result["rows"], rows(out))
    assert result["n_matched"] == result["rows"][0]["n_matched"] > 0
    assert result["n_chars"] == 3_000
    assert result["rows"][0]["effect"] != 0
    assert result["findings"][0].startswith(f"{UNIT}: ")


def test_a_unit_that_nothing_reads_is_lost_without_harm(tmp_path: Path) -> None:
    model = random_model(CHARACTERS, n_layers=1, gain=2.0)
    weights = model.state_dict()
    weights["readout.weight"][:, 3] = 0
    weights["rnn.weight_hh_l0"][:, 3] = 0
    model.load_state_dict(weights)
    extract(LiveActivations(model, Corpus.from_texts(['ab "cde" f\n' * 60])), tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        labels = target(recording.corpus, "in_quotes")
        unread, other = (
            loss_without(recording, model, unit, labels, n_matched=0) for unit in ("0/hidden/3", "0/hidden/2")
        )
    assert all(abs(row["effect"]) < 1e-6 for row in unread.rows if row["n_chars"])
    assert all(abs(row["effect"]) > 1e-4 for row in other.rows[:4])
    contrast, _, inside, outside = (row["effect"] for row in other.rows[:4])
    assert contrast == pytest.approx(inside - outside)


def test_without_matched_units_nothing_is_shown(client: Client) -> None:
    loss = loss_of(client, "in_quotes", n_chars=1_000, n_matched=0)
    assert loss.n_matched == 0
    assert loss.findings == [f"{UNIT}: not shown: no matched ones to compare it with, and 5 are needed"]


def test_progress_is_said_on_the_way(client: Client) -> None:
    lines = asked(client, "in_quotes", chars=2_000, matched=5)
    assert all(set(line) == {"progress"} for line in lines[:-1])
    assert lines[-1]["result"]["n_matched"] == 5


@pytest.mark.parametrize(
    ("hypothesis", "reason"),
    [("position_in_line", "is not True or False"), (RARE, "holds nowhere in the")],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(client: Client, hypothesis: str, reason: str) -> None:
    assert reason in asked(client, hypothesis, chars=200, matched=0)[-1]["error"]


def test_what_is_too_rare_for_an_interval_is_said(client: Client) -> None:
    result = asked(client, RARE, matched=5)[-1]["result"]
    assert result["rows"][0]["low"] is None
    [finding] = result["findings"]
    assert "no interval for regex:'dbd'" in finding
    assert "only 2 runs of its rarer value" in finding
    assert not [note for note in result["notes"] if note in finding]


def test_what_is_asked_wrongly_is_refused(client: Client) -> None:
    labels = client.post("/api/labels", {"hypothesis": "in_quotes"}).json["id"]
    for wrong, said in (
        ({"unit": "9/cell/0"}, "9/cell"),
        ({"labels": "0" * 16}, "not kept"),
        ({"chars": 10}, "chars"),
        ({"matched": 1_000}, "matched"),
    ):
        answer = client.post("/api/ablate", {"unit": UNIT, "labels": labels, **wrong})
        assert said in answer.lines[-1]["error"], wrong


def test_without_a_model_it_is_said_how_to_start_with_one(client: Client) -> None:
    with explored(client.exploration.recordings[0].path) as bare:
        assert "--model model.pt" in asked(bare, "in_quotes")[-1]["error"]


def test_a_progress_ends_the_work(client: Client) -> None:
    class GoneError(Exception):
        pass

    def stop(done: int, total: int, /) -> None:
        raise GoneError

    with pytest.raises(GoneError):
        loss_of(client, "in_quotes", progress=stop)


def test_the_command_names_what_the_page_shows() -> None:
    command = ablation_command(Path("a b.h5"), Path("m.pt"), "/x y/", "0/cell/3")
    assert shlex.split(command) == [
        "probe", "ablate", "-H", "/x y/", "./a b.h5", "--units", "0/cell/3", "--model", "./m.pt",
    ]  # fmt: skip
