"""docs/importing.md is executed: its programs, its commands, and what it says they print."""

import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

DOCUMENT = (Path(__file__).parents[1] / "docs" / "importing.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)


def run(command: str) -> str:
    environment = os.environ | {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


@pytest.mark.slow  # trains two small models and starts a dozen processes
def test_what_the_document_says_of_importing_is_so(code_text: str) -> None:
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    for program in blocks("python"):
        title = re.match(r"# (\w+\.py)\n", program)
        assert title is not None
        Path(title[1]).write_text(program, encoding="utf-8")
    for name in ("wrapped.py", "own.py"):
        run(f"{sys.executable} -W error {name}")
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) > 8
    losses = []
    for command in commands:
        Path("model.pt").unlink(missing_ok=True)  # each of these commands is the first that writes it
        out = run(command.replace("python ", f"{sys.executable} "))
        losses += re.findall(r"text +([\d.]+) nats per character", out)
    assert len(losses) == 9
    assert len(set(losses)) == 2  # one LSTM in eight forms, and one RNN
