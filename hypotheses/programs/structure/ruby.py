"""Conditions of `if` and bodies of methods in Ruby."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import CLOSER, NEWLINE, VALUE, Tokens, is_word, word

_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_POINT, _COLON, _SEMICOLON, _EQUALS, _SPACE, _BACKSLASH, _LAST_OF_THEN, _LAST_OF_END = (
    ord(char) for char in ".:;= \\nd"
)
_SIGILS = tuple(ord(char) for char in "@$")
_SUFFIXES = tuple(ord(char) for char in "?!")
_IFS = (word("if"), word("unless"), word("elsif"))
_THEN, _END, _DEF, _DO = (word(name) for name in ("then", "end", "def", "do"))
_LOOPS = (word("while"), word("until"), word("for"))
_BLOCKS = tuple(word(name) for name in ("class", "module", "def", "begin", "case"))
_MODIFIERS = tuple(word(name) for name in ("if", "unless", "while", "until"))
_BEFORE_OPERANDS = tuple(
    word(name)
    for name in (
        "if", "unless", "elsif", "else", "then", "do", "while", "until", "when", "in", "and", "or", "not", "begin",
        "ensure", "rescue", "case",
    )
)  # fmt: skip
_CONTINUING = tuple(word(name) for name in ("and", "or", "not"))
_OPERATORS = tuple(ord(char) for char in "&|,+-*/=<>^~:.")


@compiled()
def _is_plain(codes: NDArray[np.uint32], start: int, end: int) -> bool:
    """Return whether a word is no method after a point, no symbol, no variable with a sigil, and no key of a hash."""
    if start > 0:
        previous = codes[start - 1]
        if previous == _POINT and not (start > 1 and codes[start - 2] == _POINT):
            return False
        if previous in _SIGILS or (previous == _COLON and not (start > 1 and codes[start - 2] == _COLON)):
            return False
    if end < len(codes) and codes[end] == _COLON:
        return end + 1 < len(codes) and codes[end + 1] == _COLON
    return not (end < len(codes) and codes[end] in _SUFFIXES)


@compiled()
def _is_value(codes: NDArray[np.uint32], kind: int, start: int, end: int, was_value: bool) -> bool:
    """Return whether what has been read ends with an operand, so that an `if` that follows is a modifier."""
    if is_word(kind):
        return not (kind in _BEFORE_OPERANDS and _is_plain(codes, start, end))
    if kind in _SUFFIXES:  # a part of a method's name
        return was_value and start > 0 and codes[start - 1] > _SPACE
    return kind == VALUE or kind in _CLOSING


@compiled()
def ruby_conditions(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the condition of an `if`, `unless` or `elsif`, or of a modifier."""
    labels = np.zeros(len(codes), np.bool_)
    is_open, n_labelled = False, 0
    depth = 0  # of brackets in the condition
    last = NEWLINE
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        labels[n_labelled:start] = is_open
        n_labelled = max(n_labelled, start)
        if kind == CLOSER:
            if codes[start] == _LAST_OF_THEN and is_open and depth == 0:
                labels[start] = False
                n_labelled = end
            continue
        if kind in _IFS and _is_plain(codes, start, end) and not (is_open and depth > 0):
            labels[n_labelled:end] = is_open
            is_open, depth, n_labelled = True, 0, end
        elif not is_open:
            pass
        elif kind in _OPENING:
            depth += 1
        elif kind in _CLOSING:
            depth -= 1
            is_open = depth >= 0
        elif depth == 0 and (kind == _THEN or kind == _SEMICOLON):
            is_open = False
        elif depth == 0 and kind == NEWLINE:
            is_open = last in _OPERATORS or last == _BACKSLASH or last in _CONTINUING or last in _IFS
        if kind != NEWLINE or not is_open:  # lines with nothing but a comment may come before the condition goes on
            last = kind
    labels[n_labelled:] = is_open
    return labels


@compiled()
def ruby_bodies(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a method."""
    labels = np.zeros(len(codes), np.bool_)
    n_ends, begun = 0, 0  # how many `end`s the body waits for; where it began
    header = 0  # 1 after `def`, 2 after the name, 3 after parameters in parentheses
    depth = 0  # of brackets in the header, or of an endless method
    is_endless, in_loop = False, False  # `do` belongs to a loop in this line
    was_value, last = False, NEWLINE
    line, column, is_first = 0, 0, True  # where the line begins; the column of the def; nothing but blanks before
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        if kind == CLOSER:
            closes = n_ends == 1 or (n_ends > 1 and is_first and start - 2 - line <= column)
            if closes and codes[start] == _LAST_OF_END and _is_plain(codes, start - 2, len(codes)):
                labels[begun:start] = True
                begun = end
            continue
        is_keyword = is_word(kind) and _is_plain(codes, start, end)
        if header > 0:
            is_name = header == 1 and kind != NEWLINE
            if kind in _OPENING or kind in _CLOSING:
                depth += int(kind in _OPENING) - int(kind in _CLOSING)
                header = 3 if depth == 0 else 2
            elif depth > 0:
                pass
            elif is_name:
                header = 2
            elif kind == _EQUALS and (header == 3 or codes[start - 1] == _SPACE) and last != _POINT:
                header, is_endless, begun, depth = 0, True, start, 0
            elif kind == NEWLINE or kind == _SEMICOLON or (header == 3 and is_word(kind)):
                header, n_ends, begun, depth, in_loop = 0, 1, start, 0, False
        elif is_endless:
            depth += int(kind in _OPENING) - int(kind in _CLOSING)
            if kind == NEWLINE and depth <= 0 and last not in _OPERATORS:
                labels[begun:start] = True
                is_endless = False
        elif n_ends == 0:
            if kind == _DEF and is_keyword:
                header, depth, column = 1, 0, start - line if is_first else -1
        elif is_keyword:
            if kind == _END:
                n_ends = 0 if is_first and start - line <= column else n_ends - 1
                if n_ends == 0 and begun < end:
                    labels[begun : end - 1] = True
            elif kind in _BLOCKS or (kind in _MODIFIERS and not was_value) or (kind == _DO and not in_loop):
                n_ends += 1
            in_loop = (in_loop or (kind in _LOOPS and not was_value)) and kind != _DO
            n_ends += kind == _LOOPS[2] and not was_value
        if kind == NEWLINE:
            was_value = was_value and last == _BACKSLASH
            line, is_first, in_loop = end, True, False
        else:
            was_value, is_first = _is_value(codes, kind, start, end, was_value), False
        last = kind
    if n_ends > 0 or is_endless:
        labels[begun:] = True
    return labels
