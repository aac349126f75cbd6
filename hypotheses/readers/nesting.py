"""Match brackets, and find what they enclose."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import unchanging
from hypotheses.kernels import compiled

ROUND, SQUARE, CURLY = range(3)
MOST_WITHOUT_BRACES = 5_000
"""An open brace is forgotten once so many characters have no brace: in the Linux kernel, 1 of 37,000 pairs of
neighbours is farther apart, in the modules of Python 18 of 3,500, in packages of npm none of 27,000."""
LONGEST = 100_000
"""Any open bracket is forgotten after so many characters; the longest pair of braces in the kernel has 23,348."""

_NEWLINE, _SEMICOLON, _BACKSLASH = (ord(char) for char in "\n;\\")
_SHORTEST_COMMAND, _LONGEST_COMMAND = 3, 24  # letters of a command of LaTeX; `\n{` is a line end in a string
_ESCAPE, _BLANK, _LINE_END, _OTHER = range(6, 10)
_WIDE_FROM, _WIDE_TO = 0xFF00, 0xFF5F  # full-width forms of ASCII
_WIDE = 0xFEE0
_NEVER = np.iinfo(np.int64).max


class Nesting(NamedTuple):
    r"""The brackets that enclose each character of a text.

    A closing bracket closes the last open one of its kind, and all that were opened since; if none of its kind is open,
    it has no effect, and neither has a bracket that follows a backslash. Round and square brackets that are open at a
    blank line are never closed, and neither are curly ones in LaTeX: where the text has had more commands with a brace,
    such as `\emph{`, than lines that end in a semicolon. Elsewhere curly ones stay open, but see `MOST_WITHOUT_BRACES`
    and `LONGEST`.

    Attributes:
        depth: (n_chars,) int32 number of open brackets of all kinds, once a character has been read.
        opened: (n_chars,) int32 index of the innermost open bracket of any kind; -1 if none is open.
        closed: (n_chars,) int32 index of the character that closes the bracket opened here; -1 if it is never closed,
            or no bracket is opened here.
    """

    depth: NDArray[np.int32]
    opened: NDArray[np.int32]
    closed: NDArray[np.int32]


def nest(codes: NDArray[np.uint32]) -> Nesting:
    """Match the brackets of a text, in time proportional to its length."""
    return Nesting(*_match(codes, (ROUND, SQUARE, CURLY), with_indices=True))


def depth_of(codes: NDArray[np.uint32], *kinds: int, is_code: bool = False) -> NDArray[np.int32]:
    """Return (n_chars,) how many brackets of these kinds are open.

    Args:
        codes: (n_chars,) code points.
        kinds: The kinds that are counted: `ROUND`, `SQUARE`, `CURLY`.
        is_code: Whether the text is nothing but code: no bracket is escaped, and none is ever forgotten.
    """
    return _match(codes, kinds, with_indices=False, is_code=is_code)[0]


def _match(
    codes: NDArray[np.uint32], kinds: tuple[int, ...], *, with_indices: bool, is_code: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    classes = np.full(128, _OTHER, np.int8)
    classes[[ord(char) for char in "([{)]}"]] = range(6)
    classes[[ord(char) for char in " \t\r"]] = _BLANK
    classes[_NEWLINE] = _LINE_END
    if not is_code:
        classes[ord("\\")] = _ESCAPE
    weights = np.array([kind in kinds for kind in (ROUND, SQUARE, CURLY)], np.int32)
    arrays: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]] = _nest(
        unchanging(codes), classes, weights, with_indices, is_code
    )
    return arrays


@compiled()
def _nest(
    codes: NDArray[np.uint32],
    classes: NDArray[np.int8],
    weights: NDArray[np.int32],
    with_indices: bool,
    is_code: bool,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Return the arrays of `Nesting`; `classes` has 0 to 2 for opening brackets, 3 to 5 for closing ones."""
    depths = np.zeros(len(codes), np.int32)
    n_indices = len(codes) if with_indices else 0
    opened, closed = np.full(n_indices, -1, np.int32), np.full(n_indices, -1, np.int32)
    n_open = np.zeros(3, np.int32)
    stack, kinds = np.zeros(16, np.int32), np.zeros(16, np.int8)  # open brackets, and their kinds
    bottom, height, depth, innermost = 0, 0, 0, -1  # those below the bottom of the stack have been forgotten
    escaped = -1  # the character that a backslash makes one like any other
    n_commands, n_statements = 0, 0  # of LaTeX, and lines that end in a semicolon
    last_brace, due = 0, _NEVER  # when the next bracket is forgotten
    blank_line = False
    for t, code in enumerate(codes):
        if t >= due:
            bottom, height = _forget(t, last_brace, stack, kinds, bottom, height, n_open)
            depth = (n_open * weights).sum()
            innermost = stack[height - 1] if height > bottom else -1
            due = _next_due(n_open[CURLY], last_brace, stack, bottom, height)
        char_class = classes[code] if code < 128 else _OTHER
        if char_class == _OTHER and _WIDE_FROM < code < _WIDE_TO:
            char_class = min(classes[code - _WIDE], _OTHER)
        if char_class == _OTHER:
            blank_line = False
        elif char_class >= _BLANK:
            if char_class == _LINE_END and t > 0 and codes[t - 1] == _SEMICOLON:
                n_statements += 1
            if char_class == _LINE_END and blank_line and not is_code:
                while height > bottom and (kinds[height - 1] != CURLY or n_commands > n_statements):
                    height -= 1
                    n_open[kinds[height]] -= 1
                    depth -= weights[kinds[height]]
                innermost = stack[height - 1] if height > bottom else -1
            blank_line = blank_line or char_class == _LINE_END
        elif t == escaped:
            blank_line = False
        elif char_class == _ESCAPE:
            escaped, blank_line = t + 1, False
        else:
            blank_line = False
            kind = char_class % 3
            if char_class < 3:
                if height == len(stack):
                    stack = np.concatenate((stack, np.zeros(height, np.int32)))
                    kinds = np.concatenate((kinds, np.zeros(height, np.int8)))
                stack[height], kinds[height] = t, kind
                height += 1
                n_open[kind] += 1
                depth += weights[kind]
                innermost = t
                n_commands += kind == CURLY and _follows_command(codes, t)
            while char_class >= 3 and n_open[kind] > 0:
                height -= 1
                last = kinds[height]
                n_open[last] -= 1
                depth -= weights[last]
                innermost = stack[height - 1] if height > bottom else -1
                if last == kind:
                    if with_indices:
                        closed[stack[height]] = t
                    break
            if not is_code:
                last_brace = t if kind == CURLY else last_brace
                due = _next_due(n_open[CURLY], last_brace, stack, bottom, height)
        depths[t] = depth
        if with_indices:
            opened[t] = innermost
    return depths, opened, closed


@compiled()
def _follows_command(codes: NDArray[np.uint32], t: int) -> bool:
    """Tell whether a backslash and letters come right before a character, as in a command of LaTeX."""
    n_letters = 0
    while n_letters < min(t, _LONGEST_COMMAND) and (
        97 <= codes[t - 1 - n_letters] <= 122 or 65 <= codes[t - 1 - n_letters] <= 90
    ):
        n_letters += 1
    return _SHORTEST_COMMAND <= n_letters < t and codes[t - 1 - n_letters] == _BACKSLASH


@compiled(inline="always")
def _next_due(n_braces: int, last_brace: int, stack: NDArray[np.int32], bottom: int, height: int) -> int:
    """Return when the next open bracket is forgotten, unless another is read before."""
    if height == bottom:
        return _NEVER
    lasts_until = stack[bottom] + LONGEST
    return int(min(lasts_until, last_brace + MOST_WITHOUT_BRACES) if n_braces > 0 else lasts_until)


@compiled()
def _forget(
    t: int,
    last_brace: int,
    stack: NDArray[np.int32],
    kinds: NDArray[np.int8],
    bottom: int,
    height: int,
    n_open: NDArray[np.int32],
) -> tuple[int, int]:
    """Remove the brackets that have been open for too long; return the new bottom and height of the stack."""
    while bottom < height and t - stack[bottom] >= LONGEST:
        n_open[kinds[bottom]] -= 1
        bottom += 1
    if n_open[CURLY] > 0 and t - last_brace >= MOST_WITHOUT_BRACES:
        n_kept = bottom
        for place in range(bottom, height):
            if kinds[place] != CURLY:
                stack[n_kept], kinds[n_kept] = stack[place], kinds[place]
                n_kept += 1
        height, n_open[CURLY] = n_kept, 0
    return bottom, height
