"""Inside quotation marks."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.labels import Labels
from hypotheses.registry import hypothesis
from hypotheses.text import code_points

_QUOTE, _NEWLINE = ord('"'), ord("\n")
_BLANKS = (ord(" "), ord("\t"), ord("\r"))


@hypothesis(source="Karpathy, Johnson & Li 2015, arXiv:1506.02078")
def in_quotes(text: str) -> Labels:
    r"""Is the text, as read so far, inside double quotes?

    The opening mark is True and the closing mark False: a label says what is true once its character has been
    read. A quotation that is left open ends with its paragraph, at the newline that ends a blank line (one of
    spaces and tabs is blank, too). Three marks in a row, as Python has them, open a quotation that goes on over
    blank lines up to the next three. Every other `"` opens or closes; a backslash before it changes nothing.

    >>> in_quotes('a "b" c').values.astype(int).tolist()
    [0, 0, 1, 1, 0, 0, 0]
    >>> in_quotes('"a\n\nb').values.astype(int).tolist()
    [1, 1, 1, 0, 0]
    >>> in_quotes('"' * 3 + " a " + '"' * 3 + " b").values.astype(int).tolist()
    [1, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    """
    return Labels(_inside(code_points(text)), "binary")


@njit(cache=True)
def _inside(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    labels = np.zeros(len(codes), np.bool_)
    inside, is_long = False, False
    opened, emptied = -2, -2  # where a quotation was last opened, and where it was closed at once
    n_quotes = 0  # in a row, at the end of a long quotation
    line_is_blank = False  # a text that begins with a newline has no paragraph to end
    for t, code in enumerate(codes):
        if is_long:
            n_quotes = n_quotes + 1 if code == _QUOTE else 0
            if n_quotes == 3:
                inside = is_long = False
        elif code == _QUOTE:
            if inside and opened == t - 1:
                emptied = t
            is_long = not inside and emptied == t - 1
            inside = not inside
            opened = t
            n_quotes = 0
        elif code == _NEWLINE:
            inside = inside and not line_is_blank
        line_is_blank = code == _NEWLINE or (line_is_blank and code in _BLANKS)
        labels[t] = inside
    return labels
