"""Where a comment or a string ends: the index of its last character, or the length of the text."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled

_NEWLINE, _RETURN, _BACKSLASH, _QUOTE, _SLASH, _HASH, _DOLLAR = (ord(char) for char in '\n\r\\"/#$')
_SQUARE_OPEN, _SQUARE_CLOSE, _ROUND_OPEN, _ROUND_CLOSE = (ord(char) for char in "[]()")
_BLANKS = tuple(ord(char) for char in " \t\r\n\f\v")
_LONGEST_DELIMITER = 16  # of a raw string of C++


@compiled()
def at(codes: NDArray[np.uint32], t: int) -> int:
    """Return the code point of a character, or 0 beyond the text."""
    return int(codes[t]) if t < len(codes) else 0


@compiled()
def end_of_line(codes: NDArray[np.uint32], t: int, continued: bool) -> int:
    """Return the index of the newline that ends a line's comment.

    Args:
        codes: (n_chars,) code points.
        t: Index of the first character behind the opener.
        continued: Whether a backslash continues it on the next line.
    """
    is_escaped = False
    while t < len(codes):
        code = codes[t]
        if is_escaped:
            is_escaped = code == _RETURN
        elif code == _NEWLINE:
            return t
        else:
            is_escaped = continued and code == _BACKSLASH
        t += 1
    return t


@compiled()
def end_of_block(codes: NDArray[np.uint32], t: int, mark: int, inner: int, last: int, nests: bool) -> int:
    """Return the index of the last character of a block comment.

    Args:
        codes: (n_chars,) code points.
        t: Index of the first character behind the opener.
        mark: First character of an opener.
        inner: Its second character, and the first of a closer.
        last: Last character of a closer.
        nests: Whether comments within this one have to be closed, too.
    """
    depth, before = 1, np.uint32(0)
    while t < len(codes):
        code = codes[t]
        if code == last and before == inner:
            depth -= 1
            if depth == 0:
                return t
            before = np.uint32(0)
        elif nests and code == inner and before == mark:
            depth += 1
            before = np.uint32(0)
        else:
            before = code
        t += 1
    return t


@compiled()
def end_of_string(codes: NDArray[np.uint32], t: int, quote: int, multiline: bool, escapes: bool, gaps: bool) -> int:
    """Return the index of the mark or the newline that ends a string.

    Args:
        codes: (n_chars,) code points.
        t: Index of the first character behind the opening mark.
        quote: The mark.
        multiline: Whether a line end does not end it.
        escapes: Whether a backslash escapes the next character.
        gaps: Whether a backslash before a blank opens a gap, up to the next backslash.
    """
    while t < len(codes):
        code = codes[t]
        if code == quote or (code == _NEWLINE and not multiline):
            return t
        if code == _BACKSLASH and escapes:
            t += 1
            if gaps and t < len(codes) and codes[t] in _BLANKS:
                while t < len(codes) and codes[t] in _BLANKS:
                    t += 1
                if t < len(codes) and codes[t] != _BACKSLASH:
                    t -= 1
            elif t + 1 < len(codes) and codes[t] == _RETURN:
                t += 1
        t += 1
    return len(codes)


@compiled()
def end_of_text_block(codes: NDArray[np.uint32], t: int) -> int:
    """Return the index of the last of three quotation marks in a row, without a backslash before them."""
    n_quotes = 0
    while t < len(codes):
        n_quotes = n_quotes + 1 if codes[t] == _QUOTE else 0
        if n_quotes == 3:
            return t
        t += 2 if codes[t] == _BACKSLASH else 1
    return len(codes)


@compiled()
def end_of_hashed(codes: NDArray[np.uint32], t: int, n_hashes: int) -> int:
    """Return the index of the last character of a mark with so many hashes behind it."""
    n = -1  # hashes behind the last mark
    while t < len(codes):
        n = 0 if codes[t] == _QUOTE else n + 1 if n >= 0 and codes[t] == _HASH else -1
        if n == n_hashes:
            return t
        t += 1
    return t


@compiled()
def end_of_delimiter(codes: NDArray[np.uint32], t: int) -> int:
    """Return the index of the parenthesis that opens a raw string of C++, or -1 if there is none.

    Args:
        codes: (n_chars,) code points.
        t: Index of the first character behind the mark.
    """
    for k in range(t, min(t + _LONGEST_DELIMITER + 1, len(codes))):
        code = codes[k]
        if code == _ROUND_OPEN:
            return k
        if code in _BLANKS or code == _ROUND_CLOSE or code == _BACKSLASH or code == _QUOTE:
            return -1
    return -1


@compiled()
def end_of_delimited(codes: NDArray[np.uint32], start: int, opened: int) -> int:
    """Return the index of the mark that closes a raw string of C++, whose delimiter is in [start, opened)."""
    length = opened - start
    for t in range(opened + 1 + length, len(codes)):
        closes = codes[t] == _QUOTE and t - length - 1 > opened and codes[t - length - 1] == _ROUND_CLOSE
        if closes and same(codes, t - length, start, length):
            return t
    return len(codes)


@compiled()
def end_of_dollars(codes: NDArray[np.uint32], start: int, last: int) -> int:
    """Return the index of the dollar that ends the next tag like that in [start, last]."""
    length = last - start + 1
    for t in range(last + length, len(codes)):
        if codes[t] == _DOLLAR and same(codes, t - length + 1, start, length):
            return t
    return len(codes)


@compiled()
def same(codes: NDArray[np.uint32], a: int, b: int, length: int) -> bool:
    """Tell whether so many characters from `a` on and from `b` on are the same; the last are compared first."""
    k = length - 1
    while k >= 0 and codes[a + k] == codes[b + k]:
        k -= 1
    return k < 0


@compiled()
def end_of_regex(codes: NDArray[np.uint32], t: int) -> int:
    """Return the index of the slash or the newline that ends a regular expression, whose first character is `t`."""
    in_class = False
    while t < len(codes):
        code = codes[t]
        if code == _NEWLINE or (code == _SLASH and not in_class):
            return t
        if code == _BACKSLASH and t + 1 < len(codes) and codes[t + 1] != _NEWLINE:
            t += 1
        elif code == _SQUARE_OPEN:
            in_class = True
        elif code == _SQUARE_CLOSE:
            in_class = False
        t += 1
    return len(codes)
