"""Finds words and sentences while reading, without looking ahead."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.characters import BLANK, LETTER, LONGEST_PACKED, UPPER, WORD, pack

_NEWLINE, _POINT = ord("\n"), ord(".")
_STOPS = tuple(ord(char) for char in ".!?…")
_CLOSERS = tuple(ord(char) for char in "\"')]}»”’*_")
_APOSTROPHES = (ord("'"), ord("’"))
_ABBREVIATIONS = tuple(
    pack(word)
    for word in (
        "Mr", "Mrs", "Ms", "Messrs", "Mme", "Mlle", "Dr", "Prof", "St", "Gen", "Col", "Capt", "Lt", "Sgt", "Rev", "Hon",
        "Jr", "vs", "etc", "cf", "fig", "Fig", "vol", "Vol", "pp", "Sr", "viz",
    )
)  # fmt: skip


class Words(NamedTuple):
    """The word that each character is in, as it has been read so far.

    A word is a run of letters, digits, marks and underscores. An apostrophe is outside the word, but does not end it if
    a letter follows.

    Attributes:
        positions: (n_chars,) int64 number of characters of the word read so far, 1 at its first; 0 outside words.
        capitalised: (n_chars,) whether the word began with a capital letter.
        n_capitals: (n_chars,) int64 number of letters of the word so far if all of them are capitals, else 0.
        begins_sentence: (n_chars,) whether the word is the first of a sentence, or the next word will be.
    """

    positions: NDArray[np.int64]
    capitalised: NDArray[np.bool_]
    n_capitals: NDArray[np.int64]
    begins_sentence: NDArray[np.bool_]


def read_words(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> Words:
    """Find the words and sentences of a text.

    A sentence begins with the text, after a blank line, and where blanks follow `.`, `!`, `?` or `…`, or these and
    closing quotation marks and brackets. A full stop after a single letter or digit (an initial, *e.g.*) or after a
    well-known abbreviation does not end a sentence.

    Args:
        codes: (n_chars,) code points.
        kinds: (n_chars,) their `traits`.
    """
    return Words(*_read(codes, kinds))


@njit(cache=True)
def _read(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    positions, n_capitals = np.zeros(len(codes), np.int64), np.zeros(len(codes), np.int64)
    capitalised, begins = np.zeros(len(codes), np.bool_), np.zeros(len(codes), np.bool_)
    position = 0  # in the word
    before_apostrophe = 0  # position in the word that the last character, an apostrophe, has interrupted
    is_capitalised, all_capitals, n_letters, packed = False, False, 0, 0
    is_first, next_is_first = False, True  # this word, and the next word, is the first of a sentence
    stopped = False  # the sentence ends if a blank follows
    n_newlines = 0
    for t, code in enumerate(codes):
        kind = kinds[t]
        if kind & WORD:
            if position == 0 and before_apostrophe > 0 and kind & LETTER:
                position = before_apostrophe
            elif position == 0:
                is_capitalised, all_capitals, n_letters, packed = kind & UPPER != 0, True, 0, 0
                is_first, next_is_first = next_is_first, False
            position += 1
            if kind & LETTER:
                n_letters += 1
                all_capitals = all_capitals and kind & UPPER != 0
            packed = packed << 8 | code if packed < LONGEST_PACKED and code < 128 else LONGEST_PACKED
            before_apostrophe, stopped, n_newlines = 0, False, 0
            positions[t], capitalised[t], begins[t] = position, is_capitalised, is_first
            n_capitals[t] = n_letters if all_capitals else 0
            continue
        if code == _POINT:
            stopped = not (position > 0 and (position == 1 or packed in _ABBREVIATIONS))
        elif code in _STOPS:
            stopped = True
        elif kind & BLANK:
            n_newlines += code == _NEWLINE
            next_is_first = next_is_first or stopped or n_newlines > 1
            stopped = False
        elif code not in _CLOSERS:
            stopped = False
        if not kind & BLANK:
            n_newlines = 0
        before_apostrophe = position if code in _APOSTROPHES and position > 0 and kinds[t - 1] & LETTER else 0
        position = 0
        begins[t] = next_is_first
    return positions, capitalised, n_capitals, begins
