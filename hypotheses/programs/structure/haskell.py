"""Conditions of `if` and right-hand sides of equations in Haskell, which go by the layout."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import CLOSER, NEWLINE, Tokens, word

_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_SYMBOLS = tuple(ord(char) for char in "!#$%&*+./<=>?@\\^|-~:")
_EQUALS, _BAR, _COLON, _HASH, _CURLY_OPEN, _DASH, _APOSTROPHE = (ord(char) for char in "=|:#{-'")
_IF, _THEN, _WHERE = word("if"), word("then"), word("where")
_HEADERS = (word("class"), word("instance"))
_NO_EQUATIONS = tuple(
    word(name)
    for name in (
        "module", "import", "data", "type", "newtype", "infix", "infixl", "infixr", "deriving", "foreign", "default",
        "pattern", "class", "instance",
    )
)  # fmt: skip


@compiled()
def haskell_conditions(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is between `if` and the last letter of its `then`."""
    labels = np.zeros(len(codes), np.bool_)
    n_open, n_labelled = 0, 0  # conditions within each other; characters
    last = 0
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        if kind == NEWLINE:
            last = kind
            continue
        labels[n_labelled:start] = n_open > 0
        n_labelled = max(n_labelled, start)
        is_brace = kind == _CURLY_OPEN  # perhaps of a comment
        if start == 0 or (last == NEWLINE and codes[start - 1] == NEWLINE and not is_brace):
            n_open = 0  # a declaration begins: what came before was not a condition
        if kind == CLOSER:
            labels[start] = n_open > 1
            n_labelled = end
            continue
        if kind == _BAR and last == _IF:
            n_open -= 1  # several guards follow
        elif kind == _IF and last != _HASH:
            labels[n_labelled:end] = n_open > 0
            n_open, n_labelled = n_open + 1, end
        elif kind == _THEN:
            n_open = max(n_open - 1, 0)
        last = kind
    labels[n_labelled:] = n_open > 0
    return labels


@compiled()
def haskell_bodies(codes: NDArray[np.uint32], tokens: Tokens) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the right-hand side of an equation.

    Equations are at the margin, or in the column in which the first line of a class or an instance begins. Those
    within others are in the right-hand side of these.
    """
    labels = np.zeros(len(codes), np.bool_)
    column, begun = -1, -1  # of the equation that is being read; where its right-hand side began
    is_equation = False  # it may be one: no :: has been read
    in_header, methods = False, -1  # of a class or an instance; the column of its methods, -2 before the first
    depth, line = 0, 0  # of brackets; where the line begins
    is_directive, last = False, NEWLINE
    brace = -1  # where a brace begins the line, perhaps of a comment
    for i, kind in enumerate(tokens.kinds):
        start, end = tokens.starts[i], tokens.ends[i]
        if kind == NEWLINE:
            depth += int(brace >= 0)
            line, last, is_directive, brace = end, kind, False, -1
            continue
        if kind == CLOSER or is_directive:
            continue
        is_opener = (kind == _CURLY_OPEN and brace < 0) or (kind == _DASH and start == brace + 1)
        if last == NEWLINE and is_opener:
            brace = start if kind == _CURLY_OPEN else brace
            continue
        if last == NEWLINE:
            is_directive = kind == _HASH and start == line
            if is_directive:
                continue
            indentation = (start if brace < 0 else brace) - line
            methods = -1 if indentation == 0 else methods
            if indentation <= column:
                if begun >= 0:
                    labels[begun:start] = True
                column, begun, is_equation = -1, -1, False
        is_first_method = methods == -2
        begins = start if brace < 0 else brace
        methods = begins - line if is_first_method else methods
        if is_first_method or (last == NEWLINE and (begins == line or begins - line == methods)):
            column, depth = begins - line, 0
            is_equation = kind not in _NO_EQUATIONS
            in_header = kind in _HEADERS
        if kind == _WHERE and in_header:
            in_header, methods = False, -2
        in_marks = start > 0 and end < len(codes) and codes[start - 1] == _APOSTROPHE == codes[end]  # '('
        depth += (int(kind in _OPENING) - int(kind in _CLOSING)) * int(not in_marks) + int(brace >= 0)
        brace = -1
        is_first_symbol = start == 0 or codes[start - 1] not in _SYMBOLS
        is_symbol = is_first_symbol and (end == len(codes) or codes[end] not in _SYMBOLS)
        if is_equation and begun < 0 and depth == 0 and (kind == _EQUALS or kind == _BAR) and is_first_symbol:
            labels[start] = True
            begun = start if is_symbol else -1
        elif kind == _COLON and last == _COLON and tokens.ends[i - 1] == start and depth == 0:
            is_equation = is_equation and begun >= 0
        last = kind
    if begun >= 0:
        labels[begun:] = True
    return labels
