"""Patterns: hypotheses that need no code. They look ahead."""

import math

import numpy as np
import regex

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
