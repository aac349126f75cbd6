"""Run the notebooks of `examples/` anew, and keep their outputs: `make notebooks`."""

import hashlib
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "examples"
TIMEOUT_S = 600  # of a cell


def sources_sha256(notebook: dict[str, Any]) -> str:
    """Return a hash of the code of a notebook, which tells whether its outputs are those of its code."""
    code = [cell_source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\n\n".join(code).encode()).hexdigest()


def cell_source(cell: dict[str, Any]) -> str:
    """Return the text of a cell, which files keep as one string or as lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def run(path: Path) -> dict[str, Any]:
    """Run a notebook in an empty folder, and return it with its outputs.

    Raises:
        CellExecutionError: If a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=TIMEOUT_S, kernel_name="python3", resources=resources).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when it was run
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "code_sha256": sources_sha256(notebook),
    }
    return dict(notebook)


def main() -> None:
    """Run all notebooks, or those that are named."""
    for path in [Path(name) for name in sys.argv[1:]] or sorted(EXAMPLES.glob("*.ipynb")):
        text = json.dumps(run(path), indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {len(text.encode()):,} bytes")


if __name__ == "__main__":
    main()
