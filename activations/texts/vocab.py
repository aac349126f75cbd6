"""The characters that a model knows, and their ids."""

import sys
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.texts.codes import CHUNK_CHARS, Codes, text_to_codes
from activations.texts.corpus import Corpus

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_N_NAMED = 5
_SHOWN_CHARS = 80
_SURROGATES = range(0xD800, 0xE000)
_PRIVATE = range(0xF0000, sys.maxunicode + 1)


@dataclass(frozen=True)
class Vocabulary:
    """The characters of a model; the position of a character is its id.

    For a token that is no character, such as `<sos>`, a character stands that no text has; the token is shown and
    written by a name.

    Attributes:
        characters: The characters in the order of their ids, each once.
        replacement: The character as which unknown characters are read, or None.
        names: Names of tokens, in angle brackets, by the characters that stand for them.
    """

    characters: str
    replacement: str | None = None
    names: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        if len(set(self.characters)) != len(self.characters):
            repeated = [char for char, n in Counter(self.characters).items() if n > 1]
            raise ActivationError(f"the vocabulary has {repeated[0]!r} more than once")
        if self.replacement is not None and self.replacement not in self.characters:
            raise ActivationError(f"the replacement {self.replacement!r} is not among the vocabulary's characters")
        for char, name in self.names.items():
            if char not in self.characters or len(char) != 1:
                raise ActivationError(f"the character that stands for {name} is not among the vocabulary's characters")
            if not (str(name).startswith("<") and str(name).endswith(">") and str(name).isprintable()):
                raise ActivationError(
                    f"the token {name!r} has no name in angle brackets that can be printed, such as <sos>"
                )
        if len(set(self.names.values())) < len(self.names):
            raise ActivationError("two tokens of the vocabulary have the same name")

    def __len__(self) -> int:
        return len(self.characters)

    def character_of(self, name: str) -> str:
        """Return the character that stands for a token.

        Raises:
            ActivationError: If there is no such token.
        """
        for char, token_name in self.names.items():
            if token_name == name:
                return char
        known = (
            f"its tokens with names are {', '.join(self.names.values())}" if self.names else "it has characters only"
        )
        raise ActivationError(f"the model's vocabulary has no token {name}; {known}")

    def shown(self, text: str) -> str:
        """Return what a model wrote, with the names of tokens in place of the characters that stand for them."""
        return "".join(self.names.get(char, char) for char in text) if self.names else text

    def unnamed(self, text: str) -> str:
        """Return what a person wrote, with the characters that stand for tokens in place of their names."""
        for char, name in self.names.items():
            text = text.replace(name, char)
        return text

    def replacing_by(self, char: str) -> "Vocabulary":
        """Return the same vocabulary with another replacement for unknown characters.

        Raises:
            ActivationError: If the replacement is not one of its characters or tokens.
        """
        token = self.unnamed(char)
        if token not in self.characters or len(token) != 1:
            known = self.shown(self.characters[:_SHOWN_CHARS])
            raise ActivationError(
                f"unknown characters cannot be read as {char!r}, which is not one character or token that the model "
                f"knows; it knows {known!r}{' and others' * (len(self) > _SHOWN_CHARS)}"
            )
        return replace(self, replacement=token)

    def with_tokens(self, names: Iterable[str]) -> "Vocabulary":
        """Return the same vocabulary with tokens that are no characters added at its end."""
        free = stand_ins(self.characters)
        tokens = {next(free): name for name in names if name not in self.names.values()}
        return Vocabulary(self.characters + "".join(tokens), self.replacement, {**self.names, **tokens})

    @classmethod
    def of(cls, texts: Iterable[str], *, min_count: int = 1) -> "Vocabulary":
        """Make a vocabulary of the characters that occur in some texts, sorted.

        Args:
            texts: The texts.
            min_count: Characters that occur less often are read as one replacement, U+FFFD, which then is part of the
                vocabulary.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        return cls._of_counts(counts, min_count)

    @classmethod
    def of_corpora(cls, corpora: Iterable[Corpus], *, min_count: int = 1) -> "Vocabulary":
        """Make a vocabulary of the characters that occur in some corpora, however long; see `of`."""
        counts = np.zeros(sys.maxunicode + 1, np.int64)
        for corpus in corpora:
            for start in range(0, len(corpus), CHUNK_CHARS):
                counts += np.bincount(corpus.codes[start : start + CHUNK_CHARS], minlength=len(counts))
        return cls._of_counts({chr(code): int(counts[code]) for code in np.flatnonzero(counts).tolist()}, min_count)

    @classmethod
    def _of_counts(cls, counts: Mapping[str, int], min_count: int) -> "Vocabulary":
        frequent = sorted(char for char, n in counts.items() if n >= min_count and char != REPLACEMENT)
        if len(frequent) == len(counts):
            return cls("".join(frequent))
        return cls("".join([*frequent, REPLACEMENT]), REPLACEMENT)

    def encode(self, corpus: Corpus, *, replace_unknown: bool = False) -> NDArray[np.int64]:
        """Return the ids of a corpus's characters.

        Args:
            corpus: The corpus.
            replace_unknown: Whether to read unknown characters as the vocabulary's replacement, which there has to be.

        Returns:
            (n_chars,) ids in [0, len(self)).

        Raises:
            ActivationError: If there are unknown characters and they may not, or cannot, be replaced. The
                message names the first few and their positions.
        """
        self.check(corpus, replace_unknown=replace_unknown)
        return self.look_up(corpus.codes)

    def check(
        self,
        corpus: Corpus,
        *,
        replace_unknown: bool = False,
        spelled: Callable[[str], str] | None = None,
        way_out: str = "",
    ) -> int:
        """Count the characters of a corpus that will be read as the replacement, whole or in part.

        Args:
            corpus: The corpus.
            replace_unknown: See `encode`.
            spelled: Gives the tokens of a character; None is the character itself.
            way_out: What the message advises; the options of reading if empty.

        Raises:
            ActivationError: If there are unknown characters and they may not, or cannot, be replaced.
        """
        n_unknown, first = self.unknown(corpus, spelled)
        if n_unknown and not (replace_unknown and self.replacement is not None):
            advice = way_out or self._way_out(replace_unknown=replace_unknown)
            raise ActivationError(self._message(corpus, n_unknown, first, advice))
        return n_unknown

    def unknown(self, corpus: Corpus, spelled: Callable[[str], str] | None = None) -> tuple[int, dict[int, int]]:
        """Count the unknown characters of a corpus, and find the first positions of some of them, by code point.

        Args:
            corpus: The corpus.
            spelled: Gives the tokens of a character; None is the character itself.
        """
        n_unknown = 0
        first: dict[int, int] = {}
        for start in range(0, len(corpus), CHUNK_CHARS):
            codes = corpus.codes[start : start + CHUNK_CHARS]
            positions = np.flatnonzero(self._is_unknown(codes, spelled))
            n_unknown += len(positions)
            if len(first) < _N_NAMED:
                distinct, firsts = np.unique(codes[positions], return_index=True)
                for n in np.argsort(firsts).tolist():
                    first.setdefault(int(distinct[n]), start + int(positions[firsts[n]]))
        return n_unknown, dict(list(first.items())[:_N_NAMED])

    def look_up(self, codes: Codes) -> NDArray[np.int64]:
        """(n,) ids of code points; unknown ones are read as the replacement, or as -1 if there is none."""
        ids, is_unknown = self._ids(codes)
        ids[is_unknown] = -1 if self.replacement is None else self.characters.index(self.replacement)
        return ids

    @property
    def _usual_stand_in(self) -> str:
        return " " if " " in self.characters else self.shown(self.characters[0])

    @cached_property
    def _sorted_codes(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        codes = text_to_codes(self.characters)
        order = np.argsort(codes)
        return codes[order], order

    def _ids(self, codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(n,) ids of code points, and (n,) bool, which code points are unknown, so that their ids mean nothing."""
        known, ids = self._sorted_codes
        nearest = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return ids[nearest], known[nearest] != codes

    def _is_unknown(self, codes: Codes, spelled: Callable[[str], str] | None) -> NDArray[np.bool_]:
        """(n,) whether any token of each character is not in the vocabulary."""
        if spelled is None:
            return self._ids(codes)[1]
        distinct, which = np.unique(codes, return_inverse=True)
        unknown = [not set(spelled(chr(code))) <= set(self.characters) for code in distinct.tolist()]
        return np.array(unknown, bool)[which]

    def _way_out(self, *, replace_unknown: bool) -> str:
        if self.replacement is not None:
            return f"pass --replace-unknown to read them as {self.replacement!r}"
        if replace_unknown:
            return (
                "--replace-unknown replaces none of them, since the model has no replacement; name one of its "
                f"characters to read them as, such as --replace-unknown-with {self._usual_stand_in!r}"
            )
        return (
            f"name one of its characters to read them as, such as --replace-unknown-with {self._usual_stand_in!r}, "
            "use a text that has only the model's characters, or a model whose rare characters share a replacement "
            "(probe train --min-count)"
        )

    def _message(self, corpus: Corpus, n_unknown: int, first: Mapping[int, int], way_out: str) -> str:
        examples = ", ".join(
            f"{chr(code)!r} ({_line_and_column(corpus, position)})" for code, position in first.items()
        )
        with_returns = "; read it with --newlines lf" if ord("\r") in first else ""
        occur = "1 character of the text is" if n_unknown == 1 else f"{n_unknown:,} characters of the text are"
        return f"{occur} not in the model's vocabulary of {len(self)}: first {examples}{with_returns}; {way_out}"


def stand_ins(in_use: Container[str]) -> Iterator[str]:
    """Give characters that can stand for tokens that are no characters.

    They are the 2,048 lone surrogates, which no text decoded from a file has, and then those of the private planes of
    Unicode.

    Args:
        in_use: Characters that stand for something else.
    """
    return (char for code in chain(_SURROGATES, _PRIVATE) if (char := chr(code)) not in in_use)


def _line_and_column(corpus: Corpus, position: int) -> str:
    document = next(d for d in corpus.documents if d.start <= position < d.stop)
    before = corpus.codes[document.start : position]
    newlines = np.flatnonzero(before == ord("\n"))
    column = len(before) - (newlines[-1] + 1 if len(newlines) else 0) + 1
    return f"{document.name}, line {len(newlines) + 1}, column {column}"
