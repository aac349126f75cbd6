"""Bodies of functions in C++: of members, constructors and lambdas too."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import Tokens, is_word, word

_NEWLINE = ord("\n")
_OPEN, _CLOSE, _CURLY_OPEN, _CURLY_CLOSE, _SQUARE_CLOSE = (ord(char) for char in "(){}]")
_SEMICOLON, _COLON, _COMMA, _EQUALS, _LESS, _GREATER, _MINUS, _SLASH = (ord(char) for char in ";:,=<>-/")
_COMPARING = tuple(ord(char) for char in "=!<>")  # before or after an =, these make another operator of it
_TEMPLATE, _OPERATOR = word("template"), word("operator")
_TYPES = tuple(word(name) for name in ("class", "struct", "union", "enum", "namespace", "concept"))


@compiled()
def cpp_bodies(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function."""
    labels = np.zeros(len(codes), np.bool_)
    depth, begun = 0, 0  # of braces in the body, 0 outside
    n_open, n_angles, n_member = 0, 0, 0  # parentheses; angles after `template`; braces after a member's name
    has_parentheses, has_equals, is_type, is_empty = False, False, False, True  # the statement so far
    is_operator, in_members, is_lambda = False, False, False  # names an operator; lists members with their values
    lambda_level = -1  # of the parentheses with a lambda's parameters
    ended_by = 0  # the last statement, by this
    last, colon = 0, -2  # the token before; where a colon stands that is not the first of two
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        if kind == _NEWLINE:
            continue
        if colon >= 0:
            if not (kind == _COLON and start == colon + 1) and n_open == 0:
                in_members = in_members or (has_parentheses and not has_equals)
                if not has_parentheses and not is_type:  # of public: and the like
                    is_empty, has_equals = True, False
            colon = -2
        if depth > 0:
            depth += int(kind == _CURLY_OPEN) - int(kind == _CURLY_CLOSE)
            at_margin = kind == _CURLY_CLOSE and (start == 0 or codes[start - 1] == _NEWLINE)
            if depth == 0 or at_margin:
                labels[begun:start] = True
                depth, is_lambda, ended_by = 0, False, kind
                if n_open == 0 and not has_equals:
                    has_parentheses, is_type, is_empty, in_members = False, False, True, False
        elif n_angles > 0:
            opens, closes = kind == _LESS or kind == _OPEN, kind == _GREATER or kind == _CLOSE
            n_angles += int(opens) - int(closes and last != _MINUS)
            if kind == _SEMICOLON or kind == _CURLY_OPEN:
                n_angles = 0
        elif n_member > 0:
            n_member += int(kind == _CURLY_OPEN) - int(kind == _CURLY_CLOSE)
        elif kind == _LESS and last == _TEMPLATE:
            n_angles = 1
        elif kind == _CURLY_OPEN:
            is_k_and_r = is_empty and ended_by == _SEMICOLON
            is_member = in_members and n_open == 0 and (is_word(last) or last == _GREATER)
            is_function = has_parentheses and not has_equals and n_open == 0 and (last == _CLOSE or not is_type)
            is_lambda = is_lambda or (last == _SQUARE_CLOSE and (has_equals or n_open > 0))
            if is_member:
                n_member = 1
            elif is_lambda or is_function or is_k_and_r:
                depth, begun = 1, start
            else:
                n_open, has_parentheses, has_equals, is_type, is_empty = 0, False, False, False, True
                ended_by, in_members = kind, False
        elif kind == _SEMICOLON or kind == _CURLY_CLOSE:
            n_open, has_parentheses, has_equals, is_type, is_empty = 0, False, False, False, True
            ended_by, in_members, is_lambda, lambda_level = kind, False, False, -1
        else:
            is_empty = False
            if kind == _OPEN:
                lambda_level = n_open if last == _SQUARE_CLOSE else lambda_level
                n_open, is_operator = n_open + 1, False
            elif kind == _CLOSE:
                n_open, has_parentheses = max(n_open - 1, 0), True
                is_lambda = n_open == lambda_level
                lambda_level = -1 if is_lambda else lambda_level
            elif kind == _COMMA:
                is_lambda = False
            elif kind == _EQUALS and n_open == 0 and not is_operator:
                compares = last in _COMPARING and tokens.ends[i - 1] == start
                has_equals = has_equals or not (compares or (end < len(codes) and codes[end] == _EQUALS))
            elif kind == _COLON:
                colon = start if not (last == _COLON and tokens.ends[i - 1] == start) else -2
            elif kind == _OPERATOR:
                is_operator = True
            elif kind in _TYPES:
                is_type = True
        last = kind
    if depth > 0:
        labels[begun:] = True
    return labels
