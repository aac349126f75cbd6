"""Bodies of functions that a word announces: `func` in Go, `fn` in Rust."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import NEWLINE, Tokens, word

_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_OPEN, _CURLY_OPEN, _CURLY_CLOSE, _SQUARE_CLOSE, _SEMICOLON, _EQUALS, _BAR, _COMMA = (ord(char) for char in "({}];=|,")
_FUNC, _FN = word("func"), word("fn")
_TYPES = (word("interface"), word("struct"))


@compiled()
def bodies_after_words(codes: NDArray[np.uint32], tokens: Tokens, is_rust: bool) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function or closure with braces.

    Args:
        codes: (n_chars,) code points.
        tokens: Those of the text, with ends of lines.
        is_rust: Whether the language is Rust; otherwise it is Go.
    """
    labels = np.zeros(len(codes), np.bool_)
    depth, begun = 0, 0  # of braces in the body
    n_open, level = 0, -1  # brackets; those where the function has been announced, -1 if none has
    announcer, announced = _FN if is_rust else _FUNC, -2  # the word, and which token it was
    type_depth = 0  # of braces in a type of its header
    last = NEWLINE
    for i, kind in enumerate(tokens.kinds):
        start = tokens.starts[i]
        if depth > 0:
            depth += int(kind == _CURLY_OPEN) - int(kind == _CURLY_CLOSE)
            if depth == 0:
                labels[begun:start] = True
                last, level = kind, -1
            continue
        if type_depth > 0:
            type_depth += int(kind == _CURLY_OPEN) - int(kind == _CURLY_CLOSE)
            last = kind
            continue
        if kind == NEWLINE:
            if not is_rust and n_open == level:
                level = -1
            continue
        if kind == _CURLY_OPEN:
            is_type = not is_rust and last in _TYPES
            is_closure = is_rust and last == _BAR
            if (level == n_open and not is_type) or is_closure:
                depth, begun = 1, start
            elif level >= 0 and is_type:
                type_depth = 1
            else:
                n_open += 1
        elif kind == announcer and (level < 0 or n_open < level):
            is_type = not is_rust and last == _SQUARE_CLOSE and tokens.ends[i - 1] == start
            level, announced = -1 if is_type else n_open, i
        elif kind == _OPEN and is_rust and announced == i - 1:
            level, n_open = -1, n_open + 1  # a type of functions
        elif kind in _OPENING:
            n_open += 1
        elif kind in _CLOSING:
            n_open = max(n_open - 1, 0)
            level = -1 if n_open < level else level
        elif level == n_open and (kind == _SEMICOLON or (not is_rust and (kind == _EQUALS or kind == _COMMA))):
            level = -1
        last = kind
    if depth > 0:
        labels[begun:] = True
    return labels
