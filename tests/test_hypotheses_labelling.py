"""Labels of whole corpora: document by document, in pieces, and kept on disk; and what they are like."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from activations.texts.corpus import Corpus
from analyses.targets.labelling import label
from hypotheses.hypothesis import hypothesis
from hypotheses.labelling import cache, documents
from hypotheses.labels import Labels
from hypotheses.page import page
from hypotheses.registry import get
from hypotheses.summary import summarise

ROOT = Path(__file__).parents[1]
CORPUS = Corpus.from_texts(['a "b', 'c" d'], ["one.py", "two.py"])


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything counts as slow."""
    monkeypatch.setattr(cache, "SLOW_S", 0.0)


def counting(path: Path, returned: str) -> str:
    """The name of a hypothesis in a file that leaves a mark whenever it is called."""
    path.write_text(
        "from pathlib import Path\ndef f(text):\n    with Path('calls').open('a') as file:\n        file.write('x')\n"
        f"    return [{returned} for char in text]\n"
    )
    return f"{path}:f"


def n_calls() -> int:
    return len(Path("calls").read_text()) if Path("calls").exists() else 0


def test_documents_are_labelled_by_themselves() -> None:
    assert label(CORPUS, get("in_quotes")).tolist() == [False, False, True, True, False, True, True, True]
    named = label(CORPUS, hypothesis(lambda text, *, file_name: [file_name == "two.py"] * len(text)))
    assert named.tolist() == [False] * 4 + [True] * 4


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("returned", ["char == 'a'", "None if char == 'b' else ord(char) + 0.5", "char", "None"])
def test_slow_labels_are_kept_and_found_again(returned: str, tmp_path: Path) -> None:
    asked = counting(tmp_path / "mine.py", returned)
    first = label(CORPUS, get(asked))
    assert n_calls() == 2
    again = label(CORPUS, get(asked))
    assert n_calls() == 2
    assert (again.tolist(), again.kind, again.names) == (first.tolist(), first.kind, first.names)
    assert label(CORPUS, get(asked), use_cache=False).tolist() == first.tolist()
    assert n_calls() == 4


@pytest.mark.usefixtures("slow")
def test_another_text_or_function_is_labelled_anew(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    label(CORPUS, get(counting(path, "char == 'a'")))
    label(Corpus.from_texts(['a "bc" d']), get(f"{path}:f"))
    assert n_calls() == 3
    assert label(CORPUS, get(counting(path, "char == 'b'"))).tolist()[3]
    assert n_calls() == 5
    label(CORPUS, get(f"{path}:f") & get("in_word"))
    assert n_calls() == 7


@pytest.mark.usefixtures("slow")
def test_what_differs_in_anything_is_not_taken_for_the_same(tmp_path: Path) -> None:
    """Two functions of one file, parameters, names, combinations, kinds, defaults."""
    path = tmp_path / "mine.py"
    path.write_text(
        "f = lambda text: [c == 'a' for c in text]\ng = lambda text: [c == 'b' for c in text]\n"
        "each = [lambda text, x=x: [c == x for c in text] for x in 'ab']\nthird, fourth = each\n"
        "def code(text): return [int(c == 'a') for c in text]\n"
    )
    words = get("in_word")
    asked = [
        *(get(f"{path}:{name}").named("x") for name in ("f", "g", "third", "fourth")),
        (words & get("vowel")).named("x"),
        (words | get("vowel")).named("x"),
        *(get("indent_at_least").given(depth).named("x") for depth in (0, 9)),
        words,
        ~words,
        (get("position_in_line") >= 3).named("x"),
        (get("position_in_line") >= 3.5).named("x"),
    ]
    for each in asked:
        assert label(CORPUS, each).tolist() == label(CORPUS, each, use_cache=False).tolist()
    for each in asked:
        assert label(CORPUS, each).tolist() == label(CORPUS, each, use_cache=False).tolist()
    assert len({each.fingerprint for each in asked}) == len(asked)


@pytest.mark.usefixtures("slow")
def test_a_module_beside_the_file_belongs_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, beside = tmp_path / "mine.py", tmp_path / "what_i_need.py"
    path.write_text("import what_i_need\ndef f(text): return [c == what_i_need.LETTER for c in text]\n")
    for letter in "ab":
        monkeypatch.delitem(sys.modules, "what_i_need", raising=False)
        beside.write_text(f"LETTER = {letter!r}{' ' * ord(letter)}\n")
        assert label(CORPUS, get(f"{path}:f")).tolist() == [char == letter for char in CORPUS.text()]


@pytest.mark.usefixtures("slow")
def test_what_is_labelled_anew_is_kept(tmp_path: Path) -> None:
    asked = counting(tmp_path / "mine.py", "char == 'a'")
    times = []
    for use_cache in (True, False):
        assert label(CORPUS, get(asked), use_cache=use_cache).kept_since is None
        times.append(label(CORPUS, get(asked)).kept_since)
    assert n_calls() == 4
    first, second = times
    assert first and second and first < second


@pytest.mark.usefixtures("slow")
def test_what_is_not_whole_or_not_in_a_file_is_labelled_anew(tmp_path: Path) -> None:
    asked = counting(tmp_path / "mine.py", "char == 'a'")
    label(CORPUS, get(asked))
    [kept] = cache.folder().glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:-50])
    assert label(CORPUS, get(asked)).tolist()[0]
    assert n_calls() == 4
    known = ["a"]
    label(CORPUS, hypothesis(lambda text: [char in known for char in text]))
    assert len(list(cache.folder().glob("*"))) == 1


def test_quick_labels_are_not_kept() -> None:
    label(CORPUS, get("in_quotes"))
    assert not cache.folder().exists()


@pytest.mark.usefixtures("slow")
def test_the_oldest_are_dropped_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    label(CORPUS, get("in_word"))
    [first] = cache.folder().glob("*.npz")
    os.utime(first, (0, 0))
    monkeypatch.setattr(cache, "MOST_BYTES", int(1.5 * first.stat().st_size))
    label(CORPUS, get("in_quotes"))
    assert not first.exists()
    assert len(list(cache.folder().glob("*"))) == 1


def test_a_folder_that_cannot_be_written_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SLOW_S", 0.0)
    Path("file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", "file")
    assert label(CORPUS, get("in_word")).tolist()[0]


def test_a_long_document_is_labelled_in_pieces_that_end_behind_blank_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MOST_CHARS", 10)
    text = '"abc\n\ndef"\nghi jkl mno pqr'
    told: list[str] = []
    labels = label(Corpus.from_texts([text], ["long.txt"]), get("position_in_line"), notice=told.append)
    pieces = [text[:6], text[6:11], text[11:21], text[21:]]  # behind a blank line, behind a line, wherever it has to be
    assert labels.tolist() == [place for piece in pieces for place in get("position_in_line")(piece).tolist()]
    assert told == ["long.txt has 26 characters; it is labelled in pieces of at most 10"]
    with pytest.warns(UserWarning, match="in pieces"):
        label(Corpus.from_texts([text]), get("in_word"))


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("abc\ndef\nghi\njkl\n", [8, 8]),
        ("ab\r\n\r\ncd\r\nefgh", [6, 8]),
        ("ab\n \t\ncd\nefgh", [6, 7]),
        ("a" * 25, [10, 10, 5]),
        ("a\n\nb\n\ncdefgh", [6, 6]),
    ],
)
def test_pieces_end_behind_the_last_blank_line_that_fits(
    monkeypatch: pytest.MonkeyPatch, text: str, lengths: list[int]
) -> None:
    monkeypatch.setattr(documents, "MOST_CHARS", 10)
    seen = []

    def mark_ends(piece: str) -> list[bool]:
        seen.append(len(piece))
        return [True] * len(piece)

    label(Corpus.from_texts([text]), hypothesis(mark_ends), notice=lambda sentence: None)
    assert seen == lengths


def test_numbers_that_are_only_0_and_1_are_told() -> None:
    with pytest.warns(UserWarning, match="gives 0 and 1, which are taken for numbers"):
        label(CORPUS, hypothesis(lambda text: [0, 1] * (len(text) // 2)))


def test_labels_and_their_runs_are_counted() -> None:
    binary = summarise(Labels.of([True, True, None, False, True], 5))
    assert [(each.label, each.n_chars, each.n_runs, each.longest_run) for each in binary.counts] == [
        ("False", 1, 1, 1),
        ("True", 3, 2, 2),
        ("missing", 1, 1, 1),
    ]
    assert binary.rows()[1]["mean_run"] == 1.5
    classes = summarise(Labels.of(["b", "a", "a"], 3))
    assert [(each.label, each.share) for each in classes.counts] == [("a", 2 / 3), ("b", 1 / 3)]
    numeric = summarise(Labels.of([1, None, 4], 3))
    assert (numeric.lowest, numeric.mean, numeric.highest, numeric.n_missing) == (1, 2.5, 4, 1)
    assert summarise(Labels.of([], 0, "binary")).n_chars == 0
    assert summarise(Labels(np.zeros(2), "numeric", np.ones(2, bool))).mean is None


def test_the_page_of_hypotheses_is_current() -> None:
    """`make docs` writes it."""
    assert (ROOT / "docs" / "hypotheses.md").read_text(encoding="utf-8") == page()
