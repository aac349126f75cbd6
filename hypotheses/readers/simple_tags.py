"""Reads a whole tag at once, if nothing in it is unusual, and the text between tags."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.readers.elements import LONGEST_NAME
from hypotheses.readers.tag_names import (
    ATTRIBUTE,
    IN_NAME,
    IS_FIRST,
    KIND,
    MODE,
    N_NAME,
    NAME,
    NO_ATTRIBUTE,
    OUTSIDE,
    TAG,
    XML,
    align,
    is_blank,
    is_in_name,
    lower_bound,
    needs_known_name,
)

_LESS, _GREATER, _SLASH, _EQUALS, _QUOTE, _APOSTROPHE, _NEWLINE, _SPACE, _COLON = (ord(char) for char in "<>/=\"'\n :")
_UNUSUAL = tuple(ord(char) for char in "<>\n\t\r")  # or the end, between the attributes of a tag


@compiled(inline="always")
def end_of_simple_tag(
    codes: NDArray[np.uint32], t: int, states: NDArray[np.uint8], tag: NDArray[np.int64], names: NDArray[np.int64]
) -> int:
    """Read the rest of a tag at once, if nothing in it is unusual.

    The labels are the same as those of `tags.py`, which reads all other tags.

    Args:
        codes: (n_chars,) code points.
        t: The character after the `<`, which has been read.
        states: (n_chars,) filled from there to the `>`. Changed.
        tag: What is known of the tag. Changed.
        names: Known names.

    Returns:
        The index of the `>`; or -1, and nothing has changed.
    """
    n, kind, start = len(codes), tag[KIND], t
    if kind != 0 and kind != _SLASH:
        return -1
    name, n_name = tag[NAME], tag[N_NAME]
    is_xml = tag[MODE] == XML or tag[IS_FIRST] > 0
    t += 1
    if t < n and n_name == 0 and codes[t] <= 64:
        return -1
    while t < n and is_in_name(codes[t], is_xml):
        if n_name < LONGEST_NAME:
            name, n_name = name << 8 | ((codes[t] | 32) & 127), n_name + 1
        t += 1
    if t == n or n_name == 0 or codes[t - 1] == _COLON:
        return -1
    if needs_known_name(tag):
        place = lower_bound(names, name, n_name)
        if place == len(names) or names[place] != align(name, n_name):
            return -1
    states[start:t] = TAG
    stop = t
    while kind == _SLASH and stop < n and codes[stop] == _SPACE:
        states[stop] = TAG
        stop += 1
    if kind == 0 and codes[t] != _GREATER:
        stop = _end_of_attributes(codes, t, states)
    if stop == n or codes[stop] != _GREATER:
        states[start:stop] = OUTSIDE
        return -1
    tag[NAME], tag[N_NAME], tag[IN_NAME] = name, n_name, 0
    return stop


@compiled()
def _end_of_attributes(codes: NDArray[np.uint32], t: int, states: NDArray[np.uint8]) -> int:
    """Read attributes, and fill their states; return where the tag ends, or something unusual begins."""
    n, state, has_equals = len(codes), TAG, False
    if codes[t] != _SPACE and codes[t] != _SLASH:
        return t
    while t < n:
        code = codes[t]
        if 97 <= code <= 122 or 65 <= code <= 90:
            state = ATTRIBUTE
        elif code == _SPACE:
            if has_equals and codes[t - 1] == _EQUALS:
                return t
            state, has_equals = TAG, False
        elif code == _EQUALS and not has_equals:
            state, has_equals = ATTRIBUTE, True
        elif (code == _QUOTE or code == _APOSTROPHE) and has_equals and codes[t - 1] == _EQUALS:
            stop = t + 1
            while stop < n and codes[stop] != code and codes[stop] != _NEWLINE:
                stop += 1
            states[t:stop] = ATTRIBUTE
            t = stop
            if t == n or codes[t] == _NEWLINE:
                return t
            state, has_equals = TAG, False
        elif code == _SLASH and not has_equals:
            state = TAG
        elif code in _UNUSUAL or (state == TAG and not has_equals and code in NO_ATTRIBUTE):
            return t
        else:
            state = ATTRIBUTE
        states[t] = state
        t += 1
    return t


@compiled()
def end_of_text(codes: NDArray[np.uint32], t: int, blank_line: bool, stops_at_blank_line: bool) -> tuple[int, bool]:
    """Return where the text outside of tags ends: at a `<`, or the newline of a blank line; and if the line is blank.

    Args:
        codes: (n_chars,) code points.
        t: Where to begin.
        blank_line: Whether nothing but blanks follows the newline before.
        stops_at_blank_line: Whether a blank line matters.
    """
    n = len(codes)
    while t < n:
        code = codes[t]
        if code > _LESS:
            blank_line = False
        elif code == _LESS:
            return t, False
        elif code == _NEWLINE:
            if blank_line and stops_at_blank_line:
                return t, True
            blank_line = True
        elif blank_line:
            blank_line = is_blank(code)
        t += 1
    return t, blank_line


@compiled()
def until(codes: NDArray[np.uint32], t: int, mark: int) -> int:
    """Return the next index of a character or of a newline from `t` on."""
    end = np.uint32(mark)
    while t < len(codes) and codes[t] != end and codes[t] != _NEWLINE:
        t += 1
    return t
