"""The wheel has all four packages and the bundled data, and its demo runs in an empty folder."""

import json
import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from setuptools import find_packages

ROOT = Path(__file__).parents[1]


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


@pytest.mark.slow  # builds a wheel and runs the demo
def test_the_wheel_brings_everything_and_its_demo_runs(tmp_path: Path) -> None:
    source, empty = tmp_path / "source", tmp_path / "empty"
    empty.mkdir()
    files = run("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard").splitlines()
    for file in files:
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_bytes((ROOT / file).read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source)
    [wheel] = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for package in ("activations", "activations/models", "analyses", "hypotheses", "probe", "probe/cli", "probe/data"):
        assert f"{package}/__init__.py" in names
    for package in ("activations", "analyses", "hypotheses", "probe"):
        assert f"{package}/py.typed" in names
    assert not [name for name in names if name.startswith(("tests", "benchmarks"))]
    in_source = {file for file in files if file.endswith(".py") and not file.startswith(("tests", "benchmarks"))}
    assert in_source <= set(names)
    assert zipfile.ZipFile(wheel).getinfo("probe/data/python_lstm.pt").compress_size < 4e6

    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv)
    run(sys.executable, "-m", "pip", "--python", venv / "bin" / "python", "install", "--no-deps", "--no-index", wheel)
    [packages] = venv.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    probe = venv / "bin" / "probe"
    assert run(probe, "--version", cwd=empty).startswith("char-probe ")
    found = [json.loads(line) for line in run(probe, "demo", "--json", cwd=empty).splitlines()]
    assert [row["hypothesis"] for row in found] == ["in_quotes", "in_comment", "position_in_line"]
    for row in found[:2]:
        assert row["test"] > 0.7
        assert row["accuracy"] > row["majority"] + 0.05
    assert found[2]["r2"] > 0.7
    pictures = {"curves.png", "text_in_comment.png", "text_in_quotes.png", "text_position_in_line.png"}
    assert {path.name for path in (empty / "demo").iterdir()} == pictures | {"activations.h5"}
    where = run(venv / "bin" / "python", "-c", "import activations, probe; print(activations.__file__)", cwd=empty)
    assert str(venv) in where
