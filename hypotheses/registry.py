"""Hypotheses by name: the built-in ones, those of plug-ins, and those in a user's file."""

import difflib
import functools
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, overload

from hypotheses.errors import HypothesisError
from hypotheses.labels import KINDS, Kind, Labels

GROUP = "probe.hypotheses"
_TOPICS = ("hypotheses.comments", "hypotheses.lines", "hypotheses.quotes")


class Hypothesis:
    """A named function from text to labels. Call it with a text to get its `Labels`.

    Attributes:
        name: What it is asked for by.
        causal: False if a label depends on characters after its own.
        kind: Of its labels, if declared.
        source: Where the idea comes from, or an empty string.
    """

    def __init__(self, function: Callable[[str], Any], *, kind: Kind | None, causal: bool, source: str) -> None:
        name = getattr(function, "__name__", type(function).__name__)
        if kind is not None and kind not in KINDS:
            raise HypothesisError(f"the kind of {name} is {kind!r}; choose one of {', '.join(KINDS)}")
        functools.update_wrapper(self, function)
        self.name = name
        self.kind = kind
        self.causal = causal
        self.source = source
        self._function = function

    def __call__(self, text: str) -> Labels:
        """Label a text.

        Raises:
            HypothesisError: If the function fails, or gives labels that cannot be used.
        """
        try:
            answer = self._function(text)
        except HypothesisError:
            raise
        except Exception as error:
            raise HypothesisError(f"the hypothesis {self.name!r} failed: {self._describe(error)}") from error
        try:
            return Labels.of(answer, len(text), self.kind)
        except HypothesisError as error:
            raise HypothesisError(f"the hypothesis {self.name!r} cannot be used: {error}") from error

    def __repr__(self) -> str:
        return f"<hypothesis {self.name}>"

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self._function) or "").partition("\n")[0]

    def _describe(self, error: Exception) -> str:
        file = self._function.__code__.co_filename if inspect.isfunction(self._function) else None
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        where = f" in line {own[-1].lineno} of {Path(own[-1].filename).name}" if own else ""
        return f"{type(error).__name__}{where}: {error}"


@overload
def hypothesis(function: Callable[[str], Any]) -> Hypothesis: ...
@overload
def hypothesis(
    *, kind: Kind | None = None, causal: bool = True, source: str = ""
) -> Callable[[Callable[[str], Any]], Hypothesis]: ...
def hypothesis(
    function: Callable[[str], Any] | None = None, *, kind: Kind | None = None, causal: bool = True, source: str = ""
) -> Hypothesis | Callable[[Callable[[str], Any]], Hypothesis]:
    """Make a hypothesis of a function that takes a text and gives one label for each character.

    A label is a bool (binary) or a number (numeric); None or NaN where there is nothing to say. Label *t* says
    what is true once the characters up to and including *t* have been read.

    Args:
        function: What is decorated.
        kind: `binary` or `numeric`; None goes by the values.
        causal: Set it to False if a label depends on what comes after its character.
        source: Where the idea comes from.
    """
    if function is not None:
        return Hypothesis(function, kind=kind, causal=causal, source=source)
    return functools.partial(Hypothesis, kind=kind, causal=causal, source=source)


@functools.cache
def registered() -> dict[str, Hypothesis]:
    """Built-in hypotheses and those of installed plug-ins, by name, sorted.

    A plug-in names its hypotheses in the entry-point group `probe.hypotheses`.

    Raises:
        HypothesisError: If two have one name, or a plug-in cannot be loaded.
    """
    found: dict[str, tuple[Hypothesis, str]] = {}
    for name, each, owner in (*_built_in(), *_plugged_in()):
        if name in found:
            raise HypothesisError(
                f"two hypotheses are named {name!r}: one of {found[name][1]}, one of {owner}; remove one"
            )
        found[name] = each, owner
    return {name: found[name][0] for name in sorted(found)}


def get(name: str) -> Hypothesis:
    """Find a hypothesis.

    Args:
        name: Of a built-in or plugged-in one, or `file.py:name` for one in a file of the user's, which is run.

    Raises:
        HypothesisError: If there is none of that name; the message has the nearest.
    """
    file, colon, attribute = name.rpartition(":")
    if colon and file.endswith(".py"):
        return _from_file(Path(file), attribute)
    known = registered()
    if name not in known:
        raise HypothesisError(f"no hypothesis named {name!r}; {_nearest(name, list(known))}")
    return known[name]


def _built_in() -> Iterator[tuple[str, Hypothesis, str]]:
    for topic in _TOPICS:
        for each in vars(importlib.import_module(topic)).values():
            if isinstance(each, Hypothesis):
                yield each.name, each, "char-probe"


def _plugged_in() -> Iterator[tuple[str, Hypothesis, str]]:
    for point in entry_points(group=GROUP):
        owner = point.dist.name if point.dist else point.value
        try:
            yield point.name, as_hypothesis(point.load(), point.value), owner
        except Exception as error:
            raise HypothesisError(f"the plug-in {owner} cannot be loaded: {error}; repair or uninstall it") from error


def _from_file(path: Path, name: str) -> Hypothesis:
    if not path.is_file():
        raise HypothesisError(f"there is no file {path} to take the hypothesis {name!r} from")
    content = vars(_run(path))
    if name not in content:
        here = [key for key, value in content.items() if isinstance(value, Hypothesis)]
        raise HypothesisError(f"{path} has no hypothesis named {name!r}; {_nearest(name, here)}")
    return as_hypothesis(content[name], f"{path}:{name}")


def _run(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_hypotheses_of_the_user_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise HypothesisError(f"{path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        line = error.lineno if isinstance(error, SyntaxError) else _last_line(error, path)
        raise HypothesisError(f"{path} failed in line {line}: {type(error).__name__}: {error}") from error
    return module


def _last_line(error: Exception, path: Path) -> int | None:
    own = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).name == path.name]
    return own[-1] if own else None


def as_hypothesis(value: Any, where: str = "what was given") -> Hypothesis:
    """A hypothesis as it is, or one made of a plain function.

    Raises:
        HypothesisError: If it is neither; `where` names it.
    """
    if isinstance(value, Hypothesis):
        return value
    if not callable(value):
        raise HypothesisError(f"{where} is a {type(value).__name__}, not a function from text to labels")
    return Hypothesis(value, kind=None, causal=True, source="")


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(known)}" if known else "there are none"
