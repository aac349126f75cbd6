"""Labels of whole corpora: document by document, in pieces, and cached on disk; and their summaries."""

import os
import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import hypotheses
from activations.texts.corpus import Corpus
from analyses.targets.labelling import label
from hypotheses.describing.page import page
from hypotheses.describing.summary import summarise
from hypotheses.hypothesis import hypothesis
from hypotheses.labelling import cache
from hypotheses.labels import Labels
from hypotheses.registry import get

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


def test_documents_are_labelled_independently() -> None:
    assert label(CORPUS, get("in_quotes")).tolist() == [False, False, True, True, False, True, True, True]
    named = label(CORPUS, hypothesis(lambda text, *, file_name: [file_name == "two.py"] * len(text)))
    assert named.tolist() == [False] * 4 + [True] * 4


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("returned", ["char == 'a'", "None if char == 'b' else ord(char) + 0.5", "char", "None"])
def test_slow_labels_are_cached_and_read_again(returned: str, tmp_path: Path) -> None:
    spelled = counting(tmp_path / "mine.py", returned)
    first = label(CORPUS, get(spelled))
    assert n_calls() == 2
    again = label(CORPUS, get(spelled))
    assert n_calls() == 2
    assert (again.tolist(), again.kind, again.names) == (first.tolist(), first.kind, first.names)
    assert label(CORPUS, get(spelled), use_cache=False).tolist() == first.tolist()
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
def test_hypotheses_that_differ_in_anything_differ_in_their_fingerprints(tmp_path: Path) -> None:
    """Two functions of one file, parameters, names, combinations, kinds, defaults."""
    path = tmp_path / "mine.py"
    path.write_text(
        "f = lambda text: [c == 'a' for c in text]\ng = lambda text: [c == 'b' for c in text]\n"
        "each = [lambda text, x=x: [c == x for c in text] for x in 'ab']\nthird, fourth = each\n"
        "def code(text): return [int(c == 'a') for c in text]\n"
    )
    words = get("in_word")
    variants = [
        *(get(f"{path}:{name}").with_name("x") for name in ("f", "g", "third", "fourth")),
        (words & get("vowel")).with_name("x"),
        (words | get("vowel")).with_name("x"),
        *(get("indent_at_least").with_parameters(depth).with_name("x") for depth in (0, 9)),
        words,
        ~words,
        (get("position_in_line") >= 3).with_name("x"),
        (get("position_in_line") >= 3.5).with_name("x"),
    ]
    for variant in variants:
        assert label(CORPUS, variant).tolist() == label(CORPUS, variant, use_cache=False).tolist()
    for variant in variants:
        assert label(CORPUS, variant).tolist() == label(CORPUS, variant, use_cache=False).tolist()
    assert len({variant.fingerprint for variant in variants}) == len(variants)


@pytest.mark.usefixtures("slow")
def test_a_module_that_the_file_imports_is_part_of_the_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, beside = tmp_path / "mine.py", tmp_path / "what_i_need.py"
    path.write_text("import what_i_need\ndef f(text): return [c == what_i_need.LETTER for c in text]\n")
    for letter in "ab":
        monkeypatch.delitem(sys.modules, "what_i_need", raising=False)
        beside.write_text(f"LETTER = {letter!r}{' ' * ord(letter)}\n")
        assert label(CORPUS, get(f"{path}:f")).tolist() == [char == letter for char in CORPUS.text()]


@pytest.mark.usefixtures("slow")
def test_labels_that_are_made_anew_are_cached(tmp_path: Path) -> None:
    spelled = counting(tmp_path / "mine.py", "char == 'a'")
    times = []
    for use_cache in (True, False):
        assert label(CORPUS, get(spelled), use_cache=use_cache).cached_at is None
        times.append(label(CORPUS, get(spelled)).cached_at)
    assert n_calls() == 4
    first, second = times
    assert first and second and first < second


@pytest.mark.usefixtures("slow")
def test_damaged_files_are_not_read_and_functions_in_no_file_not_cached(tmp_path: Path) -> None:
    spelled = counting(tmp_path / "mine.py", "char == 'a'")
    label(CORPUS, get(spelled))
    [file] = cache.folder().glob("*.npz")
    file.write_bytes(file.read_bytes()[:-50])
    assert label(CORPUS, get(spelled)).tolist()[0]
    assert n_calls() == 4
    known = ["a"]
    label(CORPUS, hypothesis(lambda text: [char in known for char in text]))
    assert len(list(cache.folder().glob("*"))) == 1


def test_quick_labels_are_not_cached() -> None:
    label(CORPUS, get("in_quotes"))
    assert not cache.folder().exists()


@pytest.mark.usefixtures("slow")
def test_the_labels_used_least_recently_are_deleted_first(monkeypatch: pytest.MonkeyPatch) -> None:
    label(CORPUS, get("in_word"))
    [first] = cache.folder().glob("*.npz")
    os.utime(first, (0, 0))
    monkeypatch.setattr(cache, "MOST_BYTES", int(1.5 * first.stat().st_size))
    label(CORPUS, get("in_quotes"))
    assert not first.exists()
    assert len(list(cache.folder().glob("*"))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
def test_labels_are_cached_in_the_users_folder_of_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert cache.folder() == Path("/elsewhere/char-probe/labels")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache.folder() == Path("/home/user/.cache/char-probe/labels")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folder() == Path("/home/user/.cache/char-probe/labels")


def test_the_hash_of_this_package_covers_every_file_in_every_folder(tmp_path: Path) -> None:
    """Also files that are new: labels are never older than the code that makes them."""
    package = tmp_path / "hypotheses"
    shutil.copytree(Path(hypotheses.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    software_hash = partial(cache.software_hash.__wrapped__, package)
    original = software_hash()
    assert cache.software_hash(Path(hypotheses.__file__).parent) == original
    sources = [Path(folder, name) for folder, _, names in os.walk(package) for name in names]
    assert {source.name for source in sources if source.suffix != ".py"} == {"py.typed"}
    folders = {source.parent for source in sources}
    assert folders == {source.parent for source in package.rglob("__init__.py")}
    assert len(folders) > 4
    for source in sources:
        if source.suffix == ".py":
            content = source.read_bytes()
            source.write_bytes(content + b"\n")
            assert software_hash() != original, source
            source.write_bytes(content)
            new = source.with_name(f"new_{source.name}")
            new.touch()
            assert software_hash() != original, new
            new.unlink()
    assert software_hash() == original


def test_a_folder_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SLOW_S", 0.0)
    Path("file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", "file")
    assert label(CORPUS, get("in_word")).tolist()[0]


def test_a_long_document_is_labelled_in_pieces_that_end_after_blank_lines() -> None:
    text = '"abc\n\ndef"\nghi jkl mno pqr'
    notices: list[str] = []
    corpus = Corpus.from_texts([text], ["long.txt"])
    labels = label(corpus, get("position_in_line"), notice=notices.append, piece_chars=10)
    pieces = [text[:6], text[6:11], text[11:21], text[21:]]  # behind a blank line, behind a line, wherever it has to be
    assert labels.tolist() == [position for piece in pieces for position in get("position_in_line")(piece).tolist()]
    assert notices == ["long.txt has 26 characters; it is labelled in pieces of at most 10"]
    with pytest.warns(UserWarning, match="in pieces"):
        label(Corpus.from_texts([text]), get("in_word"), piece_chars=10)


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
def test_pieces_end_after_the_last_blank_line_that_fits(text: str, lengths: list[int]) -> None:
    seen = []

    def mark_ends(piece: str) -> list[bool]:
        seen.append(len(piece))
        return [True] * len(piece)

    label(Corpus.from_texts([text]), hypothesis(mark_ends), notice=lambda sentence: None, piece_chars=10)
    assert seen == lengths


def test_a_notice_says_if_all_labels_are_the_numbers_0_and_1() -> None:
    with pytest.warns(UserWarning, match="gives 0 and 1, which are taken for numbers"):
        label(CORPUS, hypothesis(lambda text: [0, 1] * (len(text) // 2)))


def test_labels_and_their_runs_are_counted() -> None:
    binary = summarise(Labels.from_answer([True, True, None, False, True], 5))
    assert [(count.label, count.n_chars, count.n_runs, count.longest_run) for count in binary.counts] == [
        ("False", 1, 1, 1),
        ("True", 3, 2, 2),
        ("missing", 1, 1, 1),
    ]
    assert binary.rows()[1]["mean_run"] == 1.5
    classes = summarise(Labels.from_answer(["b", "a", "a"], 3))
    assert [(count.label, count.share) for count in classes.counts] == [("a", 2 / 3), ("b", 1 / 3)]
    numeric = summarise(Labels.from_answer([1, None, 4], 3))
    assert (numeric.lowest, numeric.mean, numeric.highest, numeric.n_missing) == (1, 2.5, 4, 1)
    assert summarise(Labels.from_answer([], 0, "binary")).n_chars == 0
    assert summarise(Labels(np.zeros(2), "numeric", np.ones(2, bool))).mean is None


def test_the_page_of_hypotheses_is_current() -> None:
    """`make docs` writes it."""
    assert (ROOT / "docs" / "hypotheses.md").read_text(encoding="utf-8") == page()
