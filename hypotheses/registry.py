"""Finds hypotheses by name: built-in ones, those of plug-ins, and those in a user's file."""

import functools
import importlib
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from hypotheses.errors import HypothesisError
from hypotheses.expressions import parse
from hypotheses.hypothesis import Hypothesis
from hypotheses.label_files.documents import SUFFIXES
from hypotheses.parameters import exists, split_path
from hypotheses.running import failure, interruption, process_kept
from hypotheses.spelling import nearest, quoted
from hypotheses.user_files import NamedFiles, as_hypothesis, from_file, is_file

GROUP = "probe.hypotheses"
TOPICS = (
    "lines",
    "quotes",
    "comments",
    "brackets",
    "words",
    "names",
    "links",
    "markup",
    "latex",
    "phases",
    "code",
    "structure",
    "speech",
    "statistics",
    "patterns",
    "tokens",
    "files",
)
"""The modules of `hypotheses.built_in` that define hypotheses, in the order of the documentation."""

_IN_FILE = re.compile(r"(?P<path>.*\.py):(?P<name>\w+)(?::(?P<parameters>.*))?", re.DOTALL)
_PATTERN = "regex:"
_FROM_FILE = "labels:"
_IN_HOME = re.compile(r"""(?:^|(?<=[\s(&|~]))labels:(['"]?)~/""")
_SIGN = re.compile(r"[&|~@()<>=!'\"]")
_QUOTED = re.compile(r"""(?:'(?:[^']|'')*'|"(?:[^"]|"")*")\s*(?:[&|@)]|$)""")


@functools.cache
def registered() -> dict[str, Hypothesis]:
    """Return built-in hypotheses and those of installed plug-ins by name, sorted.

    A plug-in names its hypotheses in the entry-point group `probe.hypotheses`.

    Raises:
        HypothesisError: If two have the same name, or a plug-in cannot be loaded.
    """
    with_owners: dict[str, tuple[Hypothesis, str]] = {}
    for name, hypothesis, owner in (*_built_in(), *_plugged_in()):
        if name in with_owners:
            raise HypothesisError(
                f"two hypotheses are named {name!r}: one of {with_owners[name][1]}, one of {owner}; "
                "uninstall that plug-in"
            )
        with_owners[name] = hypothesis, owner
    return {name: with_owners[name][0] for name in sorted(with_owners)}


def get(spelled: str, *, language: str | None = None, files: NamedFiles | None = None) -> Hypothesis:
    r"""Find a hypothesis by its name, or combine several by an expression.

    Args:
        spelled: The name of a built-in or plugged-in hypothesis, or `file.py:name` for one in a user's file, which is
            run; with parameters after a colon (`indent_at_least:3`, `regex:https?://\S+`, `labels:tags.csv:mood`, which
            reads labels from a file); or a combination of these
            (`in_quotes & ~in_comment`, `position_in_line >= 40`, `part_of_speech == noun`, `in_quotes @ 1`). In a
            combination, names and parameters with blanks or signs in them are in quotes: `regex:'a|b' & in_word`.
        language: Programming language for hypotheses that have a parameter `language` which is not set.
        files: The only files that may be named; none is run or looked for on the disk then. None: any.

    Raises:
        HypothesisError: If there is none of that name; the message has the nearest.
    """
    if not isinstance(spelled, str):
        raise HypothesisError(f"a hypothesis is found by its name; a {type(spelled).__name__} is used as it is")
    find = functools.partial(_find, language=language, files=files)
    spelled = spelled.lstrip()
    if spelled.startswith(_PATTERN) and not _QUOTED.match(spelled, len(_PATTERN)):
        return find(spelled)  # a pattern without quotes extends to the end
    if files is None:
        spelled = _IN_HOME.sub(_with_home, spelled)
    if _is_in_file_alone(spelled.rstrip(), files):
        return find(spelled.rstrip())
    try:
        return parse(spelled, find)
    except RecursionError as error:
        raise HypothesisError("the hypothesis has too many nested parentheses or negations to be read") from error


def hypothesis_of(described: Any, *, language: str | None = None) -> Hypothesis:
    """Return the hypothesis of a name, a function or labels; one that is a hypothesis already is returned as it is.

    Raises:
        HypothesisError: If there is none of that name, or it is neither; see `get` and `as_hypothesis`.
    """
    return get(described, language=language) if isinstance(described, str) else as_hypothesis(described)


def _is_in_file_alone(spelled: str, files: NamedFiles | None) -> bool:
    """Tell whether a hypothesis of a file is all that is spelled, rather than a part of an expression.

    The path of a file may have signs in it, which is why its being there decides.
    """
    if spelled.startswith(_FROM_FILE):
        after = spelled.removeprefix(_FROM_FILE)
        if files is not None:
            return any(_is_path_alone(path, after) for path in map(str, files.label_files))
        path, column = split_path(after)
        return exists(path) and not _SIGN.search(column)
    in_file = _IN_FILE.fullmatch(spelled)
    if not in_file or re.search("[&|@]", in_file["parameters"] or ""):
        return False
    return is_file(Path(in_file["path"])) if files is None else _name_in_file(in_file) in files.hypotheses


def _is_path_alone(path: str, spelled: str) -> bool:
    """Tell whether a path is all that is spelled, or is followed by a column."""
    return spelled == path or (spelled.startswith(f"{path}:") and not _SIGN.search(spelled, len(path)))


def _name_in_file(in_file: re.Match[str]) -> str:
    return f"{in_file['path']}:{in_file['name']}"


def _with_home(match: re.Match[str]) -> str:
    """Return `labels:~/` with the path of the user's folder, which a shell leaves to the program after a colon."""
    home = str(Path.home())
    return f"{_FROM_FILE}{match[1]}{home if match[1] else quoted(home)}/"


def _find(spelled: str, language: str | None, files: NamedFiles | None) -> Hypothesis:
    """Return the hypothesis of a name, with the parameters after it."""
    in_file = None if spelled.startswith((_PATTERN, _FROM_FILE)) else _IN_FILE.fullmatch(spelled)
    parameters: str | None
    if in_file:
        name = _name_in_file(in_file)
        hypothesis = from_file(Path(in_file["path"]), in_file["name"]) if files is None else files.hypothesis(name)
        hypothesis = hypothesis.with_name(quoted(name))
        parameters = in_file["parameters"]
    else:
        name, colon, after_colon = spelled.partition(":")
        if name not in registered():
            raise _unknown(name, spelled, may_be_file=files is None)
        hypothesis, parameters = registered()[name], after_colon if colon else None
    if parameters is not None:
        if spelled.startswith(_PATTERN):  # a pattern may contain commas and =
            hypothesis = hypothesis.with_parameters(parameters)
        else:
            if files is not None:
                values = hypothesis.parameters.read(parameters) if hypothesis.parameters.file else {}
                files.check(value for value in values.values() if isinstance(value, Path))
            hypothesis = hypothesis.with_spelled_parameters(parameters)
    if language is not None and "language" in hypothesis.parameters:
        hypothesis = hypothesis.with_parameters(language=language)
    return hypothesis


def _unknown(name: str, spelled: str, *, may_be_file: bool) -> HypothesisError:
    """Return the error for a name that no hypothesis has, with what was probably meant."""
    known = registered()
    if name.partition("=")[0] in known:
        return HypothesisError(f"cannot read {spelled!r}; a comparison is spelled with ==")
    if name in ("and", "or", "not") or name.replace(".", "", 1).isdecimal():
        return HypothesisError(
            f"cannot read {name!r} there; combinations are spelled with &, | and ~, and comparisons begin with the "
            "hypothesis, such as position_in_line >= 40"
        )
    if name.endswith(".py"):
        return HypothesisError(f"{name} is a file; name one of the functions in it, such as {name}:in_url")
    if may_be_file and (path := split_path(spelled)[0]).suffix.lower() in SUFFIXES and exists(path):
        return HypothesisError(f"{path} is a file; labels in it are spelled {_FROM_FILE}{quoted(spelled)}")
    return HypothesisError(f"no hypothesis named {name!r}; {nearest(name, list(known))}")


def _built_in() -> Iterator[tuple[str, Hypothesis, str]]:
    for topic in TOPICS:
        for hypothesis in in_topic(topic):
            yield hypothesis.name, hypothesis, "char-probe"


def in_topic(topic: str) -> list[Hypothesis]:
    """Return the hypotheses of a module of `hypotheses.built_in`, in the order of their definitions."""
    module = importlib.import_module(f"hypotheses.built_in.{topic}")
    return [value for value in vars(module).values() if isinstance(value, Hypothesis)]


def _plugged_in() -> Iterator[tuple[str, Hypothesis, str]]:
    for point in entry_points(group=GROUP):
        owner = point.dist.name if point.dist else point.value
        try:
            with process_kept():
                value = point.load()
            plugged_in = as_hypothesis(value, point.value).with_name(point.name)
        except BaseException as error:
            if interrupt := interruption(error):
                raise interrupt from None
            reason = error if isinstance(error, HypothesisError) else failure(error, ())
            raise HypothesisError(f"the plug-in {owner} cannot be loaded: {reason}; repair or uninstall it") from error
        yield point.name, plugged_in, owner
