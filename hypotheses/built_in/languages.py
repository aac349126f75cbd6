"""What each character of a program is: code, comment, string or docstring, in Python and in languages like C.

Everything here is causal: what a character is depends on what has been read, itself included, and on nothing ahead.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.built_in.fstrings import (
    CODE,
    COMMENT,
    DEEPEST,
    DOCSTRING,
    FIELD,
    LEVEL,
    STRING,
    extended,
    is_formatted,
    open_level,
    read_on,
    what_is_read,
)
from hypotheses.built_in.text import code_points, pack
from hypotheses.errors import HypothesisError

LANGUAGES = ("auto", "python", "c")

_NEWLINE, _RETURN, _BACKSLASH, _SLASH, _STAR, _HASH, _QUOTE, _APOSTROPHE, _COLON, _SEMICOLON = (
    ord(char) for char in "\n\r\\/*#\"':;"
)
_BLANKS = tuple(ord(char) for char in " \t\r\f\v")
_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_PREFIXES, _RAW = tuple(ord(char) for char in "rRuUbBfFtT"), tuple(ord(char) for char in "rRuU")
_ENDS_OF_C = tuple(ord(char) for char in ";{}")
_ENDS_OF_PYTHON = tuple(ord(char) for char in ":)]\"'_")
_AFTER_HASH = tuple(ord(char) for char in " \t!#\n")
_SMALL_A, _SMALL_Z, _BIG_A, _BIG_Z, _ZERO, _NINE = (ord(char) for char in "azAZ09")
_SURE = 16  # lines of evidence; what has been read for longer than that no longer counts


_DEF, _CLASS, _ASYNC = pack("def"), pack("class"), pack("async")
_DIRECTIVES = tuple(
    pack(word)
    for word in (
        "include", "define", "undef", "if", "ifdef", "ifndef", "else", "elif", "endif", "error", "warning", "pragma",
        "line",
    )
)  # fmt: skip
_LONGEST_WORD = 1 << 56


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """What each character of a program is, once it has been read.

    Attributes:
        codes: (n_chars,) code points.
        python: (n_chars,) `CODE`, `COMMENT`, `STRING`, `DOCSTRING`, or `FIELD` in the braces of an f-string, if it is
            Python.
        c: (n_chars,) `CODE`, `COMMENT` or `STRING`, if it is C.
        leaning: (n_chars,) above 0 where the text so far is C or looks like it, below 0 where it is Python.
    """

    codes: NDArray[np.uint32]
    python: NDArray[np.uint8]
    c: NDArray[np.uint8]
    leaning: NDArray[np.int8]

    @property
    def is_python(self) -> NDArray[np.bool_]:
        """(n_chars,) whether what has been read may be Python."""
        return self.leaning <= 0

    @property
    def is_c(self) -> NDArray[np.bool_]:
        """(n_chars,) whether what has been read may be C, and does not look more like Python."""
        return self.leaning >= 0

    def is_any(self, *what: int) -> NDArray[np.bool_]:
        """(n_chars,) whether a character is one of these; as long as the language is open, in either."""
        python, c = np.isin(self.python, what), np.isin(self.c, what)
        return (python & self.is_python) | (c & self.is_c)

    @property
    def is_code(self) -> NDArray[np.bool_]:
        """(n_chars,) whether a character is neither of a comment nor of a string, by either language if it is open."""
        return ~self.is_any(COMMENT, STRING, DOCSTRING, FIELD)


def read_program(text: str, language: str) -> Program:
    """Tell code, comments and strings apart.

    Args:
        text: A program.
        language: `python`, `c` (also for what is like it), or `auto`: what the lines read so far look like.

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
    empty = np.zeros(len(codes), np.uint8)
    python = read_python(codes) if language != "c" else empty
    c = read_c(codes) if language != "python" else empty
    if language == "auto":
        return Program(codes, python, c, _lean(codes, python, c))
    return Program(codes, python, c, np.full(len(codes), 1 if language == "c" else -1, np.int8))


@njit(cache=True)
def read_python(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """What each character is, once read, if the text is Python."""
    states = np.zeros(len(codes), np.uint8)
    state, long, escaped = CODE, False, False
    quote, opened, emptied = 0, -1, -2  # the mark of the string, and where a string was opened, or closed empty
    n_quotes = 0  # in a row, at the end of a long string
    opening = 0  # marks read of what may become three, where a statement begins
    depth = 0  # of brackets
    fresh, n_prefix, raw = (
        True,
        0,
        True,
    )  # whether a statement is yet to begin, but for letters that a string may begin with
    awaited = True  # whether a docstring may be next
    word, header = 0, False  # the first word of the line, packed, -1 behind it; whether it is def or class
    continued = False  # whether a backslash stands at the end of the line
    before, prefix = 0, 0  # the word just read, see `fstrings.extended`, and that before the last string
    levels, n_levels = np.zeros(DEEPEST, LEVEL), 0  # of an f-string
    for t, code in enumerate(codes):
        behind, before = before, extended(before, code)
        if opening > 0:
            if code == quote:
                opening += 1
                if opening == 3:
                    state, long, opening, n_quotes = DOCSTRING if awaited and raw else STRING, True, 0, 0
                    fresh = awaited = False
                    n_levels = open_level(levels, 0, quote, True, prefix, t) if is_formatted(prefix) else 0
            else:
                if opening == 1:
                    state, long = DOCSTRING if awaited and raw else STRING, False
                    n_levels = open_level(levels, 0, quote, False, prefix, t - 1) if is_formatted(prefix) else 0
                opening, fresh, awaited = 0, False, False
            if opening > 0 or long:
                states[t] = state
                continue
        if state == COMMENT:
            if code == _NEWLINE:
                state = CODE
        elif n_levels > 0:
            n_levels = read_on(levels, n_levels, behind, t, code)
            if n_levels > 0:
                states[t] = what_is_read(levels, n_levels)
                continue
            emptied = t if not long and code == quote and opened == t - 1 else -2
            state, long = CODE, False
            if code != quote and code != _NEWLINE:  # a definition begins; see `fstrings`
                header, depth = True, 0
        elif state != CODE:
            if escaped:
                escaped = code == _RETURN
                n_quotes = 0
            elif code == _BACKSLASH:
                escaped = True
                n_quotes = 0
            elif long:
                n_quotes = n_quotes + 1 if code == quote else 0
                if n_quotes == 3:
                    state, long = CODE, False
            elif code == quote or code == _NEWLINE:
                emptied = t if code == quote and opened == t - 1 else -2
                state = CODE
        elif code == _QUOTE or code == _APOSTROPHE:
            same = code == quote
            quote = code
            if fresh and depth == 0:
                opening, prefix = 1, behind
            else:
                state, long = STRING, same and emptied == t - 1
                opened, n_quotes, awaited = t, 0, False
                prefix = prefix if long else behind
                n_levels = open_level(levels, 0, quote, long, prefix, t) if is_formatted(prefix) else 0
            word = -1
        elif code == _HASH:
            state = COMMENT
        elif code not in _BLANKS and code != _NEWLINE:
            if word >= 0:
                word = word << 8 | code if _SMALL_A <= code <= _SMALL_Z and word < _LONGEST_WORD else -1
            if fresh and n_prefix < 2 and code in _PREFIXES:
                n_prefix += 1
                raw = raw and code in _RAW
            elif code != _BACKSLASH:
                fresh = awaited = False
            if code in _OPENING:
                depth += 1
            elif code in _CLOSING:
                depth = max(depth - 1, 0)
            elif depth == 0 and (code == _SEMICOLON or (code == _COLON and header)):
                fresh, n_prefix, raw, awaited = True, 0, True, code == _COLON
                header = False
        elif n_prefix > 0:
            fresh = awaited = False
        if state == CODE:
            if word > 0 and not (_SMALL_A <= code <= _SMALL_Z):
                if word == _DEF or word == _CLASS:
                    header, depth = True, 0  # no bracket is open where one of these begins a line
                word = 0 if word == _ASYNC else -1
            if code == _NEWLINE:
                word = 0
                if depth == 0 and not continued:
                    fresh, n_prefix, raw, header = True, 0, True, False
            continued = code == _BACKSLASH or (continued and code == _RETURN)
        states[t] = state
    return states


@njit(cache=True)
def read_c(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """What each character is, once read, if the text is C."""
    states = np.zeros(len(codes), np.uint8)
    state = CODE
    quote = 0
    opened = -2  # where the comment began, or the slash that may begin one stands
    to_line_end, escaped = False, False
    for t, code in enumerate(codes):
        if state == CODE:
            if (code == _SLASH or code == _STAR) and opened == t - 1:
                state = COMMENT
                to_line_end = code == _SLASH
                escaped = False
            elif code == _SLASH:
                opened = t
            elif code == _QUOTE or code == _APOSTROPHE:
                state = STRING
                quote = code
                escaped = False
        elif state == COMMENT and not to_line_end:
            if code == _SLASH and codes[t - 1] == _STAR and t > opened + 2:
                state = CODE
        elif escaped:
            escaped = code == _RETURN
        elif code == _BACKSLASH:
            escaped = True
        elif code == _NEWLINE or (state == STRING and code == quote):
            state = CODE
        states[t] = state
    return states


@njit(cache=True)
def _lean(codes: NDArray[np.uint32], python: NDArray[np.uint8], c: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Above 0 where the text so far looks like C, below 0 where it looks like Python."""
    leaning = np.zeros(len(codes), np.int8)
    lean = 0
    last = 0  # the last character of this line that is code in either language
    word = -1  # what stands behind a # that begins a line, packed; -1 behind no such #
    n_quotes, mark = 0, 0
    for t, code in enumerate(codes):
        if word >= 0:
            if _SMALL_A <= code <= _SMALL_Z and word < _LONGEST_WORD:
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
        elif code == _HASH and last == 0 and c[t] == CODE and python[t] == COMMENT:
            if t == 0 or python[t - 1] == CODE:
                word = 0
        elif code not in _BLANKS and python[t] == CODE and c[t] == CODE:
            last = code
        n_quotes = n_quotes + 1 if n_quotes > 0 and code == mark else 1 if code == _QUOTE or code == _APOSTROPHE else 0
        mark = code
        if n_quotes == 3 and python[t] >= STRING and c[t] != COMMENT:
            lean -= 2
        if code == _STAR and c[t] == COMMENT and c[t - 1] == CODE and python[t] == CODE:
            lean += 2
        lean = max(-_SURE, min(_SURE, lean))
        leaning[t] = lean
    return leaning
