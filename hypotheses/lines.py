"""Where in the line: hypotheses of lines and their ends."""

import numpy as np

from hypotheses.labels import Labels
from hypotheses.registry import hypothesis
from hypotheses.text import code_points


@hypothesis(source="Karpathy, Johnson & Li 2015, arXiv:1506.02078")
def position_in_line(text: str) -> Labels:
    r"""How many characters have been read since the last newline?

    0 at the newline itself, 1 at the first character of a line, also of the first line of the text. A newline
    is "\n"; a carriage return counts like any other character.

    >>> position_in_line("ab\n\nc").values.astype(int).tolist()
    [1, 2, 0, 0, 1]
    """
    places = np.arange(len(text))
    newlines = np.where(code_points(text) == ord("\n"), places, -1)
    return Labels((places - np.maximum.accumulate(newlines)).astype(np.float64), "numeric")
