"""Proper names, names of speakers, and numbers."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import DIGIT, WORD, code_points, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.kernels import compiled
from hypotheses.labels import Labels
from hypotheses.programs.languages import AUTO, language_of_file
from hypotheses.programs.lexers.states import CODE, FIELD
from hypotheses.programs.numbers import number_literals
from hypotheses.programs.program import read_program
from hypotheses.readers.sentences import read_words
from hypotheses.text_kinds.markup_signs import SPEAKER

_POINT, _I = ord("."), ord("I")
_PROSE = "prose"


@hypothesis(kind="binary", separator="\n\n")
def in_proper_name(text: str) -> Labels:
    """Is the character in a word that begins with a capital letter, and not because a sentence begins?

    Missing in the first word of a sentence, which has a capital in any case; see `sentence_start`. The pronoun *I* is
    not a name, alone or before an apostrophe. Other words with capitals, such as the first words of lines of verse and
    the nouns of German, count as names. Scripts without capitals, such as those of Chinese, Arabic and Hindi, have
    none.

    >>> print(in_proper_name.mark("He saw Anna. I saw"))
    He saw Anna. I saw
    ??.....xxxx..?....
    >>> print(in_proper_name.mark("and I, Ivan"))
    and I, Ivan
    ???.....xxx
    """
    codes = code_points(text)
    words = read_words(codes, traits(codes))
    is_pronoun = _is_pronoun(codes, words.positions)
    missing = words.begins_sentence & (words.positions > 0)
    return Labels(words.capitalised & ~is_pronoun, "binary", missing)


@hypothesis(kind="binary", causal=False, text_kind="play")
def in_speaker(text: str) -> Labels:
    r"""Is the character in the name of a speaker, as plays have it?

    The name is alone in its line, which follows a blank line or begins the text. It starts with a capital letter, has
    at most 60 characters, which are letters, digits, spaces, points, commas, apostrophes, hyphens, brackets, `/` or
    `&`, and is followed by a colon, which is False. It looks ahead, to that colon.

    >>> print(in_speaker.mark("ROMEO:\nAy me!\n\nNurse:\n"))
    ROMEO:↵Ay me!↵↵Nurse:↵
    xxxxx..........xxxxx..
    """
    labels = np.zeros(len(text), bool)
    for match in SPEAKER.finditer(text):
        labels[match.start(1) : match.end(1)] = True
    return Labels(labels, "binary")


@hypothesis(kind="binary")
def in_number(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    """Is the text, as read so far, inside a number?

    In a program whose language is given, or told by the name of its file: the letters, digits and underscores of a
    number outside comments and strings, such as `0x1F`, `1_000`, `1u8` or `10n`. A point, a sign or an apostrophe
    between its digits is False, since what follows it is not known yet. In a shell script, only digits at the beginning
    of a word are a number.

    In all other texts, and with `in_number:prose`: a number begins with a digit that is not part of a word, and does
    not follow a word and a point (`a.5`), unless that word is a number. It continues over letters and digits (`0x1F`,
    `10th`), and over single points, commas and apostrophes that digits follow. Such a point itself is False.

    >>> print(in_number.mark("x2 = 1,024 + 0x1F."))
    x2 = 1,024 + 0x1F.
    .....x.xxx...xxxx.
    >>> print(in_number.with_parameters("rust").mark("x[0] = 1_000u64 * 1.5e-3 // 7"))
    x[0] = 1_000u64 * 1.5e-3 // 7
    ..x....xxxxxxxx...x.xx.x.....
    """
    is_program = language.lower() not in (AUTO, _PROSE) or language_of_file(file_name) is not None
    if language.lower() == _PROSE or not is_program:
        codes = code_points(text)
        return Labels(_in_number(codes, traits(codes)), "binary")
    program = read_program(text, language, file_name)
    reading = program.readings[0]
    is_shell = reading.language.style == "shell"
    return Labels(
        number_literals(program.codes, traits(program.codes), reading.is_any(CODE, FIELD), is_shell), "binary"
    )


@compiled()
def _is_pronoun(codes: NDArray[np.uint32], positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether the word so far is I, alone or before an apostrophe."""
    labels = np.zeros(len(codes), np.bool_)
    is_pronoun = False
    for t, code in enumerate(codes):
        if positions[t] == 1:
            is_pronoun = code == _I
        elif positions[t] == 2:
            is_pronoun = is_pronoun and positions[t - 1] == 0
        labels[t] = is_pronoun
    return labels


@compiled()
def _in_number(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a number."""
    labels = np.zeros(len(codes), np.bool_)
    inside = False
    for t in range(len(codes)):
        if not kinds[t] & WORD:
            inside = False
        elif not inside and kinds[t] & DIGIT:
            inside = t == 0 or not kinds[t - 1] & WORD
            if inside and t > 1 and codes[t - 1] == _POINT and kinds[t - 2] & WORD:
                inside = labels[t - 2]  # x.2 is not a number, 1.2 is one
        labels[t] = inside
    return labels
