"""Lines for the preprocessor of C."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.lexers.states import CODE, COMMENT, DOC_COMMENT

_NEWLINE, _HASH, _BACKSLASH, _RETURN, _SPACE, _TAB = (ord(char) for char in "\n#\\\r \t")


@compiled()
def directives(codes: NDArray[np.uint32], c: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a line for the preprocessor of C."""
    labels = np.zeros(len(codes), np.bool_)
    inside, line_begins, continued = False, True, False
    for t, code in enumerate(codes):
        if code == _NEWLINE:
            in_block = c[t] == COMMENT or c[t] == DOC_COMMENT
            inside = inside and (continued or in_block)
            line_begins = not in_block
        elif line_begins and code == _HASH and c[t] == CODE:
            inside, line_begins = True, False
        elif code != _SPACE and code != _TAB and code != _RETURN:
            line_begins = False
        continued = code == _BACKSLASH or (continued and code == _RETURN)
        labels[t] = inside
    return labels
