"""Positions that repeat: the reading frame of DNA, the columns of a table."""

import numpy as np
import regex
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.matching.matches import matches
from hypotheses.matching.worker import OVERLAPPING, PREFIXES

_REFERENCE = regex.compile(r"\\(?:\\|[1-9]|g<)|\(\?(?:P=|P>|&|R|[+-]?\d|\()")
_LOOKS_AHEAD = regex.compile(r"\$|\\[bBZzmMXGKRA]|\(\?(?!:|[imsx]+\)|<[=!])|[*+?}]\+")


@hypothesis(unit="characters", example=r"3,ATG")
def phase(text: str, n: int, pattern: str = "") -> Labels:
    r"""What is the position modulo `n` since a pattern last matched?

    `phase:3,ATG` is the reading frame of DNA, `phase:80,\n` the column in lines of 80 characters. 0 at the first
    character after the match, then 1, 2, up to `n` − 1, and 0 again, until the pattern matches anew. The last character
    of the match is `n` − 1, so that a match of `n` characters is a period itself. Missing before the first match ends.
    Without a pattern, it is counted from the beginning of the document: `phase:8`.

    The numbers are those of a cycle, in which `n` − 1 is next to 0: `phase:3,ATG == 0` asks for one of them. The
    pattern has the syntax of `regex`. It matches wherever what it describes ends at a character, also where matches
    overlap, and as though the text ended there: `$`, `\b` and `(?=…)` do not see the character after it. It may have no
    references to groups (`\1`). A pattern that takes as long as a slow one of `regex` is an error.

    >>> print(phase.with_parameters(3, "ATG").mark("CATGAAATATGC"))
    CATGAAATATGC
    ???201201220
    """
    if n < 2:
        raise HypothesisError(f"its n must be 2 or more, but is {n}")
    times = np.arange(len(text))
    if not pattern:
        return Labels((times % n).astype(np.float64), "numeric")
    last = np.maximum.accumulate(np.where(_ends_match(text, pattern), times, -1))
    return Labels(np.where(last >= 0, (times - last - 1) % n, 0).astype(np.float64), "numeric", last < 0)


def _ends_match(text: str, pattern: str) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a match of a pattern ends with this character, for which no further one is read."""
    if any(match.group() != "\\\\" for match in _REFERENCE.finditer(pattern)):
        raise HypothesisError(f"the pattern {pattern!r} refers to a group, which is not possible here; spell it out")
    if regex.escape(pattern, special_only=True) == pattern:
        return _ends_word(text, pattern)
    mode = PREFIXES if _LOOKS_AHEAD.search(pattern) else OVERLAPPING
    ends = np.zeros(len(text), bool)
    ends[matches(pattern, text, mode, may_match_nothing=False)[:, 1] - 1] = True
    return ends


def _ends_word(text: str, word: str) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a string ends with this character."""
    ends = np.zeros(len(text), bool)
    place = text.find(word)
    while place >= 0:
        ends[place + len(word) - 1] = True
        place = text.find(word, place + 1)
    return ends
