r"""Brackets. Those in strings and comments count like any others; `expression_depth` counts those of code.

A closing bracket closes the last open one of its kind, and all that were opened since and never closed. If none of its
kind is open, it has no effect (`1)`, `:)`), and neither has a bracket right after a backslash that is not itself
escaped: `\{` in LaTeX, `\(` in a regular expression. Full-width brackets, as in Chinese, count like those of ASCII.

An unclosed parenthesis or square bracket ends with its paragraph, at the newline that ends a blank line, unless a brace
is open in it. An unclosed brace ends there, too, in LaTeX: in a text that has had more commands with a brace (`\emph{`)
than lines that end in a semicolon. Elsewhere it stays open over blank lines, as in programs and JSON, and ends once
5,000 characters have been read without any brace. Nothing stays open for more than 100,000 characters. A bracket is
open from its opening mark up to the character before its closing mark.
"""

import numpy as np

from hypotheses.characters import code_points
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.readers.nesting import CURLY, ROUND, SQUARE, depth_of, nest

_KARPATHY = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"
_DYCK = "Weiss, Goldberg & Yahav 2018, arXiv:1805.04908; Suzgun, Gehrmann, Belinkov & Shieber 2019, arXiv:1906.03648"


@hypothesis(kind="binary", source=_KARPATHY)
def in_parentheses(text: str) -> Labels:
    """Is the text, as read so far, inside (parentheses)?

    >>> print(in_parentheses.mark("a (b (c) d) e)"))
    a (b (c) d) e)
    ..xxxxxxxx....
    """
    return Labels(depth_of(code_points(text), ROUND) > 0, "binary")


@hypothesis(kind="binary")
def in_square_brackets(text: str) -> Labels:
    """Is the text, as read so far, inside [square brackets]?

    >>> print(in_square_brackets.mark("a [b] c"))
    a [b] c
    ..xx...
    """
    return Labels(depth_of(code_points(text), SQUARE) > 0, "binary")


@hypothesis(kind="binary")
def in_braces(text: str) -> Labels:
    r"""Is the text, as read so far, inside {braces}?

    >>> print(in_braces.mark(r"{ ( } ) \{ a"))
    { ( } ) \{ a
    xxxx........
    """
    return Labels(depth_of(code_points(text), CURLY) > 0, "binary")


@hypothesis(
    unit="brackets",
    source=_DYCK,
    expects="LSTMs can count in a cell, as experiments on formal languages show, also with one kind of bracket; "
    "GRUs hardly can, and nested brackets of several kinds are hard for both.",
)
def bracket_depth(text: str) -> Labels:
    """How many brackets of all kinds are open?

    >>> print(bracket_depth.mark("f(a[i], {})"))
    f(a[i], {})
    01122111210
    """
    return Labels(depth_of(code_points(text), ROUND, SQUARE, CURLY).astype(np.float64), "numeric")


@hypothesis(unit="characters")
def position_in_brackets(text: str) -> Labels:
    """How many characters have been read since the innermost open bracket?

    0 at the bracket itself; missing outside all brackets. After a closing bracket, the one around it counts.

    >>> print(position_in_brackets.mark("a (b [c] d)"))
    a (b [c] d)
    ??01201567?
    """
    opened = nest(code_points(text)).opened
    since = np.where(opened >= 0, np.arange(len(text), dtype=np.int32) - opened, 0)
    return Labels(since.astype(np.float64), "numeric", opened < 0)


@hypothesis(unit="characters", causal=False)
def chars_until_bracket_closes(text: str) -> Labels:
    """How many characters ahead is the bracket that closes the innermost open one?

    Missing outside all brackets, and in an unclosed bracket.

    >>> print(chars_until_bracket_closes.mark("a (b [c] d) ("))
    a (b [c] d) (
    ??87621321???
    """
    nesting = nest(code_points(text))
    closes = np.where(nesting.opened >= 0, nesting.closed[nesting.opened], -1)
    ahead = np.where(closes >= 0, closes - np.arange(len(text), dtype=np.int32), 0)
    return Labels(ahead.astype(np.float64), "numeric", closes < 0)
