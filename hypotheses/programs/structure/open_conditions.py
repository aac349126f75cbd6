"""Conditions without parentheses, as in Go and Rust: from `if` to the brace that opens what depends on it."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import Tokens, word

_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_CURLY_OPEN, _SEMICOLON, _EQUALS, _GREATER = (ord(char) for char in "{;=>")
_COMPARING = tuple(ord(char) for char in "=!<>")  # before or after an =, these make another operator of it
_IF, _LET = word("if"), word("let")
_BEFORE_BLOCKS_IN_RUST = tuple(word(name) for name in ("match", "unsafe", "loop", "async"))
_BEFORE_BLOCKS_IN_GO = tuple(word(name) for name in ("func", "interface", "struct"))


@compiled()
def open_conditions(codes: NDArray[np.uint32], tokens: Tokens, is_rust: bool) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the condition of an `if`, or in Rust in the guard of a `match`.

    Args:
        codes: (n_chars,) code points.
        tokens: Those of the text, without ends of lines.
        is_rust: Whether `let` begins a pattern, which may contain braces, and `=>` ends a condition.
    """
    labels = np.zeros(len(codes), np.bool_)
    begun = -1  # where the condition began
    depth = 0  # of brackets in it
    in_pattern, block_next = False, False
    last = 0
    for i, kind in enumerate(tokens.kinds):
        if kind == 10:
            continue
        start, end = tokens.starts[i], tokens.ends[i]
        if begun < 0:
            if kind == _IF and last != 46:  # a point
                begun, depth, in_pattern, block_next = end, 0, False, False
        elif depth > 0:
            depth += int(kind in _OPENING) - int(kind in _CLOSING)
        elif kind == _CURLY_OPEN and (in_pattern or block_next):
            depth, block_next = 1, False
        elif kind == _CURLY_OPEN or kind in _CLOSING or (is_rust and kind == _SEMICOLON):
            labels[begun:start] = True
            begun = -1
        elif kind in _OPENING:
            depth = 1
        elif kind == _GREATER and is_rust and last == _EQUALS and tokens.starts[i - 1] == start - 1:
            labels[begun:start] = True
            begun = -1
        elif kind == _EQUALS and in_pattern:
            follows = end < len(codes) and codes[end] in _COMPARING
            in_pattern = follows or (last in _COMPARING and tokens.ends[i - 1] == start)
        elif kind == _LET and is_rust:
            in_pattern = True
        elif kind in _BEFORE_BLOCKS_IN_RUST if is_rust else kind in _BEFORE_BLOCKS_IN_GO:
            block_next = True
        last = kind
    if begun >= 0:
        labels[begun:] = True
    return labels
