"""Conditions between parentheses, as in C++, Java, JavaScript and TypeScript."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.structure.tokens import Tokens, word

_OPEN, _CLOSE, _CURLY_OPEN, _CURLY_CLOSE, _POINT, _HASH, _SEMICOLON = (ord(char) for char in "(){}.#;")
_IF, _CONSTEXPR = word("if"), word("constexpr")


@compiled()
def parenthesised_conditions(n_chars: int, tokens: Tokens, allows_statements: bool) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the condition of an `if`.

    Args:
        n_chars: Length of the text.
        tokens: Those of the text, without ends of lines.
        allows_statements: Whether a condition may contain a `;`, and `constexpr` precede it, as in C++. Otherwise, a
            `;` ends it: it is unclosed.
    """
    labels = np.zeros(n_chars, np.bool_)
    n_open, n_braces, begun = 0, 0, 0
    before, last = 0, 0  # the tokens before this one
    for i, kind in enumerate(tokens.kinds):
        if kind == 10:
            continue
        start = tokens.starts[i]
        if n_open == 0:
            if kind == _OPEN and (last == _IF or (allows_statements and last == _CONSTEXPR and before == _IF)):
                n_open, n_braces, begun = 1, 0, start
        elif kind == _CURLY_OPEN:
            n_braces += 1
        elif n_braces > 0:
            n_braces -= kind == _CURLY_CLOSE
        else:
            n_open += int(kind == _OPEN) - int(kind == _CLOSE)
            if kind == _CURLY_CLOSE or (kind == _SEMICOLON and not allows_statements):
                n_open = 0
            if n_open == 0:
                labels[begun:start] = True
        if not (kind == _IF and (last == _POINT or last == _HASH)):
            before, last = last, kind
        else:
            before, last = last, 0
    if n_open > 0:
        labels[begun:] = True
    return labels
