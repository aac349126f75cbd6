"""Tells code, comments and strings apart in languages whose tokens are alike, without looking ahead.

A reader fills the labels of a whole token at once. It may look at what follows, but the label of a character must not
depend on later characters: a test compares the labels of every prefix.
"""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.lexers import syntax as kinds
from hypotheses.programs.lexers.literals import end_of_line, end_of_string
from hypotheses.programs.lexers.readers import (
    fill,
    opens_comment,
    opens_regex,
    read_character,
    read_comment,
    read_dollars,
    read_hashed,
    read_regex,
    read_string,
    read_template,
)
from hypotheses.programs.lexers.states import CODE, COMMENT, FIELD, NAME, STRING
from hypotheses.programs.lexers.syntax import BODY_FOLLOWS, NAMES_BODY, OPERAND_FOLLOWS, RAW_OF_RUST, Syntax

_APOSTROPHE, _HASH, _BANG, _POINT, _PLUS, _DASH, _DOLLAR = (ord(char) for char in "'#!.+-$")
_ROUND_CLOSE, _SQUARE_CLOSE, _ZERO, _NINE, _BIG_A, _BIG_Z = (ord(char) for char in ")]09AZ")


@compiled()
def read_tokens(codes: NDArray[np.uint32], s: Syntax, whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (n_chars,) what each character is, once read.

    Args:
        codes: (n_chars,) code points.
        s: The tokens of the language.
        whole: (n_chars,) zeros, to be filled with the same with whole delimiters; or empty. Changed.
    """
    n = len(codes)
    states = np.zeros(n, np.uint8)
    braces = np.zeros(n // 2 + 2 if s.has_templates else 1, np.int32)  # open in the code of each open template
    n_templates = 0
    start, stop, word, before = 0, -1, 0, 0  # the last word, and the one before
    has_operand, had_operand = False, False  # the last token ends an operand, and so did the one before
    doc_end = -2  # the newline that ended the last doc comment
    body = (-1, -1)  # the tag of the dollar quotes within which code is
    t = 0
    if s.has_shebang and n > 1 and codes[0] == _HASH and codes[1] == _BANG:
        t = fill(codes, states, whole, 0, 1, end_of_line(codes, 2, False), COMMENT)
    while t < n:
        code, begun = codes[t], t
        kind = s.kinds[code] if code < 128 else kinds.WORD
        in_field = n_templates > 0
        if kind == kinds.BLANK:
            t += 1
        elif kind == kinds.WORD:
            start, before = t, word
            stop, word = _read_word(codes, s, t, body[0] >= 0)
            has_operand = word not in OPERAND_FOLLOWS or (t > 0 and codes[t - 1] == _POINT)
            t = stop
            if s.counts_hashes and word in RAW_OF_RUST:
                t = read_hashed(codes, states, whole, start, t)
        elif kind == kinds.COMMENT and opens_comment(codes, s, t):
            t, doc_end = read_comment(codes, states, whole, s, t, doc_end)
        elif kind == kinds.COMMENT and s.has_regex and not has_operand and opens_regex(codes, t):
            t = read_regex(codes, states, whole, s, t, in_field)
            has_operand = True
        elif kind == kinds.TEXT:
            is_prefix = stop == t
            t = read_string(codes, states, whole, s, start if is_prefix else t, t, word if is_prefix else 0)
            has_operand = True
        elif kind == kinds.CHARACTER:
            t = read_character(codes, states, whole, s, t, word if stop == t else 0)
        elif kind == kinds.QUOTED_NAME or (kind == kinds.RAW and not s.has_templates):
            closed = end_of_string(codes, t + 1, code, True, False, False)
            t = fill(codes, states, whole, t, t, closed, NAME if kind == kinds.QUOTED_NAME else STRING)
        elif kind == kinds.DOLLAR:
            t, body = read_dollars(codes, states, whole, s, t, stop, word in BODY_FOLLOWS or before == NAMES_BODY, body)
        elif kind == kinds.RAW or (in_field and kind == kinds.CLOSE and braces[n_templates - 1] == 0):
            n_templates += kind == kinds.RAW
            t, has_operand = read_template(codes, states, whole, t, n_templates)
            braces[n_templates - 1] = 0
            n_templates -= has_operand
            in_field = False  # its states are complete
        else:
            if in_field:
                braces[n_templates - 1] += np.int32(kind == kinds.OPEN) - np.int32(kind == kinds.CLOSE)
            is_twice = t > 0 and codes[t - 1] == code and (code == _PLUS or code == _DASH)
            is_closing = code == _ROUND_CLOSE or code == _SQUARE_CLOSE
            had_operand, has_operand = has_operand, is_closing or (is_twice and had_operand)
            t += 1
        if in_field:
            for k in range(begun, t):
                if states[k] == CODE:
                    states[k] = FIELD
    return states


@compiled()
def _read_word(codes: NDArray[np.uint32], s: Syntax, t: int, in_body: bool) -> tuple[int, int]:
    """Return where a word ends that begins at `t`, and its last 8 letters, packed; in small letters for SQL.

    In the body of a function, between dollars, a dollar ends it, and perhaps the body.
    """
    word = 0
    is_number = _ZERO <= codes[t] <= _NINE
    n = len(codes)
    while t < n:
        code = codes[t]
        if code < 128 and s.kinds[code] != kinds.WORD:
            is_inner = (code == _APOSTROPHE and (s.is_haskell or (s.separates_digits and is_number))) or (
                code == _DOLLAR and s.kinds[code] == kinds.DOLLAR and not is_number and not in_body
            )
            if not is_inner:
                break
        if s.is_doubled and _BIG_A <= code <= _BIG_Z:
            code = code + np.uint32(32)
        word = word << 8 | int(code if code < 128 else 1)
        t += 1
    return t, word
