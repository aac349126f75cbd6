"""Programs as tokens: words, punctuation, ends of lines and values. Comments are left out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled
from hypotheses.programs.lexers.states import CODE, COMMENT, DOC_COMMENT, REGEX

VALUE = 1
"""A string or a regular expression."""

CLOSER = 2
"""The last letter of what may turn out to be a closing word, before the word itself."""

NEWLINE, RETURN, SPACE, TAB, FEED = (ord(char) for char in "\n\r \t\f")
PLAIN, WITH_APOSTROPHES, BETWEEN_BLANKS, ANY_CASE = range(4)
"""What a word is: letters, digits, `_` and `$`; these and `'`; all between blanks and the metacharacters of shells; or
letters, digits and `_`, in either case."""

_HASH_BITS = (1 << 53) - 1
_IS_WORD = 1 << 60
_A, _Z, _CASE, _DOLLAR = ord("A"), ord("Z"), ord("a") - ord("A"), ord("$")
_CURLY_OPEN, _CURLY_CLOSE, _DASH = ord("{"), ord("}"), ord("-")
_HALF_OPENERS = tuple(ord(char) for char in "/-{")  # of //, /*, -- and {-, before the comment is known to be one


class Tokens(NamedTuple):
    """The tokens of a program.

    Attributes:
        kinds: (n_tokens,) int64: the `word` of a word, the code point of punctuation, `NEWLINE`, `VALUE` or `CLOSER`.
        starts: (n_tokens,) int32, where each begins.
        ends: (n_tokens,) int32, where each ends.
    """

    kinds: NDArray[np.int64]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]


def word(spelled: str) -> int:
    """Return the number that stands for a word among the kinds of tokens."""
    number = 0
    for char in spelled:
        number = (number * 257 + ord(char)) & _HASH_BITS
    return number | _IS_WORD


def read_tokens(
    codes: NDArray[np.uint32], states: NDArray[np.uint8], words: int = PLAIN, closers: tuple[int, int] = (0, 0)
) -> Tokens:
    """Take a program apart.

    Args:
        codes: (n_chars,) code points.
        states: (n_chars,) what each character is.
        words: What a word is: `PLAIN` or another of these.
        closers: Words whose last letter is a token of its own, also where it turns out to be within a longer word:
            what they close may have ended there, as far as one can tell.
    """
    return Tokens(*_read(codes, states, _word_characters(words), words, *closers))


@compiled()
def is_word(kind: int) -> bool:
    """Return whether a token is a word."""
    return kind >= _IS_WORD


def _word_characters(words: int) -> NDArray[np.bool_]:
    """Return (128,) whether an ASCII character is in words; all others are."""
    chars = [chr(code) for code in range(128)]
    if words == BETWEEN_BLANKS:
        return np.array([char > " " and char not in ";&|()<>" for char in chars])
    more = {PLAIN: "_$", WITH_APOSTROPHES: "_$'", ANY_CASE: "_"}[words]
    return np.array([char.isalnum() or char in more for char in chars])


@compiled()
def _read(
    codes: NDArray[np.uint32],
    states: NDArray[np.uint8],
    in_words: NDArray[np.bool_],
    words: int,
    closer: int,
    other_closer: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    """Return the fields of `Tokens`."""
    size = len(codes) * 3 // 2 + 4  # the most that there can be; memory that is not used costs nothing
    kinds, starts, ends = np.empty(size, np.int64), np.empty(size, np.int32), np.empty(size, np.int32)
    n, number, begun = 0, np.int64(0), -1  # tokens; the number of the word that is being read, and where it began
    was_comment, was_value, has_flags = False, False, False
    n_expansions = 0  # of shells: ${ that are open in this line
    for t in range(len(codes) + 1):
        state = states[t] if t < len(codes) else CODE
        code = np.int64(codes[t]) if t < len(codes) else np.int64(NEWLINE)
        is_last_mark = (was_comment or (was_value and not has_flags)) and code != NEWLINE  # a closing mark is code
        is_code = state == CODE and not is_last_mark
        if words == BETWEEN_BLANKS and is_code:
            n_expansions = 0 if code == NEWLINE else n_expansions
            n_expansions += int(code == _CURLY_OPEN and t > 0 and codes[t - 1] == _DOLLAR)
        is_in_word = is_code and (n_expansions > 0 or code > 127 or in_words[code])
        n_expansions -= int(is_code and n_expansions > 0 and code == _CURLY_CLOSE)
        if begun >= 0 and not is_in_word:
            kinds[n], starts[n], ends[n] = number | _IS_WORD, begun, t
            n, begun = n + 1, -1
        if t == len(codes):
            break
        if state == COMMENT or state == DOC_COMMENT:
            if not was_comment and n > 0 and ends[n - 1] == t and kinds[n - 1] in _HALF_OPENERS:
                n -= 1
                n -= int(kinds[n] == _DASH and n > 0 and ends[n - 1] == t - 1 and kinds[n - 1] == _CURLY_OPEN)
        elif state != CODE:
            if not was_value:
                has_flags = state == REGEX and n > 0 and kinds[n - 1] == VALUE and ends[n - 1] == t - 1
                kinds[n], starts[n] = VALUE, t
                n += 1
            ends[n - 1] = t + 1
        elif is_in_word:
            if begun < 0:
                begun, number = t, np.int64(0)
            letter = code + _CASE if words == ANY_CASE and _A <= code <= _Z else code
            number = (number * 257 + letter) & _HASH_BITS
            if number | _IS_WORD == closer or number | _IS_WORD == other_closer:
                kinds[n], starts[n], ends[n] = CLOSER, t, t + 1
                n += 1
        elif is_code and not (code == SPACE or code == TAB or code == RETURN or code == FEED):
            kinds[n], starts[n], ends[n] = code, t, t + 1
            n += 1
        was_comment = state == COMMENT or state == DOC_COMMENT
        was_value = state != CODE and not was_comment
    return kinds[:n], starts[:n], ends[:n]
