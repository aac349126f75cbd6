"""Brackets and what they enclose."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

ROUND, SQUARE, CURLY = range(3)
_PAIRS = tuple(ord(char) for char in "([{)]}")
_NEWLINE, _BLANKS = ord("\n"), tuple(ord(char) for char in " \t\r")
_BEYOND = 128  # no bracket has a higher code


class Nesting(NamedTuple):
    """How the brackets of a text enclose its characters.

    A closing bracket closes the last open one of its kind, and what was opened since; if none of its kind is open, it
    means nothing. Round and square brackets that are open at a blank line are never closed; what braces enclose goes
    on.

    Attributes:
        depth: (n_chars,) int32 brackets of all kinds that are open once a character has been read.
        opened: (n_chars,) int32 place of the innermost open bracket of any kind; -1 outside all.
        closed: (n_chars,) int32 place where the bracket that is opened at a character is closed; -1 if it never is, or
            if no bracket is opened there.
    """

    depth: NDArray[np.int32]
    opened: NDArray[np.int32]
    closed: NDArray[np.int32]


def nest(codes: NDArray[np.uint32]) -> Nesting:
    """Match the brackets of a text, in time proportional to its length."""
    return Nesting(*_match(codes, (ROUND, SQUARE, CURLY), places=True))


def depth_of(codes: NDArray[np.uint32], *counted: int, over_paragraphs: bool = False) -> NDArray[np.int32]:
    """(n_chars,) how many brackets of these kinds are open: `ROUND`, `SQUARE`, `CURLY`.

    Args:
        codes: (n_chars,) code points.
        counted: The kinds.
        over_paragraphs: Whether round and square brackets may stay open at a blank line.
    """
    return _match(codes, counted, places=False, over_paragraphs=over_paragraphs)[0]


def _match(
    codes: NDArray[np.uint32], counted: tuple[int, ...], *, places: bool, over_paragraphs: bool = False
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    kinds = np.full(_BEYOND, -1, np.int8)
    kinds[list(_PAIRS)] = range(6)
    weights = np.array([kind in counted for kind in (ROUND, SQUARE, CURLY)], np.int32)
    found: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]] = _nest(
        codes, kinds, weights, places, over_paragraphs
    )
    return found


@njit(cache=True)
def _nest(
    codes: NDArray[np.uint32], kinds: NDArray[np.int8], weights: NDArray[np.int32], places: bool, over_paragraphs: bool
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    depths = np.zeros(len(codes), np.int32)
    n_places = len(codes) if places else 0
    opened, closed = np.full(n_places, -1, np.int32), np.full(n_places, -1, np.int32)
    n_open = np.zeros(3, np.int32)
    stack, stacked = np.zeros(16, np.int32), np.zeros(16, np.int8)  # where brackets stand, and of which kind
    height, depth, innermost = 0, 0, -1
    blank_line = False
    for t, code in enumerate(codes):
        sign = kinds[code] if code < _BEYOND else -1
        if sign >= 3:
            kind = sign - 3
            while n_open[kind] > 0:
                height -= 1
                last = stacked[height]
                n_open[last] -= 1
                depth -= weights[last]
                innermost = stack[height - 1] if height > 0 else -1
                if last == kind:
                    if places:
                        closed[stack[height]] = t
                    break
        elif sign >= 0:
            if height == len(stack):
                stack = np.concatenate((stack, np.zeros(height, np.int32)))
                stacked = np.concatenate((stacked, np.zeros(height, np.int8)))
            stack[height], stacked[height] = t, sign
            height += 1
            n_open[sign] += 1
            depth += weights[sign]
            innermost = t
        elif code == _NEWLINE and blank_line and not over_paragraphs:
            while height > 0 and stacked[height - 1] != CURLY:
                height -= 1
                n_open[stacked[height]] -= 1
                depth -= weights[stacked[height]]
            innermost = stack[height - 1] if height > 0 else -1
        blank_line = code == _NEWLINE or (blank_line and code in _BLANKS)
        depths[t] = depth
        if places:
            opened[t] = innermost
    return depths, opened, closed
