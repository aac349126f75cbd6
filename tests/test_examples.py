"""The notebooks of `examples/`: their code runs, their outputs are those of their code, and they are small."""

import ast
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

import probe

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
RUNNER = runpy.run_path(str(ROOT / "benchmarks" / "notebooks.py"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def sources(notebook: dict[str, Any], kind: str) -> list[str]:
    return [RUNNER["cell_source"](cell) for cell in notebook["cells"] if cell["cell_type"] == kind]


def printed(notebook: dict[str, Any]) -> list[str]:
    """What each cell prints, without the output of its last line."""
    return [
        "".join("".join(output["text"]) for output in cell.get("outputs", ()) if output.get("name") == "stdout")
        for cell in notebook["cells"]
    ]


def test_there_are_three_which_the_documents_link() -> None:
    page = (ROOT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\.\./examples/(\w+)\.ipynb", page)) == {path.stem for path in NOTEBOOKS}
    assert len(NOTEBOOKS) == 3
    assert "(docs/notebooks.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


@each_notebook
def test_a_notebook_is_small_and_was_run_from_top_to_bottom(path: Path) -> None:
    assert path.stat().st_size < 300_000
    notebook = read(path)
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "execute_result"}
    assert {output["name"] for output in outputs if output["output_type"] == "stream"} == {"stdout"}
    assert any("text/html" in output.get("data", {}) for output in outputs)
    assert "widget" not in json.dumps([list(output.get("data", {})) for output in outputs])


@each_notebook
def test_the_outputs_are_those_of_the_code(path: Path) -> None:
    notebook = read(path)
    assert notebook["metadata"]["code_sha256"] == RUNNER["sources_sha256"](notebook), "run `make notebooks`"


@each_notebook
def test_the_code_names_what_there_is(path: Path) -> None:
    notebook = read(path)
    for node in ast.walk(ast.parse("\n".join(sources(notebook, "code")))):
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)).startswith("probe."):
            value: Any = probe
            for part in name.removeprefix("probe.").split("."):
                if not part.isidentifier():
                    break  # of what a call returns
                value = getattr(value, part)
    for text in sources(notebook, "markdown"):
        for link in re.findall(r"\]\(([\w./]+)\)", text):
            assert (path.parent / link).exists()


@pytest.mark.slow  # the bundled model reads the bundled text in each, and probes are fitted
@each_notebook
def test_a_notebook_runs_and_prints_what_it_shows(path: Path) -> None:
    pytest.importorskip("nbclient", reason="nbclient is not installed; make test-all installs it")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed; make test-all installs it")
    assert printed(RUNNER["run"](path)) == printed(read(path))
