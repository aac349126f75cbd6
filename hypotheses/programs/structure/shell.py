"""Conditions of `if` and bodies of functions in shells."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import CLOSER, NEWLINE, Tokens, is_word, word

_OPEN, _CLOSE = ord("("), ord(")")
_SEPARATORS = tuple(ord(char) for char in ";&|()")
_IF, _ELIF, _THEN, _CURLY_OPEN, _CURLY_CLOSE, _FUNCTION = (
    word(name) for name in ("if", "elif", "then", "{", "}", "function")
)
_BEFORE_COMMANDS = tuple(
    word(name)
    for name in (
        "if",
        "elif",
        "then",
        "else",
        "do",
        "while",
        "until",
        "time",
        "!",
        "{",
        "}",
        "fi",
        "done",
        "esac",
        "in",
    )
)
_BRACE, _LAST_BRACE, _LAST_OF_THEN = (ord(char) for char in "{}n")


@compiled()
def _commands_next(kind: int, is_command: bool) -> bool:
    """Return whether a command may follow a token."""
    if kind == NEWLINE or kind in _SEPARATORS:
        return True
    return is_command and kind in _BEFORE_COMMANDS


@compiled()
def shell_conditions(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is between `if` or `elif` and the last letter of its `then`."""
    labels = np.zeros(len(codes), np.bool_)
    n_open, n_labelled = 0, 0  # conditions within each other; characters
    is_command = True  # the token is where a command may begin
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        labels[n_labelled:start] = n_open > 0
        n_labelled = max(n_labelled, start)
        if kind == CLOSER:
            if is_command and codes[start] == _LAST_OF_THEN:
                labels[start] = n_open > 1
                n_labelled = end
            continue
        if is_command and (kind == _IF or kind == _ELIF):
            labels[n_labelled:end] = n_open > 0
            n_open, n_labelled = n_open + 1, end
        elif is_command and kind == _THEN:
            n_open = max(n_open - 1, 0)
        is_command = _commands_next(kind, is_command)
    labels[n_labelled:] = n_open > 0
    return labels


@compiled()
def shell_bodies(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function."""
    labels = np.zeros(len(codes), np.bool_)
    depth, begun = 0, 0  # of the braces or parentheses of the body
    in_parentheses = False  # the body is a subshell
    is_command, was_command = True, False  # a command may begin here; the word before was one
    body_next = 0  # 1 after `function`, 2 after the name
    last, before = NEWLINE, NEWLINE
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        if kind == CLOSER:
            is_last = codes[start] == _LAST_BRACE and depth == 1 and is_command and not in_parentheses
            if is_last:
                labels[begun:start] = True
                begun = end
            continue
        if depth > 0:
            if in_parentheses:
                depth += int(kind == _OPEN) - int(kind == _CLOSE)
            elif is_command:
                depth += int(kind == _CURLY_OPEN) - int(kind == _CURLY_CLOSE)
            if depth == 0 and start > begun:
                labels[begun:start] = True
        elif body_next == 2 and (kind == _OPEN or (is_word(kind) and codes[start] == _BRACE)):
            if kind == _OPEN and start + 1 < len(codes) and codes[start + 1] == _CLOSE:
                pass  # function f ()
            else:
                labels[start] = True
                in_parentheses, begun, body_next = kind == _OPEN, start, 0
                depth = int(kind == _OPEN or kind == _CURLY_OPEN)
        elif kind == _FUNCTION and is_command:
            body_next = 1
        elif (kind == _CLOSE and last == _OPEN and was_command and is_word(before)) or (
            body_next == 1 and is_word(kind)
        ):
            body_next = 2
        elif kind != NEWLINE and not (body_next == 2 and (kind == _OPEN or (kind == _CLOSE and last == _OPEN))):
            body_next = 0
        if kind != _OPEN and kind != _CLOSE:
            was_command = is_command and is_word(kind)
        before, last = last, kind
        is_command = _commands_next(kind, is_command)
    if depth > 0:
        labels[begun:] = True
    return labels
