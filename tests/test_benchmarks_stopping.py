"""Test of commands that are stopped at random moments: the benchmark, with a few of them."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import as_in_a_shell

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "stopping.py"
MOMENTS = PROGRAM.with_name("stopping_moments.py")


def at_moment(*words: str) -> "subprocess.CompletedProcess[str]":
    command = as_in_a_shell(sys.executable, str(MOMENTS), *words)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_command_is_stopped_right_before_it_writes_its_file(tmp_path: Path) -> None:
    """A table has one moment of its own: before it is opened for writing, nothing is there."""
    csv, counts = tmp_path / "rows.csv", tmp_path / "counts.json"
    command = ("hypotheses", "--csv", str(csv))
    assert at_moment("count", str(counts), *command).returncode == 0
    n_moments = json.loads(counts.read_text())
    assert csv.exists()
    assert n_moments["import"] > 100
    csv.unlink()
    stopped = at_moment("TERM", "file", "1", *command)
    assert (stopped.returncode, csv.exists()) == (128 + signal.SIGTERM, False), stopped.stderr
    assert stopped.stderr.count("stopped; ") == 1
    assert at_moment("KILL", "file", str(n_moments["file"]), *command).returncode == -signal.SIGKILL
    assert at_moment("KILL", "import", "5", *command).returncode == -signal.SIGKILL


@pytest.mark.slow  # two minutes: nine commands are stopped and run again
def test_a_command_that_is_stopped_writes_the_same_when_it_is_run_again(tmp_path: Path) -> None:
    arguments = ["--signals", "TERM", "INT", "KILL", "--count", "3", "--only", "train", "extract", "fit"]
    places = ["--folder", str(tmp_path / "stopped"), "--results", str(tmp_path / "results.jsonl")]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments, *places], capture_output=True, text=True, check=False
    )
    assert "9 trials, 0 with faults" in done.stdout, done.stdout + done.stderr
