"""What the explorer keeps: notes beside the recording, commands whose numbers are the page's, pictures and pages."""

import errno
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from explorer_clients import Answer, Client, explored
from PIL import Image

from activations.units import Unit
from probe.explorer.notes import ChangedElsewhereError, ListChange, NotesError, NotesFile, TextChange
from probe.explorer.questions.commands import Shown, spelled
from probe.viewer.making import text_view
from probe.viewer.page.page import page_of

UNIT = Unit.parse("1/cell/7")


@pytest.fixture
def recording(planted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(planted, tmp_path / "activations.h5"))


@pytest.fixture
def client(recording: Path) -> Iterator[Client]:
    with explored(recording) as client:
        yield client


def put(client: Client, content: Any) -> Answer:
    headers = {"Origin": f"http://{client.host}", "Content-Type": "application/json"}
    return client.ask("PUT", "/api/notes", json.dumps(content).encode(), headers=headers)


def change(field: str, before: str, after: str, unit: str = "1/cell/7") -> dict[str, Any]:
    return {"recording": 0, "unit": unit, "field": field, "before": before, "after": after}


# ---- Notes


def test_names_notes_and_lists_are_kept_in_a_file_beside_the_recording(client: Client, recording: Path) -> None:
    assert client.get("/api/notes").json == {
        "file": "activations.h5.notes.json", "problem": "", "notice": "", "units": {}, "lists": {}
    }  # fmt: skip
    put(client, change("name", "", "  column  "))
    put(client, change("note", "", "rises along\na line, “漢”"))
    put(client, {"recording": 0, "unit": "0/hidden/3", "list": "quotes", "is_in": True})
    answer = put(client, {"recording": 0, "unit": "1/cell/7", "list": "quotes", "is_in": True})
    kept = json.loads(recording.with_name("activations.h5.notes.json").read_text(encoding="utf-8"))
    assert kept["units"] == {"1/cell/7": {"name": "column", "note": "rises along\na line, “漢”"}}
    assert kept["lists"] == {"quotes": ["0/hidden/3", "1/cell/7"]}
    assert (kept["format"], kept["version"]) == ("char-probe notes", 1)
    assert answer.json == client.get("/api/notes").json
    assert answer.json["units"] == kept["units"] and answer.json["lists"] == kept["lists"]
    for unit in ("0/hidden/3", "1/cell/7"):
        put(client, {"recording": 0, "unit": unit, "list": "quotes", "is_in": False})
    put(client, change("name", "column", ""))
    facts = put(client, change("note", "rises along\na line, “漢”", "")).json
    assert facts["units"] == {} and facts["lists"] == {}


def test_two_tabs_do_not_lose_each_others_notes(client: Client) -> None:
    """A change of what another tab has changed is refused, and says what is there; all others are kept."""
    put(client, change("note", "", "of the first tab"))
    refused = put(client, change("note", "", "of the second tab"))
    assert refused.status == 409
    assert refused.json["error"] == (
        "the note of 1/cell/7 was changed elsewhere meanwhile, and nothing was replaced; it is now 'of the first tab'"
    )
    assert put(client, change("note", "", "of the first tab")).status == 200, "the same is no conflict"
    assert put(client, change("name", "", "a name")).status == 200, "another field is none"
    units = client.get("/api/notes").json["units"]
    assert units == {"1/cell/7": {"name": "a name", "note": "of the first tab"}}


def test_many_threads_and_programs_that_write_at_once_lose_nothing(recording: Path) -> None:
    files = [NotesFile(recording) for _ in range(4)]  # as four servers have them

    def write(file: NotesFile, number: int) -> None:
        for index in range(8):
            file.change(TextChange(Unit.parse(f"0/hidden/{8 * number + index}"), "name", "", f"of {number}"))

    threads = [threading.Thread(target=write, args=(file, number)) for number, file in enumerate(files)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(NotesFile(recording).read().units) == 32
    assert not list(recording.parent.glob("*.part"))


def test_a_folder_that_is_read_only_is_said(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.explorer.notes.os.access", lambda path, mode: False)
    assert re.fullmatch(r"the folder .* is read-only, so that no notes .*", client.get("/api/notes").json["problem"])

    opened = Path.open

    def refuse(file: Path, mode: str = "r", **options: Any) -> Any:
        if "w" in mode:
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(file, mode, **options)

    monkeypatch.setattr(Path, "open", refuse)
    refused = put(client, change("name", "", "x"))
    assert refused.status == 400
    assert re.fullmatch(
        r"the notes are not kept: cannot write .*notes\.json: the disk can only be read", refused.json["error"]
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "it is not JSON in UTF-8"),
        (b"\xff", "it is not JSON in UTF-8"),
        (b"[" * 100_000, "it is not JSON in UTF-8"),
        (b'{"a": 1}', "it does not say 'char-probe notes' as its format"),
        (b'{"format": "char-probe notes", "version": 2}', "it is of version 2, and this program knows version 1"),
        (b'{"format": "char-probe notes", "version": 1, "units": []}', "units and lists have to be objects"),
        (b'{"format": "char-probe notes", "version": 1, "units": {"x": {}}}', "'x'"),
        (b'{"format": "char-probe notes", "version": 1, "units": {"0/cell/1": {"name": 3}}}', "is no name and note"),
        (b'{"format": "char-probe notes", "version": 1, "lists": {"a": []}}', "the list 'a' has no units"),
    ],
)
def test_a_file_that_is_damaged_is_said_and_never_replaced(client: Client, content: bytes, reason: str) -> None:
    path = NotesFile(client.exploration.recordings[0].path).path
    path.write_bytes(content)
    problem = client.get("/api/notes").json["problem"]
    assert reason in problem and "mend the file or move it away" in problem
    assert put(client, change("name", "", "x")).json == {"error": problem}
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (change("name", "", "x" * 61), 400, "the name has 61 characters; it may have at most 60"),
        (change("note", "", "x" * 4001), 400, "the note has 4,001 characters; it may have at most 4,000"),
        (change("name", "", "a\nb"), 400, "the name has the character '\\n' in it, which cannot be seen; remove it"),
        (change("note", "", "a\x1bb"), 400, "the note has the character '\\x1b' in it, which cannot be seen"),
        (change("size", "", "x"), 400, "field is 'size'; it must be name or note"),
        (change("name", "", "x", unit="9/cell/1"), 404, "9/cell"),
        (change("name", "", "x", unit="../../etc/passwd"), 404, "is not a unit"),
        ({"recording": 7, "unit": "1/cell/7", "field": "name", "before": "", "after": ""}, 404, "no recording 7"),
        ({"unit": "1/cell/7", "list": " ", "is_in": True}, 400, "the list has no name"),
        ({"unit": "1/cell/7", "list": "a", "is_in": "yes"}, 400, "is_in is 'yes'; it must be true or false"),
        ({"unit": "1/cell/7", "path": "/etc/passwd"}, 400, "'path', which is not known here"),
    ],
)
def test_what_cannot_be_kept_is_refused(client: Client, content: Any, status: int, sentence: str) -> None:
    answer = put(client, content)
    assert answer.status == status and sentence in answer.json["error"]
    assert client.get("/api/notes").json["units"] == {}


def test_lists_and_notes_are_bounded(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_MOST_LISTS", "_MOST_LISTED", "_MOST_UNITS"):
        monkeypatch.setattr(f"probe.explorer.notes.{name}", 2)
    file = NotesFile(recording)
    units = [Unit.parse(f"0/hidden/{number}") for number in range(3)]
    for unit in units[:2]:
        file.change(ListChange("a", unit, True))
        file.change(TextChange(unit, "name", "", "x"))
    file.change(ListChange("b", units[0], True))
    full = ListChange("a", units[2], True), ListChange("c", units[0], True), TextChange(units[2], "name", "", "x")
    for refused in full:
        with pytest.raises(NotesError, match="2 (units|lists) .*already; take some away first"):
            file.change(refused)
    with pytest.raises(ChangedElsewhereError):
        file.change(TextChange(units[0], "name", "y", "z"))


def test_a_notes_file_that_is_no_file_is_never_waited_for(client: Client, recording: Path) -> None:
    os.mkfifo(recording.with_name("activations.h5.notes.json"))
    assert "it is no file" in client.get("/api/notes").json["problem"]
    assert put(client, change("name", "", "column")).status == 400


def test_notes_have_few_bytes(recording: Path) -> None:
    """Which bounds the memory that reading them takes."""
    file = NotesFile(recording)
    note = "漢" * 4_000
    kept = {"units": {f"0/cell/{number}": {"note": note} for number in range(348)}, "lists": {}, "model_sha256": ""}
    file.path.write_text(json.dumps({"format": "char-probe notes", "version": 1, **kept}, ensure_ascii=False), "utf-8")
    with pytest.raises(NotesError, match="over 4,194,304 bytes"):
        file.change(TextChange(Unit.parse("0/cell/900"), "note", "", note))
    assert len(file.read().units) == 348
    file.path.write_bytes(b'{"format": "char-probe notes", "version": 1, "units": [' + b"{}," * 1_400_000 + b"{}]}")
    assert "over 4,194,304 bytes" in file.facts()["problem"]


def test_notes_of_another_model_are_said(recording: Path) -> None:
    NotesFile(recording, "a" * 64).change(TextChange(UNIT, "name", "", "x"))
    assert NotesFile(recording, "a" * 64).facts()["notice"] == ""
    assert "were begun for another model" in NotesFile(recording, "b" * 64).facts()["notice"]


# ---- Commands


def shown(**changes: Any) -> dict[str, Any]:
    usual = {"recordings": [0], "unit": "1/cell/7", "units": ["1/cell/7"], "hypothesis": "in_quotes", "labelled": True}
    return {**usual, "span": [300, 500], **changes}


def commands_of(client: Client, **changes: Any) -> dict[str, dict[str, str]]:
    answer = client.post("/api/commands", shown(**changes)).json
    return {one["about"]: one for one in answer["commands"]}


def run_line(run: Command, line: str, *more: str) -> list[dict[str, Any]]:
    first, *words = shlex.split(line)
    assert first == "probe"
    status, out, err = run(*words, *more)
    assert status == 0, err
    return rows(out)


def python_output(source: str, monkeypatch: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", out)
        exec(compile(source, "<copied>", "exec"), {})
    return out.getvalue()


def test_the_ranking_as_a_command_and_as_python_has_the_numbers_of_the_page(
    client: Client, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = client.post("/api/labels", {"recording": 0, "hypothesis": "in_quotes"}).json["id"]
    of_page = client.post("/api/rank", {"recording": 0, "labels": labels}).lines[-1]["result"]["rows"]
    ranking = commands_of(client)["ranking"]
    printed_rows = run_line(run, ranking["command"], "--json")
    assert [{key: row[key] for key in of_page[0]} for row in printed_rows] == of_page
    printed = python_output(ranking["python"], monkeypatch).splitlines()
    assert [eval(line, {"nan": None}) for line in printed] == of_page


def test_the_text_as_a_command_and_as_python_has_the_numbers_of_the_page(
    client: Client, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = commands_of(client, units=["1/cell/7", "0/hidden/3"])["text"]
    table = run_line(run, text["command"], "--json")
    assert [row["position"] for row in table] == list(range(300, 500))
    values = [client.get(f"/api/value?unit=1/cell/7&position={position}").json["value"] for position in range(300, 310)]
    assert np.allclose([row["1/cell/7"] for row in table[:10]], values, atol=0.02)
    labels = client.post("/api/labels", {"recording": 0, "hypothesis": "in_quotes"}).json["id"]
    levels = client.get(f"/api/levels?labels={labels}&tile=0").body
    assert [row["in_quotes"] for row in table] == [bool(level) for level in levels[300:500]]
    python_output(text["python"], monkeypatch)
    path = client.exploration.recordings[0].path
    view = text_view(path, units=["1/cell/7", "0/hidden/3"], hypotheses="in_quotes", span=(300, 500))
    assert Path("view.html").read_text(encoding="utf-8") == page_of(view)


def test_the_unit_as_a_command_and_as_python(client: Client, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = commands_of(client, unit="1/hidden/5", hypothesis="")["unit"]
    assert unit["command"] == f"probe explain 1/hidden/5 {shlex.quote(str(client.exploration.recordings[0].path))}"
    best = run_line(run, unit["command"], "-H", "in_comment", "--json")[0]
    assert (best["hypothesis"], best["unit"]) == ("in_comment", "1/hidden/5")
    python = unit["python"].replace("'1/hidden/5')", "'1/hidden/5', 'in_comment')")  # all hypotheses take long
    assert python_output(python, monkeypatch).startswith("1/hidden/5: ")


@pytest.mark.parametrize("hypothesis", ["regex:'it''s $(touch x) `y` \"z\" \\d+'", "--json", "regex:a\nb", "漢 & ~x"])
def test_commands_are_quoted_for_the_shell(hypothesis: str, tmp_path: Path) -> None:
    """However a hypothesis or a path is spelled, the shell passes it on as it is, and Python reads it as it is."""
    path = tmp_path / "a b'$(c)\n.h5"
    asked = Shown(
        recordings=[path], unit="0/cell/1", units=["0/cell/1"], hypothesis=hypothesis, is_labelled=True, span=(0, 9)
    )
    for one in spelled(asked):
        words = shlex.split(one.command)
        assert str(path) in words
        assert repr(str(path)) in one.python
        compile(one.python, "<copied>", "exec")
        if one.about != "unit":
            assert f"--hypothesis={hypothesis}" in words or words[words.index("-H") + 1] == hypothesis
            assert repr(hypothesis) in one.python


@pytest.mark.parametrize(
    "hypothesis", ["regex:\x1b[201~\rtouch x\n", "regex:\t'\\\x03\x7f", "regex:\u202eabc\u2028\x9b"]
)
def test_commands_have_no_characters_that_a_terminal_obeys(hypothesis: str) -> None:
    """A link can name any hypothesis, and who copies the command pastes it into a terminal."""
    asked = Shown(recordings=[Path("a.h5")], unit="0/cell/1", hypothesis=hypothesis, span=(0, 9))
    command = spelled(asked)[0].command
    assert all(char.isprintable() or char == "\n" for char in command)
    shown = subprocess.run(
        ["bash", "-c", f"probe() {{ printf '%s\\0' \"$@\"; }}; {command}"], capture_output=True, check=True
    )
    assert hypothesis in shown.stdout.decode().split("\0")


def test_a_character_that_no_command_can_have_is_said(client: Client) -> None:
    answer = client.post("/api/commands", shown(hypothesis="regex:\0"))
    assert answer.status == 400 and "the character NUL" in answer.json["error"]


def test_a_relative_path_is_never_an_option_or_a_hypothesis() -> None:
    asked = Shown(recordings=[Path("-o.h5")], unit="0/cell/1", units=[], span=(0, 9))
    assert spelled(asked)[0].command == "probe view ./-o.h5 --range 0:9"


# ---- Files


def save(client: Client, ending: str, **changes: Any) -> Answer:
    return client.post("/api/save", shown(format=ending, **changes))


def test_the_text_is_saved_as_a_picture_and_as_a_page(client: Client) -> None:
    png, svg, html = (save(client, ending) for ending in ("png", "svg", "html"))
    assert (png.status, svg.status, html.status) == (200, 200, 200)
    assert png.headers["content-type"] == "image/png"
    assert png.headers["content-disposition"] == 'attachment; filename="activations 1-cell-7 300-500.png"'
    picture = np.asarray(Image.open(io.BytesIO(png.body)).convert("RGB"))
    assert picture.shape[0] > 100 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    drawn = svg.body.decode()
    assert drawn.lstrip().startswith("<?xml") and "1/cell/7" in drawn and "in_quotes" in drawn
    path = client.exploration.recordings[0].path
    view = text_view(path, units="1/cell/7", hypotheses="in_quotes", span=(300, 500))
    assert html.body.decode() == page_of(view)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "pdf"}, "format is 'pdf'; it must be png or svg or html"),
        ({"format": "png", "span": [0, 5000]}, "5,000 characters are too many for a file of this kind"),
        ({"format": "png", "span": [10, 10]}, "the characters 10 to 10 are none"),
        ({"format": "png", "span": [0, 10**9]}, "the end of the span is 1,000,000,000"),
        ({"format": "png", "units": ["1/cell/99"]}, "1/cell"),
        ({"format": "png", "hypothesis": "my_file.py:x"}, "may be used here"),
        ({"format": "png", "path": "/etc/passwd"}, "'path', which is not known here"),
    ],
)
def test_what_cannot_be_saved_is_said(client: Client, changes: Any, sentence: str) -> None:
    answer = client.post("/api/save", shown(**changes))
    assert answer.status in (400, 404) and sentence in answer.json["error"]
