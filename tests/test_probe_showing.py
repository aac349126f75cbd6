"""What the terminal shows: tables of any width, progress with and without a terminal, and nothing raw from anybody."""

import io
import json
import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from commands import NAMES, Command, parsers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planting import PLANTED, random_model
from rich.cells import cell_len
from terminals import Shown, run_in_terminal, screen_of

from activations.models.checkpoints import save_model
from analyses.ranking.explaining.explanation import Explanation, Passage
from analyses.ranking.explaining.tuning import Tuning
from analyses.session import Session
from hypotheses.terminal.signs import visible
from probe.cli.analysis_options import TargetOptions, labels_first
from probe.cli.column_texts import column_help
from probe.cli.commands import app
from probe.cli.explain import _show_details
from probe.cli.showing import progress, say, share, show_rows, warn, warn_of_reasons, warn_once, without_progress
from probe.consoles import console

WIDTHS = (60, 80, 120, 160)
HOSTILE = "[red]x[/red] :b: \x1b[31mred\x1b]0;title\x07 \x9b2J \u202egnp.exe \udc80"
UNITS = ["0/cell/5", "1/output_gate/127", "0/hidden/1023"]
Rows = Sequence[Mapping[str, Any]]


class Screen(io.StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Shows rows on a terminal of a width, or in a pipe, and returns the lines without escapes."""

    def show(rows: Rows, width: int | None = None, **options: Any) -> list[str]:
        out = io.StringIO() if width is None else Screen()
        monkeypatch.setenv("COLUMNS", str(width or 33))
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stdout", out)
        show_rows(rows, as_json=False, **options)
        return re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()

    return show


def ranked(n_rows: int = 3) -> list[dict[str, Any]]:
    numbers = {
        "held_out_auc": 0.912, "low": 0.811, "high": 0.993, "auc_within_position_groups": 0.875, "p": 3.456e-12,
        "q": 0.0104, "p_shift": 0.01, "p_max": 0.02, "direction": -1, "overall_auc": 0.99, "tie_probability": 1e-05,
        "n_chars": 177_000,
    }  # fmt: skip
    return [{"unit": UNITS[n % 3][:-1] + str(n), "class": "vowel", **numbers} for n in range(n_rows)]


EVERY_NUMBER = ("0.912", "0.811", "0.993", "0.875", "3e-12", "0.010", "0.020", "-1", "0.990", "1e-05", "177,000")


# Tables


@pytest.mark.parametrize("width", [30, 40, *WIDTHS])
def test_a_short_table_fits_and_loses_nothing(shown: Callable[..., list[str]], width: int) -> None:
    lines = shown(ranked(), width)
    assert max(map(cell_len, lines)) <= width
    for number in EVERY_NUMBER:
        assert sum(line.split().count(number) for line in lines) >= 3, number


@pytest.mark.parametrize("width", WIDTHS)
def test_a_long_table_says_in_one_line_what_it_leaves_out(shown: Callable[..., list[str]], width: int) -> None:
    lines = shown(ranked(50), width)
    notices = [line for line in lines if line.startswith("no room for")]
    assert all(cell_len(line) <= width for line in lines if line not in notices)
    words = " ".join(lines).split()
    for number in ("0.912", "0.811", "0.993"):  # what matters most
        assert words.count(number) == 50
    if width < 120:
        assert len(notices) == 1 and "n chars: a wider terminal, --json and --csv have them" in notices[0]
    if width == 160:
        assert not notices
    everything = shown(ranked(50), width, in_parts=True)
    assert max(map(cell_len, everything)) <= width and not any(line.startswith("no room") for line in everything)
    assert " ".join(everything).split().count("177,000") == 50


def test_rows_of_further_parts_are_named_by_what_tells_them_apart(shown: Callable[..., list[str]]) -> None:
    rows = [
        {"hypothesis": "in_quotes", "site": site, "control": control, **{f"number_{n}": float(n) for n in range(20)}}
        for site in ("0/cell", "1/cell")
        for control in ("", "chars")
    ]
    headings = [line.split() for line in shown(rows, 80) if line.startswith("hypothesis")]
    assert len(headings) > 1
    assert all(heading[:3] == ["hypothesis", "site", "control"] for heading in headings)


@pytest.mark.parametrize("width", WIDTHS)
def test_notes_go_below_their_rows(shown: Callable[..., list[str]], width: int) -> None:
    note = "too few independent pieces of the text for an interval"
    rows = [{**row, "note": note if number == 1 else ""} for number, row in enumerate(ranked())]
    lines = shown(rows, width)
    if width < 160:
        [at] = [number for number, line in enumerate(lines) if line.startswith("    note: too few")]
        assert lines[at - 1].startswith(rows[1]["unit"])
    assert note in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("width", [24, 60, 120])
def test_wide_characters_are_aligned(shown: Callable[..., list[str]], width: int) -> None:
    names = ["漢字かな交じり文", "e\u0301te\u0301", "한국어", "👍👍", "plain", "ｆｕｌｌ"]
    lines = shown([{"class": name, "score": 0.5, "n": 7} for name in names], width)
    ends = {cell_len(line) for line in lines if line.endswith("7")}
    assert len(ends) == 1
    assert all(name in "\n".join(lines) for name in names)


@pytest.mark.parametrize("width", [30, *WIDTHS])
def test_the_title_of_a_table_fits(shown: Callable[..., list[str]], width: int) -> None:
    title = "by characters after the edit (without the last 3, which --json and --csv have)"
    lines = shown([{"unit": "0/cell/1", "auc": 0.9}], width, title=title)
    assert max(map(cell_len, lines)) <= width
    assert " ".join(lines).startswith(title)


def test_a_long_name_is_folded_and_not_cut(shown: Callable[..., list[str]]) -> None:
    name = "漢字" * 30 + "my_file.py:name"
    lines = shown([{"hypothesis": name, "score": 0.123}], 60)
    assert max(map(cell_len, lines)) <= 60
    assert "".join(line.split()[0] for line in lines[1:]) == name
    assert lines[1].endswith("0.123")


@pytest.mark.parametrize("width", [None, 60])
def test_names_are_neither_markup_nor_emoji_nor_escapes(shown: Callable[..., list[str]], width: int | None) -> None:
    lines = shown([{"hypothesis": HOSTILE, HOSTILE: 0.5}], width, title=HOSTILE)
    text = " ".join(" ".join(lines).split())
    assert "[red]x[/red]" in text and ":b:" in text
    assert text.isprintable()


def test_small_numbers_are_never_shown_as_zero(shown: Callable[..., list[str]]) -> None:
    [_, line] = shown([{"a": 0.0004, "b": -0.0001, "c": 0.0, "d": math.nan, "e": 0.0104}])
    assert line.split() == ["4e-04", "-1e-04", "0.000", "–", "0.010"]
    [_, line] = shown([{"a": 0.004, "b": 0.01}], digits=2)
    assert line.split() == ["4e-03", "0.01"]
    assert [share(value) for value in (0.00004, 0.5, 0.99999)] == ["0.004%", "50.0%", "99.999%"]


def test_a_pipe_has_a_fixed_width_whatever_the_terminal_is(shown: Callable[..., list[str]]) -> None:
    assert shown(ranked()) == shown(ranked(), 160)
    shown([])
    assert console().width == 120


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.text(max_size=40), min_size=1, max_size=4, unique=True),
    n_numbers=st.integers(0, 12),
    number=st.floats(),
    width=st.integers(20, 100),
    in_parts=st.booleans(),
)
def test_any_table_fits(
    shown: Callable[..., list[str]], names: list[str], n_numbers: int, number: float, width: int, in_parts: bool
) -> None:
    rows = [{"name": name, "note": name[::-1], **{f"n{n}": number for n in range(n_numbers)}} for name in names]
    width = max(width, 12 + 1 + 17)  # a name and the longest number
    lines = [line for line in shown(rows, width, in_parts=in_parts) if not line.startswith("no room")]
    assert max(map(cell_len, lines)) <= width
    assert all(line.isprintable() for line in lines)


# Sentences


def test_sentences_are_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"{HOSTILE}\nsecond line\t.")
    warn(HOSTILE)
    out, err = capsys.readouterr()
    assert out.count("\n") == 2 and "[red]x[/red] :b: ␛[31mred␛]0;title␇ ·2J ·gnp.exe ·" in out
    assert all(line.isprintable() for line in (out + err).splitlines())


@given(st.text())
def test_whatever_is_visible_is_printable(text: str) -> None:
    assert visible(text).isprintable()
    assert len(visible(text)) == len(text)


def test_many_reasons_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"in_{number}" for number in range(25)]
    warn_of_reasons("no score for", {name: f"'{name}' is False everywhere" for name in names})
    err = capsys.readouterr().err
    assert err == f"no score for 25 hypotheses: {', '.join(names)} (it is False everywhere)\n"
    warn_of_reasons("no score for", {"in_url": "'in_url' is False everywhere"})
    assert capsys.readouterr().err == "no score for in_url: 'in_url' is False everywhere\n"
    warn_of_reasons("no score for", {"vowel": "no vowel is told", "token": "no token is told"})
    assert capsys.readouterr().err == (
        "no score for 2 hypotheses: vowel (no vowel is told); token (no token is told)\n"
    )
    warn_of_reasons("no score for", {})
    notice = warn_once()
    for _ in range(3):
        notice("in pieces")
    assert capsys.readouterr().err == "in pieces\n"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_on_a_terminal_sentences_are_broken_between_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    command, path = "`probe rank in_quotes --model model.pt`", f"/a/{'folder/' * 20}text.txt"
    sentence = f"it is written at once and read again, {command} shows it in {path}; " + "漢字 and many a word " * 9
    warn(sentence)
    assert capsys.readouterr().err == f"{sentence}\n"  # a pipe gets one line
    out = Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    say(f"{sentence}\n    probe story in_quotes {path}\n  a.png: {sentence}\n  cell         {sentence}")
    printed = out.getvalue().splitlines()
    start, below, beside = (
        next(number for number, line in enumerate(printed) if line.startswith(words))
        for words in ("    probe ", "  a.png: ", "  cell    ")
    )
    assert start < below < beside
    for lines, indent in ((printed[below:beside], 4), (printed[beside:], 15)):
        assert all(cell_len(line) <= width or path in line for line in lines) and len(lines) > 2
        assert all(line[:indent].isspace() and not line[indent].isspace() for line in lines[1:])
        assert " ".join(line.strip() for line in lines).split(maxsplit=1)[1].strip() == sentence.strip()
    lines, example = printed[:start], printed[start]
    assert all(cell_len(line) <= width or path in line for line in lines)
    assert " ".join(line.strip() for line in lines) == sentence.strip()
    assert sum(command in line for line in lines) == sum(path in line for line in lines) == 1
    assert example == f"    probe story in_quotes {path}"


# Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Sets the time in seconds that progress is measured by."""
    now = [0.0]
    monkeypatch.setattr("probe.cli.showing.bars.monotonic", lambda: now[0])
    monkeypatch.setattr("probe.cli.showing.bars.FIRST_LINE_S", 10.0)
    yield lambda time: now.__setitem__(0, time)


def steps_of_an_hour(clock: Callable[[float], None]) -> None:
    with progress(f"reading {HOSTILE}") as report:
        for second in range(3601):
            clock(float(second))
            report(second, 3600, "a note")


def test_in_a_pipe_there_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]
) -> None:
    steps_of_an_hour(clock)
    lines = capsys.readouterr().err.splitlines()
    assert all(line.isprintable() and line.startswith("reading [red]x[/red]") for line in lines)
    assert 6 <= len(lines) <= 12
    assert lines[0].endswith("0% after 10 s (a note)")
    assert lines[2].endswith("2% after 1 min, about 59 min left (a note)")
    assert lines[3].endswith("4% after 2 min, about 58 min left (a note)")


def test_quiet_shows_no_progress(capsys: pytest.CaptureFixture[str], clock: Callable[[float], None]) -> None:
    with without_progress():
        steps_of_an_hour(clock)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("width", WIDTHS)
def test_a_bar_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    err = Screen()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    with progress("a step") as report:
        report(1, 4)
    assert "100%" in err.getvalue()  # it has ended, though it has not said so
    with pytest.raises(KeyError), progress("a very long step, " * 10 + HOSTILE) as report:
        report(1, 4, "a note")
        raise KeyError
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[\??[0-9;]*[A-Za-z]", "", err.getvalue()))
    assert max(map(cell_len, lines)) <= width
    assert any(" 25% " in line and line.startswith(("⠋", " ")) and "a very" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_a_bar_moves_and_names_what_is_labelled_while_a_text_is_labelled(planted: Path) -> None:
    """Labels of all hypotheses may take longer than what is done with them."""
    shown: list[tuple[float, str]] = []
    labelling, using = labels_first(lambda done, total, note="": shown.append((done / total, note)), [], 0.6)
    with Session(planted) as session:
        targets = TargetOptions().targets(session, [], labelling)
        n_labelled = len(shown)
        using(1, 2)
    shares = [share for share, _ in shown]
    assert n_labelled > 40 and shares == sorted(shares) and max(np.diff(shares[:n_labelled])) < 0.02
    assert shown[0] == (0.0, "labels of " + shown[0][1].removeprefix("labels of ")) and shares[n_labelled - 1] == 0.6
    assert {f"labels of {target.hypothesis}" for target in targets.made} <= {note for _, note in shown}
    assert shown[-1] == (0.8, "")


def test_what_is_said_meanwhile_stands_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    err = Screen()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with progress("ranking") as report:
        report(0, 4)
        warn("the labels are from the disk")
        with progress("labelling"):
            warn("compiling, once")
    warn("done")
    lines = [line.rstrip() for line in screen_of(err.getvalue().replace("\r\n", "\n").replace("\n", "\r\n"))]
    for sentence in ("the labels are from the disk", "compiling, once", "done"):
        assert sentence in lines
    assert any(line.strip().startswith("labelling") and "100%" in line for line in lines)  # it has ended


@pytest.mark.parametrize("name", NAMES)
def test_every_command_can_be_quiet(name: str) -> None:
    assert any("--quiet" in option.opts and "-q" in option.opts for option in parsers()[name].params)


# The whole command


def test_what_is_wrong_with_a_command_line_is_shown_without_its_escapes(run: Command) -> None:
    for words in (
        ["rank", f"--{HOSTILE}"],
        ["train", "corpus.txt", "--units", HOSTILE],
        ["train", "corpus.txt", "--cell", HOSTILE],
        ["check", HOSTILE],
        [HOSTILE],
        ["hypotheses", "--show", HOSTILE],
        ["rank", "in_quotes", f"{HOSTILE}.h5"],
        ["extract", f"{HOSTILE}.pt", f"{HOSTILE}.txt"],
        ["units", "in_quotes", "--csv", HOSTILE],
        ["rank", "in_quotes", "--model", HOSTILE, "--text", HOSTILE],
    ):
        status, out, err = run(*words)
        assert status in (1, 2), words
        for line in (out + err).splitlines():
            assert line.isprintable(), (words, line)


@pytest.fixture
def folder(planted: Path, tmp_path: Path) -> Path:
    """A folder with a recording, and hypotheses and a text with hostile names."""
    shutil.copy(planted, tmp_path / "activations.h5")
    (tmp_path / ":b:[red]x.py").write_text("def slow(text):\n    return [char == 'e' for char in text]\n")
    (tmp_path / "\x1b[31mred.txt").write_text('a "b" c\n' * 40)
    (tmp_path / os.fsdecode(b"\xff\x9b2J.txt")).write_text('a "b" c\n' * 40)
    return tmp_path


def without_soft_lines(found: Shown) -> list[str]:
    """The lines of tables: those with two spaces between words."""
    return [line for line in found.lines if "  " in line.strip()]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_ranking_on_a_terminal(folder: Path, width: int) -> None:
    words = ["rank", "in_quotes", ":b:[red]x.py:slow", "--top", "3"]
    found = run_in_terminal(words, width, folder=folder)
    assert found.status == 0, found.raw
    assert max(cell_len(line) for line in without_soft_lines(found)) <= width
    assert ":b:[red]x.py:slow" in found.text
    assert re.search(rf"^{PLANTED['in_quotes']} .* 0\.\d{{3}}", found.text, re.MULTILINE)
    assert "\x1b[?25l" in found.raw  # there was a bar


@pytest.mark.parametrize(("variables", "has"), [({"NO_COLOR": "1"}, "mK"), ({"TERM": "dumb"}, "")])
def test_terminals_without_colours_or_escapes(folder: Path, variables: dict[str, str], has: str) -> None:
    for words in (["hypotheses", "--show", "in_quotes", str(folder / "\x1b[31mred.txt")], ["rank", "in_quotes"]):
        found = run_in_terminal(words, 60, variables=variables, folder=folder)
        assert found.status == 0, found.raw
        assert not re.search(r"\x1b\[[0-9;]*[34][0-9][;m]", found.raw)
        if not has:
            assert "\x1b" not in found.raw
        assert max(cell_len(line) for line in without_soft_lines(found)) <= 60


def test_paths_of_any_bytes_are_shown(folder: Path) -> None:
    path = folder / os.fsdecode(b"\xff\x9b2J.txt")
    found = run_in_terminal(["hypotheses", "--show", "in_quotes", path], 80, folder=folder)
    assert found.status == 0, found.raw
    assert "··2J.txt" in found.text
    missing = run_in_terminal(["check", os.fsdecode(b"\xff\x9b.h5")], 80, folder=folder)
    assert missing.status == 1 and "Traceback" not in missing.text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_another_encoding_lacks_characters_and_nothing_fails(folder: Path, encoding: str) -> None:
    for words in (["rank", "in_quotes"], ["hypotheses"], ["rank", "in_nothing"]):
        found = run_in_terminal(words, 80, variables={"PYTHONIOENCODING": encoding}, folder=folder)
        assert "Traceback" not in found.text and found.status == (words[-1] == "in_nothing")


def test_json_is_not_changed_by_a_terminal(folder: Path) -> None:
    found = run_in_terminal(["rank", "in_quotes", "--top", "2", "--json", "-q"], 40, folder=folder)
    assert [json.loads(line)["hypothesis"] for line in found.lines if line.startswith("{")] == ["in_quotes"] * 2


def test_the_size_of_a_recording_is_said_before_it_is_written(
    run: Command, code_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    save_model(random_model(code_text), "model.pt")
    status, _, err = run("extract", "model.pt", "corpus.txt", "--sites", "cell")
    assert status == 0
    [size] = re.findall(r"^activations\.h5 will take ([\d.]+) MB$", err, re.MULTILINE)
    assert float(size) == pytest.approx(Path("activations.h5").stat().st_size / 1e6, rel=0.06, abs=0.06)
    room = shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: room)
    _, _, err = run("extract", "model.pt", "corpus.txt", "-o", "other.h5")
    assert "its disk has 1 kB free: choose --sites or --range, or another disk with -o" in err


def test_what_is_said_to_come_next_reads_the_recording_that_was_written(run: Command, code_text: str) -> None:
    """One of the default name is read by default in this folder alone."""
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    save_model(random_model(code_text), "model.pt")
    Path("there").mkdir()
    for words, expected in (([], ""), (["-o", "there/activations.h5"], " there/activations.h5")):
        _, out, err = run("extract", "model.pt", "corpus.txt", "--sites", "1/cell", *words)
        assert f"next: probe rank in_quotes{expected}\n" in out + err


@pytest.mark.parametrize("width", [60, 80, 120])
def test_means_and_passages_of_a_unit_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    out = Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    zeros = np.zeros(2)
    tuning = Tuning(
        hypothesis="char_class", labels=("漢字かな交じり文", "newline"), places=zeros, means=np.array([-0.00004, 1.5]),
        deviations=zeros, n=np.array([118_838, 30_659]), eta2=0.00002, median=0.25, period=None, wave_p=None,
    )  # fmt: skip
    text = "漢字 and text, " * 10
    passage = Passage(position=16_282, value=-2.5, before=text, character="漢", after=text)
    explanation = SimpleNamespace(
        unit="0/cell/5", explained=0.00004, tunings=[tuning], most=[passage], least=[replace(passage, after="字")]
    )
    _show_details(cast(Explanation, explanation))
    lines = out.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= width
    assert any("█" in line and line.endswith("30,659") for line in lines)
    assert any(line.startswith("漢字かな交じり文     -4e-05") and line.endswith("118,838") for line in lines)
    assert lines[0].startswith("0.004% of 0/cell/5") and "explains 0.002% of it alone" in " ".join(lines)
    marks = [line for line in lines if "▐漢▌" in line]
    assert len(marks) == 2 and all(cell_len(line) >= width - 1 or width == 120 for line in marks[:1])
    assert len({cell_len(line.partition("▐")[0]) for line in marks}) <= 2
    assert marks[1].endswith("▌字")


@pytest.mark.parametrize("width", [40, 60, 80])
def test_help_on_a_narrow_terminal_names_every_option_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    out = Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    for words in ([], ["--help"], ["rank", "--help"], ["import", "--help"]):
        out.truncate(0)
        out.seek(0)
        with pytest.raises(SystemExit):
            app(words)
        lines = out.getvalue().splitlines()
        text = "\n".join(lines)
        name = words[0] if words and words[0] != "--help" else None
        options = parsers()[name].params if name else []
        assert all(spelling in text for option in options for spelling in option.opts if spelling[0] == "-"), words
        assert all(cell_len(line) <= width for line in lines if not re.match(r" +(probe|--|<)", line)), words
        assert name or "Draw a picture: PNG, SVG or PDF" in " ".join(text.split())


@pytest.mark.parametrize("name", NAMES)
def test_help_in_boxes_loses_nothing_in_brackets(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Boxes are printed from markup, in which [in brackets] would be a style."""
    for _ in range(2):  # what is escaped for one is not escaped twice for the next
        with pytest.raises(SystemExit):
            app([*name.split(), "--help"])
    shown = capsys.readouterr().out
    command = parsers()[name]
    described = [command.help, *(option.help or "" for option in command.params), column_help(name)]
    pieces = [piece for text in described for piece in re.findall(r"\[[^][\n ]+\]|\[in brackets\]", text or "")]
    assert all(piece in " ".join(re.sub(r"[│\n]", " ", shown).split()) for piece in pieces), pieces
    assert "\\[" not in shown
    assert name != "hypotheses" or "[in brackets]" in pieces
