"""A text as numbers: code points, kinds of characters, and words that are packed into one number."""

import unicodedata
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled

LETTER, UPPER, DIGIT, WORD, BLANK, TITLE, EXTENDS, UNSPACED = (np.uint8(1 << bit) for bit in range(8))
"""Bits of `traits`, to test with `&`. A word is made of letters, digits, marks and underscores; blanks are all
characters that Unicode calls white space, newlines included. Titlecase letters (ǅ) are upper case, too. Combining
marks, soft hyphens and joiners extend a word that has begun. Scripts without blanks between words are Han, kana, Thai,
Lao, Khmer, Burmese and Tibetan."""

LONGEST_PACKED = 1 << 56
"""A packed word below this has room for one more character."""


_BLOCK = 64  # characters that are compared at once
_NEAR = 16  # characters that are compared one by one before


def code_points(text: str) -> NDArray[np.uint32]:
    """Return (n_chars,) Unicode code points."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32, copy=False)


def unchanging(codes: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return a view of code points that cannot be written to, like those of `code_points`.

    Loops are compiled once for arrays that can be written to, and once more for those that cannot.
    """
    view = codes.view()
    view.flags.writeable = False
    return view


def pack(word: str) -> int:
    """Return a word of at most 8 ASCII characters as one number, as a loop over code points can compose it."""
    return int.from_bytes(word.encode("ascii"), "big")


def look_up(codes: NDArray[np.uint32], function: Callable[[str], int]) -> NDArray[np.uint8]:
    """Return (n_chars,) the value of a function for each character; it is called once for each that occurs."""
    occurs = _occurring(codes, int(codes.max(initial=0)) + 1)
    table = np.zeros(len(occurs), np.uint8)
    for code in np.flatnonzero(occurs).tolist():
        table[code] = function(chr(code))
    return _gathered(table, codes)


@compiled()
def _occurring(codes: NDArray[np.uint32], n: int) -> NDArray[np.bool_]:
    """Return (n,) whether each code point occurs; as a loop, it takes a tenth of the time of numpy's indexing."""
    occurs = np.zeros(n, np.bool_)
    for code in codes:
        occurs[code] = True
    return occurs


@compiled()
def _gathered(table: NDArray[np.uint8], codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return (n_chars,) the entry of a table for each character."""
    values = np.empty(len(codes), np.uint8)
    for t, code in enumerate(codes):
        values[t] = table[code]
    return values


@compiled()
def next_of(codes: NDArray[np.uint32], t: int, first: int, second: int, third: int) -> int:
    """Return the index of the next of three code points from `t` on, or the number of characters: blocks at a time."""
    a, b, c = np.uint32(first), np.uint32(second), np.uint32(third)
    n = len(codes)
    for code in codes[t : t + _NEAR]:  # it may be near
        if code == a or code == b or code == c:
            return t
        t += 1
    while t + _BLOCK <= n:
        occurs = False
        for code in codes[t : t + _BLOCK]:
            occurs |= (code == a) | (code == b) | (code == c)
        if occurs:
            break
        t += _BLOCK
    while t < n and codes[t] != a and codes[t] != b and codes[t] != c:
        t += 1
    return t


def traits(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return (n_chars,) the traits of each character, as bits."""
    return look_up(codes, _traits)


_JOINERS = "\u00ad\u200c\u200d\u2060"
_UNSPACED_SCRIPTS = (
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "KATAKANA-HIRAGANA",
    "HALFWIDTH",
    "IDEOGRAPHIC",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "TIBETAN",
)


def _traits(char: str) -> int:
    is_mark = unicodedata.category(char).startswith("M")
    script = unicodedata.name(char, "").partition(" ")[0]
    bits = (
        (LETTER, char.isalpha()),
        (UPPER, char.isupper() or char.istitle()),
        (DIGIT, char.isdecimal()),
        (WORD, char.isalnum() or char == "_" or is_mark),
        (BLANK, char.isspace()),
        (TITLE, char.istitle() and not char.isupper()),
        (EXTENDS, is_mark or char in _JOINERS),
        (UNSPACED, char.isalpha() and script in _UNSPACED_SCRIPTS),
    )
    return sum(int(bit) for bit, holds in bits if holds)
