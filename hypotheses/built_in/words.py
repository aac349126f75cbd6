"""Words, sentences, and kinds of characters.

A word is a run of letters, digits, combining marks and underscores, of any script. Soft hyphens and joiners within a
word belong to it; a combining mark or variation selector that follows something else (an emoji) begins none. An
apostrophe between two letters is outside the word, but does not end it: *don't*, *l'homme*, *м'ята* are one word each.
Chinese, Japanese and Thai have no blanks between words; a word is there what stands between two signs of punctuation,
or letters of another script.
"""

import unicodedata

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import code_points, look_up, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.kernels import compiled
from hypotheses.labels import Labels
from hypotheses.readers.sentences import read_words
from hypotheses.readers.vowels import NO_VOWELS, VOWEL, vowel_class

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
    return Labels(_ends(read_words(codes, traits(codes)).positions), "binary")


@hypothesis(unit="characters", causal=False, source=_BOUNDARIES, separator="\n")
def chars_until_word_ends(text: str) -> Labels:
    """How many characters ahead is the last character of the word?

    0 at the last character, where `end_of_word` is True; apostrophes within the word count. Missing outside words.

    >>> print(chars_until_word_ends.mark("don't go."))
    don't go.
    432?0?10?
    """
    codes = code_points(text)
    positions = read_words(codes, traits(codes)).positions
    return Labels(_until_end(positions, _ends(positions)), "numeric", positions == 0)


@hypothesis(kind="binary", separator="\n")
def capitalised(text: str) -> Labels:
    """Is the character in a word that begins with a capital letter?

    Also in a word whose part after an apostrophe does, from there on: *l'Homme*. Titlecase letters (ǅ) are capitals.

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
    closing quotation marks and brackets in between. So do `؟` and `۔` of Arabic, `։` of Armenian, `।` of Devanagari,
    `።` of Ethiopic, and `;` after a Greek letter; after `。`, `！` and `？` no blank is needed. A full stop after a
    single letter or digit (an initial, *e.g.*, *т.е.*), or after a well-known abbreviation of English, German, French,
    Spanish or Russian (*Mr.*, *Dr.*, *etc.*, *bzw.*, *см.*), does not end a sentence. Behind the number of a heading or
    an item with which a sentence begins (`1.7. How`), another begins. It is True from the blank or `。` that ends the
    sentence before to the last character of the first word, but not at an apostrophe in it. In scripts without blanks
    between words (Han, kana, Thai, Lao, Khmer, Burmese, Tibetan), the first character stands for the first word.

    >>> print(sentence_start.mark("Mr. X ran. He"))
    Mr. X ran. He
    xx........xxx
    >>> sentence_start("今天。我们").marks()
    'x.xx.'
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
    """Is the character a vowel?

    In Latin: a, e, i, o, u, æ, œ, ø, ı, ə and further letters of the phonetic alphabet, with or without capitals and
    accents; y only with an accent, since it is a consonant as often. In Cyrillic: а, е, ё, и, о, у, ы, э, ю, я, є, і,
    ї, ә, ө, ү, ұ, ӕ and those of Old Slavonic, but not й and ў. In Greek: α, ε, η, ι, ο, υ, ω. In Armenian and
    Georgian: their vowel letters. Missing for letters and marks of other scripts, which write syllables, words or
    consonants. Combining accents are False.

    >>> print(vowel.mark("Éa, you й я 中."))
    Éa, you й я 中.
    xx...xx...x.? .
    """
    classes = look_up(code_points(text), vowel_class)
    missing = classes == NO_VOWELS
    return Labels(classes == VOWEL, "binary", missing if missing.any() else None)


def _ends(positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is the last of its word, by the positions of characters in words."""
    next_position = np.append(positions[1:], 0)[: len(positions)]
    continues_after_apostrophe = np.append(positions[2:], [0, 0])[: len(positions)] > 1
    is_last = (next_position == 1) | ((next_position == 0) & ~continues_after_apostrophe)
    last: NDArray[np.bool_] = (positions > 0) & is_last
    return last


@compiled()
def _until_end(positions: NDArray[np.int64], is_last: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (n_chars,) how far ahead the last character of the word is; 0 outside words."""
    ahead = np.zeros(len(positions))
    end = 0
    for t in range(len(positions) - 1, -1, -1):
        if is_last[t]:
            end = t
        if positions[t] > 0:
            ahead[t] = end - t
    return ahead


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
