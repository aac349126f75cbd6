"""The README is executed, and mentions what it should."""

import csv
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from commands import NAMES, parse, parsers

from hypotheses.registry import registered

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_readmes_commands_have_the_options_that_it_names() -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) > 15
    for line in lines:
        program, *words = shlex.split(line, comments=True)
        assert program == "probe"
        parse(words)


@pytest.mark.slow  # trains a model and starts nine processes
def test_the_readmes_commands_and_python_run(code_text: str) -> None:
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    with Path("tags.csv").open("w", newline="", encoding="utf-8") as tags:
        csv.writer(tags).writerows(
            [["char", "mood"], *([char, "good" if char.isalpha() else "bad"] for char in code_text)]
        )
    environment = os.environ | {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"}
    own_hypothesis, python = blocks("python")
    assert own_hypothesis.startswith("# my_hypotheses.py\n")
    Path("my_hypotheses.py").write_text(own_hypothesis, encoding="utf-8")
    for command in [line for block in blocks("sh") for line in block.splitlines()]:
        if "rank" in command and "in_hex" in command:  # of which the text has none
            text = code_text[:3000] + "# the mask is 0xff00 here\n" + code_text[3000:]
            many = "\n".join(text[start : start + 200] + " 0xbeef " for start in range(0, len(text), 200))
            Path("corpus.txt").write_text(many, encoding="utf-8")
            run("probe train corpus.txt -o model.pt --overwrite --epochs 4 --units 16 --lanes 8", environment)
            run("probe extract model.pt corpus.txt", environment)
        run(command.replace("-o model.pt", "-o model.pt --epochs 1 --lanes 8"), environment)
    assert Path("curve.png").exists()
    done = subprocess.run([sys.executable, "-W", "error", "-c", python], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "in_quotes" in done.stdout
    assert "position_in_line from" in done.stdout


def run(command: str, environment: dict[str, str]) -> None:
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_the_documents_mention_every_command_and_hypothesis() -> None:
    documents = README + (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"probe {name}" in documents
    page = (ROOT / "docs" / "hypotheses.md").read_text(encoding="utf-8")
    for name in registered():
        assert f"`{name}" in page


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_a_document_shows_has_the_options_that_it_shows(document: Path) -> None:
    commands = parsers()
    for name, arguments in re.findall(
        r"\bprobe (plot [a-z]+|[a-z]+)\b([^`\n|#]*)", document.read_text(encoding="utf-8")
    ):
        if name in commands:
            known = {spelling for option in commands[name].params for spelling in option.opts} | {"--help", "-h"}
            shown = set(re.findall(r"(?<!\S)--?[a-zA-Z][a-z-]*(?=[\s=,)]|$)", arguments))
            assert shown <= known, f"probe {name}{arguments}"


def test_links_within_the_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"
