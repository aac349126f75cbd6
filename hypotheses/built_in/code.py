"""The structure of programs in Python and in languages like C. Comments and strings are left out: see `in_comment`."""

import functools
from collections.abc import Iterable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.built_in.nesting import ROUND, SQUARE, depth_of
from hypotheses.characters import DIGIT, WORD, pack, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.programs.directives import directives
from hypotheses.programs.lexers.states import CODE, COMMENT, DOC_COMMENT, DOCSTRING, FIELD, STRING
from hypotheses.programs.program import Program, Reading, read_program

_NEWLINE, _HASH, _SLASH, _POINT, _BACKSLASH, _RETURN, _COLON, _SEMICOLON, _EQUALS, _QUOTE, _APOSTROPHE = (
    ord(char) for char in "\n#/.\\\r:;=\"'"
)
_ROUND_OPEN, _ROUND_CLOSE, _CURLY_OPEN, _CURLY_CLOSE = (ord(char) for char in "(){}")
_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_SPACE, _TAB = ord(" "), ord("\t")
_SOURCE = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"
_IF, _ELIF, _DEF, _CLASS, _ASYNC = (pack(word) for word in ("if", "elif", "def", "class", "async"))
_TYPES = tuple(pack(word) for word in ("struct", "union", "enum", "class"))
_STRING_PREFIXES = tuple(
    np.uint64(pack(word)) for word in ("r", "u", "b", "f", "t", "br", "rb", "fr", "rf", "tr", "rt", "l", "u8")
)
_NAME, _KEYWORD = 1, 2


@hypothesis(kind="binary")
def in_preprocessor(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, in a line for the preprocessor of C?

    Such a line begins with `#`, after nothing but blanks, outside comments and strings, and ends with its newline,
    unless a backslash precedes that. Python has none. The language is decided as in `in_comment`.

    >>> in_preprocessor("a;\n#define b \\\nc\nd", "c").marks()
    '...xxxxxxxxxxxxx..'
    """
    program = read_program(text, language, file_name)
    return Labels(_any_of(_directives_of(reading, program.codes) for reading in program.readings), "binary")


@hypothesis(
    unit="brackets",
    source=_SOURCE,
    expects="In an LSTM trained on the Linux kernel, a cell was found that follows the depth of an expression.",
)
def expression_depth(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    """How many parentheses and square brackets of the code are open?

    Those in comments and strings do not count. A closing brace ends what was left open since the opening one. The
    language is decided as in `in_comment`.

    >>> print(expression_depth.mark("f(a[1], '(')"))
    f(a[1], '(')
    011221111110
    """
    program = read_program(text, language, file_name)
    code = np.where(program.is_code, program.codes, 0).astype(np.uint32)
    return Labels(depth_of(code, ROUND, SQUARE, over_paragraphs=True).astype(np.float64), "numeric")


@hypothesis(kind="binary", causal=False)
def in_keyword(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    """Is the character part of a keyword?

    A keyword of Python or C, outside comments, strings and lines for the preprocessor; the code in the braces of an
    f-string counts. It looks ahead, to the end of the word. The language is decided as in `in_comment`, for each word
    at its end.

    >>> print(in_keyword.mark("for i in format:"))
    for i in format:
    xxx...xx........
    """
    program = read_program(text, language, file_name)
    return Labels(_words(program, keywords=True), "binary")


@hypothesis(kind="binary", causal=False)
def in_identifier(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    """Is the character part of a name in a program: of a variable, a function, a type?

    A name is a word that begins with a letter or underscore, is not a keyword, and is outside comments, strings and
    lines for the preprocessor. In Python, the braces of an f-string contain code: names in them count, also in braces
    within a format, but not the format itself or the `r` of `!r`. It looks ahead, to the end of the word.

    >>> print(in_identifier.mark("for i in format:"))
    for i in format:
    ....x....xxxxxx.
    >>> print(in_identifier.with_parameters("python").mark("a = f'{b!r:>{width}d} {{c}}'"))
    a = f'{b!r:>{width}d} {{c}}'
    x......x.....xxxxx..........
    """
    program = read_program(text, language, file_name)
    return Labels(_words(program, keywords=False), "binary")


def _any_of(labels: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether any of these is True at a character."""
    return functools.reduce(np.bitwise_or, labels)


def _directives_of(reading: Reading, codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a line for the preprocessor, and the language is possible."""
    if not reading.language.has_preprocessor:
        return np.zeros(len(codes), np.bool_)
    return directives(codes, reading.states) & reading.is_possible


def _words(program: Program, *, keywords: bool) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is part of a keyword, or part of a name."""
    kinds = traits(program.codes)
    words = np.zeros(len(program.codes), np.uint8)
    for reading in program.readings:  # while several languages are possible, a keyword of any is one
        is_code = reading.is_any(CODE, FIELD) & ~_directives_of(reading, program.codes)
        np.maximum(words, _whole_words(program.codes, kinds, is_code, _packed(reading.language.keywords)), out=words)
    is_keyword: NDArray[np.bool_] = words == _KEYWORD
    return is_keyword if keywords else (words == _NAME) & ~program.is_any(COMMENT, DOC_COMMENT, STRING, DOCSTRING)


def _packed(words: tuple[str, ...]) -> NDArray[np.uint64]:
    return np.sort(np.array([pack(word) for word in words], np.uint64))


@njit(cache=True)
def _whole_words(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], is_code: NDArray[np.bool_], keywords: NDArray[np.uint64]
) -> NDArray[np.uint8]:
    """Return (n_chars,) `_KEYWORD` in keywords, `_NAME` in other words that are no numbers or prefixes, 0 elsewhere.

    Args:
        codes: (n_chars,) code points.
        kinds: (n_chars,) their `traits`.
        is_code: (n_chars,) whether a character is code.
        keywords: Packed, in ascending order.
    """
    words = np.zeros(len(codes), np.uint8)
    start, word = -1, np.uint64(0)
    number_end = -2  # the character after the last word, if that was a number
    for t in range(len(codes) + 1):
        in_word = t < len(codes) and kinds[t] & WORD and is_code[t]
        if in_word:
            if start < 0:
                start, word = t, np.uint64(0)
            is_short = t - start < 8 and codes[t] < 128
            word = (word << np.uint64(8)) | np.uint64(codes[t]) if is_short else np.uint64(0)
        elif start >= 0:
            index = np.searchsorted(keywords, word)
            is_keyword = t - start <= 8 and index < len(keywords) and keywords[index] == word
            is_quoted = t < len(codes) and (codes[t] == _QUOTE or codes[t] == _APOSTROPHE)
            is_prefix = is_quoted and (word | np.uint64(0x2020 if t - start == 2 else 0x20)) in _STRING_PREFIXES
            continues_number = start > 0 and codes[start - 1] == _POINT and number_end == start - 1
            is_number = kinds[start] & DIGIT != 0 or continues_number
            if is_keyword or not (is_number or is_prefix):
                words[start:t] = _KEYWORD if is_keyword else _NAME
            number_end = t if is_number else -2
            start = -1
    return words
