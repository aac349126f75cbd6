"""Tells code, comments, strings and docstrings apart in Python, without looking ahead."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import LONGEST_PACKED, pack
from hypotheses.kernels import compiled
from hypotheses.programs.lexers.fstrings import (
    LEVEL,
    MAX_LEVELS,
    extended,
    is_formatted,
    open_level,
    part_of,
    read_on,
)
from hypotheses.programs.lexers.states import CODE, COMMENT, DOCSTRING, STRING

_NEWLINE, _RETURN, _BACKSLASH, _HASH, _QUOTE, _APOSTROPHE, _COLON, _SEMICOLON = (ord(char) for char in "\n\r\\#\"':;")
_BLANKS = tuple(ord(char) for char in " \t\r\f\v")
_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_PREFIXES, _DOCSTRING_PREFIXES = tuple(ord(char) for char in "rRuUbBfFtT"), tuple(ord(char) for char in "rRuU")
_SMALL_A, _SMALL_Z = ord("a"), ord("z")
_DEF, _CLASS, _ASYNC = pack("def"), pack("class"), pack("async")


class _Statement(NamedTuple):
    """The position in a statement that has been reached so far.

    Attributes:
        begins: Nothing of the statement has been read, except letters that may be the prefix of a string.
        n_prefix: How many such letters.
        may_prefix_docstring: All of these letters may precede a docstring.
        docstring_next: A string that begins the statement is a docstring.
        word: The first word of the line, packed; 0 before it, -1 behind it.
        in_header: The statement is a `def` or `class`, of which the final colon has not been read.
        depth: Number of open brackets.
        continued: A backslash has been read at the end of the line.
    """

    begins: bool
    n_prefix: int
    may_prefix_docstring: bool
    docstring_next: bool
    word: int
    in_header: bool
    depth: int
    continued: bool


_FIRST_STATEMENT = _Statement(True, 0, True, True, 0, False, 0, False)


@compiled()
def read_python(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return (n_chars,) what each character is, once read: `CODE`, `COMMENT`, `STRING`, `DOCSTRING` or `FIELD`."""
    states = np.zeros(len(codes), np.uint8)
    state, statement = CODE, _FIRST_STATEMENT
    long, escaped, quote, n_quotes = False, False, 0, 0  # of the open string; its mark, and such marks in a row
    opened, emptied = -1, -2  # where a string was last opened, and where one was closed empty
    n_marks = 0  # marks read at the beginning of a statement, which may become three
    word, prefix = 0, 0  # the word before this character, see `fstrings.extended`, and that before the last string
    levels, n_levels = np.zeros(MAX_LEVELS, LEVEL), 0  # of the open f-string
    for t in range(len(codes)):
        code = int(codes[t])
        before, word = word, extended(word, code)
        if n_marks > 0:
            is_third = code == quote and n_marks == 2
            if is_third or (code != quote and n_marks == 1):
                state, long, n_quotes = _first_string(statement), is_third, 0
                n_levels = _open_if_formatted(levels, quote, long, prefix, t if is_third else t - 1)
            n_marks = n_marks + 1 if code == quote and not is_third else 0
            statement = statement if n_marks > 0 else _begun(statement)
            if n_marks > 0 or long:
                states[t] = state
                continue
        if state == COMMENT or (state == CODE and code == _HASH):
            state = CODE if code == _NEWLINE else COMMENT
        elif state == CODE and code != _QUOTE and code != _APOSTROPHE:
            statement = _behind_code(statement, code)
        elif state == CODE:
            is_third = code == quote and emptied == t - 1
            quote = code
            if statement.begins and statement.depth == 0:
                n_marks, prefix = 1, before
            else:
                state, long, opened, n_quotes = STRING, is_third, t, 0
                prefix = prefix if is_third else before
                n_levels = _open_if_formatted(levels, quote, long, prefix, t)
            statement = _behind_mark(statement)
        else:
            if n_levels > 0:
                n_levels = read_on(levels, n_levels, before, t, code)
                has_ended = n_levels == 0
                if has_ended and code != quote and code != _NEWLINE:  # its braces were left open; see `fstrings`
                    statement = _behind_definition(statement)
            else:
                escaped, n_quotes, has_ended = _read_string(code, quote, long, escaped, n_quotes)
            if not has_ended:
                states[t] = part_of(levels, n_levels) if n_levels > 0 else state
                continue
            emptied = t if not long and code == quote and opened == t - 1 else -2
            state, long = CODE, False
        if state == CODE:
            statement = _behind_word(statement, code)
        states[t] = state
    return states


@compiled(inline="always")  # like those below: as calls, they cost a third of the speed
def _open_if_formatted(levels: NDArray[np.void], quote: int, long: bool, prefix: int, t: int) -> int:
    """Open an f-string, if the prefix makes the string one; return how many strings are open in `levels`."""
    return open_level(levels, 0, quote, long, prefix, t) if is_formatted(prefix) else 0


@compiled(inline="always")
def _read_string(code: int, quote: int, long: bool, escaped: bool, n_quotes: int) -> tuple[bool, int, bool]:
    """Read a character of a string that is no f-string.

    Returns:
        Whether a backslash escapes the next character, how many marks have been read in a row, and whether the string
        has ended.
    """
    has_ended = False
    if escaped:
        escaped, n_quotes = code == _RETURN, 0
    elif code == _BACKSLASH:
        escaped, n_quotes = True, 0
    elif long:
        n_quotes = n_quotes + 1 if code == quote else 0
        has_ended = n_quotes == 3
    else:
        has_ended = code == quote or code == _NEWLINE
    return escaped, n_quotes, has_ended


@compiled(inline="always")
def _first_string(s: _Statement) -> int:
    """Return what a string is that begins the statement."""
    return DOCSTRING if s.docstring_next and s.may_prefix_docstring else STRING


@compiled(inline="always")
def _begun(s: _Statement) -> _Statement:
    """Return the statement once something of it has been read."""
    return _Statement(False, s.n_prefix, s.may_prefix_docstring, False, s.word, s.in_header, s.depth, s.continued)


@compiled(inline="always")
def _behind_mark(s: _Statement) -> _Statement:
    """Return the statement behind a quotation mark."""
    docstring_next, word = s.docstring_next and s.begins and s.depth == 0, -1
    return _Statement(
        s.begins, s.n_prefix, s.may_prefix_docstring, docstring_next, word, s.in_header, s.depth, s.continued
    )


@compiled(inline="always")
def _behind_definition(s: _Statement) -> _Statement:
    """Return the statement behind a `def` or `class` that begins a line: no bracket is open there."""
    return _Statement(s.begins, s.n_prefix, s.may_prefix_docstring, s.docstring_next, s.word, True, 0, s.continued)


@compiled(inline="always")
def _behind_code(s: _Statement, code: int) -> _Statement:
    """Return the statement behind a character of code that is neither a quotation mark nor a #."""
    begins, n_prefix, may_prefix, docstring_next = s.begins, s.n_prefix, s.may_prefix_docstring, s.docstring_next
    word, in_header, depth = s.word, s.in_header, s.depth
    if code not in _BLANKS and code != _NEWLINE:
        if word >= 0:
            word = word << 8 | code if _SMALL_A <= code <= _SMALL_Z and word < LONGEST_PACKED else -1
        if begins and n_prefix < 2 and code in _PREFIXES:
            n_prefix += 1
            may_prefix = may_prefix and code in _DOCSTRING_PREFIXES
        elif code != _BACKSLASH:
            begins = docstring_next = False
        if code in _OPENING:
            depth += 1
        elif code in _CLOSING:
            depth = max(depth - 1, 0)
        elif depth == 0 and (code == _SEMICOLON or (code == _COLON and in_header)):
            begins, n_prefix, may_prefix, docstring_next, in_header = True, 0, True, code == _COLON, False
    elif n_prefix > 0:
        begins = docstring_next = False
    return _Statement(begins, n_prefix, may_prefix, docstring_next, word, in_header, depth, s.continued)


@compiled(inline="always")
def _behind_word(s: _Statement, code: int) -> _Statement:
    """Return the statement, with what follows if this character ends the first word of a line, or the line."""
    begins, n_prefix, may_prefix = s.begins, s.n_prefix, s.may_prefix_docstring
    word, in_header, depth = s.word, s.in_header, s.depth
    if word > 0 and not (_SMALL_A <= code <= _SMALL_Z):
        if word == _DEF or word == _CLASS:
            in_header, depth = True, 0
        word = 0 if word == _ASYNC else -1
    if code == _NEWLINE:
        word = 0
        if depth == 0 and not s.continued:
            begins, n_prefix, may_prefix, in_header = True, 0, True, False
    continued = code == _BACKSLASH or (s.continued and code == _RETURN)
    return _Statement(begins, n_prefix, may_prefix, s.docstring_next, word, in_header, depth, continued)


@compiled()
def widened(codes: NDArray[np.uint32], states: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (n_chars,) the states of whole tokens: strings with all their marks, and prefixes.

    Args:
        codes: (n_chars,) code points.
        states: (n_chars,) what each character is, once read.
    """
    whole = states.copy()
    for t in range(len(codes)):
        is_string = states[t] == STRING or states[t] == DOCSTRING
        if is_string and (t == 0 or states[t - 1] == CODE):
            is_mark = codes[t] == _QUOTE or codes[t] == _APOSTROPHE
            start = t if is_mark else t - 1
            while start > 0 and codes[start - 1] == codes[start] and t - start < 2:
                start -= 1
            while start > 0 and t - start < 5 and codes[start - 1] in _PREFIXES and states[start - 1] == CODE:
                start -= 1
            whole[start:t] = states[t]
        has_ended = t > 0 and states[t] == CODE and states[t - 1] != CODE and states[t - 1] != COMMENT
        if has_ended and (codes[t] == _QUOTE or codes[t] == _APOSTROPHE):
            whole[t] = DOCSTRING if states[t - 1] == DOCSTRING else STRING
    return whole
