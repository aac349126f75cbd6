"""The command `probe view`: one command for each picture, one sentence for each mistake, and the same text in all."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from planting import PLANTED, random_model
from rich.text import Text

from activations.models.checkpoints import save_model
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from analyses.probing.kept_probes import load_probes, save_probes
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit

QUOTES = str(PLANTED["in_quotes"])
HOSTILE = '<script>alert(1)</script>\n[red]x[/red] \x1b[2J\x1b]0;t\x07\n"שלום" \u202eא\u202c 漢e\u0301\r\n' * 4


@pytest.fixture
def coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal with 24-bit colours."""
    for name, value in (("FORCE_COLOR", "1"), ("COLORTERM", "truecolor"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, code_text: str) -> Path:
    """A folder with a model, a text, and its recording with predictions."""
    folder = tmp_path_factory.mktemp("whole")
    text = code_text[:4000]
    model = random_model(text)
    save_model(model, folder / "model.pt")
    (folder / "corpus.txt").write_text(text, encoding="utf-8", newline="")
    extract(LiveActivations(model, Corpus.read(folder / "corpus.txt")), folder / "a.h5")
    return folder


def lines_of(output: str) -> list[str]:
    return [Text.from_ansi(line).plain for line in output.splitlines()]


# Where it goes


def test_marks_stand_below_the_characters_in_a_pipe(run: Command, planted: Path) -> None:
    status, out, err = run("view", "in_quotes", planted, "--unit", QUOTES, "--range", "0:30")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    with Recording(planted) as recording:
        text = recording.corpus.text(0, 30)
    assert lines[0] == "first.py, characters 0 to 30"
    assert lines[2] == "1 in_quotes: x True, . False"
    assert lines[3].startswith(f"2 {QUOTES}: ▁ -")
    shown = "".join(line[2:] for line in lines[5:] if line.startswith("  "))
    assert shown == text.replace("\n", "↵")
    marks = "".join(line[2:] for line in lines[5:] if line.startswith("1 "))
    quoted = [text[:n].count('"') % 2 == 1 for n in range(1, 31)]
    assert marks == "".join("x" if inside else "." for inside in quoted)


@pytest.mark.parametrize(
    ("variables", "escapes"),
    [
        ({"COLORTERM": "truecolor"}, {"38;2", "48;2"}),
        ({}, {"38;5", "48;5"}),
        ({"COLORTERM": "truecolor", "NO_COLOR": "1"}, set()),
        ({"TERM": "xterm"}, set()),
    ],
)
def test_colours_are_those_that_the_terminal_has(planted: Path, variables: dict[str, str], escapes: set[str]) -> None:
    """Each in a process of its own, for rich remembers the escapes of a colour."""
    usual = {name: value for name, value in os.environ.items() if name not in ("COLORTERM", "NO_COLOR")}
    environment = {**usual, "FORCE_COLOR": "1", "TERM": "xterm-256color", **variables}
    command = [sys.executable, "-m", "probe", "view", str(planted), "--unit", QUOTES, "--range", "0:40"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert set(re.findall(r"\x1b\[([34]8;[25]);", done.stdout)) == escapes
    assert ("▁" in done.stdout) == (not escapes)


def test_long_lines_wrap(run: Command, coloured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text without line ends: DNA, text8, minified code."""
    text = "acgt" * 500
    Path("dna.txt").write_text(text, encoding="utf-8")
    save_model(random_model(text), "model.pt")
    live = ["--model", "model.pt", "--text", "dna.txt", "--unit", "0/cell/5"]
    monkeypatch.setenv("COLUMNS", "70")
    lines = lines_of(run("view", *live)[1])
    shown = [line for line in lines if set(line) == set("acgt")]
    assert [len(line) for line in shown] == [70] * 11 + [30]
    assert run("view", *live, "-o", "unit.png")[0] == 0
    from matplotlib.image import imread

    height, width = imread("unit.png").shape[:2]
    assert width < 3000 and height > 100


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("x.html", b"<!doctype html"),
        ("x.png", b"\x89PNG"),
        ("x.svg", b"<?xml"),
        ("x.pdf", b"%PDF"),
        ("X.PNG", b"\x89PNG"),
    ],
)
def test_the_ending_says_what_is_written(run: Command, whole: Path, name: str, begins: bytes) -> None:
    status, out, err = run(
        "view", "in_quotes", whole / "a.h5", "--unit", "0/hidden/1", "--loss", "--guesses", "-o", name, "--chars", "200"
    )
    assert status == 0, err
    assert Path(name).read_bytes()[:20].lower().startswith(begins.lower())
    assert f"{name}: corpus.txt, characters " in " ".join(out.split())
    assert [path.name for path in Path().iterdir() if path.name.lower() == name.lower()] == [name]


def test_a_page_has_more_of_the_text_than_a_picture(run: Command, planted: Path) -> None:
    _, out, _ = run("view", planted, "--unit", QUOTES, "-o", "x.html")
    n_chars = int(out.split(" to ")[-1].replace(",", ""))
    assert 18_000 < n_chars <= 20_000
    _, out, _ = run("view", planted, "--unit", QUOTES)
    assert 700 < int(out.splitlines()[0].split(" to ")[-1]) <= 800


# Pictures of the first works, each one command


def test_hypothesis_probe_and_best_unit_are_one_command(run: Command, planted: Path) -> None:
    with Recording(planted) as recording:
        kept = [
            result.probe
            for result in fit(recording, "in_quotes", options=FitOptions(penalty=10.0))
            if result.probe is not None
        ]
    save_probes("probe.npz", kept)
    status, out, err = run("view", "in_quotes", planted, "--probe", "probe.npz", "--top", "1", "--json")
    assert status == 0
    assert "probe.npz holds probes of in_quotes from 0/hidden, 1/hidden, 1/cell: that from 0/hidden is shown" in err
    printed = rows(out)
    assert list(printed[0]) == ["position", "character", "in_quotes", "probe of in_quotes from 0/hidden", QUOTES]
    held_out = kept[0].held_out
    assert any(start <= printed[0]["position"] < stop for start, stop in held_out.tolist())
    with Recording(planted) as recording:
        site = PLANTED["in_quotes"].site
        start, stop = printed[0]["position"], printed[-1]["position"] + 1
        values = recording.read([site], start, stop)[site]
        said = 1 / (1 + np.exp(-kept[0].outputs(values)[:, 0]))
        assert recording.corpus.text(start, stop) == "".join(row["character"] for row in printed)
    np.testing.assert_allclose([row["probe of in_quotes from 0/hidden"] for row in printed], said, atol=0.01)
    np.testing.assert_allclose([row[QUOTES] for row in printed], values[:, PLANTED["in_quotes"].index], atol=0.02)
    _, out, _ = run("view", "in_quotes", planted, "--probe", "probe.npz", "--sites", "1", "--json")
    assert [key for key in rows(out)[0] if key.startswith("probe")] == [
        "probe of in_quotes from 1/hidden",
        "probe of in_quotes from 1/cell",
    ]
    status, _, err = run("view", planted, "--probe", "probe.npz", "--sites", "0/hidden", "--layer", "1")
    assert status == 1 and "there is no layer 1 here" in err
    save_probes("one.npz", load_probes("probe.npz")[:1])
    status, _, err = run("view", planted, "--probe", "one.npz", "--sites", "1/cell")
    assert (status, err) == (1, "error: one.npz holds no probe from 1/cell; it has 0/hidden\n")


def test_twenty_units_of_a_layer_are_one_command(run: Command, planted: Path) -> None:
    status, out, err = run("view", planted, "--unit", "1/hidden", "--top", "20", "--range", "0:50", "--json")
    assert (status, err) == (0, "")
    assert len(rows(out)[0]) == 2 + 9  # all that the site has
    by_sites = run("view", planted, "--sites", "1/hidden", "--top", "20", "--range", "0:50", "--json")[1]
    assert rows(by_sites) == rows(out)
    _, out, _ = run("view", planted, "--unit", "1/hidden", "--top", "3", "--each", "--range", "0:50")
    legends = [line for line in out.splitlines() if line.startswith("1/hidden/")]
    assert len(legends) == 3
    with Recording(planted) as recording:
        assert out.count("↵\n") == 3 * recording.corpus.text(0, 50).count("\n")


def test_guesses_have_their_probabilities(run: Command, whole: Path) -> None:
    _, out, _ = run("view", whole / "a.h5", "--guesses", "--range", "100:120", "--json")
    printed = rows(out)
    with Recording(whole / "a.h5") as recording:
        told = recording.read_predictions(["log_distribution"], 100, 120)["log_distribution"].astype(float)
        for row, log_probs in zip(printed, told, strict=True):
            best = np.argsort(-log_probs, kind="stable")[:5]
            assert [row[f"guess_{rank}"] for rank in range(1, 6)] == [recording.vocabulary.characters[n] for n in best]
            probabilities = [row[f"guess_{rank}_probability"] for rank in range(1, 6)]
            np.testing.assert_allclose(probabilities, np.exp(log_probs[best]), atol=0.003)


def test_two_recordings_stand_one_above_the_other(run: Command, whole: Path) -> None:
    text = (whole / "corpus.txt").read_text(encoding="utf-8")
    extract(LiveActivations(random_model(text, seed=5), Corpus.read(whole / "corpus.txt")), "later.h5")
    status, out, err = run("view", whole / "a.h5", "later.h5", "--unit", "0/cell/2", "--loss", "--range", "0:60")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line for line in lines if line in ("a", "later")] == ["a", "later"]
    assert len({line for line in lines if line.startswith("1 0/cell/2: ")}) == 1  # one scale
    _, out, _ = run("view", whole / "a.h5", "later.h5", "--loss", "--range", "0:60", "--json")
    assert list(rows(out)[0]) == ["position", "character", "a: loss", "later: loss"]
    Path("other.txt").write_text("abc " * 200, encoding="utf-8")
    extract(LiveActivations(random_model("abc "), Corpus.read("other.txt")), "other.h5")
    status, _, err = run("view", whole / "a.h5", "other.h5")
    assert status == 1 and err.startswith("error: a and other are of different texts") and err.count("\n") == 1


def test_a_recording_and_the_model_that_reads_the_text_show_the_same(run: Command, whole: Path) -> None:
    words = ["view", "in_quotes", "--unit", "0/cell/2", "--loss", "--guesses", "--range", "50:150", "--json"]
    recorded = rows(run(*words, whole / "a.h5")[1])
    live = rows(run(*words, "--model", whole / "model.pt", "--text", whole / "corpus.txt")[1])
    assert [row["character"] for row in recorded] == [row["character"] for row in live]
    for key in ("in_quotes", "0/cell/2", "loss", "guess_1_probability"):
        np.testing.assert_allclose(
            np.array([row[key] for row in recorded], float), np.array([row[key] for row in live], float), atol=0.02
        )
    assert recorded[0]["loss"] is not None  # which the character before the passage predicts


def test_rows_go_to_a_file(run: Command, whole: Path) -> None:
    status, out, err = run("view", "in_quotes", whole / "a.h5", "--loss", "--range", "0:9", "--csv", "x.csv")
    assert (status, err) == (0, "") and "x.csv: 9 rows" in out and "in_quotes: x True" in out
    with Path("x.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["position"] for row in table] == list("012345678")
    assert table[0]["loss"] == "" and float(table[1]["loss"]) > 0 and table[0]["in_quotes"] in ("True", "False")


# Mistakes


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--unit", "0/hidden/99"], "error: 0/hidden has 6 units, 0 to 5, and so no 99\n"),
        (["--unit", "7/cell/1"], "error: there is no site 7/cell here; there are 0/hidden, 1/hidden, 1/cell\n"),
        (["--around", "99999999"], "error: there is no character 99,999,999: the text has "),
        (["--range", "99999999:"], "error: the range 99999999: is empty in a text of "),
        (["--range", "a:b"], "error: 'a:b' is not a range of characters; write from:to"),
        (["--find", "xyzzy"], "error: the pattern 'xyzzy' matches nowhere in characters 0 to "),
        (["--find", "("], "error: the pattern '(' cannot be read: missing )"),
        (
            ["--find", "a", "--around", "5"],
            "error: a passage is around a position, around a match, or a range; name one",
        ),
        (
            ["--probe", "absent.npz"],
            "error: cannot read absent.npz: No such file or directory; `probe fit --save` writes such a file\n",
        ),
        (["-H", "in_quote"], "did you mean 'in_quotes'?\n"),
        (["-o", "absent/x.png"], "error: cannot write absent/x.png: there is no folder absent\n"),
        (["--device", "cpu", "--every", "3"], "error: --every applies only with --model and --text"),
    ],
)
def test_a_mistake_is_one_sentence(run: Command, planted: Path, words: list[str], complaint: str) -> None:
    before = sorted(Path().iterdir())
    status, out, err = run("view", planted, *words)
    assert (status, out) == (1, "")
    assert complaint in err and err.count("\n") == 1
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize("words", [["-o", "x.gif"], ["-o", "x"], ["--top", "0"], ["--middle", "mean"]])
def test_a_wrong_choice_is_refused_before_any_work(run: Command, words: list[str]) -> None:
    status, out, err = run("view", "absent.h5", *words)
    assert (status, out) == (2, "")
    if words[0] == "-o":
        assert (
            f"{words[1]} has an ending that is not known; end its name in .html for a page, or in .png, .svg, .pdf for"
            in (" ".join(err.replace("│", " ").split()))
        )


def test_without_predictions_the_rest_is_shown_and_a_line_says_why(run: Command, planted: Path) -> None:
    status, out, err = run("view", planted, "--unit", QUOTES, "--loss", "--guesses", "--range", "0:20")
    assert (status, err) == (0, "")
    assert out.startswith(f"first.py, characters 0 to 20\n\n{QUOTES}: ")
    assert "no loss is shown, since this recording was made without predictions\n" in out
    assert "no guesses are shown, since this recording was made without predictions\n" in out
    assert run("view", planted, "--loss", "-o", "x.png")[0] == 0


def test_a_hypothesis_that_fails_does_not_stop_others(run: Command, planted: Path) -> None:
    Path("mine.py").write_text("def bad(text):\n    return 1 / 0\n", encoding="utf-8")
    status, out, err = run("view", "in_quotes", "mine.py:bad", planted, "--json", "--range", "0:5")
    assert status == 0 and "no labels of mine.py:bad: " in err
    assert list(rows(out)[0]) == ["position", "character", "in_quotes"]
    assert run("view", "mine.py:bad", planted)[0] == 1


def test_labels_may_be_those_of_a_later_character(run: Command, planted: Path) -> None:
    now, later = (
        [row[name] for row in rows(run("view", "in_quotes", planted, *lag, "--range", "0:200", "--json")[1])]
        for name, lag in (("in_quotes", []), ("in_quotes @ 3", ["--lag", "3"]))
    )
    assert later[:190] == now[3:193]


# Hostile texts


def test_a_hostile_corpus_stays_text_in_every_output(run: Command, coloured: None) -> None:
    Path("<b>[red].txt").write_text(HOSTILE, encoding="utf-8", newline="")
    Path("mine.py").write_text(
        "def kinds(text):\n    return ['[red]\\x1b[2J</script>' if char == 'x' else 'b' for char in text]\n",
        encoding="utf-8",
    )
    save_model(random_model(HOSTILE), "model.pt")
    words: list[Any] = ["view", "mine.py:kinds", "--model", "model.pt", "--text", "<b>[red].txt", "--guesses", "--loss"]
    status, out, err = run(*words, "--range", "0:90")
    assert status == 0, err
    shown = "".join(lines_of(out))
    assert "\x1b" not in shown and "<script>alert(1)</script>↵" in shown and "[red]x[/red] ␛[2J␛]0;t␇↵" in shown
    assert '"שלום" ·א· 漢e\u0301␍↵' in shown
    assert "\x1b]" not in out and "\x07" not in out and "\x1b[2J" not in out
    for name in ("x.html", "x.svg", "x.png"):
        status, out, err = run(*words, "-o", name)
        assert status == 0, err
    page = Path("x.html").read_text(encoding="utf-8")
    Path("plain.txt").write_text("abc\n" * 90, encoding="utf-8")
    save_model(random_model("abc\n"), "plain.pt")
    run("view", "--model", "plain.pt", "--text", "plain.txt", "-o", "plain.html")
    plain = Path("plain.html").read_text(encoding="utf-8")
    for tag in ("<script", "</script", "<b>"):
        assert page.count(tag) == plain.count(tag)


# What is loaded


def test_a_recording_is_viewed_without_torch(planted: Path) -> None:
    code = (
        "import sys\n"
        "from probe.cli import main\n"
        f"sys.argv = ['probe', 'view', {str(planted)!r}, 'in_quotes', '--unit', {QUOTES!r}, '--range', '0:50']\n"
        "main_status = 0\n"
        "try: main()\n"
        "except SystemExit as stop: main_status = stop.code\n"
        "assert not main_status\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_missing_file_of_probes_is_missed_before_the_text_is_labelled(run: Command, planted: Path) -> None:
    labeller = "def slow(text):\n    raise KeyboardInterrupt\n"
    (planted.parent / "labeller.py").write_text(labeller, encoding="utf-8")
    status, _, err = run("view", f"{planted.parent / 'labeller.py'}:slow", planted, "--probe", "absent.npz")
    assert status == 1
    assert err.startswith("error: cannot read absent.npz: No such file or directory; `probe fit --save` writes")


@pytest.mark.usefixtures("coloured")
@pytest.mark.parametrize(("arguments", "shows_bar"), [(["--unit", QUOTES], False), (["--top", "1"], True)])
def test_a_bar_is_shown_only_while_units_are_ranked(
    run: Command, planted: Path, arguments: list[str], shows_bar: bool
) -> None:
    status, _, err = run("view", "in_quotes", planted, *arguments, "--range", "0:30")
    assert status == 0
    assert ("ranking units" in err) == shows_bar
