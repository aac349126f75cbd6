"""Hypotheses in a Python file of the user's."""

import contextlib
import importlib.util
import sys
import traceback
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
        module = f"{USER_MODULE}{path.stem}"
        candidates = [
            key
            for key, value in variables.items()
            if type(value) is Hypothesis or (type(value) in (FunctionType, type) and value.__module__ == module)
        ]
        raise HypothesisError(f"{path} has no hypothesis named {name!r}; {nearest(name, candidates)}")
    return as_hypothesis(variables[name], f"{path}:{name}")


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
