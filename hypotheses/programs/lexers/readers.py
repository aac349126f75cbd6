"""Read comments and literals of the languages of `tokens`: each reader fills their states and tells where to go on."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.lexers import syntax as kinds
from hypotheses.programs.lexers.literals import (
    at,
    end_of_block,
    end_of_delimited,
    end_of_delimiter,
    end_of_dollars,
    end_of_hashed,
    end_of_line,
    end_of_regex,
    end_of_string,
    end_of_text_block,
    same,
)
from hypotheses.programs.lexers.states import CODE, COMMENT, DOC_COMMENT, FIELD, REGEX, STRING
from hypotheses.programs.lexers.syntax import BYTE_PREFIX, CHAR_OR_NAME, RAW_OF_CPP, Syntax

_NEWLINE, _BACKSLASH, _QUOTE, _APOSTROPHE, _HASH, _DOLLAR, _BACK_TICK = (ord(char) for char in "\n\\\"'#$`")
_SLASH, _STAR, _DASH, _BANG, _PIPE, _CARET = (ord(char) for char in "/*-!|^")
_OPEN, _LESS, _GREATER, _SPACE, _TAB, _ZERO, _NINE = (ord(char) for char in "{<> \t09")
_SIGNS_OF_HASKELL = tuple(ord(char) for char in "!#$%&*+./<=>?@\\^|-~:")
_NAMES_OF_HASKELL = tuple(ord(char) for char in "[(:")


@compiled()
def fill(
    codes: NDArray[np.uint32],
    states: NDArray[np.uint8],
    whole: NDArray[np.uint8],
    start: int,
    opened: int,
    stop: int,
    state: int,
) -> int:
    """Fill the states of a token, and return where to go on.

    Args:
        codes: (n_chars,) code points.
        states: (n_chars,) states, filled from `opened` to the character before `stop`.
        whole: (n_chars,) states of whole tokens, filled from `start` to `stop`, unless that is a newline; or empty.
        start: The first character of the opener.
        opened: Its last character.
        stop: The last character of the closer, or a newline that ends the token.
        state: The state.
    """
    states[opened:stop] = state
    closed = stop if stop >= len(codes) or codes[stop] == _NEWLINE else stop + 1
    if len(whole) > 0:
        whole[start:closed] = state
    return closed


@compiled()
def opens_comment(codes: NDArray[np.uint32], s: Syntax, t: int) -> bool:
    """Tell whether a comment begins at `t`."""
    first, second = codes[t], at(codes, t + 1)
    if first == s.line_comment and second == first:
        return not (s.is_haskell and t > 0 and codes[t - 1] in _SIGNS_OF_HASKELL)
    return first == s.block and second == s.block_inner and not (s.is_haskell and at(codes, t + 2) == _HASH)


@compiled()
def read_comment(
    codes: NDArray[np.uint32], states: NDArray[np.uint8], whole: NDArray[np.uint8], s: Syntax, t: int, doc_end: int
) -> tuple[int, int]:
    """Read a comment that begins at `t`.

    Returns:
        Where to go on, and the newline that ended the last doc comment in a line.
    """
    if s.is_haskell:
        return _read_comment_of_haskell(codes, states, whole, s, t, doc_end)
    third, fourth = at(codes, t + 2), at(codes, t + 3)
    if codes[t] == s.line_comment and codes[t + 1] == s.line_comment:
        stop = end_of_line(codes, t + 2, s.is_continued)
        is_doc = (s.documents_slashes and third == _SLASH) or (s.documents_bangs and third == _BANG)
        is_ruler = third == _SLASH and fourth == _SLASH
    else:
        stop = end_of_block(codes, t + 2, s.block, s.block_inner, s.block_close, s.nests)
        is_doc = (s.documents_stars and third == _STAR) or (s.documents_bangs and third == _BANG)
        is_ruler = third == _STAR and (fourth == _STAR or fourth == _SLASH)
    closed = fill(codes, states, whole, t, t + 1, stop, DOC_COMMENT if is_doc and not is_ruler else COMMENT)
    states[t + 1] = COMMENT
    if is_doc and t + 2 < stop:
        states[t + 2] = DOC_COMMENT  # also of a ruler, which is not known yet
    return closed, doc_end


@compiled()
def _read_comment_of_haskell(
    codes: NDArray[np.uint32], states: NDArray[np.uint8], whole: NDArray[np.uint8], s: Syntax, t: int, doc_end: int
) -> tuple[int, int]:
    """Read a comment of Haskell, or an operator that begins with dashes."""
    n = len(codes)
    k = t + 2
    if codes[t] == _OPEN:
        stop = end_of_block(codes, k, s.block, s.block_inner, s.block_close, True)
        if k >= n:
            return n, doc_end
        while k < stop and (codes[k] == _SPACE or codes[k] == _TAB):
            k += 1
        is_doc = k < stop and (codes[k] == _PIPE or codes[k] == _CARET)
        closed = fill(codes, states, whole, t, k, stop, DOC_COMMENT if is_doc else COMMENT)
        states[t + 2 : k] = COMMENT
        return closed, doc_end
    k = t - 1
    while k >= 0 and k > doc_end and (codes[k] == _SPACE or codes[k] == _TAB):
        k -= 1
    state = DOC_COMMENT if k == doc_end else COMMENT  # a comment goes on over lines
    k = t + 2
    while k < n and codes[k] == _DASH:
        k += 1
    if k < n and codes[k] in _SIGNS_OF_HASKELL:
        states[t + 1 : k] = state
        while k < n and codes[k] in _SIGNS_OF_HASKELL:
            k += 1
        return k, -2
    stop = end_of_line(codes, k, False)
    while k < stop and (codes[k] == _SPACE or codes[k] == _TAB):
        k += 1
    is_doc = state == DOC_COMMENT or (k < stop and (codes[k] == _PIPE or codes[k] == _CARET))
    closed = fill(codes, states, whole, t, k, stop, DOC_COMMENT if is_doc else COMMENT)
    states[t + 1 : k] = state
    return closed, stop if is_doc else -2


@compiled()
def opens_regex(codes: NDArray[np.uint32], t: int) -> bool:
    """Tell whether a regular expression begins at the slash `t`, if it may; tags such as `</a>` and `<a/>` are none."""
    second = at(codes, t + 1)
    return second != 0 and second != _NEWLINE and second != _GREATER and not (t > 0 and codes[t - 1] == _LESS)


@compiled()
def read_regex(
    codes: NDArray[np.uint32], states: NDArray[np.uint8], whole: NDArray[np.uint8], s: Syntax, t: int, in_field: bool
) -> int:
    """Read a regular expression that begins at `t`, with its flags; in the code of a template, it is of that string."""
    state = STRING if in_field else REGEX
    closed = fill(codes, states, whole, t, t + 1, end_of_regex(codes, t + 1), state)
    k = closed
    while k < len(codes) and codes[closed - 1] == _SLASH and codes[k] < 128 and s.kinds[codes[k]] == kinds.WORD:
        states[k] = state
        k += 1
    if len(whole) > 0:
        whole[closed:k] = state
    return k


@compiled()
def read_string(
    codes: NDArray[np.uint32],
    states: NDArray[np.uint8],
    whole: NDArray[np.uint8],
    s: Syntax,
    start: int,
    t: int,
    prefix: int,
) -> int:
    """Read a string whose opening mark is at `t`, with a prefix from `start` on (packed; 0 if there is none)."""
    quote = codes[t]
    if s.has_raw_delimiters and prefix in RAW_OF_CPP:
        opened = end_of_delimiter(codes, t + 1)
        if opened >= 0:
            return fill(codes, states, whole, start, t, end_of_delimited(codes, t + 1, opened), STRING)
    if s.has_text_blocks and at(codes, t + 1) == quote and at(codes, t + 2) == quote:
        closed = fill(codes, states, whole, t, t, end_of_text_block(codes, t + 3), STRING)
        states[t + 1] = CODE  # the second mark closes a string, if no third follows
        return closed
    escapes = s.has_escapes or (s.escape_prefix > 0 and prefix == s.escape_prefix)
    stop = end_of_string(codes, t + 1, quote, s.is_multiline, escapes, s.is_haskell)
    closed = fill(codes, states, whole, start, t, stop, STRING)
    while s.is_doubled and closed < len(codes) and codes[closed] == quote and codes[closed - 1] == quote:
        stop = end_of_string(codes, closed + 1, quote, s.is_multiline, escapes, False)
        closed = fill(codes, states, whole, closed, closed, stop, STRING)
    return closed


@compiled()
def read_character(
    codes: NDArray[np.uint32], states: NDArray[np.uint8], whole: NDArray[np.uint8], s: Syntax, t: int, prefix: int
) -> int:
    """Read what the apostrophe at `t` begins; the word right before it is packed, 0 if there is none."""
    n = len(codes)
    second, third = at(codes, t + 1), at(codes, t + 2)
    if s.apostrophe != CHAR_OR_NAME or prefix == BYTE_PREFIX:
        return fill(codes, states, whole, t, t, end_of_string(codes, t + 1, _APOSTROPHE, False, True, False), STRING)
    if second == _BACKSLASH:
        stop = end_of_string(codes, t + 1, _APOSTROPHE, False, True, False)
        return fill(codes, states, whole, t, t + 1, stop, STRING)
    if second == 0 or second == _NEWLINE:
        return t + 1
    if second == _APOSTROPHE:
        return min(t + 2, n)
    is_word = second >= 128 or s.kinds[second] == kinds.WORD
    may_be_name = is_word or (s.is_haskell and second in _NAMES_OF_HASKELL)
    if third == _APOSTROPHE:
        fill(codes, states, whole, t, t + 2 if may_be_name else t + 1, t + 2, STRING)
        return t + 3
    if may_be_name:
        return t + 1
    states[t + 1] = STRING
    return t + 2


@compiled()
def read_hashed(
    codes: NDArray[np.uint32], states: NDArray[np.uint8], whole: NDArray[np.uint8], start: int, t: int
) -> int:
    """Read a raw string of Rust, whose prefix begins at `start` and ends before `t`; or nothing, if there is none."""
    k = t
    while at(codes, k) == _HASH:
        k += 1
    if at(codes, k) != _QUOTE:
        return t
    return fill(codes, states, whole, start, k, end_of_hashed(codes, k + 1, k - t), STRING)


@compiled()
def read_dollars(
    codes: NDArray[np.uint32],
    states: NDArray[np.uint8],
    whole: NDArray[np.uint8],
    s: Syntax,
    t: int,
    word_end: int,
    body_follows: bool,
    body: tuple[int, int],
) -> tuple[int, tuple[int, int]]:
    """Read a dollar of SQL, which may open a string, or a function's body, which is code.

    Args:
        codes: (n_chars,) code points.
        states: (n_chars,) states. Changed.
        whole: (n_chars,) states of whole tokens, or empty. Changed.
        s: The tokens of SQL.
        t: Where the dollar is.
        word_end: Where the last word ended.
        body_follows: Whether a body may follow that word.
        body: First and last character of the tag that ends the body within which this is; -1 if there is none.

    Returns:
        Where to go on, and the tag of the body.
    """
    k = t + 1
    while k < len(codes) and (codes[k] >= 128 or s.kinds[codes[k]] == kinds.WORD):
        k += 1
    if at(codes, k) != _DOLLAR or _ZERO <= codes[t + 1] <= _NINE:
        return t + 1, body
    if body[0] >= 0 and k - t == body[1] - body[0] and same(codes, t, body[0], k - t):
        return k + 1, (-1, -1)
    last = t - 1
    while last >= word_end and codes[last] < 128 and s.kinds[codes[last]] == kinds.BLANK:
        last -= 1
    if body[0] < 0 and last == word_end - 1 and body_follows:
        return k + 1, (t, k)
    return fill(codes, states, whole, t, k, end_of_dollars(codes, t, k), STRING), body


@compiled()
def read_template(
    codes: NDArray[np.uint32], states: NDArray[np.uint8], whole: NDArray[np.uint8], start: int, n_open: int
) -> tuple[int, bool]:
    """Read the text of a template, from the back-tick or brace at `start` to the next field or the end.

    Returns:
        Where to go on, and whether the template has ended there.
    """
    t, n = start + 1, len(codes)
    while t < n and codes[t] != _BACK_TICK and not (codes[t] == _DOLLAR and at(codes, t + 1) == _OPEN):
        t += 2 if codes[t] == _BACKSLASH else 1
    t = min(t, n)
    has_ended = t < n and codes[t] == _BACK_TICK
    states[start : t + 1] = STRING
    stop = t + 1 if has_ended else t + 2
    if has_ended:
        states[t] = FIELD if n_open > 1 else CODE
    elif t + 1 < n:
        states[t + 1] = FIELD
    if len(whole) > 0:
        whole[start:stop] = STRING
    return min(stop, n), has_ended
