"""Lines and indentation. A line ends with its line feed; a carriage return is a character like any other."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import code_points
from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.kernels import compiled
from hypotheses.labels import Labels

_NEWLINE, _TAB, _SPACE, _RETURN = (ord(char) for char in "\n\t \r")
_KARPATHY = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"


@hypothesis(
    unit="characters",
    source=_KARPATHY,
    expects="A cell of an LSTM trained on War and Peace starts high at the beginning of each line and falls slowly "
    "until the newline, by which the model knows when a line of about 70 characters has to end.",
    separator="\n",
)
def position_in_line(text: str) -> Labels:
    r"""How many characters have been read since the last newline?

    0 at the newline itself, 1 at the first character of a line, also of the first line of the text.

    >>> print(position_in_line.mark("ab\n\nc"))
    ab↵↵c
    12001
    """
    return Labels(_positions(code_points(text)).astype(np.float64), "numeric")


@hypothesis(unit="of the line", causal=False, source=_KARPATHY, separator="\n")
def fraction_of_line(text: str) -> Labels:
    r"""What share of its line has been read?

    The position in the line over the length of the line, newline left out: above 0, and 1 at the last character
    before the newline. 0 at the newline itself, with which the next line begins.

    >>> fraction_of_line("abcd\n\ne").tolist()
    [0.25, 0.5, 0.75, 1.0, 0.0, 0.0, 1.0]
    """
    codes = code_points(text)
    positions = _positions(codes)
    lengths = np.maximum(positions + _until_newline(codes) - 1, 1)
    return Labels(np.where(codes == _NEWLINE, 0.0, positions / lengths), "numeric")


@hypothesis(
    unit="characters",
    causal=False,
    source=_KARPATHY,
    expects="Where lines are wrapped at a fixed width, a unit that follows the position in the line follows this, too.",
)
def chars_until_newline(text: str) -> Labels:
    r"""How many characters ahead is the newline that ends the line?

    1 at the last character of the line, 0 at the newline itself. Missing in a last line without a newline.

    >>> print(chars_until_newline.mark("abc\n\nd"))
    abc↵↵d
    32100?
    """
    codes = code_points(text)
    ahead = _until_newline(codes)
    last = np.flatnonzero(codes == _NEWLINE)[-1:]
    missing = np.arange(len(codes)) > (last[0] if len(last) else -1)
    return Labels(ahead.astype(np.float64), "numeric", missing)


@hypothesis(unit="characters", causal=False, separator="\n")
def line_length(text: str) -> Labels:
    r"""How long is the line, without its newline?

    The newline belongs to the line that it ends.

    >>> print(line_length.mark("abc\n\nd"))
    abc↵↵d
    333301
    """
    codes = code_points(text)
    positions = _positions(codes)
    positions[1:] += positions[:-1] * (codes[1:] == _NEWLINE)  # at a newline, that of the character before it
    return Labels((positions + np.maximum(_until_newline(codes) - 1, 0)).astype(np.float64), "numeric")


@hypothesis(kind="binary", separator="\n")
def blank_line(text: str) -> Labels:
    r"""Has a blank line just been read?

    True at a newline with nothing but spaces, tabs and carriage returns between it and the newline before, or the
    beginning of the text; False everywhere else.

    >>> print(blank_line.mark("a\n\n \nb"))
    a↵↵ ↵b
    ..x.x.
    """
    codes = code_points(text)
    return Labels((codes == _NEWLINE) & _blank_so_far(codes), "binary")


@hypothesis(kind="binary", source=_KARPATHY, separator="\n")
def in_indentation(text: str) -> Labels:
    r"""Is the character a space or tab with which its line begins?

    >>> print(in_indentation.mark("a\n  b c"))
    a↵  b c
    ..xx...
    """
    codes = code_points(text)
    return Labels(((codes == _SPACE) | (codes == _TAB)) & _blank_so_far(codes), "binary")


@hypothesis(
    unit="blanks",
    source=_KARPATHY,
    expects="In an LSTM trained on the Linux kernel, a cell was found that follows the depth of the code.",
    separator="\n",
)
def indentation(text: str, width: int = 1) -> Labels:
    r"""With how many tabs and spaces has the line begun, as far as it has been read?

    The count grows while they are read, and stays the same to the end of the line; 0 at the newline. `indentation:4`
    counts in steps: a tab is one, and so are four spaces.

    >>> print(indentation.mark("\t\tb\n    c"))
    →→b↵    c
    122012344
    >>> print(indentation.with_parameters(4).mark("\t\tb\n    c"))
    →→b↵    c
    122000011
    """
    return Labels(_indentation(code_points(text), _at_least_one(width)).astype(np.float64), "numeric")


@hypothesis(kind="binary", example="2", source=_KARPATHY, separator="\n")
def indent_at_least(text: str, depth: int, width: int = 1) -> Labels:
    r"""Has the line begun with at least a given number of tabs and spaces?

    `indent_at_least:3` is `indentation >= 3`, and `indent_at_least:2,4` is `indentation:4 >= 2`.

    >>> print(indent_at_least.with_parameters(2).mark("\t\tb\n\tc"))
    →→b↵→c
    .xx...
    """
    return Labels(_indentation(code_points(text), _at_least_one(width)) >= depth, "binary")


def _at_least_one(width: int) -> int:
    if width < 1:
        raise HypothesisError(f"its width must be 1 or more, but is {width}")
    return width


@compiled()
def _positions(codes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return (n_chars,) the number of characters since the last newline."""
    positions = np.zeros(len(codes), np.int64)
    position = 0
    for t, code in enumerate(codes):
        position = 0 if code == _NEWLINE else position + 1
        positions[t] = position
    return positions


@compiled()
def _until_newline(codes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return (n_chars,) how far ahead the next newline is, or the end of the text if there is none; 0 at a newline."""
    ahead = np.zeros(len(codes), np.int64)
    newline = len(codes)
    for t in range(len(codes) - 1, -1, -1):
        if codes[t] == _NEWLINE:
            newline = t
        ahead[t] = newline - t
    return ahead


@compiled()
def _blank_so_far(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether only blanks have been read since the last newline, not counting this character."""
    blank = np.zeros(len(codes), np.bool_)
    so_far = True
    for t, code in enumerate(codes):
        if code == _NEWLINE:
            blank[t] = so_far
            so_far = True
        else:
            so_far = so_far and (code == _SPACE or code == _TAB or code == _RETURN)
            blank[t] = so_far
    return blank


@compiled()
def _indentation(codes: NDArray[np.uint32], width: int) -> NDArray[np.int64]:
    """Return (n_chars,) the number of tabs, and of groups of `width` spaces, at the beginning of the line so far."""
    depths = np.zeros(len(codes), np.int64)
    n_tabs, n_spaces, counting = 0, 0, True
    for t, code in enumerate(codes):
        if code == _NEWLINE:
            n_tabs, n_spaces, counting = 0, 0, True
        elif counting and code == _TAB:
            n_tabs += 1
        elif counting and code == _SPACE:
            n_spaces += 1
        else:
            counting = False
        depths[t] = n_tabs + n_spaces // width
    return depths
