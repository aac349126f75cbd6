"""Match brackets, and find what they enclose."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

ROUND, SQUARE, CURLY = range(3)
_BRACKETS = tuple(ord(char) for char in "([{)]}")
_NEWLINE, _BLANKS = ord("\n"), tuple(ord(char) for char in " \t\r")
_N_CODES = 128  # no bracket has a higher code point


class Nesting(NamedTuple):
    """The brackets that enclose each character of a text.

    A closing bracket closes the last open one of its kind, and all that were opened since; if none of its kind is open,
    it has no effect. Round and square brackets that are open at a blank line are never closed; curly ones stay open.

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


def depth_of(codes: NDArray[np.uint32], *kinds: int, over_paragraphs: bool = False) -> NDArray[np.int32]:
    """Return (n_chars,) how many brackets of these kinds are open.

    Args:
        codes: (n_chars,) code points.
        kinds: The kinds that are counted: `ROUND`, `SQUARE`, `CURLY`.
        over_paragraphs: Whether round and square brackets stay open at a blank line.
    """
    return _match(codes, kinds, with_indices=False, over_paragraphs=over_paragraphs)[0]


def _match(
    codes: NDArray[np.uint32], kinds: tuple[int, ...], *, with_indices: bool, over_paragraphs: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    brackets = np.full(_N_CODES, -1, np.int8)
    brackets[list(_BRACKETS)] = range(6)
    weights = np.array([kind in kinds for kind in (ROUND, SQUARE, CURLY)], np.int32)
    arrays: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]] = _nest(
        codes, brackets, weights, with_indices, over_paragraphs
    )
    return arrays


@njit(cache=True)
def _nest(
    codes: NDArray[np.uint32],
    brackets: NDArray[np.int8],
    weights: NDArray[np.int32],
    with_indices: bool,
    over_paragraphs: bool,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Return the arrays of `Nesting`; `brackets` has 0 to 2 for opening, 3 to 5 for closing ones, and else -1."""
    depths = np.zeros(len(codes), np.int32)
    n_indices = len(codes) if with_indices else 0
    opened, closed = np.full(n_indices, -1, np.int32), np.full(n_indices, -1, np.int32)
    n_open = np.zeros(3, np.int32)
    stack, stacked_kinds = np.zeros(16, np.int32), np.zeros(16, np.int8)  # open brackets, and their kinds
    height, depth, innermost = 0, 0, -1
    blank_line = False
    for t, code in enumerate(codes):
        bracket = brackets[code] if code < _N_CODES else -1
        if bracket >= 3:
            kind = bracket - 3
            while n_open[kind] > 0:
                height -= 1
                last = stacked_kinds[height]
                n_open[last] -= 1
                depth -= weights[last]
                innermost = stack[height - 1] if height > 0 else -1
                if last == kind:
                    if with_indices:
                        closed[stack[height]] = t
                    break
        elif bracket >= 0:
            if height == len(stack):
                stack = np.concatenate((stack, np.zeros(height, np.int32)))
                stacked_kinds = np.concatenate((stacked_kinds, np.zeros(height, np.int8)))
            stack[height], stacked_kinds[height] = t, bracket
            height += 1
            n_open[bracket] += 1
            depth += weights[bracket]
            innermost = t
        elif code == _NEWLINE and blank_line and not over_paragraphs:
            while height > 0 and stacked_kinds[height - 1] != CURLY:
                height -= 1
                n_open[stacked_kinds[height]] -= 1
                depth -= weights[stacked_kinds[height]]
            innermost = stack[height - 1] if height > 0 else -1
        blank_line = code == _NEWLINE or (blank_line and code in _BLANKS)
        depths[t] = depth
        if with_indices:
            opened[t] = innermost
    return depths, opened, closed
