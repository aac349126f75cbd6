"""Words, sentences, and kinds of characters.

A word is a run of letters, digits, combining marks and underscores. An apostrophe between two letters is outside the
word, but does not end it.
"""

import unicodedata

import numpy as np

from hypotheses.built_in.sentences import read_words
from hypotheses.characters import code_points, look_up, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

_BOUNDARIES = "Kementchedjhieva & Lopez 2018, arXiv:1809.00066; Hahn & Baroni 2019, arXiv:1906.07285"
_CLASSES = ("lower case", "upper case", "other letter", "digit", "space", "newline", "punctuation", "symbol", "control")


@hypothesis(kind="binary", source=_BOUNDARIES, separator="\n")
def in_word(text: str) -> Labels:
    """Is the character part of a word?

    >>> print(in_word.mark("it's 3 o_o!"))
    it's 3 o_o!
    xx.x.x.xxx.
    """
    codes = code_points(text)
    return Labels(read_words(codes, traits(codes)).positions > 0, "binary")


@hypothesis(unit="characters", source=_BOUNDARIES, separator="\n")
def position_in_word(text: str) -> Labels:
    """How many characters of the word have been read?

    1 at its first. Missing outside words.

    >>> print(position_in_word.mark("don't go"))
    don't go
    123?4?12
    """
    codes = code_points(text)
    positions = read_words(codes, traits(codes)).positions
    return Labels(positions.astype(np.float64), "numeric", positions == 0)


@hypothesis(
    kind="binary",
    causal=False,
    source=_BOUNDARIES,
    expects="In an LSTM trained on English, a unit was found that is on where a word or morpheme may end; in LSTMs "
    "that read text without blanks, boundary units are on where words end.",
    separator="\n",
)
def end_of_word(text: str) -> Labels:
    """Is this the last character of a word?

    >>> print(end_of_word.mark("don't go."))
    don't go.
    ....x..x.
    """
    codes = code_points(text)
    positions = read_words(codes, traits(codes)).positions
    next_position = np.append(positions[1:], 0)
    continues_after_apostrophe = np.append(positions[2:], [0, 0])[: len(positions)] > 1
    continues = (next_position > 0) | ((next_position == 0) & continues_after_apostrophe & (positions > 0))
    return Labels((positions > 0) & ~continues, "binary")


@hypothesis(kind="binary", separator="\n")
def capitalised(text: str) -> Labels:
    """Is the character in a word that begins with a capital letter?

    >>> print(capitalised.mark("The cat of McX"))
    The cat of McX
    xxx........xxx
    """
    codes = code_points(text)
    return Labels(read_words(codes, traits(codes)).capitalised, "binary")


@hypothesis(kind="binary", separator="\n")
def all_capitals(text: str) -> Labels:
    """Has the word, as read so far, two or more letters, all of them capitals?

    >>> print(all_capitals.mark("A NATO, USb"))
    A NATO, USb
    ...xxx...x.
    """
    codes = code_points(text)
    return Labels(read_words(codes, traits(codes)).n_capitals > 1, "binary")


@hypothesis(kind="binary", separator="\n\n")
def sentence_start(text: str) -> Labels:
    """Is the character in the first word of a sentence, or will the next word begin one?

    A sentence begins with the text, after a blank line, and where a blank follows `.`, `!`, `?` or `…`; there may be
    closing quotation marks and brackets in between. A full stop after a single letter or digit (an initial, *e.g.*), or
    after a well-known abbreviation (*Mr.*, *Dr.*, *etc.*), does not end a sentence. It is True from the blank that ends
    the sentence before to the last character of the first word, but not at an apostrophe in it.

    >>> print(sentence_start.mark("Mr. X ran. He"))
    Mr. X ran. He
    xx........xxx
    """
    codes = code_points(text)
    return Labels(read_words(codes, traits(codes)).begins_sentence, "binary")


@hypothesis(names=_CLASSES, separator="")
def char_class(text: str) -> Labels:
    r"""What kind of character is it?

    `lower case`, `upper case` and `other letter` (of writing without case, and combining marks); `digit`; `space`
    (and tab); `newline` (and carriage return); `punctuation`; `symbol` (mathematics, currencies, emoji); `control`
    for all others. For one of them: `char_class == digit`, `char_class == 'upper case'`.

    >>> char_class("aB1 \n.+").tolist()
    ['lower case', 'upper case', 'digit', 'space', 'newline', 'punctuation', 'symbol']
    """
    return Labels(look_up(code_points(text), _class).astype(np.int32), "categorical", None, _CLASSES)


@hypothesis(kind="binary", separator="")
def vowel(text: str) -> Labels:
    """Is the character one of a, e, i, o, u, with or without capitals and accents?

    >>> print(vowel.mark("Éa, you"))
    Éa, you
    xx...xx
    """
    return Labels(look_up(code_points(text), _is_vowel).astype(bool), "binary")


def _class(char: str) -> int:
    category = unicodedata.category(char)
    if char in "\n\r\u2028\u2029":
        name = "newline"
    elif char == "\t" or category == "Zs":
        name = "space"
    elif category == "Ll":
        name = "lower case"
    elif category in ("Lu", "Lt"):
        name = "upper case"
    else:
        names = {"L": "other letter", "M": "other letter", "N": "digit", "P": "punctuation", "S": "symbol"}
        name = names.get(category[0], "control")
    return _CLASSES.index(name)


def _is_vowel(char: str) -> int:
    return unicodedata.normalize("NFD", char)[0].lower() in "aeiou"
