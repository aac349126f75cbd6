"""Bodies of methods, constructors and lambdas in Java."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import Tokens, is_word, word

_NEWLINE = ord("\n")
_OPEN, _CLOSE, _CURLY_OPEN, _CURLY_CLOSE = (ord(char) for char in "(){}")
_SEMICOLON, _COMMA, _EQUALS, _GREATER, _MINUS, _POINT = (ord(char) for char in ";,=>-.")
_CLASSES = tuple(word(name) for name in ("class", "interface", "enum"))
_ENUM, _RECORD, _STATIC, _DEFAULT = (word(name) for name in ("enum", "record", "static", "default"))


@compiled()
def java_bodies(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a method, a constructor or a lambda."""
    labels = np.zeros(len(codes), np.bool_)
    in_constants = np.zeros(len(tokens.kinds) + 2, np.bool_)  # by level of braces: among the constants of an enum
    level = 0
    depth, begun, is_function = 0, 0, False  # of braces in a body or an initialiser; whether it is a function's
    n_open, has_parentheses, has_equals, is_empty = 0, False, False, True  # the statement so far
    declared = 0  # the word `class` or the like in it
    last, before = 0, 0
    for i, kind in enumerate(tokens.kinds):
        start = tokens.starts[i]
        if kind == _NEWLINE:
            continue
        if depth > 0:
            depth += int(kind == _CURLY_OPEN) - int(kind == _CURLY_CLOSE)
            if depth == 0:
                labels[begun:start] = is_function
                if n_open == 0 and not has_equals:
                    has_parentheses, is_empty, declared = False, True, 0
        elif kind == _CURLY_OPEN:
            is_lambda = last == _GREATER and before == _MINUS
            is_method = has_parentheses and not has_equals and n_open == 0 and not in_constants[level]
            is_initialiser = (last == _STATIC or is_empty) and not has_equals
            if is_lambda or (declared == 0 and last != _DEFAULT and (is_method or is_initialiser)):
                depth, begun, is_function = 1, start, is_lambda or is_method
            else:
                level += 1
                in_constants[level] = declared == _ENUM
                n_open, has_parentheses, has_equals, is_empty, declared = 0, False, False, True, 0
        elif kind == _CURLY_CLOSE or kind == _SEMICOLON:
            if kind == _SEMICOLON:
                in_constants[level] = False
            level = max(level - int(kind == _CURLY_CLOSE), 0)
            n_open, has_parentheses, has_equals, is_empty, declared = 0, False, False, True, 0
        else:
            is_empty = False
            if kind == _OPEN:
                n_open += 1
            elif kind == _CLOSE:
                n_open, has_parentheses = max(n_open - 1, 0), True
            elif kind == _EQUALS and n_open == 0:
                has_equals = True
            elif kind == _COMMA and in_constants[level] and n_open == 0:
                has_parentheses = False
            elif n_open == 0 and kind in _CLASSES and last != _POINT:
                declared = kind
            elif n_open == 0 and last == _RECORD and is_word(kind):
                declared = last
        before, last = last, kind
    if depth > 0:
        labels[begun:] = is_function
    return labels
