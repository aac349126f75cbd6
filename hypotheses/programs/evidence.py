"""Weighs, line by line, whether a text looks like C or like Python."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import LONGEST_PACKED, pack
from hypotheses.kernels import compiled
from hypotheses.programs.lexers.states import CODE, COMMENT, STRING

_NEWLINE, _HASH, _STAR, _QUOTE, _APOSTROPHE, _SEMICOLON = (ord(char) for char in "\n#*\"';")
_BLANKS = tuple(ord(char) for char in " \t\r\f\v")
_LINE_ENDS_OF_C = tuple(ord(char) for char in ";{}")
_LINE_ENDS_OF_PYTHON = tuple(ord(char) for char in ":)]\"'_")
_COMMENT_STARTS_OF_PYTHON = tuple(ord(char) for char in " \t!#\n")  # characters after a # that begins a line
_SMALL_A, _SMALL_Z, _BIG_A, _BIG_Z, _ZERO, _NINE = (ord(char) for char in "azAZ09")
_MOST_EVIDENCE = 16  # so that a text which changes its language is recognised within a few lines
_DIRECTIVES = tuple(
    pack(word)
    for word in (
        "include", "define", "undef", "if", "ifdef", "ifndef", "else", "elif", "endif", "error", "warning", "pragma",
        "line",
    )
)  # fmt: skip


@compiled()
def weigh_evidence(codes: NDArray[np.uint32], python: NDArray[np.uint8], c: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return (n_chars,) the evidence so far, as `in_comment` defines it: above 0 for C, below 0 for Python."""
    evidence = np.zeros(len(codes), np.int8)
    total = 0
    last = 0  # the last character of this line that is code in either language
    word = -1  # the word after a # that begins a line, packed; -1 if there is no such #
    n_quotes, mark = 0, 0
    for t, code in enumerate(codes):
        if word >= 0:
            if _SMALL_A <= code <= _SMALL_Z and word < LONGEST_PACKED:
                word = word << 8 | code
            else:
                if word in _DIRECTIVES:
                    total += 2
                elif word == 0 and code in _COMMENT_STARTS_OF_PYTHON:
                    total -= 1
                word = -1
        if code == _NEWLINE:
            if last in _LINE_ENDS_OF_C:
                total += 2 if last == _SEMICOLON else 1
            elif (
                last in _LINE_ENDS_OF_PYTHON
                or _SMALL_A <= last <= _SMALL_Z
                or _BIG_A <= last <= _BIG_Z
                or _ZERO <= last <= _NINE
            ):
                total -= 1
            last = 0
        elif code == _HASH and last == 0 and c[t] == CODE and python[t] == COMMENT:
            if t == 0 or python[t - 1] == CODE:
                word = 0
        elif code not in _BLANKS and python[t] == CODE and c[t] == CODE:
            last = code
        n_quotes = n_quotes + 1 if n_quotes > 0 and code == mark else 1 if code == _QUOTE or code == _APOSTROPHE else 0
        mark = code
        if n_quotes == 3 and python[t] >= STRING and c[t] != COMMENT:
            total -= 2
        if code == _STAR and c[t] == COMMENT and c[t - 1] == CODE and python[t] == CODE:
            total += 2
        total = max(-_MOST_EVIDENCE, min(_MOST_EVIDENCE, total))
        evidence[t] = total
    return evidence
