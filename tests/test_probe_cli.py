"""The command: the road on a user's own files, and what wrong input gets."""

import csv
import inspect
import json
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import NAMES, Command, parsers, rows
from foreign import state_dict
from planting import PLANTED, random_model

from activations.models.char_rnn import ModelConfig
from activations.models.checkpoints import save_model
from activations.models.training.config import TrainingConfig
from activations.recordings.recording import Recording
from activations.units import Site
from analyses.ranking.methods.registry import METHODS
from analyses.ranking.results import TABLE_COLUMNS
from hypotheses.registry import get, registered
from probe.cli.fit_tables import _show_tables
from probe.cli.showing import TableCell, show_rows
from probe.cli.train import train
from probe.demo import bundled_model, bundled_text
from probe.training.recipes import settings_of, shape_of


@pytest.fixture
def files(code_text: str) -> None:
    """`corpus.txt` and an untrained `model.pt` in this folder."""
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    save_model(random_model(code_text), "model.pt")


@pytest.mark.parametrize("name", list(PLANTED))
def test_rank_fit_and_curve_find_the_planted_unit(run: Command, planted: Path, name: str) -> None:
    status, out, _ = run("rank", "--hypothesis", name, planted, "--json", "--top", "3")
    ranked = rows(out)
    assert status == 0
    assert len(ranked) == 3
    method = "r" if name == "position_in_line" else "auc"
    honest = {"low", "high", f"{method}_within_position_groups", "p", "q", "p_shift", "p_max", "tie_probability"}
    own = {"hypothesis", "unit", "method", "score", f"overall_{method}", f"held_out_{method}", "direction"}
    assert set(ranked[0]) == honest | own | set(TABLE_COLUMNS)
    assert ranked[0]["unit"] == str(PLANTED[name])
    assert ranked[0]["hypothesis"] == name

    status, out, _ = run("fit", "--hypothesis", name, planted, "--json")
    score = "r2" if method == "r" else "auc"
    probes = [row for row in rows(out) if row["control"] is None]
    best = max(probes, key=lambda row: float(str(row[score])))
    assert best["site"] == str(PLANTED[name].site)
    if method == "auc":
        assert {"accuracy", "f1", "majority_accuracy"} <= set(best)

    status, out, _ = run("curve", "--hypothesis", name, planted, "--json", "--most", "4", "-o", "curve.png")
    assert status == 0
    assert [row["units"] for row in rows(out)] == [1, 2, 4]
    assert Path("curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_road_on_ones_own_files(run: Command, code_text: str) -> None:
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    status, out, _ = run(
        "train", "corpus.txt", "--preset", "small", "--units", "8", "--epochs", "3", "--lanes", "8", "--steps", "32"
    )
    assert status == 0
    assert "model.pt" in out
    status, out, _ = run("extract", "model.pt", "corpus.txt", "--json")
    [row] = rows(out)
    assert status == 0
    assert set(row) == {
        "path",
        "n_chars",
        "sites",
        "nats_per_char",
        "chars_per_s",
        "lane_difference",
        "unsettled",
        "saturated",
    }
    assert row["n_chars"] == len(code_text)
    assert row["path"] == "activations.h5"
    assert len(row["sites"]) == 12
    status, out, err = run("rank", "--hypothesis", "in_quotes")
    assert status == 0
    assert "96 units" in out
    assert err == "reading activations.h5 in this folder, since no recording is named\n"
    live = run("rank", "--hypothesis", "in_quotes", "--model", "model.pt", "--text", "corpus.txt", "--json")
    assert rows(live[1]) == rows(run("rank", "--hypothesis", "in_quotes", "--json")[1])


def test_a_model_reads_what_it_writes(run: Command, files: None) -> None:
    made = ("extract", "model.pt", "--generate", "20x30", "--prompt", r"\n", "--temperature", "0.8", "--json")
    status, out, err = run(*made)
    assert (status, rows(out)[0]["n_chars"]) == (0, 20 * 31), err
    with Recording("activations.h5") as recording:
        texts = [recording.corpus.text(each.start, each.stop) for each in recording.corpus.documents]
    assert len(set(texts)) == 20
    assert {text[0] for text in texts} == {"\n"}
    assert run(*made[:-1], "--top-k", "1", "-o", "surest.h5")[0] == 0
    with Recording("surest.h5") as recording:
        assert len({recording.corpus.text(each.start, each.stop) for each in recording.corpus.documents}) == 1
    for option in (("--top-k", "3"), ("--temperature", "1"), ("--prompt", "a"), ("--seed", "0")):
        code, _, complaint = run("extract", "model.pt", "corpus.txt", *option)
        assert code == 2 and f"{option[0]} is for texts that the model writes" in " ".join(complaint.split())
    assert run("extract", "model.pt", "corpus.txt", "--generate", "20x30")[0] == 2
    assert run("extract", "model.pt")[0] == 2
    assert "write them such as 100x500" in run("extract", "model.pt", "--generate", "much")[2]


def test_sites_can_be_chosen(run: Command, files: None) -> None:
    status, out, _ = run("extract", "model.pt", "corpus.txt", "--sites", "hidden,1/cell", "--json")
    assert status == 0
    assert rows(out)[0]["sites"] == ["0/hidden", "1/hidden", "1/cell"]
    _, out, _ = run("fit", "--hypothesis", "in_quotes", "--sites", "1", "--controls", "none", "--json")
    assert [row["site"] for row in rows(out)] == ["1/hidden", "1/cell"]
    _, out, _ = run("fit", "--hypothesis", "in_quotes", "--layer", "1", "--together", "--controls", "none", "--json")
    assert [row["site"] for row in rows(out)] == ["16 units"]
    _, out, _ = run("fit", "-H", "in_quotes", "--units", "1/cell/3,0/hidden/1", "--controls", "none", "--json")
    assert [row["site"] for row in rows(out)] == ["2 units"]


def test_hypotheses_are_listed(run: Command) -> None:
    assert [row["hypothesis"] for row in rows(run("hypotheses", "--json")[1])] == list(registered())
    table = run("hypotheses")[1]
    assert all(name in table for name in registered())


def test_a_text_is_shown_with_its_labels(run: Command) -> None:
    Path("corpus.txt").write_text('a "b" c\n\x1b[2J"d"\n', encoding="utf-8")
    _, out, _ = run("hypotheses", "--show", "in_quotes", "corpus.txt")
    assert out.startswith('a "b" c↵\n..xx....\n␛[2J"d"↵\n....xx..\n')  # nothing that moves the cursor
    assert re.search(r"True +4 +0\.250 +2 +2\.000 +2", out)
    _, out, _ = run("hypotheses", "--show", "in_quotes", "corpus.txt", "--range", "2:5", "--json")
    assert rows(out)[1] == {
        "hypothesis": "in_quotes",
        "kind": "binary",
        "label": "True",
        "n_chars": 4,
        "share": 0.25,
        "n_runs": 2,
        "mean_run": 2.0,
        "longest_run": 2,
        "longest_run_at": 2,
        "longest_run_file": "corpus.txt",
        "longest_run_line": 1,
        "first": 2,
        "last": 13,
        "warning": None,
    }
    assert run("hypotheses", "--show", "in_quotes", "corpus.txt", "--range", "2:5")[1].startswith('"b"\nxx.\n')
    _, out, _ = run("hypotheses", "--show", "char_class", "corpus.txt")
    assert "a lower case, b upper case" in out
    _, out, _ = run("hypotheses", "--show", "position_in_quotes", "corpus.txt")
    assert 'a "b" c↵\n??01????\n' in out and "in characters" in out


def test_a_passage_begins_where_labels_change(run: Command) -> None:
    Path("corpus.txt").write_text("spam\n" * 1000 + 'eggs "ham"\n' + "spam\n" * 1000, encoding="utf-8")
    _, out, _ = run("hypotheses", "--show", "in_quotes", "corpus.txt", "--chars", "12")
    assert out.startswith('eggs "ham"↵\n.....xxxx..\n')
    assert "characters 5,000 to 5,011 above; below, all 10,011" in out


@pytest.mark.parametrize(
    ("name", "colours", "legend"),
    [
        ("in_quotes", 2, "in_quotes   False   True"),
        ("char_class", 4, " lower case "),
        ("position_in_line", 5, "12"),
    ],
)
def test_a_terminal_shows_labels_as_colours(
    run: Command, monkeypatch: pytest.MonkeyPatch, name: str, colours: int, legend: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    Path("corpus.txt").write_text('abc "def" 12\nX yz\n', encoding="utf-8")
    _, out, _ = run("hypotheses", "--show", name, "corpus.txt")
    above, passage, *_ = out.split("\n\n")
    assert len(set(re.findall(r"48;2;\d+;\d+;\d+", passage))) >= colours
    assert re.sub(r"\x1b\[[\d;]*m", "", passage) == 'abc "def" 12↵\nX yz↵'
    assert legend in re.sub(r"\x1b\[[\d;]*m", "", above)


def test_classes_that_have_no_colour_each_are_marked(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    Path("mine.py").write_text("def many(text):\n    return [str(t) for t in range(len(text))]\n", encoding="utf-8")
    Path("corpus.txt").write_text("ab" * 150, encoding="utf-8")
    _, out, _ = run("hypotheses", "--show", "mine.py:many", "corpus.txt", "--range", "0:255")
    assert "48;2;" in out
    _, out, _ = run("hypotheses", "--show", "mine.py:many", "corpus.txt")
    assert "48;2;" not in out and out.startswith("ab" * 40)


def test_hypotheses_are_defined_and_counted(run: Command) -> None:
    _, out, _ = run("hypotheses", "--show", "indent_at_least")
    assert out.startswith("indent_at_least:depth[,width]\nHas the line begun")
    assert "Looks ahead: no" in out and "Source: Karpathy" in out
    assert rows(run("hypotheses", "--show", "end_of_word", "--json")[1])[0]["looks_ahead"] is True
    Path("corpus.txt").write_text('a "b" c\n' * 20, encoding="utf-8")
    _, out, err = run("hypotheses", "corpus.txt", "--json")
    found = {row["hypothesis"]: row for row in rows(out)}
    assert found["in_quotes"]["share_true"] == 0.25
    assert found["position_in_line"]["highest"] == 7
    without_parameters = {name: every for name, every in registered().items() if not every.parameters.required}
    assert {name for name, every in without_parameters.items() if not every.needs} <= set(found)
    assert len(found) > 30 and "in_comment" not in found
    assert "in_comment" in err and "(the text is not a program" in err


def test_what_a_users_function_prints_or_names_does_no_harm(run: Command, planted: Path) -> None:
    Path("mine.py").write_text(
        "print('hello')\n"
        "def loud(text):\n    print('noise')\n    return ['\\x1b[2J' if c == 'a' else '' for c in text]\n"
        "def many(text):\n    return [f'class {t}' for t in range(len(text))]\n"
        "def leaves(text):\n    raise SystemExit(3)\n"
    )
    Path("corpus.txt").write_text("abc " * 20, encoding="utf-8")
    _, out, err = run("hypotheses", "--show", "mine.py:loud", "corpus.txt", "--json")
    assert len(rows(out)) == 2 and "noise" in err
    assert "\x1b" not in run("hypotheses", "--show", "mine.py:loud", "corpus.txt")[1]
    status, out, err = run("fit", "--hypothesis", "mine.py:loud", planted, "--controls", "none", "--json")
    assert rows(out)[0]["hypothesis"] == "mine.py:loud" and "hello" in err
    _, out, err = run("rank", "--hypothesis", "mine.py:loud", planted, "--json")
    assert {row["class"] for row in rows(out)} == {"", "\x1b[2J"} and "hello" in err
    assert "\x1b" not in run("rank", "--hypothesis", "mine.py:loud", planted)[1]
    _, out, _ = run("hypotheses", "--show", "mine.py:many", "corpus.txt")
    assert "and 60 other labels" in out and len(out) < 5000
    assert len(run("rank", "--hypothesis", "mine.py:many", planted)[2]) < 1000
    status, _, err = run("hypotheses", "--show", "mine.py:leaves", "corpus.txt")
    assert status == 1 and "failed: SystemExit in line 8 of mine.py" in err
    _, out, _ = run("hypotheses", "--show", "in_quotes", "corpus.txt")
    assert "in_quotes is True nowhere in this text" in out


def test_a_language_is_given_to_those_that_ask_for_one(run: Command, planted: Path) -> None:
    for command in ("rank", "fit", "curve"):
        _, out, err = run(command, "--hypothesis", "in_comment", planted, "--language", "python", "--json")
        assert rows(out)[0]["hypothesis"] == "in_comment:python", err
    assert "Pygments has no lexer for 'klingon'" in run("rank", "-H", "token:Name", planted, "--language", "klingon")[2]


def test_a_lag_asks_for_another_character(run: Command, planted: Path) -> None:
    for command in ("rank", "fit", "curve"):
        _, out, err = run(command, "--hypothesis", "in_quotes", planted, "--lag", "-1", "--json")
        assert rows(out)[0]["hypothesis"] == "in_quotes @ -1", err
    now, then = (rows(run("rank", "-H", "in_quotes", planted, "--lag", n, "--json")[1])[0] for n in ("0", "-20"))
    assert float(str(now["score"])) > 2 * float(str(then["score"]))


def test_combinations_and_patterns_are_ranked(run: Command, planted: Path) -> None:
    for asked in ("in_quotes & ~in_comment", r'regex:"[^"\n]*"'):
        _, out, err = run("rank", "--hypothesis", asked, planted, "--json", "--top", "1")
        assert rows(out)[0]["unit"] == str(PLANTED["in_quotes"]), err


def test_all_hypotheses_are_ranked_at_once(run: Command, planted: Path) -> None:
    _, out, err = run("rank", "--all", planted, "--json")
    found = {(row["hypothesis"], row["site"]): row for row in rows(out)}
    for name, unit in PLANTED.items():
        assert found[name, str(unit.site)]["unit"] == str(unit)
        alone = rows(run("rank", "--hypothesis", name, planted, "--top", "1", "--json")[1])[0]
        assert found[name, str(unit.site)]["score"] == pytest.approx(alone["score"], rel=1e-4)
    [left_out] = [line for line in err.splitlines() if line.startswith("left out: ")]
    assert "in_wiki_link, position_in_wiki_link (the text is not wikitext: 0 links, headings and templates" in left_out
    assert "no score for" not in err
    _, out, _ = run("rank", "--all", planted, "--sites", "0")
    assert re.search(r"in_quotes +0/hidden/3 +auc", out)
    assert run("rank", planted)[0] == run("rank", "--all", "-H", "in_quotes", planted)[0] == 2


def test_units_are_ranked_for_classes_by_several_methods(run: Command, planted: Path) -> None:
    _, out, _ = run("rank", "--hypothesis", "char_class", planted, "--json")
    assert {row["class"] for row in rows(out)} <= set(get("char_class").names)
    _, out, _ = run("rank", "--hypothesis", "in_comment", planted, "--method", "f1", "--layer", "1", "--json")
    first, *others = rows(out)
    assert first["unit"] == str(PLANTED["in_comment"])
    assert float(str(first["held_out_score"])) > 0.5 and float(str(first["held_out_auc"])) > 0.75
    assert all(str(row["unit"]).startswith("1/") for row in others)
    for name in METHODS:
        assert name in run("rank", "--help")[1].replace("\n", " ").replace("│", " ")
    assert run("rank", "--all", "--method", "f1", planted)[0] == 2
    status, _, err = run("rank", "-H", "in_comment", planted, "--compare", "auc,best")
    assert status == 1 and "there is no method 'best'" in err


def test_a_unit_that_is_not_there_is_refused_before_any_labels_are_made(run: Command, planted: Path) -> None:
    status, _, err = run("explain", "1/cell/9999", planted)
    assert status == 1
    assert err.splitlines()[-1].startswith("error: 1/cell has ")
    assert "left out" not in err  # which is said of hypotheses that have labelled the text


@pytest.mark.parametrize("command", ["rank --all", "fit --all", "units", "report", "plot matrix"])
def test_a_site_that_is_not_there_is_refused_before_any_labels_are_made(
    run: Command, planted: Path, command: str
) -> None:
    status, out, err = run(*command.split(), planted, "--sites", "nosuch")
    assert (status, out) == (1, "")
    assert err.startswith("error: there is no site 'nosuch' here; there are ") and err.count("\n") == 1


def test_a_control_that_there_is_not_is_refused_before_anything_is_read(run: Command) -> None:
    status, _, err = run("fit", "in_quotes", "none.h5", "--controls", "luck")
    assert (status, err) == (1, "error: there is no control 'luck'; there are chars, position, context, runs\n")


def test_a_unit_is_explained(run: Command, planted: Path) -> None:
    unit = str(PLANTED["position_in_line"])
    _, out, _ = run("explain", unit, planted, "--json")
    first = rows(out)[0]
    assert first["hypothesis"] == "position_in_line" and float(str(first["added_r2"])) > 0.3 and first["unit"] == unit
    _, out, _ = run("explain", unit, planted, "-H", "position_in_line", "-H", "in_comment", "--passages", "1")
    assert "mean of the unit by position_in_line" in out and "most active" in out and "▐" in out
    assert first["period"] is None and "wave_p" in first
    assert "there is no site 5/cell here" in run("explain", "5/cell/0", planted)[2]
    assert "units are written layer/signal/index" in run("explain", "nonsense", planted)[2]


def test_the_text_where_a_unit_is_most_active_is_drawn(run: Command, planted: Path) -> None:
    """By the unit, with the labels of the first hypothesis below, around the most active place."""
    unit = str(PLANTED["position_in_line"])
    asked = ("explain", unit, planted, "position_in_line", "in_comment")
    status, out, err = run(*asked, "-o", "unit.svg")
    assert status == 0, err
    assert out.endswith(f"unit.svg: the text around where {unit} is most active\n")
    [position] = re.findall(r"most active\n +[+-][\d.]+ +([\d,]+)", out)[:1]
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", Path("unit.svg").read_text(encoding="utf-8"))
    assert [text for text in texts if text in (unit, "position_in_line")][:2] == [unit, "position_in_line"]
    [start, stop] = next(
        re.findall(r"characters ([\d,]+) to ([\d,]+)", text) for text in texts if "characters" in text
    )[0]
    assert int(start.replace(",", "")) <= int(position.replace(",", "")) < int(stop.replace(",", ""))
    status, out, _ = run(*asked, "-o", "unit.html", "--json")
    assert status == 0 and "most active" not in out
    assert Path("unit.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    status, _, err = run(*asked, "-o", "unit.gif")
    assert status == 1 and "end its name in .html for a page, or in .png, .svg, .pdf for a picture" in err
    assert "no folder absent" in run(*asked, "-o", "absent/unit.png")[2]


def test_the_bars_of_a_unit_begin_at_its_median(run: Command, planted: Path) -> None:
    """So that they differ for a unit that is far from 0 everywhere."""
    unit = PLANTED["position_in_line"]
    with Recording(planted) as recording:
        median = float(np.median(recording.read([unit.site])[unit.site][:, unit.index]))
    assert median > 0.3
    _, out, _ = run("explain", str(unit), planted, "-H", "position_in_line")
    assert f"bars begin at the unit's median over labelled characters, {median:+.3f}" in out
    bars = re.findall(r"^ *\d+ +([+-][\d.]+) ([ █]{40}) [\d,]+$", out, re.MULTILINE)
    means = np.array([float(mean) for mean, _ in bars])
    assert len(bars) > 10 and (means < median).any() and (means > median).any()
    lengths = np.abs(means - median) / (max(*means, median) - min(*means, median)) * 40
    np.testing.assert_allclose([bar.count("█") for _, bar in bars], lengths, atol=1.1)
    assert all(bar.rstrip().endswith("█") == (bar.count("█") > 0) for _, bar in bars)


def test_methods_are_compared(run: Command, planted: Path) -> None:
    _, out, _ = run("rank", "--hypothesis", "in_comment", planted, "--compare", "auc,weight", "--top", "2", "--json")
    assert [(row["method"], row["rank"]) for row in rows(out)] == [
        ("auc", 1), ("auc", 2), ("weight", 1), ("weight", 2),
    ]  # fmt: skip
    _, out, _ = run("rank", "--hypothesis", "in_comment", planted, "--compare", "auc,weight", "--top", "2")
    assert re.search(rf"1 +{PLANTED['in_comment']} 0\.\d+ +{PLANTED['in_comment']}", out)


def test_classes_are_fitted_together(run: Command, planted: Path) -> None:
    _, out, _ = run("fit", "--hypothesis", "char_class", planted, "--penalty", "100", "--controls", "chars", "--json")
    assert {row["site"] for row in rows(out)} > {"1/cell", "last character"}
    [alone] = [row for row in rows(out) if row["site"] == "last character"]
    assert float(str(alone["accuracy"])) > 0.99
    assert run("rank", "--hypothesis", "char_class == digit", planted, "--json")[0] == 0


def test_probes_have_their_controls_in_the_same_table(run: Command, planted: Path) -> None:
    asked = ("fit", "-H", "in_quotes", "-H", "position_in_line", planted, "--sites", "0", "--controls")
    _, out, _ = run(*asked, "chars,context,runs")
    for shown in ("in_quotes", "position_in_line", "majority", "selectivity", "context", "runs", "last 20 characters"):
        assert shown in out
    _, out, _ = run(*asked, "runs", "--json")
    assert [row["control"] for row in rows(out)] == [None, "runs", None, "runs"]
    status, _, err = run(*asked, "luck")
    assert (status, err) == (1, "error: there is no control 'luck'; there are chars, position, context, runs\n")


def test_recordings_stand_side_by_side(run: Command, planted: Path, files: None) -> None:
    other = Path("other.h5")
    other.write_bytes(planted.read_bytes())
    _, out, _ = run("fit", "-H", "in_quotes", planted, other, "--sites", "0", "--controls", "none", "--json")
    assert [row["model"] for row in rows(out)] == [planted.stem, "other", f"other − {planted.stem}"]
    _, out, _ = run("curve", "-H", "in_quotes", "-H", "in_comment", planted, other, "--most", "2", "--json")
    assert [(row["model"], row["hypothesis"], row["units"]) for row in rows(out)] == [
        (model, name, n) for model in (planted.stem, "other") for name in ("in_quotes", "in_comment") for n in (1, 2)
    ]


@pytest.mark.parametrize("over", ["units", "chars", "lag", "sites", "penalty"])
def test_curves_are_drawn_and_written_down(run: Command, planted: Path, over: str) -> None:
    status, out, _ = run("curve", "-H", "in_quotes", planted, "--over", over, "-o", "c.svg", "--csv", "c.csv", "--json")
    assert status == 0
    table = list(csv.DictReader(Path("c.csv").read_text("utf-8").splitlines()))
    assert [row[over] for row in table] == [str(row[over]) for row in rows(out)]
    assert [float(row["control_score"]) for row in table] == [row["control_score"] for row in rows(out)]
    assert b"<svg" in Path("c.svg").read_bytes()


def test_curves_of_both_kinds_of_label_are_shown(run: Command, planted: Path) -> None:
    asked = ("curve", "-H", "in_quotes", "-H", "position_in_line", "-H", "in_qoutes", planted, "--most", "2")
    status, out, err = run(*asked, "--csv", "c.csv", "-o", "c.png")
    assert status == 0
    assert "auc" in out and "r2" in out
    assert "no curve for in_qoutes" in err and "did you mean 'in_quotes'?" in err
    assert len(list(csv.DictReader(Path("c.csv").read_text("utf-8").splitlines()))) == 4
    status, _, err = run("curve", "-H", "in_quotes", planted, "--folds", "5")
    assert (status, err.count("\n")) == (1, 1) and "leave out the folds" in err


def test_a_recording_and_a_model_are_one_too_many(run: Command, planted: Path, files: None) -> None:
    status, _, err = run("fit", "-H", "in_quotes", planted, "--model", "model.pt", "--text", "corpus.txt")
    assert (status, err) == (1, "error: a recording and --model are given; name one of the two\n")


@pytest.mark.parametrize(
    ("note", "expected"),
    [
        ("no interval for in_quotes: too few pieces", "no interval for in_quotes: too few pieces"),
        ("True in only 14 runs", "in_quotes: True in only 14 runs"),
    ],
)
def test_a_note_on_probes_names_its_hypothesis_once(note: str, expected: str) -> None:
    scores = {"control": None, "auc": 0.9, "low": None, "high": None, "accuracy": 0.8}
    rows: list[dict[str, TableCell]] = [
        {"hypothesis": "in_quotes", "site": site, **scores, "note": note} for site in ("0/cell", "1/cell")
    ]
    assert _show_tables(rows) == [expected]


def test_what_probes_say_is_kept(run: Command, planted: Path) -> None:
    run("fit", "-H", "in_quotes", planted, "--sites", "0", "--folds", "5", "--keep", "said.npz", "--controls", "chars")
    probes = {
        "in_quotes/0/hidden",
        *(f"in_quotes/chars/{n}" for n in ("last character", "last 5 characters", "last 20 characters")),
    }
    with np.load("said.npz") as said:
        assert set(said) == probes | {f"{each}/logits" for each in probes}
        odds = np.exp(said["in_quotes/0/hidden/logits"])
        np.testing.assert_allclose(said["in_quotes/0/hidden"], odds / (1 + odds), rtol=1e-4)
        assert ((said["in_quotes/0/hidden"] >= 0) & (said["in_quotes/0/hidden"] <= 1)).all()


def test_untrained_twins_are_controls(run: Command, files: None) -> None:
    run("extract", "model.pt", "corpus.txt", "--sites", "hidden")
    asked = ("fit", "-H", "in_quotes", "--untrained", "model.pt", "--controls", "none", "--json")
    _, out, err = run(*asked)
    assert [(row["site"], row["control"]) for row in rows(out)] == [
        (site, control) for control in (None, "fresh", "shuffled") for site in ("0/hidden", "1/hidden")
    ], err
    made = {path: path.stat().st_mtime_ns for path in Path().glob("activations.*.h5")}
    assert sorted(path.name for path in made) == ["activations.fresh.h5", "activations.shuffled.h5"]
    assert rows(run(*asked)[1]) == rows(out)
    assert made == {path: path.stat().st_mtime_ns for path in made}
    run("train", "corpus.txt", "--layers", "2", "--units", "4", "--epochs", "1", "-o", "another.pt")
    status, _, err = run("fit", "-H", "in_quotes", "--untrained", "another.pt")
    assert status == 1
    assert "another.pt is not the model that activations.h5 is a recording of" in err


def test_a_hypothesis_in_a_file_is_ranked(run: Command, planted: Path) -> None:
    Path("mine.py").write_text("from probe import get\ndef in_quotes_too(text):\n    return get('in_quotes')(text)\n")
    _, out, _ = run("rank", "--hypothesis", "mine.py:in_quotes_too", planted, "--json", "--top", "1")
    assert rows(out)[0]["unit"] == str(PLANTED["in_quotes"])


@pytest.mark.parametrize("command", ["rank", "fit", "curve"])
@pytest.mark.parametrize(
    ("hypothesis", "complaint"),
    [
        ("in_quote", "did you mean 'in_quotes'?"),
        ("mine.py:short", "gave 1 labels"),
        ("mine.py:fails", "failed: KeyError in line 2 of mine.py"),
        ("mine.py:never", "False at every character"),
        ("absent.py:x", "there is no file absent.py"),
    ],
)
def test_a_hypothesis_that_cannot_be_asked_is_one_line(
    run: Command, planted: Path, command: str, hypothesis: str, complaint: str
) -> None:
    Path("mine.py").write_text(
        "def fails(text):\n    return {}['x']\ndef short(text):\n    return [True]\n"
        "def never(text):\n    return [False] * len(text)\n"
    )
    status, out, err = run(command, "--hypothesis", hypothesis, planted)
    assert status == 1
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert complaint in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["extract", "absent.pt", "corpus.txt"], "there is no model absent.pt"),
        (["extract", "corpus.txt", "corpus.txt"], "not a checkpoint"),
        (["extract", "model.pt", "absent.txt"], "cannot read the text absent.txt"),
        (["extract", "model.pt", "empty.txt"], "empty.txt is empty"),
        (["extract", "model.pt", "latin.txt"], "--encoding latin-1"),
        (["extract", "model.pt", "unknown.txt"], "'€' (unknown.txt, line 1, column 3)"),
        (["extract", "model.pt", "corpus.txt", "--sites", "cel"], "no site 'cel'"),
        (["extract", "model.pt", "corpus.txt", "-o", "absent/a.h5"], "no folder absent"),
        (["extract", "model.pt", "corpus.txt", "--lanes", "0"], "number of lanes is 0"),
        (["rank", "-H", "in_quotes"], "there is no recording activations.h5"),
        (["rank", "-H", "in_quotes", "corpus.txt"], "not an HDF5 file"),
        (["fit", "-H", "in_quotes", "--model", "model.pt"], "--model needs --text"),
        (["fit", "-H", "in_quotes", "--text", "corpus.txt"], "--text needs --model"),
        (["curve", "-H", "in_quotes", "-o", "curve.txt"], "end its name in .png, .svg, .pdf"),
        (["train", "empty.txt"], "empty.txt is empty"),
        (["train", "corpus.txt", "-o", "absent/m.pt"], "no folder absent"),
        (["demo", "corpus.txt"], "cannot make the folder corpus.txt"),
        (["extract", "model.pt", "corpus.txt", "-o", "corpus.txt"], "corpus.txt is what is read"),
        (["extract", "model.pt", "corpus.txt", "-o", "model.pt"], "model.pt is what is read"),
        (["extract", "model.pt", "corpus.txt", "-o", "."], "it is a folder"),
        (["train", "corpus.txt", "-o", "corpus.txt"], "corpus.txt is what is read"),
        (["train", "corpus.txt", "-o", "."], "it is a folder"),
        (["train", "corpus.txt", "--seed", "-1"], "the seed is -1"),
        (["train", "corpus.txt", "--encoding", "undefined"], "is not undefined"),
        (["curve", "-H", "in_quotes", "-o", "absent/curve.png"], "no folder absent"),
        (["curve", "-H", "in_quotes", "--csv", "absent/curve.csv"], "no folder absent"),
        (["fit", "-H", "in_quotes", "--keep", "absent/said.npz"], "no folder absent"),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(
    run: Command, files: None, arguments: list[str], complaint: str
) -> None:
    Path("empty.txt").write_bytes(b"")
    Path("latin.txt").write_bytes("déjà vu".encode("latin-1"))
    Path("unknown.txt").write_text("x €", encoding="utf-8")
    before = sorted(Path().iterdir())
    status, out, err = run(*arguments)
    assert status == 1
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert complaint in err
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "choices"),
    [
        (["train", "corpus.txt", "--cell", "transformer"], ("'lstm'", "'gru'", "'irnn'", "'np_rnn'")),
        (["train", "corpus.txt", "--weights", "int4"], ("'float32'", "'float16'")),
        (["import", "theirs.pth", "--cell", "mlp"], ("'lstm'", "'rnn_relu'")),
        (["import", "theirs.pth", "--transposed", "some"], ("'no'", "'recurrent'", "'all'")),
        (["curve", "in_quotes", "--over", "step"], ("'units'", "'steps'")),
        (["extract", "model.pt", "corpus.txt", "--documents", "words"], ("'files'", "'lines'", "'blank-lines'")),
        (["extract", "model.pt", "corpus.txt", "--read-as", "shouted"], ("'lower'", "'ascii'", "'bytes'")),
        (["extract", "model.pt", "corpus.txt", "--dtype", "int4"], ("'auto'", "'near_one'")),
        (["extract", "model.pt", "corpus.txt", "--device", "tpu"], ("'cpu'", "'cuda'", "'auto'")),
    ],
)
def test_a_wrong_choice_is_told_the_right_ones(
    run: Command, files: None, arguments: list[str], choices: tuple[str, ...]
) -> None:
    before = sorted(Path().iterdir())
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    complaint = " ".join(err.replace("│", " ").split())
    assert f"{arguments[-1]!r} is not one of" in complaint and "Value error" not in complaint
    assert all(choice in complaint for choice in choices)
    assert sorted(Path().iterdir()) == before


def test_bad_usage_has_status_2(run: Command) -> None:
    assert run("rank")[0] == 2
    assert run("nonsense")[0] == 2
    assert run("rank", "--hypothesis", "in_quotes", "--top", "0")[0] == 2


@pytest.mark.parametrize("command", NAMES)
def test_every_command_has_help_with_an_example(run: Command, command: str) -> None:
    status, out, _ = run(*command.split(), "--help")
    assert status == 0
    assert "Example" in out
    assert f"probe {command}" in out


def test_the_commands_defaults_for_training_are_the_librarys() -> None:
    defaults = {name: parameter.default for name, parameter in inspect.signature(train).parameters.items()}
    library = asdict(ModelConfig()) | asdict(TrainingConfig())
    command = {name if name in library else f"n_{name}": value for name, value in defaults.items()}
    for name in library.keys() - {"initialisation"}:  # which goes with the cell
        assert command[name] in (None, library[name])
    n_chars = 1_000_000
    assert settings_of("lstm", n_chars, epochs=None, lanes=None, learning_rate=None) == TrainingConfig()
    assert shape_of("lstm", n_chars, preset=None, layers=None, units=None) == ModelConfig()


@pytest.mark.parametrize(
    ("asked", "decay"),
    [
        ({}, 0.1),
        ({"n_chars": 2_000_000}, 0.0),
        ({"cell": "irnn"}, 0.0),
        ({"optimizer": "adam"}, 0.0),
        ({"weight_decay": 0.02, "n_chars": 9_000_000}, 0.02),
    ],
)
def test_weights_decay_where_a_text_could_be_learned_by_heart(asked: dict[str, Any], decay: float) -> None:
    usual: dict[str, Any] = {"cell": "gru", "n_chars": 500_000, "epochs": None, "lanes": None, "learning_rate": None}
    assert settings_of(**usual | asked).weight_decay == decay


def test_help_and_import_load_nothing_heavy() -> None:
    code = (
        "import sys, probe\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'numba', 'h5py', 'numpy', 'scipy', 'pandas'}\n"
        "def check(use): assert not heavy & set(sys.modules), (use, heavy & set(sys.modules))\n"
        "check('import')\n"
        "from probe.cli import main\n"
        f"for command in [[], *(name.split() for name in {NAMES}), ['plot']]:\n"
        "    sys.argv = ['probe', *command, '--help']\n"
        "    try: main()\n"
        "    except SystemExit as stop: assert stop.code == 0, command\n"
        "    check(command)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in NAMES:
        assert f"Usage: probe {name} [" in done.stdout


def test_ctrl_c_leaves_no_file(run: Command, files: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("activations.recordings.recorder.Recorder.write", interrupted)
    before = sorted(Path().iterdir())
    status, _, err = run("extract", "model.pt", "corpus.txt")
    assert status == 130
    assert "stopped" in err
    assert sorted(Path().iterdir()) == before


def test_a_bug_keeps_its_traceback(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypotheses.registry.registered", lambda: [][1])
    with pytest.raises(IndexError):
        run("hypotheses")


def test_replacements_are_counted(run: Command, code_text: str) -> None:
    Path("corpus.txt").write_text(code_text + "\n€€", encoding="utf-8")
    run("train", "corpus.txt", "--units", "8", "--epochs", "3", "--lanes", "8", "--min-count", "5")
    status, _, err = run("extract", "model.pt", "corpus.txt")
    assert status == 1
    assert "--replace-unknown" in err
    status, _, err = run("extract", "model.pt", "corpus.txt", "--replace-unknown", "--sites", "0/hidden", "--force")
    assert status == 0
    assert "2 characters are read as" in err
    Path("one.txt").write_text(code_text + "\n€", encoding="utf-8")
    status, _, err = run("evaluate", "model.pt", "one.txt", "--replace-unknown")
    assert status == 0 and "1 character is read as" in err


def test_no_site_is_lost_in_spelling(run: Command, planted: Path) -> None:
    _, out, _ = run("rank", "-H", "in_quotes", planted, "--json", "--top", "99")
    assert len({row["unit"] for row in rows(out)}) == 23
    assert {Site.parse(str(row["unit"]).rpartition("/")[0]) for row in rows(out)} == {
        unit.site for unit in PLANTED.values()
    }


def test_tables_never_cut_numbers_off(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")
    show_rows([{"hypothesis": "a [b] very_long_name.py:x" * 3, "score": 0.123, "auc": 0.456, "n": 7}], as_json=False)
    out = capsys.readouterr().out
    assert "0.123" in out
    assert "0.456" in out
    assert "[b]" in out.replace("\n", "")


def test_long_headings_are_broken_before_the_last_column_is_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("FORCE_COLOR", "1")
    units = ["0/input_gate/1234567", "1/cell/0"]
    numbers = {"auc_within_position_groups": 0.123, "score": 0.456, "tie_probability": 0.789}
    show_rows([{"unit": unit, **numbers, "method": "average_precision"} for unit in units], as_json=False)
    out = capsys.readouterr().out
    for shown in ("0/input_gate/1234567", "0.123", "0.456", "0.789", "average_precision"):
        assert shown in out


def test_an_error_of_several_lines_is_one_line(run: Command, planted: Path) -> None:
    Path("mine.py").write_text("def f(text):\n    raise ValueError('one\\ntwo')\n")
    status, _, err = run("rank", "-H", "mine.py:f", planted)
    assert status == 1
    assert err.count("\n") == 1
    assert "one two" in err


@pytest.fixture
def theirs() -> None:
    """`theirs.pth`, as another program would have kept the bundled model, `vocabulary.json`, and a text for it."""
    model = bundled_model()
    state_dict(model, Path("theirs.pth"))
    Path("vocabulary.json").write_text(json.dumps(list(model.vocabulary.characters)), encoding="utf-8")
    Path("corpus.txt").write_text(bundled_text().text(0, 4000), encoding="utf-8")


def test_a_model_of_another_program_is_imported_and_extracted(run: Command, theirs: None) -> None:
    options = ("--vocab", "json:vocabulary.json", "--text", "corpus.txt", "--range", ":3000", "-o", "model.pt")
    status, out, err = run("import", "theirs.pth", *options, "--json")
    [row] = rows(out)
    assert (status, err) == (0, "")
    assert {name: row[name] for name in ("path", "cell", "n_layers", "n_units", "gates", "transposed", "unused")} == {
        "path": "model.pt",
        "cell": "lstm",
        "n_layers": 2,
        "n_units": 256,
        "gates": "ifgo",
        "transposed": "no",
        "unused": [],
    }
    assert row["n_chars"] == 2999
    assert float(str(row["nats_per_char"])) < 1.2
    imported = Path("model.pt").read_bytes()
    status, out, err = run("import", "theirs.pth", *options)
    assert (status, out, Path("model.pt").read_bytes() == imported) == (1, "", True)
    assert "model.pt exists; name another file with -o, or replace it with --overwrite" in err
    table = run("import", "theirs.pth", *options, "--overwrite")[1]
    for part in (
        "2 layers of 256 LSTM units",
        "model.net.weight_ih_l0 (1024, ",
        "fc.weight",
        "i, f, g, o",
        "next best",
    ):
        assert part in table
    status, out, _ = run("extract", "model.pt", "corpus.txt", "--json")
    assert status == 0
    assert float(str(rows(out)[0]["nats_per_char"])) < 1.2


def test_a_wrong_import_writes_nothing_and_says_what_to_try(run: Command, theirs: None) -> None:
    status, out, err = run("import", "theirs.pth", "--vocab", "json:vocabulary.json")
    assert (status, "warning: the interpretation is not checked" in err) == (0, True)
    Path("model.pt").unlink()
    Path("mine.py").write_text("", encoding="utf-8")
    for options, message in (
        (("--vocab", "json:vocabulary.json", "--gates", "i,f,o,g", "--text", "corpus.txt"), "--gates i,f,g,o"),
        (("--vocab", "json:vocabulary.json", "--range", ":10"), "--range is a part of the --text"),
        (("--vocab", f"chars:{'ab' * 200}", "-o", "corpus.txt", "--overwrite"), "and the characters given 400"),
        (("--model-factory", "mine.py:build", "-o", "mine.py"), "mine.py is what is read"),
        (("--vocab", "printable"), "and Python's string.printable 100"),
        ((), "the file holds none: --vocab printable, sorted:FILE"),
        (("--vocab", "json:vocabulary.json", "-o", "theirs.pth"), "theirs.pth is what is read"),
        (("--vocab", "json:vocabulary.json", "--gates", "rzn"), "expected an order of i,f,g,o"),
        (("--vocab", "json:vocabulary.json", "--cell", "gru"), "a cell of the kind gru has 3 gates"),
        (("--vocab", "json:vocabulary.json", "--prefix", "other."), "no recurrent layers are found"),
        (("--model-factory", "none.py:build"), "there is no file none.py"),
        (("--vocab", "json:vocabulary.json", "-o", "vocabulary.json"), "vocabulary.json is what is read"),
        (("--vocab", "json:vocabulary.json", "--hidden-first"), "--hidden-first is for matrices of which"),
    ):
        status, out, err = run("import", "theirs.pth", *options)
        assert (status, out) == (1, ""), options
        assert message in err and err.count("\n") == 1, err
        assert not Path("model.pt").exists()
    status, _, err = run("extract", "theirs.pth", "corpus.txt")
    assert status == 1 and "probe import" in err


def test_code_of_the_users_own_builds_a_model_if_it_is_asked_for(run: Command, theirs: None) -> None:
    Path("mine.py").write_text(
        "import torch, probe\n"
        "def build(weights):\n"
        "    rnn = torch.nn.LSTM(weights['fc.weight'].shape[0], 256, 2)\n"
        "    rnn.load_state_dict({n.removeprefix('model.net.'): w for n, w in weights.items() if 'net' in n})\n"
        "    readout = torch.nn.Linear(256, len(weights['fc.weight']))\n"
        "    readout.load_state_dict({'weight': weights['fc.weight'], 'bias': weights['fc.bias']})\n"
        "    return probe.models.wrap(None, rnn, readout, probe.demo.bundled_model().vocabulary)\n",
        encoding="utf-8",
    )
    status, out, _ = run("extract", "theirs.pth", "corpus.txt", "--model-factory", "mine.py:build", "--json")
    direct = float(str(rows(out)[0]["nats_per_char"]))
    assert status == 0
    assert run("import", "theirs.pth", "--model-factory", "mine.py:build", "--text", "corpus.txt")[0] == 0
    imported = rows(run("extract", "model.pt", "corpus.txt", "--json", "-o", "b.h5")[1])[0]["nats_per_char"]
    assert direct == pytest.approx(imported, abs=1e-6)
    assert "RUNS the code" in " ".join(run("import", "--help")[1].replace("│", " ").split())


@pytest.mark.parametrize("command", NAMES)
def test_no_help_text_is_taken_for_a_style(command: str) -> None:
    """What stands in brackets is swallowed on the screen."""
    for each in parsers()[command].params:
        assert not re.search(r"\[[a-z#/@]", each.help or ""), each.name
