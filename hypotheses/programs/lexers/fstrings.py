"""The f-strings and t-strings of Python: text, and code in braces, within which there may be strings again.

They are read like Python 3.12 and later do (PEP 701), whichever Python runs: older ones allow less in the braces, and
what they allow means the same. If braces are left open, what follows is taken for code until a line begins with `def`
or `class`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import LONGEST_PACKED, pack
from hypotheses.kernels import compiled
from hypotheses.programs.lexers.states import COMMENT, FIELD, STRING

LEVEL = np.dtype(
    [
        ("quote", np.uint32),  # its mark
        ("long", np.bool_),  # three marks end it
        ("verbatim", np.bool_),  # it is raw
        ("formatted", np.bool_),  # it has fields
        ("n_fields", np.int64),  # open fields, each in the format of the one before
        ("in_field", np.bool_),  # in the code of the innermost field, not in its format
        ("n_brackets", np.int64),  # open brackets in that code
        ("n_quotes", np.int64),  # marks read in a row, which may end a long string
        ("escaped", np.bool_),  # a backslash precedes the next character
        ("named", np.int64),  # 1 after the \N of a character's name, 2 in its braces
        ("opened", np.int64),  # where the string was opened
        ("emptied", np.int64),  # where a string in a field of this one was closed empty
        ("brace", np.int64),  # where the innermost field was opened
        ("exclamation", np.int64),  # where a ! was read in it
        ("in_comment", np.bool_),  # in a comment in the code of a field
        ("word", np.int64),  # the first word of a line of that code, packed; 0 before it, -1 behind it
    ]
)
"""An open string. Levels are an f-string, the string in its braces, and so on."""

MAX_LEVELS = 150
"""Number of strings that may be open within each other; the limit of CPython for f-strings."""

_QUOTE, _APOSTROPHE, _BACKSLASH, _NEWLINE, _RETURN, _HASH, _COLON, _EXCLAMATION, _EQUALS, _BIG_N = (
    ord(char) for char in "\"'\\\n\r#:!=N"
)
_OPEN, _CLOSE = ord("{"), ord("}")
_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_BLANKS = tuple(ord(char) for char in " \t\r\f")
_DEF, _CLASS, _ASYNC = pack("def"), pack("class"), pack("async")
_PREFIXES = tuple(pack(letters) for letters in ("r", "f", "t", "rf", "fr", "rt", "tr"))
_RAW_ONLY = pack("r")
_RAW = tuple(pack(letters) for letters in ("r", "rf", "fr", "rt", "tr"))


@compiled()
def extended(word: int, code: int) -> int:
    """Extend the word that is being read, in small letters and packed, by a character; 0 if the character ends it.

    Only words that can be the prefix of a string are exact: longer ones are -1.
    """
    is_letter = 97 <= code <= 122 or 65 <= code <= 90
    if not (is_letter or 48 <= code <= 57 or code == 95 or code > 127):
        return 0
    return word << 8 | (code | 0x20) if is_letter and 0 <= word < 256 else -1


@compiled()
def is_formatted(prefix: int) -> bool:
    """Tell whether a string with this prefix has fields."""
    return prefix in _PREFIXES and prefix != _RAW_ONLY


@compiled()
def is_raw(prefix: int) -> bool:
    """Tell whether a backslash in a string with this prefix has no special meaning."""
    return prefix in _RAW


@compiled()
def open_level(levels: NDArray[np.void], n: int, quote: int, long: bool, prefix: int, t: int) -> int:
    """Open a string within `n` others, at character `t`; return how many are open now."""
    levels[n].quote, levels[n].long, levels[n].opened = quote, long, t
    levels[n].formatted, levels[n].verbatim = is_formatted(prefix), is_raw(prefix)
    levels[n].n_fields = levels[n].n_brackets = levels[n].n_quotes = levels[n].named = 0
    levels[n].in_field = levels[n].escaped = levels[n].in_comment = False
    levels[n].emptied = levels[n].brace = levels[n].exclamation = -2
    return n + 1


@compiled()
def read_on(levels: NDArray[np.void], n: int, prefix: int, t: int, code: int) -> int:
    """Read one more character of an f-string; return how many strings are open after it, 0 if the f-string has ended.

    Args:
        levels: The open strings, of dtype `LEVEL`. Changed.
        n: How many there are, above 0.
        prefix: The word that ends before the character, see `extended`.
        t: Index of the character.
        code: Its code point.
    """
    if levels[n - 1].in_field:
        return _read_code(levels, n, prefix, t, code)
    return _read_text(levels, n, t, code)


@compiled()
def part_of(levels: NDArray[np.void], n: int) -> int:
    """Return what the last character read of an f-string is: `STRING`, `FIELD` or `COMMENT`."""
    if not levels[n - 1].in_field:
        return STRING
    return COMMENT if levels[n - 1].in_comment else FIELD


@compiled()
def _read_text(levels: NDArray[np.void], n: int, t: int, code: int) -> int:
    """Read a character of the text of a string, or of the format of a field."""
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


@compiled()
def _read_code(levels: NDArray[np.void], n: int, prefix: int, t: int, code: int) -> int:
    """Read a character of the code of a field."""
    level = levels[n - 1]
    if _begins_definition(level, code):
        return 0
    if level.in_comment:
        level.in_comment = code != _NEWLINE
    elif code == _OPEN and level.brace == t - 1 and level.n_fields == 1:
        level.in_field, level.n_fields = False, 0  # two braces mean one in the text
    elif (code == _QUOTE or code == _APOSTROPHE) and n < MAX_LEVELS:
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
        level.in_field = False  # a colon begins the format, an exclamation mark the conversion
    elif code == _EXCLAMATION:
        level.exclamation = t
    return n


@compiled()
def _begins_definition(level: Any, code: int) -> bool:
    """Tell whether a line of a field's code has begun with `def` or `class`: its braces were left open."""
    word = level.word
    is_small = 97 <= code <= 122
    if code == _NEWLINE or (word == 0 and code in _BLANKS):
        level.word = 0
    elif word >= 0 and is_small:
        level.word = word << 8 | code if word < LONGEST_PACKED else -1
    else:
        level.word = 0 if word == _ASYNC and code in _BLANKS else -1
        return (word == _DEF or word == _CLASS) and (code in _BLANKS or code == _COLON)
    return False
