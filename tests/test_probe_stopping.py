"""Tests of signals: a command ends with one line and the signal's status, wherever it is when the signal comes."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ENDING = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
SIGNAL = (
    "import os, signal, sys, time\n"
    "for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n"  # which a script in the background ignores
    "    signal.signal(number, signal.SIG_DFL)\n"
    "def send(): os.kill(os.getpid(), getattr(signal, sys.argv.pop()))\n"
)
# A program of the user's that sends the signal named last on its command line, at some moment of `probe`.
WHILE_IMPORTING = """
class Finder:
    def find_spec(self, name, *rest):
        if name == MODULE:
            sys.meta_path.remove(self)
            send()
sys.meta_path.insert(0, Finder())
"""
SWALLOWING = "from probe.cli import commands\ncommands.app = lambda: work()\n"
CAUGHT = "def work():\n    try: send()\n    except BaseException: pass\n    time.sleep(60)\n"
KEPT = "def work():\n    try: send()\n    except BaseException as error: sys.kept = error\n"
CONVERTED = "def work():\n    try: send()\n    except BaseException: raise RuntimeError('half a table')\n"
WITHOUT_A_WAY_UP = (
    "class Thing:\n    def __del__(self): send()\ndef work():\n    thing = Thing()\n    del thing\n    time.sleep(60)\n"
)
AT_THE_END = "import atexit\natexit.register(send)\ndef work(): sys.__stdout__.write('all of it')\n"


def probe(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    code = f"{SIGNAL}{program}\nfrom probe.cli import main\nmain()\n"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)


def assert_stopped(done: "subprocess.CompletedProcess[str]", status: int) -> None:
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert done.stderr.startswith("stopped; ") and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(("number", "status"), ENDING)
@pytest.mark.parametrize("module", ["typer", "probe.cli.check", "rich.console"])
def test_a_signal_while_modules_are_imported_is_one_line(number: signal.Signals, status: int, module: str) -> None:
    assert_stopped(probe(WHILE_IMPORTING.replace("MODULE", repr(module)), "check", "x", number.name), status)


@pytest.mark.parametrize(("number", "status"), ENDING)
@pytest.mark.parametrize("work", [CAUGHT, KEPT, CONVERTED, WITHOUT_A_WAY_UP])
def test_a_signal_is_not_swallowed(number: signal.Signals, status: int, work: str) -> None:
    """By `except`, by another error in its place, or where no exception can be raised, as in `__del__`."""
    assert_stopped(probe(SWALLOWING + work, number.name), status)


def test_a_signal_after_the_end_changes_nothing() -> None:
    done = probe(SWALLOWING + AT_THE_END, "SIGTERM")
    assert (done.returncode, done.stdout, done.stderr) == (0, "all of it", "")


def test_an_ignored_signal_stays_ignored() -> None:
    """Such as SIGHUP with `nohup`, and SIGINT of what a script runs in the background."""
    work = "def work():\n    send()\n    sys.__stdout__.write('all of it')\n"
    for name in ("SIGHUP", "SIGINT"):
        done = probe(f"signal.signal(signal.{name}, signal.SIG_IGN)\n{SWALLOWING}{work}", name)
        assert (done.returncode, done.stdout, done.stderr) == (0, "all of it", "")


def test_a_second_signal_leaves_the_first_time_to_clean_up() -> None:
    work = (
        "def work():\n"
        "    try: os.kill(os.getpid(), signal.SIGTERM)\n"
        "    finally:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        open('clean', 'w').close()\n"
    )
    assert_stopped(probe(SWALLOWING + work), 143)
    assert Path("clean").exists()


@pytest.mark.parametrize("arguments", [["hypotheses"], ["hypotheses", "--json"], ["--help"], ["rank", "--help"]])
def test_a_reader_that_has_gone_is_no_error(arguments: Sequence[str]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "probe", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == ("", 141)


def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "probe", "hypotheses", "--json"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "error: cannot write the output: the disk is full\n"
