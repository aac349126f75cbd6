"""The characters that a model knows, and their ids."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from activations.corpus import Codes, Corpus, text_to_codes
from activations.errors import ActivationError

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_CHUNK = 1 << 20
_NAMED = 5


@dataclass(frozen=True)
class Vocabulary:
    """The characters of a model; a character's place is its id.

    Attributes:
        characters: Each once, in the order of their ids.
        replacement: The one among them that stands for every other character, or None.
    """

    characters: str
    replacement: str | None = None

    def __post_init__(self) -> None:
        if len(set(self.characters)) != len(self.characters):
            repeated = [char for char, n in Counter(self.characters).items() if n > 1]
            raise ActivationError(f"the vocabulary has {repeated[0]!r} more than once")
        if self.replacement is not None and self.replacement not in self.characters:
            raise ActivationError(f"the replacement {self.replacement!r} is not among the vocabulary's characters")

    def __len__(self) -> int:
        return len(self.characters)

    @classmethod
    def of(cls, texts: Iterable[str], *, min_count: int = 1) -> "Vocabulary":
        """The characters that occur in some texts, sorted.

        Args:
            texts: What to count.
            min_count: Characters that occur less often are left to one replacement, U+FFFD, which then is
                part of the vocabulary.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text)
        return cls._of_counts(counts, min_count)

    @classmethod
    def of_corpora(cls, corpora: Iterable[Corpus], *, min_count: int = 1) -> "Vocabulary":
        """The same of corpora, however long they are."""
        counts = np.zeros(sys.maxunicode + 1, np.int64)
        for corpus in corpora:
            for start in range(0, len(corpus), _CHUNK):
                counts += np.bincount(corpus.codes[start : start + _CHUNK], minlength=len(counts))
        return cls._of_counts({chr(code): int(counts[code]) for code in np.flatnonzero(counts).tolist()}, min_count)

    @classmethod
    def _of_counts(cls, counts: Mapping[str, int], min_count: int) -> "Vocabulary":
        kept = sorted(char for char, n in counts.items() if n >= min_count and char != REPLACEMENT)
        rare = len(kept) < len(counts)
        return cls("".join([*kept, REPLACEMENT] if rare else kept), REPLACEMENT if rare else None)

    def encode(self, corpus: Corpus, *, replace_unknown: bool = False) -> NDArray[np.int64]:
        """Ids of a corpus's characters.

        Args:
            corpus: What to encode.
            replace_unknown: Map characters that the vocabulary lacks to its replacement. The vocabulary
                must declare one.

        Returns:
            (n_chars,) ids in [0, len(self)).

        Raises:
            ActivationError: If there are unknown characters and they may not, or cannot, be replaced. The
                message names the first few and where they stand.
        """
        self.check(corpus, replace_unknown=replace_unknown)
        return self.look_up(corpus.codes)

    def check(self, corpus: Corpus, *, replace_unknown: bool = False) -> int:
        """How many characters of a corpus will be read as the replacement.

        Args:
            corpus: What is to be encoded.
            replace_unknown: See `encode`.

        Raises:
            ActivationError: If there are unknown characters and they may not, or cannot, be replaced.
        """
        n_unknown = 0
        first: dict[int, int] = {}  # where each unknown character stands first, of some
        for start in range(0, len(corpus), _CHUNK):
            codes = corpus.codes[start : start + _CHUNK]
            places = np.flatnonzero(self._places(codes)[1])
            n_unknown += len(places)
            if len(first) < _NAMED:
                found, firsts = np.unique(codes[places], return_index=True)
                for each in np.argsort(firsts).tolist():
                    first.setdefault(int(found[each]), start + int(places[firsts[each]]))
        if n_unknown and not (replace_unknown and self.replacement is not None):
            raise ActivationError(self._complaint(corpus, n_unknown, dict(list(first.items())[:_NAMED])))
        return n_unknown

    def look_up(self, codes: Codes) -> NDArray[np.int64]:
        """(n,) ids of code points; unknown ones are read as the replacement, or as -1 if there is none."""
        ids, unknown = self._places(codes)
        ids[unknown] = -1 if self.replacement is None else self.characters.index(self.replacement)
        return ids

    @cached_property
    def _sorted_codes(self) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        codes = text_to_codes(self.characters)
        order = np.argsort(codes)
        return codes[order], order

    def _places(self, codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(n,) ids of code points, and (n,) bool, which of them are unknown and so have a wrong one."""
        known, ids = self._sorted_codes
        place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return ids[place], known[place] != codes

    def _complaint(self, corpus: Corpus, n_unknown: int, first: Mapping[int, int]) -> str:
        named = ", ".join(f"{chr(code)!r} ({_place(corpus, position)})" for code, position in first.items())
        with_returns = "; read it with --newlines lf" if ord("\r") in first else ""
        way_out = (
            f"pass --replace-unknown to read them as {self.replacement!r}"
            if self.replacement is not None
            else "use a text that has only the model's characters, "
            "or a model whose rare characters share a replacement (probe train --min-count)"
        )
        occur = "1 character of the text is" if n_unknown == 1 else f"{n_unknown:,} characters of the text are"
        return f"{occur} not in the model's vocabulary of {len(self)}: first {named}{with_returns}; {way_out}"


def _place(corpus: Corpus, position: int) -> str:
    document = next(d for d in corpus.documents if d.start <= position < d.stop)
    before = corpus.codes[document.start : position]
    newlines = np.flatnonzero(before == ord("\n"))
    column = len(before) - (newlines[-1] + 1 if len(newlines) else 0) + 1
    return f"{document.name}, line {len(newlines) + 1}, column {column}"
