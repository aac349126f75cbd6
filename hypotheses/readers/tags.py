"""Reads tags of XML and HTML, without looking ahead, also in texts of which most is something else."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import code_points
from hypotheses.kernels import compiled
from hypotheses.readers.elements import (
    CLOSES,
    CLOSES_ANY,
    GROUPS,
    INLINE,
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
from hypotheses.readers.simple_tags import end_of_simple_tag, end_of_text, until
from hypotheses.readers.tag_names import (
    ATTRIBUTE,
    COMMENT,
    HAS_EQUALS,
    HTML,
    IN_NAME,
    IS_FIRST,
    IS_TIGHT,
    KIND,
    LESS_AT,
    MARK_OPEN,
    MODE,
    N_FIELDS,
    N_NAME,
    N_WORDS,
    NAME,
    NO_ATTRIBUTE,
    OUTSIDE,
    PROSE,
    RAW_AT,
    RAW_BLANK,
    RAW_NAME,
    TAG,
    XML,
    add_to_name,
    align,
    follows_include,
    is_blank,
    is_in_name,
    is_known,
    is_prefix,
    lower_bound,
    needs_known_name,
)

_NO_MARKUP, _CDATA, _PROGRAM, _PENDING, _ENDED = range(4, 9)  # states that are outside of tags

_LESS, _GREATER, _SLASH, _BANG, _QUESTION, _DASH, _EQUALS, _QUOTE, _APOSTROPHE, _NEWLINE = (
    ord(char) for char in "<>/!?-=\"'\n"
)
_SPACE, _TAB, _RETURN, _SQUARE, _END_SQUARE, _COLON, _POINT, _MARK = (ord(char) for char in " \t\r[]:.\ufeff")
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


@compiled()
def _read(codes: NDArray[np.uint32], states: NDArray[np.uint8], depths: NDArray[np.int32], elements: _Elements) -> None:
    """Fill zeros with the arrays of `read_tags`."""
    with_depths = len(depths) > 0
    stack, stack_groups = np.zeros(64, np.int64), np.zeros(64, np.uint8)  # the open elements
    tag = np.zeros(N_FIELDS, np.int64)
    tag[LESS_AT] = -2
    state, height, less = OUTSIDE, 0, -2
    has_begun, blank_line = False, False  # something but blanks, comments and declarations has been read
    t, n = 0, len(codes)
    while t < n:
        begun = t
        if state == OUTSIDE and has_begun and less != t - 1:
            t, blank_line = end_of_text(codes, t, blank_line, tag[MODE] == PROSE and height > 0)
            if with_depths and height > 0:
                depths[begun:t] = height
            if t < n and codes[t] == _NEWLINE:
                blank_line = True
                while height > 0 and stack_groups[height - 1] == INLINE:
                    height -= 1
            if t < n and codes[t] == _LESS:
                less = tag[LESS_AT] = t
            if t < n and with_depths:
                depths[t] = height
            t += 1
            continue
        if not blank_line and (state == COMMENT or (state == _NO_MARKUP and tag[RAW_AT] < 0)):
            t = until(codes, t, _GREATER if state == COMMENT else _LESS)
            if state == COMMENT:
                states[begun:t] = COMMENT
            if with_depths and height > 0:
                depths[begun:t] = height
            if t == n:
                break
        code = codes[t]
        blank = is_blank(code)
        if code == _NEWLINE and blank_line:
            is_comment = state == COMMENT and tag[MODE] != PROSE  # it may have blank lines
            if (
                (state < _NO_MARKUP and not is_comment)
                or state == _PENDING
                or (state == _NO_MARKUP and tag[RAW_BLANK] > 0)
            ):
                state = OUTSIDE
            while tag[MODE] == PROSE and height > 0 and stack_groups[height - 1] == INLINE:
                height -= 1
        elif state == OUTSIDE:
            if less == t - 1:
                tag[IS_FIRST] = not has_begun
                state = _begin_tag(codes, t, tag, elements.names, elements.tight_names)
                stop = end_of_simple_tag(codes, t, states, tag, elements.names) if state == TAG else -1
                if stop > t:
                    if with_depths:
                        depths[t:stop] = height
                    t, code, blank, state = stop, codes[stop], False, _ENDED
            has_begun = has_begun or not (blank or code == _LESS or code == _MARK or state != OUTSIDE)
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
            has_begun = has_begun or tag[KIND] == 0
        if code == _LESS and state == OUTSIDE:
            less = tag[LESS_AT] = t
        blank_line = code == _NEWLINE or (blank_line and blank)
        states[t] = state if state < _NO_MARKUP else OUTSIDE
        if with_depths:
            depths[t] = height
        t += 1


@compiled(inline="always")
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
    place = lower_bound(names, tag[NAME], tag[N_NAME])
    has_group = place < len(names) and names[place] == align(tag[NAME], tag[N_NAME])
    group = elements.groups[place] if has_group else UNKNOWN
    state = OUTSIDE
    if tag[IS_FIRST] and tag[KIND] == 0 and tag[MODE] == PROSE:
        tag[MODE] = HTML if is_known(elements.page_names, tag) else PROSE if has_group else XML
    if tag[MODE] == XML:
        group = UNKNOWN
    if tag[KIND] == _SLASH and with_depths:
        height = _close(tag[NAME], stack, height)
    elif tag[KIND] == 0 and codes[t - 1] != _SLASH and group != VOID:
        if tag[MODE] != XML:
            if with_depths and elements.closes_any[group]:
                height = _height_without_implied(group, stack_groups, height, elements.closes, elements.stops)
            if group == RAW or group == WIKI_RAW:
                state = _begin_raw(codes, tag, group)
        if with_depths:
            stack[height], stack_groups[height] = tag[NAME], group
            height += 1
    return state, height


@compiled(inline="always")
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
    mode = tag[MODE]
    is_other = (code == 95 or code == _COLON or code > 127) and (mode == XML or tag[IS_FIRST] > 0)
    before = codes[less - 1] if less > 0 else np.uint32(_SPACE)
    is_word = 48 <= before <= 57 or 65 <= before <= 90 or 97 <= before <= 122 or before == 95
    tag[IS_TIGHT] = is_word or before == 41 or before == _END_SQUARE
    tag[KIND] = 0 if is_letter or is_other else code
    tag[NAME], tag[N_NAME], tag[IN_NAME] = 0, 0, 1
    tag[MARK_OPEN], tag[HAS_EQUALS], tag[N_WORDS] = 0, 0, 0
    if code == _SLASH or code == _BANG or code == _QUESTION:
        return TAG
    if not (is_letter or is_other):
        return OUTSIDE
    tag[NAME], tag[N_NAME] = code | 32, 1
    if mode == PROSE and tag[IS_TIGHT] and not tag[IS_FIRST]:
        return _PENDING if code >= 97 and is_prefix(tight_names, tag) else OUTSIDE
    if mode == PROSE and not tag[IS_FIRST] and follows_include(codes, less):
        return OUTSIDE
    return TAG if not needs_known_name(tag) or is_prefix(names, tag) else OUTSIDE


@compiled()
def _read_tag(
    codes: NDArray[np.uint32],
    t: int,
    state: int,
    tag: NDArray[np.int64],
    names: NDArray[np.int64],
    tight_names: NDArray[np.int64],
) -> int:
    """Read a further character of a tag; return the state, `_ENDED` after the > that ends it."""
    code, kind = codes[t], tag[KIND]
    if kind == _BANG or kind == _QUESTION:
        return _read_declaration(codes, t, tag)
    if tag[IN_NAME]:
        if is_in_name(code, tag[MODE] == XML or tag[IS_FIRST] > 0) and (tag[N_NAME] > 0 or code > 64):
            add_to_name(tag, code)
            if state == _PENDING:
                return _PENDING if is_prefix(tight_names, tag) else OUTSIDE
            return TAG if not needs_known_name(tag) or is_prefix(names, tag) else OUTSIDE
        is_over = is_blank(code) or code == _SLASH or code == _GREATER
        if not is_over or tag[N_NAME] == 0 or codes[t - 1] == _COLON:
            return OUTSIDE
        if (needs_known_name(tag) or state == _PENDING) and not is_known(names, tag):
            return OUTSIDE
        if state == _PENDING and not is_known(tight_names, tag):
            return OUTSIDE
        tag[IN_NAME], state = 0, TAG
    if tag[MARK_OPEN]:
        if code == tag[MARK_OPEN]:
            tag[MARK_OPEN], tag[HAS_EQUALS], state = 0, 0, TAG
        return state
    if code == _GREATER:
        return _ENDED
    if code == _LESS:
        return OUTSIDE
    if kind == _SLASH:
        return TAG if is_blank(code) else OUTSIDE
    return _read_attribute(codes, t, state, tag)


@compiled()
def _read_attribute(codes: NDArray[np.uint32], t: int, state: int, tag: NDArray[np.int64]) -> int:
    """Read a character of a tag after its name and outside quotation marks; return the state."""
    code, before = codes[t], codes[t - 1]
    if is_blank(code):
        if not (tag[HAS_EQUALS] and before == _EQUALS):
            state, tag[HAS_EQUALS] = TAG, 0
    elif code == _SLASH and not tag[HAS_EQUALS]:
        state = TAG
    elif code == _EQUALS and not tag[HAS_EQUALS]:
        state, tag[HAS_EQUALS] = ATTRIBUTE, 1
    elif state == TAG and not tag[HAS_EQUALS] and code in NO_ATTRIBUTE:
        state = OUTSIDE
    else:
        if (code == _QUOTE or code == _APOSTROPHE) and tag[HAS_EQUALS] and before == _EQUALS:
            tag[MARK_OPEN] = code
        state = ATTRIBUTE
    return state


@compiled()
def _read_declaration(codes: NDArray[np.uint32], t: int, tag: NDArray[np.int64]) -> int:
    """Read a further character after <! or <?; return the state."""
    code, less = codes[t], tag[LESS_AT]
    is_letter = 65 <= code <= 90 or 97 <= code <= 122
    is_question = tag[KIND] == _QUESTION
    if t == less + 2:
        if is_question and code == _EQUALS:
            return _PROGRAM
        if not is_question and is_letter and tag[MODE] == PROSE and not tag[IS_FIRST] and code | 32 != 100:
            return OUTSIDE  # the only declaration to be expected there is <!DOCTYPE
        if not (is_letter or (not is_question and (code == _DASH or code == _SQUARE))):
            return OUTSIDE
    elif not is_question and codes[less + 2] == _DASH and t == less + 3:
        return COMMENT if code == _DASH else OUTSIDE
    elif not is_question and codes[less + 2] == _SQUARE and code == _SQUARE:
        return _CDATA
    if tag[MARK_OPEN]:
        tag[MARK_OPEN] = 0 if code == tag[MARK_OPEN] else tag[MARK_OPEN]
        return TAG
    if is_letter:
        add_to_name(tag, code)
        return TAG
    if tag[N_NAME] > 0:
        name = align(tag[NAME], tag[N_NAME])
        tag[N_WORDS] = 1 if name == _DOCTYPE_NAME else tag[N_WORDS] + 1 if tag[N_WORDS] > 0 else 0
        if is_question and name == _PHP_NAME:
            return _PROGRAM
        if is_question and name == _XML_NAME:
            tag[MODE] = XML
        elif tag[N_WORDS] == 2 and tag[MODE] == PROSE:
            tag[MODE] = HTML if name == _HTML_NAME else XML
        tag[NAME], tag[N_NAME] = 0, 0
    if code == _GREATER and (not is_question or codes[t - 1] == _QUESTION):
        return _ENDED
    if code == _LESS and not is_question:
        return OUTSIDE
    if (code == _QUOTE or code == _APOSTROPHE) and not is_question:
        tag[MARK_OPEN] = code
    return TAG


@compiled()
def _begin_raw(codes: NDArray[np.uint32], tag: NDArray[np.int64], group: int) -> int:
    """Return the state after the > of an opening tag: some elements contain no markup."""
    if not (group == RAW or (group == WIKI_RAW and tag[MODE] == PROSE)):
        return OUTSIDE
    less = tag[LESS_AT]
    begins_line = less == 0 or codes[less - 1] == _NEWLINE
    tag[RAW_NAME], tag[RAW_AT] = tag[NAME], -1
    tag[RAW_BLANK] = tag[MODE] == PROSE and not begins_line
    return _NO_MARKUP


@compiled()
def _read_raw(codes: NDArray[np.uint32], t: int, tag: NDArray[np.int64]) -> int:
    """Read a character of an element that contains no markup; return the state, `TAG` once its end tag is named."""
    code, less = codes[t], tag[RAW_AT]
    if code == _LESS:
        tag[RAW_AT] = t
    elif less >= 0 and t == less + 1:
        tag[RAW_AT] = less if code == _SLASH else -1
        tag[NAME], tag[N_NAME] = 0, 0
    elif less >= 0:
        if is_in_name(code, False):
            add_to_name(tag, code)
            if tag[NAME] == tag[RAW_NAME]:
                tag[KIND], tag[IN_NAME], tag[MARK_OPEN], tag[RAW_AT] = _SLASH, 1, 0, -1
                return TAG
        else:
            tag[RAW_AT] = -1
    return _NO_MARKUP


@compiled()
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


@compiled()
def _close(name: int, stack: NDArray[np.int64], height: int) -> int:
    """Return how many elements stay open after the end tag of a name."""
    for place in range(height - 1, max(height - 1 - _MOST_CLOSED, -1), -1):
        if stack[place] == name:
            return place
    return height - 1 if height > _MOST_CLOSED else height
