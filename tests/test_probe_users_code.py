"""Tests of users' code in commands: nothing that it prints reaches the terminal raw, and it ends nothing else."""

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

TEXT = "abc abd\n" * 30
LABELS = "return [c == 'a' for c in text]"
LOUD = "print('\\x1b[2J noise \\u202e'); sys.stderr.write('\\x1b]0;title\\x07')"


def probe(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "probe", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def show(at_import: str, when_called: str) -> "subprocess.CompletedProcess[str]":
    """Show the labels of a function of the user's, with something done before."""
    content = f"import os, sys, threading, time\n{at_import}\ndef f(text):\n    {when_called}\n    {LABELS}\n"
    Path("mine.py").write_text(content, encoding="utf-8")
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    return probe("hypotheses", "--show", "mine.py:f", "text.txt", "--json")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is printed by a function that does nothing else."""
    with contextlib.chdir(tmp_path_factory.mktemp("usual")):
        return show("", "").stdout


LOUD_BYTES = (
    "sys.stdout.buffer.write('\\x1b[2J noise \\u202e\\n'.encode()); sys.stderr.buffer.write(b'\\x1b]0;title\\x07')"
)


@pytest.mark.parametrize(("at_import", "when_called"), [(LOUD, ""), ("", LOUD), (LOUD_BYTES, ""), ("", LOUD_BYTES)])
def test_what_is_printed_is_shown_with_signs(at_import: str, when_called: str, usual: str) -> None:
    done = show(at_import, when_called)
    assert (done.returncode, done.stdout) == (0, usual)
    assert "␛[2J noise ·\n␛]0;title␇" in done.stderr
    assert "\x1b" not in done.stderr


def test_megabytes_are_cut(usual: str) -> None:
    done = show("for _ in range(1000): print('x' * 10_000)", "print('last')")
    assert (done.returncode, done.stdout) == (0, usual)
    assert len(done.stderr) < 11_000 and "the rest of what other code prints is left out" in done.stderr
    assert "last" not in done.stderr


@pytest.mark.parametrize(
    "statement",
    ["sys.stdout.close(); sys.stderr.close()", "os.close(1); sys.stdout = None"],
)
def test_standard_output_stays_open(statement: str, usual: str) -> None:
    for done in (show(statement, ""), show("", statement)):
        assert (done.returncode, done.stdout) == (0, usual), done.stderr


def test_a_thread_that_goes_on_does_not_keep_the_command(usual: str) -> None:
    done = show("", "threading.Thread(target=time.sleep, args=(1000,)).start()")
    assert (done.returncode, done.stdout) == (0, usual)


def test_what_a_thread_raises_is_shown_with_signs(usual: str) -> None:
    at_import = "def fail(): raise ValueError('\\x1b[2J noise')"
    done = show(at_import, "thread = threading.Thread(target=fail); thread.start(); thread.join()")
    assert (done.returncode, done.stdout) == (0, usual)
    assert "ValueError: ␛[2J noise" in done.stderr
    assert "\x1b" not in done.stderr


LATE = (
    "import atexit; atexit.register(lambda: print('\\x1b[2J late'))",
    "def late():\n    while time.sleep(.001) is None: print('\\x1b[2J late')\n"
    "threading.Thread(target=late, daemon=True).start()",
    "import atexit; atexit.register(lambda: exec('raise ValueError(\"\\x1b[2J late\")'))",
)


@pytest.mark.parametrize("statement", LATE)
def test_what_is_printed_when_all_is_done_is_shown_with_signs(statement: str, usual: str) -> None:
    done = show(statement, "")
    assert (done.returncode, done.stdout) == (0, usual)
    assert "␛[2J late" in done.stderr
    assert "\x1b" not in done.stderr


def test_what_is_printed_while_modules_are_removed_goes_nowhere(usual: str) -> None:
    """Python has put the streams back by then."""
    done = show("class Late:\n    def __del__(self): print('\\x1b[2J late')\nlate = Late()", "")
    assert (done.returncode, done.stdout, done.stderr) == (0, usual, "")


def test_a_child_that_a_function_forks_prints_nothing_again(usual: str) -> None:
    done = show("", "os.fork()")
    assert (done.returncode, done.stdout) == (0, usual)


def test_a_mistake_is_said_without_loading_torch() -> None:
    """That takes seconds, and only a model of the user's own needs it."""
    program = (
        "import sys\nfrom probe.cli import main\n"
        "sys.argv = ['probe', 'hypotheses', '--show', 'mine.py:g', 'text.txt']\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    show("", "")
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "False")
    assert "mine.py has no hypothesis named 'g'" in done.stderr


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("os._exit(3)", "failed: SystemExit in line 4 of mine.py: os._exit(3)"),
        ("raise KeyboardInterrupt", "failed: KeyboardInterrupt in line 4 of mine.py: "),
        ("raise GeneratorExit('\\x1b')", "failed: GeneratorExit in line 4 of mine.py:  "),
    ],
)
def test_an_error_is_one_line(statement: str, complaint: str) -> None:
    done = show("", statement)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.rstrip("\n") == f"error: the hypothesis 'mine.py:f' {complaint}".rstrip()


def test_a_model_of_the_users_fails_in_one_line() -> None:
    """While it is made, and while it reads."""
    reading = (
        "from probe.models import CharModel\nimport torch\n"
        "def build(arrays):\n    raise GeneratorExit('no')\n"
    )  # fmt: skip
    Path("model.py").write_text(reading, encoding="utf-8")
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    np.savez("weights.npz", w=np.zeros((2, 2)))
    done = probe("extract", "weights.npz", "text.txt", "--model-factory", "model.py:build")
    assert done.returncode == 1
    assert done.stderr == "error: model.py:build failed in line 4: GeneratorExit: no\n"


def test_a_message_of_a_users_model_may_fail_itself() -> None:
    program = (
        "import sys\nclass Odd(Exception):\n    def __str__(self): raise ValueError\n"
        "def build(arrays):\n    sys.path.clear()\n    raise Odd\n"
    )
    Path("model.py").write_text(program, encoding="utf-8")
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    np.savez("weights.npz", w=np.zeros((2, 2)))
    done = probe("extract", "weights.npz", "text.txt", "--model-factory", "model.py:build")
    assert done.returncode == 1
    assert done.stderr == "error: model.py:build failed in line 6: Odd: its message cannot be made\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("os._exit(0)", "SystemExit: os._exit(0)"),
        ("raise KeyboardInterrupt('mine')", "KeyboardInterrupt: mine"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate weights.npz text.txt", "import weights.npz -o new.pt"])
def test_a_users_model_does_not_end_the_command(command: str, body: str, expected: str) -> None:
    program = f"import os\ndef build(arrays):\n    os.chdir('/')\n    {body}\n"
    Path("model.py").write_text(program, encoding="utf-8")
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    np.savez("weights.npz", w=np.zeros((2, 2)))
    done = probe(*command.split(), "--model-factory", "model.py:build")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: model.py:build failed in line 4: {expected}\n"
