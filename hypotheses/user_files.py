"""Hypotheses in a Python file of the user's."""

import contextlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from hypotheses.errors import HypothesisError
from hypotheses.fingerprints.references import USER_MODULE
from hypotheses.given_labels import are_labels
from hypotheses.hypothesis import Hypothesis
from hypotheses.parameters import exists
from hypotheses.running import failure, interruption, process_kept
from hypotheses.spelling import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedFiles:
    """The only files from which hypotheses are taken, where names come from somebody who may not choose files.

    Attributes:
        hypotheses: Those of Python files, which have been run, by how they are spelled: `my_file.py:name`.
        label_files: Files and folders with labels, as they may be spelled after `labels:`.
    """

    hypotheses: Mapping[str, Hypothesis] = field(default_factory=dict)
    label_files: frozenset[Path] = frozenset()

    @classmethod
    def read(cls, paths: Iterable[Path]) -> "NamedFiles":
        """Run Python files, each once, and take note of files with labels, which are read when they are asked for.

        Raises:
            HypothesisError: If there is no such file, or a Python file fails, or has no hypothesis.
        """
        hypotheses: dict[str, Hypothesis] = {}
        label_files = set()
        for path in paths:
            if path.suffix != ".py":
                _check_there(path, "read labels from")
                label_files.add(path)
                continue
            _check_there(path, "take hypotheses from")
            variables = vars(_run(path))
            names = [name for name in _candidates(variables, path) if not name.startswith("_")]
            if not names:
                raise HypothesisError(f"{path} has no hypothesis; write a function from a text to labels in it")
            hypotheses |= {f"{path}:{name}": as_hypothesis(variables[name], f"{path}:{name}") for name in names}
        return cls(hypotheses=hypotheses, label_files=frozenset(label_files))

    def hypothesis(self, spelled: str) -> Hypothesis:
        """Return the hypothesis of a Python file, such as `my_file.py:name`.

        Raises:
            HypothesisError: If there is none among them.
        """
        if spelled not in self.hypotheses:
            raise HypothesisError(
                f"no hypothesis {spelled!r} may be used here, since files are only those that were named at the start; "
                f"{nearest(spelled, list(self.hypotheses))}"
            )
        return self.hypotheses[spelled]

    def check(self, paths: Iterable[Path]) -> None:
        """Refuse files with labels that are not among these.

        Raises:
            HypothesisError: If one is not.
        """
        for path in paths:
            if path not in self.label_files:
                named = ", ".join(sorted(map(str, self.label_files))) or "none"
                raise HypothesisError(
                    f"labels are not read from {str(path)!r} here, but only from files that were named at the start: "
                    f"{named}"
                )


def from_file(path: Path, name: str) -> Hypothesis:
    """Run a Python file, and return its hypothesis or function of a name.

    Raises:
        HypothesisError: If there is no such file, it fails, or has no hypothesis of that name.
    """
    if not is_file(path):
        what = f"{path} is no file" if exists(path) else f"there is no file {path}"
        raise HypothesisError(f"{what} to take the hypothesis {name!r} from; check its path")
    variables = vars(_run(path))
    if name not in variables:
        raise HypothesisError(f"{path} has no hypothesis named {name!r}; {nearest(name, _candidates(variables, path))}")
    return as_hypothesis(variables[name], f"{path}:{name}")


def _candidates(variables: Mapping[str, Any], path: Path) -> list[str]:
    """Return the names of what may be meant as a hypothesis among the variables of a file."""
    module = f"{USER_MODULE}{path.stem}"
    return [
        name
        for name, value in variables.items()
        if type(value) is Hypothesis or (type(value) in (FunctionType, type) and value.__module__ == module)
    ]


def _check_there(path: Path, what_for: str) -> None:
    is_there = is_file(path) if path.suffix == ".py" else exists(path)
    if not is_there:
        raise HypothesisError(f"there is no file {path} to {what_for}; check its path")


def is_file(path: Path) -> bool:
    """Tell whether there is such a file; False for what cannot be a path."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def as_hypothesis(value: Any, described_as: str = "the hypothesis") -> Hypothesis:
    """Return a hypothesis as it is, or make one of a function or of labels.

    Args:
        value: A hypothesis, a function from text to labels, or labels: an array, a list, `Labels`, or a dict of those
            by the names of the documents.
        described_as: What the value is called in an error message.

    Raises:
        HypothesisError: If it is neither.
    """
    if isinstance(value, Hypothesis):
        return value
    if not callable(value) and not are_labels(value):
        raise HypothesisError(
            f"{described_as} is a {type(value).__name__}, not a function from text to labels, nor an array of labels"
        )
    return Hypothesis(value)


class _SourceLoader(SourceFileLoader):
    """Compiles a file whenever it is loaded: Python keeps compiled files, and compares their size and second alone."""

    def get_code(self, fullname: str) -> CodeType:
        """Return what the file says now."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _run(path: Path) -> ModuleType:
    name = f"{USER_MODULE}{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_SourceLoader(name, str(path.absolute())))
    if spec is None or spec.loader is None:
        raise HypothesisError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    folder = str(path.parent.absolute())  # of modules that the file may import
    try:
        sys.path.insert(0, folder)
        with process_kept():
            spec.loader.exec_module(module)
    except BaseException as error:
        line = error.lineno if isinstance(error, SyntaxError) else _last_line(error, path)
        where = f" in line {line}" if line else ""  # which Python does not know of a file that is no text
        sentence = f"{path} failed{where}: {failure(error, ())}"
        if interrupt := interruption(error):
            interrupt.add_note(sentence)
            raise interrupt from None
        raise HypothesisError(sentence) from error
    finally:
        with contextlib.suppress(ValueError):  # the file may have removed it itself
            sys.path.remove(folder)
    return module


def _last_line(error: BaseException, path: Path) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).name == path.name]
    return lines[-1] if lines else None
