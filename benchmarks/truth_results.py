"""The file of results: a line for each finished cell, with a hash of the program that it is of."""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from truth_counting import Counts


@dataclass(frozen=True)
class Result:
    """A finished cell.

    Attributes:
        cell: Its name.
        settings: What it draws, spelled out; a cell that is changed has another one.
        seed: Of all repetitions.
        n: Repetitions.
        code: Hash of the program; see `hash_of_code`.
        seconds: Of one core.
        counts: Over the repetitions.
    """

    cell: str
    settings: str
    seed: int
    n: int
    code: str
    seconds: float
    counts: Counts


def hash_of_code(folder: Path) -> str:
    """Hash of all Python files of a folder, but for what is said in comments and docstrings."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(without_words(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()[:16]


def without_words(source: str) -> str:
    """Python code without its comments and docstrings, and laid out in one way."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [each for each in body if not _is_text(each)]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def read(path: Path) -> dict[str, Result]:
    """The results in a file by cell; none if there is no file."""
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [Result(**json.loads(line)) for line in lines if line.strip()]
    return {each.cell: each for each in found}


def write(path: Path, results: Mapping[str, Result], order: Iterable[str]) -> None:
    """Write results in the order of some cells, those of others behind them."""
    names = dict.fromkeys([*(name for name in order if name in results), *results])
    lines = [json.dumps(asdict(results[name]) | {"counts": _rounded(results[name].counts)}) for name in names]
    new = path.with_name(f"{path.name}.new")
    new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    new.replace(path)


def _rounded(counts: Counts) -> Counts:
    return {name: count if isinstance(count, int) else float(f"{count:.6g}") for name, count in counts.items()}
