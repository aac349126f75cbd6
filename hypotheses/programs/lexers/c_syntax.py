"""Tells code, comments and strings apart in C, and in languages like C, without looking ahead."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.lexers.states import CODE, COMMENT, DOC_COMMENT, STRING

_NEWLINE, _RETURN, _BACKSLASH, _SLASH, _STAR, _QUOTE, _APOSTROPHE, _BANG = (ord(char) for char in "\n\r\\/*\"'!")


@compiled()
def read_c(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return (n_chars,) what each character is, once read: `CODE`, `COMMENT` or `STRING`."""
    states = np.zeros(len(codes), np.uint8)
    state = CODE
    quote = 0
    opened = -2  # where the comment began, or where a slash stands that may begin one
    to_line_end, escaped = False, False
    for t, code in enumerate(codes):
        if state == CODE:
            if (code == _SLASH or code == _STAR) and opened == t - 1:
                state = COMMENT
                to_line_end = code == _SLASH
                escaped = False
            elif code == _SLASH:
                opened = t
            elif code == _QUOTE or code == _APOSTROPHE:
                state = STRING
                quote = code
                escaped = False
        elif state == COMMENT and not to_line_end:
            if code == _SLASH and codes[t - 1] == _STAR and t > opened + 2:
                state = CODE
        elif escaped:
            escaped = code == _RETURN
        elif code == _BACKSLASH:
            escaped = True
        elif code == _NEWLINE or (state == STRING and code == quote):
            state = CODE
        states[t] = state
    return states


@compiled()
def mark_doc_comments(codes: NDArray[np.uint32], states: NDArray[np.uint8]) -> None:
    """Turn the comments that begin with `///`, `//!`, `/**` or `/*!`, and no further such sign, into `DOC_COMMENT`.

    The third sign is taken for one of a doc comment until the fourth is known.
    """
    for t in range(1, len(codes) - 1):
        sign = codes[t + 1]
        begins = states[t] == COMMENT and states[t - 1] == CODE and states[t + 1] == COMMENT
        if begins and (sign == codes[t] or sign == _BANG):
            states[t + 1] = DOC_COMMENT
            is_ruler = t + 2 < len(codes) and codes[t + 2] == sign and sign != _BANG
            k = t + 2
            while not is_ruler and k < len(codes) and states[k] == COMMENT:
                states[k] = DOC_COMMENT
                k += 1
