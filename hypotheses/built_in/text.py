"""A string as numbers."""

import unicodedata
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LETTER, UPPER, DIGIT, WORD, BLANK = (np.uint8(1 << bit) for bit in range(5))
"""What `traits` says of a character: bits to test with `&`. A word is made of letters, digits, marks and underscores;
blanks are all that Unicode calls white space, newlines included."""


def code_points(text: str) -> NDArray[np.uint32]:
    """(n_chars,) Unicode code points."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32, copy=False)


def pack(word: str) -> int:
    """A word of at most 8 ASCII characters as one number, as loops over code points can build it up."""
    return int.from_bytes(word.encode("ascii"), "big")


def look_up(codes: NDArray[np.uint32], answer: Callable[[str], int]) -> NDArray[np.uint8]:
    """(n_chars,) what a function says of each character; it is asked once for each that occurs."""
    there = np.zeros(int(codes.max(initial=0)) + 1, bool)
    there[codes] = True
    table = np.zeros(len(there), np.uint8)
    for code in np.flatnonzero(there).tolist():
        table[code] = answer(chr(code))
    return table[codes]


def traits(codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """(n_chars,) what kind of character each is, as bits."""
    return look_up(codes, _traits)


def _traits(char: str) -> int:
    mark = unicodedata.category(char).startswith("M")
    bits = (
        (LETTER, char.isalpha()),
        (UPPER, char.isupper() or char.istitle()),
        (DIGIT, char.isdecimal()),
        (WORD, char.isalnum() or char == "_" or mark),
        (BLANK, char.isspace()),
    )
    return sum(int(bit) for bit, holds in bits if holds)
