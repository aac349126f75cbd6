"""Reads tags of XML and HTML, without looking ahead, also in texts of which most is something else."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.built_in.elements import (
    CLOSES,
    CLOSES_ANY,
    GROUPS,
    INLINE,
    LONGEST_NAME,
    NAMES,
    PAGE_NAMES,
    RAW,
    STOPS,
    TIGHT_NAMES,
    UNKNOWN,
    VOID,
    WIKI_RAW,
    aligned,
)
from hypotheses.characters import code_points

OUTSIDE, TAG, ATTRIBUTE, COMMENT = range(4)
_NO_MARKUP, _CDATA, _PROGRAM, _PENDING, _ENDED = range(4, 9)  # states that are outside of tags

_LESS, _GREATER, _SLASH, _BANG, _QUESTION, _DASH, _EQUALS, _QUOTE, _APOSTROPHE, _NEWLINE = (
    ord(char) for char in "<>/!?-=\"'\n"
)
_SPACE, _TAB, _RETURN, _SQUARE, _END_SQUARE, _COLON, _POINT, _MARK = (ord(char) for char in " \t\r[]:.\ufeff")
_NO_ATTRIBUTE = tuple(ord(char) for char in "&|;,!)~+-?^$%`\\")
_UNUSUAL = tuple(ord(char) for char in "<>\n\t\r")  # or the end, between the attributes of a tag
_PROSE, _HTML, _XML = range(3)
# What is known of the tag that is being read, and of the text; one array, which the functions below change.
_MODE, _KIND, _NAME, _N_NAME, _IN_NAME, _MARK_OPEN, _HAS_EQUALS, _IS_TIGHT, _LESS_AT, _IS_FIRST = range(10)
_RAW_NAME, _RAW_AT, _RAW_BLANK, _N_WORDS, _N_FIELDS = range(10, 15)
_HTML_NAME, _DOCTYPE_NAME, _XML_NAME, _PHP_NAME = (aligned(name) for name in ("html", "doctype", "xml", "php"))
_MOST_IMPLIED, _MOST_CLOSED = 16, 64


def read_tags(text: str, *, with_depths: bool = True) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return (n_chars,) `OUTSIDE`, `TAG`, `ATTRIBUTE` or `COMMENT`, and (n_chars,) how many elements are open.

    Without depths, the second array is empty.
    """
    codes = code_points(text)
    states, depths = np.zeros(len(codes), np.uint8), np.zeros(len(codes) if with_depths else 0, np.int32)
    _read(codes, states, depths, _Elements(NAMES, GROUPS, TIGHT_NAMES, PAGE_NAMES, CLOSES, STOPS, CLOSES_ANY))
    return states, depths


class _Elements(NamedTuple):
    """What `elements` tells of them, and (n_groups,) whether the elements of a group end any others."""

    names: NDArray[np.int64]
    groups: NDArray[np.uint8]
    tight_names: NDArray[np.int64]
    page_names: NDArray[np.int64]
    closes: NDArray[np.bool_]
    stops: NDArray[np.bool_]
    closes_any: NDArray[np.bool_]


@njit(cache=True, inline="always")
def _is_blank(code: int) -> bool:
    return code == _SPACE or code == _TAB or code == _RETURN or code == _NEWLINE


@njit(cache=True)
def _read(codes: NDArray[np.uint32], states: NDArray[np.uint8], depths: NDArray[np.int32], elements: _Elements) -> None:
    """Fill zeros with the arrays of `read_tags`."""
    with_depths = len(depths) > 0
    stack, stack_groups = np.zeros(64, np.int64), np.zeros(64, np.uint8)  # the open elements
    tag = np.zeros(_N_FIELDS, np.int64)
    tag[_LESS_AT] = -2
    state, height, less = OUTSIDE, 0, -2
    has_begun, blank_line = False, False  # something but blanks, comments and declarations has been read
    t, n = 0, len(codes)
    while t < n:
        begun = t
        if state == OUTSIDE and has_begun and less != t - 1:
            t, blank_line = _end_of_text(codes, t, blank_line, tag[_MODE] == _PROSE and height > 0)
            if with_depths and height > 0:
                depths[begun:t] = height
            if t < n and codes[t] == _NEWLINE:
                blank_line = True
                while height > 0 and stack_groups[height - 1] == INLINE:
                    height -= 1
            if t < n and codes[t] == _LESS:
                less = tag[_LESS_AT] = t
            if t < n and with_depths:
                depths[t] = height
            t += 1
            continue
        if not blank_line and (state == COMMENT or (state == _NO_MARKUP and tag[_RAW_AT] < 0)):
            t = _until(codes, t, _GREATER if state == COMMENT else _LESS)
            if state == COMMENT:
                states[begun:t] = COMMENT
            if with_depths and height > 0:
                depths[begun:t] = height
            if t == n:
                break
        code = codes[t]
        is_blank = _is_blank(code)
        if code == _NEWLINE and blank_line:
            is_comment = state == COMMENT and tag[_MODE] != _PROSE  # it may have blank lines
            if (
                (state < _NO_MARKUP and not is_comment)
                or state == _PENDING
                or (state == _NO_MARKUP and tag[_RAW_BLANK] > 0)
            ):
                state = OUTSIDE
            while tag[_MODE] == _PROSE and height > 0 and stack_groups[height - 1] == INLINE:
                height -= 1
        elif state == OUTSIDE:
            if less == t - 1:
                tag[_IS_FIRST] = not has_begun
                state = _begin_tag(codes, t, tag, elements.names, elements.tight_names)
                stop = _end_of_simple_tag(codes, t, states, tag, elements.names) if state == TAG else -1
                if stop > t:
                    if with_depths:
                        depths[t:stop] = height
                    t, code, is_blank, state = stop, codes[stop], False, _ENDED
            has_begun = has_begun or not (is_blank or code == _LESS or code == _MARK or state != OUTSIDE)
        elif state == COMMENT:
            if code == _GREATER and codes[t - 1] == _DASH and codes[t - 2] == _DASH and t > less + 5:
                state = OUTSIDE
        elif state == _NO_MARKUP:
            state = _read_raw(codes, t, tag)
        elif state == _CDATA or state == _PROGRAM:
            closer = _END_SQUARE if state == _CDATA else _QUESTION
            if code == _GREATER and codes[t - 1] == closer and (state == _PROGRAM or codes[t - 2] == closer):
                state = OUTSIDE
        else:
            state = _read_tag(codes, t, state, tag, elements.names, elements.tight_names)
        if state == _ENDED:
            if height == len(stack):
                stack = np.concatenate((stack, np.zeros(height, np.int64)))
                stack_groups = np.concatenate((stack_groups, np.zeros(height, np.uint8)))
            state, height = _end_tag(codes, t, tag, elements, stack, stack_groups, height, with_depths)
            has_begun = has_begun or tag[_KIND] == 0
        if code == _LESS and state == OUTSIDE:
            less = tag[_LESS_AT] = t
        blank_line = code == _NEWLINE or (blank_line and is_blank)
        states[t] = state if state < _NO_MARKUP else OUTSIDE
        if with_depths:
            depths[t] = height
        t += 1


@njit(cache=True)
def _end_of_text(codes: NDArray[np.uint32], t: int, blank_line: bool, stops_at_blank_line: bool) -> tuple[int, bool]:
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
            blank_line = _is_blank(code)
        t += 1
    return t, blank_line


@njit(cache=True)
def _until(codes: NDArray[np.uint32], t: int, mark: int) -> int:
    """Return the next index of a character or of a newline from `t` on."""
    end = np.uint32(mark)
    while t < len(codes) and codes[t] != end and codes[t] != _NEWLINE:
        t += 1
    return t


@njit(cache=True)
def _end_of_simple_tag(
    codes: NDArray[np.uint32], t: int, states: NDArray[np.uint8], tag: NDArray[np.int64], names: NDArray[np.int64]
) -> int:
    """Read the rest of a tag at once, if nothing in it is unusual.

    The labels are the same as those of `_read_tag`, which reads all other tags.

    Args:
        codes: (n_chars,) code points.
        t: The character after the `<`, which `_begin_tag` has read.
        states: (n_chars,) filled from there to the `>`. Changed.
        tag: What is known of the tag. Changed.
        names: Known names.

    Returns:
        The index of the `>`; or -1, and nothing has changed.
    """
    n, kind, start = len(codes), tag[_KIND], t
    if kind != 0 and kind != _SLASH:
        return -1
    name, n_name = tag[_NAME], tag[_N_NAME]
    is_xml = tag[_MODE] == _XML or tag[_IS_FIRST] > 0
    t += 1
    if t < n and n_name == 0 and codes[t] <= 64:
        return -1
    while t < n and _is_in_name(codes[t], is_xml):
        if n_name < LONGEST_NAME:
            name, n_name = name << 8 | ((codes[t] | 32) & 127), n_name + 1
        t += 1
    if t == n or n_name == 0 or codes[t - 1] == _COLON:
        return -1
    if _needs_known_name(tag):
        place = _lower_bound(names, name, n_name)
        if place == len(names) or names[place] != _align(name, n_name):
            return -1
    states[start:t] = TAG
    stop = t
    while kind == _SLASH and stop < n and codes[stop] == _SPACE:
        states[stop] = TAG
        stop += 1
    if kind == 0 and codes[t] != _GREATER:
        stop = _end_of_simple_attributes(codes, t, states)
    if stop == n or codes[stop] != _GREATER:
        states[start:stop] = OUTSIDE
        return -1
    tag[_NAME], tag[_N_NAME], tag[_IN_NAME] = name, n_name, 0
    return stop


@njit(cache=True)
def _end_of_simple_attributes(codes: NDArray[np.uint32], t: int, states: NDArray[np.uint8]) -> int:
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
        elif code in _UNUSUAL or (state == TAG and not has_equals and code in _NO_ATTRIBUTE):
            return t
        else:
            state = ATTRIBUTE
        states[t] = state
        t += 1
    return t


@njit(cache=True)
def _end_tag(
    codes: NDArray[np.uint32],
    t: int,
    tag: NDArray[np.int64],
    elements: _Elements,
    stack: NDArray[np.int64],
    stack_groups: NDArray[np.uint8],
    height: int,
    with_depths: bool,
) -> tuple[int, int]:
    """Read the `>` that ends a tag; return the state, and how many elements are open."""
    names = elements.names
    place = _lower_bound(names, tag[_NAME], tag[_N_NAME])
    is_known = place < len(names) and names[place] == _align(tag[_NAME], tag[_N_NAME])
    group = elements.groups[place] if is_known else UNKNOWN
    state = OUTSIDE
    if tag[_IS_FIRST] and tag[_KIND] == 0 and tag[_MODE] == _PROSE:
        tag[_MODE] = _HTML if _is_known(elements.page_names, tag) else _PROSE if is_known else _XML
    if tag[_MODE] == _XML:
        group = UNKNOWN
    if tag[_KIND] == _SLASH and with_depths:
        height = _close(tag[_NAME], stack, height)
    elif tag[_KIND] == 0 and codes[t - 1] != _SLASH and group != VOID:
        if tag[_MODE] != _XML:
            if with_depths and elements.closes_any[group]:
                height = _height_without_implied(group, stack_groups, height, elements.closes, elements.stops)
            if group == RAW or group == WIKI_RAW:
                state = _begin_raw(codes, tag, group)
        if with_depths:
            stack[height], stack_groups[height] = tag[_NAME], group
            height += 1
    return state, height


@njit(cache=True)
def _begin_tag(
    codes: NDArray[np.uint32],
    t: int,
    tag: NDArray[np.int64],
    names: NDArray[np.int64],
    tight_names: NDArray[np.int64],
) -> int:
    """Read the character after a <; return the state."""
    code, less = codes[t], t - 1
    is_letter = 65 <= code <= 90 or 97 <= code <= 122
    mode = tag[_MODE]
    is_other = (code == 95 or code == _COLON or code > 127) and (mode == _XML or tag[_IS_FIRST] > 0)
    before = codes[less - 1] if less > 0 else np.uint32(_SPACE)
    is_word = 48 <= before <= 57 or 65 <= before <= 90 or 97 <= before <= 122 or before == 95
    tag[_IS_TIGHT] = is_word or before == 41 or before == _END_SQUARE
    tag[_KIND] = 0 if is_letter or is_other else code
    tag[_NAME], tag[_N_NAME], tag[_IN_NAME] = 0, 0, 1
    tag[_MARK_OPEN], tag[_HAS_EQUALS], tag[_N_WORDS] = 0, 0, 0
    if code == _SLASH or code == _BANG or code == _QUESTION:
        return TAG
    if not (is_letter or is_other):
        return OUTSIDE
    tag[_NAME], tag[_N_NAME] = code | 32, 1
    if mode == _PROSE and tag[_IS_TIGHT] and not tag[_IS_FIRST]:
        return _PENDING if code >= 97 and _is_prefix(tight_names, tag) else OUTSIDE
    if mode == _PROSE and not tag[_IS_FIRST] and _follows_include(codes, less):
        return OUTSIDE
    return TAG if not _needs_known_name(tag) or _is_prefix(names, tag) else OUTSIDE


@njit(cache=True)
def _needs_known_name(tag: NDArray[np.int64]) -> bool:
    """Tell whether a tag must have a name of HTML, since the text may be something else."""
    is_prose = tag[_MODE] == _PROSE and tag[_IS_FIRST] == 0
    return bool(is_prose or (tag[_MODE] == _HTML and tag[_IS_TIGHT] > 0 and tag[_KIND] == 0))


@njit(cache=True)
def _read_tag(
    codes: NDArray[np.uint32],
    t: int,
    state: int,
    tag: NDArray[np.int64],
    names: NDArray[np.int64],
    tight_names: NDArray[np.int64],
) -> int:
    """Read a further character of a tag; return the state, `_ENDED` after the > that ends it."""
    code, kind = codes[t], tag[_KIND]
    if kind == _BANG or kind == _QUESTION:
        return _read_declaration(codes, t, tag)
    if tag[_IN_NAME]:
        if _is_in_name(code, tag[_MODE] == _XML or tag[_IS_FIRST] > 0) and (tag[_N_NAME] > 0 or code > 64):
            _add_to_name(tag, code)
            if state == _PENDING:
                return _PENDING if _is_prefix(tight_names, tag) else OUTSIDE
            return TAG if not _needs_known_name(tag) or _is_prefix(names, tag) else OUTSIDE
        is_over = _is_blank(code) or code == _SLASH or code == _GREATER
        if not is_over or tag[_N_NAME] == 0 or codes[t - 1] == _COLON:
            return OUTSIDE
        if (_needs_known_name(tag) or state == _PENDING) and not _is_known(names, tag):
            return OUTSIDE
        if state == _PENDING and not _is_known(tight_names, tag):
            return OUTSIDE
        tag[_IN_NAME], state = 0, TAG
    if tag[_MARK_OPEN]:
        if code == tag[_MARK_OPEN]:
            tag[_MARK_OPEN], tag[_HAS_EQUALS], state = 0, 0, TAG
        return state
    if code == _GREATER:
        return _ENDED
    if code == _LESS:
        return OUTSIDE
    if kind == _SLASH:
        return TAG if _is_blank(code) else OUTSIDE
    return _read_attribute(codes, t, state, tag)


@njit(cache=True)
def _read_attribute(codes: NDArray[np.uint32], t: int, state: int, tag: NDArray[np.int64]) -> int:
    """Read a character of a tag after its name and outside quotation marks; return the state."""
    code, before = codes[t], codes[t - 1]
    if _is_blank(code):
        if not (tag[_HAS_EQUALS] and before == _EQUALS):
            state, tag[_HAS_EQUALS] = TAG, 0
    elif code == _SLASH and not tag[_HAS_EQUALS]:
        state = TAG
    elif code == _EQUALS and not tag[_HAS_EQUALS]:
        state, tag[_HAS_EQUALS] = ATTRIBUTE, 1
    elif state == TAG and not tag[_HAS_EQUALS] and code in _NO_ATTRIBUTE:
        state = OUTSIDE
    else:
        if (code == _QUOTE or code == _APOSTROPHE) and tag[_HAS_EQUALS] and before == _EQUALS:
            tag[_MARK_OPEN] = code
        state = ATTRIBUTE
    return state


@njit(cache=True)
def _read_declaration(codes: NDArray[np.uint32], t: int, tag: NDArray[np.int64]) -> int:
    """Read a further character after <! or <?; return the state."""
    code, less = codes[t], tag[_LESS_AT]
    is_letter = 65 <= code <= 90 or 97 <= code <= 122
    is_question = tag[_KIND] == _QUESTION
    if t == less + 2:
        if is_question and code == _EQUALS:
            return _PROGRAM
        if not is_question and is_letter and tag[_MODE] == _PROSE and not tag[_IS_FIRST] and code | 32 != 100:
            return OUTSIDE  # the only declaration to be expected there is <!DOCTYPE
        if not (is_letter or (not is_question and (code == _DASH or code == _SQUARE))):
            return OUTSIDE
    elif not is_question and codes[less + 2] == _DASH and t == less + 3:
        return COMMENT if code == _DASH else OUTSIDE
    elif not is_question and codes[less + 2] == _SQUARE and code == _SQUARE:
        return _CDATA
    if tag[_MARK_OPEN]:
        tag[_MARK_OPEN] = 0 if code == tag[_MARK_OPEN] else tag[_MARK_OPEN]
        return TAG
    if is_letter:
        _add_to_name(tag, code)
        return TAG
    if tag[_N_NAME] > 0:
        name = _align(tag[_NAME], tag[_N_NAME])
        tag[_N_WORDS] = 1 if name == _DOCTYPE_NAME else tag[_N_WORDS] + 1 if tag[_N_WORDS] > 0 else 0
        if is_question and name == _PHP_NAME:
            return _PROGRAM
        if is_question and name == _XML_NAME:
            tag[_MODE] = _XML
        elif tag[_N_WORDS] == 2 and tag[_MODE] == _PROSE:
            tag[_MODE] = _HTML if name == _HTML_NAME else _XML
        tag[_NAME], tag[_N_NAME] = 0, 0
    if code == _GREATER and (not is_question or codes[t - 1] == _QUESTION):
        return _ENDED
    if code == _LESS and not is_question:
        return OUTSIDE
    if (code == _QUOTE or code == _APOSTROPHE) and not is_question:
        tag[_MARK_OPEN] = code
    return TAG


@njit(cache=True)
def _begin_raw(codes: NDArray[np.uint32], tag: NDArray[np.int64], group: int) -> int:
    """Return the state after the > of an opening tag: some elements contain no markup."""
    if not (group == RAW or (group == WIKI_RAW and tag[_MODE] == _PROSE)):
        return OUTSIDE
    less = tag[_LESS_AT]
    begins_line = less == 0 or codes[less - 1] == _NEWLINE
    tag[_RAW_NAME], tag[_RAW_AT] = tag[_NAME], -1
    tag[_RAW_BLANK] = tag[_MODE] == _PROSE and not begins_line
    return _NO_MARKUP


@njit(cache=True)
def _read_raw(codes: NDArray[np.uint32], t: int, tag: NDArray[np.int64]) -> int:
    """Read a character of an element that contains no markup; return the state, `TAG` once its end tag is named."""
    code, less = codes[t], tag[_RAW_AT]
    if code == _LESS:
        tag[_RAW_AT] = t
    elif less >= 0 and t == less + 1:
        tag[_RAW_AT] = less if code == _SLASH else -1
        tag[_NAME], tag[_N_NAME] = 0, 0
    elif less >= 0:
        if _is_in_name(code, False):
            _add_to_name(tag, code)
            if tag[_NAME] == tag[_RAW_NAME]:
                tag[_KIND], tag[_IN_NAME], tag[_MARK_OPEN], tag[_RAW_AT] = _SLASH, 1, 0, -1
                return TAG
        else:
            tag[_RAW_AT] = -1
    return _NO_MARKUP


@njit(cache=True, inline="always")
def _is_in_name(code: int, is_xml: bool) -> bool:
    is_ascii = 97 <= code <= 122 or 65 <= code <= 90 or 48 <= code <= 57 or code == _DASH or code == 95
    return is_ascii or code == _COLON or (is_xml and (code == _POINT or code > 127))


@njit(cache=True, inline="always")
def _add_to_name(tag: NDArray[np.int64], code: int) -> None:
    if tag[_N_NAME] < LONGEST_NAME:
        tag[_NAME] = tag[_NAME] << 8 | ((code | 32) & 127)
        tag[_N_NAME] += 1


@njit(cache=True, inline="always")
def _align(name: int, n_chars: int) -> int:
    """Return a packed name as `elements.aligned` does."""
    return name << 8 * (LONGEST_NAME - n_chars)


@njit(cache=True)
def _lower_bound(names: NDArray[np.int64], name: int, n_chars: int) -> int:
    """Return the place of the first name that is not before this one."""
    aligned_name, first, last = _align(name, n_chars), 0, len(names)
    while first < last:
        middle = (first + last) >> 1
        if names[middle] < aligned_name:
            first = middle + 1
        else:
            last = middle
    return first


@njit(cache=True)
def _is_prefix(names: NDArray[np.int64], tag: NDArray[np.int64]) -> bool:
    """Tell whether a known name begins like that of the tag."""
    place = _lower_bound(names, tag[_NAME], tag[_N_NAME])
    return bool(place < len(names) and names[place] >> 8 * (LONGEST_NAME - tag[_N_NAME]) == tag[_NAME])


@njit(cache=True)
def _is_known(names: NDArray[np.int64], tag: NDArray[np.int64]) -> bool:
    """Tell whether the name of the tag is one of these."""
    place = _lower_bound(names, tag[_NAME], tag[_N_NAME])
    return bool(place < len(names) and names[place] == _align(tag[_NAME], tag[_N_NAME]))


@njit(cache=True)
def _follows_include(codes: NDArray[np.uint32], less: int) -> bool:
    """Tell whether a < follows `include`, as in `#include <map>`."""
    at = less - 1
    while at >= 0 and (codes[at] == _SPACE or codes[at] == _TAB) and less - at < 4:
        at -= 1
    return at >= 6 and codes[at] == 101 and codes[at - 1] == 100 and codes[at - 2] == 117 and codes[at - 3] == 108


@njit(cache=True)
def _height_without_implied(
    group: int, stack_groups: NDArray[np.uint8], height: int, closes: NDArray[np.bool_], stops: NDArray[np.bool_]
) -> int:
    """Return how many elements stay open when one of a group begins: HTML lets out some end tags."""
    new_height = height
    for place in range(height - 1, max(height - 1 - _MOST_IMPLIED, -1), -1):
        if stops[group, stack_groups[place]]:
            break
        if closes[group, stack_groups[place]]:
            new_height = place
    return new_height


@njit(cache=True)
def _close(name: int, stack: NDArray[np.int64], height: int) -> int:
    """Return how many elements stay open after the end tag of a name."""
    for place in range(height - 1, max(height - 1 - _MOST_CLOSED, -1), -1):
        if stack[place] == name:
            return place
    return height - 1 if height > _MOST_CLOSED else height
