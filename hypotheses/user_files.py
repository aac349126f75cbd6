"""Hypotheses in a Python file of the user's."""

import contextlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import Hypothesis
from hypotheses.spelling import nearest


def from_file(path: Path, name: str) -> Hypothesis:
    """The hypothesis of this name in a file, which is run.

    Raises:
        HypothesisError: If there is no such file, it fails, or has none of that name.
    """
    if not is_file(path):
        raise HypothesisError(f"there is no file {path} to take the hypothesis {name!r} from")
    content = vars(_run(path))
    if name not in content:
        own = f"_hypotheses_of_the_user_{path.stem}"
        here = [
            key
            for key, value in content.items()
            if type(value) is Hypothesis or (type(value) in (FunctionType, type) and value.__module__ == own)
        ]
        raise HypothesisError(f"{path} has no hypothesis named {name!r}; {nearest(name, here)}")
    return as_hypothesis(content[name], f"{path}:{name}")


def is_file(path: Path) -> bool:
    """Whether there is such a file; False for what can be the name of none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def as_hypothesis(value: Any, where: str = "what was given") -> Hypothesis:
    """A hypothesis as it is, or one made of a plain function.

    Raises:
        HypothesisError: If it is neither; `where` names it.
    """
    if isinstance(value, Hypothesis):
        return value
    if not callable(value):
        raise HypothesisError(f"{where} is a {type(value).__name__}, not a function from text to labels")
    return Hypothesis(value)


def _run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_hypotheses_of_the_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise HypothesisError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    beside = str(path.parent.absolute())  # where the modules are that it may import
    try:
        sys.path.insert(0, beside)
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        line = error.lineno if isinstance(error, SyntaxError) else _last_line(error, path)
        raise HypothesisError(f"{path} failed in line {line}: {type(error).__name__}: {error}") from error
    finally:
        with contextlib.suppress(ValueError):  # the file may have taken it out itself
            sys.path.remove(beside)
    return module


def _last_line(error: BaseException, path: Path) -> int | None:
    own = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).name == path.name]
    return own[-1] if own else None
