"""Hypotheses by name: the built-in ones, those of plug-ins, and those in a user's file."""

import functools
import importlib
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from hypotheses.errors import HypothesisError
from hypotheses.expressions import parse
from hypotheses.hypothesis import Hypothesis
from hypotheses.spelling import nearest, quoted
from hypotheses.user_files import as_hypothesis, from_file, is_file

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
    "code",
    "speech",
    "statistics",
    "patterns",
)
_IN_FILE = re.compile(r"(?P<path>.*\.py):(?P<name>\w+)(?::(?P<parameters>.*))?", re.DOTALL)
_PATTERN = "regex:"
_QUOTED = re.compile(r"""(?:'(?:[^']|'')*'|"(?:[^"]|"")*")\s*(?:[&|@)]|$)""")


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
                f"two hypotheses are named {name!r}: one of {found[name][1]}, one of {owner}; uninstall that plug-in"
            )
        found[name] = each, owner
    return {name: found[name][0] for name in sorted(found)}


def get(spelled: str, *, language: str | None = None) -> Hypothesis:
    r"""Find a hypothesis, or make it of others.

    Args:
        spelled: The name of a built-in or plugged-in one, or `file.py:name` for one in a file of the user's, which is
            run; with parameters behind a colon (`indent_at_least:3`, `regex:https?://\S+`); or a combination of such
            (`in_quotes & ~in_comment`, `position_in_line >= 40`, `part_of_speech == noun`, `in_quotes @ 1`). In a
            combination, names and parameters with blanks or signs in them stand in quotes: `regex:'a|b' & in_word`.
        language: For those that ask for the language of a program, and were given none.

    Raises:
        HypothesisError: If there is none of that name; the message has the nearest.
    """
    if not isinstance(spelled, str):
        raise HypothesisError(f"a hypothesis is found by its name; a {type(spelled).__name__} is used as it is")
    find = functools.partial(_find, language=language)
    spelled = spelled.lstrip()
    if spelled.startswith(_PATTERN) and not _QUOTED.match(spelled, len(_PATTERN)):
        return find(spelled)  # a pattern without quotes goes on to the end
    in_file = _IN_FILE.fullmatch(spelled.rstrip())
    if in_file and is_file(Path(in_file["path"])) and not re.search("[&|@]", in_file["parameters"] or ""):
        return find(spelled.rstrip())
    try:
        return parse(spelled, find)
    except RecursionError as error:
        raise HypothesisError("the hypothesis has more parentheses within parentheses than can be read") from error


def _find(spelled: str, language: str | None) -> Hypothesis:
    """The hypothesis of this name, given the parameters behind it."""
    in_file = None if spelled.startswith(_PATTERN) else _IN_FILE.fullmatch(spelled)
    if in_file:
        found = from_file(Path(in_file["path"]), in_file["name"])
        found = found.with_name(quoted(f"{in_file['path']}:{in_file['name']}"))
        parameters = in_file["parameters"]
    else:
        known = registered()
        name, colon, behind = spelled.partition(":")
        if name not in known:
            if name.partition("=")[0] in known:
                raise HypothesisError(f"cannot read {spelled!r}; a comparison is spelled with ==")
            if name in ("and", "or", "not") or name.replace(".", "", 1).isdecimal():
                raise HypothesisError(
                    f"cannot read {name!r} there; combinations are spelled with &, | and ~, and comparisons begin "
                    "with the hypothesis, such as position_in_line >= 40"
                )
            if name.endswith(".py"):
                raise HypothesisError(f"{name} is a file; name one of the functions in it, such as {name}:in_url")
            raise HypothesisError(f"no hypothesis named {name!r}; {nearest(name, list(known))}")
        found, parameters = known[name], behind if colon else None
    if parameters is not None:
        verbatim = spelled.startswith(_PATTERN)  # it may have commas and = in it
        found = found.with_parameters(parameters) if verbatim else found.with_spelled_parameters(parameters)
    if language is not None and "language" in found.parameters:
        found = found.with_parameters(language=language)
    return found


def _built_in() -> Iterator[tuple[str, Hypothesis, str]]:
    for topic in TOPICS:
        for each in vars(importlib.import_module(f"hypotheses.built_in.{topic}")).values():
            if isinstance(each, Hypothesis):
                yield each.name, each, "char-probe"


def _plugged_in() -> Iterator[tuple[str, Hypothesis, str]]:
    for point in entry_points(group=GROUP):
        owner = point.dist.name if point.dist else point.value
        try:
            yield point.name, as_hypothesis(point.load(), point.value).with_name(point.name), owner
        except Exception as error:
            raise HypothesisError(f"the plug-in {owner} cannot be loaded: {error}; repair or uninstall it") from error
