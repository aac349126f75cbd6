"""Patterns: hypotheses that need no code. They look ahead."""

import numpy as np

from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.matching.matches import matches


@hypothesis(name="regex", kind="binary", causal=False, example=r"\d+")
def matches_pattern(text: str, pattern: str) -> Labels:
    r"""Is the character in a match of this pattern?

    `regex:https?://\S+`, with the syntax of the Python library `regex`, in which `^` and `$` match at every line.
    Alone, the pattern extends to the end; in a combination it stands in quotes: `regex:'https?://\S+' & ~in_comment`.
    Matches do not overlap, the leftmost wins; lookaround (`(?<=…)`, `(?=…)`) is outside. A pattern that takes longer
    than 20 seconds, and one more for each megabyte of the text, or more than 512 MB of memory, and 100 bytes more for
    each character, is an error.

    >>> from hypotheses.registry import get
    >>> print(get(r"regex:\d+").mark("a 12 b3"))
    a 12 b3
    ..xx..x
    """
    begins_and_ends = np.zeros(len(text) + 1, np.int8)
    starts, stops = matches(pattern, text).T
    np.add.at(begins_and_ends, starts, 1)
    np.subtract.at(begins_and_ends, stops, 1)
    return Labels(np.cumsum(begins_and_ends[:-1], dtype=np.int8) > 0, "binary")
