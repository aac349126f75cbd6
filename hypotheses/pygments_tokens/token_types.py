"""The type of the token that each character is in, as a lexer of the library Pygments sees it."""

import functools
import hashlib
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, String, Token, _TokenType
from pygments.util import ClassNotFound

from hypotheses.errors import HypothesisError
from hypotheses.pygments_tokens.lexer_rules import faster

DOC_COMMENT = _TokenType((*Comment, "Doc"))
"""In place of `String.Doc`, for documentation that is written as a comment."""

MOST_BYTES = 64 << 20
"""Memory for the types of texts that were read before, in bytes."""

_OPENERS = ("/", "--", "{-", "(*", "<!--", "#", "%", ";", "=", ".")  # of comments, and of keywords within comments
_TOKENS_BETWEEN_CHECKS = 256


@dataclass(frozen=True, slots=True, eq=False)
class TokenTypes:
    """The type of the token that each character is in.

    Attributes:
        types: The types that occur; the first is `Token`, of characters that are in none.
        indices: (n_chars,) uint8 or uint16, the index of each character's type in `types`.
    """

    types: tuple[_TokenType, ...]
    indices: NDArray[Any]

    def are(self, is_wanted: Callable[[_TokenType], bool]) -> NDArray[np.bool_]:
        """Return (n_chars,) whether the type of each character is wanted."""
        labels: NDArray[np.bool_] = np.array([is_wanted(kind) for kind in self.types])[self.indices]
        return labels


class _Kept:
    """The types of the last texts, up to a number of bytes: the longest unused are dropped first."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[tuple[type[Lexer], bytes], TokenTypes] = OrderedDict()
        self._n_bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[type[Lexer], bytes]) -> TokenTypes | None:
        with self._lock:
            if key in self._by_key:
                self._by_key.move_to_end(key)
            return self._by_key.get(key)

    def put(self, key: tuple[type[Lexer], bytes], types: TokenTypes) -> None:
        with self._lock:
            if key in self._by_key or types.indices.nbytes > MOST_BYTES:
                return
            self._by_key[key] = types
            self._n_bytes += types.indices.nbytes
            while self._n_bytes > MOST_BYTES:
                self._n_bytes -= self._by_key.popitem(last=False)[1].indices.nbytes

    def clear(self) -> None:
        with self._lock:
            self._by_key.clear()
            self._n_bytes = 0


_kept = _Kept()


def token_types(text: str, language: str, file_name: str, limit_s: float) -> TokenTypes:
    """Return the type of the token that each character is in.

    The types of the last texts are kept, so that several questions about a text take one reading of it.

    Args:
        text: A program.
        language: A name by which Pygments knows the language; if empty, the name of the file decides.
        file_name: The name of the file, or an empty string.
        limit_s: Longest time that the lexer may take, in seconds.

    Raises:
        HypothesisError: If there is no such lexer, or it takes longer.
    """
    lexer = faster(_lexer_class(language, file_name)())
    key = type(lexer), _digest(text)
    types = _kept.get(key)
    if types is None:
        types = _read(lexer, text, limit_s)
        _kept.put(key, types)
    return types


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()


def _read(lexer: Lexer, text: str, limit_s: float) -> TokenTypes:
    lines = text.replace("\r\n", " \n").replace("\r", "\n") + "\n"  # as lexers expect them, of the same length
    deadline = time.monotonic() + limit_s
    index_of = {Token: 0}
    starts, lengths, indices = array("q"), array("q"), array("H")
    doc_ends, is_doc_comment = -1, False
    for n, (start, kind, value) in enumerate(lexer.get_tokens_unprocessed(lines)):
        if n % _TOKENS_BETWEEN_CHECKS == 0 and time.monotonic() > deadline:
            raise HypothesisError(f"the lexer took too long; it has read {start:,} of {len(text):,} characters")
        if kind is String.Doc:
            is_doc_comment = is_doc_comment if start == doc_ends else value.lstrip().startswith(_OPENERS)
            doc_ends = start + len(value)
            if is_doc_comment:
                kind = DOC_COMMENT
        index = index_of.get(kind)
        if index is None:
            index = index_of[kind] = len(index_of)
        starts.append(start)
        lengths.append(len(value))
        indices.append(index)
    by_char = _by_char(np.array(starts), np.array(lengths), np.array(indices), len(lines))
    if len(index_of) <= 256:
        by_char = by_char.astype(np.uint8)
    return TokenTypes(tuple(index_of), by_char[: len(text)])


def _by_char(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], indices: NDArray[np.uint16], n_chars: int
) -> NDArray[Any]:
    """Return (n_chars,) the index of each character; 0 where there is no token."""
    if np.array_equal(starts, np.cumsum(lengths) - lengths) and lengths.sum() == n_chars:
        return np.repeat(indices, lengths)
    by_char: NDArray[np.uint16] = np.zeros(n_chars, indices.dtype)  # tokens with gaps, or in another order
    for start, length, index in zip(starts.tolist(), lengths.tolist(), indices.tolist(), strict=True):
        by_char[start : start + length] = index
    return by_char


@functools.lru_cache(maxsize=256)
def _lexer_class(language: str, file_name: str) -> type[Lexer]:
    if language:
        try:
            return type(get_lexer_by_name(language))
        except ClassNotFound:
            raise HypothesisError(
                f"Pygments has no lexer for {language!r}; `pygmentize -L lexers` lists them"
            ) from None
    for name in (file_name, file_name.removesuffix(".txt")):
        try:
            lexer_class = type(get_lexer_for_filename(name))
        except ClassNotFound:
            continue
        if not name.endswith(".txt"):
            return lexer_class
    raise HypothesisError(
        f"the name of the text ({file_name or 'there is none'}) does not tell its language; set it with --language, "
        "or after a comma, such as token:Comment,python"
    )
