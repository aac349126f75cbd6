"""The command `probe hypotheses`: passages of a text, and summaries of its labels."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from commands import Command, rows

SPAM = 'spam "and" eggs\n'


@pytest.fixture
def texts() -> list[str]:
    """Two texts, of 160 and 1,701 characters; in the second, quotation marks are opened twice and closed once."""
    Path("a.txt").write_text(SPAM * 10, encoding="utf-8")
    Path("b.txt").write_text(SPAM * 5 + 'x "' + "y" * 1600 + '" z\n' + SPAM, encoding="utf-8")
    return ["a.txt", "b.txt"]


# Which passage


def test_a_passage_is_shown_around_a_character(run: Command, texts: list[str]) -> None:
    _, out, _ = run("hypotheses", "--show", "in_quotes", *texts, "--around", "37", "--chars", "16")
    assert out.startswith('spam "and" eggs↵\n.....xxxx.......\n\nx True, . False\n')
    assert "in_quotes, characters 32 to 48 above; below, all 1,863\n" in out
    assert "character 37, line 3 of a.txt, is '\"': True\n" in out
    _, out, _ = run("hypotheses", "--show", "in_quotes", *texts, "--around", "-1", "--chars", "16")
    assert "character 1,862, line 7 of b.txt, is '↵': False\n" in out
    _, out, _ = run("hypotheses", "--show", "position_in_line", *texts, "--around", "37", "--chars", "16")
    assert out.startswith('spam "and" eggs↵\n123456789abcdef0\n\n0 to 9, then a to z: 0 to 35, rounded down')
    assert "character 37, line 3 of a.txt, is '\"': 6\n" in out


def test_a_passage_is_shown_around_the_first_match_of_a_pattern(run: Command, texts: list[str]) -> None:
    _, out, _ = run("hypotheses", "--show", "in_quotes", *texts, "--find", "y{5}|nothing", "--chars", "20")
    assert "character 243, line 6 of b.txt, is 'y': True\n" in out
    assert out.startswith('x "yyyyyyyyyyyyyyyyy\n..xxxxxxxxxxxxxxxxxx\n')
    status, out, err = run("hypotheses", "--show", "in_quotes", *texts, "--find", "zz+")
    assert status == 1 and not out
    assert err == (
        "error: the pattern 'zz+' matches nowhere in characters 0 to 1,863 of the text; try a shorter one, or (?i) to "
        "ignore case\n"
    )


def test_a_range_and_the_first_change_say_where_they_are(run: Command, texts: list[str]) -> None:
    _, out, _ = run("hypotheses", "--show", "in_quotes", *texts, "--range", "150:170")
    assert "line 10 of a.txt to line 1 of b.txt\n" in out
    _, out, _ = run("hypotheses", "--show", "in_quotes", *texts, "--range", "0:48")
    assert "lines 1 to 3 of a.txt\n" in out
    _, out, _ = run("hypotheses", "--show", "in_quotes", *texts, "--range", "33:36")
    assert "line 3 of a.txt\n" in out


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--find", "a", "--around", "3"], "a passage is around a position, around a match, or a range; name one"),
        (["--find", "a", "--range", "3:4"], "a passage is around a position, around a match, or a range; name one"),
        (["--around", "1863"], "there is no character 1,863: the text has 1,863, 0 to 1,862"),
        (["--find", "("], "the pattern '\\(' cannot be read"),
    ],
)
def test_wrong_places_are_refused(run: Command, texts: list[str], options: list[str], complaint: str) -> None:
    status, out, err = run("hypotheses", "--show", "in_quotes", *texts, *options)
    assert status == 1 and not out
    assert re.search(rf"^error: .*{complaint}", err) and err.count("\n") <= 2


@pytest.mark.parametrize("option", [["--around", "3"], ["--find", "a"], ["--range", "1:2"]])
@pytest.mark.parametrize("subjects", [["b.txt"], ["--show", "in_quotes"], []])
def test_a_passage_needs_a_hypothesis_and_a_text(
    run: Command, texts: list[str], option: list[str], subjects: list[str]
) -> None:
    status, _, err = run("hypotheses", *subjects, *option)
    assert status == 2 and "choose a passage of a text that one" in re.sub(r"[\s│]+", " ", err)


# How it looks


def test_marks_line_up_and_nothing_steers_the_terminal(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'a "漢字"\r\n\t"e\u0301" \u202e\x00\x1b[2J 👩\u200d👧 "x"\n'
    Path("hard.txt").write_bytes(text.encode())
    expected = 'a "漢字"␍↵\n..xx x ...\n→"e\u0301" ·␀␛[2J 👩·👧 "x"↵\n.xx.......... .. .xx..\n'
    _, out, _ = run("hypotheses", "--show", "in_quotes", "hard.txt")
    assert out.startswith(expected)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    _, out, _ = run("hypotheses", "--show", "in_quotes", "hard.txt")
    assert out.startswith(expected)


@pytest.mark.parametrize("width", [20, 40, 200])
def test_long_lines_are_broken_at_the_edge_of_the_terminal(
    run: Command, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    Path("long.txt").write_text('ab "漢"' * 40, encoding="utf-8")
    _, out, _ = run("hypotheses", "--show", "in_quotes", "long.txt")
    lines = out.split("\n\n")[0].splitlines()
    assert "".join(lines[::2]) == 'ab "漢"' * 40
    assert "".join(lines[1::2]) == "...xx ." * 40
    assert {len(marks) for marks in lines[1:-1:2]} <= {width, width - 1}  # one less before a wide character


# Summaries


def test_the_summary_says_where_the_longest_run_is(run: Command, texts: list[str]) -> None:
    _, out, _ = run("hypotheses", "--show", "in_quotes", *texts, "--json", "--csv", "out.csv")
    made = {row["label"]: row for row in rows(out)}
    assert made["True"] == {
        "hypothesis": "in_quotes",
        "kind": "binary",
        "label": "True",
        "n_chars": 16 * 4 + 1601,
        "share": 1665 / 1863,
        "n_runs": 17,
        "mean_run": 1665 / 17,
        "longest_run": 1601,
        "longest_run_at": 242,
        "longest_run_file": "b.txt",
        "longest_run_line": 6,
        "first": 5,
        "last": 1855,
        "warning": "has one run of 1,601 characters, 96.2 % of those where it is True",
    }
    assert made["False"]["warning"] is None and made["False"]["longest_run_at"] == 9
    with Path("out.csv").open(encoding="utf-8", newline="") as file:
        [_, row] = csv.DictReader(file)
    assert (row["longest_run_at"], row["longest_run_line"]) == ("242", "6")
    _, out, _ = run("hypotheses", "--show", "in_quotes", *texts)
    assert (
        "! in_quotes has one run of 1,601 characters, 96.2 % of those where it is True; it begins at character 242, "
        "line 6 of b.txt, which `probe hypotheses --show in_quotes --around 242 TEXT` shows\n"
    ) in out
    _, out, _ = run("hypotheses", "--show", "in_quotes", "a.txt")
    assert (
        "the longest run of True begins at character 5, line 1 of a.txt, which `probe hypotheses --show in_quotes "
        "--around 5 TEXT` shows\n"
    ) in out
    assert "!" not in out


def test_the_summary_of_numbers_says_where_the_extremes_are(run: Command, texts: list[str]) -> None:
    _, out, _ = run("hypotheses", "--show", "position_in_line", *texts, "--json")
    [row] = rows(out)
    expected = {"n_chars": 1863, "n_missing": 0, "lowest": 0, "lowest_at": 15, "highest": 1606, "highest_at": 1845}
    assert expected.items() <= row.items()


def test_all_hypotheses_have_their_runs_and_a_mark(run: Command, texts: list[str]) -> None:
    _, out, err = run("hypotheses", *texts, "--json")
    made: dict[str, dict[str, Any]] = {row["hypothesis"]: row for row in rows(out)}
    assert made["in_quotes"] == {
        "hypothesis": "in_quotes",
        "kind": "binary",
        "share_true": 1665 / 1863,
        "n_runs": 17,
        "mean_run": 1665 / 17,
        "longest_run": 1601,
        "longest_run_at": 242,
        "longest_run_file": "b.txt",
        "longest_run_line": 6,
        "lowest": None,
        "mean": None,
        "highest": None,
        "n_missing": 0,
        "warning": "has one run of 1,601 characters, 96.2 % of those where it is True",
    }
    assert made["position_in_line"]["highest"] == 1606 and made["position_in_line"]["longest_run"] is None
    assert made["end_of_word"]["warning"] is None
    _, out, _ = run("hypotheses", *texts)
    assert re.search(r"^! +in_quotes +0\.894 +17 +1,601 +242 +0$", out, re.M)
    assert re.search(r"^ +end_of_word +0\.0", out, re.M)
    assert re.search(r"^position_in_line +0\.000 +[\d.]+ +1,606\.000 +0$", out, re.M)
    assert re.search(r"^with classes, which --show counts: char_class", out, re.M)
    marked = re.findall(r"^!  (\w+)", out, re.M)
    assert marked == re.findall(r"^! (\w+) (?:has|is)", out, re.M) and "in_quotes" in marked
    assert err.startswith("left out: expression_depth, in_comment, ") and err.count("\n") == 1


def test_a_text_of_another_kind_than_the_hypothesis_is_about_is_warned_of(run: Command) -> None:
    Path("a.txt").write_text("See https://a.b/c for more.\nIt is so.\n" * 30, encoding="utf-8")
    warning = "the labels of in_comment may mean nothing here: the text is not a program: 0% of it is in lines"
    assert warning in run("hypotheses", "--show", "in_comment", "a.txt")[2]
    assert "may mean nothing" not in run("hypotheses", "--show", "in_comment", "a.txt", "--language", "c")[2]
    Path("mine.py").write_text(
        "from probe import hypothesis\n\n\n@hypothesis(text_kind='latex')\ndef dollars(text):\n"
        "    return [char == '$' for char in text]\n",
        encoding="utf-8",
    )
    assert "the labels of mine.py:dollars may mean" in run("hypotheses", "--show", "mine.py:dollars", "a.txt")[2]


def test_labels_that_are_all_missing_are_said_to_be(run: Command, texts: list[str]) -> None:
    sentence = "has no label anywhere in this text"
    assert f"! phase:3,zz {sentence}\n" in run("hypotheses", "--show", "phase:3,zz", *texts)[1]
    assert sentence not in run("hypotheses", "--show", "phase:3,eggs", *texts)[1]


def test_a_terminal_that_does_not_know_its_width_shows_all(
    run: Command, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = run("hypotheses", "--show", "in_quotes", *texts)[1]
    monkeypatch.setenv("COLUMNS", "0")
    assert run("hypotheses", "--show", "in_quotes", *texts)[1] == shown
    assert "x True, . False" in shown
