"""All that a function refers to is followed, or its labels are not cached."""

import sys
from pathlib import Path

import pytest
from test_hypotheses_caching import CORPUS, labelled_in_a_new_process, write_letters

from analyses.targets.labelling import label
from hypotheses.hypothesis import hypothesis
from hypotheses.labelling import cache
from hypotheses.registry import get


@pytest.fixture(autouse=True)
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything counts as slow."""
    monkeypatch.setattr(cache, "SLOW_S", 0.0)


LETTERS = "def f(text): return [char in read() for char in text]\n"
FOLLOWED = {
    "another attribute in a second function": "import helper\ndef a_name(): return helper.NAME\n"
    "def read(): return a_name() and helper.LETTERS\n",
    "a module that another function is given": "import helper\ndef g(module): return module.LETTERS\n"
    "def read(): return g(helper)\n",
    "a class used in two functions": "import helper\ndef a_name(): return helper.Two.NAME\n"
    "def read(): return a_name() and helper.Two.LETTERS\n",
    "a nested function": "import helper\ndef read():\n    def inner(): return helper.LETTERS\n    return inner()\n",
    "a lambda in a lambda": "import helper\ndef read(): return (lambda: (lambda: helper.LETTERS)())()\n",
    "a comprehension": "import helper\ndef read(): return [each for each in [helper.LETTERS] for _ in [0]][0]\n",
    "a generator": "import helper\ndef read(): return next(helper.LETTERS for _ in [0])\n",
    "a class in a function": "import helper\ndef read():\n    class C:\n        letters = helper.LETTERS\n"
    "    return C.letters\n",
    "a default of a nested function": "import helper\ndef read():\n    def inner(x=helper.LETTERS): return x\n"
    "    return inner()\n",
    "a nested function that reads": "def read():\n    def inner():\n"
    "        with open('letters') as file: return file.read()\n"
    "    return inner()\n",
    "an attribute of a function": "import helper\ndef read(): return read.letters\nread.letters = helper.LETTERS\n",
    "an object with slots": "import helper\nclass C:\n    __slots__ = ['letters']\nONE = C()\n"
    "ONE.letters = helper.LETTERS\ndef read(): return ONE.letters\n",
    "an object with slots and more": "import helper\nclass C:\n    __slots__ = ['letters', '__dict__']\nONE = C()\n"
    "ONE.letters = helper.LETTERS\nONE.x = 1\ndef read(): return ONE.letters\n",
    "a str subclass": "import helper\nclass C(str): pass\nONE = C(helper.LETTERS)\ndef read(): return str(ONE)\n",
    "attributes of a str subclass": "import helper\nclass C(str): pass\nONE = C('x')\nONE.letters = helper.LETTERS\n"
    "def read(): return ONE.letters\n",
    "attributes of a dict subclass": "import helper\nclass C(dict): pass\nONE = C()\nONE.letters = helper.LETTERS\n"
    "def read(): return ONE.letters\n",
    "attributes of an array": "import helper\nimport numpy as np\nclass C(np.ndarray): pass\n"
    "ONE = np.zeros(1).view(C)\nONE.letters = helper.LETTERS\ndef read(): return ONE.letters\n",
    "a default dict": "import helper\nfrom collections import defaultdict\n"
    "ONE = defaultdict(lambda: helper.LETTERS)\n"
    "def read(): return ONE[0]\n",
    "a method wrapper": "import helper\nHAS = helper.LETTERS.__contains__\n"
    "def read(): return [char for char in 'ab' if HAS(char)]\n",
    "a method of a list": "import helper\nONE = [helper.LETTERS].__getitem__\ndef read(): return ONE(0)\n",
    "a method of a dict": "import helper\nONE = {0: helper.LETTERS}.get\ndef read(): return ONE(0)\n",
    "a member of an enumeration": "import enum, helper\nclass E(enum.Enum):\n    A = helper.LETTERS\n"
    "def read(): return E.A.value\n",
    "a method of an enumeration": "import enum, helper\nclass E(enum.Enum):\n    A = 1\n"
    "    def letters(self): return helper.LETTERS\ndef read(): return E.A.letters()\n",
    "a named tuple": "import helper\nfrom typing import NamedTuple\nclass N(NamedTuple):\n    letters: str\n"
    "ONE = N(helper.LETTERS)\ndef read(): return ONE.letters\n",
    "one function for each type": "import functools, helper\n@functools.singledispatch\ndef g(x): return ''\n"
    "@g.register\ndef _(x: int): return helper.LETTERS\ndef read(): return g(1)\n",
    "a decorated function": "import functools, helper\ndef decorate(g):\n    @functools.wraps(g)\n"
    "    def inner(): return g()\n    return inner\n@decorate\ndef read(): return helper.LETTERS\n",
    "a wrapper that calls itself ours": "import functools, helper\nfrom probe import get\n"
    "@functools.wraps(get('in_word')._function)\ndef read(): return helper.LETTERS\n",
    "a vectorised function": "import helper\nimport numpy as np\n"
    "READ = np.frompyfunc(lambda x: helper.LETTERS, 1, 1)\n"
    "def read(): return READ(0)\n",
    "a property": "import helper\nclass C:\n    @property\n    def letters(self): return helper.LETTERS\nONE = C()\n"
    "def read(): return ONE.letters\n",
    "a metaclass": "import helper\nclass M(type):\n    def letters(cls): return helper.LETTERS\n"
    "class C(metaclass=M): pass\ndef read(): return C.letters()\n",
    "a module with __getattr__": "import lazy\ndef read(): return lazy.LETTERS\n",
    "getattr": "import helper\ndef read(): return getattr(helper, 'LETT' + 'ERS')\n",
    "getattr by a name made while running": "import helper\n"
    "def read(): return getattr(helper, ''.join(['LETT', 'ERS']))\n",
    "vars": "import helper\ndef read(): return vars(helper)['LETTERS']\n",
    "__dict__": "import helper\ndef read(): return helper.__dict__['LETTERS']\n",
    "eval": "import helper\ndef read(): return eval('helper.LETTERS')\n",
    "an attrgetter": "import helper, operator\nGET = operator.attrgetter('LETTERS')\n"
    "def read(): return GET(helper)\n",
    "an import in a function": "def read():\n    import helper\n    return helper.LETTERS\n",
    "an import of a package in a function": "def read():\n    import package.inner.deep\n    return package.NAMES\n",
    "from a package in a function": "def read():\n    from package.inner import deep\n    return deep.LETTERS\n",
    "a relative import in a function": "import package.inner.deep as deep\ndef read(): return deep.relative()\n",
    "a relative import of a module": "import package.inner.deep as deep\ndef read(): return deep.relative_module()\n",
    "a cache that is filled": "import functools, helper\n@functools.cache\ndef read(): return helper.LETTERS\n"
    "read()\n",
    "os.path.exists itself": "from os.path import exists\ndef read(): return ['a' if exists('folder/a') else 'b']\n",
    "os.path.isfile": "import os\ndef read(): return ['a' if os.path.isfile('folder/a') else 'b']\n",
    "os.path.lexists": "import os.path as p\ndef read(): return ['a' if p.lexists('folder/a') else 'b']\n",
    "os.access": "import os\ndef read(): return ['a' if os.access('folder/a', os.R_OK) else 'b']\n",
    "os.stat": "import os\ndef read():\n    try: os.stat('folder/a')\n    except OSError: return 'b'\n"
    "    return 'a'\n",
    "os.lstat": "from os import lstat\ndef read():\n    try: lstat('folder/a')\n    except OSError: return 'b'\n"
    "    return 'a'\n",
    "a globbed path that is there": "from pathlib import Path\n"
    "def read(): return 'a' if [*Path('.').glob('folder/a')] else 'b'\n",
    **{
        f"a path: {method}": f"from pathlib import Path\nPATH = Path('folder/a')\n"
        f"def read():\n    try: found = PATH.{method}\n    except OSError: found = False\n"
        "    return 'a' if found else 'b'\n"
        for method in (
            "exists()", "is_file()", "stat()", "lstat()", "owner()", "group()", "parent.joinpath('a').exists()",
            "samefile(PATH)", "with_name('a').is_file()", "resolve(strict=True)",
        )
    },
    "a path in an object": "from pathlib import Path\nclass C: path = Path('folder/a')\n"
    "def read(): return 'a' if C.path.exists() else 'b'\n",
    "a path in a tuple": "from pathlib import Path\nPATHS = (Path('folder/a'),)\n"
    "def read(): return 'a' if PATHS[0].exists() else 'b'\n",
    "a path that is given": "from pathlib import Path\ndef look(path): return path.exists()\n"
    "PATH = Path('folder/a')\n"
    "def read(): return 'a' if look(PATH) else 'b'\n",
    "a method of a path": "from pathlib import Path\nLOOK = Path('folder/a').exists\n"
    "def read(): return 'a' if LOOK() else 'b'\n",
    "a path read": "from pathlib import Path\nPATH = Path('letters')\ndef read(): return PATH.read_text()\n",
    "a folder listed": "from pathlib import Path\nPATH = Path('folder')\n"
    "def read(): return [x.name for x in PATH.iterdir()]\n",
    "os.environ beside": "import helper\ndef read(): return helper.os.environ['LETTERS']\n",
    "an environment that another is given": "import os\ndef g(module): return module.environ['LETTERS']\n"
    "def read(): return g(os)\n",
    "other libraries": "import fileinput\ndef read():\n    with fileinput.input('letters') as f: return f.readline()\n",
}  # fmt: skip
FILES = {
    "further.py": "LETTERS = {letters!r}\n",
    "helper.py": "import os\nfrom further import LETTERS\nNAME = 'x'\n"
    "class Two:\n    NAME = 'x'\n    LETTERS = LETTERS\n",
    "lazy.py": "def __getattr__(name): return {letters!r}\n",
    "package/__init__.py": "NAMES = {letters!r}\n",
    "package/letters.py": "LETTERS = {letters!r}\n",
    "package/inner/__init__.py": "",
    "package/inner/deep.py": "LETTERS = {letters!r}\ndef relative():\n    from ..letters import LETTERS\n"
    "    return LETTERS\n"
    "def relative_module():\n    from .. import letters\n    return letters.LETTERS\n",
}


@pytest.mark.parametrize("reader", FOLLOWED)
def test_whatever_a_function_refers_to_is_followed_or_not_cached(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LETTERS", "")
    monkeypatch.syspath_prepend(Path.cwd())
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # the files change faster than their times
    Path("mine.py").write_text(FOLLOWED[reader] + LETTERS)
    for letters in "aba":
        write_letters(letters)
        for name, content in FILES.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(content.replace("{letters!r}", repr(letters)))
        for name in [module for module in sys.modules if module.partition(".")[0] in ("lazy", "package")]:
            monkeypatch.delitem(sys.modules, name)
        labels = labelled_in_a_new_process("mine.py:f", monkeypatch)
        assert labels.tolist() == [char == letters for char in CORPUS.text()]


UNKNOWN = {
    "time.strftime": "import time\ndef f(text): return [time.strftime('%d') > '9'] * len(text)\n",
    "time.localtime": "from time import localtime\ndef f(text): return [localtime().tm_sec > 9] * len(text)\n",
    "datetime.now": "import datetime\nNOW = datetime.datetime.now\ndef f(text): return [NOW().day > 9] * len(text)\n",
    "os.getuid": "import os\ndef f(text): return [os.getuid() > 9] * len(text)\n",
    "os.getcwd": "from os import getcwd\ndef f(text): return [getcwd() > 'x'] * len(text)\n",
    "socket": "import socket\ndef f(text): return [socket.gethostname() > 'x'] * len(text)\n",
    "platform": "import platform\ndef f(text): return [platform.node() > 'x'] * len(text)\n",
    "random": "def f(text):\n    from random import Random\n    return [Random().random() > 0.5 for _ in text]\n",
    "random of another module": "import statistics\n"
    "def f(text): return [statistics.random.random() > 0.5 for _ in text]\n",
    "a date": "import numpy as np\ndef f(text): return [str(np.datetime64('now')) > '2027'] * len(text)\n",
    "processes": "import multiprocessing\ndef f(text): return [multiprocessing.cpu_count() > 1] * len(text)\n",
    "executors": "from concurrent.futures import ProcessPoolExecutor as P\n"
    "def f(text): return [bool(P)] * len(text)\n",
    "a symbolic link": "import os\ndef f(text): return [os.path.islink('x')] * len(text)\n",
    "a path": "from pathlib import Path\ndef f(text): return [Path('x').is_symlink()] * len(text)\n",
    "id": "def f(text): return [id(text) > 9] * len(text)\n",
    "id as another name": "NUMBER = id\ndef f(text): return [NUMBER(text) > 9] * len(text)\n",
    "a bound method of a list": "KNOWN = ['a']\nHAS = KNOWN.count\ndef f(text): return [HAS(c) > 0 for c in text]\n",
    "a method wrapper": "HAS = 'abc'.__contains__\ndef f(text): return [HAS(c) for c in text]\n",
    "a text with more": "class Text(str): pass\nT = Text('a')\ndef f(text): return [c in T for c in text]\n",
    "a counter": "N = 0\ndef f(text):\n    global N\n    N += 1\n    return [N > 1] * len(text)\n",
    "a counter in a list": "N = [0]\ndef f(text):\n    N[0] += 1\n    return [N[0] > 1] * len(text)\n",
    "a cache of its own": "KNOWN = {}\ndef f(text): return [KNOWN.setdefault(c, len(KNOWN)) > 0 for c in text]\n",
    "an attribute that counts": "def f(text):\n    g.n += 1\n    return [g.n > 1] * len(text)\ndef g(): pass\n"
    "g.n = 0\n",
    "standard input": "def f(text): return [not open(0, closefd=False).isatty()] * len(text)\n",
    "its frame": "import sys\ndef f(text): return [sys._getframe(1).f_lineno > 9] * len(text)\n",
    # what can go wrong while it is looked at
    "a class named Pattern": "class Pattern: pass\nP = Pattern()\nP.x = iter('a')\n"
    "def f(text): return [bool(P)] * len(text)\n",
    "an object with a fingerprint": "class Finger:\n    def fingerprint(self): return 1\n    at = iter('a')\n"
    "F = Finger()\ndef f(text): return [bool(F)] * len(text)\n",
    "a proxy": "class Proxy:\n    __slots__ = ['at']\n"
    "    def __getattribute__(self, name): raise RuntimeError(name)\n"
    "P = Proxy()\nP.at = iter('a')\ndef f(text): return [P is not None] * len(text)\n",
    "an object that lies": "class Liar:\n    at = iter('a')\n    @property\n    def __class__(self): raise KeyError\n"
    "L = Liar()\ndef f(text): return [L is not None] * len(text)\n",
    "a class whose attributes fail": "class Meta(type):\n"
    "    def __getattribute__(cls, name): raise SystemError(name)\n"
    "class C(metaclass=Meta): pass\ndef f(text): return [C is not None] * len(text)\n",
    "a module that fails": "def f(text):\n    try: import failing\n    except RuntimeError: pass\n"
    "    return [True] * len(text)\n",
    "a module that ends Python": "def f(text):\n    try: import ending\n    except SystemExit: pass\n"
    "    return [True] * len(text)\n",
    "a module that is absent": "def f(text):\n    try: import absent\n    except ImportError: pass\n"
    "    return [True] * len(text)\n",
    "a list within itself": "L = []\nfor _ in range(9999): L = [L]\ndef f(text): return [bool(L)] * len(text)\n",
    "a repr that fails": "import fractions\nclass F(fractions.Fraction):\n    def __repr__(self): raise OSError\n"
    "H = F(1)\ndef f(text): return [bool(H)] * len(text)\n",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("unknown", UNKNOWN)
def test_what_is_not_understood_is_not_cached_and_never_fails(unknown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path.cwd())
    Path("failing.py").write_text("raise RuntimeError('not on this machine')\n")
    Path("ending.py").write_text("raise SystemExit(3)\n")
    Path("mine.py").write_text(UNKNOWN[unknown])
    labels = labelled_in_a_new_process("mine.py:f", monkeypatch)
    assert labels.not_cached_because
    assert not cache.folder().exists()


STEADY = {
    "a method of a pattern": "import re\nWORD = re.compile('a').match\n"
    "def f(text): return [bool(WORD(c)) for c in text]\n",
    "groups": "import regex\ndef f(text): return [regex.match('(?P<x>.)', c).group('x') == 'a' for c in text]\n",
    "a path by its parts": "from pathlib import Path\nPATH = Path('x.a')\n"
    "def f(text): return [c in PATH.suffix for c in text]\n",
    "an enumeration": "import enum\nclass E(enum.Enum):\n    A = 'a'\n    B = 'b'\n    C = 'c'\n"
    "def f(text): return [E(c) is E.A for c in text]\n",
    "a frozen record with slots": "from dataclasses import dataclass, field\n@dataclass(frozen=True, slots=True)\n"
    "class R:\n    letter: str = 'a'\nONE = R()\ndef f(text): return [c == ONE.letter for c in text]\n",
    "collections": "from collections import Counter, defaultdict, deque\nC = Counter('a')\n"
    "D = defaultdict(int, a=1)\n"
    "Q = deque('a', maxlen=3)\ndef f(text): return [C[c] > 0 and c in D and c in Q for c in text]\n",
    "loops of numba that call others": "import numpy as np\nfrom numba import njit\nA = 97\n@njit\n"
    "def one(x): return x == A\n"
    "@njit\ndef loop(codes):\n    out = np.zeros(len(codes), np.bool_)\n"
    "    for i in range(len(codes)): out[i] = one(codes[i])\n"
    "    return out\ndef f(text): return loop(np.array([ord(c) for c in text]))\n",
    "functions of numpy": "import numpy as np\ndef f(text):\n"
    "    codes = np.frombuffer(text.encode('utf-32-le'), np.uint32)\n"
    "    return np.where(np.add(codes, 1) == 98, True, False) & np.isin(codes, [97])\n",
    "an abstract class": "import abc\nclass A(abc.ABC):\n    @abc.abstractmethod\n    def is_it(self, c): ...\n"
    "class B(A):\n"
    "    def is_it(self, c): return c == 'a'\nONE = B()\ndef f(text): return [ONE.is_it(c) for c in text]\n",
    "another hypothesis in a file": "import probe\nOTHER = probe.get('other.py:g') & probe.get('in_word')\n"
    "def f(text): return OTHER(text)\n",
    "one that is combined": "from probe import get, hypothesis\n@hypothesis\n"
    "def g(text): return [c == 'a' for c in text]\n"
    "def f(text): return (~~g | ~get('in_word'))(text)\n",
}  # fmt: skip


@pytest.mark.parametrize("steady", STEADY)
def test_what_is_understood_is_cached(steady: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("other.py").write_text("def g(text): return [c == 'a' for c in text]\n")
    Path("mine.py").write_text(STEADY[steady])
    first = labelled_in_a_new_process("mine.py:f", monkeypatch)
    assert not first.not_cached_because
    again = labelled_in_a_new_process("mine.py:f", monkeypatch)
    assert again.cached_at is not None
    assert again.tolist() == first.tolist() == [char == "a" for char in CORPUS.text()]


def test_what_a_compiler_reads_of_the_machine_is_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")  # new settings: it asks for the processor
    Path("mine.py").write_text(STEADY["loops of numba that call others"])
    assert not labelled_in_a_new_process("mine.py:f", monkeypatch).not_cached_because


OTHERS = {
    "a global": "OTHER = get('other.py:g')\ndef f(text): return OTHER(text)\n",
    "a function that asks by name": "def f(text): return get('other.py:g')(text)\n",
    "a function that remembers": "import functools\n@functools.cache\ndef other(): return get('other.py:g')\n"
    "def f(text): return other()(text)\n",
    "a combination": "OTHER = ~get('other.py:g') | get('in_comment')\ndef f(text): return (~OTHER)(text)\n",
    "a lag": "OTHER = get('other.py:g @ 0')\ndef f(text): return OTHER(text)\n",
    "parameters": "OTHER = get('other.py:g:a')\ndef f(text): return OTHER(text)\n",
    "a decorated one": "OTHER = get('other.py:g')\nf = OTHER.with_name('f')\n",
    "a wrapper of a wrapper": "OTHER = get('other.py:g')\nONE = hypothesis(lambda text: OTHER(text))\n"
    "def f(text): return ONE(text)\n",
    "one in an object": "class C: other = get('other.py:g')\ndef f(text): return C.other(text)\n",
}
READS_IN_TURN = (
    "from pathlib import Path\ndef g(text, more=''): return [c in Path('letters').read_text() for c in text]\n"
)
IS_FOUND = (
    "from pathlib import Path\nP = Path('folder/a')\ndef g(text, more=''):\n"
    "    return [c == ('a' if P.exists() else 'b') for c in text]\n"
)
HAS_LETTERS = "def g(text, more=''): return [c == {letters!r} for c in text]\n"


@pytest.mark.parametrize("kind", [READS_IN_TURN, IS_FOUND, HAS_LETTERS])
@pytest.mark.parametrize("other", OTHERS)
def test_what_another_hypothesis_depends_on_is_part_of_the_hash(
    other: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("mine.py").write_text("from probe import get, hypothesis\n" + OTHERS[other])
    for letters in "aba":
        write_letters(letters)
        Path("other.py").write_text(kind.replace("{letters!r}", repr(letters)))
        for spelled in ("mine.py:f", "~(~mine.py:f | in_comment)"):
            labels = labelled_in_a_new_process(spelled, monkeypatch)
            assert labels.tolist() == [char == letters for char in CORPUS.text()]


def test_what_another_hypothesis_declares_is_part_of_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.py").write_text("from probe import get, hypothesis\n" + OTHERS["a global"])
    Path("other.py").write_text(
        "from probe import hypothesis\n@hypothesis(reads=['letters'])\ndef g(text):\n"
        "    with open('letters') as file: letters = file.read()\n    return [c in letters for c in text]\n"
    )
    for letters in "ab":
        write_letters(letters)
        first = labelled_in_a_new_process("mine.py:f", monkeypatch)
        again = labelled_in_a_new_process("mine.py:f", monkeypatch)
        assert (first.cached_at is not None, again.cached_at is not None) == (False, True)
        assert first.tolist() == again.tolist()


@pytest.mark.parametrize(
    ("declared", "look", "is_kept"),
    [
        ("letters", "PATH.exists()", True),
        ("letters", "PATH.is_file()", True),
        (".", "PATH.is_file()", True),
        ("folder", "PATH.exists()", False),
        ("letters", "PATH.stat().st_mtime > 0", False),
        ("letters", "PATH.with_name('other').exists()", False),
        ("letters", "(lambda: PATH)().exists()", False),
    ],
)
def test_asking_whether_a_declared_path_exists_is_cached(
    declared: str, look: str, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LETTERS", "")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    write_letters("a")
    Path("mine.py").write_text(
        "from pathlib import Path\nfrom probe import hypothesis\nPATH = Path('letters')\n"
        f"@hypothesis(reads=[{declared!r}])\ndef f(text): return [{look}] * len(text)\n"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere" if declared == "." else str(Path("cache").absolute()))
    labels = labelled_in_a_new_process("mine.py:f", monkeypatch)
    assert (not labels.not_cached_because) == is_kept, labels.not_cached_because


def test_a_functools_cache_is_cleared_before_labelling() -> None:
    Path("mine.py").write_text(
        "import functools\nLETTER = 'a'\n@functools.cache\ndef is_it(char): return char == LETTER\n"
        "def f(text): return [is_it(char) for char in text]\n"
    )
    tested = get("mine.py:f")
    for letter in "aba":
        sys.modules["_hypotheses_of_the_user_mine"].LETTER = letter  # type: ignore[attr-defined]
        assert label(CORPUS, tested).tolist() == [char == letter for char in CORPUS.text()]


def test_labels_say_if_their_function_is_not_plain() -> None:
    class Callable:
        def __call__(self, text: str) -> list[bool]:
            return [True] * len(text)

    known = ["a"]
    for tested in (hypothesis(Callable()), hypothesis(lambda text: [char in known for char in text])):
        assert "no plain function" in label(CORPUS, tested).not_cached_because
