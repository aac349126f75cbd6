"""A text as a model reads it: the tokens that a reading rule makes of its characters, and where each character ends."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.texts.corpus import Codes, Corpus, Document, concatenate_codes, narrowest, text_to_codes
from activations.texts.reading_rule import EOS, N_BYTES, READ_AS, SOS, ReadingRule
from activations.texts.vocab import Vocabulary

_CHUNK = 1 << 20


class Span(NamedTuple):
    """The tokens that a lane reads for some characters of a document.

    Attributes:
        start: Place of the first token.
        n_own: After so many of them, the next characters go on.
        n_read: So many are needed for the rows of these characters, and for the losses of those that follow them.
    """

    start: int
    n_own: int
    n_read: int


@dataclass(frozen=True, eq=False)
class TokenisedText:
    """A text as a model reads it.

    Places of characters are in the order of reading: backwards, the last character of the text is the first.

    Attributes:
        corpus: The characters, in the order of reading.
        tokens: (n_tokens,) what is read, as the characters that stand for tokens in the vocabulary.
        last_tokens: (n_chars,) the position of the last token of each character, or of the last one before it, if it has
            none (at the beginning of a document: of the first one); None if each character is one token.
        vocabulary: Of the model.
        is_backwards: Whether the order of reading is not that of the text.
    """

    corpus: Corpus
    tokens: Codes
    last_tokens: NDArray[Any] | None
    vocabulary: Vocabulary
    is_backwards: bool = False

    @cached_property
    def token_corpus(self) -> Corpus:
        """What is read, as a text of its own, whose characters stand for tokens."""
        if self.tokens is self.corpus.codes:
            return self.corpus
        if self.last_tokens is None:
            return Corpus(self.tokens, self.corpus.documents)
        starts = np.append(0, self.last_tokens[self.corpus.starts[1:] - 1].astype(np.int64) + 1)
        lengths = np.diff(starts, append=len(self.tokens)).tolist()
        names = (document.name for document in self.corpus.documents)
        placed = map(Document, names, starts.tolist(), lengths)
        return Corpus(self.tokens, tuple(placed))

    def span(self, start: int, stop: int) -> Span:
        """The tokens to be read for the characters from `start` up to `stop`.

        A character of no tokens has the row of the token before it: if it is the first of them, that one is read again.
        """
        if self.last_tokens is None:
            return Span(start, stop - start, stop - start)
        first, last = self._begin(start), int(self.last_tokens[stop - 1])
        if stop < len(self.last_tokens) and not len(self.corpus.starts_within(stop, stop + 1)):
            last = max(last, int(self.last_tokens[stop]) - 1)  # of a next character that has several
        return Span(first, self._begin(stop) - first, last + 1 - first)

    def ids(self, start: int, stop: int) -> NDArray[np.int64]:
        """(n,) ids of the tokens from `start` up to `stop`."""
        return self.vocabulary.look_up(self.tokens[start:stop])

    def last_tokens_of(self, places: range) -> NDArray[np.int64]:
        """(n,) the place of the last token of each of some characters."""
        if self.last_tokens is None:
            return np.array(places, np.int64)
        return self.last_tokens[places.start : places.stop : places.step].astype(np.int64)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(n_documents,) where each document begins in the text."""
        return np.sort(len(self.corpus) - self.corpus.stops) if self.is_backwards else self.corpus.starts

    def positions(self, start: int, stop: int) -> NDArray[np.int64]:
        """(n,) where the characters stand in the text that tokens from `start` up to `stop` belong to."""
        found = np.arange(start, stop)
        if self.last_tokens is not None:
            found = np.searchsorted(self.last_tokens, found)
        return len(self.corpus) - 1 - found if self.is_backwards else found

    def mirrored_position(self, place: int) -> int:
        """Where a character of the order of reading stands in the text, and the other way round."""
        return len(self.corpus) - 1 - place if self.is_backwards else place

    def losses_of_characters(
        self, nats: NDArray[Any], right: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """What tokens say of their characters: the sum of their losses, and whether all were predicted right.

        Args:
            nats: (n_tokens - n_documents,) the loss of each token but the first of each document.
            right: (n_tokens - n_documents,) whether it was predicted right.

        Returns:
            (n_chars - n_documents,) the same of each character but the first that is read of each document, in the
            order of the text.
        """
        if self.last_tokens is not None:
            nats, right = self._summed(nats), self._summed(~right) == 0
        return (nats[::-1], right[::-1]) if self.is_backwards else (nats, right)

    def _summed(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """(n_chars - n_documents,) sums over the tokens of each character, of those of all tokens but first ones."""
        own = np.zeros(len(self.tokens))
        own[_but(self.token_corpus.starts, len(own))] = values
        total = np.append(0.0, np.cumsum(own))
        return np.diff(total[self.last_tokens_of(range(len(self.corpus))) + 1])[
            _but(self.corpus.starts, len(self.corpus))[1:]
        ]

    def _begin(self, place: int) -> int:
        """The first token that is read for a character, all before it being read."""
        if self.last_tokens is None:
            return place
        if place == 0:
            return 0
        after = int(self.last_tokens[place - 1]) + 1
        return after if place == len(self.last_tokens) else min(after, int(self.last_tokens[place]))


def _but(places: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """(n,) True everywhere but at some places."""
    is_other = np.ones(n, bool)
    is_other[places] = False
    return is_other


def tokenise(corpus: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> TokenisedText:
    """What a model reads of a text.

    Args:
        corpus: The text.
        rule: How it is read.
        vocabulary: Of the model.

    Raises:
        ActivationError: If the model cannot follow the rule, or nothing at all is read of a document.
    """
    if rule.is_plain:
        return TokenisedText(corpus, corpus.codes, None, vocabulary)
    rule.check(vocabulary)
    text = corpus.mirrored() if rule.backwards else corpus
    pieces: list[Codes] = []
    counts: list[NDArray[np.uint8]] = []
    for tokens, n_each in _spelled(text.codes, rule, vocabulary):
        pieces.append(tokens)
        counts.append(n_each)
    read, n_each = concatenate_codes(pieces), np.concatenate(counts)
    if not rule.begins and (n_each == 1).all():
        return TokenisedText(text, read, None, vocabulary, rule.backwards)
    rows = np.cumsum(n_each, dtype=np.int64) - 1
    starts, lengths = text.starts, text.stops - text.starts
    firsts = rows[starts] + 1 - n_each[starts]
    if rule.begins:
        read = np.insert(read.astype(np.uint32), firsts, ord(vocabulary.character_of(SOS)))
        firsts += np.arange(len(firsts))
        rows += np.repeat(np.arange(len(firsts)) + 1, lengths)
    for document, is_read in zip(text.documents, np.diff(np.append(firsts, len(read))) > 0, strict=True):
        if not is_read:
            raise ActivationError(f"nothing is left of {document.name} when it is read {rule}; leave it out")
    rows = np.maximum(rows, np.repeat(firsts, lengths))
    return TokenisedText(text, narrowest(read), rows.astype(np.min_scalar_type(len(read))), vocabulary, rule.backwards)


def tokenise_prompt(prompt: str, rule: ReadingRule, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """(n_tokens,) ids of what a model reads before it writes: at least one.

    Args:
        prompt: In it, tokens that are no characters are written by their names. Backwards, it is the end of a text.
        rule: How it is read. If documents begin with `<sos>`, so does the prompt, and may be empty.
        vocabulary: Of the model.

    Raises:
        ActivationError: If the model does not know something of it, or nothing is to be read.
    """
    text = prompt_text(prompt, rule, vocabulary)
    begin = vocabulary.character_of(SOS) if rule.begins else ""
    if vocabulary.replacement is None:
        for char in text:
            if not set(rule.spelled(char, vocabulary)) <= set(vocabulary.characters):
                raise ActivationError(f"the model does not know {char!r}; use another prompt")
    if not text + begin:
        raise ActivationError("the prompt is empty; a model needs a character to go on from")
    if not text:
        return vocabulary.look_up(text_to_codes(begin))
    read = tokenise(Corpus(text_to_codes(text), (Document("the prompt", 0, len(text)),)), rule, vocabulary)
    return read.ids(0, len(read.tokens))


def prompt_text(prompt: str, rule: ReadingRule, vocabulary: Vocabulary) -> str:
    """The text of a prompt: without the token with which every document begins, if it was written, too."""
    text = vocabulary.unnamed(prompt)
    if not rule.begins:
        return text
    begin = vocabulary.character_of(SOS)
    return text.removesuffix(begin) if rule.backwards else text.removeprefix(begin)


def has_tokens(corpus: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """(n_documents,) whether anything is left of each document when it is read by a rule."""
    n_each = np.concatenate([n_each for _, n_each in _spelled(corpus.codes, rule, vocabulary)])
    return np.add.reduceat(n_each, corpus.starts, dtype=np.int64) + int(rule.begins) > 0


def vocabulary_to_learn(corpora: Sequence[Corpus], rule: ReadingRule, *, min_count: int = 1) -> Vocabulary:
    """The tokens that a model has to know to read some texts by a rule: of bytes, all; see `Vocabulary.of_corpora`."""
    if rule.is_plain:
        return Vocabulary.of_corpora(corpora, min_count=min_count)
    names = [SOS] * rule.begins + [EOS] * bool(rule.ends)
    if rule.read_as == "bytes":
        return Vocabulary("".join(map(chr, range(N_BYTES)))).with_tokens(names)
    spelling = replace(rule, begins=False, ends="", substitutes=())
    tokens = [tokenise(corpus, spelling, Vocabulary("")).tokens for corpus in corpora]
    known = Vocabulary.of_corpora([Corpus(each, ()) for each in tokens], min_count=min_count)
    characters = known.characters.replace("\n", "") if rule.ends == "lines" else known.characters
    return Vocabulary(characters, known.replacement).with_tokens(names)


def check_text(corpus: Corpus, rule: ReadingRule, vocabulary: Vocabulary, *, replace_unknown: bool = False) -> int:
    """How many characters of a corpus are read as the vocabulary's replacement, see `Vocabulary.check`.

    Raises:
        ActivationError: If there are unknown ones and they may not, or cannot, be replaced; or if the model cannot
            follow the rule.
    """
    rule.check(vocabulary)
    try:
        return vocabulary.check(corpus, replace_unknown=replace_unknown, spelled=_speller(rule, vocabulary))
    except ActivationError as error:
        hint = _better_way(corpus, rule, vocabulary)
        if not hint:
            raise
        raise ActivationError(f"{error}; {hint}") from error


def _better_way(corpus: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> str:
    """In which way a text could be read so that a model knows more of it; empty if in none."""
    fewest, best = vocabulary.unknown(corpus, _speller(rule, vocabulary))[0], ""
    for read_as in READ_AS:
        other = replace(rule, read_as=read_as)
        with suppress(ActivationError):
            other.check(vocabulary)
            n_unknown, first = vocabulary.unknown(corpus, _speller(other, vocabulary))
            if n_unknown < fewest:
                left = ", ".join(map(repr, map(chr, first)))
                fewest, best = n_unknown, f"{read_as}, where it knows all" + (f" but {left}" if left else "")
    return f"or let it read the text with --read-as {best}" if best else ""


def _speller(rule: ReadingRule, vocabulary: Vocabulary) -> Callable[[str], str] | None:
    return None if rule.is_plain else partial(rule.spelled, vocabulary=vocabulary)


def _spelled(codes: Codes, rule: ReadingRule, vocabulary: Vocabulary) -> Iterator[tuple[Codes, NDArray[np.uint8]]]:
    """The tokens of characters, and how many each of these has, so many characters at a time."""
    known: dict[int, Codes] = {}
    for start in range(0, len(codes), _CHUNK):
        own = codes[start : start + _CHUNK]
        distinct, which = np.unique(own, return_inverse=True)
        for code in distinct.tolist():
            if code not in known:
                spelled = text_to_codes(rule.spelled(chr(code), vocabulary))
                known[code] = spelled[::-1] if rule.backwards else spelled
        spellings = [known[code] for code in distinct.tolist()]
        lengths = np.array([len(each) for each in spellings])
        begins = np.cumsum(lengths) - lengths
        n_each = lengths[which]
        ends = np.cumsum(n_each)
        places = np.arange(ends[-1]) + np.repeat(begins[which] - (ends - n_each), n_each)
        yield narrowest(np.concatenate(spellings)[places]), n_each.astype(np.uint8)
