"""Bodies of functions, methods and arrow functions in JavaScript and TypeScript."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import NEWLINE, Tokens, word

_OPEN, _CLOSE, _CURLY_OPEN, _CURLY_CLOSE = (ord(char) for char in "(){}")
_SEMICOLON, _COLON, _COMMA, _EQUALS, _GREATER, _POINT = (ord(char) for char in ";:,=>.")
_BEFORE_TYPES = tuple(ord(char) for char in ":|&<(,[?")  # and => : a brace that follows opens a type
_WORDS_BEFORE_TYPES = tuple(word(name) for name in ("is", "extends", "keyof"))
_CONTROL = tuple(word(name) for name in ("if", "for", "while", "switch", "with"))
_CLASS, _AWAIT, _CATCH = word("class"), word("await"), word("catch")


@compiled()
def javascript_bodies(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function; of an arrow function, if it has braces."""
    labels = np.zeros(len(codes), np.bool_)
    is_control = np.zeros(len(tokens.kinds) + 1, np.bool_)  # by level of parentheses: those of an `if` and the like
    level = 0
    depth, begun = 0, 0  # of braces in the body
    n_type_braces, type_level = 0, -1  # braces in the type that a function returns; its level of parentheses, or -1
    in_class = False  # in the first line of a class
    takes_parameters = False  # the parentheses before may be the parameters of a function
    last, before = NEWLINE, NEWLINE
    line_begins, begins_line = True, False  # nothing stands before in this line; nor before the last token
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        if kind == NEWLINE:
            is_incomplete = last in _BEFORE_TYPES or (last == _GREATER and before == _EQUALS)
            type_level = type_level if is_incomplete or n_type_braces > 0 else -1
            line_begins = True
            continue
        if depth > 0:
            depth += int(kind == _CURLY_OPEN) - int(kind == _CURLY_CLOSE)
            if depth == 0:
                labels[begun:start] = True
                takes_parameters = False
        elif n_type_braces > 0:
            n_type_braces += int(kind == _CURLY_OPEN) - int(kind == _CURLY_CLOSE)
        elif kind == _OPEN:
            word_before = before if last == _AWAIT else last
            level += 1
            is_catch = last == _CATCH and before == _CURLY_CLOSE and not begins_line
            is_control[level] = is_catch or (word_before in _CONTROL and before != _POINT)
        elif kind == _CLOSE:
            takes_parameters = not is_control[level]
            level = max(level - 1, 0)
            type_level = -1 if level < type_level else type_level
        elif kind == _CURLY_OPEN:
            is_arrow = last == _GREATER and before == _EQUALS
            is_type = last in _BEFORE_TYPES or last in _WORDS_BEFORE_TYPES or (is_arrow and type_level < level)
            if type_level >= 0 and is_type:
                n_type_braces = 1
            elif is_arrow or (not in_class and (type_level == level or (last == _CLOSE and takes_parameters))):
                depth, begun, type_level = 1, start, -1
            in_class = False
        elif kind == _COLON and last == _CLOSE and takes_parameters:
            type_level = level
        elif kind == _CLASS and last != _POINT:
            in_class = True
        elif kind == _SEMICOLON or (last == _CLASS and (kind == _COLON or kind == _COMMA)):
            in_class, type_level = False, -1
        elif (kind == _EQUALS and not (end < len(codes) and codes[end] == _GREATER)) or kind == _CURLY_CLOSE:
            type_level = -1
        before, last, begins_line, line_begins = last, kind, line_begins, False
    if depth > 0:
        labels[begun:] = True
    return labels
