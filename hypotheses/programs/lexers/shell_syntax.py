"""Tells code, comments and strings apart in shell scripts, without looking ahead.

What stands within each other (quotes, substitutions, here-documents) is a stack of levels. A reader of a token fills
its states, and changes the stack.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import pack
from hypotheses.kernels import compiled
from hypotheses.programs.lexers.literals import at, end_of_string, same
from hypotheses.programs.lexers.states import CODE, COMMENT, FIELD, STRING

_TOP, _QUOTED, _DOCUMENT, _COMMANDS, _TICKS, _PARAMETER, _ARITHMETIC = range(7)
"""Kinds of levels: the script, text in quotes, a here-document, `$(…)`, back-ticks, `${…}`, `((…))`."""

_KIND, _DEPTH, _CASES, _START, _STOP, _FLAGS = range(6)
"""Columns of a level: its kind, open parentheses, open `case` commands, where the word is that ends a here-document,
and flags."""

_SKIPS_TABS, _IS_VERBATIM = 1, 2  # of a here-document: tabs may precede its end; it is not expanded
_IS_QUOTED = 4  # of `${…}`: it is in quotes, in which an apostrophe has no meaning

_N_LEVELS, _N_TEXTS, _N_PENDING, _WORD, _LAST = range(5)
"""Counts: levels; those of them that are text; announced here-documents; the last word, packed, if nothing but blanks
follows; the last character that is not blank."""

_MOST_PENDING = 16  # here-documents that are announced in one line

_NEWLINE, _BACKSLASH, _QUOTE, _APOSTROPHE, _BACK_TICK, _HASH, _DOLLAR, _DASH, _TAB = (ord(c) for c in "\n\\\"'`#$-\t")
_ROUND_OPEN, _ROUND_CLOSE, _OPEN, _CLOSE, _LESS, _SPACE, _RETURN = (ord(char) for char in "(){}< \r")
_WORD_ENDS = tuple(ord(char) for char in " \t\r\n;&|()<>")
_PARAMETERS = tuple(ord(char) for char in "#$?!@*-0123456789")
_COMMAND_FOLLOWS = tuple(ord(char) for char in "\n;&|({!")
_CASE, _ESAC = pack("case"), pack("esac")
_WORDS_BEFORE_COMMANDS = tuple(pack(word) for word in ("do", "then", "else"))
_ENDS_WORD = np.isin(np.arange(128), [ord(char) for char in " \t\r\n;&|()<>\"'`\\$"])


class _Script(NamedTuple):
    """A script, and how far it has been read.

    Attributes:
        codes: (n_chars,) code points.
        states: (n_chars,) states.
        whole: (n_chars,) `STRING` at delimiters; or empty.
        levels: (n, 6) the stack.
        pending: (16, 3) where the end words of announced here-documents are, and their flags.
        counts: (5,) numbers.
    """

    codes: NDArray[np.uint32]
    states: NDArray[np.uint8]
    whole: NDArray[np.uint8]
    levels: NDArray[np.int64]
    pending: NDArray[np.int64]
    counts: NDArray[np.int64]


@compiled()
def read_shell(codes: NDArray[np.uint32], whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (n_chars,) what each character is, once read: `CODE`, `COMMENT`, `STRING` or `FIELD`.

    Args:
        codes: (n_chars,) code points.
        whole: (n_chars,) zeros, to be filled with `STRING` at delimiters; or empty. Changed.
    """
    states = np.zeros(len(codes), np.uint8)
    counts = np.array([1, 0, 0, 0, _NEWLINE])
    s = _Script(codes, states, whole, np.zeros((64, 6), np.int64), np.zeros((_MOST_PENDING, 3), np.int64), counts)
    t = 0
    while t < len(codes):
        n_levels = counts[_N_LEVELS]
        if n_levels == len(s.levels):
            s = _Script(codes, states, whole, np.concatenate((s.levels, np.zeros_like(s.levels))), s.pending, counts)
        kind = s.levels[n_levels - 1, _KIND]
        if kind == _QUOTED:
            t = _read_quoted(s, t)
        elif kind == _DOCUMENT:
            t = _read_document(s, t)
        elif kind == _PARAMETER:
            t = _read_parameter(s, t)
        else:
            t = _read_code(s, t, kind)
    return states


@compiled()
def _ground(s: _Script) -> int:
    """Return the state of code at this level."""
    return FIELD if s.counts[_N_TEXTS] > 0 else CODE


@compiled()
def _mark(s: _Script, start: int, stop: int) -> None:
    """Note delimiters of strings."""
    if len(s.whole) > 0:
        s.whole[start:stop] = STRING


@compiled()
def _push(s: _Script, kind: int, depth: int, flags: int) -> None:
    """Open a level."""
    n = s.counts[_N_LEVELS]
    s.levels[n] = 0
    s.levels[n, _KIND], s.levels[n, _DEPTH], s.levels[n, _FLAGS] = kind, depth, flags
    s.counts[_N_LEVELS] = n + 1
    s.counts[_N_TEXTS] += kind == _QUOTED or kind == _DOCUMENT
    s.counts[_WORD], s.counts[_LAST] = 0, _NEWLINE


@compiled()
def _pop(s: _Script) -> None:
    """Close the innermost level."""
    kind = s.levels[s.counts[_N_LEVELS] - 1, _KIND]
    s.counts[_N_LEVELS] -= 1
    s.counts[_N_TEXTS] -= kind == _QUOTED or kind == _DOCUMENT
    s.counts[_WORD], s.counts[_LAST] = 0, 0


@compiled()
def _is_text(s: _Script) -> bool:
    """Tell whether the innermost level is text."""
    kind = s.levels[s.counts[_N_LEVELS] - 1, _KIND]
    return bool(kind == _QUOTED or kind == _DOCUMENT)


@compiled()
def _read_quoted(s: _Script, t: int) -> int:
    """Read text in quotes up to their end, or to code within."""
    n_levels = s.counts[_N_LEVELS]
    while t < len(s.codes) and s.counts[_N_LEVELS] == n_levels:
        code = s.codes[t]
        if code == _QUOTE:
            _mark(s, t, t + 1)
            _pop(s)
            s.states[t] = _ground(s)
            t += 1
        else:
            t = _read_text(s, t)
    return t


@compiled()
def _read_text(s: _Script, t: int) -> int:
    """Read a character of text, an escaped one, or what begins code."""
    code = s.codes[t]
    if code == _DOLLAR:
        return _read_dollar(s, t, True)
    s.states[t] = STRING
    if code == _BACK_TICK:
        s.states[t] = FIELD
        _push(s, _TICKS, 0, 0)
    elif code == _BACKSLASH:
        s.states[t : t + 2] = STRING
        return t + 2
    return t + 1


@compiled()
def _read_document(s: _Script, t: int) -> int:
    """Read a here-document up to its end, or to code within."""
    codes, n, n_levels = s.codes, len(s.codes), s.counts[_N_LEVELS]
    level = s.levels[n_levels - 1]
    start, length = level[_START], level[_STOP] - level[_START]
    while t < n and s.counts[_N_LEVELS] == n_levels:
        if codes[t - 1] == _NEWLINE:
            k = t
            while level[_FLAGS] & _SKIPS_TABS and at(codes, k) == _TAB:
                k += 1
            stop = k + length
            if stop <= n and same(codes, k, start, length):
                s.states[t:stop] = STRING
                if stop == n or codes[stop] == _NEWLINE:
                    _mark(s, stop - 1, stop)
                    _pop(s)
                    s.states[stop - 1] = _ground(s)
                    return int(stop)
                s.states[stop - 1] = FIELD if s.counts[_N_TEXTS] > 1 else CODE  # it was taken for the end
                t = stop
                continue
        if level[_FLAGS] & _IS_VERBATIM:
            s.states[t] = STRING
            t += 1
        else:
            t = _read_text(s, t)
    return t


@compiled()
def _read_dollar(s: _Script, t: int, in_text: bool) -> int:
    """Read a dollar, and what it opens."""
    second, ground = at(s.codes, t + 1), _ground(s)
    s.states[t] = STRING if in_text else ground
    if second == _ROUND_OPEN:
        is_arithmetic = at(s.codes, t + 2) == _ROUND_OPEN
        stop = t + 3 if is_arithmetic else t + 2
        s.states[t + 1 : stop] = ground
        _push(s, _ARITHMETIC if is_arithmetic else _COMMANDS, 2 if is_arithmetic else 0, 0)
        return stop
    if second == _OPEN:
        s.states[t + 1] = ground
        level = s.levels[s.counts[_N_LEVELS] - 1]
        is_quoted = in_text or (level[_KIND] == _PARAMETER and level[_FLAGS] & _IS_QUOTED)
        _push(s, _PARAMETER, 0, _IS_QUOTED if is_quoted else 0)
        return t + 2
    if second == _APOSTROPHE and not in_text:
        return _fill(s, t, t + 1, end_of_string(s.codes, t + 2, _APOSTROPHE, True, True, False))
    if second in _PARAMETERS:
        s.states[t + 1] = STRING if in_text else ground
        return t + 2
    return t + 1


@compiled()
def _fill(s: _Script, start: int, opened: int, stop: int) -> int:
    """Fill the states of a string without code in it; return where to go on."""
    s.states[opened:stop] = STRING
    _mark(s, start, stop + 1)
    if stop < len(s.codes):
        s.states[stop] = _ground(s)
    s.counts[_WORD], s.counts[_LAST] = 0, 0
    return min(stop + 1, len(s.codes))


@compiled()
def _read_parameter(s: _Script, t: int) -> int:
    """Read a character of `${…}`, or what opens another level in it."""
    code = s.codes[t]
    if code == _DOLLAR:
        return _read_dollar(s, t, False)
    is_quoted = s.levels[s.counts[_N_LEVELS] - 1, _FLAGS] & _IS_QUOTED
    if code == _APOSTROPHE and not is_quoted:
        return _fill(s, t, t, end_of_string(s.codes, t + 1, _APOSTROPHE, True, False, False))
    s.states[t] = _ground(s)
    if code == _CLOSE:
        _pop(s)
        s.states[t] = STRING if _is_text(s) else _ground(s)
    elif code == _QUOTE:
        _open_quotes(s, t)
    elif code == _BACK_TICK:
        _push(s, _TICKS, 0, 0)
    elif code == _BACKSLASH:
        s.states[t : t + 2] = _ground(s)
        return t + 2
    return t + 1


@compiled()
def _open_quotes(s: _Script, t: int) -> None:
    """Open text in quotes, whose mark is at `t`."""
    s.states[t] = STRING
    _mark(s, t, t + 1)
    _push(s, _QUOTED, 0, 0)


@compiled()
def _read_code(s: _Script, t: int, kind: int) -> int:
    """Read words and blanks, and a sign behind them, on a level of this kind."""
    ground = _ground(s)
    while t < len(s.codes):
        code = s.codes[t]
        if code == _SPACE or code == _TAB or code == _RETURN:
            s.states[t] = ground
            t += 1
        elif code == _HASH and kind != _ARITHMETIC and (t == 0 or s.codes[t - 1] in _WORD_ENDS):
            t = _read_comment(s, t, kind == _TICKS)
        elif code >= 128 or not _ENDS_WORD[code]:
            t = _read_word(s, t, ground)
        else:
            return _read_sign(s, t, kind, ground)
    return t


@compiled()
def _read_sign(s: _Script, t: int, kind: int, ground: int) -> int:
    """Read a sign, and what belongs to it, on a level of this kind."""
    code = s.codes[t]
    if code == _DOLLAR:
        s.counts[_WORD], s.counts[_LAST] = 0, code
        return _read_dollar(s, t, False)
    if code == _APOSTROPHE:
        return _fill(s, t, t, end_of_string(s.codes, t + 1, _APOSTROPHE, True, False, False))
    s.states[t] = ground
    if code == _QUOTE:
        _open_quotes(s, t)
    elif code == _BACK_TICK and kind == _TICKS:
        _pop(s)
        s.states[t] = STRING if _is_text(s) else _ground(s)
    elif code == _BACK_TICK:
        _push(s, _TICKS, 0, 0)
    elif code == _ROUND_OPEN or code == _ROUND_CLOSE:
        return _read_parenthesis(s, t, kind, ground)
    elif code == _LESS and at(s.codes, t + 1) == _LESS and kind != _ARITHMETIC:
        return _read_announcement(s, t, ground)
    else:
        s.counts[_WORD], s.counts[_LAST] = 0, code
        if code == _NEWLINE and s.counts[_N_PENDING] > 0:
            _open_document(s, t)
        elif code == _BACKSLASH:
            s.states[t : t + 2] = ground
            return t + 2
    return t + 1


@compiled()
def _open_document(s: _Script, t: int) -> None:
    """Open the here-document that was announced first, behind the newline at `t`."""
    s.states[t] = STRING
    _push(s, _DOCUMENT, 0, 0)
    s.levels[s.counts[_N_LEVELS] - 1, _START:] = s.pending[0]
    for row in range(1, _MOST_PENDING):
        s.pending[row - 1] = s.pending[row]
    s.counts[_N_PENDING] -= 1


@compiled()
def _read_comment(s: _Script, t: int, in_ticks: bool) -> int:
    """Read a comment, up to the end of its line, or of the back-ticks around it."""
    while t < len(s.codes) and s.codes[t] != _NEWLINE and not (in_ticks and s.codes[t] == _BACK_TICK):
        s.states[t] = COMMENT
        t += 1
    return t


@compiled()
def _read_word(s: _Script, t: int, ground: int) -> int:
    """Read a word, up to a quotation mark, a dollar or its end, and count the open `case` commands."""
    start, word = t, 0
    while t < len(s.codes) and (s.codes[t] >= 128 or not _ENDS_WORD[s.codes[t]]):
        word = word << 8 | int(s.codes[t] & 0x7F)
        t += 1
    word = word if t - start <= 8 else -1
    if ground != CODE:
        s.states[start:t] = ground
    begins_command = s.counts[_LAST] in _COMMAND_FOLLOWS or s.counts[_WORD] in _WORDS_BEFORE_COMMANDS
    if begins_command and (start == 0 or s.codes[start - 1] in _WORD_ENDS or s.codes[start - 1] == _BACK_TICK):
        level = s.levels[s.counts[_N_LEVELS] - 1]
        level[_CASES] = max(level[_CASES] + np.int64(word == _CASE) - np.int64(word == _ESAC), 0)
    s.counts[_WORD], s.counts[_LAST] = word, np.int64(s.codes[t - 1])
    return t


@compiled()
def _read_parenthesis(s: _Script, t: int, kind: int, ground: int) -> int:
    """Read a parenthesis, which may open or close a level."""
    code, level = s.codes[t], s.levels[s.counts[_N_LEVELS] - 1]
    s.counts[_WORD], s.counts[_LAST] = 0, code
    begins_word = t == 0 or s.codes[t - 1] in _WORD_ENDS
    if code == _ROUND_OPEN and kind != _ARITHMETIC and begins_word and at(s.codes, t + 1) == _ROUND_OPEN:
        s.states[t + 1] = ground
        _push(s, _ARITHMETIC, 2, 0)
        return t + 2
    if code == _ROUND_OPEN:
        level[_DEPTH] += 1
        return t + 1
    is_closed = kind == _COMMANDS and level[_DEPTH] == 0 and level[_CASES] == 0
    level[_DEPTH] = max(level[_DEPTH] - 1, 0)
    if is_closed or (kind == _ARITHMETIC and level[_DEPTH] == 0):
        _pop(s)
        s.states[t] = STRING if _is_text(s) else _ground(s)
    return t + 1


@compiled()
def _read_announcement(s: _Script, t: int, ground: int) -> int:
    """Read `<<` and the word behind it, which ends a here-document, or `<<<`."""
    codes, n = s.codes, len(s.codes)
    s.counts[_WORD], s.counts[_LAST] = 0, _LESS
    k = t + 2
    flags = 0
    if at(codes, k) == _LESS:
        s.states[t : k + 1] = ground
        return k + 1
    if at(codes, k) == _DASH:
        flags, k = _SKIPS_TABS, k + 1
    while at(codes, k) == _SPACE or at(codes, k) == _TAB:
        k += 1
    mark = at(codes, k)
    is_quoted = mark == _QUOTE or mark == _APOSTROPHE
    if is_quoted or mark == _BACKSLASH:
        flags, k = flags | _IS_VERBATIM, k + 1
    stop = k
    while stop < n and codes[stop] != _NEWLINE:
        if codes[stop] == mark if is_quoted else codes[stop] in _WORD_ENDS:
            break
        stop += 1
    closed = min(stop + is_quoted, n)
    if stop < n and stop > k and s.counts[_N_PENDING] < _MOST_PENDING and not (is_quoted and codes[stop] == _NEWLINE):
        s.pending[s.counts[_N_PENDING]] = np.array([k, stop, flags])
        s.counts[_N_PENDING] += 1
    if is_quoted and at(codes, stop) == _NEWLINE:
        closed = stop
    s.states[t:closed] = ground
    return closed
