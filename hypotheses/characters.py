"""A text as numbers: code points, kinds of characters, and words that are packed into one number."""

import unicodedata
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

LETTER, UPPER, DIGIT, WORD, BLANK = (np.uint8(1 << bit) for bit in range(5))
"""Bits of `traits`, to test with `&`. A word is made of letters, digits, marks and underscores; blanks are all
characters that Unicode calls white space, newlines included."""

LONGEST_PACKED = 1 << 56
"""A packed word below this has room for one more character."""


def code_points(text: str) -> NDArray[np.uint32]:
    """Return (n_chars,) Unicode code points."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32, copy=False)


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


@njit(cache=True)
def _occurring(codes: NDArray[np.uint32], n: int) -> NDArray[np.bool_]:
    """Return (n,) whether each code point occurs; as a loop, it takes a tenth of the time of numpy's indexing."""
    occurs = np.zeros(n, np.bool_)
    for code in codes:
        occurs[code] = True
    return occurs


@njit(cache=True)
def _gathered(table: NDArray[np.uint8], codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return (n_chars,) the entry of a table for each character."""
    values = np.empty(len(codes), np.uint8)
    for t, code in enumerate(codes):
        values[t] = table[code]
    return values


def traits(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return (n_chars,) the traits of each character, as bits."""
    return look_up(codes, _traits)


def _traits(char: str) -> int:
    is_mark = unicodedata.category(char).startswith("M")
    bits = (
        (LETTER, char.isalpha()),
        (UPPER, char.isupper() or char.istitle()),
        (DIGIT, char.isdecimal()),
        (WORD, char.isalnum() or char == "_" or is_mark),
        (BLANK, char.isspace()),
    )
    return sum(int(bit) for bit, holds in bits if holds)
