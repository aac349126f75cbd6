"""Files that are opened while a user's functions run, and how often files and references are read."""

import _thread
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from test_hypotheses_caching import CORPUS, labelled_in_a_new_process

from analyses.targets.labelling import label
from hypotheses.fingerprints.references import References
from hypotheses.labelling import cache
from hypotheses.registry import get


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


LABEL = """
import json, sys
from importlib import metadata
from activations.texts.corpus import Corpus
from analyses.targets.labelling import label
from hypotheses.labelling import cache
from hypotheses.user_files import as_hypothesis
cache.SLOW_S = 0.0
made = as_hypothesis(metadata.EntryPoint("f", f"plug.{sys.argv[1]}:f", "probe.hypotheses").load())
labels = label(Corpus.from_texts(sys.argv[2:]), made)
print(json.dumps([labels.tolist(), labels.not_cached_because, made.fingerprint]))
"""


@pytest.fixture
def plug_in() -> Path:
    """A folder of installed packages with a plug-in that has a data file."""
    folder = Path("site-packages").absolute()
    for name, content in PLUG_IN.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def plugged_in(folder: Path, name: str) -> tuple[list[bool], str, str]:
    """Labels by a plug-in, why they are not cached, and its fingerprint, in a process where everything is slow."""
    paths = os.pathsep.join([str(folder), str(Path(__file__).parents[1])])
    environment = os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"}
    texts = ["abcab", "ba"]
    process = subprocess.run(
        [sys.executable, "-c", LABEL, name, *texts], env=environment, check=True, capture_output=True
    )
    labels, not_cached_because, fingerprint = json.loads(process.stdout)
    return labels, not_cached_because, fingerprint


def test_a_data_file_of_an_installed_plug_in_is_seen(plug_in: Path) -> None:
    for letters in "ab":
        (plug_in / "plug" / "words.txt").write_text(letters)
        labels, not_cached_because, _ = plugged_in(plug_in, "asked")
        assert labels == [char == letters for char in CORPUS.text()]
        assert "words.txt, which is not declared" in not_cached_because


def test_another_version_of_a_plug_in_is_another_hypothesis(plug_in: Path) -> None:
    fingerprints = []
    for version in "121":
        (plug_in / "plug-1.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: plug\nVersion: {version}\n"
        )
        fingerprints.append(plugged_in(plug_in, "code")[2])
    first, second, again = fingerprints
    assert first and second and first != second and first == again


def count_as_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were just written count as old: the clock is ahead."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 10**11)


def test_references_are_followed_once_and_files_read_once_unless_labels_are_cached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("letters").write_text("a")
    os.utime("letters", (0, 0))
    count_as_old(monkeypatch)
    Path("mine.py").write_text(
        "from probe import hypothesis\n@hypothesis(reads=['letters'])\n"
        "def f(text): return [char == 'a' for char in text]\n"
    )
    n_walks, n_read = [0], [0]
    follow, read = References.__init__, hashlib.file_digest

    def counted(self: References, function: Callable[..., Any], **named: Any) -> None:
        n_walks[0] += function.__name__ == "f"
        follow(self, function, **named)

    def read_counted(file: BufferedReader, algorithm: str) -> object:
        n_read[0] += Path(file.name).name == "letters"
        return read(file, algorithm)

    monkeypatch.setattr(References, "__init__", counted)
    monkeypatch.setattr(hashlib, "file_digest", read_counted)
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
        count_as_old(monkeypatch)
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
