"""From the characters of a text to the tokens that a model reads, by a reading rule, and back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.texts.codes import CHUNK_CHARS, Codes, concatenate_codes, narrowest, text_to_codes
from activations.texts.corpus import Corpus, Document
from activations.texts.reading_rule import EOS, N_BYTES, READ_AS, SOS, ReadingRule
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary


class Span(NamedTuple):
    """The tokens that a lane reads for some characters of a document.

    Attributes:
        start: Position of the first token.
        n_own: Number of tokens after which the lane reads those of the next characters.
        n_read: Number of tokens needed for the rows of these characters and the losses of those that follow them.
    """

    start: int
    n_own: int
    n_read: int


@dataclass(frozen=True, eq=False)
class TokenisedText:
    """A text as a model reads it.

    Positions of characters are in the order of reading: backwards, the last character of the text is the first.

    Attributes:
        corpus: The characters, in the order of reading.
        tokens: (n_tokens,) the tokens, as the characters that stand for them in the vocabulary.
        last_tokens: (n_chars,) the position of the last token of each character; for a character without tokens, of
            the last token before it, or at the beginning of a document of its first. None if each character is one
            token.
        vocabulary: The vocabulary of the model.
        is_backwards: Whether the text is read from its end.
    """

    corpus: Corpus
    tokens: Codes
    last_tokens: NDArray[Any] | None
    vocabulary: Vocabulary
    is_backwards: bool = False

    @cached_property
    def token_corpus(self) -> Corpus:
        """The tokens as a text of its own, whose characters stand for tokens."""
        if self.tokens is self.corpus.codes:
            return self.corpus
        if self.last_tokens is None:
            return Corpus(self.tokens, self.corpus.documents)
        starts = np.append(0, self.last_tokens[self.corpus.starts[1:] - 1].astype(np.int64) + 1)
        lengths = np.diff(starts, append=len(self.tokens)).tolist()
        names = (document.name for document in self.corpus.documents)
        return Corpus(self.tokens, tuple(map(Document, names, starts.tolist(), lengths)))

    def span(self, start: int, stop: int) -> Span:
        """Return the tokens to read for the characters from `start` up to `stop`.

        The row of a character without tokens is that of the token before it: if it is the first of these characters,
        that token is read again.
        """
        if self.last_tokens is None:
            return Span(start, stop - start, stop - start)
        first, last = self._first_token(start), int(self.last_tokens[stop - 1])
        if stop < len(self.last_tokens) and not len(self.corpus.starts_within(stop, stop + 1)):
            last = max(last, int(self.last_tokens[stop]) - 1)  # of a next character that has several
        return Span(first, self._first_token(stop) - first, last + 1 - first)

    def ids(self, start: int, stop: int) -> NDArray[np.int64]:
        """(n,) ids of the tokens from `start` up to `stop`."""
        return self.vocabulary.look_up(self.tokens[start:stop])

    def last_tokens_of(self, positions: range) -> NDArray[np.int64]:
        """(n,) the position of the last token of each of some characters; see `last_tokens`."""
        if self.last_tokens is None:
            return np.array(positions, np.int64)
        return self.last_tokens[positions.start : positions.stop : positions.step].astype(np.int64)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(n_documents,) where each document begins in the text."""
        return np.sort(len(self.corpus) - self.corpus.stops) if self.is_backwards else self.corpus.starts

    def positions(self, start: int, stop: int) -> NDArray[np.int64]:
        """(n,) the positions in the text of the characters that tokens from `start` up to `stop` belong to."""
        return self.positions_of(np.arange(start, stop))

    def positions_of(self, tokens: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the positions in the text of the characters that tokens belong to, in an array of the same shape."""
        positions = tokens
        if self.last_tokens is not None:
            positions = np.searchsorted(self.last_tokens, positions)
        return len(self.corpus) - 1 - positions if self.is_backwards else positions

    def mirrored_position(self, position: int) -> int:
        """Return the position in the text of a position in the order of reading, and the other way round."""
        return len(self.corpus) - 1 - position if self.is_backwards else position

    def in_reading_order(self, selection: Selection) -> Selection:
        """Return characters of the text, by their positions in the order of reading."""
        return selection.mirrored(len(self.corpus)) if self.is_backwards else selection

    def losses_of_characters(
        self, nats: NDArray[Any], right: NDArray[np.bool_]
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Sum the losses of each character's tokens, and find whether all of them were predicted right.

        Args:
            nats: (n_tokens - n_documents,) the loss of each token but the first of each document.
            right: (n_tokens - n_documents,) whether it was predicted right.

        Returns:
            (n_chars - n_documents,) the same of each character but the first that is read of each document, in the
            order of the text.
        """
        if self.last_tokens is not None:
            nats, right = self._sum_by_character(nats), self._sum_by_character(~right) == 0
        return (nats[::-1], right[::-1]) if self.is_backwards else (nats, right)

    def _sum_by_character(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """(n_chars - n_documents,) sums over each character's tokens, of values of all tokens but first ones."""
        by_token = np.zeros(len(self.tokens))
        by_token[_all_but(self.token_corpus.starts, len(by_token))] = values
        total = np.append(0.0, np.cumsum(by_token))
        by_character = np.diff(total[self.last_tokens_of(range(len(self.corpus))) + 1])
        return by_character[_all_but(self.corpus.starts, len(self.corpus))[1:]]

    def _first_token(self, position: int) -> int:
        """Find the first token that is read for a character when all tokens before it have been read."""
        if self.last_tokens is None:
            return position
        if position == 0:
            return 0
        after = int(self.last_tokens[position - 1]) + 1
        return after if position == len(self.last_tokens) else min(after, int(self.last_tokens[position]))


def _all_but(positions: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """(n,) False at some positions and True everywhere else."""
    is_other = np.ones(n, bool)
    is_other[positions] = False
    return is_other


def tokenise(corpus: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> TokenisedText:
    """Turn the characters of a text into the tokens that a model reads.

    Args:
        corpus: The text.
        rule: The rule by which it is read.
        vocabulary: The vocabulary of the model.

    Raises:
        ActivationError: If the model cannot follow the rule, or the rule leaves no token of a document.
    """
    if rule.is_plain:
        return TokenisedText(corpus, corpus.codes, None, vocabulary)
    rule.check(vocabulary)
    text = corpus.mirrored() if rule.backwards else corpus
    pieces: list[Codes] = []
    counts: list[NDArray[np.uint8]] = []
    for piece, n_of_piece in _spelled(text.codes, rule, vocabulary):
        pieces.append(piece)
        counts.append(n_of_piece)
    tokens, n_tokens = concatenate_codes(pieces), np.concatenate(counts)
    if not rule.begins and (n_tokens == 1).all():
        return TokenisedText(text, tokens, None, vocabulary, rule.backwards)
    last_tokens = np.cumsum(n_tokens, dtype=np.int64) - 1
    starts, lengths = text.starts, text.stops - text.starts
    first_tokens = last_tokens[starts] + 1 - n_tokens[starts]
    if rule.begins:
        tokens = np.insert(tokens.astype(np.uint32), first_tokens, ord(vocabulary.character_of(SOS)))
        first_tokens += np.arange(len(first_tokens))
        last_tokens += np.repeat(np.arange(len(first_tokens)) + 1, lengths)
    n_of_documents = np.diff(np.append(first_tokens, len(tokens)))
    for document, n_of_document in zip(text.documents, n_of_documents.tolist(), strict=True):
        if n_of_document == 0:
            raise ActivationError(f"nothing is left of {document.name} when it is read {rule}; leave it out")
    last_tokens = np.maximum(last_tokens, np.repeat(first_tokens, lengths))
    dtype = np.min_scalar_type(len(tokens))
    return TokenisedText(text, narrowest(tokens), last_tokens.astype(dtype), vocabulary, rule.backwards)


def tokenise_prompt(prompt: str, rule: ReadingRule, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """(n_tokens,) ids of what a model reads before it writes: at least one.

    Args:
        prompt: The prompt, in which tokens that are no characters are written by their names. Backwards, it is the end
            of a text.
        rule: The rule by which it is read. If documents begin with `<sos>`, so does the prompt, and may be empty.
        vocabulary: The vocabulary of the model.

    Raises:
        ActivationError: If the model does not know a character of it, or there is nothing to read.
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
    document = Document("the prompt", 0, len(text))
    tokenised = tokenise(Corpus(text_to_codes(text), (document,)), rule, vocabulary)
    return tokenised.ids(0, len(tokenised.tokens))


def prompt_text(prompt: str, rule: ReadingRule, vocabulary: Vocabulary) -> str:
    """Return the text of a prompt, without the token with which every document begins if the user wrote it."""
    text = vocabulary.unnamed(prompt)
    if not rule.begins:
        return text
    begin = vocabulary.character_of(SOS)
    return text.removesuffix(begin) if rule.backwards else text.removeprefix(begin)


def has_tokens(corpus: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """(n_documents,) whether a rule leaves any token of each document."""
    n_tokens = np.concatenate([n_of_piece for _, n_of_piece in _spelled(corpus.codes, rule, vocabulary)])
    return np.add.reduceat(n_tokens, corpus.starts, dtype=np.int64) + int(rule.begins) > 0


def vocabulary_to_learn(corpora: Sequence[Corpus], rule: ReadingRule, *, min_count: int = 1) -> Vocabulary:
    """Return the vocabulary that a model needs to read some texts by a rule.

    For bytes, these are all 256; otherwise see `Vocabulary.of_corpora`.
    """
    if rule.is_plain:
        return Vocabulary.of_corpora(corpora, min_count=min_count)
    names = [SOS] * rule.begins + [EOS] * bool(rule.ends)
    if rule.read_as == "bytes":
        return Vocabulary("".join(map(chr, range(N_BYTES)))).with_tokens(names)
    spelling = replace(rule, begins=False, ends="", substitutes=())
    token_corpora = [Corpus(tokenise(corpus, spelling, Vocabulary("")).tokens, ()) for corpus in corpora]
    known = Vocabulary.of_corpora(token_corpora, min_count=min_count)
    characters = known.characters.replace("\n", "") if rule.ends == "lines" else known.characters
    return Vocabulary(characters, known.replacement).with_tokens(names)


def check_text(
    corpus: Corpus, rule: ReadingRule, vocabulary: Vocabulary, *, replace_unknown: bool = False, way_out: str = ""
) -> int:
    """Count the characters of a corpus that are read as the vocabulary's replacement; see `Vocabulary.check`.

    Raises:
        ActivationError: If there are unknown characters that may not, or cannot, be replaced; or if the model cannot
            follow the rule.
    """
    rule.check(vocabulary)
    try:
        spelled = _speller(rule, vocabulary)
        return vocabulary.check(corpus, replace_unknown=replace_unknown, spelled=spelled, way_out=way_out)
    except ActivationError as error:
        hint = _better_spelling(corpus, rule, vocabulary)
        if not hint:
            raise
        raise ActivationError(f"{error}; {hint}") from error


def _better_spelling(corpus: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> str:
    """Suggest the spelling of a text of which a model knows more characters; empty if there is none."""
    fewest, best = vocabulary.unknown(corpus, _speller(rule, vocabulary))[0], ""
    for read_as in READ_AS:
        candidate = replace(rule, read_as=read_as)
        with suppress(ActivationError):
            candidate.check(vocabulary)
            n_unknown, first = vocabulary.unknown(corpus, _speller(candidate, vocabulary))
            if n_unknown < fewest:
                unknown = ", ".join(map(repr, map(chr, first)))
                fewest, best = n_unknown, f"{read_as}, where it knows all" + (f" but {unknown}" if unknown else "")
    return f"or read the text with --read-as {best}" if best else ""


def _speller(rule: ReadingRule, vocabulary: Vocabulary) -> Callable[[str], str] | None:
    return None if rule.is_plain else partial(rule.spelled, vocabulary=vocabulary)


def _spelled(codes: Codes, rule: ReadingRule, vocabulary: Vocabulary) -> Iterator[tuple[Codes, NDArray[np.uint8]]]:
    """Give the tokens of characters, and the number of tokens of each character, a chunk of characters at a time."""
    known: dict[int, Codes] = {}
    for start in range(0, len(codes), CHUNK_CHARS):
        distinct, which = np.unique(codes[start : start + CHUNK_CHARS], return_inverse=True)
        for code in distinct.tolist():
            if code not in known:
                spelling = text_to_codes(rule.spelled(chr(code), vocabulary))
                known[code] = spelling[::-1] if rule.backwards else spelling
        spellings = [known[code] for code in distinct.tolist()]
        lengths = np.array([len(spelling) for spelling in spellings])
        begins = np.cumsum(lengths) - lengths
        n_tokens = lengths[which]
        ends = np.cumsum(n_tokens)
        places = np.arange(ends[-1]) + np.repeat(begins[which] - (ends - n_tokens), n_tokens)
        yield narrowest(np.concatenate(spellings)[places]), n_tokens.astype(np.uint8)
