"""A plug-in that is really installed: `tests/example_plugin`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent / "example_plugin"


def run(*command: str | Path, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ({"PYTHONPATH": str(path)} if path else {})
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def install(source: Path, target: Path) -> None:
    command = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    done = run(*command, "--target", target, source)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example installed in it, as if in site-packages."""
    folder = tmp_path_factory.mktemp("plug-in")
    shutil.copytree(EXAMPLE, folder / "source")
    install(folder / "source", folder / "installed")
    return folder / "installed"


def test_the_hypotheses_of_a_plug_in_are_listed_and_label(installed: Path) -> None:
    Path("corpus.txt").write_text("a reader, idle\n", encoding="utf-8")
    listed = run(sys.executable, "-m", "probe", "hypotheses", "--json", path=installed)
    rows = {row["hypothesis"]: row for row in map(json.loads, listed.stdout.splitlines())}
    assert rows["syllables_so_far"]["source"] == "anybody's ear"
    assert rows["after_comma"]["kind"] == "binary"
    spelled = "after_comma | syllables_so_far:ae >= 2"
    shown = run(sys.executable, "-m", "probe", "hypotheses", "--show", spelled, "corpus.txt", path=installed)
    assert "a reader, idle↵\n......xx.x.....\n" in shown.stdout, shown.stdout + shown.stderr


def test_its_author_inherits_our_rules(installed: Path) -> None:
    """The rules for every hypothesis hold for what is installed, too."""
    rules = Path(__file__).parent / "test_hypotheses_registry.py"
    command = (sys.executable, "-m", "pytest", "-q", "-c", Path(__file__).parents[1] / "pyproject.toml", rules)
    done = run(*command, "-p", "no:cacheprovider", "-k", "after_comma or syllables_so_far", path=installed)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "6 passed" in done.stdout


def test_the_owners_of_two_hypotheses_of_one_name_are_named(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "source")
    settings = tmp_path / "source" / "pyproject.toml"
    settings.write_text(settings.read_text().replace("after_comma =", "in_quotes =").replace("example-", "rival-"))
    install(tmp_path / "source", tmp_path / "rival")
    result = run(sys.executable, "-m", "probe", "hypotheses", path=tmp_path / "rival")
    assert result.returncode == 1
    assert result.stderr == (
        "error: two hypotheses are named 'in_quotes': one of char-probe, one of rival-hypotheses; "
        "uninstall that plug-in\n"
    )
