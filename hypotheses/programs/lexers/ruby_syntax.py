"""Tells code, comments and strings apart in Ruby, without looking ahead.

Texts with code in them, and code within these, are a stack of levels. A reader of a token fills its states, and changes
the stack.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import pack
from hypotheses.kernels import compiled
from hypotheses.programs.lexers.literals import at, end_of_line, same
from hypotheses.programs.lexers.states import CODE, COMMENT, DATA, FIELD, REGEX, STRING

_KIND, _DEPTH, _OPENER, _CLOSER, _STATE, _FLAGS, _START, _STOP = range(8)
"""Columns of a level: its kind; open braces, or marks within marks; the mark that opens one of these, and that which
closes the text; the state of the text; flags; where the word is that ends a here-document."""

_CODE_LEVEL, _TEXT, _DOCUMENT = range(3)
_IS_EXPANDED, _IS_INDENTED = 1, 2  # flags: `#{…}` is code in it; blanks may precede the end of a here-document
_N_LEVELS, _N_STRINGS, _N_PENDING, _WORD, _IS_OPERAND, _IS_CALL = range(6)
"""Counts: levels; those of them that are strings; announced here-documents; the last word, packed, if it is the last
token; whether that ends an operand; whether it may be the name of a method, whose argument follows."""

_MOST_PENDING = 16  # here-documents that are announced in one line

_NEWLINE, _BACKSLASH, _QUOTE, _APOSTROPHE, _BACK_TICK, _HASH, _DOLLAR, _DASH, _TAB = (ord(c) for c in "\n\\\"'`#$-\t")
_ROUND_CLOSE, _SQUARE_CLOSE, _OPEN, _CLOSE, _LESS, _SPACE, _RETURN, _SLASH = (ord(char) for char in ")]{}< \r/")
_PERCENT, _QUESTION, _BANG, _COLON, _EQUALS, _TILDE, _POINT, _AT, _GREATER = (ord(char) for char in "%?!:=~.@>")
_ZERO, _NINE, _BIG_A, _BIG_Z, _SMALL_A, _SMALL_Z, _UNDERSCORE = (ord(char) for char in "09AZaz_")
_BLANKS = tuple(ord(char) for char in " \t\r\n\f\v")
_SIGNS_OF_SYMBOLS = tuple(ord(char) for char in "/%<>=!~+-*&|^`[]")
_OPENERS, _CLOSERS = tuple(ord(char) for char in "([{<"), tuple(ord(char) for char in ")]}>")
_LETTERS = tuple(ord(char) for char in "qQwWiIxrs")  # after a percent sign
_PLAIN_LETTERS = tuple(ord(char) for char in "qwis")  # of those, without code in them
_SMALL_R = ord("r")
_DEF = pack("def")
_EXPECT_OPERAND = tuple(
    pack(word)
    for word in (
        "and", "begin", "case", "do", "else", "elsif", "ensure", "if", "in", "not", "or", "rescue", "return", "then",
        "unless", "until", "when", "while",
    )
)  # fmt: skip
_BEGIN, _END = tuple(ord(char) for char in "=begin"), tuple(ord(char) for char in "=end")
_END_OF_PROGRAM = tuple(ord(char) for char in "__END__")
_SIGN, _WORD_PART, _BLANK = range(3)
_KINDS = np.array(  # of ASCII characters
    [
        _WORD_PART if chr(n).isalnum() or n == _UNDERSCORE else _BLANK if chr(n) in " \t\r\f\v" else _SIGN
        for n in range(128)
    ]
)


class _Program(NamedTuple):
    """A program, and how far it has been read.

    Attributes:
        codes: (n_chars,) code points.
        states: (n_chars,) states.
        whole: (n_chars,) states of delimiters; or empty.
        levels: (n, 8) the stack.
        pending: (16, 3) flags of announced here-documents, and where their end words are.
        counts: (6,) numbers.
    """

    codes: NDArray[np.uint32]
    states: NDArray[np.uint8]
    whole: NDArray[np.uint8]
    levels: NDArray[np.int64]
    pending: NDArray[np.int64]
    counts: NDArray[np.int64]


@compiled()
def read_ruby(codes: NDArray[np.uint32], whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (n_chars,) what each character is, once read: a state, but no `DOCSTRING` and no `DOC_COMMENT`.

    Args:
        codes: (n_chars,) code points.
        whole: (n_chars,) zeros, to be filled with the states of tokens at their delimiters; or empty. Changed.
    """
    states = np.zeros(len(codes), np.uint8)
    counts = np.array([1, 0, 0, 0, 0, 0])
    p = _Program(codes, states, whole, np.zeros((64, 8), np.int64), np.zeros((_MOST_PENDING, 3), np.int64), counts)
    t = 0
    while t < len(codes):
        n_levels = counts[_N_LEVELS]
        if n_levels == len(p.levels):
            p = _Program(codes, states, whole, np.concatenate((p.levels, np.zeros_like(p.levels))), p.pending, counts)
        kind = p.levels[n_levels - 1, _KIND]
        if kind == _DOCUMENT:
            t = _read_document(p, t)
        elif kind == _TEXT:
            t = _read_text(p, t)
        else:
            t = _read_code(p, t)
    return states


@compiled()
def _ground(p: _Program) -> int:
    """Return the state of code at this level."""
    return FIELD if p.counts[_N_STRINGS] > 0 else CODE


@compiled()
def _mark(p: _Program, start: int, stop: int, state: int) -> None:
    """Note the delimiter of a token."""
    if len(p.whole) > 0:
        p.whole[start:stop] = state


@compiled()
def _push(p: _Program, kind: int, state: int, opener: int, closer: int, flags: int) -> None:
    """Open a level."""
    n = p.counts[_N_LEVELS]
    level = p.levels[n]
    level[:] = 0
    level[_KIND], level[_OPENER], level[_CLOSER], level[_STATE], level[_FLAGS] = kind, opener, closer, state, flags
    p.counts[_N_LEVELS] = n + 1
    p.counts[_N_STRINGS] += state == STRING
    _follow(p, 0, False, False)


@compiled()
def _pop(p: _Program) -> None:
    """Close the innermost level."""
    p.counts[_N_STRINGS] -= p.levels[p.counts[_N_LEVELS] - 1, _STATE] == STRING
    p.counts[_N_LEVELS] -= 1
    _follow(p, 0, True, False)


@compiled()
def _follow(p: _Program, word: int, is_operand: bool, is_call: bool) -> None:
    """Note what the last token is."""
    p.counts[_WORD], p.counts[_IS_OPERAND], p.counts[_IS_CALL] = word, is_operand, is_call


@compiled()
def _is_word(code: int) -> bool:
    """Tell whether a character may be part of a word."""
    return code >= 128 or _KINDS[code] == _WORD_PART


@compiled()
def _spells(codes: NDArray[np.uint32], t: int, word: tuple[int, ...]) -> bool:
    """Tell whether a line begins at `t` with a word, which a blank or the end of the text follows."""
    if not _begins_with(codes, t, word):
        return False
    return t + len(word) == len(codes) or codes[t + len(word)] in _BLANKS


@compiled()
def _begins_with(codes: NDArray[np.uint32], t: int, word: tuple[int, ...]) -> bool:
    """Tell whether a line begins at `t` with these characters."""
    if t > 0 and codes[t - 1] != _NEWLINE:
        return False
    n = 0
    while n < len(word) and at(codes, t + n) == word[n]:
        n += 1
    return n == len(word)


@compiled()
def _read_text(p: _Program, t: int) -> int:
    """Read a text up to its closing mark, or to code in it."""
    codes, n, level = p.codes, len(p.codes), p.levels[p.counts[_N_LEVELS] - 1]
    state, opener, closer = level[_STATE], level[_OPENER], level[_CLOSER]
    while t < n:
        code = codes[t]
        if code == closer and level[_DEPTH] == 0:
            _mark(p, t, t + 1, state)
            _pop(p)
            p.states[t] = _ground(p)
            t += 1
            while state == REGEX and t < n and _SMALL_A <= codes[t] <= _SMALL_Z:
                p.states[t] = REGEX
                t += 1
            return t
        p.states[t] = state
        if code == _BACKSLASH:
            p.states[t : t + 2] = state
            t += 1
        elif code == closer:
            level[_DEPTH] -= 1
        elif code == opener:
            level[_DEPTH] += 1
        elif code == _HASH and level[_FLAGS] & _IS_EXPANDED and at(codes, t + 1) == _OPEN:
            return _open_field(p, t)
        t += 1
    return t


@compiled()
def _open_field(p: _Program, t: int) -> int:
    """Read the opener of code in a text."""
    _push(p, _CODE_LEVEL, CODE, 0, 0, 0)
    p.states[t + 1] = _ground(p)
    return t + 2


@compiled()
def _read_document(p: _Program, t: int) -> int:
    """Read a here-document up to its end, or to code in it."""
    codes, n, level = p.codes, len(p.codes), p.levels[p.counts[_N_LEVELS] - 1]
    start, length = level[_START], level[_STOP] - level[_START]
    while t < n:
        if codes[t - 1] == _NEWLINE:
            k = t
            while level[_FLAGS] & _IS_INDENTED and (at(codes, k) == _SPACE or at(codes, k) == _TAB):
                k += 1
            stop = k + length
            if stop <= n and same(codes, k, start, length):
                p.states[t:stop] = STRING
                if stop == n or codes[stop] == _NEWLINE or codes[stop] == _RETURN:
                    _mark(p, stop - 1, stop, STRING)
                    _pop(p)
                    p.states[stop - 1] = _ground(p)
                    _follow(p, 0, False, False)
                    return int(stop)
                p.states[stop - 1] = FIELD if p.counts[_N_STRINGS] > 1 else CODE  # it was taken for the end
                t = stop
                continue
            p.states[t:k] = STRING
            t = k
            if t == n:
                break
        p.states[t] = STRING
        if level[_FLAGS] & _IS_EXPANDED:
            if codes[t] == _HASH and at(codes, t + 1) == _OPEN:
                return _open_field(p, t)
            if codes[t] == _BACKSLASH and at(codes, t + 1) != _NEWLINE:
                p.states[t : t + 2] = STRING
                t += 1
        t += 1
    return t


@compiled()
def _read_code(p: _Program, t: int) -> int:
    """Read words and blanks, and a sign behind them with what it opens."""
    codes, n, ground = p.codes, len(p.codes), _ground(p)
    while t < n:
        kind = _KINDS[codes[t]] if codes[t] < 128 else _WORD_PART
        if kind == _BLANK:
            p.states[t] = ground
            t += 1
        elif kind == _SIGN:
            p.states[t] = ground
            return _read_sign(p, t, ground)
        elif codes[t] == _UNDERSCORE and p.counts[_N_LEVELS] == 1 and _spells(codes, t, _END_OF_PROGRAM):
            p.states[t + 7 :] = DATA
            return n
        else:
            t = _read_word(p, t, ground)
    return t


@compiled()
def _read_sign(p: _Program, t: int, ground: int) -> int:
    """Read a sign, and what belongs to it."""
    codes, code = p.codes, p.codes[t]
    if code == _HASH:
        stop = end_of_line(codes, t, False)
        p.states[t:stop] = COMMENT
        return stop
    if code == _NEWLINE:
        _follow(p, 0, False, False)
        if p.counts[_N_PENDING] > 0:
            _open_document(p, t)
    elif code == _QUOTE or code == _APOSTROPHE or (code == _BACK_TICK and p.counts[_WORD] != _DEF):
        flags = 0 if code == _APOSTROPHE else _IS_EXPANDED
        return _open_text(p, t, STRING, code, flags, t)
    elif code == _EQUALS and (t == 0 or codes[t - 1] == _NEWLINE):
        return _read_equals(p, t, ground)
    elif code == _SLASH and _begins_literal(p, t):
        return _open_text(p, t, REGEX if ground == CODE else STRING, code, _IS_EXPANDED, t)
    elif code == _PERCENT:
        return _read_percent(p, t, ground)
    elif code == _LESS and at(codes, t + 1) == _LESS:
        return _read_announcement(p, t, ground)
    elif code == _QUESTION and not p.counts[_IS_OPERAND]:
        return _read_character(p, t)
    elif code == _COLON or code == _DOLLAR or code == _BACKSLASH:
        return _read_pair(p, t, ground)
    else:
        _read_operator(p, t, code)
    return t + 1


@compiled()
def _read_operator(p: _Program, t: int, code: int) -> None:
    """Read a bracket, which may close code in a text, or an operator."""
    level = p.levels[p.counts[_N_LEVELS] - 1]
    if code == _CLOSE and p.counts[_N_LEVELS] > 1 and level[_DEPTH] == 0:
        _pop(p)
        p.states[t] = p.levels[p.counts[_N_LEVELS] - 1, _STATE]
        return
    level[_DEPTH] += np.int64(code == _OPEN) - np.int64(code == _CLOSE and level[_DEPTH] > 0)
    _follow(p, 0, code == _ROUND_CLOSE or code == _SQUARE_CLOSE or code == _CLOSE, False)


@compiled()
def _begins_literal(p: _Program, t: int) -> bool:
    """Tell whether a sign begins a literal, and is no operator: no operand precedes, or a method's name and a blank."""
    if not p.counts[_IS_OPERAND]:
        return True
    second = at(p.codes, t + 1)
    has_blank = t > 0 and p.codes[t - 1] in _BLANKS
    return bool(p.counts[_IS_CALL]) and has_blank and second != _EQUALS and second != 0 and second not in _BLANKS


@compiled()
def _open_text(p: _Program, t: int, state: int, mark: int, flags: int, start: int) -> int:
    """Open a text, whose opener begins at `start` and ends with the mark at `t`."""
    closer, opener = mark, 0
    for k in range(4):
        if mark == _OPENERS[k]:
            opener, closer = mark, _CLOSERS[k]
    _push(p, _TEXT, state, opener, closer, flags)
    p.states[t] = state
    _mark(p, start, t + 1, state)
    return t + 1


@compiled()
def _read_percent(p: _Program, t: int, ground: int) -> int:
    """Read a percent sign, which may open a text such as `%w[…]` or `%(…)`."""
    second, third = at(p.codes, t + 1), at(p.codes, t + 2)
    if _begins_literal(p, t):
        if second in _LETTERS and third > 0 and third not in _BLANKS and not _is_word(third):
            state = REGEX if second == _SMALL_R and ground == CODE else STRING
            p.states[t + 1] = ground
            return _open_text(p, t + 2, state, third, 0 if second in _PLAIN_LETTERS else _IS_EXPANDED, t)
        if second > 0 and second not in _BLANKS and not _is_word(second) and second != _EQUALS:
            return _open_text(p, t + 1, STRING, second, _IS_EXPANDED, t)
    _follow(p, 0, False, False)
    return t + 1


@compiled()
def _read_character(p: _Program, t: int) -> int:
    """Read a question mark, and the character behind it, which is a string: `?a`."""
    second = at(p.codes, t + 1)
    if second == 0 or second in _BLANKS:
        _follow(p, 0, False, False)
        return t + 1
    stop = min(t + 3 if second == _BACKSLASH else t + 2, len(p.codes))
    p.states[t + 1 : stop] = STRING
    _mark(p, t, t + 1, STRING)
    _follow(p, 0, True, False)
    return stop


@compiled()
def _read_pair(p: _Program, t: int, ground: int) -> int:
    """Read a colon, a dollar or a backslash, together with what belongs to it."""
    codes, n = p.codes, len(p.codes)
    code, second = codes[t], at(codes, t + 1)
    if code == _BACKSLASH or code == _DOLLAR:
        _follow(p, 0, code == _DOLLAR, False)
        stop = min(t + 1 if code == _DOLLAR and (_is_word(second) or second in _BLANKS) else t + 2, n)
        p.states[t:stop] = ground
        return stop
    if second == _COLON:
        p.states[t + 1] = ground
        _follow(p, 0, False, False)
        return t + 2
    follows_word = t > 0 and (_is_word(codes[t - 1]) or codes[t - 1] == _QUOTE or codes[t - 1] == _APOSTROPHE)
    if not follows_word and (second == _QUOTE or second == _APOSTROPHE):
        return _open_text(p, t + 1, STRING, second, _IS_EXPANDED if second == _QUOTE else 0, t)
    t += 1
    while not follows_word and t < n and codes[t] in _SIGNS_OF_SYMBOLS:
        p.states[t] = ground
        t += 1
    _follow(p, 0, not follows_word and codes[t - 1] != _COLON, False)
    return t


@compiled()
def _read_word(p: _Program, t: int, ground: int) -> int:
    """Read a word, with the question or exclamation mark that may end the name of a method."""
    codes, n, start = p.codes, len(p.codes), t
    word = 0
    while t < n and _is_word(codes[t]):
        word = word << 8 | int(codes[t] & 0x7F)
        t += 1
    word = word if t - start <= 8 else -1
    if t < n and (codes[t] == _QUESTION or codes[t] == _BANG):
        second, third = at(codes, t + 1), at(codes, t + 2)
        if second != _EQUALS or third == _EQUALS or third == _TILDE or third == _GREATER:
            t, word = t + 1, -1
    if ground != CODE:
        p.states[start:t] = ground
    before = codes[start - 1] if start > 0 else np.uint32(0)
    is_member = before == _POINT or before == _COLON
    is_variable = (
        before == _AT or before == _DOLLAR or _BIG_A <= codes[start] <= _BIG_Z or _ZERO <= codes[start] <= _NINE
    )
    is_operand = is_member or word < 0 or word not in _EXPECT_OPERAND
    _follow(p, word, is_operand, is_operand and not is_variable and before != _COLON and word != _DEF)
    return t


@compiled()
def _read_equals(p: _Program, t: int, ground: int) -> int:
    """Read an equals sign that begins a line, which may open a comment: `=begin`."""
    codes, n = p.codes, len(p.codes)
    if not _spells(codes, t, _BEGIN):
        k = 1
        while k < 6 and at(codes, t + k) == _BEGIN[k]:
            k += 1
        p.states[t : t + k] = ground
        if k == 6:
            p.states[t + 5] = COMMENT  # it was taken for the opener
        _follow(p, 0, False, False)
        return t + k
    p.states[t + 1 : t + 5] = ground
    start, t = t, t + 6
    p.states[t - 1 : t] = COMMENT
    while t < n:
        if codes[t - 1] == _NEWLINE and _begins_with(codes, t, _END):
            p.states[t : t + 3] = COMMENT
            if _spells(codes, t, _END):
                _mark(p, start, t + 4, COMMENT)
                stop = end_of_line(codes, t + 4, False)
                p.states[t + 4 : stop] = COMMENT
                return stop
            t += 4  # the last of these was taken for the end
            continue
        p.states[t] = COMMENT
        t += 1
    _mark(p, start, n, COMMENT)
    return n


@compiled()
def _read_announcement(p: _Program, t: int, ground: int) -> int:
    """Read `<<`, which may announce a here-document."""
    codes, n = p.codes, len(p.codes)
    k, flags = t + 2, _IS_EXPANDED
    is_indented = at(codes, k) == _TILDE or at(codes, k) == _DASH
    may_begin = is_indented or _begins_heredoc(p, t)
    if is_indented:
        k, flags = k + 1, flags | _IS_INDENTED
    mark = at(codes, k)
    is_quoted = mark == _QUOTE or mark == _APOSTROPHE or mark == _BACK_TICK
    if is_quoted:
        k += 1
        flags &= ~_IS_EXPANDED if mark == _APOSTROPHE else ~0
    stop = k
    while stop < n and (codes[stop] != mark and codes[stop] != _NEWLINE if is_quoted else _is_word(codes[stop])):
        stop += 1
    is_name = _BIG_A <= mark <= _BIG_Z or mark == _UNDERSCORE or (is_indented and _SMALL_A <= mark <= _SMALL_Z)
    if not may_begin or not (is_quoted or is_name):
        p.states[t : t + 2] = ground
        _follow(p, 0, False, False)
        return min(t + 2, n)
    is_closed = not is_quoted or at(codes, stop) == mark
    closed = stop + 1 if is_quoted and is_closed else stop
    p.states[t:closed] = ground
    if is_closed and stop > k and p.counts[_N_PENDING] < _MOST_PENDING:
        p.pending[p.counts[_N_PENDING]] = np.array([flags, k, stop])
        p.counts[_N_PENDING] += 1
    _follow(p, 0, True, False)
    return closed


@compiled()
def _begins_heredoc(p: _Program, t: int) -> bool:
    """Tell whether `<<` without a dash may announce a here-document."""
    if not p.counts[_IS_OPERAND]:
        return True
    return bool(p.counts[_IS_CALL]) and t > 0 and p.codes[t - 1] in _BLANKS


@compiled()
def _open_document(p: _Program, t: int) -> None:
    """Open the here-document that was announced first, behind the newline at `t`."""
    _push(p, _DOCUMENT, STRING, 0, 0, p.pending[0, 0])
    p.states[t] = STRING
    p.levels[p.counts[_N_LEVELS] - 1, _START:] = p.pending[0, 1:]
    for row in range(1, _MOST_PENDING):
        p.pending[row - 1] = p.pending[row]
    p.counts[_N_PENDING] -= 1
