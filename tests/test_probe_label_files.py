"""Labels from files in commands, in Python, and in the cache."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows

import probe
from activations.texts.corpus import Corpus
from analyses.targets.labelling import label
from hypotheses.labelling import cache
from hypotheses.registry import get
from probe.cli import completion

TEXTS = {"a": "First Citizen:\nBefore we proceed", "b": "Marcius, WAS that\nYou? Speak now!"}


@pytest.fixture
def texts() -> list[str]:
    """Two texts of one length, each with a CSV of whether each character is a capital."""
    for name, text in TEXTS.items():
        Path(f"{name}.txt").write_text(text[:32], encoding="utf-8")
        with Path(f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(
                [["char", "label"], *([char, "B" if char.isupper() else "O"] for char in text[:32])]
            )
    return ["a.txt", "b.txt"]


@pytest.mark.parametrize("spelled", ["labels:a.csv", "labels:a.csv:label", "labels:a.csv:2"])
def test_labels_are_shown(run: Command, texts: list[str], spelled: str) -> None:
    status, out, err = run("hypotheses", "--show", spelled, "a.txt", "--json")
    assert status == 0
    assert {row["label"]: row["n_chars"] for row in rows(out)} == {"B": 3, "O": 29}
    assert err.splitlines()[-1] == "labels:a.csv: column 'label', 32 rows for 32 characters, classes B and O"


def test_each_text_gets_its_own_labels_or_an_error(run: Command, texts: list[str]) -> None:
    status, _, err = run("hypotheses", "--show", "labels:a.csv", *texts)
    assert status == 1
    assert "there are 2 (a.txt, b.txt); add a column 'document', or give a folder with a file for each" in err
    status, out, _ = run("hypotheses", "--show", "labels:. == B", *texts, "--json")
    assert {row["label"]: row["n_chars"] for row in rows(out)} == {"False": 55, "True": 9}
    status, _, err = run("hypotheses", "--show", "labels:a.csv", "b.txt")
    assert status == 1
    assert "a.csv does not fit b.txt: row 1 has 'F' where character 0 is 'M', between '' and 'arcius, WAS '" in err


def test_a_text_without_labels_is_counted(run: Command, texts: list[str]) -> None:
    Path("b.csv").unlink()
    status, out, err = run("hypotheses", "--show", "labels:.", *texts, "--json")
    assert status == 0
    assert "1 of 2 documents have no labels: b.txt" in err.splitlines()
    assert {row["label"]: row["n_chars"] for row in rows(out)}["missing"] == 32


def test_commands_on_a_recording_take_labels_from_files(run: Command, planted: Path) -> None:
    """Ranked by labels of a file, the units are those of the hypothesis with which the file was made."""
    recording = probe.Recording(planted)
    text = recording.corpus.text()
    for document in recording.corpus.documents:
        labels = get("in_comment")(text[document.start : document.stop]).values
        spans = np.flatnonzero(np.diff(labels, prepend=False, append=False)).reshape(-1, 2).tolist()
        Path("tags").mkdir(exist_ok=True)
        Path("tags", Path(document.name).with_suffix(".tsv")).write_text(
            "begin\tend\n" + "".join(f"{start}\t{end}\n" for start, end in spans), encoding="utf-8"
        )
    for command in (["rank"], ["fit", "--controls", "none", "--sites", "1/hidden"]):
        results = []
        for spelled in ("labels:tags", "in_comment"):
            status, out, err = run(*command, "-H", spelled, planted, "--json")
            assert status == 0, err
            assert ("labels:tags: 2 files, spans without labels" in err) == (spelled == "labels:tags")
            named = ("hypothesis", "note")
            results.append([{key: row[key] for key in row if key not in named} for row in rows(out)])
        assert results[0] == results[1]
    status, _, err = run("plot", "ranking", "-H", "labels:tags", planted, "-o", "ranking.svg")
    assert status == 0 and Path("ranking.svg").exists(), err
    status, out, err = run("rank", "labels:tags & ~in_quotes", planted, "--json")
    assert status == 0 and rows(out)[0]["hypothesis"] == "labels:tags & ~in_quotes"


def test_a_corrected_file_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if its size and its time of change are as before."""
    monkeypatch.setattr(cache, "SLOW_S", 0.0)
    corpus = Corpus.from_texts(["abcdef"], ["a.txt"])
    Path("tags").mkdir()
    long_ago = 1_500_000_000
    for spelled, file in (
        ("labels:a.csv", "a.csv"),
        ("labels:a.csv & in_word", "a.csv"),
        ("labels:tags", "tags/a.csv"),
    ):
        for end in (3, 5, 4):
            Path(file).write_text(f"start,end\n1,{end}\n", encoding="utf-8")
            os.utime(file, (long_ago, long_ago))
            first, second = (label(corpus, get(spelled)) for _ in range(2))
            assert first.values.tolist() == second.values.tolist() == [1 <= n < end for n in range(6)]
            assert first.cached_at is None and second.cached_at is not None
            assert first.notes == second.notes and first.notes[0].startswith(
                f"{spelled.partition(' ')[0]}: spans without"
            )


def test_a_hypothesis_that_is_kept_notices_a_corrected_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SLOW_S", 0.0)
    corpus = Corpus.from_texts(["abcdef"], ["a.txt"])
    Path("a.csv").write_text("start,end\n1,3\n", encoding="utf-8")
    kept = get("labels:a.csv")
    for end in (3, 5, 4):
        Path("a.csv").write_text(f"start,end\n1,{end}\n", encoding="utf-8")
        assert label(corpus, kept).values.sum() == end - 1


def test_a_users_function_that_asks_labels_from_a_file_is_never_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SLOW_S", 0.0)
    corpus = Corpus.from_texts(["abcdef"], ["a.txt"])
    by_name = "def f(text): return ~get('labels:a.csv')(text).values\n"
    in_variable = "TAGS = get('labels:a.csv')\ndef f(text): return ~TAGS(text).values\n"
    for code in (by_name, in_variable):
        Path("mine.py").write_text("from probe import get\n" + code, encoding="utf-8")
        for end in (3, 5, 4):
            Path("a.csv").write_text(f"start,end\n1,{end}\n", encoding="utf-8")
            for _ in range(2):
                assert label(corpus, get("mine.py:f")).values.sum() == 7 - end


def test_cached_labels_keep_the_names_of_documents_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SLOW_S", 0.0)
    Path("mine.py").write_text("def f(text, document): return [document] * len(text)\n", encoding="utf-8")
    for names in (["a.txt", "b.txt"], ["b.txt", "a.txt"], ["b.txt:1", "b.txt:2"]):
        labels = label(Corpus.from_texts(["ab", "cd"], names), get("mine.py:f"))
        assert labels.tolist() == [names[0]] * 2 + [names[1]] * 2


def test_hypotheses_lists_labels_and_shows_how_they_are_spelled(run: Command) -> None:
    assert "labels:file[:column]" in run("hypotheses")[1]
    status, out, _ = run("hypotheses", "--show", "labels")
    assert status == 0
    assert out.startswith("labels:file[:column]\nWhich label does a file give the character?")


def test_the_shell_completes_files_of_labels() -> None:
    Path("tags").mkdir()
    for name in ("tags.csv", "tags/a.tsv", "tags.txt", "other.csv"):
        Path(name).touch()
    assert completion.hypotheses("labels:ta") == ["labels:tags/", "labels:tags.csv"]
    assert completion.hypotheses("labels:tags/") == ["labels:tags/a.tsv"]
    assert completion.hypotheses("labels:absent/x") == []


@pytest.mark.parametrize("words", [["a.csv"], ["in_word", "a.csv"]])
def test_a_table_is_no_recording_but_may_have_labels(run: Command, texts: list[str], words: list[str]) -> None:
    status, _, err = run("rank", *words)
    assert status == 1
    assert err == "error: a.csv is a file; labels in it are spelled labels:a.csv\n"
    assert "no hypothesis named 'b.tsv'" in run("rank", "b.tsv")[2]


def test_a_path_may_be_a_string_in_python(texts: list[str]) -> None:
    text = TEXTS["a"][:32]
    made = get("labels").with_parameters("a.csv", "label")
    assert made.name == "labels:a.csv:label"
    assert made(text).tolist() == get("labels:a.csv:label")(text).tolist() == ["BO"[not c.isupper()] for c in text]
