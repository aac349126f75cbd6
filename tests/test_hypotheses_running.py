"""Tests of users' code that does more than label: the process stays as it was, and an error is a sentence."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hypotheses import running
from hypotheses.errors import HypothesisError
from hypotheses.registry import get
from hypotheses.running import process_kept

FAILING = {
    "raise SystemExit(3)": r"failed: SystemExit in line 4 of mine.py: 3",
    "raise GeneratorExit": r"failed: GeneratorExit in line 4 of mine.py",
    "raise BaseException('all of it')": r"failed: BaseException in line 4 of mine.py: all of it",
    "f(text)": r"failed: RecursionError in line 4 of mine.py",
    "os._exit(7)": r"failed: SystemExit in line 4 of mine.py: os._exit\(7\)",
    "raise ValueError('\\x1b[2J\\n' * 999)": r"failed: ValueError in line 4 of mine.py: +\[2J +\[2J[^\x1b\n]+…$",
    "raise Unspeakable": "failed: Unspeakable, whose message fails with ZeroDivisionError",
    "return Lazy()": r"failed: OSError in line 7 of mine.py: no more",
    "return (1 / 0 for _ in text)": r"failed: ZeroDivisionError in line 4 of mine.py",
}
HEAD = "import os, sys\n\ndef f(text):\n    {}\n\nclass Lazy:\n"
HEAD += "    def __array__(self, *_, **__): raise OSError('no more')\n"
UNSPEAKABLE = "class Unspeakable(Exception):\n    def __str__(self): return 1 / 0\n"


def write(content: str) -> str:
    Path("mine.py").write_text(content, encoding="utf-8")
    return f"{Path('mine.py').absolute()}:f"


@pytest.mark.parametrize("statement", FAILING)
def test_whatever_a_function_raises_is_a_sentence(statement: str) -> None:
    name = write(HEAD.format(statement) + UNSPEAKABLE)
    with pytest.raises(HypothesisError, match=f"^the hypothesis '{name}' {FAILING[statement]}"):
        get(name)("abc")


@pytest.mark.parametrize("statement", ["raise SystemExit(3)", "raise GeneratorExit", "import os; os._exit(7)"])
def test_whatever_a_file_raises_is_a_sentence(statement: str) -> None:
    name = write(f"x = 1\n{statement}\n")
    with pytest.raises(HypothesisError, match=r"mine.py failed in line 2: (SystemExit|GeneratorExit)"):
        get(name)


def test_ctrl_c_goes_through_with_a_note() -> None:
    """A function that raises it without Ctrl-C is told from one that is interrupted by who knows about signals."""
    for statement in ("raise KeyboardInterrupt", "raise ValueError from KeyboardInterrupt()"):
        name = write(HEAD.format(statement))
        with pytest.raises(KeyboardInterrupt) as caught:
            get(name)("abc")
        assert "mine.py:f' failed: " in caught.value.__notes__[0]


@pytest.mark.parametrize(
    "statement",
    [
        "os.close(1)",
        "os.close(2); os.open(os.devnull, os.O_WRONLY)",
        "sys.stdout = sys.stderr = None",
        "sys.stdout = open(os.devnull, 'w')",
        "os.chdir('/')",
        "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed file")
def test_the_process_is_as_it_was(statement: str, capfd: pytest.CaptureFixture[str]) -> None:
    before = (sys.stdout, sys.stderr, Path.cwd())
    name = write(f"import os, sys\nLOADING = 0\ndef f(text):\n    {statement}\n    return [True for _ in text]\n")
    assert get(name)("abc").values.all()
    assert (sys.stdout, sys.stderr, Path.cwd()) == before
    os.write(1, b"out")
    os.write(2, b"err")
    assert capfd.readouterr() == ("out", "err")
    name = write(f"import os, sys\n{statement}\ndef f(text): return [True for _ in text]\n")
    assert get(name)("abc").values.all()
    assert (sys.stdout, sys.stderr, Path.cwd()) == before
    os.write(1, b"out")
    assert capfd.readouterr() == ("out", "")


def test_a_child_may_end_at_once() -> None:
    with process_kept():
        child = os.fork()
        if child == 0:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_blocks_may_be_in_several_threads() -> None:
    inside, leave = threading.Event(), threading.Event()
    is_kept: list[bool] = []

    def other() -> None:
        with process_kept():
            inside.set()
            assert leave.wait(20)
            is_kept.append(os._exit is not exit_before)

    exit_before = os._exit
    thread = threading.Thread(target=other)
    with process_kept():
        thread.start()
        assert inside.wait(20)
    leave.set()
    thread.join()
    assert is_kept == [True]
    assert os._exit is exit_before


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&-", "1>&- 2>&- 0<&-"])
def test_standard_files_that_a_shell_has_closed_stay_closed(closed: str) -> None:
    """Another file must not get the number of one, since what is printed would go there."""
    program = (
        "import os\nfrom hypotheses.running import process_kept\n"
        "def standard():\n    return [n for n in range(3) if os.path.exists(f'/proc/self/fd/{n}')]\n"
        "before = standard()\nwith process_kept():\n    inside = standard()\nassert before == inside == standard()\n"
    )
    command = f'"{sys.executable}" -c "$PROGRAM" {closed}'
    done = subprocess.run(["bash", "-c", command], env={**os.environ, "PROGRAM": program}, check=False)
    assert done.returncode == 0


def test_kept_files_that_a_users_code_closes_are_kept_anew(capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with process_kept():
            os.close(running._kept_files[1][0])  # as by os.closerange
    with process_kept():
        os.close(1)
    os.write(1, b"here\n")
    assert capfd.readouterr().out == "here\n"
