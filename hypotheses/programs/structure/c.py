"""Conditions of `if` and bodies of functions in C."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import LONGEST_PACKED, pack
from hypotheses.kernels import compiled
from hypotheses.programs.lexers.states import CODE

_NEWLINE, _HASH, _SLASH, _RETURN, _SEMICOLON, _EQUALS, _SPACE, _TAB = (ord(char) for char in "\n#/\r;= \t")
_ROUND_OPEN, _ROUND_CLOSE, _CURLY_OPEN, _CURLY_CLOSE = (ord(char) for char in "(){}")
_IF = pack("if")
_TYPES = tuple(pack(word) for word in ("struct", "union", "enum", "class"))


@compiled()
def c_conditions(codes: NDArray[np.uint32], c: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the condition of an `if` of C."""
    labels = np.zeros(len(codes), np.bool_)
    word = 0  # the word just read, packed; -1 if it is too long, or more than a word
    condition_next = False  # an opening parenthesis begins a condition
    n_braces = 0  # open within the condition
    last, is_directive = np.uint32(0), False  # the last character that is not blank; the word follows a #
    depth = 0  # of parentheses in the condition; 0 outside
    for t, code in enumerate(codes):
        if c[t] == CODE:
            is_small = 97 <= code <= 122
            is_word = is_small or 65 <= code <= 90 or 48 <= code <= 57 or code == 95 or code > 127
            if depth > 0:
                if code == _ROUND_OPEN:
                    depth += 1
                elif code == _ROUND_CLOSE:
                    depth -= 1
                elif code == _CURLY_OPEN:
                    n_braces += 1
                elif n_braces > 0:
                    n_braces -= code == _CURLY_CLOSE
                elif code == _CURLY_CLOSE or code == _SEMICOLON:
                    depth = 0
            elif code == _ROUND_OPEN and (condition_next or (word == _IF and not is_directive)):
                depth, n_braces, condition_next = 1, 0, False
            elif is_word:
                if word == 0:
                    is_directive = last == _HASH
                last = code
                word = word << 8 | code if is_small and 0 <= word < LONGEST_PACKED else -1
                condition_next = False
            else:
                is_blank = code == _SPACE or code == _TAB or code == _NEWLINE or code == _RETURN or code == _SLASH
                condition_next = is_blank and (condition_next or (word == _IF and not is_directive))
                last = last if is_blank else code
            if not is_word:
                word = 0
        labels[t] = depth > 0
    return labels


@compiled()
def c_bodies(codes: NDArray[np.uint32], c: NDArray[np.uint8], directives: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function of C."""
    labels = np.zeros(len(codes), np.bool_)
    depth = 0  # of braces in the body; 0 outside
    has_parentheses, has_equals = False, False  # in the statement so far
    is_type = False  # the statement begins with struct or the like
    n_open = 0  # parentheses
    word, is_first = 0, True  # the first word of the statement, packed; no other word has been read
    last = np.uint32(0)  # the last character that is not blank
    for t, code in enumerate(codes):
        if c[t] == CODE and not directives[t]:
            if depth > 0:
                if code == _CURLY_OPEN:
                    depth += 1
                elif code == _CURLY_CLOSE:
                    at_margin = t == 0 or codes[t - 1] == _NEWLINE
                    depth = 0 if at_margin else depth - 1
            elif code == _CURLY_OPEN:
                is_function = has_parentheses and not has_equals and n_open == 0
                is_function = is_function and (last == _ROUND_CLOSE or not is_type)
                depth = int(is_function or last == _SEMICOLON)  # after a semicolon, types of arguments stand before it
            is_small = 97 <= code <= 122
            if is_first and is_small:
                word = word << 8 | code if word < LONGEST_PACKED else word
            elif is_first and word > 0:
                is_type, is_first = word in _TYPES, False
            n_open = max(n_open + (code == _ROUND_OPEN) - (code == _ROUND_CLOSE), 0)
            has_parentheses = has_parentheses or code == _ROUND_CLOSE
            has_equals = has_equals or (code == _EQUALS and n_open == 0)
            if code == _SEMICOLON or code == _CURLY_OPEN or code == _CURLY_CLOSE:
                has_parentheses = has_equals = is_type = False
                n_open, word, is_first = 0, 0, True
            if not (code == _SPACE or code == _TAB or code == _NEWLINE or code == _RETURN or code == _SLASH):
                last = code
        labels[t] = depth > 0
    return labels
