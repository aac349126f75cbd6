"""Conditions of `IF` and `CASE WHEN`, and bodies of functions, in SQL and its procedural languages."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import CLOSER, NEWLINE, Tokens, is_word, word

_SEMICOLON, _DOLLAR = ord(";"), ord("$")
_CASE, _WHEN, _THEN, _END, _IF, _ELSIF, _ELSEIF, _CREATE, _BEGIN, _ATOMIC, _LOOP = (
    word(name) for name in ("case", "when", "then", "end", "if", "elsif", "elseif", "create", "begin", "atomic", "loop")
)
_BEFORE_STATEMENTS = tuple(word(name) for name in ("begin", "then", "else", "loop", "do", "atomic"))
_ROUTINES = tuple(word(name) for name in ("function", "procedure", "trigger"))
_CLOSED_BY_END = tuple(word(name) for name in ("begin", "case", "if", "loop", "while", "repeat"))
_DEEPEST = 64
_SEARCHED, _OPEN = 1, 2


@compiled()
def sql_conditions(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is between `IF`, or the `WHEN` of a `CASE`, and the end of `THEN`.

    The `WHEN` of a `CASE` that compares one value with others has no condition. An `IF` begins a statement.
    """
    labels = np.zeros(len(codes), np.bool_)
    levels = np.zeros(_DEEPEST, np.uint8)  # bits of each CASE that is open; the first is for IF statements
    level, n_open, n_labelled = 0, 0, 0
    last = _SEMICOLON
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        if kind == NEWLINE:
            continue
        labels[n_labelled:start] = n_open > 0
        n_labelled = max(n_labelled, start)
        if kind == CLOSER:
            if levels[level] & _OPEN and codes[start] & ~32 == 78:  # the n of then
                labels[start] = n_open > 1
                n_labelled = end
            continue
        begins = last == _SEMICOLON or last == _DOLLAR or last in _BEFORE_STATEMENTS
        if (kind == _IF and begins) or kind == _ELSIF or kind == _ELSEIF or (kind == _WHEN and level > 0):
            searches = kind != _WHEN or last == _CASE or levels[level] & _SEARCHED
            if searches and not levels[level] & _OPEN:
                labels[n_labelled:end] = n_open > 0
                levels[level] |= _OPEN | _SEARCHED
                n_open, n_labelled = n_open + 1, end
        elif kind == _THEN and levels[level] & _OPEN:
            levels[level] &= _SEARCHED
            n_open -= 1
        elif kind == _CASE and last != _END and level + 1 < _DEEPEST:
            level += 1
            levels[level] = 0
        elif (kind == _END and level > 0) or (kind == _SEMICOLON and n_open > 0):
            is_end = kind == _END
            while n_open > 0 and not is_end:  # a condition contains no semicolon: it was none
                n_open -= levels[level] & _OPEN != 0
                levels[level] &= _SEARCHED
                level = max(level - 1, 0)
            n_open -= is_end and levels[level] & _OPEN != 0
            level -= is_end
        last = kind
    labels[n_labelled:] = n_open > 0
    return labels


@compiled()
def sql_bodies(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function, procedure or trigger.

    That is between dollar signs, or between `BEGIN` and the `END` that closes it.
    """
    labels = np.zeros(len(codes), np.bool_)
    in_create, in_header = False, False  # after CREATE; after CREATE FUNCTION
    quoted, n_ends, begun = False, 0, 0  # in dollar signs; how many ENDs the body waits for; where it began
    tag, tag_start = 0, -1  # the tag of the quotes; where a dollar sign stands that may begin quotes
    last = _SEMICOLON
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        if kind == NEWLINE:
            tag_start = -1
            continue
        if kind == CLOSER:
            if n_ends == 1 and codes[start] & ~32 == 68:  # the d of end
                labels[begun:start] = True
                begun = end
            continue
        if kind == _DOLLAR and tag_start >= 0 and tokens.ends[i - 1] == start:
            read = last if is_word(last) else 0
            if quoted and read == tag:
                labels[begun:start] = True
                quoted, in_header = False, False
            elif in_header and not quoted and n_ends == 0:
                quoted, tag, begun = True, read, start
            tag_start = -1
        elif kind == _DOLLAR:
            tag_start = start
        elif not (is_word(kind) and tag_start >= 0 and start == tag_start + 1):
            tag_start = -1
        if not quoted:
            if n_ends > 0:
                if kind == _END:
                    n_ends -= 1
                    if n_ends == 0 and begun < end:
                        labels[begun : end - 1] = True
                    in_header = n_ends > 0
                elif kind in _CLOSED_BY_END and last != _END:
                    begins = last == _SEMICOLON or last in _BEFORE_STATEMENTS
                    n_ends += begins or kind == _CASE
            elif kind == _BEGIN and in_header:
                n_ends, begun = 1, end
            elif kind == _SEMICOLON:
                in_create = in_header = False
            elif kind == _CREATE:
                in_create = True
            elif kind in _ROUTINES:
                in_header = in_create
        last = kind
    if quoted or n_ends > 0:
        labels[begun:] = True
    return labels
