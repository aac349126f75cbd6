"""Inside a comment, in Python and in languages like C."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.labels import Labels
from hypotheses.registry import hypothesis
from hypotheses.text import code_points

_NEWLINE, _BACKSLASH, _SLASH, _STAR, _HASH, _QUOTE, _APOSTROPHE = (ord(char) for char in "\n\\/*#\"'")
_BLANKS = tuple(ord(char) for char in " \t\r\f\v")
_ENDS_OF_C = tuple(ord(char) for char in ";{}")
_ENDS_OF_PYTHON = tuple(ord(char) for char in ":)]\"'_")
_AFTER_HASH = tuple(ord(char) for char in " \t!#\n")
_SMALL_A, _SMALL_Z, _BIG_A, _BIG_Z, _ZERO, _NINE = (ord(char) for char in "azAZ09")
_CODE, _COMMENT, _STRING, _LONG_STRING = range(4)
_SURE = 16  # lines of evidence; what has been read for longer than that no longer counts


def _pack(word: str) -> int:
    return int.from_bytes(word.encode(), "big")


_DIRECTIVES = tuple(
    _pack(word)
    for word in [
        "include",
        "define",
        "undef",
        "if",
        "ifdef",
        "ifndef",
        "else",
        "elif",
        "endif",
        "error",
        "warning",
        "pragma",
        "line",
    ]
)
_LONGEST_DIRECTIVE = 1 << 56


@hypothesis
def in_comment(text: str) -> Labels:
    r"""Is the text, as read so far, inside a comment of Python, C or a language like C?

    A comment begins when its opener has been read: at `#`, at the second character of `//` or `/*`. It ends
    with its closer: at the newline, at the `/` of `*/`. What looks like a comment inside a string, a character
    constant or a docstring is none. In C, a backslash at the end of a line continues a `//` comment, and `#`
    begins a directive; in Python, `//` divides.

    Which language it is, the lines read so far say, the last few above all: `#include` and its like, `/*`, and
    code that ends in `;`, `{` or `}`, speak for C; other code, triple quotes, and a `#` before a blank for Python.
    Nothing ahead is looked at. As long as nothing speaks for either, the openers of both count.

    >>> in_comment("x = 1  # y\nz").values.astype(int).tolist()
    [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0]
    >>> in_comment("/* x */ y").values.astype(int).tolist()
    [0, 1, 1, 1, 1, 1, 0, 0, 0]
    >>> in_comment("'#'").values.astype(int).tolist()
    [0, 0, 0]
    """
    codes = code_points(text)
    python, c = _read_python(codes), _read_c(codes)
    leaning = _lean(codes, python, c)
    return Labels(((python == _COMMENT) & (leaning <= 0)) | ((c == _COMMENT) & (leaning >= 0)), "binary")


@njit(cache=True)
def _read_python(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """What each character is, once read, if the text is Python."""
    states = np.zeros(len(codes), np.uint8)
    state = _CODE
    quote, opened, emptied = 0, -1, -2  # the mark of the string, and where a string was opened, or closed empty
    n_quotes = 0  # in a row, at the end of a long string
    escaped = False
    for t, code in enumerate(codes):
        if state == _CODE:
            if code == _HASH:
                state = _COMMENT
            elif code == _QUOTE or code == _APOSTROPHE:
                state = _LONG_STRING if code == quote and emptied == t - 1 else _STRING
                quote, opened, n_quotes = code, t, 0
        elif state == _COMMENT:
            if code == _NEWLINE:
                state = _CODE
        elif escaped:
            escaped = False
            n_quotes = 0
        elif code == _BACKSLASH:
            escaped = True
        elif state == _LONG_STRING:
            n_quotes = n_quotes + 1 if code == quote else 0
            if n_quotes == 3:
                state = _CODE
        elif code == quote or code == _NEWLINE:
            emptied = t if code == quote and opened == t - 1 else -2
            state = _CODE
        states[t] = state
    return states


@njit(cache=True)
def _read_c(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """What each character is, once read, if the text is C."""
    states = np.zeros(len(codes), np.uint8)
    state = _CODE
    quote = 0
    opened = -2  # where the comment began, or the slash that may begin one stands
    to_line_end = False
    escaped = False
    for t, code in enumerate(codes):
        if state == _CODE:
            if (code == _SLASH or code == _STAR) and opened == t - 1:
                state = _COMMENT
                to_line_end = code == _SLASH
            elif code == _SLASH:
                opened = t
            elif code == _QUOTE or code == _APOSTROPHE:
                state = _STRING
                quote = code
        elif state == _COMMENT:
            ends_line = to_line_end and code == _NEWLINE and codes[t - 1] != _BACKSLASH
            ends_block = not to_line_end and code == _SLASH and codes[t - 1] == _STAR and t > opened + 2
            if ends_line or ends_block:
                state = _CODE
        elif escaped:
            escaped = False
        elif code == _BACKSLASH:
            escaped = True
        elif code == quote or code == _NEWLINE:
            state = _CODE
        states[t] = state
    return states


@njit(cache=True)
def _lean(codes: NDArray[np.uint32], python: NDArray[np.uint8], c: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Above 0 where the text so far looks like C, below 0 where it looks like Python."""
    leaning = np.zeros(len(codes), np.int8)
    lean = 0
    last = 0  # the last character of this line that is code in either language
    word = -1  # what stands behind a # that begins a line, packed; -1 behind no such #
    for t, code in enumerate(codes):
        if word >= 0:
            if _SMALL_A <= code <= _SMALL_Z and word < _LONGEST_DIRECTIVE:
                word = word << 8 | code
            else:
                if word in _DIRECTIVES:
                    lean += 2
                elif word == 0 and code in _AFTER_HASH:
                    lean -= 1
                word = -1
        if code == _NEWLINE:
            if last in _ENDS_OF_C:
                lean += 2 if last == _ENDS_OF_C[0] else 1
            elif (
                last in _ENDS_OF_PYTHON
                or _SMALL_A <= last <= _SMALL_Z
                or _BIG_A <= last <= _BIG_Z
                or _ZERO <= last <= _NINE
            ):
                lean -= 1
            last = 0
        elif code == _HASH and last == 0 and c[t] == _CODE and python[t] == _COMMENT:
            if t == 0 or python[t - 1] == _CODE:
                word = 0
        elif code not in _BLANKS and python[t] == _CODE and c[t] == _CODE:
            last = code
        if python[t] == _LONG_STRING and (t == 0 or python[t - 1] != _LONG_STRING):
            lean -= 2
        if code == _STAR and c[t] == _COMMENT and c[t - 1] == _CODE and python[t] == _CODE:
            lean += 2
        lean = max(-_SURE, min(_SURE, lean))
        leaning[t] = lean
    return leaning
