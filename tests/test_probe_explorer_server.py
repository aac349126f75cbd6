"""The explorer's server: every route answers what the recording, the view and the commands say."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from explorer_clients import Client, explored
from planting import SITES

from activations.recordings.recording import Recording
from activations.units import Site
from analyses.errors import AnalysisError
from hypotheses.registry import get
from probe.viewer.cells import TILE_CHARS
from probe.viewer.making import text_view
from probe.viewer.page.tiles import container_of


@pytest.fixture(scope="module")
def client(planted: Path) -> Iterator[Client]:
    with explored(planted) as client:
        yield client


def test_facts_are_those_of_the_recording_and_the_view(client: Client, planted: Path) -> None:
    facts = client.get("/api/facts").json
    [recording] = facts["recordings"]
    with Recording(planted) as opened:
        n_chars = len(opened.corpus)
        view = text_view(opened, units=["1/cell/7"], span=(0, n_chars))
        assert recording["text_sha256"] == opened.corpus.sha256
    container = container_of(view)
    header = json.loads(container[4 : 4 + int.from_bytes(container[:4], "little")])
    for key in ("format", "version", "start", "n_chars", "tile_chars", "documents", "tile_places", "signs", "colours"):
        assert recording["header"][key] == header[key], key
    assert recording["sites"] == [{"name": str(s), "n_units": n, "signal": s.signal} for s, n in SITES.items()]
    assert (recording["n_chars"], recording["predictions"], recording["model"]) == (n_chars, False, False)
    assert recording["sidecar"] == {"state": "none", "sentence": "", "progress": 0.0}
    names = {hypothesis["name"]: hypothesis for hypothesis in facts["hypotheses"]}
    assert names["in_quotes"]["kind"] == "binary" and "quotes" in names["in_quotes"]["description"]
    assert "labels" not in names, "no file was named at the start"


def test_tiles_are_those_of_a_container(client: Client, planted: Path) -> None:
    with Recording(planted) as opened:
        text = opened.corpus.text()
    for tile in range(-(-len(text) // TILE_CHARS)):
        codes = client.get(f"/api/tile?recording=0&kind=text&tile={tile}").body
        assert codes.decode("utf-32-le") == text[tile * TILE_CHARS : (tile + 1) * TILE_CHARS]
        cells = client.get(f"/api/tile?kind=cells&tile={tile}").body
        assert len(cells) == len(codes) // 4


def test_levels_of_a_unit_are_its_values(client: Client, planted: Path) -> None:
    track = client.get("/api/track?recording=0&unit=1/cell/7").json
    assert (track["name"], track["kind"], track["quantity"], track["has_missing"]) == (
        "1/cell/7",
        "unit",
        "activation",
        False,
    )
    levels = np.frombuffer(client.get("/api/levels?recording=0&unit=1/cell/7&tile=1").body, np.uint8)
    with Recording(planted) as opened:
        values = opened.read("1/cell", TILE_CHARS, TILE_CHARS + len(levels))
    exact = next(iter(values.values()))[:, 7]
    step, offset = track["scale"]["step"], track["scale"]["offset"]
    assert np.abs(offset + levels[levels < 254] * step - exact[levels < 254]).max() <= step / 2 + 1e-6
    answer = client.get(f"/api/value?recording=0&unit=1/cell/7&position={TILE_CHARS + 5}")
    assert answer.json == {"value": float(exact[5])}


def test_an_overview_has_the_ends_of_each_part(client: Client) -> None:
    n_chars = client.exploration.recordings[0].n_chars
    n_tiles = -(-n_chars // TILE_CHARS)
    bodies = [client.get(f"/api/levels?recording=0&unit=0/hidden/3&tile={n}").body for n in range(n_tiles)]
    levels = np.frombuffer(b"".join(bodies), np.uint8)
    overview = np.frombuffer(
        client.get("/api/overview?recording=0&unit=0/hidden/3&bins=7&start=100&stop=10000").body, np.uint8
    ).reshape(2, 7)
    ends = 100 + np.arange(8) * 9900 // 7
    for number, (start, stop) in enumerate(itertools.pairwise(ends.tolist())):
        assert overview[:, number].tolist() == [levels[start:stop].min(), levels[start:stop].max()]


def test_labels_are_drawn_and_counted(client: Client, code_text: str) -> None:
    made = client.post("/api/labels", {"recording": 0, "hypothesis": "in_quotes"}).json
    whole = np.concatenate([get("in_quotes")(part).values for part in (code_text[:9000], code_text[9000:])])
    assert (made["name"], made["kind"], made["n_true"]) == ("in_quotes", "binary", int(whole.sum()))
    levels = client.get(f"/api/levels?recording=0&labels={made['id']}&tile=0").body
    assert np.frombuffer(levels, np.uint8).tolist() == whole[:TILE_CHARS].astype(int).tolist()
    track = client.get(f"/api/track?recording=0&labels={made['id']}").json
    assert (track["kind"], track["scale"]["kind"]) == ("labels", "binary")
    again = client.post("/api/labels", {"hypothesis": "in_quotes"}).json
    assert again["id"] == made["id"]


@pytest.mark.parametrize(
    ("spelled", "kind"),
    [
        ("regex:s(p|q)am", "binary"),
        ("in_quotes & ~in_comment", "binary"),
        ("position_in_line >= 40", "binary"),
        ("regex:'a|b' & in_word", "binary"),
        ("char_class", "categorical"),
        ("position_in_line", "numeric"),
        ("in_quotes @ 1", "binary"),
    ],
)
def test_every_spelling_of_a_hypothesis_is_understood(client: Client, spelled: str, kind: str) -> None:
    made = client.post("/api/labels", {"recording": 0, "hypothesis": spelled})
    assert made.status == 200, made.body
    assert made.json["kind"] == kind


def test_a_ranking_is_that_of_the_command(client: Client, planted: Path, run: Command) -> None:
    for hypothesis in ("in_quotes", "position_in_line"):
        labels = client.post("/api/labels", {"recording": 0, "hypothesis": hypothesis}).json["id"]
        *before, last = client.post("/api/rank", {"recording": 0, "labels": labels}).lines
        status, out, _ = run("rank", hypothesis, planted, "--top", "20", "--json")
        assert status == 0
        printed = [json.loads(line) for line in out.splitlines()]
        shown = last["result"]["rows"]
        assert shown == [{key: row[key] for key in shown[0]} for row in printed]
        assert set(printed[0]) - set(shown[0]) <= {*printed[0]} and len(shown) == 20
        assert last["result"]["measure"] == ("auc" if hypothesis == "in_quotes" else "r")
        assert all(set(line) <= {"quick", "ranking", "controls", "progress"} for line in before)
        assert [line["ranking"] for line in before if "ranking" in line] == [without(last["result"], "controls")]
    *_, last = client.post("/api/rank", {"recording": 0, "labels": labels, "sites": "1/cell"}).lines
    assert {row["unit"].rpartition("/")[0] for row in last["result"]["rows"]} == {"1/cell"}


def without(line: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != key}


@pytest.mark.parametrize(
    ("hypothesis", "measure"),
    [
        ("in_comment", "auc"),
        ("position_in_line", "r"),
        pytest.param("char_class", "auc", marks=pytest.mark.slow),  # ten seconds: of eight classes, 20 characters each
    ],
)
def test_controls_beside_a_ranking_are_those_of_fit(
    client: Client, planted: Path, run: Command, hypothesis: str, measure: str
) -> None:
    """With the score that units have, and its interval; of several classes, each against the rest."""
    labels = client.post("/api/labels", {"recording": 0, "hypothesis": hypothesis}).json["id"]
    asked = {"recording": 0, "labels": labels, "sites": "0/hidden"}
    lines = client.post("/api/rank", asked).lines
    controls = lines[-1]["result"]["controls"]
    assert [line["controls"] for line in lines if "controls" in line] == [
        controls[:1], [controls[0], controls[3]], [*controls[:2], controls[3]], controls
    ], "each as soon as it is known"  # fmt: skip
    status, out, err = run("fit", hypothesis, planted, "--sites", "0/hidden", "--controls", "chars,position", "--json")
    assert status == 0, err
    printed = [row for row in rows(out) if row["control"]]
    names = ["last character", "last 5 characters", "last 20 characters", "position"]
    assert [control["name"] for control in controls] == [row["site"] for row in printed] == names
    for control, row in zip(controls, printed, strict=True):
        ends = (f"{measure}_low", f"{measure}_high")
        assert [control[key] for key in ("held_out", "low", "high")] == [row[key] for key in (measure, *ends)]
        of_classes = {f"auc_of_{name}": score for name, score in control["by_class"].items()}
        assert of_classes == {key: value for key, value in row.items() if key.startswith("auc_of_")}
    if hypothesis == "in_comment":
        assert controls[2]["held_out"] > controls[0]["held_out"] > 0.5, "the last 20 characters say more than one"


def test_labels_that_cannot_be_probed_for_are_ranked_without_controls(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **named: Any) -> Any:
        raise AnalysisError("too few stretches")

    monkeypatch.setattr("probe.explorer.questions.rankings.control_scores.fit_position", refuse)
    labels = client.post("/api/labels", {"recording": 0, "hypothesis": "in_comment"}).json["id"]
    asked = {"recording": 0, "labels": labels, "sites": "0/hidden"}
    result = client.post("/api/rank", asked).lines[-1]["result"]
    [control] = result["controls"]
    assert control["note"] == "no control for these labels: too few stretches" and control["held_out"] is None
    assert len(result["rows"]) == SITES[Site("0/hidden")]


def test_what_is_not_there_is_one_sentence(client: Client) -> None:
    for path, sentence in (
        ("/api/tile?recording=1&kind=text&tile=0", "there is no recording 1; there are 1, from 0 on"),
        ("/api/tile?recording=0&kind=text&tile=99", "there is no tile 99: the text has 2, from 0 on"),
        ("/api/track?recording=0&labels=0123456789abcdef", "these labels are not kept here any more"),
        ("/api/value?recording=0&unit=0/hidden/1&position=99999999", "there is no character 99,999,999"),
    ):
        answer = client.get(path)
        assert answer.status == 404 and answer.json["error"].startswith(sentence), answer.body
    assert client.get("/api/track?recording=0&unit=9/cell/1").status == 404
    assert client.get("/api/track?recording=0&unit=0/hidden/999").status == 404
    assert client.get("/api/levels?recording=0&loss=1&tile=0").json["error"].startswith("there is no loss to show")
    assert client.post("/api/labels", {"recording": 0, "hypothesis": "in_quote"}).json == {
        "error": "no hypothesis named 'in_quote'; did you mean 'in_quotes'?"
    }
    assert client.get("/api/units?recording=0&unit=0/hidden/1").status == 404
    assert client.post("/api/selections", {}).status == 404
