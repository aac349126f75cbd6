"""The name of a tag, as far as it has been read, and what else is known of the tag."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.readers.elements import LONGEST_NAME

OUTSIDE, TAG, ATTRIBUTE, COMMENT = range(4)
"""States of a character."""

PROSE, HTML, XML = range(3)
"""What a text is."""

MODE, KIND, NAME, N_NAME, IN_NAME, MARK_OPEN, HAS_EQUALS, IS_TIGHT, LESS_AT, IS_FIRST = range(10)
RAW_NAME, RAW_AT, RAW_BLANK, N_WORDS, N_FIELDS = range(10, 15)
"""What is known of the tag that is being read, and of the text: one array, which the functions change."""

NO_ATTRIBUTE = tuple(ord(char) for char in "&|;,!)~+-?^$%`\\")
"""Signs with which no attribute begins."""

_SPACE, _TAB, _RETURN, _NEWLINE, _DASH, _COLON, _POINT = (ord(char) for char in " \t\r\n-:.")


@compiled(inline="always")
def is_blank(code: int) -> bool:
    """Tell whether a character is a space, a tab or the end of a line."""
    return code == _SPACE or code == _TAB or code == _RETURN or code == _NEWLINE


@compiled()
def needs_known_name(tag: NDArray[np.int64]) -> bool:
    """Tell whether a tag must have a name of HTML, since the text may be something else."""
    is_prose = tag[MODE] == PROSE and tag[IS_FIRST] == 0
    return bool(is_prose or (tag[MODE] == HTML and tag[IS_TIGHT] > 0 and tag[KIND] == 0))


@compiled(inline="always")
def is_in_name(code: int, is_xml: bool) -> bool:
    """Tell whether a character may be part of a name."""
    is_ascii = 97 <= code <= 122 or 65 <= code <= 90 or 48 <= code <= 57 or code == _DASH or code == 95
    return is_ascii or code == _COLON or (is_xml and (code == _POINT or code > 127))


@compiled(inline="always")
def add_to_name(tag: NDArray[np.int64], code: int) -> None:
    """Add a character to the name of the tag, unless that is long."""
    if tag[N_NAME] < LONGEST_NAME:
        tag[NAME] = tag[NAME] << 8 | ((code | 32) & 127)
        tag[N_NAME] += 1


@compiled(inline="always")
def align(name: int, n_chars: int) -> int:
    """Return a packed name as `elements.aligned` does."""
    return name << 8 * (LONGEST_NAME - n_chars)


@compiled()
def lower_bound(names: NDArray[np.int64], name: int, n_chars: int) -> int:
    """Return the place of the first name that is not before this one."""
    aligned_name, first, last = align(name, n_chars), 0, len(names)
    while first < last:
        middle = (first + last) >> 1
        if names[middle] < aligned_name:
            first = middle + 1
        else:
            last = middle
    return first


@compiled()
def is_prefix(names: NDArray[np.int64], tag: NDArray[np.int64]) -> bool:
    """Tell whether a known name begins like that of the tag."""
    place = lower_bound(names, tag[NAME], tag[N_NAME])
    return bool(place < len(names) and names[place] >> 8 * (LONGEST_NAME - tag[N_NAME]) == tag[NAME])


@compiled()
def is_known(names: NDArray[np.int64], tag: NDArray[np.int64]) -> bool:
    """Tell whether the name of the tag is one of these."""
    place = lower_bound(names, tag[NAME], tag[N_NAME])
    return bool(place < len(names) and names[place] == align(tag[NAME], tag[N_NAME]))


@compiled()
def follows_include(codes: NDArray[np.uint32], less: int) -> bool:
    """Tell whether a < follows `include`, as in `#include <map>`."""
    at = less - 1
    while at >= 0 and (codes[at] == _SPACE or codes[at] == _TAB) and less - at < 4:
        at -= 1
    return at >= 6 and codes[at] == 101 and codes[at - 1] == 100 and codes[at - 2] == 117 and codes[at - 3] == 108
