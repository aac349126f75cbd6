"""Sdist and wheel have all four packages, the stub and the bundled data, and the demo runs in an empty folder."""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from setuptools import find_packages

from probe.explorer.server import page_files

ROOT = Path(__file__).parents[1]
NOT_PACKAGED = ("tests", "benchmarks")


def run(*command: str | Path, **options: object) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr[-2000:]
    return str(done.stdout)


def test_every_module_is_in_a_package_that_the_wheel_takes() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        include = tomllib.load(file)["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = find_packages(str(ROOT), include=include)
    assert {name for name in packages if "." not in name} == {"activations", "analyses", "hypotheses", "probe"}
    modules = [module for name in packages if "." not in name for module in (ROOT / name).rglob("*.py")]
    assert len(modules) > 100
    assert {".".join(module.relative_to(ROOT).parent.parts) for module in modules} <= set(packages)


@pytest.mark.slow  # builds an sdist and a wheel of it, and runs the demo
def test_the_wheel_of_the_sdist_brings_everything_and_its_demo_runs(tmp_path: Path) -> None:
    source, empty = tmp_path / "source", tmp_path / "empty"
    empty.mkdir()
    files = run("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for file in files:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_bytes((ROOT / file).read_bytes())
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, source)
    [wheel], [sdist] = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    code = [file for file in files if file.endswith((".py", ".pyi", "py.typed"))]
    packaged = {file for file in code if not file.startswith(NOT_PACKAGED)}
    assert "probe/__init__.pyi" in packaged
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    assert packaged | {"README.md", "LICENSE", "probe/data/LICENSE-PSF"} <= in_sdist
    names = set(zipfile.ZipFile(wheel).namelist())
    assert packaged <= names
    for package in ("activations", "activations/models", "analyses", "hypotheses", "probe", "probe/cli", "probe/data"):
        assert f"{package}/__init__.py" in names
    for package in ("activations", "analyses", "hypotheses", "probe"):
        assert f"{package}/py.typed" in names
    assert {f"probe/viewer/page/{name}" for name in ("page.html", "view.css", "view.js")} <= names
    assert {f"probe/reporting/page/{name}" for name in ("report.html", "report.css", "report.js")} <= names
    assert {f"probe/explorer/page/{name}" for name in page_files() if not name.startswith("view.")} <= names
    assert not [name for name in names if name.startswith(NOT_PACKAGED)]
    assert zipfile.ZipFile(wheel).getinfo("probe/data/python_lstm.pt").compress_size < 4e6

    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    run(sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    [packages] = venv.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    probe = venv / "bin" / "probe"
    assert run(probe, "--version", cwd=empty).startswith("char-probe ")
    findings = [json.loads(line) for line in run(probe, "demo", "--json", cwd=empty).splitlines()]
    assert [row["hypothesis"] for row in findings] == ["in_quotes", "in_comment", "position_in_line"]
    for row in findings[:2]:
        assert row["held_out"] > 0.7
        assert row["accuracy"] > row["majority_accuracy"] + 0.05
    assert findings[2]["r2"] > 0.7
    assert findings[0]["effect_low"] < findings[0]["effect"] < findings[0]["effect_high"]
    assert findings[2]["effect"] is None  # position_in_line is a number
    pictures = {"curves.png", "text_in_comment.png", "text_in_quotes.png", "text_position_in_line.png"}
    assert {path.name for path in (empty / "demo").iterdir()} == pictures | {
        "activations.h5",
        "model.pt",
        "report.html",
    }
    for name in ("activations", "analyses", "hypotheses"):
        (empty / f"{name}.py").write_text("raise SystemExit('not ours')")
    use = "import probe, activations; print(activations.__file__, len(probe.models.CharRNN.__doc__))"
    assert run(venv / "bin" / "python", "-c", use, cwd=empty).startswith(str(venv))
