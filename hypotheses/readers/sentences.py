"""Finds words and sentences while reading, without looking ahead."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import BLANK, DIGIT, EXTENDS, LETTER, TITLE, UNSPACED, UPPER, WORD
from hypotheses.kernels import compiled

_NEWLINE, _POINT, _SEMICOLON = (ord(char) for char in "\n.;")
_STOPS = tuple(ord(char) for char in ".!?…؟۔։।॥።\u037e")
_WIDE_STOPS = tuple(ord(char) for char in "。！？｡．")
_CLOSERS = tuple(ord(char) for char in "\"')]}»”’*_“‘«›」』）］】》〉")
_APOSTROPHES = (ord("'"), ord("’"))
_SPELLED_ABBREVIATIONS = """
    Mr Mrs Ms Messrs Mme Mlle MM Dr Prof St Ste al ex Gen Col Capt Lt Sgt Rev Hon Jr Sr vs etc cf fig Fig vol Vol pp viz
    bzw usw vgl ca Nr Bd Hrsg hrsg evtl Mio Mrd Hr Sra Srta Dra Ud Uds pág núm chap éd av
    гг вв им ул Ул др пр стр руб коп тыс млн млрд см проф акад св напр рис табл гл ст обл кн Кн ср Ср прим Прим ред
    изд пер пл просп
"""
_PRIME = 1_099_511_628_211  # of the hash FNV


def _hash(word: str) -> int:
    """Return a word as one number, as the loop composes it."""
    composed = 0
    for char in word:
        composed = (composed * _PRIME ^ ord(char)) % 2**64
    return composed - 2**64 if composed >= 2**63 else composed


_ABBREVIATIONS = tuple(_hash(word) for word in _SPELLED_ABBREVIATIONS.split())


class Words(NamedTuple):
    """The word that each character is in, as it has been read so far.

    A word is a run of letters, digits, marks and underscores; neither marks nor joiners begin one. An apostrophe is
    outside the word, but does not end it if a letter follows. A letter of a script with blanks between words begins
    another word next to one of a script without, and the other way round.

    Attributes:
        positions: (n_chars,) int64 number of characters of the word read so far, 1 at its first; 0 outside words.
        capitalised: (n_chars,) whether the word, or its part after an apostrophe, began with a capital letter.
        n_capitals: (n_chars,) int64 number of letters of the word so far if all of them are capitals, else 0.
        begins_sentence: (n_chars,) whether the word is the first of a sentence, or the next word will be.
    """

    positions: NDArray[np.int64]
    capitalised: NDArray[np.bool_]
    n_capitals: NDArray[np.int64]
    begins_sentence: NDArray[np.bool_]


def read_words(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> Words:
    """Find the words and sentences of a text.

    A sentence begins with the text, after a blank line, and where blanks follow `.`, `!`, `?` or the like, or these and
    closing quotation marks and brackets; no blank is needed after wide ones (`。`). A full stop after a single letter
    or digit (an initial, *e.g.*) or after a well-known abbreviation does not end a sentence, unless it ends the number
    of a heading or an item: digits with which a sentence begins, also several with points between them (`1.7. How`).

    Args:
        codes: (n_chars,) code points.
        kinds: (n_chars,) their `traits`.
    """
    return Words(*_read(codes, kinds))


@compiled()
def _read(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
    positions, n_capitals = np.zeros(len(codes), np.int64), np.zeros(len(codes), np.int64)
    capitalised, begins = np.zeros(len(codes), np.bool_), np.zeros(len(codes), np.bool_)
    position = 0  # in the word
    before_apostrophe = 0  # position in the word that the last character, an apostrophe, has interrupted
    is_capitalised, all_capitals, n_letters, hashed = False, False, 0, 0
    script = np.uint8(0)  # of the last letter: `UNSPACED` or not
    is_first, next_is_first = False, True  # this word, and the next word, is the first of a sentence
    is_numbering = False  # a sentence begins with nothing but digits and points so far
    stopped = False  # the sentence ends if a blank follows
    n_newlines = 0
    for t, code in enumerate(codes):
        kind = kinds[t]
        if (position > 0 and kind & (WORD | EXTENDS)) or (kind & WORD and not kind & EXTENDS):
            if position > 0 and kind & LETTER and kind & UNSPACED != script:
                position = 0  # next to Han and the like, letters of other scripts are another word
            if position == 0 and before_apostrophe > 0 and kind & LETTER:
                position = before_apostrophe
                is_capitalised = is_capitalised or kind & UPPER != 0
            elif position == 0:
                script = kind & UNSPACED
                is_capitalised, all_capitals, n_letters, hashed = kind & UPPER != 0, True, 0, 0
                is_numbering = kind & DIGIT != 0 and (next_is_first or is_numbering)
                is_first, next_is_first = next_is_first, False
            elif kind & UNSPACED:
                is_first = False  # where words have no blanks between them, the first character stands for the first
            position += 1
            is_numbering = is_numbering and kind & DIGIT != 0
            if kind & LETTER:
                script = kind & UNSPACED
                n_letters += 1
                all_capitals = all_capitals and kind & (UPPER | TITLE) == UPPER
            hashed = hashed * _PRIME ^ int(code)
            before_apostrophe, stopped, n_newlines = 0, False, 0
            positions[t], capitalised[t], begins[t] = position, is_capitalised, is_first
            n_capitals[t] = n_letters if all_capitals else 0
            continue
        if code == _POINT:
            stopped = is_numbering or not (position > 0 and (position == 1 or hashed in _ABBREVIATIONS))
        elif code == _SEMICOLON:
            stopped = t > 0 and _is_greek(codes[t - 1])
        elif code in _STOPS:
            stopped = True
        elif code in _WIDE_STOPS:
            next_is_first = True
        elif kind & BLANK:
            n_newlines += code == _NEWLINE
            next_is_first = next_is_first or stopped or n_newlines > 1
            stopped = False
        elif code not in _CLOSERS:
            stopped = False
        if not kind & BLANK:
            n_newlines = 0
        is_numbering = is_numbering and code == _POINT
        before_apostrophe = position if code in _APOSTROPHES and position > 0 and kinds[t - 1] & LETTER else 0
        position = 0
        begins[t] = next_is_first
    return positions, capitalised, n_capitals, begins


@compiled(inline="always")
def _is_greek(code: int) -> bool:
    return 0x370 <= code <= 0x3FF or 0x1F00 <= code <= 0x1FFF
