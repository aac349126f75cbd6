"""Modules of a user's own with the names of our packages, beside a script or in the working folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from probe.sibling_packages import PACKAGES

ROOT = Path(__file__).parents[1]
HYPOTHESIS = """
import re
from probe import hypothesis
@hypothesis(causal=False)
def in_date(text):
    "Is the character in a year?"
    labels = [False] * len(text)
    for found in re.finditer("1[0-9]{3}", text):
        labels[found.start() : found.end()] = [True] * 4
    return labels
"""
USE = """
import probe
assert probe.get("in_quotes")('a "b" c').values.astype(int).tolist() == [0, 0, 1, 1, 0, 0, 0]
assert probe.get("dates.py:in_date")("in 1912.").values.sum() == 4
assert probe.rank.__module__.startswith("analyses.") and probe.Recording.__module__.startswith("activations.")
print("done")
"""


def python(*arguments: str, path: str = str(ROOT)) -> subprocess.CompletedProcess[str]:
    """Runs a new Python in this folder, which finds char-probe on its path after what Python itself puts there."""
    environment = os.environ | {"PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment, cwd=Path.cwd()
    )


@pytest.fixture
def own_modules() -> None:
    """`hypotheses.py`, `analyses.py` and `activations.py` in this folder, none of which can be imported as ours."""
    for name in (*PACKAGES, "dates"):
        Path(f"{name}.py").write_text(HYPOTHESIS, encoding="utf-8")


@pytest.mark.parametrize("name", ["analysis.py", *(f"{name}.py" for name in PACKAGES)])
def test_a_script_beside_modules_of_the_same_names_runs(own_modules: None, name: str) -> None:
    Path(name).write_text(HYPOTHESIS + USE, encoding="utf-8")
    done = python(name)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_notebook_in_that_folder_runs(own_modules: None) -> None:
    done = python("-c", f"import sys\nassert sys.path[0] == ''\n{USE}")  # as in a kernel
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.parametrize("arguments", [["-m", "probe"], ["-c", "from probe.cli import main; main()"]])
def test_the_command_runs_in_that_folder(own_modules: None, arguments: list[str]) -> None:
    Path("text.txt").write_text("in 1912.", encoding="utf-8")
    done = python(*arguments, "hypotheses", "--show", "hypotheses.py:in_date", "text.txt", "--json")
    assert done.returncode == 0, done.stderr
    assert '"label": "True"' in done.stdout


def test_packages_of_another_distribution_that_are_found_first_do_no_harm(tmp_path: Path) -> None:
    for name in PACKAGES:
        (tmp_path / "first" / name).mkdir(parents=True)
        (tmp_path / "first" / name / "__init__.py").write_text("raise SystemExit('this one is not ours')")
    done = python("-m", "probe", "hypotheses", path=f"{tmp_path / 'first'}{os.pathsep}{ROOT}")
    assert done.returncode == 0, done.stderr
    assert "in_quotes" in done.stdout


@pytest.mark.parametrize("name", PACKAGES)
def test_a_module_that_was_imported_before_is_named_in_one_sentence(name: str) -> None:
    Path(f"{name}.py").write_text("", encoding="utf-8")
    done = python("-c", f"import {name}\nimport probe")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"{name}.py has the name of a package that char-probe needs" in last
    assert "rename it" in last


def test_a_recording_is_opened_beside_a_module_named_activations(own_modules: None, planted: Path) -> None:
    code = f"import probe\nprint(len(probe.Recording({str(planted)!r}).sites))"
    done = python("-c", code, path=f".{os.pathsep}{ROOT}")  # also where the folder is on the path of each new Python
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 1
