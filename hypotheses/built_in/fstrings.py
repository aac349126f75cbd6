"""The f-strings of Python, and its t-strings: text, and code in braces, in which there may be strings again.

They are read as Python 3.12 and later do (PEP 701), whichever Python runs: older ones allow less in the braces, and
what they allow means the same.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.built_in.text import pack

CODE, COMMENT, STRING, DOCSTRING, FIELD = range(5)
"""What a character of a program is; a `FIELD` is the code in the braces of an f-string."""

LEVEL = np.dtype(
    [
        ("quote", np.uint32),  # the mark
        ("long", np.bool_),  # whether three marks end it
        ("verbatim", np.bool_),  # whether it is raw
        ("formatted", np.bool_),  # whether it has fields
        ("n_fields", np.int64),  # open, one in the format of the other
        ("in_field", np.bool_),  # in the code of the innermost, not in its format
        ("n_brackets", np.int64),  # open in that code
        ("n_quotes", np.int64),  # in a row, at the end of a long string
        ("escaped", np.bool_),
        ("named", np.int64),  # 1 behind the backslash and N of a character's name, 2 in its braces
        ("opened", np.int64),  # where it was
        ("emptied", np.int64),  # where a string in a field of this one was closed empty
        ("brace", np.int64),  # where the innermost field was opened
        ("exclamation", np.int64),  # where a ! stands in it
        ("in_comment", np.bool_),  # in the code of a field
        ("word", np.int64),  # the first word of a line of that code, packed; -1 behind it
    ]
)
"""A string that is open. Levels are an f-string, the string in its braces, and so on."""

DEEPEST = 150
"""How many strings may be open; CPython's bound on f-strings."""

_QUOTE, _APOSTROPHE, _BACKSLASH, _NEWLINE, _RETURN, _HASH, _COLON, _EXCLAMATION, _EQUALS, _BIG_N = (
    ord(char) for char in "\"'\\\n\r#:!=N"
)
_OPEN, _CLOSE = ord("{"), ord("}")
_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_BLANKS = tuple(ord(char) for char in " \t\r\f")
_DEF, _CLASS, _ASYNC = pack("def"), pack("class"), pack("async")
_LONGEST_WORD = 1 << 56
_PREFIXES = tuple(pack(letters) for letters in ("r", "f", "t", "rf", "fr", "rt", "tr"))
_R_ALONE = pack("r")
_RAW = tuple(pack(letters) for letters in ("r", "rf", "fr", "rt", "tr"))


@njit(cache=True)
def extended(word: int, code: int) -> int:
    """The word that is being read, in small letters and packed, with one more character; 0 if that is of no word.

    Only what may stand before a string is told exactly: longer words are -1.
    """
    is_letter = 97 <= code <= 122 or 65 <= code <= 90
    if not (is_letter or 48 <= code <= 57 or code == 95 or code > 127):
        return 0
    return word << 8 | (code | 0x20) if is_letter and 0 <= word < 256 else -1


@njit(cache=True)
def is_formatted(prefix: int) -> bool:
    """Whether a string behind this word has fields."""
    return prefix in _PREFIXES and prefix != _R_ALONE


@njit(cache=True)
def is_raw(prefix: int) -> bool:
    """Whether a backslash in a string behind this word is one."""
    return prefix in _RAW


@njit(cache=True)
def open_level(levels: NDArray[np.void], n: int, quote: int, long: bool, prefix: int, t: int) -> int:
    """Open a string within `n` others, at character `t`; how many are open now."""
    levels[n].quote, levels[n].long, levels[n].opened = quote, long, t
    levels[n].formatted, levels[n].verbatim = is_formatted(prefix), is_raw(prefix)
    levels[n].n_fields = levels[n].n_brackets = levels[n].n_quotes = levels[n].named = 0
    levels[n].in_field = levels[n].escaped = levels[n].in_comment = False
    levels[n].emptied = levels[n].brace = levels[n].exclamation = -2
    return n + 1


@njit(cache=True)
def read_on(levels: NDArray[np.void], n: int, prefix: int, t: int, code: int) -> int:
    """Read one more character of an f-string; how many strings are open behind it, 0 if it has ended.

    Args:
        levels: The strings that are open, of `LEVEL`. Changed.
        n: How many of them, above 0.
        prefix: The word that ends before the character, see `extended`.
        t: The character's place.
        code: Its code point.
    """
    if levels[n - 1].in_field:
        return _read_code(levels, n, prefix, t, code)
    return _read_text(levels, n, t, code)


@njit(cache=True)
def what_is_read(levels: NDArray[np.void], n: int) -> int:
    """What the last character of an f-string is that has been read: text, code or a comment."""
    if not levels[n - 1].in_field:
        return STRING
    return COMMENT if levels[n - 1].in_comment else FIELD


@njit(cache=True)
def _read_text(levels: NDArray[np.void], n: int, t: int, code: int) -> int:
    """Read on in the text of a string, or in the format of a field."""
    level = levels[n - 1]
    is_brace = level.formatted and (code == _OPEN or code == _CLOSE)
    n_quotes, named = level.n_quotes, level.named
    level.n_quotes = 0
    if level.escaped and not is_brace:
        level.named = 1 if level.formatted and not level.verbatim and code == _BIG_N else 0
        level.escaped = code == _RETURN
        return n
    level.escaped = code == _BACKSLASH
    level.named = 2 if named == 2 and code != _CLOSE else 0
    if is_brace:
        if code == _CLOSE:
            level.n_fields -= named != 2 and level.n_fields > 0
        elif named > 0:
            level.named = 2
        else:
            level.in_field, level.n_brackets, level.brace, level.word = True, 0, t, -1
            level.n_fields += 1
    elif code == level.quote and level.long:
        level.n_quotes = n_quotes + 1
        return n - 1 if n_quotes == 2 else n
    elif not level.long and (code == level.quote or code == _NEWLINE):
        if n > 1 and code == level.quote and level.opened == t - 1:
            levels[n - 2].emptied = t
        return n - 1
    return n


@njit(cache=True)
def _read_code(levels: NDArray[np.void], n: int, prefix: int, t: int, code: int) -> int:
    """Read on in the code of a field."""
    level = levels[n - 1]
    if _begins_definition(level, code):
        return 0
    if level.in_comment:
        level.in_comment = code != _NEWLINE
    elif code == _OPEN and level.brace == t - 1 and level.n_fields == 1:
        level.in_field, level.n_fields = False, 0  # two braces stand for one
    elif (code == _QUOTE or code == _APOSTROPHE) and n < DEEPEST:
        if level.emptied == t - 1 and levels[n].quote == code:  # the third mark
            levels[n].long = True
            return n + 1
        return open_level(levels, n, code, False, prefix, t)
    elif code == _HASH:
        level.in_comment = True
    elif code in _OPENING:
        level.n_brackets += 1
    elif level.n_brackets > 0:
        level.n_brackets -= code in _CLOSING
    elif code == _CLOSE:
        level.in_field = False
        level.n_fields -= 1
    elif code == _COLON or (level.exclamation == t - 1 and code != _EQUALS):
        level.in_field = False  # behind a colon or exclamation mark comes the format or the conversion
    elif code == _EXCLAMATION:
        level.exclamation = t
    return n


@njit(cache=True)
def _begins_definition(level: Any, code: int) -> bool:
    """Whether a line has begun with `def` or `class`, where no string is open: the braces have been left open."""
    word = level.word
    is_small = 97 <= code <= 122
    if code == _NEWLINE or (word == 0 and code in _BLANKS):
        level.word = 0
    elif word >= 0 and is_small:
        level.word = word << 8 | code if word < _LONGEST_WORD else -1
    else:
        level.word = 0 if word == _ASYNC and code in _BLANKS else -1
        return (word == _DEF or word == _CLASS) and (code in _BLANKS or code == _COLON)
    return False
