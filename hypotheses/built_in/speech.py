"""Parts of speech in English."""

import functools
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import regex

from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

_CLASSES = (
    "noun", "proper noun", "verb", "adjective", "adverb", "pronoun", "determiner", "preposition", "conjunction",
    "particle", "number", "interjection", "other",
)  # fmt: skip
_TAGS = {
    "NN": "noun", "NNS": "noun", "NNP": "proper noun", "NNPS": "proper noun", "MD": "verb", "VB": "verb",
    "JJ": "adjective", "RB": "adverb", "WRB": "adverb", "PRP": "pronoun", "WP": "pronoun", "EX": "pronoun",
    "DT": "determiner", "PDT": "determiner", "WDT": "determiner", "IN": "preposition", "CC": "conjunction",
    "RP": "particle", "TO": "particle", "POS": "particle", "CD": "number", "UH": "interjection",
}  # fmt: skip
_TOKEN = regex.compile(r"\p{L}[\p{L}\p{M}]*+(?:['’-]\p{L}[\p{L}\p{M}]*+)*+|\d[\d.,]*+(?<=\d)|[^\s\p{L}\d]")
_SENTENCE_END = frozenset(".!?")
_BLANK_LINE = regex.compile(r"\n[ \t\r]*+\n")
_LONGEST_SENTENCE = 500  # tokens; a text that is not prose may have no ends of sentences


@hypothesis(
    names=_CLASSES,
    causal=False,
    source="Kementchedjhieva & Lopez 2018, arXiv:1809.00066; Hahn & Baroni 2019, arXiv:1906.07285",
    expects="Probes on character models distinguish nouns from verbs well above chance, and better after a few "
    "characters of the word.",
    text_kind="english",
)
def part_of_speech(text: str) -> Labels:
    """What part of speech is the word that the character is in, in English?

    `noun`, `proper noun`, `verb`, `adjective`, `adverb`, `pronoun` (also possessive ones), `determiner`,
    `preposition` (also subordinating conjunctions), `conjunction`, `particle` (also *to*), `number`, `interjection`,
    `other`. Missing between words. For one of them: `part_of_speech == noun`. It looks ahead, to the end of the
    sentence.

    A word with apostrophes or hyphens in it is one word. The tagger is the rule-based one of the library TextBlob,
    which comes from the library Pattern: a lexicon, and Brill's rules for endings and for context. It is right for some
    nine words of ten in newspapers, and for fewer in old texts; it needs `pip install 'char-probe[nlp]'`.

    >>> part_of_speech("He ran.").tolist()
    ['pronoun', 'pronoun', None, 'verb', 'verb', 'verb', None]
    """
    tag_words = _tagger()
    classes = np.zeros(len(text), np.int32)
    missing = np.ones(len(text), bool)
    for sentence in _sentences(text):
        tagged = tag_words([token.group().replace("’", "'") for token in sentence])
        for token, (word, tag, *_) in zip(sentence, tagged, strict=True):
            if word[0].isalnum():
                classes[token.start() : token.end()] = _CLASSES.index(_class(word, tag))
                missing[token.start() : token.end()] = False
    return Labels(classes, "categorical", missing, _CLASSES)


@functools.cache
def _tagger() -> Callable[[list[str]], list[list[str]]]:
    try:
        from textblob.en import parser
    except ImportError as error:
        raise HypothesisError(
            "it needs the library textblob, an optional dependency; install it with pip install 'char-probe[nlp]'"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves the files of its lexicon open
        parser.find_tags(["loads", "the", "lexicon"])
    find_tags: Callable[[list[str]], list[list[str]]] = parser.find_tags
    return find_tags


def _class(word: str, tag: str) -> str:
    if word[0].isdecimal():
        return "number"
    exact = _TAGS.get(tag.partition("-")[0].partition("$")[0])
    return exact or next((name for prefix, name in _TAGS.items() if tag.startswith(prefix)), "other")


def _sentences(text: str) -> Iterator[list[regex.Match[str]]]:
    """Yield the words and signs of each sentence; a blank line ends a sentence."""
    for paragraph in _paragraphs(text):
        sentence: list[regex.Match[str]] = []
        for token in _TOKEN.finditer(text, *paragraph):
            sentence.append(token)
            if token.group() in _SENTENCE_END or len(sentence) == _LONGEST_SENTENCE:
                yield sentence
                sentence = []
        if sentence:
            yield sentence


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for blank_line in _BLANK_LINE.finditer(text):
        yield start, blank_line.start()
        start = blank_line.end()
    yield start, len(text)
