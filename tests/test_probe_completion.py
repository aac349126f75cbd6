"""The shell completes names: asked as bash, zsh and fish ask, and in a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from planting import SITES
from typer.testing import CliRunner

from probe.cli.commands import app


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: Path) -> None:
    """Two recordings, one of them the default, and models."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(planted, "activations.h5")
    shutil.copy(planted, "named.h5")
    Path("broken.h5").write_bytes(b"\x89HDF\r\n\x1a\nnonsense")
    for name in ("model.pt", "more.pt", "text.txt"):
        Path(name).write_bytes(b"")


def completed(line: str) -> set[str]:
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return set(CliRunner().invoke(app, env={"_PROBE_COMPLETE": "complete_bash", **words}).stdout.split())


NAMES = {str(site) for site in SITES}


def test_sites_are_those_of_the_recording() -> None:
    assert completed("probe rank in_quotes --sites 1/") == {site for site in NAMES if site.startswith("1/")}
    assert completed("probe rank in_quotes named.h5 --sites hidden,ce") == {"hidden,cell"}
    assert completed("probe rank in_quotes broken.h5 --sites 1/") == set()
    assert completed("probe rank in_quotes absent.h5 --sites 1/") == set()


def test_units_are_those_of_a_site_that_is_typed() -> None:
    assert completed("probe explain ") == {f"{site}/" for site in NAMES}
    units = completed("probe explain 1/cell/")
    assert {"1/cell/0", "1/cell/1"} <= units
    assert all(unit.startswith("1/cell/") for unit in units)
    assert completed("probe view --unit 0/hidden/1") == {unit for unit in completed("probe view --unit 0/hidden/")
                                                         if unit.startswith("0/hidden/1")}  # fmt: skip
    assert "1/cell/0,0/hidden/1" in completed("probe fit in_quotes --units 1/cell/0,0/hidden/1")


def test_models_are_files_that_end_in_pt() -> None:
    assert completed("probe sample mo") == {"model.pt", "more.pt"}
    assert completed("probe rank in_quotes --model m") == {"model.pt", "more.pt"}


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_the_same_names(shell: str) -> None:
    env = {"_PROBE_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": "probe rank in_comm"}
    result = CliRunner().invoke(app, env=env | {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})
    assert "in_comment" in result.stdout
    assert "in_quotes" not in result.stdout


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("probe rank in_comm", "in_comment"),
        ("probe explain 1/hid", "1/hidden/"),
        ("probe extract mod", "model.pt"),
        ("probe plot gat", "gates"),
        ("probe rank --sit", "--sites"),
    ],
)
def test_bash_completes_by_the_script_that_is_installed(tmp_path: Path, line: str, expected: str) -> None:
    program = tmp_path / "bin" / "probe"
    program.parent.mkdir()
    program.write_text(
        f'#!{sys.executable}\nimport sys\nsys.argv[0] = "probe"\nfrom probe.cli import main\nmain()\n', encoding="utf-8"
    )
    program.chmod(0o755)
    script = (
        'eval "$(_PROBE_COMPLETE=source_bash probe)"\n'
        f"COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        "function_name=$(complete -p probe | sed -E 's/.*-F ([^ ]+).*/\\1/')\n"
        '$function_name probe "${COMP_WORDS[COMP_CWORD]}" ""\n'
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    home = str(Path(__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": home, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, timeout=60)
    assert expected in result.stdout.split(), result.stderr
