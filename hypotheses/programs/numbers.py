"""Numbers of a program, without looking ahead."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.characters import DIGIT, WORD

_APOSTROPHE, _DOLLAR, _BACKSLASH = (ord(char) for char in "'$\\")
_SHELL_NUMBER_FOLLOWS = tuple(ord(char) for char in " \t\r\n;&|()<>=[!+*")


@njit(cache=True)
def number_literals(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], is_code: NDArray[np.bool_], is_shell: bool
) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a number: in letters and digits of which a digit is the first.

    Args:
        codes: (n_chars,) code points.
        kinds: (n_chars,) their `traits`.
        is_code: (n_chars,) whether a character is code.
        is_shell: Whether only digits at the beginning of a word are a number, as in shell scripts.
    """
    labels = np.zeros(len(codes), np.bool_)
    inside = False
    for t in range(len(codes)):
        if not is_code[t] or not kinds[t] & WORD:
            inside = False
        elif is_shell:
            follows = inside if t > 0 and kinds[t - 1] & WORD else t == 0 or codes[t - 1] in _SHELL_NUMBER_FOLLOWS
            inside = kinds[t] & DIGIT != 0 and follows
        elif not inside and kinds[t] & DIGIT and codes[t] < 128:
            before = codes[t - 1] if t > 0 else np.uint32(0)
            if before == _APOSTROPHE:
                inside = t > 1 and labels[t - 2]  # it may be between digits
            else:
                is_part = (
                    t > 0 and is_code[t - 1] and (kinds[t - 1] & WORD or before == _DOLLAR or before == _BACKSLASH)
                )
                inside = not is_part
        labels[t] = inside
    return labels
