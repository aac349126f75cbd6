"""Words and sentences, as far as they can be told while reading."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.built_in.text import BLANK, LETTER, UPPER, WORD, pack

_NEWLINE, _POINT = ord("\n"), ord(".")
_STOPS = tuple(ord(char) for char in ".!?…")
_CLOSERS = tuple(ord(char) for char in "\"')]}»”’*_")
_APOSTROPHES = (ord("'"), ord("’"))


_ABBREVIATED = tuple(
    pack(word)
    for word in (
        "Mr", "Mrs", "Ms", "Messrs", "Mme", "Mlle", "Dr", "Prof", "St", "Gen", "Col", "Capt", "Lt", "Sgt", "Rev", "Hon",
        "Jr", "vs", "etc", "cf", "fig", "Fig", "vol", "Vol", "pp", "Sr", "viz",
    )
)  # fmt: skip
_LONGEST = 1 << 56


class Words(NamedTuple):
    """What is known of the word that each character is in, once it has been read.

    A word is a run of letters, digits, marks and underscores; an apostrophe does not end it if a letter follows, but
    belongs to no word itself.

    Attributes:
        positions: (n_chars,) int64 characters of the word so far, 1 at its first; 0 outside words.
        capitalised: (n_chars,) whether it began with a capital letter.
        n_capitals: (n_chars,) int64 how many letters it has so far if all of them are capitals, else 0.
        begins_sentence: (n_chars,) whether it is the first word of a sentence, or a sentence has yet to begin.
    """

    positions: NDArray[np.int64]
    capitalised: NDArray[np.bool_]
    n_capitals: NDArray[np.int64]
    begins_sentence: NDArray[np.bool_]


def read_words(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> Words:
    """Find the words and sentences of a text.

    A sentence begins with the text, behind a blank line, and where blanks follow `.`, `!`, `?` or `…`, between which
    closing quotation marks and brackets may stand. A point behind a single letter or digit (an initial, *e.g.*) or a
    well-known abbreviation ends none.

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
    position, kept = 0, 0  # in the word; and where an apostrophe stands in it
    is_capitalised, all_capitals, n_letters, packed = False, False, 0, 0
    stopped, due, first = False, True, False  # behind a full stop; a sentence is due; this is its first word
    n_newlines = 0
    for t, code in enumerate(codes):
        kind = kinds[t]
        if kind & WORD:
            if position == 0 and kept > 0 and kind & LETTER:
                position = kept
            elif position == 0:
                is_capitalised, all_capitals, n_letters, packed = kind & UPPER != 0, True, 0, 0
                first, due = due, False
            position += 1
            if kind & LETTER:
                n_letters += 1
                all_capitals = all_capitals and kind & UPPER != 0
            packed = packed << 8 | code if packed < _LONGEST and code < 128 else _LONGEST
            kept, stopped, n_newlines = 0, False, 0
            positions[t], capitalised[t], begins[t] = position, is_capitalised, first
            n_capitals[t] = n_letters if all_capitals else 0
            continue
        if code == _POINT:
            stopped = not (position > 0 and (position == 1 or packed in _ABBREVIATED))
        elif code in _STOPS:
            stopped = True
        elif kind & BLANK:
            n_newlines += code == _NEWLINE
            due = due or stopped or n_newlines > 1
            stopped = False
        elif code not in _CLOSERS:
            stopped = False
        if not kind & BLANK:
            n_newlines = 0
        kept = position if code in _APOSTROPHES and position > 0 and kinds[t - 1] & LETTER else 0
        position = 0
        begins[t] = due
    return positions, capitalised, n_capitals, begins
