"""Test of commands that are stopped at random moments: the benchmark, with a few of them."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "stopping.py"


@pytest.mark.slow  # two minutes: nine commands are stopped and run again
def test_a_command_that_is_stopped_writes_the_same_when_it_is_run_again(tmp_path: Path) -> None:
    arguments = ["--signals", "TERM", "INT", "KILL", "--count", "3", "--only", "train", "extract", "fit"]
    places = ["--folder", str(tmp_path / "stopped"), "--results", str(tmp_path / "results.jsonl")]
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments, *places], capture_output=True, text=True, check=False
    )
    assert "9 trials, 0 with faults" in done.stdout, done.stdout + done.stderr
