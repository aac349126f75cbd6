"""What the explorer's server answers about painted passages and about single units: the numbers of the commands."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from explorer_clients import Client, explored
from planting import PLANTED

from activations.recordings.recording import Recording
from hypotheses.registry import get

UNIT = str(PLANTED["in_comment"])


@pytest.fixture(scope="module")
def client(planted: Path) -> Iterator[Client]:
    with explored(planted) as client:
        yield client


@pytest.fixture(scope="module")
def comments(planted: Path) -> list[list[int]]:
    """Where some comments of the text are, all over it."""
    with Recording(planted) as recording:
        documents = recording.corpus.documents
        values = np.concatenate([get("in_comment")(recording.corpus.text(d.start, d.stop)).values for d in documents])
    spans: list[list[int]] = []
    for position in values.nonzero()[0].tolist():
        if spans and spans[-1][1] == position:
            spans[-1][1] += 1
        else:
            spans.append([position, position + 1])
    return spans[:: len(spans) // 12]


def merged(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What the lines of a stream say together, without progress."""
    return {key: value for line in lines if "progress" not in line for key, value in line.items()}


def test_a_selection_is_answered_at_once_then_with_controls_then_beside_the_text(
    client: Client, comments: list[list[int]]
) -> None:
    answer = client.post("/api/selection", {"recording": 0, "spans": comments})
    lines = [line for line in answer.lines if "progress" not in line]
    assert [next(iter(line)) for line in lines] == ["quick", "contrast", "result"]
    quick, contrast, against = lines[0]["quick"], lines[1]["contrast"], lines[2]["result"]["against_text"]
    assert quick["units"] == contrast["units"] and contrast["units"][0]["unit"] == UNIT
    assert quick["p_best"] is None and contrast["p_best"] == pytest.approx(1 / 20)
    assert against["rows"][0]["unit"] == UNIT


def test_elsewhere_units_do_the_same(client: Client, comments: list[list[int]]) -> None:
    asked = {"recording": 0, "spans": comments[:4], "units": [UNIT]}
    told = client.post("/api/selection/elsewhere", asked).lines[-1]["result"]
    assert told["units"] == [UNIT] and told["n_painted"] == 4
    assert "#" in (told["passages"][0]["before"] + told["passages"][0]["text"])


def test_a_selection_is_kept_as_labels_that_commands_read(
    planted: Path, comments: list[list[int]], run: Command, tmp_path: Path
) -> None:
    """Beside the recording, never over a file unless that is asked for; `rank` then says what the page said."""
    path = tmp_path / "activations.h5"
    path.symlink_to(planted)
    with explored(path) as client:
        asked = {"recording": 0, "spans": comments, "name": "my comments.csv"}
        saved = client.post("/api/selection/save", asked).json["saved"]
        assert saved["path"] == str(tmp_path / "my comments.csv") and saved["n_passages"] == len(comments)
        before = (tmp_path / "my comments.csv").read_bytes()
        again = {**asked, "spans": comments[:1]}
        assert "already" in client.post("/api/selection/save", again).json["exists"]
        assert (tmp_path / "my comments.csv").read_bytes() == before
        shown = client.post("/api/selection", {"recording": 0, "spans": comments}).lines[-1]["result"]["against_text"]
        status, out, err = run("rank", path, "--hypothesis", saved["hypothesis"], "--sites", "hidden,cell", "--json")
        assert status == 0, err
        printed = rows(out)
        for row, told in zip(printed, shown["rows"], strict=False):
            same = ("unit", "held_out_auc", "low", "high", "direction")
            assert {key: row[key] for key in same} == {key: told[key] for key in same}
        assert client.post("/api/selection/save", {**again, "overwrite": True}).json["saved"]["n_passages"] == 1
        assert (tmp_path / "my comments.csv").read_bytes() != before


@pytest.mark.parametrize(
    "name", ["../up.csv", "a/b.csv", "/tmp/a.csv", ".hidden.csv", "a.h5", "", "a\n.csv", "x" * 101 + ".csv", "-o.csv"]
)
def test_a_name_that_leads_elsewhere_is_refused(client: Client, comments: list[list[int]], name: str) -> None:
    answer = client.post("/api/selection/save", {"spans": comments, "name": name})
    assert answer.status == 400 and "name" in answer.json["error"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_offers_the_file(planted: Path, comments: list[list[int]], tmp_path: Path) -> None:
    path = tmp_path / "activations.h5"
    path.symlink_to(planted)
    tmp_path.chmod(0o555)
    try:
        with explored(path) as client:
            check_offered(client, comments)
    finally:
        tmp_path.chmod(0o755)


def test_what_cannot_be_written_is_offered(
    client: Client, comments: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.explorer.routes.selecting.os.access", lambda path, mode: False)
    check_offered(client, comments)


def check_offered(client: Client, comments: list[list[int]]) -> None:
    told = client.post("/api/selection/save", {"spans": comments, "name": "a.csv"}).json
    assert "nothing can be written" in told["unwritable"] and told["name"] == "a.csv"
    lines = told["content"].splitlines()
    assert lines[0] == "document,start,end,label"
    assert sum(line.endswith(",True") for line in lines) == len(comments)


@pytest.mark.parametrize(
    "asked",
    [
        {"spans": []}, {"spans": "all"}, {"spans": [[3]]}, {"spans": [[5, 3]]}, {"spans": [[0, 10**9]]},
        {"spans": [[0, True]]}, {"spans": [[0, 5]], "more": 1}, {"spans": [[0, 5]], "recording": 4}, {},
    ],
)  # fmt: skip
def test_a_selection_that_is_none_is_refused(client: Client, asked: dict[str, Any]) -> None:
    answer = client.post("/api/selection", asked)
    told = answer.lines[-1]["error"] if answer.status == 200 else answer.json["error"]
    assert told.count(". ") == 0 and len(told) < 200


def test_a_unit_is_told_part_by_part(client: Client, planted: Path, run: Command) -> None:
    """Quick facts first; what it answers to is what `probe explain` prints."""
    lines = client.get(f"/api/unit?recording=0&unit={UNIT}").lines
    parts = [next(iter(line)) for line in lines if "progress" not in line]
    assert parts == ["unit", "distribution", "extremes", "memory", "written_by", "weights", "nearest", "result"]
    told = merged(lines)
    assert "--model" in told["weights"]["sentence"]
    status, out, err = run("explain", UNIT, planted, "--json")
    assert status == 0, err
    answers = told["result"]["answers"]
    printed = [row for row in rows(out) if "hypothesis" in row]
    assert [row["hypothesis"] for row in answers["rows"]] == [row["hypothesis"] for row in printed]
    for row, expected in zip(answers["rows"], printed, strict=True):
        assert row == expected


def test_a_unit_that_is_not_there_is_refused(client: Client) -> None:
    answer = client.get("/api/unit?recording=0&unit=7/cell/1")
    assert answer.status == 404 and "7" in answer.json["error"]


def test_a_unit_is_shown_beside_labels(client: Client) -> None:
    labels = client.post("/api/labels", {"recording": 0, "hypothesis": "in_comment"}).json
    asked = {"recording": 0, "unit": UNIT, "labels": labels["id"]}
    told = client.post("/api/unit/profile", asked).lines[-1]["result"]
    parts = {row["part"] for row in told["rows"]}
    assert {"score", "histogram", "begins", "ends", "mean"} <= parts and told["label"] == "in_comment"
    assert client.post("/api/unit/profile", {**asked, "labels": "0" * 16}).status == 404
