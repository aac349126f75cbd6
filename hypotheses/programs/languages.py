"""Tells code, comments, strings and docstrings apart, in Python and in languages like C.

Everything here is causal: what a character is depends on the text up to and including that character. If the language
is not given, the lines read so far decide which it is.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.characters import LONGEST_PACKED, code_points, pack
from hypotheses.errors import HypothesisError
from hypotheses.programs.c_syntax import read_c
from hypotheses.programs.fstrings import CODE, COMMENT, DOCSTRING, FIELD, STRING
from hypotheses.programs.python_syntax import read_python

LANGUAGES = ("auto", "python", "c")

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


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """The state of each character of a program: code, comment, string or docstring.

    Attributes:
        codes: (n_chars,) code points.
        python: (n_chars,) `CODE`, `COMMENT`, `STRING`, `DOCSTRING`, or `FIELD` in the braces of an f-string, if the
            program is Python.
        c: (n_chars,) `CODE`, `COMMENT` or `STRING`, if it is C.
        evidence: (n_chars,) above 0 where the text so far is C or looks like it, below 0 where it is Python.
    """

    codes: NDArray[np.uint32]
    python: NDArray[np.uint8]
    c: NDArray[np.uint8]
    evidence: NDArray[np.int8]

    @property
    def is_python(self) -> NDArray[np.bool_]:
        """(n_chars,) whether the text so far may be Python."""
        return self.evidence <= 0

    @property
    def is_c(self) -> NDArray[np.bool_]:
        """(n_chars,) whether the text so far may be C."""
        return self.evidence >= 0

    def is_any(self, *states: int) -> NDArray[np.bool_]:
        """Return (n_chars,) whether a character is in one of these states, in any language that is still possible."""
        python, c = np.isin(self.python, states), np.isin(self.c, states)
        return (python & self.is_python) | (c & self.is_c)

    @property
    def is_code(self) -> NDArray[np.bool_]:
        """(n_chars,) whether a character is in no comment and no string of any language that is still possible."""
        return ~self.is_any(COMMENT, STRING, DOCSTRING, FIELD)


def read_program(text: str, language: str) -> Program:
    """Tell code, comments and strings apart.

    Args:
        text: A program.
        language: `python`, `c` (also for languages like it), or `auto`, which goes by the lines read so far.

    Raises:
        HypothesisError: If the language is none of these.
    """
    language = language.lower()
    if language not in LANGUAGES:
        raise HypothesisError(
            f"it knows the languages {', '.join(LANGUAGES)}, not {language!r}; for others there is token:, such as "
            f"token:Comment,{language or 'java'}"
        )
    codes = code_points(text)
    no_states = np.zeros(len(codes), np.uint8)
    python = read_python(codes) if language != "c" else no_states
    c = read_c(codes) if language != "python" else no_states
    if language == "auto":
        return Program(codes, python, c, _weigh_evidence(codes, python, c))
    return Program(codes, python, c, np.full(len(codes), 1 if language == "c" else -1, np.int8))


@njit(cache=True)
def _weigh_evidence(codes: NDArray[np.uint32], python: NDArray[np.uint8], c: NDArray[np.uint8]) -> NDArray[np.int8]:
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
