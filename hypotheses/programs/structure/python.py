"""Conditions of `if` statements and bodies of functions in Python."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import LONGEST_PACKED, pack
from hypotheses.kernels import compiled
from hypotheses.programs.lexers.states import CODE, COMMENT

_NEWLINE, _BACKSLASH, _RETURN, _COLON, _EQUALS, _SPACE, _TAB = (ord(char) for char in "\n\\\r:= \t")
_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_IF, _ELIF, _DEF, _CLASS, _ASYNC = (pack(word) for word in ("if", "elif", "def", "class", "async"))


@compiled()
def python_conditions(codes: NDArray[np.uint32], python: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the condition of an `if` or `elif` statement of Python."""
    labels = np.zeros(len(codes), np.bool_)
    word = 0  # the first word of the line, packed; -1 behind it
    inside, continued = False, False
    depth = 0  # of brackets
    ended = -2  # where a colon ended the condition, which may belong to :=
    for t, code in enumerate(codes):
        if python[t] == CODE:
            if word > 0 and not 97 <= code <= 122:
                is_whole = not (48 <= code <= 57 or 65 <= code <= 90 or code == 95 or code > 127 or code == _EQUALS)
                if (word == _DEF or word == _CLASS) and is_whole:
                    depth = 0  # no bracket is open where one of these begins a line
                inside = (word == _IF or word == _ELIF) and is_whole and depth == 0
                word = -1
            if code in _OPENING:
                depth += 1
            elif code in _CLOSING:
                depth = max(depth - 1, 0)
            if code == _NEWLINE:
                inside = inside and (depth > 0 or continued)
                word = 0 if not inside else -1
            elif inside and code == _COLON and depth == 0:
                inside, ended = False, t
            elif ended == t - 1 and code == _EQUALS:
                inside = True
            elif word >= 0 and 97 <= code <= 122:
                word = word << 8 | code if word < LONGEST_PACKED else -1
            elif code != _SPACE and code != _TAB:
                word = -1
            continued = code == _BACKSLASH or (continued and code == _RETURN)
        elif python[t] != COMMENT:
            word = -1
        labels[t] = inside
    return labels


@compiled()
def python_bodies(codes: NDArray[np.uint32], python: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function of Python."""
    labels = np.zeros(len(codes), np.bool_)
    column = -1  # indentation of the def whose body this is; -1 outside
    indentation, has_begun = 0, False  # of the line; whether its first code has been read
    word = 0  # the first word of the line, packed; -1 behind it
    in_header = False  # of a def
    depth = 0  # of brackets
    continued = False  # the line ends with a backslash
    for t, code in enumerate(codes):
        if python[t] == CODE and code == _NEWLINE:
            if depth == 0 and not continued:
                has_begun, word, indentation, in_header = False, 0, 0, False
            else:
                word = 0 if not in_header else -1
        elif python[t] == COMMENT:
            pass
        elif not has_begun and (code == _SPACE or code == _TAB):
            indentation += 1
        else:
            is_small = 97 <= code <= 122
            if not has_begun:
                has_begun = True
                if 0 <= indentation <= column:
                    column = -1
            if python[t] != CODE:
                word = -1
            elif word >= 0 and is_small:
                word = word << 8 | code if word < LONGEST_PACKED else -1
            elif word == _ASYNC and (code == _SPACE or code == _TAB):
                word = 0
            elif word == _DEF and (code == _SPACE or code == _TAB):
                in_header, depth, word = True, 0, -1  # no bracket is open where a def begins a line
            elif word != 0 or not (code == _SPACE or code == _TAB):
                word = -1
            if python[t] == CODE and code in _OPENING:
                depth += 1
            elif python[t] == CODE and code in _CLOSING:
                depth = max(depth - 1, 0)
            elif python[t] == CODE and code == _COLON and in_header and depth == 0:
                in_header = False
                if column < 0:
                    column = indentation
        if python[t] == CODE:
            continued = code == _BACKSLASH or (continued and code == _RETURN)
        labels[t] = column >= 0
    return labels
