"""Cached labels are never older than what they depend on, and labels that depend on code alone are cached."""

import os
import sqlite3
import sys
from pathlib import Path

import pytest
from commands import Command

from activations.texts.corpus import Corpus
from analyses.targets.labelling import label
from hypotheses.errors import HypothesisError
from hypotheses.fingerprints import opened_files
from hypotheses.labelling import cache
from hypotheses.labels import Labels
from hypotheses.registry import get

CORPUS = Corpus.from_texts(["abcab", "ba"])


@pytest.fixture(autouse=True)
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything counts as slow."""
    monkeypatch.setattr(cache, "SLOW_S", 0.0)


def labelled_in_a_new_process(spelled: str, monkeypatch: pytest.MonkeyPatch, *, use_cache: bool = True) -> Labels:
    """The labels as a process gives them that has not loaded the user's modules, nor seen what they open."""
    for name in ("helper", "further"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    opened_files._opened.clear()
    return label(CORPUS, get(spelled), use_cache=use_cache)


def write_letters(letters: str) -> None:
    """What the hypotheses below read, in whatever way: the letters that are labelled True."""
    Path("letters").write_text(letters)
    Path("helper_letters.py").write_text(f"LETTERS = {letters!r}\n")
    for old in Path("folder").glob("*"):
        old.unlink()
    Path("folder").mkdir(exist_ok=True)
    Path("folder", letters).touch()
    with sqlite3.connect("letters.db") as database:
        database.execute("create table if not exists letters (letter text)")
        database.execute("delete from letters")
        database.execute("insert into letters values (?)", letters)
    database.close()
    os.environ["LETTERS"] = letters


READ = "def f(text): return [char in read() for char in text]\n"
READERS = {
    "pathlib": "from pathlib import Path\ndef read(): return Path('letters').read_text()\n",
    "open": "def read():\n    with open('letters') as file: return file.read()\n",
    "os.open": "import os\ndef read():\n    n = os.open('letters', os.O_RDONLY)\n    found = os.read(n, 9).decode()\n"
    "    os.close(n)\n    return found\n",
    "read and written": "def read():\n    with open('letters', 'r+') as file: return file.read()\n",
    "csv": "import csv\ndef read():\n    with open('letters', newline='') as file: return next(csv.reader(file))[0]\n",
    "numpy": "import numpy as np\ndef read(): return str(np.loadtxt('letters', dtype=str))\n",
    "listdir": "import os\ndef read(): return os.listdir('folder')\n",
    "glob": "from pathlib import Path\ndef read(): return [path.name for path in Path('folder').glob('*')]\n",
    "exists": "import os\ndef read(): return ['a' if os.path.exists('folder/a') else 'b']\n",
    "path exists": "from pathlib import Path\ndef read(): return ['a' if Path('folder/a').exists() else 'b']\n",
    "sqlite3": "import sqlite3\ndef read():\n    database = sqlite3.connect('letters.db')\n"
    "    [[found]] = database.execute('select * from letters')\n    database.close()\n    return found\n",
    "a process": "import subprocess\ndef read(): return subprocess.check_output(['cat', 'letters'], text=True)\n",
    "os.environ": "import os\ndef read(): return os.environ['LETTERS']\n",
    "os.getenv": "from os import getenv as look_up\ndef read(): return look_up('LETTERS')\n",
    "imported within": "def read():\n    import os\n    return os.environ['LETTERS']\n",
    "a constant": "LETTERS = open('letters').read()\ndef read(): return LETTERS\n",
    "a constant of the environment": "import os\nLETTERS = os.environ['LETTERS']\ndef read(): return LETTERS\n",
    "an object": "class Tagger:\n    def __init__(self): self.letters = open('letters').read()\nTAGGER = Tagger()\n"
    "def read(): return TAGGER.letters\n",
    "an object with slots": "class Tagger:\n    __slots__ = ['letters']\nTAGGER = Tagger()\n"
    "TAGGER.letters = open('letters').read()\ndef read(): return TAGGER.letters\n",
    "once": "import functools\n@functools.cache\ndef read():\n    with open('letters') as file: return file.read()\n",
    "a module beside": "import helper\ndef read(): return helper.read()\n",
    "from a module beside": "from helper import read\n",
    "a constant beside": "import helper\ndef read(): return helper.LETTERS\n",
    "a constant further away": "import helper\ndef read(): return helper.further_letters()\n",
    "a function by its name": "def read(): return globals()['read_' + 'it']()\n"
    "def read_it():\n    with open('letters') as file: return file.read()\n",
}
HELPER = (
    "import further\nLETTERS = open('letters').read()\ndef read():\n"
    "    with open('letters') as file: return file.read()\n"
    "def further_letters(): return further.LETTERS\n"
)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("reader", READERS)
def test_labels_are_never_older_than_what_is_read(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERS", "")
    Path("mine.py").write_text(READERS[reader] + READ)
    Path("helper.py").write_text(HELPER)
    Path("further.py").write_text("from pathlib import Path\nLETTERS = Path('letters').read_text()\n")
    for letters in "aba":
        write_letters(letters)
        labels = labelled_in_a_new_process("mine.py:f", monkeypatch)
        assert labels.tolist() == [char == letters for char in CORPUS.text()]


def test_labels_are_never_older_than_what_was_read_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one process, where a file is only opened for the first text."""
    Path("mine.py").write_text(READERS["once"] + READ)
    write_letters("a")
    hypothesis = get("mine.py:f")
    hypothesis("ab")
    label(CORPUS, hypothesis)
    write_letters("b")
    assert labelled_in_a_new_process("mine.py:f", monkeypatch).tolist() == [char == "b" for char in CORPUS.text()]


CHANGING = {
    "time": "import time\ndef f(text): return [time.time() % 2 < 1] * len(text)\n",
    "time itself": "from time import perf_counter\ndef f(text): return [perf_counter() % 2 < 1] * len(text)\n",
    "date": "from datetime import datetime\ndef f(text): return [datetime.now().day > 9] * len(text)\n",
    "random": "import random\ndef f(text): return [random.random() < 0.5 for _ in text]\n",
    "random itself": "from random import random\ndef f(text): return [random() < 0.5 for _ in text]\n",
    "numpy.random": "import numpy as np\ndef f(text): return np.random.default_rng().random(len(text))\n",
    "numpy.random itself": "from numpy.random import default_rng\n"
    "def f(text): return default_rng().random(len(text))\n",
    "arguments": "import sys\ndef f(text): return [len(sys.argv) > 1] * len(text)\n",
    "a generator": "SHARED = iter(range(10 ** 9))\ndef f(text): return [next(SHARED) > 9 for _ in text]\n",
}


@pytest.mark.parametrize("changing", CHANGING)
def test_labels_that_may_differ_next_time_are_not_cached(changing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.py").write_text(CHANGING[changing])
    labelled_in_a_new_process("mine.py:f", monkeypatch)
    assert not cache.folder().exists()


STEADY = {
    "nothing else": "def f(text): return [char == 'a' for char in text]\n",
    "a pause": "import time\ndef f(text):\n    time.sleep(0.01)\n    return [char == 'a' for char in text]\n",
    "constants": "import re\nimport numpy as np\nWORD = re.compile('a')\nPLACES = np.arange(3)\n"
    "SETS = {'k': {'a', 'b', 'c'}}\n"
    "def f(text): return [bool(WORD.match(char)) and char in SETS['k'] and PLACES[0] == 0 for char in text]\n",
    "a set": "def f(text): return [char in {'a', 'x', 'y', 'z'} for char in text]\n",
    "libraries": "import json, unicodedata\nimport numpy as np\nimport regex\n"
    "def f(text): return np.array([bool(regex.match('a', char)) for char in json.loads(json.dumps(text))])\n",
    "functions": "import functools\n@functools.cache\ndef known(char): return char == 'a'\n"
    "def f(text): return [known(char) for char in text]\n",
    "an object": "class Tagger:\n    def __init__(self, letter): self.letter = letter\n"
    "    def tag(self, char): return char == self.letter\nTAGGER = Tagger('a')\n"
    "def f(text): return [TAGGER.tag(char) for char in text]\n",
    "a record": "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Rule:\n    letter: str\n"
    "RULE = Rule('a')\ndef f(text): return [char == RULE.letter for char in text]\n",
    "a compiled loop": "from numba import njit\nimport numpy as np\n@njit(cache=True)\n"
    "def loop(codes): return codes == 97\n"
    "def f(text): return loop(np.array([ord(char) for char in text]))\n",
    "a module beside": "import helper\ndef f(text): return [helper.is_a(char) for char in text]\n",
    "a log": "def f(text):\n    with open('log', 'a') as file: file.write('x')\n"
    "    return [char == 'a' for char in text]\n",
    "another hypothesis": "from probe import get\nWORDS = get('in_word')\ndef f(text): return WORDS(text)\n",
    "a tagger": "from probe import get\n"
    "def f(text): return [tag == 'noun' for tag in get('part_of_speech')(text).tolist()]\n",
    "an open file elsewhere": "def g():\n    with open('mine.py') as file: return file.read()\ng()\n"
    "def f(text): return [char == 'a' for char in text]\n",
}


@pytest.mark.parametrize("steady", STEADY)
def test_labels_that_depend_on_code_alone_are_cached(steady: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.py").write_text(STEADY[steady])
    Path("helper.py").write_text("def is_a(char): return char == 'a'\n")
    first = labelled_in_a_new_process("mine.py:f", monkeypatch)
    again = labelled_in_a_new_process("mine.py:f", monkeypatch)
    assert first.cached_at is None
    assert again.cached_at is not None
    assert again.tolist() == first.tolist()
    assert labelled_in_a_new_process("mine.py:f", monkeypatch, use_cache=False).cached_at is None


def test_a_variable_set_from_outside_is_part_of_the_hash() -> None:
    Path("mine.py").write_text("LETTER = 'a'\ndef f(text): return [char == LETTER for char in text]\n")
    hypothesis = get("mine.py:f")
    for letter in "aba":
        sys.modules["_hypotheses_of_the_user_mine"].LETTER = letter  # type: ignore[attr-defined]
        assert label(CORPUS, hypothesis).tolist() == [char == letter for char in CORPUS.text()]


DECLARED = "from probe import hypothesis\nfrom pathlib import Path\n@hypothesis(reads=[{!r}])\n"


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("declared", "reader"),
    [
        ("letters", "pathlib"),
        ("letters", "once"),
        ("letters", "a constant"),
        ("folder", "glob"),
        ("letters.db", "sqlite3"),
    ],
)
def test_declared_files_are_part_of_the_hash(declared: str, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERS", "")
    Path("mine.py").write_text(READERS[reader] + DECLARED.format(declared) + READ)
    for letters in "ab":
        write_letters(letters)
        for is_kept in (False, True):
            labels = labelled_in_a_new_process("mine.py:f", monkeypatch)
            assert labels.tolist() == [char == letters for char in CORPUS.text()]
            assert (labels.cached_at is not None) == is_kept


def test_declared_paths_are_relative_to_the_file_of_the_hypothesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "mine.py"
    path.write_text(
        DECLARED.format("letters")
        + "def f(text): return [char in Path(__file__).with_name('letters').read_text() for char in text]\n"
    )
    with pytest.raises(HypothesisError, match="'f' is declared to read .*elsewhere/letters, which does not exist"):
        label(CORPUS, get(f"{path}:f"))
    for letters in "ab":
        path.with_name("letters").write_text(letters)
        for spelled in (f"{path}:f", f"{path}:f & in_word", f"~{path}:f"):
            expected = [(char == letters) != spelled.startswith("~") for char in CORPUS.text()]
            assert [labelled_in_a_new_process(spelled, monkeypatch).tolist() for _ in range(2)] == [expected, expected]
            assert labelled_in_a_new_process(spelled, monkeypatch).cached_at is not None


def test_labels_are_not_cached_if_undeclared_files_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERS", "")
    Path("mine.py").write_text(READERS["pathlib"] + DECLARED.format("letters.db") + READ)
    for letters in "ab":
        write_letters(letters)
        for _ in range(2):
            assert labelled_in_a_new_process("mine.py:f", monkeypatch).cached_at is None


def test_a_command_says_once_which_labels_were_cached(run: Command) -> None:
    Path("corpus.txt").write_text("abcab")
    Path("mine.py").write_text("def f(text): return [char == 'a' for char in text]\n")
    for more, is_kept in (((), False), ((), True), (("--no-cache",), False)):
        status, out, err = run("hypotheses", "--show", "mine.py:f", "corpus.txt", "--json", *more)
        assert status == 0 and '"n_chars": 2' in out
        notices = [line for line in err.splitlines() if "--no-cache makes them again" in line]
        assert len(notices) == is_kept
    run("hypotheses", "corpus.txt")
    status, out, err = run("hypotheses", "corpus.txt")
    assert status == 0 and "in_quotes" in out
    [line] = [line for line in err.splitlines() if "--no-cache" in line]
    assert "in_word" in line and "the oldest made on 20" in line


def test_commands_on_a_recording_say_it_once_too(run: Command, planted: Path) -> None:
    for command in (
        ("rank", "--all"),
        ("rank", "-H", "in_quotes"),
        ("fit", "-H", "in_quotes", "-H", "in_comment", "--controls", "none"),
    ):
        for _ in range(2):
            status, _, err = run(*command, planted)
            assert status == 0, err
        assert sum("--no-cache" in line for line in err.splitlines()) == 1, err
