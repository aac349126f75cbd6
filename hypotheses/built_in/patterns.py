"""Patterns, and the tokens of a lexer: hypotheses that need no code. Both look ahead."""

import math
import time
from typing import Any

import numpy as np
import regex
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import STANDARD_TYPES, string_to_tokentype
from pygments.util import ClassNotFound

from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

_MOST_REPEATS = 1_000_000
LIMIT_S = 20.0
"""Longest time that a pattern may take for a text, in seconds; one more second for each megabyte of the text."""


@hypothesis(name="regex", kind="binary", causal=False, example=r"\d+")
def matches_pattern(text: str, pattern: str) -> Labels:
    r"""Is the character in a match of this pattern?

    `regex:https?://\S+`, with the syntax of the Python library `regex`, in which `^` and `$` match at every line.
    Alone, the pattern extends to the end; in a combination it stands in quotes: `regex:'https?://\S+' & ~in_comment`.
    Matches do not overlap, the leftmost wins; lookaround (`(?<=…)`, `(?=…)`) is outside. A pattern that takes longer
    than 20 seconds, and one more for each megabyte of the text, is an error.

    >>> from hypotheses.registry import get
    >>> print(get(r"regex:\d+").mark("a 12 b3"))
    a 12 b3
    ..xx..x
    """
    compiled = compiled_pattern(pattern)
    labels = np.zeros(len(text), bool)
    limit = LIMIT_S + len(text) / 1e6
    try:
        for match in compiled.finditer(text, timeout=limit):
            labels[match.start() : match.end()] = True
    except TimeoutError as error:
        raise too_slow(pattern, limit, len(text)) from error
    return Labels(labels, "binary")


def compiled_pattern(pattern: str) -> regex.Pattern[str]:
    """Compile a pattern that a user wrote, in which `^` and `$` match at every line.

    Raises:
        HypothesisError: If it cannot be read.
    """
    repeats = [int(count) for count in regex.findall(r"\{(?:\d*,)?(\d{1,9})\}", pattern)]
    if math.prod(repeats) > _MOST_REPEATS:
        raise HypothesisError(f"the pattern {pattern!r} repeats its parts too often to be read; use + or *")
    try:
        return regex.compile(pattern, regex.MULTILINE)
    except (regex.error, RecursionError, OverflowError) as error:
        raise HypothesisError(f"the pattern {pattern!r} cannot be read: {error}") from error


def too_slow(pattern: str, limit_s: float, n_chars: int) -> HypothesisError:
    """Return the error of a pattern that took too long on a text."""
    return HypothesisError(
        f"the pattern {pattern!r} took longer than {limit_s:.0f} seconds on a text of {n_chars:,} characters; "
        "repetitions within repetitions, such as (a+)+, are slow"
    )


@hypothesis(kind="binary", causal=False, example="Keyword,python")
def token(text: str, type: str, language: str = "", *, file_name: str = "") -> Labels:
    """Is the character in a token of this type, as a lexer of the library Pygments sees it?

    `token:Comment`, `token:Name.Function`, `token:String.Doc`, `token:Keyword,rust`. Types within a type count: those
    of `Comment` are `Comment.Single`, `Comment.Multiline` and so on. The language is any that Pygments knows, set with
    `--language` or after a comma; by default, the name of the file decides. All characters of a token are True,
    including its delimiters.

    >>> print(token.with_parameters("Comment", "c").mark("a; // b"))
    a; // b
    ...xxxx
    """
    token_type = _token_type(type)
    labels = np.zeros(len(text), bool)
    lines = text.replace("\r\n", " \n").replace("\r", "\n") + "\n"  # as lexers expect them, of the same length
    deadline = _deadline(len(text))
    for start, type_of_token, value in _lexer(language, file_name).get_tokens_unprocessed(lines):
        if time.monotonic() > deadline:
            raise HypothesisError(f"the lexer took too long; it has read {start:,} of {len(text):,} characters")
        if type_of_token in token_type:
            labels[start : start + len(value)] = True
    return Labels(labels, "binary")


def _deadline(n_chars: int) -> float:
    return time.monotonic() + 3 * LIMIT_S + 20 * n_chars / 1e6


def _token_type(name: str) -> Any:
    spelled = name.removeprefix("Token.")
    known = {str(token_type).removeprefix("Token.") for token_type in STANDARD_TYPES} - {"Token"}
    known |= {known_name.replace("Literal.", "", 1) for known_name in known if known_name.startswith("Literal.")}
    if spelled not in known:
        top_level = ", ".join(sorted(known_name for known_name in known if "." not in known_name))
        raise HypothesisError(
            f"it knows no tokens of type {name!r}; there are {top_level}, and types within these, such as String.Doc"
        )
    full = spelled if string_to_tokentype(spelled) in STANDARD_TYPES else f"Literal.{spelled}"
    return string_to_tokentype(full)


def _lexer(language: str, file_name: str) -> Lexer:
    if language:
        try:
            return get_lexer_by_name(language)
        except ClassNotFound:
            raise HypothesisError(
                f"Pygments has no lexer for {language!r}; `pygmentize -L lexers` lists them"
            ) from None
    for name in (file_name, file_name.removesuffix(".txt")):
        try:
            lexer: Lexer = get_lexer_for_filename(name)
        except ClassNotFound:
            continue
        if not name.endswith(".txt"):
            return lexer
    raise HypothesisError(
        f"the name of the text ({file_name or 'there is none'}) does not tell its language; set it with --language, "
        "or after a comma, such as token:Comment,python"
    )
