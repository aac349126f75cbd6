"""Files that are opened while a user's functions run, and how often files and references are read."""

import _thread
import importlib
import os
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
from commands import Command
from test_hypotheses_caching import CORPUS, labelled_in_a_new_process

from analyses.targets.labelling import label
from hypotheses.fingerprints import declared_files, opened_files, versions
from hypotheses.fingerprints.references import References
from hypotheses.hypothesis import Hypothesis
from hypotheses.labelling import cache
from hypotheses.registry import get
from hypotheses.user_files import as_hypothesis


def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything counts as slow."""
    monkeypatch.setattr(cache, "SLOW_S", 0.0)


def test_a_thread_without_python_functions_opens_files() -> None:
    """The watching must not make it fail: no frame is there to put it down to."""
    made = Path("made by a thread")
    _thread.start_new_thread(os.open, (str(made), os.O_CREAT | os.O_RDWR))
    until = time.monotonic() + 5
    while not made.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert made.exists()


PLUG_IN = {
    "plug/__init__.py": "",
    "plug/words.txt": "a",
    "plug/asked.py": "from pathlib import Path\ndef f(text):\n"
    "    known = Path(__file__).with_name('words.txt').read_text()\n    return [char in known for char in text]\n",
    "plug/code.py": "def f(text): return [char == 'a' for char in text]\n",
    "plug-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: plug\nVersion: 1\n",
    "plug-1.dist-info/RECORD": "plug/__init__.py,,\nplug/asked.py,,\nplug/words.txt,,\n",
    "plug-1.dist-info/top_level.txt": "plug\n",
}


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages with a plug-in that has a data file."""
    slow(monkeypatch)
    folder = Path("site-packages").absolute()
    for name, content in PLUG_IN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    monkeypatch.setattr(opened_files, "_PACKAGES", (*opened_files._PACKAGES, f"{folder}{os.sep}"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(folder)
    forget_plug_in(monkeypatch)
    return folder


def forget_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [module for module in sys.modules if module.partition(".")[0] == "plug"]:
        monkeypatch.delitem(sys.modules, name)
    versions.installed_version.cache_clear()
    importlib.invalidate_caches()
    opened_files._opened.clear()


def plugged_in(name: str) -> Hypothesis:
    return as_hypothesis(metadata.EntryPoint("f", f"plug.{name}:f", "probe.hypotheses").load())


def test_a_data_file_of_an_installed_plug_in_is_seen(plug_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for letters in "ab":
        (plug_in / "plug" / "words.txt").write_text(letters)
        forget_plug_in(monkeypatch)
        labels = label(CORPUS, plugged_in("asked"))
        assert labels.tolist() == [char == letters for char in CORPUS.text()]
        assert "words.txt, which is not declared" in labels.not_cached_because


def test_another_version_of_a_plug_in_is_another_hypothesis(plug_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprints = []
    for version in "121":
        (plug_in / "plug-1.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: plug\nVersion: {version}\n"
        )
        forget_plug_in(monkeypatch)
        fingerprints.append(plugged_in("code").fingerprint)
    first, second, again = fingerprints
    assert first and second and first != second and first == again


def test_references_are_followed_once_and_files_read_once_unless_labels_are_cached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("letters").write_text("a")
    os.utime("letters", (0, 0))
    monkeypatch.setattr(declared_files, "_CLOCK_TICK_NS", -1)  # the file counts as old
    Path("mine.py").write_text(
        "from probe import hypothesis\n@hypothesis(reads=['letters'])\n"
        "def f(text): return [char == 'a' for char in text]\n"
    )
    n_walks, n_read = [0], [0]
    follow, read = References._follow, declared_files.DeclaredFiles._digest

    def counted(self: References, value: object) -> object:
        n_walks[0] += getattr(value, "__name__", "") == "f" and not self._seen
        return follow(self, value)

    def read_counted(self: declared_files.DeclaredFiles) -> str:
        n_read[0] += 1
        return read(self)

    monkeypatch.setattr(References, "_follow", counted)
    monkeypatch.setattr(declared_files.DeclaredFiles, "_digest", read_counted)
    hypothesis = ~(get("mine.py:f") & get("in_word")) | get("in_comment")
    assert (n_walks, n_read) == ([0], [0])
    label(CORPUS, hypothesis)
    assert (n_walks, n_read) == ([1], [1])
    slow(monkeypatch)
    label(CORPUS, hypothesis)
    assert (n_walks, n_read) == ([3], [3])
    label(CORPUS, hypothesis)
    assert (n_walks, n_read) == ([4], [4])


@pytest.mark.parametrize("is_fresh", [False, True])
def test_labels_are_not_cached_if_a_declared_file_has_changed_since_it_was_loaded(
    is_fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it stands in a variable."""
    slow(monkeypatch)
    if not is_fresh:
        monkeypatch.setattr(declared_files, "_CLOCK_TICK_NS", -1)
    Path("letters").write_text("a")
    Path("mine.py").write_text(
        "from pathlib import Path\nfrom probe import hypothesis\nLETTERS = Path('letters').read_text()\n"
        "@hypothesis(reads=['letters'])\ndef f(text): return [char in LETTERS for char in text]\n"
    )
    hypothesis = get("mine.py:f")
    Path("letters").write_text("b")
    os.utime("letters", ns=(time.time_ns() + 10**9,) * 2)
    assert "has changed since" in label(CORPUS, hypothesis).not_cached_because
    for is_kept in (False, True):
        labels = labelled_in_a_new_process("mine.py:f", monkeypatch)
        assert labels.tolist() == [char == "b" for char in CORPUS.text()]
        assert (labels.cached_at is not None) == is_kept


def test_why_slow_labels_are_not_cached_is_one_line(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("corpus.txt").write_text("abcab")
    Path("mine.py").write_text(
        "import time\nfrom pathlib import Path\ndef f(text): return [time.time() > 9] * len(text)\n"
        "def g(text): return [char in Path('mine.py').read_text() for char in text]\n"
    )
    for name, why in (("f", "it uses time.time"), ("g", "mine.py, which is not declared")):
        status, _, err = run("hypotheses", "--show", f"mine.py:{name}", "corpus.txt")
        assert status == 0 and "are not kept" not in err
        with monkeypatch.context() as patched:
            slow(patched)
            status, _, err = run("hypotheses", "--show", f"mine.py:{name}", "corpus.txt")
        [line] = [line for line in err.splitlines() if "are not kept" in line]
        assert line.startswith(f"labels of mine.py:{name} are not kept: it ") and why in line
